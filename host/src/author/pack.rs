//! Makes a component out of a compiler's output, and writes the plugin's name and version into it.
//!
//! The compilers of C and Go know core modules only, and those of other languages know no versions. This adds what is
//! missing, so that an author needs no tool beside the compiler and `till`, and joins the core modules that a linker left
//! apart. It checks only that the result is a valid
//! component: [`crate::versions::admit`] decides whether a host takes it.

mod modules;
mod segments;

use anyhow::Context;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as PREVIEW1_ADAPTER,
};
use wasm_encoder::{CustomSection, Encode, Section};
use wasm_metadata::{AddMetadata, AddMetadataField};
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use crate::hooks::{Kind, wit};

/// What to write into the component about itself; what is `None` stays as it is.
#[derive(Debug, Default)]
pub struct Label {
    pub name: Option<String>,
    pub version: Option<String>,
    /// The language that it was written in, where its compiler doesn't say so.
    pub language: Option<String>,
}

/// Makes a component of the kind's world out of a core module, and labels it. A component's modules are joined, and it
/// is labelled.
///
/// # Errors
/// When the bytes are neither, or the module doesn't have the world's functions; with what is missing.
pub fn pack(bytes: &[u8], kind: Kind, label: &Label) -> anyhow::Result<Vec<u8>> {
    let component = if Parser::is_component(bytes) {
        bytes.to_vec()
    } else if Parser::is_core_wasm(bytes) {
        component(bytes.to_vec(), kind)?
    } else {
        anyhow::bail!("it is no WebAssembly; wanted what the compiler leaves: a core module or a component");
    };
    labelled(modules::join(&component).context("join its core modules")?, label)
}

fn component(mut module: Vec<u8>, kind: Kind) -> anyhow::Result<Vec<u8>> {
    module = segments::join(&module).context("join its data segments")?;
    let outline = Outline::of(&module)?;
    if !outline.has_world {
        let (resolve, world) = wit::world(kind)?;
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    }
    let mut encoder = ComponentEncoder::default().validate(true).module(&module).context("read the module")?;
    if outline.imports_preview1 {
        encoder = encoder.adapter(PREVIEW1, PREVIEW1_ADAPTER)?;
    }
    encoder.encode().with_context(|| format!("make a {kind} plugin of the module"))
}

/// What a core module already has.
#[derive(Default)]
struct Outline {
    /// Whether a bindings generator has described its world.
    has_world: bool,
    imports_preview1: bool,
}

impl Outline {
    fn of(module: &[u8]) -> anyhow::Result<Self> {
        let mut outline = Self::default();
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        outline.imports_preview1 |= import?.module == PREVIEW1;
                    }
                }
                Payload::CustomSection(section) => outline.has_world |= section.name().starts_with("component-type"),
                _ => {}
            }
        }
        Ok(outline)
    }
}

fn labelled(component: Vec<u8>, label: &Label) -> anyhow::Result<Vec<u8>> {
    let mut metadata = AddMetadata::default();
    if let Some(name) = &label.name {
        metadata.name = AddMetadataField::Set(name.clone());
    }
    metadata.language = label.language.iter().map(|language| (language.clone(), String::new())).collect();
    let mut labelled = metadata.to_wasm(&component).context("label the component")?;
    if let Some(version) = &label.version {
        let section = CustomSection { name: "version".into(), data: version.as_bytes().into() };
        labelled.push(section.id());
        section.encode(&mut labelled);
    }
    Ok(labelled)
}

#[cfg(test)]
mod tests {
    use wit_component::dummy_module;
    use wit_parser::{LiftLowerAbi, ManglingAndAbi};

    use super::*;
    use crate::versions::{Candidate, examine};

    /// A module that has all of the world, and traps.
    fn module(kind: Kind) -> Vec<u8> {
        let (resolve, world) = wit::world(kind).expect("the WIT is sound");
        dummy_module(&resolve, world, ManglingAndAbi::Legacy(LiftLowerAbi::Sync))
    }

    #[tokio::test]
    async fn a_packed_module_is_a_plugin_with_a_name_and_a_version() {
        let limits = crate::config::Settings::load(&crate::config::Sources::defaults()).expect("defaults").limits;
        for kind in Kind::ALL {
            let label = Label {
                name: Some("offers".to_owned()),
                version: Some("1.2.0".to_owned()),
                language: Some("javascript".to_owned()),
            };
            let packed = pack(&module(kind), kind, &label).expect("a component");
            // Once more, as an author does with what componentize-py leaves.
            let again = Label { version: Some("1.3.0".to_owned()), ..Label::default() };
            let packed = pack(&packed, kind, &again).expect("a component");
            let candidate = Candidate { source: String::new(), stem: String::new(), bytes: packed.into() };
            let examined = examine(candidate, &limits).await.expect("a plugin");
            let identity = &examined.identity;
            assert_eq!(
                (identity.at.kind, &*identity.name, &*identity.version, &*identity.language),
                (kind, "offers", "1.3.0", "JavaScript")
            );
        }
    }

    #[test]
    fn what_cannot_be_packed_is_said() {
        let check = |bytes: &[u8], wanted: &str| {
            let refused = pack(bytes, Kind::Checkout, &Label::default()).expect_err("it can't be packed");
            let text = format!("{refused:#}");
            assert!(text.contains(wanted), "{text}");
        };
        check(b"#!/bin/sh", "it is no WebAssembly");
        check(b"\0asm\x01\0\0\0", "make a checkout plugin of the module");
        check(&module(Kind::Inventory), "make a checkout plugin of the module: failed to decode world from module");
    }
}
