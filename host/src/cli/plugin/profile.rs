//! `till plugin profile`: in which functions a recorded call's time goes.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::{
    super::{client::Admin, print, print_json, repeat_call::profile_json, table::print_table, whole::write_whole},
    live::{installation, place},
    rehearse::runtime,
    replay::{Chosen, case, found, repeating},
    shop::Shop,
};
use crate::{
    admin::RecordingJson,
    author::rehearsal::{Case, Profile},
    config::Settings,
    hooks::Installation,
    runtime::Identity,
    units::micros,
};

/// How many functions are printed.
const FUNCTIONS_SHOWN: usize = 20;

/// The call is repeated for about a second of its plugin's processor time, as `till plugin replay` repeats it once, and the plugin's stack is
/// looked at meanwhile. It is seen where a function or a loop's round begins; what runs between counts for what comes next.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in super::super) struct ProfileCall {
    /// The call: a trace id, an order's reference, a recording's number, or a file that `till plugin replay --save` wrote.
    #[arg(value_name = "CALL|CASE.json")]
    call: String,
    /// The plugin: a file, or a version's number [default: the version that made the call].
    #[arg(value_name = "FILE|NUMBER")]
    plugin: Option<String>,
    /// Which of the calls, such as `checkout` or `discounts/spring`.
    #[arg(long, value_name = "KIND[/NAME]", value_parser = installation)]
    kind: Option<Installation>,
    /// Writes the stacks as tools for flame graphs read them: a line each, with the number of its samples.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    #[command(flatten)]
    shop: Shop,
    #[command(flatten)]
    admin: Admin,
}

const EXAMPLES: &str = "Examples:
  till plugin profile 4bf92f3577b34da6a3ce929d0e0e4736 --kind checkout   the version that made the call
  till plugin profile REFERENCE plugin.wasm --save stacks.txt           a file; the stacks for a flame graph
  till plugin profile case.json plugin.wasm                             a saved case, without a host";

impl ProfileCall {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let settings = self.shop.settings()?;
        let (chosen, case) = self.chosen(&settings)?;
        let runtime = runtime()?;
        let (plugin, profile) = runtime.block_on(async {
            let currency = settings.shop.currency;
            let repeating = repeating(chosen.candidate, settings, 1).await?;
            let case = Case::parse(&case, repeating.stage().kind(), currency).context("read the call")?;
            let plugin = repeating.identity().map(Identity::to_string).unwrap_or_default();
            anyhow::Ok((plugin, repeating.profile(&case).await?))
        })?;
        if let Some(file) = &self.save {
            write_whole(file, |out| Ok(out.write_all(profile.all.collapsed().as_bytes())?))?;
        }
        if self.admin.json { print_json(&profile_json(plugin, &profile)) } else { tell(&plugin, &profile) }
    }

    /// Returns the plugin, and the case of the call.
    fn chosen(&self, settings: &Settings) -> anyhow::Result<(Chosen, String)> {
        let given = self.plugin.as_ref().map(|plugin| Chosen::of(plugin, &self.admin, settings)).transpose()?;
        let file = Path::new(&self.call);
        if file.extension().is_some_and(|extension| extension == "json") {
            let case = std::fs::read_to_string(file).with_context(|| format!("read {}", self.call))?;
            return Ok((given.context("a case names no plugin: give its file, or a version's number")?, case));
        }
        let recordings = found(&self.call, self.kind, &self.admin)?;
        let [recording] = recordings.as_slice() else {
            let of = |recording: &RecordingJson| place(&recording.kind, recording.installation.as_deref());
            let calls: Vec<_> = recordings.iter().map(of).collect();
            anyhow::bail!("there are several calls ({}): say which with --kind", calls.join(", "));
        };
        let chosen = match given {
            Some(given) => given,
            None => Chosen::recorded(recording.number, &recording.digest, &self.admin)?,
        };
        Ok((chosen, case(recording)?.get().to_owned()))
    }
}

fn tell(plugin: &str, profile: &Profile) -> anyhow::Result<()> {
    let Profile { calls, cpu, all, has_names } = profile;
    let samples = all.samples;
    print(&format!("{plugin}: {samples} samples of {calls} calls, {} \u{b5}s of its processor time", micros(*cpu)))?;
    if samples == 0 {
        return print("The call is too short to be seen at work");
    }
    if !has_names {
        print(
            "The file doesn't name its functions. Build it with their names: in Rust without `strip`, in C, C++ and Go without `-s`, in Zig without `-fstrip`",
        )?;
    }
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    let share = |part: u64| format!("{:.1} %", 100.0 * part as f64 / samples as f64);
    let functions = all.functions();
    let rows = functions.iter().take(FUNCTIONS_SHOWN);
    let rows = rows.map(|(name, own, whole)| [share(*own), share(*whole), name.clone()]);
    print_table(["ITSELF", "WITH CALLED", "FUNCTION"], rows)
}
