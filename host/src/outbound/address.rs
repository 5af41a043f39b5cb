//! Which addresses a plugin's request may go to.

use std::net::IpAddr;

/// What it takes to send something to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Global,
    /// Needs `private=yes`.
    Private,
    Never,
}

impl Reach {
    pub(super) fn of(_address: IpAddr) -> Self {
        Self::Never
    }
}
