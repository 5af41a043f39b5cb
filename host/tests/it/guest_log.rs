//! How much of the log plugins may fill.

use crate::support::{Host, built_in_and, eventually};

const LINES_MAX: usize = 64;

/// Issue 15.2: the limit counted text, and 8,192 prints of one letter wrote 1.7 MB.
#[test]
fn a_call_prints_so_many_lines_and_no_more() {
    // The guest's cost for printing depends on the machine, and isn't tested here.
    let host = Host::plan().set("limits.guest_cpu_ms=2000").plugins(built_in_and("checkout_prints")).start();
    let answer = host.shop.buy("headphones", 1);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let trace = answer.trace_id();
    let seen = eventually("the trace", || {
        Some(host.admin.get(&format!("/api/traces/{trace}"))).filter(|got| got.status == 200)
    });
    assert!(seen.text().contains("plugin.dropped_log_lines"), "{}", seen.text());
    let metrics = host.shop.get("/metrics").text();
    let dropped = 8_192 - LINES_MAX;
    assert!(metrics.contains(&format!("plugin_log_lines_dropped_total{{kind=\"checkout\"}} {dropped}")), "{metrics}");
    let stopped = host.stop();
    assert_eq!(stopped.guest_lines().len(), LINES_MAX);
}

#[test]
fn a_plugin_writes_so_many_lines_a_second_and_says_once_that_there_were_more() {
    let plan =
        Host::plan().set("limits.guest_cpu_ms=2000").set("limits.plugin_log_lines=1").warns("logs more than 1 lines");
    let host = plan.plugins(built_in_and("checkout_prints")).start();
    for _ in 0..5 {
        assert_eq!(host.shop.buy("headphones", 1).status, 200);
    }
    let stopped = host.stop();
    assert!(stopped.guest_lines().len() < 5 * LINES_MAX, "{}", stopped.guest_lines().len());
    let told = stopped.log.iter().filter(|line| line.to_string().contains("logs more than")).count();
    assert_eq!(told, 1);
}
