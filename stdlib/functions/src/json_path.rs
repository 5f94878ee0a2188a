//! JSON paths: `$.a.b[0]`, `$['key']`, `$[-1]`, `$.a[*].b`, `$..c`.
//!
//! This file must not know functions.

use crate::json_text::{Invalid, Scanner, Shape, unescape};

/// A path, read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Path {
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    /// A member of an object.
    Key(String),
    /// An item of an array; from the end where negative.
    Index(i64),
    /// Every item or member.
    All,
    /// Every member of that name, at any depth.
    Anywhere(String),
}

impl Path {
    /// Reads a path; `$` may be left out.
    pub(crate) fn parse(text: &str) -> Result<Path, String> {
        let bad = |why: &str| format!("bad JSON path `{text}`: {why}");
        let mut rest = text.trim();
        let mut steps = Vec::new();
        match rest.strip_prefix('$') {
            Some(after) => rest = after,
            // `a.b` is `$.a.b`.
            None if !rest.is_empty() && !rest.starts_with(['.', '[']) => {
                let (name, after) = name(rest);
                steps.push(Step::Key(name.ok_or_else(|| bad("a key expected"))?.to_owned()));
                rest = after;
            }
            None => return Err(bad("it starts with `$`")),
        }
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix("..") {
                let (name, after) = name(after);
                steps.push(Step::Anywhere(name.ok_or_else(|| bad("a key expected after `..`"))?.to_owned()));
                rest = after;
            } else if let Some(after) = rest.strip_prefix(".*") {
                steps.push(Step::All);
                rest = after;
            } else if let Some(after) = rest.strip_prefix('.') {
                let (name, after) = name(after);
                steps.push(Step::Key(name.ok_or_else(|| bad("a key expected after `.`"))?.to_owned()));
                rest = after;
            } else if let Some(inner) = rest.strip_prefix('[') {
                let (step, after) = bracket(inner).ok_or_else(|| bad("`[0]`, `[*]` or `['key']` expected"))?;
                steps.push(step);
                rest = after;
            } else {
                return Err(bad("`.` or `[` expected"));
            }
        }
        Ok(Path { steps })
    }

    /// Whether it names one place at most.
    pub(crate) fn is_definite(&self) -> bool {
        self.steps.iter().all(|step| matches!(step, Step::Key(_) | Step::Index(_)))
    }

    /// The texts of the values at this path, in order. The text as a whole must be JSON.
    pub(crate) fn find<'a>(&self, text: &'a str) -> Result<Vec<&'a str>, Invalid> {
        let mut found = Vec::new();
        let mut scanner = Scanner::new(text);
        let whole = scanner.value()?;
        scanner.end()?;
        follow(whole, &self.steps, &mut found)?;
        Ok(found)
    }

    /// The text of the value at a definite path, in one pass and without allocating: this is the way of most calls.
    pub(crate) fn find_one<'a>(&self, text: &'a str) -> Result<Option<&'a str>, Invalid> {
        let mut scanner = Scanner::new(text);
        let found = find_along(&mut scanner, &self.steps)?;
        scanner.end()?;
        Ok(found)
    }
}

/// Passes over one value and finds what definite steps lead to in it.
fn find_along<'a>(scanner: &mut Scanner<'a>, steps: &[Step]) -> Result<Option<&'a str>, Invalid> {
    let Some((step, rest)) = steps.split_first() else { return scanner.value().map(Some) };
    let mut found = None;
    match (scanner.shape()?, step) {
        // A key given twice: the last one wins, also where nothing is found in it.
        (Shape::Object, Step::Key(key)) => scanner.members(|written, scanner| {
            if is_key(written, key) {
                found = find_along(scanner, rest)?;
                Ok(())
            } else {
                scanner.value().map(|_| ())
            }
        })?,
        (Shape::Array, Step::Index(index)) => {
            let wanted = if *index < 0 {
                let mut items = 0i64;
                scanner.clone().items(|scanner| {
                    items += 1;
                    scanner.value().map(|_| ())
                })?;
                items + index
            } else {
                *index
            };
            let mut position = 0;
            scanner.items(|scanner| {
                position += 1;
                if position - 1 == wanted {
                    found = find_along(scanner, rest)?;
                    Ok(())
                } else {
                    scanner.value().map(|_| ())
                }
            })?;
        }
        _ => {
            scanner.value()?;
        }
    }
    Ok(found)
}

/// A key without quotes: up to the next `.` or `[`.
fn name(text: &str) -> (Option<&str>, &str) {
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let name = text[..end].trim();
    ((!name.is_empty() && !name.contains([']', '\'', '"', '*'])).then_some(name), &text[end..])
}

/// What stands in brackets, and what follows them.
fn bracket(inner: &str) -> Option<(Step, &str)> {
    let inner = inner.trim_start();
    for quote in ['\'', '"'] {
        if let Some(quoted) = inner.strip_prefix(quote) {
            let mut key = String::new();
            let mut chars = quoted.char_indices();
            loop {
                match chars.next()? {
                    (_, '\\') => key.push(chars.next()?.1),
                    (at, c) if c == quote => {
                        let after = quoted[at + 1..].trim_start().strip_prefix(']')?;
                        return Some((Step::Key(key), after));
                    }
                    (_, c) => key.push(c),
                }
            }
        }
    }
    let (text, after) = inner.split_once(']')?;
    match text.trim() {
        "*" => Some((Step::All, after)),
        index => Some((Step::Index(index.parse().ok()?), after)),
    }
}

fn is_key(written: &str, key: &str) -> bool {
    if written.contains('\\') { unescape(written).is_ok_and(|text| text == key) } else { written == key }
}

fn follow<'a>(value: &'a str, steps: &[Step], found: &mut Vec<&'a str>) -> Result<(), Invalid> {
    let Some((step, rest)) = steps.split_first() else {
        found.push(value);
        return Ok(());
    };
    let mut scanner = Scanner::new(value);
    let shape = scanner.shape()?;
    let mut children: Vec<(Option<&'a str>, &'a str)> = Vec::new();
    match shape {
        Shape::Array => scanner.items(|scanner| {
            children.push((None, scanner.value()?));
            Ok(())
        })?,
        Shape::Object => scanner.members(|key, scanner| {
            children.push((Some(key), scanner.value()?));
            Ok(())
        })?,
        _ => return Ok(()),
    }
    match step {
        // A key given twice: the last one wins.
        Step::Key(key) => match children.iter().rev().find(|(name, _)| name.is_some_and(|name| is_key(name, key))) {
            Some((_, child)) => follow(child, rest, found),
            None => Ok(()),
        },
        Step::Index(index) if shape == Shape::Array => {
            let position = if *index < 0 { index + children.len() as i64 } else { *index };
            match usize::try_from(position).ok().and_then(|position| children.get(position)) {
                Some((_, child)) => follow(child, rest, found),
                None => Ok(()),
            }
        }
        Step::Index(_) => Ok(()),
        Step::All => children.iter().try_for_each(|(_, child)| follow(child, rest, found)),
        Step::Anywhere(key) => {
            for (name, child) in &children {
                if name.is_some_and(|name| is_key(name, key)) {
                    follow(child, rest, found)?;
                }
                follow(child, steps, found)?;
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        r#" {"a": {"b": [10, {"c": 1}, "x"], "c": 2}, "s p": 3, "d\u0061y": 4, "a.b": 5, "k": 6, "k": 7} "#;

    fn find(path: &str) -> Vec<&'static str> {
        let path = Path::parse(path).unwrap_or_else(|error| panic!("{error}"));
        let found = path.find(TEXT).expect("valid");
        if path.is_definite() {
            assert_eq!(path.find_one(TEXT), Ok(found.first().copied()), "{path:?}");
        }
        found
    }

    #[test]
    fn paths_find_values() {
        for (path, expected) in [
            ("$.a.b[0]", vec!["10"]),
            ("$.a.b[-1]", vec!["\"x\""]),
            ("$.a.b[3]", vec![]),
            ("$['s p']", vec!["3"]),
            ("$[\"a.b\"]", vec!["5"]),
            ("$.day", vec!["4"]),
            ("$.k", vec!["7"]),
            ("a.c", vec!["2"]),
            ("$.a.b[*]", vec!["10", "{\"c\": 1}", "\"x\""]),
            ("$.a.b[*].c", vec!["1"]),
            ("$..c", vec!["1", "2"]),
            ("$.a[1]", vec![]),
            ("$.a.b.c", vec![]),
            ("$.missing.more", vec![]),
        ] {
            assert_eq!(find(path), expected, "{path}");
        }
        assert_eq!(find("$"), [TEXT.trim()]);
    }

    #[test]
    fn malformed_paths_are_refused() {
        for path in ["", "$.", "$..", "$[", "$[x]", "$['a", "$.a[0", "$a", ".a", "[0]", "$.a]"] {
            assert!(Path::parse(path).is_err(), "{path}");
        }
    }

    #[test]
    fn what_is_no_json_is_invalid_even_past_the_value() {
        let path = Path::parse("$.a").expect("a path");
        for text in ["{\"a\":1,}", "{\"a\":1} x", "{\"a\":1", "", "{\"a\":1,\"b\":tru}"] {
            assert_eq!(path.find_one(text), Err(Invalid), "{text}");
        }
        assert_eq!(path.find_one("[1]"), Ok(None));
    }
}
