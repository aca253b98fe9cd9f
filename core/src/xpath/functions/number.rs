/// `number` to `decimals` places (negative: to tens, hundreds …), halves upward, decided on the digits that a person
/// reads: 1.005 to two places is 1.01. NaN for more than 30 places.
pub(super) fn round(number: f64, decimals: f64) -> f64 {
    const MOST: f64 = 30.0;
    let decimals = decimals.trunc();
    if decimals.is_nan() || decimals.abs() > MOST {
        return f64::NAN;
    }
    if !number.is_finite() {
        return number;
    }
    let written = number.abs().to_string();
    let (whole, fraction) = written.split_once('.').unwrap_or((&written, ""));
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|digit| digit - b'0').collect();
    let kept = whole.len() as i64 + decimals as i64;
    let Ok(kept) = usize::try_from(kept) else { return 0.0 };
    if kept >= digits.len() {
        return number;
    }
    let (head, tail) = digits.split_at(kept);
    let half_or_more = tail.first().is_some_and(|&digit| digit >= 5);
    let exactly_half = tail.first() == Some(&5) && tail.iter().skip(1).all(|&digit| digit == 0);
    let away_from_zero = half_or_more && !(exactly_half && number < 0.0);
    let rounded = text_of(head, away_from_zero) + &format!("e{}", -decimals);
    let rounded: f64 = rounded.parse().unwrap_or(f64::NAN);
    if number < 0.0 { -rounded } else { rounded }
}

/// The whole number that `digits` spell, plus one if asked.
fn text_of(digits: &[u8], plus_one: bool) -> String {
    let mut digits = digits.to_vec();
    let mut carry = u8::from(plus_one);
    for digit in digits.iter_mut().rev() {
        *digit += carry;
        carry = *digit / 10;
        *digit %= 10;
    }
    std::iter::once(carry).chain(digits).map(|digit| char::from(b'0' + digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_where_javarosa_sends_them() {
        for (number, decimals, expected) in [
            (2.5, 0.0, 3.0),
            (-2.5, 0.0, -2.0),
            (-2.500_1, 0.0, -3.0),
            (0.499_999_999_999_999_94, 0.0, 0.0),
            (4_503_599_627_370_497.0, 0.0, 4_503_599_627_370_497.0),
            (1.005, 2.0, 1.01),
            (-1.005, 2.0, -1.0),
            (2.345, 2.0, 2.35),
            (1.005, 2.9, 1.01),
            (9.999, 2.0, 10.0),
            (1250.0, -2.0, 1300.0),
            (-1250.0, -2.0, -1200.0),
            (7.0, -1.0, 10.0),
            (4.0, -1.0, 0.0),
            (4.0, -9.0, 0.0),
            (0.04, 1.0, 0.0),
            (7.0, 3.0, 7.0),
            (1e300, 2.0, 1e300),
            (f64::INFINITY, 2.0, f64::INFINITY),
        ] {
            assert_eq!(round(number, decimals), expected, "{number} to {decimals}");
        }
        assert!(round(1.0, 31.0).is_nan() && round(1.0, -31.0).is_nan() && round(f64::NAN, 2.0).is_nan());
    }
}
