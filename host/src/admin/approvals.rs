//! `/plugins/approvals`: the changes of hooks' plugins that wait for a second person, and the decision about each.

use serde::{Deserialize, Serialize};

use super::{
    Admin, Asked,
    listed::Listed,
    plugins::{Named, VersionJson, carried_out},
};
#[cfg(test)]
use crate::schema;
use crate::{
    hooks::{Installation, InstallationName},
    http::{Answer, Reply, body, problem::Problem, rfc3339},
    store::{ApprovalId, ApprovalRow, HookChange, HookOrder, Page},
    versions::Decision,
};

/// The most approvals of one answer.
const LISTED_MAX: u32 = 100;

/// A change of a hook's plugins that waits for a second person, or did.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Approval"))]
pub struct ApprovalJson {
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub id: u64,
    #[cfg_attr(test, schemars(with = "schema::ApprovalState"))]
    pub state: String,
    /// Why the approval is in that state, for people.
    pub reason: String,
    #[cfg_attr(test, schemars(with = "schema::HookAction"))]
    pub action: String,
    #[cfg_attr(test, schemars(with = "schema::PluginKind"))]
    pub kind: String,
    /// What is installed or taken off. Absent for an order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::InstallationName>"))]
    pub installation: Option<String>,
    /// What is installed. Absent for anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionJson>,
    /// The installation before which it is asked. Absent for the last place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::InstallationName>"))]
    pub before: Option<String>,
    /// All installations of the hook, the first one first. Only of an order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(with = "Vec<schema::InstallationName>"))]
    pub installations: Vec<String>,
    pub asked_by: String,
    pub asked_at_ms: u64,
    #[cfg_attr(test, schemars(with = "schema::Moment"))]
    pub asked_at: String,
    pub changed_by: String,
    pub changed_at_ms: u64,
    #[cfg_attr(test, schemars(with = "schema::Moment"))]
    pub changed_at: String,
    /// The hosts that share the store and don't run yet what is live now; left out if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub behind: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Approvals"))]
pub struct ApprovalsJson {
    #[cfg_attr(test, schemars(length(max = LISTED_MAX)))]
    pub approvals: Vec<ApprovalJson>,
    /// What to send as `after` for the next page. Absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub next_after: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "ApprovalDecision"))]
pub(super) struct Decide {
    #[cfg_attr(test, schemars(with = "schema::Decision"))]
    decision: String,
    /// The user's name, for the history; `admin` by default. With a named token it stands in brackets behind the token's name.
    #[cfg_attr(test, schemars(with = "Option<schema::Name>"))]
    by: Option<String>,
    /// The reason, for the history; at most 1024 bytes.
    #[cfg_attr(test, schemars(with = "Option<schema::Reason>"))]
    reason: Option<String>,
}

/// # Errors
/// 422 for an invalid parameter of the page.
pub(super) async fn list(admin: &Admin, asked: Asked) -> Answer {
    let Listed { after, limit } = Listed::of_query(&asked.query, LISTED_MAX)?;
    let Page { rows, goes_on } = admin.store.approvals(after.and_then(ApprovalId::new), limit).await?;
    let next_after = rows.last().filter(|_| goes_on).map(|row| row.id.number());
    Reply::json(&ApprovalsJson { approvals: rows.into_iter().map(ApprovalJson::from).collect(), next_after })
}

/// # Errors
/// 403 for the one who asked for the change, 409 if somebody has decided about it.
pub(super) async fn decide(admin: &Admin, asked: Asked) -> Answer {
    let id = asked.named.parse().ok().and_then(ApprovalId::new);
    let no_number =
        || Problem::not_found(format!("there is no approval {:?}; till plugin approvals lists them", asked.named));
    let id = id.ok_or_else(no_number)?;
    let bytes = body::read_json(&asked.headers, asked.body, &admin.limits).await?;
    let Decide { decision, by, reason } = body::parse_json(&bytes)?;
    let decision = match &*decision {
        "approve" => Decision::Approve,
        "reject" => Decision::Reject,
        _ => return Err(Problem::unacceptable("a decision is approve or reject")),
    };
    let author = Named::new(&asked.caller, by, reason)?;
    let row =
        carried_out(admin, move |plugins| async move { plugins.decide(id, decision, author.as_ref()).await }).await?;
    let behind = admin.plugins.spread().await;
    Reply::json(&ApprovalJson { behind, ..row.into() })
}

impl From<ApprovalRow> for ApprovalJson {
    fn from(row: ApprovalRow) -> Self {
        let ApprovalRow { id, change, state, reason, asked_by, asked_at_ms, changed_by, changed_at_ms } = row;
        let (action, Installation { kind, name }) = (change.action().to_owned(), change.at());
        let text = |name: InstallationName| name.to_string();
        let (version, before, installations) = match change {
            HookChange::Install { version, before } => (Some(version.into()), before.map(text), Vec::new()),
            HookChange::Uninstall { .. } => (None, None, Vec::new()),
            HookChange::Order(HookOrder { names, .. }) => (None, None, names.into_iter().map(text).collect()),
        };
        Self {
            id: id.number(),
            state: state.as_str().to_owned(),
            reason,
            action,
            kind: kind.to_string(),
            installation: name.map(text),
            version,
            before,
            installations,
            asked_by,
            asked_at_ms,
            asked_at: rfc3339(asked_at_ms),
            changed_by,
            changed_at_ms,
            changed_at: rfc3339(changed_at_ms),
            behind: Vec::new(),
        }
    }
}
