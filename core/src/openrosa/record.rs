//! What a finalised record says of itself, read from its very bytes: whoever passes a record on believes nothing else.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::ids::ElementId;
use crate::xml::{Document, Names};

/// The head of a record, and the texts in it. Its `Debug` tells no answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// The form's id ([`Document::form_id`]).
    pub form_id: String,
    /// The form's version; empty for none.
    pub version: String,
    /// `meta/instanceID`; empty for none.
    pub instance_id: String,
    /// `meta/instanceName`; empty for none.
    pub instance_name: String,
    texts: BTreeSet<String>,
}

/// Reads a record, encrypted ones included: what holds the answers is then one of its files.
///
/// # Errors
/// [`ErrorKind::UnreadableRecord`] if it is no XML or its root has no form id.
pub fn read(xml: &[u8]) -> Result<Record> {
    let unreadable = |what: &str| Error::new(ErrorKind::UnreadableRecord, what);
    let text = std::str::from_utf8(xml).map_err(|_| unreadable("the XML is not UTF-8"))?;
    let mut names = Names::default();
    let document = Document::parse(Arc::from(text), &mut names)
        .map_err(|error| unreadable("the XML is not well-formed").caused_by(error))?;
    let root = document.root();
    let form_id = document.form_id(root, &names).ok_or_else(|| unreadable("the XML names no form"))?;
    // `version` counts in any namespace (xforms.md §3).
    let version = document.attributes(root).iter().find(|attribute| names.get(attribute.name) == "version");
    let child = |parent: ElementId, name: &str| {
        document.children(parent).find(|&child| names.get(document.element(child).name) == name)
    };
    let of_meta = |name| {
        let found = child(root, "meta").and_then(|meta| child(meta, name));
        found.map(|element| document.text(element).trim().to_owned()).unwrap_or_default()
    };
    let leaves = document.elements().filter(|&(id, _)| !document.has_children(id));
    Ok(Record {
        version: version.map(|version| document.attribute_value(version).trim().to_owned()).unwrap_or_default(),
        instance_id: of_meta("instanceID"),
        instance_name: of_meta("instanceName"),
        texts: leaves.map(|(id, _)| document.text(id).trim().to_owned()).filter(|text| !text.is_empty()).collect(),
        form_id,
    })
}

impl Record {
    /// Whether an answer of the record is the name of this file.
    #[must_use]
    pub fn names_file(&self, name: &str) -> bool {
        self.texts.contains(name.trim())
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut record = f.debug_struct("Record");
        record.field("form_id", &self.form_id).field("version", &self.version).field("instance_id", &self.instance_id);
        record.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_file_names_come_from_the_bytes() {
        let rows = [
            (
                "<data id='visit' version='7'><p>a &amp; b.jpg</p><meta><instanceID> uuid:1 </instanceID>\
                 <instanceName>Well 7</instanceName></meta></data>",
                ["visit", "7", "uuid:1", "Well 7"],
                "a & b.jpg",
            ),
            (
                "<?xml version='1.0'?><d id=' v ' xmlns:o='http://openrosa.org/xforms' o:version='2'><o:meta>\
                 <o:instanceID>uuid:2</o:instanceID></o:meta><g><p><![CDATA[<b>.jpg]]></p></g></d>",
                ["v", "2", "uuid:2", ""],
                "<b>.jpg",
            ),
            (
                "<data xmlns='http://opendatakit.org/submissions' id='v' encrypted='yes'><media><file>x.jpg.enc</file>\
                 </media><orx:meta xmlns:orx='http://openrosa.org/xforms'><orx:instanceID>uuid:3</orx:instanceID>\
                 </orx:meta></data>",
                ["v", "", "uuid:3", ""],
                "x.jpg.enc",
            ),
            ("<d xmlns='urn:visit'><p>x</p></d>", ["urn:visit", "", "", ""], "x"),
            // An instanceID outside `meta` is an answer like any other.
            ("<data id='v'><instanceID>uuid:4</instanceID></data>", ["v", "", "", ""], "uuid:4"),
        ];
        for (xml, ids, file) in rows {
            let record = read(xml.as_bytes()).unwrap();
            assert_eq!([&record.form_id, &record.version, &record.instance_id, &record.instance_name], ids, "{xml}");
            assert!(record.names_file(file), "{xml}");
            assert!(!record.names_file("other.jpg") && !record.names_file(""), "{xml}");
        }
    }

    #[test]
    fn what_is_no_record_is_refused_without_its_words() {
        let deep = format!("<d id='Secret'>{}", "<Secret>".repeat(100_000));
        for xml in ["", "Secret", "<d id='Secret'>", "<d>Secret</d>", "<d id=' '/>", &deep] {
            let refused = read(xml.as_bytes()).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::UnreadableRecord);
            assert!(!refused.to_string().contains("Secret"), "{refused}");
        }
        assert_eq!(read(b"<d id='\xff'/>").unwrap_err().kind(), ErrorKind::UnreadableRecord);
    }
}
