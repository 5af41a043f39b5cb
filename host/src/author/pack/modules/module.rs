//! A core module, as far as it matters to one that it is joined into.

use anyhow::Result;
use wasm_encoder::ExportKind;
use wasmparser::{
    CompositeInnerType, ConstExpr, DataSectionReader, ElementSectionReader, Export, ExternalKind, FuncType,
    FunctionBody, GlobalType, Import, KnownCustom, MemoryType, Name, Parser, Payload, Table, TypeRef,
};

/// Returns the number of a kind of items.
pub(super) const fn kind_of(kind: ExternalKind) -> usize {
    match kind {
        ExternalKind::Func | ExternalKind::FuncExact => 0,
        ExternalKind::Table => 1,
        ExternalKind::Memory => 2,
        ExternalKind::Global => 3,
        ExternalKind::Tag => 4,
    }
}

#[derive(Clone)]
pub(super) struct Imported<'a> {
    pub(super) module: &'a str,
    pub(super) name: &'a str,
    pub(super) ty: TypeRef,
}

impl Imported<'_> {
    pub(super) const fn kind(&self) -> ExternalKind {
        match self.ty {
            TypeRef::Func(_) | TypeRef::FuncExact(_) => ExternalKind::Func,
            TypeRef::Table(_) => ExternalKind::Table,
            TypeRef::Memory(_) => ExternalKind::Memory,
            TypeRef::Global(_) => ExternalKind::Global,
            TypeRef::Tag(_) => ExternalKind::Tag,
        }
    }

    pub(super) fn export_kind(&self) -> ExportKind {
        self.kind().into()
    }
}

#[derive(Clone, Default)]
pub(super) struct Module<'a> {
    /// Whether it is made only of what [`super::Joined`] can renumber, and runs nothing when it is instantiated.
    pub(super) can_be_joined: bool,
    pub(super) bytes: usize,
    pub(super) types: Vec<FuncType>,
    pub(super) imports: Vec<Imported<'a>>,
    /// Their types.
    pub(super) functions: Vec<u32>,
    pub(super) tables: Vec<Table<'a>>,
    pub(super) memories: Vec<MemoryType>,
    pub(super) globals: Vec<(GlobalType, ConstExpr<'a>)>,
    pub(super) exports: Vec<Export<'a>>,
    pub(super) elements: Option<ElementSectionReader<'a>>,
    pub(super) bodies: Vec<FunctionBody<'a>>,
    pub(super) data: Option<DataSectionReader<'a>>,
    pub(super) function_names: Vec<(u32, &'a str)>,
    pub(super) producers: Option<&'a [u8]>,
}

impl<'a> Module<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Result<Self> {
        let mut module = Self { can_be_joined: true, bytes: bytes.len(), ..Self::default() };
        for payload in Parser::new(0).parse_all(bytes) {
            module.read(payload?)?;
        }
        Ok(module)
    }

    pub(super) fn has_memory(&self) -> bool {
        !self.memories.is_empty()
    }

    fn read(&mut self, payload: Payload<'a>) -> Result<()> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    for ty in group?.into_types() {
                        match (&ty.composite_type.inner, ty.supertype_idx, ty.is_final) {
                            (CompositeInnerType::Func(function), None, true) => self.types.push(function.clone()),
                            _ => self.can_be_joined = false,
                        }
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let Import { module, name, ty } = import?;
                    self.imports.push(Imported { module, name, ty });
                    self.can_be_joined &= !matches!(ty, TypeRef::Tag(_) | TypeRef::FuncExact(_));
                }
            }
            Payload::FunctionSection(section) => self.functions = section.into_iter().collect::<Result<_, _>>()?,
            Payload::TableSection(section) => self.tables = section.into_iter().collect::<Result<_, _>>()?,
            Payload::MemorySection(section) => self.memories = section.into_iter().collect::<Result<_, _>>()?,
            Payload::GlobalSection(section) => {
                for global in section {
                    let global = global?;
                    self.globals.push((global.ty, global.init_expr));
                }
            }
            Payload::ExportSection(section) => self.exports = section.into_iter().collect::<Result<_, _>>()?,
            Payload::ElementSection(section) => self.elements = Some(section),
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            Payload::DataSection(section) => self.data = Some(section),
            Payload::StartSection { .. } | Payload::TagSection(_) => self.can_be_joined = false,
            Payload::CustomSection(section) => match section.as_known() {
                KnownCustom::Name(names) => {
                    for name in names {
                        if let Name::Function(functions) = name? {
                            for naming in functions {
                                let naming = naming?;
                                self.function_names.push((naming.index, naming.name));
                            }
                        }
                    }
                }
                KnownCustom::Producers(_) => self.producers = Some(section.data()),
                _ => {}
            },
            _ => {}
        }
        Ok(())
    }
}
