//! Tax on lines and delivery.

pub use super::bindings::tax::exports::till::plugin::tax::{Question, Subject, TaxLine, Taxable};
use super::{PartsPerMillion, share_of};
use crate::{NumberError, Rounding, ratio_of};

impl TaxLine {
    /// Returns the tax that is added to an amount.
    ///
    /// # Errors
    /// When the tax is no amount.
    pub fn added(on: &Taxable, title: &str, rate: PartsPerMillion, rounding: Rounding) -> Result<Self, NumberError> {
        let amount = share_of(on.amount, rate, rounding)?;
        Ok(Self { subject: on.subject, title: title.to_owned(), rate: Some(rate), amount, included: false })
    }

    /// Returns the tax that an amount holds already: of 119.00 at 19 % it is 19.00.
    ///
    /// # Errors
    /// When the tax is no amount.
    pub fn included(on: &Taxable, title: &str, rate: PartsPerMillion, rounding: Rounding) -> Result<Self, NumberError> {
        let amount = ratio_of(on.amount, u64::from(rate), 1_000_000 + u64::from(rate), rounding)?;
        Ok(Self { subject: on.subject, title: title.to_owned(), rate: Some(rate), amount, included: true })
    }

    /// Returns the line of a subject that is free of tax: each subject has at least one line.
    #[must_use]
    pub fn free(on: &Taxable, title: &str) -> Self {
        Self { subject: on.subject, title: title.to_owned(), rate: Some(0), amount: 0, included: false }
    }
}
