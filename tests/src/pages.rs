//! Reference pages, of the language and of the library: their examples hold natively as well.
//!
//! The evaluator's own tests read the same fences; here every line becomes a feature of a resolver, so that it goes through code
//! generation and the engine.
//!
//! This file must not know what pages say.

use std::path::Path;

use chalk_diagnostics::FileId;
use chalkc::compile::{catalog, check};

use crate::fixture::{self, Fixture, repository};
use crate::message::Message;
use crate::oracle::{Oracle, tiers};
use crate::outcome::Outcome;
use crate::ui::has_sql;
use crate::{package, run};

/// The pages of the language.
pub fn language() -> Vec<Fixture> {
    let mut pages = fixture::find(&repository().join("compiler/reference"), "md");
    pages.retain(|page| has_sql() || page.name != "sql");
    pages
}

/// The pages of the library.
pub fn library() -> Vec<Fixture> {
    fixture::find(&repository().join("stdlib/reference"), "md")
}

/// A line of an example.
#[derive(Clone, Debug)]
struct Example {
    /// Where it stands, for people.
    place: String,
    /// An expression that is true; or one that fails, where a reason is there.
    expression: String,
    /// How the reason begins.
    fails: Option<String>,
}

/// Runs the `eval` and `example` fences of a page, and compiles its whole packages.
pub fn run_page(page: &Fixture) -> Result<(), String> {
    let mut examples = Vec::new();
    for (line, info, text) in fences(&page.text()) {
        match info.as_str() {
            "chalk" => compiles(&text).map_err(|error| format!("{}:{line}: {error}", page.name))?,
            "chalk eval" | "chalk example" => examples.extend(lines(&page.name, line, &text)),
            info => {
                if let Some(code) = info.strip_prefix("chalk error[").and_then(|code| code.strip_suffix(']')) {
                    is_refused(&text, code).map_err(|error| format!("{}:{line}: {error}", page.name))?;
                }
            }
        }
    }
    hold(&examples)
}

/// Runs the examples that the library's declarations hold.
pub fn run_declared(family: &str) -> Result<(), String> {
    let of_family = catalog().functions().iter().filter(|function| function.def.family == family);
    let examples: Vec<Example> = of_family
        .flat_map(|function| function.def.examples.iter().flat_map(|text| lines(function.def.signature, 1, text)))
        .collect();
    hold(&examples)
}

/// Families of the library, in order.
pub fn families() -> Vec<&'static str> {
    let mut families: Vec<&str> = catalog().functions().iter().map(|function| function.def.family).collect();
    families.sort_unstable();
    families.dedup();
    families
}

/// First line, info string and text of every fence.
fn fences(page: &str) -> Vec<(usize, String, String)> {
    let mut found = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let text: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
        found.push((number + 2, info.trim().to_owned(), text.join("\n")));
    }
    found
}

fn lines(page: &str, first: usize, text: &str) -> Vec<Example> {
    let examples = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    examples
        .map(|(index, line)| {
            let (expression, claim) = line.split_once(" // ").unwrap_or((line, ""));
            Example {
                place: format!("{page}:{}", first + index),
                expression: match claim.strip_prefix("=> ") {
                    Some(value) => format!("({expression}) == ({value})"),
                    None => expression.to_owned(),
                },
                fails: claim.strip_prefix("fails").map(|reason| reason.trim_start_matches(": ").to_owned()),
            }
        })
        .collect()
}

fn compiles(text: &str) -> Result<(), String> {
    let checked = package::accepted(&package::files("page.chalk", text))?;
    Oracle::new(&checked)?;
    package::run_tests(&checked)
}

/// Whether a package has that mistake, and no other.
fn is_refused(text: &str, code: &str) -> Result<(), String> {
    let checked = check(&package::files("page.chalk", text));
    let mut found: Vec<&str> = checked.diagnostics.iter().map(|diagnostic| diagnostic.code.id()).collect();
    found.dedup();
    if found == [code] { Ok(()) } else { Err(format!("{code} is wanted:\n{}", package::rendered(&checked))) }
}

/// The type that an expression has by itself.
fn type_of(expression: &str) -> Result<String, String> {
    let (mut file, _) = chalk_syntax::parse(FileId(0), &format!("fn example() -> bool = {expression}"));
    let Some(chalk_syntax::ast::Item::Fn(function)) = file.items.pop() else { return Err("no expression".to_owned()) };
    match chalk_hir::analyze_expression(&function.body, catalog()) {
        (Some(expr), _) => Ok(expr.ty.to_optional().to_string()),
        (None, diagnostics) => Err(diagnostics.first().map_or_else(String::new, |first| first.message.clone())),
    }
}

/// Each example is a resolver, so that one that fails does not hide another.
fn hold(examples: &[Example]) -> Result<(), String> {
    let mut text = String::from("source topic = kafka(topic: \"topic\")\n");
    for (number, example) in examples.iter().enumerate() {
        let ty = type_of(&example.expression).map_err(|error| format!("{}: {error}", example.place))?;
        text += &format!(
            "features C{number} {{ id: int, value: {ty} }}\n\
             stream r{number}(msg: string) -> C{number}\n  from topic\n{{\n  id = 1\n  value = {}\n}}\n",
            example.expression
        );
    }
    let checked = check(&[("page.chalk".to_owned(), text)]);
    if !checked.is_ok() {
        return Err(package::rendered(&checked));
    }
    let oracle = Oracle::new(&checked)?;
    let mut wrong = Vec::new();
    for (number, example) in examples.iter().enumerate() {
        let message = Message::new(*b"a message", 0);
        let outcomes = oracle.run(number, &[message], &tiers()).map_err(|difference| {
            format!("{}: {}: {}", example.place, example.expression, run::different(&difference))
        })?;
        let is_right = match (&outcomes[0], &example.fails) {
            (Outcome::Applied { features, .. }, None) => features.ends_with(&format!("\"c{number}.value\":true}}")),
            (Outcome::DeadLetter { reason, .. }, Some(wanted)) => reason.starts_with(wanted.as_str()),
            _ => false,
        };
        if !is_right {
            wrong.push(format!("{}: `{}` gives {}", example.place, example.expression, outcomes[0]));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// The name of a page, for its test.
pub fn name_of(page: &Fixture) -> String {
    Path::new(&page.name).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
