//! JSON as text: whether it is valid, where values lie in it, what a scalar's text is.
//!
//! Functions look at one or two values of a message, so nothing is built: a value is the range of text that it takes up,
//! found in one pass that also checks the grammar (RFC 8259).
//!
//! This file must not know paths or functions.

use std::borrow::Cow;

/// Deepest nesting that is followed.
const MAX_DEPTH: u32 = 128;

/// A position in JSON text.
#[derive(Clone, Debug)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    position: usize,
    depth: u32,
}

/// The text is no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Invalid;

/// What kind of value stands at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Null,
    Bool,
    Number,
    Text,
    Array,
    Object,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Scanner<'a> {
        Scanner { text, position: 0, depth: 0 }
    }

    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    fn peek(&self) -> Option<u8> {
        self.bytes().get(self.position).copied()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.position += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Invalid> {
        if self.peek() == Some(byte) {
            self.position += 1;
            Ok(())
        } else {
            Err(Invalid)
        }
    }

    /// The shape of the value that begins here, after blanks.
    pub(crate) fn shape(&mut self) -> Result<Shape, Invalid> {
        self.skip_blanks();
        match self.peek() {
            Some(b'n') => Ok(Shape::Null),
            Some(b't' | b'f') => Ok(Shape::Bool),
            Some(b'-' | b'0'..=b'9') => Ok(Shape::Number),
            Some(b'"') => Ok(Shape::Text),
            Some(b'[') => Ok(Shape::Array),
            Some(b'{') => Ok(Shape::Object),
            _ => Err(Invalid),
        }
    }

    /// Passes over one value: its text, without blanks around it.
    pub(crate) fn value(&mut self) -> Result<&'a str, Invalid> {
        let shape = self.shape()?;
        let start = self.position;
        match shape {
            Shape::Null => self.word("null")?,
            Shape::Bool if self.peek() == Some(b't') => self.word("true")?,
            Shape::Bool => self.word("false")?,
            Shape::Number => self.number()?,
            Shape::Text => {
                self.string()?;
            }
            Shape::Array => self.items(|scanner| scanner.value().map(|_| ()))?,
            Shape::Object => self.members(|_, scanner| scanner.value().map(|_| ()))?,
        }
        Ok(&self.text[start..self.position])
    }

    /// Nothing but blanks may follow.
    pub(crate) fn end(&mut self) -> Result<(), Invalid> {
        self.skip_blanks();
        if self.position == self.text.len() { Ok(()) } else { Err(Invalid) }
    }

    fn word(&mut self, word: &str) -> Result<(), Invalid> {
        if self.text[self.position..].starts_with(word) {
            self.position += word.len();
            Ok(())
        } else {
            Err(Invalid)
        }
    }

    fn digits(&mut self) -> Result<(), Invalid> {
        let start = self.position;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.position += 1;
        }
        if self.position > start { Ok(()) } else { Err(Invalid) }
    }

    fn number(&mut self) -> Result<(), Invalid> {
        if self.peek() == Some(b'-') {
            self.position += 1;
        }
        if self.peek() == Some(b'0') {
            self.position += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.position += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.position += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.position += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// Passes over a string: what lies between its quotes.
    fn string(&mut self) -> Result<&'a str, Invalid> {
        self.expect(b'"')?;
        let start = self.position;
        let mut surrogates = false;
        loop {
            self.position += plain_bytes(&self.bytes()[self.position..]);
            match self.peek().ok_or(Invalid)? {
                b'"' => break,
                b'\\' => {
                    self.position += 1;
                    match self.peek().ok_or(Invalid)? {
                        b'u' => {
                            let digits = self.bytes().get(self.position + 1..self.position + 5).ok_or(Invalid)?;
                            if !digits.iter().all(u8::is_ascii_hexdigit) {
                                return Err(Invalid);
                            }
                            surrogates |= matches!(digits, [b'd' | b'D', b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F', ..]);
                            self.position += 5;
                        }
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.position += 1,
                        _ => return Err(Invalid),
                    }
                }
                0..0x20 => return Err(Invalid),
                _ => self.position += 1,
            }
        }
        let inner = &self.text[start..self.position];
        self.position += 1;
        // Halves of a pair are found where the text is made.
        if surrogates && unescape(inner).is_err() {
            return Err(Invalid);
        }
        Ok(inner)
    }

    fn enter(&mut self, open: u8) -> Result<(), Invalid> {
        self.skip_blanks();
        self.expect(open)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Invalid);
        }
        self.skip_blanks();
        Ok(())
    }

    /// After an item: whether another one follows.
    fn more(&mut self, close: u8) -> Result<bool, Invalid> {
        self.skip_blanks();
        match self.peek() {
            Some(b',') => {
                self.position += 1;
                self.skip_blanks();
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.position += 1;
                self.depth -= 1;
                Ok(false)
            }
            _ => Err(Invalid),
        }
    }

    /// Visits the items of the array that begins here; `visit` passes over each.
    pub(crate) fn items(
        &mut self,
        mut visit: impl FnMut(&mut Scanner<'a>) -> Result<(), Invalid>,
    ) -> Result<(), Invalid> {
        self.enter(b'[')?;
        if self.peek() == Some(b']') {
            return self.more(b']').map(|_| ());
        }
        loop {
            visit(self)?;
            if !self.more(b']')? {
                return Ok(());
            }
        }
    }

    /// Visits the members of the object that begins here: the key as written, and the scanner before the value, which
    /// `visit` passes over.
    pub(crate) fn members(
        &mut self,
        mut visit: impl FnMut(&'a str, &mut Scanner<'a>) -> Result<(), Invalid>,
    ) -> Result<(), Invalid> {
        self.enter(b'{')?;
        if self.peek() == Some(b'}') {
            return self.more(b'}').map(|_| ());
        }
        loop {
            let key = self.string()?;
            self.skip_blanks();
            self.expect(b':')?;
            visit(key, self)?;
            if !self.more(b'}')? {
                return Ok(());
            }
        }
    }
}

/// How many bytes at the start of a string's rest need no look: no quote, backslash or control character. Eight at a
/// time, so the last few before the end of the text may be left to the caller.
fn plain_bytes(rest: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Marks bytes that are 0; a mark above the first may be wrong, so only the first is used.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let (words, _) = rest.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quote = zeros(word ^ (ONES * u64::from(b'"')));
        let backslash = zeros(word ^ (ONES * u64::from(b'\\')));
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let marks = quote | backslash | control;
        if marks != 0 {
            return index * 8 + (marks.trailing_zeros() / 8) as usize;
        }
    }
    words.len() * 8
}

/// What lies between the quotes of a string, as text.
pub(crate) fn unescape(inner: &str) -> Result<Cow<'_, str>, Invalid> {
    if !inner.contains('\\') {
        return Ok(Cow::Borrowed(inner));
    }
    let hex = |text: &str| u32::from_str_radix(text.get(..4).ok_or(Invalid)?, 16).map_err(|_| Invalid);
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let escape = rest.chars().next().ok_or(Invalid)?;
        rest = &rest[escape.len_utf8()..];
        text.push(match escape {
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            '"' | '\\' | '/' => escape,
            'u' => {
                let first = hex(rest)?;
                rest = &rest[4..];
                if (0xd800..0xdc00).contains(&first) {
                    let second = hex(rest.strip_prefix("\\u").ok_or(Invalid)?)?;
                    if !(0xdc00..0xe000).contains(&second) {
                        return Err(Invalid);
                    }
                    rest = &rest[6..];
                    char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)).ok_or(Invalid)?
                } else {
                    char::from_u32(first).ok_or(Invalid)?
                }
            }
            _ => return Err(Invalid),
        });
    }
    text.push_str(rest);
    Ok(Cow::Owned(text))
}

/// Appends a text as a JSON string.
pub(crate) fn write_string(text: &str, out: &mut impl std::fmt::Write) -> std::fmt::Result {
    out.write_char('"')?;
    let mut start = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => {
                out.write_str(&text[start..at])?;
                write!(out, "\\u{byte:04x}")?;
                start = at + 1;
                continue;
            }
            _ => continue,
        };
        out.write_str(&text[start..at])?;
        out.write_str(escape)?;
        start = at + 1;
    }
    out.write_str(&text[start..])?;
    out.write_char('"')
}

/// Appends a value compactly, keys in the order of their code points; of a repeated key the last value.
pub(crate) fn write_canonical<'a>(scanner: &mut Scanner<'a>, out: &mut String) -> Result<(), Invalid> {
    match scanner.shape()? {
        Shape::Array => {
            out.push('[');
            let mut first = true;
            scanner.items(|scanner| {
                if !std::mem::take(&mut first) {
                    out.push(',');
                }
                write_canonical(scanner, out)
            })?;
            out.push(']');
        }
        Shape::Object => {
            let mut members = std::collections::BTreeMap::new();
            scanner.members(|key, scanner| {
                let mut text = String::new();
                write_canonical(scanner, &mut text)?;
                members.insert(unescape(key)?, text);
                Ok(())
            })?;
            out.push('{');
            for (index, (key, value)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_string(key, out).map_err(|_| Invalid)?;
                out.push(':');
                out.push_str(value);
            }
            out.push('}');
        }
        Shape::Text => {
            let inner = scanner.string()?;
            write_string(&unescape(inner)?, out).map_err(|_| Invalid)?;
        }
        Shape::Null | Shape::Bool | Shape::Number => out.push_str(scanner.value()?),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_valid(text: &str) -> bool {
        let mut scanner = Scanner::new(text);
        scanner.value().and_then(|_| scanner.end()).is_ok()
    }

    #[test]
    fn the_grammar_is_that_of_serde_json() {
        let nested = "[".repeat(200);
        let deep = format!("{}{}", "[".repeat(128), "]".repeat(128));
        for text in [
            "",
            " ",
            "null",
            "nul",
            "nulll",
            "true",
            "-0",
            "01",
            "1.",
            ".5",
            "1e5",
            "1e",
            "1E+5",
            "-",
            "--1",
            "\"",
            "\"a\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u0041\"",
            "\"\\ud800\"",
            "\"\\ud83d\\ude00\"",
            "\"\\ude00\"",
            "\"\n\"",
            "[]",
            "[1,]",
            "[,]",
            "[1 2]",
            " [ 1 , 2 ] ",
            "{}",
            "{\"a\":1}",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\" 1}",
            "{\"a\":1}x",
            "\u{feff}1",
            "[[[]]]",
            "{\"a\":{\"b\":[{}]}}",
            &nested,
        ] {
            let expected = serde_json::from_str::<serde_json::Value>(text).is_ok();
            assert_eq!(is_valid(text), expected, "{text:?}");
        }
        assert!(is_valid(&deep) && !is_valid(&format!("[{deep}]")));
    }

    #[test]
    fn every_byte_of_a_string_is_looked_at() {
        // A quote, an escape and a control character at every distance from the start of the eight that are read at once.
        for before in 0..20 {
            let filler = "é".repeat(before / 2) + &"x".repeat(before % 2);
            assert!(is_valid(&format!("[\"{filler}\",\"{filler}\\n{filler}\"]")), "{before}");
            for bad in ['\n', '\u{1f}', '\0'] {
                assert!(!is_valid(&format!("\"{filler}{bad}{filler}\"")), "{before} {bad:?}");
            }
            assert!(is_valid(&format!("\"{filler}\u{7f}{filler}\"")), "{before}");
        }
    }

    #[test]
    fn strings_are_those_of_serde_json() {
        for text in [r"a", r"\u0041\n\\\/", r"\ud83d\ude00!", r"\b\f\r\t", r"\u0000"] {
            let expected: String = serde_json::from_str(&format!("\"{text}\"")).expect("valid");
            assert_eq!(unescape(text).as_deref(), Ok(&*expected));
            let mut written = String::new();
            write_string(&expected, &mut written).expect("writes");
            assert_eq!(serde_json::from_str::<String>(&written).expect("valid"), expected);
        }
    }
}
