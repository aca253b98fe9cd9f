//! Names that every file system takes, those of USB sticks and of Windows included.

use std::collections::BTreeSet;

use super::record_file::{RECORD, XML};

/// Longer names are cut or replaced; the strictest file systems take 255 bytes for the whole.
const LONGEST: usize = 100;
/// Names that Windows keeps for devices, whatever stands behind a dot.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "com", "lpt"];

/// An instanceID as the name of a folder. Two ids may give one name: whoever uses it looks at what is there.
pub(super) fn folder_name(instance_id: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let name: String = instance_id.chars().take(LONGEST).map(|c| if fits(c) { c } else { '_' }).collect();
    if name.is_empty() || is_device(&name) { format!("record-{name}") } else { name }
}

/// The names of a record's attachments on the disk, in their order: their own where every file system takes them and
/// nothing else has them, else `file-N` with their extension.
pub(super) fn file_names<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Vec<String> {
    let mut taken = BTreeSet::from([XML.to_owned(), RECORD.to_owned()]);
    let kept: Vec<bool> =
        names.clone().map(|name| is_portable(name) && taken.insert(name.to_ascii_lowercase())).collect();
    let mut number = 0;
    let mut numbered = |name: &str| loop {
        number += 1;
        let made = format!("file-{number}{}", extension(name));
        if taken.insert(made.clone()) {
            return made;
        }
    };
    names.zip(kept).map(|(name, is_kept)| if is_kept { name.to_owned() } else { numbered(name) }).collect()
}

fn is_portable(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_. ".contains(c);
    let at_ends = |c: char| c == '.' || c == ' ';
    !name.is_empty()
        && name.len() <= LONGEST
        && name.chars().all(fits)
        && !name.starts_with(at_ends)
        && !name.ends_with(at_ends)
        && !is_device(name)
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    DEVICES.contains(&stem.trim_end_matches(|c: char| c.is_ascii_digit()))
}

/// The extension with its dot, lower case, where it is a plain one.
fn extension(name: &str) -> String {
    let plain =
        |extension: &&str| (1..=8).contains(&extension.len()) && extension.chars().all(|c| c.is_ascii_alphanumeric());
    let extension = name.rsplit_once('.').map(|(_, extension)| extension).filter(plain);
    extension.map(|extension| format!(".{}", extension.to_ascii_lowercase())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_have_names_for_every_system() {
        let long = "é".repeat(300);
        for (instance_id, name) in [
            ("uuid:1b-2", "uuid_1b-2"),
            ("", "record-"),
            ("CON", "record-CON"),
            ("lpt1", "record-lpt1"),
            ("../../etc", "______etc"),
            ("a.new", "a_new"),
            (&long, &"_".repeat(100)),
        ] {
            assert_eq!(folder_name(instance_id), name);
        }
    }

    #[test]
    fn files_keep_their_names_where_they_can() {
        let names = [
            "photo-1.jpg",
            "Photo-1.JPG",
            "submission.xml",
            "Record.json",
            "../x.png",
            "",
            "file-1.jpg",
            "nul.txt",
            "é a.jpg",
            "a b.jpg",
            " a.jpg",
            ".hidden",
            "x.verylongextension",
        ];
        let on_disk = file_names(names.into_iter());
        assert_eq!(
            on_disk,
            [
                "photo-1.jpg",
                "file-2.jpg",
                "file-3.xml",
                "file-4.json",
                "file-5.png",
                "file-6",
                "file-1.jpg",
                "file-7.txt",
                "file-8.jpg",
                "a b.jpg",
                "file-9.jpg",
                "file-10.hidden",
                "x.verylongextension",
            ]
        );
        let folded: BTreeSet<_> = on_disk.iter().map(|name| name.to_lowercase()).collect();
        assert_eq!(folded.len(), names.len(), "no two are one on a system that folds case");
    }
}
