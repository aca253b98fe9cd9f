//! The app without a screen, for shells: what comes in enters one queue, what goes out is pulled by one pump.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::tz::TimeZone;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use veldwerk::client::Client;
use veldwerk::{Error, ErrorKind};
use veldwerk_ui::{Action, App, ChoiceRow, Device, Effect, Event, Job, Report, View};

use crate::client::{Keychain, open_home};
use crate::{ClientConfig, SecretStore, SurveyError, runtime};

/// What a shell is to draw now, and what it is to do once.
#[derive(Clone, Debug, uniffi::Record)]
pub struct AppUpdate {
    /// What is shown now. What was shown in between is left out.
    pub view: View,
    /// What is to be done, in order; each comes once.
    pub effects: Vec<Effect>,
    /// Whether nothing is under way: all that came in is in the view, and no work runs.
    pub settled: bool,
}

/// The app of the person whose home it is: which screen is shown, what stands on it, what a touch does. One per process, for
/// its home can be open once.
#[derive(uniffi::Object)]
pub struct AppHandle {
    /// None after the end.
    app: Mutex<Option<App>>,
    queue: UnboundedSender<Input>,
    pump: tokio::sync::Mutex<Pump>,
}

/// What comes in.
enum Input {
    Act(i64, u64, Action),
    Tell(i64, Event),
    Report(Report),
    /// Wakes the pump, which then finds that the app has ended.
    End,
}

/// What one caller at a time has in hand.
struct Pump {
    queue: UnboundedReceiver<Input>,
    /// Whether the view was never given.
    is_new: bool,
    /// The moment of the last input, which reports of jobs bear too.
    at_ms: i64,
    /// How many jobs run.
    running: usize,
}

#[uniffi::export]
impl AppHandle {
    /// Opens the app where it was left. What stands in the way of its home (a key that is gone, damage, a full disk) is a screen;
    /// thrown is only `Internal` with the code `usage`, for an unknown time zone. The safe for keys is asked on this thread, and by
    /// `next` when the person tries again. Class heavy.
    #[uniffi::constructor]
    pub fn open(config: ClientConfig, secrets: Arc<dyn SecretStore>, device: Device) -> Result<Arc<Self>, SurveyError> {
        TimeZone::get(&config.time_zone)
            .map_err(|error| Error::new(ErrorKind::Usage, "the time zone is unknown").caused_by(error))?;
        let keychain = Arc::clone(&secrets);
        let open = move || open_home(&config, Arc::clone(&secrets));
        let erase = move |client: Client| client.erase(&Keychain(Arc::clone(&keychain)));
        Ok(Self::new(App::open(Box::new((open, erase)), device)))
    }

    /// Something was touched, at a moment in milliseconds since 1970, on the view of revision `seen`. A touch on a view that is no
    /// longer shown is ignored; what is typed never is. Class instant: it is done by the pump.
    pub fn act(&self, at_ms: i64, seen: u64, action: Action) {
        self.take_in(Input::Act(at_ms, seen, action));
    }

    /// Something has happened, at a moment in milliseconds since 1970. Class instant: it is taken up by the pump.
    pub fn tell(&self, at_ms: i64, event: Event) {
        self.take_in(Input::Tell(at_ms, event));
    }

    /// Rows of a long list, by the id of its item: those from `from` on (counted from 0), up to `limit`. Class heavy.
    #[must_use]
    pub fn rows(&self, list: &str, from: u32, limit: u32) -> Vec<ChoiceRow> {
        self.app().as_ref().map_or_else(Vec::new, |app| app.rows(list, from, limit))
    }

    /// The pump: takes up what has come in, and gives what is to be drawn and done then; waits until there is something. The first
    /// call gives the first view. Null after the end. One caller at a time: another gets `Internal` with the code `usage`. It
    /// computes and writes where it is awaited, so that belongs on a background thread. Class network.
    pub async fn next(&self) -> Result<Option<AppUpdate>, SurveyError> {
        let mut pump = self.pump.try_lock().map_err(|_| Error::new(ErrorKind::Usage, "the app is pumped already"))?;
        loop {
            // Between taking in and giving out nothing is awaited: a caller that goes away while it waits has missed nothing.
            match self.advance(&mut pump) {
                Advance::Ended => return Ok(None),
                Advance::Changed(update) => return Ok(Some(*update)),
                Advance::Nothing => {}
            }
            let Some(input) = pump.queue.recv().await else { return Ok(None) };
            self.take_up(&mut pump, input);
            pump.is_new = true;
        }
    }

    /// Ends the app: what has come in is done, its home is closed, work stops, and whoever waits in `next` gets null. What is told
    /// later is ignored. Say `Background` before, so that what is being typed is written. Class disk.
    pub fn end(&self) {
        if let Ok(mut pump) = self.pump.try_lock() {
            while let Ok(input) = pump.queue.try_recv() {
                self.take_up(&mut pump, input);
            }
            drop(self.app().take());
        } else {
            // The pump has the queue: it takes up what is before this in it.
            self.take_in(Input::End);
        }
    }
}

enum Advance {
    Nothing,
    Changed(Box<AppUpdate>),
    Ended,
}

impl AppHandle {
    fn new(app: App) -> Arc<Self> {
        let (queue, taken) = unbounded_channel();
        let pump = Pump { queue: taken, is_new: true, at_ms: 0, running: 0 };
        Arc::new(Self { app: Mutex::new(Some(app)), queue, pump: tokio::sync::Mutex::new(pump) })
    }

    fn app(&self) -> MutexGuard<'_, Option<App>> {
        self.app.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_in(&self, input: Input) {
        // The other end lives as long as this handle.
        let _ = self.queue.send(input);
    }

    /// Takes up all that is in the queue, and gives what came of it.
    fn advance(&self, pump: &mut Pump) -> Advance {
        while let Ok(input) = pump.queue.try_recv() {
            self.take_up(pump, input);
            pump.is_new = true;
        }
        let mut kept = self.app();
        let Some(app) = kept.as_mut() else { return Advance::Ended };
        if !std::mem::take(&mut pump.is_new) {
            return Advance::Nothing;
        }
        let out = app.take();
        let view = app.view();
        drop(kept);
        for job in out.jobs {
            pump.running += 1;
            self.start(job);
        }
        Advance::Changed(Box::new(AppUpdate { view, effects: out.effects, settled: pump.running == 0 }))
    }

    fn take_up(&self, pump: &mut Pump, input: Input) {
        let mut kept = self.app();
        let Some(app) = kept.as_mut() else { return };
        match input {
            Input::Act(at_ms, seen, action) => {
                pump.at_ms = at_ms;
                // Moments come in with events.
                app.tell(at_ms, Event::Tick);
                app.act(seen, action);
            }
            Input::Tell(at_ms, event) => {
                pump.at_ms = at_ms;
                app.tell(at_ms, event);
            }
            Input::Report(report) => {
                if matches!(report, Report::Ended { .. }) {
                    pump.running = pump.running.saturating_sub(1);
                }
                app.report(pump.at_ms, report);
            }
            Input::End => *kept = None,
        }
    }

    /// Has a job done on our own runtime, without the app, which goes on being touched meanwhile.
    fn start(&self, job: Job) {
        let lost = job.lost();
        let (tell, ended) = (self.queue.clone(), self.queue.clone());
        let on_report = Arc::new(move |report| {
            let _ = tell.send(Input::Report(report));
        });
        let underway = runtime::spawn(job.run(on_report));
        let watched = runtime::spawn({
            let (lost, ended) = (lost.clone(), ended.clone());
            async move {
                let last = match underway {
                    Some(underway) => underway.await.unwrap_or(lost),
                    None => lost,
                };
                let _ = ended.send(Input::Report(last));
            }
        });
        if watched.is_none() {
            let _ = ended.send(Input::Report(lost));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::runtime::Builder;
    use veldwerk::client::Network;
    use veldwerk_ui::Screen;

    use super::*;
    use crate::fixture::Keychain;

    const AT: i64 = 1_764_288_000_000;

    fn device() -> Device {
        Device { locales: vec!["en".into()], zone: TimeZone::UTC, has_camera: true, network: Network::Unmetered }
    }

    fn opened(folder: &tempfile::TempDir) -> Arc<AppHandle> {
        let home = folder.path().join("home").to_string_lossy().into_owned();
        let config = ClientConfig { home, time_zone: "UTC".into(), fixed: None };
        AppHandle::open(config, Arc::new(Keychain::of([7; 32])), device()).unwrap()
    }

    fn wait<T>(work: impl Future<Output = T>) -> T {
        Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
    }

    fn next(app: &AppHandle) -> AppUpdate {
        wait(app.next()).unwrap().unwrap()
    }

    fn code(error: &SurveyError) -> &str {
        let SurveyError::Internal { code, .. } = error else { panic!("{error:?}") };
        code
    }

    /// Chooses English, so that it stands at the way into a study.
    fn at_join(folder: &tempfile::TempDir) -> Arc<AppHandle> {
        let app = opened(folder);
        let first = next(&app);
        assert!(matches!(first.view.screen, Screen::Language(_)) && first.settled);
        app.act(AT, first.view.rev, Action::Language("en".into()));
        app
    }

    #[test]
    fn views_are_coalesced_and_effects_come_once_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let app = at_join(&folder);
        let join = next(&app).view;
        app.act(AT, join.rev, Action::Scan);
        app.tell(AT, Event::Answered { id: 1, outcome: veldwerk_ui::Outcome::Cancelled });
        app.tell(AT, Event::SystemBack);
        app.tell(AT, Event::SystemBack);
        let update = next(&app);
        assert!(matches!(update.view.screen, Screen::Language(_)));
        assert!(matches!(update.effects[..], [Effect::Ask { id: 1, .. }, Effect::LeaveApp]), "{:?}", update.effects);
        app.tell(AT, Event::Tick);
        assert!(next(&app).effects.is_empty());
    }

    #[test]
    fn a_touch_on_a_view_that_is_gone_is_ignored_and_a_tick_in_between_does_not_lose_one() {
        let folder = tempfile::tempdir().unwrap();
        let app = at_join(&folder);
        let join = next(&app).view;
        app.tell(AT, Event::Tick);
        app.act(AT, join.rev, Action::Scan);
        app.act(AT, join.rev, Action::Scan);
        assert_eq!(next(&app).effects.len(), 1);
    }

    #[test]
    fn a_second_pump_is_refused_and_the_end_wakes_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let app = opened(&folder);
        next(&app);
        wait(async {
            let end = async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                assert_eq!(code(&app.next().await.unwrap_err()), "usage");
                app.tell(AT, Event::Tick);
                app.end();
            };
            // What was told before the end is still given, or the end at once; then it is over for good.
            let (last, ()) = tokio::join!(
                async {
                    let mut last = app.next().await;
                    while let Ok(Some(_)) = last {
                        last = app.next().await;
                    }
                    last
                },
                end
            );
            assert!(matches!(last, Ok(None)));
            assert!(matches!(app.next().await, Ok(None)));
        });
        assert!(app.rows("q:/d/a", 0, 5).is_empty());
        // The home is free again, and what was chosen is there.
        let again = opened(&folder);
        assert!(matches!(next(&again).view.screen, Screen::Language(_)));
    }

    #[test]
    fn a_waiting_pump_that_goes_away_misses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let app = at_join(&folder);
        next(&app);
        wait(async {
            let given_up = tokio::time::timeout(Duration::from_millis(5), app.next()).await;
            assert!(given_up.is_err());
        });
        app.tell(AT, Event::SystemBack);
        assert!(matches!(next(&app).view.screen, Screen::Language(_)));
    }

    #[test]
    fn work_runs_beside_the_app_which_is_settled_when_it_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let app = at_join(&folder);
        let join = next(&app).view;
        // Nobody listens there, so the work ends with an error; the person goes on meanwhile.
        app.act(
            AT,
            join.rev,
            Action::Typing { id: "join.code".into(), text: "http://127.0.0.1:9/v1/key/abc/projects/1".into() },
        );
        app.act(AT, join.rev, Action::ReadCode);
        let check = next(&app).view;
        assert!(matches!(check.screen, Screen::JoinCheck(_)), "{:?}", check.screen);
        app.act(AT, check.rev, Action::Join(None));
        let mut update = next(&app);
        assert!(!update.settled && matches!(update.view.screen, Screen::Home(_)));
        while !update.settled {
            update = next(&app);
        }
        assert!(update.view.trouble.is_some());
    }

    #[test]
    fn a_home_that_cannot_be_opened_is_a_screen_and_an_unknown_zone_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let first = opened(&folder);
        let second = opened(&folder);
        assert!(matches!(next(&second).view.screen, Screen::Trouble(trouble) if trouble.code == "store-in-use"));
        drop(first);
        let config = ClientConfig { home: String::new(), time_zone: "Mars/Olympus".into(), fixed: None };
        let refused = AppHandle::open(config, Arc::<Keychain>::default(), device());
        assert_eq!(code(&refused.err().unwrap()), "usage");
    }
}
