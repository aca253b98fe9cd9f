use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use veldwerk::Result;
use veldwerk::client::{Client, DraftSummary, FormSummary, ProjectSummary, RecordState, RecordSummary};

use crate::action::Action;
use crate::screens::settings::erase_button;
use crate::states;
use crate::text::{Speech, UiText};
use crate::view::{Button, Card, Dock, HomeScreen, Look, Screen};

/// What Home shows, read when it is come to and when something has changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shelf {
    drafts: Vec<DraftSummary>,
    forms: Vec<FormSummary>,
    /// The newest record of each form.
    records: Vec<RecordSummary>,
    /// The studies.
    pub(crate) projects: Vec<ProjectSummary>,
    /// How many records are not sent.
    n_unsent: usize,
}

impl Shelf {
    pub(crate) fn read(client: &Client) -> Result<Self> {
        let projects = client.projects()?;
        let mut shelf = Self { drafts: client.drafts(None)?, ..Self::default() };
        for project in &projects {
            shelf.forms.extend(client.forms(project.id)?.into_iter().filter(|form| form.offered));
        }
        shelf.projects = projects;
        let mut known = BTreeSet::new();
        for record in client.outbox(None)?.into_iter().rev() {
            shelf.n_unsent += usize::from(!matches!(record.state, RecordState::Sent { .. }));
            if known.insert((record.project, record.form_id.clone())) {
                shelf.records.push(record);
            }
        }
        Ok(shelf)
    }

    pub(crate) const fn has_project(&self) -> bool {
        !self.projects.is_empty()
    }

    /// How many questionnaires the study has not got: begun ones and finished ones.
    pub(crate) const fn n_unsent(&self) -> usize {
        self.drafts.len() + self.n_unsent
    }
}

pub(crate) fn view(shelf: &Shelf, now: i64, zone: &TimeZone, speech: Speech) -> (Screen, Dock) {
    let begun = shelf.drafts.iter().map(|draft| draft_card(draft, now, zone, speech));
    let is_begun = |form: &&FormSummary| {
        shelf.drafts.iter().any(|draft| draft.project == form.project && draft.form_id == form.form_id)
    };
    let new = shelf.forms.iter().filter(|form| !is_begun(form)).map(|form| form_card(form, shelf, speech));
    let finished = shelf.records.iter().map(|record| record_card(record, speech));
    let cards: Vec<Card> = begun.chain(new).chain(finished).collect();
    let empty = cards.is_empty().then(|| speech.say("home.empty"));
    let refresh = Button::new("home.refresh", speech.say("outbox.refresh"), Action::Refresh).in_passing();
    let join = Button::new("home.join", speech.say("join.title"), Action::JoinAnother);
    let join = Button { look: if cards.is_empty() { Look::Filled } else { Look::Plain }, ..join };
    let settings = Button::new("home.settings", speech.say("settings.title"), Action::Settings).in_passing();
    let erase = erase_button("home.erase", speech);
    let screen =
        HomeScreen { title: speech.say("home.title"), cards, empty, more: vec![refresh, join, settings, erase] };
    (Screen::Home(screen), Dock::default())
}

fn draft_card(draft: &DraftSummary, now: i64, zone: &TimeZone, speech: Speech) -> Card {
    let id = format!("draft.{}", draft.id);
    let mut lines = vec![speech.with("home.last_time", &[("date", &day(draft.updated_at, now, zone, speech))])];
    if !draft.offered {
        lines.push(speech.say("home.update_keeps"));
    }
    let button = Button::new(format!("{id}.continue"), speech.say("action.continue"), Action::Open(draft.id));
    Card {
        title: UiText::value(&draft.title),
        lines,
        stage: Some(states::of_draft(speech)),
        button: Some(button.filled()),
        id,
    }
}

fn form_card(form: &FormSummary, shelf: &Shelf, speech: Speech) -> Card {
    let id = format!("form.{}", form.form_id);
    let is_known = shelf.records.iter().any(|record| record.project == form.project && record.form_id == form.form_id);
    let mut lines = if is_known { Vec::new() } else { vec![speech.say("home.new")] };
    lines.push(speech.say("home.works_offline"));
    let button = Button::new(format!("{id}.start"), speech.say("action.start"), Action::Begin(form.key));
    Card { title: UiText::value(&form.title), lines, stage: None, button: Some(button.filled()), id }
}

fn record_card(record: &RecordSummary, speech: Speech) -> Card {
    Card {
        id: format!("record.{}", record.id),
        title: UiText::value(&record.title),
        lines: Vec::new(),
        stage: Some(states::of_record(&record.state, speech)),
        button: None,
    }
}

/// A day in words: today, yesterday, or day, month and year.
fn day(at: i64, now: i64, zone: &TimeZone, speech: Speech) -> String {
    let date = |at: i64| Timestamp::from_millisecond(at).map(|at| zone.to_datetime(at).date());
    let (Ok(then), Ok(today)) = (date(at), date(now)) else { return String::new() };
    let say = |key: &str| speech.words().get(key).unwrap_or_default().to_owned();
    if then == today {
        say("date.today")
    } else if today.yesterday().is_ok_and(|yesterday: Date| then == yesterday) {
        say("date.yesterday")
    } else {
        format!("{} {} {}", then.day(), say(&format!("month.{}", then.month())), then.year())
    }
}
