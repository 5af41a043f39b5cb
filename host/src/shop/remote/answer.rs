//! What a remote inventory's answer means.

use hyper::StatusCode;
use serde::Deserialize;

use crate::{
    failure::{Failure, Undecided},
    order::{Item, StockLine},
    store::StockLevel,
};

const SUCCESS: &str = "SUCCESS";

/// Till's codes for requests that were refused before they reached the stock: there is nothing to release. `overloaded`
/// isn't one of them: if a proxy duplicated the request, the other copy may have been carried out.
const REFUSED_AT_THE_DOOR: [&str; 8] = [
    "unauthorized",
    "forbidden",
    "not_found",
    "method_not_allowed",
    "unsupported_media_type",
    "too_large",
    "malformed",
    "unacceptable",
];

#[derive(Deserialize)]
struct Deducted {
    status: String,
    levels: Vec<Level>,
}

#[derive(Deserialize)]
struct Released {
    status: String,
}

#[derive(Deserialize)]
struct Level {
    item: String,
    remaining: u32,
}

/// The members of a problem document that decide what it means.
#[derive(Deserialize)]
struct Problem {
    code: String,
    #[serde(default)]
    detail: String,
    shortage: Option<Shortage>,
    rejection: Option<String>,
}

#[derive(Deserialize)]
struct Shortage {
    item: String,
    requested: u32,
    available: u32,
}

/// Returns the stock levels that the remote left of the items asked for.
///
/// # Errors
/// The remote's refusal, or that it isn't known what it did.
pub(super) fn of_deduct(status: StatusCode, body: &[u8], asked: &[StockLine]) -> Result<Vec<StockLevel>, Failure> {
    let foreign = || unknown(status, format!("{status} with a body that is not a till's"));
    if status == StatusCode::OK {
        let deducted: Deducted = serde_json::from_slice(body).map_err(|_| foreign())?;
        let level = |level: Level| Some(StockLevel { item: Item::parse(&level.item)?, on_hand: level.remaining });
        let levels: Option<Vec<_>> = deducted.levels.into_iter().map(level).collect();
        let of_each =
            |levels: &Vec<StockLevel>| asked.iter().all(|line| levels.iter().any(|level| level.item == line.item));
        return levels.filter(|levels| deducted.status == SUCCESS && of_each(levels)).ok_or_else(foreign);
    }
    let problem: Problem = serde_json::from_slice(body).map_err(|_| foreign())?;
    Err(match problem.code.as_str() {
        "insufficient_stock" => {
            let Shortage { item, requested, available } = problem.shortage.ok_or_else(foreign)?;
            let item = Item::parse(&item).filter(|item| asked.iter().any(|line| line.item == *item));
            let item = item.filter(|_| available < requested).ok_or_else(foreign)?;
            Failure::OutOfStock { item, requested, available }
        }
        "rejected" => {
            // The checkout plugin may pass the code on, so it must not be empty.
            let code = problem.rejection.filter(|code| !code.is_empty()).unwrap_or(problem.code);
            Failure::Rejected { code, message: problem.detail }
        }
        "inventory_conflict" => Failure::Conflict(Undecided::of_nobody(problem.detail)),
        code if REFUSED_AT_THE_DOOR.contains(&code) => {
            let message = format!("the inventory service refused: {status}, {code}: {}", problem.detail);
            Failure::Unavailable(Undecided::of_nobody(message))
        }
        code => unknown(status, format!("{status}, {code}: {}", problem.detail)),
    })
}

/// Checks that the remote confirmed a release.
///
/// # Errors
/// The remote's refusal, or that it isn't known whether the stock was released.
pub(super) fn of_release(status: StatusCode, body: &[u8]) -> Result<(), Failure> {
    let confirmed = || serde_json::from_slice(body).is_ok_and(|Released { status }| status == SUCCESS);
    match status {
        // A proxy may answer 200 to anything.
        StatusCode::OK if confirmed() => Ok(()),
        StatusCode::CONFLICT => {
            let message = "it refused the release: the reference isn't a deduct's";
            Err(Failure::Unavailable(Undecided::of_nobody(message)))
        }
        other => Err(unknown(other, format!("{other} to a release"))),
    }
}

/// Returns the failure for an unknown outcome. A remote that answers 4xx was reached, and refuses the request.
fn unknown(status: StatusCode, answered: String) -> Failure {
    if status.is_client_error() {
        Failure::InventoryRefused(answered)
    } else {
        Failure::InventoryUnreachable(format!("it answered {answered}"))
    }
}
