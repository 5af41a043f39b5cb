//! What `make fuzz` does with an input, for the inputs that it begins with.

#[path = "../../fuzz/fuzz_targets/inputs.rs"]
mod inputs;

use std::{fs, path::Path};

#[test]
fn the_fuzzers_seeds_are_answered_and_the_books_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/request");
    let seeds: Vec<_> = fs::read_dir(folder).expect("the seeds").map(|seed| seed.expect("a seed").path()).collect();
    assert!(seeds.len() > 10, "{seeds:?}");
    for seed in seeds {
        inputs::send(&fs::read(&seed).expect("is read"));
    }
    inputs::balance();
}
