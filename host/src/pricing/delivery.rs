//! Ways of delivery: groups of lines, the options that plugins offer for them, and the customer's choice.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    BadOutput, Basket, Fault, LineId, Place,
    bad_output::{check_attributes, count},
    offers::Applied,
};
use crate::order::{Attribute, Form, Item, MinorUnits, check_text};

/// The most options of one answer.
pub const OPTIONS_MAX: usize = 32;
/// The longest handle, bytes, without the installation's name.
pub const HANDLE_BYTES_MAX: usize = 64;
/// The most attributes of one option.
pub const OPTION_ATTRIBUTES_MAX: usize = 16;

/// The number of a group of lines that are delivered together, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GroupId(pub u32);

/// Lines that are delivered together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryGroup {
    pub id: GroupId,
    pub lines: Vec<LineId>,
}

/// How goods reach the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryKind {
    Shipping,
    LocalDelivery,
    Pickup,
    PickupPoint,
    Digital,
}

impl DeliveryKind {
    /// Returns the kind's word in the interface and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shipping => "shipping",
            Self::LocalDelivery => "local-delivery",
            Self::Pickup => "pickup",
            Self::PickupPoint => "pickup-point",
            Self::Digital => "digital",
        }
    }
}

/// Days from now, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayRange {
    pub earliest: u16,
    pub latest: u16,
}

/// A way of delivery with what it costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryOption {
    pub handle: String,
    pub title: String,
    pub description: Option<String>,
    pub kind: DeliveryKind,
    pub cost: MinorUnits,
    pub days: Option<DayRange>,
    pub location: Option<String>,
    #[serde(default)]
    pub attributes: Vec<Attribute>,
}

impl DeliveryOption {
    /// Returns the option with the installation's name before its handle.
    fn checked(self, by: &str, cost_max: MinorUnits) -> Result<Self, Fault> {
        if check_text(&self.handle, Form::Word, HANDLE_BYTES_MAX).is_err() {
            return Err(Fault::Handle(self.handle));
        }
        if self.cost > cost_max {
            return Err(Fault::CostTooHigh { cost: self.cost.amount(), max: cost_max.amount() });
        }
        if let Some(DayRange { earliest, latest }) = self.days.filter(|days| days.earliest > days.latest) {
            return Err(Fault::Days { earliest, latest });
        }
        check_attributes(&self.attributes, OPTION_ATTRIBUTES_MAX)?;
        Ok(Self { handle: format!("{by}/{}", self.handle), ..self })
    }
}

/// An option as the hooks after delivery-options see it.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferedOption {
    /// The installation that offers it.
    pub by: Arc<str>,
    /// Its handle begins with the installation's name and a slash. Its cost is before discounts.
    pub option: DeliveryOption,
    pub discounts: Vec<Applied>,
}

impl OfferedOption {
    /// Checks an installation's answer about one group, and puts the installation's name before the handles.
    ///
    /// # Errors
    /// Names the first option that breaks a rule, and the rule.
    pub fn checked(by: &Arc<str>, options: Vec<DeliveryOption>, cost_max: MinorUnits) -> Result<Vec<Self>, BadOutput> {
        count("options", options.len(), (0, OPTIONS_MAX)).map_err(|fault| Place::Answer.has(fault))?;
        let mut offered: Vec<Self> = Vec::new();
        for (index, option) in options.into_iter().enumerate() {
            let option = option.checked(by, cost_max).map_err(|fault| Place::Option(index).has(fault))?;
            if offered.iter().any(|earlier| earlier.option.handle == option.handle) {
                return Err(Place::Option(index).has(Fault::HandleTwice(option.handle)));
            }
            offered.push(Self { by: by.clone(), option, discounts: Vec::new() });
        }
        Ok(offered)
    }

    /// Returns the cost after discounts.
    #[must_use]
    pub fn left(&self) -> MinorUnits {
        self.discounts.iter().fold(self.option.cost, |left, applied| left.saturating_sub(applied.amount))
    }
}

/// A group and its ways of delivery, in the order in which customers see them.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryChoices {
    pub group: DeliveryGroup,
    pub options: Vec<OfferedOption>,
}

/// Returns the groups of a basket's lines: one with all that need shipping, or none.
#[must_use]
pub fn groups(basket: &Basket, needs_shipping: impl Fn(&Item) -> bool) -> Vec<DeliveryGroup> {
    let shipped = basket.lines().iter().filter(|line| needs_shipping(&line.item));
    let lines: Vec<_> = shipped.map(|line| line.id).collect();
    if lines.is_empty() { Vec::new() } else { vec![DeliveryGroup { id: GroupId(1), lines }] }
}

/// Returns a group's options of all installations, given in the operator's order.
#[must_use]
pub fn put_together(group: DeliveryGroup, answers: impl IntoIterator<Item = Vec<OfferedOption>>) -> DeliveryChoices {
    DeliveryChoices { group, options: answers.into_iter().flatten().collect() }
}

/// A delivery that the customer asks for and that isn't among what is left.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOffered {
    #[error("there is no delivery group {}", .0.0)]
    Group(GroupId),
    #[error("group {} has no delivery {handle:?}", .group.0)]
    Option { group: GroupId, handle: String },
}

/// The delivery of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    pub group: GroupId,
    pub option: OfferedOption,
}

/// Returns the delivery of each group: the one that the customer asks for by its handle, or the first. A group without
/// options has none.
///
/// # Errors
/// Names what the customer asks for, if it isn't there.
pub fn choose(choices: &[DeliveryChoices], wanted: &BTreeMap<GroupId, String>) -> Result<Vec<Chosen>, NotOffered> {
    if let Some(group) = wanted.keys().find(|id| !choices.iter().any(|choices| choices.group.id == **id)) {
        return Err(NotOffered::Group(*group));
    }
    let mut chosen = Vec::new();
    for DeliveryChoices { group, options } in choices {
        let option = match wanted.get(&group.id) {
            None => options.first(),
            Some(handle) => {
                let found = options.iter().find(|offered| offered.option.handle == *handle);
                Some(found.ok_or_else(|| NotOffered::Option { group: group.id, handle: handle.clone() })?)
            }
        };
        chosen.extend(option.map(|option| Chosen { group: group.id, option: option.clone() }));
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::samples::{basket, by, ids, minor};

    fn option(handle: &str, cost: u64) -> DeliveryOption {
        DeliveryOption {
            handle: handle.into(),
            title: handle.to_uppercase(),
            description: None,
            kind: DeliveryKind::Shipping,
            cost: minor(cost),
            days: None,
            location: None,
            attributes: Vec::new(),
        }
    }

    fn offered(name: &str, options: Vec<DeliveryOption>) -> Vec<OfferedOption> {
        OfferedOption::checked(&by(name), options, minor(5_000)).expect("fine options")
    }

    fn group(id: u32) -> DeliveryGroup {
        DeliveryGroup { id: GroupId(id), lines: ids(&[1]) }
    }

    #[test]
    fn an_option_that_breaks_a_rule_is_refused() {
        let check = |broken: DeliveryOption, expected: &str| {
            let options = vec![option("fine", 0), broken];
            let refused = OfferedOption::checked(&by("post"), options, minor(5_000)).expect_err(expected).to_string();
            assert_eq!(refused, format!("option 2 {expected}"));
        };
        let rule = "a handle is a text of 1 to 64 bytes without control characters";
        check(option("", 0), &format!("has the handle \"\"; {rule}"));
        check(option("a\nb", 0), &format!("has the handle \"a\\nb\"; {rule}"));
        let long = "h".repeat(65);
        check(option(&long, 0), &format!("has the handle {long:?}; {rule}"));
        check(option("fine", 1), "has the handle \"post/fine\", as an earlier option of the group has");
        check(option("dear", 5_001), "costs 5001 minor units, more than 5000 (delivery.cost_max)");
        let days = DeliveryOption { days: Some(DayRange { earliest: 3, latest: 2 }), ..option("late", 0) };
        check(days, "takes 3 to 2 days, which is no range");
        let flag = |key: usize| Attribute { key: key.to_string(), value: crate::order::AttributeValue::Flag(true) };
        let much = DeliveryOption { attributes: (0..17).map(flag).collect(), ..option("much", 0) };
        check(much, "has 17 attributes; 0 to 16 are allowed");
        let many = (0..33).map(|handle| option(&handle.to_string(), 0)).collect();
        let refused = OfferedOption::checked(&by("post"), many, minor(0)).expect_err("too many").to_string();
        assert_eq!(refused, "the answer has 33 options; 0 to 32 are allowed");
    }

    #[test]
    fn options_stand_in_the_operators_order_under_their_installation() {
        let answers =
            [offered("b", vec![option("x", 5_000), option("y", 1)]), vec![], offered("a", vec![option("x", 2)])];
        let choices = put_together(group(1), answers);
        let shown: Vec<_> =
            choices.options.iter().map(|one| (&*one.by, one.option.handle.as_str(), one.left().amount())).collect();
        assert_eq!(shown, [("b", "b/x", 5_000), ("b", "b/y", 1), ("a", "a/x", 2)]);
    }

    #[test]
    fn the_customers_choice_or_the_first_is_taken() {
        let choices = [
            put_together(group(1), [offered("a", vec![option("x", 1), option("y", 2)])]),
            put_together(group(2), []),
            put_together(group(3), [offered("a", vec![option("z", 1)])]),
        ];
        let check = |wanted: &[(u32, &str)], expected: Result<&[(u32, &str)], &str>| {
            let wanted = wanted.iter().map(|(group, handle)| (GroupId(*group), (*handle).to_owned())).collect();
            let chosen = choose(&choices, &wanted).map_err(|error| error.to_string());
            let chosen = chosen.map(|chosen| -> Vec<_> {
                chosen.iter().map(|one| (one.group.0, one.option.option.handle.clone())).collect()
            });
            let expected = expected
                .map(|all| -> Vec<_> { all.iter().map(|(group, handle)| (*group, (*handle).to_owned())).collect() });
            assert_eq!(chosen, expected.map_err(str::to_owned));
        };
        check(&[], Ok(&[(1, "a/x"), (3, "a/z")]));
        check(&[(1, "a/y")], Ok(&[(1, "a/y"), (3, "a/z")]));
        check(&[(1, "a/q")], Err("group 1 has no delivery \"a/q\""));
        check(&[(3, "a/x")], Err("group 3 has no delivery \"a/x\""));
        check(&[(2, "a/x")], Err("group 2 has no delivery \"a/x\""));
        check(&[(4, "a/x")], Err("there is no delivery group 4"));
    }

    #[test]
    fn lines_that_need_no_shipping_are_in_no_group() {
        let cart = basket(&[("lamp", 1, 1), ("song", 1, 1), ("case", 1, 1)]);
        assert_eq!(
            groups(&cart, |item| item.as_str() != "song"),
            [DeliveryGroup { id: GroupId(1), lines: ids(&[1, 3]) }]
        );
        assert_eq!(groups(&cart, |_| false), []);
    }

    #[test]
    fn an_option_is_written_as_the_interface_has_it() {
        let json = r#"{"handle": "x", "title": "X", "kind": "pickup-point", "cost": 499, "days": {"earliest": 1, "latest": 2}}"#;
        let read: DeliveryOption = serde_json::from_str(json).expect("a fine option");
        let days = Some(DayRange { earliest: 1, latest: 2 });
        assert_eq!(read, DeliveryOption { kind: DeliveryKind::PickupPoint, days, ..option("x", 499) });
        let written = serde_json::to_string(&read).expect("JSON");
        assert_eq!(serde_json::from_str::<DeliveryOption>(&written).expect("a fine option"), read);
    }
}
