//! Whether a message is JSON (RFC 8259), and the shapes of its tokens.
//!
//! Checking comes before reading, so that a message that is no JSON fails for that reason, whatever its fields say.
//!
//! This file must not know types, fields or columns.

use crate::error::{Outcome, Reason, fail};

/// The first byte at or after `at` that is no blank.
pub(crate) fn skip_blanks(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

/// Fails at a byte that cannot stand there, or at the end.
#[cold]
pub(crate) fn unexpected<T>(bytes: &[u8], at: usize, expected: &'static str) -> Outcome<T> {
    match bytes.get(at) {
        Some(&byte) => fail(Reason::UnexpectedByte { byte, expected }, at),
        None => fail(Reason::UnexpectedEnd { expected }, bytes.len()),
    }
}

/// The byte behind the byte wanted.
pub(crate) fn expect(bytes: &[u8], at: usize, byte: u8, expected: &'static str) -> Outcome<usize> {
    if bytes.get(at) == Some(&byte) { Ok(at + 1) } else { unexpected(bytes, at, expected) }
}

/// Checks the string whose opening quote is at `at`; gives the byte behind its closing quote.
pub(crate) fn check_string(bytes: &[u8], at: usize) -> Outcome<usize> {
    let mut at = at + 1;
    loop {
        match bytes.get(at) {
            None => return fail(Reason::UnexpectedEnd { expected: "the `\"` that closes the string" }, at),
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at = check_escape(bytes, at)?.0,
            Some(&byte) if byte < 0x20 => return fail(Reason::ControlCharacter { byte }, at),
            Some(_) => at += 1,
        }
    }
}

/// Checks the escape whose backslash is at `at`; gives the byte behind it and the character it stands for.
pub(crate) fn check_escape(bytes: &[u8], at: usize) -> Outcome<(usize, char)> {
    let character = match bytes.get(at + 1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return check_unicode_escape(bytes, at),
        Some(_) => return fail(Reason::BadEscape, at),
        None => return fail(Reason::UnexpectedEnd { expected: "the rest of an escape" }, bytes.len()),
    };
    Ok((at + 2, character))
}

fn check_unicode_escape(bytes: &[u8], at: usize) -> Outcome<(usize, char)> {
    let high = hex_unit(bytes, at)?;
    match high {
        0xd800..=0xdbff => {
            if bytes.get(at + 6) != Some(&b'\\') || bytes.get(at + 7) != Some(&b'u') {
                return fail(Reason::LoneSurrogate, at);
            }
            let low = hex_unit(bytes, at + 6)?;
            if !(0xdc00..=0xdfff).contains(&low) {
                return fail(Reason::LoneSurrogate, at);
            }
            let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            Ok((at + 12, char::from_u32(code).expect("a surrogate pair is a character")))
        }
        _ => match char::from_u32(high) {
            Some(character) => Ok((at + 6, character)),
            None => fail(Reason::LoneSurrogate, at),
        },
    }
}

/// The UTF-16 unit of the `\uXXXX` at `at`.
fn hex_unit(bytes: &[u8], at: usize) -> Outcome<u32> {
    let mut unit = 0;
    for index in at + 2..at + 6 {
        match bytes.get(index).map(|&byte| (byte as char).to_digit(16)) {
            Some(Some(digit)) => unit = unit * 16 + digit,
            Some(None) => return fail(Reason::BadEscape, at),
            None => return fail(Reason::UnexpectedEnd { expected: "the rest of an escape" }, bytes.len()),
        }
    }
    Ok(unit)
}

/// Checks the number at `at`; gives the byte behind it.
pub(crate) fn check_number(bytes: &[u8], at: usize) -> Outcome<usize> {
    let mut at = if bytes.get(at) == Some(&b'-') { at + 1 } else { at };
    at = match bytes.get(at) {
        Some(b'0') => at + 1,
        _ => check_digits(bytes, at)?,
    };
    if bytes.get(at) == Some(&b'.') {
        at = check_digits(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = bytes.get(at) {
            at += 1;
        }
        at = check_digits(bytes, at)?;
    }
    Ok(at)
}

fn check_digits(bytes: &[u8], mut at: usize) -> Outcome<usize> {
    if !bytes.get(at).is_some_and(u8::is_ascii_digit) {
        return unexpected(bytes, at, "a digit");
    }
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    Ok(at)
}

/// Checks `true`, `false`, `null`, a number or a string; gives the byte behind it.
pub(crate) fn check_scalar(bytes: &[u8], at: usize) -> Outcome<usize> {
    match bytes.get(at) {
        Some(b'"') => check_string(bytes, at),
        Some(b't') => check_word(bytes, at, b"true", "`true`"),
        Some(b'f') => check_word(bytes, at, b"false", "`false`"),
        Some(b'n') => check_word(bytes, at, b"null", "`null`"),
        Some(b'-' | b'0'..=b'9') => check_number(bytes, at),
        _ => unexpected(bytes, at, "a value"),
    }
}

fn check_word(bytes: &[u8], at: usize, word: &[u8], expected: &'static str) -> Outcome<usize> {
    for (index, &byte) in word.iter().enumerate() {
        if bytes.get(at + index) != Some(&byte) {
            return unexpected(bytes, at + index, expected);
        }
    }
    Ok(at + word.len())
}

/// Checks the value at `at`, whatever it is; gives the byte behind it. `open` is scratch: the objects (true) and arrays that are open.
pub(crate) fn check_value(bytes: &[u8], at: usize, max_depth: u32, open: &mut Vec<bool>) -> Outcome<usize> {
    open.clear();
    let mut at = skip_blanks(bytes, at);
    loop {
        // A value begins at `at`.
        let opened = matches!(bytes.get(at), Some(b'{' | b'['));
        if opened {
            if open.len() >= max_depth as usize {
                return fail(Reason::TooDeep { limit: max_depth }, at);
            }
            let is_object = bytes[at] == b'{';
            open.push(is_object);
            at = skip_blanks(bytes, at + 1);
            let close = if is_object { b'}' } else { b']' };
            if bytes.get(at) != Some(&close) {
                if is_object {
                    at = check_key(bytes, at, "a key or `}`")?;
                } else if bytes.get(at).is_none() {
                    return unexpected(bytes, at, "a value or `]`");
                }
                continue;
            }
        } else {
            at = check_scalar(bytes, at)?;
        }
        // A value has ended, or an empty object or array is about to be closed.
        loop {
            let Some(&is_object) = open.last() else { return Ok(at) };
            at = skip_blanks(bytes, at);
            match (bytes.get(at), is_object) {
                (Some(b'}'), true) | (Some(b']'), false) => {
                    open.pop();
                    at += 1;
                    if open.is_empty() {
                        return Ok(at);
                    }
                }
                (Some(b','), true) => {
                    at = check_key(bytes, skip_blanks(bytes, at + 1), "a key")?;
                    break;
                }
                (Some(b','), false) => {
                    at = skip_blanks(bytes, at + 1);
                    break;
                }
                (_, true) => return unexpected(bytes, at, "`,` or `}`"),
                (_, false) => return unexpected(bytes, at, "`,` or `]`"),
            }
        }
    }
}

/// Checks a key with its colon; gives the first byte of the value.
fn check_key(bytes: &[u8], at: usize, expected: &'static str) -> Outcome<usize> {
    if bytes.get(at) != Some(&b'"') {
        return unexpected(bytes, at, expected);
    }
    let at = check_string(bytes, at)?;
    let at = expect(bytes, skip_blanks(bytes, at), b':', "`:`")?;
    Ok(skip_blanks(bytes, at))
}

/// The byte behind the value at `at`, found by its outline alone: quotes, brackets, and for anything else the next
/// separator. On a message that was checked this is exact; of a relaxed one it is all that unread values are asked.
pub(crate) fn skip_outline(bytes: &[u8], at: usize) -> Outcome<usize> {
    let mut depth = 0usize;
    let mut at = at;
    loop {
        match bytes.get(at) {
            None => return unexpected(bytes, at, "the rest of a value"),
            Some(b'"') => at = skip_string(bytes, at)?,
            Some(b'{' | b'[') => {
                depth += 1;
                at += 1;
            }
            Some(b'}' | b']') if depth > 0 => {
                depth -= 1;
                at += 1;
            }
            Some(b',' | b'}' | b']' | b':' | b' ' | b'\n' | b'\r' | b'\t') if depth == 0 => {
                return unexpected(bytes, at, "a value");
            }
            Some(_) if depth > 0 => at += 1,
            Some(_) => {
                while !is_delimiter(bytes.get(at)) {
                    at += 1;
                }
            }
        }
        if depth == 0 {
            return Ok(at);
        }
    }
}

/// Whether a number or word ends before this byte.
pub(crate) fn is_delimiter(byte: Option<&u8>) -> bool {
    matches!(byte, None | Some(b',' | b'}' | b']' | b':' | b' ' | b'\n' | b'\r' | b'\t'))
}

/// The byte behind the string whose opening quote is at `at`.
pub(crate) fn skip_string(bytes: &[u8], at: usize) -> Outcome<usize> {
    let mut at = at + 1;
    loop {
        match bytes.get(at) {
            None => return fail(Reason::UnexpectedEnd { expected: "the `\"` that closes the string" }, bytes.len()),
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
        }
    }
}
