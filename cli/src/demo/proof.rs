use sha2::{Digest, Sha256};
use veldwerk::Result;
use veldwerk::client::{Client, RecordSummary};
use veldwerk_server::Server;

/// What a record looks like on both sides.
pub(super) struct Row {
    pub(super) title: String,
    pub(super) bytes: u64,
    /// How often it lies on the server.
    pub(super) copies: usize,
    pub(super) same_bytes: bool,
    /// Attachments here, and how many of them lie there with the same SHA-256.
    pub(super) attachments: (usize, usize),
    pub(super) attempts: u32,
}

impl Row {
    pub(super) fn holds(&self) -> bool {
        self.copies == 1 && self.same_bytes && self.attachments.0 == self.attachments.1
    }
}

/// Compares every record of the phone with what lies on the server.
pub(super) fn compare(client: &Client, server: &Server) -> Result<Vec<Row>> {
    client.outbox(None)?.into_iter().map(|record| compare_record(client, server, record)).collect()
}

fn compare_record(client: &Client, server: &Server, record: RecordSummary) -> Result<Row> {
    let mut copies = server.records(&record.form_id)?;
    copies.retain(|received| received.instance_id == record.instance_id);
    let xml = client.store().submission_xml(record.id)?;
    let own = client.store().submission_attachments(record.id)?;
    let received = copies.first();
    let same = own.iter().filter(|attachment| {
        let there =
            received.and_then(|received| received.attachments.iter().find(|(name, _)| *name == attachment.name));
        there.is_some_and(|(_, bytes)| hex(&Sha256::digest(bytes)) == attachment.sha256)
    });
    Ok(Row {
        bytes: record.bytes,
        copies: copies.len(),
        same_bytes: received.is_some_and(|received| received.xml == xml),
        attachments: (own.len(), same.count()),
        attempts: record.attempts,
        title: record.title,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
