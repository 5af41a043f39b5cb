//! `/orders` for operators: one order, by reference or number, and pages of all.

use serde::Serialize;

use super::{Admin, Asked, query};
#[cfg(test)]
use crate::schema;
use crate::{
    http::{Answer, OrderJson, Reply, problem::Problem},
    order::{Item, Reference, Status},
    store::{self, OrderId, OrdersFilter},
};

const LIMIT_DEFAULT: u32 = 100;
const FILTERS: [&str; 8] =
    ["status", "unresolved", "item", "placed_from_ms", "placed_before_ms", "sort", "after", "limit"];

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "OrdersPage"))]
pub(super) struct Page {
    #[cfg_attr(test, schemars(length(max = OrdersFilter::LIMIT_MAX)))]
    orders: Vec<OrderJson>,
    /// What to send as `after` for the next page. Absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::OrderId>"))]
    next_after: Option<u64>,
}

/// # Errors
/// 422 for an unknown or invalid filter.
pub(super) async fn list(admin: &Admin, asked: Asked) -> Answer {
    let filter = filter(&asked.query)?;
    let store::Page { rows, goes_on } = admin.store.orders(filter).await?;
    let next_after = rows.last().filter(|_| goes_on).map(|order| order.id.number());
    Reply::json(&Page { orders: rows.into_iter().map(OrderJson::from).collect(), next_after })
}

/// # Errors
/// 404 if there is no such order.
pub(super) async fn show(admin: &Admin, Asked { named, .. }: Asked) -> Answer {
    let order = match named.parse().ok().and_then(OrderId::new) {
        Some(id) => admin.store.order_by_id(id).await?,
        None => match Reference::parse(&named) {
            Some(reference) => admin.store.order_by_reference(&reference).await?,
            None => None,
        },
    };
    let order = order.ok_or_else(|| Problem::not_found(format!("there is no order {named:?}")))?;
    Reply::json(&OrderJson::from(order))
}

fn filter(query: &str) -> Result<OrdersFilter, Problem> {
    let mut filter = OrdersFilter { limit: LIMIT_DEFAULT, ..OrdersFilter::default() };
    for (name, value) in query::parameters(query)? {
        match name.as_str() {
            "status" => {
                let words = Status::ALL.map(Status::as_str).join(", ");
                filter.status = Some(query::value(&name, &value, Status::parse(&value), &words)?);
            }
            "unresolved" => filter.unresolved = query::value(&name, &value, value.parse().ok(), "true or false")?,
            "item" => filter.item = Some(query::value(&name, &value, Item::parse(&value), Item::RULE)?),
            "placed_from_ms" => {
                filter.placed_from_ms = Some(query::moment(&name, &value)?);
            }
            "placed_before_ms" => {
                filter.placed_before_ms = Some(query::moment(&name, &value)?);
            }
            "sort" => {
                let newest_first = match &*value {
                    "newest" => Some(true),
                    "number" => Some(false),
                    _ => None,
                };
                filter.newest_first = query::value(&name, &value, newest_first, "newest or number")?;
            }
            "after" => {
                let id = value.parse().ok().and_then(OrderId::new);
                filter.after = Some(query::value(&name, &value, id, "an order's number")?);
            }
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=OrdersFilter::LIMIT_MAX).contains(limit));
                filter.limit = query::value(&name, &value, limit, &format!("1 to {}", OrdersFilter::LIMIT_MAX))?;
            }
            _ => return Err(query::unknown("filter", &name, FILTERS)),
        }
    }
    Ok(filter)
}
