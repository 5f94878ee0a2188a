//! Operators natively: one expression, one message, one answer.

mod support;

use support::run;

/// The value of an expression over a message with every kind of field, as JSON, or how the row ended.
fn value(ty: &str, expression: &str, message: &str) -> String {
    let source = format!(
        r#"
source events = kafka(topic: "events")
enum Status {{ pending, failed, ok }}
message Inner {{ n: int, text: string, maybe: int? }}
message M {{
  a: int = 0
  b: int = 0
  x: float = 0.0
  y: float = 0.0
  small: int8 = 0
  big: uint64 = 0
  s: string = ""
  t: string = ""
  flag: bool = false
  i: int?
  j: int?
  f: float?
  name: string?
  maybe: bool?
  other: bool?
  status: Status?
  at: datetime?
  day: date?
  price: decimal(10, 2)?
  inner: Inner?
  list: [int] = []
  names: [string?] = []
  inners: [Inner] = []
  map: map<string, int>?
}}
features F {{
  @primary key: int
  value: {ty}
}}
stream r(msg: M) -> F from events {{
  key = 1
  value = {expression}
}}
"#
    );
    let line = run(&source, &[message]).remove(0);
    match line.strip_prefix(r#"{"f.key":1,"f.value":"#).and_then(|rest| rest.strip_suffix('}')) {
        Some(value) => value.to_owned(),
        None => line,
    }
}

/// Checks several expressions of one type over one message.
#[track_caller]
fn check(ty: &str, message: &str, cases: &[(&str, &str)]) {
    for (expression, expected) in cases {
        assert_eq!(value(ty, expression, message), *expected, "{expression} over {message}");
    }
}

#[test]
fn integers_are_checked() {
    let m = r#"{"a": 9223372036854775807, "b": -9223372036854775808, "small": -7, "big": 18446744073709551615}"#;
    check(
        "int",
        m,
        &[
            ("msg.a + 0", "9223372036854775807"),
            ("msg.a + 1", "failed: integer overflow"),
            ("msg.b - 1", "failed: integer overflow"),
            ("msg.a * 2", "failed: integer overflow"),
            ("-msg.b", "failed: integer overflow"),
            ("-msg.a", "-9223372036854775807"),
            ("msg.b % -1", "0"),
            ("msg.small % 4", "-3"),
            ("msg.small % 0", "failed: division by zero"),
            ("msg.small + msg.small", "-14"),
            ("msg.a + 1 - 1", "failed: integer overflow"),
            ("recover(msg.a + 1, 5)", "5"),
            ("recover(msg.a - 1, 5)", "9223372036854775806"),
        ],
    );
    check(
        "uint64",
        m,
        &[("msg.big + 1", "failed: integer overflow"), ("msg.big % 10", "5"), ("msg.big - 1", "18446744073709551614")],
    );
}

#[test]
fn null_operands_make_results_null_and_never_fail() {
    let m = r#"{"a": 9223372036854775807, "i": null, "j": 4}"#;
    check(
        "int?",
        m,
        &[
            ("msg.i + msg.a", "null"),
            ("msg.j + 1", "5"),
            ("msg.i % 0", "null"),
            ("-msg.i", "null"),
            ("msg.i ?? msg.j", "4"),
            ("msg.i ?? 9", "9"),
            ("msg.j ?? msg.a + 1", "4"),
            ("msg.i ?? msg.a + 1", "failed: integer overflow"),
            ("if msg.i > 3 then 1 else 2", "2"),
            ("if msg.j > 3 then msg.i else 2", "null"),
            ("msg.inner.n", "null"),
            ("msg.inner.maybe", "null"),
        ],
    );
}

#[test]
fn floats_follow_ieee_but_order_nan_on_top() {
    let m = r#"{"x": 7.5, "y": -2.0, "a": 3}"#;
    check(
        "float",
        m,
        &[
            ("msg.x / 0", "\"Infinity\""),
            ("0.0 / (msg.y - msg.y)", "\"NaN\""),
            ("msg.x % msg.y", "1.5"),
            ("-msg.x % msg.y", "-1.5"),
            ("msg.x ** 2", "56.25"),
            ("msg.a / 2", "1.5"),
            ("msg.x + msg.a", "10.5"),
            ("abs(msg.y)", "2.0"),
            ("floor(msg.x)", "7.0"),
            ("sqrt(msg.x + 1.5)", "3.0"),
        ],
    );
    let nan = "(0.0 / (msg.y - msg.y))";
    for (expression, expected) in [
        ("NAN == NAN", "true"),
        ("NAN > 1e308", "true"),
        ("NAN < 1.0", "false"),
        ("NAN <= NAN", "true"),
        ("NAN < NAN", "false"),
        ("1.0 < NAN", "true"),
        ("NAN >= 1.0", "true"),
        ("1.0 >= NAN", "false"),
        ("NAN != NAN", "false"),
    ] {
        assert_eq!(value("bool", &expression.replace("NAN", nan), m), expected, "{expression}");
    }
}

#[test]
fn logic_has_three_values() {
    let three = [("true", Some(true)), ("false", Some(false)), ("null", None)];
    let show = |value: Option<bool>| value.map_or("null".to_owned(), |value| value.to_string());
    for (left_text, left) in three {
        for (right_text, right) in three {
            let m = format!(r#"{{"maybe": {left_text}, "other": {right_text}}}"#);
            let and = match (left, right) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            };
            let or = match (left, right) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            };
            assert_eq!(value("bool?", "msg.maybe and msg.other", &m), show(and), "{m}");
            assert_eq!(value("bool?", "msg.maybe or msg.other", &m), show(or), "{m}");
            assert_eq!(value("bool", "msg.maybe == msg.other", &m), (left == right).to_string(), "{m}");
            assert_eq!(value("bool", "msg.maybe != msg.other", &m), (left != right).to_string(), "{m}");
        }
    }
    check("bool?", r#"{"maybe": true}"#, &[("not msg.maybe", "false"), ("not msg.other", "null")]);
}

#[test]
fn the_right_side_runs_only_where_it_matters() {
    let m = r#"{"a": 9223372036854775807, "flag": false, "maybe": true}"#;
    check(
        "bool?",
        m,
        &[
            ("msg.flag and msg.a + 1 > 0", "false"),
            ("not msg.flag or msg.a + 1 > 0", "true"),
            ("msg.flag or msg.a + 1 > 0", "failed: integer overflow"),
            ("msg.maybe or msg.a + 1 > 0", "true"),
            ("if msg.flag then msg.a + 1 > 0 else false", "false"),
        ],
    );
}

#[test]
fn texts_compare_by_bytes_and_short_constants_by_words() {
    for text in [
        "",
        "a",
        "ab",
        "abc",
        "abcd",
        "abcdefg",
        "abcdefgh",
        "abcdefghi",
        "abcdefghijklmnopqrstuvwxyz012345",
        "a text that is longer than thirty-two bytes, so a helper compares it",
    ] {
        let m = format!(r#"{{"s": "{text}", "t": "{text}"}}"#);
        let longer = format!("{text}z");
        check(
            "bool",
            &m,
            &[
                ("msg.s == msg.t", "true"),
                (&format!("msg.s == \"{text}\""), "true"),
                (&format!("msg.s == \"{longer}\""), "false"),
                (&format!("msg.s < \"{longer}\""), "true"),
                (&format!("msg.s >= \"{text}\""), "true"),
                ("msg.s != msg.t", "false"),
            ],
        );
        if !text.is_empty() {
            let mut other = text.to_owned();
            other.replace_range(text.len() - 1.., "!");
            check(
                "bool",
                &m,
                &[(&format!("msg.s == \"{other}\""), "false"), (&format!("msg.s > \"{other}\""), "true")],
            );
        }
    }
    check(
        "bool?",
        r#"{"s": "x"}"#,
        &[("msg.name < \"x\"", "null"), ("msg.name == \"x\"", "false"), ("msg.name is none", "true")],
    );
}

#[test]
fn texts_of_every_length_come_out_as_they_went_in() {
    for length in 0..40 {
        let text: String = ('a'..='z').cycle().take(length).collect();
        let m = format!(r#"{{"s": "{text}", "name": "{text}"}}"#);
        check("string", &m, &[("msg.s", &format!("\"{text}\"")), ("msg.s + \"\"", &format!("\"{text}\""))]);
        check("string?", &m, &[("msg.name", &format!("\"{text}\"")), ("if msg.flag then msg.s else none", "null")]);
    }
}

#[test]
fn text_is_joined_sliced_and_looked_up() {
    let m = r#"{"s": "héllo", "t": "wörld", "list": [10, 20, 30], "names": ["a", null, "c"], "map": {"k": 7, "n": 8}}"#;
    check(
        "string",
        m,
        &[
            ("msg.s + \" \" + msg.t", "\"héllo wörld\""),
            ("msg.s[1..3]", "\"él\""),
            ("msg.s[-2..]", "\"lo\""),
            ("msg.s[3..1]", "\"\""),
            ("msg.s[..-1]", "\"héll\""),
            ("upper(msg.s)", "\"HÉLLO\""),
        ],
    );
    check(
        "int?",
        m,
        &[
            ("msg.list[0]", "10"),
            ("msg.list[-1]", "30"),
            ("msg.list[3]", "null"),
            ("msg.list[-4]", "null"),
            ("msg.list[1..][0]", "20"),
            ("msg.list[-2..-1][0]", "20"),
            ("msg.map[\"k\"]", "7"),
            ("msg.map[\"z\"]", "null"),
            ("[1, msg.a, 3][2]", "3"),
            ("(msg.list + [40])[3]", "40"),
        ],
    );
    check("string?", m, &[("msg.names[0]", "\"a\""), ("msg.names[1]", "null"), ("msg.names[9] ?? \"no\"", "\"no\"")]);
    check("[int]", m, &[("msg.list[1..]", "[20,30]"), ("msg.list", "[10,20,30]"), ("[msg.a, 5]", "[0,5]")]);
}

#[test]
fn membership_is_null_only_where_a_null_might_have_been_it() {
    let m = r#"{"a": 20, "s": "c", "list": [10, 20, 30], "names": ["a", null, "c"]}"#;
    check(
        "bool?",
        m,
        &[
            ("msg.a in [10, 20]", "true"),
            ("msg.a in [10, 30]", "false"),
            ("msg.i in [10, 30]", "null"),
            ("msg.a in msg.list", "true"),
            ("msg.b in msg.list", "false"),
            ("msg.s in msg.names", "true"),
            ("\"x\" in msg.names", "null"),
            ("\"x\" in [\"y\", msg.name]", "null"),
            ("\"y\" in [\"y\", msg.name]", "true"),
            ("msg.a in [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]", "true"),
            ("msg.b in [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]", "false"),
        ],
    );
}

#[test]
fn casts_are_exact_or_fail_or_give_null() {
    let m = r#"{"a": 300, "x": 2.0, "y": 2.5, "s": " 42 ", "t": "nope", "big": 18446744073709551615, "i": null, "status": "failed", "day": "2024-02-29"}"#;
    check(
        "int8?",
        m,
        &[("msg.a as int8?", "null"), ("msg.b as int8?", "0"), ("msg.t as int8?", "null"), ("msg.s as int8?", "42")],
    );
    let fits = "failed: the value does not fit `int8`";
    check("int8", m, &[("msg.a as int8", fits), ("msg.x as int8", "2")]);
    check(
        "int",
        m,
        &[
            ("msg.x as int", "2"),
            ("msg.y as int", "failed: the value does not fit `int`"),
            ("msg.s as int", "42"),
            ("msg.big as int", "failed: the value does not fit `int`"),
            ("msg.i as int", "failed: a value is wanted, but it is null"),
            ("msg.flag as int", "0"),
            ("recover(msg.t as int, -1)", "-1"),
        ],
    );
    check(
        "int?",
        m,
        &[("msg.y as int?", "null"), ("msg.t as int?", "null"), ("msg.i as int?", "null"), ("msg.s as int?", "42")],
    );
    check(
        "string",
        m,
        &[("msg.a as string", "\"300\""), ("msg.x as string", "\"2.0\""), ("msg.status as string", "\"failed\"")],
    );
    check("string?", m, &[("msg.status as string?", "\"failed\""), ("msg.i as string?", "null")]);
    check("datetime?", m, &[("msg.day as datetime?", "\"2024-02-29T00:00:00Z\"")]);
    check(
        "bool",
        m,
        &[
            ("msg.status == Status.failed", "true"),
            ("msg.status == Status.ok", "false"),
            ("(\"ok\" as Status) == Status.ok", "true"),
        ],
    );
    check(
        "float",
        m,
        &[("msg.a as float", "300.0"), ("9007199254740993 as float", "failed: the value does not fit `float`")],
    );
}

#[test]
fn times_move_by_durations() {
    let m = r#"{"at": "2024-02-28T23:59:59.5Z", "day": "2024-02-28"}"#;
    check(
        "datetime?",
        m,
        &[("msg.at + 1d", "\"2024-02-29T23:59:59.5Z\""), ("msg.at - 500ms", "\"2024-02-28T23:59:59Z\"")],
    );
    check(
        "date?",
        m,
        &[
            ("msg.day + 1d", "\"2024-02-29\""),
            ("msg.day - 1w", "\"2024-02-21\""),
            ("msg.day + 1h", "failed: a date moves by whole days only"),
            ("msg.at as date?", "\"2024-02-28\""),
        ],
    );
    check("time?", m, &[("msg.at as time?", "\"23:59:59.5\"")]);
    check("duration?", m, &[("msg.at - msg.at + 90m", "\"PT1H30M\""), ("90m * 2", "\"PT3H\"")]);
    check("float", m, &[("90m / 1h", "1.5")]);
}

#[test]
fn decimals_keep_every_digit() {
    let m = r#"{"price": 19.99}"#;
    check("decimal(11, 2)?", m, &[("msg.price + msg.price", "\"39.98\""), ("-msg.price", "\"-19.99\"")]);
    check("bool?", m, &[("msg.price > 19.98", "true"), ("msg.price == 19.99", "true"), ("msg.price < -1.00", "false")]);
    check("string?", m, &[("msg.price as string?", "\"19.99\"")]);
}

#[test]
fn messages_nest() {
    let m = r#"{"inner": {"n": 5, "text": "hello", "maybe": null}, "inners": [{"n": 1, "text": "one"}, {"n": 2, "text": "two", "maybe": 3}]}"#;
    check(
        "int?",
        m,
        &[
            ("msg.inner.n", "5"),
            ("msg.inner.maybe", "null"),
            ("msg.inners[1].n", "2"),
            ("msg.inners[1].maybe", "3"),
            ("msg.inners[0].maybe", "null"),
            ("msg.inners[7].maybe", "null"),
            ("if msg.inner is none then 0 else msg.inner.n", "5"),
            ("if msg.flag then none else msg.inner.n", "5"),
        ],
    );
    check(
        "bool",
        m,
        &[
            ("msg.inner is none", "false"),
            ("msg.inners[0] == msg.inners[1]", "false"),
            ("msg.inner == msg.inner", "true"),
        ],
    );
    check("string?", m, &[("msg.inners[-1].text", "\"two\"")]);
    check("int?", r#"{"a": 1}"#, &[("msg.inner.n", "null")]);
    check("bool", r#"{"a": 1}"#, &[("msg.inner is none", "true")]);
    let s = r#"{"s": "{\"n\": 3, \"text\": \"in a text\"}", "t": "{\"n\": \"x\"}"}"#;
    check(
        "int",
        s,
        &[("json_deserialize<Inner>(msg.s).n", "3"), ("recover(json_deserialize<Inner>(msg.t).n, -1)", "-1")],
    );
    check("string", s, &[("json_deserialize<Inner>(msg.s).text", "\"in a text\"")]);
}

#[test]
fn every_kind_goes_in_and_comes_out() {
    let fields = [
        ("bool", "true"),
        ("int8", "-8"),
        ("int16", "-16"),
        ("int32", "-32"),
        ("int64", "-64"),
        ("uint8", "8"),
        ("uint16", "16"),
        ("uint32", "4294967295"),
        ("uint64", "18446744073709551615"),
        ("float32", "0.5"),
        ("float", "-0.1"),
        ("string", "\"a text of some length\""),
        ("datetime", "\"2024-01-01T00:00:00Z\""),
        ("date", "\"1969-12-31\""),
        ("time", "\"23:59:59.999999\""),
        ("decimal(38, 9)", "-12345678901234567890.123456789"),
        ("Status", "\"ok\""),
        ("[int]", "[1,2,3]"),
        ("[string?]", "[\"a\",null]"),
        ("map<string, [int]>", "{\"k\":[1],\"l\":[]}"),
        ("Inner", "{\"n\":1,\"text\":null}"),
        ("[Inner]", "[{\"n\":1,\"text\":\"x\"},{\"n\":2,\"text\":null}]"),
        ("[float; 3]", "[1.0,2.5,-3.0]"),
    ];
    let mut source = String::from(
        "source e = kafka(topic: \"e\")\nenum Status { pending, ok }\nmessage Inner { n: int, text: string? }\nmessage M {\n",
    );
    for (n, (ty, _)) in fields.iter().enumerate() {
        source.push_str(&format!("  r{n}: {ty}\n  o{n}: {ty}?\n"));
    }
    source.push_str("}\nfeatures F {\n  @primary key: int\n");
    for (n, (ty, _)) in fields.iter().enumerate() {
        source.push_str(&format!("  r{n}: {ty}\n  o{n}: {ty}?\n"));
    }
    source.push_str("}\nstream s(msg: M) -> F from e {\n  key = 1\n");
    for n in 0..fields.len() {
        source.push_str(&format!("  r{n} = msg.r{n}\n  o{n} = msg.o{n}\n"));
    }
    source.push_str("}\n");
    let message = |optional: bool| {
        let fields: Vec<String> = fields
            .iter()
            .enumerate()
            .map(|(n, (_, value))| format!("\"r{n}\":{value},\"o{n}\":{}", if optional { value } else { "null" }))
            .collect();
        format!("{{{}}}", fields.join(","))
    };
    let (with, without) = (message(true), message(false));
    let lines = run(&source, &[&with, &without, &with]);
    for (line, message) in lines.iter().zip([&with, &without, &with]) {
        // A decimal is printed as text; all else reads as it was written.
        let expected = message
            .replace("\"r", "\"f.r")
            .replace("\"o", "\"f.o")
            .replace("\"f.ok\"", "\"ok\"")
            .replace("-12345678901234567890.123456789", "\"-12345678901234567890.123456789\"");
        assert_eq!(*line, format!("{{\"f.key\":1,{}", &expected[1..]));
    }
}

#[test]
fn float32_rounds_after_every_step() {
    let source = r#"
source e = kafka(topic: "e")
message M { a: float32, b: float32 }
features F { @primary key: int, sum: float32, wide: float }
stream s(msg: M) -> F from e { key = 1, sum = (msg.a + msg.b) as float32, wide = msg.a }
"#;
    let lines = run(source, &[r#"{"a": 0.1, "b": 0.2}"#]);
    let sum = 0.1f32 + 0.2f32;
    assert_eq!(lines[0], format!(r#"{{"f.key":1,"f.sum":{sum},"f.wide":{}}}"#, f64::from(0.1f32)));
}

#[test]
fn long_chains_of_operators_compile() {
    let sum = vec!["msg.a"; 60].join(" + ");
    check("int", r#"{"a": 3}"#, &[(&sum, "180")]);
}
