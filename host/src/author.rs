//! What the commands for plugin authors need: bindings, packing, templates, rehearsals.

pub mod bindings;
pub mod pack;
pub mod rehearsal;
pub mod template;
