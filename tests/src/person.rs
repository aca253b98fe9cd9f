//! Somebody who fills a form: answers, goes on and back, changes the language, adds and removes; the same for one seed.

use veldwerk::client::DraftSession;
use veldwerk::clock::{Random, Step};
use veldwerk::form::{ControlKind, DataType};
use veldwerk::session::{Policy, QuestionView, ScreenKey};

/// One who does as chance says.
pub struct Person {
    random: Random,
}

impl Person {
    /// One of many.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { random: Step { at: 0, seed, number: 0 }.random() }
    }

    /// Does one thing, which the form may refuse.
    pub fn act(&mut self, draft: &mut DraftSession) {
        match self.below(16) {
            0 => self.change_language(draft),
            1 => drop(draft.previous().unwrap()),
            2 => self.remove_an_instance(draft),
            3..6 => self.go_on(draft),
            _ => self.answer_what_is_shown(draft),
        }
    }

    fn change_language(&mut self, draft: &mut DraftSession) {
        let names: Vec<_> = draft.session().languages().iter().map(|language| language.name.clone()).collect();
        draft.set_language(&names[self.below(names.len())]).unwrap();
    }

    fn remove_an_instance(&mut self, draft: &mut DraftSession) {
        let path = draft.session().screen_path(&draft.session().current());
        if let Some((instance, _)) = path.rsplit_once(']') {
            let _ = draft.remove_repeat(&format!("{instance}]"));
        }
    }

    fn go_on(&mut self, draft: &mut DraftSession) {
        if draft.next(Policy::OnFinalize).unwrap() == Ok(ScreenKey::End) {
            let first = draft.session().first();
            draft.move_to(&first).unwrap();
        }
    }

    fn answer_what_is_shown(&mut self, draft: &mut DraftSession) {
        let screen = draft.screen();
        if let ScreenKey::Add { .. } = screen.key {
            let range = draft.session().screen_path(&screen.key);
            draft.add_repeat(range.trim_end_matches('+')).unwrap();
        }
        for question in screen.questions {
            if question.data_type == DataType::Binary {
                let _ = draft.attach_from(&question.path, "jpg", &mut &b"a photo"[..]);
            } else {
                let value = self.answer_to(draft, &question);
                let _ = draft.answer(&question.path, value.as_deref());
            }
        }
        self.go_on(draft);
    }

    fn answer_to(&mut self, draft: &DraftSession, question: &QuestionView) -> Option<String> {
        if self.below(10) == 0 {
            return None;
        }
        if question.control.has_choices() {
            let from = if question.control == ControlKind::Rank { 0 } else { self.below(question.n_choices) };
            let limit = if question.control == ControlKind::Rank { question.n_choices } else { 1 };
            let choices = draft.session().choices(question.node, "", from, limit)?.choices;
            let values: Vec<_> = choices.into_iter().map(|choice| choice.value).collect();
            return (!values.is_empty()).then(|| values.join(" "));
        }
        let number = self.below(60);
        Some(match question.data_type {
            _ if question.control == ControlKind::Trigger => "OK".to_owned(),
            DataType::Int | DataType::Long => number.to_string(),
            DataType::Decimal => format!("{number}.5"),
            DataType::Boolean => "true".to_owned(),
            DataType::Date => format!("20{:02}-03-{:02}", 10 + number % 16, 1 + number % 28),
            DataType::Time => format!("11:{number:02}:00.000+01:00"),
            DataType::DateTime => format!("2025-11-24T11:{number:02}:00.000+01:00"),
            DataType::Geopoint => format!("52.{number} 4.9 0 5"),
            DataType::Geotrace | DataType::Geoshape => "52.1 4.9 0 0; 52.2 4.9 0 0; 52.1 4.9 0 0".to_owned(),
            DataType::String | DataType::Barcode | DataType::Binary => format!("words {number} كلمات"),
        })
    }

    fn below(&mut self, n: usize) -> usize {
        (self.random.unit() * n as f64) as usize
    }
}
