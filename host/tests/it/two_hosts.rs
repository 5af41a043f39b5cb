//! Two tills that share the stock of a third, over a network that loses, delays, duplicates and reorders messages,
//! while any of the three is killed: exactly what they sold is gone from the stock.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread::sleep,
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use rusqlite::Connection;

use crate::support::{
    Client, Host, Plan, dice, eventually,
    http::order_of,
    promises::{Acknowledged, broken},
    rounds,
};

const ITEMS: [&str; 2] = ["espresso", "scarce"];
const OPENING: [u64; 2] = [10_000_000, 150];
const BUYERS: usize = 3;

/// What lies between the tills and their inventory.
#[derive(Debug)]
struct Network {
    address: String,
    inventory: RwLock<String>,
    dice: Mutex<StdRng>,
    /// Everything arrives, once, at once.
    calm: AtomicBool,
    messages_under_way: AtomicUsize,
    /// What the inventory answered to each deduct that it took, by reference.
    told: Mutex<BTreeMap<String, BTreeSet<String>>>,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Arrives,
    RequestLost,
    AnswerLost,
    /// After its sender has given up, perhaps after what was sent later.
    Late,
    Doubled,
}

/// A request or an answer, as it is on the wire.
struct Message {
    bytes: Vec<u8>,
    /// Of a deduct.
    reference: Option<String>,
    body: String,
}

impl Network {
    fn start(inventory: &str, seed: u64) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let network = Arc::new(Self {
            address: listener.local_addr().expect("it is bound").to_string(),
            inventory: RwLock::new(inventory.to_owned()),
            dice: Mutex::new(StdRng::seed_from_u64(seed)),
            calm: AtomicBool::new(false),
            messages_under_way: AtomicUsize::new(0),
            told: Mutex::default(),
        });
        let between = Arc::clone(&network);
        // Ends with the test process: a thread that waits for connections costs nothing.
        std::thread::spawn(move || {
            for till in listener.incoming().map_while(Result::ok) {
                let between = Arc::clone(&between);
                std::thread::spawn(move || {
                    between.messages_under_way.fetch_add(1, Relaxed);
                    between.carry(&till);
                    between.messages_under_way.fetch_sub(1, Relaxed);
                });
            }
        });
        network
    }

    /// Carries one request to the inventory, and its answer back. Whichever end is gone, the rest is lost.
    fn carry(&self, till: &TcpStream) -> Option<()> {
        let request = Message::read(till)?;
        let fate = self.fate();
        match fate {
            Fate::RequestLost => return None,
            Fate::Late => {
                // The till sees the connection break, and goes on.
                _ = till.shutdown(Shutdown::Both);
                self.delay(0..4_000);
            }
            Fate::Arrives | Fate::AnswerLost | Fate::Doubled => {}
        }
        let answer = if matches!(fate, Fate::Doubled) {
            std::thread::scope(|scope| {
                let second = scope.spawn(|| {
                    self.delay(0..30);
                    self.ask(&request)
                });
                let first = self.ask(&request);
                let second = second.join().expect("no panic");
                // Either may be the one that comes back.
                if self.throw(|dice| dice.random()) { first } else { second }
            })
        } else {
            self.ask(&request)
        }?;
        if !matches!(fate, Fate::AnswerLost) {
            let mut till = till;
            till.write_all(&answer.bytes).ok()?;
        }
        Some(())
    }

    fn fate(&self) -> Fate {
        if self.calm.load(Relaxed) {
            return Fate::Arrives;
        }
        match self.throw(|dice| dice.random_range(0..20)) {
            0 => Fate::RequestLost,
            1 => Fate::AnswerLost,
            2 => Fate::Late,
            3..6 => Fate::Doubled,
            6..9 => {
                self.delay(0..300);
                Fate::Arrives
            }
            _ => Fate::Arrives,
        }
    }

    fn ask(&self, request: &Message) -> Option<Message> {
        let inventory = self.inventory.read().expect("no writer panics").clone();
        let mut inventory = TcpStream::connect(inventory).ok()?;
        inventory.write_all(&request.bytes).ok()?;
        let answer = Message::read(&inventory)?;
        if let Some(reference) = request.reference.as_ref().filter(|_| answer.bytes.starts_with(b"HTTP/1.1 200 ")) {
            let mut told = self.told.lock().expect("nobody panics");
            told.entry(reference.clone()).or_default().insert(answer.body.clone());
        }
        Some(answer)
    }

    fn delay(&self, ms: std::ops::Range<u64>) {
        let ms = self.throw(|dice| dice.random_range(ms));
        sleep(Duration::from_millis(ms));
    }

    fn throw<T>(&self, throw: impl FnOnce(&mut StdRng) -> T) -> T {
        throw(&mut self.dice.lock().expect("nobody panics"))
    }
}

impl Message {
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut bytes = Vec::new();
        let (mut length, mut reference) = (0, None);
        loop {
            let start = bytes.len();
            reader.read_until(b'\n', &mut bytes).ok().filter(|read| *read > 0)?;
            let line = String::from_utf8_lossy(&bytes[start..]).trim_end().to_lowercase();
            match line.split_once(": ") {
                Some(("content-length", value)) => length = value.parse().ok()?,
                Some(("idempotency-key", value)) => reference = Some(value.to_owned()),
                Some(_) => {}
                None if line.is_empty() => break,
                None => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        bytes.extend(&body);
        Some(Self { bytes, reference, body: String::from_utf8(body).ok()? })
    }
}

/// One of the three.
struct Party {
    host: Option<Host>,
    plan: fn() -> Plan,
    inventory_url: Option<String>,
}

impl Party {
    fn new(plan: fn() -> Plan, inventory_url: Option<String>) -> Self {
        let mut party = Self { host: None, plan, inventory_url };
        party.host = Some(party.planned().start());
        party
    }

    fn planned(&self) -> Plan {
        let plan = (self.plan)();
        self.inventory_url.iter().fold(plan, |plan, url| plan.env("INVENTORY_URL", url))
    }

    fn host(&self) -> &Host {
        self.host.as_ref().expect("it runs")
    }

    fn kill_and_start(&mut self) {
        let folder = self.host.take().expect("it runs").kill().folder;
        self.host = Some(self.planned().folder(&folder).start());
    }

    /// Stops it in order and returns its store.
    fn store(mut self) -> (Connection, std::sync::Arc<tempfile::TempDir>) {
        let host = self.host.take().expect("it runs");
        // Its log is full of what the network did.
        let stopped = host.end();
        let store = Connection::open(stopped.folder.path().join("data").join("till.db")).expect("the store opens");
        (store, stopped.folder)
    }
}

fn inventory() -> Plan {
    ITEMS.iter().zip(OPENING).fold(Host::plan(), |plan, (item, pieces)| plan.set(format!("stock.{item}={pieces}")))
}

fn till() -> Plan {
    // So that a delay of the network's may be a lost answer.
    ["limits.inventory_call_ms=150", "limits.remote_call_ms=200"].into_iter().fold(Host::plan(), Plan::set)
}

#[test]
fn what_two_tills_sold_is_what_is_gone_from_the_third() {
    let mut dice = dice("two_hosts");
    let rounds = rounds(15, 200);
    let inventory = Party::new(inventory, None);
    let network = Network::start(&inventory.host().shop.address, dice.random());
    let url = format!("http://{}", network.address);
    let mut parties = [inventory, Party::new(till, Some(url.clone())), Party::new(till, Some(url))];
    let mut acknowledged = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        let enough = AtomicBool::new(false);
        let shops = [1, 2].map(|till| parties[till].host().shop.clone());
        std::thread::scope(|scope| {
            let enough = &enough;
            let buying = shops
                .each_ref()
                .map(|shop| (0..BUYERS).map(|_| scope.spawn(move || buy_until(enough, shop))).collect::<Vec<_>>());
            sleep(Duration::from_millis(dice.random_range(0..300)));
            let struck = dice.random_range(0..parties.len());
            parties[struck].kill_and_start();
            *network.inventory.write().expect("nobody panics") = parties[0].host().shop.address.clone();
            enough.store(true, Relaxed);
            for (buyers, acknowledged) in buying.into_iter().zip(&mut acknowledged) {
                acknowledged.extend(buyers.into_iter().flat_map(|buyer| buyer.join().expect("no panic")));
            }
        });
    }

    network.calm.store(true, Relaxed);
    for party in &parties[1..] {
        party.host().wait_for_unresolved(0);
    }
    eventually("the network to be empty", || (network.messages_under_way.load(Relaxed) == 0).then_some(()));
    let on_hand = ITEMS.map(|item| parties[0].host().on_hand(item));
    let [inventory, first, second] = parties.map(Party::store);
    let sold = ITEMS.map(|item| sold(&first.0, item) + sold(&second.0, item));
    let gone = [OPENING[0] - on_hand[0], OPENING[1] - on_hand[1]];
    assert_eq!(sold, gone, "sold = opening - on hand, by item");
    assert!(sold[0] > 0 && on_hand[1] < OPENING[1], "something was sold: {sold:?}");
    let told = network.told.lock().expect("nobody panics");
    for (till, acknowledged) in [&first.1, &second.1].into_iter().zip(&acknowledged) {
        assert_eq!(broken(&till.path().join("data"), acknowledged), [""; 0]);
    }
    let two: Vec<_> = told.iter().filter(|(_, bodies)| bodies.len() > 1).collect();
    assert!(two.is_empty(), "references with two answers: {two:?}");
    let released: u64 = count(&inventory.0, "SELECT count(*) FROM reservations WHERE state = 'released'", []);
    println!("two_hosts: {rounds} rounds, {sold:?} sold, {} deducts, {released} released", told.len());
}

/// Buys until it is enough or the host is gone, and returns what it was told it has.
fn buy_until(enough: &AtomicBool, shop: &Client) -> Vec<Acknowledged> {
    let shop = Client::new(&shop.address);
    let json = [("content-type", "application/json")];
    let orders = ITEMS.iter().cycle().map(|item| order_of(item, 1).to_string()).take_while(|_| !enough.load(Relaxed));
    let answers = orders.map_while(|order| shop.send("POST", "/checkout", &json, Some(order.as_bytes())).ok());
    let bought = answers.filter_map(|answer| match answer.status {
        200 => Some(Acknowledged::by(&answer)),
        // Sold out, unknown, overloaded: no order.
        400 | 502 | 503 => None,
        _ => panic!("{}", answer.text()),
    });
    bought.collect()
}

fn sold(store: &Connection, item: &str) -> u64 {
    count(
        store,
        "SELECT coalesce(sum(line.value ->> 'quantity'), 0) FROM orders, json_each(orders.lines) AS line
         WHERE status = 'COMPLETED' AND line.value ->> 'item' = ?1",
        [item],
    )
}

fn count(store: &Connection, query: &str, parameters: impl rusqlite::Params) -> u64 {
    let counted = store.query_row(query, parameters, |row| row.get::<_, i64>(0)).expect("a query");
    u64::try_from(counted).expect("a count")
}
