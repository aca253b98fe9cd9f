//! `check`: what the author of a form should know before anybody fills it; and the same words where a form is downloaded.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use veldwerk::check::{Report, check};
use veldwerk::form::{Diagnostic, DiagnosticKind, Files, Level};
use veldwerk::{Error, ErrorKind, Result};

use crate::output::{say, say_bold, say_json};
use crate::terminal::{Terminal, plain};

/// Look a form over: mistakes, texts and sounds that are missing, what makes it slow.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  veldwerk check household.xml
  veldwerk check household.xml --media ~/forms/household-media
  veldwerk --json check household.xml

The status is 1 if there is an error, 0 otherwise. docs/diagnostics.md lists what can be said.")]
pub(crate) struct CheckArgs {
    /// Folder with the form's files: lists, pictures, sound, video. Without it `FORM-media` beside the form, if that is
    /// there; else lists are looked for beside the form, and other files are not
    #[arg(long, value_name = "DIR")]
    media: Option<PathBuf>,
    /// The form, as XML
    #[arg(value_name = "FORM.xml")]
    form: PathBuf,
}

/// So many places of one kind are named; the others are counted.
const PLACES: usize = 3;
/// So many in the words of `check`, where nothing else is to be said.
const PLACES_OF_CHECK: usize = 10;

/// Checks a form; false if something in it is an error.
///
/// # Errors
/// [`ErrorKind::Usage`] if there is no such form or folder.
pub(crate) fn run(args: &CheckArgs, json: bool) -> Result<bool> {
    let usage = |what: &str, error: io::Error| Error::new(ErrorKind::Usage, what).caused_by(error);
    let bytes = std::fs::read(&args.form).map_err(|error| usage("the form cannot be read", error))?;
    let (folder, has_media) = folder_of(args);
    std::fs::read_dir(&folder).map_err(|error| usage("the folder of --media cannot be read", error))?;
    let files = Folder(folder);
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        // What is no text is no XML: said like every other reason why a form is refused.
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    };
    let report = check(&text, &files, has_media.then_some(&files as &dyn Files));
    if json {
        say_json(&report_json(&report));
    } else {
        show(&report);
    }
    Ok(report.count(Level::Error) == 0)
}

/// Where the form's files are, and whether its pictures and sounds are among them.
fn folder_of(args: &CheckArgs) -> (PathBuf, bool) {
    if let Some(media) = &args.media {
        return (media.clone(), true);
    }
    let beside = args.form.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = args.form.file_stem().unwrap_or_default().to_string_lossy();
    let media = beside.join(format!("{name}-media"));
    if media.is_dir() { (media, true) } else { (beside.to_owned(), false) }
}

/// The files of a folder, by bare name.
struct Folder(PathBuf);

impl Files for Folder {
    fn read(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.0.join(Path::new(name).file_name()?)).ok()
    }

    fn contains(&self, name: &str) -> bool {
        Path::new(name).file_name().is_some_and(|name| self.0.join(name).is_file())
    }
}

fn report_json(report: &Report) -> Value {
    let languages = report.languages.iter().map(|language| {
        json!({ "name": language.name, "default": language.is_default, "texts": language.texts,
                "missing_texts": language.missing_texts, "sounds": language.sounds,
                "missing_sounds": language.missing_sounds })
    });
    let dearest = report.dearest.iter().map(|cost| {
        json!({ "place": cost.place, "name": name_of(&cost.place), "part": cost.part,
                "evaluations": cost.evaluations, "steps": cost.steps })
    });
    json!({ "form": report.form_id, "version": report.version, "title": report.title, "questions": report.n_questions,
            "errors": report.count(Level::Error), "warnings": report.count(Level::Warning),
            "notes": report.count(Level::Note), "diagnostics": as_json(&report.diagnostics),
            "languages": languages.collect::<Vec<_>>(), "dearest": dearest.collect::<Vec<_>>() })
}

fn show(report: &Report) {
    let styled = Terminal::detect(None).styled;
    if !report.form_id.is_empty() {
        let version = if report.version.is_empty() { String::new() } else { format!(", version {}", report.version) };
        let title = format!("{} ({}{version})", report.title, report.form_id);
        say_bold(&plain(&title), styled);
        say!("{} questions", report.n_questions);
    }
    let mut told: BTreeMap<(Level, DiagnosticKind), Vec<&Diagnostic>> = BTreeMap::new();
    for diagnostic in &report.diagnostics {
        told.entry((diagnostic.level(), diagnostic.kind)).or_default().push(diagnostic);
    }
    for ((level, kind), found) in told {
        say!("");
        say_bold(&format!("{}: {} [{}]", level.name(), kind.sentence(), kind.code()), styled);
        let rows = found.iter().take(PLACES_OF_CHECK).map(|told| vec![plain(&told.place), plain(&told.detail)]);
        say_table(&rows.collect::<Vec<_>>());
        if found.len() > PLACES_OF_CHECK {
            say!("  and {} more (--json names all)", found.len() - PLACES_OF_CHECK);
        }
        say!("  → {}", kind.advice());
    }
    if report.languages.len() > 1 || report.languages.iter().any(|language| language.sounds > 0) {
        say!("");
        say_bold("Languages", styled);
        let mut rows = vec![["", "texts", "missing", "sounds", "missing"].map(str::to_owned).to_vec()];
        rows.extend(report.languages.iter().map(|language| {
            let counts = [language.texts, language.missing_texts, language.sounds, language.missing_sounds];
            let name = plain(&language.name);
            std::iter::once(name).chain(counts.map(|count| count.to_string())).collect()
        }));
        say_table(&rows);
    }
    if !report.dearest.is_empty() {
        say!("");
        say_bold("Dearest expressions, for a new record and one answer to each question", styled);
        let mut rows = vec![["", "", "evaluations", "steps"].map(str::to_owned).to_vec()];
        rows.extend(report.dearest.iter().map(|cost| {
            vec![plain(&cost.place), cost.part.to_owned(), cost.evaluations.to_string(), cost.steps.to_string()]
        }));
        say_table(&rows);
    }
    say!("");
    let [errors, warnings, notes] = [Level::Error, Level::Warning, Level::Note].map(|level| report.count(level));
    say_bold(&format!("{errors} errors, {warnings} warnings, {notes} notes"), styled);
}

/// Columns side by side, two blanks before the first and between two. A column of numbers stands to the right.
fn say_table(rows: &[Vec<String>]) {
    let n_columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let cell = |row: &Vec<String>, column: usize| row.get(column).cloned().unwrap_or_default();
    let widths: Vec<usize> = (0..n_columns)
        .map(|column| rows.iter().map(|row| cell(row, column).chars().count()).max().unwrap_or_default())
        .collect();
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let to_right: BTreeSet<usize> =
        (0..n_columns).filter(|&column| rows.iter().any(|row| is_number(&cell(row, column)))).collect();
    for row in rows {
        let cells = widths.iter().enumerate().map(|(column, &width)| {
            let text = cell(row, column);
            if to_right.contains(&column) { format!("{text:>width$}") } else { format!("{text:width$}") }
        });
        say!("{}", format!("  {}", cells.collect::<Vec<_>>().join("  ")).trim_end());
    }
}

/// The name of a question in an XLSForm: the last step of its path.
fn name_of(place: &str) -> &str {
    let path = place.split([',', ' ']).next().unwrap_or_default();
    if path.starts_with('/') { path.rsplit('/').next().unwrap_or_default() } else { "" }
}

/// What is said of a form in a few lines, the worst first: one kind once, with the first places it is found at.
pub(crate) fn lines(diagnostics: &[Diagnostic]) -> Vec<String> {
    let mut kinds: BTreeMap<_, Vec<&Diagnostic>> = BTreeMap::new();
    for diagnostic in diagnostics {
        kinds.entry((diagnostic.level(), diagnostic.kind)).or_default().push(diagnostic);
    }
    let mut lines = Vec::new();
    for found in kinds.into_values() {
        lines.extend(found.iter().take(PLACES).map(ToString::to_string));
        if let (Some(first), more @ 1..) = (found.first(), found.len().saturating_sub(PLACES)) {
            lines.push(format!("{}: the same at {more} more places [{}]", first.level().name(), first.kind.code()));
        }
    }
    lines
}

/// What is said of a form, all of it, in the order of the form.
pub(crate) fn as_json(diagnostics: &[Diagnostic]) -> Value {
    let one = |diagnostic: &Diagnostic| {
        json!({ "code": diagnostic.kind.code(), "level": diagnostic.level().name(), "place": diagnostic.place,
                "name": name_of(&diagnostic.place), "text": diagnostic.words(), "advice": diagnostic.kind.advice() })
    };
    diagnostics.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::DiagnosticKind as K;
    use super::*;

    fn told(kind: K, place: &str) -> Diagnostic {
        Diagnostic { kind, place: place.to_owned(), detail: String::new() }
    }

    #[test]
    fn the_worst_comes_first_and_many_of_one_kind_are_counted() {
        let mut all = vec![told(K::AuditInert, "/d/meta/audit")];
        all.extend(["a", "b", "c", "d", "e"].map(|id| told(K::MissingText, id)));
        all.push(told(K::BadReference, "/d/x"));
        let lines = lines(&all);
        let starts: Vec<_> = lines.iter().map(|line| line.split(": ").take(2).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            starts,
            [
                "error /d/x",
                "warning a",
                "warning b",
                "warning c",
                "warning the same at 2 more places [missing-text]",
                "note /d/meta/audit"
            ]
        );
    }
}
