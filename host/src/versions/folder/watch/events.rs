//! What the system says of the folder, by inotify. Only file_events: events get lost, merge, come late, or never come (NFS,
//! what a link leads to). What is in the folder is what a look into it finds.
//!
//! inotify by itself and no crate around it: those also ask for every opening and reading, which the looks would answer
//! to themselves, and the mask below is what keeps a storm of events cheap.

use std::{
    collections::BTreeMap,
    ffi::{CStr, OsStr, OsString},
    io,
    mem::MaybeUninit,
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt, fs::MetadataExt},
    },
    path::Path,
    sync::Arc,
};

use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init, remove_watch};
use tokio::io::unix::AsyncFd;

use crate::{
    units::KIB,
    versions::folder::{FILES_MAX, is_wasm},
};

/// What is taken from the system at once, bytes: some hundred events.
const READ_BYTES: usize = 16 * KIB;

/// What is said of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileEvent {
    /// It was moved there, or whoever wrote to it has closed it.
    Complete,
    /// Somebody writes to it and hasn't closed it.
    Open,
}

/// What was said since the last time.
#[derive(Debug, Default)]
pub(super) struct FileEvents {
    pub(super) files: BTreeMap<OsString, FileEvent>,
    /// Something may have happened that isn't among them.
    pub(super) lost: bool,
}

/// The system's events of one folder. Without inotify there are none, and everything else goes on.
#[derive(Debug)]
pub(super) struct Events {
    inotify: Option<Arc<AsyncFd<OwnedFd>>>,
    watched: Option<Watched>,
    /// What was heard and not taken yet.
    file_events: FileEvents,
    /// Whether anything was, and be it of a file that is no plugin: it may be what a plugin's link leads through.
    has_news: bool,
}

/// A folder that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Watched {
    number: i32,
    device: u64,
    inode: u64,
}

impl Events {
    /// Asks the system for events. Says in the log when there are none to be had.
    pub(super) fn new() -> Self {
        let opened = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).map_err(io::Error::from);
        #[expect(deprecated, reason = "its successor is unsafe for what isn't an owned file; this one is owned")]
        let inotify = opened.and_then(AsyncFd::<OwnedFd>::new).map(Arc::new);
        if let Err(error) = &inotify {
            tracing::warn!("the plugin folder is only looked into every server.plugins_scan_ms: no inotify: {error}");
        }
        Self { inotify: inotify.ok(), watched: None, file_events: FileEvents::default(), has_news: false }
    }

    /// Returns what watches the folder that stands at a path now, to be called where it may block. What stood there
    /// before, behind a link or under the name, isn't watched any more.
    pub(super) fn watcher(&self) -> impl FnOnce(&Path) -> io::Result<Option<Watched>> + Send + 'static {
        let (inotify, before) = (self.inotify.clone(), self.watched);
        move |folder| {
            let Some(inotify) = inotify else { return Ok(None) };
            let metadata = std::fs::metadata(folder)?;
            let (device, inode) = (metadata.dev(), metadata.ino());
            if let Some(before) = before.filter(|before| (before.device, before.inode) == (device, inode)) {
                return Ok(Some(before));
            }
            let wanted = WatchFlags::CLOSE_WRITE
                | WatchFlags::MOVE
                | WatchFlags::CREATE
                | WatchFlags::DELETE
                | WatchFlags::MODIFY
                | WatchFlags::DELETE_SELF
                | WatchFlags::MOVE_SELF
                | WatchFlags::ONLYDIR;
            let number = add_watch(inotify.as_ref(), folder, wanted)?;
            // The same number for the same folder: between the two calls above it may have been swapped back.
            if let Some(before) = before.filter(|before| before.number != number) {
                // It is gone by itself if its folder is.
                _ = remove_watch(inotify.as_ref(), before.number);
            }
            Ok(Some(Watched { number, device, inode }))
        }
    }

    /// Takes what [`watcher`](Self::watcher) returned: events of anything else are the past's.
    pub(super) fn watching(&mut self, watched: Option<Watched>) {
        self.file_events.lost |= watched.is_some() && watched != self.watched;
        self.watched = watched;
    }

    /// Waits until there is something to take. May be dropped midway.
    pub(super) async fn wait(&self) {
        if self.has_news {
            return;
        }
        match &self.inotify {
            Some(inotify) => match inotify.readable().await {
                Ok(mut ready) => ready.clear_ready(),
                // The runtime stops.
                Err(_) => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    }

    /// Takes all that was said since it was taken last.
    pub(super) fn take(&mut self) -> FileEvents {
        self.hear();
        self.has_news = false;
        std::mem::take(&mut self.file_events)
    }

    /// Returns whether something happened to that file, or may have, since they were taken: what was read of it since may
    /// be neither what it was nor what it becomes.
    pub(super) fn say_anew(&mut self, name: &OsStr) -> bool {
        self.hear();
        self.file_events.lost || self.file_events.files.contains_key(name)
    }

    fn hear(&mut self) {
        let Some(inotify) = self.inotify.clone() else { return };
        let mut buffer = [MaybeUninit::uninit(); READ_BYTES];
        let mut reader = Reader::new(inotify.get_ref(), &mut buffer);
        // Ends: the system keeps so many events and no more, and they are read faster than they can be made.
        while let Ok(event) = reader.next() {
            self.has_news = true;
            let what = event.events();
            if what.contains(ReadFlags::QUEUE_OVERFLOW) {
                // The end of the watch itself may be among what is lost.
                self.watched = None;
                self.file_events.lost = true;
            } else if self.watched.is_some_and(|watched| watched.number == event.wd()) {
                if what.intersects(ReadFlags::IGNORED | ReadFlags::UNMOUNT) {
                    self.watched = None;
                }
                self.file_events.note(what, event.file_name());
            }
        }
    }
}

impl FileEvents {
    fn note(&mut self, what: ReadFlags, name: Option<&CStr>) {
        let Some(name) = name.map(|name| OsStr::from_bytes(name.to_bytes())).filter(|name| is_wasm(name)) else {
            return;
        };
        let event = if what.intersects(ReadFlags::CLOSE_WRITE | ReadFlags::MOVED_TO) {
            FileEvent::Complete
        } else if what.contains(ReadFlags::MODIFY) {
            FileEvent::Open
        } else {
            return;
        };
        if self.files.len() < FILES_MAX || self.files.contains_key(name) {
            // The last one counts: a file that is written to after it was closed isn't complete.
            self.files.insert(name.to_owned(), event);
        } else {
            self.lost = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn watch(events: &mut Events, folder: &Path) {
        let watched = events.watcher()(folder).expect("the folder is there");
        events.watching(watched);
    }

    #[tokio::test]
    async fn what_is_written_is_complete_when_it_is_closed() {
        use std::io::Write;

        let folder = tempfile::tempdir().expect("a folder");
        let mut events = Events::new();
        watch(&mut events, folder.path());
        assert!(events.take().lost, "what was there before the watch");
        let name = OsString::from("a.wasm");
        let mut file = fs::File::create(folder.path().join(&name)).expect("a file");
        file.write_all(b"half").expect("written");
        events.wait().await;
        assert_eq!(events.take().files.get(&name), Some(&FileEvent::Open));
        file.write_all(b"more").expect("written");
        drop(file);
        assert_eq!(events.take().files.get(&name), Some(&FileEvent::Complete));
        fs::write(folder.path().join("b.txt"), "no plugin").expect("written");
        fs::rename(folder.path().join(&name), folder.path().join("c.wasm")).expect("renamed");
        let file_events = events.take();
        assert_eq!(file_events.files.into_iter().collect::<Vec<_>>(), [("c.wasm".into(), FileEvent::Complete)]);
        assert!(!file_events.lost);
    }

    #[tokio::test]
    async fn a_folder_that_takes_the_place_of_another_is_watched_instead() {
        let home = tempfile::tempdir().expect("a folder");
        let (path, aside) = (home.path().join("plugins"), home.path().join("aside"));
        let mut events = Events::new();
        fs::create_dir(&path).expect("a folder");
        watch(&mut events, &path);
        fs::rename(&path, &aside).expect("renamed");
        fs::create_dir(&path).expect("a folder");
        watch(&mut events, &path);
        assert!(events.take().lost, "what was written before it was watched");
        fs::write(aside.join("old.wasm"), "").expect("written");
        fs::write(path.join("new.wasm"), "").expect("written");
        let file_events = events.take();
        assert_eq!(file_events.files.into_iter().collect::<Vec<_>>(), [("new.wasm".into(), FileEvent::Complete)]);
    }
}
