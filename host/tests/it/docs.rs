//! The pages of `docs` that are generated from the host's tables, and checks of the written pages: the commands and
//! settings that they name exist, and each promise of README has a test.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use till::{
    cli,
    config::{ROWS, Row, SECTIONS, is_row},
    http::problem::Code,
    order::{
        ITEM_BYTES_MAX, LINES_MAX, ORDER_ATTRIBUTE_KEY_BYTES_MAX, ORDER_ATTRIBUTE_TEXT_BYTES_MAX, ORDER_ATTRIBUTES_MAX,
        QUANTITY_MAX,
    },
    store::LIST_BYTES_MAX,
};

use crate::support::golden;

const README_WORDS_MAX: usize = 1_000;
const MADE: &str = "<!-- Made by host/tests/it/docs.rs; `make pages` makes it anew. -->";

#[test]
fn settings_are_documented_as_they_are() {
    let mut page = format!(
        "{MADE}\n\n# Settings\n\nEvery setting but the [limits](limits.md). [Configuration](configuration.md) says where each may \
         stand and which one wins; `till serve --print-config` prints the values that hold, and where each came from.\n"
    );
    for (section, about) in SECTIONS.iter().filter(|(section, _)| *section != "limits") {
        _ = write!(
            page,
            "\n## {section}\n\n{}\n\n| setting | default | range | what it is |\n|---|---|---|---|\n",
            about.trim()
        );
        for row in rows_of(section) {
            let past = if row.past.is_empty() { String::new() } else { format!("; past it: {}", row.past) };
            _ = writeln!(page, "| `{}` | {} | {} | {}{past} |", row.key, default(row), range(row), row.reason);
        }
    }
    golden::check_page("operate/settings.md", &page);
}

#[test]
fn limits_are_documented_as_they_are() {
    let mut page = format!(
        "{MADE}\n\n# Limits\n\nEverything that a request or a plugin's call may take has a limit. Each limit is a \
         [setting](configuration.md), `limits.<name>`; [Problems](problems.md) says what to do about each answer.\n\n\
         | `limits.` | default | range | what it bounds | past it |\n|---|---|---|---|---|\n"
    );
    for row in rows_of("limits") {
        let name = row.key.trim_start_matches("limits.");
        _ = writeln!(page, "| `{name}` | {} | {} | {} | {} |", default(row), range(row), row.reason, row.past);
    }
    _ = write!(
        page,
        "\n## Fixed limits\n\nThese are part of the interface that plugins are written against, so no setting changes them. What is past \
         them gets 422.\n\n\
         - An order has 1 to {LINES_MAX} lines.\n\
         - A line has 1 to {} pieces.\n\
         - An item's name has 1 to {ITEM_BYTES_MAX} bytes. It is brought to Unicode's composed form (NFC), so \"\u{e9}\" is one \
         letter however it was typed.\n\
         - An order has up to {ORDER_ATTRIBUTES_MAX} attributes, and each line as many. A key has up to \
         {ORDER_ATTRIBUTE_KEY_BYTES_MAX} bytes, a text up to {ORDER_ATTRIBUTE_TEXT_BYTES_MAX}. They are stored and shown with the order.\n\
         - A number among the attributes has to be one that a plugin can be told exactly. 9007199254740993 and \
         0.1000000000000000055 get 422: send such a number as text.\n\
         - Amounts are whole minor units below 2^53, parsed exactly from the decimal that was sent.\n\n\
         A list (`/orders`, `/stock`, `/inventory`, `/plugins/versions`, `/plugins/history`, `/plugins/rollouts`) ends after {} MiB of what \
         the store has, with `next_after` for the next page.\n\n\
         ## What no limit covers\n\n\
         Plugins run in one process, so the sandbox is no boundary against speculative-execution attacks (Spectre). Run \
         plugins that you would not trust with that on a machine of their own.\n",
        grouped(QUANTITY_MAX),
        LIST_BYTES_MAX / 1024 / 1024
    );
    golden::check_page("operate/limits.md", &page);
}

#[test]
fn each_problem_is_documented_with_what_to_do() {
    let mut page = format!(
        "{MADE}\n\n# Problems\n\nEvery refusal is `application/problem+json` (RFC 9457). Programs read `code`; `detail` is for people, and \
         `trace_id` names the trace, which the [trace page](telemetry.md#the-trace-page) shows. `KIND` below is `checkout` or `inventory`.\n"
    );
    let mut status = None;
    for code in Code::ALL {
        if status.replace(code.status()) != Some(code.status()) {
            _ = write!(page, "\n## {}\n", code.status());
        }
        _ = write!(page, "\n### `{}`\n\n{}\n\n**What to do:** {}\n", code.name(), code.meaning(), code.advice());
    }
    golden::check_page("operate/problems.md", &page);
}

#[test]
fn each_command_is_documented_as_its_help_says() {
    fn add(command: &mut clap::Command, page: &mut String) {
        let name = command.get_bin_name().unwrap_or("till").to_owned();
        let help = command.render_long_help().to_string();
        let help = help.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        _ = write!(page, "\n## {name}\n\n```text\n{}\n```\n", help.trim_end());
        for command in command.get_subcommands_mut().filter(|command| !command.is_hide_set()) {
            if command.get_name() != "help" {
                add(command, page);
            }
        }
    }
    let mut page = format!(
        "{MADE}\n\n# Commands\n\nWhat `--help` of each command says. `source <(till completions bash)` completes them in a shell, and \
         `till manual ~/.local/share/man/man1` writes a page of the manual for each.\n\n\
         Exit codes: 0, done; 1, refused or failed, with the reason on stderr; 2, wrong usage; 64, unusable settings.\n"
    );
    let mut commands = without_values(cli::commands());
    commands.build();
    add(&mut commands, &mut page);
    golden::check_page("reference/cli.md", &page);
}

/// A command that was renamed would stay in a page for years.
#[test]
fn the_commands_that_the_pages_show_exist() {
    let mut shown = 0;
    for page in pages() {
        for command in blocks(&read(&page), "sh").filter_map(command_of) {
            let parsed = cli::commands().try_get_matches_from(&command);
            let fine = parsed.as_ref().map_or_else(|error| !error.use_stderr(), |_| true);
            assert!(fine, "{}: {}\n{}", page.display(), command.join(" "), parsed.expect_err("not fine"));
            shown += 1;
        }
    }
    assert!(shown > 20, "{shown} commands were found");
}

#[test]
fn the_settings_that_the_pages_name_exist() {
    let mut named = 0;
    for page in pages() {
        for key in read(&page).split('`').skip(1).step_by(2).filter_map(setting_of) {
            assert!(is_row(&key), "{}: there is no setting {key}", page.display());
            named += 1;
        }
    }
    assert!(named > 20, "{named} settings were found");
}

/// Finds a status before a code, as in "502 `bad_output`" or in two cells of a table.
#[test]
fn the_codes_that_the_pages_name_have_that_status() {
    let mut named = 0;
    for page in pages() {
        let text = read(&page);
        let quoted: Vec<_> = text.split('`').collect();
        for pair in quoted.windows(2).step_by(2) {
            let before = pair[0].trim_end_matches([' ', '|']);
            let status = before.get(before.len().saturating_sub(3)..).and_then(|digits| digits.parse::<u16>().ok());
            let refused = status.filter(|status| (400..600).contains(status) && before.len() < pair[0].len());
            let plain = pair[1].bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            if let Some(status) = refused.filter(|_| plain) {
                let code = Code::ALL.iter().find(|code| code.name() == pair[1]);
                let is = code.map(|code| code.status().as_u16());
                assert_eq!(is, Some(status), "{}: {status} `{}`", page.display(), pair[1]);
                named += 1;
            }
        }
    }
    assert!(named > 10, "{named} codes were found");
}

#[test]
fn readme_leads_to_every_page() {
    let readme = read(&project().join("README.md"));
    for page in pages().iter().skip(1) {
        let link = page.strip_prefix(project()).expect("a page of the project").display().to_string();
        assert!(readme.contains(&format!("({link})")), "README doesn't lead to {link}");
    }
}

/// A README that grows by a paragraph a change becomes the manual again.
#[test]
fn readme_is_one_page() {
    let words = read(&project().join("README.md")).split_whitespace().count();
    assert!(words <= README_WORDS_MAX, "README has {words} words: what is more than a page belongs into docs");
}

/// README has `[`name`](host/tests/it/area.rs)` beside each promise.
#[test]
fn each_promise_of_readme_has_a_test() {
    let readme = read(&project().join("README.md"));
    let (_, section) = readme.split_once("\n## What is promised\n").expect("the promises");
    let (promises, _) = section.split_once("\n## ").expect("a next section");
    let promises: Vec<_> = promises.split("\n- ").skip(1).collect();
    assert!(promises.len() > 5, "{promises:?}");
    for promise in promises {
        let links: Vec<_> = promise.split("](host/tests/").collect();
        assert!(links.len() > 1, "no test is named: {promise}");
        for pair in links.windows(2) {
            let name = pair[0].rsplit('[').next().expect("a link's text").trim_matches('`');
            let file = pair[1].split(')').next().expect("a link's end");
            let tests = read(&project().join("host/tests").join(file));
            let body = tests.split("#[test]\n").skip(1).find(|test| test.starts_with(&format!("fn {name}(")));
            assert!(body.is_some(), "{file} has no test {name}");
        }
    }
}

/// Leaves out what variables say where the test runs.
fn without_values(command: clap::Command) -> clap::Command {
    command.mut_args(|argument| argument.hide_env_values(true)).mut_subcommands(without_values)
}

fn rows_of(section: &str) -> impl Iterator<Item = &'static Row> {
    ROWS.iter().filter(move |row| row.key.split_once('.').is_some_and(|(of, _)| of == section))
}

fn default(row: &Row) -> String {
    match row.default.parse() {
        Ok(number) => format!("{} {}", grouped(number), row.unit),
        Err(_) if row.default.is_empty() => "none".into(),
        Err(_) => row.default.into(),
    }
}

fn range(row: &Row) -> String {
    row.range.map(|(least, most)| format!("{} to {}", grouped(least), grouped(most))).unwrap_or_default()
}

/// Returns a number as people read it, such as 86,400,000.
fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns README, then all pages of `docs`.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![project().join("README.md")];
    let mut folders = vec![project().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages
}

/// Returns the lines of a page's code blocks in that language.
fn blocks<'a>(page: &'a str, language: &'a str) -> impl Iterator<Item = &'a str> {
    let mut within = None;
    page.lines().filter(move |line| match line.trim().strip_prefix("```") {
        Some(_) if within.is_some() => {
            within = None;
            false
        }
        Some(opened) => {
            within = Some(opened == language);
            false
        }
        None => within == Some(true),
    })
}

/// Returns the words of a line that runs `till`, without its comment; what follows another command counts as well.
fn command_of(line: &str) -> Option<Vec<&str>> {
    let line = line.split(" #").next()?.trim();
    let start = line.find("till ").filter(|start| *start == 0)?;
    let command = line.get(start..)?.split(" && ").next()?;
    Some(command.split_whitespace().collect())
}

/// Returns the setting that a page names, such as `limits.spans` or `log.level=debug`; `None` for anything else.
fn setting_of(named: &str) -> Option<String> {
    let key = named.split_once('=').map_or(named, |(key, _)| key);
    let (section, name) = key.split_once('.')?;
    let known = SECTIONS.iter().any(|(known, _)| *known == section);
    // A plugin's settings stand in the section `checkout` as well, and files and hosts have such names.
    let file = ["js", "py", "go", "ts", "c", "rs", "md", "wasm", "toml", "example"].contains(&name);
    let plain =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    (known && plain && !file && (section != "checkout" || is_row(key))).then(|| key.to_owned())
}
