//! Expectations kept in files: compared with what came out, or rewritten where `CHALK_BLESS=1` says so.
//!
//! One variable for every kind of fixture, so that nobody has to look up how one is renewed.
//!
//! This file must not know what is expected of whom.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// The environment variable that rewrites expectations.
pub const VARIABLE: &str = "CHALK_BLESS";

/// Whether expectations are to be rewritten.
pub fn is_on() -> bool {
    std::env::var(VARIABLE).is_ok_and(|value| value == "1")
}

/// Compares with the file's text, or rewrites the file. An expectation that is empty is no file.
pub fn compare(path: &Path, actual: &str) -> Result<(), String> {
    let expected = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(format!("{}: {error}", path.display())),
    };
    if expected == actual {
        return Ok(());
    }
    if is_on() {
        let written = if actual.is_empty() { fs::remove_file(path) } else { fs::write(path, actual) };
        return written.map_err(|error| format!("{}: {error}", path.display()));
    }
    Err(format!(
        "{} is not what came out ({VARIABLE}=1 rewrites it):\n{}",
        path.display(),
        difference(&expected, actual)
    ))
}

/// The lines that differ, with the common ones around them: `-` expected, `+` found.
pub fn difference(expected: &str, actual: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), actual.lines().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    let mut text = String::new();
    let mut line = |mark: char, line: &str| {
        let _ = writeln!(text, "{mark} {line}"); // writing to a String cannot fail
    };
    old[head.saturating_sub(2)..head].iter().for_each(|same| line(' ', same));
    old[head..old.len() - tail].iter().for_each(|gone| line('-', gone));
    new[head..new.len() - tail].iter().for_each(|come| line('+', come));
    old[old.len() - tail..].iter().take(2).for_each(|same| line(' ', same));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_the_lines_that_differ_and_their_neighbours() {
        assert_eq!(difference("a\nb\nc\nd\ne\n", "a\nb\nx\nd\ne\n"), "  a\n  b\n- c\n+ x\n  d\n  e\n");
        assert_eq!(difference("", "a\n"), "+ a\n");
    }
}
