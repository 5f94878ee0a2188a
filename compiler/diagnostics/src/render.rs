//! The three ways to show diagnostics: for a person at a terminal, for a pipe, for a program.
//!
//! All three give a text and print nothing: where it goes is the caller's choice.
//!
//! This module must not know terminals or standard output.

mod fancy;
mod json;
mod plain;

pub use fancy::fancy;
pub use json::json;
pub use plain::plain;

use crate::Diagnostic;

/// `2 errors and 1 warning`, or nothing where there is nothing to count.
pub fn summary(diagnostics: &[Diagnostic]) -> Option<String> {
    let count = |n: usize, what: &str| match n {
        0 => None,
        1 => Some(format!("1 {what}")),
        n => Some(format!("{n} {what}s")),
    };
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
    match (count(errors, "error"), count(diagnostics.len() - errors, "warning")) {
        (Some(errors), Some(warnings)) => Some(format!("{errors} and {warnings}")),
        (errors, warnings) => errors.or(warnings),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Code, SourceMap, Span};

    /// Two findings in two files, with everything a diagnostic may have.
    fn example() -> (SourceMap, Vec<Diagnostic>) {
        let mut sources = SourceMap::new();
        let a = sources.add("a.chalk", "fn é(x: int) -> bool =\n\t18 <= x < 130\n");
        let b = sources.add("b.chalk", "message M {\n  id: int\n}\n");
        let chain = Span::new(a, 33, 34);
        let field = Span::new(b, 14, 16);
        assert_eq!((sources.slice(chain), sources.slice(field)), ("<", "id"));
        let first = Diagnostic::new(Code::E0010, "comparisons cannot be chained", chain)
            .at("here")
            .label(Span::new(a, 25, 32), "this is a comparison already")
            .label(field, "declared here")
            .note("a note")
            .help("write both")
            .fix(chain, "and x <");
        let second = Diagnostic::new(Code::E0007, "a second one", field);
        (sources, vec![first, second])
    }

    #[test]
    fn plain_is_readable_in_a_pipe() {
        let (sources, diagnostics) = example();
        let expected = "\
a.chalk:2:10: error[E0010]: comparisons cannot be chained
  2 | \t18 <= x < 130
    | \t        ^ here
  a.chalk:2:2: this is a comparison already
  b.chalk:2:3: declared here
  note: a note
  help: write both
b.chalk:2:3: error[E0007]: a second one
  2 |   id: int
    |   ^^
";
        assert_eq!(plain(&diagnostics, &sources), expected);
        assert_eq!(summary(&diagnostics).as_deref(), Some("2 errors"));
        assert_eq!(summary(&[]), None);
    }

    #[test]
    fn json_has_positions_from_one_and_byte_offsets() {
        let (sources, diagnostics) = example();
        let value: serde_json::Value = serde_json::from_str(&json(&diagnostics, &sources)).expect("JSON");
        let first = &value[0];
        assert_eq!(first["code"], "E0010");
        assert_eq!(first["severity"], "error");
        assert_eq!(first["file"], "a.chalk");
        assert_eq!(first["start"], serde_json::json!({"line": 2, "column": 10, "offset": 33}));
        assert_eq!(first["labels"][2]["file"], "b.chalk");
        assert_eq!(first["fix"]["replacement"], "and x <");
        assert_eq!(value[1]["help"], serde_json::Value::Null);
        assert_eq!(json(&[], &sources), "[]");
    }

    #[test]
    fn fancy_shows_source_labels_and_advice_and_colours_only_if_asked() {
        let (sources, diagnostics) = example();
        let text = fancy(&diagnostics, &sources, 100, false);
        for part in ["E0010", "comparisons cannot be chained", "a.chalk:2:10", "18 <= x < 130", "here", "write both"] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        assert!(text.contains("b.chalk:2:3: declared here"), "{text}");
        assert!(!text.contains('\u{1b}'));
        assert!(fancy(&diagnostics, &sources, 100, true).contains('\u{1b}'));
    }

    #[test]
    fn a_span_at_the_end_or_over_lines_is_shown_somewhere() {
        let mut sources = SourceMap::new();
        let file = sources.add("a.chalk", "ab\ncd");
        let empty = sources.add("empty.chalk", "");
        for span in [Span::new(file, 5, 5), Span::new(file, 0, 5), Span::new(file, 2, 3), Span::new(empty, 0, 0)] {
            let one = [Diagnostic::new(Code::E0007, "message", span)];
            assert!(plain(&one, &sources).contains('^'));
            assert!(fancy(&one, &sources, 80, false).contains("message"));
            assert!(json(&one, &sources).contains("message"));
        }
    }
}
