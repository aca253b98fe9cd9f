//! Any text is a form that can be filled, or a typed error; never a panic, a hang or a full stack.
//!
//! What stands behind a NUL is what each file that the form names holds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use veldwerk_fuzz::{EveryFile, fill};

fuzz_target!(|text: &str| {
    let (form, file) = text.split_once('\0').unwrap_or((text, ""));
    fill(form, &EveryFile(file));
});
