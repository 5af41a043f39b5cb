//! Hides the way of delivery that the setting `hidden` names, such as `post/express`.

use till_sdk::hooks::delivery_menu::{GroupChanges, Question};
use till_sdk::hooks::{Change, DeliveryMenu, HookError, Span, setting};

struct Plugin;

till_sdk::delivery_menu_plugin!(Plugin);

impl DeliveryMenu for Plugin {
    fn customize(_call: &Span, question: Question) -> Result<Vec<GroupChanges>, HookError> {
        let hidden = setting("hidden").text()?.to_owned();
        let of_group = question.choices.iter().map(|choices| {
            let found = choices.options.iter().filter(|option| option.handle == hidden);
            GroupChanges {
                group: choices.group.id,
                changes: found.map(|option| Change::hiding(&option.handle)).collect(),
            }
        });
        Ok(of_group.collect())
    }
}
