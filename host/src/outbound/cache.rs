//! Answers that stand in for those to equal requests, so that a checkout gets what its quote got.
//!
//! Two requests are equal if method, URL, headers and body are, and if one installation sends them. A secret counts by
//! its name. What the answer's own Cache-Control says doesn't count: it is the plugin that decides what may be old.
//!
//! The cache has one bound for all installations. Past it, the installation that has the most loses its oldest answer, so
//! that one that fills the cache doesn't push out the others' answers. Equal requests at the same time are all sent.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::message::{HeaderText, Method, Request, Response};

/// The WIT's limit of an answer's age.
const AGE_MAX: Duration = Duration::from_mins(10);
/// Memory of an answer besides its texts, and of one header.
const ENTRY_BYTES: usize = 256;
const HEADER_BYTES: usize = 64;

/// Answers of all installations.
pub(super) struct Cache {
    bytes_max: usize,
    shelves: Mutex<Shelves>,
}

/// Which requests an answer is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    installation: Arc<str>,
    request: [u8; 32],
    age_max: Duration,
}

#[derive(Default)]
struct Shelves {
    bytes: usize,
    /// Counts answers, so that the least number is the oldest.
    next: u64,
    of_installations: HashMap<Arc<str>, Shelf>,
}

/// The answers of one installation.
#[derive(Default)]
struct Shelf {
    bytes: usize,
    numbers: HashMap<[u8; 32], u64>,
    entries: BTreeMap<u64, Entry>,
}

struct Entry {
    request: [u8; 32],
    at: Instant,
    bytes: usize,
    response: Response,
}

impl Key {
    /// Returns the key of a request; `None` if no earlier answer may stand in for its own.
    pub(super) fn of(installation: &Arc<str>, request: &Request) -> Option<Self> {
        if request.cache_ms == 0 || !matches!(request.method, Method::Get | Method::Post) {
            return None;
        }
        let mut digest = Sha256::new();
        // Each part has its length before it, or two lists of parts could be one text.
        let mut add = |part: &[u8]| {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        };
        add(request.method.as_str().as_bytes());
        add(request.url.as_bytes());
        for header in &request.headers {
            let (kind, value) = match &header.value {
                HeaderText::Text(text) => ("text", text),
                HeaderText::Secret(name) => ("secret", name),
            };
            add(header.name.to_ascii_lowercase().as_bytes());
            add(kind.as_bytes());
            add(value.as_bytes());
        }
        add(b"body");
        add(request.body.as_deref().unwrap_or_default());
        let age_max = Duration::from_millis(request.cache_ms.into()).min(AGE_MAX);
        Some(Self { installation: Arc::clone(installation), request: digest.finalize().into(), age_max })
    }
}

impl Cache {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, shelves: Mutex::default() }
    }

    /// Returns an answer that is young enough.
    pub(super) fn find(&self, key: &Key, now: Instant) -> Option<Response> {
        let mut shelves = self.shelves.lock();
        shelves.drop_older(now);
        let shelf = shelves.of_installations.get(&key.installation)?;
        let entry = shelf.entries.get(shelf.numbers.get(&key.request)?)?;
        (now.saturating_duration_since(entry.at) <= key.age_max).then(|| entry.response.clone())
    }

    /// Keeps an answer if it is a 2xx.
    pub(super) fn keep(&self, key: &Key, response: &Response, now: Instant) {
        let bytes = bytes_of(response);
        if !(200..300).contains(&response.status) || bytes > self.bytes_max {
            return;
        }
        let mut shelves = self.shelves.lock();
        shelves.drop_older(now);
        shelves.remove(key);
        while shelves.bytes.saturating_add(bytes) > self.bytes_max && shelves.drop_one() {}
        // A copy is as large as its content, which is what is counted; what was read may have more room.
        let response = Response { body: Bytes::copy_from_slice(&response.body), ..response.clone() };
        shelves.add(&key.installation, Entry { request: key.request, at: now, bytes, response });
    }
}

impl Shelves {
    fn add(&mut self, installation: &Arc<str>, entry: Entry) {
        let number = self.next;
        self.next += 1;
        self.bytes += entry.bytes;
        let shelf = self.of_installations.entry(Arc::clone(installation)).or_default();
        shelf.bytes += entry.bytes;
        shelf.numbers.insert(entry.request, number);
        shelf.entries.insert(number, entry);
    }

    fn remove(&mut self, key: &Key) {
        let Some(shelf) = self.of_installations.get_mut(&key.installation) else { return };
        let entry = shelf.numbers.remove(&key.request).and_then(|number| shelf.entries.remove(&number));
        let bytes = entry.map_or(0, |entry| entry.bytes);
        shelf.bytes -= bytes;
        self.bytes -= bytes;
    }

    /// Drops the oldest answer of the installation that has the most; `false` if there is none.
    fn drop_one(&mut self) -> bool {
        let largest = self.of_installations.values_mut().max_by_key(|shelf| shelf.bytes);
        let bytes = largest.and_then(Shelf::drop_oldest);
        self.bytes -= bytes.unwrap_or(0);
        bytes.is_some()
    }

    fn drop_older(&mut self, now: Instant) {
        for shelf in self.of_installations.values_mut() {
            while shelf.oldest().is_some_and(|at| now.saturating_duration_since(at) > AGE_MAX) {
                self.bytes -= shelf.drop_oldest().unwrap_or(0);
            }
        }
        self.of_installations.retain(|_, shelf| !shelf.entries.is_empty());
    }
}

impl Shelf {
    fn oldest(&self) -> Option<Instant> {
        self.entries.first_key_value().map(|(_, entry)| entry.at)
    }

    /// Returns the bytes that are free now.
    fn drop_oldest(&mut self) -> Option<usize> {
        let (_, entry) = self.entries.pop_first()?;
        self.numbers.remove(&entry.request);
        self.bytes -= entry.bytes;
        Some(entry.bytes)
    }
}

impl fmt::Debug for Cache {
    /// Hides the answers.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Cache({} of {} bytes)", self.shelves.lock().bytes, self.bytes_max)
    }
}

fn bytes_of(response: &Response) -> usize {
    let headers = response.headers.iter().map(|(name, value)| name.len() + value.len() + HEADER_BYTES);
    ENTRY_BYTES + response.body.len() + headers.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::{super::message::Header, *};

    fn request(url: &str) -> Request {
        let (headers, body) = (Vec::new(), None);
        Request { method: Method::Get, url: url.to_owned(), headers, body, timeout_ms: 1_000, cache_ms: 1_000 }
    }

    fn key(installation: &str, request: &Request) -> Key {
        Key::of(&installation.into(), request).expect("a key")
    }

    fn answer(status: u16, bytes: usize) -> Response {
        Response { status, headers: Vec::new(), body: Bytes::from(vec![b'x'; bytes]) }
    }

    fn with(header: HeaderText) -> Request {
        Request { headers: vec![Header { name: "x-key".to_owned(), value: header }], ..request("https://a.example") }
    }

    #[test]
    fn every_part_of_a_request_makes_another() {
        let text = |text: &str| HeaderText::Text(text.to_owned());
        let body = |body: &'static str| Request { body: Some(body.into()), ..request("https://a.example") };
        let pair = |name: &str, value: &str| {
            let header = Header { name: name.to_owned(), value: text(value) };
            Request { headers: vec![header], ..request("https://a.example") }
        };
        let keys = [
            key("one", &request("https://a.example")),
            key("two", &request("https://a.example")),
            key("one", &request("https://a.example/x")),
            key("one", &Request { method: Method::Post, ..request("https://a.example") }),
            key("one", &with(text("key"))),
            key("one", &with(HeaderText::Secret("key".to_owned()))),
            key("one", &with(HeaderText::Secret("other".to_owned()))),
            key("one", &body("body")),
            key("one", &body("text")),
            key("one", &pair("ab", "c")),
            key("one", &pair("a", "bc")),
        ];
        for (index, one) in keys.iter().enumerate() {
            assert!(keys.iter().skip(index + 1).all(|other| other != one), "{index}");
        }
        assert_eq!(key("one", &pair("X-A", "b")), key("one", &pair("x-a", "b")));
    }

    #[test]
    fn only_a_get_or_post_that_may_be_old_has_a_key() {
        let key =
            |method, cache_ms| Key::of(&"one".into(), &Request { method, cache_ms, ..request("https://a.example") });
        assert!(key(Method::Get, 1).is_some() && key(Method::Post, 1).is_some());
        assert!(key(Method::Get, 0).is_none() && key(Method::Put, 1).is_none() && key(Method::Delete, 1).is_none());
        assert_eq!(key(Method::Get, u32::MAX).map(|key| key.age_max), Some(Duration::from_secs(600)));
    }

    #[test]
    fn an_answer_stands_in_for_as_long_as_the_request_says() {
        let cache = Cache::new(10_000);
        let (key, now) = (key("one", &request("https://a.example")), Instant::now());
        cache.keep(&key, &answer(200, 5), now);
        assert_eq!(cache.find(&key, now + Duration::from_secs(1)), Some(answer(200, 5)));
        assert_eq!(cache.find(&key, now + Duration::from_millis(1_001)), None);
        let patient = Key { age_max: AGE_MAX, ..key };
        assert_eq!(cache.find(&patient, now + Duration::from_mins(10)), Some(answer(200, 5)));
        assert_eq!(cache.find(&patient, now + Duration::from_millis(600_001)), None);
        assert_eq!(format!("{cache:?}"), "Cache(0 of 10000 bytes)");
    }

    #[test]
    fn only_a_2xx_is_kept_and_the_newest_wins() {
        let cache = Cache::new(10_000);
        let (key, now) = (key("one", &request("https://a.example")), Instant::now());
        for status in [101, 199, 300, 302, 404, 500] {
            cache.keep(&key, &answer(status, 5), now);
            assert_eq!(cache.find(&key, now), None, "{status}");
        }
        cache.keep(&key, &answer(200, 5), now);
        cache.keep(&key, &answer(204, 7), now);
        assert_eq!(cache.find(&key, now), Some(answer(204, 7)));
        assert_eq!(format!("{cache:?}"), format!("Cache({} of 10000 bytes)", 7 + ENTRY_BYTES));
    }

    #[test]
    fn who_fills_the_cache_pushes_out_its_own_answers() {
        let cache = Cache::new(10 * (1_000 + ENTRY_BYTES));
        let now = Instant::now();
        let of = |installation: &str, index: usize| key(installation, &request(&format!("https://a.example/{index}")));
        cache.keep(&of("quiet", 0), &answer(200, 1_000), now);
        for index in 0..100 {
            cache.keep(&of("noisy", index), &answer(200, 1_000), now);
        }
        assert!(cache.find(&of("quiet", 0), now).is_some());
        let kept = (0..100).filter(|index| cache.find(&of("noisy", *index), now).is_some());
        assert_eq!(kept.collect::<Vec<_>>(), (91..100).collect::<Vec<_>>());
        // More than the whole cache isn't kept, and pushes nothing out.
        cache.keep(&of("noisy", 100), &answer(200, 20_000), now);
        assert!(cache.find(&of("noisy", 99), now).is_some() && cache.find(&of("noisy", 100), now).is_none());
        let none = Cache::new(0);
        none.keep(&of("quiet", 0), &answer(200, 0), now);
        assert!(none.find(&of("quiet", 0), now).is_none());
    }
}
