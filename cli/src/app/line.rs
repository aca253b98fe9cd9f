//! What a typed line touches.

use std::path::PathBuf;

use veldwerk::text::digits;
use veldwerk::text::fold::fold;
use veldwerk_ui::{Action, Button, Choices, Control, Item, Keypad, Screen, Sheet, View};

use super::draw::Page;

/// One thing that a line does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Touch {
    /// Touches a button.
    Act(Action),
    /// Types into the field of this id.
    Type(String, String),
    /// Chooses a file.
    File(Action, PathBuf),
    /// Goes to another item of the same screen.
    Focus(usize),
    /// To the first item of whatever screen comes.
    First,
    /// The system's own "back".
    SystemBack,
}

/// A line as a command, or as something to answer with.
enum Command<'a> {
    Main,
    Back,
    Language,
    More,
    Stop,
    Overview,
    Hide,
    Finish,
    Clear,
    Answer(&'a str),
}

impl<'a> Command<'a> {
    /// A bare letter is a command except where any text may be the answer; with `:` before it, it is one everywhere. `::`
    /// before an answer says that it is one, whatever it looks like.
    fn read(line: &'a str, is_text: bool) -> Self {
        let line = line.trim();
        if let Some(answer) = line.strip_prefix("::") {
            return Self::Answer(answer);
        }
        let letter = match line {
            "" => return Self::Main,
            "-" => return Self::Clear,
            _ => line.strip_prefix(':').or(Some(line).filter(|_| !is_text)),
        };
        match letter {
            Some("b" | "B") => Self::Back,
            Some("l" | "L") => Self::Language,
            Some("?" | "؟") => Self::More,
            Some("q" | "Q") => Self::Stop,
            Some("j" | "J") => Self::Overview,
            Some("f" | "F") => Self::Finish,
            Some("h" | "H") => Self::Hide,
            _ => Self::Answer(line),
        }
    }
}

/// The items that wait for an answer; of a screen that only shows, its last.
pub(super) fn stops(view: &View) -> Vec<usize> {
    let Screen::Question(screen) = &view.screen else { return vec![0] };
    let waits =
        |item: &Item| item.read_only.is_none() && !matches!(item.control, Control::Note | Control::Unsupported(_));
    let stops: Vec<_> = screen.items.iter().enumerate().filter(|(_, item)| waits(item)).map(|(i, _)| i).collect();
    if stops.is_empty() { vec![screen.items.len().saturating_sub(1)] } else { stops }
}

/// Where an item stands.
pub(super) fn position(view: &View, id: &str) -> Option<usize> {
    let Screen::Question(screen) = &view.screen else { return None };
    screen.items.iter().position(|item| item.id == id)
}

/// Whether any line may be the answer, so that letters cannot be commands.
pub(super) fn takes_text(view: &View, focus: usize) -> bool {
    match &view.screen {
        _ if view.sheet.is_some() => false,
        Screen::Join(_) => true,
        Screen::Question(screen) => screen.items.get(focus).is_some_and(is_text),
        _ => false,
    }
}

/// What a line touches; none if it means nothing here.
pub(super) fn touches(view: &View, page: &Page, focus: usize, line: &str) -> Option<Vec<Touch>> {
    let item = match &view.screen {
        Screen::Question(screen) if view.sheet.is_none() => screen.items.get(focus),
        _ => None,
    };
    let is_text = takes_text(view, focus);
    let command = Command::read(line, is_text);
    if let Some(sheet) = &view.sheet {
        return on_sheet(sheet, page, &command);
    }
    let bar = |id: &str| view.bar.iter().find(|button| button.id == id).map(act);
    match command {
        Command::Main => main(view, item, focus),
        Command::Back => {
            let before = stops(view).into_iter().rev().find(|&stop| stop < focus);
            Some(match (before, &view.dock.back) {
                (Some(stop), _) => vec![Touch::Focus(stop)],
                (None, Some(back)) => vec![act(back), Touch::First],
                (None, None) => vec![Touch::SystemBack],
            })
        }
        Command::Hide => bar("bar.hide").map(|touch| vec![touch]),
        Command::Language => bar("bar.language").map(|touch| vec![touch]),
        Command::Stop => Some(vec![bar("bar.stop").unwrap_or(Touch::SystemBack)]),
        Command::Overview => view.progress.as_ref().map(|progress| vec![act(&progress.overview)]),
        Command::Finish => match (&view.screen, &view.progress) {
            (Screen::Review(_), _) => view.dock.main.as_ref().map(|main| vec![act(main)]),
            (_, Some(_)) => Some(vec![Touch::Act(Action::Review), Touch::First]),
            _ => None,
        },
        Command::More => item?.guidance.as_ref().map(|guidance| vec![act(&guidance.button)]),
        Command::Clear => clear(item?),
        Command::Answer(text) => match item {
            Some(item) => {
                let mut touches = answer(item, page, text)?;
                if goes_on(item, text) {
                    touches.extend(main(view, None, focus)?);
                }
                Some(touches)
            }
            None if is_text => {
                let field = view.fields().into_iter().next()?;
                let main = view.dock.main.as_ref()?;
                Some(vec![Touch::Type(field.id.clone(), text.to_owned()), act(main)])
            }
            None => match (number(text), &view.screen) {
                (None, Screen::Overview(screen)) => Some(vec![Touch::Type(screen.search.id.clone(), text.to_owned())]),
                (number, _) => Some(vec![Touch::Act(page.targets.get(number?.checked_sub(1)?)?.clone()), Touch::First]),
            },
        },
    }
}

/// On: to the next item of the screen, else what the big button does.
fn main(view: &View, item: Option<&Item>, focus: usize) -> Option<Vec<Touch>> {
    // Letters that find nothing are taken away before anything is skipped.
    if let Some(Control::Choices(choices)) = item.map(|item| &item.control)
        && let Some(search) = choices.search.as_ref().filter(|search| !search.text.is_empty() && choices.total == 0)
    {
        return Some(vec![Touch::Type(search.id.clone(), String::new())]);
    }
    if let Screen::Overview(_) = &view.screen {
        return view.dock.back.as_ref().map(|back| vec![act(back)]);
    }
    if let Some(stop) = stops(view).into_iter().find(|&stop| stop > focus) {
        return Some(vec![Touch::Focus(stop)]);
    }
    let next = view
        .dock
        .main
        .as_ref()
        .or_else(|| view.buttons().into_iter().find(|button| matches!(button.action, Action::Next)));
    next.map(|next| vec![act(next), Touch::First])
}

fn on_sheet(sheet: &Sheet, page: &Page, command: &Command<'_>) -> Option<Vec<Touch>> {
    let (stays, does) = match sheet {
        Sheet::Language { close, .. } => (close, None),
        Sheet::Stop { stop, go_on, .. } => (go_on, Some(stop)),
        Sheet::Delete { cancel, .. } => (cancel, None),
    };
    match command {
        Command::Main | Command::Back | Command::Clear => Some(vec![act(stays)]),
        Command::Stop => does.map(|does| vec![act(does)]),
        Command::Answer(text) => {
            let numbered = number(text).and_then(|number| page.targets.get(number.checked_sub(1)?).cloned());
            Some(vec![Touch::Act(numbered.or_else(|| named(sheet, text))?)])
        }
        Command::Language | Command::More | Command::Overview | Command::Hide | Command::Finish => None,
    }
}

/// A language chosen by its name or tag.
fn named(sheet: &Sheet, text: &str) -> Option<Action> {
    let Sheet::Language { rows, .. } = sheet else { return None };
    let is_meant = |row: &&Button| row.text.language == text || fold(&row.text.plain) == fold(text);
    rows.iter().find(is_meant).map(|row| row.action.clone())
}

fn clear(item: &Item) -> Option<Vec<Touch>> {
    match &item.control {
        Control::Field(field) => Some(vec![Touch::Type(field.id.clone(), String::new())]),
        Control::Choices(choices) => {
            Some(choices.rows.iter().filter(|row| row.button.chosen).map(|row| act(&row.button)).collect())
        }
        Control::Levels { steps, .. } => Some(steps.iter().filter(|step| step.chosen).map(act).collect()),
        Control::Tick(tick) => Some(Some(tick).filter(|tick| tick.chosen).map(act).into_iter().collect()),
        Control::File { delete, .. } | Control::Rounds { delete, .. } => {
            delete.as_ref().map(|delete| vec![act(delete)])
        }
        // A decision is changed and not taken back.
        Control::Decision { .. } | Control::Note | Control::Unsupported(_) => None,
    }
}

fn answer(item: &Item, page: &Page, text: &str) -> Option<Vec<Touch>> {
    if item.read_only.is_some() {
        return None;
    }
    match &item.control {
        Control::Field(field) => Some(vec![Touch::Type(field.id.clone(), text.to_owned())]),
        Control::Choices(choices) => choose(choices, text),
        Control::Decision { answers } => {
            let named = answers.iter().find(|answer| fold(&answer.text.plain) == fold(text));
            let numbered = number(text).and_then(|number| answers.get(number.checked_sub(1)?));
            named.or(numbered).map(|answer| vec![act(answer), Touch::First])
        }
        Control::Levels { steps, .. } => {
            let wanted = digits::plain(text);
            let step = steps.iter().find(|step| step.text.plain == wanted)?;
            Some(touch_unless_chosen(step))
        }
        Control::Tick(tick) => (number(text)? == 1).then(|| touch_unless_chosen(tick)),
        Control::File { choose, .. } => Some(vec![Touch::File(choose.action.clone(), PathBuf::from(text))]),
        Control::Rounds { .. } => Some(vec![Touch::Act(page.targets.get(number(text)?.checked_sub(1)?)?.clone())]),
        Control::Note | Control::Unsupported(_) => None,
    }
}

/// Numbers choose what they stand before; a whole label does too; other letters look for one, where there is a list to look in.
fn choose(choices: &Choices, text: &str) -> Option<Vec<Touch>> {
    if let Some(named) = choices.rows.iter().find(|row| fold(&row.button.text.plain) == fold(text)) {
        return Some(touch_unless_chosen(&named.button));
    }
    let plain = digits::plain(text);
    let words = plain.split([' ', ',', '،', '፣']).filter(|word| !word.is_empty());
    let Ok(numbers) = words.map(str::parse::<usize>).collect::<Result<Vec<_>, _>>() else {
        return choices.search.as_ref().map(|search| vec![Touch::Type(search.id.clone(), text.to_owned())]);
    };
    let rows = numbers.iter().map(|number| choices.rows.get(number.checked_sub(1)?)).collect::<Option<Vec<_>>>()?;
    match rows.as_slice() {
        [] => None,
        [only] if !choices.many => Some(touch_unless_chosen(&only.button)),
        _ if !choices.many => None,
        // The numbers typed are the whole answer, in their order.
        rows => {
            let is_wanted = |button: &Button| rows.iter().any(|row| row.button.id == button.id);
            let before = choices.rows.iter().map(|row| &row.button).filter(|button| button.chosen);
            let away = before.filter(|button| choices.ranked || !is_wanted(button)).map(act);
            let added = rows.iter().filter(|row| choices.ranked || !row.button.chosen).map(|row| act(&row.button));
            Some(away.chain(added).collect())
        }
    }
}

/// Whether an answer leads on by itself: not letters that look for a choice, and not a round of a repeat.
fn goes_on(item: &Item, text: &str) -> bool {
    match &item.control {
        Control::Choices(choices) => {
            choose(choices, text).is_some_and(|touches| !touches.iter().any(|touch| matches!(touch, Touch::Type(..))))
        }
        Control::Field(_) | Control::Levels { .. } | Control::Tick(_) => true,
        // A decision goes on by itself.
        Control::Decision { .. } | Control::File { .. } | Control::Rounds { .. } => false,
        Control::Note | Control::Unsupported(_) => false,
    }
}

/// At a terminal a number is no switch: typed again, it chooses the same.
fn touch_unless_chosen(button: &Button) -> Vec<Touch> {
    if button.chosen { Vec::new() } else { vec![act(button)] }
}

fn act(button: &Button) -> Touch {
    Touch::Act(button.action.clone())
}

fn number(text: &str) -> Option<usize> {
    digits::plain(text.trim()).parse().ok()
}

/// Whether any line may be the answer to an item.
fn is_text(item: &Item) -> bool {
    matches!(&item.control, Control::Field(field) if matches!(field.keypad, Keypad::Text | Keypad::Address | Keypad::Digits))
        || matches!(item.control, Control::File { .. })
}
