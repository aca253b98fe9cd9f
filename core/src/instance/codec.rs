use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::form::DataType;
use crate::text::digits;
use crate::xml;
use crate::xpath::{Value, World, date, format_number};

/// What the text of a node is read as where its bind says nothing of the sort: a calculation's result keeps its kind
/// (xforms.md §8), although only its text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// True or false, written `1` and `0`.
    Boolean,
    /// A number.
    Number,
    /// A day; where the bind is not of that type it is written as the moment of its local midnight.
    Date,
    /// A moment.
    Moment,
    /// A time of day.
    Time,
}

impl Kind {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(_) => Some(Self::Boolean),
            Value::Number(_) => Some(Self::Number),
            Value::Date(_) => Some(Self::Date),
            Value::DateTime(_) => Some(Self::Moment),
            Value::Time(_) => Some(Self::Time),
            Value::Text(_) | Value::Nodes(_) => None,
        }
    }

    fn of_type(data_type: DataType) -> Option<Self> {
        match data_type {
            DataType::Int | DataType::Long | DataType::Decimal => Some(Self::Number),
            DataType::Boolean => Some(Self::Boolean),
            DataType::Date => Some(Self::Date),
            DataType::Time => Some(Self::Time),
            DataType::DateTime => Some(Self::Moment),
            DataType::String
            | DataType::Barcode
            | DataType::Binary
            | DataType::Geopoint
            | DataType::Geotrace
            | DataType::Geoshape => None,
        }
    }
}

/// A value as a node holds it. Its `Debug` tells no answer.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// Its lexical form, which is what is written.
    pub text: String,
    /// What the text is read as, if not as the bind's type says.
    pub kind: Option<Kind>,
}

impl Stored {
    /// A text that is read as the bind's type says: an answer, a default, what an action sets.
    #[must_use]
    pub fn plain(text: String) -> Self {
        Self { text, kind: None }
    }
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stored").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// The canonical text of an answer of a type (xforms.md §8), or `None` if it is not one. Empty stays empty. Digits of every
/// script are read, and written as 0 to 9.
#[must_use]
pub fn canonical(text: &str, data_type: DataType, zone: &TimeZone, now_ms: i64) -> Option<String> {
    if text.is_empty() {
        return Some(String::new());
    }
    if !xml::is_allowed(text) {
        return None;
    }
    let plain = digits::plain(text.trim());
    let trimmed = plain.as_ref();
    match data_type {
        DataType::String | DataType::Barcode | DataType::Binary => Some(text.to_owned()),
        DataType::Int => trimmed.parse::<i32>().ok().map(|number| number.to_string()),
        DataType::Long => trimmed.parse::<i64>().ok().map(|number| number.to_string()),
        DataType::Decimal => parse_decimal(trimmed).map(format_number),
        DataType::Boolean => parse_boolean(trimmed).map(|truth| if truth { "1" } else { "0" }.to_owned()),
        DataType::Date => date::parse_date(trimmed).map(date::format_date),
        DataType::Time => date::local_time(trimmed, zone, now_ms).map(|ms| date::format_time(ms, zone, now_ms)),
        DataType::DateTime => date::parse_date_time(trimmed, zone).map(|ms| date::format_date_time(ms, zone)),
        DataType::Geopoint => geopoint(trimmed),
        DataType::Geotrace | DataType::Geoshape => {
            let points: Option<Vec<_>> =
                trimmed.split(';').map(str::trim).filter(|point| !point.is_empty()).map(geopoint).collect();
            points.filter(|points| !points.is_empty()).map(|points| points.join("; "))
        }
    }
}

/// The value that an expression sees in a node of a type; `kind` is that of the value it holds, if the type does not say it.
#[must_use]
pub fn typed(text: &str, data_type: DataType, kind: Option<Kind>, zone: &TimeZone) -> Value {
    let read = match kind.or(Kind::of_type(data_type)) {
        _ if text.is_empty() => None,
        None => None,
        Some(Kind::Boolean) => parse_boolean(text.trim()).map(Value::Bool),
        Some(Kind::Number) => parse_decimal(text.trim()).or_else(|| parse_infinity(text)).map(Value::Number),
        Some(Kind::Date) if kind.is_none() => date::parse_date(text).map(Value::Date),
        Some(Kind::Date) => date::parse_date_time(text, zone).map(|ms| Value::Date(date::local_day(ms, zone))),
        Some(Kind::Moment) => date::parse_date_time(text, zone).map(Value::DateTime),
        Some(Kind::Time) => date::parse_time(text).map(Value::Time),
    };
    read.unwrap_or_else(|| Value::Text(text.to_owned()))
}

/// A computed value as a node of a type holds it (xforms.md §8): cast to the type as far as there is a way; what does not
/// fit is empty.
#[must_use]
pub fn store<W: World>(value: Value, data_type: DataType, world: &W) -> Stored {
    let zone = world.time_zone();
    let value = cast(value.into_scalar(world), data_type, world);
    let kind = Kind::of(&value).filter(|&kind| Kind::of_type(data_type) != Some(kind));
    let text = match value {
        Value::Text(text) => canonical(&text, data_type, zone, world.now_ms()).unwrap_or_default(),
        Value::Bool(truth) => if truth { "1" } else { "0" }.to_owned(),
        Value::Number(number) => format_number(number),
        Value::Date(day) if data_type == DataType::Date => date::format_date(day),
        // A day in any other node is the moment of its local midnight.
        Value::Date(day) => date::format_date_time(date::midnight_ms(day, zone), zone),
        Value::DateTime(ms) => date::format_date_time(ms, zone),
        Value::Time(ms) => date::format_time(ms, zone, world.now_ms()),
        Value::Nodes(_) => String::new(),
    };
    Stored { kind: kind.filter(|_| !text.is_empty()), text }
}

/// A value turned into one of the type's kind. A boolean stays one whatever the type.
fn cast<W: World>(value: Value, data_type: DataType, world: &W) -> Value {
    let zone = world.time_zone();
    match (value, data_type) {
        (Value::Text(text), DataType::Int | DataType::Long | DataType::Decimal) => {
            parse_decimal(&digits::plain(text.trim())).map_or_else(Value::empty, |number| whole_if(number, data_type))
        }
        (value @ (Value::Text(_) | Value::Bool(_) | Value::Nodes(_)), _) => value,
        (value, DataType::Int | DataType::Long | DataType::Decimal) => whole_if(value.to_number(world), data_type),
        (Value::Number(number), DataType::Boolean) => Value::Bool(Value::Number(number).to_bool(world)),
        (Value::Number(number), DataType::Date) if number.is_finite() => Value::Date(number.floor() as i64),
        (Value::DateTime(ms), DataType::Date) => Value::Date(date::local_day(ms, zone)),
        (Value::Date(day), DataType::DateTime) => Value::DateTime(date::midnight_ms(day, zone)),
        (Value::Date(_), DataType::Time) => Value::Time(0),
        (Value::DateTime(ms), DataType::Time) => Value::Time(date::local_ms(ms, zone).rem_euclid(86_400_000)),
        (value, _) => value,
    }
}

/// A number for a node of a type: without its fraction if the type has none.
fn whole_if(number: f64, data_type: DataType) -> Value {
    Value::Number(if matches!(data_type, DataType::Int | DataType::Long) { number.trunc() } else { number })
}

/// Plain digits or Java's notation with an exponent.
fn parse_decimal(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
    if plain { text.parse().ok() } else { None }
}

/// What a division by zero is written as.
fn parse_infinity(text: &str) -> Option<f64> {
    match text {
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

fn parse_boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

/// `lat lon alt accuracy`, missing parts as 0; every part with a decimal, none with an exponent.
fn geopoint(text: &str) -> Option<String> {
    let mut parts = text.split_ascii_whitespace().map(|part| parse_decimal(part).filter(|number| number.is_finite()));
    let (latitude, longitude) = (parts.next()??, parts.next()??);
    let altitude = parts.next().unwrap_or(Some(0.0))?;
    let accuracy = parts.next().unwrap_or(Some(0.0))?;
    let fits = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude) && parts.next().is_none();
    fits.then(|| [latitude, longitude, altitude, accuracy].map(format_coordinate).join(" "))
}

fn format_coordinate(number: f64) -> String {
    let digits = format_number(number);
    if digits.contains('.') { digits } else { digits + ".0" }
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
            (T::Long, "03000000000", Some("3000000000")),
            (T::Long, "1.5", None),
            (T::Long, "10000000000000000000", None),
            (T::Decimal, "1.50", Some("1.5")),
            (T::Decimal, "1.0E-7", Some("0.0000001")),
            (T::Decimal, "inf", None),
            (T::Boolean, "true", Some("1")),
            (T::Date, "2020-1-5", Some("2020-01-05")),
            (T::Date, "2020-02-30", None),
            (T::DateTime, "2026-03-09T16:05:00Z", Some("2026-03-09T17:05:00.000+01:00")),
            (T::DateTime, "2026-03-09T17:05", Some("2026-03-09T17:05:00.000+01:00")),
            (T::Time, "17:05", Some("17:05:00.000+01:00")),
            (T::Time, "17:05:00.000+01:00", Some("17:05:00.000+01:00")),
            (T::Time, "17:05Z", Some("18:05:00.000+01:00")),
            (T::Time, "00:30+05:30", Some("20:00:00.000+01:00")),
            (T::Time, "23:30-03:00", Some("03:30:00.000+01:00")),
            (T::Geopoint, "52 5.5", Some("52.0 5.5 0.0 0.0")),
            (T::Geopoint, "0.00005 -1.2E-7 1E3 0", Some("0.00005 -0.00000012 1000.0 0.0")),
            (T::Geopoint, "91 0", None),
            (T::Geopoint, "1 2 3 4 5", None),
            (T::Geotrace, "1 2;3 4;", Some("1.0 2.0 0.0 0.0; 3.0 4.0 0.0 0.0")),
            (T::Int, "١٢", Some("12")),
            (T::Int, "-۰۴۵", Some("-45")),
            (T::Decimal, "१.५०", Some("1.5")),
            (T::Decimal, "٣٫٥", Some("3.5")),
            (T::Decimal, "3,5", None),
            (T::Date, "٢٠٢٦-٣-٩", Some("2026-03-09")),
            (T::Time, "١٧:٠٥", Some("17:05:00.000+01:00")),
            (T::DateTime, "۲۰۲۶-۰۳-۰۹T۱۷:۰۵", Some("2026-03-09T17:05:00.000+01:00")),
            (T::Geopoint, "٥٢٫٥ ٥", Some("52.5 5.0 0.0 0.0")),
            (T::String, "١٢", Some("١٢")),
            (T::String, " two  words ", Some(" two  words ")),
            (T::String, "nul\0", None),
        ];
        for &(data_type, text, expected) in cases {
            assert_eq!(canonical(text, data_type, &zone, 0).as_deref(), expected, "{data_type:?} {text}");
        }
    }
}
