//! A core module made of others.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    convert::Infallible,
};

use anyhow::{Context, Result};
use wasm_encoder::{
    CodeSection, ConstExpr, CustomSection, DataCountSection, DataSection, ElementSection, ExportSection,
    FunctionSection, GlobalSection, ImportSection, MemorySection, NameMap, NameSection, TableSection, TypeSection,
    reencode::{Error, Reencode, utils},
};
use wasmparser::{FuncType, Operator, TypeRef};

use super::{
    module::{Module, kind_of},
    unreadable,
};

/// The module name of all its imports.
pub(super) const IMPORTS: &str = "";
const KINDS: usize = 5;

/// Returns the name of what a member exports.
pub(super) fn export_name(member: usize, name: &str) -> String {
    format!("{member}:{name}")
}

/// What a member's import is.
pub(super) enum Binding<'a> {
    /// An import of the joined module.
    Import(usize),
    /// Another member's export.
    Export { member: usize, name: &'a str },
}

/// A module that is joined with others.
pub(super) struct Member<'a> {
    pub(super) module: Module<'a>,
    /// In the order of its imports.
    pub(super) bindings: Vec<Binding<'a>>,
}

/// The new numbers of a member's parts, by their old ones.
#[derive(Default)]
struct Numbers {
    types: Vec<u32>,
    /// By their kinds.
    items: [Vec<u32>; KINDS],
    elements_before: u32,
    data_before: u32,
}

pub(super) struct Joined<'a> {
    members: &'a [Member<'a>],
    numbers: Vec<Numbers>,
    types: Vec<&'a FuncType>,
    imports: Vec<TypeRef>,
    data: u32,
}

impl<'a> Joined<'a> {
    pub(super) fn new(members: &'a [Member<'a>]) -> Result<Self> {
        let mut joined = Self { members, numbers: Vec::new(), types: Vec::new(), imports: Vec::new(), data: 0 };
        let mut known = HashMap::new();
        for Member { module, .. } in members {
            let mut numbers = Numbers::default();
            for ty in &module.types {
                let next = u32::try_from(joined.types.len())?;
                let number = *known.entry(ty).or_insert(next);
                if number == next {
                    joined.types.push(ty);
                }
                numbers.types.push(number);
            }
            joined.numbers.push(numbers);
        }
        joined.number_items()?;
        Ok(joined)
    }

    /// The imports come first, as they have to, then each member's own in order.
    fn number_items(&mut self) -> Result<()> {
        let members = self.members;
        let mut next = [0_u32; KINDS];
        let mut take = |kind: usize| -> Result<u32> {
            let next = next.get_mut(kind).context("a kind")?;
            *next += 1;
            Ok(*next - 1)
        };
        let mut imports = Vec::new();
        for (member, numbers) in members.iter().zip(&self.numbers) {
            for (import, binding) in member.module.imports.iter().zip(&member.bindings) {
                if matches!(binding, Binding::Import(number) if *number == imports.len()) {
                    imports.push(take(kind_of(import.kind()))?);
                    self.imports.push(match import.ty {
                        TypeRef::Func(ty) => TypeRef::Func(*numbers.types.get(ty as usize).context("a type")?),
                        other => other,
                    });
                }
            }
        }
        let (mut elements, mut data) = (0, 0);
        for (number, Member { module, bindings }) in members.iter().enumerate() {
            let mut items: [Vec<u32>; KINDS] = Default::default();
            for (import, binding) in module.imports.iter().zip(bindings) {
                let kind = kind_of(import.kind());
                let new = match binding {
                    Binding::Import(number) => *imports.get(*number).context("an import")?,
                    Binding::Export { member, name } => self.export(*member, kind, name)?,
                };
                items.get_mut(kind).context("a kind")?.push(new);
            }
            let own = [module.functions.len(), module.tables.len(), module.memories.len(), module.globals.len()];
            for (kind, (count, items)) in own.into_iter().zip(&mut items).enumerate() {
                for _ in 0..count {
                    items.push(take(kind)?);
                }
            }
            let numbers = self.numbers.get_mut(number).context("a member")?;
            (numbers.items, numbers.elements_before, numbers.data_before) = (items, elements, data);
            elements += module.elements.as_ref().map_or(0, wasmparser::SectionLimited::count);
            data += module.data.as_ref().map_or(0, wasmparser::SectionLimited::count);
        }
        self.data = data;
        Ok(())
    }

    /// Returns the new number of what a member exports.
    fn export(&self, member: usize, kind: usize, name: &str) -> Result<u32> {
        let exports = &self.members.get(member).context("a member")?.module.exports;
        let export = exports.iter().find(|export| export.name == name && kind_of(export.kind) == kind);
        let items = self.numbers.get(member).and_then(|numbers| numbers.items.get(kind)).context("a member's items")?;
        items.get(export.context("an export")?.index as usize).copied().context("an item")
    }

    /// Returns the module with these exports, each of a member, a kind and a name.
    pub(super) fn encode(&self, exports: &[(usize, usize, &str)]) -> Result<Vec<u8>> {
        let mut types = TypeSection::new();
        let mut imports = ImportSection::new();
        let (mut functions, mut tables, mut memories) =
            (FunctionSection::new(), TableSection::new(), MemorySection::new());
        let (mut globals, mut exported) = (GlobalSection::new(), ExportSection::new());
        let (mut elements, mut code, mut data) = (ElementSection::new(), CodeSection::new(), DataSection::new());
        let mut names = BTreeMap::new();
        let mut constants = HashMap::new();
        let unnumbered = Numbers::default();
        let mut same = Renumber { numbers: &unnumbered, constants: &constants };
        for ty in &self.types {
            types.ty().func_type(&same.func_type((*ty).clone()).map_err(unreadable)?);
        }
        for (number, ty) in self.imports.iter().enumerate() {
            let ty = match ty {
                TypeRef::Func(ty) => wasm_encoder::EntityType::Function(*ty),
                other => same.entity_type(*other).map_err(unreadable)?,
            };
            imports.import(IMPORTS, &number.to_string(), ty);
        }
        for (Member { module, .. }, numbers) in self.members.iter().zip(&self.numbers) {
            for (index, (ty, init)) in module.globals.iter().enumerate() {
                let mut renumber = Renumber { numbers, constants: &constants };
                let constant = renumber.constant(init);
                let init = renumber.const_expr(init.clone()).map_err(unreadable)?;
                globals.global(renumber.global_type(*ty).map_err(unreadable)?, &init);
                let [.., items, _] = &numbers.items;
                let own = items.get(items.len() - module.globals.len() + index).context("a global")?;
                if let (Some(constant), false) = (constant, ty.mutable) {
                    constants.insert(*own, constant);
                }
            }
        }
        for (Member { module, .. }, numbers) in self.members.iter().zip(&self.numbers) {
            let mut renumber = Renumber { numbers, constants: &constants };
            for ty in &module.functions {
                functions.function(renumber.type_index(*ty).map_err(unreadable)?);
            }
            for table in &module.tables {
                renumber.parse_table(&mut tables, table.clone()).map_err(unreadable)?;
            }
            for memory in &module.memories {
                memories.memory(renumber.memory_type(*memory).map_err(unreadable)?);
            }
            for body in &module.bodies {
                renumber.parse_function_body(&mut code, body.clone()).map_err(unreadable)?;
            }
            if let Some(section) = &module.elements {
                renumber.parse_element_section(&mut elements, section.clone()).map_err(unreadable)?;
            }
            if let Some(section) = &module.data {
                renumber.parse_data_section(&mut data, section.clone()).map_err(unreadable)?;
            }
            for (index, name) in &module.function_names {
                let imported = module.imports.iter().filter(|import| kind_of(import.kind()) == 0).count();
                if *index as usize >= imported {
                    names.insert(renumber.function_index(*index).map_err(unreadable)?, *name);
                }
            }
        }
        for (member, kind, name) in exports {
            let kinds = [
                wasm_encoder::ExportKind::Func,
                wasm_encoder::ExportKind::Table,
                wasm_encoder::ExportKind::Memory,
                wasm_encoder::ExportKind::Global,
            ];
            let index = self.export(*member, *kind, name)?;
            exported.export(&export_name(*member, name), *kinds.get(*kind).context("a kind")?, index);
        }
        let mut joined = wasm_encoder::Module::new();
        joined.section(&types).section(&imports).section(&functions).section(&tables).section(&memories);
        joined.section(&globals).section(&exported).section(&elements);
        joined.section(&DataCountSection { count: self.data }).section(&code).section(&data);
        let mut function_names = NameMap::new();
        for (index, name) in names {
            function_names.append(index, name);
        }
        let mut name_section = NameSection::new();
        name_section.functions(&function_names);
        joined.section(&name_section);
        // What the program is made with, and not what toolchains add to it.
        let largest = self.members.iter().max_by_key(|member| member.module.bytes);
        if let Some(producers) = largest.and_then(|member| member.module.producers) {
            joined.section(&CustomSection { name: "producers".into(), data: Cow::Borrowed(producers) });
        }
        Ok(joined.finish())
    }
}

/// Renumbers a member's parts.
struct Renumber<'a> {
    numbers: &'a Numbers,
    /// The globals that never change, by their new numbers.
    constants: &'a HashMap<u32, i32>,
}

impl Renumber<'_> {
    fn item(&self, kind: usize, index: u32) -> Result<u32, Error<Infallible>> {
        let items = self.numbers.items.get(kind);
        items.and_then(|items| items.get(index as usize)).copied().ok_or(Error::UnexpectedNonComponentSection)
    }

    /// Returns the value that an expression always has, `None` if that isn't known before it is instantiated.
    fn constant(&self, expression: &wasmparser::ConstExpr<'_>) -> Option<i32> {
        let mut values: Vec<i32> = Vec::new();
        for operator in expression.get_operators_reader() {
            let value = match operator.ok()? {
                Operator::I32Const { value } => value,
                Operator::GlobalGet { global_index } => *self.constants.get(&self.item(3, global_index).ok()?)?,
                Operator::I32Add => values.pop()?.wrapping_add(values.pop()?),
                Operator::End => break,
                _ => return None,
            };
            values.push(value);
        }
        if let [value] = *values { Some(value) } else { None }
    }
}

impl Reencode for Renumber<'_> {
    type Error = Infallible;

    fn type_index(&mut self, index: u32) -> Result<u32, Error<Infallible>> {
        self.numbers.types.get(index as usize).copied().ok_or(Error::UnexpectedNonComponentSection)
    }

    fn function_index(&mut self, index: u32) -> Result<u32, Error<Infallible>> {
        self.item(0, index)
    }

    fn table_index(&mut self, index: u32) -> Result<u32, Error<Infallible>> {
        self.item(1, index)
    }

    fn memory_index(&mut self, index: u32) -> Result<u32, Error<Infallible>> {
        self.item(2, index)
    }

    fn global_index(&mut self, index: u32) -> Result<u32, Error<Infallible>> {
        self.item(3, index)
    }

    fn element_index(&mut self, index: u32) -> Result<u32, Error<Infallible>> {
        Ok(self.numbers.elements_before + index)
    }

    fn data_index(&mut self, index: u32) -> Result<u32, Error<Infallible>> {
        Ok(self.numbers.data_before + index)
    }

    /// A segment's place has to be a plain number for the engine to fill it in in advance.
    fn const_expr(&mut self, expression: wasmparser::ConstExpr<'_>) -> Result<ConstExpr, Error<Infallible>> {
        match self.constant(&expression) {
            Some(value) => Ok(ConstExpr::i32_const(value)),
            None => utils::const_expr(self, expression),
        }
    }
}
