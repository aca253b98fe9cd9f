//! How a record is cut into POSTs, and what its parts are called (openrosa.md §6).

use super::join;

/// The name of the part that carries the record's XML.
pub const XML_PART: &str = "xml_submission_file";
/// The file name of that part; servers want one, and a fixed one tells nothing about the record.
pub const XML_FILE_NAME: &str = "submission.xml";
/// The media type of that part.
pub const XML_CONTENT_TYPE: &str = "text/xml";
/// The form field, with the value `yes`, of every POST but the last of a record.
pub const INCOMPLETE_FIELD: &str = "*isIncomplete*";
/// Most attachments in one POST.
pub const MAX_FILES: usize = 100;

/// What a part costs besides its name and its bytes: boundary, header lines, line ends. Generous.
const PART_OVERHEAD: u64 = 256;

/// An attachment still to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Name of the file as the record's XML writes it; also the name of its part, by which servers match it.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
}

/// One POST of a record: the XML and some of the attachments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Post {
    /// Positions in a list of parts.
    pub parts: Vec<usize>,
    /// Whether more of the record follows, which the field [`INCOMPLETE_FIELD`] says.
    pub incomplete: bool,
}

/// The address to which records of the project at `base` go.
#[must_use]
pub fn url(base: &str) -> String {
    join(base, "submission")
}

/// How many of `parts`, in the order given, go in the next POST of a record with an XML of `xml_size` bytes: as many as fit
/// in `most` bytes, at most [`MAX_FILES`]. A part that does not fit by itself goes alone, or, if the XML is still on its way
/// (`xml_first`), behind it: then none goes now.
#[must_use]
pub fn batch<'p>(xml_size: u64, parts: impl Iterator<Item = &'p Part>, most: u64, xml_first: bool) -> usize {
    let mut size = post_size(xml_size, std::iter::empty());
    let mut n_parts = 0;
    for part in parts.take(MAX_FILES) {
        size = size.saturating_add(cost(&part.name, part.size));
        if size > most {
            return if n_parts == 0 && !xml_first { 1 } else { n_parts };
        }
        n_parts += 1;
    }
    n_parts
}

/// The size of a POST, in bytes; rather too large than too small.
#[must_use]
pub fn post_size<'p>(xml_size: u64, parts: impl Iterator<Item = &'p Part>) -> u64 {
    let fixed = cost(XML_PART, xml_size) + cost(INCOMPLETE_FIELD, 0) + PART_OVERHEAD;
    parts.fold(fixed, |size, part| size.saturating_add(cost(&part.name, part.size)))
}

/// The size of a part in the body; its name stands there twice, as the part's and as the file's.
fn cost(name: &str, size: u64) -> u64 {
    size.saturating_add(PART_OVERHEAD + 2 * name.len() as u64)
}

/// The media type of a file, by its extension; `application/octet-stream` where that says nothing.
#[must_use]
pub fn content_type(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    match extension.as_str() {
        "3gp" | "3gpp" => "video/3gpp",
        "aac" => "audio/aac",
        "amr" => "audio/amr",
        "avi" => "video/x-msvideo",
        "csv" => "text/csv",
        "doc" => "application/msword",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "flac" => "audio/flac",
        "geojson" => "application/geo+json",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "html" => "text/html",
        "jpg" | "jpeg" => "image/jpeg",
        "json" => "application/json",
        "m4a" => "audio/mp4",
        "mov" => "video/quicktime",
        "mp3" => "audio/mpeg",
        "mp4" => "video/mp4",
        "oga" | "ogg" | "opus" => "audio/ogg",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "rtf" => "application/rtf",
        "svg" => "image/svg+xml",
        "txt" => "text/plain",
        "wav" => "audio/x-wav",
        "webm" => "video/webm",
        "webp" => "image/webp",
        "xls" => "application/vnd.ms-excel",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "xml" => "text/xml",
        "zip" => "application/zip",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(sizes: &[u64]) -> Vec<Part> {
        sizes.iter().enumerate().map(|(n, &size)| Part { name: format!("{n}.jpg"), size }).collect()
    }

    #[test]
    fn as_many_go_together_as_fit() {
        let rows: [(&[u64], u64, bool, usize); 10] = [
            (&[], 10_000, true, 0),
            (&[], 0, false, 0),
            (&[10, 20, 30], 10_000, true, 3),
            (&[4_000, 4_000, 4_000], 12_000, true, 2),
            (&[4_000, 40_000], 12_000, true, 1),
            (&[40_000, 1], 12_000, true, 0),
            (&[40_000, 1], 12_000, false, 1),
            (&[5, 5], 0, false, 1),
            (&[1; 201], u64::MAX, true, 100),
            (&[u64::MAX, u64::MAX], u64::MAX, false, 2),
        ];
        for (sizes, most, xml_first, expected) in rows {
            assert_eq!(batch(1_000, parts(sizes).iter(), most, xml_first), expected, "{sizes:?} {most} {xml_first}");
        }
    }

    proptest! {
        #[test]
        fn every_part_goes_once_and_no_post_is_larger_than_it_may(
            sizes in prop::collection::vec(0..9_000_u64, 0..250),
            most in 0..50_000_u64,
        ) {
            let parts = parts(&sizes);
            let (mut left, mut xml_first) = (&parts[..], true);
            while xml_first || !left.is_empty() {
                let n_parts = batch(1_000, left.iter(), most, xml_first);
                prop_assert!(n_parts <= MAX_FILES && (n_parts > 0 || xml_first), "it gets on");
                let size = post_size(1_000, left[..n_parts].iter());
                prop_assert!(n_parts <= usize::from(!xml_first) || size <= most);
                (left, xml_first) = (&left[n_parts..], false);
            }
        }
    }

    #[test]
    fn content_types_follow_the_extension() {
        assert_eq!(content_type("1709971502123.JPG"), "image/jpeg");
        assert_eq!(content_type("audit.csv"), "text/csv");
        assert_eq!(content_type("noext"), "application/octet-stream");
        assert_eq!(content_type("a.b.m4a"), "audio/mp4");
    }
}
