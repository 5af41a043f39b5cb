//! The parts of a component's binary.

use std::borrow::Cow;

use anyhow::{Context, Result};
use wasmparser::{
    CanonicalFunction, Chunk, ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentName, ComponentType,
    ComponentTypeRef, Instance, KnownCustom, Parser, Payload,
};

use super::rewrite::Rewrite;

/// A part of a component's binary that stands for itself.
pub(super) enum Part<'a> {
    /// A section that names no core item.
    Section {
        id: u8,
        bytes: &'a [u8],
    },
    /// A nested component; owned if modules in it were joined.
    Component(Cow<'a, [u8]>),
    /// The component's name.
    Name(&'a str),
    Module(&'a [u8]),
    Instance(Instance<'a>),
    Alias(ComponentAlias<'a>),
    Canonical(CanonicalFunction),
}

/// Returns the component's parts in order, `None` if it names modules or core functions where that isn't expected.
pub(super) fn parts(component: &[u8]) -> Result<Option<Vec<Part<'_>>>> {
    let (mut parts, mut parser, mut rest) = (Vec::new(), Parser::new(0), component);
    loop {
        let (payload, consumed) = match parser.parse(rest, true)? {
            Chunk::Parsed { payload, consumed } => (payload, consumed),
            Chunk::NeedMoreData(_) => anyhow::bail!("it ends too early"),
        };
        rest = rest.get(consumed..).context("a section's end")?;
        match payload {
            Payload::Version { .. } => {}
            Payload::End(_) => return Ok(Some(parts)),
            Payload::ModuleSection { unchecked_range, .. } => {
                parts.push(Part::Module(component.get(unchecked_range.clone()).context("a module")?));
                rest = rest.get(unchecked_range.len()..).context("a module's end")?;
            }
            Payload::ComponentSection { unchecked_range, .. } => {
                let nested = component.get(unchecked_range.clone()).context("a component")?;
                rest = rest.get(unchecked_range.len()..).context("a component's end")?;
                parts.push(Part::Component(Rewrite::of(nested)?.map_or(Cow::Borrowed(nested), Cow::Owned)));
            }
            Payload::InstanceSection(section) => {
                for instance in section {
                    parts.push(Part::Instance(instance?));
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    parts.push(Part::Alias(alias?));
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                for function in section {
                    parts.push(Part::Canonical(function?));
                }
            }
            Payload::CustomSection(section) if section.name() == "component-name" => {
                if let KnownCustom::ComponentName(names) = section.as_known() {
                    for name in names {
                        // The other names are of parts by their old numbers.
                        if let ComponentName::Component { name, .. } = name? {
                            parts.push(Part::Name(name));
                        }
                    }
                }
            }
            other => {
                if names_modules(&other)? {
                    return Ok(None);
                }
                let (id, range) = other.as_section().context("a section")?;
                parts.push(Part::Section { id, bytes: component.get(range).context("a section's bytes")? });
            }
        }
    }
}

/// Returns whether a section makes or names a module, or names a core function.
fn names_modules(section: &Payload<'_>) -> Result<bool> {
    match section {
        Payload::ComponentImportSection(imports) => {
            for import in imports.clone() {
                if matches!(import?.ty, ComponentTypeRef::Module(_)) {
                    return Ok(true);
                }
            }
        }
        Payload::ComponentExportSection(exports) => {
            for export in exports.clone() {
                if export?.kind == ComponentExternalKind::Module {
                    return Ok(true);
                }
            }
        }
        Payload::ComponentTypeSection(types) => {
            for ty in types.clone() {
                if matches!(ty?, ComponentType::Resource { dtor: Some(_), .. }) {
                    return Ok(true);
                }
            }
        }
        Payload::ComponentInstanceSection(instances) => {
            for instance in instances.clone() {
                let names_module = match instance? {
                    ComponentInstance::Instantiate { args, .. } => {
                        args.iter().any(|arg| arg.kind == ComponentExternalKind::Module)
                    }
                    ComponentInstance::FromExports(exports) => {
                        exports.iter().any(|export| export.kind == ComponentExternalKind::Module)
                    }
                };
                if names_module {
                    return Ok(true);
                }
            }
        }
        _ => {}
    }
    Ok(false)
}
