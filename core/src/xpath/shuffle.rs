use sha2::{Digest, Sha256};

use super::Value;
use super::value::parse_number;

/// The order that `randomize(items, seed)` gives: the same for the same seed on every client (xforms-functions.md).
///
/// A Park-Miller generator drives an inside-out Fisher-Yates shuffle. A double holds every product exactly.
#[must_use]
pub fn shuffle<T: Clone>(items: &[T], seed: i64) -> Vec<T> {
    const MODULUS: f64 = 2_147_483_647.0;
    const MULTIPLIER: f64 = 16_807.0;
    let mut state = seed as f64 % MODULUS;
    if state <= 0.0 {
        state += MODULUS - 1.0;
    }
    let mut shuffled: Vec<T> = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        state = state * MULTIPLIER % MODULUS;
        let unit = (state - 1.0) / (MODULUS - 1.0);
        let place = (unit * (index + 1) as f64).floor() as usize;
        shuffled.push(item.clone());
        if place < index {
            shuffled.swap(place, index);
        }
    }
    shuffled
}

/// The seed a value stands for: a number cut to its integer, a text that is a number likewise, empty text 0, any other
/// text the first eight bytes of its SHA-256. A nodeset must be made a scalar first.
#[must_use]
pub fn seed_of(value: &Value) -> i64 {
    match value {
        Value::Bool(truth) => i64::from(*truth),
        Value::Number(number) => *number as i64,
        Value::Date(count) | Value::DateTime(count) | Value::Time(count) => *count,
        Value::Text(text) if text.is_empty() => 0,
        Value::Text(text) => {
            let number = parse_number(text);
            if number.is_nan() { hash(text) } else { number as i64 }
        }
        Value::Nodes(_) => 0,
    }
}

fn hash(text: &str) -> i64 {
    Sha256::digest(text).iter().take(8).fold(0_i64, |seed, &byte| seed << 8 | i64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_those_of_javarosa() {
        let items: Vec<char> = ('a'..='j').collect();
        for (seed, order) in [
            (Value::Number(1.0), "gfeachidbj"),
            (Value::Number(42.0), "afjbiegdhc"),
            (Value::Number(1234.0), "gfidjhbcea"),
            (Value::Number(-5.0), "dcajfgehib"),
            (Value::Number(0.0), "jbiafdgehc"),
            (Value::Text(String::new()), "jbiafdgehc"),
            (Value::Text("abc".to_owned()), "dihfacgebj"),
            (Value::Number(12_345_678_901.0), "ibdjfhagec"),
            (Value::Text("12345678901".to_owned()), "ibdjfhagec"),
            (Value::Number(1.9), "gfeachidbj"),
            (Value::Text("1.9".to_owned()), "gfeachidbj"),
        ] {
            assert_eq!(shuffle(&items, seed_of(&seed)).into_iter().collect::<String>(), order, "{seed:?}");
        }
        assert_eq!(seed_of(&Value::Text("abc".to_owned())), -5_010_229_573_455_851_542);
        assert!(shuffle::<char>(&[], 7).is_empty());
    }
}
