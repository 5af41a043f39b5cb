//! The name of an order, shared with its reservation and a remote inventory.

use std::fmt;

use uuid::{NoContext, Timestamp, Uuid};

/// An order's unguessable name: a `UUIDv7` if this host made it; any visible ASCII of up to 255 bytes if another
/// service sent it as its Idempotency-Key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference(Box<str>);

impl Reference {
    pub const BYTES_MAX: usize = 255;

    /// Returns a new reference. References are ordered by time, so that their index grows at its end. The 74 bits
    /// besides the time are random in each, so that nobody can guess one from another of the same moment.
    #[must_use]
    pub fn random() -> Self {
        // Without a context, because the crate's own counts up within a millisecond and while the clock is behind.
        Self(Uuid::new_v7(Timestamp::now(NoContext)).to_string().into())
    }

    /// Parses a reference; `None` if the text is empty, longer than 255 bytes or not visible ASCII.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=Self::BYTES_MAX).contains(&text.len());
        (fits && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Self(text.into()))
    }

    /// Returns the reference of the order's nth deduct at another till. The first is the order's own; there is another
    /// if the live version takes over from a canary.
    #[must_use]
    pub fn of_deduct(&self, nth: u32) -> Self {
        if nth <= 1 { self.clone() } else { Self(format!("{self}.{nth}").into()) }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half of all bits between two orders of one millisecond differ, whichever bit of the random ones it is.
    #[test]
    fn a_reference_tells_nothing_of_the_next() {
        const PAIRS: u32 = 4_000;
        let bits = || Reference::random().as_str().parse::<Uuid>().expect("a UUID").as_u128();
        let mut differing = [0_u32; 128];
        for _ in 0..PAIRS {
            let (one, other) = (bits(), bits());
            for (bit, count) in std::iter::zip(0.., &mut differing) {
                *count += u32::from((one ^ other) >> bit & 1 == 1);
            }
        }
        let is_random = |count: &&u32| (PAIRS / 2 - 300..PAIRS / 2 + 300).contains(count);
        // All bits but the time's 48, the version's 4 and the variant's 2.
        assert_eq!(differing.iter().filter(is_random).count(), 74, "{differing:?}");
    }
}
