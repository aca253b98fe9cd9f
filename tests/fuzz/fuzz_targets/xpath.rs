//! Any text is an XPath expression or a typed error, never a panic, a hang or a full stack.
#![no_main]

use libfuzzer_sys::fuzz_target;
use veldwerk::xml::Names;
use veldwerk::xpath::parse;

fuzz_target!(|text: &str| {
    let mut names = Names::default();
    if let Ok(expr) = parse(text, &mut names) {
        let _ = expr.paths();
        let _ = expr.is_volatile();
    }
});
