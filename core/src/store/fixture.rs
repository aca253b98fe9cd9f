//! A home in a temporary folder, for tests: opened with a key of its own, with a project, a form and a draft at hand.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tempfile::TempDir;

use super::{
    Auth, Content, DraftId, Edit, FormKey, Key, NewDraft, NewForm, NewFormFile, NewProject, NewRecord, ProjectId,
    ProjectSettings, Store, connection,
};

/// The moment of everything that has no better one.
pub(super) const NOW: i64 = 1_760_000_000_000;

/// A word that no encrypted file may contain.
pub(super) const SECRET: &str = "Tsehaytu-0612345678";

pub(super) struct TestHome {
    folder: TempDir,
    pub(super) key: Key,
    store: Option<Store>,
}

impl TestHome {
    pub(super) fn new() -> Self {
        let mut home = Self { folder: tempfile::tempdir().unwrap(), key: Key::from_bytes([7; 32]), store: None };
        home.reopen();
        home
    }

    /// What happens at a kill, as far as the disk can tell: no good-bye, and then the next start.
    pub(super) fn reopen(&mut self) {
        self.shut();
        self.store = Some(Store::open(&self.path(), &self.key).unwrap());
    }

    pub(super) fn shut(&mut self) {
        self.store = None;
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(super) fn any_project(&self) -> ProjectId {
        self.add_project(&NewProject {
            name: "Wells".into(),
            url_prefix: "https://example.org/v1/key/{}/projects/1".into(),
            auth: Auth::Token(format!("token-{SECRET}")),
            settings: ProjectSettings::default(),
            ca: String::new(),
        })
        .unwrap()
    }

    pub(super) fn any_form(&self, project: ProjectId, form_id: &str, version: &str) -> FormKey {
        self.install_form(&new_form(project, form_id, version, vec![])).unwrap()
    }

    /// A list of these bytes, on its way to a form.
    pub(super) fn data(&self, bytes: &[u8]) -> Content {
        let mut writer = self.stage_data().unwrap();
        self.append_data(&mut writer, bytes).unwrap();
        Content::Data(self.finish_data(writer).unwrap())
    }

    /// A draft of a form of a project of its own.
    pub(super) fn any_draft(&self) -> DraftId {
        let form = self.any_form(self.any_project(), "visit", "1");
        self.draft_of(form, "uuid:a")
    }

    pub(super) fn draft_of(&self, form: FormKey, instance_id: &str) -> DraftId {
        self.create_draft(&new_draft(form, instance_id)).unwrap()
    }

    /// Every file of the home with its bytes, by its path within.
    pub(super) fn all_files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.path()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                } else {
                    let path = entry.path().strip_prefix(self.path()).unwrap().to_owned();
                    files.insert(path, fs::read(entry.path()).unwrap());
                }
            }
        }
        files
    }

    /// Every page of the database and its log in the clear, as whoever has the key can see them.
    pub(super) fn decrypted(&self) -> Vec<u8> {
        let copy = copy_folder(&self.path());
        let database = copy.path().join("store.db");
        let connection = Connection::open(&database).unwrap();
        connection::unlock(&connection, &self.key).unwrap();
        connection.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA rekey = ''").unwrap();
        drop(connection);
        fs::read(database).unwrap()
    }

    /// How many files lie in a folder of the home.
    pub(super) fn n_files(&self, folder: &str) -> usize {
        self.all_files().keys().filter(|path| path.starts_with(Path::new(folder))).count()
    }
}

impl Deref for TestHome {
    type Target = Store;

    fn deref(&self) -> &Store {
        self.store.as_ref().unwrap()
    }
}

pub(super) fn new_draft(form: FormKey, instance_id: &str) -> NewDraft {
    NewDraft {
        form,
        instance_id: instance_id.into(),
        seed: u64::MAX - 1,
        time_zone: "Europe/Amsterdam".into(),
        language: "nl".into(),
        engine: "0.1.0".into(),
        last_saved: None,
        created_at: NOW,
    }
}

/// A copy of the home that a program of schema 1 made (`testdata/README.md`), and its key.
pub(super) fn frozen_home() -> (TempDir, Key) {
    let mut key = [0; 32];
    (0..).zip(&mut key).for_each(|(n, byte)| *byte = n);
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/testdata/home-0001");
    (copy_folder(&home), Key::from_bytes(key))
}

/// A copy of a folder with the folders in it.
pub(super) fn copy_folder(from: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        fs::create_dir_all(copy.path().join(&folder)).unwrap();
        for entry in fs::read_dir(from.join(&folder)).unwrap().map(Result::unwrap) {
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(path);
            } else {
                fs::copy(entry.path(), copy.path().join(path)).unwrap();
            }
        }
    }
    copy
}

pub(super) fn new_form(project: ProjectId, form_id: &str, version: &str, files: Vec<NewFormFile>) -> NewForm {
    NewForm {
        project,
        form_id: form_id.into(),
        version: version.into(),
        hash: format!("md5:{form_id}{version}"),
        title: format!("Title of {form_id}"),
        url: format!("forms/{form_id}.xml"),
        xml: format!("<form>{form_id} {version}</form>").into_bytes(),
        files,
        fetched_at: NOW,
    }
}

pub(super) fn new_file(name: &str, hash: &str, content: Content) -> NewFormFile {
    NewFormFile {
        name: name.into(),
        role: String::new(),
        hash: hash.into(),
        etag: format!("\"{hash}\""),
        md5: String::new(),
        content,
    }
}

/// A record from elsewhere of the form `visit`.
pub(super) fn record(project: ProjectId, instance_id: &str) -> NewRecord {
    NewRecord {
        project,
        instance_id: instance_id.into(),
        form_id: "visit".into(),
        version: "1".into(),
        title: "Visit".into(),
        name: String::new(),
        xml: b"<data/>".to_vec(),
        finalized_at: NOW,
    }
}

pub(super) fn answer(seq: u64, node: &str, value: &str) -> Edit {
    Edit { seq, op: "answer".into(), node: node.into(), value: Some(value.into()), at: NOW + seq as i64 }
}
