//! Adds the tax of the setting `percent` to everything, 19 without it.

use till_sdk::Rounding;
use till_sdk::hooks::tax::{Question, TaxLine};
use till_sdk::hooks::{HookError, Span, Tax, percent_text, setting};

struct Plugin;

till_sdk::tax_plugin!(Plugin);

impl Tax for Plugin {
    fn assess(_call: &Span, question: Question) -> Result<Vec<TaxLine>, HookError> {
        let rate = setting("percent").or("19").percent()?;
        let title = format!("Tax {} %", percent_text(rate));
        let taxes = question.taxables.iter().map(|taxable| TaxLine::added(taxable, &title, rate, Rounding::HalfUp));
        Ok(taxes.collect::<Result<_, _>>()?)
    }
}
