//! The trace page's own files, out of the binary: plain modules that the browser runs as they are.
//!
//! They hold no data, so they are served without a token: a browser can't send one before they have asked for it. What
//! they show they ask for, at the routes beside this.
//!
//! Invariant: nothing that the page shows can run. Its policy allows scripts and styles of these files only, and the
//! files write others' text as text.

use bytes::Bytes;

use crate::http::Reply;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

const DOCUMENT: &[u8] = include_bytes!("page/index.html");

/// Name, type and content of what the document refers to.
const FILES: [(&str, &str, &[u8]); 15] = [
    ("api.js", SCRIPT, include_bytes!("page/api.js")),
    ("charts.js", SCRIPT, include_bytes!("page/charts.js")),
    ("filters.js", SCRIPT, include_bytes!("page/filters.js")),
    ("icon.svg", "image/svg+xml", include_bytes!("page/icon.svg")),
    ("list.js", SCRIPT, include_bytes!("page/list.js")),
    ("main.js", SCRIPT, include_bytes!("page/main.js")),
    ("model.js", SCRIPT, include_bytes!("page/model.js")),
    ("say.js", SCRIPT, include_bytes!("page/say.js")),
    ("span.js", SCRIPT, include_bytes!("page/span.js")),
    ("style.css", CSS, include_bytes!("page/style.css")),
    ("text.js", SCRIPT, include_bytes!("page/text.js")),
    ("trace.js", SCRIPT, include_bytes!("page/trace.js")),
    ("uPlot.iife.min.js", SCRIPT, include_bytes!("page/uPlot.iife.min.js")),
    ("uPlot.min.css", CSS, include_bytes!("page/uPlot.min.css")),
    ("waterfall.js", SCRIPT, include_bytes!("page/waterfall.js")),
];

const HEADERS: [(&str, &str); 2] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("referrer-policy", "no-referrer"),
];

/// Returns the page's file at the path, `None` if the path isn't the page's. The page itself finds out which trace a path
/// names.
pub(super) fn find(path: &str) -> Option<Reply> {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let (content_type, content) = match segments.as_slice() {
        ["traces"] | ["traces", _] => (HTML, DOCUMENT),
        ["page", name] => FILES.iter().find(|(known, ..)| known == name).map(|(_, of, content)| (*of, *content))?,
        _ => return None,
    };
    Some(Reply::text(content_type, Bytes::from_static(content)).with_headers(&HEADERS))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what the text names by `/page/{file}` or `./{file}`.
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
        let texts = FILES.iter().map(|(_, _, content)| *content).chain([DOCUMENT]);
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
