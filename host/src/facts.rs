//! What the shop knows beside a cart: its catalogue, who buys, where the goods go, and the shop's own fields.
//!
//! A plugin asks for facts in lists. What a request knows is fixed when it begins, so every function answers the same at all
//! hooks. A trace has a digest of what was answered and no text of it.
//!
//! Invariants: a value here was checked when it was made. Personal details (a customer, an address) have no `Display`, and
//! their `Debug` prints nothing of them. The digest of personal details is keyed, so that nobody can guess them from a trace.

mod asked;
mod catalogue;
mod customers;
mod digest;
mod field;
mod import;
mod person;
mod stored;

use std::{collections::BTreeSet, fmt, sync::Arc};

use parking_lot::Mutex;

pub use asked::Asked;
pub use catalogue::{Catalogue, CatalogueTooLarge, Product};
pub use customers::{BadToken, Customers};
pub use digest::{DigestKey, FactsDigest};
pub use field::{BadField, FieldKey, FieldValue, Fields};
pub use import::{BadFile, Changes, ImportForm, ImportedFile};
pub use person::{Address, Customer, Locale};
pub use stored::{BadStored, Restored};

use digest::Question;

use crate::order::Item;

/// The most items or owners in one call, as in the plugins' interface.
pub const ASKED_MAX: usize = 200;

/// Whose field is asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    Shop,
    /// The customer of this request; without one there are no fields.
    Customer,
    /// An item of the catalogue, as the plugin wrote it.
    Product(String),
}

/// What one request or one trial knows. Cheap to clone; a clone remembers by itself what was asked of it.
pub struct Facts {
    known: Arc<Known>,
    asked: Mutex<BTreeSet<Question>>,
}

/// What is known, the same for all hooks of a request.
struct Known {
    catalogue: Products,
    buyer: Option<Arc<Customer>>,
    ship_to: Option<Arc<Address>>,
    bill_to: Option<Arc<Address>>,
    locale: Option<Locale>,
    key: DigestKey,
}

enum Products {
    Of(Arc<Catalogue>),
    /// Every item is known by its name, as in a trial.
    All,
}

/// What a client said beside its cart, checked. The facts of a request are made of it.
#[derive(Debug, Default)]
pub struct Said {
    pub buyer: Option<Customer>,
    pub ship_to: Option<Address>,
    pub bill_to: Option<Address>,
    pub locale: Option<Locale>,
}

impl Facts {
    /// Returns what a request knows: the catalogue as it is now, and what the client said.
    #[must_use]
    pub fn new(catalogue: Arc<Catalogue>, said: Said, key: DigestKey) -> Self {
        let Said { buyer, ship_to, bill_to, locale } = said;
        Self::of(Known {
            catalogue: Products::Of(catalogue),
            buyer: buyer.map(Arc::new),
            ship_to: ship_to.map(Arc::new),
            bill_to: bill_to.map(Arc::new),
            locale,
            key,
        })
    }

    /// Returns the facts of a trial: every item is known by its name, needs shipping and has no price; nobody buys.
    #[must_use]
    pub fn all_known() -> Self {
        Self::of(Known {
            catalogue: Products::All,
            buyer: None,
            ship_to: None,
            bill_to: None,
            locale: None,
            key: DigestKey::of_trials(),
        })
    }

    fn of(known: Known) -> Self {
        Self { known: Arc::new(known), asked: Mutex::default() }
    }

    /// Returns the same facts for another call, of which nothing was asked yet.
    #[must_use]
    pub fn of_call(&self) -> Self {
        self.clone()
    }

    /// Returns who buys; `None` without a valid token.
    #[must_use]
    pub fn buyer(&self) -> Option<Arc<Customer>> {
        self.asked.lock().insert(Question::Buyer);
        self.known.buyer.clone()
    }

    /// Returns the address that the goods go to.
    #[must_use]
    pub fn ship_to(&self) -> Option<Arc<Address>> {
        self.asked.lock().insert(Question::ShipTo);
        self.known.ship_to.clone()
    }

    /// Returns the address that the invoice goes to.
    #[must_use]
    pub fn bill_to(&self) -> Option<Arc<Address>> {
        self.asked.lock().insert(Question::BillTo);
        self.known.bill_to.clone()
    }

    /// Returns the language that the client asked for.
    #[must_use]
    pub fn locale(&self) -> Option<Locale> {
        self.asked.lock().insert(Question::Locale);
        self.known.locale.clone()
    }

    /// Returns one answer for each item, in their order; `None` for an item that the catalogue doesn't have. The caller
    /// checks that there are at most [`ASKED_MAX`].
    #[must_use]
    pub fn products(&self, items: &[String]) -> Vec<Option<Arc<Product>>> {
        self.asked.lock().extend(items.iter().cloned().map(Question::Product));
        items.iter().map(|item| self.known.product(item)).collect()
    }

    /// Returns what the catalogue has of an item, for the host itself: it doesn't count as asked.
    #[must_use]
    pub fn product(&self, item: &Item) -> Option<Arc<Product>> {
        self.known.product(item.as_str())
    }

    /// Returns the shop's own fields of that key, one answer for each owner, in their order. The caller checks that there
    /// are at most [`ASKED_MAX`].
    ///
    /// # Errors
    /// `BadField::Key` for a text that is no key.
    pub fn fields(&self, owners: &[Owner], key: &str) -> Result<Vec<Option<FieldValue>>, BadField> {
        let key = FieldKey::parse(key)?;
        let questions = owners.iter().cloned().map(|owner| Question::Field(owner, key.clone()));
        self.asked.lock().extend(questions);
        Ok(owners.iter().map(|owner| self.known.field(owner, &key)).collect())
    }

    /// Returns what was asked of this value and answered, and what is known of the items besides; `None` if that is nothing.
    #[must_use]
    pub fn asked(&self, items: &[String]) -> Option<Asked> {
        Asked::of(&self.asked.lock(), items, &self.known)
    }

    /// Returns a digest of what was asked of this value and answered; `None` if nothing was. The order of the questions and
    /// repeated ones change nothing. Equal digests of one host and process mean equal answers.
    #[must_use]
    pub fn digest(&self) -> Option<FactsDigest> {
        let asked = self.asked.lock();
        (!asked.is_empty()).then(|| digest::of_answers(&self.known.key, asked.iter(), &self.known))
    }
}

impl Clone for Facts {
    fn clone(&self) -> Self {
        Self { known: Arc::clone(&self.known), asked: Mutex::default() }
    }
}

/// Prints nothing that was said.
impl fmt::Debug for Facts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Facts").field("has_buyer", &self.known.buyer.is_some()).finish_non_exhaustive()
    }
}

impl Known {
    fn product(&self, item: &str) -> Option<Arc<Product>> {
        let item = Item::parse(item)?;
        match &self.catalogue {
            Products::Of(catalogue) => catalogue.product(&item).cloned(),
            Products::All => Some(Arc::new(Product::of_name(item))),
        }
    }

    fn field(&self, owner: &Owner, key: &FieldKey) -> Option<FieldValue> {
        match (owner, &self.catalogue) {
            (Owner::Customer, _) => self.buyer.as_ref()?.fields.get(key).cloned(),
            (Owner::Shop, Products::Of(catalogue)) => catalogue.shop_fields().get(key).cloned(),
            (Owner::Product(item), Products::Of(_)) => self.product(item)?.fields.get(key).cloned(),
            (Owner::Shop | Owner::Product(_), Products::All) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::MinorUnits;

    fn key(text: &str) -> FieldKey {
        FieldKey::parse(text).expect("a key")
    }

    fn customer() -> Customer {
        Customer {
            id: "c-17".into(),
            email: Some("ada@example.com".into()),
            tags: vec!["wholesale".into()],
            orders: Some(3),
            company: Some("Analytical Engines".into()),
            fields: [(key("loyalty.level"), FieldValue::Integer(2))].into(),
        }
    }

    fn address() -> Address {
        Address { lines: vec!["12 St James's Square".into()], phone: Some("555".into()), ..Address::in_country("GB") }
    }

    fn facts(said: Said) -> Facts {
        let item = Item::parse("mug").expect("an item");
        let price = MinorUnits::new(990);
        let fields = [(key("bundles.components"), FieldValue::Json("[]".into()))].into();
        let mug = Product { title: "Mug".into(), price, fields, ..Product::of_name(item) };
        let shop = [(key("shop.open"), FieldValue::Flag(true))].into();
        Facts::new(Arc::new(Catalogue::new([mug], shop)), said, DigestKey::of_trials())
    }

    fn texts<const N: usize>(items: [&str; N]) -> [String; N] {
        items.map(str::to_owned)
    }

    #[test]
    fn each_item_and_owner_has_an_answer_in_its_place() {
        let facts = facts(Said { buyer: Some(customer()), ..Said::default() });
        let answers = facts.products(&texts(["tea", "mug", "", "mug"]));
        let titles: Vec<_> = answers.iter().map(|product| product.as_ref().map(|known| known.title.as_str())).collect();
        assert_eq!(titles, [None, Some("Mug"), None, Some("Mug")]);

        let owners = [Owner::Product("tea".into()), Owner::Product("mug".into()), Owner::Shop, Owner::Customer];
        let check = |key: &str, expected: [Option<FieldValue>; 4]| {
            assert_eq!(facts.fields(&owners, key), Ok(expected.into()), "{key}");
        };
        check("bundles.components", [None, Some(FieldValue::Json("[]".into())), None, None]);
        check("shop.open", [None, None, Some(FieldValue::Flag(true)), None]);
        check("loyalty.level", [None, None, None, Some(FieldValue::Integer(2))]);
        assert!(facts.fields(&owners, "components").is_err(), "a key has a namespace");
    }

    #[test]
    fn a_trial_knows_every_item_and_nobody() {
        let facts = Facts::all_known();
        let answers = facts.products(&texts(["anything", " "]));
        let [Some(known), None] = answers.as_slice() else { panic!("{answers:?}") };
        assert_eq!((known.title.as_str(), known.price, known.needs_shipping), ("anything", None, true));
        assert!(facts.buyer().is_none() && facts.ship_to().is_none() && facts.locale().is_none());
        assert_eq!(facts.fields(&[Owner::Shop, Owner::Customer], "a.b"), Ok(vec![None, None]));
    }

    #[test]
    fn the_digest_is_of_answers_whatever_their_order() {
        let said = || Said { buyer: Some(customer()), ship_to: Some(address()), ..Said::default() };
        let (one, other) = (facts(said()), facts(said()));
        assert_eq!(one.digest(), None, "nothing was asked");
        _ = (one.products(&texts(["mug", "tea"])), one.ship_to());
        _ = (other.ship_to(), other.products(&texts(["tea"])), other.products(&texts(["mug", "mug"])));
        assert_eq!(one.digest(), other.digest());
        assert_eq!(one.of_call().digest(), None, "another call has asked nothing");

        let ask = |facts: &Facts| {
            _ = facts.ship_to();
            facts.digest().expect("asked")
        };
        let moved = Address { city: Some("London".into()), ..address() };
        let elsewhere = facts(Said { ship_to: Some(moved), ..said() });
        assert_ne!(ask(&facts(said())), ask(&elsewhere));
        assert_ne!(ask(&facts(said())), ask(&facts(Said::default())));
        let keyed = Facts::new(Arc::default(), said(), DigestKey::drawn());
        assert_ne!(ask(&facts(said())), ask(&keyed), "nobody can guess an address from its digest");
    }

    #[test]
    fn personal_details_are_printed_nowhere() {
        let said = Said { buyer: Some(customer()), ship_to: Some(address()), ..Said::default() };
        let printed = format!("{said:?}");
        let facts = facts(said);
        let printed = format!("{printed}{facts:?}{:?}{:?}", facts.buyer(), facts.ship_to());
        for detail in ["c-17", "ada", "wholesale", "Analytical", "James", "555", "GB"] {
            assert!(!printed.contains(detail), "{printed}");
        }
    }
}
