//! Programs with state, on the real engine: which messages count, what aggregates give, what a crash leaves.

mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use chalk_decode::Tier;
use chalk_engine::values::value_at;
use chalk_engine::{
    Closed, Envelope, Executor, Fate, InputBatch, Keeper, KeeperOptions, Program, Session, SessionOptions,
};
use chalk_types::{Value, format_datetime};

use support::link;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
/// Midnight, 1 January 2024.
const START: i64 = 1_704_067_200 * SECOND;

const LOGINS: &str = r#"
source logins = kafka(topic: "logins")
message Login { user_id: int, failed: bool, seconds: float?, at: datetime }
features User {
  id: int
  failures: int over [10m, 30m]
  mean_seconds: float? over [10m, 30m]
  is_under_attack: bool = failures[10m] > 1
}
stream login_windows(events: [Login]) -> User
  from logins
  timestamp events.at
  window continuous
  by events.user_id
{
  id           = key
  failures     = events.where(failed).count()
  mean_seconds = events.mean(seconds)
}
"#;

const PAYMENTS: &str = r#"
source payments = kafka(topic: "payments")
message Payment { id: int, user: int?, amount: float, count: int, divisor: int, at: datetime }
features Transaction {
  id: int
  user: User.id?
  amount: float
  @time at: datetime
  count: int
  rest: int
  is_large: bool = amount > 100.0
}
features User {
  id: int
  transactions: [Transaction]
  spent: float over [10m, all] = transactions.sum(amount)
  large: int over [10m] = transactions.where(is_large).count()
  counted: int = transactions.sum(count)
  twice: int = counted * 2
  seen: int = transactions.count()
}
stream payment_stream(msg: Payment) -> Transaction
  from payments
  dedup msg.id within 1h
{
  id     = msg.id
  user   = msg.user
  amount = msg.amount
  at     = msg.at
  count  = msg.count
  rest   = 100 % msg.divisor
}
"#;

const CLICKS: &str = r#"
source clicks = kafka(topic: "clicks")
message Click { page: int, weight: float, at: datetime }
features Page { id: int, clicks: int over [1m, 3m], weight: float over [1m, 3m] }
stream clicks_per_page(events: [Click]) -> Page
  from clicks
  timestamp events.at
  window tumbling(allowed_lateness: 10s)
  by events.page
{
  id     = key
  clicks = events.count()
  weight = events.sum(weight)
}
"#;

fn session(program: &Arc<Program>) -> Session {
    Session::new(program, SessionOptions::for_tests()).expect("nothing is missing")
}

/// A session in which time is what messages say.
fn of_files(program: &Arc<Program>) -> Session {
    let options = SessionOptions { stores_all: true, ..SessionOptions::for_files() };
    Session::new(program, options).expect("nothing is missing")
}

fn login(user: i64, failed: bool, seconds: &str, at_us: i64) -> String {
    let at = format_datetime(at_us);
    format!(r#"{{"user_id": {user}, "failed": {failed}, "seconds": {seconds}, "at": "{at}"}}"#)
}

fn payment(id: i64, user: &str, amount: f64, at_us: i64) -> String {
    payment_with(id, user, amount, 1, 7, at_us)
}

fn payment_with(id: i64, user: &str, amount: f64, count: i64, divisor: i64, at_us: i64) -> String {
    let at = format_datetime(at_us);
    format!(
        r#"{{"id": {id}, "user": {user}, "amount": {amount:?}, "count": {count}, "divisor": {divisor}, "at": "{at}"}}"#
    )
}

fn click(page: i64, weight: f64, at_us: i64) -> String {
    format!(r#"{{"page": {page}, "weight": {weight:?}, "at": "{}"}}"#, format_datetime(at_us))
}

/// A feature's value in a query of the class's key.
fn feature(session: &mut Session, class: &str, key: i64, name: &str) -> Result<Value, String> {
    let program = Arc::clone(session.program());
    let manifest = program.manifest();
    let class_at = manifest.classes.iter().position(|known| known.name == class).expect("the class");
    let features = &manifest.classes[class_at].features;
    let position = features.iter().position(|known| known.name == name);
    let position = position.unwrap_or_else(|| panic!("{name} among {:?}", features.iter().map(|f| &f.name)));
    let values = session.query(class_at, &Value::Int(key.into()));
    values.into_iter().find(|(feature, _)| *feature == position).expect("all features").1
}

fn int(value: i128) -> Result<Value, String> {
    Ok(Value::Int(value))
}

fn push(session: &mut Session, message: &str) -> Fate {
    session.push(0, message.as_bytes(), &Envelope { topic: "topic", ..Envelope::default() }).fate
}

#[test]
fn a_continuous_window_forgets_to_the_microsecond() {
    let program = link(LOGINS);
    let mut session = session(&program);
    for (at, seconds) in [(0, "1.5"), (5, "null"), (9, "4.5")] {
        session.set_now(START + at * MINUTE);
        assert_eq!(push(&mut session, &login(1, true, seconds, START + at * MINUTE)), Fate::Applied);
    }
    push(&mut session, &login(1, false, "3.0", START + 9 * MINUTE));
    let mut at = |now_us: i64, name: &str| {
        session.set_now(now_us);
        feature(&mut session, "User", 1, name)
    };
    assert_eq!(at(START + 10 * MINUTE - 1, "failures[10m]"), int(3));
    assert_eq!(at(START + 10 * MINUTE, "failures[10m]"), int(2), "the window does not hold its start");
    assert_eq!(at(START + 10 * MINUTE, "mean_seconds[10m]"), Ok(Value::Float(3.75)), "nulls are passed over");
    assert_eq!(at(START + 10 * MINUTE, "is_under_attack"), Ok(Value::Bool(true)));
    assert_eq!(at(START + 19 * MINUTE, "failures[10m]"), int(0));
    assert_eq!(at(START + 19 * MINUTE, "mean_seconds[10m]"), Ok(Value::Null));
    assert_eq!(at(START + 19 * MINUTE, "failures[30m]"), int(3));
    assert_eq!(at(START + 5 * MINUTE - 1, "failures[30m]"), int(1), "events after now do not count yet");
    assert_eq!(session.keys(0), [Value::Int(1)]);
    assert_eq!(feature(&mut session, "User", 2, "failures[10m]"), int(0), "nobody heard of user 2");
}

#[test]
fn duplicates_are_found_before_their_expressions_fail_and_failed_messages_leave_no_key() {
    let program = link(PAYMENTS);
    let mut session = session(&program);
    session.set_now(START + MINUTE);
    let divided_by_zero = |id| payment_with(id, "1", 5.0, 1, 0, START);
    assert_eq!(push(&mut session, &divided_by_zero(1)), Fate::DeadLetter);
    assert_eq!(push(&mut session, &payment(1, "1", 5.0, START)), Fate::Applied, "the one before left no key");
    assert_eq!(push(&mut session, &divided_by_zero(1)), Fate::Duplicate);
    assert_eq!(push(&mut session, &payment(1, "1", 5.0, START + 59 * SECOND)), Fate::Duplicate);
    assert_eq!(push(&mut session, &payment(2, "1", 500.0, START)), Fate::Applied);
    assert_eq!(push(&mut session, &payment(3, "null", 7.0, START)), Fate::Applied, "of no user");
    assert_eq!(push(&mut session, "{"), Fate::DeadLetter);
    assert_eq!(feature(&mut session, "User", 1, "spent[10m]"), Ok(Value::Float(505.0)));
    assert_eq!(feature(&mut session, "User", 1, "spent[all]"), Ok(Value::Float(505.0)));
    assert_eq!(
        feature(&mut session, "User", 1, "large[10m]"),
        int(1),
        "a filter over an expression feature of the row"
    );
    assert_eq!(feature(&mut session, "User", 1, "seen"), int(2));
    let later = payment(1, "1", 5.0, START + 61 * MINUTE);
    session.set_now(START + 62 * MINUTE);
    assert_eq!(push(&mut session, &later), Fate::Applied, "the key is forgotten");
    assert_eq!(feature(&mut session, "User", 1, "seen"), int(3));
}

#[test]
fn messages_of_the_future_count_nowhere() {
    let program = link(LOGINS);
    let mut session = session(&program);
    session.set_now(START);
    let envelope = Envelope { topic: "logins", timestamp_us: Some(START), ..Envelope::default() };
    let hour = 60 * MINUTE;
    let fine = session.push(0, login(1, true, "1.0", START + hour).as_bytes(), &envelope);
    assert_eq!(fine.fate, Fate::Applied);
    let future = session.push(0, login(1, true, "1.0", START + hour + 1).as_bytes(), &envelope);
    assert_eq!(future.fate, Fate::DeadLetter);
    assert!(future.reason.as_ref().is_some_and(|reason| reason.starts_with("future: ")), "{future:?}");
    session.set_now(START + 2 * hour);
    assert_eq!(session.latest_event_us(), Some(START + hour));
    session.set_now(START + hour + 1);
    assert_eq!(feature(&mut session, "User", 1, "failures[10m]"), int(1));
}

#[test]
fn a_feature_that_fails_leaves_its_neighbours_alone() {
    let program = link(PAYMENTS);
    let mut session = session(&program);
    session.set_now(START + MINUTE);
    for id in 1..=2 {
        push(&mut session, &payment_with(id, "1", 1.0, i64::MAX, 7, START));
    }
    let counted = feature(&mut session, "User", 1, "counted");
    assert!(counted.as_ref().is_err_and(|reason| reason.contains("overflow")), "{counted:?}");
    let twice = feature(&mut session, "User", 1, "twice");
    assert!(twice.as_ref().is_err_and(|reason| reason.contains("overflow")), "what reads it fails too: {twice:?}");
    assert_eq!(feature(&mut session, "User", 1, "seen"), int(2));
    push(&mut session, &payment_with(3, "2", 1.0, i64::MAX / 2 + 1, 7, START));
    assert_eq!(feature(&mut session, "User", 2, "counted"), int(i128::from(i64::MAX / 2 + 1)));
    let twice = feature(&mut session, "User", 2, "twice");
    assert!(twice.as_ref().is_err_and(|reason| reason.contains("integer overflow")), "{twice:?}");
    assert_eq!(feature(&mut session, "User", 2, "seen"), int(1));
}

/// Rows of windows as `page end clicks weight`, in the order in which they came.
fn closed_rows(session: &mut Session, all: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut emit = |closed: &Closed| {
        assert!(closed.failures.is_empty(), "{:?}", closed.failures);
        for row in 0..closed.batch.num_rows() {
            let values: Vec<String> = (0..closed.batch.num_columns())
                .map(|at| value_at(closed.batch.column(at), &closed.types[at], row))
                .map(|value| match value {
                    Value::Int(value) => value.to_string(),
                    Value::Float(value) => format!("{value:?}"),
                    other => format!("{other:?}"),
                })
                .collect();
            let end = (closed.end_us - START) / MINUTE;
            lines.push(format!("{}m to {end}: {}", closed.window_us / MINUTE, values.join(" ")));
        }
    };
    if all {
        session.close_all(&mut emit)
    } else {
        session.advance(&mut emit)
    }
    lines
}

#[test]
fn a_tumbling_window_runs_once_and_what_comes_later_is_late() {
    let program = link(CLICKS);
    let mut session = of_files(&program);
    assert_eq!(push(&mut session, &click(7, 1.0, START)), Fate::Applied);
    assert_eq!(push(&mut session, &click(-3, 2.0, START + 59 * SECOND)), Fate::Applied);
    assert_eq!(push(&mut session, &click(7, 4.0, START + MINUTE + 10 * SECOND - 1)), Fate::Applied);
    assert_eq!(closed_rows(&mut session, false), Vec::<String>::new(), "a microsecond of lateness is left");
    assert_eq!(push(&mut session, &click(7, 8.0, START + 2)), Fate::Applied, "still open");
    assert_eq!(push(&mut session, &click(7, 16.0, START + MINUTE + 10 * SECOND)), Fate::Applied);
    // Late for one minute, in time for three.
    assert_eq!(push(&mut session, &click(7, 32.0, START + 3)), Fate::Applied);
    assert_eq!(closed_rows(&mut session, false), ["1m to 1: -3 1 2.0", "1m to 1: 7 2 9.0"]);
    assert_eq!(closed_rows(&mut session, false), Vec::<String>::new(), "once");
    assert_eq!(push(&mut session, &click(7, 64.0, START + 4 * MINUTE)), Fate::Applied);
    assert_eq!(push(&mut session, &click(7, 128.0, START + 3 * MINUTE - 1)), Fate::Late);
    assert_eq!(
        closed_rows(&mut session, false),
        ["1m to 2: 7 2 20.0", "3m to 3: -3 1 2.0", "3m to 3: 7 5 61.0"],
        "a message that was late for the shorter window counts in the longer one"
    );
    assert_eq!(feature(&mut session, "Page", 7, "clicks[1m]"), int(2));
    assert_eq!(feature(&mut session, "Page", 7, "weight[3m]"), Ok(Value::Float(61.0)));
    assert_eq!(closed_rows(&mut session, true), ["1m to 5: 7 1 64.0", "3m to 6: 7 1 64.0"]);
}

#[test]
fn a_partition_that_is_behind_holds_windows_open() {
    let program = link(CLICKS);
    let mut session = of_files(&program);
    let mut at = |partition: i64, page: i64, weight: f64, at_us: i64| {
        let envelope = Envelope { topic: "clicks", partition, ..Envelope::default() };
        session.push(0, click(page, weight, at_us).as_bytes(), &envelope).fate
    };
    assert_eq!(at(1, 5, 0.1, START), Fate::Applied);
    assert_eq!(at(0, 5, 0.2, START + 1), Fate::Applied);
    assert_eq!(at(1, 5, 0.3, START + 2), Fate::Applied);
    assert_eq!(at(0, 5, 1.0, START + 2 * MINUTE), Fate::Applied);
    assert_eq!(at(1, 5, 0.4, START + 3), Fate::Applied, "partition 1 is not further than that");
    assert_eq!(at(1, 5, 1.0, START + 2 * MINUTE), Fate::Applied);
    // Partition 0 first, then partition 1 in the order of its offsets.
    let sum = 0.2 + (0.1 + 0.3 + 0.4);
    assert_eq!(closed_rows(&mut session, false), [format!("1m to 1: 5 4 {sum:?}")]);
}

/// Many messages out of order, over partitions, some late, some twice.
fn many_clicks(seed: u64) -> Vec<(i64, String)> {
    let mut state = seed;
    let mut random = move |below: i64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as i64 % below
    };
    (0..600)
        .map(|step| {
            let at_us = START + step * 2 * SECOND - random(100) * SECOND;
            (random(3), click(random(4), random(1000) as f64 / 7.0, at_us))
        })
        .collect()
}

#[test]
fn batches_and_crashes_change_nothing() {
    let program = link(CLICKS);
    for seed in 1..=5u64 {
        let messages = many_clicks(seed);
        let mut expected = None;
        for (batch_rows, crash_every) in [(1, usize::MAX), (7, usize::MAX), (64, 2), (1, 50), (13, 3)] {
            let options = SessionOptions { stores_all: true, ..SessionOptions::for_files() };
            let mut session = Session::new(&program, options.clone()).expect("nothing is missing");
            session.keep_log();
            let mut fates = Vec::new();
            let mut lines = Vec::new();
            let mut offsets = [0; 3];
            let mut images = None;
            for (number, batch) in messages.chunks(batch_rows).enumerate() {
                let mut input = InputBatch::new();
                for (partition, message) in batch {
                    let offset = offsets[*partition as usize];
                    offsets[*partition as usize] += 1;
                    let envelope = Envelope { topic: "clicks", partition: *partition, offset, ..Envelope::default() };
                    input.push(message.as_bytes(), &envelope).expect("room");
                }
                fates.extend_from_slice(&session.push_batch(0, &input).status);
                if batch_rows == 1 || number % 2 == 1 {
                    lines.extend(closed_rows(&mut session, false));
                }
                if number % crash_every == crash_every - 1 {
                    // Images of some time ago, or of a moment after the log's end.
                    let snapshot = match images.take().filter(|_| number % 4 == 1) {
                        Some(old) => session.snapshot().with_images_of(&old),
                        None => session.checkpoint(),
                    };
                    session = Session::restore(&program, options.clone(), &snapshot).expect("it can be read");
                    images = Some(snapshot);
                }
            }
            lines.extend(closed_rows(&mut session, true));
            let result = (fates, lines);
            let same = expected.get_or_insert_with(|| result.clone());
            assert_eq!(result.0, same.0, "fates; seed {seed}, batches of {batch_rows}, a crash every {crash_every}");
            let sorted = |lines: &[String]| {
                let mut lines = lines.to_vec();
                lines.sort();
                lines
            };
            assert_eq!(sorted(&result.1), sorted(&same.1), "rows; seed {seed}, batches of {batch_rows}");
        }
    }
}

#[test]
fn dedup_keys_and_sums_survive_a_crash() {
    let program = link(PAYMENTS);
    let mut session = session(&program);
    session.keep_log();
    session.set_now(START + MINUTE);
    for id in 0..100 {
        assert_eq!(push(&mut session, &payment(id, "1", id as f64 / 3.0, START)), Fate::Applied);
    }
    let before = feature(&mut session, "User", 1, "spent[10m]");
    for snapshot in [session.snapshot(), session.checkpoint()] {
        let mut restored = Session::restore(&program, SessionOptions::for_tests(), &snapshot).expect("it can be read");
        assert_eq!(feature(&mut restored, "User", 1, "spent[10m]"), before, "to the bit");
        assert_eq!(push(&mut restored, &payment(5, "1", 1.0, START)), Fate::Duplicate);
        assert_eq!(push(&mut restored, &payment(100, "1", 1.0, START)), Fate::Applied);
        assert_eq!(feature(&mut restored, "User", 1, "seen"), int(101));
    }
}

const PROFILES: &str = r#"
source events = kafka(topic: "events")
message Named { id: int, name: string? }
message Signup { id: int, profile: int?, at: datetime }
message Visit { user: int, at: datetime }
features Profile { id: int, name: string, shout: string = upper(name) }
features Seen { id: int, user: User.id, @time at: datetime }
features User {
  id: int
  profile_id: Profile.id?
  profile: Profile
  seen: [Seen]
  greeting: string = "Hello " + (profile.shout ?? "you")
  visits: int over [1h] = seen.count()
}
stream profiles(msg: Named) -> Profile
  from events
{
  id   = msg.id
  name = msg.name ?? ""
}
stream users(msg: Signup) -> User
  from events
{
  id         = msg.id
  profile_id = msg.profile
}
stream visits(msg: Visit) -> Seen
  from events
{
  id   = msg.user
  user = msg.user
  at   = msg.at
}
stream signups(msg: Signup) -> Seen
  from events
{
  id   = msg.id
  user = msg.id
  at   = msg.at
}
"#;

#[test]
fn links_give_what_is_stored_there_and_resolvers_of_one_source_feed_the_same_windows() {
    let program = link(PROFILES);
    let mut session = session(&program);
    session.set_now(START + MINUTE);
    let resolver = |name: &str| program.manifest().resolvers.iter().position(|known| known.name == name).unwrap();
    let push = |session: &mut Session, name: &str, message: String| {
        session.push(resolver(name), message.as_bytes(), &Envelope { topic: "events", ..Envelope::default() })
    };
    let at = format_datetime(START);
    let text = |text: &str| Ok(Value::String(text.to_owned()));
    let signup = format!(r#"{{"id": 1, "profile": 7, "at": "{at}"}}"#);
    assert_eq!(push(&mut session, "users", signup.clone()).key, Some(Value::Int(1)));
    assert_eq!(feature(&mut session, "User", 1, "greeting"), text("Hello you"), "profile 7 is not known yet");
    push(&mut session, "profiles", r#"{"id": 7, "name": "Ann"}"#.to_owned());
    assert_eq!(feature(&mut session, "User", 1, "greeting"), text("Hello ANN"), "through its expression");
    push(&mut session, "users", format!(r#"{{"id": 2, "profile": null, "at": "{at}"}}"#));
    assert_eq!(feature(&mut session, "User", 2, "greeting"), text("Hello you"), "no profile at all");
    // The same offsets of one partition, by two resolvers: both count.
    push(&mut session, "signups", signup);
    push(&mut session, "visits", format!(r#"{{"user": 1, "at": "{at}"}}"#));
    push(&mut session, "visits", format!(r#"{{"user": 1, "at": "{at}"}}"#));
    assert_eq!(feature(&mut session, "User", 1, "visits[1h]"), int(3));
}

#[test]
fn windows_run_beside_workers_lose_no_message_and_count_none_twice() {
    let program = link(CLICKS);
    let options = KeeperOptions { is_one_log: false, ..KeeperOptions::in_memory(program.manifest()) };
    let keeper = Keeper::new(&program, options).expect("nothing is missing");
    // The wall clock stands still, so no partition is idle.
    let wall_us = START;
    (0..3).for_each(|partition| keeper.assign(0, partition, wall_us));
    let work = |partition: i64| {
        let mut executor = Executor::new(&program, 0, Tier::Scalar).expect("plans");
        let (mut input, mut log) = (InputBatch::new(), Vec::new());
        let mut applied = 0;
        for batch in 0..60 {
            input.clear();
            for row in 0..20 {
                let offset = batch * 20 + row;
                let at_us = START + offset * SECOND - (offset * 37 % 90) * SECOND;
                let envelope = Envelope { topic: "clicks", partition, offset, ..Envelope::default() };
                input.push(click(offset % 5, 1.0, at_us).as_bytes(), &envelope).expect("room");
            }
            executor.run(&input, wall_us);
            keeper.admit(0, &input, executor.output_mut(), wall_us, &mut log).expect("all is in memory");
            let fates = executor.output().fates;
            assert_eq!(fates.applied + fates.late, 20);
            applied += i128::from(fates.applied);
        }
        applied
    };
    let seen = Mutex::new(BTreeMap::new());
    let mut take = |closed: Closed| {
        let value = |column: usize, row: usize| match value_at(closed.batch.column(column), &closed.types[column], row)
        {
            Value::Int(value) => value,
            other => panic!("{other:?} is no int"),
        };
        for row in 0..closed.batch.num_rows() {
            let window = (closed.window_us, closed.start_us, value(0, row));
            let before = seen.lock().unwrap().insert(window, value(1, row));
            assert_eq!(before, None, "{window:?} was run twice");
        }
    };
    let mut log = Vec::new();
    let applied: i128 = std::thread::scope(|scope| {
        let work = &work;
        let workers: Vec<_> = (0..3).map(|partition| scope.spawn(move || work(partition))).collect();
        while !workers.iter().all(|worker| worker.is_finished()) {
            keeper.close_due(0, wall_us, &mut log, &mut take).expect("all is in memory");
            std::thread::yield_now();
        }
        workers.into_iter().map(|worker| worker.join().expect("it did not panic")).sum()
    });
    keeper.close_all(0, &mut log, &mut take).expect("all is in memory");
    let longest = |((window_us, _, _), _): &(&(i64, i64, i128), &i128)| *window_us == 3 * MINUTE;
    let counted: i128 = seen.lock().unwrap().iter().filter(longest).map(|(_, clicks)| clicks).sum();
    assert_eq!(counted, applied, "whatever was applied is in a window of three minutes, once");
    assert!(applied > 3000, "most are in time: {applied}");
}
