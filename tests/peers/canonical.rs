//! When two texts, and two documents, say the same.

use quick_xml::events::{BytesStart, Event};

/// Whether two values are the same: as text, as numbers, as moments, as points of a line, or as ids made up by chance.
pub(crate) fn same(theirs: &str, ours: &str) -> bool {
    theirs == ours
        || theirs.contains(';') && theirs.replace("; ", ";") == ours.replace("; ", ";")
        || matches!((number(theirs), number(ours)), (Some(a), Some(b)) if (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0))
        || without_ids(&moment(theirs)) == without_ids(&moment(ours))
}

fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let is_plain = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    if is_plain { text.parse().ok() } else { None }
}

/// A time with its seconds, without idle zeros and with `Z` for Greenwich; any other text as it is.
fn moment(text: &str) -> String {
    let at = text.find('T').map_or(0, |at| at + 1);
    let Some(clock) = text.get(at..) else { return text.to_owned() };
    let zone_at = clock.find(['Z', '+', '-']).unwrap_or(clock.len());
    let (time, zone) = clock.split_at(zone_at);
    let (whole, fraction) = time.split_once('.').unwrap_or((time, ""));
    let is_time = (whole.len() == 5 || whole.len() == 8)
        && whole.bytes().enumerate().all(|(i, b)| if i % 3 == 2 { b == b':' } else { b.is_ascii_digit() });
    if !is_time {
        return text.to_owned();
    }
    let seconds = if whole.len() == 5 { ":00" } else { "" };
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    let zone = if matches!(zone, "+00:00" | "+00" | "+0000" | "-00:00") { "Z" } else { zone };
    let day = text.get(..at).unwrap_or_default();
    format!("{day}{whole}{seconds}{point}{fraction}{zone}")
}

/// UUIDs replaced by one word.
fn without_ids(text: &str) -> String {
    const SHAPE: &[u8] = b"00000000-0000-0000-0000-000000000000";
    let is_id = |bytes: &[u8]| {
        bytes.len() == SHAPE.len()
            && bytes
                .iter()
                .zip(SHAPE)
                .all(|(byte, shape)| if *shape == b'-' { byte == shape } else { byte.is_ascii_hexdigit() })
    };
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        if bytes.get(at..at + SHAPE.len()).is_some_and(is_id) {
            out.extend(b"ID");
            at += SHAPE.len();
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// An element as far as it says something: local names, attributes in order of their names, the text of a leaf.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Element>,
}

/// The document's root below a nameless element; what cannot be read is an element of that name.
pub(crate) fn tree(xml: &str) -> Element {
    let mut reader = quick_xml::Reader::from_str(xml);
    let mut open = vec![Element::default()];
    loop {
        let event = reader.read_event();
        let Some(top) = open.last_mut() else { break };
        match event {
            Ok(Event::Start(start)) => open.push(element(&start)),
            Ok(Event::Empty(start)) => top.children.push(element(&start)),
            Ok(Event::Text(text)) => top.text.push_str(&text),
            Ok(Event::GeneralRef(entity)) => top.text.push_str(&resolved(&format!("&{};", &*entity))),
            Ok(Event::End(_)) => {
                if let Some(closed) = open.pop()
                    && let Some(parent) = open.last_mut()
                {
                    parent.children.push(closed);
                }
            }
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(_) => return Element { name: "unreadable".to_owned(), ..Element::default() },
        }
    }
    open.pop().unwrap_or_default()
}

fn element(start: &BytesStart<'_>) -> Element {
    let attributes = start.attributes().flatten().filter(|attribute| !attribute.key.as_ref().starts_with("xmlns"));
    let mut attributes: Vec<_> = attributes
        .map(|attribute| (attribute.key.local_name().as_ref().to_owned(), resolved(&attribute.value)))
        .collect();
    attributes.sort();
    Element { name: start.local_name().as_ref().to_owned(), attributes, ..Element::default() }
}

/// Text without entities; as it is if they cannot be read.
fn resolved(text: &str) -> String {
    quick_xml::escape::unescape(text).map_or_else(|_| text.to_owned(), |text| text.into_owned())
}

/// Path and both sayings of the first place at which two documents differ.
pub(crate) fn first_difference(theirs: &Element, ours: &Element) -> Option<(String, String, String)> {
    difference(theirs, ours, "")
}

fn difference(theirs: &Element, ours: &Element, above: &str) -> Option<(String, String, String)> {
    let at = if theirs.name.is_empty() { above.to_owned() } else { format!("{above}/{}", theirs.name) };
    let names =
        |element: &Element| element.children.iter().map(|child| child.name.as_str()).collect::<Vec<_>>().join(" ");
    if theirs.name != ours.name {
        return Some((at, theirs.name.clone(), ours.name.clone()));
    }
    if names(theirs) != names(ours) {
        return Some((at, names(theirs), names(ours)));
    }
    let names_of =
        |element: &Element| element.attributes.iter().map(|(name, _)| format!("@{name}")).collect::<Vec<_>>().join(" ");
    if names_of(theirs) != names_of(ours) {
        return Some((at, names_of(theirs), names_of(ours)));
    }
    let mut attributes = theirs.attributes.iter().zip(&ours.attributes);
    if let Some((theirs, ours)) = attributes.find(|(theirs, ours)| !same(&theirs.1, &ours.1)) {
        return Some((format!("{at}/@{}", theirs.0), theirs.1.clone(), ours.1.clone()));
    }
    if theirs.children.is_empty() && !same(&theirs.text, &ours.text) {
        return Some((at, theirs.text.clone(), ours.text.clone()));
    }
    theirs.children.iter().zip(&ours.children).find_map(|(theirs, ours)| difference(theirs, ours, &at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_in_more_than_one_way() {
        let rows = [
            ("5", "5.0", true),
            ("5", "6", false),
            ("05:00:00.000Z", "05:00Z", true),
            ("2026-01-15T12:00:00.000+00:00", "2026-01-15T12:00:00Z", true),
            ("uuid:0d9f2f9e-1a1a-4b4b-8c8c-00112233aabb", "uuid:11111111-1a1a-4b4b-8c8c-00112233aabb", true),
            ("1 2 0 0;3 4 0 0", "1 2 0 0; 3 4 0 0", true),
            ("x", "y", false),
            ("", "0", false),
        ];
        for (theirs, ours, expected) in rows {
            assert_eq!(same(theirs, ours), expected, "{theirs} {ours}");
        }
    }

    #[test]
    fn documents_differ_at_a_place() {
        let base = tree("<?xml version='1.0'?><a id='1' v='2'><b>1</b><o:c/></a>");
        assert_eq!(first_difference(&base, &tree("<a v='2' id='1' xmlns:x='y'><b>1.0</b><c></c></a>")), None);
        let at = |other| first_difference(&base, &tree(other)).map(|(at, ..)| at);
        assert_eq!(at("<a id='1' v='2'><b>2</b><c/></a>").as_deref(), Some("/a/b"));
        assert_eq!(at("<a id='1' v='2'><b>1</b></a>").as_deref(), Some("/a"));
        assert_eq!(at("<a id='1' v='3'><b>1</b><c/></a>").as_deref(), Some("/a/@v"));
        assert_eq!(at("<a id='1' w='2'><b>1</b><c/></a>").as_deref(), Some("/a"));
        assert!(at("<a id='1' v='2'><b>1").is_some());
    }
}
