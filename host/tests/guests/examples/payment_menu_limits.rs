//! A good one: hides the way to pay `invoice` from an amount due on, its setting `invoice_under`.

use till_sdk::hooks::{Change, HookError, PaymentMenu, Span, only_settings, payment_menu::Question, setting};

struct Limits;

till_sdk::payment_menu_plugin!(Limits);

impl PaymentMenu for Limits {
    fn customize(_call: &Span, question: Question) -> Result<Vec<Change>, HookError> {
        only_settings(&["invoice_under"])?;
        let under = setting("invoice_under").amount(&question.cart.currency)?;
        let invoice = question.methods.iter().any(|method| method.id == "invoice");
        Ok(if invoice && question.due >= under { vec![Change::hiding("invoice")] } else { Vec::new() })
    }
}
