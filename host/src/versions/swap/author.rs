//! Who changes what is live, and why: the history has both.

/// Who changes something, and why, if that is said.
#[derive(Debug, Clone, Copy)]
pub struct Author<'a> {
    pub by: &'a str,
    pub reason: Option<&'a str>,
}

impl<'a> From<&'a str> for Author<'a> {
    fn from(by: &'a str) -> Self {
        Self { by, reason: None }
    }
}

impl<'a> From<&'a String> for Author<'a> {
    fn from(by: &'a String) -> Self {
        Self::from(by.as_str())
    }
}

impl Author<'_> {
    /// Returns the detail for the history: what was done, and why.
    pub(super) fn detail(self, what: String) -> String {
        match self.reason {
            Some(reason) if what.is_empty() => reason.to_owned(),
            Some(reason) => format!("{what}: {reason}"),
            None => what,
        }
    }
}
