//! What is known of the folder's files, and which of them are to be read.
//!
//! ```text
//!                 new, or its stamp changed
//!                            │
//!                            ▼          an event says that it is complete
//!      ┌──────────────── unsettled ───────────────► read at once, a refusal is kept back
//!      │ written to,         │                               │
//!      │ changed meanwhile   │ the same for settle_ms        │ the same for settle_ms
//!      └─────────────────────┤◄──────────────────────────────┘
//!                            ▼
//!                       read again ───► settled: nothing to do until its stamp changes
//! ```
//!
//! The second reading makes a stamp trustworthy: a file that was read within one tick of its last change could change
//! once more and keep its stamp. After `settle_ms`, which is longer than a tick, a change changes the stamp.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    time::{Duration, Instant},
};

use super::events::{FileEvent, FileEvents};
use crate::hooks::Installation;
use crate::versions::{
    SwapError,
    folder::{FILES_MAX, FileState, Stamp},
};

/// How long a writer that has the file open and writes nothing is waited for.
const WRITER_MAX: Duration = Duration::from_secs(30);

/// One file, remembered after it was deleted: if it comes back with its last content, that is no change.
#[derive(Debug)]
pub(super) struct File {
    /// What the last scan found, `None` if the file wasn't there.
    state: Option<FileState>,
    /// Since when it has been the same, as far as is known.
    since: Instant,
    is_open: bool,
    is_settled: bool,
    /// The content that was last dealt with: it was deployed, or its refusal was reported.
    pub(super) digest: Option<String>,
    /// Why the content that was read at an event is refused; not reported yet.
    pub(super) refused: Option<Refusal>,
    /// What was last reported about the file, other than a refusal.
    pub(super) last_reported: Option<String>,
}

/// A content that is refused.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) digest: String,
    pub(super) at: Option<Installation>,
    pub(super) error: SwapError,
}

/// A file that is to be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DueFile {
    pub(super) name: OsString,
    pub(super) state: FileState,
    /// Whether it has stayed the same for long enough to say something about it.
    pub(super) has_settled: bool,
}

/// The files of the folder.
#[derive(Debug)]
pub(super) struct Files {
    known: BTreeMap<OsString, File>,
    settle: Duration,
}

impl Files {
    /// Starts with what the files had in them when the host started.
    pub(super) fn new(digests: &BTreeMap<OsString, String>, settle: Duration, now: Instant) -> Self {
        let file = |(name, digest): (&OsString, &String)| {
            (name.clone(), File { digest: Some(digest.clone()), ..File::new(now) })
        };
        Self { known: digests.iter().map(file).collect(), settle }
    }

    /// Takes in a scan of the folder, and returns which files are to be read, those that changed last at the end: of
    /// two plugins of a kind, the newer one is deployed last.
    pub(super) fn see(
        &mut self,
        seen: BTreeMap<OsString, FileState>,
        file_events: &FileEvents,
        now: Instant,
    ) -> Vec<DueFile> {
        for (_, file) in self.known.iter_mut().filter(|(name, _)| !seen.contains_key(*name)) {
            (file.state, file.is_open, file.refused) = (None, false, None);
        }
        let mut due = Vec::new();
        for (name, state) in seen {
            let file = self.known.entry(name.clone()).or_insert_with(|| File::new(now));
            let event = file_events.files.get(&name).copied();
            if file.state.as_ref() != Some(&state) {
                file.state = Some(state.clone());
                file.unsettle(now);
            }
            match event {
                Some(FileEvent::Open) => {
                    file.is_open = true;
                    file.unsettle(now);
                }
                Some(FileEvent::Complete) => file.is_open = false,
                // The lost event may be that its writer has closed it.
                None => file.is_open &= !file_events.lost,
            }
            let has_settled = now >= file.since + file.wait(self.settle);
            if !file.is_settled && (has_settled || event == Some(FileEvent::Complete)) {
                due.push(DueFile { name, state, has_settled });
            }
        }
        if self.known.len() > 2 * FILES_MAX {
            self.known.retain(|_, file| file.state.is_some());
        }
        due.sort_by_key(|due| match &due.state {
            FileState::File(stamp) => Some(stamp.changed()),
            FileState::Unusable(_) => None,
        });
        due
    }

    /// Returns how long it takes until the next file settles, `None` if all have.
    pub(super) fn next_in(&self, now: Instant) -> Option<Duration> {
        let waiting = self.known.values().filter(|file| file.state.is_some() && !file.is_settled);
        waiting.map(|file| (file.since + file.wait(self.settle)).saturating_duration_since(now)).min()
    }

    /// Returns what is known of a file that was seen.
    pub(super) fn of(&mut self, name: &OsStr) -> Option<&mut File> {
        self.known.get_mut(name)
    }
}

impl File {
    const fn new(now: Instant) -> Self {
        Self {
            state: None,
            since: now,
            is_open: false,
            is_settled: false,
            digest: None,
            refused: None,
            last_reported: None,
        }
    }

    fn wait(&self, settle: Duration) -> Duration {
        if self.is_open { settle.max(WRITER_MAX) } else { settle }
    }

    /// Makes the file settle anew from a moment on, which may be in the future.
    pub(super) const fn unsettle(&mut self, since: Instant) {
        self.since = since;
        self.is_settled = false;
    }

    /// Marks the file as dealt with until its stamp changes.
    pub(super) const fn settle(&mut self) {
        self.is_settled = true;
    }

    /// Takes the stamp that the file had when it was opened, and returns whether it is that of the scan. If the file
    /// changed in between, the time to settle begins anew.
    pub(super) fn opened(&mut self, stamp: Stamp, now: Instant) -> bool {
        let is_same = self.state == Some(FileState::File(stamp));
        if !is_same {
            self.state = Some(FileState::File(stamp));
            self.unsettle(now);
        }
        is_same
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_millis(200);

    /// Scans a folder with `a.wasm`. `at` takes the time in ms, the stamp's number and the event; it returns whether
    /// the file has settled, `None` if it isn't due.
    struct Looking {
        files: Files,
        began: Instant,
    }

    impl Looking {
        fn new() -> Self {
            let began = Instant::now();
            Self { files: Files::new(&BTreeMap::new(), SETTLE, began), began }
        }

        fn at(&mut self, after_ms: u64, stamp: u64, event: Option<FileEvent>) -> Option<bool> {
            let mut file_events = FileEvents::default();
            file_events.files.extend(event.map(|event| ("a.wasm".into(), event)));
            let seen = BTreeMap::from([("a.wasm".into(), FileState::File(Stamp::numbered(stamp)))]);
            let now = self.began + Duration::from_millis(after_ms);
            self.files.see(seen, &file_events, now).pop().map(|due| due.has_settled)
        }

        fn next_in_ms(&self, after_ms: u64) -> Option<u128> {
            let now = self.began + Duration::from_millis(after_ms);
            self.files.next_in(now).map(|wait| wait.as_millis())
        }

        fn settle(&mut self) {
            self.files.of(OsStr::new("a.wasm")).expect("it was seen").settle();
        }
    }

    #[test]
    fn a_file_is_due_when_it_stayed_the_same() {
        let mut looking = Looking::new();
        assert_eq!((looking.at(0, 1, None), looking.next_in_ms(50)), (None, Some(150)));
        assert_eq!(looking.at(150, 2, None), None, "it changed");
        assert_eq!(looking.at(349, 2, None), None);
        assert_eq!((looking.at(350, 2, None), looking.next_in_ms(350)), (Some(true), Some(0)));
        looking.settle();
        assert_eq!((looking.at(900, 2, None), looking.next_in_ms(900)), (None, None));
        assert_eq!(looking.at(1_000, 3, None), None);
    }

    #[test]
    fn a_file_that_is_said_to_be_complete_is_due_at_once_and_once_more() {
        let mut looking = Looking::new();
        assert_eq!(looking.at(0, 1, Some(FileEvent::Complete)), Some(false));
        assert_eq!(looking.at(10, 1, None), None);
        assert_eq!(looking.at(20, 1, Some(FileEvent::Complete)), Some(false), "its stamp doesn't tell so soon");
        assert_eq!(looking.at(200, 1, None), Some(true));
        looking.settle();
        assert_eq!(looking.at(300, 1, Some(FileEvent::Complete)), None, "opened for writing, and not written to");
    }

    #[test]
    fn who_is_at_it_is_waited_for() {
        let mut looking = Looking::new();
        assert_eq!(looking.at(0, 1, Some(FileEvent::Open)), None);
        assert_eq!(looking.at(5_000, 1, None), None);
        assert_eq!(looking.at(5_001, 1, Some(FileEvent::Complete)), Some(true));
        let mut looking = Looking::new();
        assert_eq!(looking.at(0, 1, Some(FileEvent::Open)), None);
        assert_eq!(looking.at(30_000, 1, None), Some(true), "not for ever");
    }

    #[test]
    fn a_lost_event_may_have_been_the_last_one() {
        let mut looking = Looking::new();
        looking.at(0, 1, Some(FileEvent::Open));
        let seen = BTreeMap::from([("a.wasm".into(), FileState::File(Stamp::numbered(1)))]);
        let lost = FileEvents { lost: true, ..FileEvents::default() };
        let due = looking.files.see(seen, &lost, looking.began + SETTLE);
        assert_eq!(due.len(), 1);
    }

    #[test]
    fn what_is_gone_is_remembered_while_there_is_room() {
        let now = Instant::now();
        let name = OsString::from("a.wasm");
        let digests = BTreeMap::from([(name.clone(), "digest".to_owned())]);
        let mut files = Files::new(&digests, SETTLE, now);
        files.see(BTreeMap::new(), &FileEvents::default(), now);
        assert_eq!(files.of(&name).and_then(|file| file.digest.clone()).as_deref(), Some("digest"));
        for round in 0..3 {
            let state = |number| (format!("{round}-{number}.wasm").into(), FileState::Unusable("is none".into()));
            files.see((0..FILES_MAX).map(state).collect(), &FileEvents::default(), now);
        }
        assert!(files.known.len() <= 2 * FILES_MAX, "{}", files.known.len());
    }
}
