//! `till plugin approvals`, `approve`, `reject`: the changes of hooks' plugins that take a second person.

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    super::{
        client::{Admin, Paged},
        paint::of_state,
        print, print_json, print_table,
        table::Cell,
        text::clock,
    },
    author::Author,
    live::{place, version_name},
};
use crate::admin::{ApprovalJson, ApprovalsJson, VersionJson};

#[derive(Debug, Subcommand)]
pub(in super::super) enum Approval {
    /// Lists the changes of hooks' plugins that wait for a second person, or did (`plugins.approval`).
    Approvals {
        #[command(flatten)]
        admin: Admin,
    },
    /// Approves a change that another person has asked for, which is carried out.
    Approve {
        #[command(flatten)]
        decision: Decision,
    },
    /// Rejects a change that waits, or takes back one's own.
    Reject {
        #[command(flatten)]
        decision: Decision,
    },
}

#[derive(Debug, Args)]
pub(in super::super) struct Decision {
    /// The approval's number, as `till plugin approvals` lists it.
    number: u64,
    #[command(flatten)]
    author: Author,
    #[command(flatten)]
    admin: Admin,
}

impl Approval {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Approvals { admin } => {
                let listed: ApprovalsJson = admin.all("/plugins/approvals")?;
                if admin.json { print_json(&listed) } else { print_table(COLUMNS, listed.approvals.iter().map(row)) }
            }
            Self::Approve { decision } => decision.ask("approve"),
            Self::Reject { decision } => decision.ask("reject"),
        }
    }
}

impl Decision {
    fn ask(self, decision: &str) -> anyhow::Result<()> {
        let Self { number, author, admin } = self;
        let body = json!({ "decision": decision, "by": author.by(), "reason": author.reason });
        let decided: ApprovalJson = admin.post(&format!("/plugins/approvals/{number}"), &body)?;
        if admin.json {
            return print_json(&decided);
        }
        print_table(COLUMNS, [row(&decided)])?;
        if decided.behind.is_empty() { Ok(()) } else { print(&format!("not yet on: {}", decided.behind.join(", "))) }
    }
}

impl Paged for ApprovalsJson {
    fn next_after(&self) -> Option<String> {
        self.next_after.map(|after| after.to_string())
    }

    fn append(&mut self, next: Self) {
        self.approvals.extend(next.approvals);
        self.next_after = next.next_after;
    }
}

const COLUMNS: [&str; 8] = ["NUMBER", "STATE", "CHANGE", "AT", "WHAT", "ASKED BY", "SINCE", "REASON"];

fn row(approval: &ApprovalJson) -> [Cell; 8] {
    let ApprovalJson { id, state, reason, action, kind, installation, version, before, installations, .. } = approval;
    let before = before.as_ref().map(|before| format!(", before {before}")).unwrap_or_default();
    let what = match version {
        Some(VersionJson { id, name, version, digest, same_file_as, .. }) => {
            format!("{}{before}", version_name(name, version, digest, Some(*id), *same_file_as))
        }
        None => installations.join(" "),
    };
    [
        id.to_string().into(),
        Cell::from(state.as_str()).painted(of_state(state)),
        action.as_str().into(),
        place(kind, installation.as_deref()).into(),
        what.into(),
        approval.asked_by.as_str().into(),
        clock(approval.changed_at_ms * 1000).into(),
        reason.as_str().into(),
    ]
}
