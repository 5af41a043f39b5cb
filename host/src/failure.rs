//! Why a checkout or a deduct came to nothing, as its caller has to tell them apart.

use std::time::Duration;

use crate::{
    hooks::Installation,
    order::{Item, MinorUnits},
    pricing::{FoundViolation, Quote, delivery::NotOffered},
    recordings::impersonal,
    store::StoreError,
    telemetry::traces::Span,
};

/// A "no" of the shop, a fault of a plugin, or a fault of the host.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{requested} of {item} asked for, {available} there")]
    OutOfStock { item: Item, requested: u32, available: u32 },
    /// The order costs something else than its client agreed to. It isn't sold.
    #[error("the order costs {} {currency} now, not {}", .quote.currency.format(.quote.receipt.total()), .quote.currency.format(*.agreed), currency = .quote.currency)]
    QuoteChanged { agreed: MinorUnits, quote: Box<Quote> },
    /// Plugins say what is wrong with the cart. It isn't sold.
    #[error("{}", violations(.0))]
    CartRefused(Vec<FoundViolation>),
    /// The customer asks for a delivery that isn't offered, or there is none for what is bought.
    #[error("{0}")]
    NotDelivered(Undelivered),
    /// The customer asks for a way to pay that isn't offered.
    #[error("there is no way to pay {0:?}")]
    NotPayable(String),
    #[error("{message}")]
    Rejected { code: String, message: String },
    /// Somebody was faster. To its customer 500.
    #[error(transparent)]
    Conflict(Undecided),
    /// Something that the decision needs isn't there. To its customer 502.
    #[error(transparent)]
    Unavailable(Undecided),
    /// Anything else that keeps it from deciding. To its customer 502.
    #[error(transparent)]
    Other(Undecided),
    /// The remote inventory can't be reached, or its answer is none: what it did is unknown.
    #[error("the inventory service can't be reached: {0}")]
    InventoryUnreachable(String),
    /// The remote inventory refused the request in a way that says nothing of the stock: what it did before is unknown.
    #[error("the inventory service refused the request: it answered {0}; compare what both tills are set to")]
    InventoryRefused(String),
    /// Stock was taken under the reference before, or it was released before it could be.
    #[error("the reference is used up: {0}")]
    ReferenceUsed(&'static str),
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The plugins that price a cart didn't answer in time, all together.
    #[error("the cart wasn't priced within {after_ms} ms (limits.{setting})")]
    Late { after_ms: u64, setting: &'static str },
    #[error("the host is at its limit of {0}; retry shortly")]
    Overloaded(&'static str),
    /// The plugin has broken so often that it isn't called for a while.
    #[error("the {at} plugin keeps breaking and isn't called for the next {} s", .retry_after.as_secs_f64().ceil())]
    BreakerOpen { at: Installation, retry_after: Duration },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why what is bought can't be delivered as the customer asks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    #[error(transparent)]
    NotOffered(#[from] NotOffered),
    #[error("nothing is offered for the delivery of group {0}")]
    NoOption(u32),
}

fn violations(all: &[FoundViolation]) -> String {
    all.iter().map(|violation| violation.message.as_str()).collect::<Vec<_>>().join("; ")
}

/// What is answered where no decision is made: neither a receipt nor a "no".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Undecided {
    /// The plugin here whose words these are; `None` if another till or the host said so.
    pub by: Option<Installation>,
    pub message: String,
}

impl Undecided {
    /// Returns what no plugin of this host said.
    pub fn of_nobody(message: impl Into<String>) -> Self {
        Self { by: None, message: message.into() }
    }
}

/// A plugin broke: it trapped, ran into a limit, or said what can't be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {at} plugin {cause}")]
pub struct Fault {
    pub at: Installation,
    pub cause: Cause,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    #[error("trapped: {message}")]
    Trap { message: String },
    #[error("used up its {after_ms} ms of CPU (limits.{setting})")]
    Cpu { after_ms: u64, setting: &'static str },
    #[error("did not answer within {after_ms} ms (limits.{setting})")]
    Deadline { after_ms: u64, setting: &'static str },
    #[error("wanted too much memory: {message}")]
    Memory { message: String },
    #[error("called the host too often: {message}")]
    HostCalls { message: String },
    #[error("gave an answer that can't be: {reason}")]
    BadOutput { reason: String },
}

impl Cause {
    /// All words that [`Cause::code`] has.
    pub const CODES: [&str; 5] = ["trap", "deadline", "memory", "host_calls", "bad_output"];

    /// Returns the cause's word in metrics, span attributes and problem documents.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Trap { .. } => "trap",
            Self::Cpu { .. } | Self::Deadline { .. } => "deadline",
            Self::Memory { .. } => "memory",
            Self::HostCalls { .. } => "host_calls",
            Self::BadOutput { .. } => "bad_output",
        }
    }
}

impl Failure {
    /// The state of a deduct that nobody waited for to the end.
    #[must_use]
    pub fn interrupted() -> Self {
        Self::Unavailable(Undecided::of_nobody("the deduct was cut off"))
    }

    /// Returns the failure's word in metrics, span attributes and problem documents. A closed set.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::OutOfStock { .. } => "insufficient_stock",
            Self::QuoteChanged { .. } => "quote_changed",
            Self::CartRefused(_) => "cart_refused",
            Self::NotDelivered(_) => "not_delivered",
            Self::NotPayable(_) => "not_payable",
            Self::Rejected { .. } => "rejected",
            Self::Conflict(_) => "inventory_conflict",
            Self::Unavailable(_) => "unavailable",
            Self::Other(_) => "other",
            Self::InventoryUnreachable(_) => "inventory_unreachable",
            Self::InventoryRefused(_) => "inventory_refused",
            Self::ReferenceUsed(_) => "reference_used",
            Self::Fault(fault) => fault.cause.code(),
            Self::Late { .. } => "deadline",
            Self::Overloaded(_) => "overloaded",
            Self::BreakerOpen { .. } => "breaker_open",
            Self::Store(_) => "store_unavailable",
        }
    }

    /// Returns whether an operator has to look: a business "no" is an outcome, everything else an error.
    #[must_use]
    pub const fn is_error(&self) -> bool {
        !matches!(
            self,
            Self::OutOfStock { .. }
                | Self::QuoteChanged { .. }
                | Self::CartRefused(_)
                | Self::NotDelivered(_)
                | Self::NotPayable(_)
                | Self::Rejected { .. }
        )
    }

    /// Returns whether the cause lies below the plugin that reports it, whatever that plugin makes of it.
    #[must_use]
    pub const fn is_of_host(&self) -> bool {
        matches!(
            self,
            Self::Fault(_)
                | Self::Overloaded(_)
                | Self::Late { .. }
                | Self::BreakerOpen { .. }
                | Self::Store(_)
                | Self::InventoryUnreachable(_)
                | Self::InventoryRefused(_)
                | Self::ReferenceUsed(_)
        )
    }

    /// Returns the plugin that is the cause of what its customer sees as 5xx, `None` where none is. The same
    /// for the probe, the gates, the breaker and a canary's stand-in:
    ///
    /// | cause | is the fault of |
    /// |---|---|
    /// | a trap, a limit, bad output | the plugin |
    /// | `other`, `unavailable`, `conflict` | the plugin that said so first; nobody's if another till did |
    /// | the host, its store, another till that can't be reached or refuses the request | nobody's |
    /// | out of stock, rejected, another total than agreed | nobody's: it is a business "no" |
    #[must_use]
    pub const fn at_fault(&self) -> Option<Installation> {
        match self {
            Self::Fault(Fault { at, .. }) | Self::BreakerOpen { at, .. } => Some(*at),
            Self::Conflict(undecided) | Self::Unavailable(undecided) | Self::Other(undecided) => undecided.by,
            _ => None,
        }
    }

    /// Returns what was answered instead of a decision, if that is what it is.
    #[must_use]
    pub const fn undecided(&self) -> Option<&Undecided> {
        match self {
            Self::Conflict(undecided) | Self::Unavailable(undecided) | Self::Other(undecided) => Some(undecided),
            _ => None,
        }
    }

    /// Returns the failure for another call to meet, if it is one that a shop can have; `None` if it is the host's.
    #[must_use]
    pub fn repeated(&self) -> Option<Self> {
        Some(match self {
            Self::OutOfStock { item, requested, available } => {
                Self::OutOfStock { item: item.clone(), requested: *requested, available: *available }
            }
            Self::Rejected { code, message } => Self::Rejected { code: code.clone(), message: message.clone() },
            Self::Conflict(message) => Self::Conflict(message.clone()),
            Self::Unavailable(message) => Self::Unavailable(message.clone()),
            Self::Other(message) => Self::Other(message.clone()),
            _ => return None,
        })
    }

    /// Writes the failure on the span of the call that it ended.
    pub fn mark(&self, span: &mut Span) {
        if self.is_error() {
            // A plugin's words may be a customer's.
            span.fail(self.code(), impersonal(&self.to_string()).into_owned());
        }
    }
}
