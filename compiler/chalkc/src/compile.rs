//! From the text of a package to a checked program, and on to code: the stages in their order, once.
//!
//! Every command that needs more than the text goes through here, so that all of them see the same diagnostics.
//!
//! This file must not know commands, terminals or files.

use chalk_artifact::image::CodeImage;
use chalk_catalog::Catalog;
use chalk_codegen::{CompileOptions, Module};
use chalk_diagnostics::{Code, Diagnostic, SourceMap, has_errors, sort};
use chalk_hir::program::Program;

/// What is known of a package after checking.
pub struct Checked {
    /// The texts, for rendering.
    pub sources: SourceMap,
    /// Errors and warnings, in order of place.
    pub diagnostics: Vec<Diagnostic>,
    /// The program; complete only without errors.
    pub program: Program,
}

impl Checked {
    /// Whether it may be compiled.
    pub fn is_ok(&self) -> bool {
        !has_errors(&self.diagnostics)
    }
}

/// The library that programs may call.
pub fn catalog() -> &'static Catalog {
    chalk_functions::catalog()
}

/// Parses and checks a package: path and text of each file.
pub fn check(files: &[(String, String)]) -> Checked {
    let mut sources = SourceMap::new();
    let mut diagnostics = Vec::new();
    let mut trees = Vec::new();
    for (path, text) in files {
        let id = sources.add(path.as_str(), text.as_str());
        let (tree, found) = chalk_syntax::parse(id, text);
        diagnostics.extend(found);
        trees.push(tree);
    }
    let connectors = chalk_connectors::connector_defs();
    let analysis =
        chalk_hir::analyze_with_sql(&trees.iter().collect::<Vec<_>>(), catalog(), &connectors, crate::sql::planner());
    // What could not be read may use what seems unused.
    let is_readable = !has_errors(&diagnostics);
    let is_unused = |code| matches!(code, Code::W0101 | Code::W0102 | Code::W0103);
    diagnostics.extend(analysis.diagnostics.into_iter().filter(|found| is_readable || !is_unused(found.code)));
    sort(&mut diagnostics);
    Checked { sources, diagnostics, program: analysis.program }
}

/// Generates code for a checked package.
///
/// # Panics
/// If the package has errors.
pub fn generate(checked: &Checked, options: &CompileOptions) -> Result<Module, chalk_codegen::CodegenError> {
    assert!(checked.is_ok(), "only a package without errors is compiled");
    chalk_codegen::compile(&checked.program, &checked.sources, catalog(), options)
}

/// Compiles a checked package in memory.
pub fn jit(checked: &Checked) -> Result<CodeImage, chalk_codegen::CodegenError> {
    generate(checked, &CompileOptions::default())?.jit()
}
