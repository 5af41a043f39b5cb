//! Files that are refused as plugins, and the messages.

use std::path::Path;

use till::hooks::Kind;
use till::versions::built_in_bytes;

use crate::support::{
    component::{self, COMPONENT, Code, MODULE, SPIN, bombs, checkout_with, many},
    golden, guests,
    host::till,
};

/// A refused file, by its name in the golden file.
type File = (&'static str, Vec<u8>, &'static [(&'static str, &'static str)]);

/// Says what `till plugin check` says of a file that is to be refused, and that it says so by exit code 1.
fn refusal(folder: &Path, file: &str, settings: &[(&str, &str)]) -> String {
    let mut check = till();
    check.args(["plugin", "check", file]).current_dir(folder).envs(settings.iter().copied());
    let checked = check.output().expect("till starts");
    let message = String::from_utf8(checked.stderr).expect("UTF-8");
    assert_eq!(checked.status.code(), Some(1), "{file}: {message}");
    assert!(checked.stdout.is_empty(), "{file}: {}", String::from_utf8_lossy(&checked.stdout));

    // A host doesn't start with it, and says the same.
    let mut serve = till();
    serve.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--plugins", "."]);
    let served = serve.current_dir(folder).envs(settings.iter().copied()).output().expect("till starts");
    let told = String::from_utf8(served.stderr).expect("UTF-8");
    assert_eq!(served.status.code(), Some(1), "{file}: {told}");
    let last = told.trim_end().lines().last().unwrap_or_default().replace("./", "");
    assert!(message.trim_end().ends_with(&last), "checked: {message}served: {told}");
    message
}

/// Checks that each file is refused in the words of the golden file.
fn check(golden: &str, files: Vec<File>) {
    let mut messages = String::new();
    for (name, bytes, settings) in files {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = format!("{name}.wasm");
        std::fs::write(folder.path().join(&file), bytes).expect("the file is written");
        if name.starts_with("inventory") {
            std::fs::write(folder.path().join("z.wasm"), built_in_bytes(Kind::Checkout)).expect("the file is written");
        }
        messages += &refusal(folder.path(), &file, settings);
    }
    golden::check(golden, &messages);
}

fn guest(name: &str) -> Vec<u8> {
    std::fs::read(guests::file(name)).expect("it was built")
}

/// A component that exports a checkout which has nothing in it, and more that is to be refused.
fn hollow(more: &str) -> Vec<u8> {
    let export = r#"(instance $hollow) (export "till:plugin/checkout@0.1.0" (instance $hollow))"#;
    wat::parse_str(format!("(component {more} {export})")).expect("sound WAT")
}

#[test]
fn a_file_that_is_no_component_is_refused_with_what_it_is_instead() {
    let sound = built_in_bytes(Kind::Checkout);
    let mut flipped = sound.to_vec();
    flipped[8] ^= 0x40;
    let engine = wasmtime::Engine::default();
    let component = wat::parse_str("(component)").expect("sound WAT");
    check(
        "refused_files.txt",
        vec![
            ("empty", Vec::new(), &[]),
            ("text", b"(component)".to_vec(), &[]),
            ("elf", b"\x7fELF\x02\x01\x01\0".to_vec(), &[]),
            ("core_module", b"\0asm\x01\0\0\0".to_vec(), &[]),
            ("precompiled", engine.precompile_component(&component).expect("code"), &[]),
            ("precompiled_module", engine.precompile_module(b"\0asm\x01\0\0\0").expect("code"), &[]),
            ("truncated", sound[..12].to_vec(), &[]),
            ("truncated_in_the_middle", sound[..sound.len() / 2].to_vec(), &[]),
            ("bit_flipped", flipped, &[]),
            ("too_large", vec![0; (1 << 20) + 1], &[("TILL_LIMITS_COMPONENT_MIB", "1")]),
        ],
    );
}

#[test]
fn a_component_of_another_world_is_refused_with_the_line_to_change() {
    check(
        "refused_worlds.txt",
        vec![
            ("neither_world", guest("neither_world"), &[]),
            ("other_version", guest("other_version"), &[]),
            ("wrong_types", guest("wrong_types"), &[]),
            ("missing_export", hollow(""), &[]),
            ("imports_tls", hollow(r#"(import "wasi:sockets/tls@0.2.6" (instance))"#), &[]),
            ("imports_http", hollow(r#"(import "wasi:http/outgoing-handler@0.2.6" (instance))"#), &[]),
            ("imports_unknown", hollow(r#"(import "acme:loyalty/points@1.0.0" (instance))"#), &[]),
            ("imports_stock", hollow(r#"(import "till:plugin/stock@0.1.0" (instance))"#), &[]),
            ("imports_later_wasi", hollow(r#"(import "wasi:cli/stdout@0.3.0" (instance))"#), &[]),
        ],
    );
}

/// Issue 15.19: each was told that it is cut off or damaged.
#[test]
fn a_whole_file_that_no_validator_takes_is_told_why() {
    let long = "x".repeat(100_001);
    let lifted = r#"(core module $m (func (export "f"))) (core instance $i (instantiate $m))
        (func (canon lift (core func $i "f") async))"#;
    check(
        "refused_invalid.txt",
        vec![
            ("long_name", hollow(&format!(r#"(core module (func (export "{long}")))"#)), &[]),
            ("async_lift", hollow(lifted), &[]),
            ("deep_types", hollow(&deep_types()), &[]),
        ],
    );
}

/// Types within each other, more of them than a validator follows.
fn deep_types() -> String {
    let first = "(type $t0 (list u8))".to_owned();
    (1..200).fold(first, |types, number| format!("{types} (type $t{number} (list $t{}))", number - 1))
}

/// Issue 15.19: README allows 4 memories a component, and they were refused in one module.
#[test]
fn a_module_may_have_all_memories_and_tables_of_its_component() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("memories.wasm");
    let module = "(memory 0) (memory 0) (memory 0) (table 0 funcref) (table 0 funcref) (table 0 funcref)";
    std::fs::write(&path, component::checkout(Code { module, ..Code::default() })).expect("the file is written");
    let checked = till().args(["plugin", "check"]).arg(&path).output().expect("till starts");
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn a_start_without_a_plugin_that_fits_says_why() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let serve = |setting: &str| {
        let mut serve = till();
        serve.args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
            "--set",
            setting,
            "--set",
            "limits.drain_ms=1",
        ]);
        serve.current_dir(folder.path());
        serve
    };
    // The previously live version must not hide why the settings' plugins aren't live.
    let mut before =
        serve("limits.guest_memory_mib=64").stdout(std::process::Stdio::piped()).spawn().expect("till starts");
    let mut told = std::io::BufReader::new(before.stdout.take().expect("stdout is piped"));
    let mut line = String::new();
    while !line.contains("shop") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut told, &mut line).expect("a line") > 0, "it serves");
    }
    before.kill().expect("it runs");
    before.wait().expect("a child of ours");
    let served = serve("limits.guest_memory_mib=1").output().expect("till starts");
    let told = String::from_utf8_lossy(&served.stderr).into_owned();
    let last = told.trim_end().lines().last().unwrap_or_default();
    assert!(last.contains("limits.guest_memory_mib") && !last.contains("there is no checkout plugin"), "{told}");
}

#[test]
fn a_component_that_takes_too_much_is_refused_before_it_is_compiled() {
    let instances = many(900, |_| "(core instance (instantiate $m))".into());
    let instances = format!("(component (core module $m) {instances})");
    let mut files: Vec<File> = vec![
        ("memory_of_4_gib", checkout_with(MODULE, "(module (memory 65536))"), &[]),
        ("memories", checkout_with(MODULE, &format!("(module {})", many(100, |_| "(memory 0)".into()))), &[]),
        ("core_instances", checkout_with(COMPONENT, &instances), &[]),
    ];
    let counted = bombs().into_iter().filter(|(name, _)| *name != "values");
    files.extend(counted.map(|(name, bytes)| (name, bytes, &[][..])));
    check("refused_counts.txt", files);
}

#[test]
fn a_plugin_that_fails_on_trial_is_refused_with_how() {
    let raw = component::checkout;
    check(
        "refused_trials.txt",
        vec![
            ("start_loop", raw(Code { module: "(start $s) (func $s (loop (br 0)))", ..Code::default() }), &[]),
            ("start_trap", raw(Code { module: "(start $s) (func $s unreachable)", ..Code::default() }), &[]),
            (
                "start_host_call",
                raw(Code { module: "(start $s) (func $s (call $sleep (i32.const 0)))", ..Code::default() }),
                &[],
            ),
            ("probe_trap", guest("probe_trap"), &[]),
            ("probe_loop", raw(Code { call: SPIN, ..Code::default() }), &[]),
            ("probe_realloc_loop", raw(Code { realloc: SPIN, ..Code::default() }), &[]),
            ("probe_post_return_loop", raw(Code { post_return: SPIN, ..Code::default() }), &[]),
            (
                "probe_sleep",
                raw(Code { call: "(call $sleep (i32.const -1))", ..Code::default() }),
                &[
                    ("TILL_LIMITS_INVENTORY_CALL_MS", "100"),
                    ("TILL_LIMITS_REMOTE_CALL_MS", "200"),
                    ("TILL_LIMITS_CHECKOUT_CALL_MS", "300"),
                ],
            ),
            ("probe_memory", raw(Code { call: "(drop (memory.grow (i32.const 4096)))", ..Code::default() }), &[]),
            (
                "probe_host_calls",
                raw(Code { call: "(loop (call $sleep (i32.const 0)) (br 0))", ..Code::default() }),
                &[("TILL_LIMITS_HOST_CALLS", "20")],
            ),
            ("probe_bad_case", raw(Code { call: "(return (i32.const 0x600))", ..Code::default() }), &[]),
            ("probe_without_deduct", raw(Code { call: "(return (i32.const 0x300))", ..Code::default() }), &[]),
            ("inventory_probe_bad_output", guest("probe_bad_output"), &[]),
        ],
    );
}

#[test]
fn a_plugin_folder_holds_one_of_each_kind() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let serve = || {
        let mut serve = till();
        serve.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--plugins", "."]);
        let served = serve.current_dir(folder.path()).output().expect("till starts");
        assert_eq!(served.status.code(), Some(1));
        let told = String::from_utf8(served.stderr).expect("UTF-8");
        // Behind what the log has to say of those that are in order.
        format!("{}\n", told.lines().last().unwrap_or_default())
    };
    let export = |kind: &str, file: &str| {
        let exported = till().args(["plugin", "export", kind, file]).current_dir(folder.path()).status();
        assert!(exported.expect("till starts").success());
    };
    let mut messages = serve();
    export("checkout", "a.wasm");
    messages += &serve();
    export("checkout", "b.wasm");
    // Of several that were live before it takes the one that was so last.
    std::fs::remove_dir_all(folder.path().join("till-data")).expect("removed");
    messages += &serve();
    golden::check("plugin_folder.txt", &messages);
}

#[test]
fn a_damaged_file_never_takes_the_host_down() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("damaged.wasm");
    assert!(till().args(["plugin", "export", "inventory"]).arg(&path).status().expect("till starts").success());
    let sound = std::fs::read(&path).expect("it was written");
    for part in 0..24 {
        let mut damaged = sound.clone();
        let at = 8 + part * (sound.len() - 8) / 24;
        damaged[at] ^= 1 << (part % 8);
        std::fs::write(&path, damaged).expect("the file is written");
        let checked = till().args(["plugin", "check"]).arg(&path).output().expect("till starts");
        let message = String::from_utf8_lossy(&checked.stderr);
        // Some bits don't matter, a digit of a name say. Anything but 0 and 1 would be a crash.
        assert!(matches!(checked.status.code(), Some(0 | 1)), "bit {part} of byte {at}: {message}");
        assert!(!message.contains("panicked"), "{message}");
    }
}

#[test]
fn a_sound_plugin_is_described() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("sound.wasm");
    assert!(till().args(["plugin", "export", "checkout"]).arg(&path).status().expect("till starts").success());
    let checked = till().args(["plugin", "check", "--json"]).arg(&path).output().expect("till starts");
    assert_eq!(checked.status.code(), Some(0));
    let described: serde_json::Value = serde_json::from_slice(&checked.stdout).expect("JSON");
    assert_eq!(described["accepted"], true);
    assert_eq!(described["kind"], "checkout");
    assert_eq!(described["digest"].as_str().map(str::len), Some(64));
}
