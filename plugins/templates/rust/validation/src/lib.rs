//! Refuses more pieces of an item than the setting `most` says, 10 without it.

use till_sdk::hooks::validation::{Subject, Violation};
use till_sdk::hooks::{Cart, HookError, Line, Span, Validation, setting};

struct Plugin;

till_sdk::validation_plugin!(Plugin);

impl Validation for Plugin {
    fn validate(_call: &Span, cart: Cart) -> Result<Vec<Violation>, HookError> {
        let most = setting("most").or("10").number()?;
        let past = cart.lines.iter().filter(|line| cart.pieces_of(&line.item) > most);
        let violation = |line: &Line| {
            let message = format!("At most {most} of {} can be ordered.", line.title);
            Violation::new(Subject::Line(line.id), "too-many", message)
        };
        Ok(past.map(violation).collect())
    }
}
