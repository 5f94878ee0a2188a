//! Functions with regular expressions.
//!
//! Patterns have RE2's syntax and run in linear time: they are handed to the `regex` crate after the places where its
//! syntax differs are rewritten. A pattern is compiled once per call site.
//!
//! This file must not know slots.

use std::sync::Arc;

use chalk_catalog::arena::ArenaText;
use chalk_catalog::context::{CallContext, FunctionError};
use chalk_catalog::slot::Items;
use chalk_macros::functions;
use chalk_types::Value;
use regex::{Captures, Regex, RegexBuilder};

/// Memory that one compiled pattern may take.
const MAX_PATTERN_BYTES: usize = 4 << 20;

/// RE2's pattern in the syntax of the `regex` crate: `\d`, `\w`, `\s` and `\b` are ASCII in RE2; in a class RE2 takes
/// `[`, `&` and `~` as themselves; `\Q…\E` quotes.
fn from_re2(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => {
                let Some(escaped) = rest.chars().next() else {
                    out.push('\\');
                    break;
                };
                rest = &rest[escaped.len_utf8()..];
                match escaped {
                    'd' => out.push_str("[0-9]"),
                    'D' => out.push_str("[^0-9]"),
                    'w' => out.push_str("[0-9A-Za-z_]"),
                    'W' => out.push_str("[^0-9A-Za-z_]"),
                    's' => out.push_str("[\\t\\n\\f\\r ]"),
                    'S' => out.push_str("[^\\t\\n\\f\\r ]"),
                    'b' if !in_class => out.push_str("(?-u:\\b)"),
                    'Q' => {
                        let (quoted, after) = rest.split_once("\\E").unwrap_or((rest, ""));
                        out.push_str(&regex::escape(quoted));
                        rest = after;
                    }
                    _ => out.extend(['\\', escaped]),
                }
            }
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                // A `]` that comes first, also after `^`, is a member of the class.
                if let Some(after) = rest.strip_prefix('^') {
                    out.push('^');
                    rest = after;
                }
                if let Some(after) = rest.strip_prefix(']') {
                    out.push_str("\\]");
                    rest = after;
                }
            }
            '[' if rest.starts_with(':') => match rest.find(":]") {
                Some(end) => {
                    out.push('[');
                    out.push_str(&rest[..end + 2]);
                    rest = &rest[end + 2..];
                }
                None => out.push_str("\\["),
            },
            '[' | '&' | '~' if in_class => out.extend(['\\', c]),
            ']' => {
                in_class = false;
                out.push(']');
            }
            _ => out.push(c),
        }
    }
    out
}

fn compile(pattern: &str) -> Result<Regex, FunctionError> {
    RegexBuilder::new(&from_re2(pattern)).size_limit(MAX_PATTERN_BYTES).build().map_err(|error| {
        // The crate draws the pattern over several lines; the last line says what is wrong.
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default().trim();
        format!("bad pattern `{pattern}`: {}", reason.strip_prefix("error: ").unwrap_or(reason)).into()
    })
}

fn compiled(cx: &CallContext, pattern: &str) -> Result<Arc<Regex>, FunctionError> {
    cx.memo(&[pattern.as_bytes()], || compile(pattern))
}

/// A replacement text: `$1` and `${name}` stand for groups, `\$` for a dollar sign.
#[derive(Debug)]
struct Replacement(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    Text(String),
    Group(usize),
}

impl Replacement {
    fn parse(text: &str, regex: &Regex) -> Result<Replacement, FunctionError> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '\\' if rest.starts_with(['$', '\\']) => {
                    literal.push_str(&rest[..1]);
                    rest = &rest[1..];
                }
                '$' => {
                    let (name, after) = match rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
                        Some(named) => named,
                        None => rest.split_at(rest.bytes().take_while(u8::is_ascii_digit).count()),
                    };
                    rest = after;
                    if name.is_empty() {
                        return Err(format!("`$` in `{text}` names no group; a dollar sign is written `\\$`").into());
                    }
                    if !literal.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut literal)));
                    }
                    pieces.push(Piece::Group(group_number(regex, name)?));
                }
                _ => literal.push(c),
            }
        }
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Ok(Replacement(pieces))
    }

    fn write(&self, captures: &Captures, text: &mut ArenaText) {
        for piece in &self.0 {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Group(number) => text.push_str(captures.get(*number).map_or("", |group| group.as_str())),
            }
        }
    }
}

fn group_number(regex: &Regex, name: &str) -> Result<usize, FunctionError> {
    let number = match name.parse::<usize>() {
        Ok(number) if number < regex.captures_len() => Some(number),
        Ok(_) => None,
        Err(_) => regex.capture_names().position(|candidate| candidate == Some(name)),
    };
    number.ok_or_else(|| format!("the pattern `{regex}` has no group `{name}`").into())
}

fn existing_group(regex: &Regex, group: i64) -> Result<usize, FunctionError> {
    match usize::try_from(group) {
        Ok(number) if number < regex.captures_len() => Ok(number),
        _ => Err(format!("there is no group {group}: the pattern has {}", regex.captures_len() - 1).into()),
    }
}

fn literal_regex(args: &[Option<Value>]) -> Result<Option<Regex>, (usize, String)> {
    match &args[1] {
        Some(Value::String(pattern)) => compile(pattern).map(Some).map_err(|error| (1, error.0.into_owned())),
        _ => Ok(None),
    }
}

fn check_pattern(args: &[Option<Value>]) -> Result<(), (usize, String)> {
    literal_regex(args).map(|_| ())
}

fn check_group(args: &[Option<Value>]) -> Result<(), (usize, String)> {
    if let (Some(regex), Some(Value::Int(group))) = (literal_regex(args)?, &args[2]) {
        let group = i64::try_from(*group).unwrap_or(-1);
        existing_group(&regex, group).map_err(|error| (2, error.0.into_owned()))?;
    }
    Ok(())
}

fn check_replacement(args: &[Option<Value>]) -> Result<(), (usize, String)> {
    if let (Some(regex), Some(Value::String(replacement))) = (literal_regex(args)?, &args[2]) {
        Replacement::parse(replacement, &regex).map_err(|error| (2, error.0.into_owned()))?;
    }
    Ok(())
}

#[functions(family = "regexp")]
mod defs {
    use super::*;

    /// Whether the pattern matches some part of the text; `^…$` asks for the whole. A bad pattern fails the message, a bad
    /// literal pattern does not compile.
    ///
    /// Patterns are RE2's: `\d`, `\w`, `\s` and `\b` are ASCII, there are no back references and no look-around, and
    /// matching takes time linear in the text. Not supported are `\C` and octal escapes.
    ///
    /// ```chalk
    /// regexp_like("hello42", "[0-9]+")
    /// not regexp_like("hello", "^ell")
    /// ```
    #[function(signature = "regexp_like(s: string, pattern: string) -> bool", known_as = "regex_match, regexp_matches, rlike, match_regex, regexp_contains", check = check_pattern)]
    fn regexp_like(cx: &CallContext, s: &str, pattern: &str) -> Result<bool, FunctionError> {
        Ok(compiled(cx, pattern)?.is_match(s))
    }

    /// The text of a group in the first match (0 is the whole match); null where nothing matches or the group took no
    /// part. A group that the pattern does not have fails the message.
    ///
    /// ```chalk
    /// regexp_extract("order 66 of 99", "[0-9]+") == "66"
    /// regexp_extract("k=v", "(\\w)=(\\w)", 2) == "v"
    /// regexp_extract("abc", "[0-9]") == none
    /// ```
    #[function(signature = "regexp_extract(s: string, pattern: string, group: int = 0) -> string?", known_as = "regexp_substr, regex_extract", check = check_group)]
    fn regexp_extract<'a>(
        cx: &CallContext,
        s: &'a str,
        pattern: &str,
        group: i64,
    ) -> Result<Option<&'a str>, FunctionError> {
        let regex = compiled(cx, pattern)?;
        match existing_group(&regex, group)? {
            0 => Ok(regex.find(s).map(|found| found.as_str())),
            group => Ok(regex.captures(s).and_then(|captures| captures.get(group)).map(|found| found.as_str())),
        }
    }

    /// The text of a group in every match, in order; the empty text where the group took no part. Without a match the
    /// list is empty.
    ///
    /// ```chalk
    /// regexp_extract_all("a1b22", "[0-9]+") == ["1", "22"]
    /// regexp_extract_all("a=1,b=2", "(\\w)=(\\w)", 1) == ["a", "b"]
    /// ```
    #[function(signature = "regexp_extract_all(s: string, pattern: string, group: int = 0) -> [string]", check = check_group)]
    fn regexp_extract_all<'a>(
        cx: &CallContext,
        s: &'a str,
        pattern: &str,
        group: i64,
    ) -> Result<Items<&'a str>, FunctionError> {
        let regex = compiled(cx, pattern)?;
        Ok(Items(match existing_group(&regex, group)? {
            0 => regex.find_iter(s).map(|found| found.as_str()).collect(),
            group => {
                regex.captures_iter(s).map(|captures| captures.get(group).map_or("", |found| found.as_str())).collect()
            }
        }))
    }

    /// Every match replaced. In the replacement `$1` and `${name}` stand for groups, `\$` for a dollar sign; without a
    /// replacement matches are deleted. A group that the pattern does not have fails the message.
    ///
    /// ```chalk
    /// regexp_replace("555-1234", "[^0-9]") == "5551234"
    /// regexp_replace("John Smith", "(\\w+) (\\w+)", "$2, $1") == "Smith, John"
    /// ```
    #[function(signature = "regexp_replace(s: string, pattern: string, replacement: string = \"\") -> string", known_as = "regex_replace, re_sub", check = check_replacement)]
    fn regexp_replace<'a>(
        cx: &'a CallContext,
        s: &'a str,
        pattern: &str,
        replacement: &str,
    ) -> Result<&'a str, FunctionError> {
        let regex = compiled(cx, pattern)?;
        if !regex.is_match(s) {
            return Ok(s);
        }
        let key = [pattern.as_bytes(), replacement.as_bytes()];
        let replacement = cx.memo(&key, || Replacement::parse(replacement, &regex))?;
        let mut text = cx.text();
        let mut end = 0;
        for captures in regex.captures_iter(s) {
            let found = captures.get_match();
            text.push_str(&s[end..found.start()]);
            replacement.write(&captures, &mut text);
            end = found.end();
        }
        text.push_str(&s[end..]);
        Ok(text.finish())
    }

    /// The pieces between matches; empty pieces are kept.
    ///
    /// ```chalk
    /// regexp_split("a1b22c", "[0-9]+") == ["a", "b", "c"]
    /// ```
    #[function(signature = "regexp_split(s: string, pattern: string) -> [string]", known_as = "regexp_split_to_array, regex_split", check = check_pattern)]
    fn regexp_split<'a>(cx: &CallContext, s: &'a str, pattern: &str) -> Result<Items<&'a str>, FunctionError> {
        Ok(Items(compiled(cx, pattern)?.split(s).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {}", error.0)).is_match(text)
    }

    #[test]
    fn classes_are_those_of_re2() {
        assert!(!matches(r"^\d$", "٣"), "ASCII digits only");
        assert!(!matches(r"^\w$", "é") && matches(r"^[\w.]+$", "a.b"));
        assert!(matches(r"^[[a]+$", "[a[") && matches(r"^[]a]+$", "]a") && matches(r"^[^]a]$", "b"));
        assert!(matches(r"^[a&&b]+$", "a&b"), "no intersections");
        assert!(matches(r"^[[:alpha:]]+$", "abc"));
        assert!(matches(r"\bfoo\b", "a foo b") && !matches(r"\bfoo\b", "afoo"));
        assert!(matches(r"^\Qa.b\E$", "a.b") && !matches(r"^\Qa.b\E$", "axb"));
        assert!(matches(r"^.$", "😀"));
    }

    #[test]
    fn patterns_without_linear_time_do_not_compile() {
        for pattern in [r"(a)\1", "(?=a)", "(?<!a)b", "(", "a{1000}{1000}{1000}"] {
            assert!(compile(pattern).is_err(), "{pattern}");
        }
    }
}
