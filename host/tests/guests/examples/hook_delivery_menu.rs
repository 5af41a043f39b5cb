//! Makes the mistake that the setting `do` names, at the hook `delivery-menu`; else changes nothing.

use till_sdk::hooks::delivery_menu::{GroupChanges, Question};
use till_sdk::hooks::{Change, DeliveryMenu, HookError, Span};
use till_test_guests::hooks::{hostile_text, long_text, mistake, wordy_text};

/// The dearest option of `hook_delivery_options`, which one plugin of a chain hides.
const HIDDEN: &str = "ways/express";

struct Hostile;

till_sdk::delivery_menu_plugin!(Hostile);

impl DeliveryMenu for Hostile {
    fn customize(_: &Span, question: Question) -> Result<Vec<GroupChanges>, HookError> {
        let does = mistake(&question.cart)?;
        let group = question.choices.first().map_or(1, |choices| choices.group.id);
        let of_group = |changes| vec![GroupChanges { group, changes }];
        let all = || question.choices.iter().flat_map(|choices| &choices.options);
        Ok(match &*does {
            "wrong_group" => vec![GroupChanges { group: 99, changes: Vec::new() }],
            "group_twice" => vec![GroupChanges { group, changes: Vec::new() }; 2],
            "groups" => (0..10_000).map(|group| GroupChanges { group, changes: Vec::new() }).collect(),
            "wrong_option" => of_group(vec![Change::hiding("nowhere/standard")]),
            "wordy_option" => of_group(vec![Change::hiding(&wordy_text())]),
            "hide_twice" => of_group(vec![Change::hiding(HIDDEN), Change::hiding(HIDDEN)]),
            "rename_twice" => of_group(vec![Change::renaming(HIDDEN, "a"), Change::renaming(HIDDEN, "b")]),
            "hide_and_rename" => of_group(vec![Change::hiding(HIDDEN), Change::renaming(HIDDEN, "back")]),
            "hide" => of_group(vec![Change::hiding(HIDDEN)]),
            "hide_all" => of_group(all().map(|option| Change::hiding(&option.handle)).collect()),
            "rename_hidden" => of_group(vec![Change::renaming(HIDDEN, "back")]),
            "move_hidden" => of_group(vec![Change::moving(HIDDEN, 0)]),
            "far" => of_group(vec![Change::moving(HIDDEN, u32::MAX)]),
            "changes" => of_group(vec![Change::moving(HIDDEN, 0); 201]),
            "many_changes" => of_group(vec![Change::moving(HIDDEN, 0); 10_000]),
            "hostile_title" => of_group(vec![Change::renaming(HIDDEN, &hostile_text())]),
            "long_title" => of_group(vec![Change::renaming(HIDDEN, &long_text())]),
            _ => Vec::new(),
        })
    }
}
