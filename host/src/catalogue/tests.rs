//! Imports over a real store: what requests see, and what a start finds.

use super::*;
use crate::{app::store_settings, config::Sources, order::Item};

/// A store in a folder of its own, with these settings over the defaults.
struct Place {
    folder: tempfile::TempDir,
    set: Vec<String>,
}

impl Place {
    fn new(set: &[&str]) -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), set: set.iter().map(|set| (*set).to_owned()).collect() }
    }

    fn settings(&self) -> Settings {
        let mut sources = Sources::defaults();
        let data = format!("server.data={}", self.folder.path().display());
        sources.add_flags([data].iter().chain(&self.set)).expect("flags");
        Settings::load(&sources).expect("settings")
    }

    async fn open(&self) -> (Store, Arc<LiveCatalogue>) {
        let (store, _opened) = Store::open(&store_settings(&self.settings())).expect("opens");
        let live = LiveCatalogue::open(&self.settings(), store.clone()).await.expect("reads");
        (store, live)
    }
}

async fn import(live: &Arc<LiveCatalogue>, csv: &'static str, is_merged: bool) -> Result<Changes, ImportError> {
    live.import(ImportForm::Csv, Bytes::from_static(csv.as_bytes()), is_merged).await
}

fn items(live: &LiveCatalogue) -> String {
    live.now().after(None).map(|product| product.item.to_string()).collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_is_seen_at_once_and_after_a_start() {
    let place = Place::new(&[]);
    let (store, live) = place.open().await;
    let before = live.now();
    let changes = import(&live, "item,price\nmug,9.90\ntea,3\n", false).await.expect("imports");
    assert_eq!(changes, Changes { added: 2, ..Changes::default() });
    assert_eq!(items(&live), "mug tea");
    assert!(before.is_empty(), "a request keeps what it began with");
    let changes = import(&live, "item,price\nmug,9.95\n", true).await.expect("imports");
    assert_eq!(changes, Changes { changed: 1, ..Changes::default() });
    let refused = import(&live, "item,price\ncup,1\nmug,x\n", false).await.expect_err("a wrong line").to_string();
    assert!(refused.starts_with("line 3, column price"), "{refused}");
    assert_eq!(items(&live), "mug tea", "all or nothing");
    store.close().await;

    let (store, live) = place.open().await;
    let mug = live.now().product(&Item::parse("mug").expect("an item")).cloned().expect("a mug");
    assert_eq!((items(&live).as_str(), mug.price.map(|price| price.amount())), ("mug tea", Some(995)));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_is_merged_over_what_another_host_imported_meanwhile() {
    let place = Place::new(&[]);
    let (store, live) = place.open().await;
    let other = LiveCatalogue::open(&place.settings(), store.clone()).await.expect("reads");
    import(&other, "item\nmug\n", false).await.expect("imports");
    assert_eq!(items(&live), "", "this host hasn't looked yet");
    import(&live, "item\ntea\n", true).await.expect("imports");
    assert_eq!(items(&live), "mug tea");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_catalogue_has_a_limit_of_memory() {
    let place = Place::new(&["limits.catalogue_mib=1"]);
    let (store, live) = place.open().await;
    import(&live, "item\nmug\n", false).await.expect("imports");
    let rows: String = (0..10_000).map(|number| format!("item {number},{}\n", "x".repeat(100))).collect();
    let large = Bytes::from(format!("item,title\n{rows}"));
    let refused = live.import(ImportForm::Csv, large, true).await.expect_err("too large").to_string();
    assert!(refused.contains("limits.catalogue_mib"), "{refused}");
    assert_eq!(items(&live), "mug");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_with_another_currency_has_no_prices_until_the_next_import() {
    let mut place = Place::new(&[]);
    let (store, live) = place.open().await;
    import(&live, "item,price\nmug,9.90\n", false).await.expect("imports");
    store.close().await;
    place.set.push("shop.currency=JPY".to_owned());
    let (store, live) = place.open().await;
    let price =
        |live: &LiveCatalogue| live.now().after(None).next().and_then(|mug| mug.price).map(|price| price.amount());
    assert_eq!((items(&live).as_str(), price(&live)), ("mug", None));
    import(&live, "item,price\nmug,1500\n", false).await.expect("imports");
    assert_eq!(price(&live), Some(1_500));
    store.close().await;
}
