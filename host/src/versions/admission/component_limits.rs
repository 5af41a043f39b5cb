//! What a file may consist of, counted before anything of it is compiled.
//!
//! wasmtime bounds what a plugin costs while it runs, not what it costs to compile: a file of half a megabyte can keep
//! a core busy for minutes. These counts refuse the files that are known for that, and read a file only once.
//! Any other file is compiled in a child process first (`runtime/compiler.rs`).

use wasmparser::{BinaryReaderError, Instance, Parser, Payload};

use super::Reason;
use crate::{
    config::Limits,
    units::{KIB, MIB},
};

/// The page size of a memory that doesn't state its own, as a power of two.
const PAGE_SIZE_LOG2: u32 = 16;

/// Checks the file against `limits.component_*` and the call's own limits.
///
/// # Errors
/// The first limit in the order of [`Counts::against`] that the file is past, or that it can't be read.
pub(super) fn check(bytes: &[u8], limits: &Limits) -> Result<(), Reason> {
    let counts = Counts::of(bytes).map_err(|error| Reason::Malformed(error.to_string()))?;
    counts.against(limits).into_iter().try_for_each(|(what, found, max, setting)| {
        if found > max { Err(Reason::Cap { what, found, max, setting }) } else { Ok(()) }
    })
}

/// Returns how much memory the component has before any of its code runs.
///
/// # Errors
/// When it can't be read.
pub(super) fn memory_bytes(bytes: &[u8]) -> Result<u64, Reason> {
    Counts::of(bytes).map(|counts| counts.memory_bytes).map_err(|error| Reason::Malformed(error.to_string()))
}

/// What a component consists of, everything nested in it included. Saturating: a count that large is past its limit.
#[derive(Debug, Default)]
struct Counts {
    depth: u64,
    depth_max: u64,
    modules: u64,
    /// As they stand in the file. A component that is instantiated twice makes its instances twice, which the engine
    /// counts when it links them.
    core_instances: u64,
    component_instances: u64,
    functions: u64,
    function_bytes_max: u64,
    locals_max: u64,
    data_segments: u64,
    element_segments: u64,
    types: u64,
    globals: u64,
    imports: u64,
    exports: u64,
    memories: u64,
    memory_bytes: u64,
    tables: u64,
    table_elements: u64,
}

impl Counts {
    fn of(bytes: &[u8]) -> Result<Self, BinaryReaderError> {
        let mut counts = Self::default();
        for payload in Parser::new(0).parse_all(bytes) {
            counts.count(&payload?)?;
        }
        Ok(counts)
    }

    fn count(&mut self, payload: &Payload<'_>) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::Version { .. } => {
                self.depth += 1;
                self.depth_max = self.depth_max.max(self.depth);
            }
            Payload::End(_) => self.depth = self.depth.saturating_sub(1),
            Payload::ModuleSection { .. } => self.modules += 1,
            Payload::InstanceSection(section) => {
                for instance in section.clone() {
                    // Instances made of another's exports are only names.
                    self.core_instances += u64::from(matches!(instance?, Instance::Instantiate { .. }));
                }
            }
            Payload::ComponentInstanceSection(section) => self.component_instances += u64::from(section.count()),
            Payload::CodeSectionStart { count, .. } => self.functions += u64::from(*count),
            Payload::CodeSectionEntry(body) => {
                let bytes = body.range().len() as u64;
                self.function_bytes_max = self.function_bytes_max.max(bytes);
                self.locals_max = self.locals_max.max(locals(body)?);
            }
            Payload::DataSection(section) => self.data_segments += u64::from(section.count()),
            Payload::ElementSection(section) => self.element_segments += u64::from(section.count()),
            Payload::TypeSection(section) => self.types += u64::from(section.count()),
            Payload::CoreTypeSection(section) => self.types += u64::from(section.count()),
            Payload::ComponentTypeSection(section) => self.types += u64::from(section.count()),
            Payload::GlobalSection(section) => self.globals += u64::from(section.count()),
            Payload::ImportSection(section) => self.imports += u64::from(section.count()),
            Payload::ComponentImportSection(section) => self.imports += u64::from(section.count()),
            Payload::ExportSection(section) => self.exports += u64::from(section.count()),
            Payload::ComponentExportSection(section) => self.exports += u64::from(section.count()),
            Payload::MemorySection(section) => {
                for memory in section.clone() {
                    self.count_memory(&memory?);
                }
            }
            Payload::TableSection(section) => {
                for table in section.clone() {
                    self.tables += 1;
                    self.table_elements = self.table_elements.saturating_add(table?.ty.initial);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn count_memory(&mut self, memory: &wasmparser::MemoryType) {
        let page_bytes = 1_u64.checked_shl(memory.page_size_log2.unwrap_or(PAGE_SIZE_LOG2)).unwrap_or(u64::MAX);
        self.memories += 1;
        self.memory_bytes = self.memory_bytes.saturating_add(memory.initial.saturating_mul(page_bytes));
    }

    /// Returns each count's name, what was found, what is allowed, and the setting for that.
    fn against(&self, limits: &Limits) -> [(&'static str, u64, u64, &'static str); 17] {
        let memory_bytes_max = (limits.guest_memory_mib * MIB) as u64;
        let function_bytes_max = (limits.component_function_kib * KIB) as u64;
        [
            ("levels of components and modules", self.depth_max, limits.component_depth, "component_depth"),
            ("core modules", self.modules, limits.component_modules, "component_modules"),
            ("core instances", self.core_instances, limits.guest_core_instances.into(), "guest_core_instances"),
            ("component instances", self.component_instances, limits.component_instances, "component_instances"),
            ("functions", self.functions, limits.component_functions, "component_functions"),
            ("bytes in one function", self.function_bytes_max, function_bytes_max, "component_function_kib"),
            ("locals in one function", self.locals_max, limits.component_locals, "component_locals"),
            ("data segments", self.data_segments, limits.component_data_segments, "component_data_segments"),
            (
                "element segments",
                self.element_segments,
                limits.component_element_segments,
                "component_element_segments",
            ),
            ("types", self.types, limits.component_types, "component_types"),
            ("globals", self.globals, limits.component_globals, "component_globals"),
            ("imports", self.imports, limits.component_imports, "component_imports"),
            ("exports", self.exports, limits.component_exports, "component_exports"),
            ("memories", self.memories, limits.guest_memories.into(), "guest_memories"),
            ("bytes of initial memory", self.memory_bytes, memory_bytes_max, "guest_memory_mib"),
            ("tables", self.tables, limits.guest_tables.into(), "guest_tables"),
            ("initial table elements", self.table_elements, limits.guest_table_elements as u64, "guest_table_elements"),
        ]
    }
}

fn locals(body: &wasmparser::FunctionBody<'_>) -> Result<u64, BinaryReaderError> {
    let mut locals = 0_u64;
    for group in body.get_locals_reader()? {
        let (count, _) = group?;
        locals = locals.saturating_add(u64::from(count));
    }
    Ok(locals)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Settings, Sources};

    /// A component around one core module with these fields.
    fn around(fields: &str) -> String {
        format!("(component (core module $m {fields}) (core instance (instantiate $m)))")
    }

    #[test]
    fn each_limit_refuses_what_is_past_it_and_admits_what_is_on_it() {
        let check = |text: &str, setting: &str, found: u64| {
            let bytes = wat::parse_str(text).expect("sound WAT");
            let checked = |max: u64| {
                let mut sources = Sources::defaults();
                let flag = format!("limits.{setting}={max}");
                sources.add_flags(std::iter::once(flag.as_str())).expect("a setting");
                super::check(&bytes, &Settings::load(&sources).expect("usable").limits)
            };
            checked(found).unwrap_or_else(|refused| panic!("{setting}: {refused}"));
            let refused = checked(found - 1).expect_err(setting).to_string();
            assert!(refused.contains(&format!("(limits.{setting})")), "{refused}");
        };
        check("(component (component (core module)))", "component_depth", 3);
        check("(component (core module) (component (core module)))", "component_modules", 2);
        let instances = "(core instance (instantiate $m)) (core instance (instantiate $m)) (core instance)";
        check(&format!("(component (core module $m) {instances})"), "guest_core_instances", 2);
        let instances = "(instance (instantiate $c)) (instance (instantiate $c))";
        check(&format!("(component (component $c) {instances})"), "component_instances", 2);
        check(&around("(func) (func)"), "component_functions", 2);
        check(&around("(func (local i32 i32 f64)) (func (local i32))"), "component_locals", 3);
        let long = "nop ".repeat(2000);
        check(&around(&format!("(func {long})")), "component_function_kib", 2);
        check(&around("(memory 1) (data \"a\") (data \"b\")"), "component_data_segments", 2);
        check(&around("(table 1 funcref) (elem func) (elem func)"), "component_element_segments", 2);
        check("(component (core module (type (func))) (type (func)) (core type (func)))", "component_types", 3);
        check(&around("(global i32 (i32.const 0))"), "component_globals", 1);
        check("(component (core module (import \"a\" \"b\" (func))) (import \"c\" (func)))", "component_imports", 2);
        check(&around("(func $f) (export \"a\" (func $f)) (export \"b\" (func $f))"), "component_exports", 2);
        check(&around("(memory 0) (memory 0)"), "guest_memories", 2);
        check(&around("(memory 31) (memory 1)"), "guest_memory_mib", 2);
        check(&around("(table 0 funcref) (table 0 funcref)"), "guest_tables", 2);
        check(&around("(table 70 funcref) (table 7 funcref)"), "guest_table_elements", 77);
    }

    #[test]
    fn the_built_in_plugins_are_far_below_every_limit() {
        let limits = Settings::load(&Sources::defaults()).expect("usable").limits;
        for kind in crate::hooks::Kind::REQUIRED {
            let counts = Counts::of(crate::versions::built_in_bytes(kind)).expect("a component");
            for (what, found, max, setting) in counts.against(&limits) {
                assert!(found * 2 < max, "{kind}: {found} {what} of {max}, limits.{setting}");
            }
        }
    }
}
