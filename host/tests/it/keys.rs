//! Thousands of keys, each sent several times at once, by clients that hang up and to a host that is killed: a key is
//! one purchase and has one answer.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, RwLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread::{scope, sleep},
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::support::{
    Answer, Client, Host, PATIENCE, dice, promises,
    raw::{Raw, checkout_with},
    rounds,
};

const CLIENTS: usize = 16;
const COPIES_MAX: usize = 5;
/// While the host is down.
const PAUSE: Duration = Duration::from_millis(5);

/// What all clients share.
struct Shop {
    host: RwLock<Client>,
    next_key: AtomicUsize,
    keys: usize,
    /// Each answer that was given, by key.
    answers: Mutex<BTreeMap<usize, BTreeSet<(u16, String)>>>,
}

impl Shop {
    /// Takes key after key, and sends each a few times at once.
    fn buy_them_all(&self, seed: u64) {
        let mut dice = StdRng::seed_from_u64(seed);
        loop {
            let key = self.next_key.fetch_add(1, Relaxed);
            if key >= self.keys {
                return;
            }
            let copies = dice.random_range(1..=COPIES_MAX);
            let patient: Vec<bool> = (0..copies).map(|_| dice.random_bool(0.7)).collect();
            scope(|scope| {
                for patient in patient {
                    scope.spawn(move || if patient { self.buy(key) } else { self.hang_up(key) });
                }
            });
        }
    }

    /// Sends the key's order until it is answered.
    fn buy(&self, key: usize) {
        let (name, order) = (name(key), order(key).to_string());
        let headers = [("content-type", "application/json"), ("idempotency-key", &*name)];
        let started = Instant::now();
        loop {
            assert!(started.elapsed() < PATIENCE, "no answer to {name}");
            let host = self.host.read().expect("no writer panics").clone();
            match host.send("POST", "/checkout", &headers, Some(order.as_bytes())) {
                Ok(answer) if is_final(&answer) => {
                    let mut answers = self.answers.lock().expect("no client panics");
                    answers.entry(key).or_default().insert((answer.status, answer.text()));
                    return;
                }
                Ok(_) | Err(_) => sleep(PAUSE),
            }
        }
    }

    /// Sends it once, and doesn't wait for what comes of it.
    fn hang_up(&self, key: usize) {
        let address = self.host.read().expect("no writer panics").address.clone();
        // The host may be gone already.
        let Some(mut connection) = Raw::connect_if_listening(&address) else { return };
        let key_header = format!("idempotency-key: {}", name(key));
        connection.send(checkout_with(&[&key_header], order(key).to_string()));
    }
}

/// Returns whether the answer is the key's final one: neither `idempotency_key_in_flight` nor a 503.
fn is_final(answer: &Answer) -> bool {
    match answer.status {
        200 | 400 => true,
        409 => {
            assert_eq!(answer.code(), "idempotency_key_in_flight");
            false
        }
        503 => false,
        _ => panic!("{}", answer.text()),
    }
}

fn name(key: usize) -> String {
    format!("purchase-{key}")
}

/// Every seventh order is for an item of which there is too little for all.
fn order(key: usize) -> Value {
    let item = if key.is_multiple_of(7) { "laptop" } else { "headphones" };
    json!({ "item": item, "quantity": 1, "price": key })
}

#[test]
fn a_key_is_one_purchase_with_one_answer() {
    let mut dice = dice("keys");
    let keys = rounds(1_000, 10_000);
    let plan = || Host::plan().set("stock.headphones=1000000");
    let mut host = plan().start();
    let shop =
        Shop { host: RwLock::new(host.shop.clone()), next_key: AtomicUsize::new(0), keys, answers: Mutex::default() };
    let mut kills = 0;
    let host = scope(|scope| {
        let mut client = || {
            let (shop, seed) = (&shop, dice.random());
            scope.spawn(move || shop.buy_them_all(seed))
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| client()).collect();
        while clients.iter().any(|client| !client.is_finished()) {
            sleep(Duration::from_millis(dice.random_range(50..400)));
            let folder = host.kill().folder;
            host = plan().folder(&folder).start();
            *shop.host.write().expect("no client panics") = host.shop.clone();
            kills += 1;
        }
        host
    });

    // Whoever hung up asks once more.
    scope(|scope| {
        for first in 0..CLIENTS {
            let shop = &shop;
            scope.spawn(move || (first..keys).step_by(CLIENTS).for_each(|key| shop.buy(key)));
        }
    });
    let answers = shop.answers.into_inner().expect("no client panics");
    assert_eq!(answers.len(), keys);
    let mut references = BTreeSet::new();
    for (key, answers) in answers {
        assert_eq!(answers.len(), 1, "key {key} has two answers: {answers:#?}");
        for (status, body) in answers.into_iter().filter(|(status, _)| *status == 200) {
            let body: Value = serde_json::from_str(&body).expect("JSON");
            let reference = body["reference"].as_str().expect("a reference").to_owned();
            assert!(references.insert(reference), "key {key} shares its order: {status} {body}");
        }
    }
    let folder = host.stop().folder;
    let data = folder.path().join("data");
    assert_eq!(promises::broken(&data, &[]), [""; 0]);
    let store = rusqlite::Connection::open(data.join("till.db")).expect("the store opens");
    let mut reading = store.prepare("SELECT reference FROM orders WHERE status = 'COMPLETED'").expect("a query");
    let completed: BTreeSet<String> =
        reading.query_map([], |row| row.get(0)).expect("a query").map(|row| row.expect("a row")).collect();
    assert_eq!(completed, references, "orders = distinct keys acknowledged");
    println!("keys: {keys} keys, {} orders, {kills} kills", completed.len());
}
