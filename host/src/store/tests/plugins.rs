//! The lists of plugins' versions, rollouts and changes, page by page.

use std::{collections::BTreeMap, future::Future};

use super::{
    super::{
        LIST_BYTES_MAX, Page, PluginEvent, PluginVersion, RolloutId, RolloutRow, RolloutState, Store, StoreError,
        SwapAction, VersionId, VersionText,
    },
    On, Shop, on_each_database,
};
use crate::hooks::{Installation, Kind};

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

on_each_database!(lists_of_plugins_are_read_page_by_page,);

async fn lists_of_plugins_are_read_page_by_page(on: On) {
    let shop = Shop::new(on, &[]).await;
    let store: &Store = &shop.store;
    for number in 1..=WITH_TEXT {
        let reason = "x".repeat(TEXT_BYTES);
        store
            .publish_plugin(None, version(number), None, (SwapAction::Deploy, "ada".into(), reason.clone()))
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
