//! Recordings of plugins' calls: what each was asked, what the host answered it, and what it decided.
//!
//! A recording is kept as the case that repeats the call (`versions/admission/case.rs` has the form), so that `till plugin replay` runs
//! it with any version, and `--save` makes a test of it.
//!
//! Invariants: nothing leaves the host's memory, for the disk or an answer, before it is masked ([`Mask`]). Masking costs more than all else
//! about a recording, and few recordings are ever read, so a call leaves it to whoever reads. `Unmasked` has no other way out. The
//! memory of all recordings is bounded, and so is their age. A recording is made after its call has ended, and a call waits for none:
//! keeping one is a push into a list under a lock of its own.

mod body;
mod disk;
mod kept;
mod mask;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use serde_json::value::RawValue;

pub use body::Body;
pub use kept::{Figures, Filter, Order};
pub use mask::{Mask, alike, impersonal, impersonal_item, is_masked};

use crate::{
    clock::now_ms,
    config::{self, Settings},
    hooks::Installation,
    units::{MIB, hex, micros},
};
use disk::Disk;
use kept::{Kept, Page, Wanted};

/// The folder of the recordings on the disk, beside the order store.
const FOLDER: &str = "recordings";
/// A day, milliseconds.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// The version that calls are recorded of. All its recordings share one.
#[derive(Debug)]
pub struct RecordedVersion {
    pub at: Installation,
    pub name: String,
    pub version: String,
    /// The file's sha256, lower-case hex.
    pub digest: String,
    /// What its calls were told of the settings.
    settings: BTreeMap<String, String>,
    /// The same as a JSON object, masked; empty until a case needs it.
    masked_settings: OnceLock<String>,
}

impl RecordedVersion {
    /// Returns the version at that installation; `settings` are what its calls are told.
    #[must_use]
    pub const fn new(
        at: Installation,
        name: String,
        version: String,
        digest: String,
        settings: BTreeMap<String, String>,
    ) -> Self {
        Self { at, name, version, digest, settings, masked_settings: OnceLock::new() }
    }
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// `ok`, or the failure's code.
    pub code: Cow<'static, str>,
    /// Whether an operator has to look.
    pub is_error: bool,
    /// Whether the plugin decided so: what the host or another plugin caused isn't compared.
    pub is_decided: bool,
    /// What a receipt comes to, or the amounts of an answer together, minor units.
    pub total: Option<u64>,
}

/// What a call took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    pub took: Duration,
    /// The guest's own processor time.
    pub cpu: Duration,
    /// What it executed, where that is counted.
    pub fuel: Option<u64>,
}

/// A call that has ended.
#[derive(Debug)]
pub struct Ended<'a> {
    pub version: &'a Arc<RecordedVersion>,
    pub number: Option<u64>,
    pub role: &'static str,
    pub trace_id: [u8; 16],
    /// What the order's reference, or the cart, hashes to: equal in all calls about it.
    pub order_seed: [u8; 32],
    /// The seed of the random numbers that the call could draw.
    pub seed: [u8; 32],
    pub outcome: Outcome,
    pub cost: Cost,
    pub body: Body,
}

/// A call that is kept.
#[derive(Debug)]
pub struct Recording {
    /// Greater than those of all recordings before it, also of the host's earlier runs.
    pub id: u64,
    /// When the call ended: Unix time, milliseconds.
    pub at_ms: u64,
    pub version: Arc<RecordedVersion>,
    pub number: Option<u64>,
    pub role: &'static str,
    pub trace_id: [u8; 16],
    order_seed: [u8; 32],
    pub outcome: Outcome,
    pub cost: Cost,
    case: CaseOfCall,
}

/// The case that repeats a call, as it is kept.
#[derive(Debug)]
enum CaseOfCall {
    /// What of it is only this call's: its seed and its members.
    Own { seed: [u8; 32], members: Unmasked },
    /// All of it, as it was written to the disk.
    Whole(MaskedCase),
}

/// Members of a case with everything that a call was told. They are read through a [`Mask`] only.
struct Unmasked(Box<str>);

impl std::fmt::Debug for Unmasked {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} bytes", self.0.len())
    }
}

/// The case that repeats a call, masked.
#[derive(Debug, Clone)]
pub struct MaskedCase {
    pub json: Box<RawValue>,
    /// How many texts were masked.
    pub masked: u32,
}

/// The recordings of a host. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Recordings(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    forms: Arc<Forms>,
    kept: Kept,
    disk: Option<Disk>,
}

/// What all recordings of a host have in common.
#[derive(Debug)]
struct Forms {
    mask: Mask,
    /// The shop's rules, as a case says them.
    shop: Box<RawValue>,
}

impl Recordings {
    /// Returns a host's recordings; `None` if it keeps none.
    #[must_use]
    pub fn of(settings: &Settings) -> Option<Self> {
        let config::Recordings { kept_mib, kept_days, disk_percent, disk_mib, mask, mask_found } = &settings.recordings;
        if *kept_mib == 0 {
            return None;
        }
        let age_max_ms = u64::from(*kept_days) * DAY_MS;
        let forms = Arc::new(Forms { mask: Mask::new(mask.iter(), *mask_found), shop: rules_of(settings) });
        let folder = settings.server.data.join(FOLDER);
        let bounds = disk::Bounds { bytes_max: (disk_mib * MIB) as u64, age_max_ms };
        let disk =
            (disk_percent.share() > 0.0).then(|| Disk::open(folder, disk_percent.share(), bounds, Arc::clone(&forms)));
        Some(Self(Arc::new(Shared { forms, kept: Kept::new(kept_mib * MIB, age_max_ms), disk })))
    }

    /// Keeps a call.
    pub fn keep(&self, ended: Ended<'_>) {
        let Ended { version, number, role, trace_id, order_seed, seed, outcome, cost, body } = ended;
        let members = Unmasked(body.into_members().into_boxed_str());
        let recording = Arc::new(Recording {
            id: self.0.kept.next_id(),
            at_ms: now_ms(),
            version: Arc::clone(version),
            number,
            role,
            trace_id,
            order_seed,
            outcome,
            cost,
            case: CaseOfCall::Own { seed, members },
        });
        if let Some(disk) = &self.0.disk {
            disk.keep(&recording);
        }
        self.0.kept.push(recording);
    }

    /// Returns those that the filter takes, in that order: `limit` at most, behind the one of the id `after`. Blocks on the disk, if
    /// there are some.
    #[must_use]
    pub fn list(&self, filter: &Filter, order: Order, after: Option<u64>, limit: usize) -> Vec<Arc<Recording>> {
        let page = Page { order, after, limit };
        let mut wanted = Wanted::of(filter);
        let in_memory = self.0.kept.all();
        wanted.find_traces(&in_memory);
        let Some(disk) = &self.0.disk else { return page.of(in_memory, &wanted) };
        if wanted.needs_traces() {
            wanted.find_traces(&disk.list(&wanted, Page::whole()));
        }
        let mut all = page.of(in_memory, &wanted);
        all.extend(disk.list(&wanted, page));
        page.of(all, &wanted)
    }

    /// Returns the recording of that id; `None` if it isn't kept, or not any more. Blocks on the disk, if there are some.
    #[must_use]
    pub fn recording(&self, id: u64) -> Option<Arc<Recording>> {
        let in_memory = self.0.kept.all().into_iter().find(|recording| recording.id == id);
        in_memory.or_else(|| self.0.disk.as_ref()?.recording(id))
    }

    /// Returns how much is kept in memory.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.0.kept.figures()
    }

    /// Returns the recording as a case, which is masked now. It takes some ten microseconds.
    #[must_use]
    pub fn case(&self, recording: &Recording) -> MaskedCase {
        self.0.forms.case(recording)
    }

    /// Writes what is still to be written to the disk. Nothing is written after that. Blocks.
    pub fn close(&self) {
        self.0.disk.iter().for_each(Disk::close);
    }
}

impl Forms {
    fn case(&self, recording: &Recording) -> MaskedCase {
        let (seed, (members, masked)) = match &recording.case {
            CaseOfCall::Own { seed, members } => (hex(seed), self.mask.members(&members.0)),
            CaseOfCall::Whole(case) => return case.clone(),
        };
        let RecordedVersion { settings, masked_settings, .. } = &*recording.version;
        let settings = masked_settings.get_or_init(|| {
            let settings = serde_json::to_string(settings).unwrap_or_else(|_| "{}".to_owned());
            self.mask.json(settings).0
        });
        let between = if members.is_empty() { "" } else { "," };
        let case = format!(r#"{{"shop":{},"set":{settings},"seed":"{seed}"{between}{members}}}"#, self.shop);
        // It is put together of JSON.
        let json = RawValue::from_string(case).unwrap_or_else(|_| RawValue::NULL.to_owned());
        MaskedCase { json, masked }
    }
}

impl Recording {
    /// Returns how many bytes of text it has.
    const fn text_bytes(&self) -> usize {
        match &self.case {
            CaseOfCall::Own { members, .. } => members.0.len(),
            // What was read from the disk isn't kept in memory.
            CaseOfCall::Whole(_) => 0,
        }
    }
}

impl Cost {
    /// Returns the duration and the processor time, whole microseconds.
    #[must_use]
    pub fn micros(&self) -> (u64, u64) {
        (micros(self.took), micros(self.cpu))
    }
}

/// Returns the rules of the shop that an answer is held against.
fn rules_of(settings: &Settings) -> Box<RawValue> {
    let config::Checkout { discount_max_percent, added_max_percent, added_max_floor, .. } = &settings.checkout;
    let rules = serde_json::json!({
        "currency": settings.shop.currency.code(),
        "discount_max_percent": discount_max_percent,
        "added_max_percent": added_max_percent,
        "added_max_floor": added_max_floor,
        "delivery_cost_max": settings.delivery.cost_max,
        "tax_max_percent": settings.tax.max_percent,
    });
    serde_json::value::to_raw_value(&rules).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
