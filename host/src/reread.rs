//! Files that are read again when they change: keys, tokens, rules.
//!
//! A file that can't be used any more leaves what was read before, and the log says so once.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use arc_swap::{ArcSwap, Guard};
use tokio_util::sync::CancellationToken;

/// How often a file is looked at.
const LOOKED_AT: Duration = Duration::from_secs(1);

type Read<T> = dyn Fn(&Path) -> anyhow::Result<T> + Send + Sync;

/// What a file has in it, as of the last time that it could be used.
pub(crate) struct Reread<T> {
    file: PathBuf,
    words: Words,
    read: Arc<Read<T>>,
    now: ArcSwap<T>,
}

/// What messages say of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words {
    /// The setting that names the file, such as `customers.keys_file`.
    pub setting: &'static str,
    /// What is in it, in the plural: `keys`.
    pub things: &'static str,
}

impl<T> fmt::Debug for Reread<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Reread").field("file", &self.file).finish_non_exhaustive()
    }
}

impl<T: PartialEq + Send + Sync + 'static> Reread<T> {
    /// Reads the file for the first time.
    ///
    /// # Errors
    /// If it can't be used, with the setting that names it.
    pub(crate) fn new(
        file: PathBuf,
        words: Words,
        read: impl Fn(&Path) -> anyhow::Result<T> + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let now = read(&file).with_context(|| words.unusable(&file))?;
        Ok(Self { file, words, read: Arc::new(read), now: ArcSwap::from_pointee(now) })
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Returns what is in the file.
    pub(crate) fn now(&self) -> Guard<Arc<T>> {
        self.now.load()
    }

    /// Reads a file again whenever it changes, until the host stops. `changed` is told what is in it then. Without a file it waits for
    /// that end.
    pub(crate) async fn watch(of: Option<&Self>, stopping: CancellationToken, changed: impl Fn(&T)) {
        let Some(file) = of else { return stopping.cancelled().await };
        let mut said = None;
        while stopping.run_until_cancelled(tokio::time::sleep(LOOKED_AT)).await.is_some() {
            file.look(&mut said, &changed).await;
        }
    }

    /// Reads the file. `said` is what was last said of one that can't be used.
    pub(crate) async fn look(&self, said: &mut Option<String>, changed: impl Fn(&T)) {
        let (file, read) = (self.file.clone(), Arc::clone(&self.read));
        let reading = tokio::task::spawn_blocking(move || read(&file));
        match reading.await.map_err(anyhow::Error::from).and_then(|read| read) {
            Ok(next) => {
                *said = None;
                if **self.now.load() != next {
                    changed(&next);
                    self.now.store(Arc::new(next));
                }
            }
            Err(error) => {
                let what = format!("{error:#}");
                if said.as_ref() != Some(&what) {
                    let (file, things) = (self.words.unusable(&self.file), self.words.things);
                    tracing::error!("{file}, so the {things} from before stay: {what}");
                    *said = Some(what);
                }
            }
        }
    }
}

impl Words {
    fn unusable(self, file: &Path) -> String {
        format!("{} ({}) can't be used", file.display(), self.setting)
    }
}
