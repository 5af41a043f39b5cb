//! The lists of plugins' versions, rollouts and changes, page by page.

use std::{collections::BTreeMap, future::Future};

use super::{
    super::{
        ApprovalId, ApprovalRow, ApprovalState, Audited, HookChange, HookOrder, LIST_BYTES_MAX, Origin, Page,
        PluginEvent, PluginVersion, RolloutId, RolloutRow, RolloutState, Signer, Store, StoreError, SwapAction,
        VersionId, VersionState, VersionText,
    },
    On, Shop, on_each_database,
};
use crate::hooks::{Installation, InstallationName, Kind};

const WITH_TEXT: u64 = 300;
const TEXT_BYTES: usize = 8 * 1024;

/// Returns a version of a file, which a setting of some KiB tells apart.
pub(in crate::store) fn version(number: u64) -> VersionText {
    let setting = format!("{number}{}", "x".repeat(TEXT_BYTES));
    VersionText {
        at: Installation::of(Kind::Checkout),
        name: "checkout".into(),
        version: "0.1.0".into(),
        digest: "0a".repeat(32),
        bytes: 1,
        language: "Rust".into(),
        settings: BTreeMap::from([("text".into(), setting)]),
        origin: Origin::default(),
    }
}

/// Returns the numbers of all pages' rows, and how many pages there were. Each row holds a text of so many bytes.
async fn numbers<T, F>(
    limit: u32,
    number: impl Fn(&T) -> u64,
    page: impl Fn(Option<u64>, u32) -> F,
) -> (Vec<u64>, usize)
where
    F: Future<Output = Result<Page<T>, StoreError>>,
{
    let (mut numbers, mut pages) = (Vec::new(), 0);
    loop {
        let Page { rows, goes_on } = page(numbers.last().copied(), limit).await.expect("reads");
        assert!(rows.len() <= usize::try_from(limit).expect("few") && rows.len() * TEXT_BYTES <= LIST_BYTES_MAX);
        numbers.extend(rows.iter().map(&number));
        pages += 1;
        if !goes_on {
            return (numbers, pages);
        }
    }
}

on_each_database!(
    lists_of_plugins_are_read_page_by_page,
    a_hook_has_the_plugins_that_are_installed_in_their_order,
    a_version_says_where_it_is_from_and_who_signed_it,
    a_change_waits_until_it_is_decided_about_once,
);

async fn a_change_waits_until_it_is_decided_about_once(on: On) {
    let shop = Shop::new(on, &[]).await;
    let store: &Store = &shop.store;
    let name = |name: &str| InstallationName::parse(name).expect("a name");
    let at = Installation::named(Kind::Discounts, name("spring"));
    let text = VersionText { at, ..version(1) };
    let install = || HookChange::Install { version: text.clone(), before: Some(name("winter")) };
    let ask = async |change| store.ask_approval(change, "ada".into(), "a file".into()).await.expect("asks");
    let first = ask(install()).await;
    let HookChange::Install { version, before } = &first.change else { panic!("{first:?}") };
    assert_eq!((version.state, *before), (VersionState::Candidate, Some(name("winter"))));
    assert_eq!((first.state, &*first.reason, &*first.asked_by), (ApprovalState::Waiting, "a file", "ada"));
    assert_eq!(store.approval(first.id).await.expect("reads").as_ref(), Some(&first));
    assert_eq!(store.approval(ApprovalId::new(7).expect("a number")).await.expect("reads"), None);

    // Rejected, the version is withdrawn, and nobody decides again.
    store.reject_approval(first.id, "ben".into(), "not now".into()).await.expect("rejects");
    let rejected = store.approval(first.id).await.expect("reads").expect("is there");
    assert_eq!((rejected.state, &*rejected.reason, &*rejected.changed_by), (ApprovalState::Rejected, "not now", "ben"));
    assert_eq!(rejected.change.version().map(|version| version.state), Some(VersionState::Withdrawn));
    let again = store.reject_approval(first.id, "ben".into(), String::new()).await;
    assert!(matches!(again, Err(StoreError::NotWaiting)), "{again:?}");
    let order = HookOrder { kind: Kind::Discounts, names: vec![name("spring")] };
    let audited = |id: ApprovalId| Audited { approval: Some(id), ..Audited::new("ben", "approved") };
    let publish = async |id| {
        store.publish_plugin(None, text.clone(), Some(order.clone()), SwapAction::Install, audited(id)).await
    };
    let late = publish(first.id).await;
    assert!(matches!(late, Err(StoreError::NotWaiting)), "{late:?}");
    assert_eq!(store.live_plugin(at).await.expect("reads"), None);

    // Approved in the transaction that carries it out; what fails leaves it waiting.
    let (install, off, ordered) =
        (ask(install()).await, ask(HookChange::Uninstall { at }).await, ask(HookChange::Order(order.clone())).await);
    let published = publish(install.id).await.expect("installs");
    let taken = publish(off.id).await;
    assert!(matches!(taken, Err(StoreError::PluginsChanged)), "{taken:?}");
    store.reorder_plugins(order.clone(), audited(ordered.id)).await.expect("reorders");
    let states = async || {
        let rows = store.approvals(None, 10).await.expect("reads").rows;
        rows.iter().map(|row| (row.change.action(), row.state.as_str())).collect::<Vec<_>>()
    };
    let expected = [("order", "approved"), ("uninstall", "waiting"), ("install", "approved"), ("install", "rejected")];
    assert_eq!(states().await, expected);
    let empty = HookOrder { kind: Kind::Discounts, names: Vec::new() };
    store.uninstall_plugin(published, empty, audited(off.id)).await.expect("uninstalls");
    assert_eq!(states().await[1], ("uninstall", "approved"));
    let approvals = |after: Option<u64>, limit| store.approvals(after.and_then(ApprovalId::new), limit);
    assert_eq!(numbers(3, |row: &ApprovalRow| row.id.number(), approvals).await, (vec![4, 3, 2, 1], 2));
    let events = store.plugin_events(None, 20).await.expect("reads").rows;
    let told: Vec<_> = events.iter().rev().map(|event| format!("{} {}", event.action, event.detail)).collect();
    let expected = [
        "ask approval 1, install winter: a file",
        "reject not now",
        "ask approval 2, install winter: a file",
        "ask approval 3, uninstall: a file",
        "ask approval 4, order spring: a file",
        "install approved",
        "order spring: approved",
        "uninstall approved",
    ];
    assert_eq!(told, expected);
}

async fn a_version_says_where_it_is_from_and_who_signed_it(on: On) {
    let shop = Shop::new(on, &[]).await;
    let store: &Store = &shop.store;
    let origin = |at_ms| Origin {
        source: format!("oci://registry.example/spring:{at_ms}"),
        signer: Some(Signer { by: "release".into(), identity: None, at_ms: Some(at_ms) }),
    };
    let spring = |installation: &str, number: u64, origin: Origin| VersionText {
        at: Installation::named(Kind::Discounts, InstallationName::parse(installation).expect("a name")),
        name: "spring".into(),
        digest: format!("{number:064x}"),
        origin,
        ..version(number)
    };
    assert_eq!(store.last_signed_plugin(Kind::Discounts, "spring").await.expect("reads"), None);
    for (installation, number, origin) in
        [("one", 1, origin(30)), ("other", 2, origin(20)), ("other", 3, Origin::default())]
    {
        let text = spring(installation, number, origin);
        let published =
            store.publish_plugin(None, text.clone(), None, SwapAction::Deploy, Audited::new("ada", "")).await;
        let published = published.expect("is published");
        assert_eq!(published.text, text);
    }
    assert_eq!(store.last_signed_plugin(Kind::Discounts, "spring").await.expect("reads"), Some(30));
    for (kind, name) in [(Kind::Discounts, "autumn"), (Kind::Tax, "spring"), (Kind::DeliveryDiscounts, "spring")] {
        assert_eq!(store.last_signed_plugin(kind, name).await.expect("reads"), None, "{kind} {name}");
    }
    let known = |number: u64| async move { store.is_known_plugin(&format!("{number:064x}")).await.expect("reads") };
    assert_eq!((known(2).await, known(4).await), (true, false));
}

async fn lists_of_plugins_are_read_page_by_page(on: On) {
    let shop = Shop::new(on, &[]).await;
    let store: &Store = &shop.store;
    for number in 1..=WITH_TEXT {
        let reason = "x".repeat(TEXT_BYTES);
        store
            .publish_plugin(None, version(number), None, SwapAction::Deploy, Audited::new("ada", reason.clone()))
            .await
            .expect("publishes");
        let rollout = store.begin_rollout(version(number), "{}".into(), "ada".into(), reason.clone()).await;
        let id = rollout.expect("begins").id;
        store.change_rollout(id, RolloutState::Aborted, "ada".into(), reason).await.expect("aborts");
    }
    let newest_first: Vec<u64> = (1..=WITH_TEXT).rev().collect();

    let versions = |after: Option<u64>, limit| store.plugin_versions(after.and_then(VersionId::new), limit);
    let (numbers_of, pages) = numbers(1_000, |version: &PluginVersion| version.id.number(), versions).await;
    assert_eq!((numbers_of, pages), (newest_first.clone(), 3));
    assert_eq!(numbers(100, |version: &PluginVersion| version.id.number(), versions).await, (newest_first.clone(), 4));

    let rollouts = |after: Option<u64>, limit| store.rollouts(after.and_then(RolloutId::new), limit);
    let (numbers_of, pages) = numbers(1_000, |rollout: &RolloutRow| rollout.id.number(), rollouts).await;
    assert!(numbers_of == newest_first && pages > 3, "{pages} pages of {}", numbers_of.len());

    let of_event = |event: &PluginEvent| event.id;
    let (numbers_of, pages) = numbers(1_000, of_event, |after, limit| store.plugin_events(after, limit)).await;
    assert!(numbers_of.is_sorted_by(|earlier, later| earlier > later));
    assert!(numbers_of.len() == 3 * newest_first.len() && pages > 3, "{pages} pages of {}", numbers_of.len());
}

async fn a_hook_has_the_plugins_that_are_installed_in_their_order(on: On) {
    let shop = Shop::new(on, &[]).await;
    let store: &Store = &shop.store;
    let name = |name: &str| InstallationName::parse(name).expect("a name");
    let at = |of: &str| Installation::named(Kind::Discounts, name(of));
    let order = |names: &[&str]| HookOrder { kind: Kind::Discounts, names: names.iter().map(|of| name(of)).collect() };
    let install = async |of: &str, names: &[&str]| {
        let text = VersionText { at: at(of), ..version(1) };
        store.publish_plugin(None, text, Some(order(names)), SwapAction::Install, Audited::new("ada", "a file")).await
    };
    let names = async || {
        let names = store.hook_order(Kind::Discounts).await.expect("reads");
        names.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert!(names().await.is_empty() && store.live_plugins().await.expect("reads").is_empty());

    // The same file with the same settings, at two places.
    let spring = install("spring", &["spring"]).await.expect("installs");
    let winter = install("winter", &["winter", "spring"]).await.expect("installs");
    assert_ne!(spring.id, winter.id);
    let taken = install("spring", &["spring"]).await;
    assert!(matches!(taken, Err(StoreError::PluginsChanged)), "{taken:?}");
    assert_eq!(names().await, ["winter", "spring"], "what was refused changed nothing");
    let live = store.live_plugins().await.expect("reads");
    let live: Vec<_> = live.iter().map(|version| version.text.at.to_string()).collect();
    assert_eq!(live, ["discounts/spring", "discounts/winter"]);

    store.reorder_plugins(order(&["spring", "winter"]), Audited::new("ben", "")).await.expect("reorders");
    assert_eq!(names().await, ["spring", "winter"]);

    // A newer version is live: whoever looked before takes nothing off.
    let newer = VersionText { at: at("spring"), ..version(2) };
    let audited = Audited::new("ada", "a file");
    let newer = store.publish_plugin(Some(spring.id), newer, None, SwapAction::Deploy, audited).await.expect("deploys");
    let stale = store.uninstall_plugin(spring, order(&["winter"]), Audited::new("ben", "")).await;
    assert!(matches!(stale, Err(StoreError::PluginsChanged)), "{stale:?}");
    store.uninstall_plugin(newer.clone(), order(&["winter"]), Audited::new("ben", "")).await.expect("uninstalls");
    assert_eq!(
        (names().await, store.live_plugin(at("spring")).await.expect("reads")),
        (vec!["winter".to_owned()], None)
    );
    let good = store.last_good_plugin(at("spring")).await.expect("reads");
    assert_eq!(good.map(|version| version.id), Some(newer.id), "it can be put back");
    let events = store.plugin_events(None, 10).await.expect("reads").rows;
    let actions: Vec<_> = events.iter().map(|event| event.action.as_str()).collect();
    assert_eq!(actions, ["uninstall", "deploy", "order", "install", "install"]);
}
