//! What a view looks like on a terminal.

use veldwerk::text::words::Words;
use veldwerk::text::{Color, Direction, Tag};
use veldwerk_ui::{
    Action, Button, Card, Choices, Control, Field, Item, OverviewScreen, PartState, QuestionScreen, Screen, Sheet,
    StageMark, UiText, View,
};

use super::line;
use crate::terminal::{Look, Paragraph};

/// What is chosen and what was answered.
const ANSWER: Look = Look { color: Some(Color { red: 0x3e, green: 0x8a, blue: 0x70 }), ..Look::BOLD };
/// What needs a second look.
const CARE: Look = Look { color: Some(Color { red: 0xc8, green: 0x5a, blue: 0x2c }), ..Look::BOLD };
const PLAIN: Look = Look { bold: false, ..Look::BOLD };
const BAR: usize = 24;

/// A drawn view, and what its numbers stand before.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) paragraphs: Vec<Paragraph>,
    /// What the numbers touch, from 1 on.
    pub(super) targets: Vec<Action>,
    direction: Direction,
}

/// Draws a view with the item in focus.
pub(super) fn page(view: &View, focus: usize, is_wrong: bool) -> Page {
    let direction = if view.right_to_left { Direction::RightToLeft } else { Direction::LeftToRight };
    let mut page = Page { paragraphs: Vec::new(), targets: Vec::new(), direction };
    page.progress(view);
    if let Some(trouble) = &view.trouble {
        page.text(trouble, CARE);
        page.empty();
    }
    match &view.sheet {
        Some(sheet) => page.sheet(sheet),
        None => page.screen(view, focus),
    }
    if is_wrong {
        page.empty();
        let words = Words::of(Tag::parse(&view.language).as_ref());
        let mut wrong = Paragraph::new(direction);
        wrong.push(words.get("error.invalid_answer").unwrap_or_default(), CARE);
        page.paragraphs.push(wrong);
    }
    page.empty();
    page.keys(view, focus);
    page
}

impl Page {
    fn screen(&mut self, view: &View, focus: usize) {
        match &view.screen {
            Screen::Language(screen) => {
                for row in &screen.rows {
                    // Nothing is chosen yet: each language stands as it is read.
                    self.numbered(&row.button, Some(&row.welcome), own_direction(&row.button.text));
                }
            }
            Screen::Join(screen) => {
                self.text(&screen.title, Look::BOLD);
                self.text(&screen.explain, PLAIN);
                self.text(&screen.no_account, Look::DIM);
                self.field(&screen.code);
            }
            Screen::JoinCheck(screen) => {
                self.text(&screen.title, Look::BOLD);
                self.empty();
                self.text(&screen.project, Look::BOLD);
                self.text(&screen.server, Look::DIM);
                self.empty();
                self.texts(screen.who.as_ref(), PLAIN);
                screen.answers.iter().for_each(|button| self.button(button));
                self.button(&screen.cancel);
            }
            Screen::Home(screen) => {
                self.text(&screen.title, Look::BOLD);
                self.empty();
                self.texts(screen.empty.as_ref(), PLAIN);
                screen.cards.iter().for_each(|card| self.card(card));
                self.empty();
                screen.more.iter().for_each(|button| self.button(button));
            }
            Screen::Question(screen) => self.questions(screen, focus),
            Screen::Overview(screen) => self.overview(screen),
            Screen::Review(screen) => {
                self.text(&screen.title, Look::BOLD);
                self.empty();
                self.texts(&screen.lines, PLAIN);
                for problem in &screen.problems {
                    self.button(&problem.button);
                    self.indented(&problem.text, CARE);
                }
                self.empty();
                self.text(&screen.closing, Look::DIM);
            }
            Screen::Done(screen) => {
                self.text(&screen.title, ANSWER);
                self.empty();
                screen.stages.iter().for_each(|stage| self.stage(stage));
                self.texts(screen.nothing_to_do.as_ref(), Look::DIM);
                self.empty();
                screen.more.iter().for_each(|button| self.button(button));
            }
            Screen::Settings(screen) => {
                self.text(&screen.title, Look::BOLD);
                self.empty();
                screen.rows.iter().for_each(|row| self.button(row));
                self.empty();
                self.text(&screen.version, Look::DIM);
            }
            Screen::Privacy(screen) => {
                self.text(&screen.title, Look::BOLD);
                self.empty();
                self.texts(&screen.lines, PLAIN);
            }
            Screen::Erase(screen) => {
                self.text(&screen.title, Look::BOLD);
                self.empty();
                self.text(&screen.explain, PLAIN);
                self.texts(screen.unsent.as_ref(), CARE);
                self.text(&screen.stays, PLAIN);
                self.empty();
                self.button(&screen.confirm);
                self.button(&screen.keep);
            }
            Screen::Erased(screen) => {
                self.text(&screen.title, ANSWER);
                self.text(&screen.explain, PLAIN);
            }
            Screen::Cover(screen) => self.button(&screen.tap),
            Screen::Trouble(screen) => {
                self.text(&screen.text, CARE);
                self.text(&UiText::value(&screen.code), Look::DIM);
            }
        }
    }

    fn overview(&mut self, screen: &OverviewScreen) {
        self.text(&screen.title, Look::BOLD);
        self.texts(screen.errors.as_ref(), CARE);
        self.empty();
        for part in &screen.parts {
            match &part.button {
                Some(button) => {
                    let look = if part.state == PartState::Check { CARE } else { Look::DIM };
                    self.numbered(button, None, self.direction);
                    self.indented(&part.text, look);
                }
                None => self.text(&part.text, Look::DIM),
            }
            for row in &part.rows {
                self.numbered(&row.button, row.answer.as_ref(), self.direction);
                if let Some(problem) = &row.problem {
                    self.indented(problem, CARE);
                }
            }
        }
        self.texts(screen.none_found.as_ref(), CARE);
        self.empty();
        self.button(&screen.review);
        self.field(&screen.search);
    }

    fn sheet(&mut self, sheet: &Sheet) {
        match sheet {
            Sheet::Language { title, explain, rows, .. } => {
                self.text(title, Look::BOLD);
                self.text(explain, Look::DIM);
                self.empty();
                rows.iter().for_each(|row| self.button(row));
            }
            Sheet::Stop { explain, stop, .. } => {
                self.text(explain, Look::BOLD);
                self.empty();
                self.button(stop);
            }
            Sheet::Delete { title, which, delete, .. } => {
                self.text(title, Look::BOLD);
                self.text(which, PLAIN);
                self.empty();
                self.button(delete);
            }
        }
    }

    fn progress(&mut self, view: &View) {
        let Some(progress) = &view.progress else { return };
        let full = (progress.part as usize * BAR).checked_div(progress.parts as usize).unwrap_or(0).min(BAR);
        let mut bar = Paragraph::new(self.direction);
        bar.push(&"━".repeat(full), ANSWER);
        bar.push(&"─".repeat(BAR - full), Look::DIM);
        bar.push(&format!("  {}", progress.text.plain), Look::DIM);
        if let Some(saved) = &progress.saved {
            bar.push(&format!("   ✓ {}", saved.plain), ANSWER);
        }
        self.paragraphs.push(bar);
        self.empty();
    }

    fn questions(&mut self, screen: &QuestionScreen, focus: usize) {
        let headings: Vec<String> =
            screen.headings.iter().map(|heading| isolated(&heading.plain, self.direction)).collect();
        if !headings.is_empty() {
            let mut line = Paragraph::new(self.direction);
            line.push(&headings.join(" › "), Look::DIM);
            self.paragraphs.push(line);
            self.empty();
        }
        self.texts(screen.note.as_ref(), Look::DIM);
        self.texts(screen.promise.as_ref(), Look::DIM);
        for (index, item) in screen.items.iter().enumerate() {
            match index.cmp(&focus) {
                std::cmp::Ordering::Less => self.earlier(item),
                std::cmp::Ordering::Equal => self.item(item),
                // What comes later is asked later; words between questions are read with what comes before them.
                std::cmp::Ordering::Greater => {}
            }
        }
    }

    /// An item of the same screen that was asked before this one.
    fn earlier(&mut self, item: &Item) {
        let answer = shown(&item.control);
        if answer.is_empty() {
            self.text(&item.label, PLAIN);
        } else {
            let mut entry = Paragraph::new(own_direction(&item.label));
            entry.push(&item.label.plain, Look::DIM);
            entry.push(&format!("  {}", isolated(&answer, self.direction)), ANSWER);
            self.paragraphs.push(entry);
        }
        self.empty();
    }

    fn item(&mut self, item: &Item) {
        self.text(&item.label, Look::BOLD);
        self.texts(item.hint.as_ref(), Look::DIM);
        if let Some(text) = item.guidance.as_ref().and_then(|guidance| guidance.text.as_ref()) {
            self.empty();
            self.text(text, Look { italic: true, ..PLAIN });
        }
        for (sign, file) in [("▣", &item.media.image), ("♪", &item.media.audio), ("▶", &item.media.video)] {
            if let Some(file) = file {
                self.text(&UiText::value(&format!("{sign} {file}")), Look::DIM);
            }
        }
        if let Some(complaint) = &item.complaint {
            self.text(&complaint.title, CARE);
            self.text(&complaint.text, CARE);
        }
        self.texts(item.read_only.as_ref(), Look::DIM);
        self.control(&item.control);
    }

    fn control(&mut self, control: &Control) {
        match control {
            Control::Note => {}
            Control::Field(field) => self.field(field),
            Control::Choices(choices) => self.choices(choices),
            Control::Decision { answers } => {
                self.empty();
                answers.iter().for_each(|answer| self.button(answer));
            }
            Control::Levels { steps, ends } => {
                self.empty();
                self.side_by_side(steps, false);
                let ends: Vec<_> = ends.iter().map(|end| isolated(&end.plain, self.direction)).collect();
                if !ends.is_empty() {
                    let mut line = Paragraph::new(self.direction);
                    line.push(&ends.join(" … "), Look::DIM);
                    self.paragraphs.push(line);
                }
            }
            Control::Tick(tick) => {
                self.empty();
                self.button(tick);
            }
            Control::File { chosen, choose, .. } => {
                self.empty();
                self.texts(chosen.as_ref(), ANSWER);
                self.text(&choose.text, Look::DIM);
            }
            Control::Rounds { rounds, add, done, .. } => {
                self.empty();
                rounds.iter().chain([add, done]).for_each(|button| self.button(button));
            }
            Control::Unsupported(text) => self.text(text, Look::DIM),
        }
    }

    fn choices(&mut self, choices: &Choices) {
        self.empty();
        if choices.scale && choices.rows.iter().all(|row| !row.button.text.plain.contains('\n')) {
            let steps: Vec<_> = choices.rows.iter().map(|row| row.button.clone()).collect();
            self.side_by_side(&steps, true);
        } else {
            let mut is_apart = false;
            for row in &choices.rows {
                if row.apart && !is_apart {
                    is_apart = true;
                    let mut line = Paragraph::new(self.direction);
                    line.push("┄┄┄", Look::DIM);
                    self.paragraphs.push(line);
                }
                match row.rank {
                    Some(rank) => {
                        let text = UiText::value(&format!("{} ({rank})", row.button.text.plain));
                        self.button(&Button { text, ..row.button.clone() });
                    }
                    None => self.button(&row.button),
                }
            }
        }
        self.texts(choices.found.as_ref(), Look::DIM);
        self.texts(choices.chosen.as_ref(), Look::DIM);
        self.texts(choices.how.as_ref(), Look::DIM);
        if let Some(search) = &choices.search {
            self.field(search);
        }
    }

    /// Steps of a scale beside each other, each unbroken; with `numbered`, after the number that chooses it.
    fn side_by_side(&mut self, steps: &[Button], numbered: bool) {
        let mut row = Paragraph::new(self.direction);
        for (index, step) in steps.iter().enumerate() {
            if index > 0 {
                row.push("   ", PLAIN);
            }
            self.targets.push(step.action.clone());
            let words = isolated(&step.text.plain.replace(' ', "\u{a0}"), self.direction);
            let words = if numbered { format!("{}\u{a0}{words}", self.targets.len()) } else { words };
            let (sign, look) = if step.chosen { ("●\u{a0}", ANSWER) } else { ("", PLAIN) };
            row.push(&format!("{sign}{words}"), look);
        }
        row.indent(2);
        self.paragraphs.push(row);
    }

    fn field(&mut self, field: &Field) {
        self.empty();
        if !field.text.is_empty() {
            let text = if field.masked { "•".repeat(field.text.chars().count()) } else { field.text.clone() };
            let mut paragraph = Paragraph::new(self.direction);
            paragraph.push(&isolated(&text, self.direction), ANSWER);
            paragraph.mark("● ", ANSWER);
            self.paragraphs.push(paragraph);
        }
        self.text(&field.how, Look::DIM);
    }

    fn card(&mut self, card: &Card) {
        match &card.button {
            Some(button) => self.numbered(
                &Button { text: card.title.clone(), ..button.clone() },
                Some(&button.text),
                self.direction,
            ),
            None => self.text(&card.title, PLAIN),
        }
        for line in &card.lines {
            self.indented(line, Look::DIM);
        }
        if let Some(stage) = &card.stage {
            self.indented(&stage.text, Look::DIM);
        }
    }

    fn stage(&mut self, stage: &StageMark) {
        let sign = stage_sign(stage);
        let mut line = Paragraph::new(self.direction);
        line.push(&format!("{sign} {}", stage.text.plain), Look::BOLD);
        line.push(&format!("  {}", stage.explain.plain), PLAIN);
        self.paragraphs.push(line);
    }

    fn button(&mut self, button: &Button) {
        self.numbered(button, None, self.direction);
    }

    /// A button behind its number; all of a list begin on the side where the screen begins.
    fn numbered(&mut self, button: &Button, beside: Option<&UiText>, direction: Direction) {
        self.targets.push(button.action.clone());
        let look = if button.chosen { ANSWER } else { PLAIN };
        let mut entry = Paragraph::new(direction);
        push(&mut entry, &button.text, look, direction);
        if let Some(beside) = beside {
            entry.push(&format!("  {}", isolated(&beside.plain, self.direction)), Look::DIM);
        }
        let sign = if button.chosen { "●" } else { " " };
        entry.mark(&format!("{sign} {:>2}  ", self.targets.len()), if button.chosen { ANSWER } else { Look::DIM });
        self.paragraphs.push(entry);
    }

    fn keys(&mut self, view: &View, focus: usize) {
        let mut keys: Vec<(String, &UiText)> = Vec::new();
        // Where any text may be the answer, a letter alone is one.
        let letter =
            |letter: &str| if line::takes_text(view, focus) { format!(":{letter}") } else { letter.to_owned() };
        match &view.sheet {
            Some(
                Sheet::Language { close: stays, .. }
                | Sheet::Stop { go_on: stays, .. }
                | Sheet::Delete { cancel: stays, .. },
            ) => {
                keys.push(("Enter".to_owned(), &stays.text));
            }
            None => {
                keys.extend(view.dock.main.iter().map(|button| ("Enter".to_owned(), &button.text)));
                keys.extend(view.dock.back.iter().map(|button| (letter("b"), &button.text)));
                keys.extend(view.progress.iter().map(|progress| (letter("j"), &progress.overview.text)));
                if let Screen::Question(screen) = &view.screen
                    && let Some(guidance) = screen.items.get(focus).and_then(|item| item.guidance.as_ref())
                {
                    keys.push((letter("?"), &guidance.button.text));
                }
                let of_bar = |id: &str| match id {
                    "bar.stop" => "q",
                    "bar.hide" => "h",
                    _ => "l",
                };
                keys.extend(view.bar.iter().map(|button| (letter(of_bar(&button.id)), &button.text)));
            }
        }
        let mut legend = Paragraph::new(self.direction);
        for (index, (key, text)) in keys.iter().enumerate() {
            legend.push(if index > 0 { "   " } else { "" }, PLAIN);
            legend.push(&isolated(key, self.direction), Look::BOLD);
            legend.push(&format!("\u{a0}{}", isolated(&text.plain.replace(' ', "\u{a0}"), self.direction)), Look::DIM);
        }
        self.paragraphs.push(legend);
    }

    fn texts<'t>(&mut self, texts: impl IntoIterator<Item = &'t UiText>, look: Look) {
        texts.into_iter().for_each(|text| self.text(text, look));
    }

    /// A text as its author shaped it, on the side of its own language.
    fn text(&mut self, text: &UiText, look: Look) {
        self.paragraphs.extend(Paragraph::of_text(text, look));
    }

    fn indented(&mut self, text: &UiText, look: Look) {
        let mut paragraph = Paragraph::new(self.direction);
        push(&mut paragraph, text, look, self.direction);
        paragraph.indent(6);
        self.paragraphs.push(paragraph);
    }

    fn empty(&mut self) {
        self.paragraphs.push(Paragraph::new(self.direction));
    }
}

const fn stage_sign(stage: &StageMark) -> &'static str {
    match stage.stage {
        veldwerk_ui::Stage::Saved => "▣",
        veldwerk_ui::Stage::Waiting => "◔",
        veldwerk_ui::Stage::Sending => "↑",
        veldwerk_ui::Stage::Received => "✓",
        veldwerk_ui::Stage::Attention => "▲",
    }
}

/// The answer to an item as a person reads it.
fn shown(control: &Control) -> String {
    let chosen = |buttons: &mut dyn Iterator<Item = &Button>| {
        buttons.filter(|button| button.chosen).map(|button| button.text.plain.clone()).collect::<Vec<_>>().join(", ")
    };
    match control {
        Control::Field(field) if field.masked => "•".repeat(field.text.chars().count()),
        Control::Field(field) => field.text.clone(),
        Control::Choices(choices) => chosen(&mut choices.rows.iter().map(|row| &row.button)),
        Control::Decision { answers } => chosen(&mut answers.iter()),
        Control::Levels { steps, .. } => chosen(&mut steps.iter()),
        Control::Tick(tick) => chosen(&mut [tick].into_iter()),
        Control::File { chosen, .. } => chosen.as_ref().map(|name| name.plain.clone()).unwrap_or_default(),
        Control::Note | Control::Rounds { .. } | Control::Unsupported(_) => String::new(),
    }
}

fn own_direction(text: &UiText) -> Direction {
    Paragraph::direction_of(text)
}

/// `text` so that its direction does not disturb the words around it: between isolates, if it could.
fn isolated(text: &str, around: Direction) -> String {
    let is_harmless = around == Direction::LeftToRight && Direction::of_text(text) != Some(Direction::RightToLeft);
    if is_harmless { text.to_owned() } else { format!("\u{2068}{text}\u{2069}") }
}

/// A text on one line of another direction.
fn push(paragraph: &mut Paragraph, text: &UiText, look: Look, around: Direction) {
    let is_harmless = around == Direction::LeftToRight && !text.right_to_left;
    paragraph.push(if is_harmless { "" } else { "\u{2068}" }, look);
    for (index, block) in text.blocks.iter().enumerate() {
        paragraph.push(if index > 0 { " " } else { "" }, look);
        for span in &block.spans {
            paragraph.push(&span.text.replace('\n', " "), look.with(span));
        }
    }
    paragraph.push(if is_harmless { "" } else { "\u{2069}" }, look);
}
