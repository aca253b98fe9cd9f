//! The journal as a property: whatever the form, the edits, the clock, the language and the moments at which the phone
//! dies, what is restored is what was in memory, down to what the next edit does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests say what must hold by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use veldwerk::clock::Step;
use veldwerk::engine::Limits;
use veldwerk::form::{ControlKind, DataType, FormDef};
use veldwerk::ids::NodeId;
use veldwerk::session::{Changes, Edit, FormSession, ScreenKey, Settings, State};

const SEED: u64 = 4711;
/// 15 January 2026, noon in Amsterdam.
const BEGUN_AT: i64 = 1_768_474_800_000;
const HOUR_MS: i64 = 3_600_000;

/// A piece of a random form. Numbers choose among what is there, so that every form is one.
#[derive(Clone, Debug)]
enum Part {
    Question { kind: u8, condition: u8, calculation: u8 },
    Select { list: u8, condition: u8 },
    Calculation { what: u8, condition: u8 },
    Group { parts: Vec<Part>, condition: u8, is_screen: bool },
    Repeat { parts: Vec<Part>, condition: u8, is_counted: bool },
}

fn parts() -> impl Strategy<Value = Vec<Part>> {
    let leaf = prop_oneof![
        4 => (any::<u8>(), any::<u8>(), any::<u8>())
            .prop_map(|(kind, condition, calculation)| Part::Question { kind, condition, calculation }),
        3 => (any::<u8>(), any::<u8>()).prop_map(|(list, condition)| Part::Select { list, condition }),
        3 => (any::<u8>(), any::<u8>()).prop_map(|(what, condition)| Part::Calculation { what, condition }),
    ];
    let part = leaf.prop_recursive(3, 16, 4, |inner| {
        let inside = prop::collection::vec(inner, 1..4);
        prop_oneof![
            1 => (inside.clone(), any::<u8>(), any::<bool>())
                .prop_map(|(parts, condition, is_screen)| Part::Group { parts, condition, is_screen }),
            3 => (inside, any::<u8>(), any::<bool>())
                .prop_map(|(parts, condition, is_counted)| Part::Repeat { parts, condition, is_counted }),
        ]
    });
    prop::collection::vec(part, 2..6)
}

/// Writes a form out of parts.
#[derive(Default)]
struct Author {
    nodes: String,
    binds: String,
    actions: String,
    body: String,
    n_names: usize,
    /// Paths of the questions written so far.
    questions: Vec<String>,
    /// Paths of the calculations written so far whose results are days or flags, or were.
    results: Vec<String>,
    /// Paths of the repeats written so far.
    repeats: Vec<String>,
}

impl Author {
    fn name(&mut self) -> String {
        self.n_names += 1;
        format!("n{}", self.n_names)
    }

    /// One of the questions before; the start if there is none.
    fn earlier(&self, which: u8) -> &str {
        let index = usize::from(which) % self.questions.len().max(1);
        self.questions.get(index).map_or("/d/start", String::as_str)
    }

    fn condition(&self, which: u8) -> Option<String> {
        let earlier = self.earlier(which / 8);
        Some(match which % 8 {
            0 => "today() &gt;= date('2026-01-16')".to_owned(),
            1 => format!("{earlier} != '1'"),
            2 => "number(format-date-time(now(), '%H')) mod 2 = 0".to_owned(),
            3 => format!("string-length({earlier}) &lt; 2"),
            4 => self.result(which / 8),
            _ => return None,
        })
    }

    /// The result of a calculation before: nothing that its text would show.
    fn result(&self, which: u8) -> String {
        let index = usize::from(which) % self.results.len().max(1);
        self.results.get(index).map_or("/d/seen", String::as_str).to_owned()
    }

    fn bind(&mut self, path: &str, attributes: &str) {
        self.binds += &format!("<bind nodeset=\"{path}\" {attributes}/>\n");
    }

    fn part(&mut self, part: &Part, around: &str) {
        let name = self.name();
        let path = format!("{around}/{name}");
        match part {
            Part::Question { kind, condition, calculation } => {
                let data_type = ["string", "int", "date", "decimal"][usize::from(kind % 4)];
                let condition = self.condition(*condition).map(|test| {
                    let attribute = ["relevant", "readonly", "required"][usize::from(kind / 4 % 3)];
                    format!("{attribute}=\"{test}\"")
                });
                self.bind(&path, &format!("type=\"{data_type}\" {}", condition.unwrap_or_default()));
                let action = match calculation % 6 {
                    0 => {
                        "<setvalue event=\"xforms-value-changed\" ref=\"/d/seen\" value=\"concat(/d/seen, random())\"/>"
                    }
                    _ => "",
                };
                if calculation % 6 == 1 && data_type == "string" {
                    self.actions +=
                        &format!("<setvalue event=\"odk-instance-load\" ref=\"{path}\" value=\"uuid()\"/>\n");
                }
                self.nodes += &format!("<{name}/>");
                self.body += &format!("<input ref=\"{path}\"><label ref=\"jr:itext('q')\"/>{action}</input>");
                self.questions.push(path);
            }
            Part::Select { list, condition } => {
                let earlier = self.earlier(*condition);
                let nodeset = match list % 6 {
                    0 => "randomize(instance('l')/root/item)".to_owned(),
                    1 => "instance('l')/root/item[date(from) &lt;= today()]".to_owned(),
                    2 => format!("randomize(instance('l')/root/item[group != {earlier}])"),
                    3 => format!("instance('l')/root/item[group != {earlier}]"),
                    4 => "instance('l')/root/item[random() &lt; 0.7]".to_owned(),
                    _ => "instance('l')/root/item".to_owned(),
                };
                let control = if list / 6 % 2 == 0 { "select1" } else { "select" };
                if let Some(test) = self.condition(*condition) {
                    self.bind(&path, &format!("relevant=\"{test}\""));
                }
                self.nodes += &format!("<{name}/>");
                self.body += &format!(
                    "<{control} ref=\"{path}\"><label ref=\"jr:itext('q')\"/><itemset nodeset=\"{nodeset}\">\
                     <value ref=\"name\"/><label ref=\"jr:itext(name)\"/></itemset></{control}>"
                );
                self.questions.push(path);
            }
            Part::Calculation { what, condition } => {
                let earlier = self.earlier(*what / 8);
                let calculation = match what % 12 {
                    0 => "string(now())".to_owned(),
                    1 => "once(uuid())".to_owned(),
                    2 => format!("concat(random(), {earlier})"),
                    3 => format!("if({earlier} = '', uuid(), today())"),
                    4 => self.repeats.last().map_or("7".to_owned(), |repeat| format!("count({repeat})")),
                    5 => "position(..)".to_owned(),
                    6 => format!("join(' ', randomize(instance('l')/root/item/name), {earlier})"),
                    7 => format!("concat({earlier}, '!', jr:itext('q'))"),
                    8 => format!("if({earlier} = '', {earlier}, today())"),
                    9 => format!("{earlier} &gt; 2"),
                    10 => format!("{} - 7", self.result(*condition)),
                    _ => format!("concat({}, '')", self.result(*condition)),
                };
                let relevant = self.condition(*condition).map(|test| format!("relevant=\"{test}\""));
                self.bind(&path, &format!("calculate=\"{calculation}\" {}", relevant.unwrap_or_default()));
                self.nodes += &format!("<{name}/>");
                if matches!(what % 12, 3 | 8 | 9) {
                    self.results.push(path);
                }
            }
            Part::Group { parts, condition, is_screen } => {
                if let Some(test) = self.condition(*condition) {
                    self.bind(&path, &format!("relevant=\"{test}\""));
                }
                self.nodes += &format!("<{name}>");
                let appearance = if *is_screen { "appearance=\"field-list\"" } else { "" };
                self.body += &format!("<group ref=\"{path}\" {appearance}><label>Group</label>");
                parts.iter().for_each(|part| self.part(part, &path));
                self.nodes += &format!("</{name}>");
                self.body += "</group>";
            }
            Part::Repeat { parts, condition, is_counted } => {
                if let Some(test) = self.condition(*condition) {
                    self.bind(&path, &format!("relevant=\"{test}\""));
                }
                let count = if *is_counted { "jr:count=\"/d/count\"" } else { "" };
                self.nodes += &format!("<{name} jr:template=\"\"><id/><made/>");
                self.bind(&format!("{path}/id"), "jr:preload=\"uid\"");
                self.body += &format!(
                    "<group ref=\"{path}\"><label>Rows</label><repeat nodeset=\"{path}\" {count}>\
                     <setvalue event=\"odk-new-repeat\" ref=\"{path}/made\" value=\"concat(now(), random())\"/>"
                );
                parts.iter().for_each(|part| self.part(part, &path));
                self.nodes += &format!("</{name}>");
                self.body += "</repeat></group>";
                self.repeats.push(path);
            }
        }
    }

    fn form(parts: &[Part]) -> Arc<FormDef> {
        let mut author = Self::default();
        parts.iter().for_each(|part| author.part(part, "/d"));
        let items: String = ["a", "b", "c", "d", "e"]
            .iter()
            .enumerate()
            .map(|(n, name)| {
                format!("<item><name>{name}</name><group>{}</group><from>2026-01-{}</from></item>", n % 3, 14 + n)
            })
            .collect();
        let texts = |word: &str| {
            let choices =
                ["a", "b", "c", "d", "e"].map(|id| format!("<text id=\"{id}\"><value>{word} {id}</value></text>"));
            format!("<text id=\"q\"><value>{word} <output value=\"/d/seen\"/></value></text>{}", choices.concat())
        };
        let Self { nodes, binds, actions, body, .. } = author;
        let xml = format!(
            "<h:html xmlns=\"http://www.w3.org/2002/xforms\" xmlns:h=\"http://www.w3.org/1999/xhtml\" \
                     xmlns:jr=\"http://openrosa.org/javarosa\" xmlns:odk=\"http://www.opendatakit.org/xforms\">\
             <h:head><h:title>D</h:title><model>\
             <itext><translation lang=\"English (en)\" default=\"\">{}</translation>\
                    <translation lang=\"Türkçe (tr)\">{}</translation></itext>\
             <instance><d id=\"d\" version=\"1\"><start/><seen/><count/>{nodes}<meta><instanceID/></meta></d></instance>\
             <instance id=\"l\"><root>{items}</root></instance>\
             <bind nodeset=\"/d/count\" type=\"int\"/>{binds}\
             <bind nodeset=\"/d/meta/instanceID\" jr:preload=\"uid\"/>{actions}</model></h:head>\
             <h:body><input ref=\"/d/count\"><label>How many</label></input>{body}</h:body></h:html>",
            texts("question"),
            texts("soru"),
        );
        match FormDef::load(&xml, &()) {
            Ok((form, _)) => Arc::new(form),
            Err(error) => panic!("{error}\n{xml}"),
        }
    }
}

/// Something a person does, some hours after the last thing. Numbers choose among what there is.
#[derive(Clone, Debug)]
struct Act {
    hours_later: u8,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Answer {
        question: u16,
        value: u8,
    },
    Count {
        to: u8,
    },
    Add {
        range: u16,
    },
    Remove {
        instance: u16,
    },
    Language {
        which: bool,
    },
    Move {
        screen: u16,
    },
    Resume,
    Snapshot,
    /// The phone dies; it is restored from the newest snapshot, the first, or the very beginning.
    Die {
        from: u8,
    },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let what = prop_oneof![
        8 => (any::<u16>(), any::<u8>()).prop_map(|(question, value)| What::Answer { question, value }),
        2 => (0..4_u8).prop_map(|to| What::Count { to }),
        4 => any::<u16>().prop_map(|range| What::Add { range }),
        2 => any::<u16>().prop_map(|instance| What::Remove { instance }),
        1 => any::<bool>().prop_map(|which| What::Language { which }),
        2 => any::<u16>().prop_map(|screen| What::Move { screen }),
        1 => Just(What::Resume),
        2 => Just(What::Snapshot),
        4 => (0..3_u8).prop_map(|from| What::Die { from }),
    ];
    let act = (0..30_u8, what).prop_map(|(hours_later, what)| Act { hours_later, what });
    prop::collection::vec(act, 4..40)
}

/// A draft without its disk: the session that never died, what was written down, and the session that has died.
struct Draft {
    form: Arc<FormDef>,
    memory: FormSession,
    restored: FormSession,
    journal: Vec<(Edit, Step)>,
    /// The first and the newest snapshot, each with the number of the rows it contains.
    snapshots: Vec<(usize, Vec<u8>)>,
    at: i64,
}

fn settings() -> Settings {
    Settings { time_zone: TimeZone::get("Europe/Amsterdam").unwrap(), properties: BTreeMap::new() }
}

fn begin(form: &Arc<FormDef>) -> FormSession {
    let step = Step { at: BEGUN_AT, seed: SEED, number: 0 };
    FormSession::begin(Arc::clone(form), settings(), None, step, None).unwrap()
}

impl Draft {
    fn begin(form: Arc<FormDef>) -> Self {
        let memory = begin(&form);
        let mut draft =
            Self { restored: memory.clone(), memory, form, journal: Vec::new(), snapshots: Vec::new(), at: BEGUN_AT };
        draft.snapshot();
        draft
    }

    fn snapshot(&mut self) {
        self.snapshots.truncate(1);
        self.snapshots.push((self.journal.len(), self.memory.state().to_bytes().unwrap()));
    }

    fn die(&mut self, from: u8) {
        let snapshot = match from {
            0 => self.snapshots.last(),
            1 => self.snapshots.first(),
            _ => None,
        };
        let (n_contained, mut session) = match snapshot {
            None => (0, begin(&self.form)),
            Some((n_contained, bytes)) => {
                let state = State::from_bytes(bytes).unwrap();
                let form = Arc::clone(&self.form);
                (*n_contained, FormSession::from_state(form, settings(), &state, SEED, None).unwrap())
            }
        };
        for (edit, step) in &self.journal[n_contained..] {
            session.replay(edit, *step).unwrap();
        }
        self.restored = session;
    }

    fn act(&mut self, act: &Act) {
        self.at += i64::from(act.hours_later) * HOUR_MS;
        let edit = match act.what {
            What::Snapshot => return self.snapshot(),
            What::Die { from } => return self.die(from),
            What::Answer { question, value } => self.answer(question, value),
            What::Count { to } => Some(Edit::Answer { node: "/d/count".into(), value: Some(to.to_string()) }),
            What::Add { range } => pick(&ranges(&self.memory), range).map(|range| Edit::Add { range }),
            What::Remove { instance } => pick(&instances(&self.memory), instance).map(|node| Edit::Remove { node }),
            What::Language { which } => Some(Edit::Language { name: if which { "tr" } else { "en" }.into() }),
            What::Move { screen } => {
                let screens: Vec<_> = self.memory.screens().iter().map(|key| self.memory.screen_path(key)).collect();
                pick(&screens, screen).map(|screen| Edit::Move { screen })
            }
            What::Resume => Some(Edit::Resume),
        };
        let Some(edit) = edit else { return };
        let step = Step { at: self.at, seed: SEED, number: self.journal.len() as u64 + 1 };
        self.try_within(u64::from(act.hours_later) * 20, &edit, step);
        let (done, again) = (self.memory.apply(&edit, step), self.restored.apply(&edit, step));
        match (done, again) {
            (Ok(changes), Ok(again)) => {
                assert_eq!(told(&self.memory, &changes), told(&self.restored, &again), "{edit:?}");
                self.journal.push((edit, step));
            }
            (Err(refused), Err(again)) => assert_eq!(refused.kind(), again.kind(), "{edit:?}"),
            (done, again) => panic!("{edit:?}: {done:?} in memory, {again:?} restored"),
        }
    }

    /// A change that would pass its limits leaves nothing behind.
    fn try_within(&self, steps: u64, edit: &Edit, step: Step) {
        let mut bounded = self.memory.clone();
        bounded.set_limits(Limits { steps, ..Limits::default() });
        if bounded.apply(edit, step).is_err() {
            assert_eq!(bounded.state(), self.memory.state(), "{edit:?}");
            assert_eq!(shown(&bounded), shown(&self.memory), "{edit:?}");
        }
    }

    /// An answer to a question, not always one that the form accepts.
    fn answer(&self, question: u16, value: u8) -> Option<Edit> {
        let node = pick(&questions(&self.memory), question)?;
        let view = self.memory.question_at(self.memory.node(&node)?)?;
        let value = match view.control {
            ControlKind::Select1 => pick(&view.choices, value.into()).map(|choice| choice.value),
            ControlKind::Select => {
                let chosen = view.choices.iter().enumerate().filter(|(n, _)| value >> (n % 8) & 1 == 1);
                Some(chosen.map(|(_, choice)| choice.value.clone()).collect::<Vec<_>>().join(" "))
            }
            _ => Some(match view.data_type {
                DataType::Date => format!("2026-01-{:02}", 1 + value % 28),
                DataType::String => ["", "1", "two\r\nlines", " <&> "][usize::from(value % 4)].to_owned(),
                _ => (value % 5).to_string(),
            }),
        };
        Some(Edit::Answer { node, value: value.filter(|value| !value.is_empty()) })
    }

    fn check(&self) {
        assert_eq!(self.restored.state(), self.memory.state());
        assert_eq!(shown(&self.restored), shown(&self.memory));
        assert_eq!(self.restored.draft_xml(), self.memory.draft_xml());
    }
}

fn pick<T: Clone>(from: &[T], which: u16) -> Option<T> {
    from.get(usize::from(which) % from.len().max(1)).cloned()
}

fn nodes(session: &FormSession) -> Vec<NodeId> {
    let tree = session.engine().tree();
    tree.subtree(tree.root())
}

fn questions(session: &FormSession) -> Vec<String> {
    let asked = |&id: &NodeId| session.form().nodes[session.engine().tree().node(id).def].control.is_some();
    nodes(session).into_iter().filter(asked).map(|id| session.path(id)).collect()
}

fn instances(session: &FormSession) -> Vec<String> {
    let is_instance = |&id: &NodeId| session.form().nodes[session.engine().tree().node(id).def].repeat.is_some();
    nodes(session).into_iter().filter(is_instance).map(|id| session.path(id)).collect()
}

fn ranges(session: &FormSession) -> Vec<String> {
    let screens = session.screens();
    let adds = screens.iter().filter(|key| matches!(key, ScreenKey::Add { .. }));
    adds.map(|key| session.screen_path(key).trim_end_matches('+').to_owned()).collect()
}

/// What a change told, by paths.
fn told(session: &FormSession, changes: &Changes) -> (BTreeSet<String>, Vec<String>, usize, bool) {
    let tree = session.engine().tree();
    let touched = changes.touched.iter().filter(|id| tree.get(**id).is_some()).map(|&id| session.path(id)).collect();
    let added = changes.added.iter().map(|&id| session.path(id)).collect();
    (touched, added, changes.removed.len(), changes.language)
}

/// What a person sees: every screen with its questions, texts and choices in order, and where they are.
fn shown(session: &FormSession) -> Vec<String> {
    let mut shown = vec![session.screen_path(&session.current()), format!("{:?}", session.language_name())];
    for path in questions(session) {
        let Some(view) = session.question_at(session.node(&path).unwrap()) else { continue };
        let choices: Vec<_> =
            view.choices.iter().map(|choice| format!("{}={}", choice.value, choice.label.plain)).collect();
        shown.push(format!("{path} {:?} {choices:?} {:?}", view.label.plain, view.readonly));
    }
    shown.extend(session.screens().iter().map(|key| session.screen_path(key)));
    shown.extend(session.violations().iter().map(|found| format!("{} {:?}", found.path, found.kind)));
    shown
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_restored_is_what_was_in_memory_and_goes_on_the_same(parts in parts(), acts in acts()) {
        let mut draft = Draft::begin(Author::form(&parts));
        for act in &acts {
            draft.act(act);
            draft.check();
        }
    }
}
