//! What the commands for plugin authors need: bindings, packing, templates, rehearsals, and reports of repeated calls.

pub mod bindings;
pub mod pack;
pub mod rehearsal;
pub mod replay;
pub mod template;
