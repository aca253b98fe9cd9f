//! Records on their way from one device to another: folders of readable files, each a whole record or not there.
//!
//! `DIR/<instanceID>/` holds `submission.xml` (the frozen bytes), the attachments, and `record.json`: the ids, the server
//! and the SHA-256 of every file. It is written as `<instanceID>.new`, brought to the disk, read back and then renamed; a
//! folder that is there is never written to again. What comes in is believed as far as the hashes prove it.

mod disk;
mod export;
mod import;
mod names;
mod record_file;

pub use export::{Export, ExportReport, ExportedRecord, Selection};
pub use import::{Import, ImportFrom, ImportReport, ImportedRecord};
pub use record_file::Missing;

use url::Url;

use crate::store::Project;

/// The server of a project: scheme, host and port; no token, no account.
fn server_of(project: &Project) -> String {
    Url::parse(&project.url_prefix).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}
