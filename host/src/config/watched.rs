//! `plugins.watch`: tags in registries, and where their versions are tried.

use super::value::Value;
use crate::{
    hooks::{Installation, Kind},
    oci::Reference,
};

/// The most tags: each is looked up every `plugins.watch_every_ms`.
const TAGS_MAX: usize = 32;

/// A tag, and where its versions are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedTag {
    /// With a tag and without a digest.
    pub reference: Reference,
    /// `None` leaves it to the plugin's kind, at a hook that has exactly one.
    pub at: Option<Installation>,
}

/// The tags that are watched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchedTags(Vec<WatchedTag>);

impl WatchedTags {
    pub fn iter(&self) -> impl Iterator<Item = &WatchedTag> {
        self.0.iter()
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Value for WatchedTags {
    fn parse(text: &str) -> Result<Self, String> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let tags = entries.map(tag).collect::<Result<Vec<_>, _>>()?;
        let is_twice = |(at, tag): (usize, &WatchedTag)| tags.iter().take(at).any(|other| other == tag);
        if tags.iter().enumerate().any(is_twice) {
            return Err("each tag once for each place".to_owned());
        }
        if tags.len() > TAGS_MAX { Err(format!("{TAGS_MAX} tags at most")) } else { Ok(Self(tags)) }
    }
}

fn tag(entry: &str) -> Result<WatchedTag, String> {
    let (reference, at) = match entry.split_once(" as ") {
        None => (entry, None),
        Some((reference, at)) => {
            let place = Installation::parse(at.trim());
            let wanted =
                || format!("a hook behind `as`, such as checkout or discounts/spring; there are {}", Kind::names(", "));
            (reference.trim(), Some(place.ok_or_else(wanted)?))
        }
    };
    let reference = Reference::parse(reference).map_err(|error| format!("tags in registries: {error}"))?;
    if reference.tag().is_none() || reference.digest().is_some() {
        return Err(format!("tags in registries, and {reference} has a digest: it can't move"));
    }
    Ok(WatchedTag { reference, at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_with_their_places() {
        let both = "oci://ghcr.io/shop/checkout:stable, oci://ghcr.io/shop/spring:1 as discounts/spring";
        let tags = WatchedTags::parse(both).expect("tags");
        let shown: Vec<_> =
            tags.iter().map(|tag| (tag.reference.to_string(), tag.at.map(|at| at.to_string()))).collect();
        let spring = ("oci://ghcr.io/shop/spring:1".to_owned(), Some("discounts/spring".to_owned()));
        assert_eq!(shown, [("oci://ghcr.io/shop/checkout:stable".to_owned(), None), spring]);
        assert!(WatchedTags::parse(" ").expect("none").is_empty());
        let digest = "0".repeat(64);
        let many = (0..33).map(|tag| format!("oci://ghcr.io/a:{tag}")).collect::<Vec<_>>().join(",");
        for (bad, why) in [
            ("ghcr.io/a:1", "it doesn't begin with oci://"),
            ("oci://ghcr.io/a:1 as discount", "a hook behind `as`"),
            (&*format!("oci://ghcr.io/a:1@sha256:{digest}"), "it can't move"),
            (&*format!("oci://ghcr.io/a@sha256:{digest}"), "it can't move"),
            ("oci://ghcr.io/a:1,oci://ghcr.io/a:1", "each tag once"),
            (&*many, "32 tags at most"),
        ] {
            let error = WatchedTags::parse(bad).expect_err(bad);
            assert!(error.contains(why), "{bad}: {error}");
        }
    }
}
