//! Compares a component's types with a world's before anything is compiled, and reports a difference as the WIT has it.
//!
//! The engine's linker decides the same, but only once the component is compiled, and it says "expected a record of 5
//! fields, found 2 fields". Here the component's types are compared with those of the track, which `build.rs` has
//! encoded, down to the first one that differs.

use std::fmt::Display;

use wasmparser::{
    BinaryReaderError, Parser, ValidPayload, Validator, WasmFeatures,
    component_types::{ComponentAnyTypeId, ComponentDefinedType, ComponentEntityType, ComponentItem, ComponentValType},
    types::Types,
};

use super::{Reason, refusal::OtherType};
use crate::hooks::{self, Kind, PACKAGE, Track, wit};

/// The tracks' WIT as wit-component encodes it.
const V0_1: &[u8] = include_bytes!(env!("BUILT_WIT_0_1"));
const V0_2: &[u8] = include_bytes!(env!("BUILT_WIT_0_2"));

/// Checks that what the component exports and imports has the types of the world.
///
/// # Errors
/// The first function that is missing or differs, and where in it; or that the bytes are no component.
pub(super) fn check(bytes: &[u8], kind: Kind) -> Result<(), Reason> {
    let track = hooks::info(kind).track;
    let (wit, component) = (types_of(if track.name == "0.1" { V0_1 } else { V0_2 })?, types_of(bytes)?);
    let world = wit.component_item_for_export(&format!("{kind}-plugin")).and_then(|item| match item.ty {
        ComponentEntityType::Type { referenced: ComponentAnyTypeId::Component(id), .. } => Some(&wit[id]),
        _ => None,
    });
    let world = world.and_then(|package| package.exports.values().next()).and_then(|item| match item.ty {
        ComponentEntityType::Component(id) => Some(&wit[id]),
        _ => None,
    });
    let Some(world) = world else { return Err(Reason::Malformed("the host's own WIT can't be read".to_owned())) };
    let pair = Pair { track, wit: &wit, component: &component };
    for (name, wanted) in &world.exports {
        let found = component.component_item_for_export(name);
        pair.interface(name, wanted, found, true)?;
    }
    for (name, wanted) in &world.imports {
        if let Some(found) = component.component_item_for_import(name) {
            pair.interface(name, wanted, Some(found), false)?;
        }
    }
    Ok(())
}

/// Reads the types of a component, without validating the bodies of its functions.
fn types_of(bytes: &[u8]) -> Result<Types, Reason> {
    let malformed = |error: BinaryReaderError| Reason::Malformed(error.to_string());
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    let mut types = None;
    for payload in Parser::new(0).parse_all(bytes) {
        let checked = validator.payload(&payload.map_err(malformed)?).map_err(|error| Reason::of_validator(&error))?;
        if let ValidPayload::End(all) = checked {
            types = Some(all);
        }
    }
    types.ok_or_else(|| Reason::Malformed("it ends too soon".to_owned()))
}

/// The world's types and the component's.
struct Pair<'a> {
    track: &'static Track,
    wit: &'a Types,
    component: &'a Types,
}

/// The first type that isn't the world's.
#[derive(Debug, PartialEq, Eq)]
struct Difference {
    /// The path to it, outermost part first.
    place: Vec<String>,
    wanted: String,
    found: String,
}

impl Pair<'_> {
    /// Compares the functions of an interface. A plugin has to export all of its own, and may import any of the host's.
    fn interface(
        &self,
        name: &str,
        wanted: &ComponentItem,
        found: Option<&ComponentItem>,
        all: bool,
    ) -> Result<(), Reason> {
        let ComponentEntityType::Instance(wanted) = wanted.ty else { return Ok(()) };
        let found = match found.map(|found| found.ty) {
            Some(ComponentEntityType::Instance(id)) => Some(&self.component[id].exports),
            _ => None,
        };
        for (function, wanted) in &self.wit[wanted].exports {
            let ComponentEntityType::Func(wanted) = wanted.ty else { continue };
            let found = found.and_then(|exports| exports.get(function)).map(|found| found.ty);
            let Some(ComponentEntityType::Func(found)) = found else {
                if all {
                    return Err(self.missing(name, function));
                }
                continue;
            };
            if let Some(difference) = self.function(wanted, found) {
                return Err(self.differs(name, function, difference));
            }
        }
        Ok(())
    }

    fn function(
        &self,
        wanted: wasmparser::component_types::ComponentFuncTypeId,
        found: wasmparser::component_types::ComponentFuncTypeId,
    ) -> Option<Difference> {
        let (wanted, found) = (&self.wit[wanted], &self.component[found]);
        let (names, found_names) =
            (listed(wanted.params.iter().map(|(name, _)| name)), listed(found.params.iter().map(|(name, _)| name)));
        if names != found_names || wanted.async_ != found.async_ {
            let parameters = |names, is_async| format!("{}parameters {names}", if is_async { "async, " } else { "" });
            return Some(Difference {
                place: Vec::new(),
                wanted: parameters(names, wanted.async_),
                found: parameters(found_names, found.async_),
            });
        }
        let mut params = wanted.params.iter().zip(&found.params);
        params
            .find_map(|((name, wanted), (_, found))| within(format!("parameter {name}"), self.value(*wanted, *found)))
            .or_else(|| within("result".to_owned(), self.optional(wanted.result, found.result)))
    }

    fn optional(&self, wanted: Option<ComponentValType>, found: Option<ComponentValType>) -> Option<Difference> {
        match (wanted, found) {
            (None, None) => None,
            (Some(wanted), Some(found)) => self.value(wanted, found),
            (wanted, found) => Some(Difference {
                place: Vec::new(),
                wanted: wanted.map_or_else(|| "nothing".to_owned(), |wanted| described(self.wit, wanted)),
                found: found.map_or_else(|| "nothing".to_owned(), |found| described(self.component, found)),
            }),
        }
    }

    fn value(&self, wanted: ComponentValType, found: ComponentValType) -> Option<Difference> {
        use ComponentDefinedType::{List, Option as Maybe, Record, Result as Outcome, Variant};

        let (wanted_text, found_text) = (described(self.wit, wanted), described(self.component, found));
        if wanted_text != found_text {
            return Some(Difference { place: Vec::new(), wanted: wanted_text, found: found_text });
        }
        let (ComponentValType::Type(wanted), ComponentValType::Type(found)) = (wanted, found) else { return None };
        match (&self.wit[wanted], &self.component[found]) {
            (Record(wanted), Record(found)) => {
                let mut fields = wanted.fields.iter().zip(found.fields.values());
                fields.find_map(|((name, wanted), found)| within(format!("field {name}"), self.value(*wanted, *found)))
            }
            (Variant(wanted), Variant(found)) => {
                let mut cases = wanted.cases.iter().zip(found.cases.values());
                cases.find_map(|((name, wanted), found)| {
                    within(format!("case {name}"), self.optional(wanted.ty, found.ty))
                })
            }
            (List { element: wanted, .. }, List { element: found, .. }) => {
                within("its elements".to_owned(), self.value(*wanted, *found))
            }
            (Maybe { ty: wanted, .. }, Maybe { ty: found, .. }) => self.value(*wanted, *found),
            (Outcome { ok, err, .. }, Outcome { ok: found_ok, err: found_err, .. }) => {
                within("ok".to_owned(), self.optional(*ok, *found_ok))
                    .or_else(|| within("error".to_owned(), self.optional(*err, *found_err)))
            }
            // No function of this release has any other type.
            _ => None,
        }
    }
}

fn within(place: String, difference: Option<Difference>) -> Option<Difference> {
    let mut difference = difference?;
    difference.place.insert(0, place);
    Some(difference)
}

/// Returns what kind of type it is, with the names in it but not the types below it.
fn described(types: &Types, value: ComponentValType) -> String {
    let id = match value {
        ComponentValType::Primitive(primitive) => return primitive.to_string(),
        ComponentValType::Type(id) => id,
    };
    match &types[id] {
        ComponentDefinedType::Primitive(primitive) => primitive.to_string(),
        ComponentDefinedType::Record(record) => format!("record {{ {} }}", listed(record.fields.keys())),
        ComponentDefinedType::Variant(variant) => format!("variant {{ {} }}", listed(variant.cases.keys())),
        ComponentDefinedType::Enum(cases) => format!("enum {{ {} }}", listed(cases)),
        ComponentDefinedType::Flags(flags) => format!("flags {{ {} }}", listed(flags)),
        ComponentDefinedType::List { .. } => "list".to_owned(),
        ComponentDefinedType::FixedLengthList { length, .. } => format!("list of {length}"),
        ComponentDefinedType::Map { .. } => "map".to_owned(),
        ComponentDefinedType::Tuple(tuple) => format!("tuple of {}", tuple.types.len()),
        ComponentDefinedType::Option { .. } => "option".to_owned(),
        ComponentDefinedType::Result { .. } => "result".to_owned(),
        _ => "a handle".to_owned(),
    }
}

fn listed(names: impl IntoIterator<Item = impl Display>) -> String {
    names.into_iter().map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
}

impl Pair<'_> {
    fn missing(&self, interface: &str, function: &str) -> Reason {
        Reason::NoFunction {
            interface: interface.to_owned(),
            function: function.to_owned(),
            line: self.line(interface, function),
        }
    }

    fn differs(&self, interface: &str, function: &str, difference: Difference) -> Reason {
        let Difference { place, wanted, found } = difference;
        let place = if place.is_empty() { String::new() } else { format!(" at {}", place.join(", ")) };
        Reason::Types(Box::new(OtherType {
            interface: interface.to_owned(),
            function: function.to_owned(),
            place,
            wanted,
            found,
            line: self.line(interface, function),
        }))
    }

    /// Returns the line of the WIT that declares the function, after the file's name and its number.
    fn line(&self, interface: &str, function: &str) -> String {
        let name = interface.trim_start_matches(PACKAGE).trim_start_matches('/');
        let name = name.trim_end_matches(self.track.version).trim_end_matches('@');
        let text = wit::files(self.track).find(|file| file.name == name).map_or("", |file| file.text);
        let declares = |line: &str| line.trim().starts_with(&format!("{function}: func("));
        let found = text.lines().enumerate().find(|(_, line)| declares(line));
        let path = format!("{}/{name}.wit", self.track.folder());
        found.map_or_else(|| path.clone(), |(index, line)| format!("{path}:{}: {}", index + 1, line.trim()))
    }
}
