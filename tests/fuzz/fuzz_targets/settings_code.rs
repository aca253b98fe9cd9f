//! See `veldwerk_fuzz::strangers::code`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| veldwerk_fuzz::strangers::code(bytes));
