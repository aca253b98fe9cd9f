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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// Positions in the list of parts given to [`plan`].
    pub parts: Vec<usize>,
    /// Whether more of the record follows, which the field [`INCOMPLETE_FIELD`] says.
    pub incomplete: bool,
}

/// The address to which records of the project at `base` go.
#[must_use]
pub fn url(base: &str) -> String {
    join(base, "submission")
}

/// Cuts a record with an XML of `xml_size` bytes and the attachments `parts` into POSTs of at most `limit` bytes and
/// [`MAX_FILES`] files, in the order given. At least one POST comes out. A file that exceeds the limit by itself still goes,
/// alone: whether it is too large is the server's to say.
#[must_use]
pub fn plan(xml_size: u64, parts: &[Part], limit: u64) -> Vec<Post> {
    let fixed = cost(XML_PART, xml_size) + cost(INCOMPLETE_FIELD, 0) + PART_OVERHEAD;
    let mut posts = vec![Post { parts: Vec::new(), incomplete: false }];
    let mut size = fixed;
    for (position, part) in parts.iter().enumerate() {
        let part_size = cost(&part.name, part.size);
        let full = |post: &Post| !post.parts.is_empty() && (post.parts.len() >= MAX_FILES || size + part_size > limit);
        if let Some(last) = posts.last_mut().filter(|post| full(post)) {
            last.incomplete = true;
            posts.push(Post { parts: Vec::new(), incomplete: false });
            size = fixed;
        }
        if let Some(last) = posts.last_mut() {
            last.parts.push(position);
            size += part_size;
        }
    }
    posts
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

    fn cut(sizes: &[u64], limit: u64) -> Vec<(Vec<usize>, bool)> {
        plan(1_000, &parts(sizes), limit).into_iter().map(|post| (post.parts, post.incomplete)).collect()
    }

    #[test]
    fn a_record_without_attachments_is_one_post() {
        assert_eq!(cut(&[], 10_000_000), [(vec![], false)]);
        assert_eq!(cut(&[], 0), [(vec![], false)]);
    }

    #[test]
    fn posts_stay_below_the_limit_and_all_but_the_last_are_incomplete() {
        assert_eq!(cut(&[10, 20, 30], 10_000_000), [(vec![0, 1, 2], false)]);
        let sizes = [4_000_000, 4_000_000, 4_000_000, 20_000_000, 10];
        assert_eq!(
            cut(&sizes, 10_000_000),
            [(vec![0, 1], true), (vec![2], true), (vec![3], true), (vec![4], false)],
            "a single file over the limit goes alone"
        );
        assert_eq!(cut(&[5, 5], 0), [(vec![0], true), (vec![1], false)]);
    }

    #[test]
    fn at_most_a_hundred_files_go_together() {
        let posts = cut(&[1; 201], 10_000_000);
        assert_eq!(posts.iter().map(|(parts, _)| parts.len()).collect::<Vec<_>>(), [100, 100, 1]);
    }

    proptest! {
        #[test]
        fn every_part_goes_once_and_in_order(sizes in prop::collection::vec(0..9_000_u64, 0..250), limit in 0..50_000_u64) {
            let parts = parts(&sizes);
            let posts = plan(1_000, &parts, limit);
            let sent: Vec<usize> = posts.iter().flat_map(|post| post.parts.clone()).collect();
            prop_assert_eq!(sent, (0..sizes.len()).collect::<Vec<_>>());
            for post in &posts {
                let size: u64 = 1_000 + post.parts.iter().map(|&part| sizes[part]).sum::<u64>();
                prop_assert!(post.parts.len() <= 1 || size <= limit);
                prop_assert!(post.parts.len() <= MAX_FILES);
            }
            let incomplete: Vec<bool> = posts.iter().map(|post| post.incomplete).collect();
            prop_assert_eq!(incomplete.iter().filter(|&&more| !more).count(), 1);
            prop_assert_eq!(incomplete.last(), Some(&false));
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
