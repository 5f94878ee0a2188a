//! `test` blocks of packages: those of `tests/time`, which are about time and state, and those of the examples.
//!
//! This file must not know any rule.

use std::fmt::Write as _;

use chalk_engine::Program;
use chalkc::compile::{Checked, catalog, jit};
use chalkc::testing::Tester;

use crate::fixture::{self, Fixture, repository};
use crate::package;

/// The packages: `tests/time/<name>.chalk`.
pub fn fixtures() -> Vec<Fixture> {
    fixture::find(&repository().join("tests/time"), "chalk")
}

/// Runs the tests of a package, of which there are some.
pub fn run(fixture: &Fixture) -> Result<(), String> {
    let name = fixture.path.file_name().expect("a file").to_string_lossy();
    let checked = package::accepted(&package::files(&name, &fixture.text()))?;
    let said = package::rendered(&checked);
    if !said.is_empty() {
        return Err(format!("a package about time is without warnings:\n{said}"));
    }
    if run_tests(&checked)? == 0 { Err("there is no test in it".to_owned()) } else { Ok(()) }
}

/// Runs the tests of a program; gives how many there are, or what is not as they expect.
pub fn run_tests(checked: &Checked) -> Result<usize, String> {
    let image = jit(checked).map_err(|error| error.to_string())?;
    let program = Program::link(image, catalog()).map_err(|error| error.to_string())?;
    let tester = Tester::new(checked, &program);
    let mut text = String::new();
    for test in &checked.program.tests {
        for mismatch in tester.run(test)? {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "\"{}\", {}: {}\n  expected {}\n  got      {}{}",
                test.name,
                checked.sources.location(mismatch.span),
                mismatch.what,
                mismatch.expected,
                mismatch.found,
                mismatch.note.map_or(String::new(), |note| format!("\n  because  {note}"))
            );
        }
    }
    if text.is_empty() { Ok(checked.program.tests.len()) } else { Err(text) }
}
