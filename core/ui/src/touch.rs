//! All that can be touched on a view, in the order of reading.

use crate::view::{Button, Control, Field, Item, OverviewPart, Screen, Sheet, View};

impl View {
    /// Every button that can be touched now: those of the sheet, if one lies over the screen.
    #[must_use]
    pub fn buttons(&self) -> Vec<&Button> {
        if let Some(sheet) = &self.sheet {
            return match sheet {
                Sheet::Language { rows, close, .. } => rows.iter().chain([close]).collect(),
                Sheet::Stop { stop, go_on, .. } => vec![stop, go_on],
                Sheet::Delete { delete, cancel, .. } => vec![delete, cancel],
            };
        }
        let mut buttons: Vec<&Button> = match &self.screen {
            Screen::Language(screen) => screen.rows.iter().map(|row| &row.button).collect(),
            Screen::Join(screen) => screen.scan.iter().collect(),
            Screen::JoinCheck(screen) => screen.answers.iter().chain([&screen.cancel]).collect(),
            Screen::Home(screen) => {
                screen.cards.iter().filter_map(|card| card.button.as_ref()).chain(&screen.more).collect()
            }
            Screen::Question(screen) => screen.items.iter().flat_map(Item::buttons).collect(),
            Screen::Overview(screen) => {
                screen.parts.iter().flat_map(OverviewPart::buttons).chain([&screen.review]).collect()
            }
            Screen::Review(screen) => screen.problems.iter().map(|problem| &problem.button).collect(),
            Screen::Settings(screen) => screen.rows.iter().collect(),
            Screen::Erase(screen) => vec![&screen.confirm, &screen.keep],
            Screen::Cover(screen) => vec![&screen.tap],
            Screen::Done(screen) => screen.more.iter().collect(),
            Screen::Privacy(_) | Screen::Erased(_) | Screen::Trouble(_) => Vec::new(),
        };
        buttons.extend(self.dock.back.iter().chain(&self.dock.main));
        buttons.extend(self.progress.iter().map(|progress| &progress.overview).chain(&self.bar));
        buttons
    }

    /// Every field that can be typed into now.
    #[must_use]
    pub fn fields(&self) -> Vec<&Field> {
        match &self.screen {
            _ if self.sheet.is_some() => Vec::new(),
            Screen::Join(screen) => vec![&screen.code],
            Screen::Overview(screen) => vec![&screen.search],
            Screen::Question(screen) => screen.items.iter().filter_map(Item::field).collect(),
            Screen::Language(_)
            | Screen::JoinCheck(_)
            | Screen::Home(_)
            | Screen::Review(_)
            | Screen::Done(_)
            | Screen::Settings(_)
            | Screen::Privacy(_)
            | Screen::Erase(_)
            | Screen::Erased(_)
            | Screen::Cover(_)
            | Screen::Trouble(_) => Vec::new(),
        }
    }
}

impl OverviewPart {
    fn buttons(&self) -> impl Iterator<Item = &Button> {
        self.button.iter().chain(self.rows.iter().map(|row| &row.button))
    }
}

impl Item {
    /// Its buttons, those of the answers first.
    #[must_use]
    pub fn buttons(&self) -> Vec<&Button> {
        let mut buttons: Vec<&Button> = match &self.control {
            Control::Note | Control::Field(_) | Control::Unsupported(_) => Vec::new(),
            Control::Choices(choices) => choices.rows.iter().map(|row| &row.button).collect(),
            Control::Decision { answers } => answers.iter().collect(),
            Control::Levels { steps, .. } => steps.iter().collect(),
            Control::Tick(tick) => vec![tick],
            Control::File { choose, delete, .. } => [choose].into_iter().chain(delete).collect(),
            Control::Rounds { rounds, add, done, delete } => rounds.iter().chain([add, done]).chain(delete).collect(),
        };
        buttons.extend(self.guidance.iter().map(|guidance| &guidance.button));
        buttons
    }

    /// Its field, if something is typed.
    #[must_use]
    pub fn field(&self) -> Option<&Field> {
        match &self.control {
            Control::Field(field) => Some(field),
            Control::Choices(choices) => choices.search.as_ref(),
            Control::Note
            | Control::Decision { .. }
            | Control::Levels { .. }
            | Control::Tick(_)
            | Control::File { .. }
            | Control::Rounds { .. }
            | Control::Unsupported(_) => None,
        }
    }
}
