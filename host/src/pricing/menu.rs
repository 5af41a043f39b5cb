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

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prop_assert, prop_assert_eq, prop_oneof, proptest, strategy::Strategy};

    use super::*;
    use crate::pricing::{
        delivery::{DeliveryGroup, DeliveryKind, DeliveryOption},
        samples::{by, minor},
    };

    fn methods(ids: &[&str]) -> Vec<PaymentMethod> {
        ids.iter().map(|id| PaymentMethod { id: (*id).into(), name: id.to_uppercase() }).collect()
    }

    fn hide(id: &str) -> Change {
        Change::Hide(id.into())
    }

    fn rename(id: &str, title: &str) -> Change {
        Change::Rename(Renaming { id: id.into(), title: title.into() })
    }

    fn place(id: &str, to: u32) -> Change {
        Change::Move(Move { id: id.into(), to })
    }

    #[test]
    fn entries_are_hidden_renamed_and_moved() {
        let check = |changes: &[Change], expected: &str| {
            let left = customize(methods(&["a", "b", "c", "d"]), changes).expect("fine changes");
            let names: Vec<_> = left.iter().map(|method| format!("{}={}", method.id, method.name)).collect();
            assert_eq!(names.join(" "), expected, "{changes:?}");
        };
        check(&[], "a=A b=B c=C d=D");
        check(&[hide("b")], "a=A c=C d=D");
        check(&[hide("b"), hide("a"), hide("d"), hide("c")], "");
        check(&[rename("c", "See")], "a=A b=B c=See d=D");
        // Counted after the entry was taken out.
        check(&[place("a", 0)], "a=A b=B c=C d=D");
        check(&[place("a", 1)], "b=B a=A c=C d=D");
        check(&[place("a", 3)], "b=B c=C d=D a=A");
        check(&[place("b", u32::MAX)], "a=A c=C d=D b=B");
        check(&[place("d", 0), place("c", 0)], "c=C d=D a=A b=B");
        check(&[rename("d", "Last"), place("d", 1), hide("a")], "d=Last b=B c=C");
        check(&[place("d", 0), rename("d", "x"), hide("d")], "a=A b=B c=C");
    }

    #[test]
    fn a_change_that_breaks_a_rule_is_refused() {
        let check = |changes: &[Change], expected: &str| {
            let refused = customize(methods(&["a", "b"]), changes).expect_err(expected).to_string();
            assert_eq!(refused, expected, "{changes:?}");
        };
        check(&[hide("x")], "change 1 names \"x\", which isn't there");
        check(&[rename("A", "x")], "change 1 names \"A\", which isn't there");
        // What is hidden doesn't come back.
        check(&[hide("a"), place("a", 0)], "change 2 names \"a\", which isn't there");
        check(&[hide("a"), rename("a", "x")], "change 2 names \"a\", which isn't there");
        check(&[hide("a"), hide("a")], "change 2 names \"a\", of which an earlier change says hide too");
        let twice = [rename("a", "x"), place("a", 0), rename("b", "x"), rename("a", "y")];
        check(&twice, "change 4 names \"a\", of which an earlier change says rename too");
        check(&[place("a", 0), place("a", 0)], "change 2 names \"a\", of which an earlier change says move too");
        check(&vec![hide("a"); 201], "the answer has 201 changes; 0 to 200 are allowed");
    }

    #[test]
    fn each_group_is_changed_once() {
        let option = |handle: &str| OfferedOption {
            by: by("p"),
            option: DeliveryOption {
                handle: handle.into(),
                title: handle.into(),
                description: None,
                kind: DeliveryKind::Pickup,
                cost: minor(5),
                days: None,
                location: None,
                attributes: Vec::new(),
            },
            discounts: Vec::new(),
        };
        let group = |id: u32, handles: &[&str]| DeliveryChoices {
            group: DeliveryGroup { id: GroupId(id), lines: Vec::new() },
            options: handles.iter().map(|handle| option(handle)).collect(),
        };
        let changes = |id: u32, changes: &[Change]| GroupChanges { group: GroupId(id), changes: changes.to_vec() };
        let check = |changes: &[GroupChanges], expected: Result<&str, &str>| {
            let left = customize_delivery(vec![group(1, &["x", "y"]), group(2, &["x"])], changes);
            let left = left.map_err(|refused| refused.to_string()).map(|left| {
                let of = |one: &OfferedOption| format!("{}={}", one.option.handle, one.option.title);
                left.iter()
                    .map(|group| group.options.iter().map(of).collect::<Vec<_>>().join(" "))
                    .collect::<Vec<_>>()
                    .join("|")
            });
            assert_eq!(left.as_deref().map_err(String::as_str), expected);
        };
        check(&[], Ok("x=x y=y|x=x"));
        check(&[changes(2, &[rename("x", "X")]), changes(1, &[hide("x")])], Ok("y=y|x=X"));
        check(&[changes(2, &[hide("y")])], Err("change 1 names \"y\", which isn't there"));
        check(&[changes(2, &[]), changes(3, &[])], Err("part 2 names group 3, which wasn't asked about"));
        check(&[changes(2, &[]), changes(2, &[])], Err("part 2 names group 2 twice"));
    }

    #[test]
    fn changes_are_written_as_the_interface_has_them() {
        let json = r#"[{"hide": "a"}, {"rename": {"id": "b", "title": "B"}}, {"move": {"id": "c", "to": 0}}]"#;
        let read: Vec<Change> = serde_json::from_str(json).expect("fine changes");
        assert_eq!(read, [hide("a"), rename("b", "B"), place("c", 0)]);
        assert_eq!(serde_json::to_string(&read).expect("JSON"), json.replace(": ", ":").replace(", ", ","));
    }

    fn changes() -> impl Strategy<Value = Change> {
        let id = || (0..7_usize).prop_map(|place| ["a", "b", "c", "d", "e", "f", "x"][place].to_owned());
        prop_oneof![
            id().prop_map(Change::Hide),
            (id(), 0..3_u8).prop_map(|(id, title)| Change::Rename(Renaming { id, title: title.to_string() })),
            (id(), 0..9_u32).prop_map(|(id, to)| Change::Move(Move { id, to })),
        ]
    }

    proptest! {
        #[test]
        fn nothing_appears_and_nothing_else_vanishes(changes in vec(changes(), 0..6)) {
            let before = methods(&["a", "b", "c", "d", "e", "f"]);
            let Ok(left) = customize(before.clone(), &changes) else { return Ok(()) };
            let mut ids: Vec<_> = left.iter().map(|method| method.id.clone()).collect();
            ids.sort();
            let stays = |method: &&PaymentMethod| !changes.contains(&Change::Hide(method.id.clone()));
            let expected: Vec<_> = before.iter().filter(stays).map(|method| method.id.clone()).collect();
            prop_assert_eq!(ids, expected);
            // Entries that nothing moves keep their order.
            let moves = |change: &Change, id: &str| matches!(change, Change::Move(place) if place.id == id);
            let is_moved = |id: &str| changes.iter().any(|change| moves(change, id));
            let order: Vec<_> = left.iter().map(|method| method.id.as_str()).filter(|id| !is_moved(id)).collect();
            prop_assert!(order.is_sorted());
        }
    }
}
