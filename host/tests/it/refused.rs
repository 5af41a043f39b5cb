//! Files that don't become plugins, and in which words they are told so.

use std::path::Path;

use crate::support::{golden, guests, host::till};

/// Says what `till plugin check` says of a file that is to be refused, and that it says so by exit code 1.
fn refusal(folder: &Path, file: &str, settings: &[(&str, &str)]) -> String {
    let mut check = till();
    check.args(["plugin", "check", file]).current_dir(folder).envs(settings.iter().copied());
    let checked = check.output().expect("till starts");
    let message = String::from_utf8(checked.stderr).expect("UTF-8");
    assert_eq!(checked.status.code(), Some(1), "{file}: {message}");
    assert!(checked.stdout.is_empty(), "{file}: {}", String::from_utf8_lossy(&checked.stdout));

    // A host doesn't start with it, and says the same.
    let mut serve = till();
    serve.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--plugins", "."]);
    let served = serve.current_dir(folder).envs(settings.iter().copied()).output().expect("till starts");
    let told = String::from_utf8(served.stderr).expect("UTF-8");
    assert_eq!(served.status.code(), Some(1), "{file}: {told}");
    let last = told.trim_end().lines().last().unwrap_or_default().replace("./", "");
    assert!(message.trim_end().ends_with(&last), "checked: {message}served: {told}");
    message
}

#[test]
fn a_file_that_is_no_plugin_is_refused_with_what_to_change() {
    let built_in = tempfile::tempdir().expect("a temporary folder");
    let exported = till().args(["plugin", "export", "checkout", "sound.wasm"]).current_dir(built_in.path()).status();
    assert!(exported.expect("till starts").success());
    let sound = std::fs::read(built_in.path().join("sound.wasm")).expect("it was written");
    let guest = |name: &str| std::fs::read(guests::file(name)).expect("it was built");
    let mut messages = String::new();
    for (name, bytes, settings) in [
        ("neither_world", guest("neither_world"), &[][..]),
        ("foreign_import", guest("foreign_import"), &[]),
        ("other_version", guest("other_version"), &[]),
        ("wrong_types", guest("wrong_types"), &[]),
        ("empty", Vec::new(), &[]),
        ("text", b"(component)".to_vec(), &[]),
        ("elf", b"\x7fELF\x02\x01\x01\0".to_vec(), &[]),
        ("core_module", b"\0asm\x01\0\0\0".to_vec(), &[]),
        ("truncated", sound[..12].to_vec(), &[]),
        ("too_large", b"\0asm\x01\0\0\0".to_vec(), &[("TILL_LIMITS_COMPONENT_MIB", "0")]),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = format!("{name}.wasm");
        std::fs::write(folder.path().join(&file), bytes).expect("the file is written");
        messages += &refusal(folder.path(), &file, settings);
    }
    golden::check("refused.txt", &messages);
}

#[test]
fn a_plugin_folder_holds_one_of_each_kind() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let serve = || {
        let mut serve = till();
        serve.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--plugins", "."]);
        let served = serve.current_dir(folder.path()).output().expect("till starts");
        assert_eq!(served.status.code(), Some(1));
        let told = String::from_utf8(served.stderr).expect("UTF-8");
        // Behind what the log has to say of those that are in order.
        format!("{}\n", told.lines().last().unwrap_or_default())
    };
    let export = |kind: &str, file: &str| {
        let exported = till().args(["plugin", "export", kind, file]).current_dir(folder.path()).status();
        assert!(exported.expect("till starts").success());
    };
    let mut messages = serve();
    export("checkout", "a.wasm");
    messages += &serve();
    export("checkout", "b.wasm");
    messages += &serve();
    golden::check("plugin_folder.txt", &messages);
}

#[test]
fn a_damaged_file_never_takes_the_host_down() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("damaged.wasm");
    assert!(till().args(["plugin", "export", "inventory"]).arg(&path).status().expect("till starts").success());
    let sound = std::fs::read(&path).expect("it was written");
    for part in 0..24 {
        let mut damaged = sound.clone();
        let at = 8 + part * (sound.len() - 8) / 24;
        damaged[at] ^= 1 << (part % 8);
        std::fs::write(&path, damaged).expect("the file is written");
        let checked = till().args(["plugin", "check"]).arg(&path).output().expect("till starts");
        let message = String::from_utf8_lossy(&checked.stderr);
        // Some bits don't matter, a digit of a name say. Anything but 0 and 1 would be a crash.
        assert!(matches!(checked.status.code(), Some(0 | 1)), "bit {part} of byte {at}: {message}");
        assert!(!message.contains("panicked"), "{message}");
    }
}

#[test]
fn a_sound_plugin_is_described() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("sound.wasm");
    assert!(till().args(["plugin", "export", "checkout"]).arg(&path).status().expect("till starts").success());
    let checked = till().args(["plugin", "check", "--json"]).arg(&path).output().expect("till starts");
    assert_eq!(checked.status.code(), Some(0));
    let described: serde_json::Value = serde_json::from_slice(&checked.stdout).expect("JSON");
    assert_eq!(described["accepted"], true);
    assert_eq!(described["kind"], "checkout");
    assert_eq!(described["digest"].as_str().map(str::len), Some(64));
}
