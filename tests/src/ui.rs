//! What the compiler says of packages that are wrong: text beside the package, reviewed by people.
//!
//! This file must not know any rule.

use std::collections::BTreeSet;

use chalk_diagnostics::Code;
use chalkc::compile::check;

use crate::fixture::{self, Fixture, repository};
use crate::{bless, package};

/// The fixtures: `tests/ui/<area>/<message_title>.chalk`.
/// Those about queries need the query engine.
pub fn fixtures() -> Vec<Fixture> {
    let mut fixtures = fixture::find(&repository().join("tests/ui"), "chalk");
    fixtures.retain(|fixture| has_sql() || !fixture.name.starts_with("sql/"));
    fixtures
}

/// Whether the tests were built with the query engine.
pub fn has_sql() -> bool {
    chalkc::sql::planner().is_some()
}

/// Compares what is said with the `.stderr` beside the package.
pub fn run(fixture: &Fixture) -> Result<(), String> {
    let name = fixture.path.file_name().expect("a file").to_string_lossy();
    let checked = check(&package::files(&name, &fixture.text()));
    if checked.diagnostics.is_empty() {
        return Err("nothing is said of this package: it belongs into tests/run".to_owned());
    }
    bless::compare(&fixture.sibling("stderr"), &package::rendered(&checked))
}

/// Every diagnostic of a package is shown by some fixture. E05 codes are about artifacts, which have tests of their own.
pub fn every_code_is_shown() -> Result<(), String> {
    let mut shown = BTreeSet::new();
    for fixture in fixtures() {
        let checked = check(&package::files("a.chalk", &fixture.text()));
        shown.extend(checked.diagnostics.iter().map(|diagnostic| diagnostic.code));
    }
    let missing: Vec<String> = Code::ALL
        .iter()
        .filter(|code| !shown.contains(code) && !code.id().starts_with("E05"))
        .filter(|code| has_sql() || !code.id().starts_with("E07"))
        .map(|code| format!("{code}: {}", code.title()))
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("no fixture of tests/ui shows\n{}", missing.join("\n"))) }
}

/// The pages of SQL's codes do what they say: the first program has the code, the second is clean. (Those of other codes are tested where the
/// checker is, which has no query engine.)
pub fn pages_of_sql_codes() -> Result<(), String> {
    let mut wrong = String::new();
    let codes = Code::ALL.iter().filter(|code| has_sql() && code.id().starts_with("E07"));
    for code in codes {
        let programs = code.page().split("\n```chalk\n").skip(1).filter_map(|part| part.split("\n```").next());
        for (program, wanted) in programs.zip([vec![*code], vec![]]) {
            let checked = check(&package::files("page.chalk", program));
            let found: Vec<Code> = checked.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
            if found != wanted {
                wrong += &format!("{code}: {wanted:?} is wanted:\n{}\n", package::rendered(&checked));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}
