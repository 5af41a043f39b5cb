//! What the guests of track 0.2 share: a sound answer for the probe, and the mistakes that any hook can make.

use std::hint::black_box;

use till_sdk::hooks::{Cart, HookError, facts, setting};

const MIB: usize = 1024 * 1024;

/// 2^53 minor units, which no amount may have.
pub const TOO_MUCH: u64 = 1 << 53;

/// Returns the mistake that the setting `do` names, once the plugin is asked about anything but the probe; none without. Makes the
/// mistakes that are the same at all hooks.
///
/// # Errors
/// Those that the setting names.
///
/// # Panics
/// If the setting says `trap`.
#[expect(clippy::panic, reason = "to panic is what it is for")]
pub fn mistake(cart: &Cart) -> Result<String, HookError> {
    let does = setting("do").or("nothing").text()?.to_owned();
    if cart.lines.iter().any(|line| line.item == "probe") {
        return Ok("nothing".to_owned());
    }
    match &*does {
        "trap" => panic!("as it was told"),
        "loop" => loop {
            std::hint::spin_loop();
        },
        "memory" => loop {
            // Never written to: filling it could reach the CPU limit before the memory limit.
            std::mem::forget(black_box(Vec::<u8>::with_capacity(MIB)));
        },
        "recursion" => drop(black_box(deep(1))),
        "host_calls" => (0..257).for_each(|_| drop(black_box(facts::locale()))),
        "facts" => drop(facts::products(&vec!["headphones".to_owned(); 201])),
        "fields" => drop(facts::fields(&vec![facts::Owner::Shop; 201], "a.b")),
        "long_question" => drop(facts::products(&["x".repeat(MIB)])),
        "unavailable" => return Err(HookError::unavailable("nobody answers")),
        "other" => return Err(HookError::other("no idea")),
        "hostile_error" => return Err(HookError::other(hostile_text())),
        "long_error" => return Err(HookError::other(long_text())),
        _ => {}
    }
    Ok(does)
}

/// Returns a text that writes a log line and a colour of its own.
#[must_use]
pub fn hostile_text() -> String {
    "fine\r\nlevel=error \u{1b}[31mforged\u{0}".to_owned()
}

/// Returns a text of 1 MiB.
#[must_use]
pub fn long_text() -> String {
    "x".repeat(MIB)
}

/// Returns a text that is longer than a text may be, and shorter than what a whole answer may have.
#[must_use]
pub fn wordy_text() -> String {
    "\u{1b}".repeat(100_000)
}

fn deep(depth: u64) -> u64 {
    let room = black_box([depth; 64]);
    if depth == 0 { 0 } else { room.iter().fold(0, |sum, one| sum ^ one) + deep(depth + 1) }
}
