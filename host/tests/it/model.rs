//! The shop against a model of it: random carts, keys, deliveries, plugin faults and crashes, one after the other, with
//! a few lines of ordinary code saying what has to come of each.

use std::collections::BTreeMap;

use proptest::{
    collection::vec,
    option, prop_oneof,
    sample::select,
    strategy::{Just, Strategy},
    test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner},
};
use rand::RngExt;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Host, Plan, built_in_and, dice, promises, rounds};

const ITEMS: [&str; 3] = ["apple", "melon", "pear"];
const OPENING: u64 = 20;

/// What a client or the shop's keeper does, or what happens to the machine.
#[derive(Debug, Clone)]
enum Step {
    Buy {
        cart: Cart,
        key: Option<u8>,
    },
    /// Sent, and the host killed a moment later; then sent again.
    BuyTwiceOverAKill {
        cart: Cart,
        key: u8,
        kill_after_us: u64,
    },
    Deduct {
        lines: Lines,
        reference: u8,
    },
    Release {
        reference: u8,
    },
    Count {
        item: &'static str,
        pieces: u64,
    },
    Deliver {
        item: &'static str,
        pieces: i64,
    },
    Kill,
    Restart,
}

type Lines = Vec<(&'static str, u64)>;

#[derive(Debug, Clone)]
struct Cart {
    lines: Lines,
    /// What the plugin does after its deduct, if it doesn't return a receipt at once.
    twist: Option<&'static str>,
}

impl Cart {
    fn body(&self) -> Value {
        let line = |(item, quantity): &(&str, u64)| json!({ "item": item, "quantity": quantity, "price": 2.5 });
        let lines: Vec<Value> = self.lines.iter().map(line).collect();
        match self.twist {
            None => json!({ "lines": lines }),
            Some(twist) => json!({ "lines": lines, "attributes": { "answer": twist } }),
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let item = || select(&ITEMS[..]);
    let lines = || vec((item(), 1..9_u64), 1..4);
    let twist = || option::weighted(0.5, select(&["late", "late", "late", "conflict", "unavailable", "other"][..]));
    let cart = || (lines(), twist()).prop_map(|(lines, twist)| Cart { lines, twist });
    // Few of them, so that they are met again.
    let name = || 0..5_u8;
    let step = prop_oneof![
        8 => (cart(), option::of(name())).prop_map(|(cart, key)| Step::Buy { cart, key }),
        3 => (cart(), name(), 0..20_000_u64)
            .prop_map(|(cart, key, kill_after_us)| Step::BuyTwiceOverAKill { cart, key, kill_after_us }),
        4 => (lines(), name()).prop_map(|(lines, reference)| Step::Deduct { lines, reference }),
        3 => name().prop_map(|reference| Step::Release { reference }),
        1 => (item(), 0..30_u64).prop_map(|(item, pieces)| Step::Count { item, pieces }),
        2 => (item(), -5..30_i64).prop_map(|(item, pieces)| Step::Deliver { item, pieces }),
        1 => Just(Step::Kill),
        1 => Just(Step::Restart),
    ];
    vec(step, 1..40)
}

/// What a deduct's reference stands for.
#[derive(Debug)]
enum Reference {
    Taken { body: Value, lines: Lines, answer: Told },
    Refused { body: Value, answer: Told },
    Released,
}

/// What a client was told, byte for byte.
type Told = (u16, String);

/// The shop, in memory.
#[derive(Debug)]
struct Model {
    stock: BTreeMap<&'static str, u64>,
    sold: Vec<String>,
    keys: BTreeMap<u8, (Value, Told)>,
    references: BTreeMap<u8, Reference>,
}

impl Model {
    fn new() -> Self {
        let stock = ITEMS.iter().map(|item| (*item, OPENING)).collect();
        Self { stock, sold: Vec::new(), keys: BTreeMap::new(), references: BTreeMap::new() }
    }

    /// Takes all lines or none, and returns the first item by name that there is too little of.
    fn take(&mut self, lines: &Lines) -> Result<(), &'static str> {
        let mut left = self.stock.clone();
        let mut wanted = BTreeMap::new();
        for (item, quantity) in lines {
            *wanted.entry(*item).or_insert(0) += quantity;
        }
        for (item, quantity) in wanted {
            let on_hand = left.get_mut(item).expect("a known item");
            *on_hand = on_hand.checked_sub(quantity).ok_or(item)?;
        }
        self.stock = left;
        Ok(())
    }

    fn give_back(&mut self, lines: &Lines) {
        for (item, quantity) in lines {
            *self.stock.get_mut(item).expect("a known item") += quantity;
        }
    }

    /// Checks what came of a purchase that was carried out.
    fn bought(&mut self, cart: &Cart, answer: &Answer) {
        let expected = match (self.take(&cart.lines), cart.twist) {
            (Err(short), _) => {
                assert_eq!(answer.json()["shortage"]["item"], short, "{}", answer.text());
                (400, "insufficient_stock")
            }
            (Ok(()), None | Some("late")) => {
                let total: u64 = cart.lines.iter().map(|(_, quantity)| quantity * 250).sum();
                assert!(
                    answer.text().contains(&format!("\"total_price\":{}.{:02}", total / 100, total % 100)),
                    "{}",
                    answer.text()
                );
                self.sold.push(answer.reference());
                return;
            }
            (Ok(()), Some("conflict")) => {
                self.give_back(&cart.lines);
                (500, "inventory_conflict")
            }
            (Ok(()), Some(code)) => {
                self.give_back(&cart.lines);
                (502, code)
            }
        };
        assert_eq!((answer.status, &*answer.code()), expected, "{}", answer.text());
    }

    fn bought_with_key(&mut self, cart: &Cart, key: u8, answer: &Answer) {
        match self.keys.get(&key) {
            Some((body, first)) if *body == cart.body() => assert_replayed(first, answer),
            Some(_) => {
                assert_eq!((answer.status, &*answer.code()), (422, "idempotency_key_reused"), "{}", answer.text());
            }
            None => {
                self.bought(cart, answer);
                self.keys.insert(key, (cart.body(), told(answer)));
            }
        }
    }

    fn deducted(&mut self, lines: &Lines, body: Value, reference: u8, answer: &Answer) {
        match self.references.get(&reference) {
            Some(
                Reference::Taken { body: first, answer: told, .. } | Reference::Refused { body: first, answer: told },
            ) => {
                if *first == body {
                    assert_replayed(told, answer);
                } else {
                    assert_eq!((answer.status, &*answer.code()), (422, "idempotency_key_reused"), "{}", answer.text());
                }
            }
            Some(Reference::Released) => {
                assert_eq!((answer.status, &*answer.code()), (409, "reference_used"), "{}", answer.text());
            }
            None => {
                let now = match self.take(lines) {
                    Ok(()) => {
                        assert_eq!(answer.status, 200, "{}", answer.text());
                        Reference::Taken { body, lines: lines.clone(), answer: told(answer) }
                    }
                    Err(short) => {
                        assert_eq!((answer.status, &*answer.code()), (400, "insufficient_stock"), "{}", answer.text());
                        assert_eq!(answer.json()["shortage"]["item"], short);
                        Reference::Refused { body, answer: told(answer) }
                    }
                };
                self.references.insert(reference, now);
            }
        }
    }

    fn released(&mut self, reference: u8, answer: &Answer) {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let expected = match self.references.insert(reference, Reference::Released) {
            None | Some(Reference::Refused { .. }) => "nothing_taken",
            Some(Reference::Released) => "released_before",
            Some(Reference::Taken { lines, .. }) => {
                self.give_back(&lines);
                "returned"
            }
        };
        assert_eq!(answer.json()["outcome"], expected);
    }
}

fn told(answer: &Answer) -> Told {
    (answer.status, answer.text())
}

fn assert_replayed(first: &Told, answer: &Answer) {
    assert_eq!((first, answer.header("idempotency-replayed")), (&told(answer), "true"));
}

fn plan() -> Plan {
    let plan = Host::plan().plugins(built_in_and("checkout_answers"));
    ITEMS.iter().fold(plan, |plan, item| plan.set(format!("stock.{item}={OPENING}")))
}

fn buy(shop: &Client, cart: &Cart, key: Option<u8>) -> Option<Answer> {
    let key = key.map(|key| format!("key-{key}"));
    let headers = [("content-type", "application/json")].into_iter();
    let headers: Vec<_> = headers.chain(key.as_deref().map(|key| ("idempotency-key", key))).collect();
    shop.send("POST", "/checkout", &headers, Some(cart.body().to_string().as_bytes())).ok()
}

/// Goes through the steps with a host and the model side by side.
fn agree(steps: Vec<Step>) {
    let mut host = plan().start();
    let mut model = Model::new();
    for step in steps {
        match step {
            Step::Buy { cart, key } => {
                let answer = buy(&host.shop, &cart, key).expect("an answer");
                match key {
                    None => model.bought(&cart, &answer),
                    Some(key) => model.bought_with_key(&cart, key, &answer),
                }
            }
            Step::BuyTwiceOverAKill { cart, key, kill_after_us } => {
                let (shop, first) = (host.shop.clone(), cart.clone());
                let first = std::thread::spawn(move || buy(&shop, &first, Some(key)));
                std::thread::sleep(std::time::Duration::from_micros(kill_after_us));
                let folder = host.kill().folder;
                host = plan().folder(&folder).start();
                // The first answer counts; if the client never got it, the second one.
                if let Some(answer) = first.join().expect("no panic") {
                    model.bought_with_key(&cart, key, &answer);
                }
                let answer = buy(&host.shop, &cart, Some(key)).expect("an answer");
                model.bought_with_key(&cart, key, &answer);
            }
            Step::Deduct { lines, reference } => {
                let line = |(item, quantity): &(&str, u64)| json!({ "item": item, "quantity": quantity });
                let body = json!({ "lines": lines.iter().map(line).collect::<Vec<_>>() });
                let name = format!("reference-{reference}");
                let answer = host.shop.post_with("/inventory/deduct", &[("idempotency-key", &name)], &body);
                model.deducted(&lines, body, reference, &answer);
            }
            Step::Release { reference } => {
                let body = json!({ "reference": format!("reference-{reference}") });
                model.released(reference, &host.shop.post("/inventory/release", &body));
            }
            Step::Count { item, pieces } => {
                let answer = host.admin.post(&format!("/stock/{item}"), &json!({ "set": pieces }));
                assert_eq!(answer.status, 200, "{}", answer.text());
                model.stock.insert(item, pieces);
            }
            Step::Deliver { item, pieces } => {
                let answer = host.admin.post(&format!("/stock/{item}"), &json!({ "add": pieces }));
                let left = model.stock[item].checked_add_signed(pieces);
                assert_eq!(answer.status, if left.is_some() { 200 } else { 422 }, "{}", answer.text());
                model.stock.insert(item, left.unwrap_or(model.stock[item]));
            }
            Step::Kill => {
                let folder = host.kill().folder;
                host = plan().folder(&folder).start();
            }
            Step::Restart => {
                let folder = host.end().folder;
                host = plan().folder(&folder).start();
            }
        }
        let on_hand: BTreeMap<_, _> = ITEMS.iter().map(|item| (*item, host.on_hand(item))).collect();
        assert_eq!(on_hand, model.stock);
    }
    let stand = host.orders();
    let completed = stand.iter().filter(|order| order["status"] == "COMPLETED");
    let mut completed: Vec<_> = completed.map(|order| order["reference"].as_str().expect("text").to_owned()).collect();
    completed.sort();
    model.sold.sort();
    assert_eq!(completed, model.sold);
    let folder = host.end().folder;
    assert_eq!(promises::broken(&folder.path().join("data"), &[]), [""; 0]);
}

#[test]
fn the_shop_does_what_its_model_does() {
    let mut dice = dice("model");
    let cases = u32::try_from(rounds(12, 200)).expect("a few");
    let config = Config { cases, max_shrink_iters: 60, failure_persistence: None, ..Config::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &dice.random::<[u8; 32]>());
    let tried = TestRunner::new_with_rng(config, rng).run(&steps(), |steps| {
        agree(steps);
        Ok(())
    });
    match tried {
        Ok(()) => println!("model: {cases} shops"),
        Err(TestError::Fail(reason, steps)) => panic!("{reason}\nafter the steps {steps:#?}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}
