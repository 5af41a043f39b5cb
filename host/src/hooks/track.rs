//! The tracks of the plugin interface that this host runs. A component links within a track.

use super::PACKAGE;

/// A track: a folder of WIT, and the release of it that this host runs.
#[derive(Debug, PartialEq, Eq)]
pub struct Track {
    pub name: &'static str,
    pub version: &'static str,
    /// The interfaces that every world of the track imports.
    pub shared: &'static [&'static str],
}

pub(super) static V0_1: Track = Track { name: "0.1", version: "0.1.0", shared: &["types", "telemetry", "host"] };

pub(super) static V0_2: Track =
    Track { name: "0.2", version: "0.2.0", shared: &["types", "telemetry", "settings", "facts", "offers", "menus"] };

impl Track {
    pub const ALL: [&'static Self; 2] = [&V0_1, &V0_2];

    /// Returns the full name of one of the track's interfaces.
    #[must_use]
    pub fn interface(&self, name: &str) -> String {
        format!("{PACKAGE}/{name}@{}", self.version)
    }

    /// Returns the package with its version.
    #[must_use]
    pub fn package(&self) -> String {
        format!("{PACKAGE}@{}", self.version)
    }

    /// Returns the folder of its WIT, as messages name it.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("wit/v{}", self.name)
    }
}
