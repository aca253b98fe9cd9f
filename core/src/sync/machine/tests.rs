//! The machine case by case.

use super::*;
use crate::clock::Step;
use crate::openrosa::response;

pub(super) const HOME: &str = "https://h.test/v1/key/T/projects/1/submission";

pub(super) fn machine(patience: Patience) -> Machine {
    Machine::new(Url::parse(HOME).unwrap(), patience, Step { at: 0, seed: 1, number: 0 }.random())
}

pub(super) fn queued(record: RecordId, form_id: &str) -> Queued {
    let goes_to = Destination::Home;
    Queued { record, form_id: form_id.into(), tries: 0, due_ms: 0, failing: None, answers_arrived: false, goes_to }
}

pub(super) fn parcel(sizes: &[u64]) -> Parcel {
    let parts = sizes.iter().enumerate().map(|(n, &size)| Part { name: format!("{n}.jpg"), size }).collect();
    Parcel { xml_size: 1_000, parts, left_out: None }
}

pub(super) fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Event {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let response = Response { status, headers, body: body.as_bytes().to_vec() };
    Event::Answered(Answer::Reply { response, url: Url::parse(HOME).unwrap() })
}

/// A reply from where the request was sent on to.
pub(super) fn reply_from(url: &str, status: u16) -> Event {
    let response = Response { status, ..Response::default() };
    Event::Answered(Answer::Reply { response, url: Url::parse(url).unwrap() })
}

pub(super) fn error(status: u16, words: &str) -> Event {
    reply(status, &[], &response::write(words, true))
}

pub(super) fn lost() -> Event {
    Event::Answered(Answer::Lost)
}

pub(super) fn home() -> Url {
    Url::parse(HOME).unwrap()
}

pub(super) fn post(parts: &[usize], incomplete: bool) -> Post {
    Post { parts: parts.to_vec(), incomplete }
}

/// A machine with `records` of the forms given, the first claimed and posted.
pub(super) fn posting(forms: &[&str], parcel: Parcel) -> Machine {
    let mut machine = machine(Patience::default());
    let records = (1..).zip(forms).map(|(record, form)| queued(record, form)).collect();
    assert_eq!(machine.on(Event::Found(records), 0), [Effect::Claim { record: 1 }]);
    assert_eq!(machine.on(Event::Claimed(parcel), 0), [Effect::Head { url: home() }]);
    let effects = machine.on(reply(204, &[("x-openrosa-accept-content-length", "10000")], ""), 0);
    assert!(matches!(effects[..], [Effect::Limit { bytes: 10_000 }, Effect::Post { record: 1, .. }]), "{effects:?}");
    machine
}

pub(super) fn attention(record: RecordId, reason: Reason) -> Effect {
    Effect::Mark { record, state: State::NeedsAttention(reason) }
}

pub(super) fn waiting_of(effects: &[Effect]) -> Vec<(RecordId, Reason)> {
    let waiting = effects.iter().filter_map(|effect| match effect {
        Effect::Mark { record, state: State::Waiting { reason, .. } } => Some((*record, *reason)),
        _ => None,
    });
    waiting.collect()
}

#[test]
fn a_record_goes_in_posts_and_is_sent_after_the_last() {
    let mut machine = posting(&["a"], parcel(&[6_000, 6_000, 10]));
    assert_eq!(
        machine.on(error(201, ""), 5),
        [
            Effect::Arrived { record: 1, parts: vec![2, 0] },
            Effect::Post { record: 1, url: home(), post: post(&[1], false) }
        ]
    );
    assert_eq!(
        machine.on(error(202, ""), 6),
        [
            Effect::Arrived { record: 1, parts: vec![1] },
            Effect::Mark { record: 1, state: State::Sent },
            Effect::Idle { until_ms: None }
        ]
    );
}

#[test]
fn a_record_goes_where_its_form_says_if_that_is_allowed() {
    let there = Url::parse("https://o.test/own/place").unwrap();
    let bound_for = |record, goes_to| Queued { goes_to, ..queued(record, "a") };
    let mut machine = machine(Patience::default());
    let records = vec![
        bound_for(1, Destination::Named(there.clone())),
        bound_for(2, Destination::NotAllowed),
        bound_for(3, Destination::Home),
    ];
    machine.on(Event::Found(records), 0);
    assert_eq!(machine.on(Event::Claimed(parcel(&[])), 0), [Effect::Head { url: there.clone() }]);
    let response = Response { status: 204, ..Response::default() };
    let answered = Event::Answered(Answer::Reply { response, url: there.clone() });
    assert_eq!(machine.on(answered, 0), [Effect::Post { record: 1, url: there, post: post(&[], false) }]);
    let effects = machine.on(reply(201, &[], ""), 0);
    assert_eq!(effects.last(), Some(&Effect::Claim { record: 2 }));
    let effects = machine.on(Event::Claimed(parcel(&[])), 0);
    assert_eq!(effects, [attention(2, Reason::OtherHost), Effect::Claim { record: 3 }]);
    assert_eq!(machine.on(Event::Claimed(parcel(&[])), 0), [Effect::Head { url: home() }], "the other place was asked");
}

#[test]
fn one_places_trouble_holds_up_no_record_that_goes_elsewhere() {
    let there = Destination::Named(Url::parse("https://o.test/own/place").unwrap());
    let bound_for = |record, goes_to: &Destination| Queued { goes_to: goes_to.clone(), ..queued(record, "a") };
    let mut machine = machine(Patience::default());
    let home = Destination::Home;
    machine.on(Event::Found(vec![bound_for(1, &there), bound_for(2, &home), bound_for(3, &there)]), 0);
    machine.on(Event::Claimed(parcel(&[])), 0);
    let effects = machine.on(lost(), 0);
    assert_eq!(waiting_of(&effects), [(1, Reason::Offline), (3, Reason::Offline)]);
    assert_eq!(effects.last(), Some(&Effect::Claim { record: 2 }));
}

#[test]
fn a_refusal_from_where_a_post_was_sent_on_to_is_none() {
    for (url, expected) in [
        (HOME, State::NeedsAttention(Reason::UnknownForm)),
        ("https://h.test/login", State::Waiting { until_ms: 0, reason: Reason::NotAServer, failing: None }),
    ] {
        let mut machine = posting(&["a"], parcel(&[]));
        let effects = machine.on(reply_from(url, 404), 0);
        let marked = effects.iter().find_map(|effect| match effect {
            Effect::Mark { state, .. } => Some(std::mem::discriminant(state)),
            _ => None,
        });
        assert_eq!(marked, Some(std::mem::discriminant(&expected)), "{url}: {effects:?}");
    }
}

#[test]
fn head_decides_where_and_how_records_go() {
    let here = |url: &str| Some(Url::parse(url).unwrap());
    let rows = [
        (reply(204, &[], ""), here(HOME), None),
        (reply(204, &[("location", "https://h.test/submit?x=1")], ""), here("https://h.test/submit?x=1"), None),
        (reply(204, &[("Location", "/other")], ""), here("https://h.test/other"), None),
        (reply(204, &[("location", "http://h.test/submission")], ""), here(HOME), None),
        (reply(204, &[("location", "https://elsewhere.test/submission")], ""), here(HOME), None),
        (reply(404, &[], ""), here(HOME), None),
        (reply_from("https://h.test/login", 404), here(HOME), None),
        (reply_from("https://h.test/submit", 204), here("https://h.test/submit"), None),
        (reply(400, &[], ""), here(HOME), None),
        (reply(200, &[], "<html>"), None, Some(Reason::NotAServer)),
        (reply(201, &[], ""), None, Some(Reason::NotAServer)),
        (reply(302, &[("location", "https://portal.test/")], ""), None, Some(Reason::NotAServer)),
        (reply(401, &[], ""), None, Some(Reason::SignInNeeded)),
        (reply(403, &[], ""), None, Some(Reason::SignInNeeded)),
        (reply(502, &[], "<html>"), None, Some(Reason::ServerBusy)),
        (reply(429, &[], ""), None, Some(Reason::ServerBusy)),
        (reply(511, &[], "<html>"), None, Some(Reason::NotAServer)),
        (lost(), None, Some(Reason::Offline)),
        (Event::Answered(Answer::Elsewhere), None, Some(Reason::NotAServer)),
        (Event::Answered(Answer::Untrusted(Reason::UnknownIssuer)), None, Some(Reason::UnknownIssuer)),
    ];
    for (answer, to, reason) in rows {
        let mut machine = machine(Patience::default());
        machine.on(Event::Found(vec![queued(1, "a"), queued(2, "b")]), 0);
        machine.on(Event::Claimed(parcel(&[])), 0);
        let shown = format!("{answer:?}");
        let effects = machine.on(answer, 0);
        match (to, reason) {
            (Some(url), _) => {
                assert_eq!(effects, [Effect::Post { record: 1, url, post: post(&[], false) }], "{shown}")
            }
            (None, Some(reason)) => {
                assert_eq!(waiting_of(&effects), [(1, reason), (2, reason)], "{shown}");
                assert!(matches!(effects.last(), Some(Effect::Idle { until_ms: Some(1_000..) })), "{effects:?}");
            }
            (None, None) => unreachable!(),
        }
    }
}

#[test]
fn a_sick_record_does_not_block_the_others() {
    let mut machine = posting(&["a", "b"], parcel(&[]));
    let effects = machine.on(error(500, ""), 0);
    assert_eq!(waiting_of(&effects), [(1, Reason::ServerBusy)]);
    assert_eq!(effects.last(), Some(&Effect::Claim { record: 2 }));
    assert_eq!(
        machine.on(Event::Claimed(parcel(&[])), 0),
        [Effect::Head { url: home() }],
        "is the server still there?"
    );
    machine.on(reply(204, &[], ""), 0);
    let effects = machine.on(error(201, ""), 0);
    assert!(effects.contains(&Effect::Mark { record: 2, state: State::Sent }));
    assert!(matches!(effects.last(), Some(Effect::Idle { until_ms: Some(1_000..=3_000) })), "{effects:?}");
}

#[test]
fn after_a_pause_for_all_the_sick_record_goes_last() {
    let mut machine = posting(&["a", "b"], parcel(&[]));
    let effects = machine.on(reply(429, &[("retry-after", "60")], ""), 0);
    assert_eq!(waiting_of(&effects), [(1, Reason::ServerBusy), (2, Reason::ServerBusy)]);
    assert_eq!(effects.last(), Some(&Effect::Idle { until_ms: Some(60_000) }));
    assert_eq!(machine.on(Event::Woken, 59_999), [Effect::Idle { until_ms: Some(60_000) }]);
    assert_eq!(machine.on(Event::Woken, 60_000), [Effect::Claim { record: 2 }]);
}

#[test]
fn a_refused_form_is_told_from_a_refused_account() {
    let list = [("content-type", "text/xml"), ("x-openrosa-version", "1.0")];
    let mut machine = posting(&["a", "b", "a"], parcel(&[]));
    assert_eq!(machine.on(error(401, ""), 0), [Effect::FormList]);
    assert_eq!(
        machine.on(reply(200, &list, "<xforms/>"), 0),
        [attention(1, Reason::NotAllowed), attention(3, Reason::NotAllowed), Effect::Claim { record: 2 }]
    );
    let rows = [
        (reply(401, &[], ""), vec![(1, Reason::SignInNeeded), (2, Reason::SignInNeeded)]),
        (
            reply(200, &[("content-type", "text/html")], "<html>"),
            vec![(1, Reason::NotAServer), (2, Reason::NotAServer)],
        ),
        (reply(503, &[], ""), vec![(1, Reason::ServerBusy)]),
        (lost(), vec![(1, Reason::Offline)]),
        (Event::Answered(Answer::Elsewhere), vec![(1, Reason::NotAServer), (2, Reason::NotAServer)]),
        (
            Event::Answered(Answer::Untrusted(Reason::CertificateExpired)),
            vec![(1, Reason::CertificateExpired), (2, Reason::CertificateExpired)],
        ),
    ];
    for (answer, expected) in rows {
        let mut machine = posting(&["a", "b"], parcel(&[]));
        machine.on(error(403, ""), 0);
        assert_eq!(waiting_of(&machine.on(answer, 0)), expected);
    }
}

#[test]
fn a_deleted_record_goes_once_more_after_a_second() {
    let deleted = || error(409, "This submission has been deleted. You may not resubmit it.");
    let mut machine = posting(&["a"], parcel(&[5]));
    assert_eq!(machine.on(deleted(), 500), [Effect::Pause { until_ms: 1_500 }]);
    assert_eq!(machine.on(Event::Woken, 1_499), [Effect::Pause { until_ms: 1_500 }]);
    assert_eq!(machine.on(Event::Woken, 1_500), [Effect::Post { record: 1, url: home(), post: post(&[0], false) }]);
    assert_eq!(machine.on(deleted(), 1_600)[0], attention(1, Reason::DeletedOnServer));
}

pub(super) fn too_large() -> Event {
    reply(413, &[("content-type", "text/html")], "<html>")
}

pub(super) fn page(status: u16) -> Event {
    reply(status, &[("content-type", "text/html")], "<html>sign in")
}

#[test]
fn what_is_too_large_goes_in_smaller_posts_and_one_file_too_large_holds_back_nothing() {
    let mut machine = posting(&["a", "b"], parcel(&[1_000, 2_000, 1_000]));
    let next = |effects: Vec<Effect>| match effects.last() {
        Some(Effect::Post { post, .. }) => (post.parts.clone(), post.incomplete),
        other => panic!("{other:?}"),
    };
    assert_eq!(next(machine.on(too_large(), 0)), (vec![0], true));
    assert_eq!(next(machine.on(too_large(), 0)), (vec![], true), "the answers alone");
    assert_eq!(next(machine.on(error(201, ""), 0)), (vec![0], true));
    let effects = machine.on(too_large(), 0);
    assert_eq!(effects[0], Effect::LeaveOut { record: 1, part: 0, problem: FileProblem::TooLarge });
    assert_eq!(next(effects), (vec![2], true));
    assert_eq!(next(machine.on(error(201, ""), 0)), (vec![1], true), "the record is not whole without the other");
    let effects = machine.on(error(201, ""), 0);
    assert_eq!(
        effects,
        [Effect::Arrived { record: 1, parts: vec![1] }, attention(1, Reason::TooLarge), Effect::Claim { record: 2 }]
    );
    machine.on(Event::Claimed(parcel(&[])), 0);
    assert_eq!(machine.on(too_large(), 0)[0], attention(2, Reason::TooLarge), "answers too large by themselves");
}

#[test]
fn a_page_is_no_verdict_and_one_is_not_yet_the_network() {
    for status in [200, 201, 202, 302, 400, 401, 403, 404, 405, 409, 410] {
        let mut machine = posting(&["a", "b", "c"], parcel(&[]));
        let effects = machine.on(page(status), 0);
        assert_eq!(waiting_of(&effects), [(1, Reason::NotAServer)], "{status}");
        assert_eq!(effects.last(), Some(&Effect::Claim { record: 2 }), "it may be the record");
        machine.on(Event::Claimed(parcel(&[])), 0);
        machine.on(reply(204, &[], ""), 0);
        let effects = machine.on(page(status), 0);
        assert_eq!(waiting_of(&effects), [(2, Reason::NotAServer), (3, Reason::NotAServer)], "{status}");
    }
    let mut machine = posting(&["a", "b", "c"], parcel(&[]));
    machine.on(page(403), 0);
    machine.on(Event::Claimed(parcel(&[])), 0);
    machine.on(reply(204, &[], ""), 0);
    machine.on(error(201, ""), 0);
    machine.on(Event::Claimed(parcel(&[])), 0);
    let effects = machine.on(page(403), 0);
    assert_eq!(waiting_of(&effects), [(3, Reason::NotAServer)], "the one between was taken");
}

#[test]
fn pages_over_a_day_need_a_person() {
    let day = 24 * 60 * 60_000;
    for answer in [page(404), page(200), page(502)] {
        let mut machine = machine(Patience::default());
        let failing = Some(Failing { count: 9, since_ms: 0 });
        machine.on(Event::Found(vec![Queued { failing, ..queued(1, "a") }]), day);
        machine.on(Event::Claimed(parcel(&[])), day);
        machine.on(reply(204, &[], ""), day);
        assert_eq!(machine.on(answer, day)[0], attention(1, Reason::NotAServer));
    }
    let mut machine = machine(Patience::default());
    let failing = Some(Failing { count: 9, since_ms: 0 });
    machine.on(Event::Found(vec![queued(1, "a"), Queued { failing, ..queued(2, "b") }]), day);
    machine.on(Event::Claimed(parcel(&[])), day);
    let effects = machine.on(reply(200, &[], "<html>"), day);
    assert_eq!(waiting_of(&effects), [(1, Reason::NotAServer)]);
    assert!(effects.contains(&attention(2, Reason::NotAServer)), "it met the same");
}

#[test]
fn a_lost_reply_leaves_the_record_waiting() {
    let mut machine = posting(&["a", "b"], parcel(&[]));
    let effects = machine.on(lost(), 0);
    assert_eq!(waiting_of(&effects), [(1, Reason::Offline)]);
    assert_eq!(effects.last(), Some(&Effect::Claim { record: 2 }));
}

#[test]
fn answers_and_small_files_go_before_large_files_of_any_record() {
    let mut machine = machine(Patience { once: true, ..Patience::default() });
    machine.on(Event::Found(vec![queued(1, "a"), queued(2, "b")]), 0);
    let kb = |n: u64| n * 1_000;
    machine.on(Event::Claimed(parcel(&[kb(900), kb(10), kb(500), kb(20)])), 0);
    let post_of = |effects: &[Effect]| match effects.last() {
        Some(Effect::Post { record, post, .. }) => (*record, post.parts.clone(), post.incomplete),
        other => panic!("{other:?}"),
    };
    let effects = machine.on(reply(204, &[], ""), 0);
    assert_eq!(post_of(&effects), (1, vec![1, 3], true));
    let effects = machine.on(error(201, ""), 0);
    assert_eq!(
        effects[1..],
        [Effect::Mark { record: 1, state: State::Ready }, Effect::Claim { record: 2 }],
        "the answers of the other go first"
    );
    let effects = machine.on(Event::Claimed(parcel(&[kb(800)])), 0);
    assert_eq!(post_of(&effects), (2, vec![], true));
    let effects = machine.on(error(201, ""), 0);
    assert_eq!(post_of(&effects), (2, vec![0], false), "nobody's answers wait");
    let effects = machine.on(error(201, ""), 0);
    assert_eq!(effects.last(), Some(&Effect::Claim { record: 1 }), "also in one pass");
    let effects = machine.on(Event::Claimed(parcel(&[kb(900), kb(500)])), 0);
    assert_eq!(post_of(&effects), (1, vec![1, 0], false), "the link has shown what it carries");
}

#[test]
fn a_batch_grows_with_what_the_link_carries_and_shrinks_with_a_cut() {
    let mut machine = machine(Patience::default());
    machine.on(Event::Found(vec![queued(1, "a")]), 0);
    machine.on(Event::Claimed(parcel(&[100_000; 20])), 0);
    let mut effects = machine.on(reply(204, &[("x-openrosa-accept-content-length", "1000000")], ""), 0);
    let mut sizes = Vec::new();
    while let Some(Effect::Post { post, .. }) = effects.last() {
        sizes.push(post.parts.len());
        effects = machine.on(error(201, ""), 0);
    }
    assert_eq!(sizes, [2, 5, 9, 4], "up to what the server takes");

    machine.on(Event::Found(vec![queued(2, "a")]), 0);
    let mut sizes = Vec::new();
    let mut now_ms = 0;
    for _ in 0..6 {
        let effects = machine.on(Event::Claimed(parcel(&[100_000; 20])), now_ms);
        let effects = if effects == [Effect::Head { url: home() }] {
            machine.on(reply(204, &[("x-openrosa-accept-content-length", "1000000")], ""), now_ms)
        } else {
            effects
        };
        let Some(Effect::Post { post, .. }) = effects.last() else { panic!("{effects:?}") };
        sizes.push(post.parts.len());
        machine.on(lost(), now_ms);
        now_ms += 60 * 60_000;
        machine.on(Event::Woken, now_ms);
    }
    assert_eq!(sizes, [9, 4, 1, 0, 0, 0], "in the end the answers alone");
}

#[test]
fn a_record_of_which_only_a_bad_file_is_left_is_not_posted_again() {
    let mut machine = machine(Patience::default());
    machine.on(Event::Found(vec![Queued { answers_arrived: true, ..queued(1, "a") }]), 0);
    let left_out = Some(FileProblem::Missing);
    let effects = machine.on(Event::Claimed(Parcel { xml_size: 10, parts: vec![], left_out }), 0);
    assert_eq!(effects, [attention(1, Reason::AttachmentMissing), Effect::Idle { until_ms: None }]);
}

#[test]
fn server_errors_over_a_day_need_a_person() {
    let mut machine = machine(Patience::default());
    let failing = Some(Failing { count: 9, since_ms: 0 });
    let day = 24 * 60 * 60_000;
    machine.on(Event::Found(vec![Queued { failing, ..queued(1, "a") }]), day);
    machine.on(Event::Claimed(parcel(&[])), day);
    machine.on(reply(204, &[], ""), day);
    assert_eq!(machine.on(error(500, ""), day)[0], attention(1, Reason::ServerError));
}

#[test]
fn what_cannot_be_read_here_is_left_out_and_the_rest_goes() {
    let mut machine = posting(&["a", "b"], parcel(&[5, 6]));
    let unreadable = |parts: &[(usize, FileProblem)]| Event::Answered(Answer::Unreadable(parts.to_vec()));
    assert_eq!(
        machine.on(unreadable(&[(0, FileProblem::Damaged)]), 0),
        [
            Effect::LeaveOut { record: 1, part: 0, problem: FileProblem::Damaged },
            Effect::Post { record: 1, url: home(), post: post(&[1], true) }
        ]
    );
    let effects = machine.on(error(201, ""), 0);
    assert_eq!(effects[1..], [attention(1, Reason::AttachmentDamaged), Effect::Claim { record: 2 }]);
    assert_eq!(machine.on(Event::Broken, 0)[0], attention(2, Reason::UnreadableRecord));
    let mut machine = posting(&["a", "b"], parcel(&[5]));
    assert_eq!(waiting_of(&machine.on(unreadable(&[]), 0)), [(1, Reason::Io)], "the disk's moment");
}

#[test]
fn one_pass_tries_no_record_twice_and_hurry_makes_all_due() {
    let mut machine = machine(Patience { once: true, longest_wait_ms: Some(500), ..Patience::default() });
    machine.on(Event::Found(vec![queued(1, "a")]), 0);
    machine.on(Event::Claimed(parcel(&[])), 0);
    let effects = machine.on(lost(), 0);
    assert!(
        matches!(effects[0], Effect::Mark { state: State::Waiting { until_ms: 500, .. }, .. }),
        "the policy says at least a second: {effects:?}"
    );
    assert_eq!(machine.on(Event::Woken, 10_000), [Effect::Idle { until_ms: None }]);
    assert_eq!(machine.on(Event::Hurry, 10_000), [Effect::Claim { record: 1 }]);
    assert_eq!(machine.on(Event::Gone, 10_000), [Effect::Idle { until_ms: None }]);
}

#[test]
fn a_cancelled_record_is_ready_again() {
    let mut machine = posting(&["a", "b"], parcel(&[]));
    assert_eq!(machine.on(Event::Cancelled, 0), [Effect::Mark { record: 1, state: State::Ready }]);
    assert_eq!(machine.on(error(201, ""), 0), []);
    assert_eq!(machine.on(Event::Woken, 0), []);
    let mut machine = posting(&["a", "b"], parcel(&[]));
    let effects = machine.on(error(201, ""), 0);
    assert_eq!(effects.last(), Some(&Effect::Claim { record: 2 }));
    assert_eq!(machine.on(Event::Cancelled, 0), [], "what was not claimed may be someone else's");
}

#[test]
fn found_again_is_not_sent_twice() {
    let mut machine = posting(&["a"], parcel(&[]));
    assert_eq!(machine.on(Event::Found(vec![queued(1, "a")]), 0), []);
    let effects = machine.on(error(201, ""), 0);
    assert_eq!(effects.last(), Some(&Effect::Idle { until_ms: None }));
}
