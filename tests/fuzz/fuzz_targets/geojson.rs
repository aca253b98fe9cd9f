//! See `veldwerk_fuzz::strangers::geojson_list`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| veldwerk_fuzz::strangers::geojson_list(bytes));
