//! Says what a page that shows it must not run, obey or be torn by, in everything that it may say: 200, with a span, an
//! event and a log line of markup, escape sequences, 10 kB in one word, and text that reorders what is around it.

use till_sdk::{Checkout, CheckoutError, Level, Order, Receipt, Span, deduct};

const SCRIPT: &str = "<script>alert('span')</script>";
const IMAGE: &str = "\"><img src=x onerror=alert(1)>";
const FRAME: &str = "<iframe src=javascript:alert(2)></iframe>";
/// Clears a terminal and turns it red.
const ESCAPES: &str = "\u{1b}[2J\u{1b}[31m\u{7}\u{0}red";
/// Reads as "exe.png" where it is obeyed.
const REORDERING: &str = "\u{202e}gnp.exe\u{2066}";
const RIGHT_TO_LEFT: &str = "שלום עולם مرحبا";

struct Markup;

till_sdk::checkout_plugin!(Markup);

impl Checkout for Markup {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        let long = "x".repeat(10_000);
        let span = call.child(&format!("{SCRIPT}{long}"));
        span.annotate(&[
            (IMAGE, FRAME.into()),
            ("escapes", ESCAPES.into()),
            ("reordering", REORDERING.into()),
            ("right to left", RIGHT_TO_LEFT.into()),
            ("long", long.as_str().into()),
        ]);
        span.event(FRAME, &[("exception.message", IMAGE.into()), (SCRIPT, RIGHT_TO_LEFT.into())]);
        span.log(Level::Info, &format!("{IMAGE} {ESCAPES} {REORDERING} {SCRIPT}"), &[(SCRIPT, IMAGE.into())]);
        span.log(Level::Info, &long, &[]);
        drop(call.child(RIGHT_TO_LEFT));
        deduct(&span, &order.stock_lines())?;
        Ok(Receipt::plain(&order))
    }
}
