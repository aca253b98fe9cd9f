//! The list of the files of one form (openrosa.md §4).

use super::element::{Element, write_child};
use super::{BrokenEntry, digits};
use crate::error::{Error, ErrorKind, Result};
use std::collections::BTreeSet;

const NAMESPACE: &str = "http://openrosa.org/xforms/xformsManifest";

/// Longest file name taken from a manifest, in bytes: what every file system stores.
const MAX_NAME: usize = 255;

/// The files of a form, and the entries of its manifest that are of no use.
#[derive(Debug, Default)]
pub struct Manifest {
    /// In the order of the manifest; every name is a plain file name, and no two are equal.
    pub files: Vec<MediaFile>,
    /// Entries without name or address, or with a name that cannot be used: skipped and reported, so that one does not cost
    /// the form.
    pub broken: Vec<BrokenEntry>,
}

/// One file of a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaFile {
    /// The name the form calls it by, without directories.
    pub name: String,
    /// A change token, to be compared with the one of the last download; `None` where the server sends none, or one without a
    /// digit. Often it is `md5:` and the MD5 of the bytes, but it need not be.
    pub hash: Option<String>,
    /// Where the file is.
    pub download_url: String,
    /// What the file is.
    pub kind: MediaKind,
    /// Where to ask which entities of a list still exist; only for entity lists.
    pub integrity_url: Option<String>,
}

/// What a file of a form is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MediaKind {
    /// A picture, a sound, a film or a list.
    #[default]
    Media,
    /// A list of entities: its hash changes with the list but is not the MD5 of any bytes.
    EntityList,
    /// An entity list whose new entities exist only after someone approved the record on the server.
    ApprovalEntityList,
}

impl MediaKind {
    const fn attribute(self) -> Option<&'static str> {
        match self {
            Self::Media => None,
            Self::EntityList => Some("entityList"),
            Self::ApprovalEntityList => Some("approvalEntityList"),
        }
    }

    fn read(attribute: Option<&str>) -> Self {
        [Self::EntityList, Self::ApprovalEntityList]
            .into_iter()
            .find(|kind| attribute.is_some() && kind.attribute() == attribute)
            .unwrap_or_default()
    }
}

/// Reads a manifest.
///
/// # Errors
/// [`ErrorKind::NotAServer`] if `body` is no manifest; an unusable entry is no error but in [`Manifest::broken`]:
/// [`ErrorKind::UnsafeFileName`] or [`ErrorKind::BrokenEntry`].
pub fn read(body: &[u8]) -> Result<Manifest> {
    let root = Element::read(body).map_err(|error| Error::new(ErrorKind::NotAServer, "manifest").caused_by(error))?;
    if !root.is("manifest", NAMESPACE) {
        return Err(Error::new(ErrorKind::NotAServer, "manifest"));
    }
    let mut manifest = Manifest::default();
    let mut names = BTreeSet::new();
    let entries = root.children.iter().filter(|child| child.is("mediaFile", NAMESPACE));
    for (position, entry) in (1..).zip(entries) {
        match read_entry(entry) {
            Ok(file) if names.insert(file.name.clone()) => manifest.files.push(file),
            Ok(file) => {
                let error = Error::new(ErrorKind::UnsafeFileName, "two files of one name");
                manifest.broken.push(BrokenEntry { name: Some(file.name), position, error });
            }
            Err(error) => {
                let name = entry.child("filename").and_then(|name| file_name(name.text()).ok()).map(str::to_owned);
                manifest.broken.push(BrokenEntry { name, position, error });
            }
        }
    }
    Ok(manifest)
}

fn read_entry(entry: &Element) -> Result<MediaFile> {
    let optional = |name| entry.child_text(name).map(str::to_owned);
    let needed = |name| optional(name).ok_or_else(|| Error::new(ErrorKind::BrokenEntry, format!("no {name}")));
    Ok(MediaFile {
        name: file_name(entry.child("filename").map_or("", Element::text))?.to_owned(),
        hash: optional("hash").filter(|hash| !digits(hash).is_empty()),
        download_url: needed("downloadUrl")?,
        kind: MediaKind::read(entry.attribute("type")),
        integrity_url: optional("integrityUrl"),
    })
}

/// The plain file name in `name`: directories are stripped, whatever the system that wrote them.
///
/// # Errors
/// [`ErrorKind::UnsafeFileName`] for what is left empty, `.` or `..`, longer than 255 bytes, or holds a control character.
pub fn file_name(name: &str) -> Result<&str> {
    let plain = name.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    let hostile = matches!(plain, "" | "." | "..") || plain.len() > MAX_NAME || plain.contains(char::is_control);
    if hostile { Err(ErrorKind::UnsafeFileName.into()) } else { Ok(plain) }
}

/// Writes a manifest.
#[must_use]
pub fn write(files: &[MediaFile]) -> String {
    let mut document = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<manifest xmlns=\"{NAMESPACE}\">");
    for file in files {
        let kind = file.kind.attribute().map_or(String::new(), |kind| format!(" type=\"{kind}\""));
        document.push_str(&format!("\n  <mediaFile{kind}>"));
        write_child(&mut document, "filename", &file.name);
        file.hash.iter().for_each(|hash| write_child(&mut document, "hash", hash));
        write_child(&mut document, "downloadUrl", &file.download_url);
        file.integrity_url.iter().for_each(|url| write_child(&mut document, "integrityUrl", url));
        document.push_str("</mediaFile>");
    }
    document.push_str("\n</manifest>\n");
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> MediaFile {
        MediaFile {
            name: "é site.png".into(),
            hash: Some("md5:9e107d9d372bb6826bd81d3542a419d6".into()),
            download_url: "https://h.test/attachments/%C3%A9%20site.png?a=1&b=2".into(),
            ..MediaFile::default()
        }
    }

    fn wells() -> MediaFile {
        MediaFile {
            name: "wells.csv".into(),
            kind: MediaKind::EntityList,
            integrity_url: Some("https://h.test/datasets/wells/integrity".into()),
            ..site()
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let approval = MediaFile { name: "a.csv".into(), kind: MediaKind::ApprovalEntityList, ..wells() };
        let files = [site(), wells(), approval];
        let manifest = read(write(&files).as_bytes()).unwrap();
        assert_eq!(manifest.files, files);
        assert!(manifest.broken.is_empty());
        assert!(read(write(&[]).as_bytes()).unwrap().files.is_empty());
    }

    #[test]
    fn file_names_lose_their_directories() {
        let long = "a".repeat(256);
        let rows = [
            ("a.png", Some("a.png")),
            (" a b.png ", Some("a b.png")),
            ("../../etc/passwd", Some("passwd")),
            ("/abs/a.png", Some("a.png")),
            ("C:\\dir\\a.png", Some("a.png")),
            (".hidden", Some(".hidden")),
            ("", None),
            ("..", None),
            ("dir/..", None),
            ("dir/", None),
            (".", None),
            ("a\0.png", None),
            ("a\nb.png", None),
            (long.as_str(), None),
        ];
        for (name, expected) in rows {
            let plain = file_name(name);
            assert_eq!(plain.as_deref().ok(), expected, "{name:?}");
            assert!(plain.is_ok() || plain.is_err_and(|error| error.kind() == ErrorKind::UnsafeFileName));
        }
    }

    #[test]
    fn unusable_entries_are_reported_each_with_its_error() {
        let nameless = MediaFile { name: "../..".into(), ..site() };
        let addressless = MediaFile { download_url: String::new(), name: "b.png".into(), ..site() };
        let twin = MediaFile { name: "sub/é site.png".into(), ..site() };
        let manifest = read(write(&[nameless, site(), addressless, twin]).as_bytes()).unwrap();
        assert_eq!(manifest.files, [site()]);
        let broken: Vec<_> = manifest.broken.iter().map(|entry| (entry.position, entry.error.kind())).collect();
        assert_eq!(
            broken,
            [(1, ErrorKind::UnsafeFileName), (3, ErrorKind::BrokenEntry), (4, ErrorKind::UnsafeFileName)]
        );
    }

    #[test]
    fn a_hash_is_a_token_or_none() {
        let rows = [
            ("<hash>md5:00ff</hash>", Some("md5:00ff")),
            ("<hash>00FF</hash>", Some("00FF")),
            ("<hash>MD5:00FF</hash>", Some("MD5:00FF")),
            ("<hash>md5:00ff-1700000000</hash>", Some("md5:00ff-1700000000")),
            ("<hash>md5:</hash>", None),
            ("<hash> MD5: </hash>", None),
            ("<hash/>", None),
            ("", None),
        ];
        for (hash, expected) in rows {
            let body = format!(
                "<manifest xmlns=\"{NAMESPACE}\"><mediaFile><filename>https://h.test/data/l.csv</filename>{hash}\
                 <downloadUrl>https://h.test/0?group=.</downloadUrl></mediaFile></manifest>"
            );
            let file = read(body.as_bytes()).unwrap().files.remove(0);
            assert_eq!((file.name.as_str(), file.hash.as_deref()), ("l.csv", expected), "{hash}");
        }
    }

    #[test]
    fn another_document_is_not_a_server() {
        for body in ["<html/>", "<manifest/>", "", "{}"] {
            assert_eq!(read(body.as_bytes()).unwrap_err().kind(), ErrorKind::NotAServer, "{body}");
        }
    }
}
