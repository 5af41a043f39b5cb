//! The interface's evolution: what a release promised holds for every later host.
//!
//! `tests/tracks` has one folder a released track: the interface as it was released, without its comments, and two
//! components that use all of it, built then. None of it is ever blessed or built again.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use crate::support::{
    Answer, Host, Protocol, Receiver, golden,
    guests::PluginFolder,
    tree::{drawn, of_trace},
};

const TRACKS: [&str; 1] = ["v0.1"];
/// What isn't released may still change. A release moves it up.
const UNRELEASED: [&str; 1] = ["v0.2"];

fn of_project(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn of_track(track: &str, file: &str) -> PathBuf {
    of_project("host/tests/tracks").join(track).join(file)
}

/// Returns the WIT of a folder as text that has no comments and only one form.
fn interface(track: &str) -> String {
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_path(of_project("wit").join(track)).expect("the WIT is sound");
    let mut printer = wit_component::WitPrinter::default();
    printer.emit_docs(false);
    printer.print(&resolve, package, &[]).expect("the WIT is printed");
    String::from(printer.output)
}

#[test]
fn every_folder_of_the_interface_has_its_track_here() {
    let folders = fs::read_dir(of_project("wit")).expect("wit/ is read").map(|entry| entry.expect("an entry").path());
    let folders = folders.filter(|path| path.is_dir());
    let mut names: Vec<_> =
        folders.map(|path| path.file_name().expect("a name").to_string_lossy().into_owned()).collect();
    names.sort();
    assert_eq!(names, [&TRACKS[..], &UNRELEASED].concat());
}

#[test]
fn a_frozen_interface_has_not_changed_but_for_its_comments() {
    for track in TRACKS {
        let frozen = fs::read_to_string(of_track(track, "interface.wit")).expect("the track has its interface");
        let now = interface(track);
        let line = frozen.lines().zip(now.lines()).find(|(frozen, now)| frozen != now);
        assert_eq!(
            frozen, now,
            "wit/{track} is released: it must not change, for compiled plugins rely on it. Where it differs first: {line:?}. \
             A wish goes into wit/README.md, for the next track; a function that a later minor release adds comes in a \
             file of its own"
        );
    }
}

#[test]
fn what_was_built_for_a_released_track_runs_on_this_host() {
    for track in TRACKS {
        let files = ["checkout", "inventory"].map(|kind| of_track(track, &format!("{kind}.wasm")));
        let receiver = Receiver::start();
        let host = Host::plan()
            .traced(&receiver, Protocol::Http, "order-service")
            .set("checkout.greeting=good morning")
            .set("inventory.greeting=good evening")
            .plugins(PluginFolder::of(&files.each_ref().map(|path| path.as_path()), &[]))
            .warns("a line of each level")
            .warns("asked for")
            .start();
        let sold = buy(&host, "headphones", &json!({}));
        assert_eq!(sold.status, 200, "{}", sold.text());
        golden::check(&format!("track_{track}_answer.json"), &steady(&sold));
        let mut answers = String::new();
        for error in ["rejected", "out-of-stock", "conflict", "unavailable", "other"] {
            // As many as both are short of.
            let of_checkout = buy_pieces(&host, "headphones", 3, &json!({ "answer": error }));
            let of_inventory = buy_pieces(&host, error, 3, &json!({}));
            for (kind, answer) in [("checkout", of_checkout), ("inventory", of_inventory)] {
                let Value::Object(problem) = answer.json() else { panic!("{}", answer.text()) };
                let told = ["code", "detail"].map(|key| problem[key].to_string());
                answers += &format!("{kind:<9} {error:<12} {} {}\n", answer.status, told.join(" "));
            }
        }
        golden::check(&format!("track_{track}_errors.txt"), &answers);
        host.stop();
        let spans = receiver.spans();
        golden::check(&format!("track_{track}_trace.txt"), &drawn(&of_trace(&spans, &sold.trace_id())));
    }
}

fn buy(host: &Host, item: &str, more: &Value) -> Answer {
    buy_pieces(host, item, 2, more)
}

fn buy_pieces(host: &Host, item: &str, pieces: u32, more: &Value) -> Answer {
    let mut attributes = json!({ "text": "a", "whole": 1, "decimal": 0.5, "flag": true });
    let Value::Object(added) = more.clone() else { panic!("{more}") };
    attributes.as_object_mut().expect("an object").extend(added);
    let line = json!({ "item": item, "quantity": pieces, "price": 99.99, "attributes": { "of_line": "b" } });
    host.shop.post("/checkout", &json!({ "lines": [line], "attributes": attributes }))
}

/// Returns the answer without what differs every time.
fn steady(answer: &Answer) -> String {
    let mut body = answer.json();
    let fields = body.as_object_mut().expect("an object");
    fields.remove("reference");
    serde_json::to_string_pretty(&body).expect("JSON") + "\n"
}
