//! Checks a plugin's "no", of whichever kind it is: it has to agree with what the host saw the plugin do.
//!
//! A shortage where there is enough, a shortage of what nobody asked for, a text that is too long: each is bad output.

use super::Installation;
use crate::{
    failure::{Cause, Failure, Fault, Undecided},
    imports::{
        CallState, Misuse,
        bindings::{checkout_world::CheckoutError, types},
    },
    order::{Form, Item, StockLine, sum_by_item},
};

/// What a call was about.
pub(super) struct Asked<'a> {
    pub(super) at: Installation,
    pub(super) lines: &'a [StockLine],
    /// The failure that the plugin itself was told.
    pub(super) told: Option<&'a Failure>,
}

/// Returns the failure that the plugin's "no" means; bad output if its texts are past the limits. `by` is the plugin
/// that said it first.
pub(super) fn refusal(
    error: CheckoutError,
    asked: Asked<'_>,
    by: Option<Installation>,
    imports: &mut CallState,
) -> Failure {
    if let Err(misuse) = check_refusal(&error, imports) {
        return bad(asked.at, &misuse);
    }
    match error {
        CheckoutError::Rejected(rejection) => Failure::Rejected { code: rejection.code, message: rejection.message },
        CheckoutError::OutOfStock(shortage) => out_of_stock(&shortage, &asked),
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

/// Returns the shortage if it is possible: the item was asked for, in that number, and there are fewer. A shortage that
/// the plugin was told may have another number.
fn out_of_stock(shortage: &types::Shortage, asked: &Asked<'_>) -> Failure {
    let types::Shortage { item, requested, available } = shortage;
    let Some(item) = Item::parse(item) else { return bad(asked.at, &"its shortage names no item") };
    let (requested, available) = (*requested, *available);
    let was_told = matches!(asked.told, Some(Failure::OutOfStock { item: of, requested: r, available: a })
        if (of, *r, *a) == (&item, requested, available));
    let reason = match sum_by_item(asked.lines).get(&item).copied() {
        None => format!("its shortage is of {item}, which nobody asked for"),
        Some(pieces) if pieces != u64::from(requested) && !was_told => {
            format!("its shortage says that {requested} of {item} were asked for; the lines ask for {pieces}")
        }
        Some(_) if available >= requested => {
            format!("its shortage is none: {requested} of {item} asked for, {available} there")
        }
        Some(_) => return Failure::OutOfStock { item, requested, available },
    };
    bad(asked.at, &reason)
}

pub(super) fn bad(at: Installation, reason: &dyn std::fmt::Display) -> Failure {
    Fault { at, cause: Cause::BadOutput { reason: reason.to_string() } }.into()
}
