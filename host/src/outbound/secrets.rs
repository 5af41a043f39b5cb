//! Secrets that the host puts into headers, so that plugins don't have them.
//!
//! Each is a file of one folder: the file's name is the secret's, the file's text is the whole value of a header, such as
//! `Bearer 0123…`. They are read once, at the start.
//!
//! A plugin chooses in which header a secret goes, and a receiver that repeats headers in its answer would show the
//! plugin the secret. [`Secret::blank`] replaces it there. That isn't a proof against a receiver that works together with
//! the plugin and, for example, answers in Base64: a grant trusts its place with its secrets.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use anyhow::Context;
use hyper::header::HeaderValue;

const SECRETS_MAX: usize = 256;
const SECRET_BYTES_MAX: usize = 4_096;
/// Shorter ones could be guessed, and blanking them would destroy answers that have nothing to do with them.
const SECRET_BYTES_MIN: usize = 8;
const NAME_BYTES_MAX: usize = 64;

/// The secrets of a host, by name.
#[derive(Debug, Default)]
pub struct Secrets(BTreeMap<String, Secret>);

/// One secret.
#[derive(Clone)]
pub(super) struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret")
    }
}

impl Secrets {
    pub(super) fn find(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }
}

/// Tells whether a secret may have this name. Files of other names are left alone.
pub(super) fn is_secret_name(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(is_letter)
}
