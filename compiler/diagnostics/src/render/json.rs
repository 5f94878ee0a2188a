//! For programs: one JSON array, one object a diagnostic.
//!
//! The names of the fields are a promise: they are added to, never changed. Lines and columns count from 1, columns in
//! code points; offsets count bytes from 0; `end` is past the last character.
//!
//! This module must not know who reads it.

use serde::Serialize;

use crate::{Diagnostic, SourceMap, Span};

#[derive(Serialize)]
struct Entry<'a> {
    code: &'static str,
    severity: &'static str,
    message: &'a str,
    #[serde(flatten)]
    place: Place<'a>,
    labels: Vec<LabelEntry<'a>>,
    notes: &'a [String],
    help: Option<&'a str>,
    fix: Option<FixEntry<'a>>,
}

#[derive(Serialize)]
struct Place<'a> {
    file: &'a str,
    start: Point,
    end: Point,
}

#[derive(Serialize)]
struct Point {
    line: u32,
    column: u32,
    offset: u32,
}

#[derive(Serialize)]
struct LabelEntry<'a> {
    message: &'a str,
    #[serde(flatten)]
    place: Place<'a>,
}

#[derive(Serialize)]
struct FixEntry<'a> {
    replacement: &'a str,
    #[serde(flatten)]
    place: Place<'a>,
}

/// All diagnostics as one JSON array.
pub fn json(diagnostics: &[Diagnostic], sources: &SourceMap) -> String {
    let entries: Vec<Entry<'_>> = diagnostics.iter().map(|diagnostic| entry(diagnostic, sources)).collect();
    serde_json::to_string(&entries).unwrap_or_else(|_| unreachable!("strings and numbers always serialize"))
}

fn entry<'a>(diagnostic: &'a Diagnostic, sources: &'a SourceMap) -> Entry<'a> {
    let label = |label: &'a crate::Label| LabelEntry { message: &label.message, place: place(label.span, sources) };
    let fix = |fix: &'a crate::Fix| FixEntry { replacement: &fix.replacement, place: place(fix.span, sources) };
    Entry {
        code: diagnostic.code.id(),
        severity: diagnostic.severity.as_str(),
        message: &diagnostic.message,
        place: place(diagnostic.span(), sources),
        labels: diagnostic.labels.iter().map(label).collect(),
        notes: &diagnostic.notes,
        help: diagnostic.help.as_deref(),
        fix: diagnostic.fix.as_ref().map(fix),
    }
}

fn place(span: Span, sources: &SourceMap) -> Place<'_> {
    let file = sources.file(span.file);
    let point = |offset: u32| {
        let position = file.position(offset);
        Point { line: position.line, column: position.column, offset }
    };
    Place { file: file.path(), start: point(span.start), end: point(span.end) }
}
