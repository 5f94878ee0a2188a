//! Sources, messages, features and resolvers: what they may say, and what the program keeps of them.

mod common;

use chalk_artifact::decode_plan::UnixUnit;
use chalk_artifact::manifest::OptionValue;
use chalk_diagnostics::Code;
use chalk_hir::program::{Expr, ExprKind, MessageInput};
use chalk_types::Value;
use common::{accept, analyze_files, codes, refuse, render};

/// A package with one resolver over `msg: M`, whose clauses and body are given.
fn resolver(clauses: &str, body: &str) -> String {
    format!(
        "source s = kafka(topic: \"t\")
message M {{ id: int, name: string?, at: datetime }}
features F {{ id: int, name: string?, @time at: datetime?, short: string? = name[0..3] }}
stream r(msg: M) -> F
  from s
{clauses}
{{
{body}
}}
"
    )
}

#[test]
fn sources_keep_their_options() {
    let analysis = accept(
        "source s = kafka(topic: env(\"TOPIC\"), batch: 5, tls: true, start: \"latest\", late_arrival_deadline: 30m)
features F { id: string }
stream r(msg: string) -> F
  from s
{
  id = msg
}",
    );
    let source = &analysis.program.sources[0];
    assert_eq!(source.late_arrival_deadline_us, Some(1_800_000_000));
    assert_eq!(
        source.options,
        [
            ("topic".to_owned(), OptionValue::Env("TOPIC".to_owned())),
            ("batch".to_owned(), OptionValue::Value(Value::Int(5))),
            ("tls".to_owned(), OptionValue::Value(Value::Bool(true))),
            ("start".to_owned(), OptionValue::Value(Value::String("latest".to_owned()))),
        ]
    );
}

#[test]
fn options_are_checked() {
    let source = |text: &str| {
        format!(
            "source s = {text}\nfeatures F {{ id: string }}\nstream r(msg: string) -> F\n  from s\n{{\n  id = msg\n}}\n"
        )
    };
    refuse(&source("kafka(\"t\")"), &[Code::E0113, Code::E0112], &["write `kafka(topic: …)`"]);
    refuse(&source("kafka(topic: \"t\", topic: \"u\")"), &[Code::E0112], &["given twice", "first given here"]);
    refuse(&source("kafka(topic: 5)"), &[Code::E0114], &["`topic` is a text"]);
    refuse(&source("kafka(topic: \"t\", start: \"newest\")"), &[Code::E0114], &["one of `earliest`, `latest`"]);
    refuse(&source("kafka(topic: \"t\", btach: 5)"), &[Code::E0112], &["did you mean `batch`?"]);
    refuse(&source("kafka(topic: env(5))"), &[Code::E0114], &["write `env(\"NAME\")`"]);
    refuse(&source("kinesis(stream: \"t\")"), &[Code::E0111], &["this version knows `kafka`, `file`"]);
}

#[test]
fn messages_say_how_fields_travel() {
    let analysis = accept(
        "enum Kind { a, b }
message Inner { x: int }
/// A click.
/// :owner: web
@relaxed
message M {
  @json(\"eventId\") id: string
  @unix(ms) at: datetime
  retries: int8 = 3
  price: decimal(6, 2) = 1.5
  kind: Kind = Kind.b
  tags: [string] = []
  @lenient count: int?
  inner: [Inner]
  by_name: map<string, Inner?>
}
source s = file(path: \"m.json\")
features F { id: string }
stream r(msg: M) -> F
  from s
{
  id = msg.id
}",
    );
    let message = &analysis.program.messages[1];
    assert!(message.relaxed);
    assert_eq!(message.doc.description, "A click.");
    assert_eq!(message.doc.metadata, [("owner".to_owned(), "web".to_owned())]);
    assert_eq!(message.wire[0].key, "eventId");
    assert_eq!(message.wire[1].unix, Some(UnixUnit::Millis));
    assert_eq!(message.wire[2].default, Some(Value::Int(3)));
    assert_eq!(message.wire[3].default, Some(Value::Decimal(150)));
    assert_eq!(message.wire[4].default, Some(Value::Enum(1)));
    assert_eq!(message.wire[5].default, Some(Value::List(vec![])));
    assert!(message.wire[6].lenient);
    assert_eq!((message.wire[7].message, message.wire[8].message), (Some(0), Some(0)));
    let types: Vec<String> = message.ty.fields.iter().map(|field| field.ty.to_string()).collect();
    assert_eq!(
        types,
        ["string", "datetime", "int8", "decimal(6, 2)", "Kind", "[string]", "int?", "[Inner]", "map<string, Inner?>"]
    );
}

#[test]
fn cycles_of_messages_are_shown() {
    let text = "message A { b: B }\nmessage B { cs: [C] }\nmessage C { a: map<string, A?> }\nmessage D { a: A }\n";
    refuse(text, &[Code::E0301], &["A.b → B.cs → C.a → A", "a schema that holds itself has no end"]);
}

#[test]
fn types_that_have_no_arrow_type_are_refused() {
    let message = |ty: &str| format!("message M {{ x: {ty} }}");
    for (ty, code, part) in [
        ("int | string", Code::E0302, "field `x` has a union type"),
        ("any", Code::E0303, "field `x` has no type (`any`)"),
        ("[Any]", Code::E0303, "field `x` has no type"),
        ("dict", Code::E0303, "field `x` has no type"),
        ("list<int>", Code::E0103, "write `[T]`"),
        ("optional<int>", Code::E0103, "write `T?`"),
        ("decimal", Code::E0103, "precision and scale are missing"),
        ("decimal(39, 2)", Code::E0218, "cannot have 39 digits"),
        ("decimal(4, 5)", Code::E0218, "cannot have 5 after the point"),
        ("[string; 4]", Code::E0218, "a vector cannot hold `string`"),
        ("[float; 0]", Code::E0218, "cannot have 0 items"),
        ("map<float, int>", Code::E0218, "keys of type `float`"),
        ("map<string?, int>", Code::E0218, "keys of type `string?`"),
        ("str", Code::E0103, "did you mean `string`?"),
        ("timestamp", Code::E0103, "did you mean `datetime`?"),
        ("strng", Code::E0103, "did you mean `string`?"),
    ] {
        refuse(&message(ty), &[code], &[part]);
    }
}

#[test]
fn features_have_one_key_and_one_time() {
    let analysis = accept(
        "@max_staleness(30d)\n@etl_offline_to_online\nfeatures LoginHTTPEvent { @max_staleness(1h) x: int, id: string }",
    );
    let class = &analysis.program.classes[0];
    assert_eq!((class.namespace.as_str(), class.primary_key), ("login_http_event", 1));
    assert_eq!(class.features[0].fqn, "login_http_event.x");
    assert_eq!(class.max_staleness_us, Some(30 * 86_400_000_000));
    assert_eq!(class.features[0].max_staleness_us, Some(3_600_000_000));
    assert!(class.etl_offline_to_online);
    refuse(
        "features F { user_id: int }",
        &[Code::E0401],
        &["mark one: `@primary user_id: …`", "fix: `` -> `@primary `"],
    );
    refuse("features F { id: int? }", &[Code::E0403], &["may be null"]);
    refuse("features F { id: int = 1 }", &[Code::E0403], &["cannot be an expression"]);
    refuse("features F { id: int, @time a: datetime, @time b: datetime }", &[Code::E0413], &["the first `@time`"]);
    refuse("features F { id: int, id: int }", &[Code::E0102], &["the feature `id` is declared twice"]);
    refuse("features UserA { id: int }\nfeatures user_a { id: int }", &[Code::E0102], &["are both `user_a` outside"]);
}

#[test]
fn foreign_keys_have_the_type_of_the_key() {
    let analysis = accept(
        "features User { id: string }\nfeatures Account { id: User.id }\nfeatures Login { id: int, account: Account.id? }",
    );
    assert_eq!(analysis.program.classes[2].features[1].ty.to_string(), "string?");
    refuse("features A { id: B.id }\nfeatures B { id: A.id }", &[Code::E0414, Code::E0414], &["B.id → A.id → B.id"]);
    refuse(
        "features A { id: int, b: Bb.id }\nfeatures B { id: int }",
        &[Code::E0103],
        &["there is no features class `Bb`"],
    );
}

#[test]
fn expression_features_are_ordered() {
    let analysis = accept("features F { id: int, c: int = b + a, a: int, b: int = id * 2, d: int = 1 }");
    assert_eq!(analysis.program.classes[0].expression_order, [3, 1, 4]);
    refuse("features F { id: int, a: int = b, b: int = c, c: int = a }", &[Code::E0408], &["a → b → c → a"]);
    refuse("features F { id: int, a: int = a }", &[Code::E0408], &["a → a"]);
}

#[test]
fn one_namespace_over_all_files() {
    let (sources, analysis) = analyze_files(&[
        ("a.chalk", "features F { id: int, x: int = double(id) }\n"),
        ("b.chalk", "fn double(x: int) -> int = x * 2\nmessage F { id: int }\n"),
    ]);
    let text = render(&sources, &analysis.diagnostics);
    assert_eq!(analysis.diagnostics.len(), 1, "{text}");
    assert!(text.contains("E0102 b.chalk:2:9: `F` is declared twice"), "{text}");
    assert!(text.contains("first declared here, as a features class"), "{text}");
    assert_eq!(codes("message string { x: int }"), [Code::E0108]);
    assert_eq!(codes("fn lower(s: string) -> string = s"), [Code::E0108]);
}

#[test]
fn attributes_stand_where_they_belong() {
    refuse("@primary\nfeatures F { id: int }", &[Code::E0109], &["`@primary` belongs on a feature"]);
    refuse("features F { @primry id: int }", &[Code::E0109], &["did you mean `@primary`?"]);
    refuse("features F { @primary @primary id: int }", &[Code::E0110], &["`@primary` stands twice"]);
    refuse("features F { @primary(1) id: int }", &[Code::E0110], &["takes no arguments"]);
    refuse("@max_staleness(\"30d\")\nfeatures F { id: int }", &[Code::E0110], &["a duration such as `30d` is wanted"]);
    refuse("message M { @unix(minutes) at: datetime }", &[Code::E0110], &["the units are `s`, `ms`, `us` and `ns`"]);
}

#[test]
fn resolvers_keep_what_is_deployed_where() {
    let text = resolver("", "  id = msg.id")
        .replace("stream r", "@environments(\"dev\", \"staging\")\n@skip_online\nstream r");
    let analysis = accept(&text);
    let resolver = &analysis.program.resolvers[0];
    assert_eq!(resolver.environments, ["dev", "staging"]);
    assert!(resolver.skip_online && !resolver.skip_offline);
    assert_eq!(resolver.input, MessageInput::Json(0));
    assert!(resolver.timestamp.is_none(), "`at` is not set");
}

#[test]
fn the_time_feature_is_the_event_time() {
    let analysis = accept(&resolver("", "  id = msg.id\n  at = msg.at"));
    assert!(analysis.program.resolvers[0].timestamp.is_some());
    let analysis = accept(&resolver("  timestamp envelope.timestamp", "  id = msg.id\n  at = msg.at"));
    let timestamp = analysis.program.resolvers[0].timestamp.as_ref();
    assert!(matches!(timestamp, Some(Expr { kind: ExprKind::Envelope(_), .. })));
    refuse(&resolver("  timestamp msg.id", "  id = msg.id"), &[Code::E0201], &["from_unix_seconds"]);
}

#[test]
fn conditions_before_the_body_run_before_the_decode() {
    let fates = |clauses: &str| {
        let analysis = accept(&resolver(clauses, "  id = msg.id"));
        let resolver = &analysis.program.resolvers[0];
        (resolver.prefilter.is_some(), resolver.raw_filter.is_some(), resolver.filter.is_some())
    };
    assert_eq!(fates("  where header(\"x\") == b\"y\""), (true, false, false));
    assert_eq!(fates("  where msg.id > 0"), (false, false, true));
    assert_eq!(fates("  where envelope.partition == 0 and msg.id > 0"), (true, false, true));
    assert_eq!(fates("  where envelope.partition == 0 or msg.id > 0"), (false, false, true));
    // A condition does not overtake another one, which may be what keeps it from failing.
    assert_eq!(fates("  where msg.id > 0\n  where envelope.partition == 0"), (false, false, true));
}

#[test]
fn a_condition_tells_about_null_in_what_follows() {
    let text = resolver("  where msg.name is not none", "  id = msg.id\n  name = lower(msg.name)");
    accept(&text.replace("features F { id: int, name: string?", "features F { id: int, name: string"));
}

#[test]
fn parse_functions_fit_both_sides() {
    let package = |function: &str, clauses: &str| format!("{function}\n{}", resolver(clauses, "  id = msg.id"));
    let of_bytes = "fn p(raw: bytes) -> M? = json_deserialize<M>(raw[6..])";
    let analysis = accept(&package(of_bytes, "  parse p\n  where msg.id > 0"));
    let resolver = &analysis.program.resolvers[0];
    assert_eq!(resolver.input, MessageInput::Bytes);
    assert!(resolver.parse.is_some() && resolver.filter.is_some());
    accept(&package("fn p(m: M) -> M? = if m.id < 0 then none else m", "  where msg.id != 5\n  parse p"));
    refuse(&package(of_bytes, "  where msg.id > 0\n  parse p"), &[Code::E0220], &["`msg` is not parsed yet here"]);
    refuse(&package("fn p(raw: bytes) -> string = \"\"", "  parse p"), &[Code::E0411], &["the resolver wants `M`"]);
    refuse(
        &package("fn p(a: bytes, b: bytes) -> M? = none", "  parse p"),
        &[Code::E0411],
        &["takes the message alone"],
    );
    refuse(&package(of_bytes, "  parse q"), &[Code::E0411], &["there is no function `q`"]);
}

#[test]
fn resolvers_set_features_of_their_class() {
    refuse(&resolver("", "  id = msg.id\n  nmae = msg.name"), &[Code::E0405], &["did you mean `name`?"]);
    refuse(&resolver("", "  id = msg.id\n  id = msg.id"), &[Code::E0406], &["first set here"]);
    refuse(&resolver("", "  id = msg.id\n  short = msg.name"), &[Code::E0407], &["computed from other features here"]);
    refuse(&resolver("", "  name = msg.name"), &[Code::E0404], &["add a line `id = …`"]);
    refuse(&resolver("", "  id = id"), &[Code::E0101], &["write `msg.id`"]);
    refuse(&resolver("", "  id = msg.id").replace("  from s\n", ""), &[Code::E0410], &["add a line `from s`"]);
}

#[test]
fn parts_of_later_versions_are_refused_once() {
    for (text, part) in [
        ("import proto \"x.proto\" as pb", "schema imports"),
        ("features U { id: int, n: int }\nonline d(u: U) -> U { n = u.id }", "online resolvers"),
    ] {
        refuse(text, &[Code::E0100], &[part, "not part of this compiler version"]);
    }
    refuse(&resolver("  sink s { id } as json", "  id = msg.id"), &[Code::E0100], &["sinks"]);
}

#[test]
fn dedup_has_a_key_and_an_end() {
    let dedup = |clause: &str| resolver(&format!("  dedup {clause}"), "  id = msg.id");
    for key in ["msg.id", "msg.name", "msg.at", "msg.id > 0", "header(\"id\")", "msg.name ?? \"\"", "envelope.key"] {
        let analysis = accept(&dedup(&format!("{key} within 1h30m")));
        let dedup = analysis.program.resolvers[0].dedup.as_ref().expect("there is one");
        assert_eq!(dedup.within_us, 5_400_000_000);
    }
    refuse(&dedup("msg.id"), &[Code::E0421], &["`within` is missing", "fix: `` -> ` within 24h`"]);
    refuse(&dedup("msg.id within 24"), &[Code::E0422], &["`within` is a duration"]);
    refuse(&dedup("msg.id within 0s"), &[Code::E0422], &["keys would be forgotten at once"]);
    refuse(&dedup("msg.id / 2 within 1h"), &[Code::E0420], &["use the id of the message"]);
    refuse(&dedup("msg within 1h"), &[Code::E0420], &["such as `….id`"]);
    refuse(&dedup("[msg.id] within 1h"), &[Code::E0420], &["cannot be told apart by `[int]`"]);
    refuse(&dedup("msg.idd"), &[Code::E0421, Code::E0107], &["did you mean `id`?"]);
}

#[test]
fn the_key_of_dedup_is_evaluated_after_parse() {
    let package = |clauses: &str| {
        format!(
            "source s = kafka(topic: \"t\")
message M {{ id: int, name: string? }}
features F {{ id: int }}
fn unframed(raw: bytes) -> M = json_deserialize<M>(raw[6..])
stream r(msg: M) -> F
  from s
  parse unframed
{clauses}
{{
  id = msg.id
}}
"
        )
    };
    let analysis = accept(&package("  dedup msg.id within 1h"));
    let resolver = &analysis.program.resolvers[0];
    let (parsed, _) = resolver.parse.as_ref().expect("it has a parse function");
    let ExprKind::Field { base, field: 0 } = &resolver.dedup.as_ref().expect("it has a key").key.kind else {
        panic!("the key is a field");
    };
    assert!(matches!(base.kind, ExprKind::Local(local) if local == *parsed));
    // What a condition has shown not to be null is so in the key.
    let analysis = accept(&package("  where msg.name is not none\n  dedup msg.name within 1h"));
    assert!(!analysis.program.resolvers[0].dedup.as_ref().expect("it has a key").key.ty.nullable);
}

#[test]
fn a_resolver_may_leave_materialized_aggregations_alone() {
    let text = resolver("", "  id = msg.id");
    let opted_out = text.replace("stream r", "@updates_materialized_aggregations(false)\nstream r");
    assert!(accept(&text).program.resolvers[0].updates_materialized);
    assert!(!accept(&opted_out).program.resolvers[0].updates_materialized);
    refuse(&opted_out.replace("(false)", ""), &[Code::E0110], &["takes one argument"]);
    refuse(&opted_out.replace("(false)", "(0)"), &[Code::E0110], &["`true` or `false` is wanted"]);
}

#[test]
fn functions_are_checked_as_declared() {
    refuse("fn _f(x: int) -> string = x", &[Code::E0201], &["the result of `_f` wants `string`, not `int`"]);
    refuse("fn _f(x: int, x: int) -> int = x", &[Code::E0102], &["the parameter `x` is declared twice"]);
    refuse("fn f(x: int) -> int = g(x)\nfn g(x: int) -> int = f(x)", &[Code::E0213], &["f → g → f"]);
    let calls = |call: &str| {
        format!("fn f(a: int, b: string) -> string = b * a\nfeatures F {{ id: int, x: string = {call} }}")
            .replace("b * a", "b + (a as string)")
    };
    accept(&calls("f(id, \"x\")"));
    accept(&calls("f(b: \"x\", a: id)"));
    refuse(&calls("f(id)"), &[Code::E0204], &["the argument `b` of `f` is missing", "write `f(a, b)`"]);
    refuse(&calls("f(id, \"x\", 1)"), &[Code::E0204], &["takes 2 arguments, not 3"]);
    refuse(&calls("f(id, c: \"x\")"), &[Code::E0204], &["`c` is no parameter of `f`"]);
    refuse(&calls("f(\"x\", \"x\")"), &[Code::E0201], &["the parameter `a` wants `int`, not `string`"]);
}

#[test]
fn a_message_handed_to_a_function_is_read_by_its_fields() {
    // No `let` of the whole message: only what is read has to be decoded.
    let analysis = accept(
        "source s = file(path: \"f\")
message M { id: int, a: int, b: int }
features F { id: int, x: int }
fn sum(m: M) -> int = m.a + m.b
stream r(msg: M) -> F
  from s
{
  id = msg.id
  x  = sum(msg)
}",
    );
    let mut open = vec![&analysis.program.resolvers[0].assignments[1].1];
    while let Some(expr) = open.pop() {
        assert!(!matches!(expr.kind, ExprKind::Let { .. }), "{expr:?}");
        expr.for_each_child(|child| open.push(child));
    }
}
