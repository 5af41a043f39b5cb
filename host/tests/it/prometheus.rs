//! The metrics as a real Prometheus sees them: scraped over HTTP, stored, and asked back in PromQL.

use std::{
    fs::File,
    io::Write,
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{SystemTime, UNIX_EPOCH},
};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Client, Host, eventually, http::order_of};

const PACKAGE: &str = "prometheus and promtool are there (Debian's package `prometheus`: apt-get install prometheus)";
const UNKNOWN_ITEMS: usize = 10_000;
/// Clients that buy unknown items, so that the test waits for the host and not for one answer at a time.
const CLIENTS: usize = 8;

#[test]
fn prometheus_reads_what_the_requests_imply() {
    let host = Host::start();
    let prometheus = Prometheus::scraping(&host);
    let cart = json!({ "lines": [
        { "item": "headphones", "quantity": 2, "price": 99.99 },
        { "item": "laptop", "quantity": 1, "price": 1299 },
    ] });
    for (status, answer) in [
        (200, host.shop.buy("headphones", 1)),
        (200, host.shop.buy("headphones", 2)),
        (200, host.shop.post("/checkout", &cart)),
        (400, host.shop.buy("headphones", 1_000)),
        (400, host.shop.buy("unicorn", 1)),
        (422, host.shop.buy("headphones", 0)),
        (404, host.shop.get("/nowhere")),
    ] {
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    prometheus.wait_for_scrape();

    let calls = |kind: &str, outcome: &str| {
        format!(r#"plugin_call_duration_seconds_count{{kind="{kind}",outcome="{outcome}",rollout="live"}}"#)
    };
    let requests = |part: &str, labels: &str| {
        format!(
            "http_server_request_duration_seconds_{part}{{{labels},http_request_method=\"POST\",\
             http_route=\"/checkout\",network_protocol_version=\"1.1\",url_scheme=\"http\"}}"
        )
    };
    for (query, expected) in [
        // Every cart that was one counts as a checkout, whatever came of it; the one of zero pieces was none.
        (r#"order_checkouts_total{item="headphones"}"#.to_owned(), 3.0),
        (r#"order_checkouts_total{item="multiple"}"#.to_owned(), 1.0),
        (r#"order_checkouts_total{item="other"}"#.to_owned(), 1.0),
        ("count(order_checkouts_total)".to_owned(), 3.0),
        (r#"order_revenue_USD_total{item="headphones"}"#.to_owned(), 299.97),
        (r#"order_revenue_USD_total{item="multiple"}"#.to_owned(), 1_498.98),
        ("count(order_revenue_USD_total)".to_owned(), 2.0),
        (r#"order_checkout_errors_total{item="headphones",reason="insufficient_stock"}"#.to_owned(), 1.0),
        (r#"order_checkout_errors_total{item="other",reason="insufficient_stock"}"#.to_owned(), 1.0),
        ("count(order_checkout_errors_total)".to_owned(), 2.0),
        (requests("count", r#"http_response_status_code="200""#), 3.0),
        (requests("bucket", r#"http_response_status_code="200",le="10.0""#), 3.0),
        (requests("bucket", r#"http_response_status_code="200",le="+Inf""#), 3.0),
        (requests("count", r#"http_response_status_code="400""#), 2.0),
        (requests("count", r#"http_response_status_code="422""#), 1.0),
        (r#"http_server_request_duration_seconds_count{http_response_status_code="404"}"#.to_owned(), 1.0),
        // The semantic conventions' 14 bounds and the infinite one.
        (format!("count({})", requests("bucket", r#"http_response_status_code="200""#)), 15.0),
        (calls("checkout", "ok"), 3.0),
        (calls("inventory", "ok"), 3.0),
        (calls("checkout", "insufficient_stock"), 2.0),
        (calls("inventory", "insufficient_stock"), 2.0),
        ("count(plugin_info)".to_owned(), 2.0),
        (r#"count(plugin_info{kind="checkout",plugin="checkout"})"#.to_owned(), 1.0),
    ] {
        let found = prometheus.query(&query);
        assert!((found - expected).abs() < 1e-6, "{query} is {found}, not {expected}\n{}", metrics(&host));
    }
    host.stop();
}

#[test]
fn unknown_items_add_no_series() {
    let host = Host::start();
    let prometheus = Prometheus::scraping(&host);
    let buy = |client: usize, number: usize| {
        let answer = host.shop.post("/checkout", &order_of(&format!("unknown-{client}-{number}"), 1));
        assert_eq!(answer.status, 400, "{}", answer.text());
    };
    const SERIES: &str = r#"count({job="till"})"#;
    // The first one brings the series of the label `other`, and the first scrape brings its own route's.
    buy(CLIENTS, 0);
    prometheus.wait_for_scrape();
    prometheus.wait_for_scrape();
    let before = prometheus.query(SERIES);

    std::thread::scope(|clients| {
        for client in 0..CLIENTS {
            clients.spawn(move || (0..UNKNOWN_ITEMS / CLIENTS).for_each(|number| buy(client, number)));
        }
    });
    prometheus.wait_for_scrape();
    let after = prometheus.query(SERIES);
    assert!((after - before).abs() < 0.5, "{before} series became {after}\n{}", metrics(&host));
    let counted = prometheus.query(r#"order_checkouts_total{item="other"}"#);
    assert!((counted - 10_001.0).abs() < 0.5, "{counted} checkouts were counted");
    host.stop();
}

#[test]
fn promtool_finds_nothing_in_the_metrics() {
    let host = Host::start();
    host.shop.buy("headphones", 1);
    host.shop.buy("headphones", 1_000);
    let page = metrics(&host);
    host.stop();

    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut checking = promtool.spawn().expect(PACKAGE);
    // Taken, so that it is closed and promtool sees the end.
    checking.stdin.take().expect("stdin is piped").write_all(page.as_bytes()).expect("promtool reads");
    let checked = checking.wait_with_output().expect("promtool ends");
    let found = [checked.stdout, checked.stderr].concat();
    let found = String::from_utf8_lossy(&found);
    assert!(checked.status.success() && found.trim().is_empty(), "{}\n{found}\n{page}", checked.status);
}

fn metrics(host: &Host) -> String {
    let page = host.shop.get("/metrics");
    assert_eq!(page.status, 200, "{}", page.text());
    page.text()
}

/// A Prometheus process that scrapes one host every second. Killed at its end.
struct Prometheus {
    child: Child,
    api: Client,
    _folder: TempDir,
}

impl Prometheus {
    fn scraping(host: &Host) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\nscrape_configs:\n  \
             - job_name: till\n    static_configs: [{{ targets: ['{}'] }}]\n",
            host.shop.address
        );
        std::fs::write(folder.path().join("prometheus.yml"), config).expect("the config is written");
        // It can't tell which port it found, so it gets one that was free a moment ago. Whoever else took it
        // meanwhile makes it end at once, and the next one is tried.
        let started = || {
            let port = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("it has one").port();
            let address = format!("127.0.0.1:{port}");
            let mut prometheus = Command::new("prometheus");
            prometheus.arg("--config.file").arg(folder.path().join("prometheus.yml"));
            prometheus.arg("--storage.tsdb.path").arg(folder.path().join("data"));
            prometheus.args(["--web.listen-address", &address, "--log.level", "warn"]);
            let log = File::create(folder.path().join("prometheus.log")).expect("a log");
            let mut child = prometheus.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect(PACKAGE);
            let api = Client::new(&address);
            let ready = || api.send("GET", "/-/ready", &[], None).is_ok_and(|answer| answer.status == 200);
            let runs = eventually("Prometheus to be ready", || match child.try_wait().expect("a child of ours") {
                Some(_ended) => Some(false),
                None => ready().then_some(true),
            });
            runs.then_some((child, api))
        };
        let (child, api) = std::iter::repeat_with(started).take(5).flatten().next().unwrap_or_else(|| {
            let log = std::fs::read_to_string(folder.path().join("prometheus.log")).unwrap_or_default();
            panic!("Prometheus doesn't start:\n{log}")
        });
        Self { child, api, _folder: folder }
    }

    /// Waits for a scrape that began after everything that has happened so far.
    fn wait_for_scrape(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock past 1970").as_secs_f64();
        eventually("a scrape", || {
            let scraped = self.values(r#"timestamp(up{job="till"}) and up{job="till"} == 1"#);
            scraped.first().is_some_and(|scraped| *scraped > now).then_some(())
        });
    }

    /// Returns the one value of the query.
    fn query(&self, query: &str) -> f64 {
        let values = self.values(query);
        assert_eq!(values.len(), 1, "{query}: {values:?}");
        values[0]
    }

    fn values(&self, query: &str) -> Vec<f64> {
        let answer = self.api.get(&format!("/api/v1/query?query={}", utf8_percent_encode(query, NON_ALPHANUMERIC)));
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        let answer = answer.json();
        let series = answer["data"]["result"].as_array().expect("a list of series");
        let value = |series: &Value| series["value"][1].as_str().expect("a value").parse().expect("a number");
        series.iter().map(value).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
