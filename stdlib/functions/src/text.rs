//! Text functions: case, parts, search and padding.
//!
//! Positions and lengths count code points from 0. An ASCII text, the common case, is recognised and counted in bytes.
//!
//! This file must not know slots or patterns (see `regexp`).

use chalk_catalog::context::{CallContext, FunctionError};
use chalk_catalog::slot::Items;
use chalk_macros::functions;
use chalk_types::Value;

use crate::positions::{byte_of, clamp_index, code_points, count_before};

/// ASCII white space: what `trim` strips.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r')
}

/// The part of a text between two code point positions.
fn between(s: &str, start: usize, end: usize) -> &str {
    if start >= end {
        return "";
    }
    let from = byte_of(s, start);
    let rest = &s[from..];
    &rest[..byte_of(rest, end - start)]
}

fn literal_is_not_empty(position: usize, what: &str, args: &[Option<Value>]) -> Result<(), (usize, String)> {
    match &args[position] {
        Some(Value::String(text)) if text.is_empty() => Err((position, format!("the {what} is empty"))),
        _ => Ok(()),
    }
}

fn check_delimiter(args: &[Option<Value>]) -> Result<(), (usize, String)> {
    literal_is_not_empty(1, "delimiter", args)
}

fn check_padding(args: &[Option<Value>]) -> Result<(), (usize, String)> {
    literal_is_not_empty(2, "padding", args)
}

/// Longest text that `lpad` and `rpad` make: a size that comes from a message must not exhaust memory.
const MAX_PADDED_CHARS: i64 = 16 << 20;

fn pad<'a>(cx: &'a CallContext, s: &'a str, size: i64, padding: &str, left: bool) -> Result<&'a str, FunctionError> {
    if !(0..=MAX_PADDED_CHARS).contains(&size) {
        return Err(format!("cannot pad to {size} characters: 0 to {MAX_PADDED_CHARS} are allowed").into());
    }
    if padding.is_empty() {
        return Err("the padding is empty".into());
    }
    let (size, len) = (size as usize, code_points(s));
    if len >= size {
        return Ok(between(s, 0, size));
    }
    let mut text = cx.text();
    if !left {
        text.push_str(s);
    }
    padding.chars().cycle().take(size - len).for_each(|c| text.push(c));
    if left {
        text.push_str(s);
    }
    Ok(text.finish())
}

/// Whether one of the 26 letters from `first` on is in a text; none where the text is not ASCII.
///
/// Eight bytes at a time: texts are short, and calls are many.
fn has_letters(text: &str, first: u8) -> Option<bool> {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let (mut all, mut found) = (0, 0);
    let mut look = |bytes: [u8; 8]| {
        let word = u64::from_le_bytes(bytes);
        // A byte's high bit says of the sum whether it is at or behind a letter; no sum of ASCII reaches the next byte.
        let at_or_behind = |letter: u8| (word & !HIGH) + u64::from(0x80 - letter) * ONES;
        all |= word;
        found |= at_or_behind(first) & !at_or_behind(first + 26);
    };
    let bytes = text.as_bytes();
    match bytes.last_chunk::<8>() {
        Some(last) => {
            bytes.as_chunks::<8>().0.iter().for_each(|chunk| look(*chunk));
            look(*last);
        }
        None => look(std::array::from_fn(|at| bytes.get(at).copied().unwrap_or(0))),
    }
    (all & HIGH == 0).then_some(found & HIGH != 0)
}

/// Whether a text matches a `like` pattern: `%` any run, `_` one character.
fn matches_like(s: &str, pattern: &str) -> bool {
    let (mut text, mut rest) = (s.chars(), pattern.chars());
    // Where to go on after the latest `%`: one character of text further each time.
    let mut retry: Option<(std::str::Chars, std::str::Chars)> = None;
    loop {
        let mut next = rest.clone();
        match next.next() {
            Some('%') => {
                retry = Some((text.clone(), next.clone()));
                rest = next;
                continue;
            }
            None if text.as_str().is_empty() => return true,
            Some(expected) => {
                let mut following = text.clone();
                if following.next().is_some_and(|c| expected == '_' || c == expected) {
                    (text, rest) = (following, next);
                    continue;
                }
            }
            None => {}
        }
        match &mut retry {
            Some((from, after)) => {
                if from.next().is_none() {
                    return false;
                }
                (text, rest) = (from.clone(), after.clone());
            }
            None => return false,
        }
    }
}

#[functions(family = "text")]
mod defs {
    use super::*;

    /// The text in lower case, by Unicode's full mappings.
    ///
    /// ```chalk
    /// lower("HeLLo") == "hello"
    /// lower("ÀÉ") == "àé"
    /// ```
    #[function(signature = "lower(s: string) -> string", known_as = "lcase, to_lower, lowercase, casefold")]
    fn lower<'a>(cx: &'a CallContext, s: &'a str) -> &'a str {
        match has_letters(s, b'A') {
            Some(false) => s,
            Some(true) => cx.arena.ascii_lower(s),
            None => cx.arena.copy_str(&s.to_lowercase()),
        }
    }

    /// The text in upper case, by Unicode's full mappings: `ß` becomes `SS`.
    ///
    /// Deviation: the reference maps single characters only (`ß` to `ẞ`).
    ///
    /// ```chalk
    /// upper("HeLLo") == "HELLO"
    /// upper("straße") == "STRASSE"
    /// ```
    #[function(signature = "upper(s: string) -> string", known_as = "ucase, to_upper, uppercase")]
    fn upper<'a>(cx: &'a CallContext, s: &'a str) -> &'a str {
        match has_letters(s, b'a') {
            Some(false) => s,
            Some(true) => cx.arena.ascii_upper(s),
            None => cx.arena.copy_str(&s.to_uppercase()),
        }
    }

    /// The number of characters (code points).
    ///
    /// ```chalk
    /// length("héé😀") == 4
    /// length("") == 0
    /// ```
    #[function(signature = "length(s: string) -> int", known_as = "len, char_length, character_length, strlen, size")]
    fn length(s: &str) -> i64 {
        code_points(s) as i64
    }

    /// The number of bytes.
    ///
    /// Deviation: the reference has no length of bytes.
    ///
    /// ```chalk
    /// length(b"abc") == 3
    /// ```
    #[function(signature = "length(s: bytes) -> int")]
    fn length_of_bytes(s: &[u8]) -> i64 {
        s.len() as i64
    }

    /// The text without ASCII white space at both ends. Other white space, such as U+00A0, stays.
    ///
    /// ```chalk
    /// trim("  a b\n") == "a b"
    /// ```
    #[function(signature = "trim(s: string) -> string", known_as = "strip, btrim")]
    fn trim(s: &str) -> &str {
        s.trim_matches(is_blank)
    }

    /// The text without ASCII white space at its start.
    ///
    /// ```chalk
    /// ltrim("  a ") == "a "
    /// ```
    #[function(signature = "ltrim(s: string) -> string", known_as = "lstrip, trim_start")]
    fn ltrim(s: &str) -> &str {
        s.trim_start_matches(is_blank)
    }

    /// The text without ASCII white space at its end.
    ///
    /// ```chalk
    /// rtrim("  a ") == "  a"
    /// ```
    #[function(signature = "rtrim(s: string) -> string", known_as = "rstrip, trim_end")]
    fn rtrim(s: &str) -> &str {
        s.trim_end_matches(is_blank)
    }

    /// `length` characters from position `start` on, or all of them. A negative start counts from the end, and stops at
    /// the first character; a length below 1 gives the empty text.
    ///
    /// ```chalk
    /// substr("hello world", 6) == "world"
    /// substr("hello", 1, 3) == "ell"
    /// substr("hello", -2) == "lo"
    /// substr("hello", 9) == ""
    /// ```
    #[function(signature = "substr(s: string, start: int, length: int? = none) -> string", known_as = "substring, mid")]
    fn substr(s: &str, start: i64, length: Option<i64>) -> &str {
        let len = code_points(s);
        let start = clamp_index(start, len);
        let end = length.map_or(len, |length| start.saturating_add(length.max(0) as usize));
        between(s, start, end.min(len))
    }

    /// `length` bytes from position `start` on, or all of them; as for text.
    ///
    /// ```chalk
    /// substr(b"abcdef", 2, 2) == b"cd"
    /// ```
    #[function(signature = "substr(s: bytes, start: int, length: int? = none) -> bytes")]
    fn substr_of_bytes(s: &[u8], start: i64, length: Option<i64>) -> &[u8] {
        let start = clamp_index(start, s.len());
        let end = length.map_or(s.len(), |length| start.saturating_add(length.max(0) as usize));
        &s[start..end.min(s.len())]
    }

    /// The characters from position `start` to before `end`, as Python's `s[start:end]`: negative positions count from
    /// the end.
    ///
    /// Deviation: the reference gives the empty text where `end` is negative and `start` is not.
    ///
    /// ```chalk
    /// str_slice("hello", 0, 2) == "he"
    /// str_slice("hello", -3, -1) == "ll"
    /// str_slice("hello", 1, -1) == "ell"
    /// str_slice("hello", 3, 1) == ""
    /// ```
    #[function(signature = "str_slice(s: string, start: int, end: int? = none) -> string")]
    fn str_slice(s: &str, start: i64, end: Option<i64>) -> &str {
        let len = code_points(s);
        between(s, clamp_index(start, len), end.map_or(len, |end| clamp_index(end, len)))
    }

    /// The texts joined; null if one of them is null.
    ///
    /// ```chalk
    /// concat("a", "b") == "ab"
    /// concat("a", "b", "c") == "abc"
    /// ```
    #[function(signature = "concat(s: string...) -> string", known_as = "concat_ws, string_concat", fold)]
    const CONCAT: &str = "a + b";

    /// The bytes joined; null if one of them is null.
    ///
    /// ```chalk
    /// concat(b"a", b"b") == b"ab"
    /// ```
    #[function(signature = "concat(s: bytes...) -> bytes", fold)]
    const CONCAT_BYTES: &str = "a + b";

    /// The lists joined; null if one of them is null.
    ///
    /// ```chalk
    /// concat([1], [2, 3]) == [1, 2, 3]
    /// ```
    #[function(signature = "concat(a: [T]...) -> [T]", fold)]
    const CONCAT_LISTS: &str = "a + b";

    /// Every occurrence of `old` replaced by `new`. An empty `old` occurs before every character and at the end.
    ///
    /// ```chalk
    /// replace("banana", "an", "-") == "b--a"
    /// replace("ab", "", "L") == "LaLbL"
    /// ```
    #[function(
        signature = "replace(s: string, old: string, new: string = \"\") -> string",
        known_as = "translate, str_replace"
    )]
    fn replace<'a>(cx: &'a CallContext, s: &'a str, old: &str, new: &str) -> &'a str {
        if !old.is_empty() && !s.contains(old) {
            return s;
        }
        let mut text = cx.text();
        let mut end = 0;
        for (at, _) in s.match_indices(old) {
            text.push_str(&s[end..at]);
            text.push_str(new);
            end = at + old.len();
        }
        text.push_str(&s[end..]);
        text.finish()
    }

    /// The characters (code points) in reverse order.
    ///
    /// ```chalk
    /// reverse("abc") == "cba"
    /// ```
    #[function(signature = "reverse(s: string) -> string")]
    fn reverse<'a>(cx: &'a CallContext, s: &'a str) -> &'a str {
        let mut text = cx.text();
        s.chars().rev().for_each(|c| text.push(c));
        text.finish()
    }

    /// The pieces between delimiters; empty pieces are kept, and the empty text has one (empty) piece. `maxsplit` is the
    /// greatest number of splits; null, or below 0, means any number. An empty delimiter fails the message.
    ///
    /// ```chalk
    /// split("a,b,,c", ",") == ["a", "b", "", "c"]
    /// split("a,b,c", ",", 1) == ["a", "b,c"]
    /// split("", ",") == [""]
    /// ```
    #[function(signature = "split(s: string, delim: string, maxsplit: int? = none) -> [string]", known_as = "string_split, str_split, string_to_array", check = check_delimiter)]
    fn split<'a>(s: &'a str, delim: &'a str, maxsplit: Option<i64>) -> Result<Items<&'a str>, FunctionError> {
        if delim.is_empty() {
            return Err("the delimiter is empty".into());
        }
        Ok(Items(match maxsplit {
            Some(most) if most >= 0 => s.splitn((most as usize).saturating_add(1), delim).collect(),
            _ => s.split(delim).collect(),
        }))
    }

    /// The piece at that position (from 0) between delimiters; null past the last. A negative position and an empty
    /// delimiter fail the message.
    ///
    /// ```chalk
    /// split_part("a:b:c", ":", 1) == "b"
    /// split_part("a:b:c", ":", 3) == none
    /// ```
    #[function(signature = "split_part(s: string, delim: string, index: int) -> string?", check = check_delimiter)]
    fn split_part<'a>(s: &'a str, delim: &'a str, index: i64) -> Result<Option<&'a str>, FunctionError> {
        if delim.is_empty() {
            return Err("the delimiter is empty".into());
        }
        match usize::try_from(index) {
            Ok(index) => Ok(s.split(delim).nth(index)),
            Err(_) => Err(format!("the index {index} is negative").into()),
        }
    }

    /// The position of the first occurrence, or -1.
    ///
    /// ```chalk
    /// strpos("hello", "l") == 2
    /// strpos("hello", "x") == -1
    /// strpos("hello", "") == 0
    /// ```
    #[function(
        signature = "strpos(s: string, sub: string) -> int",
        known_as = "position, instr, locate, find, index_of, charindex"
    )]
    fn strpos(s: &str, sub: &str) -> i64 {
        s.find(sub).map_or(-1, |at| count_before(s, at) as i64)
    }

    /// The position of the last occurrence, or -1.
    ///
    /// ```chalk
    /// strrpos("hello", "l") == 3
    /// strrpos("hello", "x") == -1
    /// ```
    #[function(signature = "strrpos(s: string, sub: string) -> int", known_as = "rfind")]
    fn strrpos(s: &str, sub: &str) -> i64 {
        s.rfind(sub).map_or(-1, |at| count_before(s, at) as i64)
    }

    /// Whether `sub` occurs in the text.
    ///
    /// ```chalk
    /// str_contains("hello", "ell")
    /// ```
    #[function(signature = "str_contains(s: string, sub: string) -> bool", known_as = "includes, contains_string")]
    fn str_contains(s: &str, sub: &str) -> bool {
        s.contains(sub)
    }

    /// Whether the text starts with `prefix`.
    ///
    /// ```chalk
    /// starts_with("hello", "he")
    /// ```
    #[function(signature = "starts_with(s: string, prefix: string) -> bool", known_as = "startswith, has_prefix")]
    fn starts_with(s: &str, prefix: &str) -> bool {
        s.starts_with(prefix)
    }

    /// Whether the bytes start with `prefix`.
    ///
    /// ```chalk
    /// starts_with(b"\x00\x01ab", b"\x00\x01")
    /// ```
    #[function(signature = "starts_with(s: bytes, prefix: bytes) -> bool")]
    fn starts_with_bytes(s: &[u8], prefix: &[u8]) -> bool {
        s.starts_with(prefix)
    }

    /// Whether the text ends with `suffix`.
    ///
    /// ```chalk
    /// ends_with("hello", "lo")
    /// ```
    #[function(signature = "ends_with(s: string, suffix: string) -> bool", known_as = "endswith, has_suffix")]
    fn ends_with(s: &str, suffix: &str) -> bool {
        s.ends_with(suffix)
    }

    /// Whether the whole text matches a pattern, in which `%` stands for any run of characters and `_` for one; case
    /// counts. There is no escape: use `regexp_like` for a text that holds `%` or `_`.
    ///
    /// ```chalk
    /// like("hello", "h%o")
    /// not like("hello", "h_o")
    /// ```
    #[function(signature = "like(s: string, pattern: string) -> bool", known_as = "ilike")]
    fn like(s: &str, pattern: &str) -> bool {
        matches_like(s, pattern)
    }

    /// The text filled up on the left to `size` characters; a longer text is cut to its first `size` characters. An
    /// empty padding and a size below 0 or above 16 Mi fail the message.
    ///
    /// ```chalk
    /// lpad("7", 3, "0") == "007"
    /// lpad("hello", 2, "0") == "he"
    /// ```
    #[function(signature = "lpad(s: string, size: int, padding: string = \" \") -> string", known_as = "zfill, ljust", check = check_padding)]
    fn lpad<'a>(cx: &'a CallContext, s: &'a str, size: i64, padding: &str) -> Result<&'a str, FunctionError> {
        pad(cx, s, size, padding, true)
    }

    /// The text filled up on the right to `size` characters; as `lpad`.
    ///
    /// ```chalk
    /// rpad("ab", 5, "xy") == "abxyx"
    /// ```
    #[function(signature = "rpad(s: string, size: int, padding: string = \" \") -> string", known_as = "rjust", check = check_padding)]
    fn rpad<'a>(cx: &'a CallContext, s: &'a str, size: i64, padding: &str) -> Result<&'a str, FunctionError> {
        pad(cx, s, size, padding, false)
    }

    /// The character of a code point; a number that is none fails the message.
    ///
    /// ```chalk
    /// chr(65) == "A"
    /// chr(128512) == "😀"
    /// ```
    #[function(signature = "chr(code: int) -> string", known_as = "char, unichr")]
    fn chr(cx: &CallContext, code: i64) -> Result<&str, FunctionError> {
        let c = u32::try_from(code).ok().and_then(char::from_u32);
        let c = c.ok_or_else(|| FunctionError::from(format!("{code} is no code point")))?;
        Ok(cx.arena.copy_str(c.encode_utf8(&mut [0; 4])))
    }
}

#[cfg(test)]
mod tests {
    use super::has_letters;

    /// What the standard library says, of texts of every length around a word, with every byte in every place.
    #[test]
    fn letters_are_those_of_the_standard_library() {
        for size in 0..20 {
            for at in 0..size {
                for byte in 0..0x80u8 {
                    for other in [b'.', b'@', b'[', b'`', b'{', 0x7f] {
                        let mut bytes = vec![other; size];
                        bytes[at] = byte;
                        let text = std::str::from_utf8(&bytes).expect("ASCII");
                        assert_eq!(has_letters(text, b'A'), Some(text.bytes().any(|byte| byte.is_ascii_uppercase())));
                        assert_eq!(has_letters(text, b'a'), Some(text.bytes().any(|byte| byte.is_ascii_lowercase())));
                    }
                }
                let text = format!("{}é{}", "x".repeat(at), "y".repeat(size - at));
                assert_eq!((has_letters(&text, b'A'), has_letters(&text, b'a')), (None, None));
            }
        }
        assert_eq!(has_letters("", b'A'), Some(false));
    }
}
