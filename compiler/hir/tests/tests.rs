//! `test` blocks: what the program keeps of them, and what is refused.

mod common;

use chalk_diagnostics::Code;
use chalk_hir::program::{Test, TestStepKind};
use chalk_types::Value;
use common::{accept, refuse};

/// A package with a resolver `r`, and tests.
fn package(tests: &str) -> String {
    format!(
        "source s = kafka(topic: \"t\")
enum Status {{ ok, failed }}
message Inner {{ a: int, b: string? }}
message M {{ id: int, name: string? }}
features F {{
  id: int
  name: string?
  status: Status?
  score: float?
  share: float32?
  shares: [float32]?
  price: decimal(12, 2)?
  @time at: datetime?
  day: date?
  clock: time?
  pause: duration?
  tags: [string]?
  point: [float; 2]?
  labels: map<string, int>?
  inner: Inner?
  twice: int = id * 2
}}
features G {{ id: string }}
stream r(msg: M) -> F
  from s
{{
  id     = msg.id
  name   = msg.name
  status = Status.ok
}}
{tests}
"
    )
}

/// The only test of a package that is right.
fn test(steps: &str) -> Test {
    let mut analysis = accept(&package(&format!("test \"t\" for r {{\n{steps}\n}}")));
    assert_eq!(analysis.program.tests.len(), 1);
    analysis.program.tests.remove(0)
}

/// What a test with these steps is refused for.
fn refused(steps: &str, code: Code, part: &str) {
    refuse(&package(&format!("test \"t\" for r {{\n{steps}\n}}")), &[code], &[part]);
}

/// The bytes of the only message.
fn message(given: &str) -> String {
    let test = test(&format!("  given {given}\n  expect applied"));
    let TestStepKind::Given { message, .. } = &test.steps[0].kind else { panic!("a message comes first") };
    String::from_utf8(message.clone()).expect("text")
}

/// What is expected of a feature.
fn expected(line: &str) -> Value {
    let test = test(&format!("  given {{ \"id\": 1 }}\n  expect {{ {line} }}"));
    let TestStepKind::Expect { values, .. } = &test.steps[1].kind else { panic!("values are expected") };
    values[0].1.clone()
}

#[test]
fn a_message_is_sent_as_it_is_written() {
    assert_eq!(
        message(
            "{ \"id\": 1, \"name\": null,\n    \"more\": [1.5, -2, true, {}, [], \"a\\\"b\\n\\u{1}é\"], \"big\": 100_000_000_000_000_000_000 }"
        ),
        "{\"id\":1,\"name\":null,\"more\":[1.5,-2,true,{},[],\"a\\\"b\\n\\u0001é\"],\"big\":100000000000000000000}"
    );
    // A key given twice is sent twice: what becomes of it is worth a test.
    assert_eq!(message("{ \"id\": 1, \"id\": 2 }"), "{\"id\":1,\"id\":2}");
    assert_eq!(message("[1, 2]"), "[1,2]");
    assert_eq!(message("null"), "null");
    // A literal alone is the message: it need not be JSON.
    assert_eq!(message("\"{broken\""), "{broken");
    assert_eq!(message("b\"\\x41\""), "A");
}

#[test]
fn headers_and_a_prefix_are_bytes() {
    let test = test(
        "  given { \"id\": 1 }
    header \"X-Type\" = \"User\"
    header \"X-Raw\" = b\"\\xff\"
    prefix b\"\\x00\\x01\"
  expect applied",
    );
    let TestStepKind::Given { message, headers } = &test.steps[0].kind else { panic!("a message comes first") };
    assert_eq!(message, b"\x00\x01{\"id\":1}");
    assert_eq!(headers, &[("X-Type".to_owned(), b"User".to_vec()), ("X-Raw".to_owned(), vec![0xff])]);
}

#[test]
fn what_json_has_no_word_for_is_refused() {
    refused("  given { \"id\": none }\n  expect applied", Code::E0602, "fix: `none` -> `null`");
    refused("  given { \"id\": True }\n  expect applied", Code::E0602, "fix: `True` -> `true`");
    refused("  given { id: 1 }\n  expect applied", Code::E0602, "fix: `id` -> `\"id\"`");
    refused("  given { \"id\": b\"x\" }\n  expect applied", Code::E0602, "JSON has no bytes");
    refused("  given { \"id\": 10m }\n  expect applied", Code::E0602, "write the number that is sent");
    refused("  given { \"id\": 1 + 1 }\n  expect applied", Code::E0602, "write the value that the expression has");
    refused("  given { \"id\": 1 }\n    header \"X\" = 1\n  expect applied", Code::E0602, "a text or bytes literal");
    refused("  given proto M { id: 1 }\n  expect applied", Code::E0100, "messages in other formats (`given proto …`)");
}

#[test]
fn times_are_rfc_3339_and_do_not_go_back() {
    let test = test(
        "  at \"2024-01-01T00:00:00Z\" given { \"id\": 1 }
  expect applied
  at \"2024-01-01T02:00:00+01:00\" expect F(1) { name = none }",
    );
    let times: Vec<Option<i64>> = test.steps.iter().map(|step| step.at_us).collect();
    assert_eq!(times, [Some(1_704_067_200_000_000), None, Some(1_704_070_800_000_000)]);
    refused("  at \"yesterday\" given { \"id\": 1 }\n  expect applied", Code::E0604, "is no RFC 3339 time");
    refused("  at \"2024-01-01T00:00:00\" given { \"id\": 1 }\n  expect applied", Code::E0604, "has no offset");
    refused("  at 5 given { \"id\": 1 }\n  expect applied", Code::E0604, "a text literal");
    refused(
        "  at \"2024-01-01T00:00:00Z\" given { \"id\": 1 }\n  at \"2023-12-31T23:59:59Z\" expect applied",
        Code::E0604,
        "it is 2024-01-01T00:00:00Z here",
    );
}

#[test]
fn expectations_have_the_type_of_the_feature() {
    assert_eq!(expected("name = none"), Value::Null);
    assert_eq!(expected("id = -5"), Value::Int(-5));
    assert_eq!(expected("twice = 4"), Value::Int(4));
    assert_eq!(expected("status = failed"), Value::Enum(1));
    assert_eq!(expected("status = Status.ok"), Value::Enum(0));
    assert_eq!(expected("score = 1"), Value::Float(1.0));
    assert_eq!(expected("share = 0.1"), Value::Float(f64::from(0.1f32)), "as it is kept");
    assert_eq!(expected("shares = [0.5, 1]"), Value::List(vec![Value::Float(0.5), Value::Float(1.0)]));
    assert!(matches!(expected("score = \"NaN\""), Value::Float(value) if value.is_nan()));
    assert_eq!(expected("score = \"-Infinity\""), Value::Float(f64::NEG_INFINITY));
    assert_eq!(expected("price = 1.5"), Value::Decimal(150));
    assert_eq!(expected("at = \"2023-11-14T22:13:20Z\""), Value::Datetime(1_700_000_000_000_000));
    assert_eq!(expected("day = \"1970-01-02\""), Value::Date(1));
    assert_eq!(expected("clock = \"00:00:01.5\""), Value::Time(1_500_000));
    assert_eq!(expected("pause = 1h30m"), Value::Duration(5_400_000_000));
    assert_eq!(
        expected("tags = [\"a\", \"b\"]"),
        Value::List(vec![Value::String("a".into()), Value::String("b".into())])
    );
    assert_eq!(expected("tags = []"), Value::List(vec![]));
    assert_eq!(expected("point = [1.0, 2.5]"), Value::List(vec![Value::Float(1.0), Value::Float(2.5)]));
    assert_eq!(expected("labels = { \"a\": 1 }"), Value::Map(vec![(Value::String("a".into()), Value::Int(1))]));
    assert_eq!(expected("inner = { a: 1 }"), Value::Struct(vec![Value::Int(1), Value::Null]));
    let refused =
        |line: &str, code, part| refused(&format!("  given {{ \"id\": 1 }}\n  expect {{ {line} }}"), code, part);
    refused("id = \"1\"", Code::E0201, "the feature `id` wants");
    refused("nmae = none", Code::E0405, "did you mean `name`?");
    refused("status = fialed", Code::E0116, "did you mean `failed`?");
    refused("at = \"soon\"", Code::E0606, "is no RFC 3339 time");
    refused("day = \"soon\"", Code::E0606, "is no date");
    refused("clock = \"soon\"", Code::E0606, "is no time of day");
    refused("point = [1.0]", Code::E0606, "the vector has 2 items, not 1");
    refused("inner = { b: \"x\" }", Code::E0606, "the field `a` is not there");
    refused("inner = { a: 1, c: 1 }", Code::E0107, "`Inner` has no field `c`");
    refused("score = round(1.5)", Code::E0606, "what a test expects is a literal");
    refused("id = 1, id = 1", Code::E0406, "first expected here");
    refused("name[10m] = none", Code::E0603, "`name` has no windows");
}

#[test]
fn an_expectation_is_about_a_message_or_a_key() {
    let test = test(
        "  expect G(\"a\") { id = none }\n  given { \"id\": 1 }\n  expect F { id = 1 }\n  expect F(2) { id = none }",
    );
    let keys: Vec<_> = test
        .steps
        .iter()
        .filter_map(|step| match &step.kind {
            TestStepKind::Expect { class, key, .. } => Some((*class, key.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(keys, [(1, Some(Value::String("a".into()))), (0, None), (0, Some(Value::Int(2)))]);
    refused("  expect { id = 1 }", Code::E0605, "no message was given before this");
    refused("  expect applied\n  given { \"id\": 1 }", Code::E0605, "give one first");
    refused("  given { \"id\": 1 }\n  expect G { id = \"a\" }", Code::E0605, "give the key: `expect G(…) { … }`");
    refused("  expect G(1) { id = \"a\" }", Code::E0201, "the key `id` wants `string`");
    refused("  expect H(1) { id = \"a\" }", Code::E0103, "there is no features class `H`");
    refused("  given { \"id\": 1 }\n  expect aplied", Code::E0603, "did you mean `applied`?");
    refused("  given { \"id\": 1 }", Code::E0603, "expects nothing");
}

#[test]
fn a_test_is_for_a_stream_resolver() {
    let body = " {\n  given { \"id\": 1 }\n  expect applied\n}";
    refuse(&package(&format!("test \"t\"{body}")), &[Code::E0601], &["fix: `` -> ` for r`"]);
    refuse(&package(&format!("test \"t\" for R{body}")), &[Code::E0601], &["did you mean `r`?"]);
    refuse(&package(&format!("test \"t\" for F{body}")), &[Code::E0601], &["is a features class", "`r`"]);
    let twice = format!("test \"t\" for r{body}\ntest \"t\" for r{body}");
    refuse(&package(&twice), &[Code::E0102], &["two tests are called \"t\"", "the first one"]);
    // A resolver that is wrong has its own diagnostics, and its tests none.
    let wrong = package(&format!("test \"t\" for r{body}")).replace("= msg.name", "= msg.nmae");
    refuse(&wrong, &[Code::E0107], &["did you mean `name`?"]);
}

#[test]
fn what_depends_on_the_time_is_asked_for_at_a_time() {
    let package = |features: &str, expected: &str| {
        format!(
            "source s = kafka(topic: \"t\")
message M {{ id: int, user: int, at: datetime }}
features Login {{ id: int, user_id: User.id, user: User, @time at: datetime, tries: int? = user.recent[10m] }}
features User {{ id: int, logins: [Login], recent: int over [10m, all] = logins.count(), {features} }}
stream r(msg: M) -> Login
  from s
{{
  id      = msg.id
  user_id = msg.user
  at      = msg.at
}}
test \"t\" for r {{
  given {{ \"id\": 1, \"user\": 7, \"at\": \"2024-01-01T00:00:00Z\" }}
  {expected}
}}
"
        )
    };
    for expected in ["expect User(7) { recent[10m] = 1 }", "expect User(7) { many = false }", "expect { tries = 1 }"] {
        let text = package("many: bool = recent[10m] > 1", expected);
        refuse(&text, &[Code::E0604], &["depends on the time, and it is not said"]);
        accept(&text.replace("  given", "  at \"2024-01-01T00:00:00Z\" given"));
    }
    accept(&package("total: int = logins.count()", "expect User(7) { recent[all] = 1, total = 1 }"));
    let of_windows = package("n: int = 1", "expect User(7) { recent = 1 }");
    refuse(&of_windows, &[Code::E0603], &["write `recent[10m]` or `recent[all]`"]);
    let no_window = package("n: int = 1", "expect User(7) { recent[1d] = 1 }");
    refuse(&no_window, &[Code::E0603], &["`recent` has no such window"]);
    refuse(&package("n: int = 1", "expect User(7) { logins = 1 }"), &[Code::E0603], &["is a link to `Login`"]);
    // A circle is one mistake, and comes to an end.
    refuse(&package("a: int = b, b: int = a", "expect User(7) { a = 1 }"), &[Code::E0408], &["reads itself"]);
}
