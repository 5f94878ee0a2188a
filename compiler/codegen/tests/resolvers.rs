//! What a resolver does with a message from the first `where` to the expression features.

mod support;

use chalk_artifact::manifest::KernelInput;
use chalk_engine::{Envelope, ExpressionExecutor};
use chalk_types::Value;
use support::{link, run, run_with};

const PIPELINE: &str = r#"
source events = kafka(topic: "events")

message Event { id: int, kind: string, amount: float?, at: int }

features Payment {
  id: int
  amount: float
  fee: float?
  total: float? = amount + fee
  is_large: bool = amount > 100.0
}

fn payment(raw: bytes) -> Event? = {
  let event = json_deserialize<Event>(raw[2..])
  if event.kind == "ping" then none else event
}

stream payments(msg: Event) -> Payment
  from events
  where header("kind") == b"payment"
  parse payment
  where msg.amount is not none
  timestamp from_unix_seconds(msg.at)
{
  id     = msg.id
  amount = msg.amount ?? 0.0
  fee    = if msg.amount > 10.0 then msg.amount * 0.5 else none
}
"#;

#[test]
fn every_message_meets_one_fate() {
    let payment: &[(&str, &[u8])] = &[("kind", b"other"), ("kind", b"payment")];
    let other: &[(&str, &[u8])] = &[("kind", b"payment"), ("kind", b"other")];
    let envelope = |headers| Envelope { topic: "events", headers, ..Envelope::default() };
    let lines = run_with(
        PIPELINE,
        &[
            (r#"v1{"id":1,"kind":"pay","amount":200,"at":5}"#, envelope(payment)),
            (r#"not even JSON"#, envelope(other)),
            (r#"v1{"id":2,"kind":"ping","amount":1,"at":5}"#, envelope(payment)),
            (r#"v1{"id":3,"kind":"pay","at":5}"#, envelope(payment)),
            (r#"v1{"id":"x","kind":"pay","at":5}"#, envelope(payment)),
            (r#"v1{"id":4,"kind":"pay","amount":4,"at":5}"#, envelope(payment)),
            (r#"no headers"#, envelope(&[])),
            (r#"v1{"id":5,"kind":"pay","amount":4,"at":9223372036854775807}"#, envelope(payment)),
        ],
    );
    assert_eq!(
        lines[0],
        r#"{"payment.id":1,"payment.amount":200.0,"payment.fee":100.0,"payment.total":300.0,"payment.is_large":true}"#
    );
    assert_eq!(lines[1], "filtered");
    assert_eq!(lines[2], "skipped");
    assert_eq!(lines[3], "filtered");
    assert!(lines[4].starts_with("failed: "), "{}", lines[4]);
    assert_eq!(
        lines[5],
        r#"{"payment.id":4,"payment.amount":4.0,"payment.fee":null,"payment.total":null,"payment.is_large":false}"#
    );
    assert_eq!(lines[6], "filtered");
    assert!(lines[7].starts_with("failed: "), "{}", lines[7]);
}

#[test]
fn expression_features_are_computed_from_stored_ones() {
    let program = link(PIPELINE);
    let mut executor = ExpressionExecutor::new(&program, 0).expect("plans").expect("the class has expressions");
    let mut stored = |amount: Value, fee: Value| {
        let row = [Value::Int(1), amount, fee, Value::Null, Value::Null];
        let values = executor.run(0, |input| match input {
            KernelInput::Feature(feature) => Ok(row[*feature as usize].clone()),
            other => panic!("nothing but features is read, not {other:?}"),
        });
        executor.features().iter().copied().zip(values).collect::<Vec<_>>()
    };
    let [(3, total), (4, is_large)] = &stored(Value::Float(200.0), Value::Float(1.0))[..] else {
        panic!("two features")
    };
    assert_eq!((total, is_large), (&Ok(Value::Float(201.0)), &Ok(Value::Bool(true))));
    let [(_, total), (_, is_large)] = &stored(Value::Null, Value::Float(1.0))[..] else { panic!("two features") };
    assert!(total.as_ref().is_err_and(|reason| reason.contains("payment.amount has no value")), "{total:?}");
    assert!(is_large.as_ref().is_err_and(|reason| reason.contains("payment.amount has no value")), "{is_large:?}");
    let [(_, total), _] = &stored(Value::Float(1.0), Value::Null)[..] else { panic!("two features") };
    assert_eq!(*total, Ok(Value::Null), "a null goes through");
}

#[test]
fn text_messages_are_the_message() {
    let source = r#"
source raw = kafka(topic: "raw_events")
features RawEvent { id: string, timestamp: datetime?, cleaned: string }
stream raw_events(msg: string) -> RawEvent
  from raw
{
  id        = json_value(msg, "$.id") as string
  timestamp = parse_datetime(json_value(msg, "$.metadata.timestamp"))
  cleaned   = trim(lower(msg))
}
"#;
    let lines = run(
        source,
        &[
            r#"  {"id": "A", "metadata": {"timestamp": "2024-01-01T00:00:00Z"}} "#,
            r#"{"metadata": 1}"#,
            r#"{"id": "B"}"#,
        ],
    );
    assert_eq!(
        lines[0],
        r#"{"raw_event.id":"A","raw_event.timestamp":"2024-01-01T00:00:00Z","raw_event.cleaned":"{\"id\": \"a\", \"metadata\": {\"timestamp\": \"2024-01-01t00:00:00z\"}}"}"#
    );
    assert_eq!(lines[1], "failed: a value is wanted, but it is null");
    assert!(lines[2].contains(r#""raw_event.timestamp":null"#), "{}", lines[2]);
}

#[test]
fn a_message_passed_through_a_function_stays_a_set_of_columns() {
    let source = r#"
source events = kafka(topic: "events")
message Inner { n: int, m: int? }
message Event { id: int, inner: Inner?, unread: string? }
features F { id: int, n: int?, m: int?, whole: bool }
fn pick(e: Event) -> Event? = if e.id > 0 then e else none
fn inside(e: Event) -> Inner? = e.inner
stream r(msg: Event) -> F
  from events
  parse pick
{
  id = msg.id
  n = inside(msg).n
  m = inside(msg).m
  whole = inside(msg) is none
}
"#;
    let lines = run(
        source,
        &[r#"{"id":1,"inner":{"n":2,"m":3}}"#, r#"{"id":2}"#, r#"{"id":0}"#, r#"{"id":3,"inner":{"n":4}}"#],
    );
    assert_eq!(lines[0], r#"{"f.id":1,"f.n":2,"f.m":3,"f.whole":false}"#);
    assert_eq!(lines[1], r#"{"f.id":2,"f.n":null,"f.m":null,"f.whole":true}"#);
    assert_eq!(lines[2], "skipped");
    assert_eq!(lines[3], r#"{"f.id":3,"f.n":4,"f.m":null,"f.whole":false}"#);
    let manifest = link(source);
    let resolver = &manifest.manifest().resolvers[0];
    let chalk_artifact::manifest::MessageInput::Json(plan) = &resolver.input else { panic!("a JSON message") };
    let paths: Vec<&[u32]> = plan.columns.iter().map(|column| column.path.as_slice()).collect();
    assert_eq!(paths, [&[0][..], &[1, 0], &[1, 1], &[1]], "only what is read becomes a column");
}

#[test]
fn many_rows_keep_their_neighbours() {
    let source = r#"
source events = kafka(topic: "events")
message M { a: int, s: string? }
features F { id: int, square: int, s: string? }
stream r(msg: M) -> F from events where msg.a % 3 != 0 { id = msg.a, square = msg.a * msg.a, s = msg.s }
"#;
    let messages: Vec<String> = (0..3000i64)
        .map(|n| match n % 7 {
            0 => format!(r#"{{"a": {}}}"#, i64::MAX - n * 3),
            _ => format!(r#"{{"a": {n}, "s": "text number {n}"}}"#),
        })
        .collect();
    let texts: Vec<&str> = messages.iter().map(String::as_str).collect();
    for (n, line) in run(source, &texts).iter().enumerate() {
        let expected = if n % 7 == 0 {
            // i64::MAX % 3 is 1, so these are never filtered, and always overflow.
            "failed: integer overflow".to_owned()
        } else if n % 3 == 0 {
            "filtered".to_owned()
        } else {
            format!(r#"{{"f.id":{n},"f.square":{},"f.s":"text number {n}"}}"#, n * n)
        };
        assert_eq!(*line, expected, "row {n}");
    }
}

#[test]
fn a_resolver_too_long_for_one_function_is_cut_and_means_the_same() {
    let count = 900;
    let mut source = String::from(
        "source e = kafka(topic: \"e\")\nmessage M { id: int, s: string?, list: [int] = [] }\nfeatures F {\n id: int\n",
    );
    for n in 0..count {
        source.push_str(&format!(" f{n}: int\n g{n}: string?\n"));
    }
    // What all parts read: a checked sum, a text, a list.
    source.push_str(
        "}\nfn shared(m: M) -> int = m.id * 3\nstream r(msg: M) -> F from e where shared(msg) > 2 {\n id = msg.id\n",
    );
    for n in 0..count {
        source.push_str(&format!(" f{n} = shared(msg) + {n} + (msg.list[1..][0] ?? 0)\n g{n} = upper(msg.s)\n"));
    }
    source.push_str("}\n");
    let overflow = format!(r#"{{"id": {}}}"#, (i64::MAX - 500) / 3);
    let messages = [
        r#"{"id": 0}"#,
        r#"{"id": 1, "s": "text"}"#,
        &overflow,
        r#"{"id": 2, "s": "a text beyond a view", "list": [1, 1000]}"#,
    ];
    let lines = run(&source, &messages);
    assert_eq!(lines[0], "filtered");
    assert_eq!(lines[2], "failed: integer overflow");
    for (line, base, text) in [(&lines[1], 3, "TEXT"), (&lines[3], 1006, "A TEXT BEYOND A VIEW")] {
        let fields: String = (0..count).map(|n| format!(r#","f.f{n}":{},"f.g{n}":"{text}""#, base + n)).collect();
        let id = if base == 3 { 1 } else { 2 };
        assert_eq!(*line, format!(r#"{{"f.id":{id}{fields}}}"#));
    }
}
