//! What a component says of how it was made: its tools, and the packages that went into it.
//!
//! All of it is the component's own word. What somebody vouches for is in its signature.

use std::{collections::BTreeSet, io::Read as _};

use flate2::read::ZlibDecoder;
use serde::{Deserialize, Serialize};
use wasmparser::{KnownCustom, Parser, Payload};

#[cfg(test)]
use crate::schema;
use crate::{hooks, hooks::Kind, trust::component_digest, units::MIB};

/// The section of `cargo auditable` and of wasm-tools' `metadata`: a list of packages, as JSON compressed with zlib.
/// Source: <https://github.com/rust-secure-code/cargo-auditable>, `PARSING.md`.
const PACKAGES: &str = ".dep-v0";
/// The most bytes of that list, unpacked.
const PACKAGES_BYTES_MAX: u64 = (4 * MIB) as u64;
/// The most tools and packages that are listed.
const LISTED_MAX: usize = 2_000;

/// How a component was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "PluginProvenance"))]
pub struct Provenance {
    /// The SHA-256 of the component without its signatures, hex: what signatures are about.
    #[cfg_attr(test, schemars(with = "schema::Digest"))]
    pub component_digest: String,
    /// The release of the interface that it was built for, such as `0.2`.
    pub track: String,
    /// The interface's package, such as `till:plugin@0.2.0`.
    pub interface: String,
    /// Its languages and tools, from all `producers` sections.
    pub producers: Vec<Producer>,
    /// The packages that went into it, if the component has a list of them (`cargo auditable`). Absent without a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<Vec<Package>>,
}

/// A language or a tool.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "PluginProducer"))]
pub struct Producer {
    /// `language`, `processed-by` or `sdk`.
    pub field: String,
    pub name: String,
    /// May be empty.
    pub version: String,
}

/// A package in a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "PluginPackage"))]
pub struct Package {
    pub name: String,
    pub version: String,
    /// Where it came from, such as `crates.io`; may be empty.
    #[serde(default)]
    pub source: String,
}

#[derive(Deserialize)]
struct List {
    packages: Vec<Package>,
}

impl Provenance {
    /// Reads what an admitted file says; what can't be read counts as not said.
    #[must_use]
    pub fn of(file: &[u8], kind: Kind) -> Self {
        let (mut producers, mut packages) = (BTreeSet::new(), None);
        for payload in Parser::new(0).parse_all(file).map_while(Result::ok) {
            let Payload::CustomSection(section) = payload else { continue };
            if section.name() == PACKAGES {
                packages = packages.or_else(|| unpacked(section.data()));
            } else if let KnownCustom::Producers(fields) = section.as_known() {
                for field in fields.into_iter().map_while(Result::ok) {
                    let values = field.values.into_iter().map_while(Result::ok);
                    producers.extend(values.map(|value| Producer {
                        field: field.name.to_owned(),
                        name: value.name.to_owned(),
                        version: value.version.to_owned(),
                    }));
                }
            }
        }
        let track = hooks::info(kind).track;
        Self {
            component_digest: component_digest(file).unwrap_or_default(),
            track: track.name.to_owned(),
            interface: track.package().to_owned(),
            producers: producers.into_iter().take(LISTED_MAX).collect(),
            packages,
        }
    }
}

fn unpacked(data: &[u8]) -> Option<Vec<Package>> {
    let mut json = Vec::new();
    ZlibDecoder::new(data).take(PACKAGES_BYTES_MAX + 1).read_to_end(&mut json).ok()?;
    let mut list: List = serde_json::from_slice(&json).ok().filter(|_| json.len() as u64 <= PACKAGES_BYTES_MAX)?;
    list.packages.truncate(LISTED_MAX);
    Some(list.packages)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::ZlibEncoder};
    use wasm_encoder::{ComponentSection as _, CustomSection};

    use super::*;
    use crate::versions::built_in_bytes;

    fn with_list(json: &[u8]) -> Vec<u8> {
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(json).expect("packed");
        let data = packed.finish().expect("packed");
        let mut component = built_in_bytes(Kind::Checkout).to_vec();
        CustomSection { name: PACKAGES.into(), data: data.into() }.append_to_component(&mut component);
        component
    }

    #[test]
    fn a_component_tells_its_tools_and_its_packages() {
        let of = Provenance::of(built_in_bytes(Kind::Checkout), Kind::Checkout);
        let tool = |name: &str| of.producers.iter().find(|tool| tool.name == name && !tool.version.is_empty());
        assert!(tool("wit-bindgen-rust").is_some() && tool("wit-component").is_some(), "{of:?}");
        assert_eq!((of.track.as_str(), of.packages), ("0.1", None));
        let json = br#"{"packages":[{"name":"serde","version":"1.0.1","source":"crates.io","dependencies":[1]},{"name":"own","version":"0.1.0","source":"local","root":true}]}"#;
        let of = Provenance::of(&with_list(json), Kind::Checkout);
        let packages = of.packages.expect("a list");
        assert_eq!(packages.iter().map(|package| &*package.name).collect::<Vec<_>>(), ["serde", "own"]);
    }

    #[test]
    fn a_list_that_cant_be_read_or_has_no_end_is_none() {
        for list in [&b"no JSON"[..], b"{}", &vec![b' '; 5 * MIB]] {
            assert_eq!(Provenance::of(&with_list(list), Kind::Checkout).packages, None);
        }
    }
}
