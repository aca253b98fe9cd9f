//! The page's own words, in Dutch and in English; with any other language of a form they are English.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Every word of the page that is not the form's.
#[derive(Debug)]
pub(super) struct Words {
    /// BCP 47 tag of the words themselves.
    pub(super) language: &'static str,
    decimal_mark: &'static str,
    time_format: &'static str,
    pub(super) try_out: &'static str,
    pub(super) drafts: &'static str,
    pub(super) forms: &'static str,
    pub(super) records: &'static str,
    pub(super) charts: &'static str,
    pub(super) language_of_form: &'static str,
    pub(super) no_forms: &'static str,
    pub(super) no_records: &'static str,
    pub(super) no_closed_questions: &'static str,
    pub(super) received: &'static str,
    pub(super) last_received: &'static str,
    pub(super) version: &'static str,
    pub(super) size: &'static str,
    pub(super) record: &'static str,
    pub(super) newer: &'static str,
    pub(super) older: &'static str,
    pub(super) no_answer: &'static str,
    pub(super) not_arrived: &'static str,
    pub(super) all_records: &'static str,
    pub(super) repeats: &'static str,
    pub(super) answered_by: &'static str,
    pub(super) several: &'static str,
    pub(super) stand_in: &'static str,
    pub(super) real_studies: &'static str,
}

const ENGLISH: Words = Words {
    language: "en",
    decimal_mark: ".",
    time_format: "%-d %b %Y, %H:%M",
    try_out: "Try-out server: answers lie readable on this computer",
    drafts: "Arabic, Tigrinya and Turkish texts are unreviewed drafts",
    forms: "Forms",
    records: "Records",
    charts: "Charts",
    language_of_form: "Language",
    no_forms: "There is no form yet.",
    no_records: "Nothing has arrived yet.",
    no_closed_questions: "This form has no questions with choices.",
    received: "Received",
    last_received: "Last one",
    version: "Version",
    size: "Size",
    record: "Record",
    newer: "Newer",
    older: "Older",
    no_answer: "No answer",
    not_arrived: "Has not arrived yet",
    all_records: "All records (CSV)",
    repeats: "Repeats (CSV):",
    answered_by: "Answers",
    several: "several possible",
    stand_in: "In another language",
    real_studies: "For real studies use ODK Central or KoboToolbox: same protocol, with accounts, https and backups.",
};

const DUTCH: Words = Words {
    language: "nl",
    decimal_mark: ",",
    time_format: "%d-%m-%Y, %H:%M",
    try_out: "Probeerserver: de antwoorden staan leesbaar op deze computer. Try-out server: answers lie readable on this computer",
    drafts: "De Arabische, Tigrinya en Turkse teksten zijn concepten die niemand heeft nagekeken. Arabic, Tigrinya and Turkish texts are unreviewed drafts",
    forms: "Vragenlijsten",
    records: "Inzendingen",
    charts: "Grafieken",
    language_of_form: "Taal",
    no_forms: "Er is nog geen vragenlijst.",
    no_records: "Er is nog niets aangekomen.",
    no_closed_questions: "Deze vragenlijst heeft geen vragen met keuzes.",
    received: "Aangekomen",
    last_received: "Laatste",
    version: "Versie",
    size: "Grootte",
    record: "Inzending",
    newer: "Nieuwer",
    older: "Ouder",
    no_answer: "Geen antwoord",
    not_arrived: "Nog niet aangekomen",
    all_records: "Alle inzendingen (CSV)",
    repeats: "Herhalingen (CSV):",
    answered_by: "Antwoorden",
    several: "meer antwoorden mogelijk",
    stand_in: "In een andere taal",
    real_studies: "Gebruik voor echt onderzoek ODK Central of KoboToolbox: hetzelfde protocol, met accounts, https en back-ups.",
};

impl Words {
    /// The words that go with a form shown in `language`.
    pub(super) fn of(language: &str) -> &'static Self {
        if language == "nl" { &DUTCH } else { &ENGLISH }
    }

    /// A moment on this computer's clock.
    #[expect(clippy::disallowed_methods, reason = "the zone of the computer that shows the page, not of a draft")]
    pub(super) fn time(&self, ms: i64) -> String {
        let moment = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
        moment.to_zoned_datetime(TimeZone::system()).strftime(self.time_format).to_string()
    }

    /// A number of bytes.
    pub(super) fn bytes(&self, bytes: i64) -> String {
        let scaled = |unit: i64, name: &str| {
            let tenths = (bytes * 10 + unit / 2) / unit;
            format!("{}{}{} {name}", tenths / 10, self.decimal_mark, tenths % 10)
        };
        match bytes {
            ..1_000 => format!("{bytes} B"),
            1_000..1_000_000 => scaled(1_000, "kB"),
            _ => scaled(1_000_000, "MB"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_and_have_the_mark_of_the_language() {
        let shown: Vec<_> = [999, 1_049, 1_050, 1_400_000].iter().map(|&bytes| Words::of("nl").bytes(bytes)).collect();
        assert_eq!(shown, ["999 B", "1,0 kB", "1,1 kB", "1,4 MB"]);
        assert_eq!(Words::of("ar").bytes(1_500), "1.5 kB");
    }
}
