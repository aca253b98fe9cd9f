use crate::xpath::{format_number, parse_number};

/// Rounds half towards +∞ on whole numbers; `digits` decimals (negative: tens, hundreds …) are decided on the decimal
/// text, half away from zero. More than 30 digits either way is no number.
pub(super) fn round(number: f64, digits: f64) -> f64 {
    const MOST: f64 = 30.0;
    let digits = digits.trunc();
    if !number.is_finite() || digits.is_nan() || digits.abs() > MOST {
        return if number.is_infinite() && digits.abs() <= MOST { number } else { f64::NAN };
    }
    if digits == 0.0 {
        return (number + 0.5).floor();
    }
    if digits < 0.0 {
        let unit = 10_f64.powf(-digits);
        return (number / unit + 0.5).floor() * unit;
    }
    round_text(&format_number(number), digits as usize)
}

/// Rounds plain digits at a place behind the point, as one does on paper.
fn round_text(text: &str, places: usize) -> f64 {
    let (sign, text) = text.strip_prefix('-').map_or(("", text), |text| ("-", text));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let Some(decider) = fraction.as_bytes().get(places) else { return parse_number(&format!("{sign}{text}")) };
    let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes().take(places)).collect();
    if *decider >= b'5' {
        let nines = digits.iter().rev().take_while(|&&digit| digit == b'9').count();
        let at = digits.len() - nines;
        digits.iter_mut().skip(at).for_each(|digit| *digit = b'0');
        match at.checked_sub(1).and_then(|at| digits.get_mut(at)) {
            Some(digit) => *digit += 1,
            None => digits.insert(0, b'1'),
        }
    }
    let point = digits.len() - places;
    let mut rounded = String::from(sign);
    for (index, digit) in digits.into_iter().enumerate() {
        if index == point {
            rounded.push('.');
        }
        rounded.push(char::from(digit));
    }
    parse_number(&rounded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_where_javarosa_sends_them() {
        for (number, digits, expected) in [
            (2.5, 0.0, 3.0),
            (-2.5, 0.0, -2.0),
            (1.005, 2.0, 1.01),
            (2.345, 2.0, 2.35),
            (9.999, 2.0, 10.0),
            (-1.005, 2.0, -1.01),
            (1250.0, -2.0, 1300.0),
            (0.04, 1.0, 0.0),
            (7.0, 3.0, 7.0),
        ] {
            assert!((round(number, digits) - expected).abs() < 1e-12, "{number} {digits}: {}", round(number, digits));
        }
        assert!(round(1.0, 31.0).is_nan());
    }
}
