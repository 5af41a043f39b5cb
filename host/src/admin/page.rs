//! Serves the trace page's files, which are embedded in the binary: plain modules that the browser runs unchanged.
//!
//! The files hold no data, so they are served without a token: a browser can't send a token before the page has asked
//! for it. The page gets its data from the other routes.
//!
//! Invariant: nothing that the page shows can run. Its content security policy allows only these files' scripts and
//! styles, and the files insert others' text only as text.

use bytes::Bytes;
use hyper::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY};

use crate::http::Reply;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Its addresses are at the listener's root; [`document`] makes them relative to the shown path.
const DOCUMENT: &str = include_str!("page/index.html");

/// Name, type and content of what the document refers to.
const FILES: [(&str, &str, &[u8]); 16] = [
    ("api.js", SCRIPT, include_bytes!("page/api.js")),
    ("charts.js", SCRIPT, include_bytes!("page/charts.js")),
    ("filters.js", SCRIPT, include_bytes!("page/filters.js")),
    ("icon.svg", "image/svg+xml", include_bytes!("page/icon.svg")),
    ("list.js", SCRIPT, include_bytes!("page/list.js")),
    ("main.js", SCRIPT, include_bytes!("page/main.js")),
    ("model.js", SCRIPT, include_bytes!("page/model.js")),
    ("root.js", SCRIPT, include_bytes!("page/root.js")),
    ("say.js", SCRIPT, include_bytes!("page/say.js")),
    ("span.js", SCRIPT, include_bytes!("page/span.js")),
    ("style.css", CSS, include_bytes!("page/style.css")),
    ("text.js", SCRIPT, include_bytes!("page/text.js")),
    ("trace.js", SCRIPT, include_bytes!("page/trace.js")),
    ("uPlot.iife.min.js", SCRIPT, include_bytes!("page/uPlot.iife.min.js")),
    ("uPlot.min.css", CSS, include_bytes!("page/uPlot.min.css")),
    ("waterfall.js", SCRIPT, include_bytes!("page/waterfall.js")),
];

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Returns the page's file at the path; `None` if the path isn't the page's. The page itself reads the trace id from
/// its path.
pub(super) fn find(path: &str) -> Option<Reply> {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let (content_type, content) = match segments.as_slice() {
        ["traces"] => (HTML, document("")),
        ["traces", _] => (HTML, document("../")),
        ["page", name] => {
            let (_, content_type, content) = FILES.iter().find(|(known, ..)| known == name)?;
            (*content_type, Bytes::from_static(content))
        }
        _ => return None,
    };
    let file = Reply::text(content_type, content);
    Some(file.with_header(CONTENT_SECURITY_POLICY, POLICY).with_header(REFERRER_POLICY, "no-referrer"))
}

/// Returns the document with `to_root` before each of its addresses, because a proxy may serve the listener under a
/// path of its own.
fn document(to_root: &str) -> Bytes {
    DOCUMENT.replace("=\"/", &format!("=\"{to_root}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the files that the text names as `/page/{file}` or `./{file}`.
    fn named(text: &str) -> Vec<&str> {
        let starts = text.match_indices("\"/page/").chain(text.match_indices("'./"));
        let ends = |start: &str| start.find(['"', '\'']).unwrap_or(start.len());
        starts
            .filter_map(|(at, prefix)| text.get(at + prefix.len()..))
            .filter_map(|rest| rest.get(..ends(rest)))
            .collect()
    }

    #[test]
    fn serves_every_file_that_its_files_name() {
        let texts = FILES.iter().map(|(_, _, content)| *content).chain([DOCUMENT.as_bytes()]);
        let mut seen = 0;
        for text in texts.map(|content| std::str::from_utf8(content).expect("UTF-8")) {
            for name in named(text) {
                assert!(find(&format!("/page/{name}")).is_some(), "{name}");
                seen += 1;
            }
        }
        assert!(seen >= 20, "{seen} names were looked at");
    }

    #[test]
    fn nothing_of_it_makes_markup_of_text_or_asks_elsewhere() {
        for (name, _, content) in FILES.iter().filter(|(name, ..)| !name.starts_with("uPlot")) {
            let text = std::str::from_utf8(content).expect("UTF-8").replace("http://www.w3.org/2000/svg", "");
            for never in [".innerHTML", ".outerHTML", "insertAdjacentHTML", "document.write", "eval(", "https://"] {
                assert!(!text.contains(never), "{name} has {never}");
            }
        }
    }
}
