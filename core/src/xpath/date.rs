//! Dates, times and moments as text and as numbers.
//!
//! A *day* counts from 1970-01-01 in the civil calendar and has no zone; a *moment* is milliseconds since
//! 1970-01-01T00:00:00Z; *civil milliseconds* are what a wall clock in a zone shows, counted from the epoch's civil
//! midnight. Texts are those of xforms.md §8: `2026-03-09`, `17:05:00.000+01:00`, `2026-03-09T17:05:00.000+01:00`.

use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Span, Timestamp};

const EPOCH: Date = Date::constant(1970, 1, 1);

pub(super) const DAY_MS: i64 = 86_400_000;

/// The day written as `yyyy-mm-dd` (`2026-3-9` too); `None` for anything else and for days no calendar has.
#[must_use]
pub fn parse_date(text: &str) -> Option<i64> {
    let mut parts = text.trim().splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if year.len() != 4 {
        return None;
    }
    let date = Date::new(digits(year)?.try_into().ok()?, two_digits(month)?, two_digits(day)?).ok()?;
    Some(day_of(date))
}

/// The time of day written as `hh:mm[:ss[.fraction]]` in milliseconds since midnight. An offset behind it is checked and
/// left aside: what a node holds was [`local_time`] when it was written.
#[must_use]
pub fn parse_time(text: &str) -> Option<i64> {
    parse_clock(text.trim()).map(|(ms, _)| ms)
}

/// The time of day in `zone` that a text means at the moment `at_ms`: written with another offset than the zone has then,
/// it is another time here.
#[must_use]
pub fn local_time(text: &str, zone: &TimeZone, at_ms: i64) -> Option<i64> {
    let (ms, offset_ms) = parse_clock(text.trim())?;
    let own_ms = offset_seconds(at_ms, zone) * 1000;
    Some((ms + own_ms - offset_ms.unwrap_or(own_ms)).rem_euclid(DAY_MS))
}

/// Whether a time of day is written with an offset that `zone` has then, or has after its next change: five past five of last
/// summer is five past five, also where winter reads it.
#[must_use]
pub fn is_own_time(text: &str, zone: &TimeZone, at_ms: i64) -> bool {
    let Some((_, Some(offset_ms))) = parse_clock(text.trim()) else { return false };
    let change = Timestamp::from_millisecond(at_ms).ok().and_then(|at| zone.following(at).next());
    let next = change.map(|change| i64::from(change.offset().seconds()));
    [Some(offset_seconds(at_ms, zone)), next].contains(&Some(offset_ms / 1000))
}

/// The moment written as `yyyy-mm-dd[Thh:mm[:ss[.fraction]][zone]]`; without a zone the text means local time, without
/// a time the local midnight.
#[must_use]
pub fn parse_date_time(text: &str, zone: &TimeZone) -> Option<i64> {
    let text = text.trim();
    let Some((date, clock)) = text.split_once('T') else {
        return parse_date(text).map(|day| midnight_ms(day, zone));
    };
    let (ms_of_day, offset) = parse_clock(clock)?;
    let civil_ms = parse_date(date)? * DAY_MS + ms_of_day;
    Some(match offset {
        Some(offset_ms) => civil_ms - offset_ms,
        None => moment_ms(civil_ms, zone),
    })
}

/// `yyyy-mm-dd`; empty for a day outside the years -9999 to 9999.
#[must_use]
pub fn format_date(day: i64) -> String {
    civil_date(day).map_or_else(String::new, |date| format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day()))
}

/// `hh:mm:ss.mmm` and the offset that `zone` has at the moment `at_ms`; `Z` for offset 0.
#[must_use]
pub fn format_time(ms_of_day: i64, zone: &TimeZone, at_ms: i64) -> String {
    let ms = ms_of_day.rem_euclid(DAY_MS);
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{:03}{}", ms % 1000, format_offset(offset_seconds(at_ms, zone)))
}

/// `yyyy-mm-ddThh:mm:ss.mmm` and the offset that `zone` has then; `Z` for offset 0. Empty outside the years -9999 to
/// 9999.
#[must_use]
pub fn format_date_time(ms: i64, zone: &TimeZone) -> String {
    let civil_ms = local_ms(ms, zone);
    let date = format_date(civil_ms.div_euclid(DAY_MS));
    if date.is_empty() { date } else { format!("{date}T{}", format_time(civil_ms.rem_euclid(DAY_MS), zone, ms)) }
}

/// The moment at which `day` begins in `zone`.
#[must_use]
pub fn midnight_ms(day: i64, zone: &TimeZone) -> i64 {
    moment_ms(day.saturating_mul(DAY_MS), zone)
}

/// The moment at which a wall clock in `zone` shows `civil_ms`. A time that the spring change skips is read as if the
/// clock had not been changed yet; of a time that occurs twice it is the first.
#[must_use]
pub fn moment_ms(civil_ms: i64, zone: &TimeZone) -> i64 {
    let moment = civil_date_time(civil_ms).and_then(|wall| zone.to_ambiguous_timestamp(wall).compatible().ok());
    moment.map_or(civil_ms, Timestamp::as_millisecond)
}

/// What a wall clock in `zone` shows at the moment `ms`, in civil milliseconds.
#[must_use]
pub fn local_ms(ms: i64, zone: &TimeZone) -> i64 {
    ms.saturating_add(offset_seconds(ms, zone) * 1000)
}

/// The day that a calendar in `zone` shows at the moment `ms`.
#[must_use]
pub fn local_day(ms: i64, zone: &TimeZone) -> i64 {
    local_ms(ms, zone).div_euclid(DAY_MS)
}

/// The calendar date of a day; `None` outside the years -9999 to 9999.
#[must_use]
pub fn civil_date(day: i64) -> Option<Date> {
    EPOCH.checked_add(Span::new().try_days(day).ok()?).ok()
}

/// The day of a calendar date.
#[must_use]
pub fn day_of(date: Date) -> i64 {
    date.duration_since(EPOCH).as_hours() / 24
}

fn civil_date_time(civil_ms: i64) -> Option<DateTime> {
    EPOCH.at(0, 0, 0, 0).checked_add(SignedDuration::from_millis(civil_ms)).ok()
}

fn offset_seconds(ms: i64, zone: &TimeZone) -> i64 {
    let offset = Timestamp::from_millisecond(ms).map_or(Offset::UTC, |moment| zone.to_offset(moment));
    i64::from(offset.seconds())
}

fn format_offset(seconds: i64) -> String {
    if seconds == 0 {
        return "Z".to_owned();
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// Milliseconds since midnight, and the offset in milliseconds if one is written.
fn parse_clock(text: &str) -> Option<(i64, Option<i64>)> {
    let zone_at = text.find(['Z', 'z', '+', '-']).unwrap_or(text.len());
    let (clock, zone) = text.split_at_checked(zone_at)?;
    let mut parts = clock.trim_end().splitn(3, ':');
    let hour: i8 = two_digits(parts.next()?)?;
    let minute: i8 = two_digits(parts.next()?)?;
    let (second, fraction) = parts.next().map_or(("0", ""), |part| part.split_once('.').unwrap_or((part, "")));
    let second: i8 = two_digits(second)?;
    if hour > 23 || minute > 59 || second > 59 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let ms: i64 = fraction.bytes().chain(*b"000").take(3).fold(0, |ms, digit| ms * 10 + i64::from(digit - b'0'));
    let ms_of_day = (i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second)) * 1000 + ms;
    Some((ms_of_day, if zone.is_empty() { None } else { Some(parse_offset(zone)?) }))
}

/// `Z`, `+hh`, `+hhmm` or `+hh:mm` in milliseconds.
fn parse_offset(text: &str) -> Option<i64> {
    let sign = match text.chars().next()? {
        'Z' | 'z' => return (text.len() == 1).then_some(0),
        '-' => -1,
        _ => 1,
    };
    let hours_minutes = text.get(1..)?.replace(':', "");
    let (hours, minutes) = hours_minutes.split_at_checked(2)?;
    let hours: i64 = digits(hours)?;
    let minutes: i64 = if minutes.is_empty() { 0 } else { digits(minutes)? };
    (hours <= 18 && minutes <= 59).then_some(sign * (hours * 60 + minutes) * 60_000)
}

fn two_digits(text: &str) -> Option<i8> {
    if text.len() > 2 { None } else { digits(text)?.try_into().ok() }
}

fn digits(text: &str) -> Option<i64> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amsterdam() -> TimeZone {
        TimeZone::get("Europe/Amsterdam").unwrap()
    }

    #[test]
    fn days_are_read_and_written() {
        for (text, day) in [("1970-01-01", 0), ("2026-03-09", 20_521), ("1969-12-31", -1), ("2020-02-29", 18_321)] {
            assert_eq!(parse_date(text), Some(day), "{text}");
            assert_eq!(format_date(day), text);
        }
        assert_eq!(parse_date(" 2020-1-5 "), parse_date("2020-01-05"));
        for junk in
            ["", "2020-02-30", "2021-02-29", "20-01-01", "2020-01", "2020-01-01-", "2020-+1-01", "2020-001-01", "é"]
        {
            assert_eq!(parse_date(junk), None, "{junk}");
        }
        assert_eq!(format_date(i64::MAX), "");
    }

    #[test]
    fn times_are_read_and_written() {
        for (text, ms) in [
            ("17:05", 61_500_000),
            ("17:05:01", 61_501_000),
            ("17:05:01.5", 61_501_500),
            ("17:05:01.123456+01:00", 61_501_123),
            ("00:00:00.000Z", 0),
            ("9:07-0330", 32_820_000),
        ] {
            assert_eq!(parse_time(text), Some(ms), "{text}");
        }
        for junk in
            ["", "17", "24:00", "17:60", "17:05:60", "17:05:0x", "17:05+", "17:05+1", "17:05Z0", "17:05+19:00", "1é:00"]
        {
            assert_eq!(parse_time(junk), None, "{junk}");
        }
        assert_eq!(format_time(61_500_000, &amsterdam(), 0), "17:05:00.000+01:00");
        assert_eq!(format_time(61_500_007, &TimeZone::UTC, 0), "17:05:00.007Z");
    }

    #[test]
    fn moments_are_read_and_written() {
        let zone = amsterdam();
        let ms = parse_date_time("2026-03-09T17:05:00.000+01:00", &TimeZone::UTC).unwrap();
        assert_eq!(format_date_time(ms, &zone), "2026-03-09T17:05:00.000+01:00");
        assert_eq!(format_date_time(ms, &TimeZone::UTC), "2026-03-09T16:05:00.000Z");
        assert_eq!(parse_date_time("2026-03-09T17:05", &zone), Some(ms));
        assert_eq!(parse_date_time("2026-03-09", &zone), Some(midnight_ms(20_521, &zone)));
        assert_eq!(format_date_time(midnight_ms(20_521, &zone), &zone), "2026-03-09T00:00:00.000+01:00");
        assert_eq!(parse_date_time("2026-03-09T", &zone), None);
        assert_eq!(parse_date_time("2026-02-30T10:00", &zone), None);
        assert_eq!(format_date_time(i64::MAX, &zone), "");
    }

    #[test]
    fn the_hour_that_spring_skips_still_has_a_moment() {
        let zone = amsterdam();
        let ms = parse_date_time("2026-03-29T02:30", &zone).unwrap();
        assert_eq!(format_date_time(ms, &zone), "2026-03-29T03:30:00.000+02:00");
    }
}
