//! Packages of tests: from a fixture's text, checked, with what the compiler said of them.
//!
//! A fixture is one file; a line `//--- other.chalk` begins another one of the same package.
//!
//! This file must not know what fixtures are about.

use chalk_diagnostics::render::plain;
use chalkc::compile::{Checked, check};

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
