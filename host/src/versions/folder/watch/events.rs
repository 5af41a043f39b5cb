//! The system's events about the folder, by inotify. They are only hints: events get lost, merge, come late, or never
//! come (NFS, the target of a link). What is in the folder is what a scan finds.
//!
//! inotify is used without a crate around it: those also subscribe to opening and reading, so that each scan would
//! cause events itself. The mask below keeps many events cheap.

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

/// The size of one read from inotify, bytes: some hundred events.
const READ_BYTES: usize = 16 * KIB;

/// The last event of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileEvent {
    /// The file was moved into the folder, or its writer has closed it.
    Complete,
    /// A writer writes to the file and hasn't closed it.
    Open,
}

/// The events since they were last taken.
#[derive(Debug, Default)]
pub(super) struct FileEvents {
    pub(super) files: BTreeMap<OsString, FileEvent>,
    /// Whether other events may have been lost.
    pub(super) lost: bool,
}

/// Receives the system's events of one folder. Without inotify there are none, and only scans find changes.
#[derive(Debug)]
pub(super) struct Events {
    inotify: Option<Arc<AsyncFd<OwnedFd>>>,
    watched: Option<Watched>,
    /// Events that were received and not taken yet.
    file_events: FileEvents,
    /// Whether there was any event, also of a file that is no plugin: a plugin's link may lead through it.
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
    /// Opens inotify. Logs a warning if there is none.
    pub(super) fn new() -> Self {
        let opened = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).map_err(io::Error::from);
        #[expect(deprecated, reason = "its successor is unsafe for what isn't an owned file; this one is owned")]
        let inotify = opened.and_then(AsyncFd::<OwnedFd>::new).map(Arc::new);
        if let Err(error) = &inotify {
            tracing::warn!("the plugin folder is only looked into every server.plugins_scan_ms: no inotify: {error}");
        }
        Self { inotify: inotify.ok(), watched: None, file_events: FileEvents::default(), has_news: false }
    }

    /// Returns a closure that watches the folder which is at a path now. The closure blocks. A folder that was there
    /// before, under that name or behind a link, is no longer watched.
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
            // The number is the old one if it is the old folder: that may have been put back between the two calls
            // above.
            if let Some(before) = before.filter(|before| before.number != number) {
                // The system has already removed the watch if its folder was deleted.
                _ = remove_watch(inotify.as_ref(), before.number);
            }
            Ok(Some(Watched { number, device, inode }))
        }
    }

    /// Takes what [`watcher`](Self::watcher) returned. Events of other watches are ignored from now on.
    pub(super) fn watching(&mut self, watched: Option<Watched>) {
        self.file_events.lost |= watched.is_some() && watched != self.watched;
        self.watched = watched;
    }

    /// Waits until there is an event to take. May be dropped midway.
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

    /// Returns the events since they were last taken.
    pub(super) fn take(&mut self) -> FileEvents {
        self.read_events();
        self.has_news = false;
        std::mem::take(&mut self.file_events)
    }

    /// Returns whether that file was changed, or may have been, since the events were last taken: then what was read of
    /// it may be neither the old content nor the new one.
    pub(super) fn has_changed(&mut self, name: &OsStr) -> bool {
        self.read_events();
        self.file_events.lost || self.file_events.files.contains_key(name)
    }

    fn read_events(&mut self) {
        let Some(inotify) = self.inotify.clone() else { return };
        let mut buffer = [MaybeUninit::uninit(); READ_BYTES];
        let mut reader = Reader::new(inotify.get_ref(), &mut buffer);
        // This loop ends: the system's queue is bounded, and events are read faster than they are made.
        while let Ok(event) = reader.next() {
            self.has_news = true;
            let what = event.events();
            if what.contains(ReadFlags::QUEUE_OVERFLOW) {
                // The event of the watch's own end may be among the lost ones.
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
