use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use veldwerk::client as core;
use veldwerk::session::{Policy, ScreenKey};

use crate::SurveyError;
use crate::records::{Changes, Finalization, Language, MovePolicy, Moved, ScreenView, Violation};

/// A draft being filled. Everything that is accepted is on the phone's disk when the call returns.
///
/// Questions are named by their path with positions, such as `/data/person[2]/age`; screens by the name that
/// [`ScreenView`] carries.
#[derive(uniffi::Object)]
pub struct DraftSession {
    inner: Mutex<core::DraftSession>,
}

impl DraftSession {
    pub(crate) fn new(session: core::DraftSession) -> Self {
        Self { inner: Mutex::new(session) }
    }

    fn lock(&self) -> MutexGuard<'_, core::DraftSession> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[uniffi::export]
impl DraftSession {
    /// The draft's id. Class instant.
    pub fn draft_id(&self) -> i64 {
        self.lock().id().0
    }

    /// The languages of the form, in its order. Class instant.
    pub fn languages(&self) -> Vec<Language> {
        self.lock().session().languages().iter().map(Into::into).collect()
    }

    /// The name of the language shown; null if the form has none. Class instant.
    pub fn language(&self) -> Option<String> {
        self.lock().session().language_name().map(str::to_owned)
    }

    /// What the current screen shows. Class instant.
    pub fn screen(&self) -> ScreenView {
        let session = self.lock();
        ScreenView::of(session.session(), &session.screen())
    }

    /// Answers a question in the lexical form of the submission; null clears. Class disk. Throws `InvalidAnswer`; a value
    /// that breaks the question's constraint is kept, and its view says so.
    pub fn answer(&self, node: String, value: Option<String>) -> Result<Changes, SurveyError> {
        let mut session = self.lock();
        let changes = session.answer(&node, value.as_deref())?;
        Ok(Changes::of(session.session(), &changes))
    }

    /// Adds an instance to a repeat, by the path of its range. Class disk. Throws `InvalidAnswer`.
    pub fn add_repeat(&self, range: String) -> Result<Changes, SurveyError> {
        let mut session = self.lock();
        let changes = session.add_repeat(&range)?;
        Ok(Changes::of(session.session(), &changes))
    }

    /// Removes an instance of a repeat. Class disk. Throws `InvalidAnswer`.
    pub fn remove_repeat(&self, node: String) -> Result<Changes, SurveyError> {
        let mut session = self.lock();
        let changes = session.remove_repeat(&node)?;
        Ok(Changes::of(session.session(), &changes))
    }

    /// Shows another language, by tag or name. Class disk. Throws `InvalidAnswer`.
    pub fn set_language(&self, name: String) -> Result<Changes, SurveyError> {
        let mut session = self.lock();
        let changes = session.set_language(&name)?;
        Ok(Changes::of(session.session(), &changes))
    }

    /// Goes to the next screen, or says what the policy does not let go of. Class disk.
    pub fn next(&self, policy: MovePolicy) -> Result<Moved, SurveyError> {
        let mut session = self.lock();
        let moved = session.next(match policy {
            MovePolicy::OnMove => Policy::OnMove,
            MovePolicy::OnFinalize => Policy::OnFinalize,
        })?;
        Ok(match moved {
            Ok(_) => Moved::To { screen: ScreenView::of(session.session(), &session.screen()) },
            Err(violations) => Moved::Refused { violations: violations.iter().map(Into::into).collect() },
        })
    }

    /// Goes to the screen before; stays at the first. Class disk.
    pub fn previous(&self) -> Result<ScreenView, SurveyError> {
        let mut session = self.lock();
        session.previous()?;
        Ok(ScreenView::of(session.session(), &session.screen()))
    }

    /// Goes to the screen that shows a question; stays if none does. Class disk.
    pub fn go_to(&self, node: String) -> Result<ScreenView, SurveyError> {
        let mut session = self.lock();
        let key = session.session().node(&node).and_then(|node| session.session().goto(node));
        if let Some(key) = key {
            session.move_to(&key)?;
        }
        Ok(ScreenView::of(session.session(), &session.screen()))
    }

    /// Goes to the end: what is still open, and finalising. Class disk.
    pub fn go_to_end(&self) -> Result<ScreenView, SurveyError> {
        let mut session = self.lock();
        session.move_to(&ScreenKey::End)?;
        Ok(ScreenView::of(session.session(), &session.screen()))
    }

    /// Seals a file beside the draft and answers the question with the name it goes by, which is given back; `give_away`
    /// removes the source afterwards. Class disk. Throws `InvalidAnswer`, `StorageFull`, `Internal`.
    pub fn attach(&self, node: String, source: String, give_away: bool) -> Result<String, SurveyError> {
        Ok(self.lock().attach(&node, Path::new(&source), give_away)?)
    }

    /// Everything that stands in the way of finalising. Class instant.
    pub fn violations(&self) -> Vec<Violation> {
        self.lock().session().violations().iter().map(Into::into).collect()
    }

    /// Finalises the record into the outbox, or says what stands in the way. Class disk. Throws `MissingAttachment`,
    /// `StorageFull`; the draft is as it was then.
    pub fn finalize(&self) -> Result<Finalization, SurveyError> {
        Ok(self.lock().finalize()?.into())
    }

    /// Leaves the draft for now. Class disk. Every answer is safe without it; it makes the next opening quicker, and what
    /// was answered here the suggestion for the next record.
    pub fn save(&self) -> Result<(), SurveyError> {
        Ok(self.lock().save()?)
    }
}
