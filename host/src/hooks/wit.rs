//! The plugin interface as it was written: the files of `wit/v0.1` and `wit/v0.2`, carried in the binary.
//!
//! What the binary prints, generates or writes about the interface comes from here, so that an author needs no copy of
//! Till's sources. The host's own bindings are generated from the same text.

use std::{io, path::Path};

use anyhow::Context;
use include_dir::{Dir, include_dir};
use wit_parser::{Resolve, SourceMap, WorldId};

use super::{Kind, Track, info, track};

/// The file that names the package, which comes first in a text of a whole track.
const PACKAGE_FILE: &str = "types";
const WORLDS: &str = "worlds";

/// A file of the interface.
#[derive(Debug, Clone, Copy)]
pub struct File {
    /// The file's name without its ending: that of the interface in it, `worlds` for the worlds.
    pub name: &'static str,
    pub text: &'static str,
}

static V0_1: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../wit/v0.1");
static V0_2: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../wit/v0.2");

/// Returns the files of a track's current release. The worlds come first, for their comments are the contract of a call; then the
/// package's types, what each kind exports, what it alone imports, and what all import.
pub fn files(of: &'static Track) -> impl Iterator<Item = File> {
    let kinds = Kind::ALL.into_iter().filter(move |kind| info(*kind).track == of);
    let mut doors: Vec<&str> = kinds.clone().flat_map(|kind| info(kind).doors.iter().copied()).collect();
    doors.retain(|door| Kind::parse(door).is_none());
    doors.sort_unstable();
    doors.dedup();
    let shared = of.shared.iter().copied().filter(|name| *name != PACKAGE_FILE);
    let names = [WORLDS, PACKAGE_FILE].into_iter().chain(kinds.map(Kind::as_str)).chain(doors).chain(shared);
    let folder = if *of == track::V0_1 { &V0_1 } else { &V0_2 };
    names.filter_map(|name| {
        let text = folder.get_file(format!("{name}.wit"))?.contents_utf8()?;
        Some(File { name, text })
    })
}

/// Writes a track's files into a folder, which has to exist.
///
/// # Errors
/// What the system says.
pub fn write(of: &'static Track, folder: &Path) -> io::Result<()> {
    files(of).try_for_each(|file| std::fs::write(folder.join(file.name).with_extension("wit"), file.text))
}

/// Returns the world of the plugins of that kind, parsed.
///
/// # Errors
/// Never: the files are those that the host was built with, which the parser can't know.
pub fn world(kind: Kind) -> anyhow::Result<(Resolve, WorldId)> {
    let mut sources = SourceMap::new();
    for file in files(info(kind).track) {
        sources.push_str(file.name, file.text);
    }
    let group = sources.parse().map_err(|(_, error)| error).context("parse the interface")?;
    let mut resolve = Resolve::default();
    let package = resolve.push_group(group).context("resolve the interface")?;
    let world = resolve.select_world(&[package], Some(&format!("{kind}-plugin")))?;
    Ok((resolve, world))
}

/// Returns a track as the text of one file; with a kind, only what its world imports and exports.
#[must_use]
pub fn text(of: &'static Track, kind: Option<Kind>) -> String {
    let (package, others): (Vec<File>, _) = files(of).partition(|file| file.name == PACKAGE_FILE);
    let wanted = package.into_iter().chain(others).filter(|file| kind.is_none_or(|kind| file.is_for(kind)));
    let texts: Vec<String> = wanted
        .map(|file| match kind {
            Some(kind) if file.name == WORLDS => world_text(file.text, kind),
            _ => file.text.to_owned(),
        })
        .collect();
    texts.join("\n")
}

impl File {
    fn is_for(&self, kind: Kind) -> bool {
        self.name == WORLDS || self.name == kind.as_str() || info(kind).imports().any(|name| name == self.name)
    }
}

/// Returns the world of that kind, with the contract, which stands on the first of them.
fn world_text(worlds: &str, kind: Kind) -> String {
    const END: &str = "\n}\n";
    let declares = format!("world {kind}-plugin {{");
    let of_kind = worlds.split_inclusive(END).find(|world| world.contains(&declares)).unwrap_or_default();
    let (contract, _) = worlds.split_once("world ").unwrap_or_default();
    if worlds.starts_with(of_kind) {
        return of_kind.to_owned();
    }
    // The contract is a doc comment of the first world, and must not become one of this world.
    format!("{}{of_kind}", contract.replace("///", "//"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_those_of_the_folder() {
        let names = |folder: &Path| {
            let entries = std::fs::read_dir(folder).expect("a folder");
            let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
            names.sort();
            names
        };
        for of in Track::ALL {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(of.folder());
            let written = tempfile::tempdir().expect("a folder");
            write(of, written.path()).expect("the files are written");
            assert_eq!(names(written.path()), names(&folder), "{}", of.name);
        }
    }

    #[test]
    fn each_text_is_sound_wit_with_its_worlds_only() {
        let whole = Track::ALL.map(|of| {
            let kinds = Kind::ALL.into_iter().filter(|kind| info(*kind).track == of);
            (of, None, kinds.collect::<Vec<_>>())
        });
        let each = Kind::ALL.map(|kind| (info(kind).track, Some(kind), vec![kind]));
        for (of, kind, kinds) in whole.into_iter().chain(each) {
            let worlds: Vec<_> = kinds.iter().map(|kind| format!("{kind}-plugin")).collect();
            let text = text(of, kind);
            let mut resolve = Resolve::default();
            resolve.push_str("till.wit", &text).expect("sound WIT");
            let names: Vec<&str> = resolve.worlds.iter().map(|(_, world)| &*world.name).collect();
            assert_eq!(names, worlds, "{text}");
            assert!(text.contains("The rest of this comment is the contract of a call."), "{text}");
        }
    }
}
