use jiff::tz::TimeZone;

use crate::form::DataType;
use crate::xml;
use crate::xpath::{Value, World, date, format_number};

/// The canonical text of an answer of a type (xforms.md §8), or `None` if it is not one. Empty stays empty.
#[must_use]
pub fn canonical(text: &str, data_type: DataType, zone: &TimeZone, now_ms: i64) -> Option<String> {
    if text.is_empty() {
        return Some(String::new());
    }
    if !xml::is_allowed(text) {
        return None;
    }
    let trimmed = text.trim();
    match data_type {
        DataType::String | DataType::Barcode | DataType::Binary => Some(text.to_owned()),
        DataType::Int => trimmed.parse::<i32>().ok().map(|number| number.to_string()),
        DataType::Decimal => parse_decimal(trimmed).map(format_number),
        DataType::Boolean => parse_boolean(trimmed).map(|truth| if truth { "1" } else { "0" }.to_owned()),
        DataType::Date => date::parse_date(trimmed).map(date::format_date),
        DataType::Time => date::parse_time(trimmed).map(|ms| date::format_time(ms, zone, now_ms)),
        DataType::DateTime => date::parse_date_time(trimmed, zone).map(|ms| date::format_date_time(ms, zone)),
        DataType::Geopoint => geopoint(trimmed),
        DataType::Geotrace | DataType::Geoshape => {
            let points: Option<Vec<_>> =
                trimmed.split(';').map(str::trim).filter(|point| !point.is_empty()).map(geopoint).collect();
            points.filter(|points| !points.is_empty()).map(|points| points.join("; "))
        }
    }
}

/// The value that an expression sees in a node of a type.
#[must_use]
pub fn typed(text: &str, data_type: DataType, zone: &TimeZone) -> Value {
    let read = match data_type {
        _ if text.is_empty() => None,
        DataType::Int | DataType::Decimal => parse_decimal(text.trim()).map(Value::Number),
        DataType::Boolean => parse_boolean(text.trim()).map(Value::Bool),
        DataType::Date => date::parse_date(text).map(Value::Date),
        DataType::Time => date::parse_time(text).map(Value::Time),
        DataType::DateTime => date::parse_date_time(text, zone).map(Value::DateTime),
        _ => None,
    };
    read.unwrap_or_else(|| Value::Text(text.to_owned()))
}

/// The text under which a computed value is stored in a node of a type (xforms.md §8): what does not fit is empty.
#[must_use]
pub fn store<W: World>(value: Value, data_type: DataType, world: &W) -> String {
    let zone = world.time_zone();
    match (value.into_scalar(world), data_type) {
        (Value::Text(text), DataType::Int | DataType::Decimal) => {
            parse_decimal(text.trim()).map_or_else(String::new, |number| store_number(number, data_type))
        }
        (value, DataType::Int | DataType::Decimal) => store_number(value.to_number(world), data_type),
        (Value::Text(text), _) => canonical(&text, data_type, zone, world.now_ms()).unwrap_or_default(),
        (Value::Bool(truth), _) => if truth { "1" } else { "0" }.to_owned(),
        (Value::Number(number), DataType::Date) if number.is_finite() => date::format_date(number.floor() as i64),
        (Value::Number(number), _) => format_number(number),
        (Value::Date(day), DataType::Date) => date::format_date(day),
        // A day in any other node is the moment of its local midnight.
        (Value::Date(day), _) => date::format_date_time(date::midnight_ms(day, zone), zone),
        (Value::DateTime(ms), DataType::Date) => date::format_date(date::local_day(ms, zone)),
        (Value::DateTime(ms), DataType::Time) => {
            date::format_time(date::local_ms(ms, zone).rem_euclid(86_400_000), zone, world.now_ms())
        }
        (Value::DateTime(ms), _) => date::format_date_time(ms, zone),
        (Value::Time(ms), _) => date::format_time(ms, zone, world.now_ms()),
        (Value::Nodes(_), _) => String::new(),
    }
}

fn store_number(number: f64, data_type: DataType) -> String {
    format_number(if data_type == DataType::Int { number.trunc() } else { number })
}

/// Plain digits or Java's notation with an exponent.
fn parse_decimal(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
    if plain { text.parse().ok() } else { None }
}

fn parse_boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

/// `lat lon alt accuracy`, missing parts as 0.
fn geopoint(text: &str) -> Option<String> {
    let mut parts = text.split_ascii_whitespace().map(|part| parse_decimal(part).filter(|number| number.is_finite()));
    let (latitude, longitude) = (parts.next()??, parts.next()??);
    let altitude = parts.next().unwrap_or(Some(0.0))?;
    let accuracy = parts.next().unwrap_or(Some(0.0))?;
    let fits = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude) && parts.next().is_none();
    fits.then(|| format!("{latitude:?} {longitude:?} {altitude:?} {accuracy:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_forms() {
        use DataType as T;
        let zone = TimeZone::get("Europe/Amsterdam").unwrap();
        let cases: &[(DataType, &str, Option<&str>)] = &[
            (T::Int, "007", Some("7")),
            (T::Int, "-0", Some("0")),
            (T::Int, "1.5", None),
            (T::Int, "3000000000", None),
            (T::Decimal, "1.50", Some("1.5")),
            (T::Decimal, "1.0E-7", Some("0.0000001")),
            (T::Decimal, "inf", None),
            (T::Boolean, "true", Some("1")),
            (T::Date, "2020-1-5", Some("2020-01-05")),
            (T::Date, "2020-02-30", None),
            (T::DateTime, "2026-03-09T16:05:00Z", Some("2026-03-09T17:05:00.000+01:00")),
            (T::Geopoint, "52 5.5", Some("52.0 5.5 0.0 0.0")),
            (T::Geopoint, "91 0", None),
            (T::Geopoint, "1 2 3 4 5", None),
            (T::Geotrace, "1 2;3 4;", Some("1.0 2.0 0.0 0.0; 3.0 4.0 0.0 0.0")),
            (T::String, " two  words ", Some(" two  words ")),
            (T::String, "nul\0", None),
        ];
        for &(data_type, text, expected) in cases {
            assert_eq!(canonical(text, data_type, &zone, 0).as_deref(), expected, "{data_type:?} {text}");
        }
    }
}
