//! A component's outline, read from its sections without compiling it.

use wasmparser::{ComponentExternalKind, ComponentNameSectionReader, KnownCustom, Parser, Payload};

use super::{Interfaces, Reason};
use crate::{
    hooks::{self, Kind, PACKAGE},
    imports::wasi,
};

/// The longest name or version that is taken from a file.
const TEXT_BYTES_MAX: usize = 64;

/// Checks by its first bytes that a file is a component.
///
/// # Errors
/// Says what it is instead.
pub(super) fn magic(bytes: &[u8]) -> Result<(), Reason> {
    if wasmtime::Engine::detect_precompiled(bytes).is_some() {
        return Err(Reason::Precompiled);
    }
    if !bytes.starts_with(b"\0asm") {
        let start = bytes.get(..8.min(bytes.len())).unwrap_or_default();
        return Err(Reason::NotWasm { start: String::from_utf8_lossy(start).into_owned() });
    }
    // This is the version of a core module; a component has its layer in the upper two bytes.
    if bytes.get(4..8) == Some(&[1, 0, 0, 0]) { Err(Reason::CoreModule) } else { Ok(()) }
}

/// What a component says of itself.
#[derive(Debug, Default)]
pub(super) struct Outline {
    pub(super) name: Option<String>,
    pub(super) version: Option<String>,
    imports: Vec<String>,
    exports: Vec<String>,
}

impl Outline {
    /// Reads the outline.
    ///
    /// # Errors
    /// When the bytes are no component.
    pub(super) fn of(bytes: &[u8]) -> Result<Self, Reason> {
        let mut outline = Self::default();
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.map_err(|error| Reason::Malformed(error.to_string()))?;
            match payload {
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section {
                        let import = import.map_err(|error| Reason::Malformed(error.to_string()))?;
                        outline.imports.push(import.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    for export in section {
                        let export = export.map_err(|error| Reason::Malformed(error.to_string()))?;
                        if export.kind == ComponentExternalKind::Instance {
                            outline.exports.push(export.name.name.to_owned());
                        }
                    }
                }
                Payload::CustomSection(section) => outline.read_custom(&section, depth),
                _ => {}
            }
        }
        Ok(outline)
    }

    /// Returns the kind of plugin, by the world that the exports implement.
    ///
    /// # Errors
    /// When the exports implement no world, two, or one of another release, or when the world lacks one of the imports.
    pub(super) fn kind(&self) -> Result<Kind, Reason> {
        let fills = |kind: &Kind| self.exports.iter().any(|export| *export == hooks::info(*kind).interface(*kind));
        let mut filled = Kind::ALL.into_iter().filter(fills);
        let kind = match (filled.next(), filled.next()) {
            (Some(kind), None) => kind,
            (Some(first), Some(second)) => return Err(Reason::BothWorlds { first, second }),
            (None, _) => return Err(self.no_world()),
        };
        self.imports.iter().try_for_each(|import| allowed(kind, import))?;
        Ok(kind)
    }

    /// Returns the names of what it imports, in their order.
    pub(super) fn into_imports(mut self) -> Vec<String> {
        self.imports.sort();
        self.imports
    }

    /// Returns the names of what it imports and exports, in their order.
    pub(super) fn into_interfaces(mut self) -> Interfaces {
        let exports = {
            self.exports.sort();
            std::mem::take(&mut self.exports)
        };
        Interfaces { imports: self.into_imports(), exports }
    }

    fn no_world(&self) -> Reason {
        let ours = self.exports.iter().find(|export| export.starts_with(PACKAGE));
        let found = match self.exports.as_slice() {
            [] => "no interface".to_owned(),
            exports => exports.join(", "),
        };
        if ours.is_some() { Reason::OtherVersion { found } } else { Reason::NoWorld { found } }
    }

    /// Reads the name, which only the component itself has, or the version. Toolchains that only know core modules put
    /// the version on a core module inside the component; the component's own version takes precedence.
    fn read_custom(&mut self, section: &wasmparser::CustomSectionReader<'_>, depth: u32) {
        match section.as_known() {
            KnownCustom::ComponentName(names) if depth == 1 => {
                if let Some(name) = component_name(names) {
                    self.name = Some(name);
                }
            }
            _ if section.name() == "version" && (depth == 1 || self.version.is_none()) => {
                self.version = std::str::from_utf8(section.data()).ok().and_then(sound).or(self.version.take());
            }
            _ => {}
        }
    }
}

fn component_name(names: ComponentNameSectionReader<'_>) -> Option<String> {
    names.into_iter().flatten().find_map(|name| match name {
        wasmparser::ComponentName::Component { name, .. } => sound(name),
        _ => None,
    })
}

/// Returns the text if it can stand in a header, a label and a span: short, of letters, digits and `-_.+`.
pub fn sound(text: &str) -> Option<String> {
    let fits = (1..=TEXT_BYTES_MAX).contains(&text.len());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte);
    (fits && text.bytes().all(plain)).then(|| text.to_owned())
}

fn allowed(kind: Kind, import: &str) -> Result<(), Reason> {
    let foreign = |hint| Err(Reason::ForeignImport { import: import.to_owned(), kind, hint });
    let info = hooks::info(kind);
    if info.imports().any(|name| import == info.track.interface(name)) {
        return Ok(());
    }
    if wasi::is_met(import) {
        return Ok(());
    }
    if import.starts_with(PACKAGE) {
        return foreign(
            "Generate the bindings from the host's own WIT, which till plugin wit prints, and call only what its world imports",
        );
    }
    if let Some(hint) = wasi::denied(import) {
        return foreign(hint);
    }
    foreign("Take that import out of its world, or leave out what needs it")
}
