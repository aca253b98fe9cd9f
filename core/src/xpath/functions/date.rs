use std::fmt::Write;

use jiff::tz::TimeZone;

use crate::xpath::date::{
    DAY_MS, civil_date, local_day, local_ms, midnight_ms, moment_ms, parse_date_time, parse_time,
};
use crate::xpath::{Value, World};

/// The day a scalar stands for: a moment's local day, a number of days cut down, a date or moment written in ISO 8601.
pub(super) fn to_day(value: &Value, zone: &TimeZone) -> Option<i64> {
    match value {
        Value::Date(day) => Some(*day),
        Value::DateTime(ms) => Some(local_day(*ms, zone)),
        Value::Number(days) if days.is_finite() => Some(days.floor() as i64),
        Value::Text(text) => parse_date_time(text, zone).map(|ms| local_day(ms, zone)),
        _ => None,
    }
}

/// The moment a scalar stands for: a day's local midnight, a number of days since the local midnight of 1970-01-01, a
/// date or moment written in ISO 8601.
pub(super) fn to_moment(value: &Value, zone: &TimeZone) -> Option<i64> {
    match value {
        Value::Date(day) => Some(midnight_ms(*day, zone)),
        Value::DateTime(ms) => Some(*ms),
        Value::Number(days) if days.is_finite() => Some(moment_ms((days * DAY_MS as f64).round() as i64, zone)),
        Value::Text(text) => parse_date_time(text, zone),
        _ => None,
    }
}

/// The time of day a scalar stands for, in milliseconds since midnight.
pub(super) fn to_time(value: &Value, zone: &TimeZone) -> Option<i64> {
    match value {
        Value::Time(ms) => Some(*ms),
        Value::Text(text) => parse_time(text).or_else(|| Some(to_civil(value, zone)?.rem_euclid(DAY_MS))),
        _ => Some(to_civil(value, zone)?.rem_euclid(DAY_MS)),
    }
}

/// What calendar and clock show for a scalar, in civil milliseconds; a time of day is one of 1970-01-01.
pub(super) fn to_civil(value: &Value, zone: &TimeZone) -> Option<i64> {
    match value {
        Value::Date(day) => Some(day.saturating_mul(DAY_MS)),
        Value::Time(ms) => Some(*ms),
        Value::Text(text) => parse_date_time(text, zone).map(|ms| local_ms(ms, zone)).or_else(|| parse_time(text)),
        _ => to_moment(value, zone).map(|ms| local_ms(ms, zone)),
    }
}

/// The moment that a wall clock shows as `civil_ms`, written as `format` says; `None` for an unknown escape, and empty
/// for a year that no calendar has.
pub(super) fn format_civil<W: World>(civil_ms: i64, format: &str, world: &W) -> Option<String> {
    let Some(date) = civil_date(civil_ms.div_euclid(DAY_MS)) else { return Some(String::new()) };
    let ms = civil_ms.rem_euclid(DAY_MS);
    let mut out = String::with_capacity(format.len() + 8);
    for piece in Pieces(format) {
        let written = match piece {
            Piece::Text(text) => {
                out.push_str(text);
                Ok(())
            }
            Piece::Escape(escape) => match escape {
                '%' => write!(out, "%"),
                'Y' => write!(out, "{:04}", date.year()),
                'y' => write!(out, "{:02}", date.year().rem_euclid(100)),
                'm' => write!(out, "{:02}", date.month()),
                'n' => write!(out, "{}", date.month()),
                'b' => write!(out, "{}", world.month_name(date.month().unsigned_abs())),
                'd' => write!(out, "{:02}", date.day()),
                'e' => write!(out, "{}", date.day()),
                'W' => write!(out, "{:02}", date.iso_week_date().week()),
                'a' => {
                    write!(out, "{}", world.weekday_name(date.weekday().to_sunday_zero_offset().unsigned_abs()))
                }
                'H' => write!(out, "{:02}", ms / 3_600_000),
                'h' => write!(out, "{}", ms / 3_600_000),
                'M' => write!(out, "{:02}", ms / 60_000 % 60),
                'S' => write!(out, "{:02}", ms / 1000 % 60),
                '3' => write!(out, "{:03}", ms % 1000),
                _ => return None,
            },
        };
        written.ok()?;
    }
    Some(out)
}

/// Whether every escape of `format` is known.
pub(in crate::xpath) fn check_date_format(format: &str) -> bool {
    Pieces(format).all(|piece| match piece {
        Piece::Text(_) => true,
        Piece::Escape(escape) => "%YymnbdeWaHhMS3".contains(escape),
    })
}

enum Piece<'f> {
    Text(&'f str),
    /// The character behind `%`; `\0` if the format ends there.
    Escape(char),
}

struct Pieces<'f>(&'f str);

impl<'f> Iterator for Pieces<'f> {
    type Item = Piece<'f>;

    fn next(&mut self) -> Option<Piece<'f>> {
        if let Some(rest) = self.0.strip_prefix('%') {
            let mut chars = rest.chars();
            let escape = chars.next().unwrap_or('\0');
            self.0 = chars.as_str();
            return Some(Piece::Escape(escape));
        }
        let (text, rest) = self.0.split_at_checked(self.0.find('%').unwrap_or(self.0.len()))?;
        self.0 = rest;
        (!text.is_empty()).then_some(Piece::Text(text))
    }
}
