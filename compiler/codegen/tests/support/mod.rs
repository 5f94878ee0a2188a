//! Runs programs natively: source text and messages in, one line per message out.

#![allow(dead_code)] // Each test file uses a part of it.

use std::sync::{Arc, LazyLock};

use chalk_catalog::Catalog;
use chalk_codegen::{CompileOptions, Module, Target, compile};
use chalk_decode::Tier;
use chalk_diagnostics::{SourceMap, has_errors};
use chalk_engine::json::RowWriter;
use chalk_engine::{Envelope, Executor, InputBatch, Program};
use chalk_hir::program;

/// The whole library.
pub(crate) fn catalog() -> &'static Catalog {
    static CATALOG: LazyLock<&'static Catalog> = LazyLock::new(chalk_functions::catalog);
    *CATALOG
}

/// Parses and checks one file; its errors are the test's.
pub(crate) fn check(source: &str) -> (program::Program, SourceMap) {
    let mut sources = SourceMap::new();
    let id = sources.add("test.chalk", source);
    let (tree, mut diagnostics) = chalk_syntax::parse(id, source);
    let connectors: Vec<_> = chalk_connectors::SOURCES.iter().map(|source| &source.connector).collect();
    let analysis = chalk_hir::analyze(&[&tree], catalog(), &connectors);
    diagnostics.extend(analysis.diagnostics);
    let errors: Vec<String> = diagnostics
        .iter()
        .filter(|diagnostic| has_errors(std::slice::from_ref(diagnostic)))
        .map(|diagnostic| format!("{diagnostic:?}"))
        .collect();
    assert!(errors.is_empty(), "{source}\n{}", errors.join("\n"));
    (analysis.program, sources)
}

/// Compiles one file.
pub(crate) fn build(source: &str, options: CompileOptions) -> Module {
    let (program, sources) = check(source);
    compile(&program, &sources, catalog(), &options).expect("code is made")
}

/// A program ready to run.
pub(crate) fn link(source: &str) -> Arc<Program> {
    let image = build(source, CompileOptions::host()).jit().expect("code is mapped");
    Program::link(image, catalog()).expect("no import is missing")
}

/// What each message becomes: the features as JSON, or its fate (with the reason of a failure).
pub(crate) fn run(source: &str, messages: &[&str]) -> Vec<String> {
    let envelopes: Vec<(&str, Envelope<'_>)> =
        messages.iter().map(|message| (*message, Envelope { topic: "test", ..Envelope::default() })).collect();
    run_with(source, &envelopes)
}

/// The same with envelopes. Every instruction-set level that this machine has must give the same.
pub(crate) fn run_with(source: &str, messages: &[(&str, Envelope<'_>)]) -> Vec<String> {
    let mut answers = Target::ALL.into_iter().filter_map(|target| {
        let image = build(source, CompileOptions::for_target(target)).jit().ok()?;
        let program = Program::link(image, catalog()).expect("no import is missing");
        Some((target, run_program(&program, messages)))
    });
    let (_, first) = answers.next().expect("this machine is a target");
    for (target, other) in answers {
        assert_eq!(other, first, "{target} differs");
    }
    first
}

fn run_program(program: &Arc<Program>, messages: &[(&str, Envelope<'_>)]) -> Vec<String> {
    let mut executor = Executor::new(program, 0, Tier::Scalar).expect("the plan can be decoded");
    let mut input = InputBatch::new();
    for (message, envelope) in messages {
        input.push(message.as_bytes(), envelope).expect("the batch has room");
    }
    let types = executor.types().to_vec();
    let output = executor.run(&input, 1_700_000_000_000_000);
    let writer = RowWriter::new(&output.batch, &types);
    let mut lines = vec![String::new(); messages.len()];
    for (row, status) in output.status.iter().enumerate() {
        lines[row] = match status {
            1 => String::new(),
            2 => "filtered".to_owned(),
            3 => "skipped".to_owned(),
            4 => "failed".to_owned(),
            other => format!("status {other}"),
        };
    }
    for (position, row) in output.row_index.iter().enumerate() {
        let mut line = Vec::new();
        writer.write_row(&mut line, position);
        lines[*row as usize] = String::from_utf8(line).expect("JSON is UTF-8").trim_end().to_owned();
    }
    for error in &output.errors {
        lines[error.row] = format!("failed: {}", error.reason);
    }
    lines
}
