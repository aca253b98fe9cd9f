//! `drive` and `batch`: the engine without screens and store, behind the neutral interface that other XForms engines are
//! compared through.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use veldwerk::clock::Step;
use veldwerk::engine::{Engine, Settings};
use veldwerk::form::{ControlKind, Files, FormDef};
use veldwerk::ids::NodeId;
use veldwerk::instance::Writer;
use veldwerk::{Error, ErrorKind};

use crate::context::time_zone;
use crate::terminal::plain_json;

/// Replay events on a form and print the resulting state.
#[derive(Args, Debug)]
pub(crate) struct DriveArgs {
    /// Folder with the form's files; may be given several times
    #[arg(long, value_name = "DIR")]
    media: Vec<PathBuf>,
    /// Open this record instead of a new one
    #[arg(long, value_name = "SUBMISSION.xml")]
    instance: Option<PathBuf>,
    /// Also print what each event changed
    #[arg(long)]
    trace: bool,
    /// What now() says, as an ISO moment; the clock stands still
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
    /// Seed of random numbers
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The form
    #[arg(value_name = "FORM.xml")]
    form: PathBuf,
    /// The events, one JSON object a line; `-` reads standard input
    #[arg(value_name = "EVENTS.jsonl")]
    events: PathBuf,
}

/// Run many drive jobs in one process.
#[derive(Args, Debug)]
pub(crate) struct BatchArgs {
    /// One JSON job a line
    #[arg(value_name = "JOBS.jsonl")]
    jobs: PathBuf,
}

/// Runs `drive`. The output goes to `out`.
///
/// # Errors
/// [`ErrorKind::Usage`] for events that cannot be read; a form that does not load is an output, not an error.
pub(crate) fn drive(args: &DriveArgs, out: &mut dyn std::io::Write) -> Result<(), Error> {
    let mut text = String::new();
    let read = if args.events.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).map(|_| ())
    } else {
        fs::read_to_string(&args.events).map(|read| text = read)
    };
    read.map_err(|error| Error::new(ErrorKind::Usage, "the events cannot be read").caused_by(error))?;
    let job = Job {
        form: args.form.clone(),
        media: args.media.clone(),
        instance: args.instance.clone(),
        events: parse_events(&text)?,
        trace: args.trace,
        now: parse_now(args.now.as_deref())?,
        seed: args.seed,
    };
    let output = job.run();
    let written = serde_json::to_string(&output).map_err(std::io::Error::from);
    let written = written.and_then(|json| writeln!(out, "{}", plain_json(&json)));
    written.map_err(|error| Error::new(ErrorKind::Io, "the output cannot be written").caused_by(error))
}

#[derive(Deserialize)]
struct BatchJob {
    form: PathBuf,
    #[serde(default)]
    media: Vec<PathBuf>,
    instance: Option<PathBuf>,
    #[serde(default)]
    events: BatchEvents,
    #[serde(default)]
    trace: bool,
    now: Option<String>,
    #[serde(default)]
    seed: u64,
    out: PathBuf,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum BatchEvents {
    File(PathBuf),
    Inline(Vec<Value>),
}

impl Default for BatchEvents {
    fn default() -> Self {
        Self::Inline(Vec::new())
    }
}

/// Runs `batch`: every job writes its own file, a failed one a `load-error`, and the next goes on.
///
/// # Errors
/// [`ErrorKind::Usage`] for a list of jobs that cannot be read.
pub(crate) fn batch(args: &BatchArgs) -> Result<(), Error> {
    let usage = |what: String| Error::new(ErrorKind::Usage, what);
    let text =
        fs::read_to_string(&args.jobs).map_err(|error| usage("the jobs cannot be read".into()).caused_by(error))?;
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !is_blank(line)) {
        let job: BatchJob =
            serde_json::from_str(line).map_err(|error| usage(format!("job on line {}", index + 1)).caused_by(error))?;
        let out = job.out.clone();
        let output = run_batch_job(job).unwrap_or_else(|error| load_error(&error.to_string()));
        fs::write(&out, output.to_string())
            .map_err(|error| usage(format!("output of line {}", index + 1)).caused_by(error))?;
    }
    Ok(())
}

fn run_batch_job(job: BatchJob) -> Result<Value, Error> {
    let events = match job.events {
        BatchEvents::Inline(events) => events,
        BatchEvents::File(path) => {
            let text = fs::read_to_string(path);
            parse_events(
                &text.map_err(|error| Error::new(ErrorKind::Usage, "the events cannot be read").caused_by(error))?,
            )?
        }
    };
    let now = parse_now(job.now.as_deref())?;
    let BatchJob { form, media, instance, trace, seed, .. } = job;
    Ok(Job { form, media, instance, events, trace, now, seed }.run())
}

fn parse_events(text: &str) -> Result<Vec<Value>, Error> {
    let lines = text.lines().enumerate().filter(|(_, line)| !is_blank(line));
    let events = lines.map(|(index, line)| {
        let event: Result<Map<String, Value>, _> = serde_json::from_str(line);
        event
            .map(Value::Object)
            .map_err(|error| Error::new(ErrorKind::Usage, format!("event on line {}", index + 1)).caused_by(error))
    });
    events.collect()
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with('#')
}

fn parse_now(now: Option<&str>) -> Result<i64, Error> {
    let Some(now) = now else {
        return Ok(veldwerk::clock::Clock::now_ms(&veldwerk::clock::SystemClock));
    };
    let moment = now.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_millisecond);
    moment.map_err(|error| Error::new(ErrorKind::Usage, "--now is not an ISO moment").caused_by(error))
}

/// One run of the driver.
struct Job {
    form: PathBuf,
    media: Vec<PathBuf>,
    instance: Option<PathBuf>,
    events: Vec<Value>,
    trace: bool,
    now: i64,
    seed: u64,
}

impl Job {
    fn run(&self) -> Value {
        self.try_run().unwrap_or_else(|error| load_error(&error.to_string()))
    }

    fn try_run(&self) -> Result<Value, Error> {
        let unreadable = |what: &str, error: std::io::Error| Error::new(ErrorKind::Io, what).caused_by(error);
        let xml = fs::read_to_string(&self.form).map_err(|error| unreadable("the form", error))?;
        let (form, _) = FormDef::load(&xml, &Folders::of(self))?;
        let form = Arc::new(form);
        let instance = match &self.instance {
            Some(path) => Some(fs::read_to_string(path).map_err(|error| unreadable("the record", error))?),
            None => None,
        };
        let mut run = Run::open(self, Arc::clone(&form), instance.as_deref())?;
        run.note_trace(-1);
        for (index, event) in self.events.iter().enumerate() {
            run.event(event);
            run.note_trace(i64::try_from(index).unwrap_or(i64::MAX));
        }
        let mut output = json!({
            "engine": "veldwerk",
            "version": env!("CARGO_PKG_VERSION"),
            "status": "ok",
            "form": {
                "title": form.title,
                "id": form.id,
                "version": form.version,
                "languages": form.itext.languages().collect::<Vec<_>>(),
                "language": form.itext.languages().nth(form.itext.default),
            },
            "events": self.events,
            "results": run.results,
            "snapshots": run.snapshots,
            "state": run.state(),
        });
        if self.trace
            && let Some(output) = output.as_object_mut()
        {
            output.insert("trace".into(), Value::Array(run.trace));
        }
        Ok(output)
    }
}

fn load_error(error: &str) -> Value {
    json!({ "engine": "veldwerk", "version": env!("CARGO_PKG_VERSION"), "status": "load-error", "error": error })
}

/// The form's files: the folders named, then the form's own and `FORM-media` beside it.
struct Folders(Vec<PathBuf>);

impl Folders {
    fn of(job: &Job) -> Self {
        let mut folders = job.media.clone();
        let own = job.form.parent().unwrap_or(Path::new("")).to_owned();
        let stem = job.form.file_stem().unwrap_or_default().to_string_lossy();
        folders.push(own.join(format!("{stem}-media")));
        folders.push(own);
        Self(folders)
    }
}

impl Files for Folders {
    fn read(&self, name: &str) -> Option<Vec<u8>> {
        let name = Path::new(name).file_name()?;
        self.0.iter().find_map(|folder| fs::read(folder.join(name)).ok())
    }
}

/// What `--trace` compares: per path of a node its value and its three states.
type NodeStates = BTreeMap<String, Value>;

struct Run<'j> {
    job: &'j Job,
    engine: Engine,
    steps: u64,
    results: Vec<Value>,
    snapshots: Map<String, Value>,
    trace: Vec<Value>,
    traced: NodeStates,
}

impl<'j> Run<'j> {
    fn open(job: &'j Job, form: Arc<FormDef>, instance: Option<&str>) -> Result<Self, Error> {
        let step = Step { at: job.now, seed: job.seed, number: 0 };
        let mut engine = match instance {
            Some(xml) => Engine::reopen(form, settings()?, xml, step, None)?,
            None => Engine::begin(form, settings()?, step, None)?,
        };
        engine.limit_fallback();
        let (results, snapshots, trace, traced) = Default::default();
        Ok(Self { job, engine, steps: 0, results, snapshots, trace, traced })
    }

    fn event(&mut self, event: &Value) {
        self.steps += 1;
        let step = Step { at: self.job.now, seed: self.job.seed, number: self.steps };
        let field = |name: &str| event.get(name).and_then(Value::as_str);
        let reference = field("ref").unwrap_or_default();
        let mut result = Map::new();
        let done = match field("op").unwrap_or_default() {
            "answer" => self.answer(reference, event, step, &mut result),
            "add-repeat" => self.engine.add_repeat(reference, step).map(|_| ()),
            "remove-repeat" => self.engine.remove_repeat(reference, step).map(|_| ()),
            "language" => self.engine.set_language(field("value").unwrap_or_default(), step).map(|_| ()),
            "reload" => self.reload(step),
            "finalize" => self.engine.finish(step).map(|_| ()),
            "snapshot" => {
                self.snapshots.insert(field("name").unwrap_or_default().to_owned(), self.state());
                Ok(())
            }
            _ => Err(ErrorKind::Unsupported.into()),
        };
        match done {
            Ok(()) => {
                result.insert("r".into(), "ok".into());
            }
            Err(error) => {
                result.insert("r".into(), code(error.kind()).into());
                if code(error.kind()) == "error" {
                    result.insert("error".into(), error.to_string().into());
                }
            }
        }
        self.results.push(Value::Object(result));
    }

    fn answer(
        &mut self,
        reference: &str,
        event: &Value,
        step: Step,
        result: &mut Map<String, Value>,
    ) -> Result<(), Error> {
        let node = self.engine.find(reference).ok_or(ErrorKind::NoSuchNode)?;
        let value = match event.get("value") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
        };
        self.engine.answer(node, value.as_deref(), step)?;
        if let Some(violation) = self.engine.violation(node) {
            result.insert("violation".into(), violation.kind.name().into());
        }
        Ok(())
    }

    fn reload(&mut self, step: Step) -> Result<(), Error> {
        let xml = self.engine.write(Writer::Submission);
        let language = self.engine.languages().get(self.engine.language()).map(|language| language.name.clone());
        let mut engine = Engine::reopen(Arc::clone(self.engine.form()), settings()?, &xml, step, None)?;
        engine.limit_fallback();
        if let Some(language) = language {
            engine.set_language(&language, step)?;
        }
        self.engine = engine;
        Ok(())
    }

    fn note_trace(&mut self, index: i64) {
        if !self.job.trace {
            return;
        }
        let now = self.node_states();
        let set: Map<_, _> = now
            .iter()
            .filter(|(path, state)| self.traced.get(*path) != Some(state))
            .map(|(path, state)| (path.clone(), state.clone()))
            .collect();
        let gone: Vec<_> = self.traced.keys().filter(|path| !now.contains_key(*path)).cloned().collect();
        let mut entry = json!({ "i": index, "set": set });
        if !gone.is_empty()
            && let Some(entry) = entry.as_object_mut()
        {
            entry.insert("gone".into(), json!(gone));
        }
        self.trace.push(entry);
        self.traced = now;
    }

    fn node_states(&self) -> NodeStates {
        let states = self.elements().into_iter().map(|id| {
            let node = self.engine.tree().node(id);
            (self.engine.path(id), json!([self.value(id), node.relevant, self.engine.is_readonly(id), node.required]))
        });
        states.collect()
    }

    fn elements(&self) -> Vec<NodeId> {
        let tree = self.engine.tree();
        let mut all = tree.subtree(tree.root());
        all.retain(|&id| !self.engine.form().nodes[tree.node(id).def].is_attribute);
        all
    }

    /// Null for a node with elements below it.
    fn value(&self, id: NodeId) -> Value {
        let tree = self.engine.tree();
        if tree.has_elements(self.engine.form(), id) { Value::Null } else { tree.node(id).value.clone().into() }
    }

    fn state(&self) -> Value {
        let engine = &self.engine;
        let nodes: Vec<_> = self
            .elements()
            .into_iter()
            .map(|id| {
                let node = engine.tree().node(id);
                let valid = engine.violation(id).map_or("ok", |violation| violation.kind.name());
                json!({
                    "ref": engine.path(id), "value": self.value(id), "relevant": node.relevant,
                    "readonly": engine.is_readonly(id), "required": node.required, "valid": valid,
                })
            })
            .collect();
        let violations: Vec<_> = engine
            .violations()
            .into_iter()
            .map(|violation| {
                let message = violation.message.map(|message| message.plain()).filter(|message| !message.is_empty());
                json!({ "ref": engine.path(violation.node), "kind": violation.kind.name(), "message": message })
            })
            .collect();
        json!({
            "language": engine.languages().get(engine.language()).map(|language| language.name.clone()),
            "nodes": nodes,
            "controls": self.controls(),
            "repeats": self.repeats(),
            "violations": violations,
            "submission": engine.write(Writer::Submission),
        })
    }

    fn controls(&self) -> Vec<Value> {
        let mut controls = Vec::new();
        self.engine.walk(&mut |engine, id, node| {
            let control = &engine.form().controls[id];
            let text = |label: &Option<_>| {
                let plain = label.as_ref().map(|label| engine.words(label, node).plain());
                plain.filter(|plain| !plain.is_empty())
            };
            let label = text(&control.label);
            if control.kind == ControlKind::Group && label.is_none() {
                return;
            }
            let reference = if control.node.is_some() { Some(engine.path(node)) } else { None };
            let mut entry =
                json!({ "ref": reference, "kind": control.kind.name(), "label": label, "hint": text(&control.hint) });
            if control.kind.has_choices()
                && let Some(entry) = entry.as_object_mut()
            {
                let offer = engine.offer(id, node);
                let choices = engine.choices_from(&offer, 0, id, node).map(
                    |choice| json!({ "value": choice.value, "label": engine.choice_words(id, node, &choice).plain() }),
                );
                entry.insert("choices".into(), choices.collect());
                // An empty list would say that there are none.
                if offer.is_too_much {
                    entry.insert("error".into(), ErrorKind::TooLarge.code().into());
                }
            }
            controls.push(entry);
        });
        controls
    }

    /// Every range whose parent is relevant.
    fn repeats(&self) -> Vec<Value> {
        let (engine, form, tree) = (&self.engine, self.engine.form(), self.engine.tree());
        let mut ranges = Vec::new();
        let mut seen = BTreeSet::new();
        for parent in self.elements().into_iter().filter(|&id| tree.node(id).relevant) {
            for &def in &form.nodes[tree.node(parent).def].children {
                if form.nodes[def].repeat.is_some() && seen.insert((parent, def)) {
                    let reference = format!("{}/{}", engine.path(parent), form.names.get(form.nodes[def].name));
                    let can_add = engine.may_add(def) && engine.is_range_relevant(parent, def);
                    let count = tree.children_of(parent, def).len();
                    ranges.push(json!({ "ref": reference, "count": count, "can_add": can_add }));
                }
            }
        }
        ranges
    }
}

/// Properties of a driver run, and the time zone: `TZ`, else the system's.
fn settings() -> Result<Settings, Error> {
    let properties = [
        ("deviceid", "lab:device-0001"),
        ("username", "lab-user"),
        ("email", "lab@example.org"),
        ("phonenumber", "+31600000000"),
    ];
    let properties = properties.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    Ok(Settings { time_zone: time_zone()?, properties })
}

/// The driver's word for a refusal.
fn code(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NoSuchNode
        | ErrorKind::NotRelevant
        | ErrorKind::Readonly
        | ErrorKind::NotAQuestion
        | ErrorKind::InvalidValue
        | ErrorKind::InvalidChoice
        | ErrorKind::NotAllowed
        | ErrorKind::NoSuchLanguage
        | ErrorKind::Unsupported => kind.code(),
        _ => "error",
    }
}
