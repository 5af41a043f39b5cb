//! Menus: entries that plugins hide, rename and move. Nothing can be added, and no price changes.

use serde::{Deserialize, Serialize};

use super::{
    BadOutput, Fault, Place,
    bad_output::count,
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
    count("changes", changes.len(), (0, CHANGES_MAX)).map_err(|fault| Place::Answer.has(fault))?;
    let mut left = entries;
    for (index, change) in changes.iter().enumerate() {
        let earlier = changes.get(..index).unwrap_or_default();
        change.apply(&mut left, earlier).map_err(|fault| Place::Change(index).has(fault))?;
    }
    Ok(left)
}

impl Change {
    fn id(&self) -> &str {
        match self {
            Self::Hide(id) => id,
            Self::Rename(renaming) => &renaming.id,
            Self::Move(place) => &place.id,
        }
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::Hide(_) => "hide",
            Self::Rename(_) => "rename",
            Self::Move(_) => "move",
        }
    }

    fn apply<E: Entry>(&self, entries: &mut Vec<E>, earlier: &[Self]) -> Result<(), Fault> {
        let id = self.id();
        if earlier.iter().any(|change| change.kind() == self.kind() && change.id() == id) {
            return Err(Fault::ChangedTwice { id: id.to_owned(), kind: self.kind() });
        }
        let place = entries.iter().position(|entry| entry.id() == id);
        let place = place.ok_or_else(|| Fault::NoSuchEntry(id.to_owned()))?;
        match self {
            Self::Hide(_) => drop(entries.remove(place)),
            Self::Rename(Renaming { title, .. }) => {
                entries.iter_mut().skip(place).take(1).for_each(|entry| entry.rename(title));
            }
            Self::Move(Move { to, .. }) => {
                let entry = entries.remove(place);
                let to = usize::try_from(*to).unwrap_or(usize::MAX);
                entries.insert(to.min(entries.len()), entry);
            }
        }
        Ok(())
    }
}

/// Returns the groups after one plugin's changes.
///
/// # Errors
/// As [`customize`], and for a group that isn't there or is named twice.
pub fn customize_delivery(
    choices: Vec<DeliveryChoices>,
    changes: &[GroupChanges],
) -> Result<Vec<DeliveryChoices>, BadOutput> {
    let mut left = choices;
    for (index, GroupChanges { group, changes: of_group }) in changes.iter().enumerate() {
        let fault = |fault| Place::Changes(index).has(fault);
        if changes.iter().take(index).any(|earlier| earlier.group == *group) {
            return Err(fault(Fault::GroupTwice(*group)));
        }
        let choices = left.iter_mut().find(|choices| choices.group.id == *group);
        let choices = choices.ok_or_else(|| fault(Fault::NoSuchGroup(*group)))?;
        choices.options = customize(std::mem::take(&mut choices.options), of_group)?;
    }
    Ok(left)
}
