//! Secrets that the host puts into headers, so that plugins don't have them.
//!
//! Each is a file of one folder: the file's name is the secret's, the file's text is the whole value of a header, such as
//! `Bearer 0123…`. They are read once, at the start.
//!
//! A plugin chooses in which header a secret goes, and a receiver that repeats headers in its answer, at once or later,
//! would show the plugin the secret. [`Secret::blank`] replaces the installation's secrets in every answer. That is no
//! proof against a receiver that works together with the plugin and, for example, answers in Base64: a grant trusts its
//! place with its secrets.

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
pub(super) struct Secret {
    text: String,
    header: HeaderValue,
}

impl Secrets {
    /// Reads the files of a folder. Hidden files and folders are left alone: orchestrators mount secrets with some.
    ///
    /// # Errors
    /// If the folder or a file can't be read, or if a file is no secret. No error contains a secret.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let unread = || format!("read the secrets in {}", folder.display());
        let mut secrets = BTreeMap::new();
        for entry in fs::read_dir(folder).with_context(unread)? {
            let file = entry.with_context(unread)?.path();
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with('.') || file.is_dir() {
                continue;
            }
            anyhow::ensure!(
                is_secret_name(&name),
                "{} can't be a secret's name: give the file one of up to {NAME_BYTES_MAX} letters, digits, `-`, `_` and `.`",
                file.display()
            );
            secrets.insert(name, Secret::read(&file)?);
        }
        anyhow::ensure!(secrets.len() <= SECRETS_MAX, "{} has more than {SECRETS_MAX} secrets", folder.display());
        Ok(Self(secrets))
    }

    pub(super) fn find(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }
}

impl Secret {
    fn read(file: &Path) -> anyhow::Result<Self> {
        let unread = || format!("read the secret {}", file.display());
        let metadata = fs::metadata(file).with_context(unread)?;
        // Whatever else there may be in a folder, a pipe for example, might never end.
        let is_small = metadata.is_file() && metadata.len() <= 2 * SECRET_BYTES_MAX as u64;
        let text = if is_small { fs::read(file).with_context(unread)? } else { Vec::new() };
        Self::of(str::from_utf8(&text).unwrap_or_default()).with_context(|| {
            format!(
                "use {} as a secret: it has to be a file of one line of {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} ASCII characters, \
                 the whole value of a header",
                file.display()
            )
        })
    }

    fn of(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_visible = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        let fits = (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_visible);
        let mut header = HeaderValue::from_str(text).ok().filter(|_| fits)?;
        header.set_sensitive(true);
        Some(Self { text: text.to_owned(), header })
    }

    /// Returns the value for a header, which hides itself from `Debug`.
    pub(super) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// Replaces the secret by asterisks wherever it stands in an answer, in upper or lower case: as a whole, and what
    /// follows its first word, since answers repeat a token without the `Bearer` before it.
    pub(super) fn blank(&self, answer: &mut [u8]) {
        for form in self.forms() {
            let mut rest = &mut *answer;
            while let Some(at) = find(rest, form) {
                let (blanked, after) = rest.split_at_mut(at + form.len());
                blanked.iter_mut().skip(at).for_each(|byte| *byte = b'*');
                rest = after;
            }
        }
    }

    /// Returns a text without the secret.
    pub(super) fn blanked(&self, text: String) -> String {
        let mut bytes = text.into_bytes();
        self.blank(&mut bytes);
        // ASCII was replaced by ASCII, so it is UTF-8 still.
        String::from_utf8(bytes).unwrap_or_default()
    }

    /// Tells whether a text that can't be blanked contains the secret.
    pub(super) fn is_in(&self, text: &str) -> bool {
        self.forms().any(|form| find(text.as_bytes(), form).is_some())
    }

    fn forms(&self) -> impl Iterator<Item = &[u8]> {
        let token = self.text.split_once(' ').map(|(_, token)| token.trim());
        let forms = [Some(self.text.as_str()), token.filter(|token| token.len() >= SECRET_BYTES_MIN)];
        forms.into_iter().flatten().map(str::as_bytes)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret")
    }
}

/// Tells whether a secret may have this name.
pub(super) fn is_secret_name(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(is_letter)
}

/// Returns where `form` begins in the text, in upper or lower case.
fn find(text: &[u8], form: &[u8]) -> Option<usize> {
    let first = form.first()?;
    let candidates = memchr::memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), text);
    let mut found = candidates.filter(|at| {
        let window = text.get(*at..at.saturating_add(form.len()));
        window.is_some_and(|window| window.eq_ignore_ascii_case(form))
    });
    found.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_a_secret_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("it is written");
        write("carrier-key", "  Bearer 0123456789 \r\n");
        write(".hidden", "x");
        fs::create_dir(folder.path().join("..data")).expect("it is made");
        fs::create_dir(folder.path().join("folder")).expect("it is made");
        let secrets = Secrets::read(folder.path()).expect("it is read");
        assert_eq!(
            secrets.find("carrier-key").map(Secret::header),
            Some(HeaderValue::from_static("Bearer 0123456789"))
        );
        assert!(secrets.find(".hidden").is_none() && secrets.find("folder").is_none() && secrets.find("").is_none());
        assert_eq!(format!("{secrets:?}"), r#"Secrets({"carrier-key": Secret})"#);
        assert_eq!(format!("{:?}", secrets.find("carrier-key").map(Secret::header)), "Some(Sensitive)");
    }

    #[test]
    fn what_is_no_secret_is_refused_without_its_text() {
        let long = "x".repeat(SECRET_BYTES_MAX + 1);
        let huge = "x".repeat(2 * SECRET_BYTES_MAX + 1);
        for text in [
            "",
            "  \n",
            "short-1",
            "two-lines\nof-it",
            "tab\tinside-it",
            "s\u{e9}cret-s\u{e9}cret",
            "nul\0nul-nul",
            &long,
            &huge,
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            fs::write(folder.path().join("key"), text).expect("it is written");
            let error = format!("{:#}", Secrets::read(folder.path()).expect_err("no secret"));
            assert!(error.contains("one line of 8 to 4096 ASCII characters"), "{error}");
            assert!(text.trim().len() < 8 || !error.contains(text.trim()), "{error}");
        }
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("a key"), "0123456789").expect("it is written");
        assert!(Secrets::read(folder.path()).expect_err("no name").to_string().contains("letters, digits"));
        assert!(Secrets::read(&folder.path().join("none")).is_err());
    }

    #[test]
    fn a_repeated_secret_is_blanked() {
        let check = |answer: &str, expected: &str| {
            let mut answer = answer.as_bytes().to_vec();
            Secret::of("Bearer 0123456789-ab").expect("a secret").blank(&mut answer);
            assert_eq!(String::from_utf8_lossy(&answer), expected);
        };
        check("authorization: Bearer 0123456789-ab!", "authorization: ********************!");
        check("authorization: bearer 0123456789-AB!", "authorization: ********************!");
        check("no key 0123456789-ab0123456789-ab", "no key **************************");
        check("the bearer 0123456789 of it", "the bearer 0123456789 of it");
        check("", "");
        // The word before a token that is too short to be blanked alone.
        let mut answer = b"PIN 123456 and 123456".to_vec();
        Secret::of("PIN 123456").expect("a secret").blank(&mut answer);
        assert_eq!(answer, b"********** and 123456");
    }
}
