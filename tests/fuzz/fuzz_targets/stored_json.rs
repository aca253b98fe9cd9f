//! See `veldwerk_fuzz::strangers::json_of_ours`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| veldwerk_fuzz::strangers::json_of_ours(bytes));
