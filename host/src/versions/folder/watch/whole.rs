//! Whether a component has its last section.
//!
//! Each section has its length, but the file has none: a file that was cut off between two sections can be parsed. If
//! it was cut off before the export of its world, it is refused for having none. But custom sections come after that
//! export, the plugin's version among them, and a file that lacks only these would be admitted. Every toolchain makes
//! components with wit-component or a tool derived from it, which writes the section `producers` last.

use wasmparser::BinaryReader;

use crate::trust::Signed;

/// The magic number and the version.
const HEAD_BYTES: usize = 8;
const CUSTOM: u8 = 0;
const LAST: &str = "producers";

/// Returns whether the last section is `producers`, as in a complete component, or a signature, which is written last of all. A complete component that was made or
/// stripped by other tools may end otherwise, so `false` doesn't say that the file was cut off.
pub(super) fn has_its_end(bytes: &[u8]) -> bool {
    if Signed::of(bytes).is_ok_and(|signed| !signed.signatures.is_empty()) {
        return true;
    }
    let sections = bytes.get(HEAD_BYTES..).unwrap_or_default();
    ends_with_last(&mut BinaryReader::new(sections, HEAD_BYTES)).unwrap_or(false)
}

fn ends_with_last(reader: &mut BinaryReader<'_>) -> wasmparser::Result<bool> {
    let mut is_last = false;
    while !reader.eof() {
        let id = reader.read_u8()?;
        let section = reader.read_reader()?;
        is_last = id == CUSTOM && section.clone().read_string()? == LAST;
    }
    Ok(is_last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{Settings, Sources},
        hooks::Kind,
        versions::{Candidate, admission::examine, built_in_bytes},
    };

    /// Returns where each section ends.
    fn borders(bytes: &[u8]) -> Vec<usize> {
        let mut reader = BinaryReader::new(&bytes[HEAD_BYTES..], HEAD_BYTES);
        let mut borders = Vec::new();
        while !reader.eof() {
            reader.read_u8().and_then(|_id| reader.read_reader()).expect("a section");
            borders.push(reader.original_position());
        }
        borders
    }

    #[tokio::test]
    async fn only_a_whole_plugin_has_its_end() {
        let limits = Settings::load(&Sources::defaults()).expect("usable").limits;
        for kind in Kind::REQUIRED {
            let whole = built_in_bytes(kind);
            assert!(has_its_end(whole));
            for bytes in 0..whole.len() {
                assert!(!has_its_end(&whole[..bytes]), "the first {bytes} bytes of {kind}");
            }
            let mut admissible = 0;
            for border in borders(whole) {
                let bytes = whole[..border].to_vec().into();
                let examined = examine(Candidate { source: "it".into(), stem: "it".into(), bytes }, &limits).await;
                admissible += usize::from(examined.is_ok());
            }
            // These would be admitted without this check: cut off before the names or the producers, a file still has
            // its world.
            assert_eq!(admissible, 3, "{kind}");
        }
    }
}
