//! Finds the trace that a person means: by its id or the beginning of it, or by its order's reference or number.

use anyhow::Context;
use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::{super::client::Admin, Listed, Row, with_query};

/// The digits of a trace's id that lists show, as the host's log does. A shorter number means an order.
pub(in super::super) const SHORT_ID: usize = 8;
const ID_DIGITS: usize = 32;

#[derive(Debug, Args)]
pub(in super::super) struct Wanted {
    /// A trace's id or its beginning, or an order's reference or number.
    #[arg(value_name = "TRACE|REFERENCE")]
    pub(super) trace: String,
}

#[derive(Deserialize)]
struct Order {
    trace_id: String,
}

/// Returns the id of the trace.
///
/// # Errors
/// If none is kept, or several begin so.
pub(in super::super) fn find(wanted: &str, admin: &Admin) -> anyhow::Result<String> {
    let is_number = wanted.bytes().all(|byte| byte.is_ascii_digit());
    let is_hex = wanted.bytes().all(|byte| byte.is_ascii_hexdigit());
    let may_be_id = is_hex && wanted.len() <= ID_DIGITS && (!is_number || wanted.len() >= SHORT_ID);
    if may_be_id && let Some(id) = by_beginning(wanted, admin)? {
        return Ok(id);
    }
    anyhow::ensure!(
        !may_be_id || is_number,
        "the trace {wanted} isn't kept, or not any more; `till traces list` shows those that are"
    );
    let order: Option<Order> = admin.find(&format!("/orders/{}", utf8_percent_encode(wanted, NON_ALPHANUMERIC)))?;
    let Some(Order { trace_id }) = order else {
        anyhow::bail!("{wanted:?} is no trace that is kept, and no order's reference or number");
    };
    by_beginning(&trace_id, admin)?.with_context(|| {
        format!(
            "the trace {trace_id} of the order {wanted} isn't kept any more; `till orders show {wanted}` shows the order"
        )
    })
}

/// Returns the only trace whose id begins so; `None` if none does.
fn by_beginning(wanted: &str, admin: &Admin) -> anyhow::Result<Option<String>> {
    let query = [("trace_id", Some(wanted.to_owned())), ("limit", Some("2".to_owned()))];
    let listed: Listed = admin.get(&with_query("/recent/traces", query))?;
    anyhow::ensure!(listed.traces.len() < 2, "several traces begin with {wanted}; type more of it");
    listed.traces.first().map(|trace| Row::of(trace).map(|row| row.trace_id)).transpose()
}
