//! Records from elsewhere: queued with their very bytes, or not at all.

use std::fmt;
use std::io::Read;

use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::attachments::SealedAttachment;
use super::{FormKey, ProjectId, Store, SubmissionId, hex};
use crate::{Error, ErrorKind, Result};

/// A record from elsewhere, to be queued as it is. Its `Debug` tells no answer.
#[derive(Clone)]
pub struct NewRecord {
    /// Where it goes.
    pub project: ProjectId,
    /// Its instance id; empty for none.
    pub instance_id: String,
    /// The form id of the XML.
    pub form_id: String,
    /// The form's version.
    pub version: String,
    /// The form's title.
    pub title: String,
    /// `instanceName`; empty for none.
    pub name: String,
    /// Its exact bytes.
    pub xml: Vec<u8>,
    /// When it was finalised.
    pub finalized_at: i64,
}

/// An attachment from elsewhere, and what must come out of its source.
pub struct NewAttachment<'a> {
    /// What the answer calls it.
    pub name: String,
    /// Size of its plain bytes.
    pub size: u64,
    /// SHA-256 of its plain bytes in hex.
    pub sha256: String,
    /// Its plain bytes.
    pub source: Box<dyn Read + 'a>,
}

/// What became of a record from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// It is in the outbox now, ready.
    Queued(SubmissionId),
    /// The very same record was in the outbox already; nothing was changed.
    Present(SubmissionId),
    /// It was sent from here before and is forgotten; nothing was changed.
    SentBefore,
}

impl Store {
    /// Queues a record from elsewhere with its very bytes and its attachments, or nothing of it.
    ///
    /// # Errors
    /// `RecordDiffers` if the project has a record with this instance id and other bytes, or a draft with it;
    /// `BrokenExport` if a source gives other bytes than announced; `NotFound` if there is no such project; `StorageFull`,
    /// `Io`, `StoragePaused`.
    pub fn import_record(&self, record: &NewRecord, attachments: Vec<NewAttachment<'_>>) -> Result<Imported> {
        let announced: Vec<_> =
            attachments.iter().map(|attachment| (attachment.name.clone(), attachment.sha256.clone())).collect();
        if let Some(known) = self.read(|connection| known(connection, record, &announced))? {
            return Ok(known);
        }
        let mut sealed = Vec::new();
        let imported = self.seal_all(attachments, &mut sealed).and_then(|()| self.queue(record, &announced, &sealed));
        if !matches!(imported, Ok(Imported::Queued(_))) {
            sealed.iter().for_each(|attachment| self.unlink(&attachment.file));
        }
        imported
    }

    fn seal_all(&self, attachments: Vec<NewAttachment<'_>>, sealed: &mut Vec<SealedAttachment>) -> Result<()> {
        for attachment in attachments {
            // One byte more than announced shows that there is more.
            let mut source = attachment.source.take(attachment.size.saturating_add(1));
            let file = self.seal(&attachment.name, &mut source)?;
            let is_whole = file.plain.size == attachment.size && file.plain.sha256 == attachment.sha256;
            sealed.push(file);
            if !is_whole {
                return Err(Error::new(ErrorKind::BrokenExport, "an attachment has other bytes"));
            }
        }
        Ok(())
    }

    fn queue(
        &self,
        record: &NewRecord,
        announced: &[(String, String)],
        sealed: &[SealedAttachment],
    ) -> Result<Imported> {
        self.write(|transaction| {
            // Looked at again: another import may have been quicker while the files were sealed.
            if let Some(known) = known(transaction, record, announced)? {
                return Ok(known);
            }
            let query = "SELECT id FROM form WHERE project = ? AND form_id = ? AND version = ? AND superseded = 0";
            let form: Option<FormKey> = transaction
                .query_row(query, params![record.project, record.form_id, record.version], |row| row.get(0))
                .optional()?;
            transaction.execute(
                "INSERT INTO submission (project, form, instance_id, form_id, version, title, name, xml, finalized_at)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                params![
                    record.project,
                    form,
                    record.instance_id,
                    record.form_id,
                    record.version,
                    record.title,
                    record.name,
                    record.xml,
                    record.finalized_at
                ],
            )?;
            let id = SubmissionId(transaction.last_insert_rowid());
            for attachment in sealed {
                attachment.insert(transaction, "submission", id.0)?;
            }
            Ok(Imported::Queued(id))
        })
    }
}

/// What the project knows of the very same record, if anything; an error if it has another one under this instance id.
///
/// A record without an instance id is known by its bytes alone.
fn known(connection: &Connection, record: &NewRecord, announced: &[(String, String)]) -> Result<Option<Imported>> {
    let differs = || Err(Error::from(ErrorKind::RecordDiffers));
    let has_id = !record.instance_id.is_empty();
    let place = params![record.project, record.instance_id];

    let query = "SELECT id FROM submission WHERE project = ?1 AND instance_id = ?2 AND xml = ?3";
    let same = params![record.project, record.instance_id, record.xml];
    if let Some(id) = connection.query_row(query, same, |row| row.get(0)).optional()? {
        return if has_files(connection, id, announced)? { Ok(Some(Imported::Present(id))) } else { differs() };
    }
    let mut query = connection.prepare("SELECT xml_sha256 FROM receipt WHERE project = ?1 AND instance_id = ?2")?;
    let receipts: Vec<String> = query.query_map(place, |row| row.get(0))?.collect::<Result<_, _>>()?;
    let digest = hex::encode(&Sha256::digest(&record.xml));
    if receipts.iter().any(|receipt| *receipt == digest || receipt.is_empty() && has_id) {
        return Ok(Some(Imported::SentBefore));
    }
    let query = "SELECT EXISTS (SELECT 1 FROM submission WHERE project = ?1 AND instance_id = ?2)
                     OR EXISTS (SELECT 1 FROM draft JOIN form ON form.id = draft.form
                                WHERE form.project = ?1 AND draft.instance_id = ?2)";
    let is_taken: bool = connection.query_row(query, place, |row| row.get(0))?;
    if has_id && (is_taken || !receipts.is_empty()) { differs() } else { Ok(None) }
}

/// Whether a record has every file that is announced, the same bytes. It may have more.
fn has_files(connection: &Connection, id: SubmissionId, announced: &[(String, String)]) -> Result<bool> {
    let mut query = connection
        .prepare("SELECT EXISTS (SELECT 1 FROM attachment WHERE submission = ? AND name = ? AND sha256 = ?)")?;
    for (name, sha256) in announced {
        if !query.query_row(params![id, name, sha256], |row| row.get(0))? {
            return Ok(false);
        }
    }
    Ok(true)
}

impl<'a> NewAttachment<'a> {
    /// One whose bytes are at hand.
    #[must_use]
    pub fn of_bytes(name: &str, bytes: &'a [u8]) -> Self {
        let sha256 = hex::encode(&Sha256::digest(bytes));
        Self { name: name.to_owned(), size: bytes.len() as u64, sha256, source: Box::new(bytes) }
    }
}

impl fmt::Debug for NewRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewRecord").field("instance_id", &self.instance_id).finish_non_exhaustive()
    }
}

impl fmt::Debug for NewAttachment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewAttachment(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::RecordState;
    use crate::store::fixture::{SECRET, TestHome, record};

    #[test]
    fn an_imported_record_is_queued_byte_for_byte_and_once() {
        let mut home = TestHome::new();
        let project = home.any_project();
        let form = home.any_form(project, "visit", "1");
        let record = record(project, "uuid:a");
        let files = || vec![NewAttachment::of_bytes("a.jpg", b"photo"), NewAttachment::of_bytes("b.jpg", b"photo")];
        let Imported::Queued(id) = home.import_record(&record, files()).unwrap() else {
            panic!("it was not there before");
        };
        home.reopen();
        assert_eq!(home.import_record(&record, files()).unwrap(), Imported::Present(id));
        let less = vec![NewAttachment::of_bytes("a.jpg", b"photo")];
        assert_eq!(home.import_record(&record, less).unwrap(), Imported::Present(id), "nothing of it is missing here");

        let submission = home.submission(id).unwrap();
        assert_eq!((submission.form, submission.state), (Some(form), RecordState::Ready));
        assert_eq!(home.submission_xml(id).unwrap(), record.xml);
        assert_eq!(home.submission_attachments(id).unwrap().len(), 2);
        assert_eq!(home.n_files("files"), 2);
    }

    #[test]
    fn another_record_under_the_same_id_is_refused() {
        let home = TestHome::new();
        let project = home.any_project();
        let first = record(project, "uuid:a");
        home.import_record(&first, vec![NewAttachment::of_bytes("a.jpg", b"photo")]).unwrap();
        let form = home.any_form(project, "visit", "1");
        home.draft_of(form, "uuid:draft");
        let other_xml = NewRecord { xml: b"<data> </data>".to_vec(), ..first.clone() };
        for (record, files) in [
            (&other_xml, vec![]),
            (&first, vec![NewAttachment::of_bytes("a.jpg", b"another photo")]),
            (&first, vec![NewAttachment::of_bytes("a.jpg", b"photo"), NewAttachment::of_bytes("more.jpg", b"photo")]),
            (&record(project, "uuid:draft"), vec![]),
        ] {
            assert_eq!(home.import_record(record, files).unwrap_err().kind(), ErrorKind::RecordDiffers);
        }
        assert_eq!(home.outbox(None).unwrap().len(), 1);
        assert_eq!(home.n_files("files"), 1);
    }

    #[test]
    fn a_project_does_not_speak_for_another_one() {
        let home = TestHome::new();
        let first = record(home.any_project(), "uuid:a");
        home.import_record(&first, vec![]).unwrap();
        let elsewhere = NewRecord { project: home.any_project(), ..first };
        assert!(matches!(home.import_record(&elsewhere, vec![]).unwrap(), Imported::Queued(_)));
    }

    #[test]
    fn records_without_an_id_are_told_apart_by_their_bytes() {
        let home = TestHome::new();
        let first = record(home.any_project(), "");
        let second = NewRecord { xml: b"<other/>".to_vec(), ..first.clone() };
        for record in [&first, &second] {
            let Imported::Queued(id) = home.import_record(record, vec![]).unwrap() else { panic!("it is new") };
            assert_eq!(home.import_record(record, vec![]).unwrap(), Imported::Present(id));
        }
    }

    #[test]
    fn a_receipt_speaks_for_the_record_that_was_sent() {
        let home = TestHome::new();
        let project = home.any_project();
        let receipt = |instance_id: &str, digest: &str| {
            home.read(|connection| {
                connection.execute(
                    "INSERT INTO receipt (project, instance_id, form_id, version, xml_sha256, finalized_at, sent_at)
                     VALUES (?, ?, 'visit', '1', ?, 0, 0)",
                    params![project, instance_id, digest],
                )?;
                Ok(())
            })
            .unwrap();
        };
        receipt("uuid:known", &hex::encode(&Sha256::digest(b"<data/>")));
        receipt("uuid:other", &hex::encode(&Sha256::digest(b"<other/>")));
        receipt("uuid:old", "");
        receipt("", "");
        let import = |instance_id: &str| home.import_record(&record(project, instance_id), vec![]);
        assert_eq!(import("uuid:known").unwrap(), Imported::SentBefore);
        assert_eq!(import("uuid:old").unwrap(), Imported::SentBefore);
        assert_eq!(import("uuid:other").unwrap_err().kind(), ErrorKind::RecordDiffers);
        assert!(matches!(import("").unwrap(), Imported::Queued(_)), "no id says nothing");
        assert!(matches!(import("uuid:new").unwrap(), Imported::Queued(_)));
    }

    #[test]
    fn an_import_that_fails_leaves_nothing() {
        let home = TestHome::new();
        let project = home.any_project();
        let new = record(project, "uuid:a");
        let nowhere =
            home.import_record(&record(ProjectId(99), "uuid:a"), vec![NewAttachment::of_bytes("a.jpg", b"photo")]);
        assert_eq!(nowhere.unwrap_err().kind(), ErrorKind::NotFound);
        let twice = home.import_record(
            &new,
            vec![NewAttachment::of_bytes("a.jpg", b"photo"), NewAttachment::of_bytes("a.jpg", b"photo")],
        );
        assert!(twice.is_err());
        let cut = NewAttachment { size: 4, ..NewAttachment::of_bytes("a.jpg", b"photo") };
        let longer = NewAttachment { size: 6, ..NewAttachment::of_bytes("a.jpg", b"photo") };
        let changed = NewAttachment { source: Box::new(&b"phot0"[..]), ..NewAttachment::of_bytes("a.jpg", b"photo") };
        for broken in [cut, longer, changed] {
            let refused = home.import_record(&new, vec![NewAttachment::of_bytes("whole.jpg", b"photo"), broken]);
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::BrokenExport);
        }
        assert_eq!(home.outbox(None).unwrap(), []);
        assert_eq!(home.n_files("files"), 0);
    }

    #[test]
    fn debug_tells_no_answer() {
        let record = NewRecord { xml: SECRET.into(), name: SECRET.into(), ..record(ProjectId(1), "uuid:a") };
        let shown = format!("{record:?} {:?}", NewAttachment::of_bytes(SECRET, b"x"));
        assert!(!shown.contains(SECRET), "{shown}");
    }
}
