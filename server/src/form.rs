//! Forms as their author made them, and the facts about a form that the server itself needs.

use crate::xml::{Node, Xml};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use veldwerk::{Error, ErrorKind, Result};

/// Where the forms of the project come from.
#[derive(Clone, Debug)]
pub enum Forms {
    /// The two questionnaires inside the program.
    Embedded,
    /// Every `NAME.xml` or `NAME.xlsx` in a folder, with the files of `NAME-media/` beside it.
    Folder(PathBuf),
}

/// A form with its files, as published.
#[derive(Clone, Debug)]
pub struct FormSource {
    /// The XForm.
    pub xml: Vec<u8>,
    /// Lists, pictures and sounds, by the name the form uses for them.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Forms {
    /// Reads every form, ordered by the version it carries, so that the newest is published last.
    ///
    /// # Errors
    /// `io` when the folder cannot be read; `not-xml` or `not-xforms` for a file that is no form, and for an XLSForm
    /// that cannot be converted.
    pub(crate) fn read(&self) -> Result<Vec<FormSource>> {
        let mut sources = match self {
            Self::Embedded => embedded(),
            Self::Folder(folder) => read_folder(folder)?,
        };
        let mut by_version = Vec::new();
        for source in sources.drain(..) {
            by_version.push((FormFacts::read(&source.xml)?.version, source));
        }
        by_version.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(by_version.into_iter().map(|(_, source)| source).collect())
    }
}

/// What the server reads in a form to serve it and to take its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FormFacts {
    pub(crate) form_id: String,
    /// Empty for a form without version.
    pub(crate) version: String,
    pub(crate) title: String,
    /// Paths of the questions whose answer names a file (`/data/photo`), `meta/audit` included.
    pub(crate) attachment_paths: BTreeSet<String>,
    /// Whether the form names files that must come with it.
    pub(crate) expects_files: bool,
}

impl FormFacts {
    /// Reads the facts in an XForm.
    ///
    /// # Errors
    /// `not-xml`, or `not-xforms` when there is no primary instance with an id.
    pub(crate) fn read(xml: &[u8]) -> Result<Self> {
        let xml = Xml::read(xml)?;
        let lacking = |what: &str| Error::new(ErrorKind::NotXforms, format!("it has no {what}"));
        let head = xml.root().child("head").ok_or_else(|| lacking("head"))?;
        let model = head.child("model").ok_or_else(|| lacking("model"))?;
        let root = model
            .child("instance")
            .and_then(|instance| instance.children().next())
            .ok_or_else(|| lacking("primary instance"))?;
        let form_id = root.form_id().ok_or_else(|| lacking("form id"))?;

        let mut attachment_paths: BTreeSet<String> = model
            .children()
            .filter(|child| child.name() == "bind" && child.attribute("type").as_deref() == Some("binary"))
            .filter_map(|bind| bind.attribute("nodeset"))
            .map(|path| path.trim().to_owned())
            .collect();
        attachment_paths.insert(format!("/{}/meta/audit", root.name()));

        let title = head.child("title").map(|title| title.text().trim().to_owned()).filter(|title| !title.is_empty());
        Ok(Self {
            title: title.unwrap_or_else(|| form_id.clone()),
            form_id,
            version: root.attribute("version").unwrap_or_default().into_owned(),
            attachment_paths,
            expects_files: xml.elements().any(names_a_file),
        })
    }
}

/// Whether an element is an external instance, or a text in the form of a picture, a sound or a film.
fn names_a_file(element: Node<'_>) -> bool {
    let external = |source: &str| source.starts_with("jr://") && source != "jr://instance/last-saved";
    match element.name() {
        "instance" => element.attribute("src").is_some_and(|source| external(&source)),
        "value" => element.attribute("form").is_some() && external(element.text().trim()),
        _ => false,
    }
}

macro_rules! embedded_form {
    ($name:literal, $($file:literal),+) => {
        FormSource {
            xml: include_bytes!(concat!("../forms/", $name, ".xml")).to_vec(),
            files: vec![$((
                $file.to_owned(),
                include_bytes!(concat!("../forms/", $name, "-media/", $file)).to_vec(),
            )),+],
        }
    };
}

fn embedded() -> Vec<FormSource> {
    vec![
        embedded_form!(
            "questionnaire",
            "consent_ar.wav",
            "consent_en.wav",
            "consent_nl.wav",
            "consent_ti.wav",
            "consent_tr.wav",
            "municipalities.csv",
            "previous_wave.csv",
            "smile1.png",
            "smile2.png",
            "smile3.png",
            "smile4.png",
            "smile5.png"
        ),
        embedded_form!(
            "interview",
            "consent_ar.wav",
            "consent_en.wav",
            "consent_nl.wav",
            "consent_ti.wav",
            "consent_tr.wav",
            "locations.csv",
            "municipalities.csv",
            "respondents.csv"
        ),
    ]
}

fn read_folder(folder: &Path) -> Result<Vec<FormSource>> {
    let (mut sources, mut n_workbooks) = (Vec::new(), 0);
    for path in files_in(folder)? {
        let has_extension =
            |extension: &str| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension));
        let xml = if has_extension("xml") {
            read_file(&path)?
        } else if has_extension("xlsx") && !path.with_extension("xml").exists() {
            n_workbooks += 1;
            convert(XLS2XFORM, &path).map_err(|error| {
                // Which one is told by its place: a name that a person gave is in no error.
                let detail = format!("XLSForm {n_workbooks} by name: {}", error.detail());
                Error::new(error.kind(), detail).caused_by(error)
            })?
        } else {
            continue;
        };
        let mut files = Vec::new();
        if let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) {
            let media = folder.join(format!("{stem}-media"));
            for file in if media.is_dir() { files_in(&media)? } else { Vec::new() } {
                if let Some(name) = file.file_name().and_then(|name| name.to_str()) {
                    files.push((name.to_owned(), read_file(&file)?));
                }
            }
        }
        sources.push(FormSource { xml, files });
    }
    Ok(sources)
}

/// pyxform's converter, looked for on the `PATH`.
const XLS2XFORM: &str = "xls2xform";

/// Turns an XLSForm into an XForm.
fn convert(program: &str, workbook: &Path) -> Result<Vec<u8>> {
    let failed = |words: &str| Error::new(ErrorKind::NotXforms, words);
    let scratch = tempfile::tempdir().map_err(|error| failed("no place for the converted form").caused_by(error))?;
    let converted = scratch.path().join("form.xml");
    let output = Command::new(program).arg("--skip_validate").arg(workbook).arg(&converted).output().map_err(|error| {
        failed("an XLSForm needs pyxform (pip install pyxform), whose xls2xform is not on the PATH; or put the XForm beside it")
            .caused_by(error)
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).replace(&*workbook.to_string_lossy(), "the XLSForm");
        return Err(failed(&format!("xls2xform says: {}", said.trim())));
    }
    read_file(&converted)
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |error| Error::new(ErrorKind::Io, "the folder of the forms").caused_by(error);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| Error::new(ErrorKind::Io, "a file in the folder of the forms").caused_by(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_facts_of_the_questionnaires() {
        let facts: Vec<_> =
            Forms::Embedded.read().unwrap().iter().map(|form| FormFacts::read(&form.xml).unwrap()).collect();
        assert_eq!(facts[0].form_id, "pi_interview");
        assert_eq!(facts[1].form_id, "pi_newcomers");
        assert_eq!(facts[1].title, "Inburgering: uw ervaring");
        assert!(facts.iter().all(|facts| facts.expects_files && !facts.version.is_empty()));
        assert!(facts[1].attachment_paths.contains("/data/main/g_end/better_voice"));
        assert!(facts[0].attachment_paths.contains("/data/meta/audit"));
    }

    #[test]
    fn everything_in_the_folder_is_inside_the_program() {
        let folder = Forms::Folder(concat!(env!("CARGO_MANIFEST_DIR"), "/forms").into()).read().unwrap();
        let inside = Forms::Embedded.read().unwrap();
        assert_eq!(folder.len(), inside.len());
        for (one, other) in folder.iter().zip(&inside) {
            assert!(one.xml == other.xml);
            assert!(one.files == other.files);
        }
    }

    // One test: a script that is being written while another test starts a process cannot be run.
    #[cfg(unix)]
    #[test]
    fn an_xlsform_is_converted_and_the_converter_is_heard() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("convert");
        std::fs::write(
            &program,
            "#!/bin/sh\ncp \"$2\" \"$3\" && test -s \"$2\" || { echo it is empty >&2; exit 1; }\n",
        )
        .unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o700)).unwrap();
        let workbook = folder.path().join("a b.xlsx");
        std::fs::write(&workbook, "<form/>").unwrap();
        assert_eq!(convert(program.to_str().unwrap(), &workbook).unwrap(), b"<form/>");
        std::fs::write(&workbook, "").unwrap();
        assert!(convert(program.to_str().unwrap(), &workbook).unwrap_err().detail().contains("it is empty"));

        let missing = convert("veldwerk-has-no-such-program", &workbook).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotXforms);
        assert!(!missing.detail().contains("a b") && missing.detail().contains("pip install pyxform"));
    }

    #[test]
    fn what_is_no_form_is_refused_with_its_reason() {
        for (xml, kind) in [
            ("<h:html xmlns:h='x'><h:head/></h:html>", ErrorKind::NotXforms),
            ("<html><head><model><instance><data/></instance></model></head></html>", ErrorKind::NotXforms),
            ("<html><head>", ErrorKind::NotXml),
            ("", ErrorKind::NotXml),
        ] {
            assert_eq!(FormFacts::read(xml.as_bytes()).unwrap_err().kind(), kind, "{xml}");
        }
    }
}
