//! Installing plugins at the hooks that may have several, taking them off, and their order.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Admin, Asked,
    plugins::{Named, carried_out, change, checked_source, installed_at, parsed_kind, short, signed},
    query,
};
#[cfg(test)]
use crate::schema;
use crate::{
    hooks::{Installation, InstallationName, Kind},
    http::{Answer, Reply, body, problem::Problem},
    store::{ApprovalRow, HookOrder},
    tokens::Caller,
    versions::{Candidate, Placed},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Uninstall"))]
pub(super) struct Uninstall {
    #[cfg_attr(test, schemars(with = "schema::InstallationName"))]
    installation: String,
    /// The user's name, for the history; `admin` by default. With a named token it stands in brackets behind the token's name.
    #[cfg_attr(test, schemars(with = "Option<schema::Name>"))]
    by: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "HookOrder"))]
pub(super) struct Order {
    /// All installations of the hook, each once, the first one first.
    #[cfg_attr(test, schemars(with = "Vec<schema::InstallationName>", length(max = 8)))]
    installations: Vec<String>,
    /// The user's name, for the history; `admin` by default. With a named token it stands in brackets behind the token's name.
    #[cfg_attr(test, schemars(with = "Option<schema::Name>"))]
    by: Option<String>,
}

/// The installations of a hook, the first one first, after a change or before one that waits.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "HookInstallations"))]
pub struct InstallationsJson {
    #[cfg_attr(test, schemars(with = "schema::PluginKind"))]
    pub kind: String,
    #[cfg_attr(test, schemars(with = "Vec<schema::InstallationName>"))]
    pub installations: Vec<String>,
    /// The approval that the change waits for, so that nothing was changed yet; left out if it waits for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub approval: Option<u64>,
    /// The hosts that share the store and don't run yet what is live now; left out if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub behind: Vec<String>,
}

/// # Errors
/// 422 for a refused component, 409 for a name that is taken.
pub(super) async fn install(admin: &Admin, asked: Asked) -> Answer {
    let Install { name, source, author, placed } = Install::of_query(&asked.caller, &asked.query)?;
    let bytes = body::read_component(&asked.headers, asked.body, &admin.limits).await?;
    let candidate = Candidate { source: source.unwrap_or_else(|| format!("{name}.wasm")), stem: name, bytes };
    change(admin, move |plugins| async move { plugins.install(candidate, placed, author.as_ref()).await }).await
}

/// # Errors
/// 404 if nothing is installed there.
pub(super) async fn uninstall(admin: &Admin, asked: Asked) -> Answer {
    let kind = parsed_kind(&asked.named)?;
    let bytes = body::read_json(&asked.headers, asked.body, &admin.limits).await?;
    let Uninstall { installation, by } = body::parse_json(&bytes)?;
    let (at, by) = (installed_at(kind, Some(installation))?, signed(&asked.caller, by)?);
    let asked = carried_out(admin, move |plugins| async move { plugins.uninstall(at, &by).await }).await?;
    installations(admin, kind, asked).await
}

/// # Errors
/// 422 if the names aren't those that are installed.
pub(super) async fn order(admin: &Admin, asked: Asked) -> Answer {
    let kind = parsed_kind(&asked.named)?;
    let bytes = body::read_json(&asked.headers, asked.body, &admin.limits).await?;
    let Order { installations: names, by } = body::parse_json(&bytes)?;
    let names = names.iter().map(|name| sound(name)).collect::<Result<_, _>>()?;
    let (order, by) = (HookOrder { kind, names }, signed(&asked.caller, by)?);
    let asked = carried_out(admin, move |plugins| async move { plugins.reorder(order, &by).await }).await?;
    installations(admin, kind, asked).await
}

async fn installations(admin: &Admin, kind: Kind, asked: Option<ApprovalRow>) -> Answer {
    let snapshot = admin.plugins.snapshot();
    let names = snapshot.of(kind).filter_map(|plugin| plugin.identity().at.name);
    let installations = names.map(|name| name.to_string()).collect();
    let approval = asked.map(|row| row.id.number());
    let behind = admin.plugins.spread().await;
    Reply::json(&InstallationsJson { kind: kind.to_string(), installations, approval, behind })
}

/// The parameters of an installation.
struct Install {
    name: String,
    source: Option<String>,
    author: Named,
    placed: Placed,
}

impl Install {
    fn of_query(caller: &Caller, query: &str) -> Result<Self, Problem> {
        let (mut kind, mut installed, mut before) = (None, None, None);
        let (mut name, mut source, mut by, mut reason) = ("plugin".to_owned(), None, None, None);
        let (mut set, mut forced) = (BTreeMap::new(), false);
        for (parameter, value) in query::parameters(query)? {
            match parameter.as_str() {
                "kind" => kind = Some(parsed_kind(&value)?),
                "installation" => installed = Some(sound(&value)?),
                "before" => before = Some(sound(&value)?),
                "name" => name = short(value)?,
                "source" => source = Some(checked_source(value)?),
                "by" => by = Some(value),
                "reason" => reason = Some(value),
                "set" => set = body::parse_json(value.as_bytes())?,
                "force" => forced = value == "true",
                _ => {
                    let known = "kind, installation, before, name, source, by, reason, set and force";
                    return Err(Problem::unacceptable(format!("there is no {parameter}; {known} are")));
                }
            }
        }
        let (Some(kind), Some(installed)) = (kind, installed) else {
            return Err(Problem::unacceptable("an installation has a kind and a name (installation)"));
        };
        let placed = Placed { at: Installation::named(kind, installed), before, set, forced };
        Ok(Self { name, source, author: Named::new(caller, by, reason)?, placed })
    }
}

fn sound(name: &str) -> Result<InstallationName, Problem> {
    InstallationName::parse(name)
        .ok_or_else(|| Problem::unacceptable(format!("{name:?} is no name: {}", InstallationName::RULE)))
}
