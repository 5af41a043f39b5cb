//! Commands that go on looking: `till traces tail`, `till logs -f`, `till top`.

use std::{io::Write, ops::ControlFlow, time::Duration};

use super::client::Unreachable;

/// Calls `look` at once and then every so often, until it says to break. A host that goes away meanwhile is waited for:
/// whoever follows it wants to see its next start, too.
///
/// # Errors
/// Those of `look`, and the first time also that the host can't be reached.
pub(super) fn follow(every: Duration, mut look: impl FnMut() -> anyhow::Result<ControlFlow<()>>) -> anyhow::Result<()> {
    if look()?.is_break() {
        return Ok(());
    }
    let mut is_away = false;
    loop {
        std::thread::sleep(every);
        match look() {
            Ok(ControlFlow::Break(())) => return Ok(()),
            Ok(ControlFlow::Continue(())) => {
                if is_away {
                    writeln!(std::io::stderr(), "till: the host is there again")?;
                }
                is_away = false;
            }
            Err(error) if error.is::<Unreachable>() => {
                if !is_away {
                    writeln!(std::io::stderr(), "till: {error:#}; trying again")?;
                }
                is_away = true;
            }
            Err(error) => return Err(error),
        }
    }
}
