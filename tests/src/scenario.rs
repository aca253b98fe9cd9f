//! A record being filled, told in steps: what a case of three lines is made of.
//!
//! ```
//! use veldwerk_tests::form;
//!
//! form! { repeat r { int v; calc many = "count(../../r[v > 3])"; } }
//!     .answer("r[1]/v", "5").add("r").answer("r[2]/v", "2")
//!     .expect("r[2]/many", "1").kill().reopen().expect("r[1]/many", "1");
//! ```
//! Paths are those of the driver, from the root's children on (`r[2]/v`), or whole (`/d/r[2]/v`).

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use veldwerk::ErrorKind;
use veldwerk::clock::Step;
use veldwerk::engine::Limits;
use veldwerk::form::FormDef;
use veldwerk::ids::NodeId;
use veldwerk::session::{Changes, Edit, FormSession, Policy, Settings, State};

use crate::seen;

/// What lies beside a form: contents by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The scenario of a form in [`crate::notation`].
#[macro_export]
macro_rules! form {
    ($($words:tt)*) => { $crate::scenario::Scenario::of(stringify!($($words)*)) };
}

/// The clock begins at 2026-01-15T12:00:00Z and goes on by a minute with each step.
const START_MS: i64 = 1_768_478_400_000;
const MINUTE_MS: i64 = 60_000;
const SEED: u64 = 20_260_115;

/// One record, its journal, and the states it may be restored from.
#[derive(Debug)]
pub struct Scenario {
    form: Arc<FormDef>,
    settings: Settings,
    /// What is in memory; it never dies.
    session: FormSession,
    /// What was restored at the last kill: every change is made in both, and must do the same.
    restored: Option<FormSession>,
    /// Whether the journal goes back to the very beginning of the record.
    is_begun_here: bool,
    /// The first state and the one of the last kill, each with the number of the rows it contains.
    snapshots: Vec<(usize, State)>,
    journal: Vec<(Edit, Step)>,
    /// What the last change told; nothing if it was refused.
    told: Changes,
    steps: u64,
    waited_ms: i64,
}

impl Scenario {
    /// A record of a form in the notation.
    #[must_use]
    pub fn of(notation: &str) -> Self {
        Self::begin(&crate::notation::xform(notation), &Files::new(), "Europe/Amsterdam")
    }

    /// A record of an XForm.
    ///
    /// # Panics
    /// If the form is refused.
    #[must_use]
    pub fn begin(xml: &str, files: &Files, time_zone: &str) -> Self {
        let (form, _) = FormDef::load(xml, files).unwrap_or_else(|error| panic!("{error}\n{xml}"));
        Self::over(Arc::new(form), time_zone)
    }

    /// A record of a form that was loaded before.
    ///
    /// # Panics
    /// If the form makes a record beyond what a budget allows.
    #[must_use]
    pub fn over(form: Arc<FormDef>, time_zone: &str) -> Self {
        let properties = [("deviceid", "case:device"), ("username", "amina"), ("phonenumber", "+31600000000")];
        let properties = properties.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let settings = Settings { time_zone: TimeZone::get(time_zone).expect("a time zone"), properties };
        let session = begun(&form, &settings);
        Self {
            snapshots: vec![(0, session.state())],
            form,
            settings,
            session,
            restored: None,
            is_begun_here: true,
            journal: Vec::new(),
            told: Changes::default(),
            steps: 0,
            waited_ms: 0,
        }
    }

    /// The session as it is.
    #[must_use]
    pub fn session(&self) -> &FormSession {
        &self.session
    }

    /// What the last change told; nothing if it was refused.
    #[must_use]
    pub fn told(&self) -> &Changes {
        &self.told
    }

    /// How many changes were tried.
    #[must_use]
    pub fn n_steps(&self) -> u64 {
        self.steps
    }

    fn path(&self, path: &str) -> String {
        if path.starts_with('/') || path == "end" { path.to_owned() } else { format!("/d/{path}") }
    }

    fn node(&self, path: &str) -> NodeId {
        self.session
            .node(&self.path(path))
            .unwrap_or_else(|| panic!("there is no {path}:\n{}", self.session.draft_xml()))
    }

    fn next_step(&mut self) -> Step {
        self.steps += 1;
        let minutes = i64::try_from(self.steps).expect("few steps");
        Step { at: START_MS + minutes * MINUTE_MS + self.waited_ms, seed: SEED, number: self.steps }
    }

    /// Makes a change, or says why it is refused; then nothing has changed. What was restored at the last kill does the same.
    ///
    /// # Errors
    /// The kind of the refusal.
    ///
    /// # Panics
    /// If a refusal leaves something behind, or what was restored does anything else.
    pub fn attempt(&mut self, edit: Edit) -> Result<(), ErrorKind> {
        let step = self.next_step();
        let before = self.session.state();
        let done = self.session.apply(&edit, step).map_err(|error| error.kind());
        if let Some(restored) = &mut self.restored {
            let again = restored.apply(&edit, step).map_err(|error| error.kind());
            let told = |session, done: &Result<_, _>| done.as_ref().map(|changes| seen::told(session, changes)).ok();
            assert_eq!(again.as_ref().err(), done.as_ref().err(), "restored, {edit:?} is refused otherwise");
            let (again, done) = (told(restored, &again), told(&self.session, &done));
            assert_eq!(again, done, "restored, {edit:?} does something else");
            assert_same(restored, &self.session, &format!("what was restored, after {edit:?}"));
        }
        self.told = done.clone().unwrap_or_default();
        match done {
            Ok(_) => self.journal.push((edit, step)),
            Err(_) => assert_eq!(self.session.state(), before, "what is refused changes nothing"),
        }
        done.map(|_| ())
    }

    /// A change that would pass its limit of work leaves nothing behind.
    ///
    /// # Panics
    /// If it does.
    pub fn try_within(&self, steps: u64, edit: &Edit) {
        let mut bounded = self.session.clone();
        bounded.set_limits(Limits { steps, ..Limits::default() });
        let step = Step { at: START_MS + self.waited_ms, seed: SEED, number: self.steps + 1 };
        if bounded.apply(edit, step).is_err() {
            assert_same(&bounded, &self.session, &format!("what {edit:?} leaves behind that is too much work"));
        }
    }

    fn change(&mut self, edit: Edit) -> &mut Self {
        let (op, node) = (edit.op(), edit.node().unwrap_or_default().to_owned());
        self.attempt(edit).unwrap_or_else(|kind| panic!("{op} {node} is refused: {}", kind.code()));
        self
    }

    /// Gives an answer.
    pub fn answer(&mut self, path: &str, value: &str) -> &mut Self {
        self.change(Edit::Answer { node: self.path(path), value: Some(value.to_owned()) })
    }

    /// Takes an answer away.
    pub fn clear(&mut self, path: &str) -> &mut Self {
        self.change(Edit::Answer { node: self.path(path), value: None })
    }

    /// Adds a row at the end.
    pub fn add(&mut self, range: &str) -> &mut Self {
        self.change(Edit::Add { range: self.path(range) })
    }

    /// Removes a row.
    pub fn remove(&mut self, row: &str) -> &mut Self {
        self.change(Edit::Remove { node: self.path(row) })
    }

    /// Shows another language.
    pub fn language(&mut self, name: &str) -> &mut Self {
        self.change(Edit::Language { name: name.to_owned() })
    }

    /// Shows another screen, by its path (`r+` is "another r?").
    pub fn go(&mut self, screen: &str) -> &mut Self {
        self.change(Edit::Move { screen: self.path(screen) })
    }

    /// The next screen, if nothing holds up the one that is shown.
    pub fn go_on(&mut self) -> &mut Self {
        let next = self.session.next(&self.session.current(), Policy::OnMove);
        let next = next.unwrap_or_else(|found| panic!("{} violations hold it up", found.len()));
        self.go(&self.session.screen_path(&next))
    }

    /// The screen before.
    pub fn go_back(&mut self) -> &mut Self {
        let previous = self.session.previous(&self.session.current()).expect("a screen before this");
        self.go(&self.session.screen_path(&previous))
    }

    /// A change that must be refused with this code; `words` are a step: `answer a 3`, `add r`.
    pub fn refuse(&mut self, code: &str, words: &str) -> &mut Self {
        let (op, rest) = words.split_once(' ').expect("a step");
        let (path, value) = rest.split_once(' ').unwrap_or((rest, ""));
        let path = self.path(path);
        let edit = match op {
            "answer" => Edit::Answer { node: path, value: Some(value.trim_matches('"').to_owned()) },
            "add" => Edit::Add { range: path },
            "remove" => Edit::Remove { node: path },
            "language" => Edit::Language { name: rest.to_owned() },
            other => panic!("`{other}` is never refused"),
        };
        let refused = self.attempt(edit).expect_err("it is refused");
        assert_eq!(refused.code(), code, "{words}");
        self
    }

    /// The clock goes on.
    pub fn wait(&mut self, hours: i64) -> &mut Self {
        self.waited_ms += hours * 60 * MINUTE_MS;
        self
    }

    /// The program is killed and opened again, as the client does it: the journal from the beginning on, the journal behind
    /// an earlier snapshot, and a snapshot of now each give what was in memory. Then it is resumed. One of the three goes on
    /// beside what was in memory.
    pub fn kill(&mut self) -> &mut Self {
        self.snapshots.push((self.journal.len(), self.session.state()));
        let mut restored: Vec<_> = self.snapshots.iter().map(|(known, state)| self.replayed(state, *known)).collect();
        if self.is_begun_here {
            restored.push(self.replay(begun(&self.form, &self.settings), 0));
        }
        for (number, session) in restored.iter().enumerate() {
            assert_same(session, &self.session, &format!("restored from snapshot {number} of {}", restored.len()));
        }
        self.snapshots.drain(1..self.snapshots.len() - 1);
        let which = self.journal.len() % restored.len();
        self.restored = Some(restored.swap_remove(which));
        self.change(Edit::Resume)
    }

    fn replayed(&self, state: &State, known: usize) -> FormSession {
        let bytes = state.to_bytes().expect("a state is written");
        let state = State::from_bytes(&bytes).expect("and read");
        let restored = FormSession::from_state(Arc::clone(&self.form), self.settings.clone(), &state, SEED, None);
        self.replay(restored.expect("and restored"), known)
    }

    fn replay(&self, mut session: FormSession, known: usize) -> FormSession {
        for (edit, step) in &self.journal[known..] {
            session.replay(edit, *step).expect("a row is a fact");
        }
        session
    }

    /// The record as it would be sent is opened as a new draft, in the language shown.
    pub fn reopen(&mut self) -> &mut Self {
        let language = self.session.language_name().map(str::to_owned);
        let step = self.next_step();
        let xml = self.submission();
        let reopened =
            FormSession::reopen(Arc::clone(&self.form), self.settings.clone(), language.as_deref(), &xml, step);
        self.session = reopened.expect("what was written can be read");
        (self.restored, self.is_begun_here) = (None, false);
        self.snapshots = vec![(0, self.session.state())];
        self.journal.clear();
        self
    }

    /// Finalises; `refuse_finalise` if something holds it up.
    pub fn finalise(&mut self) -> &mut Self {
        let step = self.next_step();
        if let Err(found) = self.session.finalize(step).expect("it ends within its budget") {
            let paths: Vec<_> = found.iter().map(|violation| self.session.path(violation.node)).collect();
            panic!("{paths:?} hold it up");
        }
        self
    }

    /// What holds up finalising, in the order of the body.
    pub fn refuse_finalise(&mut self, paths: &[&str]) -> &mut Self {
        let before = self.session.state();
        let step = self.next_step();
        let found = self.session.finalize(step).expect("within its budget").expect_err("something holds it up");
        let found: Vec<_> = found.iter().map(|violation| self.session.path(violation.node)).collect();
        assert_eq!(found, paths.iter().map(|path| self.path(path)).collect::<Vec<_>>());
        assert_eq!(self.session.state(), before);
        self
    }

    /// The record as it is sent.
    #[must_use]
    pub fn submission(&self) -> String {
        self.session.engine().write(veldwerk::instance::Writer::Submission)
    }

    /// A value, whether it is relevant or not.
    #[track_caller]
    pub fn expect(&mut self, path: &str, value: &str) -> &mut Self {
        let node = self.node(path);
        assert_eq!(self.session.engine().tree().node(node).value, value, "value of {path}");
        self
    }

    /// What a node is: `relevant irrelevant readonly writable required optional absent valid`, or the violation's name.
    #[track_caller]
    pub fn expect_is(&mut self, path: &str, what: &str) -> &mut Self {
        if what == "absent" {
            assert_eq!(self.session.node(&self.path(path)), None, "{path}");
            return self;
        }
        let node = self.node(path);
        let engine = self.session.engine();
        let state = engine.tree().node(node);
        let violation = engine.violation(node).map_or("valid", |violation| violation.kind.name());
        let is = match what {
            "relevant" | "irrelevant" => state.relevant == (what == "relevant"),
            "readonly" | "writable" => engine.is_readonly(node) == (what == "readonly"),
            "required" if violation == "required" => true,
            "required" | "optional" => state.required == (what == "required"),
            name => violation == name,
        };
        assert!(is, "{path} is not {what}");
        self
    }

    /// How many rows there are.
    #[track_caller]
    pub fn expect_count(&mut self, range: &str, count: usize) -> &mut Self {
        let (parent, def) = self.session.engine().find_range(&self.path(range)).expect("a range");
        assert_eq!(self.session.engine().tree().children_of(parent, def).len(), count, "rows of {range}");
        self
    }

    /// The values offered, in order.
    #[track_caller]
    pub fn expect_choices(&mut self, path: &str, values: &[&str]) -> &mut Self {
        let node = self.node(path);
        let engine = self.session.engine();
        let control = self.form.nodes[engine.tree().node(node).def].control.expect("a question");
        let offered = engine.choices(control, node);
        assert_eq!(offered.iter().map(|choice| &*choice.value).collect::<Vec<_>>(), values, "choices of {path}");
        self
    }

    /// The label of a question or group, in plain words.
    #[track_caller]
    pub fn expect_label(&mut self, path: &str, words: &str) -> &mut Self {
        let node = self.node(path);
        let engine = self.session.engine();
        let control = self.form.nodes[engine.tree().node(node).def].control.expect("a control");
        let label = self.form.controls[control].label.as_ref().expect("a label");
        assert_eq!(engine.words(label, node).plain(), words, "label of {path}");
        self
    }

    /// Something that the core hands over to draw a question: a piece of the `Debug` of its view.
    #[track_caller]
    pub fn expect_view(&mut self, path: &str, piece: &str) -> &mut Self {
        let view = format!("{:?}", self.session.question_at(self.node(path)).expect("a question"));
        assert!(view.contains(piece), "{piece} is not in {view}");
        self
    }

    /// The form's title.
    #[track_caller]
    pub fn expect_title(&mut self, title: &str) -> &mut Self {
        assert_eq!(self.form.title, title);
        self
    }

    /// The screen that is shown.
    #[track_caller]
    pub fn expect_screen(&mut self, screen: &str) -> &mut Self {
        assert_eq!(self.session.screen_path(&self.session.current()), self.path(screen));
        self
    }

    /// All screens in order.
    #[track_caller]
    pub fn expect_screens(&mut self, screens: &[&str]) -> &mut Self {
        let shown: Vec<_> = self.session.screens().iter().map(|key| self.session.screen_path(key)).collect();
        assert_eq!(shown, screens.iter().map(|screen| self.path(screen)).collect::<Vec<_>>());
        self
    }

    /// A piece of the record as it is sent.
    #[track_caller]
    pub fn expect_xml(&mut self, piece: &str) -> &mut Self {
        assert!(self.submission().contains(piece), "{piece} is not in {}", self.submission());
        self
    }

    /// A piece that is not in it.
    #[track_caller]
    pub fn expect_no_xml(&mut self, piece: &str) -> &mut Self {
        assert!(!self.submission().contains(piece), "{piece} is in {}", self.submission());
        self
    }

    /// One step in words, as `tests/cases/*.md` writes it:
    ///
    /// ```text
    /// answer a 3          clear a       add r          remove r[1]      language fr      go r+     next     previous
    /// kill                reopen        finalise       refuse CODE STEP     refuse finalise a b
    /// wait 24 (hours)     resume
    /// a = 3               a is irrelevant              rows of r = 2    choices of s = a b
    /// label of a = Words  screen = a    screens = a b end     sends <a>3</a>     sends no <b>
    /// view of a has rows: Some(4)               title = Words
    /// ```
    ///
    /// # Panics
    /// If it does not hold.
    pub fn play(&mut self, line: &str) -> &mut Self {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (first, second) = rest.split_once(' ').unwrap_or((rest, ""));
        let (left, right) =
            line.split_once(" = ").or_else(|| Some((line.strip_suffix(" =")?, ""))).unwrap_or((line, ""));
        let list: Vec<&str> = right.split_whitespace().collect();
        match verb {
            // In quotes a value keeps its blanks.
            "answer" => {
                self.answer(first, second.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(second))
            }
            "clear" => self.clear(rest),
            "add" => self.add(rest),
            "remove" => self.remove(rest),
            "language" => self.language(rest),
            "go" => self.go(rest),
            "next" => self.go_on(),
            "previous" => self.go_back(),
            "kill" => self.kill(),
            "resume" => self.change(Edit::Resume),
            "wait" => self.wait(rest.parse().expect("hours")),
            "reopen" => self.reopen(),
            "finalise" => self.finalise(),
            "refuse" if first == "finalise" => self.refuse_finalise(&second.split(' ').collect::<Vec<_>>()),
            "refuse" => self.refuse(first, second),
            "sends" if first == "no" => self.expect_no_xml(second),
            "sends" => self.expect_xml(rest),
            "rows" => self.expect_count(left.trim_start_matches("rows of "), right.parse().expect("a number")),
            "choices" => self.expect_choices(left.trim_start_matches("choices of "), &list),
            "label" => self.expect_label(left.trim_start_matches("label of "), right),
            "view" => {
                let (path, piece) = rest.trim_start_matches("of ").split_once(" has ").expect("a piece");
                self.expect_view(path, piece)
            }
            "title" => self.expect_title(right),
            "screen" => self.expect_screen(right),
            "screens" => self.expect_screens(&list),
            path if first == "is" => self.expect_is(path, second),
            path => {
                assert_eq!(left, path, "no step: {line}");
                self.expect(path, right)
            }
        }
    }
}

fn begun(form: &Arc<FormDef>, settings: &Settings) -> FormSession {
    let step = Step { at: START_MS, seed: SEED, number: 0 };
    FormSession::begin(Arc::clone(form), settings.clone(), None, step, None).expect("it opens")
}

/// Two sessions are the same in state and in all that can be seen of them.
#[track_caller]
fn assert_same(session: &FormSession, memory: &FormSession, what: &str) {
    assert_eq!(seen::shown(session), seen::shown(memory), "{what} is not what was in memory");
    assert_eq!(session.draft_xml(), memory.draft_xml(), "{what} is not what was in memory");
    assert!(session.state() == memory.state(), "{what} has not the state of what was in memory");
}
