//! Converts a `Failure` and the store's errors into problems: into codes, whose statuses `code.rs` has. A trap is one of them, and 502.

use hyper::header::{HeaderValue, RETRY_AFTER};

use super::{super::quote::QuoteJson, Code, Problem, Shortage};
use crate::{
    failure::{Cause, Failure},
    store::{StockError, StoreError},
    versions::{CatalogueError, InstallError, SwapError},
};

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::from(&failure)
    }
}

impl From<&Failure> for Problem {
    fn from(failure: &Failure) -> Self {
        let problem = Self::new(failure.into(), failure.to_string());
        match failure {
            Failure::OutOfStock { item, requested, available } => {
                let (item, requested, available) = (item.to_string(), *requested, *available);
                Self { shortage: Some(Box::new(Shortage { item, requested, available })), ..problem }
            }
            Failure::QuoteChanged { quote, .. } => {
                Self { quote: serde_json::to_string(&QuoteJson::from(&**quote)).ok().map(Into::into), ..problem }
            }
            Failure::CartRefused(violations) => Self { errors: violations.iter().map(Into::into).collect(), ..problem },
            Failure::Rejected { code, .. } => Self { rejection: Some(code.as_str().into()), ..problem },
            Failure::Overloaded(_) => problem.with(RETRY_AFTER, HeaderValue::from_static("1")),
            Failure::BreakerOpen { retry_after, .. } => {
                let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
                problem.with(RETRY_AFTER, HeaderValue::from(seconds))
            }
            Failure::Store(error) => error.into(),
            _ => problem,
        }
    }
}

impl From<&Failure> for Code {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::OutOfStock { .. } => Self::InsufficientStock,
            Failure::QuoteChanged { .. } => Self::QuoteChanged,
            Failure::CartRefused(_) => Self::CartRefused,
            Failure::NotDelivered(_) => Self::NotDelivered,
            Failure::NotPayable(_) => Self::NotPayable,
            Failure::Late { .. } => Self::Deadline,
            Failure::Rejected { .. } => Self::Rejected,
            Failure::Conflict(_) => Self::InventoryConflict,
            Failure::ReferenceUsed(_) => Self::ReferenceUsed,
            Failure::Unavailable(_) => Self::Unavailable,
            Failure::Other(_) => Self::Other,
            Failure::InventoryUnreachable(_) => Self::InventoryUnreachable,
            Failure::InventoryRefused(_) => Self::InventoryRefused,
            Failure::Overloaded(_) => Self::Overloaded,
            Failure::BreakerOpen { .. } => Self::BreakerOpen,
            Failure::Store(_) => Self::StoreUnavailable,
            Failure::Fault(fault) => match fault.cause {
                Cause::Trap { .. } => Self::Trap,
                Cause::Cpu { .. } | Cause::Deadline { .. } => Self::Deadline,
                Cause::Memory { .. } => Self::Memory,
                Cause::HostCalls { .. } => Self::HostCalls,
                Cause::BadOutput { .. } => Self::BadOutput,
            },
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}

impl From<&StoreError> for Problem {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Overloaded { .. }
            | StoreError::Unavailable(_)
            | StoreError::OutcomeUnknown(_)
            | StoreError::Closed
            | StoreError::ReservationGone => Self::unavailable(Code::StoreUnavailable, error.to_string()),
            StoreError::OrderEnded { .. } | StoreError::OfLocalOrder | StoreError::ReferenceTaken => {
                Self::new(Code::ReferenceUsed, error.to_string())
            }
            StoreError::KeyTaken => Self::key_in_flight(error.to_string()),
            StoreError::CatalogueChanged => Self::new(Code::CatalogueChanged, error.to_string()),
            StoreError::PluginsChanged => Self::new(Code::RolloutState, error.to_string()),
            StoreError::NotWaiting => Self::new(Code::NotWaiting, error.to_string()),
            StoreError::RolloutOpen => Self::new(Code::RolloutOpen, error.to_string()),
            other => Self::internal(other),
        }
    }
}

impl From<StockError> for Problem {
    fn from(error: StockError) -> Self {
        match error {
            StockError::OutOfRange { .. } => Self::unacceptable(error.to_string()),
            StockError::Unknown { .. } => Self::not_found(error.to_string()),
            StockError::Store(error) => error.into(),
        }
    }
}

impl From<SwapError> for Problem {
    fn from(error: SwapError) -> Self {
        let detail = error.to_string();
        match error {
            SwapError::Refused(_)
            | SwapError::OtherKind { .. }
            | SwapError::Unusable { .. }
            | SwapError::NotPulled { .. }
            | SwapError::Catalogue(CatalogueError::Refused(_)) => Self::new(Code::PluginRefused, detail),
            SwapError::Settings
            | SwapError::UnknownSetting(_)
            | SwapError::Reuse(_)
            | SwapError::NotOfHook { .. }
            | SwapError::OnFailure
            | SwapError::Grant(_) => Self::unacceptable(detail),
            SwapError::NothingBefore { .. } | SwapError::NoVersion { .. } => Self::new(Code::NoSuchVersion, detail),
            SwapError::NoPlace { .. } => Self::unacceptable(detail),
            SwapError::NotInstalled { .. } => Self::new(Code::NotInstalled, detail),
            SwapError::Installing(InstallError::Required(_) | InstallError::Order { .. }) => Self::unacceptable(detail),
            SwapError::Installing(InstallError::NoSuchNeighbour { .. }) => Self::new(Code::NotInstalled, detail),
            SwapError::Installing(
                InstallError::Taken(_) | InstallError::Full { .. } | InstallError::TwoOwners { .. },
            ) => Self::new(Code::NotInstallable, detail),
            SwapError::Approval(_) => Self::new(Code::SecondPerson, detail),
            SwapError::NoApproval { .. } => Self::not_found(detail),
            SwapError::NoRollout => Self::new(Code::NoRollout, detail),
            SwapError::RolloutState(_) => Self::new(Code::RolloutState, detail),
            SwapError::Catalogue(CatalogueError::File(_)) => Self::new(Code::PluginFile, detail),
            SwapError::Store(error) | SwapError::Catalogue(CatalogueError::Store(error)) => error.into(),
            SwapError::Host(error) => Self::internal(&format_args!("{error:#}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        failure::{Fault, Undecided, Undelivered},
        hooks::{Installation, Kind},
        order::Item,
    };

    /// Metrics and spans have the failure's own word, clients the problem's code.
    #[test]
    fn a_failure_has_one_word_for_clients_and_operators() {
        let text = || String::from("why");
        let fault = |cause| Failure::Fault(Fault { at: Installation::of(Kind::Checkout), cause });
        let undecided = || Undecided::of_nobody("why");
        let failures = [
            Failure::OutOfStock { item: Item::parse("tea").expect("an item"), requested: 2, available: 1 },
            Failure::CartRefused(Vec::new()),
            Failure::NotDelivered(Undelivered::NoOption(1)),
            Failure::NotPayable(text()),
            Failure::Late { after_ms: 1, setting: "price_ms" },
            Failure::Rejected { code: text(), message: text() },
            Failure::Conflict(undecided()),
            Failure::Unavailable(undecided()),
            Failure::Other(undecided()),
            Failure::InventoryUnreachable(text()),
            Failure::InventoryRefused(text()),
            Failure::ReferenceUsed("why"),
            fault(Cause::Trap { message: text() }),
            fault(Cause::Cpu { after_ms: 1, setting: "guest_cpu_ms" }),
            fault(Cause::Deadline { after_ms: 1, setting: "request_ms" }),
            fault(Cause::Memory { message: text() }),
            fault(Cause::HostCalls { message: text() }),
            fault(Cause::BadOutput { reason: text() }),
            Failure::Overloaded("calls"),
            Failure::BreakerOpen { at: Installation::of(Kind::Checkout), retry_after: Duration::from_secs(1) },
            Failure::Store(StoreError::Closed),
        ];
        for failure in failures {
            assert_eq!(Problem::from(&failure).code(), failure.code(), "{failure}");
        }
    }
}
