//! Short names of months and days for `format-date`, in the languages of our own questionnaires; English elsewhere.

const MONTHS: &[(&str, [&str; 12])] = &[
    ("en", ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]),
    ("nl", ["jan", "feb", "mrt", "apr", "mei", "jun", "jul", "aug", "sep", "okt", "nov", "dec"]),
    ("tr", ["Oca", "Şub", "Mar", "Nis", "May", "Haz", "Tem", "Ağu", "Eyl", "Eki", "Kas", "Ara"]),
    (
        "ar",
        ["يناير", "فبراير", "مارس", "أبريل", "مايو", "يونيو", "يوليو", "أغسطس", "سبتمبر", "أكتوبر", "نوفمبر", "ديسمبر"],
    ),
    ("ti", ["ጥሪ", "ለካቲት", "መጋቢት", "ሚያዝያ", "ግንቦት", "ሰነ", "ሓምለ", "ነሓሰ", "መስከረም", "ጥቅምቲ", "ሕዳር", "ታሕሳስ"]),
];

const WEEKDAYS: &[(&str, [&str; 7])] = &[
    ("en", ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]),
    ("nl", ["zo", "ma", "di", "wo", "do", "vr", "za"]),
    ("tr", ["Paz", "Pzt", "Sal", "Çar", "Per", "Cum", "Cmt"]),
    ("ar", ["الأحد", "الاثنين", "الثلاثاء", "الأربعاء", "الخميس", "الجمعة", "السبت"]),
    ("ti", ["ሰንበት", "ሰኑይ", "ሰሉስ", "ረቡዕ", "ሓሙስ", "ዓርቢ", "ቀዳም"]),
];

/// `month` from 1; empty beyond 12.
pub(super) fn month_name(tag: Option<&str>, month: u8) -> String {
    name(MONTHS, tag, usize::from(month).wrapping_sub(1))
}

/// `weekday` from 0, Sunday.
pub(super) fn weekday_name(tag: Option<&str>, weekday: u8) -> String {
    name(WEEKDAYS, tag, usize::from(weekday))
}

fn name<const N: usize>(table: &[(&str, [&str; N])], tag: Option<&str>, index: usize) -> String {
    let base = tag.and_then(|tag| tag.split('-').next()).unwrap_or("en");
    let row = table.iter().find(|(language, _)| *language == base).or(table.first());
    row.and_then(|(_, names)| names.get(index)).map_or_else(String::new, |name| (*name).to_owned())
}
