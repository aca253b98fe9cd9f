//! The list of forms a server offers (openrosa.md §3).

use super::element::{Element, write_child};
use super::{BrokenEntry, digits, join};
use crate::error::{Error, ErrorKind, Result};
use std::collections::{BTreeMap, BTreeSet};

const NAMESPACE: &str = "http://openrosa.org/xforms/xformsList";

/// What a server offers, and the entries of its list that are of no use.
#[derive(Debug, Default)]
pub struct FormList {
    /// In the order of the list.
    pub forms: Vec<ListedForm>,
    /// Entries without an id, a name or an address, and second ones of one version: skipped, so that one does not cost the others.
    pub broken: Vec<BrokenEntry>,
}

/// One form of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedForm {
    /// The form's id.
    pub form_id: String,
    /// Its title, in the server's words.
    pub name: String,
    /// Its version; empty means that it has none.
    pub version: String,
    /// A change token, only to be compared with that of an earlier list: ODK Central's is `md5:` and the MD5 of the form's
    /// XML, but Kobo mixes other things in.
    pub hash: Option<String>,
    /// Where the XML is.
    pub download_url: String,
    /// Where the list of its files is; `None` for a form without files.
    pub manifest_url: Option<String>,
}

/// What a list said when it was read, and what came of each form of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The versions listed.
    pub forms: Vec<ListedVersion>,
    /// Ids of forms that the list names without saying enough of them: nothing changes for these.
    pub untold: BTreeSet<String>,
    /// Whether this is all; false where an entry does not even say whose it is, for it may be any form's.
    pub is_whole: bool,
    /// Of forms that are not listed, whether their XML is still to be had: true for one that is closing, false for one that
    /// is gone.
    pub closing: BTreeMap<String, bool>,
    /// When the list was read, in milliseconds since 1970.
    pub at_ms: i64,
}

/// A form version of a list, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedVersion {
    /// The form's id.
    pub form_id: String,
    /// Its version; empty for none.
    pub version: String,
    /// Its title, in the server's words.
    pub title: String,
    /// Why it could not be installed or brought up to date.
    pub failure: Option<ErrorKind>,
}

/// The address of the list of the project at `base`.
#[must_use]
pub fn url(base: &str) -> String {
    join(base, "formList")
}

/// Reads a list.
///
/// # Errors
/// [`ErrorKind::NotAServer`] if `body` is no form list; an unusable entry is no error but in [`FormList::broken`].
pub fn read(body: &[u8]) -> Result<FormList> {
    let root = Element::read(body).map_err(|error| Error::new(ErrorKind::NotAServer, "form list").caused_by(error))?;
    if !root.is("xforms", NAMESPACE) {
        return Err(Error::new(ErrorKind::NotAServer, "form list"));
    }
    let mut list = FormList::default();
    let mut seen = BTreeSet::new();
    let entries = root.children.iter().filter(|child| child.is("xform", NAMESPACE));
    for (position, entry) in (1..).zip(entries) {
        match read_entry(entry) {
            Ok(form) if seen.insert((form.form_id.clone(), form.version.clone())) => list.forms.push(form),
            Ok(form) => {
                let error = Error::new(ErrorKind::BrokenEntry, "listed twice");
                list.broken.push(BrokenEntry { name: Some(form.form_id), position, error });
            }
            Err(error) => {
                let name = entry.child_text("formID").map(str::to_owned);
                list.broken.push(BrokenEntry { name, position, error });
            }
        }
    }
    Ok(list)
}

fn read_entry(entry: &Element) -> Result<ListedForm> {
    let optional = |name| entry.child_text(name).map(str::to_owned);
    let needed = |name| optional(name).ok_or_else(|| Error::new(ErrorKind::BrokenEntry, format!("no {name}")));
    Ok(ListedForm {
        form_id: needed("formID")?,
        name: needed("name")?,
        version: optional("version").unwrap_or_default(),
        hash: optional("hash").filter(|hash| !digits(hash).is_empty()),
        download_url: needed("downloadUrl")?,
        manifest_url: optional("manifestUrl"),
    })
}

/// Writes a list.
#[must_use]
pub fn write(forms: &[ListedForm]) -> String {
    let mut document = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<xforms xmlns=\"{NAMESPACE}\">");
    for form in forms {
        document.push_str("\n  <xform>");
        write_child(&mut document, "formID", &form.form_id);
        write_child(&mut document, "name", &form.name);
        write_child(&mut document, "version", &form.version);
        form.hash.iter().for_each(|hash| write_child(&mut document, "hash", hash));
        write_child(&mut document, "downloadUrl", &form.download_url);
        form.manifest_url.iter().for_each(|url| write_child(&mut document, "manifestUrl", url));
        document.push_str("</xform>");
    }
    document.push_str("\n</xforms>\n");
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well_visit() -> ListedForm {
        ListedForm {
            form_id: "well visit/é & co".into(),
            name: "Well <visit>".into(),
            version: String::new(),
            hash: Some("md5:0c3a7f0e5f2f6a1d9a7b2b1c8d4e6f90".into()),
            download_url: "https://h.test/v1/key/T/projects/1/forms/well%20visit.xml".into(),
            manifest_url: None,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let other = ListedForm { version: "2".into(), manifest_url: Some("https://h.test/m".into()), ..well_visit() };
        let forms = [well_visit(), other];
        let list = read(write(&forms).as_bytes()).unwrap();
        assert_eq!(list.forms, forms);
        assert!(list.broken.is_empty());
    }

    #[test]
    fn a_broken_entry_does_not_cost_the_others() {
        let second = ListedForm { version: "2".into(), ..well_visit() };
        let nameless = ListedForm { name: String::new(), ..well_visit() };
        let body = write(&[well_visit(), nameless, second, well_visit()]);
        let list = read(body.as_bytes()).unwrap();
        assert_eq!(list.forms.len(), 2);
        assert_eq!(list.broken.len(), 2);
        assert_eq!((list.broken[1].position, list.broken[1].error.detail()), (4, "listed twice"));
        assert_eq!((list.broken[0].position, list.broken[0].name.as_deref()), (2, Some("well visit/é & co")));
        assert_eq!(list.broken[0].error.kind(), ErrorKind::BrokenEntry);
        assert_eq!(list.broken[0].error.detail(), "no name");
    }

    #[test]
    fn the_writing_of_central_is_read() {
        let body = "\n<xforms xmlns=\"http://openrosa.org/xforms/xformsList\">\n<xform><formID>a</formID><name>A &#39;b&#39;</name>\
                    <version></version><hash>md5:00</hash><downloadUrl>https:&#x2F;&#x2F;h.test&#x2F;a?b&#x3D;1</downloadUrl></xform></xforms>";
        let form = read(body.as_bytes()).unwrap().forms.remove(0);
        assert_eq!(form.name, "A 'b'");
        assert_eq!(form.version, "");
        assert_eq!(form.download_url, "https://h.test/a?b=1");
    }

    #[test]
    fn another_document_is_not_a_server() {
        for body in ["<html><body/></html>", "<xforms/>", "", "<!doctype html><html><br></html>", "{}"] {
            assert_eq!(read(body.as_bytes()).unwrap_err().kind(), ErrorKind::NotAServer, "{body}");
        }
    }

    #[test]
    fn addresses_have_one_slash() {
        assert_eq!(url("https://h.test/v1/key/T/projects/1/"), "https://h.test/v1/key/T/projects/1/formList");
        assert_eq!(url("https://h.test"), "https://h.test/formList");
    }
}
