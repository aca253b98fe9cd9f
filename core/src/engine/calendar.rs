//! Short names of months and days for `format-date`: CLDR's, for the language of the form; English for a language that CLDR
//! does not know. Digits stay 0 to 9.

use icu_calendar::Gregorian;
use icu_datetime::DateTimeFormatterPreferences;
use icu_datetime::fieldsets::enums::DateFieldSet;
use icu_datetime::input::Date;
use icu_datetime::pattern::{DateTimePattern, FixedCalendarDateTimeNames, MonthNameLength, WeekdayNameLength};
use icu_locale_core::Locale;
use writeable::TryWriteable;

/// In the patterns of CLDR: a month and a day of the week, abbreviated, as they stand within a date.
const MONTH: &str = "MMM";
const WEEKDAY: &str = "EEE";

/// `month` from 1; empty beyond 12.
pub(super) fn month_name(tag: Option<&str>, month: u8) -> String {
    name(tag, MONTH, month, 1)
}

/// `weekday` from 0, Sunday; empty beyond 6.
pub(super) fn weekday_name(tag: Option<&str>, weekday: u8) -> String {
    const MONTH_BEGINNING_ON_SUNDAY: u8 = 3; // of 2026
    if weekday > 6 { String::new() } else { name(tag, WEEKDAY, MONTH_BEGINNING_ON_SUNDAY, weekday + 1) }
}

fn name(tag: Option<&str>, pattern: &str, month: u8, day: u8) -> String {
    let known = tag.filter(|tag| is_known(tag)).unwrap_or("en");
    written(known, pattern, month, day).unwrap_or_default()
}

/// Whether CLDR has names in a language: it numbers the months of all others.
fn is_known(tag: &str) -> bool {
    written(tag, MONTH, 1, 1).is_some_and(|january| january != "M01")
}

/// What a pattern makes of a day of 2026.
fn written(tag: &str, pattern: &str, month: u8, day: u8) -> Option<String> {
    let locale: Locale = tag.parse().ok()?;
    let pattern: DateTimePattern = pattern.parse().ok()?;
    let mut names: FixedCalendarDateTimeNames<Gregorian, DateFieldSet> =
        FixedCalendarDateTimeNames::new_without_number_formatting(DateTimeFormatterPreferences::from(&locale));
    names.include_month_names(MonthNameLength::Abbreviated).ok()?;
    names.include_weekday_names(WeekdayNameLength::Abbreviated).ok()?;
    let date = Date::try_new_gregorian(2026, month, day).ok()?;
    let written = names.with_pattern_unchecked(&pattern).format(&date).try_write_to_string().ok()?.into_owned();
    Some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_language_or_english() {
        for (tag, months, days) in [
            (None, "Jan Mar Dec", "Sun Wed Sat"),
            (Some("en"), "Jan Mar Dec", "Sun Wed Sat"),
            (Some("nl"), "jan mrt dec", "zo wo za"),
            (Some("nl-BE"), "jan mrt dec", "zo wo za"),
            (Some("tr"), "Oca Mar Ara", "Paz Çar Cmt"),
            (Some("ar"), "يناير مارس ديسمبر", "الأحد الأربعاء السبت"),
            (Some("ti"), "ጥሪ መጋ ታሕ", "ሰን ረቡ ቀዳ"),
            (Some("fr"), "janv. mars déc.", "dim. mer. sam."),
            (Some("fa"), "ژانویه مارس دسامبر", "یکشنبه چهارشنبه شنبه"),
            (Some("sw"), "Jan Mac Des", "Jumapili Jumatano Jumamosi"),
            (Some("zh-Hant"), "1月 3月 12月", "週日 週三 週六"),
            (Some("pt-BR"), "jan. mar. dez.", "dom. qua. sáb."),
            (Some("x-own"), "Jan Mar Dec", "Sun Wed Sat"),
            (Some("tlh"), "Jan Mar Dec", "Sun Wed Sat"),
            (Some("no tag"), "Jan Mar Dec", "Sun Wed Sat"),
        ] {
            assert_eq!([1, 3, 12].map(|month| month_name(tag, month)).join(" "), months, "{tag:?}");
            assert_eq!([0, 3, 6].map(|day| weekday_name(tag, day)).join(" "), days, "{tag:?}");
        }
        assert_eq!([month_name(None, 0), month_name(None, 13), weekday_name(None, 7)], [const { String::new() }; 3]);
    }
}
