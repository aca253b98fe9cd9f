use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use veldwerk::client as core;
use veldwerk::session::{Policy, ScreenKey};
use veldwerk::{Error, ErrorKind};

use crate::SurveyError;
use crate::drafts::Entry;
use crate::records::{AttachmentSummary, UnreplayedRow};
use crate::views::{ChoiceList, Finalization, Language, MovePolicy, Moved, ScreenView, Violation};

/// A draft being filled. Everything that is accepted is on the phone's disk when the call returns.
///
/// Questions are named by their path with positions, such as `/data/person[2]/age`; screens by the name that
/// [`ScreenView`] carries.
#[derive(uniffi::Object)]
pub struct DraftSession {
    inner: Mutex<core::DraftSession>,
    is_finalized: AtomicBool,
    /// Behind the session, so that the draft is closed when this says so.
    _entry: Entry,
}

impl DraftSession {
    pub(crate) fn new(session: core::DraftSession, entry: Entry) -> Self {
        Self { inner: Mutex::new(session), is_finalized: AtomicBool::new(false), _entry: entry }
    }

    /// The same, if it is still a draft.
    pub(crate) fn unless_finalized(self: Arc<Self>) -> Result<Arc<Self>, SurveyError> {
        if self.is_finalized.load(Ordering::SeqCst) { Err(Error::from(ErrorKind::NotFound).into()) } else { Ok(self) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, core::DraftSession> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a change and gives what the screen shows then.
    pub(crate) fn change<T>(
        &self,
        make: impl FnOnce(&mut core::DraftSession) -> veldwerk::Result<T>,
    ) -> Result<ScreenView, SurveyError> {
        let mut session = self.lock();
        make(&mut session)?;
        Ok(ScreenView::current(session.session()))
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
        ScreenView::current(self.lock().session())
    }

    /// Choices of a question whose shown label contains `search` (case, accents, points and letter variants make no
    /// difference), in the order of the form: up to `limit` of them from the `from`-th found. An empty search finds all.
    /// Null for a question that offers no choices. Class instant up to some hundred choices, heavy for thousands.
    pub fn choices(&self, question: String, search: String, from: u64, limit: u32) -> Option<ChoiceList> {
        let session = self.lock();
        let node = session.session().node(&question)?;
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        session.session().choices(node, &search, from, limit as usize).map(Into::into)
    }

    /// Answers a question in the lexical form of the submission; null clears. Class disk. Throws `InvalidAnswer`; a value
    /// that breaks the question's constraint is kept, and its view says so.
    pub fn answer(&self, node: String, value: Option<String>) -> Result<ScreenView, SurveyError> {
        self.change(|session| session.answer(&node, value.as_deref()))
    }

    /// Adds an instance to a repeat, by the path of its range. Class disk. Throws `InvalidAnswer`.
    pub fn add_repeat(&self, range: String) -> Result<ScreenView, SurveyError> {
        self.change(|session| session.add_repeat(&range))
    }

    /// Removes an instance of a repeat. Class disk. Throws `InvalidAnswer`.
    pub fn remove_repeat(&self, node: String) -> Result<ScreenView, SurveyError> {
        self.change(|session| session.remove_repeat(&node))
    }

    /// Shows another language, by tag or name. Class disk. Throws `InvalidAnswer`.
    pub fn set_language(&self, name: String) -> Result<ScreenView, SurveyError> {
        self.change(|session| session.set_language(&name))
    }

    /// Goes to the next screen, or says what the policy does not let go of. Class disk.
    pub fn next(&self, policy: MovePolicy) -> Result<Moved, SurveyError> {
        let mut session = self.lock();
        let moved = session.next(match policy {
            MovePolicy::OnMove => Policy::OnMove,
            MovePolicy::OnFinalize => Policy::OnFinalize,
        })?;
        let screen = ScreenView::current(session.session());
        Ok(match moved {
            Ok(_) => Moved::To { screen },
            Err(violations) => Moved::Refused { screen, violations: violations.iter().map(Into::into).collect() },
        })
    }

    /// Goes to the screen before; stays at the first. Class disk.
    pub fn previous(&self) -> Result<ScreenView, SurveyError> {
        self.change(core::DraftSession::previous)
    }

    /// Goes to the screen that shows a question; stays if none does. Class disk.
    pub fn go_to(&self, node: String) -> Result<ScreenView, SurveyError> {
        self.change(|session| {
            let key = session.session().node(&node).and_then(|node| session.session().goto(node));
            key.map_or(Ok(()), |key| session.move_to(&key))
        })
    }

    /// Goes to the end: what is still open, and finalising. Class disk.
    pub fn go_to_end(&self) -> Result<ScreenView, SurveyError> {
        self.change(|session| session.move_to(&ScreenKey::End))
    }

    /// Seals a file beside the draft and answers the question with the name it goes by; `give_away` removes the source
    /// afterwards, if that is possible. The draft can be used while the file is read. Class heavy for a long video. Throws
    /// `InvalidAnswer`, `StorageFull`, `Internal`.
    pub fn attach(&self, node: String, source: String, give_away: bool) -> Result<ScreenView, SurveyError> {
        let source = Path::new(&source);
        let writer = self.lock().attachment_writer()?;
        let (sealed, extension) = core::seal_file(writer, source)?;
        let screen = self.change(|session| session.attach_sealed(&node, &extension, sealed))?;
        if give_away {
            let _ = std::fs::remove_file(source);
        }
        Ok(screen)
    }

    /// The files of the draft, by name; those that no answer names any more among them. Class disk.
    pub fn attachments(&self) -> Result<Vec<AttachmentSummary>, SurveyError> {
        Ok(self.lock().attachments()?.into_iter().map(Into::into).collect())
    }

    /// The changes that could not be carried over when the draft was opened and that nobody has looked at yet. Class
    /// instant.
    pub fn unreplayed(&self) -> Vec<UnreplayedRow> {
        self.lock().unreplayed().map(Into::into).collect()
    }

    /// Keeps that a person has looked at what could not be carried over; the draft can be finalised then. Class disk.
    pub fn accept_unreplayed(&self) -> Result<ScreenView, SurveyError> {
        self.change(core::DraftSession::accept_unreplayed)
    }

    /// Everything that stands in the way of finalising. Class instant.
    pub fn violations(&self) -> Vec<Violation> {
        self.lock().session().violations().iter().map(Into::into).collect()
    }

    /// Finalises the record into the outbox, or says what stands in the way. Class disk. Throws `MissingAttachment`,
    /// `StorageFull`; the draft is as it was then.
    pub fn finalize(&self) -> Result<Finalization, SurveyError> {
        let outcome = self.lock().finalize()?;
        if matches!(outcome, core::Finalization::Finalized { .. }) {
            self.is_finalized.store(true, Ordering::SeqCst);
        }
        Ok(outcome.into())
    }

    /// Leaves the draft for now. Class disk. Every answer is safe without it; it makes the next opening quicker, and what
    /// was answered here the suggestion for the next record.
    pub fn save(&self) -> Result<(), SurveyError> {
        Ok(self.lock().save()?)
    }
}
