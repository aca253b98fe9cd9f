//! `tests/cases/*.md`: prose with small forms in it, what is done with each, and what must come of it.
//!
//! A case is a heading of level two, a form in a fence called `form` ([`crate::notation`]) or `xml`, perhaps files in fences
//! called `csv NAME`, and steps in a fence called `steps` ([`crate::scenario::Scenario::play`]), one a line. A fence called
//! `told` holds all that is said of the form when it is installed: `code place: detail`. `Time zone: ZONE` says where the
//! record is; `Open: reason` that the case does not hold yet.

use std::fs;
use std::path::Path;

use veldwerk::form::FormDef;

use crate::scenario::{Files, Scenario};
use crate::seen;

/// One case.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// File and heading.
    pub name: String,
    /// The XForm.
    pub xml: String,
    /// What lies beside it.
    pub files: Files,
    /// Time zone of the record.
    pub time_zone: String,
    /// Why it does not hold yet.
    pub open: Option<String>,
    steps: Vec<String>,
    told: Option<Vec<String>>,
}

impl Case {
    /// Whether a record of its form is filled: not where only what is said of the form matters.
    #[must_use]
    pub fn is_played(&self) -> bool {
        self.told.is_none() || !self.steps.is_empty()
    }

    /// Plays the steps. After each the record is what a full recalculation gives, if its form lets that be known.
    ///
    /// # Panics
    /// At the first step that does not hold; the step is printed before.
    pub fn play(&self) {
        if let Some(expected) = &self.told {
            assert_eq!(told(&self.xml, &self.files), *expected, "{}", self.name);
        }
        if !self.is_played() {
            return;
        }
        let mut scenario = Scenario::begin(&self.xml, &self.files, &self.time_zone);
        for step in &self.steps {
            println!("{}: {step}", self.name);
            scenario.play(step);
            if seen::is_steady(scenario.session().form()) {
                assert_eq!(seen::stale_node(scenario.session()), None, "{}", self.name);
            }
        }
    }
}

/// What is said of a form when it is installed.
fn told(xml: &str, files: &Files) -> Vec<String> {
    let diagnostics = FormDef::read(xml, files).diagnostics;
    let told = diagnostics.into_iter().map(|told| match (told.kind.code(), told.place, told.detail) {
        (code, place, detail) if detail.is_empty() => format!("{code} {place}"),
        (code, place, detail) => format!("{code} {place}: {detail}"),
    });
    told.map(|told| told.replace(" :", ":")).collect()
}

/// All cases, by file and place.
///
/// # Panics
/// On a folder that cannot be read.
#[must_use]
pub fn all() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut files: Vec<_> = fs::read_dir(folder).expect("the cases").flatten().map(|entry| entry.path()).collect();
    files.sort();
    files.iter().flat_map(|file| cases_in(file)).collect()
}

fn cases_in(file: &Path) -> Vec<Case> {
    let text = fs::read_to_string(file).expect("a file of cases");
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let mut cases: Vec<Case> = Vec::new();
    // What a fence opened with, and the lines in it.
    let mut fence: Option<(&str, Vec<&str>)> = None;
    for line in text.lines() {
        match (&mut fence, line.strip_prefix("```")) {
            (Some((_, lines)), None) => lines.push(line),
            (Some(_), Some(_)) => {
                let (kind, lines) = fence.take().expect("open");
                cases.last_mut().expect("a heading before the fence").take(kind, &lines);
            }
            (None, Some(kind)) => fence = Some((kind.trim(), Vec::new())),
            (None, None) => {
                if let Some(heading) = line.strip_prefix("## ") {
                    let (name, time_zone) = (format!("{stem}: {heading}"), "Europe/Amsterdam".to_owned());
                    cases.push(Case { name, time_zone, ..Case::default() });
                } else if let (Some(case), Some(zone)) = (cases.last_mut(), line.strip_prefix("Time zone: ")) {
                    case.time_zone = zone.to_owned();
                } else if let (Some(case), Some(why)) = (cases.last_mut(), line.strip_prefix("Open: ")) {
                    case.open = Some(why.to_owned());
                }
            }
        }
    }
    cases
}

impl Case {
    fn take(&mut self, kind: &str, lines: &[&str]) {
        match kind.split_once(' ').unwrap_or((kind, "")) {
            ("form", _) => self.xml = crate::notation::xform(&lines.join("\n")),
            ("xml", _) => self.xml = lines.join("\n"),
            ("csv" | "file", name) => {
                self.files.insert(name.to_owned(), (lines.join("\n") + "\n").into_bytes());
            }
            ("told", _) => self.told = Some(lines.iter().map(|line| line.trim().to_owned()).collect()),
            ("steps", _) => {
                let steps =
                    lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty() && !line.starts_with('#'));
                self.steps.extend(steps.map(str::to_owned));
            }
            (other, _) => panic!("{}: a fence called `{other}`", self.name),
        }
    }
}
