//! The inventory hook: a plugin decides whether lines may be deducted, and takes them out of the stock.

use std::collections::BTreeMap;

use serde_json::{Map, Value, value::RawValue};

use super::{
    CaseQuestion, Compared, ExpectedDecision, Hook, HookInfo, Installation, Kind, Placed, RealStock, Rules, Shown,
    answer::{Asked, bad, refusal},
    recorded::{self, RecordedLine, RecordedOrder},
};
use crate::{
    failure::Failure,
    imports::{
        CallState,
        bindings::{checkout_world::CheckoutError, inventory_world::InventoryError, types},
        stock, stock_line_to_guest,
    },
    order::{Cart, Currency, StockLine, composed, sum_by_item},
    recordings::Body,
    runtime::{CallLimits, Likeness},
    store::{StockLevel, Store},
    telemetry::names::span,
};

pub(super) static INFO: HookInfo = HookInfo {
    function: "deduct",
    doors: &["stock"],
    span: span::INVENTORY,
    parameter: "lines",
    decision: "levels",
    is_priced: false,
    installed_max: 1,
    may_be_skipped: false,
    owns_money: false,
    call_limits: |limits| CallLimits::of_call(limits, limits.inventory_call_ms, "inventory_call_ms"),
    built_in: Some(include_bytes!(env!("BUILT_INVENTORY_PLUGIN"))),
    track: &super::track::V0_1,
};

const AT: Installation = Installation::of(Kind::Inventory);

/// The hook of a deduct: an order's lines, or another till's.
#[derive(Debug)]
pub struct Inventory;

impl Hook for Inventory {
    const KIND: Kind = Kind::Inventory;

    type Asked = [StockLine];
    type Offered = Vec<types::StockLine>;
    type Returned = Result<Vec<types::StockLevel>, InventoryError>;
    type Decided = Vec<StockLevel>;
    type Door = stock::Door;
    type Met = stock::Seen;

    fn asked(placed: &Placed) -> Vec<StockLine> {
        placed.cart.stock_lines()
    }

    fn offered(lines: &[StockLine]) -> Vec<types::StockLine> {
        lines.iter().map(stock_line_to_guest).collect()
    }

    fn likeness(lines: &[StockLine]) -> Likeness {
        Likeness::of(lines.iter().map(|line| line.item.as_str()))
    }

    fn likeness_in(cart: &Cart) -> Likeness {
        Self::likeness(&cart.stock_lines())
    }

    fn open(imports: &mut CallState, door: stock::Door) {
        imports.stock = Some(door);
    }

    fn real(RealStock { store, taker, seen, .. }: RealStock) -> stock::Door {
        match seen {
            Some(seen) => stock::Door::repeating(store, seen),
            None => stock::Door::new(store, taker),
        }
    }

    fn repeating(seen: stock::Seen, store: &Store) -> stock::Door {
        stock::Door::repeating(store.clone(), seen)
    }

    fn standing_in(_: Option<&CaseQuestion>) -> stock::Door {
        stock::Door::stand_in()
    }

    fn met(imports: &CallState) -> (stock::Seen, Vec<StockLine>) {
        imports.stock.as_ref().map(|door| (door.seen(), door.asked().to_vec())).unwrap_or_default()
    }

    fn asked_of_stock(imports: &CallState) -> Vec<StockLine> {
        imports.stock.as_ref().map(|door| door.asked().to_vec()).unwrap_or_default()
    }

    fn record(lines: &[StockLine], imports: &CallState, body: &mut Body) {
        body.member("order", &RecordedOrder { id: None, placed_at_ms: imports.moment_ms() });
        body.member("lines", &lines.iter().map(RecordedLine::of_stock).collect::<Vec<_>>());
        recorded::seen(&imports.stock.as_ref().map(stock::Door::seen).unwrap_or_default(), body);
    }

    fn recorded_decision(_: &[StockLine], levels: &Vec<StockLevel>) -> Option<Box<RawValue>> {
        let by_item: BTreeMap<_, _> = levels.iter().map(|level| (level.item.as_str(), level.on_hand)).collect();
        serde_json::value::to_raw_value(&by_item).ok()
    }

    /// Accepts the answer if the plugin took exactly what it was asked for. The levels are those that the host saw.
    fn believed(
        lines: &[StockLine],
        returned: Result<Self::Returned, Failure>,
        imports: &mut CallState,
        _: Rules,
    ) -> Result<Vec<StockLevel>, Failure> {
        let taken = match imports.stock.take().and_then(stock::Door::into_outcome) {
            Some(stock::Outcome::Store(error)) => return Err(Failure::Store(error)),
            Some(stock::Outcome::Refused(reason)) => return Err(Failure::ReferenceUsed(reason)),
            Some(stock::Outcome::Taken { lines, levels }) => Some((lines, levels)),
            Some(stock::Outcome::Short { .. }) | None => None,
        };
        match returned? {
            Err(error) => {
                let asked = Asked { at: AT, lines, told: None };
                Err(refusal(as_checkout_error(error), asked, Some(AT), imports))
            }
            Ok(_) => match taken {
                Some((taken, levels)) if sum_by_item(&taken) == sum_by_item(lines) => Ok(levels),
                Some(_) => Err(bad(AT, &"what it took is not what it was asked for")),
                None => Err(bad(AT, &"it answered ok without having taken anything with stock.take")),
            },
        }
    }

    fn compared(_: &Vec<StockLevel>) -> Compared {
        Compared::default()
    }

    fn shown(levels: &Vec<StockLevel>, _: Currency) -> Shown {
        let by_item = levels.iter().map(|level| (level.item.to_string(), Value::from(level.on_hand)));
        Shown {
            name: INFO.decision,
            title: "left on hand",
            lines: levels.iter().map(|level| format!("{} {}", level.on_hand, level.item)).collect(),
            attributes: Vec::new(),
            json: by_item.collect::<Map<_, _>>().into(),
        }
    }

    fn expected(written: &RawValue, _: Currency) -> Result<ExpectedDecision, String> {
        let levels: BTreeMap<String, u32> = serde_json::from_str(written.get()).map_err(|error| error.to_string())?;
        // Items are spelled as the host has them, however they were typed.
        let by_item: BTreeMap<_, _> =
            levels.into_iter().map(|(item, pieces)| (composed(&item).into_owned(), pieces)).collect();
        let lines = by_item.iter().map(|(item, pieces)| format!("{pieces} {item}")).collect();
        Ok(ExpectedDecision { lines, attributes: None })
    }
}

/// Converts the error: both worlds have the same cases, and the bindings have a type for each world.
fn as_checkout_error(error: InventoryError) -> CheckoutError {
    match error {
        InventoryError::Rejected(rejection) => CheckoutError::Rejected(rejection),
        InventoryError::OutOfStock(shortage) => CheckoutError::OutOfStock(shortage),
        InventoryError::Conflict(message) => CheckoutError::Conflict(message),
        InventoryError::Unavailable(message) => CheckoutError::Unavailable(message),
        InventoryError::Other(message) => CheckoutError::Other(message),
    }
}
