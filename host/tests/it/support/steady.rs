//! Normalizes printed output: leaves out what differs between runs or compilers.

/// Replaces what differs between runs or compilers with words.
pub(crate) fn text(text: &str) -> String {
    let line = |line: &str| {
        let indentation = line.len() - line.trim_start().len();
        let words: Vec<&str> = line.split_whitespace().collect();
        let steady: Vec<String> = (0..words.len()).map(|at| word(&words, at)).collect();
        format!("{}{}\n", " ".repeat(indentation), steady.join(" "))
    };
    text.lines().map(line).collect()
}

fn word(words: &[&str], at: usize) -> String {
    let (word, unit) = (words[at], words.get(at + 1).map_or("", |next| next.trim_end_matches(',')));
    match word.split_once('+') {
        Some((name, _)) if name.contains('@') => format!("{name}+<digest>"),
        _ if word.len() == 64 && word.bytes().all(|digit| digit.is_ascii_hexdigit()) => "<digest>".to_owned(),
        _ if ["ms", "fuel", "bytes", "after"].contains(&unit) && word.parse::<f64>().is_ok() => "<figure>".to_owned(),
        _ => word.to_owned(),
    }
}
