//! The cart-transform hook: a plugin changes what is bought before anything is priced.

use std::sync::Arc;

use super::{
    CaseQuestion, Decision, HookInfo, Kind, Question, Rules,
    answered::{Reader, each},
    track,
};
use crate::{
    imports::bindings::v0_2::{exports::till::plugin::cart_transform as wit, till::plugin::types},
    pricing::{
        BadOutput, Basket, LineId,
        transform::{Component, Expansion, Merger, Operation, Part, Update},
    },
    recordings::Body,
    telemetry::names::span,
};

pub(super) static INFO: HookInfo = HookInfo {
    function: "transform",
    span: span::CART_TRANSFORM,
    parameter: "cart",
    decision: "operations",
    ..HookInfo::of_track(&track::V0_2)
};

/// The hook of a cart's transforms.
#[derive(Debug)]
pub struct CartTransform;

impl Decision for CartTransform {
    const KIND: Kind = Kind::CartTransform;

    type Rest = ();
    type Offered = types::Cart;
    type Returned = Vec<wit::Operation>;
    type Answer = Vec<Operation>;
    type Outcome = Basket;

    fn of_trial(_: &Question<()>) {}

    const PARTS: &'static [&'static str] = &[];

    fn of_case(_: &CaseQuestion) -> Result<(), String> {
        Ok(())
    }

    fn record(_: &(), _: &mut Body) {}

    /// The list prices of what the cart has and of what the answer names.
    fn looked_up(question: &Question<()>, answer: Option<&Vec<Operation>>) -> Vec<String> {
        let of_cart = question.basket.lines().iter().map(|line| line.item.to_string());
        let of_answer = answer.into_iter().flatten().flat_map(|operation| match operation {
            Operation::Expand(of) => of.components.iter().map(|component| component.item.clone()).collect(),
            Operation::Merge(of) => vec![of.item.clone()],
            Operation::Add(of) => vec![of.item.clone()],
            Operation::Update(_) => Vec::new(),
        });
        of_cart.chain(of_answer).collect()
    }

    fn offered(question: &Question<()>) -> types::Cart {
        question.cart()
    }

    fn read(returned: Self::Returned, reader: &Reader<'_>) -> Result<Vec<Operation>, String> {
        each(returned, |operation| {
            Ok(match operation {
                wit::Operation::Expand(wit::Expansion { line, components, decrease }) => Operation::Expand(Expansion {
                    line: LineId(line),
                    components: each(components, |of| component(of, reader))?,
                    decrease,
                }),
                wit::Operation::Merge(of) => Operation::Merge(merger(of, reader)?),
                wit::Operation::Update(wit::Update { line, title, unit_price }) => Operation::Update(Update {
                    line: LineId(line),
                    title: reader.optional("the title of an update", title)?,
                    unit_price: unit_price.map(|price| reader.amount(price)).transpose()?,
                }),
                wit::Operation::Add(of) => Operation::Add(component(of, reader)?),
            })
        })
    }

    fn outcome(_: Arc<str>, question: &Question<()>, answer: &Vec<Operation>, _: Rules) -> Result<Basket, BadOutput> {
        question.basket.apply(answer, &*question.request.catalogue)
    }
}

fn component(of: wit::Component, reader: &Reader<'_>) -> Result<Component, String> {
    let wit::Component { item, quantity, unit_price, title, attributes } = of;
    Ok(Component {
        item,
        quantity,
        unit_price: unit_price.map(|price| reader.amount(price)).transpose()?,
        title: reader.optional("the title of a component", title)?,
        attributes: reader.attributes(attributes)?,
    })
}

fn merger(of: wit::Merger, reader: &Reader<'_>) -> Result<Merger, String> {
    let wit::Merger { parts, quantity, item, title, decrease, attributes } = of;
    let part = |wit::Part { line, quantity }| Part { line: LineId(line), quantity };
    Ok(Merger {
        parts: parts.into_iter().map(part).collect(),
        quantity,
        item,
        title: reader.optional("the title of a bundle", title)?,
        decrease,
        attributes: reader.attributes(attributes)?,
    })
}
