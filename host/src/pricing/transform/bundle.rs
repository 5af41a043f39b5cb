//! Bundles: a line that becomes its components, and lines that become one.

use super::*;

impl Changing<'_> {
    pub(super) fn expand(&mut self, _expansion: &Expansion) -> Result<(), Fault> {
        todo!()
    }

    pub(super) fn merge(&mut self, _merger: &Merger) -> Result<(), Fault> {
        todo!()
    }
}
