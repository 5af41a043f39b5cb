//! Recordings on the disk, which outlive the host: files of JSON lines, named after the first id in them.
//!
//! A thread of its own writes them. Calls hand it recordings through a bounded queue and never wait for it: past the queue's bound a
//! recording stays in memory only. A part of the files is deleted at once when all together are too large, the oldest first. Nothing
//! is synced: what a power cut takes of the last seconds is lost, and a line that was cut off is skipped.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    CaseOfCall, Cost, Forms, MaskedCase, Outcome, RecordedVersion, Recording,
    kept::{Order, Page, Wanted},
};
use crate::{
    clock::now_ms,
    hooks::Installation,
    units::{hex, micros},
};

/// Recordings that wait for the writer, some 1 KiB each.
const QUEUED_MAX: usize = 4_096;
/// How many files there are: one is deleted at a time.
const FILES: u64 = 16;
/// How long a line may wait in memory for others to be written with.
const FLUSHED_AFTER: Duration = Duration::from_millis(500);
const SUFFIX: &str = "jsonl";

/// What the files are held to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) bytes_max: u64,
    pub(super) age_max_ms: u64,
}

/// The files, and who writes them.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    /// From 0 to 1.
    share: f64,
    age_max_ms: u64,
    /// `None` once it is closed.
    queue: Mutex<Option<SyncSender<Arc<Recording>>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// A recording as a line.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    id: u64,
    at_ms: u64,
    at: String,
    name: String,
    version: String,
    digest: String,
    number: Option<u64>,
    rollout: String,
    trace_id: String,
    order: String,
    outcome: String,
    error: bool,
    decided: bool,
    total: Option<u64>,
    took_us: u64,
    cpu_us: u64,
    fuel: Option<u64>,
    masked: u32,
    #[serde(borrow)]
    case: &'a RawValue,
}

impl Disk {
    /// Starts the writer. A folder that can't be used is said in the log, and nothing is written.
    pub(super) fn open(folder: PathBuf, share: f64, bounds: Bounds, forms: Arc<Forms>) -> Self {
        let (sender, receiver) = sync_channel(QUEUED_MAX);
        let files = Files { folder: folder.clone(), bounds, current: None };
        let writing = std::thread::Builder::new().name("recordings".to_owned()).spawn(move || {
            if let Err(error) = write(files, &receiver, &forms) {
                tracing::warn!("recordings aren't written to the disk any more, and stay in memory: {error}");
            }
        });
        let writer = Mutex::new(writing.ok());
        Self { folder, share, age_max_ms: bounds.age_max_ms, queue: Mutex::new(Some(sender)), writer }
    }

    /// Has the recording written, if its trace is one of the share or it ended in an error.
    pub(super) fn keep(&self, recording: &Arc<Recording>) {
        if recording.outcome.is_error || self.has(recording.trace_id) {
            let queue = self.queue.lock();
            // Full, or the writer has ended: it stays in memory only.
            queue.iter().for_each(|queue| _ = queue.try_send(Arc::clone(recording)));
        }
    }

    fn has(&self, trace_id: [u8; 16]) -> bool {
        let [.., a, b, c, d] = trace_id;
        f64::from(u32::from_be_bytes([a, b, c, d])) < self.share * (f64::from(u32::MAX) + 1.0)
    }

    /// Ends the writer once everything is written.
    pub(super) fn close(&self) {
        drop(self.queue.lock().take());
        let writer = self.writer.lock().take();
        writer.into_iter().for_each(|writer| _ = writer.join());
    }

    /// Returns the page of those that are wanted.
    pub(super) fn list(&self, wanted: &Wanted<'_>, page: Page) -> Vec<Arc<Recording>> {
        let files = files(&self.folder).unwrap_or_default();
        let ids: Vec<u64> = files.keys().copied().collect();
        // A file's ids are below the first one of the next file.
        let ends = ids.iter().copied().skip(1).chain([u64::MAX]);
        let mut files: Vec<_> = files.into_iter().zip(ends).collect();
        if page.order == Order::Newest {
            files.reverse();
        }
        let mut found = Vec::new();
        for ((first, file), end) in files {
            if !page.has(first) && !page.has(end) {
                continue;
            }
            let text = fs::read_to_string(file).unwrap_or_default();
            found.extend(self.read(&text).filter(|recording| page.has(recording.id) && wanted.takes(recording)));
            if found.len() >= page.limit {
                break;
            }
        }
        page.of(found, wanted)
    }

    /// Returns the recording of that id.
    pub(super) fn recording(&self, id: u64) -> Option<Arc<Recording>> {
        let (_, file) = files(&self.folder).ok()?.into_iter().rfind(|(first, _)| *first <= id)?;
        let text = fs::read_to_string(file).ok()?;
        self.read(&text).find(|recording| recording.id == id)
    }

    fn read(&self, text: &str) -> impl Iterator<Item = Arc<Recording>> {
        let oldest_ms = now_ms().saturating_sub(self.age_max_ms);
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Line<'_>>(line).ok());
        lines.filter(move |line| line.at_ms >= oldest_ms).filter_map(|line| line.into_recording()).map(Arc::new)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.close();
    }
}

/// The files as the writer sees them.
struct Files {
    folder: PathBuf,
    bounds: Bounds,
    /// The file that is written, and how large it is.
    current: Option<(BufWriter<File>, u64)>,
}

/// Writes what comes, until nothing will.
fn write(mut files: Files, queue: &Receiver<Arc<Recording>>, forms: &Forms) -> io::Result<()> {
    fs::create_dir_all(&files.folder)?;
    files.make_room()?;
    loop {
        match queue.recv_timeout(FLUSHED_AFTER) {
            Ok(recording) => files.add(&recording, forms)?,
            Err(RecvTimeoutError::Timeout) => files.flush()?,
            Err(RecvTimeoutError::Disconnected) => return files.flush(),
        }
    }
}

impl Files {
    fn add(&mut self, recording: &Recording, forms: &Forms) -> io::Result<()> {
        let case = forms.case(recording);
        let mut line = serde_json::to_vec(&Line::of(recording, &case))?;
        line.push(b'\n');
        let length = line.len() as u64;
        let is_full = self.current.as_ref().is_none_or(|(_, bytes)| bytes + length > self.bounds.bytes_max / FILES);
        if is_full {
            self.flush()?;
            self.make_room()?;
            let file = self.folder.join(format!("{:020}.{SUFFIX}", recording.id));
            self.current = Some((BufWriter::new(File::create_new(file)?), 0));
        }
        if let Some((file, bytes)) = &mut self.current {
            file.write_all(&line)?;
            *bytes += length;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.current.as_mut().map_or(Ok(()), |(file, _)| file.flush())
    }

    /// Deletes the oldest files, so that there is room for another one, and those that are too old.
    fn make_room(&self) -> io::Result<()> {
        let Bounds { bytes_max, age_max_ms } = self.bounds;
        let mut sizes = Vec::new();
        for (first, file) in files(&self.folder)? {
            sizes.push((first, fs::metadata(&file)?.len(), file));
        }
        let mut bytes: u64 = sizes.iter().map(|(_, bytes, _)| bytes).sum();
        let oldest_ms = now_ms().saturating_sub(age_max_ms);
        let firsts: Vec<_> = sizes.iter().map(|(first, ..)| *first).skip(1).collect();
        for ((_, size, file), next) in sizes.iter().zip(firsts.into_iter().map(Some).chain([None])) {
            // An id is a time in microseconds, so a file is too old if the one after it begins too early.
            let is_old = next.is_some_and(|next| next / 1_000 < oldest_ms);
            if bytes <= bytes_max - bytes_max / FILES && !is_old {
                break;
            }
            fs::remove_file(file)?;
            bytes = bytes.saturating_sub(*size);
        }
        Ok(())
    }
}

/// Returns the files by the first id in each.
fn files(folder: &Path) -> io::Result<BTreeMap<u64, PathBuf>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_one = path.extension().is_some_and(|suffix| suffix == SUFFIX);
        let first = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        files.extend(first.filter(|_| is_one).map(|first| (first, path)));
    }
    Ok(files)
}

impl<'a> Line<'a> {
    fn of(recording: &Recording, MaskedCase { json, masked }: &'a MaskedCase) -> Self {
        let Recording { id, at_ms, version, number, role, trace_id, order_seed, outcome, cost, .. } = recording;
        Self {
            id: *id,
            at_ms: *at_ms,
            at: version.at.to_string(),
            name: version.name.clone(),
            version: version.version.clone(),
            digest: version.digest.clone(),
            number: *number,
            rollout: (*role).to_owned(),
            trace_id: hex(trace_id),
            order: hex(order_seed),
            outcome: outcome.code.to_string(),
            error: outcome.is_error,
            decided: outcome.is_decided,
            total: outcome.total,
            took_us: micros(cost.took),
            cpu_us: micros(cost.cpu),
            fuel: cost.fuel,
            masked: *masked,
            case: json,
        }
    }

    /// Returns the recording; `None` if the line isn't one.
    fn into_recording(self) -> Option<Recording> {
        let at = Installation::parse(&self.at)?;
        // Its settings are in the case.
        let version = RecordedVersion::new(at, self.name, self.version, self.digest, BTreeMap::new());
        let (took, cpu) = (Duration::from_micros(self.took_us), Duration::from_micros(self.cpu_us));
        Some(Recording {
            id: self.id,
            at_ms: self.at_ms,
            version: Arc::new(version),
            number: self.number,
            role: if self.rollout == "canary" { "canary" } else { "live" },
            trace_id: bytes(&self.trace_id)?,
            order_seed: bytes(&self.order)?,
            outcome: Outcome {
                code: self.outcome.into(),
                is_error: self.error,
                is_decided: self.decided,
                total: self.total,
            },
            cost: Cost { took, cpu, fuel: self.fuel },
            case: CaseOfCall::Whole(MaskedCase { json: self.case.to_owned(), masked: self.masked }),
        })
    }
}

/// Returns the bytes of hexadecimal digits.
fn bytes<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if hex.len() != 2 * N {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{
        super::{Filter, Mask, Unmasked},
        *,
    };

    const LARGE: Bounds = Bounds { bytes_max: 1 << 30, age_max_ms: u64::MAX };

    fn recording(id: u64, is_error: bool, text: &str) -> Arc<Recording> {
        let at = Installation::parse("discounts/spring").expect("an installation");
        let settings = BTreeMap::from([("percent".to_owned(), "10".to_owned())]);
        let version = RecordedVersion::new(at, "spring".into(), "1.2.3".into(), "d".into(), settings);
        let members = Unmasked(format!(r#""text":"{text}","mail":"ada@example.com""#).into());
        Arc::new(Recording {
            id,
            at_ms: now_ms(),
            version: Arc::new(version),
            number: Some(3),
            role: "canary",
            // Of four traces one is below a half, and so on.
            trace_id: u128::from((id % 4) << 30).to_be_bytes(),
            order_seed: [u8::try_from(id % 7).expect("small"); 32],
            outcome: Outcome { code: "trap".into(), is_error, is_decided: true, total: Some(7) },
            cost: Cost { took: Duration::from_micros(5), cpu: Duration::from_micros(4), fuel: None },
            case: CaseOfCall::Own { seed: [9; 32], members },
        })
    }

    fn open(folder: &Path, share: f64, bounds: Bounds) -> (Disk, Arc<Forms>) {
        let shop = RawValue::from_string("{}".into()).expect("JSON");
        let forms = Arc::new(Forms { mask: Mask::new(std::iter::empty(), true), shop });
        (Disk::open(folder.to_owned(), share, bounds, Arc::clone(&forms)), forms)
    }

    fn ids(disk: &Disk, page: Page) -> Vec<u64> {
        disk.list(&Wanted::of(&Filter::default()), page).iter().map(|recording| recording.id).collect()
    }

    #[test]
    fn recordings_outlive_their_host() {
        let folder = tempfile::tempdir().expect("a folder");
        let (disk, forms) = open(folder.path(), 1.0, LARGE);
        let first = now_ms() * 1_000;
        (first..first + 6).for_each(|id| disk.keep(&recording(id, false, "a")));
        drop(disk);
        // A power cut takes the end of a line.
        let file = files(folder.path()).expect("files").into_values().next().expect("a file");
        let text = fs::read_to_string(&file).expect("text");
        fs::write(&file, &text[..text.len() - 9]).expect("it is cut off");

        let (disk, _) = open(folder.path(), 1.0, LARGE);
        assert_eq!(ids(&disk, Page::whole()), (first..first + 5).collect::<Vec<_>>());
        let newest = Page { order: Order::Newest, after: Some(first + 3), limit: 2 };
        assert_eq!(ids(&disk, newest), [first + 2, first + 1]);
        let (before, after) = (recording(first + 2, false, "a"), disk.recording(first + 2).expect("it is there"));
        let case = |recording: &Recording| {
            let MaskedCase { json, masked } = forms.case(recording);
            (json.get().to_owned(), masked)
        };
        assert_eq!(case(&before), case(&after));
        assert_eq!(case(&after).1, 1);
        let text = fs::read_to_string(&file).expect("text");
        assert!(text.contains("masked-") && !text.contains("ada@"), "{text}");
        assert_eq!((&before.outcome, before.cost), (&after.outcome, after.cost));
        assert_eq!((before.version.at, before.number, before.role), (after.version.at, after.number, after.role));
        assert!(disk.recording(first + 5).is_none() && disk.recording(1).is_none());
    }

    #[test]
    fn a_share_has_whole_traces_and_all_errors() {
        let folder = tempfile::tempdir().expect("a folder");
        let (disk, _) = open(folder.path(), 0.5, LARGE);
        let first = now_ms() * 1_000 / 4 * 4;
        (first..first + 8).for_each(|id| disk.keep(&recording(id, id == first + 3, "a")));
        disk.close();
        let expected = [0, 1, 3, 4, 5].map(|number| first + number);
        assert_eq!(ids(&disk, Page::whole()), expected);
    }

    #[test]
    fn files_are_bounded_and_the_oldest_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let bounds = Bounds { bytes_max: 64 * 1024, ..LARGE };
        let (disk, _) = open(folder.path(), 1.0, bounds);
        let first = now_ms() * 1_000;
        (first..first + 400).for_each(|id| disk.keep(&recording(id, false, &"x".repeat(500))));
        disk.close();
        let bytes: u64 =
            files(folder.path()).expect("files").values().map(|file| fs::metadata(file).expect("a file").len()).sum();
        assert!(bytes <= bounds.bytes_max, "{bytes}");
        let kept = ids(&disk, Page::whole());
        assert!(kept.len() > 30 && kept.last() == Some(&(first + 399)), "{}", kept.len());
        // A file whose last id is a day old is gone at the next start.
        let (disk, _) = open(folder.path(), 1.0, Bounds { age_max_ms: 0, ..bounds });
        disk.close();
        assert!(files(folder.path()).expect("files").len() <= 1);
    }
}
