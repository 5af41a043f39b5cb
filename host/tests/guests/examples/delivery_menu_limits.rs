//! A good one: hides the ways of delivery whose handles end like one of its setting `hide`, and puts those of the setting `first`
//! in front.

use till_sdk::hooks::{
    Change, DeliveryMenu, HookError, Span,
    delivery_menu::{GroupChanges, Question},
    only_settings, setting,
};

struct Limits;

till_sdk::delivery_menu_plugin!(Limits);

impl DeliveryMenu for Limits {
    fn customize(_call: &Span, question: Question) -> Result<Vec<GroupChanges>, HookError> {
        only_settings(&["hide", "first"])?;
        let (hidden, first) = (setting("hide").list(), setting("first").list());
        let ends = |handle: &str, list: &[String]| list.iter().any(|end| handle.ends_with(end.as_str()));
        let changes = question.choices.iter().map(|choices| {
            let handles = choices.options.iter().map(|option| option.handle.clone());
            let change = |handle: String| {
                if ends(&handle, &hidden) {
                    Some(Change::hiding(&handle))
                } else if ends(&handle, &first) {
                    Some(Change::moving(&handle, 0))
                } else {
                    None
                }
            };
            GroupChanges { group: choices.group.id, changes: handles.filter_map(change).collect() }
        });
        Ok(changes.collect())
    }
}
