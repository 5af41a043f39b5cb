//! Machines of other sizes than this one, with other clocks.

use crate::support::{
    Host,
    guests::file,
    host::till,
    machine::{command_with_cores, with_clock_ahead, with_cores},
};

/// wasmtime #8607, #7637: the pool reserves address space for every instance that may exist, and 20 cores' of 4 GiB are
/// more than there is.
#[test]
fn a_host_starts_on_any_number_of_cores() {
    for cores in [1, 20, 32, 64, 256] {
        let host = with_cores(Host::plan(), cores).start();
        assert_eq!(host.shop.buy("headphones", 1).status, 200, "{cores} cores");
        let said = host.log().iter().any(|line| line.to_string().contains("has room for"));
        assert_eq!(said, cores >= 20, "{cores} cores: what was taken away is said, {:?}", host.log());
        host.stop();
    }
}

#[test]
fn commands_that_make_one_call_reserve_for_one_call() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(
        folder.path().join("case.json"),
        r#"{"lines":[{"item":"tea","quantity":1,"price":5}],"stock":{"tea":1}}"#,
    )
    .expect("a case");
    let plugin = file("checkout_pricing");
    for (arguments, more) in [(&["plugin", "check"][..], &[][..]), (&["plugin", "run"], &["--input", "case.json"])] {
        let mut command = till();
        command.args(arguments).arg(&plugin).args(more).current_dir(folder.path());
        command_with_cores(&mut command, 256);
        let output = command.output().expect("till starts");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_host_starts_with_little_address_space_and_says_what_it_gave_up() {
    let host = Host::plan().address_space_max_mib(6 * 1024).start();
    assert_eq!(host.shop.buy("headphones", 1).status, 200);
    let log = host.log();
    let said = log.iter().filter_map(|line| line["message"].as_str()).find(|said| said.contains("has room for"));
    let said = said.unwrap_or_else(|| panic!("nothing is said: {log:?}"));
    assert!(said.contains("limits.concurrent_requests is") && said.contains("ulimit -v"), "{said}");
    host.stop();
}

/// valkey #2651, etcd #6700: an answer that is kept for a day must not be deleted because the clock jumped a day ahead.
#[test]
fn a_clock_that_jumps_forgets_no_answer() {
    let key = [("content-type", "application/json"), ("idempotency-key", "a-purchase")];
    let order = br#"{"item":"headphones","quantity":1,"price":99.99}"#;
    let buy = |host: &Host| host.shop.send("POST", "/checkout", &key, Some(order)).expect("an answer");
    let host = Host::start();
    let first = buy(&host).reference();
    let stopped = host.stop();
    // It looks for old answers when it starts.
    let host = with_clock_ahead(Host::plan().folder(&stopped.folder), 30).start();
    let later = host.shop.buy("headphones", 1).json();
    let order = host.admin.get(&format!("/orders/{}", later["order_id"])).json();
    assert!(
        order["placed_at_ms"].as_u64() > host.orders()[0]["placed_at_ms"].as_u64().map(|ms| ms + 29 * 3_600_000),
        "{order}"
    );
    let again = buy(&host);
    assert_eq!((again.reference(), again.header("idempotency-replayed")), (first, "true"));
    assert_eq!(host.orders().len(), 2);
    host.stop();
}
