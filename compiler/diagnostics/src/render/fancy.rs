//! For a person at a terminal: the source with arrows, drawn by miette.
//!
//! miette draws one source a diagnostic, so a label in another file becomes a line of its own.
//!
//! This module must not know whether there is a terminal: the caller says how wide it is and whether it has colours.

use std::fmt;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan,
    SpanContents, ThemeCharacters, ThemeStyles,
};

use crate::{Diagnostic, Severity, SourceFile, SourceMap};

/// All diagnostics, drawn for a terminal of `width` columns.
pub fn fancy(diagnostics: &[Diagnostic], sources: &SourceMap, width: usize, colour: bool) -> String {
    let styles = if colour { ThemeStyles::ansi() } else { ThemeStyles::none() };
    let theme = GraphicalTheme { characters: ThemeCharacters::unicode(), styles };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(width.max(40)).with_links(false);
    let mut out = String::new();
    for diagnostic in diagnostics {
        let report = Report::new(diagnostic, sources);
        if handler.render_report(&mut out, &report).is_err() {
            // miette could not read the span: better plain than not at all.
            out.push_str(&super::plain(std::slice::from_ref(diagnostic), sources));
        }
        out.push('\n');
    }
    out
}

/// A diagnostic in miette's eyes.
struct Report<'a> {
    diagnostic: &'a Diagnostic,
    source: Named<'a>,
    labels: Vec<LabeledSpan>,
    /// Labels in other files, notes and help.
    help: Option<String>,
}

impl<'a> Report<'a> {
    fn new(diagnostic: &'a Diagnostic, sources: &'a SourceMap) -> Report<'a> {
        let home = diagnostic.span().file;
        let mut labels = Vec::new();
        let mut lines = Vec::new();
        for (i, label) in diagnostic.labels.iter().enumerate() {
            if label.span.file != home {
                lines.push(format!("{}: {}", sources.location(label.span), label.message));
                continue;
            }
            let message = Some(label.message.clone()).filter(|message| !message.is_empty());
            let span = SourceSpan::from((label.span.start as usize, label.span.len()));
            labels.push(if i == 0 {
                LabeledSpan::new_primary_with_span(message, span)
            } else {
                LabeledSpan::new_with_span(message, span)
            });
        }
        lines.extend(diagnostic.notes.iter().map(|note| format!("note: {note}")));
        lines.extend(diagnostic.help.clone());
        let help = if lines.is_empty() { None } else { Some(lines.join("\n")) };
        Report { diagnostic, source: Named(sources.file(home)), labels, help }
    }
}

impl fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diagnostic.fmt(f)
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.diagnostic.message)
    }
}

impl std::error::Error for Report<'_> {}

impl miette::Diagnostic for Report<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.diagnostic.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display + 'a>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}

/// A source with its path.
struct Named<'a>(&'a SourceFile);

impl SourceCode for Named<'_> {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let contents = self.0.text().read_span(span, before, after)?;
        Ok(Box::new(MietteSpanContents::new_named(
            self.0.path().to_owned(),
            contents.data(),
            *contents.span(),
            contents.line(),
            contents.column(),
            contents.line_count(),
        )))
    }
}
