//! Projects: a server address with its account.

use std::collections::BTreeMap;
use std::fmt;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::project_settings::ProjectSettings;
use super::{ProjectId, Store, attachments, forms, records};
use crate::{Error, ErrorKind, Result};

/// What a project is made of.
#[derive(Clone, PartialEq, Eq)]
pub struct NewProject {
    /// The name people see.
    pub name: String,
    /// The server URL without a trailing slash; `{}` stands where the token goes.
    pub url_prefix: String,
    /// How the server knows who asks.
    pub auth: Auth,
    /// Everything else it is told.
    pub settings: ProjectSettings,
    /// Certificates (PEM) of authorities that it trusts besides the public ones; empty for none.
    pub ca: String,
}

/// How the server knows who asks. Its `Debug` tells no secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Auth {
    /// It does not ask.
    None,
    /// By an app-user token, which goes into the URL.
    Token(String),
    /// By a user's name and password.
    Basic {
        /// The user's name.
        user: String,
        /// The password.
        password: String,
    },
}

/// A project of this home.
#[derive(Clone, PartialEq, Eq)]
pub struct Project {
    /// Its row.
    pub id: ProjectId,
    /// The name people see.
    pub name: String,
    /// The server URL without a trailing slash; `{}` stands where the token goes.
    pub url_prefix: String,
    /// How the server knows who asks.
    pub auth: Auth,
    /// Everything else it is told.
    pub settings: ProjectSettings,
    /// Certificates (PEM) of authorities that it trusts besides the public ones; empty for none.
    pub ca: String,
}

const PROJECT: &str = "SELECT id, name, url_prefix, auth, user, secret, settings, ca FROM project";

impl Store {
    /// Adds a project.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageFull`.
    pub fn add_project(&self, project: &NewProject) -> Result<ProjectId> {
        self.read(|connection| add_row(connection, project))
    }

    /// Adds the project that `choose` makes in view of those that are here, if it makes one; nobody adds another meanwhile.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageFull`; that of `choose`.
    pub fn add_project_beside(
        &self,
        choose: impl FnOnce(Vec<Project>) -> Result<Option<NewProject>>,
    ) -> Result<Option<ProjectId>> {
        self.write(|transaction| choose(read_rows(transaction)?)?.map(|new| add_row(transaction, &new)).transpose())
    }

    /// Changes a project to what `change` makes of it; nobody changes it meanwhile.
    ///
    /// # Errors
    /// `NotFound`, `StoragePaused`, `StorageFull`; that of `change`, and then nothing has changed.
    pub fn change_project(&self, id: ProjectId, change: impl FnOnce(Project) -> Result<Project>) -> Result<Project> {
        self.write(|transaction| change_row(transaction, id, change))
    }

    /// Changes the account or the address of a project to what `change` makes of it in view of all projects, in one transaction
    /// with all that follows from it: lists and manifests are read afresh, the limit of the server is not known, and records that wait, or need attention for one of `reasons`
    /// (codes), are ready. Says how many those are. When this returns, the token or password of before can be recovered from
    /// nothing that is here, whoever has the key.
    ///
    /// # Errors
    /// As [`change_project`](Self::change_project). `StorageFull`, `Io`: also if the project is changed and what was before still
    /// has traces; they go when the home is closed.
    pub fn renew_project(
        &self,
        id: ProjectId,
        reasons: &[&str],
        change: impl FnOnce(Project, &[Project]) -> Result<Project>,
    ) -> Result<(Project, usize)> {
        let renewed = self.write(|transaction| {
            let all = read_rows(transaction)?;
            let project = change_row(transaction, id, |project| change(project, &all))?;
            transaction.execute("DELETE FROM document WHERE project = ?", [id])?;
            transaction.execute("UPDATE project SET accept_length = NULL WHERE id = ?", [id])?;
            records::begin_anew(transaction, id)?;
            Ok((project, records::free(transaction, id, reasons)?))
        })?;
        self.erase_traces()?;
        Ok(renewed)
    }

    /// All projects, in the order they were added.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn projects(&self) -> Result<Vec<Project>> {
        self.read(read_rows)
    }

    /// One project.
    ///
    /// # Errors
    /// `NotFound`, `StoragePaused`, `StorageDamaged`.
    pub fn project(&self, id: ProjectId) -> Result<Project> {
        self.read(|connection| read_row(connection, id))
    }

    /// Removes a project with its forms, drafts, records and receipts, and with the copy that an update has kept. When this
    /// returns, nothing of it can be recovered from the database, whoever has the key. While drafts or unsent records are
    /// there it refuses, unless they are given up (`give_up_unsent`). A quarantine is not touched: it goes by itself.
    ///
    /// # Errors
    /// `UnsentRecords`, `NotFound`, `StoragePaused`: nothing was removed. `StorageFull`, `Io`: also if the project is gone and
    /// its traces are not; they go when the home is closed.
    pub fn remove_project(&self, id: ProjectId, give_up_unsent: bool) -> Result<()> {
        let erased = self.write(|transaction| {
            let (n_drafts, n_unsent): (i64, i64) = transaction.query_row(
                "SELECT (SELECT count(*) FROM draft JOIN form ON form.id = draft.form WHERE form.project = ?1),
                        (SELECT count(*) FROM submission WHERE project = ?1 AND state <> 'sent')",
                [id],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            if n_drafts + n_unsent > 0 && !give_up_unsent {
                let detail = format!("drafts: {n_drafts}, unsent records: {n_unsent}");
                return Err(Error::new(ErrorKind::UnsentRecords, detail));
            }
            let drafts = "SELECT draft.id FROM draft JOIN form ON form.id = draft.form WHERE form.project = ?1";
            let records = "SELECT id FROM submission WHERE project = ?1";
            let erased =
                attachments::erase(transaction, &format!("draft IN ({drafts}) OR submission IN ({records})"), [id])?;
            transaction.execute(&format!("DELETE FROM draft WHERE id IN ({drafts})"), [id])?;
            transaction.execute("DELETE FROM submission WHERE project = ?", [id])?;
            forms::drop_forms(transaction, "project = :project", &BTreeMap::from([(":project", id.0)]))?;
            let removed = transaction.execute("DELETE FROM project WHERE id = ?", [id])?;
            if removed == 0 { Err(not_found(id)) } else { Ok(erased) }
        })?;
        self.forget(erased);
        self.erase_traces()
    }
}

impl Project {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let (user, secret): (String, String) = (row.get("user")?, row.get("secret")?);
        Ok(Self {
            id: row.get("id")?,
            name: row.get("name")?,
            url_prefix: row.get("url_prefix")?,
            auth: match row.get_ref("auth")?.as_str()? {
                "token" => Auth::Token(secret),
                "basic" => Auth::Basic { user, password: secret },
                _ => Auth::None,
            },
            settings: ProjectSettings::from_json(row.get_ref("settings")?.as_str()?),
            ca: row.get("ca")?,
        })
    }

    /// The server URL with the token in its place: a secret, never to be shown or logged.
    #[must_use]
    pub fn url(&self) -> String {
        match &self.auth {
            Auth::Token(token) => self.url_prefix.replace("{}", token),
            Auth::None | Auth::Basic { .. } => self.url_prefix.clone(),
        }
    }
}

impl Auth {
    /// Kind, user and secret.
    fn columns(&self) -> (&'static str, &str, &str) {
        match self {
            Self::None => ("none", "", ""),
            Self::Token(token) => ("token", "", token),
            Self::Basic { user, password } => ("basic", user, password),
        }
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Token(_) => "Token(…)",
            Self::Basic { .. } => "Basic(…)",
        })
    }
}

impl fmt::Debug for NewProject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewProject").field("auth", &self.auth).finish_non_exhaustive()
    }
}

impl fmt::Debug for Project {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Project").field("id", &self.id).field("auth", &self.auth).finish_non_exhaustive()
    }
}

fn add_row(connection: &Connection, project: &NewProject) -> Result<ProjectId> {
    let (auth, user, secret) = project.auth.columns();
    connection.execute(
        "INSERT INTO project (name, url_prefix, auth, user, secret, settings, ca) VALUES (?, ?, ?, ?, ?, ?, ?)",
        params![project.name, project.url_prefix, auth, user, secret, project.settings.to_json(), project.ca],
    )?;
    Ok(ProjectId(connection.last_insert_rowid()))
}

fn read_rows(connection: &Connection) -> Result<Vec<Project>> {
    let mut query = connection.prepare(&format!("{PROJECT} ORDER BY id"))?;
    let projects = query.query_map([], Project::read)?.collect::<Result<_, _>>()?;
    Ok(projects)
}

fn read_row(connection: &Connection, id: ProjectId) -> Result<Project> {
    let query = format!("{PROJECT} WHERE id = ?");
    connection.query_row(&query, [id], Project::read).optional()?.ok_or_else(|| not_found(id))
}

fn change_row(
    connection: &Connection,
    id: ProjectId,
    change: impl FnOnce(Project) -> Result<Project>,
) -> Result<Project> {
    let project = change(read_row(connection, id)?)?;
    let Project { name, url_prefix, auth, settings, ca, .. } = &project;
    let (auth, user, secret) = auth.columns();
    connection.execute(
        "UPDATE project SET name = ?, url_prefix = ?, auth = ?, user = ?, secret = ?, settings = ?, ca = ? WHERE id = ?",
        params![name, url_prefix, auth, user, secret, settings.to_json(), ca, id],
    )?;
    Ok(project)
}

fn not_found(id: ProjectId) -> Error {
    Error::new(ErrorKind::NotFound, format!("project {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{SECRET, TestHome, answer, new_file, new_form};
    use crate::store::{Attempt, Finalized, Reason, RecordState, Records, Settled, Snapshot};
    use rusqlite::types::ValueRef;
    use std::collections::BTreeMap;

    fn new_project(auth: Auth) -> NewProject {
        let settings = ProjectSettings { icon: "💧".into(), ..ProjectSettings::default() };
        NewProject { name: "N".into(), url_prefix: "https://h/key/{}/p".into(), auth, settings, ca: String::new() }
    }

    #[test]
    fn every_kind_of_account_comes_back() {
        let mut home = TestHome::new();
        let basic = Auth::Basic { user: "u".into(), password: SECRET.into() };
        for auth in [Auth::None, Auth::Token(SECRET.into()), basic] {
            let id = home.add_project(&new_project(auth.clone())).unwrap();
            home.reopen();
            let project = home.project(id).unwrap();
            assert_eq!(project.auth, auth);
            assert_eq!(project.url().contains(SECRET), matches!(auth, Auth::Token(_)));
            assert!(!format!("{project:?} {auth:?} {:?}", new_project(auth.clone())).contains(SECRET));
        }
        assert_eq!(home.projects().unwrap().len(), 3);
    }

    #[test]
    fn a_project_can_change() {
        let home = TestHome::new();
        let id = home.any_project();
        let other = |project| Ok(Project { name: "Other".into(), auth: Auth::None, ..project });
        let changed = home.change_project(id, other).unwrap();
        assert_eq!((changed.name.as_str(), &changed.auth), ("Other", &Auth::None));
        assert_eq!(home.project(id).unwrap(), changed);
        assert_eq!(home.change_project(id, |_| Err(ErrorKind::Usage.into())).unwrap_err().kind(), ErrorKind::Usage);
        assert_eq!(home.project(id).unwrap(), changed);
        assert_eq!(home.change_project(ProjectId(99), other).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn removing_refuses_while_something_is_unsent() {
        let home = TestHome::new();
        let (project, other) = (home.any_project(), home.any_project());
        let draft = home.draft_of(home.any_form(project, "visit", "1"), "uuid:a");
        let kept = home.draft_of(home.any_form(other, "visit", "1"), "uuid:b");
        for (draft, name) in [(draft, "a.jpg"), (kept, "b.jpg")] {
            home.append_edit(draft, &answer(1, "/a", "x")).unwrap();
            home.attach(draft, name, &mut &b"photo"[..]).unwrap();
        }
        home.set_documents(project, &[("https://h/formList", "e", b"<xforms/>")]).unwrap();
        home.set_last_saved(project, "visit", b"<a/>", 1).unwrap();

        assert_eq!(home.remove_project(project, false).unwrap_err().kind(), ErrorKind::UnsentRecords);
        assert_eq!(home.drafts(None).unwrap().len(), 2);
        home.remove_project(project, true).unwrap();
        assert_eq!(home.projects().unwrap().iter().map(|project| project.id).collect::<Vec<_>>(), [other]);
        assert_eq!(home.drafts(None).unwrap().iter().map(|draft| draft.id).collect::<Vec<_>>(), [kept]);
        assert_eq!(home.n_files("files"), 1);
        assert_eq!(home.remove_project(project, true).unwrap_err().kind(), ErrorKind::NotFound);
    }

    /// Every page as whoever has the key would see it, those that nothing uses included.
    #[test]
    fn a_removed_project_leaves_nothing_to_recover() {
        let home = TestHome::new();
        let (project, other) = (home.any_project(), home.any_project());
        let form = home.any_form(project, "visit", "1");
        let kept = home.draft_of(home.any_form(other, "visit", "1"), "uuid:kept");
        home.append_edit(kept, &answer(1, "/a", "an answer that stays")).unwrap();
        let list = format!("https://h/v1/key/token-{SECRET}/formList");
        let body = format!("<downloadUrl>{list}</downloadUrl>");
        home.set_documents(project, &[(&list, "e", body.as_bytes())]).unwrap();
        for n in 0..200 {
            let draft = home.draft_of(form, &format!("uuid:{n}"));
            home.append_edit(draft, &answer(1, "/a", &format!("{SECRET} {n} {}", "words ".repeat(n)))).unwrap();
            home.attach(draft, &format!("{SECRET}.jpg"), &mut SECRET.as_bytes()).unwrap();
        }
        home.change_project(other, |project| Ok(Project { auth: Auth::None, ..project })).unwrap();
        let found = |text: &str| {
            let pages = home.decrypted();
            pages.windows(text.len()).any(|window| window == text.as_bytes())
        };
        assert!(found(SECRET) && found("an answer that stays"));
        home.remove_project(project, true).unwrap();
        assert!(found("an answer that stays"));
        assert!(!found(SECRET), "a token, an answer or a name is still there");
        assert_eq!(std::fs::metadata(home.path().join("store.db-wal")).unwrap().len(), 0);
        assert_eq!(home.n_files("files"), 0);
    }

    #[test]
    fn a_renewed_project_leaves_nothing_of_the_account_before() {
        let home = TestHome::new();
        let id = home.add_project(&new_project(Auth::Token(format!("token-{SECRET}")))).unwrap();
        let list = format!("https://h/key/token-{SECRET}/formList");
        let body = format!("<downloadUrl>{list}</downloadUrl>").repeat(200);
        home.set_documents(id, &[(&list, "e", body.as_bytes())]).unwrap();
        let found = |text: &str| home.decrypted().windows(text.len()).any(|window| window == text.as_bytes());
        for (before, now) in [(format!("token-{SECRET}"), "token-two"), ("token-two".to_owned(), "token-three")] {
            assert!(found(&before));
            let change = |project, _: &[Project]| Ok(Project { auth: Auth::Token(now.into()), ..project });
            home.renew_project(id, &[], change).unwrap();
            assert!(!found(&before) && found(now));
        }
        assert_eq!(std::fs::metadata(home.path().join("store.db-wal")).unwrap().len(), 0);
    }

    /// Tables that hold nothing of a project; a new table stands here or is filled below.
    const OF_NO_PROJECT: [&str; 3] = ["kv", "dead_file", "stray_file"];

    /// Every row of every table, as text.
    fn all_rows(home: &TestHome) -> BTreeMap<String, Vec<String>> {
        home.read(|connection| {
            let mut tables = connection.prepare(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'",
            )?;
            let tables: Vec<String> = tables.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            let mut all = BTreeMap::new();
            for table in tables {
                let mut query = connection.prepare(&format!("SELECT * FROM {table}"))?;
                let n_columns = query.column_count();
                let rows = query.query_map([], |row| {
                    (0..n_columns)
                        .map(|column| Ok(format!("{}, ", shown(row.get_ref(column)?))))
                        .collect::<rusqlite::Result<String>>()
                })?;
                all.insert(table, rows.collect::<Result<_, _>>()?);
            }
            Ok(all)
        })
        .unwrap()
    }

    fn shown(value: ValueRef<'_>) -> String {
        match value {
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => format!("{other:?}"),
        }
    }

    /// A project with something in every table that holds anything of one.
    fn full_project(home: &TestHome, url: &str) -> ProjectId {
        let auth = Auth::Token(SECRET.into());
        let ca = format!("-----BEGIN CERTIFICATE-----{SECRET}");
        let project = home.add_project(&NewProject { url_prefix: url.into(), ca, ..new_project(auth) }).unwrap();
        let list = home.data(format!("name\n{SECRET}").as_bytes());
        let files = vec![new_file("a.csv", &format!("md5:{SECRET}"), list)];
        let form = home.install_form(&new_form(project, "visit", "1", files)).unwrap();
        home.draft_of(form, "uuid:draft");
        let draft = home.draft_of(form, "uuid:open");
        home.append_edit(draft, &answer(1, "/a", SECRET)).unwrap();
        home.attach(draft, "a.jpg", &mut SECRET.as_bytes()).unwrap();
        let snapshot = Snapshot {
            seq: 1,
            format: 1,
            state: SECRET.into(),
            name: SECRET.into(),
            screen: String::new(),
            language: String::new(),
            engine: String::new(),
            at: 1,
        };
        home.save_snapshot(draft, &snapshot).unwrap();
        for (instance_id, is_sent) in [("uuid:unsent", false), ("uuid:sent", true)] {
            let draft = home.draft_of(form, instance_id);
            home.attach(draft, "b.jpg", &mut SECRET.as_bytes()).unwrap();
            let record = Finalized {
                xml: SECRET.into(),
                instance_id: instance_id.into(),
                name: SECRET.into(),
                attachments: vec!["b.jpg".into()],
                last_saved: Some(SECRET.into()),
                at: 1,
            };
            let record = home.finalize(draft, &record).unwrap();
            let attempt = Attempt {
                started_at: 1,
                ended_at: 2,
                outcome: "answered".into(),
                http_status: None,
                note: SECRET.into(),
            };
            let settled = Settled { attempts: vec![attempt], ..Settled::default() };
            assert!(home.settle_sending(record, None, &settled).unwrap());
            if is_sent {
                let claim = home.begin_sending(record).unwrap();
                home.mark(record, claim, &RecordState::Sent { at: 3 }).unwrap();
                assert_eq!(home.forget_sent(&Records::One(record), None).unwrap(), 1);
            }
        }
        let url = format!("https://h/key/{SECRET}/formList");
        home.set_documents(project, &[(&url, "e", SECRET.as_bytes())]).unwrap();
        home.write(|transaction| {
            let row =
                "INSERT INTO form_failure (project, form_id, version, code, at) VALUES (?, 'visit', '2', 'cycle', 1)";
            Ok(transaction.execute(row, [project])?)
        })
        .unwrap();
        project
    }

    #[test]
    fn removing_leaves_neither_token_nor_row_in_any_table() {
        let home = TestHome::new();
        let other = home.any_project();
        home.draft_of(home.any_form(other, "visit", "1"), "uuid:other");
        let before = all_rows(&home);
        let project = full_project(&home, &format!("https://h/v1/key/{{}}/{SECRET}"));
        let full = all_rows(&home);
        for (table, rows) in &full {
            let grew = rows.len() > before[table].len();
            assert_ne!(grew, OF_NO_PROJECT.contains(&table.as_str()), "{table}: {rows:?}");
        }
        home.remove_project(project, true).unwrap();
        assert_eq!(all_rows(&home), before);
        assert_eq!(home.n_files("files"), 0);
    }

    #[test]
    fn renewing_keeps_everything_but_what_the_server_said() {
        let home = TestHome::new();
        let project = full_project(&home, "https://h/v1/key/{}/projects/1");
        let before = all_rows(&home);
        home.read(|connection| Ok(connection.execute("UPDATE project SET accept_length = 7", [])?)).unwrap();
        let with_new_token = |before, _: &[Project]| Ok(Project { auth: Auth::Token("new".into()), ..before });
        let (renewed, _) = home.renew_project(project, &[], with_new_token).unwrap();
        let after = all_rows(&home);
        for (table, rows) in before {
            match table.as_str() {
                "project" => {
                    assert!(after[&table][0].contains("token, , new, ") && !after[&table][0].contains("Integer(7)"))
                }
                "document" => assert!(after[&table].is_empty()),
                _ => assert_eq!(after[&table], rows, "{table}"),
            }
        }
        assert_eq!(home.project(project).unwrap(), renewed);
        let nowhere = home.renew_project(ProjectId(99), &[], with_new_token);
        assert_eq!(nowhere.unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn renewing_frees_what_waits_and_what_the_account_held_up() {
        let home = TestHome::new();
        let project = home.any_project();
        let form = home.any_form(project, "visit", "1");
        let reason = |code: &str| Reason { code: code.into(), text: String::new() };
        let states = [
            RecordState::Waiting { next_attempt_at: i64::MAX, reason: reason("offline") },
            RecordState::NeedsAttention(reason("not-allowed")),
            RecordState::NeedsAttention(reason("form-closed")),
            RecordState::Sent { at: 1 },
        ];
        let records = states.clone().map(|state| {
            let record = Finalized {
                xml: b"<a/>".to_vec(),
                instance_id: "uuid:a".into(),
                name: String::new(),
                attachments: vec![],
                last_saved: None,
                at: 1,
            };
            let id = home.finalize(home.draft_of(form, "uuid:a"), &record).unwrap();
            let claim = home.begin_sending(id).unwrap();
            home.mark(id, claim, &state).unwrap();
            id
        });
        assert_eq!(home.renew_project(project, &["not-allowed", "sign-in-needed"], |same, _| Ok(same)).unwrap().1, 2);
        let [_, _, closed, sent] = states;
        let expected = [RecordState::Ready, RecordState::Ready, closed, sent];
        assert_eq!(records.map(|record| home.submission(record).unwrap().state), expected);
    }
}
