//! Generates what a plugin in C, C++ or Go is written against: the interface's types and functions in its language.
//!
//! The other languages have tools of their own for that. Those for C and Go are libraries, and are built into the host. The
//! bindings of C++ are C's, for its kit to wrap: the generator for C++ (wit-bindgen-cpp, up to 0.63.0) lowers a list in place, over
//! the very variants that it still has to read, so that an attribute's text reaches the host with another address.

use anyhow::Context;
use wit_bindgen_core::{Files, WorldGenerator};

use crate::hooks::{self, Kind, wit};

/// The generator writes no `go.mod` for a package that others import.
const GO_MODULE: &str = "module till/bindings\n\ngo 1.25\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    C,
    Cpp,
    Go,
}

/// Returns the files' names, folders included, and what stands in them.
///
/// # Errors
/// What the generator says.
pub fn generate(language: Language, kind: Kind) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let (mut resolve, world) = wit::world(kind)?;
    let mut files = Files::default();
    generator(language, kind).generate(&mut resolve, world, &mut files).context("generate the bindings")?;
    if language == Language::Go {
        files.push("go.mod", GO_MODULE.as_bytes());
    }
    Ok(files.iter().map(|(name, text)| (name.to_owned(), text.to_vec())).collect())
}

fn generator(language: Language, kind: Kind) -> Box<dyn WorldGenerator> {
    match language {
        Language::C | Language::Cpp => wit_bindgen_c::Opts {
            // One name for both worlds, so that what is written for C serves both.
            rename_world: Some("till".to_owned()),
            rename: hooks::info(kind)
                .imports()
                .chain([kind.as_str()])
                .map(|name| short(hooks::info(kind).track, name))
                .collect(),
            ..Default::default()
        }
        .build(),
        // A module of its own, so that the author's stays free of what is generated. The exported functions are the
        // kit's: they turn Go's errors into the interface's.
        Language::Go => wit_bindgen_go::Opts {
            pkg_name: Some("till/bindings".to_owned()),
            export_pkg_name: Some("till/exports".to_owned()),
            ..Default::default()
        }
        .build(),
    }
}

/// Returns an interface's name and what it is called in C: `till_stock_take`, but `till_stock_line_t`.
fn short(of: &hooks::Track, interface: &str) -> (String, String) {
    let name = interface.replace('-', "_");
    let prefix = if interface == "types" { "till".to_owned() } else { format!("till_{name}") };
    (of.interface(interface), prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bindings_hold_the_worlds_functions() {
        let check = |language: Language, kind: Kind, wanted: &str| {
            let files = generate(language, kind).expect("bindings");
            let holds = |(_, text): &(String, Vec<u8>)| String::from_utf8_lossy(text).contains(wanted);
            assert!(files.iter().any(holds), "{wanted} in {files:?}");
        };
        check(Language::C, Kind::Checkout, "exports_till_checkout_checkout(");
        check(Language::C, Kind::Inventory, "till_stock_take(");
        check(Language::Cpp, Kind::Checkout, "extern \"C\" {");
        check(Language::Go, Kind::Checkout, "func StartSpan(");
        check(Language::Go, Kind::Inventory, "func Take(");
    }
}
