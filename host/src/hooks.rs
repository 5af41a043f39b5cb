//! The hooks that a plugin can implement: what each is asked, how its answer is checked, and what it may call.
//!
//! A hook is one file in `hooks/` and its name in `hooks/kind.rs`, in [`visit`] and in [`info`]; nothing else in the host names
//! one. What runs, swaps, tries and shows plugins is generic over [`Hook`], or loops over [`Kind::ALL`].

mod answer;
mod answered;
mod cart_transform;
mod case;
mod checkout;
mod decision;
mod delivery_discounts;
mod delivery_menu;
mod delivery_options;
mod discounts;
mod inventory;
mod kind;
mod payment_menu;
mod question;
mod recorded;
mod tax;
mod track;
mod validation;
pub mod wit;

use std::collections::BTreeMap;

use serde_json::{Value, value::RawValue};
use wasmtime::component::{ComponentType, Lift, Lower};

pub use cart_transform::CartTransform;
pub use case::{CaseQuestion, Parts};
pub use checkout::{Checkout, Placed};
pub use decision::{Access, Decided, Decision};
pub use delivery_discounts::DeliveryDiscounts;
pub use delivery_menu::DeliveryMenu;
pub use delivery_options::DeliveryOptions;
pub use discounts::Discounts;
pub use inventory::Inventory;
pub use kind::{Installation, InstallationName, Kind, PerKind};
pub use payment_menu::{PaymentChoices, PaymentMenu};
pub use question::{Purpose, Question, Request, basket_of};
pub use tax::Tax;
pub use track::Track;
pub use validation::Validation;

use crate::{
    config::{Limits, Settings},
    facts::Facts,
    failure::Failure,
    imports::{self, CallState, inventory::Deduct},
    order::{Adjustment, Caps, Cart, Currency, MinorUnits, StockLine},
    pricing::transform::TransformBounds,
    recordings::{Body, Outcome},
    runtime::{CallLimits, Guest, Likeness},
    store::{Store, Taker},
};

/// The package of the interface.
pub const PACKAGE: &str = "till:plugin";

/// The interface through which a hook has its stock deducted.
pub const DEDUCT: &str = "inventory";
/// The interface through which a hook asks others.
pub const HTTP: &str = "http";

/// What is known of a hook without calling a plugin.
#[derive(Debug)]
pub struct HookInfo {
    /// The function that a plugin of the kind exports, in the interface of the kind's name.
    pub function: &'static str,
    /// The interfaces that only its world imports: those through which a call has effects ([`HookInfo::imports`] has
    /// all).
    pub doors: &'static [&'static str],
    /// The span of a call.
    pub span: &'static str,
    /// What the function takes beside the trace context, by the name that the WIT has for it.
    pub parameter: &'static str,
    /// The name of its decision in a case.
    pub decision: &'static str,
    /// Whether it is asked about prices, so that its author's cases have to name them.
    pub is_priced: bool,
    /// The most plugins of the kind that a shop may have.
    pub installed_max: usize,
    /// Whether an operator may have a request go on without a plugin that failed.
    pub may_be_skipped: bool,
    /// Whether its plugins decide what the customer pays, so that no checkout plugin may do so beside them.
    pub owns_money: bool,
    /// How long a call may take.
    pub call_limits: fn(&Limits) -> CallLimits,
    /// The plugin that is built into the binary, if there is one.
    pub built_in: Option<&'static [u8]>,
    pub track: &'static Track,
}

impl HookInfo {
    /// Returns what is the same for most hooks of track 0.2.
    const fn of_track(track: &'static Track) -> Self {
        Self {
            function: "",
            doors: &[],
            span: "",
            parameter: "",
            decision: "",
            is_priced: true,
            installed_max: 8,
            may_be_skipped: false,
            owns_money: false,
            call_limits: CallLimits::of_hook,
            built_in: None,
            track,
        }
    }
}

/// Returns what is known of a hook.
#[must_use]
pub const fn info(kind: Kind) -> &'static HookInfo {
    match kind {
        Kind::Checkout => &checkout::INFO,
        Kind::Inventory => &inventory::INFO,
        Kind::CartTransform => &cart_transform::INFO,
        Kind::Validation => &validation::INFO,
        Kind::Discounts => &discounts::INFO,
        Kind::DeliveryOptions => &delivery_options::INFO,
        Kind::DeliveryDiscounts => &delivery_discounts::INFO,
        Kind::DeliveryMenu => &delivery_menu::INFO,
        Kind::Tax => &tax::INFO,
        Kind::PaymentMenu => &payment_menu::INFO,
    }
}

/// Calls the visitor with the hook of that kind.
pub fn visit<V: Visitor>(kind: Kind, visitor: V) -> V::Output {
    match kind {
        Kind::Checkout => visitor.visit::<Checkout>(),
        Kind::Inventory => visitor.visit::<Inventory>(),
        Kind::CartTransform => visitor.visit::<CartTransform>(),
        Kind::Validation => visitor.visit::<Validation>(),
        Kind::Discounts => visitor.visit::<Discounts>(),
        Kind::DeliveryOptions => visitor.visit::<DeliveryOptions>(),
        Kind::DeliveryDiscounts => visitor.visit::<DeliveryDiscounts>(),
        Kind::DeliveryMenu => visitor.visit::<DeliveryMenu>(),
        Kind::Tax => visitor.visit::<Tax>(),
        Kind::PaymentMenu => visitor.visit::<PaymentMenu>(),
    }
}

/// What is done with a hook whose kind is known at run time only.
pub trait Visitor {
    type Output;

    fn visit<H: Hook>(self) -> Self::Output;
}

/// A hook: one function that a plugin exports, with what the host does before and after calling it.
pub trait Hook: Sized + Send + Sync + 'static {
    const KIND: Kind;

    /// What a plugin is asked about. A call borrows it; a shadow, which calls later, owns it.
    type Asked: ToOwned<Owned: Send + Sync + 'static> + Sync + ?Sized;
    /// The same in the interface's types.
    type Offered: ComponentType + Lower + Send + Sync + 'static;
    /// What the plugin's function returns, in the interface's types.
    type Returned: ComponentType + Lift + Send + Sync + 'static;
    /// The decision that the host accepts.
    type Decided: Send + Sync + 'static;
    /// A call's access to what it has effects on: the inventory or the stock.
    type Door: Send;
    /// What a call got through its access, for answering another call alike.
    type Met: Default + Send + 'static;

    /// Returns what a plugin of the kind is asked about in a checkout of that order.
    fn asked(placed: &Placed) -> <Self::Asked as ToOwned>::Owned;

    fn offered(asked: &Self::Asked) -> Self::Offered;

    /// Returns the call's likeness. Calls with the same likeness are expected to break a plugin alike.
    fn likeness(asked: &Self::Asked) -> Likeness;

    /// Returns the likeness of the call that a checkout of this cart would make.
    fn likeness_in(cart: &Cart) -> Likeness;

    /// Gives a call its access.
    fn open(imports: &mut CallState, door: Self::Door);

    /// Returns access to a real stock.
    fn real(stock: RealStock) -> Self::Door;

    /// Returns access without effects, which answers a call as another one was answered.
    fn repeating(met: Self::Met, store: &Store) -> Self::Door;

    /// Returns access without effects: there is enough of everything, and nothing is taken.
    /// A case says what a call of track 0.2 may ask.
    fn standing_in(case: Option<&CaseQuestion>) -> Self::Door;

    /// Returns what the call got through its access, and the lines that it asked the stock for.
    fn met(imports: &CallState) -> (Self::Met, Vec<StockLine>);

    /// Returns the lines that the call asked the stock for, if its hook reaches the stock.
    fn asked_of_stock(_: &CallState) -> Vec<StockLine> {
        Vec::new()
    }

    /// Writes the question of the call into its recording, and what the call got through its access.
    fn record(asked: &Self::Asked, imports: &CallState, body: &mut Body);

    /// Writes what of the recording depends on the answer.
    fn record_after(_: &Self::Asked, _: &Result<Self::Decided, Failure>, _: &CallState, _: &mut Body) {}

    /// Returns the decision as a case expects it; `None` if JSON can't have it.
    fn recorded_decision(asked: &Self::Asked, decided: &Self::Decided) -> Option<Box<RawValue>>;

    /// Returns the decision, if the answer agrees with what the host saw the call do.
    ///
    /// # Errors
    /// The plugin's rejection or fault, or a failure that others caused.
    fn believed(
        asked: &Self::Asked,
        returned: Result<Self::Returned, Failure>,
        imports: &mut CallState,
        rules: Rules,
    ) -> Result<Self::Decided, Failure>;

    /// Returns the parts of a decision that are compared with another version's.
    fn compared(decided: &Self::Decided) -> Compared;

    /// Returns what a decision comes to, minor units; `None` of a kind that decides about no sum.
    fn total(_: &Self::Decided) -> Option<u64> {
        None
    }

    /// Returns the decision for people and programs.
    fn shown(decided: &Self::Decided, currency: Currency) -> Shown;

    /// Checks that the hook can be asked the question of a case.
    ///
    /// Fails with what can't be read in it.
    fn check_case(_: &CaseQuestion) -> Result<(), String> {
        Ok(())
    }

    /// Returns the decision that a case expects, as it is [shown](Hook::shown).
    ///
    /// Fails with what can't be read in it.
    fn expected(written: &RawValue, currency: Currency) -> Result<ExpectedDecision, String>;
}

/// The parts of a decision that are compared with another version's.
#[derive(Debug, Default, PartialEq)]
pub struct Compared {
    /// Minor units.
    pub total: Option<u64>,
    pub adjustments: Vec<Adjustment>,
    /// A decision that has neither, as JSON.
    pub decision: Option<String>,
}

/// What a call has effects on, and what it may ask.
#[derive(Debug)]
pub struct RealStock {
    /// For a plugin that has its stock deducted.
    pub deduct: Box<dyn Deduct>,
    /// For a plugin that takes the stock itself.
    pub store: Store,
    pub taker: Taker,
    /// What another call saw of the stock: nothing is taken then, and the call sees the same.
    pub seen: Option<imports::stock::Seen>,
    /// For the plugins of track 0.2.
    pub facts: Facts,
    /// What others answer, in turn.
    pub http: Vec<imports::v0_2::http::Answer>,
}

/// The shop's rules that an answer has to keep.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    pub caps: Caps,
    pub transform_bounds: TransformBounds,
    pub delivery_cost_max: MinorUnits,
    pub tax_max_percent: u32,
}

impl Rules {
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let checkout = &settings.checkout;
        // What the currency can't hold is no cap.
        let floor = settings.shop.currency.of_units(checkout.added_max_floor);
        let Settings { cart_transform, delivery, tax, .. } = settings;
        Self {
            transform_bounds: TransformBounds {
                decrease_max_percent: cart_transform.decrease_max_percent,
                increase_max_percent: cart_transform.increase_max_percent,
            },
            delivery_cost_max: settings.shop.currency.of_units(delivery.cost_max).unwrap_or(MinorUnits::LARGEST),
            tax_max_percent: tax.max_percent,
            caps: Caps {
                discount_max_percent: checkout.discount_max_percent,
                added_max_percent: checkout.added_max_percent,
                added_max_floor: floor.unwrap_or(Caps::NONE.added_max_floor),
            },
        }
    }

    /// Returns the rules for an order whose prices say nothing about the shop's goods: what is added isn't held against
    /// them.
    #[must_use]
    pub const fn of_made_up_prices(self) -> Self {
        let Caps { added_max_percent, added_max_floor, .. } = Caps::NONE;
        Self { caps: Caps { added_max_percent, added_max_floor, ..self.caps }, ..self }
    }
}

/// A plugin's decision, of whichever kind it is.
#[derive(Debug)]
pub struct Shown {
    /// Its name in cases, and in the JSON of a rehearsal: [`HookInfo::decision`].
    pub name: &'static str,
    /// The heading above its lines.
    pub title: &'static str,
    pub lines: Vec<String>,
    /// What the plugin says of it besides, by key.
    pub attributes: Vec<String>,
    pub json: Value,
}

/// The decision that a case expects.
#[derive(Debug)]
pub struct ExpectedDecision {
    /// As [`Shown::lines`].
    pub lines: Vec<String>,
    /// As [`Shown::attributes`]; `None` if the case expects nothing of them.
    pub attributes: Option<Vec<String>>,
}

/// The result of a call, and what it got on the way.
pub struct Answered<H: Hook> {
    pub result: Result<H::Decided, Failure>,
    pub met: H::Met,
    /// The lines that the call asked the stock for.
    pub asked: Vec<StockLine>,
    /// How a recording says that the call ended; `None` if it isn't recorded.
    pub outcome: Option<Outcome>,
}

impl<H: Hook> std::fmt::Debug for Answered<H> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let outcome = self.result.as_ref().err().map_or("ok", Failure::code);
        out.debug_struct("Answered").field("outcome", &outcome).field("asked", &self.asked).finish_non_exhaustive()
    }
}

/// Calls the guest with this access, and checks its answer. Returns what the call got on the way if it `is_compared` or recorded;
/// a `recording` gets the members of the case that repeats the call.
pub async fn decide<H: Hook>(
    guest: &mut Guest<'_>,
    asked: &H::Asked,
    door: H::Door,
    rules: Rules,
    is_compared: bool,
    mut recording: Option<&mut Body>,
) -> Answered<H> {
    H::open(guest.imports(), door);
    let returned = guest.call::<H::Offered, H::Returned>(H::offered(asked)).await;
    let imports = guest.imports();
    if let Some(body) = &mut recording {
        H::record(asked, imports, body);
    }
    let (met, of_stock) = match (is_compared, recording.is_some()) {
        (true, _) => H::met(imports),
        (false, true) => (H::Met::default(), H::asked_of_stock(imports)),
        (false, false) => Default::default(),
    };
    let result = H::believed(asked, returned, imports, rules);
    let outcome = recording.map(|body| recorded::ended::<H>(asked, &result, &of_stock, imports, body));
    Answered { result, met, asked: of_stock, outcome }
}

impl HookInfo {
    /// Returns the names of the interfaces that the world of the kind imports.
    pub fn imports(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.track.shared.iter().chain(self.doors).copied()
    }

    /// Returns the full name of the interface that a plugin of that kind exports.
    #[must_use]
    pub fn interface(&self, kind: Kind) -> String {
        self.track.interface(kind.as_str())
    }
}

/// Returns what `host.setting` answers a plugin of the kind: what the host's settings say, and over it what was `set`.
#[must_use]
pub fn settings_of(kind: Kind, settings: &Settings, set: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    settings.of_plugins.of(kind).iter().chain(set).map(|(key, value)| (key.clone(), value.clone())).collect()
}
