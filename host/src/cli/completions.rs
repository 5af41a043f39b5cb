//! `till completions`.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::{Cli, print};

/// For bash: `source <(till completions bash)`; for other shells see their manual.
#[derive(Debug, Args)]
pub(super) struct Completions {
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut script = Vec::new();
        generate(self.shell, &mut Cli::command(), "till", &mut script);
        print(String::from_utf8(script)?.trim_end())
    }
}
