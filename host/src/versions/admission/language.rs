//! Which language a plugin was written in, as far as its toolchain says so in the `producers` sections.

use wasmparser::{KnownCustom, Parser, Payload, ProducersSectionReader};

/// Names of toolchains and languages in `producers` sections, each with the language's usual name. If one section has
/// several, the first row wins: an interpreter is a C program, and `wit-bindgen` for Rust names the one for C beside
/// itself.
const NAMES: [(&str, &str); 19] = [
    ("componentize-py", "Python"),
    ("python", "Python"),
    ("componentize-js", "JavaScript"),
    ("componentize-qjs", "JavaScript"),
    ("javascript", "JavaScript"),
    ("typescript", "JavaScript"),
    ("assemblyscript", "AssemblyScript"),
    ("tinygo", "Go"),
    ("go", "Go"),
    ("go cmd/compile", "Go"),
    ("moonbit", "MoonBit"),
    ("zig", "Zig"),
    ("rust", "Rust"),
    ("rustc", "Rust"),
    ("wit-bindgen-rust", "Rust"),
    ("c_plus_plus", "C++"),
    ("c++", "C++"),
    ("c", "C"),
    ("clang", "C"),
];
/// Rows up to here name the plugin's language wherever in the component they stand.
const TELLING: usize = 11;
const UNKNOWN: &str = "unknown";

/// Returns the language, `unknown` where nothing says so.
pub(super) fn of(bytes: &[u8]) -> &'static str {
    let mut section_bytes = bytes.len();
    let mut named: Vec<(usize, usize)> = Vec::new();
    // A file that can't be read to its end is refused elsewhere.
    for payload in Parser::new(0).parse_all(bytes).map_while(Result::ok) {
        match payload {
            Payload::ModuleSection { unchecked_range, .. } | Payload::ComponentSection { unchecked_range, .. } => {
                section_bytes = unchecked_range.len();
            }
            Payload::CustomSection(section) => {
                if let KnownCustom::Producers(producers) = section.as_known()
                    && let Some(row) = first_row(producers)
                {
                    named.push((row, section_bytes));
                }
            }
            _ => {}
        }
    }
    // Otherwise the largest part counts, which is the program: what toolchains add to it is small.
    let telling = named.iter().map(|(row, _)| *row).filter(|row| *row < TELLING).min();
    let largest = named.iter().max_by_key(|(row, bytes)| (*bytes, std::cmp::Reverse(*row))).map(|(row, _)| *row);
    telling.or(largest).and_then(|row| NAMES.get(row)).map_or(UNKNOWN, |(_, language)| language)
}

/// Returns the first row of [`NAMES`] that a section names.
fn first_row(producers: ProducersSectionReader<'_>) -> Option<usize> {
    let fields = producers.into_iter().map_while(Result::ok);
    let values = fields.flat_map(|field| field.values.into_iter().map_while(Result::ok));
    values.filter_map(|value| row(&value.name.to_ascii_lowercase())).min()
}

fn row(name: &str) -> Option<usize> {
    // Compilers based on LLVM name C and C++ with the year of the standard: C11, C_plus_plus_14.
    let plain = name.trim_end_matches(|character: char| character.is_ascii_digit() || character == '_');
    NAMES.iter().position(|(known, _)| *known == name || *known == plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A producers section, as WAT has it.
    fn produced(field: &str, name: &str) -> String {
        format!("(@producers ({field} \"{name}\" \"1\"))")
    }

    #[test]
    fn the_language_is_the_one_that_the_program_was_written_in() {
        let check = |text: &str, language: &str| {
            let bytes = wat::parse_str(text).expect("sound WAT");
            assert_eq!(of(&bytes), language, "{text}");
        };
        let module = |text: &str| format!("(core module {text} (memory 1) (data \"a longer one\"))");
        let small = |text: &str| format!("(core module {text})");
        check("(component)", UNKNOWN);
        check(&format!("(component {})", small(&produced("processed-by", "wasm-opt"))), UNKNOWN);
        for (field, name, language) in [
            ("language", "Rust", "Rust"),
            ("language", "C11", "C"),
            ("language", "C_plus_plus_14", "C++"),
            ("language", "C++", "C++"),
            ("processed-by", "TinyGo", "Go"),
            ("processed-by", "Go cmd/compile", "Go"),
        ] {
            check(&format!("(component {})", small(&produced(field, name))), language);
        }
        // The adapter of WASI's preview 1 is written in Rust, whatever the program.
        let adapter = small(&produced("language", "Rust"));
        check(&format!("(component {adapter} {})", module(&produced("language", "C11"))), "C");
        // The interpreter is in C.
        let interpreter = module(&produced("language", "C11"));
        check(&format!("(component {interpreter} {})", small(&produced("language", "javascript"))), "JavaScript");
    }

    #[test]
    fn the_built_in_plugins_are_in_rust() {
        for kind in crate::hooks::Kind::REQUIRED {
            assert_eq!(of(crate::versions::built_in_bytes(kind)), "Rust");
        }
    }
}
