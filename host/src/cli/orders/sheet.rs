//! One order for people: what it is, what was bought, and how its total came about.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    super::{
        client::Admin,
        paint::{LINK, of_state, painted},
        print_painted,
        table::{Cell, Table},
        text::{day_and_clock, duration, fields, pairs, visible},
    },
    Order,
};

#[derive(Deserialize)]
struct Line {
    item: String,
    quantity: u32,
    price: Box<RawValue>,
}

#[derive(Deserialize)]
struct Adjustment {
    effect: String,
    category: String,
    label: String,
    amount: Box<RawValue>,
}

pub(super) fn show(order: &Order, admin: &Admin) -> anyhow::Result<()> {
    let Order { order_id, reference, status, placed_at_ms, ended_at_ms, reason, trace_id, plugins, .. } = order;
    let because = reason.as_deref().map(|reason| format!(", {}", visible(reason))).unwrap_or_default();
    print_painted(&format!("order      {order_id}  {}{because}", painted(of_state(status), &visible(status))))?;
    print_painted(&format!("reference  {}", visible(reference)))?;
    let took =
        ended_at_ms.map(|ended| format!(", ended {} later", duration(ended.saturating_sub(*placed_at_ms) * 1000)));
    print_painted(&format!("placed     {}{}", day_and_clock(placed_at_ms * 1000), took.unwrap_or_default()))?;
    print_painted(&format!("plugins    {}", visible(plugins)))?;
    print_painted(&format!("trace      {}\n", painted(LINK, &admin.url(&format!("/traces/{}", visible(trace_id))))))?;
    let table = Table::new(["QUANTITY", "ITEM", "PRICE"]).lines(&rows(order)?);
    table.iter().try_for_each(|line| print_painted(line))?;
    for (whose, attributes) in [("client's", &order.attributes), ("receipt's", &order.receipt_attributes)] {
        if let Some(attributes) = attributes {
            let attributes: BTreeMap<String, Value> = serde_json::from_str(attributes.get())?;
            print_painted(&format!("\nthe {whose} attributes:{}", pairs(fields(&attributes))))?;
        }
    }
    Ok(())
}

/// Returns the lines at their prices, and below them what makes the total of their sum.
fn rows(order: &Order) -> anyhow::Result<Vec<[Cell; 3]>> {
    let lines: Vec<Line> = serde_json::from_str(order.lines.get())?;
    let adjustments: Vec<Adjustment> = serde_json::from_str(order.adjustments.get())?;
    let row = |quantity: &str, what: &str, amount: &str| [Cell::number(quantity), what.into(), Cell::number(amount)];
    let mut rows: Vec<_> =
        lines.iter().map(|line| row(&line.quantity.to_string(), &line.item, line.price.get())).collect();
    rows.push(row("", "subtotal", order.subtotal.get()));
    rows.extend(adjustments.iter().map(|Adjustment { effect, category, label, amount }| {
        let (sign, included) = match &**effect {
            "subtract" => ("-", ""),
            "included" => ("", ", included"),
            _ => ("+", ""),
        };
        row("", &format!("{category}: {label}{included}"), &format!("{sign}{}", amount.get()))
    }));
    if let Some(total) = &order.total_price {
        rows.push(row("", &format!("total, {}", order.currency), total.get()));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_total_is_shown_as_it_came_about() {
        let order: Order = serde_json::from_str(
            &json!({
                "order_id": 7, "reference": "r", "status": "COMPLETED", "placed_at_ms": 1, "currency": "EUR", "subtotal": 30,
                "total_price": 29, "lines": [{ "item": "pen", "quantity": 2, "price": 15 }], "trace_id": "t", "plugins": "p",
                "adjustments": [
                    { "effect": "subtract", "category": "discount", "label": "spring\u{1b}", "amount": 3 },
                    { "effect": "add", "category": "shipping", "label": "parcel", "amount": 2 },
                    { "effect": "included", "category": "tax", "label": "VAT", "amount": 4 },
                ],
                "placed_at": "1970-01-01T00:00:00.001Z",
            })
            .to_string(),
        )
        .expect("an order");
        let lines = Table::new(["QUANTITY", "ITEM", "PRICE"]).lines(&rows(&order).expect("rows"));
        let bare: Vec<_> = lines.iter().map(|line| console::strip_ansi_codes(line)).collect();
        assert_eq!(
            bare,
            [
                "QUANTITY  ITEM                    PRICE",
                "       2  pen                        15",
                "          subtotal                   30",
                "          discount: spring\\u{1b}     -3",
                "          shipping: parcel           +2",
                "          tax: VAT, included          4",
                "          total, EUR                 29",
            ]
        );
    }
}
