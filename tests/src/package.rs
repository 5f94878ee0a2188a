//! Packages of tests: from a fixture's text, checked, with what the compiler said of them.
//!
//! A fixture is one file; a line `//--- other.chalk` begins another one of the same package.
//!
//! This file must not know what fixtures are about.

use chalk_diagnostics::render::plain;
use chalk_engine::Program;
use chalkc::compile::{Checked, catalog, check, jit};
use chalkc::testing::Tester;

/// The files of a fixture: the first has the fixture's own name.
pub fn files(name: &str, text: &str) -> Vec<(String, String)> {
    let mut files = vec![(name.to_owned(), String::new())];
    for line in text.lines() {
        match line.strip_prefix("//--- ") {
            Some(name) => files.push((name.trim().to_owned(), String::new())),
            None => {
                let (_, text) = files.last_mut().expect("there is a first one");
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    files
}

/// What the compiler says, as it is shown in a pipe.
pub fn rendered(checked: &Checked) -> String {
    plain(&checked.diagnostics, &checked.sources)
}

/// A package that must be without errors; warnings are no errors.
pub fn accepted(files: &[(String, String)]) -> Result<Checked, String> {
    let checked = check(files);
    if checked.is_ok() { Ok(checked) } else { Err(rendered(&checked)) }
}

/// Runs the `test` blocks of a package.
pub fn run_tests(checked: &Checked) -> Result<(), String> {
    if checked.program.tests.is_empty() {
        return Ok(());
    }
    let image = jit(checked).map_err(|error| error.to_string())?;
    let program = Program::link(image, catalog()).map_err(|error| error.to_string())?;
    let tester = Tester::new(checked, &program);
    let mut failures = Vec::new();
    for test in &checked.program.tests {
        for mismatch in tester.run(test)? {
            let place = checked.sources.location(mismatch.span);
            let because = mismatch.note.map(|note| format!(" ({note})")).unwrap_or_default();
            failures.push(format!(
                "test \"{}\", {place}: {} should be {}, and is {}{because}",
                test.name, mismatch.what, mismatch.expected, mismatch.found
            ));
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}
