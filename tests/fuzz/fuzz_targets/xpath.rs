//! Any text is an expression with a value, or a typed error; never a panic, a hang or a full stack.
//!
//! It is parsed by itself, and then calculated, filtered by and checked with in a form that has what expressions speak of.
#![no_main]

use libfuzzer_sys::fuzz_target;
use veldwerk::xml::{Names, escape_attribute};
use veldwerk::xpath::parse;
use veldwerk_fuzz::{EveryFile, fill};

const FORM: &str = include_str!("../seeds/form_load/small.xml");

fuzz_target!(|text: &str| {
    if parse(text, &mut Names::default()).is_err() {
        return;
    }
    let mut expression = String::new();
    escape_attribute(text, &mut expression);
    for place in ["concat('a', /d/n)", "count(../../r)", "name != /d/a", ". &lt; 9"] {
        fill(&FORM.replace(place, &expression), &EveryFile("name,label,p\nx,X,a\ny,Y,b\n"));
    }
});
