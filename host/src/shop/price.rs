//! What a cart costs, as the plugins at the hooks of track 0.2 and the host decide it. The same for a quote and a checkout.
//!
//! ```text
//! price_cart
//! ├─ cart_transform*          one after the other
//! ├─ validation*              these overlap
//! ├─ discounts*               these overlap
//! ├─ delivery_options*        these overlap
//! │  └─ http_call_by_plugin   CLIENT
//! ├─ delivery_discounts*      these overlap
//! ├─ delivery_menu*           one after the other
//! ├─ tax
//! └─ payment_menu*            one after the other
//! ```
//!
//! The events `offer_dropped` and `left_out` on `price_cart` say what doesn't count, and why. A checkout plugin other than the
//! built-in one decides about money itself: discounts and tax aren't asked then, and the plugin is told the lines that the
//! transforms left, and the chosen delivery as attributes.

mod ask;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use opentelemetry::{
    KeyValue,
    trace::{SpanContext, SpanKind},
};
use tokio::time::timeout;

use super::{
    Shop,
    stand_in::{self, Attempt},
};
use crate::{
    facts::Facts,
    failure::{Cause, Failure, Fault, Undelivered},
    hooks::{
        self, CartTransform, Decision as _, DeliveryDiscounts, DeliveryMenu, DeliveryOptions,
        Discounts as DiscountsHook, Kind, PaymentChoices, PaymentMenu, Purpose, Question, Request, Tax, Validation,
        basket_of,
    },
    imports::Moment,
    order::{Attribute, AttributeValue, BadReceipt, Cart, Item, MinorUnits, Receipt},
    pricing::{
        BadOutput, Basket, FoundViolation, HooksDecided, LeftOut, codes,
        delivery::{Chosen, DeliveryChoices, GroupId, choose, groups, put_together},
        delivery_discounts,
        discounts::Discounts,
        menu::PaymentMethod,
        offers::{CodeUse, Dropped},
        tax::Taxes,
        total::{Priced, taxables},
        transform::Catalogue,
    },
    runtime::Time,
    store::Store,
    telemetry::{
        names::{attribute, event, span},
        traces::Span,
    },
    versions::{Pinned, Snapshot},
};

use ask::Ask;

/// What a client asks for beside its cart.
#[derive(Debug, Clone)]
pub struct Wishes {
    pub codes: Vec<String>,
    /// The handle of the wanted delivery, by group.
    pub delivery: BTreeMap<GroupId, String>,
    /// The id of the wanted way to pay.
    pub payment: Option<String>,
    /// What is known of the customer, the addresses and the catalogue.
    pub facts: Facts,
    /// Whether the client says what it agrees to pay in all: nothing dearer is sold then.
    pub is_agreed: bool,
    /// Whether the request is itself its only line, as in the seed's form: it has no `lines` to point into.
    pub is_line: bool,
}

/// What a cart costs.
#[derive(Debug)]
pub(super) struct Price {
    /// What is ordered: the lines after the transforms, and the stock that leaves for them.
    pub(super) cart: Cart,
    /// `None` where the checkout plugin prices the cart.
    pub(super) receipt: Option<Receipt>,
    pub(super) decided: HooksDecided,
}

impl Shop {
    /// Returns what a cart costs by the pinned hooks; `None` if none is installed. A canary that is at fault is stood in for.
    ///
    /// # Errors
    /// Why it can't be sold, or which plugin fails.
    pub(super) async fn price(
        self: &Arc<Self>,
        pinned: &Pinned,
        cart: &Cart,
        wishes: &Wishes,
        (purpose, moment): (Purpose, Moment),
        parent: &SpanContext,
    ) -> Result<Option<Price>, Failure> {
        if !pinned.snapshot().has_hooks() {
            return Ok(None);
        }
        let span = self.tracer.start(span::PRICE, SpanKind::Internal, Some(parent), Vec::new());
        let attempt = PriceAttempt { shop: self, pinned, cart, wishes, purpose, moment, span };
        let (PriceAttempt { mut span, .. }, priced) = stand_in::decide(attempt, pinned, self.limits.price_ms).await;
        match &priced {
            Ok(price) => {
                let total = price.receipt.as_ref().map(|receipt| self.currency.to_f64(receipt.total()));
                total.into_iter().for_each(|total| span.set(attribute::QUOTE_TOTAL, total));
            }
            Err(failure) => failure.mark(&mut span),
        }
        span.end();
        priced.map(Some)
    }
}

/// The pinned hooks' decisions about a cart.
struct PriceAttempt<'a> {
    shop: &'a Arc<Shop>,
    pinned: &'a Pinned,
    cart: &'a Cart,
    wishes: &'a Wishes,
    purpose: Purpose,
    moment: Moment,
    span: Span,
}

impl Attempt for PriceAttempt<'_> {
    type Decided = Price;

    async fn decide(mut self, _: u32, time: Time) -> (Self, Result<Price, Failure>) {
        let Self { shop, pinned, cart, wishes, purpose, moment, .. } = self;
        let pricing =
            Pricing { shop, snapshot: pinned.snapshot(), cart, wishes, purpose, moment, span: &mut self.span };
        let whole = Duration::from_millis(shop.limits.price_ms);
        let within = match time {
            Time::Whole => whole,
            Time::Left(left) => left,
        };
        let late = |_| Failure::Late { after_ms: shop.limits.price_ms, setting: "price_ms" };
        let priced = timeout(within, Box::pin(pricing.price())).await.unwrap_or_else(|elapsed| Err(late(elapsed)));
        (self, priced)
    }

    async fn start_over(&mut self, failure: &Failure, _: &Snapshot, _: Duration) -> Result<(), Failure> {
        stand_in::tell(&mut self.span, self.pinned.snapshot(), failure);
        // Nothing was taken.
        self.pinned.take_over();
        Ok(())
    }
}

/// A cart to be priced.
struct Pricing<'a> {
    shop: &'a Arc<Shop>,
    snapshot: &'a Arc<Snapshot>,
    cart: &'a Cart,
    wishes: &'a Wishes,
    purpose: Purpose,
    moment: Moment,
    /// The span `price_cart`.
    span: &'a mut Span,
}

/// What is known of items: the catalogue, and which the stock has.
struct ShopItems {
    facts: Facts,
    store: Store,
}

impl Catalogue for ShopItems {
    fn known(&self, item: &Item) -> bool {
        self.store.knows(item) || Catalogue::known(&self.facts, item)
    }

    fn price(&self, item: &Item) -> Option<MinorUnits> {
        Catalogue::price(&self.facts, item)
    }

    fn title(&self, item: &Item) -> Option<String> {
        Catalogue::title(&self.facts, item)
    }
}

/// What the host has put together so far.
struct Stages<'a> {
    ask: Ask<'a>,
    question: Question<()>,
    /// Whether the client says what it agrees to pay in all.
    is_agreed: bool,
    decided: HooksDecided,
}

impl Pricing<'_> {
    /// Asks all hooks, and returns what the cart costs.
    ///
    /// # Errors
    /// Why it can't be sold, or which plugin fails.
    async fn price(self) -> Result<Price, Failure> {
        let Self { shop, snapshot, cart, wishes, purpose, moment, span } = self;
        let parent = span.context().clone();
        let items = ShopItems { facts: wishes.facts.of_call(), store: shop.store.clone() };
        let basket = basket_of(cart, &items);
        let basket = if wishes.is_line { basket.without_origins() } else { basket };
        let request = Request {
            purpose,
            at_ms: moment.now_ms(),
            currency: shop.currency,
            attributes: cart.attributes().to_vec(),
            codes: wishes.codes.clone(),
            catalogue: Arc::new(items),
        };
        let question = Question { request: Arc::new(request), basket: Arc::new(basket), rest: () };
        let ask = Ask { shop, snapshot, facts: &wishes.facts, moment, parent };
        let mut stages = Stages { ask, question, is_agreed: wishes.is_agreed, decided: HooksDecided::default() };
        let priced = stages.all(cart, wishes).await;
        stages.tell(span);
        let (cart, receipt) = priced?;
        Ok(Price { cart, receipt, decided: stages.decided })
    }
}

impl Stages<'_> {
    async fn all(&mut self, cart: &Cart, wishes: &Wishes) -> Result<(Cart, Option<Receipt>), Failure> {
        self.transform().await?;
        self.validate().await?;
        let owns_money = self.ask.snapshot.prices_by_hooks();
        let discounts = if owns_money { Some(self.discount().await?) } else { None };
        let chosen = self.deliver(wishes, discounts.as_ref()).await?;
        let basket = Arc::clone(&self.question.basket);
        let Some(discounts) = discounts else {
            let attributes = told_to_checkout(cart.attributes(), &chosen, self.ask.shop);
            return Ok((ordered(&basket, attributes)?, None));
        };
        let taxes = self.tax(&discounts, &chosen).await?;
        let priced = Priced::new((*basket).clone(), discounts, chosen, taxes);
        let priced = priced.ok_or_else(|| self.bad(Tax::KIND, "the total is 2^53 minor units or more".to_owned()))?;
        self.pay(wishes, priced.sums().total).await?;
        let cart = ordered(&basket, cart.attributes().to_vec())?;
        let receipt = priced.receipt(&cart, paid_with(wishes), self.ask.shop.plugins.rules().caps);
        let receipt = receipt.map_err(|bad: BadReceipt| self.bad(DiscountsHook::KIND, bad.to_string()))?;
        self.decided.priced = Some(priced);
        Ok((cart, Some(receipt)))
    }

    async fn transform(&mut self) -> Result<(), Failure> {
        let mut last = None;
        for plugin in self.ask.snapshot.of(CartTransform::KIND) {
            let decided = self.ask.one::<CartTransform>(plugin, &self.question).await?;
            self.question.basket = Arc::new(decided.outcome);
            last = Some(plugin.identity().at);
        }
        let Some(at) = last else { return Ok(()) };
        let bounds = self.ask.shop.plugins.rules().transform_bounds;
        let bad = |bad: BadOutput| Fault { at, cause: Cause::BadOutput { reason: bad.to_string() } };
        Ok(bounds.check(&self.question.basket).map_err(bad)?)
    }

    async fn validate(&mut self) -> Result<(), Failure> {
        for (at, answered) in self.ask.all::<Validation>(Validation::KIND, &self.question).await {
            let decided = match answered {
                Ok(decided) => decided,
                Err(failure) => {
                    self.leave_out(at, failure, false)?;
                    continue;
                }
            };
            let found = decided.answer.into_iter().zip(decided.outcome);
            let found = found.map(|(violation, field)| FoundViolation {
                code: violation.code,
                message: violation.message,
                field,
            });
            self.decided.violations.extend(found);
        }
        let is_refused = self.is_checkout() && !self.decided.violations.is_empty();
        if is_refused { Err(Failure::CartRefused(self.decided.violations.clone())) } else { Ok(()) }
    }

    async fn discount(&mut self) -> Result<Discounts, Failure> {
        let mut offers = Vec::new();
        for (at, answered) in self.ask.all::<DiscountsHook>(DiscountsHook::KIND, &self.question).await {
            match answered {
                Ok(decided) => offers.push(decided.outcome),
                Err(failure) => self.leave_out(at, failure, true)?,
            }
        }
        let max_percent = self.ask.shop.plugins.rules().caps.discount_max_percent;
        let discounts = Discounts::combine(&self.question.basket, &offers, max_percent);
        self.decided.dropped.extend(discounts.dropped.iter().cloned());
        self.check_adjustments(&discounts)?;
        Ok(discounts)
    }

    /// Checks how many discounts stand on the receipt: an offer on the order is one on each line.
    fn check_adjustments(&self, discounts: &Discounts) -> Result<(), Failure> {
        let max = self.ask.shop.limits.receipt_adjustments;
        let by: Vec<&str> = discounts.adjusted_by().map(|by| &**by).collect();
        if by.len() <= max {
            return Ok(());
        }
        let count_of = |at: &hooks::Installation| {
            let name = at.name.as_ref().map(|name| name.as_str());
            by.iter().filter(|by| Some(**by) == name).count()
        };
        let all = self.ask.snapshot.of(DiscountsHook::KIND).map(|plugin| plugin.identity().at);
        let most = all.max_by_key(count_of);
        let at = most.unwrap_or(hooks::Installation::of(DiscountsHook::KIND));
        let reason = format!(
            "with it, {} discounts on lines stand on the receipt, at most {max} are allowed (limits.receipt_adjustments)",
            by.len()
        );
        Err(Fault { at, cause: Cause::BadOutput { reason } }.into())
    }

    /// Returns the delivery of each group that has one.
    async fn deliver(&mut self, wishes: &Wishes, discounts: Option<&Discounts>) -> Result<Vec<Chosen>, Failure> {
        let installed = self.ask.snapshot.of(DeliveryOptions::KIND).next().is_some();
        let needs_shipping = |item: &Item| wishes.facts.product(item).is_none_or(|product| product.needs_shipping);
        let of_basket = groups(&self.question.basket, needs_shipping);
        let mut choices = Vec::new();
        for group in of_basket.into_iter().filter(|_| installed) {
            let question = self.question.with(group.clone());
            let mut offered = Vec::new();
            for (at, answered) in self.ask.all::<DeliveryOptions>(DeliveryOptions::KIND, &question).await {
                match answered {
                    Ok(decided) => offered.push(decided.outcome),
                    Err(failure) => {
                        let prefix = at.name.map(|name| format!("{name}/")).unwrap_or_default();
                        let is_wanted =
                            wishes.delivery.get(&group.id).is_some_and(|handle| handle.starts_with(&prefix));
                        self.leave_out(at, failure, !(is_wanted && self.is_checkout()))?;
                    }
                }
            }
            choices.push(put_together(group, offered));
        }
        let mut uses = Vec::new();
        if let Some(discounts) = discounts {
            choices = self.discount_delivery(choices, discounts, &mut uses).await?;
        }
        let entered = &self.question.request.codes;
        if let Some(discounts) = discounts {
            let uses = discounts.code_uses.iter().chain(&uses);
            let answers = codes::answers(entered, &discounts.verdicts, uses);
            self.decided.codes = entered.iter().cloned().zip(answers).collect();
        }
        for plugin in self.ask.snapshot.of(DeliveryMenu::KIND) {
            let question = self.question.with(Arc::from(choices));
            choices = self.ask.one::<DeliveryMenu>(plugin, &question).await?.outcome;
        }
        let chosen = self.choose(&choices, wishes);
        self.decided.choices = choices;
        chosen
    }

    async fn discount_delivery(
        &mut self,
        choices: Vec<DeliveryChoices>,
        discounts: &Discounts,
        uses: &mut Vec<CodeUse>,
    ) -> Result<Vec<DeliveryChoices>, Failure> {
        let question = self.question.with(Arc::from(choices.clone()));
        let mut offers = Vec::new();
        for (at, answered) in self.ask.all::<DeliveryDiscounts>(DeliveryDiscounts::KIND, &question).await {
            match answered {
                Ok(decided) => offers.push(decided.outcome),
                Err(failure) => self.leave_out(at, failure, true)?,
            }
        }
        let discounted = delivery_discounts::apply(choices, &offers, &discounts.taken);
        self.decided.dropped.extend(discounted.dropped);
        uses.extend(discounted.code_uses);
        Ok(discounted.choices)
    }

    /// Returns what the customer chooses. A quote for a choice that isn't offered any more shows what is, and takes the first.
    fn choose(&self, choices: &[DeliveryChoices], wishes: &Wishes) -> Result<Vec<Chosen>, Failure> {
        let undelivered = choices.iter().find(|choices| choices.options.is_empty());
        match choose(choices, &wishes.delivery) {
            Err(not_offered) if self.is_checkout() => Err(Failure::NotDelivered(not_offered.into())),
            Err(_) => Ok(choose(choices, &BTreeMap::new()).unwrap_or_default()),
            Ok(chosen) => match undelivered {
                Some(choices) if self.is_checkout() => {
                    Err(Failure::NotDelivered(Undelivered::NoOption(choices.group.id.0)))
                }
                _ => Ok(chosen),
            },
        }
    }

    async fn tax(&self, discounts: &Discounts, chosen: &[Chosen]) -> Result<Taxes, Failure> {
        let Some(plugin) = self.ask.snapshot.of(Tax::KIND).next() else { return Ok(Taxes::default()) };
        let category = |item: &Item| self.ask.facts.product(item)?.tax_category.clone();
        let taxables = taxables(&self.question.basket, discounts, chosen, category);
        let question = self.question.with(Arc::from(taxables));
        Ok(self.ask.one::<Tax>(plugin, &question).await?.outcome)
    }

    /// Asks which ways to pay are left, and checks the customer's choice.
    async fn pay(&mut self, wishes: &Wishes, due: MinorUnits) -> Result<(), Failure> {
        let mut methods: Vec<PaymentMethod> = self.ask.shop.payment_methods.iter().cloned().collect();
        for plugin in self.ask.snapshot.of(PaymentMenu::KIND) {
            let question = self.question.with(PaymentChoices { due, methods: methods.into() });
            methods = self.ask.one::<PaymentMenu>(plugin, &question).await?.outcome;
        }
        let is_offered = |wanted: &String| methods.iter().any(|method| method.id == *wanted);
        let refused = wishes.payment.as_ref().filter(|wanted| self.is_checkout() && !is_offered(wanted));
        let refused = refused.map(|wanted| Failure::NotPayable(wanted.clone()));
        self.decided.methods = methods;
        refused.map_or(Ok(()), Err)
    }

    fn is_checkout(&self) -> bool {
        self.question.request.purpose == Purpose::Checkout
    }

    /// Has the request go on without a plugin that failed, if the hook's rule, which is that of a quote, or the operator allows it.
    /// Without a discount a checkout only goes on if the client says what it agrees to pay.
    fn leave_out(&mut self, at: hooks::Installation, failure: Failure, goes_on_in_quotes: bool) -> Result<(), Failure> {
        let plugin = self.ask.snapshot.at(at);
        let lowers_price = [DiscountsHook::KIND, DeliveryDiscounts::KIND].contains(&at.kind);
        let may_cost_more = !lowers_price || !self.is_checkout() || self.is_agreed;
        let is_skipped = may_cost_more && plugin.is_some_and(crate::versions::Plugin::is_skipped);
        let of_options = at.kind == DeliveryOptions::KIND && goes_on_in_quotes;
        if !(is_skipped || of_options || (goes_on_in_quotes && !self.is_checkout())) {
            return Err(failure);
        }
        self.decided.left_out.push(LeftOut { at: at.to_string(), reason: failure.code() });
        Ok(())
    }

    /// Returns the fault of the hook's last plugin, or of the checkout plugin where there is none.
    fn bad(&self, kind: Kind, reason: String) -> Failure {
        let last = self.ask.snapshot.of(kind).last();
        let at = last.map_or(hooks::Installation::of(hooks::Kind::REQUIRED[0]), |plugin| plugin.identity().at);
        Fault { at, cause: Cause::BadOutput { reason } }.into()
    }

    /// Notes on the span what doesn't count.
    fn tell(&self, span: &mut Span) {
        for Dropped { by, reason, .. } in &self.decided.dropped {
            let attributes = vec![
                KeyValue::new(attribute::OFFER_BY, by.to_string()),
                KeyValue::new(attribute::OFFER_REASON, reason.as_str()),
            ];
            span.event(event::OFFER_DROPPED, attributes);
        }
        for LeftOut { at, reason } in &self.decided.left_out {
            let attributes = vec![
                KeyValue::new(attribute::PLUGIN_INSTALLATION, at.clone()),
                KeyValue::new(attribute::PLUGIN_OUTCOME, *reason),
            ];
            span.event(event::LEFT_OUT, attributes);
        }
    }
}

/// Returns the cart that is ordered.
fn ordered(basket: &Basket, attributes: Vec<Attribute>) -> Result<Cart, Failure> {
    let cart = basket.to_cart(attributes).map(|cart| cart.with_stock(basket.stock_lines()));
    // A basket has lines and a sum that a cart can have.
    cart.ok_or_else(|| Failure::Overloaded("the cart's size"))
}

/// Returns what a checkout plugin of track 0.1 is told beside the client's attributes: the chosen delivery, of one group or more.
fn told_to_checkout(of_client: &[Attribute], chosen: &[Chosen], shop: &Shop) -> Vec<Attribute> {
    let mut attributes = of_client.to_vec();
    for Chosen { group, option } in chosen {
        let suffix = if chosen.len() == 1 { String::new() } else { format!(".{}", group.0) };
        let mut tell = |key: &str, text: String| {
            attributes.push(Attribute { key: format!("{key}{suffix}"), value: AttributeValue::Text(text) });
        };
        tell("shipping.option", option.option.handle.clone());
        tell("shipping.cost", shop.currency.format(option.option.cost));
    }
    attributes
}

fn paid_with(wishes: &Wishes) -> Vec<Attribute> {
    let method = wishes.payment.clone().map(AttributeValue::Text);
    method.map(|value| Attribute { key: "payment.method".to_owned(), value }).into_iter().collect()
}
