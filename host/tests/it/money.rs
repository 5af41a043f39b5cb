//! Amounts: exact to the last minor unit, whoever reckons.

use serde_json::{Value, json};

use crate::support::{Answer, Host, Plan, built_in_and};

fn with_discounts() -> Plan {
    Host::plan().plugins(built_in_and("checkout_discount"))
}

/// Returns what follows the reference in an answer, as text: a parsed number would hide how it was written.
fn after_reference(answer: &Answer) -> String {
    let reference = answer.reference();
    let text = answer.text();
    text.split_once(&format!("\"{reference}\",")).expect("a reference").1.to_owned()
}

#[test]
fn a_receipts_adjustments_are_exact() {
    let host = with_discounts().start();
    let check = |order: &Value, expected: &str| {
        assert_eq!(
            after_reference(&host.shop.post("/checkout", order)),
            format!("\"status\":\"COMPLETED\",{expected}")
        );
    };
    // 10 % of 299.97 is 29.997, cut to 29.99; 299.97 + 1299.00 - 29.99 + 4.99 = 1573.97; a sixth of that is tax.
    let order = json!({
        "lines": [
            { "item": "headphones", "quantity": 3, "price": 99.99 },
            { "item": "laptop", "quantity": 1, "price": 1299 },
        ],
        "attributes": { "express": true },
    });
    check(
        &order,
        r#""lines":[{"item":"headphones","quantity":3,"price":99.99},{"item":"laptop","quantity":1,"price":1299.00}],"adjustments":[{"effect":"subtract","category":"discount","label":"10 % off 3 or more","amount":29.99,"line":0},{"effect":"add","category":"shipping","label":"express","amount":4.99},{"effect":"included","category":"tax","label":"20 % tax","amount":262.32}],"total_price":1573.97}"#,
    );
    // What no float holds: a tenth, added three times; a price in its longest form.
    check(
        &json!({ "lines": [{ "item": "headphones", "quantity": 3, "price": 0.1 }] }),
        r#""lines":[{"item":"headphones","quantity":3,"price":0.10}],"adjustments":[{"effect":"subtract","category":"discount","label":"10 % off 3 or more","amount":0.03,"line":0},{"effect":"included","category":"tax","label":"20 % tax","amount":0.04}],"total_price":0.27}"#,
    );
    // The seed's form says the total, which is after adjustments.
    check(
        &json!({ "item": "headphones", "quantity": 10, "price": 1.5 }),
        r#""item":"headphones","total_price":13.50}"#,
    );
    host.stop();
}

#[test]
fn a_rejection_carries_the_plugins_own_code() {
    let host = with_discounts().start();
    let order = json!({ "lines": [{ "item": "headphones", "quantity": 1, "price": 1 }],
                        "attributes": { "reject": "not to this address" } });
    let answer = host.shop.post("/checkout", &order);
    assert_eq!((answer.status, &*answer.code()), (422, "rejected"));
    let problem = answer.json();
    assert_eq!((&problem["rejection"], &problem["detail"]), (&"blocked".into(), &"not to this address".into()));
    assert_eq!(host.on_hand("headphones"), 200);
    host.stop();
}

#[test]
fn the_shop_bounds_what_a_plugin_gives_away() {
    let order = json!({ "item": "headphones", "quantity": 3, "price": 100 });
    let within = |percent: u32| with_discounts().set(format!("checkout.discount_max_percent={percent}"));
    let host = within(10).start();
    let answer = host.shop.post("/checkout", &order);
    assert_eq!((answer.status, host.on_hand("headphones")), (200, 197), "{}", answer.text());
    let folder = host.stop().folder;

    // It was live, so it goes on, but nothing is given away; a new one isn't taken at all.
    let host = within(9).folder(&folder).warns("checkout.discount_max_percent").start();
    let answer = host.shop.post("/checkout", &order);
    assert_eq!((answer.status, host.on_hand("headphones")), (502, 197), "{}", answer.text());
    host.stop();
    let refused = within(9).refusal();
    assert!(refused.contains("checkout.discount_max_percent"), "{refused}");
}

#[test]
fn delivery_may_be_free_however_small_the_basket_is() {
    let host = Host::plan().plugins(built_in_and("checkout_adjusts")).warns("checkout.discount_max_percent").start();
    let buy = |attributes: Value| {
        let lines = json!([{ "item": "headphones", "quantity": 1, "price": 5 }]);
        host.shop.post("/checkout", &json!({ "lines": lines, "attributes": attributes }))
    };
    let free = buy(json!({ "add shipping": 499, "subtract shipping": 499 }));
    assert_eq!((free.status, &free.json()["total_price"]), (200, &json!(5.0)), "{}", free.text());
    let goods_too = buy(json!({ "add shipping": 499, "subtract shipping": 750 }));
    assert_eq!((goods_too.status, host.on_hand("headphones")), (502, 199), "{}", goods_too.text());
    assert!(goods_too.text().contains("251 of 500 is taken off the lines"), "{}", goods_too.text());
    host.stop();
}

#[test]
fn an_amount_with_a_slipped_decimal_is_neither_sold_nor_goes_live() {
    let adding = |surcharge: u64| {
        let plan = Host::plan().plugins(built_in_and("checkout_pricing"));
        plan.set(format!("checkout.surcharge={surcharge}"))
    };
    let buy = |host: &Host, price: f64| {
        host.shop.post("/checkout", &json!({ "lines": [{ "item": "headphones", "quantity": 1, "price": price }] }))
    };
    // A usual delivery of something small.
    let host = adding(499).start();
    let delivered = buy(&host, 1.0);
    assert_eq!((delivered.status, &delivered.json()["total_price"]), (200, &json!(5.99)), "{}", delivered.text());
    let folder = host.stop().folder;

    // It was live, so it goes on, but sells nothing for such a price; a new one isn't taken at all.
    let slipped = 90_071_992_547;
    let host = adding(slipped).folder(&folder).warns("checkout.added_max_percent").start();
    let refused = buy(&host, 9.0);
    assert_eq!((refused.status, host.on_hand("headphones")), (502, 199), "{}", refused.text());
    for named in [
        "90071992547 is added to lines of 900",
        "1000 % (checkout.added_max_percent)",
        "10000 (checkout.added_max_floor)",
    ] {
        assert!(refused.text().contains(named), "{}", refused.text());
    }
    host.stop();
    let refused = adding(slipped).refusal();
    assert!(refused.contains("checkout.added_max_floor"), "{refused}");

    // The orders that a plugin is tried with have made-up prices: 15,000 rupiahs are a usual delivery.
    let host = adding(1_500_000).set("shop.currency=IDR").start();
    assert_eq!(buy(&host, 25_000.0).status, 200);
    host.stop();
}

#[test]
fn a_currency_has_its_own_decimals() {
    for (currency, price, total, refused) in
        [("JPY", "100", "300", "100.5"), ("KWD", "0.125", "0.375", "0.1255"), ("USD", "99.990", "299.97", "99.999")]
    {
        let host = Host::plan().set(format!("shop.currency={currency}")).start();
        let body = |price: &str| format!(r#"{{"item":"headphones","quantity":3,"price":{price}}}"#);
        let send = |price: &str| {
            let headers = [("content-type", "application/json")];
            host.shop.send("POST", "/checkout", &headers, Some(body(price).as_bytes())).expect("an answer")
        };
        assert!(send(price).text().ends_with(&format!("\"total_price\":{total}}}")), "{}", send(price).text());
        assert_eq!(send(refused).status, 422, "{currency} {refused}");
        host.stop();
    }
}

#[test]
fn the_catalogues_price_is_the_only_one() {
    let host = Host::plan().set("prices.headphones=99.99").start();
    assert_eq!(host.shop.buy("headphones", 1).status, 200);
    let cheap = host.shop.post("/checkout", &json!({ "item": "headphones", "quantity": 1, "price": 0.01 }));
    assert_eq!((cheap.status, &*cheap.code()), (422, "unacceptable"));
    assert_eq!(host.orders().len(), 1);
    host.stop();
}
