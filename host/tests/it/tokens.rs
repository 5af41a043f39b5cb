//! Named tokens of the admin listener: their scopes, their end, their file, and what the history says of them.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Answer, Client, Host, Plan, eventually, host::till, http::DOCUMENT};

/// A file of named tokens that `till token` writes.
pub(crate) struct Tokens {
    folder: TempDir,
}

impl Tokens {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("tokens.toml")
    }

    /// Adds a token, and returns it.
    pub(crate) fn add(&self, name: &str, scope: &str) -> String {
        let made = self.command(&["new", "--name", name, "--scope", scope]);
        assert!(made.status.success(), "{made:?}");
        String::from_utf8(made.stdout).expect("UTF-8").trim().to_owned()
    }

    fn command(&self, arguments: &[&str]) -> Output {
        token(arguments).arg("--file").arg(self.file()).output().expect("till starts")
    }

    /// Has a host take these tokens.
    pub(crate) fn of(&self, plan: Plan) -> Plan {
        plan.set(format!("server.admin_tokens_file={}", self.file().display()))
    }
}

fn token(arguments: &[&str]) -> Command {
    let mut command = till();
    command.arg("token").args(arguments);
    command
}

/// Sends a request with a token.
pub(crate) fn with_token(client: &Client, token: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    let text = body.map(Value::to_string);
    client.send(method, path, &headers, text.as_deref().map(str::as_bytes)).expect("the host answers")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Every operation of the admin listener, with a token of each scope: 403 or what it answers otherwise.
#[test]
fn every_route_takes_the_tokens_of_its_scope_only() {
    let tokens = Tokens::new();
    let scopes = ["read", "deploy", "stock", "all"];
    let of_scope = scopes.map(|scope| (scope, tokens.add(&format!("for-{scope}"), scope)));
    let host = tokens.of(Host::plan()).start();
    let document: Value = serde_json::from_str(DOCUMENT).expect("JSON");
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().expect("paths") {
        let is_admins =
            item["servers"].as_array().is_some_and(|servers| servers.iter().any(|server| server["url"] != "/"));
        if !is_admins {
            continue;
        }
        // There is nothing of that name, so that what is allowed changes nothing.
        let place = path.split('/').map(|segment| if segment.starts_with('{') { "nothing" } else { segment });
        let place = place.collect::<Vec<_>>().join("/");
        for method in ["get", "post", "delete"] {
            let operation = &item[method];
            let Some(security) = operation["security"].as_array() else { continue };
            let needed = security[1]["adminToken"][0].as_str().unwrap_or("read");
            for (scope, token) in &of_scope {
                let answer = with_token(&host.admin, token, &method.to_uppercase(), &place, None);
                let allowed = needed == "read" || *scope == "all" || *scope == needed;
                let what = format!("{method} {place} with {scope}: {}", answer.status);
                if allowed {
                    assert!(!matches!(answer.status, 401 | 403), "{what}");
                } else {
                    assert_eq!((answer.status, answer.code()), (403, "out_of_scope".to_owned()), "{what}");
                    let detail = answer.json()["detail"].as_str().expect("a text").to_owned();
                    let says =
                        format!("the token for-{scope} has the scope {scope}, and this needs {needed}; till token new");
                    assert!(detail.starts_with(&says), "{detail}");
                }
                tried += 1;
            }
            let answer = host.admin.send(&method.to_uppercase(), &place, &[], None).expect("the host answers");
            assert_eq!((answer.status, answer.code()), (401, "unauthorized".to_owned()), "{method} {place}");
        }
    }
    assert!(tried > 4 * 50, "{tried} requests");
    host.stop();
}

#[test]
fn a_token_has_an_end_and_its_owner_is_told() {
    let tokens = Tokens::new();
    let token = tokens.add("ci", "deploy");
    let row = fs::read_to_string(tokens.file()).expect("a file") + "expires = 2020-01-31T00:00:00Z\n";
    fs::write(tokens.file(), row).expect("it is written");
    let single = tokens.folder.path().join("single");
    fs::write(&single, "0123456789abcdef").expect("it is written");
    let host = tokens.of(Host::plan()).set(format!("server.admin_token_file={}", single.display())).start();
    let expired = with_token(&host.admin, &token, "GET", "/stock", None);
    assert_eq!((expired.status, expired.code()), (401, "token_expired".to_owned()));
    assert_eq!(expired.header("www-authenticate"), "Bearer");
    let detail = expired.json()["detail"].as_str().expect("a text").to_owned();
    assert!(detail.starts_with("the token ci has expired at 2020-01-31T00:00:00Z; "), "{detail}");
    let other = with_token(&host.admin, "till_other", "GET", "/stock", None);
    assert_eq!((other.status, other.code()), (401, "unauthorized".to_owned()));
    // The single token of before goes on, with a name.
    let set = json!({ "set": { "faults": "off" } });
    let changed = with_token(&host.admin, "0123456789abcdef", "POST", "/plugins/inventory/settings", Some(&set));
    assert_eq!(
        (changed.status, &changed.json()["version"]["changed_by"]),
        (200, &json!("admin")),
        "{}",
        changed.text()
    );
    let listed = tokens.command(&["list"]);
    let listed = String::from_utf8(listed.stdout).expect("UTF-8");
    assert!(listed.contains("ci") && listed.contains("2020-01-31T00:00:00Z (expired)"), "{listed}");
    host.stop();
}

#[test]
fn the_file_is_read_again_and_a_broken_one_changes_nothing() {
    let tokens = Tokens::new();
    let first = tokens.add("first", "read");
    let host = tokens.of(Host::plan()).warns("so the tokens from before stay").start();
    let status = |token: &str| with_token(&host.admin, token, "GET", "/stock", None).status;
    assert_eq!(status(&first), 200);
    let second = tokens.add("second", "read");
    eventually("the second token", || (status(&second) == 200).then_some(()));
    let sound = fs::read_to_string(tokens.file()).expect("a file");
    fs::write(tokens.file(), format!("{sound}[[token]]\nname = \"third\"\n")).expect("it is written");
    let refusal = eventually("an error in the log", || {
        host.log().into_iter().find(|line| line["level"] == "ERROR").map(|line| line["message"].to_string())
    });
    assert!(
        refusal.contains("(server.admin_tokens_file) can't be used, so the tokens from before stay: line "),
        "{refusal}"
    );
    assert!(refusal.contains("missing field `scope`"), "{refusal}");
    assert_eq!([status(&first), status(&second)], [200, 200]);
    fs::write(tokens.file(), sound).expect("it is written");
    let revoked = tokens.command(&["revoke", "first"]);
    assert!(revoked.status.success(), "{revoked:?}");
    eventually("the first token's end", || (status(&first) == 401).then_some(()));
    assert_eq!(status(&second), 200);
    host.stop();
}

#[test]
fn the_history_has_the_token_s_name() {
    let tokens = Tokens::new();
    let (ci, shelf) = (tokens.add("ci", "deploy"), tokens.add("shelf", "stock"));
    let host = tokens.of(Host::plan()).start();
    let post = |token: &str, path: &str, body: Value| {
        let answer = with_token(&host.admin, token, "POST", path, Some(&body));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    };
    let set = |faults: &str| json!({ "set": { "faults": faults }, "by": "anna", "reason": "a test" });
    let changed = post(&ci, "/plugins/inventory/settings", set("on"));
    assert_eq!(changed["version"]["changed_by"], "ci (anna)");
    let back = post(&ci, "/plugins/inventory/rollback", json!({}));
    assert_eq!(back["version"]["changed_by"], "ci");
    let mut shadow = set("on");
    shadow["shadow"] = true.into();
    post(&ci, "/plugins/inventory/settings", shadow);
    let paused = post(&ci, "/plugins/rollout/pause", json!({ "by": "bert" }));
    assert_eq!((&paused["started_by"], &paused["changed_by"]), (&json!("ci (anna)"), &json!("ci (bert)")));
    post(&ci, "/plugins/rollout/abort", json!({}));
    let history = with_token(&host.admin, &ci, "GET", "/plugins/history", None).json();
    let by: Vec<_> = history["events"].as_array().expect("events").iter().map(|event| &event["changed_by"]).collect();
    assert_eq!(by[..5], [&json!("ci"), &json!("ci (bert)"), &json!("ci (anna)"), &json!("ci"), &json!("ci (anna)")]);

    post(&shelf, "/stock/headphones", json!({ "set": 7, "why": "counted" }));
    post(&shelf, "/stock/headphones", json!({ "add": 1 }));
    post(&shelf, "/buy", json!({ "item": "headphones", "quantity": 1, "price": 99.99 }));
    let movements = with_token(&host.admin, &shelf, "GET", "/movements", None).json();
    let why: Vec<_> = movements["movements"].as_array().expect("a list").iter().map(|one| &one["why"]).collect();
    assert_eq!(why, [&json!("by shelf"), &json!("counted (by shelf)")]);

    post(&shelf, "/catalogue", json!([{ "item": "headphones", "title": "Headphones", "price": 99.99 }]));
    let timeline = with_token(&host.admin, &ci, "GET", "/timeline?limit=1", None).json();
    let event = &timeline["events"][0];
    assert_eq!((&event["what"], &event["by"]), (&json!("catalogue-import"), &json!("shelf")), "{event:#}");
    assert_eq!(event["text"], "the catalogue has 1 items: 1 added, 0 changed, 0 removed");
    host.stop();
}

#[test]
fn the_commands_make_list_and_revoke_tokens() {
    let tokens = Tokens::new();
    let made = tokens.add("ci", "deploy");
    assert!(made.starts_with("till_") && made.len() == 48, "the token alone is on stdout: {made}");
    let text = fs::read_to_string(tokens.file()).expect("a file");
    assert!(!text.contains(&made[5..]), "{text}");
    assert_eq!(fs::metadata(tokens.file()).expect("a file").permissions().mode() & 0o777, 0o600);

    let with_end = tokens.command(&["new", "--name", "shelf", "--scope", "stock", "--expires", "90d", "--json"]);
    let with_end: Value = serde_json::from_slice(&with_end.stdout).expect("JSON");
    assert!(with_end["token"].as_str().is_some_and(|token| token.starts_with("till_")), "{with_end}");
    let listed = tokens.command(&["list", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    let listed = listed["tokens"].as_array().expect("tokens");
    assert_eq!(
        (&listed[0]["name"], &listed[0]["scope"], &listed[0]["expires"]),
        (&json!("ci"), &json!("deploy"), &json!(null))
    );
    assert_eq!((&listed[1]["expires"], &listed[1]["expired"]), (&with_end["expires"], &json!(false)));

    let again = tokens.command(&["new", "--name", "ci", "--scope", "read"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(said(&again).contains("two tokens are named ci"), "{}", said(&again));
    let unknown = tokens.command(&["revoke", "cj"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(said(&unknown).contains("has no token \"cj\"; till token list --file "), "{}", said(&unknown));
    assert!(tokens.command(&["revoke", "ci"]).status.success());

    // Without a file the row is printed besides.
    let printed = token(&["new", "--name", "ci", "--scope", "all"]).output().expect("till starts");
    let printed = String::from_utf8(printed.stdout).expect("UTF-8");
    let (made, row) = printed.split_once('\n').expect("two parts");
    assert!(
        made.starts_with("till_") && row.starts_with("[[token]]\nname = \"ci\"\nscope = \"all\"\nsha256 = \""),
        "{printed}"
    );
    for wrong in [["--name", "gates", "--scope", "all"], ["--name", "ci", "--scope", "everything"]] {
        assert_eq!(token(&[&["new"][..], &wrong].concat()).output().expect("till starts").status.code(), Some(2));
    }
}

#[test]
fn a_command_sends_its_token_and_says_what_is_refused() {
    let tokens = Tokens::new();
    let reads = tokens.add("reads", "read");
    let file = tokens.folder.path().join("reads.token");
    fs::write(&file, reads).expect("it is written");
    let host = tokens.of(Host::plan()).start();
    let stock = |arguments: &[&str]| {
        let admin = format!("http://{}", host.admin.address);
        till()
            .arg("stock")
            .args(arguments)
            .args(["--admin", &admin, "--token-file"])
            .arg(&file)
            .output()
            .expect("till starts")
    };
    assert!(stock(&["list"]).status.success());
    let refused = stock(&["set", "headphones", "3"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        said(&refused).contains("the token reads has the scope read, and this needs stock; till token new"),
        "{}",
        said(&refused)
    );
    host.stop();
}

#[test]
fn a_host_does_not_start_on_tokens_that_it_cannot_use() {
    let tokens = Tokens::new();
    let check = |text: &str, says: &str| {
        fs::write(tokens.file(), text).expect("it is written");
        let refusal = tokens.of(Host::plan()).refusal();
        assert!(refusal.contains(says), "{refusal}");
    };
    check("", "it has no token, so that nobody could call the admin listener; make one with: till token new");
    check(
        "[[token]]\nname = \"ci\"\nscope = \"all\"\nsha256 = \"abc\"\n",
        "line 4: sha256 has to be the token's SHA-256",
    );
    check("[[tokens]]\n", "line 1: unknown field `tokens`");
    fs::remove_file(tokens.file()).expect("it is removed");
    let refusal = tokens.of(Host::plan()).refusal();
    assert!(refusal.contains("tokens.toml (server.admin_tokens_file) can't be used: read "), "{refusal}");
    assert!(!Path::new(&tokens.file()).exists(), "a host makes no tokens");
}
