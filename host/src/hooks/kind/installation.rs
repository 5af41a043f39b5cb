//! Where a plugin is installed: at a hook, under a name where several may be.

use std::fmt;

use super::Kind;

/// The longest name of an installation, bytes.
const NAME_BYTES_MAX: usize = 30;

/// The name that an operator gives an installation: 1 to 30 lower-case letters, digits and hyphens, a letter first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstallationName {
    bytes: [u8; NAME_BYTES_MAX],
    length: u8,
}

impl InstallationName {
    /// The rule for names, for error messages.
    pub const RULE: &'static str = "a name is 1 to 30 lower-case letters, digits and hyphens, and begins with a letter";

    /// Returns the name, `None` if the text is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_sound = text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        let length = u8::try_from(text.len()).ok().filter(|_| is_sound)?;
        let mut bytes = [0; NAME_BYTES_MAX];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self { bytes, length })
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.length.into()).unwrap_or_default();
        // Only `parse` makes one, of ASCII.
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl fmt::Debug for InstallationName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), out)
    }
}

impl fmt::Display for InstallationName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A hook, and the name under which a plugin is installed there.
///
/// Its text, in rows, answers and commands, is `checkout` or `discounts/spring`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Installation {
    pub kind: Kind,
    /// `None` at a hook that has exactly one plugin, and of a file that isn't installed yet.
    pub name: Option<InstallationName>,
}

impl Installation {
    /// Returns the only installation of a hook that has exactly one plugin.
    #[must_use]
    pub const fn of(kind: Kind) -> Self {
        Self { kind, name: None }
    }

    #[must_use]
    pub const fn named(kind: Kind, name: InstallationName) -> Self {
        Self { kind, name: Some(name) }
    }

    /// Returns the installation of that text, `None` if it names no hook or no sound name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once('/') {
            None => Kind::parse(text).map(Self::of),
            Some((kind, name)) => Some(Self::named(Kind::parse(kind)?, InstallationName::parse(name)?)),
        }
    }
}

impl fmt::Display for Installation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            None => self.kind.fmt(out),
            Some(name) => write!(out, "{}/{name}", self.kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_is_read_as_it_is_written() {
        let check = |text: &str, is_one: bool| {
            assert_eq!(Installation::parse(text).map(|at| at.to_string()), is_one.then(|| text.to_owned()), "{text:?}");
        };
        check("checkout", true);
        check("checkout/spring-2027", true);
        check(&format!("checkout/{}", "a".repeat(30)), true);
        check(&format!("checkout/{}", "a".repeat(31)), false);
        for unsound in [
            "",
            "nothing",
            "checkout/",
            "checkout/2027",
            "checkout/-a",
            "checkout/Spring",
            "checkout/a b",
            "checkout/a/b",
        ] {
            check(unsound, false);
        }
    }
}
