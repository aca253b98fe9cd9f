use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{NameId, Names, is_name};
use crate::ids::{ElementId, IndexVec};
use crate::{Error, ErrorKind, Result};

/// Deeper documents are refused: the functions that walk a document call themselves once a level.
const MAX_DEPTH: usize = 256;

/// The most bytes of a document.
const MAX_BYTES: usize = 128 << 20;

/// The most elements of a document, and the most attributes: some hundred megabytes.
const MAX_PARTS: usize = 3_000_000;

/// The most attributes of one element, and the most namespaces declared around one: each is looked for among them.
const MAX_ATTRIBUTES: usize = 1_000;

/// The namespaces an XForm is made of (xforms.md §1); any other is `Other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the namespace of its name")]
pub enum Namespace {
    None,
    XForms,
    Xhtml,
    JavaRosa,
    OpenRosa,
    Odk,
    Entities,
    XmlEvents,
    Other,
}

impl Namespace {
    fn of(uri: &str) -> Self {
        match uri {
            "" => Self::None,
            "http://www.w3.org/2002/xforms" => Self::XForms,
            "http://www.w3.org/1999/xhtml" => Self::Xhtml,
            "http://openrosa.org/javarosa" => Self::JavaRosa,
            "http://openrosa.org/xforms" => Self::OpenRosa,
            "http://www.opendatakit.org/xforms" => Self::Odk,
            "http://www.opendatakit.org/xforms/entities" => Self::Entities,
            "http://www.w3.org/2001/xml-events" => Self::XmlEvents,
            _ => Self::Other,
        }
    }
}

/// One attribute; namespace declarations are kept as attributes too, so that a record can declare them again.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Namespace of the name; `None` without a prefix.
    pub namespace: Namespace,
    /// Local name.
    pub name: NameId,
    qualified: Range<u32>,
    value: Range<u32>,
}

/// One element. Text stays where it is, as a range of the source.
#[derive(Clone, Debug)]
pub struct Element {
    /// Namespace of the name.
    pub namespace: Namespace,
    /// Local name.
    pub name: NameId,
    /// The element around it, none for the root.
    pub parent: Option<ElementId>,
    first_child: Option<ElementId>,
    next: Option<ElementId>,
    attributes: Range<u32>,
    qualified: Range<u32>,
    content: Range<u32>,
}

/// A parsed document over its own source text: elements in an arena, texts and attribute values as ranges.
#[derive(Clone, Debug)]
pub struct Document {
    source: Arc<str>,
    elements: IndexVec<ElementId, Element>,
    attributes: Vec<Attribute>,
}

impl Document {
    /// Reads a document in one pass.
    ///
    /// # Errors
    /// [`ErrorKind::NotXml`] if it is not well-formed or has no root element, [`ErrorKind::TooLarge`] beyond the limits of size
    /// and depth.
    pub fn parse(source: Arc<str>, names: &mut Names) -> Result<Self> {
        // The reader would skip a byte order mark without counting it.
        let source = source.strip_prefix('\u{feff}').map(Arc::from).unwrap_or(source);
        if source.len() > MAX_BYTES {
            return Err(Error::new(ErrorKind::TooLarge, format!("more than {MAX_BYTES} bytes")));
        }
        let mut builder = Builder::new(&source, names);
        if let Err((at, what)) = builder.run() {
            let kind = if builder.is_too_large { ErrorKind::TooLarge } else { ErrorKind::NotXml };
            return Err(Error::new(kind, format!("{what}, at byte {at}")));
        }
        let (elements, attributes) = (builder.elements, builder.attributes);
        if elements.is_empty() {
            return Err(Error::new(ErrorKind::NotXml, "there is no element"));
        }
        Ok(Self { source, elements, attributes })
    }

    /// The root element.
    #[must_use]
    pub fn root(&self) -> ElementId {
        ElementId(0)
    }

    /// One element.
    #[must_use]
    pub fn element(&self, id: ElementId) -> &Element {
        &self.elements[id]
    }

    /// Every element in document order.
    pub fn elements(&self) -> impl Iterator<Item = (ElementId, &Element)> {
        self.elements.iter()
    }

    /// The child elements in order.
    pub fn children(&self, id: ElementId) -> impl Iterator<Item = ElementId> {
        let mut next = self.elements[id].first_child;
        std::iter::from_fn(move || {
            let current = next?;
            next = self.elements[current].next;
            Some(current)
        })
    }

    /// Whether there is a child element.
    #[must_use]
    pub fn has_children(&self, id: ElementId) -> bool {
        self.elements[id].first_child.is_some()
    }

    /// The elements inside an element, at every depth.
    pub fn below(&self, id: ElementId) -> impl Iterator<Item = ElementId> {
        let mut pending: Vec<_> = self.children(id).collect();
        std::iter::from_fn(move || {
            let next = pending.pop()?;
            pending.extend(self.children(next));
            Some(next)
        })
    }

    /// How many elements and attributes there are in (and at) an element.
    #[must_use]
    pub fn n_nodes(&self, id: ElementId) -> usize {
        std::iter::once(id).chain(self.below(id)).map(|id| 1 + self.attributes(id).len()).sum()
    }

    /// The name as written, prefix included.
    #[must_use]
    pub fn qualified_name(&self, id: ElementId) -> &str {
        self.slice(&self.elements[id].qualified)
    }

    /// The attributes in order.
    #[must_use]
    pub fn attributes(&self, id: ElementId) -> &[Attribute] {
        let range = &self.elements[id].attributes;
        self.attributes.get(range.start as usize..range.end as usize).unwrap_or_default()
    }

    /// The attributes of an element with their places among all of the document, declarations of namespaces left out.
    pub fn numbered_attributes(&self, id: ElementId) -> impl Iterator<Item = (usize, &Attribute)> {
        let first = self.elements[id].attributes.start as usize;
        let numbered = self.attributes(id).iter().enumerate();
        let numbered = numbered.filter(|(_, attribute)| !self.attribute_name(attribute).starts_with("xmlns"));
        numbered.map(move |(index, attribute)| (first + index, attribute))
    }

    /// The attribute at a place among all of the document, with the element it stands on.
    #[must_use]
    pub fn numbered_attribute(&self, number: usize) -> Option<(ElementId, &Attribute)> {
        let attribute = self.attributes.get(number)?;
        // Elements stand in the order of their attributes.
        let owner = self.elements.partition_point(|element| element.attributes.end as usize <= number);
        Some((owner, attribute))
    }

    /// How many elements there are.
    #[must_use]
    pub fn n_elements(&self) -> usize {
        self.elements.len()
    }

    /// The value of an attribute, entities resolved.
    #[must_use]
    pub fn attribute(&self, id: ElementId, namespace: Namespace, name: Option<NameId>) -> Option<Cow<'_, str>> {
        let name = name?;
        let found = self.attributes(id).iter().find(|a| a.name == name && a.namespace == namespace)?;
        Some(self.attribute_value(found))
    }

    /// The value of an attribute of this document, entities resolved.
    #[must_use]
    pub fn attribute_value(&self, attribute: &Attribute) -> Cow<'_, str> {
        unescape(self.slice(&attribute.value))
    }

    /// The name of an attribute of this document as written, prefix included.
    #[must_use]
    pub fn attribute_name(&self, attribute: &Attribute) -> &str {
        self.slice(&attribute.qualified)
    }

    /// The namespace that the name of an element stands in, as it is declared; empty for none.
    #[must_use]
    pub fn namespace_uri(&self, id: ElementId) -> Cow<'_, str> {
        let (prefix, _) = split(self.qualified_name(id));
        let declares = |name: &str| match name.strip_prefix("xmlns:") {
            Some(declared) => declared == prefix,
            None => name == "xmlns" && prefix.is_empty(),
        };
        let around = std::iter::successors(Some(id), |&element| self.elements[element].parent);
        let mut attributes = around.flat_map(|element| self.attributes(element));
        let declared = attributes.find(|attribute| declares(self.attribute_name(attribute)));
        declared.map(|attribute| self.attribute_value(attribute)).unwrap_or_default()
    }

    /// The id of the form that a record is of, by the record's root: its `id`, else a namespace of its own, as in JavaRosa. None
    /// if there is neither; the namespaces of XForms belong to every form.
    #[must_use]
    pub fn form_id(&self, root: ElementId, names: &Names) -> Option<String> {
        let id = self.attribute(root, Namespace::None, names.find("id")).unwrap_or_default();
        let has_namespace = self.elements[root].namespace == Namespace::Other;
        let namespace = || if has_namespace { self.namespace_uri(root) } else { Cow::Borrowed("") };
        let found = if id.trim().is_empty() { namespace() } else { id };
        Some(found.trim().to_owned()).filter(|id| !id.is_empty())
    }

    /// What an element must declare that stands alone: every prefix that is declared at it, around it or in it, each with the
    /// namespace that comes first in this order.
    #[must_use]
    pub fn prefixes(&self, root: ElementId) -> Vec<(&str, Cow<'_, str>)> {
        let mut found: Vec<(&str, Cow<'_, str>)> = Vec::new();
        let mut seen = HashSet::new();
        let around = std::iter::successors(Some(root), |&element| self.elements[element].parent);
        for attribute in around.chain(self.below(root)).flat_map(|element| self.attributes(element)) {
            if let Some(prefix) = self.attribute_name(attribute).strip_prefix("xmlns:")
                && seen.insert(prefix)
            {
                found.push((prefix, self.attribute_value(attribute)));
            }
        }
        found
    }

    /// Everything between the start and the end tag, as written.
    #[must_use]
    pub fn content(&self, id: ElementId) -> &str {
        self.slice(&self.elements[id].content)
    }

    /// The text of an element without child elements, entities resolved; for one with children the text around them.
    #[must_use]
    pub fn text(&self, id: ElementId) -> Cow<'_, str> {
        let content = self.content(id);
        if !content.contains('<') {
            return unescape(content);
        }
        let mut text = String::new();
        for piece in self.pieces(id) {
            if let Piece::Text(piece) = piece {
                text.push_str(&piece);
            }
        }
        Cow::Owned(text)
    }

    /// Mixed content in order: texts and child elements.
    #[must_use]
    pub fn pieces(&self, id: ElementId) -> Vec<Piece<'_>> {
        let content = self.content(id);
        if !content.contains('<') {
            return if content.is_empty() { Vec::new() } else { vec![Piece::Text(unescape(content))] };
        }
        let mut pieces: Vec<Piece<'_>> = Vec::new();
        let mut children = self.children(id);
        let mut reader = Reader::from_str(content);
        let mut depth = 0_usize;
        let push = |pieces: &mut Vec<Piece<'_>>, text: &str| match pieces.last_mut() {
            Some(Piece::Text(last)) => last.to_mut().push_str(text),
            _ => pieces.push(Piece::Text(Cow::Owned(text.to_owned()))),
        };
        loop {
            match reader.read_event() {
                Ok(Event::Start(_)) => {
                    if depth == 0 {
                        pieces.extend(children.next().map(Piece::Element));
                    }
                    depth += 1;
                }
                Ok(Event::Empty(_)) if depth == 0 => pieces.extend(children.next().map(Piece::Element)),
                Ok(Event::End(_)) => depth = depth.saturating_sub(1),
                Ok(Event::Text(text)) if depth == 0 => push(&mut pieces, &text),
                Ok(Event::CData(text)) if depth == 0 => push(&mut pieces, &text),
                Ok(Event::GeneralRef(name)) if depth == 0 => {
                    let reference = format!("&{};", &*name);
                    push(&mut pieces, &unescape(&reference));
                }
                Ok(Event::Eof) | Err(_) => return pieces,
                Ok(_) => {}
            }
        }
    }

    fn slice(&self, range: &Range<u32>) -> &str {
        self.source.get(range.start as usize..range.end as usize).unwrap_or_default()
    }
}

/// A part of mixed content.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece<'a> {
    /// Text, entities resolved.
    Text(Cow<'a, str>),
    /// A child element.
    Element(ElementId),
}

/// Text with its entities resolved; one that does not exist stays as written.
fn unescape(raw: &str) -> Cow<'_, str> {
    if raw.contains('&') { quick_xml::escape::unescape(raw).unwrap_or(Cow::Borrowed(raw)) } else { Cow::Borrowed(raw) }
}

struct Builder<'a> {
    source: &'a str,
    names: &'a mut Names,
    elements: IndexVec<ElementId, Element>,
    attributes: Vec<Attribute>,
    /// Open elements, each with its last child so far.
    open: Vec<(ElementId, Option<ElementId>)>,
    /// Prefixes in scope: (depth, prefix, namespace), innermost last.
    scope: Vec<(usize, &'a str, Namespace)>,
    /// Whether what is wrong with it is its size.
    is_too_large: bool,
}

type Problem = (u64, String);

impl<'a> Builder<'a> {
    fn new(source: &'a str, names: &'a mut Names) -> Self {
        let expected = source.len() / 40;
        let attributes = Vec::with_capacity(expected / 2);
        Self {
            source,
            names,
            elements: IndexVec::default(),
            attributes,
            open: Vec::new(),
            scope: Vec::new(),
            is_too_large: false,
        }
    }

    fn run(&mut self) -> Result<(), Problem> {
        let mut reader = Reader::from_str(self.source);
        reader.config_mut().check_comments = false;
        loop {
            let event = reader.read_event().map_err(|error| (reader.error_position(), error.to_string()))?;
            let after = u32::try_from(reader.buffer_position()).unwrap_or(u32::MAX);
            match event {
                Event::Start(tag) => {
                    let id = self.element(&tag, after).map_err(|what| (u64::from(after), what))?;
                    let is_within = self.open.len() < MAX_DEPTH;
                    self.check_size(is_within, MAX_DEPTH, "levels").map_err(|what| (u64::from(after), what))?;
                    self.open.push((id, None));
                }
                Event::Empty(tag) => {
                    self.element(&tag, after).map_err(|what| (u64::from(after), what))?;
                    self.leave(self.open.len() + 1);
                }
                Event::End(tag) => {
                    let end = self.range(tag.name().into_inner()).start.saturating_sub(2); // `</`
                    if let Some((id, _)) = self.open.pop() {
                        self.elements[id].content.end = end;
                    }
                    self.leave(self.open.len() + 1);
                }
                Event::Eof if self.open.is_empty() => return Ok(()),
                Event::Eof => return Err((u64::from(after), "an element is not closed".into())),
                Event::Text(text) if self.open.is_empty() && !text.trim_ascii().is_empty() => {
                    return Err((u64::from(after), "text stands outside the root element".into()));
                }
                _ => {}
            }
        }
    }

    fn element(&mut self, tag: &BytesStart<'a>, after: u32) -> Result<ElementId, String> {
        let depth = self.open.len() + 1;
        let attributes = self.read_attributes(tag, depth)?;
        self.check_size(self.elements.len() < MAX_PARTS, MAX_PARTS, "elements")?;
        let (prefix, local) = self.checked(tag.name().into_inner())?;
        let namespace = self.resolve(prefix, true);
        let parent = self.open.last().map(|&(id, _)| id);
        if parent.is_none() && !self.elements.is_empty() {
            return Err("there is more than one root element".into());
        }
        let name = self.names.intern(local);
        let id = self.elements.push(Element {
            namespace,
            name,
            parent,
            first_child: None,
            next: None,
            attributes,
            qualified: self.range(tag.name().into_inner()),
            content: after..after,
        });
        if let Some((parent, last)) = self.open.last_mut() {
            match last.replace(id) {
                Some(previous) => self.elements[previous].next = Some(id),
                None => self.elements[*parent].first_child = Some(id),
            }
        }
        Ok(id)
    }

    fn read_attributes(&mut self, tag: &BytesStart<'a>, depth: usize) -> Result<Range<u32>, String> {
        let start = self.attributes.len();
        let mut prefixed = false;
        for attribute in tag.attributes().with_checks(false) {
            let attribute = attribute.map_err(|error| error.to_string())?;
            let key = attribute.key.into_inner();
            let (prefix, local) = split(key);
            if key == "xmlns" || prefix == "xmlns" {
                let declared = if key == "xmlns" { "" } else { local };
                // The tag borrows the source, so the key is found in it again and outlives the event.
                let declared = self.source_slice(declared);
                self.scope.push((depth, declared, Namespace::of(&attribute.value)));
            }
            let n_own = self.attributes.len() - start;
            self.check_size(n_own.max(self.scope.len()) < MAX_ATTRIBUTES, MAX_ATTRIBUTES, "attributes")?;
            self.check_size(self.attributes.len() < MAX_PARTS, MAX_PARTS, "attributes")?;
            prefixed |= !prefix.is_empty();
            let name = self.names.intern(local);
            let (qualified, value) = (self.range(key), self.range(&attribute.value));
            self.attributes.push(Attribute { namespace: Namespace::None, name, qualified, value });
        }
        // Only now are all declarations of this tag known.
        let mut keys = Vec::with_capacity(self.attributes.len() - start);
        for index in start..self.attributes.len() {
            let qualified = self.attributes[index].qualified.clone();
            let key = self.source.get(qualified.start as usize..qualified.end as usize).unwrap_or_default();
            let (prefix, _) = self.checked(key)?;
            if prefixed {
                self.attributes[index].namespace = self.resolve(prefix, false);
            }
            keys.push(key);
        }
        keys.sort_unstable();
        match keys.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(format!("the attribute {} stands twice", pair[0])),
            None => Ok(to_u32(start)..to_u32(self.attributes.len())),
        }
    }

    /// Prefix and local name, if they are names of XML and the prefix is declared: what another program would not read is not
    /// read here either, or it would be written into a record that no server takes.
    fn checked<'n>(&self, qualified: &'n str) -> Result<(&'n str, &'n str), String> {
        let (prefix, local) = split(qualified);
        let is_plain = prefix.is_empty() && !qualified.starts_with(':');
        if !is_name(local) || !(is_plain || is_name(prefix)) {
            return Err("a name is none of XML".into());
        }
        let is_declared = is_plain
            || matches!(prefix, "xml" | "xmlns")
            || self.scope.iter().rev().any(|(_, declared, _)| *declared == prefix);
        if is_declared { Ok((prefix, local)) } else { Err(format!("the prefix {prefix} is not declared")) }
    }

    fn check_size(&mut self, is_within: bool, most: usize, of: &str) -> Result<(), String> {
        self.is_too_large |= !is_within;
        if is_within { Ok(()) } else { Err(format!("more than {most} {of}")) }
    }

    fn resolve(&self, prefix: &str, element: bool) -> Namespace {
        if prefix.is_empty() && !element {
            return Namespace::None;
        }
        let found = self.scope.iter().rev().find(|(_, declared, _)| *declared == prefix);
        found.map_or(if prefix.is_empty() { Namespace::None } else { Namespace::Other }, |&(_, _, namespace)| namespace)
    }

    fn leave(&mut self, depth: usize) {
        while self.scope.last().is_some_and(|&(declared, ..)| declared >= depth) {
            self.scope.pop();
        }
    }

    /// Where a slice that quick-xml cut out of the source lies in it.
    fn range(&self, slice: &str) -> Range<u32> {
        let start = (slice.as_ptr() as usize).wrapping_sub(self.source.as_ptr() as usize);
        to_u32(start)..to_u32(start.wrapping_add(slice.len()))
    }

    fn source_slice(&self, slice: &str) -> &'a str {
        let range = self.range(slice);
        self.source.get(range.start as usize..range.end as usize).unwrap_or_default()
    }
}

fn to_u32(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// Prefix (empty if none) and local name.
fn split(name: &str) -> (&str, &str) {
    name.split_once(':').unwrap_or(("", name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(source: &str) -> (Document, Names) {
        let mut names = Names::default();
        (Document::parse(source.into(), &mut names).unwrap(), names)
    }

    #[test]
    fn what_no_xml_parser_takes_is_refused_with_its_place() {
        for (source, what) in [
            ("<d><1/></d>", "a name is none of XML, at byte 7"),
            ("<d><-a/></d>", "a name is none of XML, at byte 8"),
            ("<d><a&b/></d>", "a name is none of XML, at byte 9"),
            ("<d><a:b:c xmlns:a='u'/></d>", "a name is none of XML, at byte 23"),
            ("<d><:a/></d>", "a name is none of XML, at byte 8"),
            ("<d 1='x'/>", "a name is none of XML, at byte 10"),
            ("<d><orx:meta/></d>", "the prefix orx is not declared, at byte 14"),
            ("<d><a xmlns:p='u'/><p:b/></d>", "the prefix p is not declared, at byte 25"),
            ("<d jr:count='1'/>", "the prefix jr is not declared, at byte 17"),
            ("<d a='1' b='2' a='3'/>", "the attribute a stands twice, at byte 22"),
        ] {
            let error = Document::parse(source.into(), &mut Names::default()).unwrap_err();
            assert_eq!((error.kind(), error.detail()), (ErrorKind::NotXml, what), "{source}");
        }
        for source in
            ["<p:d xmlns:p='u' xml:lang='nl' p:a='1' a='2'/>", "<ሀ-1.b_ü/>", "<d xmlns='u' xmlns:p='v'><p:a/></d>"]
        {
            assert!(Document::parse(source.into(), &mut Names::default()).is_ok(), "{source}");
        }
    }

    #[test]
    fn texts_are_ranges_and_entities_resolve() {
        let (doc, names) =
            parse("<a xmlns:jr='http://openrosa.org/javarosa'><b jr:x='1 &lt; 2'> t &amp; u </b><b ></b  ></a>");
        let b: Vec<_> = doc.children(doc.root()).collect();
        assert_eq!(doc.text(b[0]), " t & u ");
        assert_eq!(doc.attribute(b[0], Namespace::JavaRosa, names.find("x")).unwrap(), "1 < 2");
        assert_eq!(doc.attribute(b[0], Namespace::None, names.find("x")), None);
        assert_eq!(doc.content(b[1]), "");
    }

    #[test]
    fn mixed_content_keeps_its_order() {
        let (doc, names) = parse("<v>Hi <output value='x'/>, &lt;b&gt; <o>no</o><![CDATA[<c>]]></v>");
        let pieces = doc.pieces(doc.root());
        let shown: Vec<_> = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.to_string(),
                Piece::Element(id) => format!("[{}]", names.get(doc.element(*id).name)),
            })
            .collect();
        assert_eq!(shown, ["Hi ", "[output]", ", <b> ", "[o]", "<c>"]);
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        let (doc, _) = parse("\u{feff}<?xml version='1.0'?><a><b>x</b></a>");
        assert_eq!(doc.text(doc.children(doc.root()).next().unwrap()), "x");
    }

    #[test]
    fn broken_documents_are_refused() {
        for broken in ["", "   ", "text", "<a>", "<a></b>", "<a/><b/>", "<a", "<a></a></a>", "<a b=></a>", "&lt;"] {
            let error = Document::parse(broken.into(), &mut Names::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotXml, "{broken}");
        }
        let deep = "<a>".repeat(100_000);
        assert!(Document::parse(deep.into(), &mut Names::default()).is_err());
    }

    #[test]
    fn a_form_is_named_by_its_id_or_by_a_namespace_of_its_own() {
        for (source, id) in [
            ("<d id=' a '/>", Some("a")),
            ("<d id='a' xmlns='urn:x'/>", Some("a")),
            ("<d xmlns=' urn:x '/>", Some("urn:x")),
            ("<d id=' ' xmlns='urn:x&amp;y'/>", Some("urn:x&y")),
            ("<p:d xmlns='urn:x' xmlns:p='urn:y'/>", Some("urn:y")),
            ("<d xmlns:p='urn:y' p:id='b'/>", None),
            ("<d/>", None),
            ("<d xmlns='http://www.w3.org/2002/xforms'/>", None),
            ("<d xmlns='http://www.w3.org/1999/xhtml'/>", None),
        ] {
            let (doc, names) = parse(source);
            assert_eq!(doc.form_id(doc.root(), &names).as_deref(), id, "{source}");
        }
    }

    #[test]
    fn namespaces_end_with_their_element() {
        let (doc, _) = parse("<a xmlns='http://www.w3.org/2002/xforms'><b xmlns=''/><c/></a>");
        let spaces: Vec<_> = doc.elements().map(|(_, element)| element.namespace).collect();
        assert_eq!(spaces, [Namespace::XForms, Namespace::None, Namespace::XForms]);
    }
}
