//! What strangers write, mutated: the fuzz targets of what is no form, a fixed number of inputs from a fixed seed each.
//!
//! `cargo xtask fuzz TARGET` goes on from the same seeds for as long as one likes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests say what must hold by panicking")]

#[path = "fuzz/src/strangers.rs"]
pub mod strangers;

use std::fs;
use std::path::Path;

use veldwerk_tests::dice::Dice;

/// Words that mean something to what is read.
const DICTIONARY: &str = include_str!("fuzz/words.dict");

/// The seeds of a target, by name.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// The words of a dictionary in libFuzzer's form, quotes and escapes of bytes resolved.
fn words() -> Vec<Vec<u8>> {
    let quoted = DICTIONARY.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (_, rest) = line.split_once('"')?;
        rest.rsplit_once('"').map(|(word, _)| word)
    });
    quoted.map(|word| word.replace("\\\"", "\"").replace("\\\\", "\\").into_bytes()).collect()
}

/// One of the seeds with a few changes: bytes flipped, taken out, doubled, cut; words put in; a piece of another seed.
fn mutated(dice: &mut Dice, seeds: &[Vec<u8>], words: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = dice.pick(seeds).unwrap().clone();
    for _ in 0..=dice.small_below(8) {
        let from = dice.below(bytes.len() as u64 + 1) as usize;
        let to = (from + dice.small_below(64) as usize).min(bytes.len());
        let piece: Vec<u8> = match dice.below(7) {
            0 => bytes[from..to].iter().map(|byte| byte ^ (1 << dice.below(8))).collect(),
            1 => vec![],
            2 => bytes[from..to].repeat(1 + dice.small_below(200) as usize),
            3 => dice.pick(words).unwrap().clone(),
            4 => (0..to - from).map(|_| dice.bits() as u8).collect(),
            5 => {
                let other = dice.pick(seeds).unwrap();
                let start = dice.below(other.len() as u64 + 1) as usize;
                other[start..(start + dice.small_below(200) as usize).min(other.len())].to_vec()
            }
            _ => {
                bytes.truncate(to);
                continue;
            }
        };
        bytes.splice(from..to, piece);
    }
    bytes
}

fn run(target: &str, n_inputs: u64, read: fn(&[u8])) {
    let (seeds, words) = (seeds(target), words());
    assert!(!seeds.is_empty() && words.len() > 20);
    let mutations = (0..n_inputs).map(|number| mutated(&mut Dice::new(1, number), &seeds, &words));
    for (number, input) in seeds.iter().cloned().chain(mutations).enumerate() {
        let outcome = std::panic::catch_unwind(|| read(&input));
        assert!(outcome.is_ok(), "{target}, input {number}: {}", input.escape_ascii());
    }
}

#[test]
fn any_list_of_forms_is_read_or_refused() {
    run("form_list", 5000, strangers::list_of_forms);
}

#[test]
fn any_manifest_is_read_or_refused() {
    run("manifest", 5000, strangers::list_of_files);
}

#[test]
fn any_reply_is_read() {
    run("response", 5000, strangers::reply);
}

#[test]
fn any_settings_code_is_read_or_refused() {
    run("settings_code", 5000, strangers::code);
}

#[test]
fn any_json_in_the_place_of_ours_is_read_or_refused() {
    run("stored_json", 400, strangers::json_of_ours);
}

#[test]
fn any_folder_in_the_place_of_an_export_is_taken_as_it_is_or_refused() {
    run("import", 1500, strangers::exported_record);
}

#[test]
fn any_record_is_read_or_refused() {
    run("record", 3000, strangers::written_record);
}

#[test]
fn any_csv_is_a_list() {
    run("csv", 5000, strangers::csv_list);
}

#[test]
fn any_geojson_is_a_list_or_refused() {
    run("geojson", 5000, strangers::geojson_list);
}

#[test]
fn any_events_leave_a_record_that_agrees_with_itself() {
    run("events", 600, strangers::events);
}
