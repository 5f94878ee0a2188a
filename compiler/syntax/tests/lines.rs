//! Where expressions go on over line breaks, what words are when, and other corners of the surface.

mod support;

use chalk_syntax::ast::{ExprKind, Item, StreamBody, TypeKind};
use chalk_syntax::{format_expr, format_type};
use support::{expr, found, parse};

fn printed(text: &str) -> String {
    format_expr(&expr(text))
}

fn assignments(body: &str) -> Vec<String> {
    let text = format!("stream s(m: M) -> F\n  from t\n{{\n{body}\n}}\n");
    assert_eq!(found(&text), Vec::<String>::new(), "{text}");
    let Some(Item::Stream(stream)) = parse(&text).0.items.pop() else { panic!() };
    let StreamBody::Assignments(all) = stream.body else { panic!() };
    all.iter().map(|a| format!("{} = {}", a.target.text, format_expr(&a.value))).collect()
}

#[test]
fn an_expression_goes_on_in_brackets_after_an_operator_and_before_one() {
    assert_eq!(assignments("a = 1 +\n  2\nb = 3"), ["a = 1 + 2", "b = 3"]);
    assert_eq!(assignments("a = 1\n  + 2\nb = x\n  .trim()\n  .lower()"), ["a = 1 + 2", "b = x.trim().lower()"]);
    assert_eq!(assignments("a = f(\n  1,\n  tz: 2,\n)\nb = [1,\n2\n]"), ["a = f(1, tz: 2)", "b = [1, 2]"]);
    assert_eq!(assignments("a = if x\n  then y\n  else z"), ["a = if x then y else z"]);
    assert_eq!(assignments("a =\n  x\n  ?? y\n  and not\n  z\n  not in w"), ["a = x ?? y and not z not in w"]);
    assert_eq!(assignments("a = x\n  is none\nb = y as\n  int?"), ["a = x is none", "b = y as int?"]);
}

#[test]
fn items_are_separated_by_line_breaks_or_commas() {
    assert_eq!(assignments("a = 1, b = 2,\nc = 3\n\n\nd = 4,"), ["a = 1", "b = 2", "c = 3", "d = 4"]);
    assert_eq!(printed("match x {\n 1 => 2\n -1 => 3,\n else => 4\n}"), "match x { 1 => 2, -1 => 3, else => 4 }");
    assert_eq!(printed("{\n let a = 1\n let b = a +\n 1, b\n}"), "{ let a = 1, let b = a + 1, b }");
}

#[test]
fn words_of_clauses_and_operators_are_names_where_nothing_else_fits() {
    let words =
        "from: int\nwhere: int\nin: int\nis: int\nas: int, match: int\nnot: bool\nthen: int\nover: int\nkey: int";
    let text = format!("message M {{\n{words}\n}}\n");
    assert_eq!(found(&text), Vec::<String>::new());
    assert_eq!(
        assignments("as = m.in\nis = m.as\nfrom = window\nkey = by"),
        ["as = m.in", "is = m.as", "from = window", "key = by"]
    );
    assert_eq!(found("enum E {\n  in\n  is\n  from, or\n}\n"), Vec::<String>::new());
}

#[test]
fn angle_brackets_enclose_types_only_where_they_can() {
    assert_eq!(printed("a<b"), "a < b");
    assert_eq!(printed("f(a<b, c>d)"), "f(a < b, c > d)");
    assert!(matches!(expr("f<b>(d)").kind, ExprKind::Call { .. }));
    assert!(matches!(expr("x as map<string, int>").kind, ExprKind::Cast { .. }));
    let text = "message M {\n  a: map<string, map<string, [int?]>>?\n  b: int\n}\n";
    assert_eq!(found(text), Vec::<String>::new());
}

#[test]
fn types_are_kept_as_written() {
    for ty in [
        "int?",
        "[float32; 128]?",
        "map<string, pb.User>",
        "decimal(38, 2)",
        "int | string",
        "list<int>",
        "[[T]]",
        "Any",
    ] {
        let text = format!("message M {{ x: {ty} }}");
        assert_eq!(found(&text), Vec::<String>::new());
        let Some(Item::Message(message)) = parse(&text).0.items.pop() else { panic!() };
        assert_eq!(format_type(&message.fields[0].ty), ty);
    }
    let Some(Item::Message(message)) = parse("message M { x: int | string }").0.items.pop() else { panic!() };
    assert!(matches!(message.fields[0].ty.kind, TypeKind::Union(_)));
}

#[test]
fn doc_comments_belong_to_what_follows() {
    let text = "\
/// First line
/// goes on.
///
/// Second paragraph.
/// :owner: me
/// :tags: a, b
features F {
  /// The key.
  @primary id: int /// no doc comment, since it has no line of its own
  /// nothing follows
}
//// no doc comment
message M { x: int }
/// nothing follows
";
    assert_eq!(found(text), Vec::<String>::new());
    let items = parse(text).0.items;
    let Item::Features(features) = &items[0] else { panic!() };
    let doc = features.doc.as_ref().expect("doc");
    assert_eq!(doc.description, "First line\ngoes on.\n\nSecond paragraph.");
    assert_eq!((doc.summary().as_str(), doc.get("tags")), ("First line goes on.", Some("a, b")));
    assert_eq!(features.fields[0].doc.as_ref().map(|doc| doc.description.as_str()), Some("The key."));
    let Item::Message(message) = &items[1] else { panic!() };
    assert!(message.doc.is_none() && message.fields[0].doc.is_none());
}

#[test]
fn spans_cover_what_they_name() {
    let text = "fn f(x: int) -> int = (x + 1) * g(x)[0]";
    let Some(Item::Fn(function)) = parse(text).0.items.pop() else { panic!() };
    let slice = |span: chalk_diagnostics::Span| &text[span.range()];
    assert_eq!(slice(function.span), text);
    assert_eq!(slice(function.params[0].span), "x: int");
    assert_eq!(slice(function.body.span), "(x + 1) * g(x)[0]");
    let ExprKind::Binary { left, right, op_span, .. } = &function.body.kind else { panic!() };
    assert_eq!((slice(left.span), slice(*op_span), slice(right.span)), ("(x + 1)", "*", "g(x)[0]"));
}

#[test]
fn a_byte_order_mark_and_windows_line_breaks_are_no_mistakes() {
    assert_eq!(found("\u{feff}message M {\r\n  id: int\r\n  x: string\r\n}\r\n"), Vec::<String>::new());
}

#[test]
fn integers_beyond_64_bits_are_kept_for_others_to_judge() {
    assert_eq!(expr("18_446_744_073_709_551_616").kind, ExprKind::Int(1 << 64));
    assert_eq!(found("fn f() -> int = 1_000_000_000_000_000_000_000_000_000_000_000_000_000_000").len(), 1);
}

#[test]
fn triple_quotes_keep_lines_and_drop_the_first_break() {
    assert_eq!(expr("\"\"\"\n a\n  \"b\"\n\"\"\"").kind, ExprKind::String(" a\n  \"b\"\n".into()));
}
