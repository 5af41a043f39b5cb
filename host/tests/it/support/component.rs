//! Components that no toolchain makes: a core module written by hand, wrapped as one of Till's worlds, with other
//! parts.

use std::{fmt::Write, path::Path};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A section with a core module in it, and one with a component.
pub(crate) const MODULE: u8 = 1;
pub(crate) const COMPONENT: u8 = 4;

/// Returns the built-in checkout plugin with something else in it, which nothing uses: of the right world, and compiled
/// with it all the same.
pub(crate) fn checkout_with(section: u8, wat: &str) -> Vec<u8> {
    let content = wat::parse_str(wat).expect("sound WAT");
    let mut bytes = till::versions::built_in_bytes(till::hooks::Kind::Checkout).to_vec();
    bytes.push(section);
    let mut length = content.len();
    while length >= 0x80 {
        bytes.push(u8::try_from(length & 0x7f).expect("7 bits") | 0x80);
        length >>= 7;
    }
    bytes.push(u8::try_from(length).expect("7 bits"));
    bytes.extend(content);
    bytes
}

/// Returns that many of something that is made of its number.
pub(crate) fn many(number: usize, one: impl Fn(usize) -> String) -> String {
    (0..number).fold(String::new(), |mut text, each| {
        _ = write!(text, "{} ", one(each));
        text
    })
}

/// Code for the places where a plugin written by hand may misbehave. Its memory: what it answers is at 0x300, an
/// adjustment at 0x400, the bytes of no UTF-8 at 0x600, a text of zeros of 1 MiB at 0x10_0000, and room behind that.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Code {
    /// Beside its functions.
    pub(crate) module: &'static str,
    /// In `cabi_realloc`, where the host puts what it hands over.
    pub(crate) realloc: &'static str,
    /// In any call, before anything else.
    pub(crate) call: &'static str,
    /// In a call that isn't the probe's, before it asks for stock and once it has its answer.
    pub(crate) live: &'static str,
    pub(crate) live_sold: &'static str,
    /// Once the host has read the answer.
    pub(crate) post_return: &'static str,
}

/// An endless loop.
pub(crate) const SPIN: &str = "(loop (br 0))";

/// Plugins that behave well in the trial and then misbehave as no compiler's code would.
const HOSTILE: [(&str, Code); 7] = {
    const CODE: Code = Code { module: "", realloc: "", call: "", live: "", live_sold: "", post_return: "" };
    [
        // The answer has one adjustment, and its label is 10 bytes past all memory.
        (
            "checkout_text_out_of_bounds",
            Code {
                live_sold: "(i64.store (i32.const 0x308) (i64.const 0x1_0000_0400)) (i32.store8 (i32.const 0x400) (i32.const 2))
                    (i64.store (i32.const 0x40c) (i64.const 0xa_7fff_ffff))",
                ..CODE
            },
        ),
        // Two bytes that are no UTF-8.
        (
            "checkout_bad_utf8",
            Code {
                live_sold: "(i64.store (i32.const 0x308) (i64.const 0x1_0000_0400)) (i32.store8 (i32.const 0x400) (i32.const 2))
                    (i64.store (i32.const 0x40c) (i64.const 0x2_0000_0600))",
                ..CODE
            },
        ),
        // An effect that there isn't.
        (
            "checkout_bad_enum",
            Code {
                live_sold: "(i64.store (i32.const 0x308) (i64.const 0x1_0000_0400)) (i32.store8 (i32.const 0x400) (i32.const 250))",
                ..CODE
            },
        ),
        // 100,000 attributes, the key of each the same 1 MiB.
        (
            "checkout_aliased_list",
            Code {
                live_sold: "(local.set $count (i32.const 100000))
                    (loop $more
                        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
                        (i64.store
                            (i32.add (i32.const 0x20_0000) (i32.mul (i32.const 24) (local.get $count)))
                            (i64.const 0x10_0000_0010_0000))
                        (br_if $more (local.get $count)))
                    (i64.store (i32.const 0x318) (i64.const 0x1_86a0_0020_0000))",
                ..CODE
            },
        ),
        // Where the host puts what the inventory answered: the stock is taken by then.
        ("checkout_realloc_loop", Code { realloc: "(if (global.get $live) (then (loop (br 0))))", ..CODE }),
        // Once it has answered ok, and the host has read it.
        ("checkout_post_return_loop", Code { post_return: "(if (global.get $live) (then (loop (br 0))))", ..CODE }),
        // Answered -1; it goes on as it should.
        (
            "checkout_table_grow",
            Code {
                module: "(table $t 1 funcref)",
                live: "(if (i32.ne (table.grow $t (ref.null func) (i32.const 1000000000)) (i32.const -1)) (then unreachable))",
                ..CODE
            },
        ),
    ]
};

/// Returns the hostile plugin of that name, `None` if a compiler made it.
pub(crate) fn hostile(name: &str) -> Option<Vec<u8>> {
    HOSTILE.iter().find(|(hostile, _)| *hostile == name).map(|(_, code)| checkout(*code))
}

/// Returns a checkout plugin that sells an order as it is, and what this code makes of it.
pub(crate) fn checkout(code: Code) -> Vec<u8> {
    let Code { module, realloc, call, live, live_sold, post_return } = code;
    let text = format!(
        r#"(module
            (import "till:plugin/inventory@0.1.0" "deduct" (func $deduct (param i32 i32 i32 i32 i32 i32 i32)))
            (import "till:plugin/host@0.1.0" "sleep" (func $sleep (param i32)))
            (memory (export "memory") 128)
            (data (i32.const 0x600) "\ff\fe")
            (global $live (mut i32) (i32.const 0))
            (global $free (mut i32) (i32.const 0x10000))
            {module}
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                {realloc}
                (global.set $free (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
                (global.get $free)
                (global.set $free (i32.add (global.get $free) (local.get 3))))
            (func (export "till:plugin/checkout@0.1.0#checkout")
                (param $parent i32) (param $parent_bytes i32) (param $state i32) (param $state_bytes i32)
                (param $id i64) (param $placed_at i64) (param $code i32) (param $code_bytes i32) (param $decimals i32)
                (param $lines i32) (param $lines_count i32) (param $attributes i32) (param $attributes_count i32)
                (result i32)
                (local $count i32) (local $number i32) (local $line i32) (local $stock_line i32) (local $total i64)
                {call}
                ;; "prob"
                (global.set $live (i32.ne (i32.load (i32.load (local.get $lines))) (i32.const 0x626f7270)))
                (if (global.get $live) (then {live}))
                ;; Each line's item and quantity, for the stock, and what it costs, for the total.
                (loop $next
                    (local.set $line (i32.add (local.get $lines) (i32.mul (i32.const 32) (local.get $number))))
                    (local.set $stock_line (i32.add (i32.const 0x1000) (i32.mul (i32.const 12) (local.get $number))))
                    (i64.store (local.get $stock_line) (i64.load (local.get $line)))
                    (i32.store offset=8 (local.get $stock_line) (i32.load offset=8 (local.get $line)))
                    (local.set $total (i64.add (local.get $total)
                        (i64.mul (i64.load32_u offset=8 (local.get $line)) (i64.load offset=16 (local.get $line)))))
                    (local.set $number (i32.add (local.get $number) (i32.const 1)))
                    (br_if $next (i32.lt_u (local.get $number) (local.get $lines_count))))
                (call $deduct (local.get $parent) (local.get $parent_bytes) (local.get $state) (local.get $state_bytes)
                    (i32.const 0x1000) (local.get $lines_count) (i32.const 0x200))
                (if (i32.load8_u (i32.const 0x200)) (then unreachable))
                (i64.store (i32.const 0x310) (local.get $total))
                (if (global.get $live) (then {live_sold}))
                (i32.const 0x300))
            (func (export "cabi_post_till:plugin/checkout@0.1.0#checkout") (param i32) {post_return}))"#
    );
    encode(&text, "checkout-plugin")
}

/// Makes a component of a core module with the names and types of the canonical ABI.
fn encode(text: &str, world: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/v0.1");
    let (package, _) = resolve.push_path(wit).expect("sound WIT");
    let world = resolve.select_world(&[package], Some(world)).expect("a world");
    let mut module = wat::parse_str(text).expect("sound WAT");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("a module");
    ComponentEncoder::default().module(&module).expect("a module of this world").encode().expect("a component")
}

/// Code that keeps so many values alive at once, in locals or, which no count of locals shows, on the stack.
fn alive(values: usize, local: bool) -> String {
    let (locals, set, take): (_, &dyn Fn(usize) -> String, &dyn Fn(usize) -> String) = if local {
        let locals = format!("(local {})", many(values, |_| "i64".into()));
        (locals, &|each| format!("(local.set {each} (call $give))"), &|each| format!("(call $take (local.get {each}))"))
    } else {
        (String::new(), &|_| "(call $give)".into(), &|_| "(call $take)".into())
    };
    format!(
        "(module (import \"\" \"give\" (func $give (result i64))) (import \"\" \"take\" (func $take (param i64)))
            (func {locals} {} {}))",
        many(values, set),
        many(values, take)
    )
}

/// Plugins that are cheap to send and dear to compile, by what is dear about them. The last is past no count.
pub(crate) fn bombs() -> [(&'static str, Vec<u8>); 4] {
    let segments = many(90_000, |each| format!("(data (i32.const {}) \"a\")", 640 * each));
    [
        ("locals", checkout_with(MODULE, &alive(8_000, true))),
        ("data_segments", checkout_with(MODULE, &format!("(module (memory 1000) {segments})"))),
        ("functions", checkout_with(MODULE, &format!("(module {})", many(200_000, |_| "(func)".into())))),
        ("values", checkout_with(MODULE, &alive(60_000, false))),
    ]
}
