//! Journeys through the app: lines of JSON that say what a person does and what must then be there. The same files drive every
//! shell.
//!
//! | line | does |
//! |---|---|
//! | `{"tap": "dock.next"}` or a list | touches what has that id now; it must be there |
//! | `{"type": ["q:/d/name", "Sami"]}` | a field holds this text now |
//! | `{"tell": "background"}` | `foreground`, `background`, `back`, `tick` |
//! | `{"at": 1000}` | so many milliseconds go by |
//! | `{"network": "none"}` | `none`, `metered`, `unmetered` |
//! | `{"kill": true}` | the process ends as it stands and is started again |
//! | `{"expect": {…}}` | what must hold, see `Expect` below |
//!
//! `$code` stands for the invitation of the server, `$lang` for the language of the run.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;
use veldwerk::client::{Client, Network, SecretError, SecretStore, home_key};
use veldwerk::store::Key;
use veldwerk::text::Tag;
use veldwerk::text::words::Words;
use veldwerk_server::{Server, ServerConfig, serve};
use veldwerk_ui::{Action, App, Device, Effect, Event, View};

use crate::phone::config;

/// One line of a journey.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Tap(OneOrMore),
    Type(String, String),
    Tell(String),
    At(i64),
    Network(String),
    Kill(bool),
    Expect(Box<Expect>),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// What must hold; what is not named is not looked at.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Expect {
    /// The screen: `language`, `question` and so on.
    screen: Option<String>,
    /// The sheet; empty for none.
    sheet: Option<String>,
    /// Ids that can be touched or typed into.
    ids: Vec<String>,
    /// Ids that cannot.
    absent: Vec<String>,
    /// Keys of words that stand somewhere, without gaps.
    says: Vec<String>,
    /// Keys of words that stand nowhere.
    silent: Vec<String>,
    /// What buttons are called: ids and keys of words.
    words: std::collections::BTreeMap<String, String>,
    /// What fields hold.
    fields: std::collections::BTreeMap<String, String>,
    /// What is chosen.
    chosen: Vec<String>,
    /// The part and the number of parts.
    part: Option<(u32, u32)>,
    /// Where the focus is.
    focus: Option<String>,
    /// The stage that is said last.
    stage: Option<String>,
    /// Effects since the last time, by name.
    effects: Option<Vec<String>>,
}

/// A safe that always has the key of the tests.
struct Safe;

impl SecretStore for Safe {
    fn load(&self) -> Result<Option<Key>, SecretError> {
        Ok(Some(Key::from_bytes([7; 32])))
    }

    fn save(&self, _: &Key) -> Result<(), SecretError> {
        Ok(())
    }

    fn forget(&self) -> Result<(), SecretError> {
        Ok(())
    }
}

/// Somebody on a journey: an app in front of a server.
pub struct Traveller {
    app: Option<App>,
    server: Server,
    folder: TempDir,
    lang: String,
    network: Network,
    now: i64,
    effects: Vec<String>,
    /// The id of what was last asked of the device.
    pub asked: Option<u64>,
    /// Every view that was shown, for whoever looks at all of them.
    pub seen: Vec<View>,
}

const START: i64 = 1_764_288_000_000;

impl Traveller {
    /// One who has nothing yet, in the language `lang`, in front of a server with the two questionnaires.
    #[must_use]
    pub fn new(lang: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = serve(ServerConfig::new(folder.path().join("server"))).unwrap();
        let (lang, network) = (lang.to_owned(), Network::Unmetered);
        let mut traveller = Self {
            app: None,
            server,
            folder,
            lang,
            network,
            now: START,
            effects: Vec::new(),
            asked: None,
            seen: Vec::new(),
        };
        traveller.open();
        traveller
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The app's home.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The app.
    pub fn app(&mut self) -> &mut App {
        self.app.as_mut().unwrap()
    }

    fn device(&self) -> Device {
        let zone = TimeZone::get("Europe/Amsterdam").unwrap();
        Device { locales: vec!["en-GB".into()], zone, has_camera: true, network: self.network }
    }

    fn open(&mut self) {
        let home = self.home();
        let open = move || {
            home_key(&home, &Safe)?;
            Client::open(config(&home, None))
        };
        let erase = |client: Client| client.erase(&Safe);
        self.app = Some(App::open(Box::new((open, erase)), self.device()));
        self.tell(Event::Foreground);
    }

    /// Ends the app as it stands, and starts it again.
    pub fn kill(&mut self) {
        self.app = None;
        self.open();
    }

    /// Something happens to the home while the app is closed; then it is opened again.
    pub fn while_closed(&mut self, happens: impl FnOnce(&Client)) {
        self.app = None;
        happens(&Client::open(config(&self.home(), None)).unwrap());
        self.open();
    }

    /// What is shown.
    pub fn view(&mut self) -> View {
        self.app().view()
    }

    /// Something happens; work that it leads to is done at once.
    pub fn tell(&mut self, event: Event) {
        let now = self.now;
        self.app().tell(now, event);
        self.settle();
    }

    /// Touches what has this id.
    pub fn tap(&mut self, id: &str) {
        let view = self.view();
        let id = self.filled(id);
        let button = view.buttons().into_iter().find(|button| button.id == id);
        let Some(button) = button else { panic!("no {id} among {:?}", ids(&view)) };
        self.app().act(view.rev, button.action.clone());
        self.settle();
    }

    /// Types into the field of this id.
    pub fn type_into(&mut self, id: &str, text: &str) {
        let view = self.view();
        let id = self.filled(id);
        assert!(view.fields().iter().any(|field| field.id == id), "no {id} among {:?}", ids(&view));
        let text = self.filled(text);
        self.app().act(view.rev, Action::Typing { id, text });
        self.settle();
    }

    /// Does what the app wants done, until it wants nothing more.
    fn settle(&mut self) {
        let view = self.view();
        if self.seen.last() != Some(&view) {
            self.seen.push(view);
        }
        loop {
            let out = self.app().take();
            let asked = out.effects.iter().rev().find_map(|effect| match effect {
                Effect::Ask { id, .. } => Some(*id),
                Effect::LeaveApp => None,
            });
            self.asked = asked.or(self.asked);
            self.effects.extend(out.effects.iter().map(|effect| {
                match effect {
                    Effect::LeaveApp => "leave_app",
                    Effect::Ask { .. } => "ask",
                }
                .to_owned()
            }));
            if out.jobs.is_empty() {
                return;
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            for job in out.jobs {
                let ended = runtime.block_on(job.run(Arc::new(|_| {})));
                let now = self.now;
                self.app().report(now, ended);
            }
            let view = self.view();
            self.seen.push(view);
        }
    }

    fn filled(&self, text: &str) -> String {
        if text.contains("$code") {
            return text.replace("$code", &self.server.settings_code().unwrap().unwrap());
        }
        text.replace("$lang", &self.lang)
    }

    /// Goes a whole journey.
    pub fn travel(&mut self, journey: &str) {
        for (number, line) in journey.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with("//") {
                continue;
            }
            let read: Line = serde_json::from_str(line).unwrap_or_else(|error| panic!("line {}: {error}", number + 1));
            let place = format!("line {} in {}: {line}", number + 1, self.lang);
            match read {
                Line::Tap(OneOrMore::One(id)) => self.tap(&id),
                Line::Tap(OneOrMore::More(ids)) => ids.iter().for_each(|id| self.tap(id)),
                Line::Type(id, text) => self.type_into(&id, &text),
                Line::Tell(event) => self.tell(match event.as_str() {
                    "foreground" => Event::Foreground,
                    "background" => Event::Background,
                    "back" => Event::SystemBack,
                    "tick" => Event::Tick,
                    other => panic!("{place}: no event {other}"),
                }),
                Line::At(ms) => {
                    self.now += ms;
                    self.tell(Event::Tick);
                }
                Line::Network(network) => {
                    self.network = match network.as_str() {
                        "none" => Network::None,
                        "metered" => Network::Metered,
                        "unmetered" => Network::Unmetered,
                        other => panic!("{place}: no network {other}"),
                    };
                    let device = self.device();
                    self.tell(Event::Device(device));
                }
                Line::Kill(true) => self.kill(),
                Line::Kill(false) => {}
                Line::Expect(expect) => self.expect(&expect, &place),
            }
        }
    }

    fn expect(&mut self, expect: &Expect, place: &str) {
        let view = self.view();
        let json = serde_json::to_value(&view).unwrap();
        let words = Words::of(Tag::parse(&view.language).as_ref());
        let kind = |value: &Value| value.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Some(screen) = &expect.screen {
            assert_eq!(&kind(&json["screen"]), screen, "{place}");
        }
        if let Some(sheet) = &expect.sheet {
            assert_eq!(&kind(&json["sheet"]), sheet, "{place}");
        }
        let known = ids(&view);
        for id in &expect.ids {
            assert!(known.contains(&self.filled(id)), "{place}: only {known:?}");
        }
        for id in &expect.absent {
            assert!(!known.contains(&self.filled(id)), "{place}");
        }
        let mut said = Vec::new();
        plain_texts(&json, &mut said);
        let word = |key: &String| words.get(key).unwrap_or_else(|| panic!("{place}: no words {key}"));
        for key in &expect.says {
            assert!(said.iter().any(|text| text.contains(word(key))), "{place}: only {said:?}");
        }
        for key in &expect.silent {
            assert!(!said.iter().any(|text| text.contains(word(key))), "{place}");
        }
        for (id, key) in &expect.words {
            let button = view.buttons().into_iter().find(|button| button.id == *id);
            assert_eq!(button.map(|button| button.text.plain.as_str()), Some(word(key)), "{place}");
        }
        for (id, text) in &expect.fields {
            let field = view.fields().into_iter().find(|field| field.id == *id);
            assert_eq!(field.map(|field| field.text.clone()), Some(self.filled(text)), "{place}");
        }
        for id in &expect.chosen {
            let button = view.buttons().into_iter().find(|button| button.id == *id);
            assert!(button.is_some_and(|button| button.chosen), "{place}");
        }
        if let Some((part, parts)) = expect.part {
            let progress = view.progress.as_ref().map(|progress| (progress.part, progress.parts));
            assert_eq!(progress, Some((part, parts)), "{place}");
        }
        if let Some(focus) = &expect.focus {
            assert_eq!(view.focus.as_ref(), Some(focus), "{place}");
        }
        if let Some(stage) = &expect.stage {
            let stages = json["screen"]["stages"].as_array().cloned().unwrap_or_default();
            assert_eq!(stages.last().and_then(|last| last["stage"].as_str()), Some(stage.as_str()), "{place}");
        }
        if let Some(effects) = &expect.effects {
            assert_eq!(&std::mem::take(&mut self.effects), effects, "{place}");
        }
    }
}

/// The ids of all that can be touched or typed into.
#[must_use]
pub fn ids(view: &View) -> Vec<String> {
    let buttons = view.buttons().into_iter().map(|button| button.id.clone());
    buttons.chain(view.fields().into_iter().map(|field| field.id.clone())).collect()
}

/// Every text of a view, without its shape.
pub fn plain_texts(json: &Value, found: &mut Vec<String>) {
    match json {
        Value::Object(fields) => {
            if let Some(Value::String(plain)) = fields.get("plain") {
                found.push(plain.clone());
            }
            fields.values().for_each(|value| plain_texts(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| plain_texts(value, found)),
        _ => {}
    }
}
