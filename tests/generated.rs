//! Forms that nobody has thought of keep two promises, whatever is done with them: what is kept up to date step by step is
//! what a full recalculation gives, and what is restored after a kill is what was in memory, also in what it does next. What
//! says something else than before is told. That the forms are such as to show it, engines show that are blind to something.
//!
//! `VELDWERK_GENERATED` is how many forms are tried (`VELDWERK_GENERATED=5000`), `VELDWERK_GENERATED_SEED` the number of the
//! first: a failure prints its own, and itself as a literate case.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests say what must hold by panicking")]

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use veldwerk::form::FormDef;
use veldwerk_tests::dice::Dice;
use veldwerk_tests::form;
use veldwerk_tests::generate::{Blindness, Event, Form, Walk, smallest};
use veldwerk_tests::scenario::Scenario;
use veldwerk_tests::seen;

/// How many forms every run of the tests tries.
const N_FORMS: u64 = 60;
const N_EVENTS: usize = 30;
/// Failures that one run makes small and shows.
const MAX_SHOWN: usize = 5;

thread_local! {
    /// What ended a walk early, with its place; none outside a walk.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Fills a form; gives what does not hold. Draws events for as long as `next` has some.
fn play(form: &Form, compiled: Arc<FormDef>, mut next: impl FnMut(&Scenario) -> Option<Event>) -> Result<(), String> {
    SAID.set(Some(String::new()));
    let played = catch_unwind(AssertUnwindSafe(|| {
        let mut scenario = Scenario::over(compiled, "Europe/Amsterdam");
        check(form, &scenario);
        while let Some(event) = next(&scenario) {
            let before = form.is_steady.then(|| seen::faces(scenario.session()));
            event.happen(&mut scenario);
            check(form, &scenario);
            let is_change = !matches!(event, Event::Wait(_));
            if let Some(untold) = before
                .filter(|_| is_change)
                .and_then(|before| seen::untold(&before, scenario.session(), scenario.told()))
            {
                panic!("another than before, and nobody is told: {untold}");
            }
        }
    }));
    let said = SAID.take().unwrap_or_default();
    played.map_err(|_| said)
}

/// Incremental is full recalculation.
fn check(form: &Form, scenario: &Scenario) {
    if form.is_steady
        && let Some(stale) = seen::stale_node(scenario.session())
    {
        panic!("not what a full recalculation gives: {stale}");
    }
}

/// A walk at random.
fn stroll(form: &Form, seed: u64, compiled: Arc<FormDef>) -> (Walk, Result<(), String>) {
    let mut dice = Dice::new(seed, 1);
    let mut walk = Walk::default();
    let played = play(form, compiled, |scenario| {
        let event = (walk.events.len() < N_EVENTS).then(|| Event::draw(&mut dice, scenario.session()))?;
        walk.events.push(event.clone());
        Some(event)
    });
    (walk, played)
}

/// Fills the form of a number at random; gives how many events there were, or the smallest case that does not hold.
fn try_form(seed: u64) -> Result<usize, String> {
    let form = Form::new(seed);
    let Ok(compiled) = form.load() else { return Ok(0) };
    let (walk, played) = stroll(&form, seed, compiled);
    let Err(why) = played else { return Ok(walk.events.len()) };
    let kind = |why: &str| why.lines().next().unwrap_or_default().to_owned();
    let again = |form: &Form, walk: &Walk| {
        let mut events = walk.events.iter().cloned();
        form.load().map_or(Ok(()), |compiled| play(form, compiled, |_| events.next()))
    };
    let (form, walk) = smallest(form, walk, |form, walk| again(form, walk).is_err_and(|now| kind(&now) == kind(&why)));
    let why = again(&form, &walk).expect_err("it still breaks");
    Err(format!("## Seed {seed}\n{why}\n```form\n{form}```\n```steps\n{walk}```\n"))
}

#[expect(clippy::disallowed_methods, reason = "whoever runs the tests says so in the environment")]
fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |number| number.parse().expect("a number"))
}

#[test]
fn any_form_keeps_its_promises() {
    say_once();
    let first = number("VELDWERK_GENERATED_SEED", 0);
    let seeds = first..first + number("VELDWERK_GENERATED", N_FORMS);
    let (mut n_events, mut n_forms, mut refused, mut failed) = (0, 0, 0, Vec::new());
    for seed in seeds {
        n_forms += 1;
        refused += usize::from(Form::new(seed).load().is_err());
        match try_form(seed) {
            Ok(events) => n_events += events,
            Err(why) => failed.push(why),
        }
        if failed.len() == MAX_SHOWN {
            break;
        }
    }
    println!("{n_forms} forms, {refused} of them refused, {n_events} events");
    assert!(failed.is_empty(), "{} do not hold:\n{}", failed.len(), failed.join("\n"));
    assert!(
        refused * 10 <= n_forms,
        "{refused} of {n_forms} forms are refused: the generator makes too few that are any"
    );
}

/// What a walk dies of is said once, at the end.
fn say_once() {
    let otherwise = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if SAID.with_borrow(Option::is_some) { SAID.set(Some(info.to_string())) } else { otherwise(info) }
    }));
}

/// The property would notice if the engine did not see one of the things that it must see.
#[test]
fn an_engine_that_is_blind_to_something_keeps_no_promise() {
    say_once();
    for blindness in Blindness::ALL {
        let notices = |seed: u64| {
            let form = Form::new(seed);
            form.load_blind(blindness).is_ok_and(|compiled| stroll(&form, seed, compiled).1.is_err())
        };
        // Only the steady ones are recalculated.
        let first = (0..N_FORMS).step_by(2).find(|&seed| notices(seed));
        println!("blind to {blindness:?}: noticed at form {first:?}");
        assert!(first.is_some(), "nothing is noticed of {blindness:?} in {N_FORMS} forms");
    }
}

#[test]
fn what_was_restored_goes_on_beside_what_was_in_memory() {
    let mut scenario = form! {
        repeat r { int v; calc many = "count(../../r[v > 3])"; calc at = "now()"; select1 s from "randomize(instance('l')/root/item)" value n label n; }
        list l { n; "a"; "b"; "c"; }
    };
    scenario.answer("r[1]/v", "5").add("r").kill().wait(30).answer("r[2]/v", "9").kill();
    scenario.expect("r[1]/many", "2").answer("r[1]/s", "b").kill();
    assert_eq!(seen::stale_node(Scenario::of("int v; calc c = \"../v + 1\";").answer("v", "1").session()), None);
}
