//! Makes what breaks small: fewer events, fewer items, less said of each, simpler expressions.

#![allow(clippy::string_slice, reason = "brackets and separators are ASCII, so what lies between them is text")]

use super::{Form, Item, Said, Walk};

/// How many smaller ones are tried: each is played from its beginning.
const MAX_TRIES: usize = 4_000;

/// The smallest form and walk that can be found of which `breaks` still holds.
pub fn smallest(form: Form, walk: Walk, breaks: impl Fn(&Form, &Walk) -> bool) -> (Form, Walk) {
    let mut found = (form, walk);
    let mut tries = 0;
    let mut try_one = |found: &mut (Form, Walk), smaller: (Form, Walk)| {
        tries += 1;
        let is_found = tries <= MAX_TRIES && breaks(&smaller.0, &smaller.1);
        if is_found {
            *found = smaller;
        }
        is_found
    };
    loop {
        let mut has_shrunk = false;
        // Events go in runs, the longest first.
        let mut length = found.1.events.len();
        while length > 0 {
            let mut at = 0;
            while at < found.1.events.len() {
                let mut walk = found.1.clone();
                let end = (at + length).min(walk.events.len());
                walk.events.drain(at..end);
                let form = found.0.clone();
                if try_one(&mut found, (form, walk)) {
                    has_shrunk = true;
                } else {
                    at += length;
                }
            }
            length /= 2;
        }
        let mut number = 0;
        while let Some(form) = smaller(&found.0, number) {
            let walk = found.1.clone();
            if try_one(&mut found, (form, walk)) {
                has_shrunk = true;
            } else {
                number += 1;
            }
        }
        if !has_shrunk {
            return found;
        }
    }
}

/// The `number`-th form that is a little smaller.
fn smaller(form: &Form, number: usize) -> Option<Form> {
    let mut all = Vec::new();
    shrink_items(&form.items, &mut |items| all.push(items));
    let items = all.into_iter().nth(number)?;
    Some(Form { items, ..*form })
}

/// Every list of items that is a little smaller than this one.
fn shrink_items(items: &[Item], found: &mut dyn FnMut(Vec<Item>)) {
    for at in 0..items.len() {
        let without = [&items[..at], &items[at + 1..]].concat();
        found(without);
    }
    for (at, item) in items.iter().enumerate() {
        let mut with = |item: Item| {
            let mut items = items.to_vec();
            items[at] = item;
            found(items);
        };
        if let Some(inside) = &item.inside {
            shrink_items(inside, &mut |inside| with(Item { inside: Some(inside), ..item.clone() }));
        }
        for at in 0..item.said.len() {
            let mut smaller = item.clone();
            smaller.said.remove(at);
            with(smaller);
        }
        for (at, (_, said)) in item.said.iter().enumerate() {
            let Said::Expression(expression) = said else { continue };
            for simple in simpler(expression) {
                let mut smaller = item.clone();
                smaller.said[at].1 = Said::Expression(simple);
                with(smaller);
            }
        }
        for simple in item.value.iter().flat_map(|value| simpler(value)) {
            with(Item { value: Some(simple), ..item.clone() });
        }
        if let Some((nodeset, rest)) = &item.from {
            for simple in simpler(nodeset) {
                with(Item { from: Some((simple, rest.clone())), ..item.clone() });
            }
        }
    }
}

/// Expressions with a call put in place of by one of its arguments, without a predicate, or one side of an operator.
fn simpler(expression: &str) -> Vec<String> {
    let mut found = Vec::new();
    let bytes = expression.as_bytes();
    for (open, &byte) in bytes.iter().enumerate() {
        if byte != b'(' && byte != b'[' {
            continue;
        }
        let Some(close) = closing(bytes, open) else { continue };
        let (inside, after) = (&expression[open + 1..close], &expression[close + 1..]);
        if byte == b'[' {
            found.push(format!("{}{after}", &expression[..open]));
            continue;
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-:".contains(c);
        let before = expression[..open].trim_end_matches(is_name);
        found.extend(parts(inside, &[","]).into_iter().map(|argument| format!("{before}{}{after}", argument.trim())));
    }
    let sides = parts(expression, &[" + ", " * ", " and ", " or ", " - ", " = ", " > ", " < ", " != ", " div "]);
    if sides.len() > 1 {
        found.extend(sides.into_iter().map(|side| side.trim().to_owned()));
    }
    found.retain(|simple| !simple.is_empty() && simple.len() < expression.len());
    found
}

/// The place of the bracket that closes the one at `open`.
fn closing(bytes: &[u8], open: usize) -> Option<usize> {
    let mut depth = 0_i32;
    bytes.iter().enumerate().skip(open).find_map(|(at, byte)| {
        depth += match byte {
            b'(' | b'[' => 1,
            b')' | b']' => -1,
            _ => 0,
        };
        (depth == 0).then_some(at)
    })
}

/// What stands between separators that are in no brackets.
fn parts<'t>(text: &'t str, separators: &[&str]) -> Vec<&'t str> {
    let (mut parts, mut depth, mut begin, mut at) = (Vec::new(), 0_i32, 0, 0);
    while at < text.len() {
        let rest = &text[at..];
        match rest.as_bytes()[0] {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            _ => {}
        }
        let separator = separators.iter().find(|separator| depth == 0 && rest.starts_with(**separator));
        if let Some(separator) = separator {
            parts.push(&text[begin..at]);
            at += separator.len();
            begin = at;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    parts.push(&text[begin..]);
    parts
}
