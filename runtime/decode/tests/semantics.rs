//! The rules of the language for JSON messages, one table per rule: what each value becomes, or the error with its path
//! and byte offset.

mod support;

use chalk_artifact::decode_plan::{FieldPlan, UnixUnit, Wanted};
use chalk_decode::{JsonType, Reason};
use chalk_types::{IntWidth, Kind, Value};
use support::*;

fn v(kind: Kind) -> FieldPlan {
    field("v", ty(kind))
}

fn int(value: i128) -> Result<Value, String> {
    Ok(Value::Int(value))
}

/// The error of decoding: path, offset, reason.
fn error(plan: &chalk_artifact::decode_plan::DecodePlan, bytes: impl AsRef<[u8]>) -> (String, usize, Reason) {
    let error = decode(plan, bytes.as_ref()).expect_err("a message that fails");
    (error.path, error.offset, error.reason)
}

#[test]
fn an_int_is_any_integral_number() {
    for (json, value) in [
        ("0", 0),
        ("-0", 0),
        ("1.0", 1),
        ("1e3", 1000),
        ("120e-1", 12),
        ("9223372036854775807", i128::from(i64::MAX)),
        ("-9223372036854775808", i128::from(i64::MIN)),
        ("1234567890123456789", 1_234_567_890_123_456_789),
    ] {
        assert_eq!(value_of(v(Kind::INT), json), int(value), "{json}");
    }
    for (json, reason) in [
        ("1.5", "has digits after the point that int cannot hold"),
        ("9223372036854775808", "out of the range of int"),
        ("-9223372036854775809", "out of the range of int"),
        ("99999999999999999999999", "out of the range of int"),
        ("1e400", "out of the range of int"),
        ("\"1\"", "expected int, found a string (`@lenient` on the field reads int from text)"),
        ("true", "expected int, found true or false"),
        ("[1]", "expected int, found an array"),
        ("{}", "expected int, found an object"),
        ("null", "null; expected int (a field that may be null is `int?`)"),
    ] {
        assert_eq!(value_of(v(Kind::INT), json), Err(format!("v: {reason} (byte 5)")), "{json}");
    }
}

#[test]
fn every_width_has_its_range() {
    for width in IntWidth::ALL {
        let (low, high) = width.range();
        for value in [low, high] {
            assert_eq!(value_of(v(Kind::Int(width)), &value.to_string()), int(value));
        }
        for value in [low - 1, high + 1] {
            let expected = Err(format!("v: out of the range of {} (byte 5)", width.name()));
            assert_eq!(value_of(v(Kind::Int(width)), &value.to_string()), expected);
        }
    }
}

#[test]
fn a_float_is_the_nearest_to_its_text() {
    for json in [
        "0",
        "-0",
        "-0.0",
        "1",
        "0.1",
        "1e3",
        "1E+3",
        "123456789012345678",
        "9007199254740993",
        "2.2250738585072011e-308",
        "1.7976931348623157e308",
        "5e-324",
        "1e-400",
        "3.141592653589793238462643383279",
        "0.000001",
        "1e22",
        "1e23",
        "-1.5e-7",
    ] {
        let Ok(Value::Float(found)) = value_of(v(Kind::Float64), json) else { panic!("{json}") };
        assert_eq!(found.to_bits(), json.parse::<f64>().unwrap().to_bits(), "{json}");
        let Ok(Value::Float(found)) = value_of(v(Kind::Float32), json.replace("308", "30").as_str()) else {
            panic!("{json}")
        };
        assert_eq!(found, f64::from(json.replace("308", "30").parse::<f32>().unwrap()), "{json}");
    }
    for json in ["1e400", "-1e400", "1.8e308"] {
        assert_eq!(value_of(v(Kind::Float64), json), Err("v: out of the range of float (byte 5)".into()));
    }
    assert_eq!(value_of(v(Kind::Float32), "1e39"), Err("v: out of the range of float32 (byte 5)".into()));
}

#[test]
fn a_decimal_is_exact_or_fails() {
    let decimal = || v(Kind::Decimal { precision: 6, scale: 2 });
    for (json, value) in
        [("1", 100), ("1.25", 125), ("-1.250", -125), ("1e3", 100_000), ("9999.99", 999_999), ("0e9", 0)]
    {
        assert_eq!(value_of(decimal(), json), Ok(Value::Decimal(value)), "{json}");
    }
    assert_eq!(
        value_of(decimal(), "1.005"),
        Err("v: has digits after the point that decimal(6, 2) cannot hold (byte 5)".into())
    );
    assert_eq!(value_of(decimal(), "10000"), Err("v: out of the range of decimal(6, 2) (byte 5)".into()));
    assert!(value_of(decimal(), "\"1\"").is_err());
    let wide = v(Kind::Decimal { precision: 38, scale: 0 });
    let digits = "9".repeat(38);
    assert_eq!(value_of(wide, &digits), Ok(Value::Decimal(digits.parse().unwrap())));
}

#[test]
fn text_is_unescaped_and_whole() {
    for (json, text) in [
        (r#""""#, ""),
        (r#""twelve bytes""#, "twelve bytes"),
        (r#""thirteen bytes, or a few more""#, "thirteen bytes, or a few more"),
        (r#""a\"b\\c\/d\b\f\n\r\t""#, "a\"b\\c/d\u{8}\u{c}\n\r\t"),
        (r#""\u0041\u00e9\u20AC\ud83d\ude00 and more text behind it""#, "Aé€😀 and more text behind it"),
        (r#""\u0000""#, "\0"),
        ("\"grüße aus köln, 東京 😀\"", "grüße aus köln, 東京 😀"),
        ("\"\u{7f}\"", "\u{7f}"),
    ] {
        assert_eq!(value_of(v(Kind::String), json), Ok(Value::String(text.into())), "{json}");
    }
    let plan = plan_of(vec![v(Kind::String)]);
    for (json, offset, reason) in [
        (r#"{"v":"\ud800"}"#, 6, Reason::LoneSurrogate),
        (r#"{"v":"\udc00"}"#, 6, Reason::LoneSurrogate),
        (r#"{"v":"ab\ud800\u0041"}"#, 8, Reason::LoneSurrogate),
        (r#"{"v":"\x"}"#, 6, Reason::BadEscape),
        (r#"{"v":"\u12g4"}"#, 6, Reason::BadEscape),
        ("{\"v\":\"a\nb\"}", 7, Reason::ControlCharacter { byte: b'\n' }),
        ("{\"v\":\"a", 7, Reason::UnexpectedEnd { expected: "the `\"` that closes the string" }),
    ] {
        assert_eq!(error(&plan, json), (String::new(), offset, reason), "{json}");
    }
    assert_eq!(value_of(v(Kind::String), "1"), Err("v: expected string, found a number (byte 5)".into()));
}

#[test]
fn lone_surrogates_fail_also_where_nobody_reads() {
    let plan = plan_of(vec![v(Kind::INT)]);
    assert_eq!(error(&plan, r#"{"v":1,"other":"\ud800"}"#).2, Reason::LoneSurrogate);
    assert_eq!(error(&plan, r#"{"v":1,"\ud800":1}"#).2, Reason::LoneSurrogate);
}

#[test]
fn bytes_are_base64() {
    for (json, bytes) in
        [("\"\"", &b""[..]), ("\"aGVsbG8=\"", b"hello"), ("\"aGVsbG8gaGVsbG8gaGVsbG8\"", b"hello hello hello")]
    {
        assert_eq!(value_of(v(Kind::Bytes), json), Ok(Value::Bytes(bytes.to_vec())));
    }
    assert_eq!(
        value_of(v(Kind::Bytes), "\"***\""),
        Err("v: not a bytes; expected base64 text such as \"aGVsbG8=\" (byte 5)".into())
    );
}

#[test]
fn times_are_text_or_integers_of_a_unit() {
    assert_eq!(value_of(v(Kind::Datetime), "\"1970-01-01T00:00:01Z\""), Ok(Value::Datetime(1_000_000)));
    assert_eq!(value_of(v(Kind::Date), "\"1970-01-02\""), Ok(Value::Date(1)));
    assert_eq!(value_of(v(Kind::Time), "\"00:00:01.5\""), Ok(Value::Time(1_500_000)));
    assert_eq!(value_of(v(Kind::Duration), "\"PT1M\""), Ok(Value::Duration(60_000_000)));
    assert!(value_of(v(Kind::Datetime), "\"1970-01-01T00:00:01\"").unwrap_err().contains("with an offset"));
    assert!(value_of(v(Kind::Datetime), "1").is_err());
    for (unit, json, value) in [
        (UnixUnit::Seconds, "1", 1_000_000),
        (UnixUnit::Seconds, "1.7e9", 1_700_000_000_000_000),
        (UnixUnit::Millis, "-1", -1_000),
        (UnixUnit::Micros, "1.0", 1),
        (UnixUnit::Nanos, "1499", 1),
        (UnixUnit::Nanos, "1500", 2),
        (UnixUnit::Nanos, "-1500", -1),
    ] {
        let at = |kind| FieldPlan { unix: Some(unit), ..v(kind) };
        assert_eq!(value_of(at(Kind::Datetime), json), Ok(Value::Datetime(value)), "{json} {unit:?}");
        assert_eq!(value_of(at(Kind::Duration), json), Ok(Value::Duration(value)), "{json} {unit:?}");
    }
    let seconds = || FieldPlan { unix: Some(UnixUnit::Seconds), ..v(Kind::Datetime) };
    assert_eq!(
        value_of(seconds(), "1.5"),
        Err("v: has digits after the point that datetime cannot hold (byte 5)".into())
    );
    assert_eq!(value_of(seconds(), "1e15"), Err("v: out of the range of datetime (byte 5)".into()));
    assert_eq!(value_of(seconds(), "\"1\""), Err("v: expected datetime, found a string (byte 5)".into()));
}

#[test]
fn an_enum_is_the_name_of_a_variant() {
    assert_eq!(value_of(v(status_enum()), "\"ok\""), Ok(Value::Enum(2)));
    assert_eq!(value_of(v(status_enum()), "\"\\u006fk\""), Ok(Value::Enum(2)));
    assert_eq!(
        value_of(v(status_enum()), "\"OK\""),
        Err("v: `OK` is no variant of Status; it has pending, failed, ok (byte 5)".into())
    );
    assert!(value_of(v(status_enum()), "2").is_err());
}

#[test]
fn lists_vectors_and_maps_say_which_item_is_wrong() {
    let ints = || v(list(ty(Kind::INT)));
    assert_eq!(value_of(ints(), "[]"), Ok(Value::List(vec![])));
    assert_eq!(value_of(ints(), "[ 1 , 2 ]"), Ok(Value::List(vec![Value::Int(1), Value::Int(2)])));
    assert_eq!(value_of(ints(), "[1,\"x\"]").unwrap_err().split(':').next(), Some("v[1]"));
    assert_eq!(
        value_of(ints(), "[1,null]"),
        Err("v[1]: null; expected int (a field that may be null is `int?`) (byte 8)".into())
    );
    let nulls = v(list(optional(Kind::INT)));
    assert_eq!(value_of(nulls, "[null,1]"), Ok(Value::List(vec![Value::Null, Value::Int(1)])));
    let lists = v(list(ty(list(ty(Kind::String)))));
    assert_eq!(
        value_of(lists.clone(), "[[\"a\"],[],[\"a long text that has no room inline\"]]"),
        Ok(Value::List(vec![
            Value::List(vec![Value::String("a".into())]),
            Value::List(vec![]),
            Value::List(vec![Value::String("a long text that has no room inline".into())]),
        ]))
    );
    assert!(value_of(lists, "[[\"a\"],[1]]").unwrap_err().starts_with("v[1][0]: expected string"));

    let vector = || v(Kind::Vector(Box::new(ty(Kind::Float32)), 2));
    assert_eq!(value_of(vector(), "[1,2.5]"), Ok(Value::List(vec![Value::Float(1.0), Value::Float(2.5)])));
    for (json, found) in [("[1]", 1), ("[1,2,3]", 3), ("[]", 0)] {
        assert_eq!(value_of(vector(), json), Err(format!("v: the array has {found} items; the vector has 2 (byte 5)")));
    }

    let labels = || v(map(Kind::String, ty(Kind::INT)));
    let entry = |key: &str, value| (Value::String(key.into()), Value::Int(value));
    assert_eq!(value_of(labels(), r#"{"a":1,"b":2}"#), Ok(Value::Map(vec![entry("a", 1), entry("b", 2)])));
    assert_eq!(value_of(labels(), r#"{"a":1,"b":2,"\u0061":3}"#), Ok(Value::Map(vec![entry("b", 2), entry("a", 3)])));
    assert_eq!(value_of(labels(), r#"{"a":"not read","a":3}"#), Ok(Value::Map(vec![entry("a", 3)])));
    assert!(
        value_of(labels(), r#"{"a":1,"k":"x"}"#).unwrap_err().starts_with("v[\"k\"]: expected int, found a string")
    );
    let by_number = || v(map(Kind::INT, ty(Kind::Bool)));
    assert_eq!(value_of(by_number(), r#"{"1":true}"#), Ok(Value::Map(vec![(Value::Int(1), Value::Bool(true))])));
    assert!(value_of(by_number(), r#"{"x":true}"#).unwrap_err().contains("a key that is a number"));
    let by_status = v(map(status_enum(), optional(Kind::Bool)));
    assert_eq!(value_of(by_status, r#"{"failed":null}"#), Ok(Value::Map(vec![(Value::Enum(1), Value::Null)])));
}

#[test]
fn a_map_of_many_keys_keeps_the_last_of_each() {
    let json: Vec<String> = (0..2_000).map(|index| format!("\"{}\":{index}", index % 700)).collect();
    let Ok(Value::Map(entries)) = value_of(v(map(Kind::INT, ty(Kind::INT))), &format!("{{{}}}", json.join(","))) else {
        panic!("a map")
    };
    assert_eq!(entries.len(), 700);
    assert!(entries.iter().enumerate().all(|(index, entry)| entry.1 == Value::Int(1_300 + index as i128)));
}

#[test]
fn absent_null_and_default_are_three_things() {
    let required = || plan_of(vec![field("a", ty(Kind::INT)), field("b", ty(Kind::INT))]);
    assert_eq!(error(&required(), r#"{"a":1 }"#), ("b".into(), 7, Reason::Missing));
    assert_eq!(error(&required(), r#"{"a":1,"b":null}"#), ("b".into(), 11, Reason::Null { expected: Kind::INT }));
    let default = || FieldPlan { default: Some(Value::Int(7)), ..field("v", optional(Kind::INT)) };
    let plan = plan_of(vec![default()]);
    assert_eq!(decode(&plan, b"{}").unwrap(), [Value::Int(7)]);
    assert_eq!(decode(&plan, b"{\"v\":null}").unwrap(), [Value::Null]);
    assert_eq!(decode(&plan, b"{\"v\":1}").unwrap(), [Value::Int(1)]);
    let strict_default = FieldPlan { default: Some(Value::Int(7)), ..v(Kind::INT) };
    assert!(value_of(strict_default, "null").is_err());
    let text = FieldPlan { default: Some(Value::String("a default longer than a view".into())), ..v(Kind::String) };
    assert_eq!(decode(&plan_of(vec![text]), b"{}").unwrap(), [Value::String("a default longer than a view".into())]);
    let many = FieldPlan { default: Some(Value::List(vec![Value::Int(1), Value::Int(2)])), ..v(list(ty(Kind::INT))) };
    assert_eq!(decode(&plan_of(vec![many]), b"{}").unwrap(), [Value::List(vec![Value::Int(1), Value::Int(2)])]);
}

#[test]
fn the_last_of_two_keys_wins_and_the_first_is_only_checked_as_json() {
    let plan = plan_of(vec![v(Kind::INT)]);
    assert_eq!(decode(&plan, br#"{"v":1,"v":2}"#).unwrap(), [Value::Int(2)]);
    assert_eq!(decode(&plan, br#"{"v":"x","v":2}"#).unwrap(), [Value::Int(2)]);
    assert_eq!(decode(&plan, br#"{"v":1,"\u0076":2}"#).unwrap(), [Value::Int(2)]);
    assert_eq!(error(&plan, r#"{"v":1,"v":null}"#).0, "v");
    assert_eq!(decode(&plan, br#"{"V":"x","v":2,"":3}"#).unwrap(), [Value::Int(2)]);
}

fn contact() -> chalk_artifact::decode_plan::MessagePlan {
    message("ContactInfo", vec![field("phone", ty(Kind::String)), field("email", optional(Kind::String))])
}

#[test]
fn nested_messages_give_leaves_presence_and_wholes() {
    let root = message("User", vec![field("id", ty(Kind::INT)), nested("contact", contact(), optional)]);
    let columns = vec![
        column(&root, &["id"], Wanted::Value),
        column(&root, &["contact", "email"], Wanted::Value),
        column(&root, &["contact"], Wanted::Presence),
        column(&root, &["contact"], Wanted::Value),
        column(&root, &[], Wanted::Value),
    ];
    let plan = plan(root, columns);
    let (text, none) = (|text: &str| Value::String(text.into()), Value::Null);
    let inner = Value::Struct(vec![text("1"), text("a@b")]);
    assert_eq!(
        decode(&plan, br#"{"contact":{"email":"a@b","phone":"1"},"id":5}"#).unwrap(),
        [Value::Int(5), text("a@b"), Value::Bool(true), inner.clone(), Value::Struct(vec![Value::Int(5), inner])]
    );
    for json in [&br#"{"id":5,"contact":null}"#[..], br#"{"id":5}"#] {
        let whole = Value::Struct(vec![Value::Int(5), none.clone()]);
        assert_eq!(
            decode(&plan, json).unwrap(),
            [Value::Int(5), none.clone(), Value::Bool(false), none.clone(), whole]
        );
    }
    assert_eq!(error(&plan, r#"{"id":5,"contact":{"email":"x"}}"#), ("contact.phone".into(), 30, Reason::Missing));
    let (path, offset, reason) = error(&plan, r#"{"id":5,"contact":[]}"#);
    assert_eq!((path.as_str(), offset), ("contact", 18));
    assert!(matches!(reason, Reason::WrongType { found: JsonType::Array, .. }));
    // The last of two objects wins as a whole.
    let json = r#"{"id":5,"contact":{"phone":"1","email":"x"},"contact":{"phone":"2"}}"#;
    assert_eq!(decode(&plan, json.as_bytes()).unwrap()[1], none);
}

#[test]
fn what_nobody_reads_is_only_checked_as_json() {
    let root = message("User", vec![field("id", ty(Kind::INT)), nested("contact", contact(), ty)]);
    let only_presence = plan(root.clone(), vec![column(&root, &["contact"], Wanted::Presence)]);
    assert_eq!(decode(&only_presence, br#"{"contact":7}"#).unwrap(), [Value::Bool(true)]);
    assert_eq!(error(&only_presence, "{}").0, "contact");
    let only_email = plan(root.clone(), vec![column(&root, &["contact", "email"], Wanted::Value)]);
    let json = br#"{"contact":{"email":"x"},"id":"no int","deep":[[{"a":[1e999,-0.5E+3,true,null]}]]}"#;
    assert_eq!(decode(&only_email, json).unwrap(), [Value::String("x".into())]);
    assert_eq!(error(&only_email, r#"{"contact":{"email":"x"},"id":01}"#).1, 31);
    let nothing = plan(root, vec![]);
    assert_eq!(decode(&nothing, b" {\"id\" : \"x\"}\r\n").unwrap(), []);
    assert!(matches!(error(&nothing, "[]").2, Reason::WrongType { found: JsonType::Array, .. }));
}

#[test]
fn lists_of_messages_are_read_field_by_field() {
    let line = message("Line", vec![field("sku", ty(Kind::String)), field("amount", optional(Kind::Float64))]);
    let plan = plan_of(vec![nested("lines", line, |kind| ty(list(ty(kind))))]);
    let json = br#"{"lines":[{"sku":"a"},{"amount":1.5,"sku":"b"}]}"#;
    assert_eq!(
        decode(&plan, json).unwrap(),
        [Value::List(vec![
            Value::Struct(vec![Value::String("a".into()), Value::Null]),
            Value::Struct(vec![Value::String("b".into()), Value::Float(1.5)]),
        ])]
    );
    assert_eq!(error(&plan, r#"{"lines":[{"sku":"a"},{}]}"#), ("lines[1].sku".into(), 23, Reason::Missing));
    assert_eq!(error(&plan, r#"{"lines":[{"sku":"a","amount":"x"}]}"#).0, "lines[0].amount");
}

#[test]
fn a_message_is_one_json_object_in_utf_8() {
    let plan = plan_of(vec![v(Kind::INT)]);
    let end = |expected| Reason::UnexpectedEnd { expected };
    let byte = |byte, expected| Reason::UnexpectedByte { byte, expected };
    for (bytes, offset, reason) in [
        (&b""[..], 0, end("a value")),
        (b"  ", 2, end("a value")),
        (b"\xef\xbb\xbf{}", 0, Reason::ByteOrderMark),
        (b"{\"v\":1}x", 7, Reason::TrailingBytes),
        (b"{\"v\":1} {}", 8, Reason::TrailingBytes),
        (b"{\"v\":1,\"w\":\"\xff\"}", 12, Reason::NotUtf8),
        (b"{\"v\":1,\"\xed\xa0\x80\":1}", 8, Reason::NotUtf8),
        (b"{\"v\":1,}", 7, byte(b'}', "a key")),
        (b"{\"v\":1", 6, end("`,` or `}`")),
        (b"{\"v\" 1}", 5, byte(b'1', "`:`")),
        (b"{v:1}", 1, byte(b'v', "a key or `}`")),
        (b"{\"v\":}", 5, byte(b'}', "a value")),
        (b"{\"v\":+1}", 5, byte(b'+', "a value")),
        (b"{\"v\":01}", 6, byte(b'1', "`,` or `}`")),
        (b"{\"v\":1.}", 7, byte(b'}', "a digit")),
        (b"{\"v\":-}", 6, byte(b'}', "a digit")),
        (b"{\"v\":1e}", 7, byte(b'}', "a digit")),
        (b"{\"v\":nul}", 8, byte(b'}', "`null`")),
        (b"{\"v\":1,\"w\":[1,]}", 14, byte(b']', "a value")),
        (b"{\"v\":1,\"w\":[1 2]}", 14, byte(b'2', "`,` or `]`")),
        (b"{\"v\":1]", 6, byte(b']', "`,` or `}`")),
        (b"{\"v\":1\x0c}", 6, byte(0x0c, "`,` or `}`")),
    ] {
        assert_eq!(error(&plan, bytes), (String::new(), offset, reason), "{}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(decode(&plan, b"\t\n\r {\"v\"\n:\t1 }\r\n ").unwrap(), [Value::Int(1)]);
}

#[test]
fn limits_hold() {
    let nested = |depth: usize| format!("{{\"v\":1,\"w\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    let mut plan = plan_of(vec![v(Kind::INT)]);
    assert!(decode(&plan, nested(128).as_bytes()).is_ok());
    assert_eq!(error(&plan, nested(129)), (String::new(), 11 + 127, Reason::TooDeep { limit: 128 }));
    assert!(matches!(error(&plan, "{\"v\":".repeat(100_000)).2, Reason::TooDeep { limit: 128 }));
    plan.max_depth = 3;
    assert!(decode(&plan, nested(3).as_bytes()).is_ok());
    assert_eq!(error(&plan, nested(4)).2, Reason::TooDeep { limit: 3 });
    plan.max_message_bytes = 10;
    assert!(decode(&plan, b"{\"v\":1234}").is_ok());
    let reason = Reason::TooLarge { size_bytes: 11, limit_bytes: 10 };
    assert_eq!(error(&plan, "{\"v\":12345}"), (String::new(), 10, reason));
}

#[test]
fn relaxed_checks_only_what_is_read() {
    let mut plan = plan_of(vec![v(Kind::INT), field("s", optional(Kind::String))]);
    plan.strict = false;
    for json in [
        &b"{\"v\":1,\"w\":\"\xff\\q\"}"[..],
        b"{\"v\":1,\"w\":01}",
        b"{\"v\":1,\"w\":[1,,]}",
        b"{\"w\":nonsense,\"v\":1}",
    ] {
        assert_eq!(decode(&plan, json).unwrap()[0], Value::Int(1), "{}", String::from_utf8_lossy(json));
    }
    for (json, path, offset) in [
        (&b"{\"v\":1x}"[..], "v", 6),
        (b"{\"v\":01}", "v", 6),
        (b"{\"v\":1} x", "", 8),
        (b"{\"v\":1", "", 6),
        (b"{\"v\":1,\"s\":\"a\xff\"}", "s", 13),
        (b"{\"v\":nul}", "v", 8),
        (b"{\"v\":1,\"s\":\"\\q\"}", "s", 12),
    ] {
        let error = error(&plan, json);
        assert_eq!((error.0.as_str(), error.1), (path, offset), "{}", String::from_utf8_lossy(json));
    }
}

#[test]
fn lenient_reads_as_pydantic_does() {
    let lenient = |kind| FieldPlan { lenient: true, ..v(kind) };
    for (json, value) in
        [("\"12\"", 12), ("\" +1_000 \"", 1000), ("\"007\"", 7), ("\"1.0\"", 1), ("true", 1), ("false", 0), ("-5", -5)]
    {
        assert_eq!(value_of(lenient(Kind::INT), json), int(value), "{json}");
    }
    for json in ["\"1.5\"", "\"\"", "\"x\"", "\"1 2\"", "\"_1\"", "1.5", "[]"] {
        assert!(value_of(lenient(Kind::INT), json).is_err(), "{json}");
    }
    for (json, value) in [("\"1.5\"", 1.5), ("true", 1.0), ("\"-Infinity\"", f64::NEG_INFINITY), ("\" 2 \"", 2.0)] {
        assert_eq!(value_of(lenient(Kind::Float64), json), Ok(Value::Float(value)), "{json}");
    }
    assert!(matches!(value_of(lenient(Kind::Float64), "\"nan\""), Ok(Value::Float(value)) if value.is_nan()));
    for (json, value) in [
        ("\"YES\"", true),
        ("\"on\"", true),
        ("\"t\"", true),
        ("1", true),
        ("1.0", true),
        ("\"Off\"", false),
        ("0", false),
        ("\"n\"", false),
    ] {
        assert_eq!(value_of(lenient(Kind::Bool), json), Ok(Value::Bool(value)), "{json}");
    }
    for json in ["2", "\"maybe\"", "0.5"] {
        assert!(value_of(lenient(Kind::Bool), json).is_err(), "{json}");
    }
    assert_eq!(value_of(lenient(Kind::Decimal { precision: 5, scale: 2 }), "\"1.25\""), Ok(Value::Decimal(125)));
    assert_eq!(value_of(lenient(Kind::Datetime), "1700000000"), Ok(Value::Datetime(1_700_000_000_000_000)));
    assert_eq!(value_of(lenient(Kind::Datetime), "\"1700000000000\""), Ok(Value::Datetime(1_700_000_000_000_000)));
    assert_eq!(value_of(lenient(Kind::Duration), "1.5"), Ok(Value::Duration(1_500_000)));
    assert!(value_of(lenient(Kind::String), "1").is_err(), "pydantic's lax mode makes no text of numbers");
}
