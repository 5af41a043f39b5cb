//! Moves the way to pay that the setting `first` names to the front.

use till_sdk::hooks::payment_menu::Question;
use till_sdk::hooks::{Change, HookError, PaymentMenu, Span, setting};

struct Plugin;

till_sdk::payment_menu_plugin!(Plugin);

impl PaymentMenu for Plugin {
    fn customize(_call: &Span, question: Question) -> Result<Vec<Change>, HookError> {
        let first = setting("first").text()?.to_owned();
        let found = question.methods.iter().find(|method| method.id == first);
        Ok(found.map(|method| Change::moving(&method.id, 0)).into_iter().collect())
    }
}
