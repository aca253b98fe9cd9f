//! What a form says at the place of a difference.

use veldwerk::form::FormDef;
use veldwerk::ids::ElementId;

use crate::compare::Difference;

/// The expression that a difference of this kind at this place comes from.
pub(crate) fn rule(form: &FormDef, difference: &Difference) -> Option<String> {
    let (elements, names): (&[&str], _) = match difference.kind {
        "value" | "value-of-irrelevant" => (&["bind"], "calculate"),
        "relevant" | "can-add" => (&["bind"], "relevant"),
        "readonly" => (&["bind"], "readonly"),
        "required" => (&["bind"], "required"),
        "valid" | "violation" => (&["bind"], "constraint"),
        "repeat-count" | "node-missing" | "node-extra" => (&["repeat"], "count"),
        _ => return None,
    };
    form.document.elements().find_map(|(id, _)| {
        let is_rule = elements.contains(&local(form.document.qualified_name(id)))
            && path(form, id, "nodeset").as_deref() == Some(&difference.at);
        is_rule.then(|| attribute(form, id, names)).flatten()
    })
}

/// Whether an attribute of the control of this place, or of anything in the form if the place is empty, holds this text;
/// white space does not count.
pub(crate) fn says(form: &FormDef, at: &str, part: &str) -> bool {
    let document = &form.document;
    document.elements().any(|(id, _)| {
        (at.is_empty() || path(form, id, "ref").as_deref() == Some(at))
            && document.attributes(id).iter().any(|attribute| {
                let (name, value) = (document.attribute_name(attribute), document.attribute_value(attribute));
                let words: String = value.split_whitespace().collect();
                format!("{}={words}", local(name)).contains(part)
            })
    })
}

/// The path in an attribute of an element, without prefixes.
fn path(form: &FormDef, id: ElementId, name: &str) -> Option<String> {
    Some(attribute(form, id, name)?.split('/').map(local).collect::<Vec<_>>().join("/"))
}

fn attribute(form: &FormDef, id: ElementId, wanted: &str) -> Option<String> {
    let document = &form.document;
    let found = document.attributes(id).iter().find(|attribute| local(document.attribute_name(attribute)) == wanted);
    found.map(|attribute| document.attribute_value(attribute).into_owned())
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or_default()
}
