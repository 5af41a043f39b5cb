//! Checks of the tax that a plugin has assessed.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::{BadOutput, Fault, LineId, Place, bad_output::count, delivery::GroupId};
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

impl fmt::Display for Subject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(LineId(id)) => write!(out, "line {id}"),
            Self::Delivery(GroupId(id)) => write!(out, "the delivery of group {id}"),
        }
    }
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
        let whole = |fault| Place::Answer.has(fault);
        count("tax lines", lines.len(), (0, TAX_LINES_MAX)).map_err(whole)?;
        // Of each subject its amount, whether it has a line, and the tax that it includes.
        let of = |taxable: &Taxable| (taxable.subject, (taxable.amount.amount(), false, 0));
        let mut subjects: BTreeMap<Subject, (u64, bool, u128)> = taxables.iter().map(of).collect();
        let mut added = 0_u128;
        for (index, line) in lines.iter().enumerate() {
            let no_subject = || Place::TaxLine(index).has(Fault::NoSuchSubject(line.subject.to_string()));
            let (_, has_line, included) = subjects.get_mut(&line.subject).ok_or_else(no_subject)?;
            *has_line = true;
            *(if line.included { included } else { &mut added }) += u128::from(line.amount.amount());
        }
        for (subject, (amount, has_line, tax)) in subjects {
            let subject = subject.to_string();
            if !has_line {
                return Err(whole(Fault::NoTaxLine(subject)));
            }
            if tax > amount.into() {
                return Err(whole(Fault::TooMuchIncluded { subject, tax, amount }));
            }
        }
        let amount = taxables.iter().map(|taxable| u128::from(taxable.amount.amount())).sum();
        if added * 100 > amount * u128::from(max_percent) {
            return Err(whole(Fault::TooMuchTax { tax: added, amount, percent_max: max_percent }));
        }
        Ok(Self { lines })
    }

    #[must_use]
    pub fn lines(&self) -> &[TaxLine] {
        &self.lines
    }
}
