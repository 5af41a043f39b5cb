//! A checkout without HTTP, on the built-in plugins and a store of its own.

use std::collections::BTreeMap;

use tempfile::TempDir;

use super::*;
use crate::{
    app::store_settings,
    config::Sources,
    facts::{DigestKey, Facts, Said},
    order::{Cart, Fingerprint, IdempotencyKey, Keyed, Line, MinorUnits, Quantity, Reference},
    telemetry::{self, LogFormat},
};

/// Returns what a client wants that agreed to nothing.
fn wanted(cart: Cart) -> Wanted {
    let facts = Facts::new(Arc::default(), Said::default(), DigestKey::of_trials());
    let wishes =
        Wishes { codes: Vec::new(), delivery: BTreeMap::new(), payment: None, facts, is_agreed: false, is_line: false };
    Wanted { cart, wishes, fingerprint: Fingerprint::of_body(b"cart"), agreed: None }
}

/// A shop that has ten headphones.
struct Opened {
    shop: Arc<Shop>,
    telemetry: Telemetry,
    _folder: TempDir,
}

impl Opened {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut sources = Sources::defaults();
        let data = format!("server.data={}", folder.path().display());
        sources.add_flags([&*data].into_iter()).expect("settings");
        let settings = Settings::load(&sources).expect("usable");
        let of_telemetry = telemetry::Settings::from_environment(|_| None, LogFormat::Json, "off", "USD");
        let telemetry = Telemetry::start(&of_telemetry.expect("usable")).expect("starts");
        let (store, _) = Store::open(&store_settings(&settings)).expect("opens");
        store.seed_stock(&[(item(), 10)]).await.expect("seeds");
        let plugins = Plugins::load(&settings, store.clone(), &telemetry).await.expect("the built-in ones");
        let told = |failure: &Failure, _: &str| Some(Answered { status: 400, body: failure.code().into() });
        let shop = Shop::new(&settings, (plugins, store), &telemetry, told, CancellationToken::new()).expect("a shop");
        Self { shop, telemetry, _folder: folder }
    }

    /// Buys `pieces` at 99.99 each, under that key; returns the answer, or why nothing was bought.
    async fn buys(&self, pieces: u32, key: Option<&str>) -> Result<Outcome, Refused<&'static str>> {
        let line = |quantity| {
            let unit_price = MinorUnits::new(9_999).expect("an amount");
            Line { item: item(), quantity, unit_price, attributes: Vec::new() }
        };
        let cart = Quantity::new(pieces).map(line).and_then(|line| Cart::new(vec![line], Vec::new()));
        let fingerprint = Fingerprint::of_body(&pieces.to_le_bytes());
        let keyed = |key| Keyed { key: IdempotencyKey::parse(key).expect("a key"), fingerprint };
        let asked = Asked {
            keyed: key.map(|key| KeyedRequest { keyed: keyed(key), body: fingerprint }),
            cart: cart.map(wanted).ok_or("no such cart"),
            reference: Reference::random(),
            pinned: Arc::new(self.shop.plugins.pin_live()),
            parent: SpanContext::NONE,
            carried: crate::telemetry::propagation::Carried::default(),
        };
        let told = |sold: &Sold<'_>| {
            let body = format!("{} of {}", sold.receipt.total().amount(), sold.id.number());
            Ok(Answered { status: 200, body: body.into() })
        };
        self.shop.checkout(asked, told).await
    }

    async fn left(&self) -> Option<u32> {
        self.shop.store.level(&item()).await.expect("reads")
    }

    async fn close(self) {
        self.shop.drained().await;
        self.shop.store.close().await;
        self.telemetry.shutdown(Duration::from_secs(1)).await;
    }
}

fn item() -> Item {
    Item::parse("headphones").expect("a name")
}

fn text(answer: &Answered) -> &str {
    std::str::from_utf8(&answer.body).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_needs_no_http() {
    let opened = Opened::new().await;
    let Ok(Outcome::First(first)) = opened.buys(2, Some("one")).await else { panic!("it is sold") };
    assert_eq!((first.status, text(&first)), (200, "19998 of 1"));
    let Ok(Outcome::Replayed(again)) = opened.buys(2, Some("one")).await else { panic!("it was sold") };
    assert_eq!((again, opened.left().await), (first, Some(8)));

    let refused = opened.buys(3, Some("one")).await;
    assert!(matches!(refused, Err(Refused::Key(KeyRefused::Reused))), "{refused:?}");
    let refused = opened.buys(0, None).await;
    assert!(matches!(refused, Err(Refused::Unsound("no such cart"))), "{refused:?}");
    let refused = opened.buys(9, Some("two")).await;
    assert!(matches!(refused, Err(Refused::Failed(Failure::OutOfStock { available: 8, .. }))), "{refused:?}");
    let Ok(Outcome::Replayed(again)) = opened.buys(9, Some("two")).await else { panic!("it was refused") };
    assert_eq!((text(&again), opened.left().await), ("insufficient_stock", Some(8)));
    opened.close().await;
}
