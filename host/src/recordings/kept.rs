//! The recordings in memory: two lists, each in the order of their ids, within one bound.
//!
//! Calls that ended in an error have a list of their own. Past the bound the oldest call without an error is dropped first; errors are
//! dropped among themselves only while they take up more than half of the memory.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::Recording;
use crate::{clock::now_ms, hooks::Installation};

/// What a recording costs beside its text, bytes: the struct, its place in the list and what the allocator adds.
const RECORDING_BYTES: usize = size_of::<Recording>() + 64;

/// What is looked for. What is `None` takes every recording.
#[derive(Debug, Default, Clone)]
pub struct Filter {
    /// A hook, all its installations included, or one of them.
    pub at: Option<Installation>,
    /// A version's number.
    pub number: Option<u64>,
    /// An outcome's code.
    pub outcome: Option<String>,
    /// Whether they ended in an error.
    pub errors: Option<bool>,
    /// Those that ended then or later, Unix time, milliseconds.
    pub since_ms: Option<u64>,
    pub trace_id: Option<[u8; 16]>,
    /// The reference of an order: its own calls, and all of the traces that those are in.
    pub reference: Option<String>,
}

/// Which comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Newest,
    Oldest,
}

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    pub recordings: usize,
    pub errors: usize,
    pub bytes: usize,
    /// Those that were dropped since the start, for memory or age.
    pub dropped: u64,
}

#[derive(Debug)]
pub(super) struct Kept {
    lists: Mutex<Lists>,
    next_id: AtomicU64,
    bytes_max: usize,
    age_max_ms: u64,
}

#[derive(Debug, Default)]
struct Lists {
    plain: List,
    errors: List,
    dropped: u64,
}

#[derive(Debug, Default)]
struct List {
    recordings: VecDeque<Arc<Recording>>,
    bytes: usize,
}

impl Kept {
    pub(super) fn new(bytes_max: usize, age_max_ms: u64) -> Self {
        // In microseconds, so that ids go on after a restart: no host makes a recording in each.
        let next_id = AtomicU64::new(now_ms().saturating_mul(1_000));
        Self { lists: Mutex::default(), next_id, bytes_max, age_max_ms }
    }

    pub(super) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Relaxed)
    }

    pub(super) fn push(&self, recording: Arc<Recording>) {
        let now_ms = recording.at_ms;
        // What is dropped is freed after the lock.
        let mut dropped = Vec::new();
        let mut lists = self.lists.lock();
        if recording.outcome.is_error { &mut lists.errors } else { &mut lists.plain }.push(recording);
        while let Some(oldest) = lists.surplus(self.bytes_max, now_ms.saturating_sub(self.age_max_ms)) {
            dropped.push(oldest);
        }
        lists.dropped += dropped.len() as u64;
        drop(lists);
    }

    pub(super) fn figures(&self) -> Figures {
        let lists = self.lists.lock();
        let Lists { plain, errors, dropped } = &*lists;
        Figures {
            recordings: plain.recordings.len() + errors.recordings.len(),
            errors: errors.recordings.len(),
            bytes: plain.bytes + errors.bytes,
            dropped: *dropped,
        }
    }

    /// Returns all that aren't too old. The lock is held for copying pointers only.
    pub(super) fn all(&self) -> Vec<Arc<Recording>> {
        let oldest_ms = now_ms().saturating_sub(self.age_max_ms);
        let lists = self.lists.lock();
        let all = lists.plain.recordings.iter().chain(&lists.errors.recordings);
        all.filter(|recording| recording.at_ms >= oldest_ms).cloned().collect()
    }
}

impl Lists {
    /// Takes out the next recording that has to go; `None` if all fit.
    fn surplus(&mut self, bytes_max: usize, oldest_ms: u64) -> Option<Arc<Recording>> {
        let Self { plain, errors, .. } = self;
        let list = if plain.is_older(oldest_ms) {
            plain
        } else if errors.is_older(oldest_ms) {
            errors
        } else if plain.bytes + errors.bytes <= bytes_max {
            return None;
        } else if errors.bytes > bytes_max / 2 || plain.recordings.is_empty() {
            errors
        } else {
            plain
        };
        list.pop()
    }
}

impl List {
    fn push(&mut self, recording: Arc<Recording>) {
        self.bytes += bytes(&recording);
        self.recordings.push_back(recording);
    }

    fn pop(&mut self) -> Option<Arc<Recording>> {
        let oldest = self.recordings.pop_front()?;
        self.bytes = self.bytes.saturating_sub(bytes(&oldest));
        Some(oldest)
    }

    fn is_older(&self, oldest_ms: u64) -> bool {
        self.recordings.front().is_some_and(|oldest| oldest.at_ms < oldest_ms)
    }
}

fn bytes(recording: &Recording) -> usize {
    RECORDING_BYTES + recording.text_bytes()
}

/// A part of a list: `limit` recordings at most, behind the one of the id `after`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    pub(super) order: Order,
    pub(super) after: Option<u64>,
    pub(super) limit: usize,
}

impl Page {
    /// Returns all of a list as one page.
    pub(super) const fn whole() -> Self {
        Self { order: Order::Oldest, after: None, limit: usize::MAX }
    }

    /// Returns whether an id is behind the page's beginning.
    pub(super) fn has(&self, id: u64) -> bool {
        match (self.order, self.after) {
            (_, None) => true,
            (Order::Newest, Some(after)) => id < after,
            (Order::Oldest, Some(after)) => id > after,
        }
    }

    /// Returns the page of those that are wanted, each once.
    pub(super) fn of(&self, mut all: Vec<Arc<Recording>>, wanted: &Wanted<'_>) -> Vec<Arc<Recording>> {
        all.retain(|recording| self.has(recording.id) && wanted.takes(recording));
        all.sort_unstable_by_key(|recording| recording.id);
        all.dedup_by_key(|recording| recording.id);
        if self.order == Order::Newest {
            all.reverse();
        }
        all.truncate(self.limit);
        all
    }
}

/// A filter with what follows from it.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    filter: &'a Filter,
    /// What the wanted order's calls have in common; `None` if no order is wanted.
    order_seed: Option<[u8; 32]>,
    /// The traces of those calls, as far as they were found.
    traces: Vec<[u8; 16]>,
}

impl<'a> Wanted<'a> {
    pub(super) fn of(filter: &'a Filter) -> Self {
        let order_seed = filter.reference.as_ref().map(|reference| Sha256::digest(reference).into());
        Self { filter, order_seed, traces: Vec::new() }
    }

    /// Returns whether an order is wanted whose traces weren't found.
    pub(super) fn needs_traces(&self) -> bool {
        self.order_seed.is_some() && self.traces.is_empty()
    }

    /// Finds the traces of the wanted order among these.
    pub(super) fn find_traces(&mut self, all: &[Arc<Recording>]) {
        let of_order = all.iter().filter(|recording| Some(recording.order_seed) == self.order_seed);
        self.traces.extend(of_order.map(|recording| recording.trace_id));
    }

    /// Returns whether the recording is wanted. As long as the order's traces weren't found, its own calls are.
    pub(super) fn takes(&self, recording: &Recording) -> bool {
        let Filter { at, number, outcome, errors, since_ms, trace_id, .. } = self.filter;
        let Recording { version, .. } = recording;
        let is_of_order = |seed: [u8; 32]| recording.order_seed == seed || self.traces.contains(&recording.trace_id);
        at.is_none_or(|at| version.at.kind == at.kind && (at.name.is_none() || version.at.name == at.name))
            && number.is_none_or(|number| recording.number == Some(number))
            && outcome.as_ref().is_none_or(|outcome| recording.outcome.code == *outcome)
            && errors.is_none_or(|errors| recording.outcome.is_error == errors)
            && since_ms.is_none_or(|since_ms| recording.at_ms >= since_ms)
            && trace_id.is_none_or(|trace_id| recording.trace_id == trace_id)
            && self.order_seed.is_none_or(is_of_order)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{
        super::{CaseOfCall, Cost, Outcome, RecordedVersion, Unmasked},
        *,
    };
    use crate::hooks::Kind;

    fn recording(id: u64, at_ms: u64, bytes: usize, is_error: bool) -> Recording {
        let [name, version, digest] = [const { String::new() }; 3];
        let version = RecordedVersion::new(Installation::of(Kind::Checkout), name, version, digest, BTreeMap::new());
        let code = if is_error { "trap" } else { "ok" }.into();
        Recording {
            id,
            at_ms,
            version: Arc::new(version),
            number: Some(id % 2),
            role: "live",
            trace_id: [u8::try_from(id).expect("few"); 16],
            order_seed: Sha256::digest(format!("order {}", id / 2)).into(),
            outcome: Outcome { code, is_error, is_decided: true, total: None },
            cost: Cost::default(),
            case: CaseOfCall::Own { seed: [0; 32], members: Unmasked("x".repeat(bytes).into()) },
        }
    }

    fn page(kept: &Kept, filter: &Filter, page: Page) -> Vec<u64> {
        let mut wanted = Wanted::of(filter);
        wanted.find_traces(&kept.all());
        page.of(kept.all(), &wanted).iter().map(|recording| recording.id).collect()
    }

    fn ids(kept: &Kept, filter: &Filter) -> Vec<u64> {
        page(kept, filter, Page::whole())
    }

    /// Room for so many recordings without text.
    fn room(recordings: usize) -> Kept {
        Kept::new(recordings * RECORDING_BYTES, u64::MAX)
    }

    #[test]
    fn errors_stay_longest_and_have_half_of_the_memory_at_most() {
        let kept = room(4);
        for id in 0..3 {
            kept.push(Arc::new(recording(id, now_ms(), 0, id == 0)));
        }
        for id in 3..6 {
            kept.push(Arc::new(recording(id, now_ms(), 0, false)));
        }
        assert_eq!(ids(&kept, &Filter::default()), [0, 3, 4, 5], "the error outlives calls after it");
        for id in 6..10 {
            kept.push(Arc::new(recording(id, now_ms(), 0, true)));
        }
        assert_eq!(ids(&kept, &Filter::default()), [4, 5, 8, 9], "errors are dropped past their half");
        let figures = kept.figures();
        assert_eq!((figures.recordings, figures.errors, figures.dropped), (4, 2, 6));
        assert_eq!(figures.bytes, 4 * RECORDING_BYTES);
    }

    #[test]
    fn memory_is_bounded_whatever_a_recording_has() {
        let kept = room(4);
        kept.push(Arc::new(recording(1, now_ms(), 10 * RECORDING_BYTES, false)));
        assert_eq!(ids(&kept, &Filter::default()), [0_u64; 0], "one that is larger than the memory isn't kept");
        kept.push(Arc::new(recording(2, now_ms(), RECORDING_BYTES, false)));
        kept.push(Arc::new(recording(3, now_ms(), 2 * RECORDING_BYTES, false)));
        assert_eq!(ids(&kept, &Filter::default()), [3]);
    }

    #[test]
    fn what_is_too_old_is_gone() {
        let kept = Kept::new(usize::MAX, 1_000);
        kept.push(Arc::new(recording(1, now_ms() - 5_000, 0, true)));
        assert_eq!(ids(&kept, &Filter::default()), [0_u64; 0]);
        kept.push(Arc::new(recording(2, now_ms(), 0, false)));
        assert_eq!((ids(&kept, &Filter::default()), kept.figures().recordings), (vec![2], 1));
    }

    #[test]
    fn a_filter_takes_what_it_says() {
        let kept = room(100);
        for id in 1..=6 {
            kept.push(Arc::new(recording(id, now_ms(), 0, id == 4)));
        }
        let check = |filter: Filter, expected: &[u64]| assert_eq!(ids(&kept, &filter), expected, "{filter:?}");
        check(Filter { at: Installation::parse("checkout"), ..Filter::default() }, &[1, 2, 3, 4, 5, 6]);
        check(Filter { at: Installation::parse("tax"), ..Filter::default() }, &[]);
        check(Filter { number: Some(1), ..Filter::default() }, &[1, 3, 5]);
        check(Filter { outcome: Some("trap".into()), ..Filter::default() }, &[4]);
        check(Filter { errors: Some(false), ..Filter::default() }, &[1, 2, 3, 5, 6]);
        check(Filter { trace_id: Some([2; 16]), ..Filter::default() }, &[2]);
        check(Filter { reference: Some("order 1".into()), ..Filter::default() }, &[2, 3]);
        check(Filter { reference: Some("order 9".into()), ..Filter::default() }, &[]);
        check(Filter { since_ms: Some(now_ms() + 60_000), ..Filter::default() }, &[]);
    }

    #[test]
    fn a_list_goes_on_behind_an_id() {
        let kept = room(100);
        for id in 1..=6 {
            kept.push(Arc::new(recording(id, now_ms(), 0, id == 4)));
        }
        let page = |order, after| page(&kept, &Filter::default(), Page { order, after, limit: 2 });
        assert_eq!(page(Order::Oldest, None), [1, 2]);
        assert_eq!(page(Order::Oldest, Some(2)), [3, 4]);
        assert_eq!(page(Order::Newest, None), [6, 5]);
        assert_eq!(page(Order::Newest, Some(5)), [4, 3]);
    }
}
