//! Names contexts that aren't of its call, then answers a good receipt: 200, ten events `context_refused` on the
//! call's own span, and everything it started or asked for below that span.

#![expect(unsafe_code, reason = "what wit-bindgen generates for an export")]

wit_bindgen::generate!({ path: "../../../wit/v0.1", world: "checkout-plugin" });

use exports::till::plugin::checkout::{CheckoutError, Guest, Order, Receipt};
use till::plugin::{
    inventory::deduct,
    telemetry::{Level, annotate, end_span, log, start_span},
    types::{Attribute, AttributeValue, StockLine, TraceContext},
};

/// A well-formed one of another trace, one that is none, an empty one.
const FORGED: [&str; 3] = ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "garbage", ""];

struct ForgedContext;

export!(ForgedContext);

impl Guest for ForgedContext {
    fn checkout(_: TraceContext, order: Order) -> Result<Receipt, CheckoutError> {
        for (traceparent, key) in FORGED.into_iter().zip(["forged.foreign", "forged.garbage", "forged.empty"]) {
            let forged = forge(traceparent);
            end_span(&start_span(&forged, "below_forged_context"));
            annotate(&forged, &[Attribute { key: key.to_owned(), value: AttributeValue::Flag(true) }]);
            log(&forged, Level::Info, "logged under a forged context", &[]);
        }
        let of = |line: &till::plugin::types::Line| StockLine { item: line.item.clone(), quantity: line.quantity };
        let lines: Vec<_> = order.lines.iter().map(of).collect();
        let [foreign, ..] = FORGED;
        deduct(&forge(foreign), &lines).map_err(|error| CheckoutError::Other(format!("{error:?}")))?;
        let total = order.lines.iter().map(|line| line.unit_price * u64::from(line.quantity)).sum();
        Ok(Receipt { adjustments: Vec::new(), total, attributes: Vec::new() })
    }
}

fn forge(traceparent: &str) -> TraceContext {
    TraceContext { traceparent: traceparent.to_owned(), tracestate: String::new() }
}
