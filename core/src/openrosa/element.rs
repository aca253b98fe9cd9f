use crate::error::{Error, ErrorKind, Result};
use quick_xml::escape::{escape, resolve_predefined_entity};
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::{NsReader, XmlVersion};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Deeper documents are no protocol documents; the limit keeps a hostile one from filling the memory.
const MAX_DEPTH: usize = 16;
/// More elements and attributes than any server lists: ten thousand forms have a third of it. The limit keeps a small document
/// from becoming a huge tree.
const MAX_NODES: usize = 1 << 18;

/// An element of a protocol document: these are small and shallow, so they are simply held as a tree.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) namespace: Arc<str>,
    attributes: Vec<(String, String)>,
    text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    fn new(name: String, namespace: Arc<str>) -> Self {
        Self { name, namespace, attributes: Vec::new(), text: String::new(), children: Vec::new() }
    }

    /// The root element of `body`.
    ///
    /// # Errors
    /// [`ErrorKind::NotXml`].
    pub(super) fn read(body: &[u8]) -> Result<Self> {
        let text = decoded(body);
        let mut reader = NsReader::from_str(text.trim_start_matches('\u{feff}').trim_start());
        let mut names = Names::default();
        let mut open: Vec<Self> = vec![Self::new(String::new(), names.shared(""))];
        let mut left = MAX_NODES;
        loop {
            let (namespace, event) = reader.read_resolved_event().map_err(not_xml)?;
            match event {
                Event::Start(start) if open.len() <= MAX_DEPTH => {
                    open.push(Self::start(names.of(&namespace), &start, &mut left)?);
                }
                Event::Start(_) => return Err(Error::new(ErrorKind::NotXml, "nested too deeply")),
                Event::Empty(start) => {
                    let element = Self::start(names.of(&namespace), &start, &mut left)?;
                    innermost(&mut open)?.children.push(element);
                }
                Event::End(_) => {
                    let element = open.pop().ok_or(ErrorKind::NotXml)?;
                    innermost(&mut open)?.children.push(element);
                }
                Event::Text(text) => innermost(&mut open)?.text.push_str(&text.xml10_content()),
                Event::CData(text) => innermost(&mut open)?.text.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => {
                    let text = &mut innermost(&mut open)?.text;
                    match reference.resolve_char_ref().map_err(not_xml)? {
                        Some(character) => text.push(character),
                        None => text.push_str(resolve_predefined_entity(&reference).ok_or(ErrorKind::NotXml)?),
                    }
                }
                Event::Eof => break,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
        let outside = open.pop().filter(|_| open.is_empty()).ok_or(ErrorKind::NotXml)?;
        outside.children.into_iter().next().ok_or_else(|| ErrorKind::NotXml.into())
    }

    fn start(namespace: Arc<str>, start: &BytesStart<'_>, left: &mut usize) -> Result<Self> {
        let mut element = Self::new(start.local_name().as_ref().to_owned(), namespace);
        take_one(left)?;
        for attribute in start.attributes() {
            take_one(left)?;
            let attribute = attribute.map_err(not_xml)?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(not_xml)?;
            element.attributes.push((attribute.key.local_name().as_ref().to_owned(), value.into_owned()));
        }
        Ok(element)
    }

    pub(super) fn is(&self, name: &str, namespace: &str) -> bool {
        self.name == name && *self.namespace == *namespace
    }

    pub(super) fn text(&self) -> &str {
        self.text.trim()
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The trimmed text of the first child called `name`; `None` where it is missing or empty.
    pub(super) fn child_text(&self, name: &str) -> Option<&str> {
        self.child(name).map(Self::text).filter(|text| !text.is_empty())
    }
}

/// The text of a document: UTF-8, or what its bytes or its declaration say. Old servers write Latin-1.
fn decoded(body: &[u8]) -> Cow<'_, str> {
    let units = |from: fn([u8; 2]) -> u16| -> Vec<u16> {
        body.chunks_exact(2).filter_map(|pair| Some(from(pair.try_into().ok()?))).collect()
    };
    match body {
        [0xff, 0xfe, ..] => String::from_utf16_lossy(&units(u16::from_le_bytes)).into(),
        [0xfe, 0xff, ..] => String::from_utf16_lossy(&units(u16::from_be_bytes)).into(),
        // Every byte is the character of that number.
        _ if str::from_utf8(body).is_err() && declares_latin(body) => {
            body.iter().map(|&byte| char::from(byte)).collect::<String>().into()
        }
        _ => String::from_utf8_lossy(body),
    }
}

fn declares_latin(body: &[u8]) -> bool {
    let start = String::from_utf8_lossy(body.get(..200).unwrap_or(body)).to_ascii_lowercase();
    let declared = start.split_once("encoding=").map_or("", |(_, rest)| rest.trim_start_matches(['"', '\'']));
    ["iso-8859-1", "latin1", "latin-1", "windows-1252"].iter().any(|name| declared.starts_with(name))
}

/// The namespaces of a document, each held once.
#[derive(Default)]
struct Names(BTreeSet<Arc<str>>);

impl Names {
    fn of(&mut self, namespace: &ResolveResult<'_>) -> Arc<str> {
        match namespace {
            ResolveResult::Bound(namespace) => self.shared(namespace.0),
            ResolveResult::Unbound | ResolveResult::Unknown(_) => self.shared(""),
        }
    }

    fn shared(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.0.insert(Arc::clone(&name));
        name
    }
}

fn take_one(left: &mut usize) -> Result<()> {
    *left = left.checked_sub(1).ok_or_else(|| Error::new(ErrorKind::NotXml, "too many elements"))?;
    Ok(())
}

/// `<name>text</name>`, escaped.
pub(super) fn write_child(document: &mut String, name: &str, text: &str) {
    document.push_str(&format!("<{name}>{}</{name}>", escape(text)));
}

fn innermost(open: &mut [Element]) -> Result<&mut Element> {
    open.last_mut().ok_or_else(|| ErrorKind::NotXml.into())
}

fn not_xml(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::from(ErrorKind::NotXml).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_namespaces_attributes_and_references() {
        let body = "\u{feff}\n<?xml version='1.0'?><!-- c --><p:a xmlns:p='urn:p' k='1 &lt; 2'>x&#x2F;y &amp; <![CDATA[<z>]]><b/></p:a>";
        let root = Element::read(body.as_bytes()).unwrap();
        assert!(root.is("a", "urn:p"));
        assert_eq!(root.attribute("k"), Some("1 < 2"));
        assert_eq!(root.text(), "x/y & <z>");
        assert_eq!(root.child_text("b"), None);
        assert!(root.child("b").is_some());
    }

    #[test]
    fn a_document_is_read_in_the_encoding_it_declares() {
        let latin = b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>Gr\xf6\xdfe</a>";
        assert_eq!(Element::read(latin).unwrap().text(), "Größe");
        let wide = "<a>Größe</a>".encode_utf16();
        let little: Vec<u8> = [0xff, 0xfe].into_iter().chain(wide.clone().flat_map(u16::to_le_bytes)).collect();
        let big: Vec<u8> = [0xfe, 0xff].into_iter().chain(wide.flat_map(u16::to_be_bytes)).collect();
        for body in [&little[..], &big, "<a>Größe</a>".as_bytes()] {
            assert_eq!(Element::read(body).unwrap().text(), "Größe");
        }
        assert_eq!(Element::read(b"<a>Gr\xf6</a>").unwrap().text(), "Gr\u{fffd}", "said to be UTF-8");
    }

    #[test]
    fn hostile_documents_are_refused() {
        let bomb = "<!DOCTYPE a [<!ENTITY b \"bbbb\">]><a>&b;</a>".to_owned();
        let deep = "<a>".repeat(100_000);
        let many = format!("<a>{}</a>", "<b/>".repeat(MAX_NODES));
        for body in ["", "text", "<a>", "<a></b>", "</a>", "<a b=1/>", &bomb, &deep, &many, "{\"a\":1}"] {
            assert_eq!(Element::read(body.as_bytes()).unwrap_err().kind(), ErrorKind::NotXml);
        }
    }
}
