//! A real Prometheus.

use std::{
    fs::File,
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{SystemTime, UNIX_EPOCH},
};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tempfile::TempDir;

use super::{Client, Host, eventually};

pub(crate) const PACKAGE: &str =
    "prometheus and promtool are there (Debian's package `prometheus`: apt-get install prometheus)";

const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../stack/prometheus/rules");

/// A Prometheus process that scrapes one host every second, with the stack's rules. Killed at its end.
#[derive(Debug)]
pub(crate) struct Prometheus {
    child: Child,
    pub(crate) api: Client,
    _folder: TempDir,
}

impl Prometheus {
    pub(crate) fn scraping(host: &Host) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }}\n\
             rule_files: ['{RULES}/recording.yml', '{RULES}/alerts.yml']\n\
             scrape_configs:\n  - job_name: till\n    static_configs:\n    \
             - {{ targets: ['{}'], labels: {{ service: order-service }} }}\n",
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
            prometheus.args(["--enable-feature", "exemplar-storage"]);
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
    pub(crate) fn wait_for_scrape(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock past 1970").as_secs_f64();
        eventually("a scrape", || {
            let scraped = self.values(r#"timestamp(up{job="till"}) and up{job="till"} == 1"#);
            scraped.first().is_some_and(|scraped| *scraped > now).then_some(())
        });
    }

    /// Returns the one value of the query.
    pub(crate) fn query(&self, query: &str) -> f64 {
        let values = self.values(query);
        assert_eq!(values.len(), 1, "{query}: {values:?}");
        values[0]
    }

    pub(crate) fn values(&self, query: &str) -> Vec<f64> {
        let answer = self.api.get(&format!("/api/v1/query?query={}", utf8_percent_encode(query, NON_ALPHANUMERIC)));
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        let answer = answer.json();
        let series = answer["data"]["result"].as_array().expect("a list of series");
        let value = |series: &Value| series["value"][1].as_str().expect("a value").parse().expect("a number");
        series.iter().map(value).collect()
    }

    /// Returns the exemplars that it has of a metric: trace ids with what was measured.
    pub(crate) fn exemplars(&self, metric: &str) -> Vec<(String, f64)> {
        let until = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock past 1970").as_secs() + 60;
        let query = utf8_percent_encode(metric, NON_ALPHANUMERIC);
        let answer = self.api.get(&format!("/api/v1/query_exemplars?query={query}&start=0&end={until}"));
        assert_eq!(answer.status, 200, "{metric}: {}", answer.text());
        let answer = answer.json();
        let series = answer["data"].as_array().expect("a list of series");
        let exemplars = series.iter().flat_map(|series| series["exemplars"].as_array().expect("a list"));
        let exemplar = |exemplar: &Value| {
            let trace_id = exemplar["labels"]["trace_id"].as_str().expect("a trace id").to_owned();
            (trace_id, exemplar["value"].as_str().expect("a value").parse().expect("a number"))
        };
        exemplars.map(exemplar).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
