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

#[cfg(test)]
mod tests {
    use proptest::{bool, collection::vec, prop_assert_eq, proptest, strategy::Strategy};

    use super::*;
    use crate::pricing::samples::{LARGEST, minor};

    const LINE: Subject = Subject::Line(LineId(1));
    const DELIVERY: Subject = Subject::Delivery(GroupId(1));

    fn taxable(subject: Subject, amount: u64) -> Taxable {
        Taxable { subject, amount: minor(amount), category: None }
    }

    fn tax(subject: Subject, amount: u64, included: bool) -> TaxLine {
        TaxLine { subject, title: "VAT".into(), rate: Some(u32::MAX), amount: minor(amount), included }
    }

    #[test]
    fn tax_is_within_its_rules() {
        let check = |lines: &[TaxLine], expected: Result<(), &str>| {
            let taxables = [taxable(LINE, 1_000), taxable(DELIVERY, 500)];
            let taxes = Taxes::checked(lines.to_vec(), &taxables, 20).map_err(|refused| refused.to_string());
            if let Ok(taxes) = &taxes {
                assert_eq!(taxes.lines(), lines);
            }
            assert_eq!(taxes.map(|_| ()), expected.map_err(str::to_owned), "{lines:?}");
        };
        let free = tax(DELIVERY, 0, false);
        check(&[tax(LINE, 190, false), free.clone()], Ok(()));
        check(
            &[tax(LINE, 190, false)],
            Err("the answer has no tax line for the delivery of group 1; one that is free of tax has a line of 0"),
        );
        check(
            std::slice::from_ref(&free),
            Err("the answer has no tax line for line 1; one that is free of tax has a line of 0"),
        );
        let unknown = Err("tax line 3 names line 2, which isn't taxed here");
        check(&[tax(LINE, 0, true), free.clone(), tax(Subject::Line(LineId(2)), 0, true)], unknown);
        let group = Err("tax line 1 names the delivery of group 2, which isn't taxed here");
        check(&[tax(Subject::Delivery(GroupId(2)), 0, true)], group);
        // Several taxes of one subject count together.
        check(&[tax(LINE, 600, true), tax(LINE, 400, true), free.clone()], Ok(()));
        let included = Err("the answer includes 1001 minor units of tax in line 1, which costs 1000");
        check(&[tax(LINE, 600, true), tax(LINE, 401, true), free.clone()], included);
        // 20 % of all amounts, wherever it is added; what is included isn't.
        check(&[tax(LINE, 0, false), tax(DELIVERY, 300, false)], Ok(()));
        check(&[tax(LINE, 1_000, true), tax(DELIVERY, 300, false)], Ok(()));
        let added = Err("the answer adds 301 minor units of tax to 1500, more than 20 % (tax.max_percent)");
        check(&[tax(LINE, 1, false), tax(DELIVERY, 300, false)], added);
        check(&vec![tax(LINE, 0, false); 401], Err("the answer has 401 tax lines; 0 to 400 are allowed"));
    }

    #[test]
    fn tax_lines_are_written_as_the_interface_has_them() {
        let json = r#"[{"subject":{"line":1},"title":"VAT","rate":null,"amount":5,"included":true},
            {"subject":{"delivery":1},"title":"VAT","amount":0,"included":false}]"#;
        let read: Vec<TaxLine> = serde_json::from_str(json).expect("fine tax lines");
        let without_rate = |tax: TaxLine| TaxLine { rate: None, ..tax };
        assert_eq!(read, [without_rate(tax(LINE, 5, true)), without_rate(tax(DELIVERY, 0, false))]);
        let written = serde_json::to_string(&read).expect("JSON");
        assert_eq!(serde_json::from_str::<Vec<TaxLine>>(&written).expect("fine tax lines"), read);
    }

    proptest! {
        #[test]
        fn tax_is_accepted_exactly_within_its_bounds(
            amounts in [0..=LARGEST / 2, 0..=1_000_u64],
            lines in vec((bool::ANY, 0..1_200_u64, bool::ANY), 0..5),
            large in (0..30_u8, 0..=LARGEST),
            max_percent in (0..4_usize).prop_map(|place| [0, 20, 100, u32::MAX][place]),
        ) {
            let subject = |is_line: bool| if is_line { LINE } else { DELIVERY };
            let taxables = [taxable(LINE, amounts[0]), taxable(DELIVERY, amounts[1])];
            let of = |(of, amount, included)| tax(subject(of), amount, included);
            let mut lines: Vec<_> = lines.into_iter().map(of).collect();
            if large.0 == 0 {
                lines.push(tax(LINE, large.1, false));
            }
            let sum = |of: Option<Subject>, included: bool| -> u128 {
                let counts = |line: &&TaxLine| line.included == included && of.is_none_or(|of| of == line.subject);
                lines.iter().filter(counts).map(|line| u128::from(line.amount.amount())).sum()
            };
            let is_named = |of: Subject| lines.iter().any(|line| line.subject == of);
            let expected = is_named(LINE) && is_named(DELIVERY)
                && sum(Some(LINE), true) <= amounts[0].into() && sum(Some(DELIVERY), true) <= amounts[1].into()
                && sum(None, false) * 100 <= u128::from(amounts[0] + amounts[1]) * u128::from(max_percent);
            prop_assert_eq!(Taxes::checked(lines.clone(), &taxables, max_percent).is_ok(), expected);
        }
    }
}
