//! Any text is a form that loads, or a typed error; never a panic, a hang or a full stack.
//!
//! What stands behind a NUL is what each file that the form names holds: a broken CSV, or lists of another form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use veldwerk::form::{Files, FormDef};

struct EveryFile<'a>(&'a str);

impl Files for EveryFile<'_> {
    fn read(&self, _name: &str) -> Option<Vec<u8>> {
        (!self.0.is_empty()).then(|| self.0.as_bytes().to_vec())
    }
}

fuzz_target!(|text: &str| {
    let (form, file) = text.split_once('\0').unwrap_or((text, ""));
    let _ = FormDef::load(form, &EveryFile(file));
});
