//! Makes the mistake that the setting `do` names, at the hook `payment-menu`; else changes nothing.

use till_sdk::hooks::payment_menu::Question;
use till_sdk::hooks::{Change, HookError, PaymentMenu, Span};
use till_test_guests::hooks::{hostile_text, long_text, mistake, wordy_text};

const HIDDEN: &str = "invoice";

struct Hostile;

till_sdk::payment_menu_plugin!(Hostile);

impl PaymentMenu for Hostile {
    fn customize(_: &Span, question: Question) -> Result<Vec<Change>, HookError> {
        let does = mistake(&question.cart)?;
        Ok(match &*does {
            "wrong_method" => vec![Change::hiding("nowhere")],
            "wordy_method" => vec![Change::hiding(&wordy_text())],
            "hide_twice" => vec![Change::hiding(HIDDEN), Change::hiding(HIDDEN)],
            "hide_and_rename" => vec![Change::hiding(HIDDEN), Change::renaming(HIDDEN, "back")],
            "hide" => vec![Change::hiding(HIDDEN)],
            "hide_all" => question.methods.iter().map(|method| Change::hiding(&method.id)).collect(),
            "rename_hidden" => vec![Change::renaming(HIDDEN, "back")],
            "move_hidden" => vec![Change::moving(HIDDEN, 0)],
            "far" => vec![Change::moving(HIDDEN, u32::MAX)],
            "changes" => vec![Change::moving(HIDDEN, 0); 201],
            "many_changes" => vec![Change::moving(HIDDEN, 0); 10_000],
            "hostile_title" => vec![Change::renaming(HIDDEN, &hostile_text())],
            "long_title" => vec![Change::renaming(HIDDEN, &long_text())],
            _ => Vec::new(),
        })
    }
}
