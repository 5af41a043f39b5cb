//! Watches the plugin folder while the host serves: deploys a new or changed file as `till plugin deploy` would.
//!
//! ```text
//! an event, or every plugins_scan_ms ─ look into the folder ─ read what is due ─ did it change meanwhile? ─ deploy
//! ```
//!
//! What counts is what is in the folder. An event only says when to look, that the writer of a file is done, and that a
//! file was written to while it was read. A file with a writer that is done is read at once, and deployed if it is
//! complete (`whole.rs`). Any other file, and one that is refused, has to stay the same for `plugins_settle_ms` before
//! anything is said about it: it may be only half written ([`files`]). If a file changed while it was read, that
//! content is dropped, and the file is read again.
//!
//! Only a change counts: a file with the content that was last dealt with isn't deployed again, and a file that was
//! deleted changes nothing. So what was deployed by command stays live until something changes in the folder. If the
//! folder holds two plugins of a kind, the newest complete file wins.
//!
//! The folder is scanned by one blocking thread at a time. After that the watcher sleeps several times as long as the
//! work took, so that whatever happens in the folder takes a fraction of one core. Files past the first [`FILES_MAX`]
//! are ignored, and no file is read that is larger than `limits.component_mib`.

mod events;
mod files;
mod whole;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use super::{self as folder, FILES_MAX, FileState, Listed, ReadError, Stamp};
use crate::{
    config::Settings,
    runtime::digest_of,
    store::BY_FOLDER,
    units::MIB,
    versions::{Became, Candidate, How, Plugins, SwapError, Swapped, When},
};
use events::{Events, FileEvents};
use files::{DueFile, Files, Refusal};

/// The sleep after some work, as a multiple of the time that the work took: so the work takes a fifth of a core at
/// most.
const REST_FACTOR: u32 = 4;
/// The longest such sleep: a longer one after a large file would delay the next file.
const REST_MAX: Duration = Duration::from_secs(2);
/// After how long a deploy is tried again that failed because of the host.
const RETRY: Duration = Duration::from_secs(10);

/// Watches the folder until it is dropped. A deploy that is dropped midway is as after a crash: in the store or not.
#[derive(Debug)]
pub struct Watcher(JoinHandle<()>);

impl Watcher {
    /// Starts to watch the folder that the settings name, `None` if they name none.
    #[must_use]
    pub fn start(plugins: Arc<Plugins>, settings: &Settings) -> Option<Self> {
        let folder = settings.server.plugins.clone()?;
        let settle = Duration::from_millis(settings.server.plugins_settle_ms);
        let watch = Watch {
            files: Files::new(&plugins.started_with, settle, Instant::now()),
            scan: Duration::from_millis(settings.server.plugins_scan_ms.max(1)),
            bytes_max: (plugins.runtime().limits.component_mib * MIB) as u64,
            events: Events::new(),
            last_reported: Some("not yet".into()),
            plugins,
            folder,
        };
        Some(Self(tokio::spawn(watch.run())))
    }

    /// Waits for the watcher's end, which only a panic causes.
    ///
    /// # Errors
    /// The panic.
    pub async fn ended(&mut self) -> Result<(), JoinError> {
        (&mut self.0).await
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Watch {
    plugins: Arc<Plugins>,
    folder: PathBuf,
    files: Files,
    events: Events,
    scan: Duration,
    bytes_max: u64,
    /// The last thing logged about the whole folder, `None` if that was that it is watched.
    last_reported: Option<String>,
}

/// What a file holds.
struct Content {
    stamp: Stamp,
    bytes: Vec<u8>,
    digest: String,
    has_its_end: bool,
}

/// How long the steps before a deploy took.
struct Steps {
    look: Duration,
    read: Duration,
}

impl Watch {
    async fn run(mut self) {
        loop {
            let file_events = self.events.take();
            let work = self.round(file_events).await;
            tokio::time::sleep((work * REST_FACTOR).min(REST_MAX)).await;
            let wait = self.files.next_in(Instant::now()).map_or(self.scan, |wait| wait.min(self.scan));
            tokio::select! { () = self.events.wait() => {}, () = tokio::time::sleep(wait) => {} }
        }
    }

    /// Scans the folder and deals with the files that are due. Returns how long that took, without the deploys.
    async fn round(&mut self, file_events: FileEvents) -> Duration {
        let began = Instant::now();
        let Some(listed) = self.look().await else { return began.elapsed() };
        let now = Instant::now();
        let look = now.duration_since(began);
        let mut work = look;
        for due in self.files.see(listed.files, &file_events, now) {
            work += self.deal_with(due, look).await;
        }
        work
    }

    /// Lists the folder and watches it; `None` if it can't be read, which is logged once.
    async fn look(&mut self) -> Option<Listed> {
        let (folder, watch) = (self.folder.clone(), self.events.watcher());
        let looking = spawn_blocking(move || {
            // Watched before it is listed: any later change causes an event.
            let watched = watch(&folder);
            (watched, folder::list(&folder))
        });
        let (watched, listed) = looking.await.ok()?;
        let folder = self.folder.display();
        let (listed, said) = match (listed, &watched) {
            (Err(error), _) => (None, Some(format!("it can't be read: {error}"))),
            (Ok(listed), _) if listed.left_out > 0 => {
                let said = format!(
                    "it has {} *.wasm, of which the first {FILES_MAX} are looked at",
                    listed.left_out + FILES_MAX
                );
                (Some(listed), Some(said))
            }
            (Ok(listed), Err(error)) => {
                (Some(listed), Some(format!("it is only looked into every server.plugins_scan_ms: {error}")))
            }
            (Ok(listed), Ok(_)) => (Some(listed), None),
        };
        self.events.watching(watched.ok().flatten());
        if said != self.last_reported {
            match &said {
                Some(said) => tracing::warn!("the plugin folder {folder}: {said}; what is live stays"),
                None => tracing::info!("the plugin folder {folder} is watched"),
            }
            self.last_reported = said;
        }
        listed
    }

    /// Reads a file and deploys a new content. Returns how long that took, without the deploy.
    async fn deal_with(&mut self, due: DueFile, look: Duration) -> Duration {
        let DueFile { name, state, has_settled } = due;
        if let FileState::Unusable(reason) = state {
            self.unusable(&name, reason, has_settled).await;
            return Duration::ZERO;
        }
        let began = Instant::now();
        let (path, bytes_max) = (self.folder.join(&name), self.bytes_max);
        let read = spawn_blocking(move || read(&path, bytes_max)).await.unwrap_or(Err(ReadError::Changed));
        let steps = Steps { look, read: began.elapsed() };
        let content = match read {
            // A change within one tick of the file system's clock doesn't show in the stamp, but causes an event.
            Ok(content) if !self.events.has_changed(&name) => content,
            Err(ReadError::Unusable(reason)) => {
                self.unusable(&name, reason, has_settled).await;
                return steps.read;
            }
            Ok(_) | Err(ReadError::Changed) => {
                self.changed(&name);
                return steps.read;
            }
        };
        let is_same = self.files.of(&name).is_some_and(|file| file.opened(content.stamp, began));
        // A content other than the listed one hasn't settled, and the event wasn't about it.
        if is_same && !self.take_in(&name, content, has_settled, &steps).await {
            return began.elapsed();
        }
        steps.read
    }

    /// Reports a file that can't be read: once, when it has settled.
    async fn unusable(&mut self, name: &OsStr, reason: String, has_settled: bool) {
        let Some(file) = self.files.of(name).filter(|_| has_settled) else { return };
        file.settle();
        if file.last_reported.as_ref() != Some(&reason) {
            file.last_reported = Some(reason.clone());
            let error = SwapError::Unusable { file: self.folder.join(name), reason };
            _ = self.plugins.record_result(None, BY_FOLDER, Err(error)).await;
        }
    }

    fn changed(&mut self, name: &OsStr) {
        if let Some(file) = self.files.of(name) {
            file.unsettle(Instant::now());
        }
    }

    /// Deals with a content; returns whether it was deployed.
    async fn take_in(&mut self, name: &OsStr, content: Content, has_settled: bool, steps: &Steps) -> bool {
        let Some(file) = self.files.of(name) else { return false };
        if file.digest.as_ref() == Some(&content.digest) {
            (file.refused, file.last_reported) = (None, None);
            if has_settled {
                file.settle();
            }
            return false;
        }
        let refused = file.refused.take().filter(|refused| refused.digest == content.digest);
        if let Some(refused) = refused {
            self.refused(name, refused, has_settled).await;
            return false;
        }
        if !has_settled && !content.has_its_end {
            return false;
        }
        self.deploy(name, content, has_settled, steps).await
    }

    async fn deploy(&mut self, name: &OsStr, content: Content, has_settled: bool, steps: &Steps) -> bool {
        let Content { bytes, digest, .. } = content;
        let path = self.folder.join(name);
        let stem = Path::new(name).file_stem().unwrap_or(name).to_string_lossy().into_owned();
        let candidate = Candidate { source: path.display().to_string(), stem, bytes: bytes.into() };
        let began = Instant::now();
        let (at, deployed) = self
            .plugins
            .deploy_unrecorded(candidate, None, How { when: When::AtOnce, forced: false }, BY_FOLDER.into())
            .await;
        match deployed {
            Ok(swapped) => {
                if let Some(file) = self.files.of(name) {
                    (file.digest, file.last_reported) = (Some(digest), None);
                    if has_settled {
                        file.settle();
                    }
                }
                self.deployed(name, swapped, steps, began.elapsed()).await;
                return true;
            }
            Err(error) if error.is_refusal() => {
                self.refused(name, Refusal { digest, at, error }, has_settled).await;
            }
            Err(error) => {
                let Some(file) = self.files.of(name) else { return false };
                file.unsettle(Instant::now() + RETRY);
                let said = Some(error.to_string());
                if file.last_reported != said {
                    file.last_reported = said;
                    _ = self.plugins.record_result(at, BY_FOLDER, Err(error)).await;
                }
            }
        }
        false
    }

    /// Reports a refusal if the file has settled; otherwise keeps the refusal until it has.
    async fn refused(&mut self, name: &OsStr, refusal: Refusal, has_settled: bool) {
        let Some(file) = self.files.of(name) else { return };
        if has_settled {
            file.settle();
            (file.digest, file.last_reported) = (Some(refusal.digest), None);
            _ = self.plugins.record_result(refusal.at, BY_FOLDER, Err(refusal.error)).await;
        } else {
            file.refused = Some(refusal);
        }
    }

    async fn deployed(&self, name: &OsStr, swapped: Swapped, steps: &Steps, deploy: Duration) {
        let name = name.display();
        if swapped.became == Became::Unchanged {
            self.plugins.note_folder_has(&swapped.version).await;
        } else if swapped.became == Became::Waiting {
            tracing::info!(file = %name, "{name} of the plugin folder waits for a person to promote it");
        } else {
            let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
            tracing::info!(
                file = %name,
                look_ms = ms(steps.look),
                read_ms = ms(steps.read),
                deploy_ms = ms(deploy),
                "{name} was deployed from the plugin folder"
            );
        }
        _ = self.plugins.record_result(Some(swapped.version.text.at), BY_FOLDER, Ok(swapped)).await;
    }
}

/// Reads a file with its digest. Blocks.
fn read(path: &Path, bytes_max: u64) -> Result<Content, ReadError> {
    let (stamp, bytes) = folder::read(path, bytes_max)?;
    Ok(Content { stamp, digest: digest_of(&bytes), has_its_end: whole::has_its_end(&bytes), bytes })
}
