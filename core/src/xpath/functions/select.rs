/// Whether the choice `value` is among the chosen ones of `list`; several, separated by blanks, must stand together.
pub(super) fn selected(list: &str, value: &str) -> bool {
    format!(" {} ", list.trim()).contains(&format!(" {} ", value.trim()))
}

/// How many choices `list` holds.
pub(super) fn count(list: &str) -> usize {
    list.split_whitespace().count()
}

/// The choice at `index`, from 0; empty if there is none.
pub(super) fn at(list: &str, index: f64) -> &str {
    let index = index.trunc();
    if index < 0.0 || index.is_nan() { "" } else { list.split_whitespace().nth(index as usize).unwrap_or_default() }
}
