//! Hostile and broken plugins for the host's tests, one file each in `examples/`, named after what it does.
//!
//! They are examples because cargo makes a component of each without a crate of its own; this library is empty.
//! README.md says what the host has to answer to which, and how they are built.
