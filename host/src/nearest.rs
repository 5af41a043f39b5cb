//! What somebody who mistyped a name most likely meant: one rule for settings, variables, plugins' settings, hooks,
//! installations, columns and filters. clap has its own of the same kind for commands, flags and their values.

/// The least similarity of a mistyped name, by the Jaro–Winkler measure, which is 1 for equal names.
const ALIKE_MIN: f64 = 0.8;

/// Returns the known name that a mistyped one most likely meant; `None` if none is similar.
#[must_use]
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let alike = known.into_iter().map(|name| (strsim::jaro_winkler(typed, name), name));
    let alike = alike.filter(|(alike, _)| *alike >= ALIKE_MIN);
    alike.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, name)| name)
}

/// Returns what a message about an unknown name ends with: `; did you mean limits.spans?`, or nothing.
#[must_use]
pub fn did_you_mean<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(typed, known).map(|near| format!("; did you mean {near}?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_leads_to_the_one_that_was_meant() {
        let known = ["discounts", "delivery-discounts", "tax", "checkout"];
        for (typed, meant) in [
            ("discount", "; did you mean discounts?"),
            ("chekcout", "; did you mean checkout?"),
            ("taxes", "; did you mean tax?"),
            ("xyzzy", ""),
            ("", ""),
        ] {
            assert_eq!(did_you_mean(typed, known), meant, "{typed}");
        }
    }
}
