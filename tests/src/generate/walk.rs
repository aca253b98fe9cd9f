//! What somebody does with a form, good and bad, and when.

use std::fmt::{self, Display, Formatter};

use veldwerk::form::{ControlKind, DataType};
use veldwerk::session::{Edit, FormSession, Policy, ScreenKey};

use crate::dice::Dice;
use crate::scenario::Scenario;
use crate::seen;

/// Something that happens to a draft.
#[derive(Clone, Debug)]
pub enum Event {
    /// A change, good or bad.
    Edit(Edit),
    /// Hours go by.
    Wait(i64),
    /// The program dies and is opened again.
    Kill,
}

/// Events in their order.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    /// The events.
    pub events: Vec<Event>,
}

impl Event {
    /// The next thing that happens.
    #[must_use]
    pub fn draw(dice: &mut Dice, session: &FormSession) -> Self {
        let path = |paths: Vec<String>, dice: &mut Dice| dice.pick(&paths).cloned().unwrap_or("/d".to_owned());
        let edit = match dice.below(24) {
            0..=12 => {
                let node = question(dice, session).unwrap_or("/d".to_owned());
                let value = value(dice, session, &node);
                Edit::Answer { node, value }
            }
            13..=15 => Edit::Add { range: path(seen::ranges(session), dice) },
            16 | 17 => Edit::Remove { node: path(seen::rows(session), dice) },
            18 => {
                let languages: Vec<_> = session.languages().iter().map(|language| language.name.clone()).collect();
                Edit::Language { name: dice.pick(&languages).cloned().unwrap_or("nl".to_owned()) }
            }
            // Where a row is due, going on adds it.
            19 => {
                let next = session.next(&session.current(), Policy::OnFinalize).unwrap_or(ScreenKey::End);
                Edit::Move { screen: session.screen_path(&next) }
            }
            20 => {
                let screens: Vec<_> = session.screens().iter().map(|key| session.screen_path(key)).collect();
                Edit::Move { screen: path(screens, dice) }
            }
            21 => return Self::Wait(1 + dice.below(30) as i64),
            22 => return Self::Kill,
            _ => Edit::Resume,
        };
        Self::Edit(edit)
    }

    /// Lets it happen; a refusal is all right.
    pub fn happen(&self, scenario: &mut Scenario) {
        match self {
            Self::Edit(edit) => {
                // From nothing at all to more than most changes need.
                scenario.try_within(scenario.n_steps() * 41 % 700, edit);
                let _ = scenario.attempt(edit.clone());
            }
            Self::Wait(hours) => {
                scenario.wait(*hours);
            }
            Self::Kill => {
                scenario.kill();
            }
        }
    }
}

/// A question: more often one that is asked and that somebody reads.
fn question(dice: &mut Dice, session: &FormSession) -> Option<String> {
    let mut all = seen::questions(session);
    if dice.chance(0.8) {
        let engine = session.engine();
        let mut read = all.clone();
        read.retain(|path| {
            let node = session.node(path).map(|id| engine.tree().node(id));
            node.is_some_and(|node| node.relevant && !session.form().graph.readers(node.def).is_empty())
        });
        if !read.is_empty() {
            all = read;
        }
    }
    dice.pick(&all).cloned()
}

/// An answer; one in ten is no value of the question's type.
fn value(dice: &mut Dice, session: &FormSession, path: &str) -> Option<String> {
    if dice.chance(0.1) {
        return None;
    }
    let node = session.node(path)?;
    let definition = &session.form().nodes[session.engine().tree().node(node).def];
    let control = definition.control?;
    let kind = session.form().controls[control].kind;
    let bad = ["x", "-", "2026-02-30", "91 181 0 0", "1e3", "nope", "ok", "1 2 2"];
    if dice.chance(0.1) {
        return dice.pick(&bad).map(|bad| (*bad).to_owned());
    }
    if kind.has_choices() {
        let offered: Vec<_> = session.engine().choices(control, node).into_iter().map(|choice| choice.value).collect();
        let mut chosen: Vec<String> = Vec::new();
        let most = if kind == ControlKind::Select1 { 1 } else { 3 };
        for _ in 0..most {
            chosen.extend(dice.pick(&offered).filter(|value| !chosen.contains(value)).cloned());
        }
        return Some(chosen.join(" ")).filter(|chosen| !chosen.is_empty());
    }
    let day = 1 + dice.below(28);
    Some(match (kind, definition.data_type) {
        (ControlKind::Trigger, _) => "OK".to_owned(),
        (_, DataType::Int) => dice.below(5).to_string(),
        (_, DataType::Decimal) => (dice.below(20) as f64 / 4.0).to_string(),
        (_, DataType::Date) => format!("2026-01-{day:02}"),
        (_, DataType::Time) => format!("{:02}:30:00.000+01:00", day % 24),
        (_, DataType::DateTime) => format!("2026-01-{day:02}T10:00:00.000+01:00"),
        (_, DataType::Geopoint) => format!("52.{day} 4.9 0.0 5.0"),
        _ => dice.pick(&["a", "b", "1", "2", "two words", " <&> ", "ج ١"]).map(|text| (*text).to_owned())?,
    })
}

impl Display for Event {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        fn short(path: &str) -> &str {
            path.strip_prefix("/d/").unwrap_or(path)
        }
        match self {
            Self::Wait(hours) => write!(f, "wait {hours}"),
            Self::Kill => write!(f, "kill"),
            Self::Edit(edit) => match edit {
                Edit::Answer { node, value: Some(value) } => write!(f, "answer {} \"{value}\"", short(node)),
                Edit::Answer { node, value: None } => write!(f, "clear {}", short(node)),
                Edit::Add { range } => write!(f, "add {}", short(range)),
                Edit::Remove { node } => write!(f, "remove {}", short(node)),
                Edit::Language { name } => write!(f, "language {name}"),
                Edit::Move { screen } => write!(f, "go {}", short(screen)),
                Edit::Attach { .. } => write!(f, "attach"),
                Edit::Resume => write!(f, "resume"),
            },
        }
    }
}

impl Display for Walk {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.events.iter().try_for_each(|event| writeln!(f, "{event}"))
    }
}
