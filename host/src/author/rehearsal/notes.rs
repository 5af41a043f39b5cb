//! What the author of a plugin should change, even if the call succeeded.

use super::{Node, Played, tree};
use crate::{
    runtime::Identity,
    telemetry::{
        names::{attribute, event},
        recent::span::Value,
    },
    versions::advice_on,
};

/// What the limits of a call dropped: the attribute of its span that counts it, its name, and the setting to raise.
const DROPPED: [(&str, &str, &str); 5] = [
    (attribute::DROPPED_SPANS, "spans", "limits.spans"),
    (attribute::DROPPED_EVENTS, "span events", "limits.events"),
    (attribute::DROPPED_ATTRIBUTES, "attributes", "limits.attributes"),
    (attribute::DROPPED_LOG_LINES, "log lines", "limits.log_lines or limits.log_bytes"),
    (attribute::DROPPED_LOG_BYTES, "bytes of log", "limits.log_bytes"),
];

/// Returns what to change about the plugin, a sentence each.
#[must_use]
pub fn notes(plugin: &Identity, played: &Played) -> Vec<String> {
    let roots = tree(&played.trace);
    let advice = match &played.decided {
        Err(failure) => {
            let is_silent = played.trace.lines.iter().all(|line| line.level != "ERROR");
            advice_on(plugin.at, &plugin.language, failure, is_silent)
        }
        Ok(_) => None,
    };
    let Some(root) = roots.first() else { return advice.into_iter().collect() };
    let mut notes: Vec<String> = advice.into_iter().collect();
    notes.extend(left_open(root));
    if root.span.events.iter().any(|happened| happened.name == event::CONTEXT_REFUSED) {
        notes.push(
            "It named a trace context that isn't of this call, and the call's own span was used. Pass on what the call was \
             given, or what start-span returned"
                .to_owned(),
        );
    }
    notes.extend(DROPPED.into_iter().filter_map(|(key, what, setting)| {
        let dropped = root.span.value(key)?.text();
        Some(format!("{dropped} {what} were dropped, past {setting}. Make do with fewer, or raise the limit"))
    }));
    notes
}

/// Returns a note for each span that the guest never ended, though it could have.
fn left_open(node: &Node<'_>) -> Vec<String> {
    let is_left = node.span.value(attribute::ABANDONED) == Some(&Value::Flag(true));
    let note = is_left.then(|| {
        format!("The span {} was left open, and the host ended it. Call end-span where its work ends", node.span.name)
    });
    note.into_iter().chain(node.children.iter().flat_map(left_open)).collect()
}
