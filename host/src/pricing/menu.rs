//! Menus: entries that plugins hide, rename and move. Nothing can be added, and no price changes.

use serde::{Deserialize, Serialize};

use super::{
    BadOutput,
    delivery::{DeliveryChoices, GroupId, OfferedOption},
};

/// The most changes to one list.
pub const CHANGES_MAX: usize = 200;

/// Another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renaming {
    pub id: String,
    pub title: String,
}

/// Another place, counted after the entry was taken out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Move {
    pub id: String,
    pub to: u32,
}

/// What becomes of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    Hide(String),
    Rename(Renaming),
    Move(Move),
}

/// Changes to the options of one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupChanges {
    pub group: GroupId,
    #[serde(default)]
    pub changes: Vec<Change>,
}

/// An entry of a menu.
pub trait Entry {
    /// Returns what changes name it by.
    fn id(&self) -> &str;

    /// Gives the entry another name for people.
    fn rename(&mut self, title: &str);
}

impl Entry for OfferedOption {
    fn id(&self) -> &str {
        &self.option.handle
    }

    fn rename(&mut self, title: &str) {
        title.clone_into(&mut self.option.title);
    }
}

/// A way to pay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentMethod {
    pub id: String,
    pub name: String,
}

impl Entry for PaymentMethod {
    fn id(&self) -> &str {
        &self.id
    }

    fn rename(&mut self, title: &str) {
        title.clone_into(&mut self.name);
    }
}

/// Returns the entries after one plugin's changes.
///
/// # Errors
/// Names the first change of an entry that isn't there, or a second one of its kind.
pub fn customize<E: Entry>(entries: Vec<E>, changes: &[Change]) -> Result<Vec<E>, BadOutput> {
    todo!("{} {changes:?}", entries.len())
}

/// Returns the groups after one plugin's changes.
///
/// # Errors
/// As [`customize`], and for a group that isn't there or is named twice.
pub fn customize_delivery(
    choices: Vec<DeliveryChoices>,
    changes: &[GroupChanges],
) -> Result<Vec<DeliveryChoices>, BadOutput> {
    todo!("{choices:?} {changes:?}")
}
