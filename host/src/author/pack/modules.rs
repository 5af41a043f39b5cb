//! Joins the core modules of a component into one.
//!
//! A toolchain that links a language's runtime dynamically leaves a dozen core modules. Each fresh instance of the
//! component then makes an instance of each module, looks up a thousand imports between them, and fills the function
//! table entry by entry, because only a module's own table can be filled in advance. One module needs none of that.
//!
//! All modules are joined whose imports exist before any function of the host is lowered into their memory. The others
//! stay apart: they fill the table through which the host's functions are reached, and call start functions.

mod joined;
mod module;
mod outline;
mod parts;
mod rewrite;

use anyhow::Result;
use wasmparser::Validator;

use self::rewrite::Rewrite;

/// Returns the component with joined modules; unchanged if they can't be joined.
///
/// # Errors
/// When the component can't be read.
pub(super) fn join(component: &[u8]) -> Result<Vec<u8>> {
    let Some(joined) = Rewrite::of(component)? else { return Ok(component.to_vec()) };
    // Nothing is gained by a component that no host takes.
    Ok(if Validator::new().validate_all(&joined).is_ok() { joined } else { component.to_vec() })
}

fn unreadable<E: std::fmt::Display>(error: E) -> anyhow::Error {
    anyhow::anyhow!("{error}")
}

#[cfg(test)]
mod tests {
    use wasmtime::{
        Engine, Store,
        component::{Component, Linker},
    };

    use wasm_encoder::{ComponentSectionId, RawSection};
    use wasmparser::{Parser, Payload};

    use super::*;

    /// A program that is linked dynamically: `$library` has its functions in `$main`'s table and its text in `$main`'s
    /// memory, both at places that `$main` tells it, and calls the host through `$shim`, which `$fixup` fills.
    const LINKED: &str = r#"(component
        (import "log" (func $log (param "text" string)))
        (core module $main
            (table (export "table") 8 funcref)
            (memory (export "memory") 1)
            (global (export "table-base") i32 (i32.const 3))
            (global (export "memory-base") i32 (i32.const 1024))
            (global (export "calls") (mut i32) (i32.const 40)))
        (core module $shim
            (type $log (func (param i32 i32)))
            (table $imports (export "imports") 1 funcref)
            (func (export "log") (type $log)
                (call_indirect $imports (type $log) (local.get 0) (local.get 1) (i32.const 0))))
        (core module $library
            (type $next (func (result i32)))
            (import "env" "memory" (memory 1))
            (import "env" "table" (table $table 8 funcref))
            (import "env" "table-base" (global $table-base i32))
            (import "env" "memory-base" (global $memory-base i32))
            (import "env" "calls" (global $calls (mut i32)))
            (import "host" "log" (func $log (param i32 i32)))
            (elem (offset (global.get $table-base)) func $unused $next)
            (data (offset (i32.add (global.get $memory-base) (i32.const 16))) "hello")
            (func $unused unreachable)
            (func $next (result i32)
                (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
                (global.get $calls))
            (func (export "run") (result i32)
                (call $log (i32.const 1040) (i32.const 5))
                (call_indirect $table (type $next) (i32.const 4))))
        (core module $fixup
            (import "shim" "imports" (table 1 funcref))
            (import "host" "log" (func $log (param i32 i32)))
            (elem (i32.const 0) func $log)
            START)
        (core instance $shim (instantiate $shim))
        (core instance $main (instantiate $main))
        (alias core export $main "memory" (core memory $memory))
        (core instance $host (export "log" (func $shim "log")))
        (core instance $library (instantiate $library (with "env" (instance $main)) (with "host" (instance $host))))
        (core func $lowered (canon lower (func $log) (memory $memory)))
        (core instance $lowered (export "log" (func $lowered)))
        (core instance (instantiate $fixup (with "shim" (instance $shim)) (with "host" (instance $lowered))))
        (func (export "run") (result u32) (canon lift (core func $library "run")))
        MORE
    )"#;

    fn component(start: &str, more: &str) -> Vec<u8> {
        wat::parse_str(LINKED.replace("START", start).replace("MORE", more)).expect("a component")
    }

    /// Returns how many core modules there are.
    fn core_modules(component: &[u8]) -> usize {
        let payloads = Parser::new(0).parse_all(component).map(|payload| payload.expect("a section"));
        payloads.filter(|payload| matches!(payload, Payload::ModuleSection { .. })).count()
    }

    /// Returns what two calls of an instance answer and log.
    fn answers(component: &[u8]) -> (Vec<u32>, Vec<String>) {
        let engine = Engine::default();
        let mut linker = Linker::<Vec<String>>::new(&engine);
        let log = |mut store: wasmtime::StoreContextMut<'_, Vec<String>>, (text,): (String,)| {
            store.data_mut().push(text);
            Ok(())
        };
        linker.root().func_wrap("log", log).expect("a new name");
        let component = Component::from_binary(&engine, component).expect("it compiles");
        let mut store = Store::new(&engine, Vec::new());
        let instance = linker.instantiate(&mut store, &component).expect("an instance");
        let run = instance.get_typed_func::<(), (u32,)>(&mut store, "run").expect("the function");
        let answers = [(); 2].map(|()| run.call(&mut store, ()).expect("an answer").0);
        (answers.to_vec(), store.into_data())
    }

    #[test]
    fn joined_modules_do_what_they_did() {
        let apart = component("", "");
        let joined = join(&apart).expect("it is sound");
        assert_eq!((core_modules(&apart), core_modules(&joined)), (4, 2));
        assert_eq!(answers(&joined), (vec![41, 42], vec!["hello".to_owned(), "hello".to_owned()]));
        assert_eq!(answers(&joined), answers(&apart));
        assert!(join(&joined).expect("it is sound") == joined, "once is enough");
    }

    #[test]
    fn modules_in_a_nested_component_are_joined() {
        let inner = component("", "");
        let mut outer = wasm_encoder::Component::new();
        outer.section(&RawSection { id: ComponentSectionId::Component.into(), data: &inner });
        let joined = join(&outer.finish()).expect("it is sound");
        assert_eq!(core_modules(&joined), 2);
        assert!(join(&joined).expect("it is sound") == joined, "once is enough");
    }

    #[test]
    fn what_runs_at_the_start_stays_apart() {
        let joined = join(&component("(func $nothing) (start $nothing)", "")).expect("it is sound");
        assert_eq!(core_modules(&joined), 2);
        assert_eq!(answers(&joined).0, [41, 42]);
    }

    #[test]
    fn a_component_that_passes_modules_on_is_unchanged() {
        let apart = component("", r#"(export "main" (core module $main))"#);
        assert!(join(&apart).expect("it is sound") == apart);
        let twice = component("", "(core instance (instantiate $main))");
        let joined = join(&twice).expect("it is sound");
        assert_eq!((core_modules(&joined), answers(&joined)), (4, answers(&twice)));
    }
}
