//! `till plugin install`, `order`, `uninstall`: the plugins at the hooks that may have several.

use std::{collections::BTreeMap, path::PathBuf};

use clap::Subcommand;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::{
    super::{client::Admin, print, print_json},
    Kind,
    author::Author,
    live::{installation, of_registry, told, waits_for_approval, with_cases},
    origin::{Origin, origin},
    shop::ShopFile,
};
use crate::{
    admin::InstallationsJson,
    config::{GRANTS, ON_FAILURE},
    hooks::{Installation, InstallationName},
    versions::Candidate,
};

#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one, for as long as a command runs")]
pub(in super::super) enum Installing {
    /// Makes a plugin live at a hook that may have several, under a name of its own and with its own settings. The same file may be
    /// installed twice.
    Install {
        /// The plugin's component, or `oci://HOST/REPOSITORY:TAG` in a registry, which is pulled here and not by the host.
        #[arg(value_parser = origin())]
        file: Origin,
        /// The installation's name: lower-case letters, digits and hyphens, such as `spring`.
        #[arg(long = "as", value_name = "NAME", value_parser = name)]
        name: InstallationName,
        /// The hook; the file's own without.
        #[arg(long)]
        hook: Option<Kind>,
        /// A setting of this installation; may be given several times.
        #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
        set: Vec<(String, String)>,
        /// The installation before which it is asked; the last one without.
        #[arg(long, value_name = "NAME", value_parser = name)]
        before: Option<InstallationName>,
        /// A place that the plugin may send requests to, such as `https://rates.example`; may be given several times.
        #[arg(long, value_name = "GRANT")]
        grant: Vec<String>,
        /// What becomes of a request if the plugin fails: `closed` fails it, `skip` goes on without the plugin where the hook allows that.
        #[arg(long, value_name = "closed|skip")]
        on_failure: Option<String>,
        /// A folder of cases (*.json, as for `till plugin test`), kept with the version.
        #[arg(long, value_name = "FOLDER")]
        cases: Option<PathBuf>,
        /// Accepts settings that the plugin doesn't seem to know.
        #[arg(long)]
        force: bool,
        /// With a registry: how it is reached.
        #[command(flatten)]
        shop: ShopFile,
        #[command(flatten)]
        author: Author,
        #[command(flatten)]
        admin: Admin,
    },
    /// Takes a plugin off its hook. `till plugin install` puts it back.
    Uninstall {
        /// Which, such as `discounts/spring`.
        #[arg(value_name = "HOOK/NAME", value_parser = installation)]
        at: Installation,
        #[command(flatten)]
        admin: Admin,
    },
    /// Changes the order of a hook's plugins: that in which they are asked, or in which their answers count.
    Order {
        hook: Kind,
        /// All installations of the hook, the first one first.
        #[arg(required = true, value_name = "NAME", value_parser = name)]
        names: Vec<InstallationName>,
        #[command(flatten)]
        admin: Admin,
    },
}

impl Installing {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Install { file, name, hook, set, before, grant, on_failure, cases, force, shop, author, admin } => {
                let candidate = with_cases(file.read(|| shop.settings(std::iter::empty()))?, cases.as_deref())?;
                let source =
                    of_registry(&candidate).map(|source| format!("&source={}", encoded(source))).unwrap_or_default();
                let Candidate { source: from, stem, bytes } = candidate;
                let kind = match hook {
                    Some(hook) => hook,
                    None => crate::versions::kind_of(&bytes).map_err(|error| anyhow::anyhow!("{from}: {error}"))?,
                };
                let mut set: BTreeMap<_, _> = set.into_iter().collect();
                set.extend(on_failure.map(|word| (ON_FAILURE.to_owned(), word)));
                if !grant.is_empty() {
                    set.insert(GRANTS.to_owned(), grant.join("; "));
                }
                let before = before.map(|before| format!("&before={before}")).unwrap_or_default();
                let (set, stem, by) = (encoded(&json!(set).to_string()), encoded(&stem), encoded(&author.by()));
                let reason = author.reason.map(|reason| format!("&reason={}", encoded(&reason))).unwrap_or_default();
                let path = format!(
                    "/plugins/install?kind={kind}&installation={name}&name={stem}&by={by}&set={set}&force={force}{source}{before}{reason}"
                );
                told(&admin.post_component(&path, bytes)?, admin.json)
            }
            Self::Uninstall { at, admin } => {
                let name = at.name.map(|name| name.to_string());
                let body = json!({ "installation": name.unwrap_or_default(), "by": Author::user().by() });
                let left: InstallationsJson = admin.post(&format!("/plugins/{}/uninstall", at.kind), &body)?;
                print_left(&left, &admin, &format!("{at} isn't installed any more"))
            }
            Self::Order { hook, names, admin } => {
                let names: Vec<_> = names.iter().map(ToString::to_string).collect();
                let body = json!({ "installations": names, "by": Author::user().by() });
                let left: InstallationsJson = admin.post(&format!("/plugins/{hook}/order"), &body)?;
                print_left(&left, &admin, &format!("{hook} are asked in this order: {}", names.join(", ")))
            }
        }
    }
}

fn print_left(left: &InstallationsJson, admin: &Admin, said: &str) -> anyhow::Result<()> {
    if admin.json {
        return print_json(left);
    }
    if let Some(number) = left.approval {
        return print(&waits_for_approval(number));
    }
    print(said)?;
    if left.behind.is_empty() { Ok(()) } else { print(&format!("not yet on: {}", left.behind.join(", "))) }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn name(text: &str) -> Result<InstallationName, String> {
    InstallationName::parse(text).ok_or_else(|| InstallationName::RULE.to_owned())
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("{text:?} lacks a `=`"))?;
    if key.is_empty() { Err("a setting has a name".into()) } else { Ok((key.to_owned(), value.to_owned())) }
}
