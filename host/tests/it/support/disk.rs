//! A disk that can be watched, slowed down and broken: `tests/shim/disk.c`, preloaded into the host.

use std::{fs, path::PathBuf, process::Command, sync::Arc};

use tempfile::TempDir;

use super::{Plan, power::Record, shim::Shim};

static SHIM: Shim = Shim::new("disk");

/// How an operation on the host's files fails.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// Writes: no space left on device.
    Full,
    /// Syncs: input/output error.
    Sync,
    /// Writes: read-only file system.
    ReadOnly,
}

/// The files with the shim's instructions and its record.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: Arc<TempDir>,
    told: TempDir,
}

impl Disk {
    /// The disk of the hosts with this working folder.
    pub(crate) fn of(folder: &Arc<TempDir>) -> Self {
        Self { folder: Arc::clone(folder), told: tempfile::tempdir().expect("a temporary folder") }
    }

    /// Has the plan's host use this disk.
    pub(crate) fn under(&self, plan: Plan) -> Plan {
        let folder = fs::canonicalize(self.folder.path()).expect("a folder");
        let plan = plan.folder(&self.folder).env("LD_PRELOAD", SHIM.library().to_string_lossy());
        plan.env("DISK_SHIM_FOLDER", folder.to_string_lossy())
            .env("DISK_SHIM_FAULT", self.told.path().join("fault").to_string_lossy())
    }

    /// Does the same, and has every write wait a little.
    pub(crate) fn slow(&self, plan: Plan) -> Plan {
        self.under(plan).env("DISK_SHIM_SLOW_US", "500")
    }

    /// Does the same, and records what the host writes as that part of the record.
    pub(crate) fn recording(&self, plan: Plan, part: usize) -> Plan {
        self.under(plan).with_nothing_given().env("DISK_SHIM_RECORD", self.part(part).to_string_lossy())
    }

    /// Has a command use this disk, and records what it writes as that part of the record.
    pub(crate) fn record(&self, command: &mut Command, part: usize) {
        let folder = fs::canonicalize(self.folder.path()).expect("a folder");
        command
            .env("LD_PRELOAD", SHIM.library())
            .env("DISK_SHIM_FOLDER", folder)
            .env("DISK_SHIM_RECORD", self.part(part));
    }

    fn part(&self, part: usize) -> PathBuf {
        self.told.path().join(format!("record_{part}"))
    }

    /// Adds what the part says to the record. Its host has to be gone.
    pub(crate) fn read(&self, part: usize, record: &mut Record) {
        let entries = fs::read(self.part(part)).expect("the host recorded something");
        record.add(&entries, self.folder.path());
    }

    /// Breaks the disk until [`repair`](Self::repair).
    pub(crate) fn fail(&self, fault: Fault) {
        let letter = match fault {
            Fault::Full => "w",
            Fault::Sync => "s",
            Fault::ReadOnly => "o",
        };
        fs::write(self.told.path().join("fault"), letter).expect("the fault is written");
    }

    pub(crate) fn repair(&self) {
        fs::remove_file(self.told.path().join("fault")).expect("there was a fault");
    }
}
