use std::collections::VecDeque;
use std::path::Path;

use serde::{Deserialize, Serialize};
use veldwerk::client::{
    Cancel, Client, DraftId, DraftSession, Invitation, Network, ProjectSource, RecordSummary, SubmissionId,
};
use veldwerk::form::ControlKind;
use veldwerk::ids::{ControlId, NodeId};
use veldwerk::openrosa::settings_qr::{Autosend, Mode};
use veldwerk::session::{QuestionView, ScreenKey, ScreenKind};
use veldwerk::store::{ForgetSent, FormKey, ProjectId, ProjectSettings};
use veldwerk::text::Tag;
use veldwerk::text::words::LANGUAGES;
use veldwerk::{Error, ErrorKind, Result};

use crate::action::Action;
use crate::consent;
use crate::control::{self, field_of, item_id};
use crate::event::{Device, Event, Outcome};
use crate::filling::{Filling, Step};
use crate::route::{Place, Route};
use crate::screens::home::Shelf;
use crate::screens::{done, home, join, language, overview, question, review, settings, sheets};
use crate::text::{Speech, UiText};
use crate::view::{Announcement, Button, ChoiceRow, Dock, Screen, Sheet, TroubleScreen, View};
use crate::work::{Ask, Done, Effect, Job, Outbound, Report, Work};

/// What the app stands on.
pub trait Host: Send {
    /// Opens the home.
    ///
    /// # Errors
    /// Those of [`Client::open`] and of the phone's safe for keys.
    fn open(&self) -> Result<Client>;

    /// Erases the home for good: [`Client::erase`] with the phone's safe for keys. [`Host::open`] finishes what was cut off.
    ///
    /// # Errors
    /// Those of [`Client::erase`].
    fn erase(&self, client: Client) -> Result<()>;
}

/// One function that opens and one that erases.
impl<O: Fn() -> Result<Client> + Send, E: Fn(Client) -> Result<()> + Send> Host for (O, E) {
    fn open(&self) -> Result<Client> {
        self.0()
    }

    fn erase(&self, client: Client) -> Result<()> {
        self.1(client)
    }
}

/// The app, at one moment.
pub struct App {
    host: Option<Box<dyn Host>>,
    state: State,
    device: Device,
    /// The language of the app; none until somebody has chosen.
    language: Option<Tag>,
    route: Route,
    joining: Joining,
    shelf: Shelf,
    /// The record that Done thanks for.
    record: Option<RecordSummary>,
    over: Option<Over>,
    /// Whether what is shown is hidden.
    is_covered: bool,
    /// Everything goes, as soon as nothing runs.
    is_erasing: bool,
    /// The error of the last act or job, until the next act.
    trouble: Option<&'static str>,
    announcement: Option<Announcement>,
    focus: Option<String>,
    /// What runs, and what runs after it.
    running: Option<Running>,
    waiting: VecDeque<Work>,
    asked: Option<Asked>,
    /// When the first letter that is not written yet was typed.
    typing_since: Option<i64>,
    at: i64,
    rev: u64,
    /// Counts what goes out.
    last_id: u64,
    out: Outbound,
}

enum State {
    Closed(Error),
    Open { client: Client, filling: Option<Box<Filling>> },
}

/// A study on its way in.
#[derive(Default)]
struct Joining {
    code: String,
    rev: u64,
    found: Option<Invitation>,
}

/// What lies over the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Over {
    Languages,
    Stop,
    Overview(overview::Opened),
    /// Whether this round is to go: its path and number.
    Delete(String, usize),
}

/// What a touch is made on: the place, what lies over it, the screen of a questionnaire, and whether the home is closed.
type Shown = (Place, Option<Over>, Option<ScreenKey>, bool);

struct Running {
    id: u64,
    work: Work,
    since: i64,
    /// How much of it is done, as far as it has said so.
    percent: Option<u8>,
    cancel: Cancel,
}

/// What was asked of the device last, and for what. It is kept before the shell sees it, so that an answer counts also after a
/// kill; once it is answered the id stays, so that no later one is the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Asked {
    id: u64,
    /// None once it is answered.
    purpose: Option<Purpose>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Purpose {
    Invitation,
    /// The file of the question at this path of this draft.
    File(i64, String),
}

/// How long what was typed may be unwritten, in milliseconds.
const TYPING_MS: i64 = 500;
/// After so long it is said that something takes long, in milliseconds.
const BUSY_MS: i64 = 1_000;
/// Where it is kept what was asked of the device.
const ASKED: &str = "ui.asked";
/// Where the language of the app is kept.
const LANGUAGE: &str = "ui.language";

impl App {
    /// Opens the app where it was left. It never fails: what stands in the way is a screen.
    #[must_use]
    pub fn open(host: Box<dyn Host>, device: Device) -> Self {
        let closed = State::Closed(ErrorKind::StoragePaused.into());
        let mut app = Self::new(Some(host), closed, device, Route::of(&[Place::Language]));
        app.open_home();
        app
    }

    /// Shows one questionnaire and nothing else: to leave it is to leave the app. `resumed` if it was begun before.
    #[must_use]
    pub fn for_draft(client: Client, draft: DraftSession, device: Device, resumed: bool) -> Self {
        let route = Route::of(&[Place::question(draft.id())]);
        let state = match Filling::new(&client, draft, resumed) {
            Ok(filling) => State::Open { client, filling: Some(Box::new(filling)) },
            Err(error) => State::Closed(error),
        };
        Self::new(None, state, device, route)
    }

    /// The record that was finished last, while Done thanks for it.
    #[must_use]
    pub fn finished(&self) -> Option<&RecordSummary> {
        self.record.as_ref().filter(|_| matches!(self.route.here(), Place::Done(_)))
    }

    fn new(host: Option<Box<dyn Host>>, state: State, device: Device, route: Route) -> Self {
        Self {
            host,
            state,
            device,
            language: None,
            route,
            joining: Joining::default(),
            shelf: Shelf::default(),
            record: None,
            over: None,
            is_covered: false,
            is_erasing: false,
            trouble: None,
            announcement: None,
            focus: None,
            running: None,
            waiting: VecDeque::new(),
            asked: None,
            typing_since: None,
            at: 0,
            rev: 1,
            last_id: 0,
            out: Outbound::default(),
        }
    }

    fn open_home(&mut self) {
        let Some(host) = &self.host else { return };
        match host.open() {
            Ok(client) => {
                self.state = State::Open { client, filling: None };
                if let Err(error) = self.come_back() {
                    self.fail(&error);
                    self.route = Route::of(&[Place::Home]);
                }
            }
            Err(error) => self.state = State::Closed(error),
        }
    }

    /// Takes up the language and the place of before.
    fn come_back(&mut self) -> Result<()> {
        let client = self.client()?.clone();
        self.language = client.kept(LANGUAGE)?.as_deref().and_then(Tag::parse);
        self.asked = client.kept(ASKED)?.and_then(|kept| serde_json::from_str(&kept).ok());
        self.last_id = self.asked.as_ref().map_or(0, |asked| asked.id);
        self.shelf = Shelf::read(&client)?;
        if self.language.is_none() {
            self.route = Route::of(&[Place::Language]);
            return Ok(());
        }
        if !self.shelf.has_project() {
            self.route = Route::of(&[Place::Join]);
            return Ok(());
        }
        self.route = Route::restored(&client)?.unwrap_or_else(|| Route::of(&[Place::Home]));
        match self.route.here() {
            Place::Question(draft) => {
                if let Err(error) = self.open_draft(DraftId(draft), true) {
                    self.route = Route::of(&[Place::Home]);
                    // One that was finished or deleted meanwhile is nothing to speak of.
                    if error.kind() != ErrorKind::NotFound {
                        self.fail(&error);
                    }
                }
            }
            Place::Done(record) => self.record = self.find_record(SubmissionId(record))?,
            _ => {}
        }
        Ok(())
    }

    fn client(&self) -> Result<&Client> {
        match &self.state {
            State::Open { client, .. } => Ok(client),
            State::Closed(error) => Err(error.kind().into()),
        }
    }

    fn filling(&self) -> Option<&Filling> {
        match &self.state {
            State::Open { filling, .. } => filling.as_deref(),
            State::Closed(_) => None,
        }
    }

    /// The client and the questionnaire that is being answered.
    fn filled(&mut self) -> Result<(&Client, &mut Filling)> {
        match &mut self.state {
            State::Open { client, filling: Some(filling) } => Ok((client, filling)),
            State::Open { filling: None, .. } => Err(ErrorKind::NotAllowed.into()),
            State::Closed(error) => Err(error.kind().into()),
        }
    }

    /// The language that lays out the screen: the questionnaire's while one is answered, if the words have it, else the app's.
    fn tag(&self) -> Option<Tag> {
        let has_words = |tag: &Tag| LANGUAGES.contains(&tag.base());
        let of_form = self.filling().filter(|_| self.is_filling()).and_then(|filling| {
            let session = filling.session.session();
            session.languages().get(session.language())?.tag.clone()
        });
        of_form.filter(has_words).or_else(|| self.app_tag())
    }

    /// The language of the app: the one chosen, else what the phone's own languages propose.
    fn app_tag(&self) -> Option<Tag> {
        let has_words = |tag: &Tag| LANGUAGES.contains(&tag.base());
        self.language
            .clone()
            .or_else(|| self.device.locales.iter().filter_map(|locale| Tag::parse(locale)).find(has_words))
    }

    fn speech(&self) -> Speech {
        Speech::of(self.tag().as_ref())
    }

    /// Whether there is nothing more to do: one questionnaire by itself was finished.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.host.is_none() && self.finished().is_some()
    }

    /// What is to be drawn now.
    #[must_use]
    pub fn view(&self) -> View {
        let speech = self.speech();
        if self.is_covered {
            return self.covered(speech);
        }
        let shown = self.filling().filter(|_| self.is_filling()).map(Filling::screen);
        let (screen, dock) = match (&self.state, self.filling(), &shown) {
            (State::Closed(error), ..) => trouble(error, self.host.is_some(), speech),
            (_, Some(filling), Some(shown)) => match &self.over {
                Some(Over::Overview(opened)) => overview::view(filling, opened, speech),
                _ if shown.kind == ScreenKind::End => review::view(filling, speech),
                _ => question::view(filling, shown, speech),
            },
            _ => self.place_view(speech),
        };
        let progress = match (self.filling(), &shown) {
            (Some(filling), Some(shown)) if !matches!(self.over, Some(Over::Overview(_))) => {
                Some(question::progress(filling, shown, speech))
            }
            _ => None,
        };
        View {
            rev: self.rev,
            language: self.tag().map(|tag| tag.as_str().to_owned()).unwrap_or_default(),
            right_to_left: speech.is_right_to_left(),
            bar: self.bar(speech),
            progress,
            screen,
            dock,
            sheet: self.sheet(speech),
            announce: self.announcement.clone(),
            focus: self.focus.clone(),
            trouble: self.trouble.map(|code| speech.own(&speech.words().error(code))),
            busy: self.busy(speech),
            wake_at: self.wake_at(),
        }
    }

    /// Nothing of what is behind it.
    fn covered(&self, speech: Speech) -> View {
        let (screen, dock) = settings::cover(speech);
        View {
            rev: self.rev,
            language: speech.words().language().to_owned(),
            right_to_left: speech.is_right_to_left(),
            bar: Vec::new(),
            progress: None,
            screen,
            dock,
            sheet: None,
            announce: None,
            focus: None,
            trouble: None,
            busy: None,
            wake_at: self.wake_at(),
        }
    }

    /// What takes longer than a second, and how far it is.
    fn busy(&self, speech: Speech) -> Option<UiText> {
        let running = self.running.as_ref().filter(|running| self.at - running.since >= BUSY_MS)?;
        Some(match (running.work, running.percent) {
            (Work::Refresh(_), Some(percent)) => speech.with("home.downloading", &[("percent", &percent.to_string())]),
            (Work::Refresh(_), None) => speech.say("error.storage_paused"),
            (Work::Send(_), _) => speech.say("state.sending"),
        })
    }

    fn place_view(&self, speech: Speech) -> (Screen, Dock) {
        match (self.route.here(), &self.joining.found) {
            (Place::Language, _) => language::view(speech),
            (Place::JoinCheck, Some(found)) => join::check(found, speech),
            (Place::Join | Place::JoinCheck, _) => {
                join::view(&self.joining.code, self.joining.rev, self.device.has_camera, speech)
            }
            (Place::Settings, _) => settings::settings(&self.shelf.projects, speech),
            (Place::Privacy, _) => settings::privacy(&self.shelf.projects, speech),
            (Place::Erase, _) => settings::erase(self.shelf.n_unsent(), speech),
            (Place::Erased, _) => settings::erased(speech),
            (Place::Home | Place::Question(_) | Place::Consent, _) => {
                home::view(&self.shelf, self.at, &self.device.zone, speech)
            }
            (Place::Done(_), _) => {
                done::view(self.record.as_ref().map(|record| &record.state), self.host.is_some(), speech)
            }
        }
    }

    fn is_filling(&self) -> bool {
        matches!(self.route.here(), Place::Question(_) | Place::Consent)
    }

    /// Rows of a long list, by the id of its item: those from `from` on (counted from 0), up to `limit`.
    #[must_use]
    pub fn rows(&self, list: &str, from: u32, limit: u32) -> Vec<ChoiceRow> {
        self.filling().map_or_else(Vec::new, |filling| control::rows(filling, list, from as usize, limit as usize))
    }

    fn bar(&self, speech: Speech) -> Vec<Button> {
        let place = self.route.here();
        if matches!(self.state, State::Closed(_)) || place == Place::Language {
            return Vec::new();
        }
        let mut bar = Vec::new();
        if self.is_filling() {
            bar.push(Button::new("bar.stop", speech.say("action.stop_now"), Action::Stop).in_passing());
        }
        bar.push(Button::new("bar.hide", speech.say("action.hide"), Action::Hide).in_passing());
        let name = self.language_name(speech);
        let spoken = speech.with("a11y.language", &[("language", &name.plain)]);
        bar.push(Button::new("bar.language", name, Action::Languages).in_passing().spoken_as(spoken));
        bar
    }

    /// The language shown, in its own words.
    fn language_name(&self, speech: Speech) -> UiText {
        let session = self.filling().filter(|_| self.is_filling()).map(|filling| filling.session.session());
        if let Some(language) = session.and_then(|session| session.languages().get(session.language())) {
            return UiText::value(&sheets::autonym(language));
        }
        let shown = speech.words().language();
        let own = language::AUTONYMS.iter().find(|(tag, _)| *tag == shown).map_or("", |(_, name)| name);
        speech.own(own)
    }

    fn sheet(&self, speech: Speech) -> Option<Sheet> {
        let sheet = match self.over.as_ref()? {
            Over::Languages => {
                let filling = self.filling().filter(|_| self.is_filling());
                sheets::languages(filling, speech.words().language(), speech)
            }
            Over::Overview(_) => return None,
            Over::Stop => sheets::stop(speech),
            Over::Delete(round, number) => {
                let name =
                    self.filling().and_then(|filling| filling.screen().path.last().map(|name| name.plain.clone()));
                sheets::delete(&name.unwrap_or_default(), round, *number, speech)
            }
        };
        Some(sheet)
    }

    fn wake_at(&self) -> Option<i64> {
        let writes = self.typing_since.map(|since| since + TYPING_MS);
        let busy = self.running.as_ref().map(|running| running.since + BUSY_MS).filter(|&at| at > self.at);
        writes.into_iter().chain(busy).min()
    }

    /// Does what was touched on the view of revision `seen`. A touch on a view that is no longer shown is a second tap, and
    /// ignored; what is typed never is.
    pub fn act(&mut self, seen: u64, action: Action) {
        if let Action::Typing { id, text } = action {
            self.typing(&id, text);
            return;
        }
        if seen != self.rev {
            return;
        }
        self.trouble = None;
        self.focus = None;
        // What was typed comes before what is touched.
        let done = self.write_typed().and_then(|()| self.perform(action));
        self.after(done);
    }

    /// Takes up what has happened. Touches on the view of before still count, unless another place is shown now.
    pub fn tell(&mut self, at_ms: i64, event: Event) {
        self.at = at_ms;
        let before = self.shown();
        let done = self.happen(event);
        self.after_what_came(&before, done);
    }

    /// Takes up what a job says of itself.
    pub fn report(&mut self, at_ms: i64, report: Report) {
        self.at = at_ms;
        let before = self.shown();
        let done = match report {
            Report::Progress { job, percent } => {
                if let Some(running) = self.running.as_mut().filter(|running| running.id == job) {
                    running.percent = Some(percent);
                }
                Ok(())
            }
            Report::Ended { job, done } => self.ended(job, &done),
        };
        self.after_what_came(&before, done);
    }

    fn shown(&self) -> Shown {
        let key = self.filling().map(|filling| filling.session.session().current());
        (self.route.here(), self.over.clone(), key, matches!(self.state, State::Closed(_)))
    }

    fn after_what_came(&mut self, before: &Shown, done: Result<()>) {
        let rev = self.rev;
        self.after(done);
        if self.shown() == *before {
            self.rev = rev;
        }
    }

    /// What is to be done by others since the last call, each once.
    pub fn take(&mut self) -> Outbound {
        std::mem::take(&mut self.out)
    }

    fn after(&mut self, done: Result<()>) {
        if let Err(error) = done {
            self.fail(&error);
        }
        self.rev += 1;
    }

    fn fail(&mut self, error: &Error) {
        let code = error.kind().code();
        self.trouble = Some(code);
        let speech = self.speech();
        let text = speech.own(&speech.words().error(code));
        self.announce(text, true);
    }

    fn announce(&mut self, text: UiText, assertive: bool) {
        let seq = self.announcement.as_ref().map_or(1, |before| before.seq + 1);
        self.announcement = Some(Announcement { seq, text, assertive });
    }

    fn typing(&mut self, id: &str, text: String) {
        if id == join::CODE {
            self.joining.code = text;
            return;
        }
        if id == overview::SEARCH {
            if let Some(Over::Overview(opened)) = &mut self.over {
                opened.letters = text;
                self.rev += 1;
            }
            return;
        }
        let at = self.at;
        let Ok((_, filling)) = self.filled() else { return };
        match field_of(id) {
            Some((path, true)) => {
                filling.look_for(path, &text);
                self.rev += 1;
            }
            Some((path, false)) => {
                filling.typing(path, &text);
                self.typing_since.get_or_insert(at);
            }
            None => {}
        }
    }

    fn write_typed(&mut self) -> Result<()> {
        self.typing_since = None;
        match self.filled() {
            Ok((_, filling)) if filling.has_typed() => filling.write_typed(),
            _ => Ok(()),
        }
    }

    fn perform(&mut self, action: Action) -> Result<()> {
        match action {
            Action::Typing { .. } => {}
            Action::Back => return self.back(),
            Action::Next => return self.next(),
            Action::Language(name) => return self.choose_language(&name),
            Action::Languages => self.over = Some(Over::Languages),
            Action::CloseSheet => self.over = None,
            // Where there is one questionnaire and no home to go to, stopping is leaving, and leaving asks nothing. Of what is in
            // memory alone nothing is kept that could be spoken of.
            Action::Stop if self.host.is_none() || self.route.here() == Place::Consent => return self.stop(),
            Action::Stop => self.over = Some(Over::Stop),
            Action::StopNow => return self.stop(),
            Action::Scan => return self.ask(Ask::Code, Purpose::Invitation),
            Action::ReadCode => self.read_code()?,
            Action::Join(mode) => return self.join(mode),
            Action::JoinAnother => {
                self.joining = Joining { rev: self.joining.rev + 1, ..Joining::default() };
                self.route.go(Place::Join);
            }
            Action::Refresh => return self.refresh(),
            Action::Begin(form) => return self.begin(form),
            Action::Open(draft) => {
                self.open_draft(draft, true)?;
                return self.go(Place::question(draft));
            }
            Action::Choose { node, value } => return self.choose(node, &value),
            Action::Clear(node) => {
                let (_, filling) = self.filled()?;
                let path = filling.session.session().path(node);
                return filling.answer(&path, None);
            }
            Action::Guidance(node) => self.filled()?.1.turn_guidance(node),
            Action::ChooseFile(node) => return self.choose_file(node),
            Action::AddRound => return self.filled()?.1.add_round(),
            Action::AskDelete => {
                let (_, filling) = self.filled()?;
                let rounds = filling.rounds(&filling.range());
                self.over = rounds.last().map(|round| Over::Delete(round.clone(), rounds.len()));
            }
            Action::DeleteRound(round) => {
                let (_, filling) = self.filled()?;
                filling.session.remove_repeat(&round)?;
                filling.changed();
                self.over = None;
            }
            Action::Overview => {
                let (_, filling) = self.filled()?;
                let session = filling.session.session();
                let part = filling.parts.place(session, &session.current()).map(|place| place.group);
                self.over = Some(Over::Overview(overview::Opened { part, ..overview::Opened::default() }));
            }
            Action::Part(part) => {
                let part = ControlId(part);
                if let Some(Over::Overview(opened)) = &mut self.over {
                    opened.part = Some(part).filter(|_| opened.part != Some(part));
                    opened.letters.clear();
                }
            }
            Action::Review => {
                self.over = None;
                return self.filled()?.1.go_to(&ScreenKey::End);
            }
            Action::GoTo(node) => {
                self.over = None;
                let (_, filling) = self.filled()?;
                let was_looked_over = filling.session.session().current() == ScreenKey::End;
                let key = filling.session.session().goto(node).ok_or(ErrorKind::NoSuchNode)?;
                let path = filling.session.session().path(node);
                filling.go_to(&key)?;
                // What is missing is said where the person was told so; what does not fit is said in any case.
                filling.complains = was_looked_over || filling.has_unfitting(node);
                self.focus = Some(item_id(&path));
            }
            Action::GoToScreen(path) => {
                let (_, filling) = self.filled()?;
                let key = filling.session.session().screen_at(&path).ok_or(ErrorKind::NoSuchNode)?;
                filling.go_to(&key)?;
            }
            Action::Settings => self.route.go(Place::Settings),
            Action::Privacy => self.route.go(Place::Privacy),
            Action::MobileData => return self.turn_mobile_data(),
            Action::Hide => self.is_covered = true,
            Action::Uncover => self.is_covered = false,
            Action::Erase => {
                self.look_again()?;
                self.route.go(Place::Erase);
            }
            Action::EraseAll => return self.erase(),
            Action::Finish => return self.finish(),
            Action::Home => return self.go_home(),
            Action::Retry => self.open_home(),
        }
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Foreground => self.look_again()?,
            Event::Background => {
                // What the system asks on our behalf lies over the app and is no reason to hide it.
                self.is_covered |= !self.is_asking() && self.host.is_some();
                self.write_typed()?;
                if let Ok((_, filling)) = self.filled() {
                    filling.session.save()?;
                }
            }
            Event::SystemBack => {
                self.write_typed()?;
                return self.back();
            }
            Event::Tick => {
                if self.typing_since.is_some_and(|since| self.at - since >= TYPING_MS) {
                    self.write_typed()?;
                }
            }
            Event::Device(device) => {
                let network = device.network;
                self.device = device;
                if let Ok(client) = self.client() {
                    client.network_changed(network);
                }
                self.send_what_waits()?;
            }
            Event::Link(text) => {
                self.joining = Joining { code: text, rev: self.joining.rev + 1, found: None };
                if self.language.is_some() {
                    self.read_code()?;
                }
            }
            Event::Answered { id, outcome } => return self.answered(id, outcome),
        }
        Ok(())
    }

    fn back(&mut self) -> Result<()> {
        if std::mem::take(&mut self.is_covered) {
            return Ok(());
        }
        if self.over.take().is_some() {
            return Ok(());
        }
        match self.route.here() {
            Place::Question(_) | Place::Consent => {
                if !self.filled()?.1.back()? {
                    if self.route.here() == Place::Consent {
                        return self.stop();
                    }
                    self.over = Some(Over::Stop);
                }
            }
            Place::Done(_) => return self.go_home(),
            Place::Join if !self.shelf.has_project() => self.route = Route::of(&[Place::Language]),
            Place::Home | Place::Language => self.out.effects.push(Effect::LeaveApp),
            Place::Erased => {
                self.language = None;
                self.route = Route::of(&[Place::Language]);
            }
            Place::Join | Place::JoinCheck | Place::Settings | Place::Privacy | Place::Erase => drop(self.route.back()),
        }
        Ok(())
    }

    fn next(&mut self) -> Result<()> {
        let speech = self.speech();
        let (_, filling) = self.filled()?;
        let step = filling.next()?;
        // Who was asked nothing but whether to take part has nothing to look over.
        if step == Step::Moved && consent::is_all(filling) {
            return self.finish();
        }
        let (_, filling) = self.filled()?;
        if let Step::Held(path) = step {
            let screen = filling.screen();
            let held = screen.questions.iter().find(|question| question.path == path);
            let complaint = held.and_then(|question| question::complaint(filling, question, speech));
            self.focus = Some(item_id(&path));
            if let Some(complaint) = complaint {
                self.announce(complaint.spoken, true);
            }
        }
        Ok(())
    }

    fn choose_language(&mut self, name: &str) -> Result<()> {
        self.over = None;
        if self.is_filling() {
            let (_, filling) = self.filled()?;
            filling.session.set_language(name)?;
            filling.field_rev += 1;
            return Ok(());
        }
        let tag = Tag::parse(name).ok_or(ErrorKind::NoSuchLanguage)?;
        self.client()?.keep(LANGUAGE, tag.as_str())?;
        self.language = Some(tag);
        if self.route.here() == Place::Language {
            if self.shelf.has_project() {
                return self.go_home();
            }
            self.route = Route::of(&[Place::Join]);
            if !self.joining.code.is_empty() {
                self.read_code()?;
            }
        }
        Ok(())
    }

    fn read_code(&mut self) -> Result<()> {
        self.joining.found = None;
        let found = ProjectSource::of_text(&self.joining.code).invitation()?;
        self.joining.found = Some(found);
        if self.route.here() != Place::JoinCheck {
            self.route.go(Place::JoinCheck);
        }
        Ok(())
    }

    fn join(&mut self, mode: Option<Mode>) -> Result<()> {
        let client = self.client()?.clone();
        let added = client.add_project(&ProjectSource::of_text(&self.joining.code), None)?.project;
        let mut settings = added.settings;
        settings.mode = mode.or(settings.mode);
        if settings.mode == Some(Mode::Newcomer) {
            settings.forget_sent = ForgetSent::AtOnce;
        }
        if settings.autosend == Autosend::Off {
            settings.autosend = Autosend::WifiAndCellular;
        }
        client.set_project_settings(added.id, settings)?;
        self.joining = Joining { rev: self.joining.rev + 1, ..Joining::default() };
        self.start(Work::Refresh(added.id));
        self.go_home()
    }

    fn refresh(&mut self) -> Result<()> {
        for project in self.client()?.projects()? {
            self.start(Work::Refresh(project.id));
        }
        self.send_what_waits()
    }

    fn begin(&mut self, form: FormKey) -> Result<()> {
        let client = self.client()?.clone();
        let language = self.app_tag().map(|tag| tag.as_str().to_owned());
        let asks_first = consent::comes_first(&*client.form(form)?);
        let start =
            |language| if asks_first { client.begin(form, language) } else { client.start_draft(form, language) };
        let session = match start(language.as_deref()) {
            Err(error) if error.kind() == ErrorKind::NoSuchLanguage => start(None)?,
            started => started?,
        };
        let place = if session.is_held() { Place::Consent } else { Place::question(session.id()) };
        let filling = Filling::new(&client, session, false)?;
        self.state = State::Open { client, filling: Some(Box::new(filling)) };
        if place == Place::Consent {
            // Nothing is written and nothing runs until somebody has chosen.
            if let Some(running) = self.running.as_ref() {
                running.cancel.cancel();
                self.waiting.push_front(running.work);
            }
            self.route.go(place);
            return Ok(());
        }
        self.go(place)
    }

    /// Goes on as with any other questionnaire, once somebody has chosen to take part or not.
    fn consented(&mut self) -> Result<()> {
        let is_held = self.filling().is_some_and(|filling| filling.session.is_held());
        if self.route.here() != Place::Consent || is_held {
            return Ok(());
        }
        let draft = self.filled()?.1.session.id();
        self.route.back();
        self.go(Place::question(draft))?;
        self.start_waiting();
        Ok(())
    }

    fn turn_mobile_data(&mut self) -> Result<()> {
        let client = self.client()?.clone();
        let projects = client.projects()?;
        let autosend =
            if settings::uses_mobile_data(&projects) { Autosend::WifiOnly } else { Autosend::WifiAndCellular };
        for project in projects {
            client.set_project_settings(project.id, ProjectSettings { autosend, ..project.settings })?;
        }
        self.look_again()?;
        self.send_what_waits()
    }

    /// Erases everything, as soon as what runs has let go.
    fn erase(&mut self) -> Result<()> {
        self.is_erasing = true;
        self.waiting.clear();
        match &self.running {
            Some(running) => {
                running.cancel.cancel();
                Ok(())
            }
            None => self.erase_now(),
        }
    }

    fn erase_now(&mut self) -> Result<()> {
        self.is_erasing = false;
        let language = self.app_tag();
        let Some(host) = &self.host else { return Err(ErrorKind::NotAllowed.into()) };
        let closed = State::Closed(ErrorKind::StoragePaused.into());
        let State::Open { client, filling } = std::mem::replace(&mut self.state, closed) else { return Ok(()) };
        drop(filling);
        (self.joining, self.shelf, self.record, self.asked) = (Joining::default(), Shelf::default(), None, None);
        (self.over, self.is_covered, self.typing_since) = (None, false, None);
        match host.erase(client).and_then(|()| host.open()) {
            Ok(client) => {
                self.state = State::Open { client, filling: None };
                // What is said of it is said in the language of before, which is forgotten with it.
                self.language = language;
                self.route = Route::of(&[Place::Erased]);
                Ok(())
            }
            Err(error) => {
                let kind = error.kind();
                self.state = State::Closed(error);
                Err(kind.into())
            }
        }
    }

    fn open_draft(&mut self, draft: DraftId, resumed: bool) -> Result<()> {
        let client = self.client()?.clone();
        let session = client.open_draft(draft)?;
        let filling = Filling::new(&client, session, resumed)?;
        self.state = State::Open { client, filling: Some(Box::new(filling)) };
        Ok(())
    }

    fn choose(&mut self, node: NodeId, value: &str) -> Result<()> {
        let (_, filling) = self.filled()?;
        let question = filling.session.session().question_at(node).ok_or(ErrorKind::NoSuchNode)?;
        let takes_back = question.value == value;
        // The answers of a decision are its buttons: the one that was given goes on, and is not taken back.
        if control::is_decision(&question) && takes_back {
            return self.next();
        }
        filling.choose(&question, value)?;
        self.consented()?;
        let goes_on =
            control::is_decision(&question) || question.control == ControlKind::Select1 && is_quick(&question);
        if goes_on && !takes_back { self.next() } else { Ok(()) }
    }

    fn choose_file(&mut self, node: NodeId) -> Result<()> {
        let (_, filling) = self.filled()?;
        let question = filling.session.session().question_at(node).ok_or(ErrorKind::NoSuchNode)?;
        let upload = question.widget.upload.ok_or(ErrorKind::NotAllowed)?;
        let purpose = Purpose::File(filling.session.id().0, question.path);
        self.ask(Ask::File { medium: upload.medium, accept: upload.accept }, purpose)
    }

    fn ask(&mut self, what: Ask, purpose: Purpose) -> Result<()> {
        let id = self.new_id();
        self.note_asked(Asked { id, purpose: Some(purpose) })?;
        self.out.effects.push(Effect::Ask { id, what });
        Ok(())
    }

    fn note_asked(&mut self, asked: Asked) -> Result<()> {
        if self.host.is_some() {
            self.client()?.keep(ASKED, &serde_json::to_string(&asked).unwrap_or_default())?;
        }
        self.asked = Some(asked);
        Ok(())
    }

    fn is_asking(&self) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.purpose.is_some())
    }

    fn answered(&mut self, id: u64, outcome: Outcome) -> Result<()> {
        // What nobody asked for, or what was asked before something else, is nothing.
        let Some(asked) = self.asked.clone().filter(|asked| asked.id == id) else { return Ok(()) };
        let Some(purpose) = asked.purpose else { return Ok(()) };
        let done = match (purpose, outcome) {
            (Purpose::Invitation, Outcome::Code(text)) => {
                self.joining = Joining { code: text, rev: self.joining.rev + 1, found: None };
                self.read_code()
            }
            (Purpose::File(draft, path), Outcome::File(file)) => {
                let is_open = self.filling().is_some_and(|filling| filling.session.id().0 == draft);
                if is_open { self.attach(&path, &file) } else { Ok(()) }
            }
            (Purpose::File(..), Outcome::Failed) => Err(ErrorKind::Io.into()),
            _ => Ok(()),
        };
        self.note_asked(Asked { id, purpose: None })?;
        done
    }

    fn attach(&mut self, path: &str, file: &Path) -> Result<()> {
        let (_, filling) = self.filled()?;
        filling.session.attach(path, file, false)?;
        filling.changed();
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.keep_language();
        let (client, filling) = self.filled()?;
        let client = client.clone();
        let project = filling.project;
        let Some(record) = filling.finish()? else { return Ok(()) };
        self.state = State::Open { client, filling: None };
        self.record = self.find_record(record)?;
        if self.may_send(project)? {
            self.start(Work::Send(project));
        }
        self.route = Route::of(&[Place::Home]);
        self.go(Place::done(record))
    }

    /// One questionnaire by itself has no other language than its own, also when it is behind.
    fn keep_language(&mut self) {
        if self.host.is_none() {
            self.language = self.tag();
        }
    }

    /// Leaves the questionnaire; the draft stays where it is.
    fn stop(&mut self) -> Result<()> {
        self.keep_language();
        self.over = None;
        self.filled()?.1.session.save()?;
        self.close_draft();
        if self.host.is_none() {
            self.out.effects.push(Effect::LeaveApp);
            return Ok(());
        }
        self.go_home()
    }

    fn close_draft(&mut self) {
        if let State::Open { filling, .. } = &mut self.state {
            *filling = None;
        }
    }

    fn go_home(&mut self) -> Result<()> {
        if self.host.is_none() {
            self.out.effects.push(Effect::LeaveApp);
            return Ok(());
        }
        self.route = Route::of(&[Place::Home]);
        self.look_again()?;
        self.start_waiting();
        self.keep_route()
    }

    fn go(&mut self, place: Place) -> Result<()> {
        if self.route.here() != place {
            self.route.go(place);
        }
        self.keep_route()
    }

    /// Writes the route down; one questionnaire by itself has none to come back to.
    fn keep_route(&self) -> Result<()> {
        if self.host.is_none() { Ok(()) } else { self.route.keep(self.client()?) }
    }

    /// Reads again what lists and Done show.
    fn look_again(&mut self) -> Result<()> {
        let Ok(client) = self.client() else { return Ok(()) };
        self.shelf = Shelf::read(client)?;
        if let Place::Done(record) = self.route.here() {
            self.record = self.find_record(SubmissionId(record))?;
        }
        Ok(())
    }

    fn find_record(&self, record: SubmissionId) -> Result<Option<RecordSummary>> {
        self.client()?.record(record)
    }

    /// Whether finished records of a project may go by themselves over the network of now.
    fn may_send(&self, project: ProjectId) -> Result<bool> {
        let autosend = self.client()?.project_summary(project)?.settings.autosend;
        Ok(match self.device.network {
            Network::None => false,
            Network::Metered => matches!(autosend, Autosend::CellularOnly | Autosend::WifiAndCellular),
            Network::Unmetered => matches!(autosend, Autosend::WifiOnly | Autosend::WifiAndCellular),
        })
    }

    /// Sends what is finished and may go.
    fn send_what_waits(&mut self) -> Result<()> {
        let Ok(client) = self.client() else { return Ok(()) };
        let client = client.clone();
        for project in client.projects()? {
            if self.may_send(project.id)? && client.has_unsent(project.id)? {
                self.start(Work::Send(project.id));
            }
        }
        Ok(())
    }

    /// Has work done: now, or after what runs.
    fn start(&mut self, work: Work) {
        let is_running = self.running.as_ref().is_some_and(|running| running.work == work);
        if !is_running && !self.waiting.contains(&work) {
            self.waiting.push_back(work);
        }
        self.start_waiting();
    }

    fn start_waiting(&mut self) {
        if self.running.is_some() || self.is_erasing || self.route.here() == Place::Consent {
            return;
        }
        let Ok(client) = self.client().cloned() else { return };
        if let Some(work) = self.waiting.pop_front() {
            let (id, cancel) = (self.new_id(), Cancel::default());
            self.running = Some(Running { id, work, since: self.at, percent: None, cancel: cancel.clone() });
            self.out.jobs.push(Job::new(id, work, client, cancel));
        }
    }

    fn ended(&mut self, job: u64, done: &Done) -> Result<()> {
        if self.running.take_if(|running| running.id == job).is_none() {
            return Ok(());
        }
        if self.is_erasing {
            return self.erase_now();
        }
        self.start_waiting();
        self.trouble = done.failure();
        self.look_again()?;
        if let (Place::Done(_), Some(record)) = (self.route.here(), &self.record) {
            let stage = crate::states::of_record(&record.state, self.speech());
            self.announce(stage.text, false);
        }
        Ok(())
    }

    fn new_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}

impl Drop for App {
    fn drop(&mut self) {
        // A job may outlive the app, but nobody waits for it any more.
        if let Some(running) = &self.running {
            running.cancel.cancel();
        }
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("route", &self.route).field("rev", &self.rev).finish_non_exhaustive()
    }
}

/// Whether a select moves on by itself.
fn is_quick(question: &QuestionView) -> bool {
    question.widget.appearances.iter().any(|appearance| appearance == "quick")
}

/// What stands in the way of opening.
fn trouble(error: &Error, may_retry: bool, speech: Speech) -> (Screen, Dock) {
    let code = error.kind().code();
    let screen = TroubleScreen { text: speech.own(&speech.words().error(code)), code: code.to_owned() };
    let retry = Button::new("dock.retry", speech.say("action.retry"), Action::Retry).filled();
    (Screen::Trouble(screen), Dock { back: None, main: may_retry.then_some(retry) })
}
