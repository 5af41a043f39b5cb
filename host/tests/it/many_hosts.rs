//! Several tills on one PostgreSQL: killed at any moment, and with a database that fails over. What was acknowledged is there, one
//! key is one purchase whichever host is asked, and every order has an end.

use std::{
    process::Command,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::{JoinHandle, sleep},
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    rollouts::{rollout, try_out},
    support::{
        Answer, Client, Host, OnDrop, Plan, dice, eventually,
        guests::{bytes_of, sample},
        host::run,
        http::order_of,
        postgres::{Server, query, try_query},
        rounds,
        shared_store::{self, UNSYNCHRONISED, check, migrate},
    },
};

const OPENING: u64 = 10_000_000;
const BUYERS: usize = 6;

fn plan(url: &str) -> Plan {
    Host::plan().sharing(url).set(format!("stock.espresso={OPENING}")).set("stock.scarce=40")
}

/// A purchase that a customer was told of.
#[derive(Debug, Clone)]
struct Bought {
    number: i64,
    reference: String,
    body: String,
}

/// Customers who buy with a key each time, at any of the hosts, and ask again until they have an answer.
struct Customers {
    addresses: Arc<RwLock<Vec<String>>>,
    enough: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
    buying: Vec<JoinHandle<Vec<Bought>>>,
}

impl Customers {
    fn start(addresses: Vec<String>, dice: &mut StdRng) -> Self {
        let (addresses, enough, count) = (Arc::new(RwLock::new(addresses)), Arc::default(), Arc::default());
        let buying = (0..BUYERS).map(|_| {
            let (addresses, enough, count) = (Arc::clone(&addresses), Arc::clone(&enough), Arc::clone(&count));
            let dice = StdRng::seed_from_u64(dice.random());
            std::thread::spawn(move || buy(&addresses, &enough, &count, dice))
        });
        let buying = buying.collect();
        Self { addresses, enough, count, buying }
    }

    fn now_at(&self, nth: usize, host: &Host) {
        self.addresses.write().expect("no panic")[nth].clone_from(&host.shop.address);
    }

    /// Waits until they have bought something more.
    fn until_they_buy(&self) {
        let before = self.count.load(Relaxed);
        eventually("purchases", || (self.count.load(Relaxed) > before + 10).then_some(()));
    }

    fn stop(self) -> Vec<Bought> {
        self.enough.store(true, Relaxed);
        self.buying.into_iter().flat_map(|buying| buying.join().expect("no panic")).collect()
    }
}

fn buy(addresses: &RwLock<Vec<String>>, enough: &AtomicBool, count: &AtomicU64, mut dice: StdRng) -> Vec<Bought> {
    let mut all: Vec<Bought> = Vec::new();
    let any_host = |dice: &mut StdRng| {
        let addresses = addresses.read().expect("no panic");
        Client::new(&addresses[dice.random_range(0..addresses.len())])
    };
    while !enough.load(Relaxed) {
        let key = format!("{:032x}", dice.random::<u128>());
        let item = if dice.random_range(0..20) == 0 { "scarce" } else { "espresso" };
        let cart = order_of(item, dice.random_range(1..4)).to_string();
        let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
        let ask = |client: Client| client.send("POST", "/checkout", &headers, Some(cart.as_bytes()));
        let until = Instant::now() + Duration::from_secs(60);
        let bought = loop {
            assert!(Instant::now() < until, "no answer for {key}");
            match ask(any_host(&mut dice)) {
                Ok(answer) if answer.status == 200 => {
                    let number = answer.json()["order_id"].as_i64().expect("a number");
                    break Some(Bought { number, reference: answer.reference(), body: answer.text() });
                }
                Ok(answer) if answer.status == 400 => break None,
                Ok(answer) if ![409, 500, 502, 503, 504].contains(&answer.status) => panic!("{}", answer.text()),
                // In flight, overloaded, cut off, or dead: nobody knows. The same key tells.
                Ok(_) | Err(_) => sleep(Duration::from_millis(dice.random_range(5..40))),
            }
        };
        let Some(bought) = bought else { continue };
        count.fetch_add(1, Relaxed);
        if dice.random_range(0..3) == 0
            && let Ok(again) = ask(any_host(&mut dice))
            && again.status == 200
        {
            assert_eq!((again.text(), again.reference()), (bought.body.clone(), bought.reference.clone()), "{key}");
        }
        all.push(bought);
    }
    all
}

/// Returns what is broken in the store, for those who were told that they bought something.
fn broken(url: &str, bought: &[Bought]) -> Vec<String> {
    shared_store::broken(url, bought.iter().map(|bought| (bought.number, bought.reference.as_str())))
}

/// Returns the orders from before that time that have no end.
fn unended(url: &str, before: &str) -> String {
    query(url, &format!("SELECT id FROM orders WHERE ended_at_ms IS NULL AND opened_at < '{before}'"))
}

#[test]
fn three_hosts_lose_nothing_while_any_of_them_is_killed() {
    let mut dice = dice("many hosts");
    let url = shared_store::make();
    let rounds = rounds(6, 100);
    let start = |folder: Option<&Arc<TempDir>>| match folder {
        Some(folder) => plan(&url).folder(folder).start(),
        None => plan(&url).start(),
    };
    let mut hosts: Vec<Option<Host>> = (0..3).map(|_| Some(start(None))).collect();
    let addresses = hosts.iter().flatten().map(|host| host.shop.address.clone()).collect();
    let customers = Customers::start(addresses, &mut dice);
    customers.until_they_buy();
    for round in 0..rounds {
        sleep(Duration::from_millis(dice.random_range(50..800)));
        let victim = dice.random_range(0..3);
        let folder = hosts[victim].take().expect("it runs").kill().folder;
        if round % 6 == 5 {
            // Nobody starts it again: the others settle what it had begun.
            let (killed_at, by_the_database) = (Instant::now(), query(&url, "SELECT clock_timestamp()"));
            eventually("no order without an end", || unended(&url, &by_the_database).is_empty().then_some(()));
            println!("many hosts: all settled {:?} after the kill", killed_at.elapsed());
        }
        let host = start(Some(&folder));
        customers.now_at(victim, &host);
        hosts[victim] = Some(host);
        customers.until_they_buy();
    }
    let bought = customers.stop();
    for host in hosts.into_iter().flatten() {
        host.end();
    }
    assert_eq!(broken(&url, &bought), [""; 0]);
    check(&url);
    println!("many hosts: {rounds} kills, {} orders acknowledged, none lost", bought.len());
}

/// Two servers, the second one a standby of the first.
struct Pair {
    primary: Server,
    standby: Server,
}

impl Pair {
    fn start(is_synchronous: bool) -> Self {
        let primary = Server::start(&["fsync=off", "max_connections=100"]);
        primary.run("postgres", "CREATE DATABASE shop").expect("is made");
        migrate(&primary.url("shop"));
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("is set");
        let copy = format!(
            "pg_basebackup -h 127.0.0.1 -p {} -U till -D \"$DATA\" -R -X stream -C -S s1 -c fast >\"$DATA.init\" 2>&1",
            primary.port
        );
        let standby = Server::prepare(folder, &copy, &["fsync=off", "max_connections=100", "cluster_name=s1"]);
        standby.wait();
        if is_synchronous {
            for sql in ["ALTER SYSTEM SET synchronous_standby_names = 's1'", "SELECT pg_reload_conf()"] {
                primary.run("postgres", sql).expect("is set");
            }
        }
        let wanted = if is_synchronous { "sync" } else { "async" };
        eventually("replication", || {
            (primary.run("postgres", "SELECT sync_state FROM pg_stat_replication")? == wanted).then_some(())
        });
        Self { primary, standby }
    }

    fn url(&self) -> String {
        let (first, second) = (self.primary.port, self.standby.port);
        format!("postgres://till@127.0.0.1:{first},127.0.0.1:{second}/shop?sslmode=disable")
    }

    /// Stops what the primary sends to the standby, as a cut cable would.
    fn cut(&self) {
        let sender = self.primary.run("postgres", "SELECT pid FROM pg_stat_replication").expect("there is one");
        signal("STOP", &[sender]);
    }

    /// Kills the primary with all its processes, and makes the standby the primary.
    fn fail_over(&self) {
        let server = self.primary.pid().to_string();
        let children = std::fs::read_to_string(format!("/proc/{server}/task/{server}/children")).expect("it runs");
        // The server itself first, for it would start anew after the loss of one of its processes.
        let all: Vec<String> = std::iter::once(server).chain(children.split_whitespace().map(str::to_owned)).collect();
        signal("KILL", &all);
        sleep(Duration::from_millis(500));
        let promoted = try_query(&self.standby.url("postgres"), "SELECT pg_promote(true, 30)");
        assert_eq!(promoted.as_deref(), Some("t"));
    }
}

fn signal(name: &str, processes: &[String]) {
    let sent = Command::new("kill").arg(format!("-{name}")).args(processes).status().expect("kill runs");
    assert!(sent.success() || name == "KILL", "{processes:?}");
}

/// Sells over a pair of servers of which the first one dies, and returns what was acknowledged and is lost.
fn lost_by_a_failover(is_synchronous: bool, is_cut: bool, dice: &mut StdRng) -> (usize, Vec<String>) {
    let pair = Pair::start(is_synchronous);
    let url = pair.url();
    let hosts = [(); 2].map(|()| plan(&url).start());
    let customers = Customers::start(hosts.iter().map(|host| host.shop.address.clone()).collect(), dice);
    customers.until_they_buy();
    sleep(Duration::from_millis(dice.random_range(100..600)));
    if is_cut {
        pair.cut();
        sleep(Duration::from_millis(700));
    }
    pair.fail_over();
    let promoted_at = Instant::now();
    customers.until_they_buy();
    println!("failover: sells again {:?} after the promotion", promoted_at.elapsed());
    let bought = customers.stop();
    let url = pair.standby.url("shop");
    eventually("no order without an end", || {
        query(&url, "SELECT 1 FROM orders WHERE status = 'PENDING' LIMIT 1").is_empty().then_some(())
    });
    for host in hosts {
        host.signal(rustix::process::Signal::TERM);
        let stopped = host.wait();
        assert!(stopped.status.success(), "{:#?}", stopped.log);
    }
    check(&url);
    (bought.len(), broken(&url, &bought))
}

#[test]
fn a_failover_with_a_synchronous_standby_loses_nothing() {
    let mut dice = dice("failover");
    let rounds = rounds(2, 10);
    let mut acknowledged = 0;
    for round in 0..rounds {
        let (bought, broken) = lost_by_a_failover(true, round % 2 == 1, &mut dice);
        assert_eq!(broken, [""; 0], "round {round}");
        acknowledged += bought;
    }
    println!("failover: {rounds} failovers, {acknowledged} orders acknowledged, none lost");
}

#[test]
fn a_failover_without_one_loses_what_the_standby_hadnt_heard_of() {
    let mut dice = dice("failover without");
    let (bought, broken) = lost_by_a_failover(false, true, &mut dice);
    let lost = broken.iter().filter(|what| what.starts_with("lost")).count();
    println!("failover without a synchronous standby: {lost} of {bought} acknowledged orders lost");
    assert!(lost > 0, "the test above would see a loss: {broken:?}");
}

/// A commit that waits for its standby isn't answered, and the server goes on waiting when the client has gone.
#[test]
fn while_the_standby_is_away_hosts_keep_their_leases_and_their_few_connections() {
    let pair = Pair::start(true);
    let plan = plan(&pair.url()).set("store.require_synchronous=on");
    let host = plan.warns("doesn't acknowledge commits").warns("checkout failed").start();
    assert_eq!(host.shop.buy("espresso", 1).status, 200);
    let shown = |sql: &str| pair.primary.run("shop", sql).expect("is answered");
    let connections = || {
        shown("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'till'").parse::<u32>().expect("a number")
    };
    // What hosts tell each other of a rollout waits for no standby either.
    let tried = try_out(&host.admin, "checkout_spans", &json!({ "canary": 1, "gates": { "calls_min": 1_000_000 } }));
    assert_eq!(tried.status, 200, "{}", tried.text());
    let before = connections();
    let senders = shown("SELECT pid FROM pg_stat_activity WHERE backend_type = 'walsender'");
    let senders: Vec<String> = senders.lines().map(str::to_owned).collect();
    signal("STOP", &senders);
    let late = host.shop.buy("espresso", 1);
    assert_eq!(late.status, 504, "{}", late.text());
    let since = Instant::now();
    let refused = eventually("orders are refused at once", || {
        let refused = host.shop.buy("espresso", 1);
        (refused.status == 503).then(|| refused.text())
    });
    assert!(refused.contains("store_unavailable"), "{refused}");
    assert_eq!(host.shop.get("/readyz").status, 503);
    // Longer than the lease, and than each lane waits for an answer.
    eventually("the time", || (since.elapsed() > Duration::from_secs(16)).then_some(()));
    assert_eq!(shown("SELECT count(*) FROM hosts WHERE until > clock_timestamp()"), "1", "the lease lasts");
    let exchanges =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE '%plugin_tallies%'";
    assert_eq!(shown(exchanges), "0");
    let now = connections();
    assert!(now <= before + 3, "{before} connections before, {now} now");
    signal("CONT", &senders);
    eventually("it sells again", || (host.shop.buy("espresso", 1).status == 200).then_some(()));
    let late = late.text();
    let (_, reference) = late.split_once("/orders/").expect("it says where to ask");
    let reference = reference.get(..36).expect("a reference");
    let ended = eventually("the late order has an end", || {
        let order = host.shop.get(&format!("/orders/{reference}")).json();
        (order["status"] != "PENDING").then_some(order)
    });
    println!("many hosts: the late order is {}", ended["status"]);
    host.end();
    assert_eq!(shared_store::broken(&pair.primary.url("shop"), std::iter::empty()), [""; 0]);
}

#[test]
fn a_host_says_that_its_database_has_no_synchronous_standby_and_may_refuse_that() {
    let url = shared_store::make();
    let host = plan(&url).warns(UNSYNCHRONISED).start();
    assert_eq!(host.shop.get("/readyz").status, 200);
    let charts = host.admin.get("/recent/charts").json();
    assert!(charts["warnings"][0].as_str().is_some_and(|warning| warning.contains("standby")), "{charts}");
    let metrics = host.admin.get("/metrics").text();
    assert!(metrics.lines().any(|line| line == "store_without_standby 1"), "{metrics}");
    host.stop();
    let refusal = plan(&url).set("store.require_synchronous=on").refusal();
    assert!(refusal.contains("synchronous_standby_names"), "{refusal}");
}

/// Returns the checkout plugin that an answer names.
fn ran(answer: &Answer) -> String {
    answer.header("till-plugins").split_once(", ").expect("two plugins").0.to_owned()
}

#[test]
fn what_one_host_makes_live_runs_on_all_before_its_answer() {
    let mut dice = dice("many hosts swap");
    let url = shared_store::make();
    let swaps = rounds(8, 1_000);
    let hosts = [(); 3].map(|()| plan(&url).start());
    let customers = Customers::start(hosts.iter().map(|host| host.shop.address.clone()).collect(), &mut dice);
    let plugins = ["checkout_discount", "checkout_spans"].map(|guest| (guest, bytes_of(guest)));
    let mut live = String::new();
    for swap in 0..swaps {
        let (name, bytes) = &plugins[swap % 2];
        let host = &hosts[dice.random_range(0..3)];
        let deployed = host.admin.deploy(name, "", bytes);
        assert_eq!(deployed.status, 200, "{}", deployed.text());
        assert_eq!(deployed.json().get("behind"), None, "{}", deployed.text());
        let now: Vec<String> = hosts.iter().map(|host| ran(&host.shop.get("/"))).collect();
        assert!(now.iter().all(|plugin| *plugin == now[0] && *plugin != live), "{live} then {now:?}");
        live.clone_from(&now[0]);
    }
    // One that comes later changes nothing of that.
    let late = plan(&url).start();
    assert_eq!(ran(&late.shop.get("/")), live);
    assert_eq!(ran(&hosts[0].shop.get("/")), live);
    let back = late.admin.post("/plugins/checkout/rollback", &json!({}));
    assert_eq!(back.status, 200, "{}", back.text());
    let now: Vec<String> = hosts.iter().map(|host| ran(&host.shop.get("/"))).collect();
    assert!(now.iter().all(|plugin| *plugin == now[0] && *plugin != live), "{now:?}");
    let bought = customers.stop();
    for host in hosts.into_iter().chain([late]) {
        host.end();
    }
    assert_eq!(broken(&url, &bought), [""; 0]);
    println!("many hosts: {swaps} swaps, {} orders acknowledged meanwhile", bought.len());
}

#[test]
fn what_is_installed_on_one_host_prices_carts_on_all_before_its_answer() {
    let url = shared_store::make();
    let hosts = [(); 3].map(|()| plan(&url).start());
    let cart =
        json!({ "lines": [{ "item": "headphones", "quantity": 3, "price": 10 }], "codes": ["WELCOME", "TWENTY"] });
    let costs = |total: f64| {
        for host in &hosts {
            let quote = host.shop.post("/quote", &cart);
            assert_eq!((quote.status, &quote.json()["total_price"]), (200, &json!(total)), "{}", quote.text());
        }
    };
    let done = |answer: Answer| {
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json().get("behind"), None, "{}", answer.text());
    };
    let file = std::fs::read(sample("percent-with-code")).expect("the sample");
    costs(30.0);
    done(hosts[0].admin.install("discounts/ten", "", &json!({}), &file));
    costs(27.0);
    done(hosts[1].admin.install("discounts/twenty", "", &json!({ "code": "TWENTY", "percent": "20" }), &file));
    costs(24.0);
    let more = json!({ "installation": "twenty", "set": { "percent": "30" } });
    done(hosts[2].admin.post("/plugins/discounts/settings", &more));
    costs(21.0);
    done(hosts[0].admin.post("/plugins/discounts/rollback", &json!({ "installation": "twenty" })));
    costs(24.0);
    done(hosts[1].admin.post("/plugins/discounts/uninstall", &json!({ "installation": "twenty" })));
    costs(27.0);
    // One that comes later has the same.
    let late = plan(&url).start();
    assert_eq!(late.shop.post("/quote", &cart).json()["total_price"], json!(27.0));
    for host in hosts.into_iter().chain([late]) {
        host.end();
    }
}

#[test]
fn a_canary_begins_and_ends_on_all_hosts_at_once_and_picks_the_same_customers() {
    let url = shared_store::make();
    let hosts = [(); 2].map(|()| plan(&url).start());
    let begun =
        try_out(&hosts[0].admin, "checkout_discount", &json!({ "canary": 50, "gates": { "calls_min": 1_000_000 } }));
    assert_eq!((begun.status, begun.json()["result"].as_str()), (200, Some("candidate")), "{}", begun.text());
    let picked = |host: &Host, key: &str| {
        let headers = [("idempotency-key", key)];
        let unsound =
            host.shop.post_with("/checkout", &headers, &json!({ "item": "nothing such", "quantity": 1, "price": 1 }));
        ran(&unsound)
    };
    let keys: Vec<String> = (0..40).map(|key| format!("customer-{key}")).collect();
    let on = |host: &Host| keys.iter().map(|key| picked(host, key)).collect::<Vec<_>>();
    let (first, second) = (on(&hosts[0]), on(&hosts[1]));
    assert_eq!(first, second);
    let versions: std::collections::BTreeSet<_> = first.iter().collect();
    assert_eq!(versions.len(), 2, "some customers have either: {versions:?}");
    let ended = hosts[1].admin.post("/plugins/rollout/abort", &json!({ "by": "ada", "reason": "enough" }));
    assert_eq!(ended.status, 200, "{}", ended.text());
    assert_eq!(on(&hosts[0]).into_iter().collect::<std::collections::BTreeSet<_>>().len(), 1);
    for host in hosts {
        host.end();
    }
}

#[test]
fn a_shop_moves_to_postgresql_and_back_with_its_orders_keys_and_plugins() {
    let url = shared_store::make();
    let stocked = || Host::plan().set("stock.espresso=100");
    let copy = |way: &str, folder: &Arc<TempDir>| {
        let data = folder.path().join("data");
        let copied = run(&["store", "copy", way, &data.to_string_lossy(), "--set", &format!("store.url={url}")]);
        let told = String::from_utf8_lossy(&copied.stdout).into_owned();
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        told
    };
    let buy = |host: &Host, key: &str| {
        let sold = host.shop.post_with("/checkout", &[("idempotency-key", key)], &order_of("espresso", 1));
        assert_eq!(sold.status, 200, "{}", sold.text());
        sold
    };
    let one = stocked().start();
    let deployed = one.admin.deploy("checkout_discount", "", &bytes_of("checkout_discount"));
    assert_eq!(deployed.status, 200, "{}", deployed.text());
    let first = buy(&one, "first");
    let live = ran(&first);
    let folder = one.stop().folder;
    let told = copy("--from", &folder);
    assert!(told.contains("orders") && told.contains("plugin files"), "{told}");

    // The second host has an empty folder: the plugin's file comes from the database.
    let shared = plan(&url).start();
    assert_eq!(buy(&shared, "first").text(), first.text());
    let second = buy(&shared, "second");
    assert_eq!((ran(&second), shared.on_hand("espresso")), (live.clone(), 98));
    shared.end();

    let back = Arc::new(tempfile::tempdir().expect("a folder"));
    copy("--to", &back);
    let again = stocked().folder(&back).start();
    assert_eq!((buy(&again, "first").text(), buy(&again, "second").text()), (first.text(), second.text()));
    let third = buy(&again, "third");
    assert!(third.json()["order_id"].as_u64() > second.json()["order_id"].as_u64(), "{}", third.text());
    assert_eq!((ran(&third), again.on_hand("espresso")), (live, 97));
    again.end();
}

/// The host that judges serves nobody: it knows of the canary's calls from the others.
#[test]
fn a_canary_that_breaks_on_other_hosts_is_rolled_back_once_and_on_all() {
    let url = shared_store::make();
    let hosts = [(); 3].map(|()| plan(&url).warns("is rolled back").start());
    let before = ran(&hosts[0].shop.get("/"));
    let gates = json!({ "canary": 20, "gates": { "calls_min": 50, "duration_ms": 600_000 } });
    let begun = try_out(&hosts[2].admin, "checkout_unlucky", &gates);
    assert_eq!((begun.status, begun.json().get("behind")), (200, None), "{}", begun.text());
    let enough = AtomicBool::new(false);
    let ended = std::thread::scope(|scope| {
        for host in &hosts[1..] {
            scope.spawn(|| {
                while !enough.load(Relaxed) {
                    let sold = host.shop.buy("espresso", 1);
                    assert_eq!(sold.status, 200, "{}", sold.text());
                }
            });
        }
        let _enough = OnDrop(&enough);
        eventually("the canary's end", || Some(rollout(&hosts[1].admin)).filter(|it| it["state"] == "rolled_back"))
    });
    assert!(ended["reason"].as_str().is_some_and(|why| why.contains("trapped")), "{ended:#}");
    assert_eq!(ended["changed_by"], "gates", "{ended:#}");
    for host in &hosts {
        eventually("the end on each host", || {
            let shown = rollout(&host.admin);
            (shown["state"] == "rolled_back" && ran(&host.shop.get("/")) == before).then_some(())
        });
    }
    let history = hosts[0].admin.get("/plugins/history").json();
    let rollbacks = history["events"].as_array().expect("events").iter().filter(|event| event["action"] == "rollback");
    assert_eq!(rollbacks.count(), 1, "{history:#}");
    for host in hosts {
        host.end();
    }
}

#[test]
fn what_the_hosts_count_of_a_rollout_is_summed_and_counted_anew_when_it_is_resumed() {
    let url = shared_store::make();
    let hosts = [(); 2].map(|()| plan(&url).start());
    let begun =
        try_out(&hosts[0].admin, "checkout_spans", &json!({ "canary": 100, "gates": { "calls_min": 1_000_000 } }));
    assert_eq!((begun.status, begun.json().get("behind")), (200, None), "{}", begun.text());
    let calls = |host: &Host| rollout(&host.admin)["figures"]["candidate"]["calls"].as_u64().expect("a count");
    let buy = |host: &Host, times: u64| (0..times).for_each(|_| assert_eq!(host.shop.buy("espresso", 1).status, 200));
    buy(&hosts[0], 3);
    buy(&hosts[1], 4);
    for host in &hosts {
        eventually("the sum", || (calls(host) == 7).then_some(()));
    }
    for change in ["pause", "resume"] {
        let changed = hosts[1].admin.post(&format!("/plugins/rollout/{change}"), &json!({ "by": "ada" }));
        assert_eq!(changed.status, 200, "{}", changed.text());
    }
    buy(&hosts[0], 2);
    for host in &hosts {
        eventually("the sum since then", || (calls(host) == 2).then_some(()));
    }
    for host in hosts {
        host.end();
    }
}
