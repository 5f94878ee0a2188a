//! The programs of the language's description parse without a word, and their trees hold what the text says.

mod support;

use chalk_diagnostics::SourceMap;
use chalk_syntax::ast::{ClauseKind, Expected, ExprKind, Item, StreamBody, TestStepKind, TypeKind};
use support::{SAMPLES, parse};

fn sample(name: &str) -> Vec<Item> {
    let text = SAMPLES.iter().find(|(n, _)| *n == name).expect("a sample").1;
    parse(text).0.items
}

#[test]
fn every_sample_parses_without_diagnostics() {
    for (name, text) in SAMPLES {
        let mut sources = SourceMap::new();
        let file = sources.add(format!("{name}.chalk"), *text);
        let (tree, diagnostics) = chalk_syntax::parse(file, text);
        let found = chalk_diagnostics::render::plain(&diagnostics, &sources);
        assert!(found.is_empty(), "{found}");
        assert!(!tree.items.is_empty());
    }
}

#[test]
fn features_have_docs_attributes_fields_and_types() {
    let items = sample("topic_to_features");
    assert_eq!(items.len(), 5);
    let Item::Features(user) = &items[1] else { panic!("{:?}", items[1]) };
    let doc = user.doc.as_ref().expect("a doc comment");
    assert_eq!((doc.summary().as_str(), doc.get("owner")), ("A person with an account.", Some("identity")));
    let attributes: Vec<&str> = user.attributes.iter().map(|attribute| attribute.name.text.as_str()).collect();
    assert_eq!(attributes, ["max_staleness", "etl_offline_to_online"]);
    assert_eq!(user.attributes[0].args[0].value.kind, ExprKind::Duration(30 * 86_400_000_000));
    let names: Vec<&str> = user.fields.iter().map(|field| field.name.text.as_str()).collect();
    assert_eq!(names, ["user_id", "full_name", "email_address", "updated_at"]);
    assert_eq!(user.fields[0].attributes[0].name.text, "primary");
    assert!(matches!(user.fields[2].ty.kind, TypeKind::Optional(_)));
}

#[test]
fn streams_have_clauses_and_assignments() {
    let items = sample("parse_and_dedup");
    let Some(Item::Stream(stream)) = items.last() else { panic!() };
    let kinds: Vec<&str> = stream
        .clauses
        .iter()
        .map(|clause| match &clause.kind {
            ClauseKind::From(_) => "from",
            ClauseKind::Where(_) => "where",
            ClauseKind::Parse(_) => "parse",
            ClauseKind::Timestamp(_) => "timestamp",
            ClauseKind::Dedup { within: Some(_), .. } => "dedup within",
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(kinds, ["from", "where", "parse", "timestamp", "dedup within"]);
    let StreamBody::Assignments(assignments) = &stream.body else { panic!() };
    assert_eq!(assignments.len(), 3);
    let Item::Import(import) = &items[0] else { panic!() };
    assert_eq!((import.format.text.as_str(), import.path.text.as_str()), ("proto", "messages/user.proto"));
    assert_eq!(import.alias.as_ref().map(|name| name.text.as_str()), Some("pb"));
}

#[test]
fn windows_sql_and_projections_are_in_the_tree() {
    let items = sample("windows");
    let Item::Features(user) = &items[1] else { panic!() };
    let failed = &user.fields[2];
    assert_eq!(failed.windows.as_ref().map(|windows| windows.windows.len()), Some(3));
    assert_eq!(failed.doc.as_ref().map(chalk_syntax::ast::Doc::summary).as_deref(), Some("Failed logins."));
    let Some(Item::Stream(sql)) = sample("windowed_resolvers").pop() else { panic!() };
    let StreamBody::Sql(text) = sql.body else { panic!() };
    assert!(text.text.starts_with("  select user_id as id"), "{}", text.text);
    let items = sample("downstream");
    let extern_online = items.iter().find_map(|item| match item {
        Item::ExternOnline(item) => Some(item),
        _ => None,
    });
    let extern_online = extern_online.expect("an extern online resolver");
    assert_eq!(extern_online.params[0].projection.as_ref().map(|p| p.names.len()), Some(3));
    assert_eq!(extern_online.projection.as_ref().map(|p| p.names.len()), Some(1));
}

#[test]
fn a_part_of_a_query_has_its_place_in_the_file() {
    let head = "stream s(events: [M]) -> [F]\n  from logs\n  window tumbling\nsql ";
    for literal in ["\"\"\"\r\n  select a,\r\n  bad \"\"\"", r#""select \n \u{e9}\tbad""#, "\"bad\""] {
        let text = format!("{head}{literal}\n");
        let mut sources = SourceMap::new();
        let (file, diagnostics) = chalk_syntax::parse(sources.add("a.chalk", text.as_str()), &text);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        let [Item::Stream(stream)] = &file.items[..] else { panic!() };
        let StreamBody::Sql(query) = &stream.body else { panic!() };
        let at = query.text.find("bad").expect("the word stands in it");
        let place = query.place(at..at + 3);
        assert_eq!(&text[place.start as usize..place.end as usize], "bad", "{literal}");
    }
}

#[test]
fn test_blocks_are_in_the_tree() {
    let items = sample("tests");
    let tests: Vec<_> = items
        .iter()
        .map(|item| match item {
            Item::Test(test) => test,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(tests[0].target.as_ref().map(|name| name.text.as_str()), Some("get_users_stream"));
    assert!(tests[1].steps.iter().all(|step| step.at.is_some()));
    let TestStepKind::Given(given) = &tests[2].steps[0].kind else { panic!() };
    assert_eq!(
        given.encoded_as.as_ref().map(|(format, path)| (format.text.as_str(), path.text())),
        Some(("proto", "pb.User".into()))
    );
    assert_eq!(given.headers.len(), 1);
    assert!(given.prefix.is_some());
    let TestStepKind::Expect(Expected::Fate(fate)) = &tests[2].steps[1].kind else { panic!() };
    assert_eq!(fate.text, "skipped");
}
