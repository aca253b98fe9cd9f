//! What the fuzz targets share: a person who answers whatever a form asks, and readers of all else that strangers write.

pub mod strangers;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use veldwerk::clock::Step;
use veldwerk::form::{Files, FormDef};
use veldwerk::session::{Edit, FormSession, Settings};

/// The same bytes for each file that a form names; none if they are empty.
pub struct EveryFile<'a>(pub &'a str);

impl Files for EveryFile<'_> {
    fn read(&self, _name: &str) -> Option<Vec<u8>> {
        (!self.0.is_empty()).then(|| self.0.as_bytes().to_vec())
    }
}

/// Loads a form; if it can be filled, looks at every screen, answers each question, goes on in another language and
/// finalises.
pub fn fill(form: &str, files: &dyn Files) {
    let Ok((form, _)) = FormDef::load(form, files) else { return };
    let step = |number| Step { at: 1_790_000_000_000, seed: 7, number };
    let settings = Settings { time_zone: TimeZone::UTC, properties: BTreeMap::new() };
    let Ok(mut session) = FormSession::begin(Arc::new(form), settings, None, step(0), None) else { return };

    let mut number = 0;
    for key in session.screens().into_iter().take(20) {
        for question in session.screen(&key).questions {
            let first = session.choices(question.node, "", 0, 1).and_then(|first| first.choices.into_iter().next());
            let chosen = first.map(|choice| choice.value);
            number += 1;
            // Refused or not, the session stands.
            let value = chosen.unwrap_or_else(|| "3".to_owned());
            let _ = session.apply(&Edit::Answer { node: question.path, value: Some(value) }, step(number));
        }
    }
    for language in session.languages().iter().map(|language| language.name.clone()).collect::<Vec<_>>() {
        let _ = session.apply(&Edit::Language { name: language }, step(number + 1));
        let _ = session.screen(&session.current());
    }
    let _ = session.finalize(step(number + 2));
}
