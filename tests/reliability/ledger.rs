//! What must be there: everything that the worker has said it had done, and of the deed that was under way either all or
//! nothing.

use std::collections::{BTreeMap, BTreeSet};

use veldwerk::client::{Client, DraftId, RecordState, SubmissionId};
use veldwerk::store::{AttachmentId, Store};
use veldwerk_tests::central::{Received, digest, each_text};
use veldwerk_tests::dice::bytes;

use crate::deed::{Deed, File, Line, Outcome};

/// What is known of one home.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    drafts: BTreeMap<i64, Draft>,
    records: BTreeMap<i64, Record>,
    /// Projects by row, with their addresses.
    projects: BTreeMap<i64, String>,
    /// Addresses of projects that were removed.
    removed: Vec<String>,
    /// Folders of exports, with the XMLs that must be in them: an export told complete promises them, and one that is killed
    /// later must leave them.
    pub(crate) exports: BTreeMap<String, BTreeSet<String>>,
    /// What lies in the folders to import from, by folder: XMLs with their files.
    importable: BTreeMap<String, Vec<ImportableRecord>>,
    /// XMLs of records that are not here any more by somebody's will: with their project, given up, or sent and forgotten.
    let_go: BTreeMap<String, LetGo>,
    /// The deed that was begun last and has not ended.
    under_way: Option<Deed>,
    /// Files by name: what their bytes follow from.
    files: Files,
    /// Failures that the worker told of.
    failures: Vec<String>,
    /// How many deeds ended.
    pub(crate) n_ended: u64,
}

#[derive(Clone, Debug, Default)]
struct Draft {
    project: i64,
    answers: BTreeMap<String, Answer>,
}

/// Files by name, by what their bytes follow from.
pub(crate) type Files = BTreeMap<String, File>;
/// The XML of a record and its files.
pub(crate) type ImportableRecord = (String, Files);

#[derive(Clone, Debug, PartialEq)]
enum Answer {
    Text(String),
    /// The name is not known of a file whose attaching was killed and turned out done.
    File(File),
}

#[derive(Clone, Debug)]
struct Record {
    project: i64,
    xml: String,
    files: Files,
    told_sent: bool,
}

/// A record that is gone from here.
#[derive(Clone, Debug)]
struct LetGo {
    files: Files,
    /// Whether it was sent, so that the server must have it.
    arrived: bool,
}

impl Ledger {
    /// A folder to import from, and what lies in it.
    pub(crate) fn may_import(&mut self, folder: &str, records: Vec<ImportableRecord>) {
        self.importable.insert(folder.to_owned(), records);
    }

    /// Hears a line of the worker.
    pub(crate) fn hear(&mut self, line: Line) {
        match line {
            Line::Begun(deed) => {
                if let Deed::Export { folder, .. } | Deed::Discard { folder: Some(folder), .. } = &deed {
                    self.exports.entry(folder.clone()).or_default();
                }
                self.under_way = Some(deed);
            }
            Line::Ended(outcome) => {
                self.n_ended += 1;
                if let Some(deed) = self.under_way.take() {
                    self.end(deed, outcome);
                }
            }
        }
    }

    fn end(&mut self, deed: Deed, outcome: Outcome) {
        if let Outcome::Failed { code } = &outcome {
            self.failures.push(format!("a call failed: {code}, in {}", name(&deed)));
        }
        match (deed, outcome) {
            (_, Outcome::Failed { .. } | Outcome::Refused) => {}
            (Deed::AddProject { url }, Outcome::Project { id }) => {
                self.projects.insert(id, url);
            }
            (Deed::Start { project, .. }, Outcome::Draft { id }) => {
                self.drafts.insert(id, Draft { project, answers: BTreeMap::new() });
            }
            (Deed::Answer { draft, node, text }, _) => self.answered(draft, node, Answer::Text(text)),
            (Deed::Attach { draft, node, file }, Outcome::Attached { name }) => {
                self.files.insert(name, file);
                self.answered(draft, node, Answer::File(file));
            }
            (Deed::RemoveMember { draft, n }, _) => self.member_removed(draft, n),
            (Deed::Finalize { draft }, Outcome::Finalized { record, xml }) => self.finalized(draft, record, xml),
            (Deed::DeleteDraft { draft }, _) => drop(self.drafts.remove(&draft)),
            (Deed::Send { .. } | Deed::SendCancelled { .. }, Outcome::Sent { sent, stuck }) => {
                for record in sent {
                    if let Some(record) = self.records.get_mut(&record) {
                        record.told_sent = true;
                    }
                }
                if !stuck.is_empty() {
                    self.failures.push(format!("{} records left `sending` by a sending that ended", stuck.len()));
                }
            }
            (Deed::Export { project, folder }, _) => {
                let of_project = self.records.values().filter(|record| record.project == project && !record.told_sent);
                let xmls = of_project.map(|record| record.xml.clone());
                self.exports.entry(folder).or_default().extend(xmls);
            }
            (Deed::Forget { project }, _) => {
                let sent = |_: &i64, record: &mut Record| record.project == project && record.told_sent;
                for (_, record) in self.records.extract_if(.., sent) {
                    self.let_go.insert(record.xml, LetGo { files: record.files, arrived: true });
                }
            }
            (Deed::Discard { record, folder }, Outcome::Gone { records: 1 }) => {
                if let Some(record) = self.records.remove(&record) {
                    if let Some(folder) = folder {
                        self.exports.entry(folder).or_default().insert(record.xml.clone());
                    }
                    self.let_go.insert(record.xml, LetGo { files: record.files, arrived: false });
                }
            }
            (Deed::RemoveProject { project }, _) => self.project_removed(project),
            // What was imported is found in the outbox when it is looked at.
            _ => {}
        }
    }

    fn answered(&mut self, draft: i64, node: String, answer: Answer) {
        if let Some(draft) = self.drafts.get_mut(&draft) {
            draft.answers.insert(node, answer);
        }
    }

    fn member_removed(&mut self, draft: i64, n: usize) {
        if let Some(draft) = self.drafts.get_mut(&draft) {
            draft.answers.retain(|node, _| !node.starts_with(&format!("/data/member[{n}]")));
        }
    }

    fn finalized(&mut self, draft: i64, record: i64, xml: String) {
        let Some(draft) = self.drafts.remove(&draft) else { return };
        let answers = texts_in(&xml);
        let named = draft.answers.iter().filter_map(|(node, answer)| match answer {
            Answer::File(file) => Some((answers.get(node)?.clone(), *file)),
            Answer::Text(_) => None,
        });
        let files = named.collect();
        self.records.insert(record, Record { project: draft.project, xml, files, told_sent: false });
    }

    fn project_removed(&mut self, project: i64) {
        self.removed.extend(self.projects.remove(&project));
        self.drafts.retain(|_, draft| draft.project != project);
        for (_, record) in self.records.extract_if(.., |_, record| record.project == project) {
            self.let_go.insert(record.xml, LetGo { files: record.files, arrived: false });
        }
    }

    /// Compares a home that was opened again with what must be there, and believes it where both were possible: what is
    /// missing comes back as sentences without an answer in them.
    pub(crate) fn check(&mut self, client: &Client) -> Vec<String> {
        let mut losses = std::mem::take(&mut self.failures);
        let under_way = self.under_way.take();
        self.check_projects(client, under_way.as_ref(), &mut losses);
        let homes_drafts: BTreeMap<i64, i64> =
            client.drafts(None).unwrap().into_iter().map(|draft| (draft.id.0, draft.project.0)).collect();
        let outbox = client.outbox(None).unwrap();
        for record in outbox.iter().filter(|record| record.state == RecordState::Sending) {
            losses.push(format!("record {} is `sending` after a start", record.id.0));
        }

        self.check_finalizing(client, under_way.as_ref(), &homes_drafts, &mut losses);
        for (id, draft) in std::mem::take(&mut self.drafts) {
            let is_there = homes_drafts.contains_key(&id);
            if under_way == Some(Deed::DeleteDraft { draft: id }) && !is_there {
                continue;
            }
            match is_there {
                true => {
                    let draft = self.check_draft(client, id, draft, under_way.as_ref(), &mut losses);
                    self.drafts.insert(id, draft);
                }
                false => losses.push(format!("draft {id} with {} answers is gone", draft.answers.len())),
            }
        }
        for (&id, &project) in &homes_drafts {
            match &under_way {
                _ if self.drafts.contains_key(&id) => {}
                Some(Deed::Start { project, .. }) => {
                    let begun = Draft { project: *project, answers: BTreeMap::new() };
                    self.drafts.insert(id, begun);
                }
                _ => losses.push(format!("draft {id} of project {project} came from nowhere")),
            }
        }
        self.check_records(client, under_way.as_ref(), &mut losses);
        losses
    }

    fn check_projects(&mut self, client: &Client, under_way: Option<&Deed>, losses: &mut Vec<String>) {
        let there: BTreeSet<i64> = client.projects().unwrap().into_iter().map(|project| project.id.0).collect();
        if let Some(Deed::RemoveProject { project }) = under_way
            && !there.contains(project)
        {
            self.project_removed(*project);
        }
        for (project, _) in self.projects.iter().filter(|(project, _)| !there.contains(project)) {
            losses.push(format!("project {project} is gone"));
        }
        for project in there {
            match under_way {
                _ if self.projects.contains_key(&project) => {}
                Some(Deed::AddProject { url }) => drop(self.projects.insert(project, url.clone())),
                _ => losses.push(format!("project {project} came from nowhere")),
            }
        }
    }

    /// A finalising that was killed: the draft or the record, never both, never neither.
    fn check_finalizing(
        &mut self,
        client: &Client,
        under_way: Option<&Deed>,
        homes_drafts: &BTreeMap<i64, i64>,
        losses: &mut Vec<String>,
    ) {
        let Some(Deed::Finalize { draft }) = under_way else { return };
        let known: BTreeSet<i64> = self.records.keys().copied().collect();
        let outbox = client.outbox(None).unwrap();
        let xml_of = |id: i64| String::from_utf8(client.store().submission_xml(SubmissionId(id)).unwrap()).unwrap();
        let is_imported = |id: i64| self.importable.values().flatten().any(|(xml, _)| *xml == xml_of(id));
        let unknown = outbox.iter().map(|record| record.id.0).filter(|id| !known.contains(id) && !is_imported(*id));
        let unknown: Vec<i64> = unknown.collect();
        match (homes_drafts.contains_key(draft), unknown.as_slice()) {
            (true, []) => {}
            (false, [record]) => {
                let xml = xml_of(*record);
                if let Some(draft) = self.drafts.get(draft) {
                    check_answers(&draft.answers, &texts_in(&xml), None, "a record finalised", losses);
                }
                self.finalized(*draft, *record, xml);
            }
            (is_draft, records) => {
                losses.push(format!("finalising left a draft: {is_draft}, and {} records", records.len()));
            }
        }
    }

    fn check_draft(
        &mut self,
        client: &Client,
        id: i64,
        mut draft: Draft,
        under_way: Option<&Deed>,
        losses: &mut Vec<String>,
    ) -> Draft {
        let session = match client.replay_draft(DraftId(id)) {
            Ok(session) => session,
            Err(error) => {
                losses.push(format!("draft {id} does not open: {}", error.kind().code()));
                return draft;
            }
        };
        let found = texts_in(&session.draft_xml());
        let what = format!("draft {id}");
        // What was under way is believed if it is there.
        match under_way {
            Some(Deed::Answer { draft: of, node, text }) if *of == id && found.get(node) == Some(text) => {
                draft.answers.insert(node.clone(), Answer::Text(text.clone()));
            }
            Some(Deed::Attach { draft: of, node, file }) if *of == id => {
                let name = found.get(node).filter(|name| !name.is_empty());
                if let Some(name) = name.filter(|name| !self.files.contains_key(*name)) {
                    self.files.insert(name.clone(), *file);
                    draft.answers.insert(node.clone(), Answer::File(*file));
                }
            }
            Some(Deed::RemoveMember { draft: of, n })
                if *of == id && !found.contains_key(&format!("/data/member[{n}]/nick")) =>
            {
                draft.answers.retain(|node, _| !node.starts_with(&format!("/data/member[{n}]")));
            }
            _ => {}
        }
        check_answers(&draft.answers, &found, Some(&self.files), &what, losses);
        let attached = client.store().draft_attachments(DraftId(id)).unwrap();
        let attached: BTreeMap<String, AttachmentId> = attached.into_iter().map(|row| (row.name, row.id)).collect();
        for (node, answer) in &draft.answers {
            if let (Answer::File(file), Some(name)) = (answer, found.get(node)) {
                check_file(client.store(), attached.get(name), *file, &what, losses);
            }
        }
        draft
    }

    fn check_records(&mut self, client: &Client, under_way: Option<&Deed>, losses: &mut Vec<String>) {
        let outbox = client.outbox(None).unwrap();
        let there: BTreeMap<i64, _> = outbox.iter().map(|record| (record.id.0, record)).collect();
        self.let_go_under_way(&there.keys().copied().collect(), under_way);
        for (id, record) in &mut self.records {
            let what = format!("record {id}");
            let Some(row) = there.get(id) else {
                losses.push(format!("{what} is gone"));
                continue;
            };
            if record.told_sent && !matches!(row.state, RecordState::Sent { .. }) {
                losses.push(format!("{what} was sent and is not any more"));
            }
            // A sending that was killed may have come so far.
            record.told_sent = matches!(row.state, RecordState::Sent { .. });
            if client.store().submission_xml(SubmissionId(*id)).ok() != Some(record.xml.clone().into_bytes()) {
                losses.push(format!("{what} has other bytes"));
            }
            let attached = client.store().submission_attachments(SubmissionId(*id)).unwrap();
            let attached: BTreeMap<String, AttachmentId> = attached.into_iter().map(|row| (row.name, row.id)).collect();
            for (name, file) in &record.files {
                check_file(client.store(), attached.get(name), *file, &what, losses);
            }
        }
        // Records that nobody finalised here came from a folder.
        let known: BTreeSet<i64> = self.records.keys().copied().collect();
        for (id, row) in there.iter().filter(|(id, _)| !known.contains(id)) {
            let xml = client.store().submission_xml(SubmissionId(*id)).unwrap();
            let xml = String::from_utf8(xml).unwrap();
            let of_folder = self.importable.values().flatten().find(|(known, _)| *known == xml);
            match of_folder {
                Some((_, files)) => {
                    let outbox = outbox.iter().map(|record| record.id);
                    let same =
                        |id: &SubmissionId| client.store().submission_xml(*id).ok() == Some(xml.clone().into_bytes());
                    if outbox.filter(same).count() > 1 {
                        losses.push(format!("record {id} was imported twice"));
                    }
                    let attached = client.store().submission_attachments(SubmissionId(*id)).unwrap();
                    if attached.len() != files.len() {
                        losses.push(format!(
                            "record {id} was imported with {} of {} files",
                            attached.len(),
                            files.len()
                        ));
                    }
                    let files = files.clone();
                    self.files.extend(files.iter().map(|(name, file)| (name.clone(), *file)));
                    let project = row_project(client, *id);
                    let told_sent = matches!(row.state, RecordState::Sent { .. });
                    self.records.insert(*id, Record { project, xml, files, told_sent });
                }
                None => losses.push(format!("record {id} ({}) came from nowhere", row.form_id)),
            }
        }
    }

    /// A forgetting or a giving up that was killed: what is gone was let go, each record for itself.
    fn let_go_under_way(&mut self, there: &BTreeSet<i64>, under_way: Option<&Deed>) {
        let gone = self.records.extract_if(.., |id, record| {
            !there.contains(id)
                && match under_way {
                    Some(Deed::Forget { project }) => record.project == *project,
                    Some(Deed::Discard { record, .. }) => id == record,
                    _ => false,
                }
        });
        let arrived = matches!(under_way, Some(Deed::Forget { .. }));
        for (_, record) in gone {
            self.let_go.insert(record.xml, LetGo { files: record.files, arrived });
        }
    }

    /// Compares the server with the outbox: whatever is sent is there as it is here, nothing is there that is not ours, and
    /// nothing twice. With `all`, everything must have arrived.
    pub(crate) fn check_server(&self, client: &Client, server: &[Received], all: bool) -> Vec<String> {
        let mut losses = Vec::new();
        let mut by_xml: BTreeMap<&[u8], Vec<&Received>> = BTreeMap::new();
        for received in server {
            by_xml.entry(&received.xml).or_default().push(received);
        }
        let outbox = client.outbox(None).unwrap();
        for row in outbox {
            let Some(record) = self.records.get(&row.id.0) else { continue };
            let copies = by_xml.remove(record.xml.as_bytes()).unwrap_or_default();
            let is_sent = matches!(row.state, RecordState::Sent { .. });
            if copies.len() > 1 {
                losses.push(format!("record {} ({}) is {} times at the server", row.id.0, row.form_id, copies.len()));
            }
            match copies.first() {
                Some(received) if is_sent && !is_whole(received, &record.files) => {
                    losses.push(format!("record {} is sent and its files are not", row.id.0));
                }
                None if is_sent => losses.push(format!("record {} is sent and not at the server", row.id.0)),
                _ => {}
            }
            if all && !is_sent {
                losses.push(format!("record {} never arrived: {:?}", row.id.0, row.state));
            }
        }
        for (xml, gone) in &self.let_go {
            let copies = by_xml.remove(xml.as_bytes()).unwrap_or_default();
            match copies.as_slice() {
                [] if gone.arrived => losses.push("a record was forgotten as sent and is not at the server".to_owned()),
                [received] if gone.arrived && !is_whole(received, &gone.files) => {
                    losses.push("a record was forgotten as sent and its files are not at the server".to_owned());
                }
                [] | [_] => {}
                copies => losses.push(format!("a record let go is {} times at the server", copies.len())),
            }
        }
        // What was imported, sent and forgotten between two looks is known by its folder.
        for (xml, files) in self.importable.values().flatten() {
            let copies = by_xml.remove(xml.as_bytes()).unwrap_or_default();
            if copies.len() > 1 || copies.iter().any(|received| all && !is_whole(received, files)) {
                losses.push("an imported record is twice, or not whole, at the server".to_owned());
            }
        }
        if !by_xml.is_empty() {
            losses.push(format!("{} records at the server that nobody here made", by_xml.len()));
        }
        losses
    }

    /// Files of records by XML, to compare an export with.
    pub(crate) fn record_files(&self, xml: &str) -> Option<&Files> {
        let record = self.records.values().find(|record| record.xml == xml).map(|record| &record.files);
        let gone = || self.let_go.get(xml).map(|gone| &gone.files);
        let imported = || self.importable.values().flatten().find(|(known, _)| known == xml).map(|(_, files)| files);
        record.or_else(gone).or_else(imported)
    }

    /// How many drafts and records there are.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.drafts.len(), self.records.len())
    }

    /// A project that is there from the beginning.
    pub(crate) fn has_project(&mut self, id: i64, url: &str) {
        self.projects.insert(id, url.to_owned());
    }

    /// Addresses of projects that were removed and not added again.
    pub(crate) fn removed(&self) -> impl Iterator<Item = &str> {
        let there: BTreeSet<&String> = self.projects.values().collect();
        self.removed.iter().filter(move |url| !there.contains(url)).map(String::as_str)
    }
}

/// Whether a record came with its files, the same bytes, and no others.
fn is_whole(received: &Received, files: &Files) -> bool {
    let came = |(name, file): (&String, &File)| received.files.get(name) == Some(&digest(&bytes(file.seed, file.size)));
    received.files.len() == files.len() && files.iter().all(came)
}

fn row_project(client: &Client, record: i64) -> i64 {
    client.store().submission(SubmissionId(record)).unwrap().project.0
}

/// Answers against texts; without `names`, of files only that they are named.
fn check_answers(
    answers: &BTreeMap<String, Answer>,
    found: &BTreeMap<String, String>,
    names: Option<&Files>,
    what: &str,
    losses: &mut Vec<String>,
) {
    for (node, answer) in answers {
        let text = found.get(node).map_or("", String::as_str);
        let holds = match (answer, names) {
            (Answer::Text(expected), _) => text == expected,
            (Answer::File(file), Some(names)) => names.get(text) == Some(file),
            (Answer::File(_), None) => !text.is_empty(),
        };
        if !holds {
            losses.push(format!("{what}: the answer to {node} is lost"));
        }
    }
}

fn check_file(store: &Store, attachment: Option<&AttachmentId>, file: File, what: &str, losses: &mut Vec<String>) {
    let Some(id) = attachment else {
        losses.push(format!("{what}: a file is gone"));
        return;
    };
    match store.read_attachment(*id, 0, file.size + 1) {
        Ok(read) if read == bytes(file.seed, file.size) => {}
        Ok(_) => losses.push(format!("{what}: a file has other bytes")),
        Err(error) => losses.push(format!("{what}: a file cannot be read: {}", error.kind().code())),
    }
}

/// Texts by path; members of the repeat with their positions.
pub(crate) fn texts_in(xml: &str) -> BTreeMap<String, String> {
    const MEMBER: &str = "/data/member";
    let mut texts = BTreeMap::new();
    let mut members = 1;
    each_text(xml, |path, _, text| match path.strip_prefix(MEMBER) {
        Some("") => members += 1,
        Some(rest) => drop(texts.insert(format!("{MEMBER}[{members}]{rest}"), text.to_owned())),
        None => drop(texts.insert(path.to_owned(), text.to_owned())),
    });
    texts
}

/// What a deed is called, without anything personal.
fn name(deed: &Deed) -> String {
    let shown = format!("{deed:?}");
    shown.split([' ', '{']).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_told_apart() {
        let texts = texts_in(
            "<data><member><nick>a</nick></member><member><nick>b</nick><face/></member><name>c</name></data>",
        );
        assert_eq!(texts["/data/member[1]/nick"], "a");
        assert_eq!(texts["/data/member[2]/nick"], "b");
        assert_eq!((texts["/data/name"].as_str(), texts["/data/member[2]/face"].as_str()), ("c", ""));
    }
}
