//! Walking a document by local names: enough to read the facts of a form and of a record.

use std::borrow::Cow;
use veldwerk::ids::ElementId;
use veldwerk::xml::{Document, Names, Namespace};
use veldwerk::{Error, ErrorKind, Result};

/// A document with its names.
#[derive(Debug)]
pub(crate) struct Xml {
    document: Document,
    names: Names,
}

impl Xml {
    /// Reads a document in UTF-8, with or without a byte order mark.
    ///
    /// # Errors
    /// `not-xml`.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| Error::new(ErrorKind::NotXml, "it is not UTF-8").caused_by(error))?;
        let mut names = Names::default();
        Ok(Self { document: Document::parse(text.trim_start_matches('\u{feff}').into(), &mut names)?, names })
    }

    /// The root element.
    pub(crate) fn root(&self) -> Node<'_> {
        Node { xml: self, id: self.document.root() }
    }

    /// Every element in document order.
    pub(crate) fn elements(&self) -> impl Iterator<Item = Node<'_>> {
        self.document.elements().map(|(id, _)| Node { xml: self, id })
    }
}

/// An element, read in place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'a> {
    xml: &'a Xml,
    id: ElementId,
}

impl<'a> Node<'a> {
    /// The local name.
    pub(crate) fn name(self) -> &'a str {
        self.xml.names.get(self.xml.document.element(self.id).name)
    }

    /// The elements directly inside.
    pub(crate) fn children(self) -> impl Iterator<Item = Node<'a>> {
        self.xml.document.children(self.id).map(move |id| Node { xml: self.xml, id })
    }

    /// The first element called `name` directly inside.
    pub(crate) fn child(self, name: &str) -> Option<Node<'a>> {
        self.children().find(|child| child.name() == name)
    }

    /// Local names and values of the attributes, without namespace declarations and JavaRosa's own (`jr:template`).
    pub(crate) fn attributes(self) -> impl Iterator<Item = (&'a str, String)> {
        let document = &self.xml.document;
        let declares = |name: &str| name == "xmlns" || name.starts_with("xmlns:");
        document
            .attributes(self.id)
            .iter()
            .filter(move |one| !declares(document.attribute_name(one)) && one.namespace != Namespace::JavaRosa)
            .map(move |attribute| {
                (self.xml.names.get(attribute.name), document.attribute_value(attribute).into_owned())
            })
    }

    /// The value of the first attribute with this local name.
    pub(crate) fn attribute(self, name: &str) -> Option<Cow<'a, str>> {
        let wanted = self.xml.names.find(name)?;
        let document = &self.xml.document;
        let found = document.attributes(self.id).iter().find(|attribute| attribute.name == wanted)?;
        Some(document.attribute_value(found))
    }

    /// The id of the form, if this is the root of its records.
    pub(crate) fn form_id(self) -> Option<String> {
        self.xml.document.form_id(self.id, &self.xml.names)
    }

    /// What a path from the document's root leads to, with this element as the root: `/data/birds[2]/bird`.
    pub(crate) fn at(self, path: &str) -> Option<Node<'a>> {
        let mut steps = path.split('/').skip(1);
        let mut node = Some(self).filter(|root| steps.next() == Some(root.name()))?;
        for step in steps {
            let (name, position) = match step.strip_suffix(']').and_then(|step| step.split_once('[')) {
                Some((name, position)) => (name, position.parse().ok()?),
                None => (step, 1_usize),
            };
            node = node.children().filter(|child| child.name() == name).nth(position.checked_sub(1)?)?;
        }
        Some(node)
    }

    /// The text directly inside.
    pub(crate) fn text(self) -> Cow<'a, str> {
        self.xml.document.text(self.id)
    }
}
