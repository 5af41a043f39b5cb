//! Colours of what people read. `anstream` takes them out where stdout is no terminal, and where `NO_COLOR` or
//! `CLICOLOR=0` asks for that. A colour never says what no word says.

use anstyle::{AnsiColor, Color, Style};

/// Text as the terminal has it.
pub(super) const PLAIN: Style = Style::new();
pub(super) const HEADER: Style = Style::new().bold();
/// What matters less than what stands beside it.
pub(super) const FAINT: Style = Style::new().dimmed();
pub(super) const GOOD: Style = colour(AnsiColor::Green);
/// A business "no", a warning.
pub(super) const REFUSED: Style = colour(AnsiColor::Yellow);
/// An error of the shop.
pub(super) const FAILED: Style = colour(AnsiColor::Red).bold();
pub(super) const LINK: Style = colour(AnsiColor::Cyan).underline();
/// Which version of a plugin.
pub(super) const PLUGIN: Style = colour(AnsiColor::Cyan);

const fn colour(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(Color::Ansi(colour)))
}

/// Returns the text in that style.
pub(super) fn painted(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Returns the style of an answer's status.
pub(super) const fn of_status(status: u16) -> Style {
    match status {
        500.. => FAILED,
        400.. => REFUSED,
        _ => PLAIN,
    }
}

/// Returns the style of the state of an order, a version or a rollout.
pub(super) fn of_state(state: &str) -> Style {
    match state {
        "live" | "COMPLETED" | "promoted" | "approved" => GOOD,
        "FAILED" | "rolled_back" => FAILED,
        "PENDING" | "PENDING_RELEASE" | "candidate" | "running" | "paused" | "waiting" | "aborted" => REFUSED,
        "former" | "withdrawn" | "superseded" | "rejected" => FAINT,
        _ => PLAIN,
    }
}

/// Returns the style of a log line's level.
pub(super) fn of_level(level: &str) -> Style {
    match level {
        "ERROR" => FAILED,
        "WARN" => REFUSED,
        "DEBUG" | "TRACE" => FAINT,
        _ => PLAIN,
    }
}
