//! See `veldwerk_fuzz::strangers::list_of_files`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| veldwerk_fuzz::strangers::list_of_files(bytes));
