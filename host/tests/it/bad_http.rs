//! Requests that mustn't become an order, sent as raw bytes, and their answers.
//!
//! After every one of them a good order goes through, and at the end the store has the good ones only.

mod body;
mod head;
mod http2;
mod slow;
mod wire;

use crate::support::{Client, Host, raw::Raw};

/// A good order's body.
const ORDER: &str = r#"{"item":"headphones","quantity":1,"price":99.99}"#;

/// One bad request.
struct Case {
    name: String,
    bytes: Vec<u8>,
    /// Whether the client says that it sends no more.
    finishes: bool,
    status: u16,
    /// The problem's; empty where hyper refuses by itself, without a body.
    code: &'static str,
    closes: bool,
}

impl Case {
    fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>, status: u16, code: &'static str) -> Self {
        Self { name: name.into(), bytes: bytes.into(), finishes: false, status, code, closes: false }
    }

    /// Sends no more after it.
    fn finishing(self) -> Self {
        Self { finishes: true, ..self }
    }

    /// Is answered, and then the connection is closed.
    fn closing(self) -> Self {
        Self { closes: true, ..self }
    }
}

/// Sends it and checks how it is answered.
fn check(listener: &Client, case: &Case) {
    let Case { name, bytes, finishes, status, code, closes } = case;
    let mut connection = Raw::connect(&listener.address);
    connection.send(bytes);
    if *finishes {
        connection.finish();
    }
    let answer = connection.answer().unwrap_or_else(|| panic!("{name}: no answer"));
    let told = if answer.body.is_empty() { String::new() } else { answer.code() };
    assert_eq!((answer.status, told.as_str()), (*status, *code), "{name}: {}", answer.text());
    if *closes {
        assert_eq!(answer.header("connection"), "close", "{name}");
        assert!(connection.is_closed(), "{name}: still open");
    }
}

/// Checks all cases against a host, and that no order came of them.
fn check_all(cases: &[Case]) {
    let host = Host::plan().set("stock.headphones=1000").start();
    for case in cases {
        check(&host.shop, case);
        let good = host.shop.buy("headphones", 1);
        assert_eq!(good.status, 200, "after {}: {}", case.name, good.text());
    }
    only_good_orders(&host, cases.len());
    host.stop();
}

/// Checks that the store has so many orders, and none that shouldn't be there.
fn only_good_orders(host: &Host, good: usize) {
    let orders = host.orders();
    let refused = |reason: &str| orders.iter().filter(|order| order["reason"] == reason).count();
    // A request for more than is on hand leaves a FAILED order on purpose; a wrong request leaves none.
    assert_eq!(orders.len() - refused("insufficient_stock"), good, "{orders:#?}");
    assert_eq!(host.on_hand("headphones"), 1000 - u64::try_from(good).expect("few"));
}
