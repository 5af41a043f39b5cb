//! Changes a file of named tokens, and leaves its comments and its order as they are.
//!
//! Invariant: what comes out has been read again, and has exactly the tokens that it should have.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::RngExt;

use super::{BadTokens, NamedToken, Scope, TokenDigest, TokensFile};

/// What every token of Till's begins with, so that those who look for leaked secrets find it.
const PREFIX: &str = "till_";
const RANDOM_BYTES: usize = 32;
/// The line that begins a row.
const HEADER: &str = "[[token]]";

/// Why a file wasn't changed. The messages follow the file's name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unchanged {
    #[error(transparent)]
    Bad(#[from] BadTokens),
    #[error("its tokens aren't written as {HEADER} tables, so it has to be changed by hand")]
    ByHand,
}

/// Returns a new token, of 256 random bits.
#[must_use]
pub fn drawn() -> String {
    let random: [u8; RANDOM_BYTES] = rand::rng().random();
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random))
}

/// Returns a token's row. `expires` is a moment with its offset.
#[must_use]
pub fn row(name: &str, scope: Scope, digest: &TokenDigest, expires: Option<&str>) -> String {
    let (scope, digest) = (scope.as_str(), digest.hex());
    let mut row = format!("{HEADER}\nname = \"{name}\"\nscope = \"{scope}\"\nsha256 = \"{digest}\"\n");
    if let Some(expires) = expires {
        _ = writeln!(row, "expires = {expires}");
    }
    row
}

/// Returns the file's text with the row at its end.
///
/// # Errors
/// If the file can't be used, or couldn't with the row.
pub fn with(text: &str, row: &str) -> Result<String, Unchanged> {
    let before = TokensFile::parse(text)?;
    if before.iter().next().is_some() && !text.lines().any(is_header) {
        return Err(Unchanged::ByHand);
    }
    let mut after = text.to_owned();
    if !after.is_empty() {
        after.push_str(if after.ends_with('\n') { "\n" } else { "\n\n" });
    }
    after.push_str(row);
    TokensFile::parse(&after)?;
    Ok(after)
}

/// Returns the file's text without the token of that name, and the token; `None` if there is none.
///
/// # Errors
/// If the file can't be used.
pub fn without(text: &str, name: &str) -> Result<Option<(String, NamedToken)>, Unchanged> {
    let before = TokensFile::parse(text)?;
    let Some((at, token)) = before.iter().enumerate().find(|(_, token)| token.name == name) else { return Ok(None) };
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let mut headers = lines.iter().enumerate().filter(|(_, line)| is_header(line)).map(|(number, _)| number).skip(at);
    let first = headers.next().ok_or(Unchanged::ByHand)?;
    let next = headers.next().unwrap_or(lines.len());
    // A comment above the next row belongs to that one.
    let of_next = lines.iter().take(next).skip(first).rev().take_while(|line| line.starts_with('#')).count();
    let of_next = if next == lines.len() { 0 } else { of_next };
    let (kept, removed) = lines.split_at_checked(first).ok_or(Unchanged::ByHand)?;
    let rest = removed.get(next - of_next - first..).unwrap_or_default();
    let mut after = kept.concat() + &rest.concat();
    if rest.is_empty() {
        after.truncate(after.trim_end().len() + usize::from(!after.trim_end().is_empty()));
    }
    let expected = before.iter().filter(|other| other.name != name);
    if !TokensFile::parse(&after)?.iter().eq(expected) {
        return Err(Unchanged::ByHand);
    }
    Ok(Some((after, token.clone())))
}

fn is_header(line: &str) -> bool {
    line.split('#').next().is_some_and(|line| line.trim() == HEADER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_and_go_and_the_rest_stays() {
        let (ci, shelf) = (TokenDigest::of("till_ci"), TokenDigest::of("till_shelf"));
        let (of_ci, expires) = (row("ci", Scope::Deploy, &ci, None), Some("2027-01-31T00:00:00Z"));
        let of_shelf = row("shelf", Scope::Stock, &shelf, expires);
        let first = with("# who may what\n", &of_ci).expect("written");
        let both = with(&first, &of_shelf).expect("written");
        assert_eq!(both, format!("# who may what\n\n{of_ci}\n{of_shelf}"));
        assert_eq!(with("", &of_ci).as_deref(), Ok(&*of_ci));
        assert_eq!(with("# cut", &of_ci), Ok(format!("# cut\n\n{of_ci}")));

        let left =
            |text: &str, name: &str| without(text, name).map(|left| left.map(|(text, token)| (text, token.name)));
        assert_eq!(left(&both, "shelf"), Ok(Some((first.clone(), "shelf".into()))));
        assert_eq!(left(&both, "ci"), Ok(Some((format!("# who may what\n\n{of_shelf}"), "ci".into()))));
        assert_eq!(left(&first, "ci"), Ok(Some(("# who may what\n".into(), "ci".into()))));
        assert_eq!(left(&of_ci, "ci"), Ok(Some((String::new(), "ci".into()))));
        assert_eq!(left(&first, "shelf"), Ok(None));
        let told =
            format!("# the build\n  [[token]] # one\n{}\n# the shelf\n{of_shelf}", &of_ci["[[token]]\n".len()..]);
        assert_eq!(left(&told, "ci"), Ok(Some((format!("# the build\n# the shelf\n{of_shelf}"), "ci".into()))));

        let again = row("ci", Scope::Read, &shelf, None);
        assert_eq!(with(&first, &again), Err(Unchanged::Bad(BadTokens::SameName { name: "ci".into() })));
        let listed = format!("token = [{{ name = \"ci\", scope = \"all\", sha256 = \"{}\" }}]\n", ci.hex());
        assert_eq!((with(&listed, &of_shelf), left(&listed, "ci")), (Err(Unchanged::ByHand), Err(Unchanged::ByHand)));
        let within = format!("{of_ci}\n{}", of_shelf.replace("\"shelf\"", "\"\"\"\\\n[[token]]\nshelf\"\"\""));
        assert!(with(&within, &of_shelf).is_err(), "{within}");
    }

    #[test]
    fn a_drawn_token_is_another_each_time() {
        let (one, other) = (drawn(), drawn());
        assert_ne!(one, other);
        assert_eq!((one.len(), one.starts_with("till_")), (48, true), "{one}");
        assert!(one.bytes().all(|byte| byte.is_ascii_graphic()));
    }
}
