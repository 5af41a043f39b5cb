use std::time::Duration;

use opentelemetry::trace::TraceId;

use super::{
    super::{
        Recent,
        differences::{Comparing, Side},
        statistics::Counting,
        tests::{Made, add, child, recent, root},
    },
    *,
};

/// When the traces of these tests begin.
const BEGAN_US: u64 = 1_700_000_000_000_001;

/// A checkout of two plugins' versions that took 30 ms.
fn sold() -> Vec<Made> {
    let call =
        |id, name: &'static str, kind: &'static str, outcome: &'static str, number: i64, rollout: &'static str| {
            Made { name: name.into(), ..child(1, id) }
                .with("plugin.kind", kind)
                .with("plugin.name", "own")
                .with("plugin.version", "1.2.0")
                .with("plugin.digest", "0123456789ab")
                .with("plugin.outcome", outcome)
                .with("plugin.number", number)
                .with("plugin.rollout", rollout)
        };
    vec![
        call(3, "inventory_deduct_span", "inventory", "deadline", 10, "canary")
            .with("inventory.item", "laptop, \"large\"")
            .with("plugin.fuel_used", 1_200)
            .with("share", 0.5)
            .with("error.type", "deadline")
            .failed(),
        call(2, "checkout_transaction", "checkout", "inventory_conflict", 4, "live")
            .with("order.item", "laptop")
            .with("db.order_id", "417")
            .with("order.reference", "4f1c-9"),
        Made { took: Duration::from_millis(30), ..root(1) }
            .with("http.route", "/checkout")
            .with("http.response.status_code", 503),
    ]
}

fn parsed(query: &str) -> Query {
    Query::parse(query, BEGAN_US + 60_000_000).unwrap_or_else(|why| panic!("{query}: {why}"))
}

fn takes(recent: &Recent, query: &str) -> bool {
    let trace = recent.trace(TraceId::from(1)).expect("it is kept");
    Seen::read(&trace, |seen| Some(parsed(query).takes(&seen))).expect("it has a root")
}

#[test]
fn a_query_takes_what_all_its_terms_take() {
    let recent = recent(1024);
    add(&recent, sold());
    for (query, expected) in [
        ("", true),
        ("  ", true),
        ("item:laptop", true),
        ("item:phone", false),
        ("item:phone,laptop", true),
        ("item:lap", false),
        ("item:!phone", true),
        ("item:!phone,laptop", false),
        ("item:laptop item:phone", false),
        ("outcome:inventory_conflict", true),
        ("outcome:!ok", true),
        ("outcome:ok", false),
        ("status:503", true),
        ("status:5xx", true),
        ("status:4xx,200", false),
        ("status:!2xx", true),
        ("route:/checkout", true),
        ("route:/quote", false),
        ("plugin:#10", true),
        ("plugin:#1", false),
        ("plugin:!#10", false),
        ("plugin:!#11", true),
        ("plugin:checkout/own@1.2", true),
        ("plugin:own@2", false),
        ("role:canary", true),
        ("role:shadow", false),
        ("error:true", true),
        ("error:false", false),
        ("error:!false", true),
        ("code:deadline", true),
        ("code:trap", false),
        ("took:30ms", true),
        ("took:>29.999ms", true),
        ("took:>30ms", false),
        ("took:<30ms", false),
        ("took:<31ms", true),
        ("took:30ms..1s", true),
        ("took:1us..29999us", false),
        ("took:30ms..", true),
        ("took:..30ms", true),
        ("took:..1ms,1s..", false),
        ("took:!>1s", true),
        ("since:2m", true),
        ("since:59s", false),
        ("order:4f1c-9", true),
        ("order:4f1", true),
        ("order:417", true),
        ("order:41", false),
        ("span:inventory_deduct_span", true),
        ("span:inventory", false),
        ("trace:0000000000000000", true),
        ("trace:1", false),
        ("@order.item:laptop", true),
        ("@inventory.item:\"laptop, \\\"large\\\"\"", true),
        ("@inventory.item:laptop", false),
        ("@inventory.item", true),
        ("@inventory.item:*", true),
        ("@inventory.item:\"*\"", false),
        ("@inventory.item:!*", false),
        ("@nothing:!*", true),
        ("@nothing:!x", false),
        ("@nothing", false),
        ("@plugin.fuel_used:1200", true),
        ("@plugin.fuel_used:>1199", true),
        ("@plugin.fuel_used:>1200", false),
        ("@plugin.fuel_used:<1200", false),
        ("@plugin.fuel_used:1000..1200", true),
        ("@share:0.5", true),
        ("@share:0.4..0.6", true),
        ("@order.item:>1", false),
        ("BROKEN", true),
        ("broke laptop", true),
        ("broke nothing", false),
        ("!nothing", true),
        ("!broken", false),
        ("\"laptop, \\\"LARGE\"", true),
        ("\"item:laptop\"", false),
        ("fuel_used", true),
        ("12:30", false),
        ("<img src=x>", false),
        (":", false),
        ("!", false),
    ] {
        assert_eq!(takes(&recent, query), expected, "{query}");
    }
}

#[test]
fn a_span_is_held_against_a_query_by_itself() {
    let recent = recent(1024);
    add(&recent, sold());
    let trace = recent.trace(TraceId::from(1)).expect("it is kept");
    for (query, expected) in [
        ("", &["POST /checkout", "checkout_transaction", "inventory_deduct_span"][..]),
        ("item:laptop took:>10ms", &["POST /checkout"]),
        ("error:true", &["inventory_deduct_span"]),
        ("plugin:#4", &["checkout_transaction"]),
        ("outcome:!ok", &["checkout_transaction", "inventory_deduct_span"]),
        ("@plugin.fuel_used", &["inventory_deduct_span"]),
        ("span:checkout_transaction", &["checkout_transaction"]),
        ("laptop", &["checkout_transaction", "inventory_deduct_span"]),
        ("status:200", &[]),
    ] {
        let query_of = parsed(query);
        let names = Seen::read(&trace, |seen| {
            let spans = seen.each_span().filter(|seen| query_of.takes(seen));
            Some(spans.filter_map(|seen| seen.span.map(|span| span.name.to_owned())).collect::<Vec<_>>())
        });
        assert_eq!(names.expect("it has a root"), expected, "{query}");
    }
}

#[test]
fn a_wrong_query_is_answered_with_what_to_write() {
    for (query, expected) in [
        ("itme:laptop", "there is no key itme; did you mean item?; the keys are item, outcome, took, "),
        ("Statsu:500", "did you mean status?"),
        ("http://shop", "quote it to search for the text"),
        ("item:", "item:: wanted an item's name"),
        ("item:a,,b", "item:: wanted an item's name"),
        ("status:abc", "status:abc: wanted a status, or a class such as 5xx"),
        ("status:600", "status:600: wanted"),
        ("took:1", "took:1: wanted a duration such as >100ms, <2s or 10ms..1s"),
        ("took:2s..1s", "took:2s..1s: wanted"),
        ("took:..", "took:..: wanted"),
        ("took:>-1s", "wanted a duration"),
        ("error:maybe", "wanted true or false"),
        ("plugin:#x", "plugin:#x: wanted a version's number"),
        ("since:yesterday", "wanted a time such as 90s, 15m or 2h"),
        ("trace:xyz", "wanted the beginning of a trace id"),
        ("@:x", "@ wants an attribute's name"),
        ("@fuel:>x", "@fuel:>x: wanted a text, >100, <5, 1..9 or *"),
        ("\"open", "a quote isn't closed"),
        ("item:\"a\\", "a quote isn't closed"),
    ] {
        let why = Query::parse(query, BEGAN_US).expect_err(query);
        assert!(why.contains(expected), "{query}: {why}");
    }
    let long = "x".repeat(BYTES_MAX + 1);
    for (query, expected) in [
        (long.as_str(), "bytes; 2000 at most"),
        (&"x ".repeat(TERMS_MAX + 1), "terms; 32 at most"),
        (&format!("item:{}", ["x"; TERMS_MAX + 1].join(",")), "values; 32 at most"),
    ] {
        assert!(Query::parse(query, 0).expect_err("too much").contains(expected), "{expected}");
    }
}

#[test]
fn a_value_is_written_as_it_is_read_again() {
    for value in
        ["laptop", "", "a b", "a,b", "!a", ">1", "1..2", "a\"b\\", "*", "#10", "/checkout", "\u{202e}x", "@a:b"]
    {
        let recent = recent(1024);
        add(&recent, [root(1).with("order.item", value)]);
        let query = format!("@order.item:{}", written(value));
        assert!(takes(&recent, &query), "{query}");
        let of_item = Query::parse(&format!("item:{}", written(value)), 0);
        assert_eq!(of_item.is_err(), value.is_empty(), "{query}");
    }
}

#[test]
fn every_example_is_a_query() {
    for key in &KEYS {
        assert!(key.example.starts_with(&format!("{}:", key.name)), "{}", key.example);
        parsed(key.example);
    }
}

/// A hundred traces, of which every tenth is of the item that fails and is slow.
fn a_hundred() -> Recent {
    let recent = recent(1024);
    for trace in 1..=100 {
        let is_bad = trace % 10 == 0;
        let (item, took) = if is_bad { ("laptop", 900) } else { ("headphones", trace) };
        let number = i64::try_from(trace).expect("a small number");
        let made = Made { took: Duration::from_millis(took.try_into().expect("a duration")), ..root(trace) }
            .with("order.item", item)
            .with("http.route", "/checkout")
            .with("unique", number);
        add(&recent, [if is_bad { made.failed().with("shelf", "empty") } else { made }]);
    }
    recent
}

#[test]
fn figures_are_of_all_that_match() {
    let recent = a_hundred();
    let count = |query: &str, group: Option<&str>| {
        let query = parsed(query);
        let mut counting = Counting::by(group.and_then(Key::of_group));
        recent.each(|trace| {
            Seen::read(trace, |seen| {
                if query.takes(&seen) {
                    counting.add(&seen);
                }
                Some(())
            });
        });
        counting.figures(None, None)
    };
    let all = count("", Some("item"));
    assert_eq!((all.matched, all.errors, all.ungrouped), (100, 10, 0));
    let took = all.duration.expect("some match");
    // 90 of them take 1 to 99 ms, without the tens; the others 900 ms.
    assert_eq!((took.p50_us, took.p95_us, took.max_us), (55_000, 900_000, 900_000));
    let groups: Vec<_> = all.groups.iter().map(|group| (&*group.query, group.matched, group.errors)).collect();
    assert_eq!(groups, [("item:headphones", 90, 0), ("item:laptop", 10, 10)]);
    let laptops = count("item:laptop", Some("code"));
    assert_eq!((laptops.matched, laptops.groups.len(), laptops.ungrouped), (10, 0, 10));
    let none = count("item:phone", None);
    assert_eq!((none.matched, none.duration, none.heatmap), (0, None, None));
}

#[test]
fn what_differs_most_comes_first() {
    let recent = a_hundred();
    let query = parsed("took:>500ms");
    let mut comparing = Comparing::default();
    recent.each(|trace| {
        Seen::read(trace, |seen| {
            comparing.add(if query.takes(&seen) { Side::Selected } else { Side::Rest }, &seen);
            Some(())
        });
    });
    let found = comparing.differences();
    assert_eq!((found.selected, found.rest, found.is_cut), (10, 90, false));
    let rows: Vec<_> = found.rows.iter().map(|row| (&*row.query, row.selected, row.rest)).collect();
    let expected = [
        ("error:false", 0, 90),
        ("error:true", 10, 0),
        ("item:headphones", 0, 90),
        ("item:laptop", 10, 0),
        ("@shelf:empty", 10, 0),
    ];
    assert_eq!(rows.get(..5), Some(&expected[..]), "{rows:?}");
    assert!((found.rows[0].rest_share - 1.0).abs() < f64::EPSILON);
    assert!(rows.iter().all(|row| row.0 != "route:/checkout"), "what all have doesn't differ");
}
