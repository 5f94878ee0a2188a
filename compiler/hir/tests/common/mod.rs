//! What the tests of the checker share: a package from text, and its diagnostics as text.

#![allow(dead_code, unreachable_pub)]

use chalk_artifact::connector::{ConnectorDef, OptionDef, OptionType};
use chalk_diagnostics::{Code, Diagnostic, SourceMap};
use chalk_hir::Analysis;
use chalk_syntax::ast;

/// Connectors as the runtime has them, cut down: the checker knows connectors by what they say of themselves alone.
pub static CONNECTORS: [&ConnectorDef; 2] = [
    &ConnectorDef {
        name: "kafka",
        doc: "A topic.",
        options: &[
            OptionDef { name: "topic", ty: OptionType::String, required: true, doc: "The topic." },
            OptionDef { name: "brokers", ty: OptionType::String, required: false, doc: "Where." },
            OptionDef { name: "batch", ty: OptionType::Int, required: false, doc: "How many." },
            OptionDef { name: "tls", ty: OptionType::Bool, required: false, doc: "Whether." },
            OptionDef { name: "start", ty: OptionType::OneOf(&["earliest", "latest"]), required: false, doc: "From." },
        ],
        has_headers: true,
    },
    &ConnectorDef {
        name: "file",
        doc: "A file.",
        options: &[OptionDef { name: "path", ty: OptionType::String, required: true, doc: "The file." }],
        has_headers: false,
    },
];

/// A package of one file; syntax errors come first.
pub fn analyze(text: &str) -> Analysis {
    analyze_files(&[("test.chalk", text)]).1
}

/// A package of several files.
pub fn analyze_files(files: &[(&str, &str)]) -> (SourceMap, Analysis) {
    let mut sources = SourceMap::new();
    let mut diagnostics = Vec::new();
    let mut trees = Vec::new();
    for (path, text) in files {
        let id = sources.add(*path, *text);
        let (tree, found) = chalk_syntax::parse(id, text);
        trees.push(tree);
        diagnostics.extend(found);
    }
    let trees: Vec<&ast::File> = trees.iter().collect();
    let mut analysis = chalk_hir::analyze(&trees, chalk_functions::catalog(), &CONNECTORS);
    diagnostics.append(&mut analysis.diagnostics);
    analysis.diagnostics = diagnostics;
    (sources, analysis)
}

/// Diagnostics as text: code, place, message, labels, notes, help, fix.
pub fn render(sources: &SourceMap, diagnostics: &[Diagnostic]) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics {
        text += &format!("{} {}: {}\n", diagnostic.code, sources.location(diagnostic.span()), diagnostic.message);
        for label in &diagnostic.labels {
            text += &format!("  at `{}`: {}\n", sources.slice(label.span), label.message);
        }
        for note in &diagnostic.notes {
            text += &format!("  note: {note}\n");
        }
        if let Some(help) = &diagnostic.help {
            text += &format!("  help: {help}\n");
        }
        if let Some(fix) = &diagnostic.fix {
            text += &format!("  fix: `{}` -> `{}`\n", sources.slice(fix.span), fix.replacement);
        }
    }
    text
}

/// The codes of a package's diagnostics.
pub fn codes(text: &str) -> Vec<Code> {
    analyze(text).diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

/// The package is right, without a warning.
pub fn accept(text: &str) -> Analysis {
    let (sources, analysis) = analyze_files(&[("test.chalk", text)]);
    assert!(analysis.diagnostics.is_empty(), "{text}\n{}", render(&sources, &analysis.diagnostics));
    analysis
}

/// The package has exactly these diagnostics, and the text of them holds each of `parts`.
pub fn refuse(text: &str, wanted: &[Code], parts: &[&str]) {
    let (sources, analysis) = analyze_files(&[("test.chalk", text)]);
    let found: Vec<Code> = analysis.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    let rendered = render(&sources, &analysis.diagnostics);
    assert_eq!(found, wanted, "{text}\n{rendered}");
    for part in parts {
        assert!(rendered.contains(part), "`{part}` is not in\n{rendered}");
    }
}
