//! Samples of a guest's stack: which functions were at work when the guest was looked at, counted by the way in which they were called.
//!
//! A guest can be looked at only where its code asks for the epoch: at the beginning of a function and of a loop's round. What
//! runs without either is counted where the guest comes to next.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use wasmtime::{AsContext, WasmBacktrace};

/// The most functions of one stack; of a deeper one the outermost are left out.
pub(super) const FRAMES_MAX: usize = 120;
/// The most functions, each counted once for every way in which it was called; past that a stack ends early.
const FUNCTIONS_MAX: usize = 10_000;
/// The longest name of a function, bytes.
const NAME_BYTES_MAX: usize = 200;

/// What is at work where no function of the plugin's is: entering it, leaving it, and handing texts over.
const BETWEEN: &str = "(entering and leaving)";

/// Samples of the calls of one engine.
#[derive(Debug, Default)]
pub struct Samples(Mutex<Tree>);

#[derive(Debug, Default)]
struct Tree {
    root: Node,
    functions: usize,
    has_names: bool,
}

#[derive(Debug, Default)]
struct Node {
    samples: u64,
    called: BTreeMap<String, Self>,
}

/// A function in the place that it was called from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sampled {
    pub name: String,
    /// How often it, or what it called, was at work.
    pub samples: u64,
    /// What it called, that of the most samples first.
    pub called: Vec<Self>,
}

impl Samples {
    /// Counts the stack on which the guest is now.
    pub(super) fn take(&self, store: impl AsContext) {
        let backtrace = WasmBacktrace::force_capture(store);
        let mut has_names = false;
        let names = backtrace.frames().iter().rev().map(|frame| {
            has_names |= frame.func_name().is_some();
            let unnamed = || format!("function {}", frame.func_index());
            frame.func_name().map_or_else(unnamed, plain)
        });
        let mut names: Vec<String> = names.collect();
        if names.is_empty() {
            names.push(BETWEEN.to_owned());
        }
        self.count(names, has_names);
    }

    fn count(&self, names: Vec<String>, has_names: bool) {
        let mut tree = self.0.lock();
        let Tree { root, functions, has_names: known } = &mut *tree;
        *known |= has_names;
        root.samples += 1;
        let mut node = root;
        for name in names {
            if !node.called.contains_key(&name) {
                if *functions >= FUNCTIONS_MAX {
                    return;
                }
                *functions += 1;
            }
            node = node.called.entry(name).or_default();
            node.samples += 1;
        }
    }

    /// Returns how many samples there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.lock().root.samples
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns all samples, and whether the guest's file names its functions.
    #[must_use]
    pub fn all(&self) -> (Sampled, bool) {
        let tree = self.0.lock();
        (tree.root.sampled("all"), tree.has_names)
    }
}

impl Node {
    fn sampled(&self, name: &str) -> Sampled {
        let mut called: Vec<_> = self.called.iter().map(|(name, node)| node.sampled(name)).collect();
        called.sort_by(|a, b| b.samples.cmp(&a.samples).then_with(|| a.name.cmp(&b.name)));
        Sampled { name: name.to_owned(), samples: self.samples, called }
    }
}

impl Sampled {
    /// Returns the functions with the samples in which each was at work itself, and those in which it was on the stack; the busiest first.
    #[must_use]
    pub fn functions(&self) -> Vec<(String, u64, u64)> {
        let mut counted = BTreeMap::new();
        self.called.iter().for_each(|function| function.count_into(&mut counted, &mut Vec::new()));
        let mut functions: Vec<_> = counted.into_iter().map(|(name, (own, all))| (name.to_owned(), own, all)).collect();
        functions.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| b.2.cmp(&a.2)).then_with(|| a.0.cmp(&b.0)));
        functions
    }

    fn count_into<'a>(&'a self, counted: &mut BTreeMap<&'a str, (u64, u64)>, above: &mut Vec<&'a str>) {
        let (own, all) = counted.entry(&self.name).or_default();
        *own += self.own();
        // A function that calls itself is on the stack once.
        if !above.contains(&&*self.name) {
            *all += self.samples;
        }
        above.push(&self.name);
        self.called.iter().for_each(|function| function.count_into(counted, above));
        above.pop();
    }

    fn own(&self) -> u64 {
        self.samples.saturating_sub(self.called.iter().map(|function| function.samples).sum())
    }

    /// Returns a line for each stack, as tools for flame graphs read them: the functions with `;` between them, the outermost first, and
    /// the number of samples.
    #[must_use]
    pub fn collapsed(&self) -> String {
        let mut text = String::new();
        self.called.iter().for_each(|function| function.collapse_into(&mut text, ""));
        text
    }

    fn collapse_into(&self, text: &mut String, above: &str) {
        let name = self.name.replace([';', '\n'], "_");
        let stack = if above.is_empty() { name } else { format!("{above};{name}") };
        if self.own() > 0 {
            *text += &format!("{stack} {}\n", self.own());
        }
        self.called.iter().for_each(|function| function.collapse_into(text, &stack));
    }
}

/// Returns a function's name without the hash that Rust adds.
fn plain(name: &str) -> String {
    let is_hash =
        |end: &str| end.len() == 17 && end.starts_with('h') && end.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let name = name.rsplit_once("::").filter(|(_, end)| is_hash(end)).map_or(name, |(name, _)| name);
    let end = name.floor_char_boundary(NAME_BYTES_MAX);
    name.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled(stacks: &[&[&str]]) -> Sampled {
        let samples = Samples::default();
        for stack in stacks {
            samples.count(stack.iter().map(|name| (*name).to_owned()).collect(), true);
        }
        samples.all().0
    }

    #[test]
    fn samples_are_counted_by_the_way_in_which_functions_were_called() {
        let all =
            sampled(&[&["decide", "price"], &["decide", "price", "round"], &["decide"], &["decide", "price", "round"]]);
        assert_eq!(all.samples, 4);
        assert_eq!(all.collapsed(), "decide 1\ndecide;price 1\ndecide;price;round 2\n");
        let functions = [("round", 2, 2), ("decide", 1, 4), ("price", 1, 3)];
        assert_eq!(all.functions(), functions.map(|(name, own, all)| (name.to_owned(), own, all)));
    }

    #[test]
    fn a_function_that_calls_itself_is_counted_once_a_stack() {
        let all = sampled(&[&["walk", "walk", "walk"], &["walk", "walk"]]);
        assert_eq!(all.functions(), [("walk".to_owned(), 2, 2)]);
    }

    #[test]
    fn names_are_short_and_have_no_hash() {
        assert_eq!(plain("checkout::price::h0123456789abcdef"), "checkout::price");
        assert_eq!(plain("checkout::price::help"), "checkout::price::help");
        assert_eq!(plain(&"ü".repeat(300)).len(), NAME_BYTES_MAX);
    }

    #[test]
    fn hostile_stacks_are_bounded() {
        let samples = Samples::default();
        for number in 0..2 * FUNCTIONS_MAX {
            samples.count(vec![number.to_string()], false);
        }
        let (all, has_names) = samples.all();
        assert_eq!((all.called.len(), all.samples, has_names), (FUNCTIONS_MAX, 2 * FUNCTIONS_MAX as u64, false));
        assert!(!sampled(&[&["a;b\nc"]]).collapsed().contains(";"));
    }
}
