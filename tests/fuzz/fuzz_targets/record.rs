//! See `veldwerk_fuzz::strangers::written_record`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| veldwerk_fuzz::strangers::written_record(bytes));
