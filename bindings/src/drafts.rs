use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use veldwerk::store::{DraftId, FormKey, ProjectId};

use crate::records::DraftSummary;
use crate::{Client, DraftSession, SurveyError};

/// The drafts that a session has open, so that who opens one again gets the same session: Android makes screens anew at
/// will, and two sessions on one draft would take each other's answers for missing.
#[derive(Default)]
pub(crate) struct OpenDrafts {
    sessions: Mutex<BTreeMap<i64, Session>>,
    changed: Condvar,
}

enum Session {
    /// Somebody is opening it.
    Opening,
    /// It is open; without a living session it is being closed.
    Open(Weak<DraftSession>),
}

/// That a draft is open or being opened; it ends when this is dropped, after the session itself.
pub(crate) struct Entry {
    open_drafts: Arc<OpenDrafts>,
    draft: i64,
}

impl OpenDrafts {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<i64, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session that has the draft open, or the right to open it.
    fn find_or_begin(self: &Arc<Self>, draft: i64) -> Result<Arc<DraftSession>, Entry> {
        let mut sessions = self.lock();
        loop {
            match sessions.get(&draft) {
                Some(Session::Open(session)) => match session.upgrade() {
                    Some(session) => return Ok(session),
                    None => sessions = self.changed.wait(sessions).unwrap_or_else(PoisonError::into_inner),
                },
                Some(Session::Opening) => {
                    sessions = self.changed.wait(sessions).unwrap_or_else(PoisonError::into_inner);
                }
                None => {
                    sessions.insert(draft, Session::Opening);
                    return Err(Entry { open_drafts: Arc::clone(self), draft });
                }
            }
        }
    }

    fn opened(self: &Arc<Self>, session: &Arc<DraftSession>, draft: i64) {
        self.lock().insert(draft, Session::Open(Arc::downgrade(session)));
        self.changed.notify_all();
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.open_drafts.lock().remove(&self.draft);
        self.open_drafts.changed.notify_all();
    }
}

#[uniffi::export]
impl Client {
    /// Begins a draft; `language` by tag or name. Class heavy. Throws `NotFound`, `InvalidForm`, `InvalidAnswer` for a
    /// language that the form does not have.
    pub fn start_draft(&self, form: i64, language: Option<String>) -> Result<Arc<DraftSession>, SurveyError> {
        let session = self.inner.start_draft(FormKey(form), language.as_deref())?;
        let draft = session.id().0;
        let entry = Entry { open_drafts: Arc::clone(&self.open_drafts), draft };
        let session = Arc::new(DraftSession::new(session, entry));
        self.open_drafts.opened(&session, draft);
        Ok(session)
    }

    /// Opens a draft where it was left. While it is open, this gives the session that has it open. Class heavy. Throws
    /// `NotFound`, also for one that was finalised.
    pub fn open_draft(&self, draft: i64) -> Result<Arc<DraftSession>, SurveyError> {
        let entry = match self.open_drafts.find_or_begin(draft) {
            Ok(session) => return session.unless_finalized(),
            Err(entry) => entry,
        };
        let session = Arc::new(DraftSession::new(self.inner.open_draft(DraftId(draft))?, entry));
        self.open_drafts.opened(&session, draft);
        Ok(session)
    }

    /// The drafts of a project, or of all, the last changed first. Class disk.
    pub fn drafts(&self, project: Option<i64>) -> Result<Vec<DraftSummary>, SurveyError> {
        Ok(self.inner.drafts(project.map(ProjectId))?.into_iter().map(Into::into).collect())
    }

    /// The drafts whose name or form's title contains `search`, in the order of [`Client::drafts`]; case, accents and
    /// variants of letters make no difference. Class disk.
    pub fn find_drafts(&self, project: Option<i64>, search: String) -> Result<Vec<DraftSummary>, SurveyError> {
        Ok(self.inner.find_drafts(project.map(ProjectId), &search)?.into_iter().map(Into::into).collect())
    }

    /// Deletes a draft for good. Class disk. Throws `StoreInUse` while it is open, `NotFound`.
    pub fn delete_draft(&self, draft: i64) -> Result<(), SurveyError> {
        Ok(self.inner.delete_draft(DraftId(draft))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::TestHome;
    use crate::{Finalization, MovePolicy, Moved};

    #[test]
    fn a_draft_that_is_open_is_opened_once() {
        let home = TestHome::new();
        let begun = home.client.start_draft(home.form, None).unwrap();
        let draft = begun.draft_id();
        let again = home.client.open_draft(draft).unwrap();
        assert!(Arc::ptr_eq(&begun, &again));
        begun.answer("/d/g/low".into(), Some("3".into())).unwrap();
        assert_eq!(again.screen().questions[0].value, "3");
        assert!(matches!(home.client.delete_draft(draft), Err(SurveyError::StoreInUse { .. })));
        drop((begun, again));
        let later = home.client.open_draft(draft).unwrap();
        assert_eq!(later.screen().questions[0].value, "3");
    }

    #[test]
    fn many_who_open_at_once_get_one_session_each_time() {
        let home = TestHome::new();
        let draft = home.client.start_draft(home.form, None).unwrap().draft_id();
        std::thread::scope(|scope| {
            for n in 0..8 {
                let client = &home.client;
                scope.spawn(move || {
                    for m in 0..20 {
                        let session = client.open_draft(draft).unwrap();
                        session.answer("/d/g/low".into(), Some(format!("{n}{m}"))).unwrap();
                    }
                });
            }
        });
        assert!(home.client.open_draft(draft).is_ok());
        assert_eq!(home.client.open_drafts.lock().len(), 0, "nothing stays behind");
    }

    #[test]
    fn a_finalised_draft_is_no_draft_any_more() {
        let home = TestHome::new();
        let session = home.client.start_draft(home.form, None).unwrap();
        assert!(matches!(session.finalize().unwrap(), Finalization::Finalized { .. }));
        let draft = session.draft_id();
        assert!(matches!(home.client.open_draft(draft), Err(SurveyError::NotFound { .. })));
        drop(session);
        assert!(matches!(home.client.open_draft(draft), Err(SurveyError::NotFound { .. })));
        assert!(matches!(home.client.open_draft(99), Err(SurveyError::NotFound { .. })));
        assert_eq!(home.client.open_drafts.lock().len(), 0);
    }

    #[test]
    fn a_change_gives_back_the_whole_screen() {
        let home = TestHome::new();
        let session = home.client.start_draft(home.form, None).unwrap();
        session.answer("/d/g/low".into(), Some("3".into())).unwrap();
        session.answer("/d/g/high".into(), Some("5".into())).unwrap();
        let screen = session.answer("/d/g/low".into(), Some("9".into())).unwrap();
        assert_eq!(screen.name, "/d/g");
        let high = &screen.questions[1];
        assert!(!high.violation.as_ref().unwrap().missing, "the constraint of the other question shows at once");
        let Moved::Refused { screen, violations } = session.next(MovePolicy::OnMove).unwrap() else {
            panic!("the screen let go")
        };
        assert_eq!((screen.name.as_str(), violations[0].node.as_str()), ("/d/g", "/d/g/high"));
        let screen = session.add_repeat("/d/r".into()).unwrap();
        assert_eq!(screen.name, "/d/g");
        let screen = session.go_to("/d/r[1]/v".into()).unwrap();
        assert!(screen.instances[0].may_change && screen.instances[0].node == "/d/r[1]");
        assert_eq!(session.remove_repeat("/d/r[1]".into()).unwrap().name, "/d/place", "the nearest earlier screen");
    }

    #[test]
    fn long_lists_cross_the_border_by_page() {
        let home = TestHome::new();
        let session = home.client.start_draft(home.form, None).unwrap();
        let shown = session.go_to("/d/place".into()).unwrap().questions.remove(0);
        assert_eq!((shown.choices.len(), shown.n_choices), (0, 150));
        let found = session.choices("/d/place".into(), "sudwest".into(), 0, 20).unwrap();
        assert_eq!((found.choices[0].value.as_str(), found.total), ("p42", 1));
        let shown = session.answer("/d/place".into(), Some("p42".into())).unwrap().questions.remove(0);
        assert_eq!((shown.choices.len(), shown.shown_value.as_str()), (1, "Súdwest-Fryslân"));
        assert!(session.choices("/d/g/low".into(), String::new(), 0, 20).is_none());
    }

    #[test]
    fn lists_say_which_project_and_form() {
        let home = TestHome::new();
        let session = home.client.start_draft(home.form, None).unwrap();
        let drafts = home.client.drafts(None).unwrap();
        assert_eq!((drafts[0].form, drafts[0].form_id.as_str(), drafts[0].offered), (home.form, "visit", true));
        session.finalize().unwrap();
        let records = home.client.outbox(Some(drafts[0].project)).unwrap();
        assert_eq!((records[0].project, records[0].form_id.as_str()), (drafts[0].project, "visit"));
        assert!(records[0].bytes > 100 && records[0].attachments == 0);
    }
}
