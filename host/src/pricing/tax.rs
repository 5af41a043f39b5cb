//! Checks of the tax that a plugin has assessed.

use serde::{Deserialize, Serialize};

use super::{BadOutput, LineId, delivery::GroupId};
use crate::order::MinorUnits;

/// The most tax lines of an answer.
pub const TAX_LINES_MAX: usize = 400;

/// What is taxed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    Line(LineId),
    /// The chosen delivery of a group.
    Delivery(GroupId),
}

/// A subject with what is left of it after all discounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taxable {
    pub subject: Subject,
    pub amount: MinorUnits,
    pub category: Option<String>,
}

/// A tax on a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaxLine {
    pub subject: Subject,
    pub title: String,
    /// Parts per million; nothing is computed with it.
    pub rate: Option<u32>,
    pub amount: MinorUnits,
    /// Whether the subject's amount holds this tax already; else it is added.
    pub included: bool,
}

/// The tax of a request, checked. Without a tax plugin there is none: [`Taxes::default`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Taxes {
    lines: Vec<TaxLine>,
}

impl Taxes {
    /// Checks a plugin's tax lines; all added tax together is at most so many percent of the amounts.
    ///
    /// # Errors
    /// Names the first rule that the lines break.
    pub fn checked(lines: Vec<TaxLine>, taxables: &[Taxable], max_percent: u32) -> Result<Self, BadOutput> {
        todo!("{lines:?} {taxables:?} {max_percent}")
    }

    #[must_use]
    pub fn lines(&self) -> &[TaxLine] {
        &self.lines
    }
}
