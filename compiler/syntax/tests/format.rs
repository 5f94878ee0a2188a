//! The formatter: what it does, that it does it once, and that it never changes a tree.

mod support;

use chalk_syntax::ast::{Doc, Item};
use chalk_syntax::format;
use support::{Random, SAMPLES, parse, shape};

/// The declarations without spans, and without the line breaks that doc comments keep.
fn tree(text: &str) -> String {
    let (tree, diagnostics) = parse(text);
    assert_eq!(diagnostics, [], "{text}");
    shape(&tree)
}

/// Formats, and checks what must always hold.
fn checked(text: &str, context: &str) -> String {
    let once = format(text).unwrap_or_else(|diagnostics| panic!("{context}: {diagnostics:?}\n{text}"));
    assert_eq!(tree(&once), tree(text), "{context}: the tree changed\n{text}\n---\n{once}");
    assert_eq!(format(&once).as_deref(), Ok(once.as_str()), "{context}: not idempotent\n{text}\n---\n{once}");
    once
}

#[test]
fn samples_keep_their_trees_and_their_lines() {
    for (name, text) in SAMPLES {
        let formatted = checked(text, name);
        assert_eq!(formatted.lines().count(), text.lines().count(), "{name}");
    }
}

#[test]
fn a_program_in_any_shape_becomes_the_one_layout() {
    let untidy = r#"


source  a=kafka( topic:"a" )   // first
source  longer = kafka(topic : "b",late_arrival_deadline:30m)
  /// Doc.
   @max_staleness( 30d )
features User{
      @primary   id:int // the key


  name :string ?
    vector:[ float32;128 ]
  // a comment
  counted : int over[ 10m,1d ]=events.where( status=="x" ).count( )

}
message M { a:map< string,int >,b : int=- 1 }
stream s( msg:M )->User
from a
where header( "X" )==b"y"// why
  and - msg.b < 3
    timestamp from_unix_seconds( msg.b/1_000 )
{
id=msg.b
      full_name = if msg.a is none then none else json< map<string,int> >( msg.raw[ 6.. ] )
  x = f(
1,
  tz : "UTC"
      ).trim()
    .lower()
  // why
  y=match msg.b {
 1|2=>"a"
   100 =>"b"
  else=>"c"
 }
  z = { let q = 1
    q ** -2 }
}
"#;
    let tidy = r#"source a      = kafka(topic: "a")  // first
source longer = kafka(topic: "b", late_arrival_deadline: 30m)
/// Doc.
@max_staleness(30d)
features User {
  @primary id: int  // the key

  name: string?
  vector: [float32; 128]
  // a comment
  counted: int over [10m, 1d] = events.where(status == "x").count()
}
message M { a: map<string, int>, b: int = -1 }
stream s(msg: M) -> User
  from a
  where header("X") == b"y"  // why
    and -msg.b < 3
  timestamp from_unix_seconds(msg.b / 1_000)
{
  id        = msg.b
  full_name = if msg.a is none then none else json<map<string, int>>(msg.raw[6..])
  x         = f(
    1,
    tz: "UTC"
  ).trim()
    .lower()
  // why
  y = match msg.b {
    1 | 2 => "a"
    100   => "b"
    else  => "c"
  }
  z = { let q = 1
    q ** -2 }
}
"#;
    assert_eq!(checked(untidy, "untidy"), tidy);
}

#[test]
fn comments_stay_where_they_are() {
    let text = "\
// head

message M {  // open
  // before
  a: int  // one
  bc: string  // two

  // last
}
// tail
";
    let formatted = checked(text, "comments");
    assert_eq!(formatted, text.replace("a: int  // one", "a: int      // one"));
}

#[test]
fn texts_in_triple_quotes_are_not_touched() {
    let text = "stream s(e: [M]) -> [F]\n  from t\nsql \"\"\"\n   select   1\n\n\n     from e\n\"\"\"\n";
    assert_eq!(checked(text, "sql"), text);
}

#[test]
fn an_empty_file_stays_empty_and_a_file_with_mistakes_is_refused() {
    assert_eq!(format("").as_deref(), Ok(""));
    assert_eq!(format("\n\n").as_deref(), Ok(""));
    assert_eq!(format("// only a comment").as_deref(), Ok("// only a comment\n"));
    let refused = format("message M { x }").expect_err("a field without a type");
    assert_eq!(refused.len(), 1);
}

#[test]
fn doc_comments_keep_their_text() {
    let text = "///   indented\n/// :owner: me\nmessage M { x: int }\n";
    let formatted = checked(text, "doc");
    let Some(Item::Message(message)) = parse(&formatted).0.items.pop() else { panic!() };
    assert_eq!(message.doc.as_ref().map(Doc::summary).as_deref(), Some("indented"));
}

#[test]
fn random_blanks_and_mutations_never_change_a_tree() {
    let mut formatted = 0;
    for seed in 0..2_000 {
        let mut random = Random::new(seed);
        let sample = random.pick(SAMPLES).1;
        let mut text = String::new();
        for c in sample.chars() {
            match c {
                ' ' => text.push_str(&" ".repeat(1 + random.below(3))),
                '\n' if random.below(6) == 0 => text.push_str(" \n\n \n"),
                ',' | ')' | '(' if random.below(6) == 0 => text.extend([c, '\n']),
                _ if random.below(400) == 0 => {
                    text.push_str(random.pick::<&str>(&["", "\n", " // c\n", "(", " + ", "-", "?", "<"]))
                }
                c => text.push(c),
            }
        }
        if parse(&text).1.is_empty() {
            checked(&text, &format!("seed {seed}"));
            formatted += 1;
        } else {
            assert!(format(&text).is_err(), "seed {seed}");
        }
    }
    assert!(formatted > 300, "only {formatted} texts were programs: the test has lost its teeth");
}

#[test]
fn tests_keep_a_line_per_step() {
    let untidy = "test   \"t\" for r {
 at   \"2024-01-01T00:00:00Z\" given { \"user_id\":1, \"tags\" : [1,2] }
 header \"X\"=\"User\"
      prefix b\"\\x00\"
 at \"2024-01-01T00:10:00Z\"   expect User( 1 ){ failed[10m]=0,name = none }
   expect   skipped
}
";
    let tidy = "test \"t\" for r {
  at \"2024-01-01T00:00:00Z\" given { \"user_id\": 1, \"tags\": [1, 2] }
    header \"X\" = \"User\"
    prefix b\"\\x00\"
  at \"2024-01-01T00:10:00Z\" expect User(1) { failed[10m] = 0, name = none }
  expect skipped
}
";
    assert_eq!(checked(untidy, "tests"), tidy);
}
