//! What the tests of the syntax share: the samples, seeded random numbers, trees without spans.

#![allow(dead_code, reason = "each test file uses a part of it")]

use chalk_diagnostics::{Diagnostic, FileId, SourceMap};
use chalk_syntax::ast::{Expr, File, Item};

/// The programs of the language's description.
pub(crate) const SAMPLES: &[(&str, &str)] = &[
    ("topic_to_features", include_str!("../samples/topic_to_features.chalk")),
    ("messages", include_str!("../samples/messages.chalk")),
    ("imports", include_str!("../samples/imports.chalk")),
    ("expressions", include_str!("../samples/expressions.chalk")),
    ("raw_events", include_str!("../samples/raw_events.chalk")),
    ("parse_and_dedup", include_str!("../samples/parse_and_dedup.chalk")),
    ("windows", include_str!("../samples/windows.chalk")),
    ("windows_passed_on", include_str!("../samples/windows_passed_on.chalk")),
    ("windowed_resolvers", include_str!("../samples/windowed_resolvers.chalk")),
    ("downstream", include_str!("../samples/downstream.chalk")),
    ("deployment", include_str!("../samples/deployment.chalk")),
    ("tests", include_str!("../samples/tests.chalk")),
];

/// Seeded random numbers (xorshift64*).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.next() as usize % n
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// Parses as the only file.
pub(crate) fn parse(text: &str) -> (File, Vec<Diagnostic>) {
    chalk_syntax::parse(FileId(0), text)
}

/// `line:column CODE message` of each diagnostic.
pub(crate) fn found(text: &str) -> Vec<String> {
    let mut sources = SourceMap::new();
    sources.add("", text);
    let line = |d: &Diagnostic| {
        let position = sources.position(d.span());
        format!("{}:{} {} {}", position.line, position.column, d.code, d.message)
    };
    parse(text).1.iter().map(line).collect()
}

/// The body of `fn f() -> int = …`, which must parse.
pub(crate) fn expr(text: &str) -> Expr {
    let program = format!("fn f() -> int = {text}\n");
    let (tree, diagnostics) = parse(&program);
    assert_eq!(diagnostics, [], "{program}");
    match tree.items.into_iter().next() {
        Some(Item::Fn(function)) => function.body,
        other => panic!("{program}: {other:?}"),
    }
}

/// How a tree looks without its spans (`@0:12..15`).
pub(crate) fn shape(tree: &impl std::fmt::Debug) -> String {
    let text = format!("{tree:?}");
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find('@') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let end = after.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.').unwrap_or(after.len());
        out.push('@');
        rest = &after[end..];
    }
    out.push_str(rest);
    out
}
