//! Several mistakes in one text give exactly their diagnostics, and the rest of the text is in the tree.

mod support;

use chalk_syntax::ast::{Expr, ExprKind, Item, StreamBody};
use support::{found, parse};

/// The names that a text declares, with those of fields, variants and assignments.
fn declared(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for item in parse(text).0.items {
        names.extend(item.name().map(|name| name.text.clone()));
        let inner: Vec<String> = match item {
            Item::Features(item) => item.fields.into_iter().map(|field| field.name.text).collect(),
            Item::Message(item) => item.fields.into_iter().map(|field| field.name.text).collect(),
            Item::Enum(item) => item.variants.into_iter().map(|variant| variant.name.text).collect(),
            Item::Stream(item) => match item.body {
                StreamBody::Assignments(all) => all.into_iter().map(|assignment| assignment.target.text).collect(),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        names.extend(inner.into_iter().map(|name| format!(".{name}")));
    }
    names
}

#[test]
fn a_field_that_cannot_be_read_costs_that_field() {
    let text = "\
message M {
  id int
  name: string = = 3
  ok: bool
  at: int |
  last: float, x y: int
}
features F { id: int }
";
    assert_eq!(
        found(text),
        [
            "2:6 E0007 expected `:`, found `int`",
            "3:18 E0007 expected an expression, found `=`",
            "5:12 E0007 expected a type, found the end of the line",
            "6:18 E0007 expected `:`, found `y`",
        ]
    );
    assert_eq!(declared(text), ["M", ".name", ".ok", ".at", ".last", "F", ".id"]);
}

#[test]
fn a_value_that_cannot_be_read_costs_that_value() {
    let text = "\
stream s(msg: M) -> F
  from t
{
  a = f(1 2, 3)
  b = [1, (2 + ), 3]
  c = msg.id = 3
  d = if x then y
  e = 1
  let f = 2
  let = 3
}
";
    assert_eq!(
        found(text),
        [
            "4:11 E0007 expected `,` or `)`, found a number",
            "5:16 E0007 expected an expression, found `)`",
            "6:14 E0007 expected the end of the line, found `=`",
            "7:18 E0007 expected `else`, found the end of the line",
            "9:3 E0007 the body of a resolver assigns features, and has no `let`",
        ]
    );
    assert_eq!(declared(text), ["s", ".a", ".b", ".c", ".d", ".e", ".f", ".let"]);
    // A mistake inside brackets costs one argument or element, not the call or list around it.
    let Item::Stream(stream) = &parse(text).0.items[0] else { panic!() };
    let StreamBody::Assignments(all) = &stream.body else { panic!() };
    let ExprKind::Call { args, .. } = &all[0].value.kind else { panic!("{:?}", all[0].value) };
    assert_eq!(args.len(), 2);
    let ExprKind::List(items) = &all[1].value.kind else { panic!() };
    assert!(matches!(&items[..], [_, Expr { kind: ExprKind::Error, .. }, _]));
}

#[test]
fn a_clause_that_cannot_be_read_costs_that_clause() {
    let text = "\
stream s(msg: M) -> F
  from t
  wher msg.ok
  timestamp
  dedup msg.id within within 3h
{
  id = 1
}

stream u(msg: M) -> F
  from t
  where msg.a ==
{
  id = 2
}
";
    assert_eq!(
        found(text),
        [
            "3:3 E0007 `wher` begins no clause",
            "4:12 E0007 expected an expression, found the end of the line",
            "5:30 E0007 expected the end of the line, found a duration",
            "12:17 E0007 expected an expression, found the end of the line",
        ]
    );
    assert_eq!(declared(text), ["s", ".id", "u", ".id"]);
}

#[test]
fn a_bracket_left_open_costs_at_most_its_declaration() {
    let text = "\
fn a(x: int) -> int = ((x + 1)
fn b(x: int) -> int = x]
message M {
  id: [int
  name: string

/// Has a doc comment.
@max_staleness(1d)
features F {
  id: int
}
stream s(msg: M) -> F
  from t
{
  id = f(msg.id
  name = g(msg.name))
}
";
    assert_eq!(
        found(text),
        [
            "1:23 E0008 this `(` is never closed",
            "2:24 E0008 this `]` closes nothing",
            "3:11 E0008 this `{` is never closed",
            "4:7 E0008 this `[` is never closed",
            "16:3 E0007 expected `,` or `)`, found `name`",
        ]
    );
    assert_eq!(declared(text), ["a", "b", "M", ".id", ".name", "F", ".id", "s", ".id"]);
    let Item::Features(features) = &parse(text).0.items[3] else { panic!() };
    assert!(features.doc.is_some() && features.attributes.len() == 1);
}

#[test]
fn what_is_no_declaration_is_skipped_to_the_next_one() {
    let text = "\
x = 3
feature User { id: int }
class Thing {
  id: int
}
message M { id: int }
@lonely(1)
";
    assert_eq!(
        found(text),
        [
            "1:1 E0013 `x` begins no declaration",
            "2:1 E0013 `feature` begins no declaration",
            "3:1 E0013 `class` begins no declaration",
            "7:1 E0007 this attribute belongs to no declaration",
        ]
    );
    assert_eq!(declared(text), ["M", ".id"]);
    let helps: Vec<Option<String>> = parse(text).1.into_iter().map(|d| d.fix.map(|fix| fix.replacement)).collect();
    assert_eq!(helps[1..3], [Some("features".into()), Some("features".into())]);
}

#[test]
fn lexical_mistakes_do_not_derail_the_grammar() {
    let text = "\
fn a(x: int) -> bool = x > 100,000,000 && x < 1__0
fn b() -> string = \"abc
fn c() -> string = 'abc' + \"\\d\"
fn d() -> int = 3 $ 4
fn e() -> duration = 1.5h
# a comment of another language
fn f() -> float = .5
";
    assert_eq!(
        found(text),
        [
            "1:28 E0005 commas do not group the digits of a number",
            "1:40 E0001 this operator is the word `and`",
            "1:47 E0004 underscores stand between digits, one at a time",
            "2:20 E0002 this string has no closing quote",
            "3:20 E0001 strings stand in double quotes",
            "3:29 E0003 `\\d` is no escape",
            "4:19 E0001 `$` is no part of the language",
            "4:21 E0007 expected the end of the line, found a number",
            "5:22 E0006 a duration has no fraction",
            "6:1 E0001 a comment begins with `//`",
            "7:19 E0004 a number begins with a digit",
        ]
    );
    assert_eq!(declared(text), ["a", "b", "c", "d", "e", "f"]);
}

#[test]
fn rules_about_whole_trees() {
    let text = "\
fn a(x: int) -> bool = 0 <= x < 10 or x == 1 == 2 or (x < 1) == true
fn b(x: int) -> bool = x is none is none
fn c(x: int) -> int = match { else => 1, x > 1 => 2 }
fn d(in: int) -> int = in
fn e(x: int) -> int = {
  y = x
  y + 1
}
fn f(x: int) -> int = {
  let y = x
}
stream s(msg: M) -> F
  timestamp msg.at
  from t
  from u
{ id = 1 }
";
    assert_eq!(
        found(text),
        [
            "1:31 E0010 comparisons cannot be chained",
            "1:46 E0010 comparisons cannot be chained",
            "2:24 E0010 comparisons cannot be chained",
            "3:31 E0007 `else` is the last arm of a match",
            "4:6 E0011 `in` is a word of the language and cannot be a name here",
            "4:24 E0007 expected an expression, found `in`",
            "6:3 E0007 a name in a block is given its value with `let`",
            "11:1 E0007 a block ends with its value",
            "14:3 E0014 `from` stands before `timestamp`",
            "15:3 E0014 a second `from` clause",
        ]
    );
}

#[test]
fn every_diagnostic_lies_within_the_text() {
    for text in
        ["fn", "fn f(", "stream s(m: M) -> F", "message M {", "features F { x:", "@a(", "\"\"\"", "test \"x\" {", "é"]
    {
        let (_, diagnostics) = parse(text);
        assert!(!diagnostics.is_empty(), "{text}");
        for diagnostic in diagnostics {
            assert!(diagnostic.span().end as usize <= text.len(), "{text}: {diagnostic:?}");
        }
    }
}
