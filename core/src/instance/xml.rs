use super::Tree;
use crate::form::{FormDef, MAX_NODES, Template};
use crate::ids::{DefId, ElementId, NodeId};
use crate::xml::{Document, NameId, Names, Namespace, escape_attribute, escape_text};
use crate::{Error, ErrorKind, Result};

/// The two ways a record is written (session.md, Two writers).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// Everything, whatever its relevance: snapshots and last-saved.
    Draft,
    /// Without the subtrees that are not relevant: what is sent.
    Submission,
}

impl Writer {
    /// The record as XML. The same record always gives the same bytes.
    #[must_use]
    pub fn write(self, form: &FormDef, tree: &Tree) -> String {
        let mut out = String::from("<?xml version='1.0' encoding='UTF-8' ?>");
        self.element(form, tree, tree.root(), &mut out);
        out
    }

    fn element(self, form: &FormDef, tree: &Tree, id: NodeId, out: &mut String) {
        let node = tree.node(id);
        let definition = &form.nodes[node.def];
        out.push('<');
        out.push_str(&definition.qualified);
        if node.parent.is_none() {
            root_attributes(form, tree, out);
        }
        out.push_str(&definition.declares);
        let mut elements = Vec::new();
        for child in tree.children(id) {
            let child_node = tree.node(child);
            if self == Self::Submission && !child_node.relevant {
                continue;
            }
            let child_definition = &form.nodes[child_node.def];
            if child_definition.is_attribute && node.parent.is_none() {
                // Written with the root's declarations.
            } else if child_definition.is_attribute {
                out.push_str(&format!(" {}=\"", child_definition.qualified));
                escape_attribute(&child_node.value, out);
                out.push('"');
            } else {
                elements.push(child);
            }
        }
        if elements.is_empty() && node.value.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        escape_text(&node.value, out);
        for child in elements {
            self.element(form, tree, child, out);
        }
        out.push_str("</");
        out.push_str(&definition.qualified);
        out.push('>');
    }
}

/// The root keeps its own attributes, with the values they have come to, and declares every prefix of the form that its nodes
/// use.
fn root_attributes(form: &FormDef, tree: &Tree, out: &mut String) {
    let document = &form.document;
    let mut declared = Vec::new();
    for attribute in document.attributes(form.instance) {
        let name = document.attribute_name(attribute);
        // The XForms namespace as the default one belongs to the form, not to the record.
        let is_form_default = name == "xmlns" && document.attribute_value(attribute) == "http://www.w3.org/2002/xforms";
        if is_form_default || attribute.namespace == Namespace::JavaRosa {
            continue;
        }
        declared.push(name.to_owned());
        let mut nodes = tree.children(tree.root()).map(|id| tree.node(id));
        let node = nodes.find(|node| form.nodes[node.def].is_attribute && *form.nodes[node.def].qualified == *name);
        let value = node.map_or_else(|| document.attribute_value(attribute), |node| node.value.as_str().into());
        out.push_str(&format!(" {name}=\""));
        escape_attribute(&value, out);
        out.push('"');
    }
    let used = |prefix: &str| {
        let starts = |name: &str| name.split_once(':').is_some_and(|(used, _)| used == prefix);
        form.nodes.iter().any(|(_, node)| starts(&node.qualified))
            || document.attributes(form.instance).iter().any(|attribute| starts(document.attribute_name(attribute)))
    };
    if let Some((prefix, namespace)) = &form.added_namespace {
        out.push_str(&format!(" xmlns:{prefix}=\""));
        escape_attribute(namespace, out);
        out.push('"');
    }
    // A namespace that stands around the record in the form names its elements, too.
    let namespace = document.namespace_uri(form.instance);
    let has_own = document.element(form.instance).namespace == Namespace::Other;
    if has_own && !form.nodes[form.root()].qualified.contains(':') && !declared.iter().any(|name| name == "xmlns") {
        out.push_str(" xmlns=\"");
        escape_attribute(&namespace, out);
        out.push('"');
    }
    // Also what an element inside declares for itself; one that declares a prefix anew writes that (`NodeDef::declares`).
    for (prefix, namespace) in document.prefixes(form.instance) {
        let name = format!("xmlns:{prefix}");
        if used(prefix) && !declared.contains(&name) {
            out.push_str(&format!(" {name}=\""));
            escape_attribute(&namespace, out);
            out.push('"');
        }
    }
}

/// Reads a written record back into a tree of the form (xforms.md §9): saved repeats replace the form's own, nodes that
/// are missing get the form's defaults and are named in the answer, unknown ones are ignored.
///
/// # Errors
/// [`ErrorKind::UnreadableRecord`] if it is not XML or the root is another form's. One with more than [`MAX_NODES`] nodes is
/// given up half read, with more than these.
pub fn read_record(form: &FormDef, xml: &str) -> Result<Tree> {
    let unreadable = |what: &str| Error::new(ErrorKind::UnreadableRecord, what);
    let mut names: Names = form.names.clone();
    let saved = Document::parse(xml.into(), &mut names).map_err(|error| unreadable("not XML").caused_by(error))?;
    let id = saved.form_id(saved.root(), &names);
    if saved.element(saved.root()).name != form.nodes[form.root()].name || id.as_deref() != Some(&form.id) {
        return Err(unreadable("it belongs to another form"));
    }
    let mut tree = Tree::new(form);
    let root = tree.add(form, form.root(), None);
    Overlay { form, most: MAX_NODES, saved: &saved, names: &names }.fill(
        &mut tree,
        root,
        Some(saved.root()),
        own(form.instance),
    );
    Ok(tree)
}

/// A record with nothing but the form's static defaults.
#[must_use]
pub fn new_record(form: &FormDef) -> Tree {
    let mut tree = Tree::new(form);
    let root = tree.add(form, form.root(), None);
    Overlay::without_saved(form).fill(&mut tree, root, None, own(form.instance));
    tree
}

/// Adds an instance of a repeat, cloned from its template; `None` if the form gives nothing to clone.
pub fn add_instance(form: &FormDef, tree: &mut Tree, parent: NodeId, repeat: DefId) -> Option<NodeId> {
    let template = form.nodes[repeat].template?;
    let node = tree.add(form, repeat, Some(parent));
    Overlay::without_saved(form).fill(tree, node, None, template);
    Some(node)
}

/// An element of the form, to be taken as it stands.
fn own(element: ElementId) -> Template {
    Template { element, blank: false }
}

struct Overlay<'a> {
    form: &'a FormDef,
    /// With more nodes nothing is added any more; whoever wants the record sees that it is too large.
    most: usize,
    saved: &'a Document,
    names: &'a Names,
}

impl<'a> Overlay<'a> {
    fn without_saved(form: &'a FormDef) -> Self {
        Self { form, most: usize::MAX, saved: &form.document, names: &form.names }
    }

    /// Fills a node from its saved element, or from the form's own where there is none.
    fn fill(&self, tree: &mut Tree, node: NodeId, saved: Option<ElementId>, own: Template) {
        let form = self.form;
        if tree.n_slots() > self.most {
            return;
        }
        let def = tree.node(node).def;
        for &attribute in &form.nodes[def].attributes {
            if let Some(value) = self.attribute(attribute, saved, own.element) {
                let id = tree.add(form, attribute, Some(node));
                tree.set_value(id, value);
            }
        }
        if form.nodes[def].children.is_empty() {
            let value = match saved {
                Some(saved) => self.saved.text(saved).into_owned(),
                None if own.blank => String::new(),
                None => form.document.text(own.element).trim().to_owned(),
            };
            tree.set_value(node, value);
        }
        let in_own = ByName::of(&form.document, own.element);
        let in_saved = saved.map(|saved| ByName::of(self.saved, saved));
        for &child in &form.nodes[def].children {
            self.fill_children(tree, node, child, in_saved.as_ref(), &in_own, own);
        }
    }

    /// The value of an attribute: as it is saved, else as the form has it, if it is there at all. What names the form itself is
    /// always the form's.
    fn attribute(&self, attribute: DefId, saved: Option<ElementId>, own: ElementId) -> Option<String> {
        let definition = &self.form.nodes[attribute];
        let name = self.form.names.get(definition.name);
        let saved = saved.filter(|_| own != self.form.instance || !matches!(name, "id" | "version"));
        let find = |document: &Document, names: &Names, element| {
            let known = document.attributes(element).iter();
            let as_written = known.clone().find(|a| document.attribute_name(a) == &*definition.qualified);
            let found = as_written.or_else(|| known.clone().find(|a| names.get(a.name) == name));
            found.map(|found| document.attribute_value(found).into_owned())
        };
        let saved = saved.and_then(|saved| find(self.saved, self.names, saved));
        saved.or_else(|| find(&self.form.document, &self.form.names, own))
    }

    fn fill_children(
        &self,
        tree: &mut Tree,
        parent: NodeId,
        def: DefId,
        in_saved: Option<&ByName>,
        in_own: &ByName,
        own: Template,
    ) {
        let form = self.form;
        let definition = &form.nodes[def];
        let own_elements = in_own.named(definition.name).filter(|&child| !is_template(form, child));
        let own_elements: Vec<_> = own_elements.map(|element| Template { element, ..own }).collect();
        // A name of the form has the same number in what was saved.
        let saved_elements: Vec<_> = in_saved.map(|saved| saved.named(definition.name).collect()).unwrap_or_default();
        let rows_are_saved = in_saved.is_some() && definition.repeat.is_some();
        if !saved_elements.is_empty() || rows_are_saved {
            for (index, element) in saved_elements.into_iter().enumerate() {
                // A row that the form's own part lacks still has a pattern.
                let pattern = own_elements.get(index).copied().or(definition.template);
                let pattern = pattern.or(own_elements.first().copied()).unwrap_or(own);
                let node = tree.add(form, def, Some(parent));
                self.fill(tree, node, Some(element), pattern);
            }
        } else if definition.is_added {
            self.add_empty(tree, parent, def);
        } else if !(own.blank && definition.repeat.is_some()) {
            // How many rows there are inside the first row is an answer too, and left out with the others.
            for element in own_elements {
                let node = tree.add(form, def, Some(parent));
                self.fill(tree, node, None, element);
            }
        }
    }

    /// Adds a node that the form has no element for, and what belongs in it.
    fn add_empty(&self, tree: &mut Tree, parent: NodeId, def: DefId) {
        let node = tree.add(self.form, def, Some(parent));
        for &child in &self.form.nodes[def].children {
            self.add_empty(tree, node, child);
        }
    }
}

/// The child elements of an element by name, those of one name in order.
struct ByName(Vec<(NameId, ElementId)>);

impl ByName {
    fn of(document: &Document, element: ElementId) -> Self {
        let children = document.children(element).map(|child| (document.element(child).name, child));
        let mut children: Vec<_> = children.collect();
        children.sort();
        Self(children)
    }

    fn named(&self, name: NameId) -> impl Iterator<Item = ElementId> + '_ {
        let from = self.0.partition_point(|&(known, _)| known < name);
        self.0.iter().skip(from).take_while(move |&&(known, _)| known == name).map(|&(_, element)| element)
    }
}

fn is_template(form: &FormDef, element: ElementId) -> bool {
    form.document.attribute(element, Namespace::JavaRosa, form.names.find("template")).is_some()
}
