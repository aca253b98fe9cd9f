//! One questionnaire being answered: the draft, and what a person is doing on the screen that is no answer yet.

use std::collections::{BTreeMap, BTreeSet};

use veldwerk::client::{Client, DraftSession, Finalization, SubmissionId};
use veldwerk::form::ControlKind;
use veldwerk::ids::NodeId;
use veldwerk::openrosa::settings_qr::ConstraintBehavior;
use veldwerk::session::{Policy, QuestionView, ScreenKey, ScreenView, ViolationKind};
use veldwerk::store::ProjectId;
use veldwerk::{ErrorKind, Result};

use crate::answer;
use crate::parts::Parts;

/// One questionnaire being answered.
#[derive(Debug)]
pub(crate) struct Filling {
    pub(crate) session: DraftSession,
    pub(crate) project: ProjectId,
    pub(crate) parts: Parts,
    policy: Policy,
    /// What was typed and is not written yet, by the path of its question.
    typed: BTreeMap<String, String>,
    /// What was typed and is no value of its kind, by the path of its question. It is kept beside the journal.
    unfit: BTreeMap<String, String>,
    /// The letters that choices are looked for by, by the path of their question.
    letters: BTreeMap<String, String>,
    /// The questions whose guidance is open.
    open_guidance: BTreeSet<NodeId>,
    /// Counts the changes of fields that were not typed.
    pub(crate) field_rev: u64,
    /// Whether what is wrong is said: after an attempt to go on.
    pub(crate) complains: bool,
    /// Whether an answer has just reached the disk.
    pub(crate) saved: bool,
    /// Whether the person has come back and done nothing yet.
    pub(crate) resumed: bool,
}

/// Where going on has led.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// To another screen.
    Moved,
    /// Nowhere: an answer of the screen does not fit, that of the question at this path first.
    Held(String),
}

impl Filling {
    /// Takes up a draft; `resumed` if it was left before.
    pub(crate) fn new(client: &Client, session: DraftSession, resumed: bool) -> Result<Self> {
        let project = session.project();
        let policy = match client.project_summary(project)?.settings.constraint_behavior {
            ConstraintBehavior::OnFinalize => Policy::OnFinalize,
            ConstraintBehavior::OnSwipe => Policy::OnMove,
        };
        let unfit = session.aside()?.and_then(|kept| serde_json::from_str(&kept).ok());
        Ok(Self {
            parts: Parts::of(session.form()),
            project,
            policy,
            typed: BTreeMap::new(),
            unfit: unfit.unwrap_or_default(),
            letters: BTreeMap::new(),
            open_guidance: BTreeSet::new(),
            field_rev: 0,
            complains: resumed,
            saved: false,
            resumed,
            session,
        })
    }

    /// The screen that is shown.
    pub(crate) fn screen(&self) -> ScreenView {
        self.session.screen()
    }

    /// What a field holds: what is being typed, what was typed and does not fit, or the answer.
    pub(crate) fn field_text<'a>(&'a self, question: &'a QuestionView) -> Option<&'a str> {
        self.typed.get(&question.path).or_else(|| self.unfit.get(&question.path)).map(String::as_str)
    }

    /// Whether what was typed at a question is no value of its kind.
    pub(crate) fn is_unfit(&self, path: &str) -> bool {
        self.unfit.contains_key(path)
    }

    /// Whether the answer of a question does not fit.
    pub(crate) fn has_unfitting(&self, node: NodeId) -> bool {
        let session = self.session.session();
        let violation = session.question_at(node).and_then(|question| question.violation);
        self.is_unfit(&session.path(node)) || violation.is_some_and(|found| found.kind != ViolationKind::Required)
    }

    pub(crate) fn letters(&self, path: &str) -> &str {
        self.letters.get(path).map_or("", |letters| letters)
    }

    pub(crate) fn look_for(&mut self, path: &str, letters: &str) {
        self.letters.insert(path.to_owned(), letters.to_owned());
    }

    pub(crate) fn is_open(&self, node: NodeId) -> bool {
        self.open_guidance.contains(&node)
    }

    pub(crate) fn turn_guidance(&mut self, node: NodeId) {
        if !self.open_guidance.remove(&node) {
            self.open_guidance.insert(node);
        }
    }

    /// Takes what a field holds now.
    pub(crate) fn typing(&mut self, path: &str, text: &str) {
        self.resumed = false;
        self.saved = false;
        self.typed.insert(path.to_owned(), text.to_owned());
    }

    /// Whether something was typed that is not written yet.
    pub(crate) fn has_typed(&self) -> bool {
        !self.typed.is_empty()
    }

    /// Writes what was typed. What is no value of its kind stays as it was typed, and is said when the person goes on; the
    /// answer of before is taken away then, for it is not what the person sees.
    ///
    /// # Errors
    /// Those of the store: then it is still typed and not written.
    pub(crate) fn write_typed(&mut self) -> Result<()> {
        while let Some((path, text)) = self.typed.first_key_value().map(|(path, text)| (path.clone(), text.clone())) {
            let question = self.session.session().node(&path).and_then(|node| self.session.session().question_at(node));
            if let Some(question) = question {
                let value = answer::lexical(answer::keypad(&question), &text);
                let written = match value.as_deref() {
                    _ if text.trim().is_empty() => self.session.answer(&path, None).map(|_| true),
                    Some(value) => self.session.answer(&path, Some(value)).map(|_| true),
                    None => Ok(false),
                };
                match written {
                    Ok(true) => self.forget_unfit(&path)?,
                    Ok(false) => self.keep_unfit(&path, &text)?,
                    Err(error) if is_of_the_value(error.kind()) => self.keep_unfit(&path, &text)?,
                    Err(error) => return Err(error),
                }
                self.saved = true;
            }
            self.typed.remove(&path);
        }
        Ok(())
    }

    fn keep_unfit(&mut self, path: &str, text: &str) -> Result<()> {
        self.unfit.insert(path.to_owned(), text.to_owned());
        self.keep_unfit_texts()?;
        self.session.answer(path, None).map(|_| ())
    }

    fn forget_unfit(&mut self, path: &str) -> Result<()> {
        if self.unfit.remove(path).is_none() {
            return Ok(());
        }
        self.keep_unfit_texts()
    }

    fn keep_unfit_texts(&self) -> Result<()> {
        if self.unfit.is_empty() {
            return self.session.keep_aside("");
        }
        self.session.keep_aside(&serde_json::to_string(&self.unfit).unwrap_or_default())
    }

    /// Chooses a value, or takes it back if it is chosen.
    ///
    /// # Errors
    /// As [`DraftSession::answer`].
    pub(crate) fn choose(&mut self, question: &QuestionView, value: &str) -> Result<()> {
        let mut chosen: Vec<&str> = if takes_many(question.control) {
            question.value.split_ascii_whitespace().collect()
        } else {
            Some(question.value.as_str()).filter(|value| !value.is_empty()).into_iter().collect()
        };
        match chosen.iter().position(|known| *known == value) {
            Some(at) => drop(chosen.remove(at)),
            None if takes_many(question.control) => chosen.push(value),
            None => chosen = vec![value],
        }
        let answer = chosen.join(" ");
        self.answer(&question.path, Some(answer.as_str()).filter(|answer| !answer.is_empty()))
    }

    /// Gives an answer that was not typed.
    ///
    /// # Errors
    /// As [`DraftSession::answer`].
    pub(crate) fn answer(&mut self, path: &str, value: Option<&str>) -> Result<()> {
        self.session.answer(path, value)?;
        self.changed();
        Ok(())
    }

    /// Notes that something other than a field has changed the record.
    pub(crate) fn changed(&mut self) {
        self.field_rev += 1;
        self.saved = true;
        self.resumed = false;
    }

    /// Notes that another screen is shown.
    pub(crate) fn arrived(&mut self) {
        self.field_rev += 1;
        self.complains = false;
        self.saved = false;
        self.resumed = false;
        self.letters.clear();
        self.open_guidance.clear();
    }

    /// Goes on, if the answers of the screen let go.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) fn next(&mut self) -> Result<Step> {
        if self.policy == Policy::OnMove {
            let unfit = self.screen().questions.into_iter().find(|question| self.is_unfit(&question.path));
            if let Some(question) = unfit {
                self.complains = true;
                return Ok(Step::Held(question.path));
            }
        }
        match self.session.next(self.policy)? {
            Ok(_) => {
                self.arrived();
                Ok(Step::Moved)
            }
            Err(violations) => {
                self.complains = true;
                let first = violations.into_iter().next().map(|violation| violation.path);
                Ok(Step::Held(first.unwrap_or_default()))
            }
        }
    }

    /// Goes back; false at the first screen.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) fn back(&mut self) -> Result<bool> {
        let is_first = self.session.session().previous(&self.session.session().current()).is_none();
        if !is_first {
            self.session.previous()?;
            self.arrived();
        }
        Ok(!is_first)
    }

    /// Goes to a screen.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) fn go_to(&mut self, key: &ScreenKey) -> Result<()> {
        self.session.move_to(key)?;
        self.arrived();
        Ok(())
    }

    /// The path of the range that the "another?" screen extends.
    pub(crate) fn range(&self) -> String {
        let session = self.session.session();
        session.screen_path(&session.current()).trim_end_matches('+').to_owned()
    }

    /// The rounds of a range, by path.
    pub(crate) fn rounds(&self, range: &str) -> Vec<String> {
        let session = self.session.session();
        let paths = (1..).map(|round| format!("{range}[{round}]"));
        paths.take_while(|path| session.node(path).is_some()).collect()
    }

    /// The first screen inside a round.
    pub(crate) fn screen_of_round(&self, round: &str) -> Option<ScreenKey> {
        let session = self.session.session();
        let is_inside = |key: &ScreenKey| {
            session.screen_path(key).strip_prefix(round).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        session.screens().into_iter().find(is_inside)
    }

    /// Adds a round and goes into it.
    ///
    /// # Errors
    /// As [`DraftSession::add_repeat`].
    pub(crate) fn add_round(&mut self) -> Result<()> {
        let range = self.range();
        self.session.add_repeat(&range)?;
        self.changed();
        if let Some(key) = self.rounds(&range).last().and_then(|round| self.screen_of_round(round)) {
            self.go_to(&key)?;
        }
        Ok(())
    }

    /// Finishes the record; none if an answer does not fit.
    ///
    /// # Errors
    /// As [`DraftSession::finalize`].
    pub(crate) fn finish(&mut self) -> Result<Option<SubmissionId>> {
        if !self.unfit.is_empty() {
            return Ok(None);
        }
        match self.session.finalize()? {
            Finalization::Finalized { record, .. } => Ok(Some(record)),
            Finalization::Violations(_) => Ok(None),
        }
    }
}

/// Whether a control takes more than one of its choices.
pub(crate) fn takes_many(control: ControlKind) -> bool {
    matches!(control, ControlKind::Select | ControlKind::Rank)
}

/// Whether an answer was refused for what it is, so that the person can give another.
fn is_of_the_value(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::InvalidValue)
}
