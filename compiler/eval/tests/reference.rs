//! The pages of the language reference are true: their programs compile or fail as they say, their examples hold.

mod common;

use std::fmt::Write as _;
use std::path::Path;

use chalk_catalog::CallContext;
use chalk_diagnostics::{Diagnostic, FileId};
use chalk_eval::Evaluator;
use chalk_hir::program::Program;
use chalk_types::Value;
use common::fences::{Claim, Example, examples, fences};

/// The pages, by name. That of SQL is read where there is a query engine, in the tests of everything.
fn pages() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reference");
    let mut pages: Vec<(String, String)> = std::fs::read_dir(&folder)
        .expect("the folder of pages")
        .map(|entry| entry.expect("a page").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .filter(|path| path.file_stem().is_some_and(|name| name != "sql"))
        .map(|path| {
            let name = path.file_name().expect("a file").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).expect("a page of text"))
        })
        .collect();
    pages.sort();
    assert!(pages.len() > 8, "the pages are in {}", folder.display());
    pages
}

#[test]
fn programs_do_what_the_pages_say() {
    let mut wrong = String::new();
    let mut count = 0;
    for (name, page) in pages() {
        for fence in fences(&page).iter().filter(|fence| fence.claim != Claim::Evaluates) {
            count += 1;
            let (sources, _, diagnostics) = common::check(&fence.text);
            let mut found: Vec<&str> = diagnostics.iter().map(|one: &Diagnostic| one.code.id()).collect();
            found.dedup();
            let wanted = match &fence.claim {
                Claim::Has(code) => vec![code.as_str()],
                _ => vec![],
            };
            if found != wanted {
                let lines = common::lines(&sources, &diagnostics);
                let _ = writeln!(wrong, "{name}:{}: wanted {wanted:?}, found\n{lines}", fence.line);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(count > 40, "only {count} programs");
}

#[test]
fn examples_hold() {
    let mut wrong = String::new();
    let mut count = 0;
    for (name, page) in pages() {
        for fence in fences(&page).iter().filter(|fence| fence.claim == Claim::Evaluates) {
            for example in examples(fence) {
                count += 1;
                if let Err(message) = holds(&example) {
                    let _ = writeln!(wrong, "{name}:{}: `{}`: {message}", example.line, example.condition);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(count > 90, "only {count} examples");
}

fn holds(example: &Example) -> Result<(), String> {
    let (mut file, diagnostics) =
        chalk_syntax::parse(FileId(0), &format!("fn example() -> bool = {}", example.condition));
    let messages = |found: &[Diagnostic]| found.iter().map(|one| one.message.clone()).collect::<Vec<_>>().join("; ");
    if !diagnostics.is_empty() {
        return Err(messages(&diagnostics));
    }
    let Some(chalk_syntax::ast::Item::Fn(function)) = file.items.pop() else { return Err("no expression".to_owned()) };
    let catalog = chalk_functions::catalog();
    let (expr, diagnostics) = chalk_hir::analyze_expression(&function.body, catalog);
    let Some(expr) = expr else { return Err(messages(&diagnostics)) };
    let program = Program::default();
    let context = CallContext::new(0, 1);
    let deserialize = |_: usize, _: &[u8]| Err("there is no message here".to_owned());
    let evaluator = Evaluator { program: &program, catalog, context: &context, deserialize: &deserialize };
    match (evaluator.constant(&expr), &example.fails) {
        (Ok(Value::Bool(true)), None) => Ok(()),
        (Err(failure), Some(reason)) if failure.reason.starts_with(reason.as_str()) => Ok(()),
        (Err(failure), _) => Err(format!("fails: {}", failure.reason)),
        (Ok(value), _) => Err(format!("is {value:?}")),
    }
}
