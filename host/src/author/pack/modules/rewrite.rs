//! A component that is written anew, with joined modules.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use anyhow::{Context, Result};
use wasm_encoder::{
    Alias, CanonicalFunctionSection, Component, ComponentAliasSection, ComponentNameSection, ComponentSection,
    ComponentSectionId, Encode, InstanceSection, ModuleArg, RawSection,
    reencode::{Error, Reencode, ReencodeComponent},
};
use wasmparser::{CanonicalFunction, ComponentAlias, ExternalKind, Instance};

use super::{
    joined::{self, Binding, Joined, Member},
    module::{Module, kind_of},
    outline::{Fate, Outline, Source, used},
    parts::{Part, parts},
    unreadable,
};

/// A component that is written anew. A core item is written when something needs it first.
pub(super) struct Rewrite<'a> {
    outline: &'a Outline<'a>,
    sections: Vec<Vec<u8>>,
    /// Where the joined module belongs, once its exports are known.
    place: usize,
    modules: BTreeMap<u32, u32>,
    modules_written: u32,
    instances: BTreeMap<u32, u32>,
    instances_written: u32,
    joined: Option<u32>,
    items: BTreeMap<(usize, Source<'a>), u32>,
    items_written: [u32; 5],
    /// What is needed of the joined instances.
    exports: BTreeSet<(u32, usize, &'a str)>,
    members: Vec<Member<'a>>,
}

impl<'a> Rewrite<'a> {
    /// Returns the component with joined modules, `None` if they can't be joined.
    pub(super) fn of(component: &[u8]) -> Result<Option<Vec<u8>>> {
        let Some(parts) = parts(component)? else { return Ok(None) };
        let Some(outline) = Outline::of(&parts)? else { return Ok(None) };
        if outline.members.is_empty() && !parts.iter().any(|part| matches!(part, Part::Component(Cow::Owned(_)))) {
            return Ok(None);
        }
        let (modules, instances, items, exports) = Default::default();
        let rewrite = Rewrite {
            outline: &outline,
            sections: Vec::new(),
            place: 0,
            modules,
            modules_written: 0,
            instances,
            instances_written: 0,
            joined: None,
            items,
            items_written: [0; 5],
            exports,
            members: Vec::new(),
        };
        rewrite.finish()
    }

    fn finish(mut self) -> Result<Option<Vec<u8>>> {
        let (mut modules, mut instances) = (0, 0);
        let mut waiting = Vec::new();
        for (number, part) in self.outline.parts.iter().enumerate() {
            match part {
                Part::Section { id, bytes } => self.push(&RawSection { id: *id, data: bytes }),
                Part::Component(bytes) => {
                    self.push(&RawSection { id: ComponentSectionId::Component.into(), data: bytes });
                }
                Part::Name(name) => {
                    let mut section = ComponentNameSection::new();
                    section.component(name);
                    self.push(&section);
                }
                Part::Module(bytes) => {
                    if !self.is_joined(modules) {
                        self.push(&RawSection { id: ComponentSectionId::CoreModule.into(), data: bytes });
                        self.modules.insert(modules, self.modules_written);
                        self.modules_written += 1;
                    }
                    modules += 1;
                }
                Part::Instance(instance) => {
                    match self.outline.fates.get(&instances) {
                        Some(Fate::Apart) => self.instantiate(instances, instance)?,
                        Some(Fate::After) if self.joined.is_none() => waiting.push((instances, instance)),
                        Some(Fate::After) => self.instantiate(instances, instance)?,
                        Some(Fate::Joined) if number == self.outline.last => {
                            self.instantiate_joined()?;
                            for (instances, instance) in waiting.drain(..) {
                                self.instantiate(instances, instance)?;
                            }
                        }
                        Some(Fate::Joined) | None => {}
                    }
                    instances += 1;
                }
                Part::Alias(ComponentAlias::CoreInstanceExport { .. }) => {}
                Part::Alias(alias) => {
                    let mut section = ComponentAliasSection::new();
                    section.alias(RoundTrip.component_alias(alias.clone()).map_err(unreadable)?);
                    self.push(&section);
                }
                Part::Canonical(function @ CanonicalFunction::Lift { .. }) => {
                    // Written later, it would change the numbers of the component's functions.
                    if self.joined.is_none() && !self.outline.members.is_empty() {
                        return Ok(None);
                    }
                    self.canonical(function)?;
                }
                Part::Canonical(_) => {}
            }
        }
        if !self.members.is_empty() {
            self.write_joined()?;
        }
        let mut component = Component::HEADER.to_vec();
        component.extend(self.sections.concat());
        Ok(Some(component))
    }

    fn push(&mut self, section: &impl ComponentSection) {
        let mut bytes = vec![section.id()];
        section.encode(&mut bytes);
        self.sections.push(bytes);
    }

    fn is_joined(&self, module: u32) -> bool {
        self.outline.members.iter().any(|(instance, _)| {
            let instance = self.outline.instances.get(*instance as usize);
            matches!(instance, Some(Instance::Instantiate { module_index, .. }) if *module_index == module)
        })
    }

    /// Writes an instance that stays apart, with what its module imports.
    fn instantiate(&mut self, number: u32, instance: &'a Instance<'a>) -> Result<()> {
        let Instance::Instantiate { module_index, args } = instance else { return Ok(()) };
        let module = Module::of(self.outline.modules.get(*module_index as usize).context("a module")?)?;
        let imported = self.outline.imported(instance, &module)?;
        let mut written = Vec::new();
        for arg in args {
            let mut exports = Vec::new();
            for (import, source) in module.imports.iter().zip(&imported).filter(|(one, _)| one.module == arg.name) {
                exports.push((import.name, import.export_kind(), self.item(import.kind(), *source)?));
            }
            written.push((arg.name, ModuleArg::Instance(self.bundle(exports))));
        }
        let module = *self.modules.get(module_index).context("a module")?;
        let mut section = InstanceSection::new();
        section.instantiate(module, written);
        self.push(&section);
        self.instances.insert(number, self.instances_written);
        self.instances_written += 1;
        Ok(())
    }

    fn bundle(&mut self, exports: Vec<(&str, wasm_encoder::ExportKind, u32)>) -> u32 {
        let mut section = InstanceSection::new();
        section.export_items(exports);
        self.push(&section);
        self.instances_written += 1;
        self.instances_written - 1
    }

    fn instantiate_joined(&mut self) -> Result<()> {
        let outline = self.outline;
        let (mut imports, mut exports) = (BTreeMap::new(), Vec::new());
        let mut names = Vec::new();
        for (number, module) in &outline.members {
            let instance = outline.instances.get(*number as usize).context("an instance")?;
            let mut bindings = Vec::new();
            for (import, source) in module.imports.iter().zip(outline.imported(instance, module)?) {
                bindings.push(match source {
                    Source::Export { instance, name } if outline.fate(instance) == Fate::Joined => {
                        let member = outline.members.iter().position(|(other, _)| *other == instance);
                        Binding::Export { member: member.context("a member")?, name }
                    }
                    source => {
                        let index = self.item(import.kind(), source)?;
                        let next = imports.len();
                        let import_number = *imports.entry((kind_of(import.kind()), source)).or_insert(next);
                        if import_number == next {
                            names.push(next.to_string());
                            exports.push((import.export_kind(), index));
                        }
                        Binding::Import(import_number)
                    }
                });
            }
            self.members.push(Member { module: module.clone(), bindings });
        }
        let exports = names.iter().zip(exports).map(|(name, (kind, index))| (name.as_str(), kind, index)).collect();
        let bundle = self.bundle(exports);
        self.place = self.sections.len();
        self.sections.push(Vec::new());
        let mut section = InstanceSection::new();
        section.instantiate(self.modules_written, [(joined::IMPORTS, ModuleArg::Instance(bundle))]);
        self.push(&section);
        self.modules_written += 1;
        self.joined = Some(self.instances_written);
        self.instances_written += 1;
        Ok(())
    }

    fn write_joined(&mut self) -> Result<()> {
        let outline = self.outline;
        let exports = self.exports.iter().map(|(instance, kind, name)| {
            let member = outline.members.iter().position(|(other, _)| other == instance);
            Ok((member.context("a member")?, *kind, *name))
        });
        let exports: Vec<_> = exports.collect::<Result<_>>()?;
        let module = Joined::new(&self.members)?.encode(&exports)?;
        let mut bytes = vec![ComponentSectionId::CoreModule.into()];
        module.encode(&mut bytes);
        *self.sections.get_mut(self.place).context("its place")? = bytes;
        Ok(())
    }

    /// Returns the new number of a core item.
    fn item(&mut self, kind: ExternalKind, source: Source<'a>) -> Result<u32> {
        if let Some(known) = self.items.get(&(kind_of(kind), source)) {
            return Ok(*known);
        }
        match source {
            Source::Canonical { part } => {
                let Some(Part::Canonical(function)) = self.outline.parts.get(part) else { anyhow::bail!("a function") };
                self.canonical(function)?;
            }
            Source::Export { instance, name } => {
                let mut section = ComponentAliasSection::new();
                let joined_name;
                let (instance, name) = if self.outline.fate(instance) == Fate::Joined {
                    self.exports.insert((instance, kind_of(kind), name));
                    let member = self.outline.members.iter().position(|(other, _)| *other == instance);
                    joined_name = joined::export_name(member.context("a member")?, name);
                    (self.joined.context("the joined instance")?, joined_name.as_str())
                } else {
                    (*self.instances.get(&instance).context("an instance")?, name)
                };
                section.alias(Alias::CoreInstanceExport { instance, kind: kind.into(), name });
                self.push(&section);
            }
        }
        let written = self.items_written.get_mut(kind_of(kind)).context("a kind")?;
        *written += 1;
        self.items.insert((kind_of(kind), source), *written - 1);
        Ok(*written - 1)
    }

    fn canonical(&mut self, function: &CanonicalFunction) -> Result<()> {
        let mut numbers = BTreeMap::new();
        for (kind, index) in used(function) {
            numbers.insert((kind_of(kind), index), self.item(kind, self.outline.item(kind, index)?)?);
        }
        let mut section = CanonicalFunctionSection::new();
        Numbers(numbers).parse_component_canonical(&mut section, function.clone()).map_err(unreadable)?;
        self.push(&section);
        Ok(())
    }
}

/// Writes as it reads.
struct RoundTrip;

impl Reencode for RoundTrip {
    type Error = std::convert::Infallible;
}

impl ReencodeComponent for RoundTrip {}

/// The new numbers of core items, by their kinds and old numbers.
struct Numbers(BTreeMap<(usize, u32), u32>);

impl Numbers {
    fn of(&self, kind: ExternalKind, index: u32) -> u32 {
        self.0.get(&(kind_of(kind), index)).copied().unwrap_or(index)
    }
}

impl Reencode for Numbers {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, index: u32) -> Result<u32, Error<Self::Error>> {
        Ok(self.of(ExternalKind::Func, index))
    }

    fn memory_index(&mut self, index: u32) -> Result<u32, Error<Self::Error>> {
        Ok(self.of(ExternalKind::Memory, index))
    }
}

impl ReencodeComponent for Numbers {}
