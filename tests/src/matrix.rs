//! `tests/matrix.toml`: what works of XLSForm, XForms and their functions, each row with something small that shows it.
//!
//! A `[[part]]` is a table of the page: `title`, `about`, and perhaps a `form` ([`crate::notation`]) and `files` that all its
//! rows share. A `[[part.row]]` says `what`, how it `works` and what is to be noted (`note`), and then how that is tried:
//!
//! ```text
//! values   lines of `EXPRESSION → VALUE`, or `EXPRESSION ✗ CODE` for one that a form is not opened with, or not without that code
//! form     more of the form, in the notation; or
//! model, body    a form in XML: what stands in its model (between the tags), and in its body
//! files    what lies beside the form
//! says     codes of docs/errors.md and docs/diagnostics.md that are said of the form; no other error or warning may be said
//! steps    what is done and what must come of it (`Scenario::play`)
//! cases    literate cases that show it, by file and heading
//! tests    functions of `tests/*.rs` that show what the client does, by file and name
//! see      rows that this one becomes: it works as the worst of them
//! becomes  pieces of `golden/xlsform.xml`, which pyxform makes of `golden/xlsform.md` (`cargo xtask test --only xlsform`)
//! outside  what is left to do for the app that draws the questions, or for pyxform
//! ```

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;
use veldwerk::check::check;
use veldwerk::form::{FormDef, Level};

use crate::cases::Case;
use crate::notation::xform;
use crate::scenario::{Files, Scenario};

/// How something works, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Works {
    /// Whole.
    Yes,
    /// The core hands over what is needed, and the app that draws the questions does it.
    App,
    /// In part.
    Partly,
    /// Not at all.
    No,
}

/// The table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    part: Vec<Part>,
}

/// Rows that belong together.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Part {
    /// Heading.
    pub title: String,
    about: String,
    form: String,
    files: TextFiles,
    row: Vec<Row>,
}

/// One thing that a form may have.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Row {
    /// Its name, in Markdown.
    pub what: String,
    works: Option<Works>,
    /// What is to be noted.
    pub note: String,
    form: String,
    model: String,
    body: String,
    files: TextFiles,
    values: String,
    steps: String,
    /// Codes of what is said.
    pub says: BTreeSet<String>,
    cases: Vec<String>,
    tests: Vec<String>,
    /// What it becomes: rows by their name.
    pub see: Vec<String>,
    becomes: Vec<String>,
    /// Who does what is left.
    pub outside: String,
}

type TextFiles = std::collections::BTreeMap<String, String>;

impl Row {
    /// Whether something is run for it.
    #[must_use]
    pub fn is_tried(&self) -> bool {
        !self.cases.is_empty()
            || !self.tests.is_empty()
            || !self.says.is_empty()
            || !self.values.is_empty()
            || !self.steps.is_empty()
    }

    /// Runs what shows it.
    ///
    /// # Panics
    /// If that does not hold.
    pub fn try_out(&self, part: &Part, cases: &[Case]) {
        println!("{}: {}", part.title, self.what);
        for name in &self.cases {
            let case =
                cases.iter().find(|case| case.name == *name).unwrap_or_else(|| panic!("no case is called {name}"));
            assert!(case.open.is_none() || self.works > Some(Works::Yes), "{name} does not hold yet");
        }
        let files: Files = part
            .files
            .iter()
            .chain(&self.files)
            .map(|(name, text)| (name.clone(), text.clone().into_bytes()))
            .collect();
        let mut calculations = String::new();
        let mut expected = Vec::new();
        for line in self.values.lines().filter(|line| !line.trim().is_empty()) {
            let calculation = |name: &str, expression: &str| {
                format!("calc {name} = \"{}\";\n", expression.trim().replace('\\', "\\\\").replace('"', "\\\""))
            };
            if let Some((expression, code)) = line.split_once('✗') {
                let said = said(&self.xml(part, &calculation("v", expression)), &files);
                assert!(said.all.contains(code.trim()), "{line}: {:?}", said.all);
            } else {
                let (expression, value) = line.split_once('→').unwrap_or_else(|| panic!("no value: {line}"));
                let name = format!("v{}", expected.len());
                calculations.push_str(&calculation(&name, expression));
                expected.push((name, value.trim(), line));
            }
        }
        if expected.is_empty() && self.steps.is_empty() && self.says.is_empty() {
            return;
        }
        let xml = self.xml(part, &calculations);
        let said = said(&xml, &files);
        assert!(said.all.is_superset(&self.says), "said: {:?}", said.all);
        assert!(said.to_look_at.is_subset(&self.says), "said, and not told here: {:?}", said.to_look_at);
        if self.steps.is_empty() && expected.is_empty() {
            return;
        }
        let mut scenario = Scenario::begin(&xml, &files, "Europe/Amsterdam");
        for step in self.steps.lines().map(str::trim).filter(|step| !step.is_empty()) {
            println!("  {step}");
            scenario.play(step);
        }
        for (name, value, line) in expected {
            println!("  {line}");
            scenario.expect(&name, value);
        }
    }

    fn xml(&self, part: &Part, calculations: &str) -> String {
        if self.model.is_empty() {
            return xform(&format!("{}\n{}\n{calculations}", part.form, self.form));
        }
        let body = if self.body.starts_with("<h:body") {
            self.body.clone()
        } else {
            format!("<h:body>{}</h:body>", self.body)
        };
        format!(
            r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml" xmlns:jr="http://openrosa.org/javarosa" xmlns:odk="http://www.opendatakit.org/xforms" xmlns:orx="http://openrosa.org/xforms" xmlns:entities="http://www.opendatakit.org/xforms/entities" xmlns:ev="http://www.w3.org/2001/xml-events"><h:head><h:title>Row</h:title><model>{}</model></h:head>{body}</h:html>"#,
            self.model
        )
    }
}

/// A file of `tests/golden`.
///
/// # Panics
/// If it is not there.
#[must_use]
pub fn golden(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)).expect("a golden file")
}

/// Codes of what is said of a form.
#[derive(Default)]
struct Said {
    all: BTreeSet<String>,
    /// All but what is merely good to know.
    to_look_at: BTreeSet<String>,
}

fn said(xml: &str, files: &Files) -> Said {
    let mut reading = FormDef::read(xml, files);
    // Said when a form is kept for drafts.
    let kept = reading.form.as_mut().and_then(FormDef::ensure_instance_id);
    let mut said = Said::default();
    for told in reading.diagnostics.iter().chain(&kept).chain(&check(xml, files, None).diagnostics) {
        let code = told.kind.code().to_owned();
        if told.level() < Level::Note {
            said.to_look_at.insert(code.clone());
        }
        said.all.insert(code);
    }
    said
}

impl Matrix {
    /// The table as it is written.
    ///
    /// # Panics
    /// On one that cannot be read.
    #[must_use]
    pub fn read() -> Self {
        let text =
            std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("matrix.toml")).expect("the table");
        toml::from_str(&text).unwrap_or_else(|error| panic!("the matrix: {error}"))
    }

    /// All rows with their parts.
    pub fn rows(&self) -> impl Iterator<Item = (&Part, &Row)> {
        self.part.iter().flat_map(|part| part.row.iter().map(move |row| (part, row)))
    }

    /// The rows that a row becomes.
    ///
    /// # Panics
    /// If there is not exactly one of each name.
    #[must_use]
    pub fn seen_by(&self, row: &Row) -> Vec<&Row> {
        let one_called = |name: &String| {
            let called = |row: &Row| row.see.is_empty() && row.what.replace('`', "") == name.replace('`', "");
            let found: Vec<_> = self.rows().map(|(_, row)| row).filter(|row| called(row)).collect();
            assert_eq!(found.len(), 1, "{}: rows called {name}", row.what);
            found[0]
        };
        row.see.iter().map(one_called).collect()
    }

    /// How a row works: as it says itself, or as the worst of the rows that it becomes.
    ///
    /// # Panics
    /// If it says nothing.
    #[must_use]
    pub fn works(&self, row: &Row) -> Works {
        let seen = || self.seen_by(row).into_iter().filter_map(|seen| seen.works).max();
        row.works.or_else(seen).unwrap_or_else(|| panic!("{} does not say how it works", row.what))
    }

    /// How many rows of the parts of one kind work how.
    fn counts(&self, kind: &str) -> [usize; 4] {
        let rows = || self.rows().filter(|(part, _)| part.kind() == kind);
        [Works::Yes, Works::App, Works::Partly, Works::No]
            .map(|works| rows().filter(|(_, row)| self.works(row) == works).count())
    }

    /// The Markdown of `docs/support-matrix.md`.
    #[must_use]
    pub fn page(&self) -> String {
        let mut page = String::from(
            "# What works\n\n\
             Rendered from `tests/matrix.toml`. A test runs what each row says and compares this page, so it says what the \
             program does, not what was once meant.\n\n\
             | | yes | app | partly | no |\n|---|---|---|---|---|\n",
        );
        let mut kinds: Vec<&str> = self.part.iter().map(Part::kind).collect();
        kinds.dedup();
        let mut all = [0; 4];
        for kind in kinds {
            let counts = self.counts(kind);
            all = std::array::from_fn(|works| all[works] + counts[works]);
            let [yes, app, partly, no] = counts;
            let _ = writeln!(page, "| {kind} | {yes} | {app} | {partly} | {no} |");
        }
        let [yes, app, partly, no] = all;
        let _ = write!(
            page,
            "| **all rows** | **{yes}** | **{app}** | **{partly}** | **{no}** |\n\n\
             *App*: the core reads it and hands over what is needed, and the app that draws the questions does the rest.\n\n\
             A code after *said* is what is said of a form that has the thing ([of forms](diagnostics.md), \
             [errors](errors.md)), by `veldwerk check FORM.xml` and when the form is downloaded; where none stands, the form \
             opens and nothing is said.\n"
        );
        for part in &self.part {
            let _ = write!(page, "\n## {}\n\n", part.title);
            if !part.about.is_empty() {
                let _ = write!(page, "{}\n\n", part.about.trim());
            }
            let has_examples = part.row.iter().any(|row| !row.examples().is_empty());
            page.push_str(if has_examples {
                "| what | works | remarks | for example |\n|---|---|---|---|\n"
            } else {
                "| what | works | remarks |\n|---|---|---|\n"
            });
            for row in &part.row {
                let works = match self.works(row) {
                    Works::Yes => "yes",
                    Works::App => "app",
                    Works::Partly => "**partly**",
                    Works::No => "**no**",
                };
                let _ = write!(page, "| {} | {works} | {} |", in_cell(&row.what), in_cell(&self.remarks(row)));
                if has_examples {
                    let _ = write!(page, " {} |", in_cell(&row.examples()));
                }
                page.push('\n');
            }
        }
        page
    }
}

impl Matrix {
    /// What stands beside a row: its own words, what does not work of what it becomes, and where that stands.
    fn remarks(&self, row: &Row) -> String {
        let mut remarks = row.own_remarks();
        let seen = self.seen_by(row);
        for seen in seen.iter().filter(|seen| seen.works > Some(Works::Yes) && seen.works == Some(self.works(row))) {
            remarks.extend(seen.own_remarks());
        }
        let places = seen.iter().map(|seen| {
            let (part, _) = self.rows().find(|(_, row)| std::ptr::eq(*row, *seen)).expect("it is one of them");
            format!("[{}](#{})", seen.what, anchor(&part.title))
        });
        let places: Vec<_> = places.collect();
        if !places.is_empty() {
            remarks.push(format!("→ {}", places.join(", ")));
        }
        remarks.join(" ")
    }
}

impl Part {
    /// What its title begins with.
    fn kind(&self) -> &str {
        self.title.split(':').next().unwrap_or_default()
    }
}

/// How a heading is linked to.
fn anchor(heading: &str) -> String {
    let heading = heading.to_lowercase().replace(' ', "-");
    heading.chars().filter(|letter| letter.is_alphanumeric() || *letter == '-').collect()
}

impl Row {
    fn own_remarks(&self) -> Vec<String> {
        let mut remarks: Vec<String> = Vec::new();
        if !self.note.is_empty() {
            remarks.push(self.note.trim().to_owned());
        }
        if !self.outside.is_empty() {
            remarks.push(self.outside.trim().to_owned());
        }
        let mut codes = self.says.clone();
        if self.works == Some(Works::No) {
            codes.extend(self.values.lines().filter_map(|line| Some(line.split_once('✗')?.1.trim().to_owned())));
        }
        if !codes.is_empty() {
            let codes: Vec<_> = codes.iter().map(|code| format!("`{code}`")).collect();
            remarks.push(format!("Said: {}.", codes.join(", ")));
        }
        remarks
    }

    /// The first values, as the page shows them.
    fn examples(&self) -> String {
        let short = self.values.lines().filter(|line| line.len() < MAX_EXAMPLE);
        let examples = short.filter_map(|line| line.split_once('→')).take(2).map(|(expression, value)| {
            let (expression, value) = (expression.trim(), value.trim());
            if value.is_empty() { format!("`{expression}` is empty") } else { format!("`{expression}` is `{value}`") }
        });
        examples.collect::<Vec<_>>().join("; ")
    }
}

/// Longest example that the page shows, in bytes.
const MAX_EXAMPLE: usize = 70;

fn in_cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
