//! A record as it arrives: the facts the server reads in its XML.

use crate::xml::{Node, Xml};
use std::collections::BTreeSet;
use veldwerk::{Error, ErrorKind, Result};

/// The facts of a record.
#[derive(Debug)]
pub(crate) struct RecordFacts {
    pub(crate) form_id: String,
    /// Empty when the record names none.
    pub(crate) version: String,
    /// Nothing when the record has no `meta/instanceID`; then every sending makes a new record.
    pub(crate) instance_id: Option<String>,
    /// The form's name for the record (`meta/instanceName`); may be empty.
    pub(crate) name: String,
    xml: Xml,
}

impl RecordFacts {
    /// Reads a record.
    ///
    /// # Errors
    /// `not-xml`, or `unreadable-record` when the root names no form.
    pub(crate) fn read(xml: &[u8]) -> Result<Self> {
        let xml = Xml::read(xml)?;
        let root = xml.root();
        let form_id = root.form_id().ok_or_else(|| Error::new(ErrorKind::UnreadableRecord, "it names no form"))?;
        let version = root.attribute("version").unwrap_or_default().into_owned();
        let meta = |name| {
            let value = root.child("meta")?.child(name)?.text().into_owned();
            Some(value).filter(|value| !value.is_empty())
        };
        let (instance_id, name) = (meta("instanceID"), meta("instanceName").unwrap_or_default());
        Ok(Self { form_id, version, instance_id, name, xml })
    }

    /// The names of the files that the answers at `attachment_paths` name.
    pub(crate) fn attachment_names(&self, attachment_paths: &BTreeSet<String>) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        collect_names(self.xml.root(), "", attachment_paths, &mut names);
        names
    }
}

fn collect_names(element: Node<'_>, parent: &str, paths: &BTreeSet<String>, names: &mut BTreeSet<String>) {
    let path = format!("{parent}/{}", element.name());
    if paths.contains(&path) {
        names.insert(element.text().trim().to_owned());
    }
    for child in element.children() {
        collect_names(child, &path, paths, names);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_whatever_the_namespace_of_meta() {
        for meta in [
            "<meta><instanceID>uuid:1</instanceID></meta>",
            "<orx:meta xmlns:orx='http://openrosa.org/xforms'><orx:instanceID>uuid:1</orx:instanceID></orx:meta>",
        ] {
            let xml = format!("\u{feff}<?xml version='1.0'?><data id='a' version='2'>{meta}</data>");
            let facts = RecordFacts::read(xml.as_bytes()).unwrap();
            assert_eq!((facts.form_id.as_str(), facts.version.as_str()), ("a", "2"));
            assert_eq!(facts.instance_id.as_deref(), Some("uuid:1"));
        }
    }

    #[test]
    fn a_record_without_an_id_is_of_the_form_of_its_namespace() {
        assert_eq!(RecordFacts::read(b"<data xmlns='urn:visit'/>").unwrap().form_id, "urn:visit");
        assert_eq!(RecordFacts::read(b"<data/>").unwrap_err().kind(), ErrorKind::UnreadableRecord);
    }

    #[test]
    fn only_answers_at_attachment_paths_name_files() {
        let xml = "<data id='a'><photo>é \"a\".jpg</photo><note>b.jpg</note><g><photo>c.jpg</photo><photo/></g></data>";
        let paths = ["/data/photo".to_owned(), "/data/g/photo".to_owned()].into();
        let names = RecordFacts::read(xml.as_bytes()).unwrap().attachment_names(&paths);
        assert!(names.contains("é \"a\".jpg") && names.contains("c.jpg") && !names.contains("b.jpg"));
    }
}
