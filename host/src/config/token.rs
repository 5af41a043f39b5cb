//! Reads bearer tokens from files: the settings name the file, never the token.

use std::path::Path;

use anyhow::Context;

/// Returns the token in a file, without the white space around it.
///
/// # Errors
/// If the file can't be read, or has more than one word, because it would be ambiguous which one is meant.
pub fn read_token(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("read the token file {}", file.display()))?;
    let token = text.trim();
    anyhow::ensure!(
        token.bytes().all(|byte| byte.is_ascii_graphic()),
        "the token file {} has to hold one token of visible ASCII characters and nothing else; leave one line in it",
        file.display()
    );
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_one_token_with_white_space_around_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("token");
        for (content, expected) in [
            ("0123456789abcdef", Some("0123456789abcdef")),
            ("  0123456789abcdef \r\n", Some("0123456789abcdef")),
            ("0123456789abcdef\nfedcba9876543210\n", None),
            ("a token", None),
            ("tökentökentöken", None),
        ] {
            std::fs::write(&file, content).expect("it is written");
            let token = read_token(&file);
            assert_eq!(token.as_deref().ok(), expected, "{content:?}");
            if let Err(error) = token {
                assert!(error.to_string().contains("leave one line"), "{error}");
            }
        }
    }
}
