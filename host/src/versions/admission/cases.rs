//! The author's own cases, in the plugin's file: a custom section named `till:cases` with a JSON object of cases by name.
//!
//! `till plugin deploy FILE --cases FOLDER` puts them there, so they belong to the version's file and digest: they are
//! still there after a restart and a rollback, and each setting that is tried later is tried with them.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::value::RawValue;
use wasm_encoder::{ComponentSection, CustomSection};
use wasmparser::{Parser, Payload};

use crate::units::KIB;

const SECTION: &str = "till:cases";
/// The most cases of a plugin: each is a call at every deploy and setting.
const CASES_MAX: usize = 64;
/// The most bytes of all cases together.
const BYTES_MAX: usize = 256 * KIB;

/// Cases by their names, as their author wrote them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cases(Arc<BTreeMap<String, String>>);

/// Why the cases can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BadCases {
    #[error("there are {0} cases, a plugin may have {CASES_MAX}")]
    TooMany(usize),
    #[error("the cases have {0} bytes together, they may have {BYTES_MAX}")]
    TooLarge(usize),
    #[error("its section {SECTION} is no JSON object of cases by name: {0}")]
    Unreadable(serde_json::Error),
}

impl Cases {
    /// Returns the cases, each a JSON text by its name.
    ///
    /// # Errors
    /// When they are too many or too large.
    pub fn new(cases: BTreeMap<String, String>) -> Result<Self, BadCases> {
        let bytes = cases.iter().map(|(name, case)| name.len() + case.len()).sum();
        match (cases.len(), bytes) {
            (count, _) if count > CASES_MAX => Err(BadCases::TooMany(count)),
            (_, bytes) if bytes > BYTES_MAX => Err(BadCases::TooLarge(bytes)),
            _ => Ok(Self(Arc::new(cases))),
        }
    }

    /// Returns the cases that the component has in it, if any.
    ///
    /// # Errors
    /// When its section of cases can't be read.
    pub(super) fn of(component: &[u8]) -> Result<Self, BadCases> {
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(component) {
            match payload {
                Ok(Payload::ModuleSection { .. } | Payload::ComponentSection { .. }) => depth += 1,
                Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
                Ok(Payload::CustomSection(section)) if depth == 0 && section.name() == SECTION => {
                    let cases: BTreeMap<String, Box<RawValue>> =
                        serde_json::from_slice(section.data()).map_err(BadCases::Unreadable)?;
                    return Self::new(cases.into_iter().map(|(name, case)| (name, case.get().to_owned())).collect());
                }
                Ok(_) => {}
                // What can't be parsed here is refused where the whole file is read.
                Err(_) => break,
            }
        }
        Ok(Self::default())
    }

    /// Returns the component with these cases in it.
    ///
    /// # Errors
    /// When one of them is no JSON.
    pub fn embed(&self, component: &[u8]) -> Result<Vec<u8>, BadCases> {
        let of_json = |(name, case): (&String, &String)| Ok((name.clone(), RawValue::from_string(case.clone())?));
        let cases: Result<BTreeMap<_, _>, serde_json::Error> = self.0.iter().map(of_json).collect();
        let data = cases.and_then(|cases| serde_json::to_vec(&cases)).map_err(BadCases::Unreadable)?;
        let mut embedded = component.to_vec();
        CustomSection { name: SECTION.into(), data: data.into() }.append_to_component(&mut embedded);
        Ok(embedded)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, case)| (name.as_str(), case.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{hooks::Kind, versions::built_in_bytes};

    fn cases(count: usize, text: &str) -> Result<Cases, BadCases> {
        Cases::new((0..count).map(|number| (format!("{number:03}.json"), text.to_owned())).collect())
    }

    #[test]
    fn cases_come_back_out_of_the_component_that_they_were_put_into() {
        let plugin = built_in_bytes(Kind::Checkout);
        assert_eq!(Cases::of(plugin).expect("no section"), Cases::default());
        let cases = cases(2, r#"{ "lines": [] }"#).expect("few");
        let embedded = cases.embed(plugin).expect("JSON");
        assert_eq!(Cases::of(&embedded).expect("a section"), cases);
        assert!(wasmparser::validate(&embedded).is_ok());
    }

    #[test]
    fn cases_are_bounded_and_have_to_be_json() {
        assert!(matches!(cases(CASES_MAX + 1, "{}"), Err(BadCases::TooMany(65))));
        assert!(matches!(cases(1, &" ".repeat(BYTES_MAX)), Err(BadCases::TooLarge(_))));
        let plugin = built_in_bytes(Kind::Checkout);
        assert!(matches!(cases(1, "no JSON").expect("few").embed(plugin), Err(BadCases::Unreadable(_))));
    }
}
