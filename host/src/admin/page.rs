//! Serves the console's files, which are embedded in the binary: plain modules that the browser runs unchanged.
//!
//! Each view has a folder in `page/`; `page/frame/views.js` lists them. A view's path is `/console` or below it, except for
//! the traces', which stand at `/traces` and `/traces/{trace_id}` because answers link to them.
//!
//! The files hold no data, so they are served without a token: a browser can't send a token before the page has asked
//! for it. The page gets its data from the other routes.
//!
//! Invariant: nothing that the page shows can run. Its content security policy allows only these files' scripts and
//! styles, and the files insert others' text only as text.

use std::path::Path;

use bytes::Bytes;
use hyper::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use include_dir::{Dir, include_dir};

use crate::http::Reply;

const HTML: &str = "text/html; charset=utf-8";

/// Its addresses are at the listener's root; [`document`] makes them relative to the shown path.
const DOCUMENT: &str = include_str!("page/index.html");

/// What the document refers to, as `/page/{path in the folder}`.
static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/admin/page");

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Returns the page's file at the path; `None` if the path isn't the page's. The page itself reads the view from its path.
pub(super) fn find(path: &str) -> Option<Reply> {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let (content_type, content) = match segments.as_slice() {
        ["traces" | "console"] => (HTML, document("")),
        ["traces" | "console", _] => (HTML, document("../")),
        ["console", _, _] => (HTML, document("../../")),
        // A path says each folder by its name, or it is another's.
        ["page", name @ ..] if name.iter().all(|part| !matches!(*part, "" | "." | "..")) => {
            let name = name.join("/");
            (content_type(&name)?, Bytes::from_static(FILES.get_file(name)?.contents()))
        }
        _ => return None,
    };
    let file = Reply::text(content_type, content);
    Some(file.with_header(CONTENT_SECURITY_POLICY, POLICY).with_header(REFERRER_POLICY, "no-referrer"))
}

fn content_type(name: &str) -> Option<&'static str> {
    match Path::new(name).extension()?.to_str()? {
        "css" => Some("text/css; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}

/// Returns the document with `to_root` before each of its addresses, because a proxy may serve the listener under a
/// path of its own.
fn document(to_root: &str) -> Bytes {
    DOCUMENT.replace("=\"/", &format!("=\"{to_root}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the path in the folder, and the content, of each file that isn't the document.
    fn files() -> Vec<(String, &'static str)> {
        let folders = FILES.dirs().flat_map(Dir::files);
        let path = |file: &include_dir::File<'_>| file.path().to_string_lossy().into_owned();
        let text = |content: &'static [u8]| std::str::from_utf8(content).expect("UTF-8");
        folders.map(|file| (path(file), text(file.contents()))).collect()
    }

    /// Returns what the text refers to after the mark, up to the quote that ends it.
    fn named<'a>(text: &'a str, mark: &'a str) -> impl Iterator<Item = &'a str> {
        let rests = text.match_indices(mark).filter_map(|(at, mark)| text.get(at + mark.len()..));
        rests.map(|rest| rest.split(['"', '\'']).next().unwrap_or_default())
    }

    #[test]
    fn serves_every_file_that_its_files_name() {
        let mut seen = 0;
        let mut check = |path: String| {
            assert!(find(&path).is_some(), "{path}");
            seen += 1;
        };
        named(DOCUMENT, "\"/page/").for_each(|name| check(format!("/page/{name}")));
        for (path, text) in files() {
            let folder = path.split('/').next().unwrap_or_default();
            named(text, "from './").for_each(|name| check(format!("/page/{folder}/{name}")));
            named(text, "from '../").for_each(|name| check(format!("/page/{name}")));
        }
        assert!(seen >= 40, "{seen} names were looked at");
    }

    #[test]
    fn every_style_sheet_is_in_the_document() {
        for (path, _) in files().iter().filter(|(path, _)| path.ends_with(".css")) {
            assert!(DOCUMENT.contains(&format!("\"/page/{path}\"")), "{path}");
        }
    }

    #[test]
    fn nothing_of_it_makes_markup_of_text_or_asks_elsewhere() {
        for (name, text) in files().iter().filter(|(name, _)| !name.contains("uPlot")) {
            let text = text.replace("http://www.w3.org/2000/svg", "");
            for never in [".innerHTML", ".outerHTML", "insertAdjacentHTML", "document.write", "eval(", "https://"] {
                assert!(!text.contains(never), "{name} has {never}");
            }
        }
    }

    #[test]
    fn a_path_that_is_nobodys_has_no_file() {
        for path in [
            "/page",
            "/page/",
            "/page/frame",
            "/page/frame/",
            "/page/frame/main.js/",
            "/page/frame//main.js",
            "/page/frame/./main.js",
            "/page/index.html",
            "/page/../page.rs",
            "/console/a/b/c",
        ] {
            assert!(find(path).is_none(), "{path}");
        }
    }
}
