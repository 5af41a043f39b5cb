//! What is believed of a guest's answer: only what agrees with what the host saw it do.
//!
//! A checkout that never asked for its stock, an inventory that never took it, a swallowed shortage, a shortage where there
//! is enough, a receipt that doesn't add up, a text without end: each is bad output, and no sale.

use super::super::{Cause, Failure, Fault, Kind, Undecided};
use crate::{
    imports::{
        CallState, Misuse, attributes_from_guest,
        bindings::{
            checkout_world::{self, CheckoutError},
            inventory_world::InventoryError,
            types,
        },
        inventory::{self, Deducted},
        stock,
    },
    order::{Adjustment, Cart, Effect, Form, Item, MinorUnits, Receipt, StockLine, sum_by_item},
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
            let told = deducted.as_ref().and_then(|deducted| deducted.result.as_ref().err());
            return Err(refusal(Kind::Checkout, by, error, (&cart.stock_lines(), told), imports));
        }
    };
    imports.count_bytes(receipt_bytes(&receipt)).map_err(|misuse| bad_checkout(&misuse))?;
    imports
        .check_receipt(receipt.adjustments.len(), receipt.attributes.len())
        .and_then(|()| check_texts(&receipt, imports))
        .map_err(|misuse| bad_checkout(&misuse))?;
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
        Err(error) => {
            Err(refusal(Kind::Inventory, Some(Kind::Inventory), as_checkout_error(error), (lines, None), imports))
        }
        Ok(_) => match taken {
            Some((taken, levels)) if sum_by_item(&taken) == sum_by_item(lines) => Ok(levels),
            Some(_) => Err(bad_inventory(&"what it took is not what it was asked for")),
            None => Err(bad_inventory(&"it answered ok without having taken anything with stock.take")),
        },
    }
}

/// Returns why the plugin of that kind says no, if it says so within the limits of a call. `by` is whose words they are,
/// `asked` what the call was about and what the plugin itself was told of it.
fn refusal(
    kind: Kind,
    by: Option<Kind>,
    error: CheckoutError,
    asked: (&[StockLine], Option<&Failure>),
    imports: &mut CallState,
) -> Failure {
    if let Err(misuse) = check_refusal(&error, imports) {
        return bad(kind, &misuse);
    }
    match error {
        CheckoutError::Rejected(rejection) => Failure::Rejected { code: rejection.code, message: rejection.message },
        CheckoutError::OutOfStock(shortage) => out_of_stock(kind, &shortage, asked),
        CheckoutError::Conflict(message) => Failure::Conflict(Undecided { by, message }),
        CheckoutError::Unavailable(message) => Failure::Unavailable(Undecided { by, message }),
        CheckoutError::Other(message) => Failure::Other(Undecided { by, message }),
    }
}

/// Checks the texts of a "no", and counts their bytes.
fn check_refusal(error: &CheckoutError, imports: &mut CallState) -> Result<(), Misuse> {
    match error {
        CheckoutError::Rejected(types::Rejection { code, message }) => {
            imports.count_bytes(code.len() + message.len())?;
            imports.check_text("the code of its rejection", code, Form::Word)?;
            imports.check_text("the message of its rejection", message, Form::Lines)
        }
        CheckoutError::OutOfStock(shortage) => imports.count_bytes(shortage.item.len()),
        CheckoutError::Conflict(text) | CheckoutError::Unavailable(text) | CheckoutError::Other(text) => {
            imports.count_bytes(text.len())?;
            imports.check_text("the text of its error", text, Form::Lines)
        }
    }
}

/// Checks the texts of a receipt, which are kept with the order.
fn check_texts(receipt: &checkout_world::Receipt, imports: &CallState) -> Result<(), Misuse> {
    for adjustment in &receipt.adjustments {
        imports.check_text("the category of an adjustment", &adjustment.category, Form::Line)?;
        imports.check_text("the label of an adjustment", &adjustment.label, Form::Line)?;
    }
    for attribute in &receipt.attributes {
        imports.check_text("the key of an attribute", &attribute.key, Form::Word)?;
        if let types::AttributeValue::Text(text) = &attribute.value {
            imports.check_text("the text of an attribute", text, Form::Lines)?;
        }
    }
    Ok(())
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

/// Returns the shortage if it can be one: of an item that was asked for, with the pieces that were asked for, of which there
/// are fewer. One that the plugin was told, it may pass on.
fn out_of_stock(kind: Kind, shortage: &types::Shortage, (asked, told): (&[StockLine], Option<&Failure>)) -> Failure {
    let types::Shortage { item, requested, available } = shortage;
    let Some(item) = Item::parse(item) else { return bad(kind, &"its shortage names no item") };
    let (requested, available) = (*requested, *available);
    let was_told = matches!(told, Some(Failure::OutOfStock { item: of, requested: r, available: a })
        if (of, *r, *a) == (&item, requested, available));
    let pieces = sum_by_item(asked).get(&item).copied();
    match pieces {
        None => bad(kind, &format_args!("its shortage is of {item}, which nobody asked for")),
        Some(pieces) if pieces != u64::from(requested) && !was_told => bad(
            kind,
            &format_args!("its shortage says that {requested} of {item} were asked for; the lines ask for {pieces}"),
        ),
        Some(_) if available >= requested => {
            bad(kind, &format_args!("its shortage is none: {requested} of {item} asked for, {available} there"))
        }
        Some(_) => Failure::OutOfStock { item, requested, available },
    }
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
