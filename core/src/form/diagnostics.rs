//! What the author of a form should know, as one table: `docs/diagnostics.md` is rendered from it.

use std::fmt;

use crate::ErrorKind;

/// How much something in a form matters, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// The form, or a part of it, does not do what it is there for.
    Error,
    /// The form works; what its author meant may not.
    Warning,
    /// Good to know; nothing is wrong.
    Note,
}

impl Level {
    /// Its name: `error`, `warning`, `note`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

macro_rules! diagnostic_kinds {
    ($($(#[$doc:meta])* $variant:ident $code:literal $level:ident $what:literal $advice:literal)*) => {
        /// What can be said of a form, as a stable list; the code never changes once released.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum DiagnosticKind {
            /// The form cannot be filled with this program: the error that it is refused with.
            Refused(ErrorKind),
            $(#[doc = $what] $(#[$doc])* $variant,)*
        }

        impl DiagnosticKind {
            /// Every kind of its own, in the order of the table; those of [`Self::Refused`] stand with the errors.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The stable kebab-case code.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { Self::Refused(kind) => kind.code(), $(Self::$variant => $code,)* }
            }

            /// How much it matters.
            #[must_use]
            pub const fn level(self) -> Level {
                match self { Self::Refused(_) => Level::Error, $(Self::$variant => Level::$level,)* }
            }

            /// One sentence: what it is.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self { Self::Refused(kind) => kind.sentence(), $(Self::$variant => $what,)* }
            }

            /// One sentence: what the author can do about it.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self { Self::Refused(kind) => kind.advice(), $(Self::$variant => $advice,)* }
            }
        }
    };
}

diagnostic_kinds! {
    // Parts without effect
    BadReference "bad-reference" Error "A question or group of the form stands on nothing that the record has, so it is not asked." "Correct the name at the place named."
    RuleOfNothing "rule-of-nothing" Warning "A rule (relevant, required, calculation …) is meant for a question that the record does not have." "Correct the name, or remove the rule."
    ActionOnNothing "action-on-nothing" Warning "A value is to be set where the record has no such question, so it is set nowhere." "Correct the name at the place named."
    UnboundRow "unbound-row" Warning "A value is to be set in a repeat, and nothing says in which row, so it is set in none." "Name the row, for example with [position()=1], or set the value inside the repeat."
    UnknownEvent "unknown-event" Warning "An action waits for an event that never comes." "Use one of the events of ODK XForms, such as odk-instance-first-load."
    MisplacedAction "misplaced-action" Note "An action for new rows stands outside of its repeat; it runs for each new row all the same." "Place it inside the repeat."
    UnknownType "unknown-type" Warning "A question has a type that does not exist; it is taken as text." "Correct the type."
    Duplicate "duplicate" Warning "Two parts of the form go by the same name, and the first one counts." "Give each a name of its own."
    UnknownPart "unknown-part" Warning "A part of the form is not known, so it has no effect." "Correct its name or its place, or remove it."
    UnknownNamespace "unknown-namespace" Warning "A prefix stands for a namespace that nobody knows, so what it marks has no effect." "Correct the address of the namespace, where the prefix is declared."
    ForeignPart "foreign-part" Note "A part of the form is meant for another program and has no effect here." "Nothing to do."
    NoEffect "no-effect" Warning "A part of the form has no effect." "Remove it, or see why at the place named."
    Unsupported "unsupported" Warning "The form uses something that this version does not support; that part has no effect." "Leave it out, or use a client that supports it; everything else of the form works."
    UnsupportedExpression "unsupported-expression" Error "An expression uses something that this version does not support, so it has no effect." "Write it in another way."
    NothingAsked "nothing-asked" Warning "The form asks nothing." "Add a question."
    NoInstanceId "no-instance-id" Note "The form gives its records no id that is theirs alone." "Nothing to do: each record gets one when it is begun. The author can add meta/instanceID to the form."
    NoFormId "no-form-id" Warning "The form has no id; the namespace of its root stands for it." "Set form_id in the settings."
    EntitiesInert "entities-inert" Note "The form creates or updates entities; the record says so, and the list on this phone does not change yet." "Nothing to do: the server applies it when the record arrives."
    AuditInert "audit-inert" Note "The form asks for an audit log, which this version leaves empty." "Nothing to do; the answers are complete without it."
    // Files and lists
    MissingFile "missing-file" Warning "A file that the form needs is not there." "Upload the file to the form on the server and refresh."
    BadCsv "bad-csv" Warning "A line of a CSV file cannot be read." "Correct the line named and upload the file again; the other lines are used."
    BadData "bad-data" Error "A data file of the form cannot be read." "Correct the file and upload it again."
    UnknownList "unknown-list" Error "An expression asks for a list that the form does not declare." "Correct the list's name, or declare it."
    MissingColumn "missing-column" Error "A list lacks a column that the form reads, so what is read is always empty." "Correct the column's name in the form or in the file."
    // Texts
    MissingText "missing-text" Warning "A text that the form refers to is missing in its default language." "Add the text."
    MissingTranslation "missing-translation" Warning "A text is not translated; another language is shown in its place." "Add the translation."
    MissingSound "missing-sound" Warning "A text has no sound, and the form has sound for others like it." "Record it, or leave it out everywhere."
    UnusedText "unused-text" Note "A text is never shown." "Remove it, or refer to it."
    NoLabel "no-label" Note "A question has no words, so its name is shown." "Add a label."
    // Choices
    ChoiceWithoutValue "choice-without-value" Error "A choice has no value, so choosing it is no answer." "Fill in the choice's name."
    ChoiceWithBlank "choice-with-blank" Error "A choice of a question that takes several has a blank in its value, so it cannot be told from two." "Leave blanks out of the choice's name."
    DuplicateChoice "duplicate-choice" Warning "Two choices of a question have the same value, so nobody can tell which was chosen." "Give each choice a name of its own."
    DuplicateLabel "duplicate-label" Warning "Two choices of a question look the same, so nobody knows which to choose." "Give each choice a label of its own."
    NoChoices "no-choices" Warning "A question offers no choices." "Fill in its list."
    NeverChosen "never-chosen" Warning "An expression compares an answer with something that its question does not offer, so it never matches." "Compare with the name of a choice, not with its label."
    UnusedList "unused-list" Note "A list is never used." "Remove it, or use it."
    // Questions and expressions
    ManyNodes "many-nodes" Warning "An expression needs one value, and names a question that is answered in many rows; the first row's is taken." "Say which row is meant, or use sum(), join(), max() …"
    RequiredReadonly "required-readonly" Error "A question must be answered and cannot be, so the record can never be finished." "Take off required or read_only, or give it a value."
    UnfitDefault "unfit-default" Warning "A value that the form puts in does not fit its question." "Correct the value, or else the type, the choices or the scale of the question."
    NoScale "no-scale" Warning "A range has no scale, because its start, end and step are not numbers that make one." "Give start and end, and a step that leads from one to the other."
    UnknownAppearance "unknown-appearance" Warning "A question has an appearance that no ODK client knows; it is shown the plain way." "Correct the appearance."
    MisplacedAppearance "misplaced-appearance" Note "A question has an appearance that is for other kinds of questions." "Remove it, or correct the type."
    DearExpression "dear-expression" Warning "An expression is so much work that a phone will be slow." "Look up rows by one column, and calculate what is needed often in a question of its own."
}

/// Something in a form that its author should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What it is.
    pub kind: DiagnosticKind,
    /// Where in the form: the path of a question, a file and its line, the id of a text.
    pub place: String,
    /// Which or what exactly; may be empty.
    pub detail: String,
}

impl Diagnostic {
    /// How much it matters.
    #[must_use]
    pub fn level(&self) -> Level {
        self.kind.level()
    }

    /// What it is, in words: the kind's sentence with the detail.
    #[must_use]
    pub fn words(&self) -> String {
        let sentence = self.kind.sentence();
        if self.detail.is_empty() {
            return sentence.to_owned();
        }
        format!("{}: {}.", sentence.trim_end_matches('.'), self.detail.trim_end_matches('.'))
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = self.level().name();
        let place = if self.place.is_empty() { String::new() } else { format!("{}: ", self.place) };
        write!(f, "{level}: {place}{} [{}]", self.words(), self.kind.code())
    }
}

/// The Markdown of `docs/diagnostics.md`.
#[must_use]
pub fn diagnostics_page() -> String {
    let mut page = String::from(
        "# What is said of a form\n\n\
         Rendered from the table in `core/src/form/diagnostics.rs`; a test compares the two. An `error` is a form, or a part of \
         it, that does not do what it is there for; after a `warning` the form works, and its author should look; a `note` is \
         good to know. A form that cannot be filled at all is an `error` with one of the codes of [errors.md](errors.md).\n\n\
         | code | level | what it is | what its author can do |\n|---|---|---|---|\n",
    );
    for kind in DiagnosticKind::ALL {
        let (code, level) = (kind.code(), kind.level().name());
        page.push_str(&format!("| `{code}` | {level} | {} | {} |\n", kind.sentence(), kind.advice()));
    }
    page
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_kebab_case() {
        let codes: BTreeSet<_> = DiagnosticKind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes.len(), DiagnosticKind::ALL.len());
        for code in codes {
            assert!(code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{code}");
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "whoever runs the tests says so in the environment")]
    fn docs_page_is_rendered_from_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/diagnostics.md");
        if std::env::var_os("VELDWERK_UPDATE_DOCS").is_some() {
            std::fs::write(path, diagnostics_page()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), diagnostics_page());
    }

    #[test]
    fn a_diagnostic_says_how_bad_where_what_and_its_code() {
        let told = |kind, place: &str, detail: &str| {
            Diagnostic { kind, place: place.to_owned(), detail: detail.to_owned() }.to_string()
        };
        assert_eq!(
            told(DiagnosticKind::MissingFile, "wells.csv", "the list wells is empty"),
            "warning: wells.csv: A file that the form needs is not there: the list wells is empty. [missing-file]"
        );
        assert_eq!(
            told(DiagnosticKind::Refused(ErrorKind::Cycle), "", "/d/a, /d/b"),
            "error: Questions depend on each other in a circle, so no order of calculation exists: /d/a, /d/b. [cycle]"
        );
    }
}
