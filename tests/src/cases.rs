//! `tests/cases/*.md`: prose with small forms in it, what is done with each, and what must come of it.
//!
//! A case is a heading of level two, a form in a fence called `form` ([`crate::notation`]) or `xml`, perhaps files in fences
//! called `csv NAME`, and steps in a fence called `steps` ([`crate::scenario::Scenario::play`]), one a line. `Time zone: ZONE`
//! says where the record is; `Open: reason` that the case does not hold yet.

use std::fs;
use std::path::Path;

use crate::scenario::{Files, Scenario};

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
}

impl Case {
    /// Plays the steps.
    ///
    /// # Panics
    /// At the first step that does not hold; the step is printed before.
    pub fn play(&self) {
        let mut scenario = Scenario::begin(&self.xml, &self.files, &self.time_zone);
        for step in &self.steps {
            println!("{}: {step}", self.name);
            scenario.play(step);
        }
    }
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
            ("steps", _) => {
                let steps =
                    lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty() && !line.starts_with('#'));
                self.steps.extend(steps.map(str::to_owned));
            }
            (other, _) => panic!("{}: a fence called `{other}`", self.name),
        }
    }
}
