//! What is believed of a guest's answer: only what agrees with what the host saw it do.
//!
//! A checkout that never asked for its stock, an inventory that never took it, a swallowed shortage, a receipt that
//! doesn't add up: each is bad output, and no sale.

use super::super::{Cause, Failure, Fault, Kind, Undecided};
use crate::{
    imports::{
        CallState, attributes_from_guest,
        bindings::{
            checkout_world::{self, CheckoutError},
            inventory_world::InventoryError,
            types,
        },
        inventory::{self, Deducted},
        stock,
    },
    order::{Adjustment, Cart, Effect, Item, MinorUnits, Receipt, StockLine, sum_by_item},
    store::StockLevel,
};

/// Returns the checkout plugin's receipt, if its sums hold and exactly what the cart sells was taken.
pub(in crate::plugin) fn receipt(
    cart: &Cart,
    answer: Result<Result<checkout_world::Receipt, CheckoutError>, Failure>,
    imports: &mut CallState,
    discount_max_percent: u8,
) -> Result<Receipt, Failure> {
    let deducted = imports.inventory.take().and_then(inventory::Door::into_deducted);
    // A fault below the plugin is the truth, whatever the plugin made of it.
    let deducted = match deducted {
        Some(Deducted { result: Err(failure), .. }) if failure.is_of_host() => return Err(failure),
        other => other,
    };
    let receipt = match answer? {
        Ok(receipt) => receipt,
        Err(error) => {
            // Who passes on what the inventory said isn't the one who said it.
            let said = deducted.as_ref().and_then(|deducted| deducted.result.as_ref().err()?.undecided());
            let by = said.map_or(Some(Kind::Checkout), |undecided| undecided.by);
            return Err(refusal(Kind::Checkout, by, error, imports));
        }
    };
    imports.count_bytes(receipt_bytes(&receipt)).map_err(|misuse| bad_checkout(&misuse))?;
    let sold = sum_by_item(&cart.stock_lines());
    match deducted {
        None => return Err(bad_checkout(&"it answered ok without asking inventory.deduct for the order's lines")),
        Some(Deducted { result: Err(failure), .. }) => {
            return Err(bad_checkout(&format_args!("it answered ok although the inventory refused: {failure}")));
        }
        Some(Deducted { lines, .. }) if sum_by_item(&lines) != sold => {
            return Err(bad_checkout(&"what it asked inventory.deduct for is not what the order's lines sell"));
        }
        Some(_) => {}
    }
    let adjustments = receipt.adjustments.into_iter().map(adjustment).collect::<Option<Vec<_>>>();
    let adjustments = adjustments.ok_or_else(|| bad_checkout(&"an adjustment's amount is 2^53 minor units or more"))?;
    let attributes = attributes_from_guest(receipt.attributes);
    Receipt::checked(cart, adjustments, receipt.total, attributes, discount_max_percent)
        .map_err(|bad| bad_checkout(&bad))
}

/// Returns the stock levels that the host saw, if the inventory plugin took exactly what it was asked for.
pub(in crate::plugin) fn levels(
    lines: &[StockLine],
    answer: Result<Result<Vec<types::StockLevel>, InventoryError>, Failure>,
    imports: &mut CallState,
) -> Result<Vec<StockLevel>, Failure> {
    let taken = imports.stock.take().and_then(stock::Door::into_outcome);
    let taken = match taken {
        Some(stock::Outcome::Store(error)) => return Err(Failure::Store(error)),
        Some(stock::Outcome::Refused(reason)) => return Err(Failure::ReferenceUsed(reason)),
        Some(stock::Outcome::Taken { lines, levels }) => Some((lines, levels)),
        Some(stock::Outcome::Short { .. }) | None => None,
    };
    match answer? {
        Err(error) => Err(refusal(Kind::Inventory, Some(Kind::Inventory), as_checkout_error(error), imports)),
        Ok(_) => match taken {
            Some((taken, levels)) if sum_by_item(&taken) == sum_by_item(lines) => Ok(levels),
            Some(_) => Err(bad_inventory(&"what it took is not what it was asked for")),
            None => Err(bad_inventory(&"it answered ok without having taken anything with stock.take")),
        },
    }
}

/// Returns why the plugin of that kind says no, if it says so within the limits of a call. `by` is whose words they are.
fn refusal(kind: Kind, by: Option<Kind>, error: CheckoutError, imports: &mut CallState) -> Failure {
    let bytes = match &error {
        CheckoutError::Rejected(rejection) => rejection.code.len() + rejection.message.len(),
        CheckoutError::OutOfStock(shortage) => shortage.item.len(),
        CheckoutError::Conflict(text) | CheckoutError::Unavailable(text) | CheckoutError::Other(text) => text.len(),
    };
    if let Err(misuse) = imports.count_bytes(bytes) {
        return bad(kind, &misuse);
    }
    match error {
        CheckoutError::Rejected(rejection) => Failure::Rejected { code: rejection.code, message: rejection.message },
        CheckoutError::OutOfStock(shortage) => out_of_stock(kind, &shortage),
        CheckoutError::Conflict(message) => Failure::Conflict(Undecided { by, message }),
        CheckoutError::Unavailable(message) => Failure::Unavailable(Undecided { by, message }),
        CheckoutError::Other(message) => Failure::Other(Undecided { by, message }),
    }
}

/// Both worlds refuse in the same cases, which the bindings repeat for each.
fn as_checkout_error(error: InventoryError) -> CheckoutError {
    match error {
        InventoryError::Rejected(rejection) => CheckoutError::Rejected(rejection),
        InventoryError::OutOfStock(shortage) => CheckoutError::OutOfStock(shortage),
        InventoryError::Conflict(message) => CheckoutError::Conflict(message),
        InventoryError::Unavailable(message) => CheckoutError::Unavailable(message),
        InventoryError::Other(message) => CheckoutError::Other(message),
    }
}

fn out_of_stock(kind: Kind, shortage: &types::Shortage) -> Failure {
    let types::Shortage { item, requested, available } = shortage;
    Item::parse(item).map_or_else(
        || bad(kind, &"its shortage names no item"),
        |item| Failure::OutOfStock { item, requested: *requested, available: *available },
    )
}

/// Returns the adjustment, `None` for an amount that no currency holds.
fn adjustment(adjustment: checkout_world::Adjustment) -> Option<Adjustment> {
    let effect = match adjustment.effect {
        checkout_world::Effect::Subtract => Effect::Subtract,
        checkout_world::Effect::Add => Effect::Add,
        checkout_world::Effect::Included => Effect::Included,
    };
    Some(Adjustment {
        effect,
        category: adjustment.category,
        label: adjustment.label,
        amount: MinorUnits::new(adjustment.amount)?,
        line: adjustment.line,
    })
}

fn bad_checkout(reason: &dyn std::fmt::Display) -> Failure {
    bad(Kind::Checkout, reason)
}

fn bad_inventory(reason: &dyn std::fmt::Display) -> Failure {
    bad(Kind::Inventory, reason)
}

fn bad(kind: Kind, reason: &dyn std::fmt::Display) -> Failure {
    Fault { kind, cause: Cause::BadOutput { reason: reason.to_string() } }.into()
}

fn receipt_bytes(receipt: &checkout_world::Receipt) -> usize {
    let of = |adjustment: &checkout_world::Adjustment| {
        size_of::<checkout_world::Adjustment>() + adjustment.category.len() + adjustment.label.len()
    };
    receipt.adjustments.iter().map(of).sum::<usize>() + crate::imports::attribute_bytes(&receipt.attributes)
}
