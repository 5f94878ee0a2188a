//! For a pipe, a log or an editor's problem matcher: `path:line:column: error[E0001]: message`, then the line.
//!
//! No colours, no boxes, nothing that depends on a terminal.
//!
//! This module must not know colours.

use std::fmt::Write as _;

use crate::{Diagnostic, SourceMap, Span};

/// Lines longer than this are shown around the mistake only.
const MAX_LINE: usize = 160;

/// All diagnostics, one after the other.
pub fn plain(diagnostics: &[Diagnostic], sources: &SourceMap) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        // Writing to a string cannot fail.
        let _ = one(&mut out, diagnostic, sources);
    }
    out
}

fn one(out: &mut String, diagnostic: &Diagnostic, sources: &SourceMap) -> std::fmt::Result {
    let Diagnostic { code, severity, message, .. } = diagnostic;
    let place = sources.location(diagnostic.span());
    writeln!(out, "{place}: {}[{code}]: {message}", severity.as_str())?;
    excerpt(out, sources, diagnostic.span(), &diagnostic.labels[0].message)?;
    for label in &diagnostic.labels[1..] {
        writeln!(out, "  {}: {}", sources.location(label.span), label.message)?;
    }
    for note in &diagnostic.notes {
        writeln!(out, "  note: {note}")?;
    }
    if let Some(help) = &diagnostic.help {
        writeln!(out, "  help: {help}")?;
    }
    Ok(())
}

/// The line of a span with carets under it.
fn excerpt(out: &mut String, sources: &SourceMap, span: Span, label: &str) -> std::fmt::Result {
    let file = sources.file(span.file);
    let number = file.line_of(span.start);
    let range = file.line_range(number);
    let mut line = file.line(number);
    let mut start = (span.start as usize).clamp(range.start, range.end) - range.start;
    let mut end = (span.end as usize).clamp(range.start, range.end) - range.start;
    if line.len() > MAX_LINE {
        let floor = |at: usize| (0..=at).rev().find(|&at| line.is_char_boundary(at)).unwrap_or(0);
        let from = floor(start.saturating_sub(MAX_LINE / 2));
        let to = floor((from + MAX_LINE).min(line.len()));
        line = &line[from..to];
        start -= from;
        end = end.saturating_sub(from).clamp(start, line.len());
    }
    let before = line.get(..start).unwrap_or(line);
    let under = line.get(start..end).map_or(0, |text| text.chars().count()).max(1);
    // Tabs are kept, so that the carets stand under their characters whatever a tab is wide.
    let blanks: String = before.chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let gutter = number.to_string();
    writeln!(out, "  {gutter} | {line}")?;
    write!(out, "  {} | {blanks}{}", " ".repeat(gutter.len()), "^".repeat(under))?;
    if !label.is_empty() {
        write!(out, " {label}")?;
    }
    writeln!(out)
}
