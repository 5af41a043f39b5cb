//! What the numbers in a component mean, and which of its modules are joined.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentAlias, ComponentExternalKind, ComponentOuterAliasKind, ExternalKind,
    Instance,
};

use super::{
    module::{Module, kind_of},
    parts::Part,
};

/// Where a core item comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source<'a> {
    /// An export of the instance of a module.
    Export { instance: u32, name: &'a str },
    /// A function that the part with this number makes.
    Canonical { part: usize },
}

/// What becomes of an instance of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Joined,
    /// It stays, and needs nothing of the joined one.
    Apart,
    /// It stays, and needs the joined one or what is made with its memory.
    After,
}

/// What the numbers in a component mean.
pub(super) struct Outline<'a> {
    pub(super) parts: &'a [Part<'a>],
    pub(super) modules: Vec<&'a [u8]>,
    pub(super) instances: Vec<&'a Instance<'a>>,
    /// By [`kind_of`].
    items: [Vec<Source<'a>>; 5],
    pub(super) fates: BTreeMap<u32, Fate>,
    /// The joined instances with their modules, in order.
    pub(super) members: Vec<(u32, Module<'a>)>,
    /// The part with the last of them.
    pub(super) last: usize,
}

impl<'a> Outline<'a> {
    pub(super) fn of(parts: &'a [Part<'a>]) -> Result<Option<Self>> {
        let (modules, instances, items) = Default::default();
        let (fates, members) = Default::default();
        let mut outline = Self { parts, modules, instances, items, fates, members, last: 0 };
        for (number, part) in parts.iter().enumerate() {
            match part {
                Part::Module(module) => outline.modules.push(module),
                Part::Instance(instance) => outline.add(number, instance)?,
                Part::Alias(ComponentAlias::CoreInstanceExport { kind, instance_index, name }) => {
                    let source = outline.export(*instance_index, *kind, name)?;
                    outline.items_mut(*kind).push(source);
                }
                Part::Alias(
                    ComponentAlias::InstanceExport { kind: ComponentExternalKind::Module, .. }
                    | ComponentAlias::Outer { kind: ComponentOuterAliasKind::CoreModule, .. },
                ) => return Ok(None),
                Part::Canonical(function) if !matches!(function, CanonicalFunction::Lift { .. }) => {
                    outline.items_mut(ExternalKind::Func).push(Source::Canonical { part: number });
                }
                _ => {}
            }
        }
        let has_memory = outline.members.iter().any(|(_, module)| module.has_memory());
        if !has_memory || outline.members.len() < 2 {
            outline.members.clear();
            outline.fates.values_mut().for_each(|fate| *fate = Fate::Apart);
        }
        Ok(Some(outline))
    }

    fn items_mut(&mut self, kind: ExternalKind) -> &mut Vec<Source<'a>> {
        let [functions, tables, memories, globals, tags] = &mut self.items;
        match kind {
            ExternalKind::Func | ExternalKind::FuncExact => functions,
            ExternalKind::Table => tables,
            ExternalKind::Memory => memories,
            ExternalKind::Global => globals,
            ExternalKind::Tag => tags,
        }
    }

    pub(super) fn item(&self, kind: ExternalKind, index: u32) -> Result<Source<'a>> {
        let items = self.items.get(kind_of(kind)).context("a kind")?;
        items.get(index as usize).copied().context("an item")
    }

    fn export(&self, instance: u32, kind: ExternalKind, name: &'a str) -> Result<Source<'a>> {
        match self.instances.get(instance as usize).context("an instance")? {
            Instance::Instantiate { .. } => Ok(Source::Export { instance, name }),
            Instance::FromExports(exports) => {
                let export = exports.iter().find(|export| export.name == name && kind_of(export.kind) == kind_of(kind));
                let export = export.context("an export")?;
                self.item(export.kind, export.index)
            }
        }
    }

    /// Returns what the imports of an instance's module are, in order.
    pub(super) fn imported(&self, instance: &Instance<'a>, module: &Module<'a>) -> Result<Vec<Source<'a>>> {
        let Instance::Instantiate { args, .. } = instance else { return Ok(Vec::new()) };
        let imported = module.imports.iter().map(|import| {
            let arg = args.iter().find(|arg| arg.name == import.module).context("an argument")?;
            self.export(arg.index, import.kind(), import.name)
        });
        imported.collect()
    }

    fn add(&mut self, part: usize, instance: &'a Instance<'a>) -> Result<()> {
        let number = u32::try_from(self.instances.len())?;
        self.instances.push(instance);
        let Instance::Instantiate { module_index, .. } = instance else { return Ok(()) };
        let module = Module::of(self.modules.get(*module_index as usize).context("a module")?)?;
        let imported = self.imported(instance, &module)?;
        let mut is_joined = false;
        let mut is_before = true;
        for source in imported {
            is_joined |= matches!(source, Source::Export { instance, .. } if self.fate(instance) == Fate::Joined);
            is_before &= self.is_before(source)?;
        }
        let memories =
            usize::from(module.has_memory()) + self.members.iter().filter(|(_, one)| one.has_memory()).count();
        let is_alone = self.parts.iter().filter(|part| makes(part, *module_index)).count() == 1;
        let fate = match () {
            () if is_before && is_alone && module.can_be_joined && memories < 2 => Fate::Joined,
            () if is_before && !is_joined => Fate::Apart,
            () => Fate::After,
        };
        self.fates.insert(number, fate);
        if fate == Fate::Joined {
            self.members.push((number, module));
            self.last = part;
        }
        Ok(())
    }

    pub(super) fn fate(&self, instance: u32) -> Fate {
        self.fates.get(&instance).copied().unwrap_or(Fate::Apart)
    }

    /// Returns whether an item is of a joined instance, or there before any.
    fn is_before(&self, source: Source<'a>) -> Result<bool> {
        match source {
            Source::Export { instance, .. } => Ok(self.fate(instance) != Fate::After),
            Source::Canonical { part } => {
                let Some(Part::Canonical(function)) = self.parts.get(part) else { return Ok(false) };
                for (kind, index) in used(function) {
                    let Source::Export { instance, .. } = self.item(kind, index)? else { return Ok(false) };
                    if self.fate(instance) != Fate::Apart {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }
}

fn makes(part: &Part<'_>, module: u32) -> bool {
    matches!(part, Part::Instance(Instance::Instantiate { module_index, .. }) if *module_index == module)
}

/// Returns the core items that a function is lifted or lowered with.
pub(super) fn used(function: &CanonicalFunction) -> Vec<(ExternalKind, u32)> {
    let (lifted, options) = match function {
        CanonicalFunction::Lift { core_func_index, options, .. } => (Some(*core_func_index), options),
        CanonicalFunction::Lower { options, .. } => (None, options),
        _ => return Vec::new(),
    };
    let options = options.iter().filter_map(|option| match option {
        CanonicalOption::Memory(index) => Some((ExternalKind::Memory, *index)),
        CanonicalOption::Realloc(index) | CanonicalOption::PostReturn(index) | CanonicalOption::Callback(index) => {
            Some((ExternalKind::Func, *index))
        }
        _ => None,
    });
    lifted.map(|index| (ExternalKind::Func, index)).into_iter().chain(options).collect()
}
