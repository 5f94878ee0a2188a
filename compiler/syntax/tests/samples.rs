//! The programs of the language's description parse without a word, and their trees hold what the text says.

use chalk_diagnostics::SourceMap;
use chalk_syntax::parse;

const SAMPLES: &[(&str, &str)] = &[
    ("topic_to_features", include_str!("samples/topic_to_features.chalk")),
    ("messages", include_str!("samples/messages.chalk")),
    ("imports", include_str!("samples/imports.chalk")),
    ("expressions", include_str!("samples/expressions.chalk")),
    ("raw_events", include_str!("samples/raw_events.chalk")),
    ("parse_and_dedup", include_str!("samples/parse_and_dedup.chalk")),
    ("windows", include_str!("samples/windows.chalk")),
    ("windows_passed_on", include_str!("samples/windows_passed_on.chalk")),
    ("windowed_resolvers", include_str!("samples/windowed_resolvers.chalk")),
    ("downstream", include_str!("samples/downstream.chalk")),
    ("deployment", include_str!("samples/deployment.chalk")),
    ("tests", include_str!("samples/tests.chalk")),
];

#[test]
fn every_sample_parses_without_diagnostics() {
    for (name, text) in SAMPLES {
        let mut sources = SourceMap::new();
        let file = sources.add(format!("{name}.chalk"), *text);
        let (tree, diagnostics) = parse(file, text);
        let found: Vec<String> =
            diagnostics.iter().map(|d| format!("{}: {}: {}", sources.location(d.span()), d.code, d.message)).collect();
        assert!(found.is_empty(), "{found:#?}");
        assert!(!tree.items.is_empty());
    }
}
