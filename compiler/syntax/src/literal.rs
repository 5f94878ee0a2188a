//! The values of literals: numbers, durations, strings.
//!
//! Each reader gives a value or one mistake with the bytes it is about, relative to the literal's text.
//!
//! This module must not know tokens or where in a file the text stood.

use std::ops::Range;

use chalk_diagnostics::Code;

/// The value of a number or duration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Int(i128),
    Float(f64),
    /// Microseconds.
    Duration(i64),
}

/// A mistake in a literal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mistake {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    /// The bytes it is about, from the beginning of the literal.
    pub(crate) at: Range<usize>,
    /// What to write instead of the whole literal.
    pub(crate) fix: Option<String>,
}

impl Mistake {
    fn new(code: Code, message: impl Into<String>, at: Range<usize>) -> Mistake {
        Mistake { code, message: message.into(), help: None, at, fix: None }
    }

    fn help(mut self, help: impl Into<String>) -> Mistake {
        self.help = Some(help.into());
        self
    }

    fn fix(mut self, fix: impl Into<String>) -> Mistake {
        self.fix = Some(fix.into());
        self
    }
}

/// The units of durations, and their length.
const UNITS: &[(&str, i64)] = &[
    ("w", 604_800_000_000),
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

/// What people write for the units.
const UNIT_HABITS: &[(&str, &str)] = &[
    ("min", "m"),
    ("mins", "m"),
    ("minute", "m"),
    ("minutes", "m"),
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("hr", "h"),
    ("hrs", "h"),
    ("hour", "h"),
    ("hours", "h"),
    ("day", "d"),
    ("days", "d"),
    ("week", "w"),
    ("weeks", "w"),
    ("D", "d"),
    ("H", "h"),
    ("M", "m"),
    ("S", "s"),
    ("W", "w"),
];

/// Reads a number or duration; `text` begins with a digit.
pub(crate) fn number(text: &str) -> Result<Number, Mistake> {
    let whole = 0..text.len();
    let malformed = |message: &str| Mistake::new(Code::E0004, message, whole.clone());
    let prefix = text.get(..2).unwrap_or("");
    if ["0x", "0X", "0b", "0B", "0o", "0O"].contains(&prefix) && text.len() > 2 {
        let radix = match prefix.as_bytes()[1] {
            b'x' | b'X' => 16,
            b'o' | b'O' => 8,
            _ => 2,
        };
        let mistake = malformed("numbers are written in decimal digits");
        return Err(match i128::from_str_radix(&text[2..].replace('_', ""), radix) {
            Ok(value) => mistake.fix(value.to_string()),
            Err(_) => mistake,
        });
    }
    let is_exponent = |letters: &str, rest: &str| {
        (letters == "e" || letters == "E") && rest.starts_with(|c: char| c.is_ascii_digit() || c == '+' || c == '-')
    };
    let letters_at = text.find(|c: char| c.is_ascii_alphabetic());
    if let Some(at) = letters_at {
        let letters_end = text[at..].find(|c: char| !c.is_ascii_alphabetic()).map_or(text.len(), |n| at + n);
        if !is_exponent(&text[at..letters_end], &text[letters_end..]) {
            return duration(text);
        }
    }
    let (mantissa, exponent) = match letters_at {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let (integer, fraction) = match mantissa.split_once('.') {
        Some((integer, fraction)) => (integer, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = [Some(integer), fraction, exponent.map(|e| e.trim_start_matches(['+', '-']))];
    for part in digits.into_iter().flatten() {
        if part.bytes().any(|b| b.is_ascii_alphabetic()) {
            return Err(malformed("a number has no letters in it but the `e` of its exponent"));
        }
        if part.starts_with('_') || part.ends_with('_') || part.contains("__") {
            return Err(malformed("underscores stand between digits, one at a time"));
        }
        if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit() || b == b'_') {
            return Err(malformed("the digits of this number are incomplete"));
        }
    }
    if integer.len() > 1 && integer.starts_with('0') {
        let plain = integer.trim_start_matches(['0', '_']);
        let plain = if plain.is_empty() { "0" } else { plain };
        return Err(
            malformed("a number has no zeros before its first digit").fix(format!("{plain}{}", &text[integer.len()..]))
        );
    }
    let too_large =
        |help: &str| Mistake::new(Code::E0012, "this number is larger than any type", whole.clone()).help(help);
    let plain = text.replace('_', "");
    if fraction.is_none() && exponent.is_none() {
        return match plain.parse::<i128>() {
            Ok(value) => Ok(Number::Int(value)),
            Err(_) => Err(too_large("integers have at most 64 bits, decimals at most 38 digits")),
        };
    }
    match plain.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Number::Float(value)),
        Ok(_) => Err(too_large("floats end at about 1.8e308")),
        Err(_) => Err(malformed("the digits of this number are incomplete")),
    }
}

/// Reads a duration: numbers with letters after them.
fn duration(text: &str) -> Result<Number, Mistake> {
    let mut rest = text;
    let mut total: i128 = 0;
    let mut seen: Vec<&str> = Vec::new();
    while !rest.is_empty() {
        let from = text.len() - rest.len();
        let digits_end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (digits, tail) = rest.split_at(digits_end);
        let letters_end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters_end);
        let at = from..from + digits.len() + unit.len();
        let mistake = |message: String| Mistake::new(Code::E0006, message, at.clone());
        if unit.is_empty() {
            return Err(mistake(format!("`{digits}` has no unit of time")).help("units are `w d h m s ms us`"));
        }
        let Some(&(unit, micros)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            let habit = UNIT_HABITS.iter().find(|(habit, _)| *habit == unit).map(|(_, unit)| *unit);
            // A number with letters that are no unit at all was meant as something else.
            let known = habit.is_some() || !seen.is_empty() || unit.len() <= 2;
            let mistake = if known {
                mistake(format!("`{unit}` is no unit of time")).help("units are `w d h m s ms us`")
            } else {
                let help = "a name begins with a letter, a number has only digits, a duration is `1h30m`";
                Mistake::new(Code::E0004, "a number with letters in it", 0..text.len()).help(help)
            };
            return Err(match habit {
                Some(habit) => mistake.fix(format!("{}{digits}{habit}{tail}", &text[..from])),
                None => mistake,
            });
        };
        if digits.contains('.') {
            let mistake = mistake("a duration has no fraction".into()).help("use the smaller unit, as in `1h30m`");
            return Err(match fraction_spelled_out(text, digits, micros) {
                Some(fixed) => mistake.fix(fixed),
                None => mistake,
            });
        }
        if digits.starts_with('_') || digits.ends_with('_') || digits.contains("__") {
            return Err(mistake("underscores stand between digits, one at a time".into()));
        }
        if seen.contains(&unit) {
            return Err(mistake(format!("the unit `{unit}` stands twice")).help("each unit stands at most once"));
        }
        seen.push(unit);
        let count: i128 = digits.replace('_', "").parse().unwrap_or(i128::from(i64::MAX));
        total = total.saturating_add(count.saturating_mul(i128::from(micros)));
        rest = tail;
    }
    i64::try_from(total).map(Number::Duration).map_err(|_| {
        let help = "durations end at about 292 thousand years";
        Mistake::new(Code::E0012, "this duration is too long", 0..text.len()).help(help)
    })
}

/// `1.5h` as `1h30m`, if it is the whole literal and comes out even.
fn fraction_spelled_out(text: &str, digits: &str, unit_micros: i64) -> Option<String> {
    if !text.starts_with(digits) || text[digits.len()..].bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    let (integer, fraction) = digits.split_once('.')?;
    let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let units = integer.parse::<i128>().ok()?.checked_mul(scale)?.checked_add(fraction.parse::<i128>().ok()?)?;
    let scaled = units.checked_mul(i128::from(unit_micros))?;
    if scaled % scale != 0 {
        return None;
    }
    Some(duration_text(i64::try_from(scaled / scale).ok()?))
}

/// A duration as it is written, from large units to small (`1h30m`); negative ones have no literal.
pub fn duration_text(micros: i64) -> String {
    if micros <= 0 {
        return "0s".into();
    }
    let mut rest = micros;
    let mut text = String::new();
    // Weeks are not used: `30d` is what people say.
    for (unit, length) in &UNITS[1..] {
        if rest >= *length {
            text.push_str(&format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    text
}

/// The bytes of a string literal (`"…"`, `"""…"""`, `b"…"`), and all mistakes in it. What is wrong stands for itself.
pub(crate) fn string(text: &str) -> (Vec<u8>, Vec<Mistake>) {
    read_string(text, |_, _| {})
}

/// Where the pieces of a string literal's text come from: each begins at the first offset in the text and at the second one in the
/// literal, and both run side by side up to the next piece.
pub(crate) fn text_pieces(text: &str) -> Vec<(u32, u32)> {
    let mut pieces: Vec<(u32, u32)> = Vec::new();
    read_string(text, |value, literal| {
        let follows = pieces.last().is_some_and(|(v, l)| value as u32 - v == literal as u32 - l);
        if !follows {
            pieces.push((value as u32, literal as u32));
        }
    });
    pieces
}

/// Reads a string literal; before each character `place` is told its offset in the text and in the literal.
fn read_string(text: &str, mut place: impl FnMut(usize, usize)) -> (Vec<u8>, Vec<Mistake>) {
    let is_bytes = text.starts_with('b');
    let open = usize::from(is_bytes);
    let mut mistakes = Vec::new();
    let triple = text[open..].starts_with("\"\"\"");
    let quotes = if triple { "\"\"\"" } else { "\"" };
    let from = open + quotes.len();
    let closed = text.len() >= from + quotes.len() && text.ends_with(quotes) && !ends_in_escape(&text[from..], quotes);
    let to = if closed { text.len() - quotes.len() } else { text.len() };
    if !closed {
        let message = if triple { "this text has no closing `\"\"\"`" } else { "this string has no closing quote" };
        let mistake = Mistake::new(Code::E0002, message, 0..if triple { from } else { text.len() });
        mistakes.push(if triple { mistake } else { mistake.help("text over several lines stands in `\"\"\"`") });
    }
    let body = &text[from..to];
    let mut out = Vec::with_capacity(body.len());
    let mut at = 0;
    if triple {
        at = if body.starts_with("\r\n") { 2 } else { usize::from(body.starts_with('\n')) };
    }
    while let Some(c) = body[at..].chars().next() {
        if c == '\r' && body[at..].starts_with("\r\n") {
            at += 1;
            continue;
        }
        place(out.len(), from + at);
        if c != '\\' {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            at += c.len_utf8();
            continue;
        }
        match escape(&body[at..], is_bytes) {
            Ok((value, length)) => {
                match value {
                    Escape::Char(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                    Escape::Byte(byte) => out.push(byte),
                }
                at += length;
            }
            Err((message, help, length)) => {
                let mistake = Mistake::new(Code::E0003, message, from + at..from + at + length);
                mistakes.push(match help {
                    Some(help) => mistake.help(help),
                    None => mistake,
                });
                out.extend_from_slice(&body.as_bytes()[at..at + length]);
                at += length;
            }
        }
    }
    place(out.len(), to);
    (out, mistakes)
}

/// Whether the last quotes belong to an escape, so that they close nothing.
fn ends_in_escape(rest: &str, quotes: &str) -> bool {
    let before = &rest[..rest.len() - quotes.len()];
    before.bytes().rev().take_while(|&b| b == b'\\').count() % 2 == 1
}

enum Escape {
    Char(char),
    Byte(u8),
}

/// Reads the escape at the beginning of `text`; gives its value and length.
fn escape(text: &str, is_bytes: bool) -> Result<(Escape, usize), (String, Option<String>, usize)> {
    let Some(kind) = text[1..].chars().next() else {
        return Err(("a backslash at the end of a string".into(), None, 1));
    };
    let simple = |c: char| Ok((Escape::Char(c), 2));
    match kind {
        'n' => simple('\n'),
        't' => simple('\t'),
        'r' => simple('\r'),
        'b' => simple('\u{8}'),
        'f' => simple('\u{c}'),
        '0' => simple('\0'),
        '\\' | '"' | '/' => simple(kind),
        'x' => {
            let digits = text.get(2..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
            match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                Some(byte) if is_bytes => Ok((Escape::Byte(byte), 4)),
                Some(byte) => {
                    let help = format!("write `\\u{{{byte:x}}}` for the code point, or `b\"…\"` for bytes");
                    Err(("`\\x` is an escape of bytes only".into(), Some(help), 4))
                }
                None => Err(("`\\x` takes two hexadecimal digits".into(), None, 2)),
            }
        }
        'u' => unicode_escape(text),
        other => {
            let help = format!("write `\\\\{other}` for a backslash and `{other}`");
            Err((format!("`\\{other}` is no escape"), Some(help), 1 + other.len_utf8()))
        }
    }
}

/// Reads `\u{1F600}`, or as in JSON `\u00e9` and `\uD83D\uDE00`.
fn unicode_escape(text: &str) -> Result<(Escape, usize), (String, Option<String>, usize)> {
    let four = |from: usize| {
        let digits = text.get(from..from + 4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u32::from_str_radix(digits, 16).ok()
    };
    if let Some(braced) = text[2..].strip_prefix('{') {
        let Some(end) = braced.find(['}', '"', '\n']).filter(|&end| braced[end..].starts_with('}')) else {
            return Err(("`\\u{` has no closing brace".into(), None, 3));
        };
        let length = end + 4;
        let digits = &braced[..end];
        let is_hex = !digits.is_empty() && digits.len() <= 6 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let value = if is_hex { u32::from_str_radix(digits, 16).ok().and_then(char::from_u32) } else { None };
        return match value {
            Some(c) => Ok((Escape::Char(c), length)),
            None => Err((format!("`{digits}` is no code point in hexadecimal"), None, length)),
        };
    }
    let Some(first) = four(2) else {
        return Err(("`\\u` takes a code point: `\\u{1F600}`, or four hexadecimal digits".into(), None, 2));
    };
    if let Some(c) = char::from_u32(first) {
        return Ok((Escape::Char(c), 6));
    }
    let second = if text[6..].starts_with("\\u") { four(8) } else { None };
    match second {
        Some(second) if first < 0xDC00 && (0xDC00..0xE000).contains(&second) => {
            let value = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            Ok((Escape::Char(char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER)), 12))
        }
        _ => Err((format!("`\\u{first:04X}` is half of a surrogate pair"), None, 6)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_a_text_are_those_of_the_literal() {
        assert_eq!(text_pieces("\"abc\""), [(0, 1)]);
        assert_eq!(text_pieces("\"\"\"\nab\"\"\""), [(0, 4)]);
        assert_eq!(text_pieces("\"a\\n\\u{e9}b\""), [(0, 1), (2, 4), (4, 10)]);
    }

    fn code(text: &str) -> Code {
        number(text).expect_err(text).code
    }

    #[test]
    fn numbers() {
        assert_eq!(number("0"), Ok(Number::Int(0)));
        assert_eq!(number("1_000_000"), Ok(Number::Int(1_000_000)));
        assert_eq!(number("18446744073709551616"), Ok(Number::Int(1 << 64)));
        assert_eq!(number("1.5e3"), Ok(Number::Float(1500.0)));
        assert_eq!(number("1e-2"), Ok(Number::Float(0.01)));
        assert_eq!(number("2E+1_0"), Ok(Number::Float(2e10)));
        assert_eq!(number("0.25"), Ok(Number::Float(0.25)));
    }

    #[test]
    fn malformed_numbers() {
        for text in ["1__0", "1_", "1_.5", "007", "00", "0x1F", "12abc", "1e5x", "1._5"] {
            assert_eq!(code(text), Code::E0004, "{text}");
        }
        assert_eq!(number("0x1F").unwrap_err().fix.as_deref(), Some("31"));
        assert_eq!(number("007").unwrap_err().fix.as_deref(), Some("7"));
        assert_eq!(code("1e400"), Code::E0012);
        assert_eq!(code(&"9".repeat(40)), Code::E0012);
    }

    #[test]
    fn durations() {
        let micros = |text: &str| match number(text) {
            Ok(Number::Duration(micros)) => micros,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(micros("1h30m"), 5_400_000_000);
        assert_eq!(micros("500ms"), 500_000);
        assert_eq!(micros("1w2d3h4m5s6ms7us"), 788_645_006_007);
        assert_eq!(micros("0s"), 0);
        assert_eq!(micros("1_000us"), 1000);
        for micros_ in [1, 60_000_000, 5_400_000_000, 788_645_006_007, i64::MAX] {
            assert_eq!(micros(&duration_text(micros_)), micros_);
        }
    }

    #[test]
    fn malformed_durations() {
        for text in ["1.5h", "1h1h", "10min", "1h30", "5x", "1h_m"] {
            assert_eq!(code(text), Code::E0006, "{text}");
        }
        assert_eq!(number("1.5h").unwrap_err().fix.as_deref(), Some("1h30m"));
        assert_eq!(number("10min").unwrap_err().fix.as_deref(), Some("10m"));
        assert_eq!(code("99999999999999999999w"), Code::E0012);
    }

    fn text(literal: &str) -> String {
        let (bytes, mistakes) = string(literal);
        assert_eq!(mistakes, [], "{literal}");
        String::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn strings() {
        assert_eq!(text(r#""""#), "");
        assert_eq!(text(r#""a\n\t\\\"\/\u{1F600}\uD83D\uDE00é""#), "a\n\t\\\"/\u{1F600}\u{1F600}é");
        assert_eq!(text("\"\"\"\n a \"quoted\"\r\n b\"\"\""), " a \"quoted\"\n b");
        assert_eq!(text("\"\"\"ends with a quote\"\"\"\""), "ends with a quote\"");
        assert_eq!(string(r#"b"\x00\xffé""#), (vec![0, 255, 0xC3, 0xA9], vec![]));
    }

    #[test]
    fn malformed_strings() {
        let codes = |literal: &str| string(literal).1.iter().map(|m| m.code).collect::<Vec<_>>();
        assert_eq!(codes(r#""abc"#), [Code::E0002]);
        assert_eq!(codes("\""), [Code::E0002]);
        assert_eq!(codes(r#""abc\""#), [Code::E0002]);
        assert_eq!(codes(r#""""abc"""#), [Code::E0002]);
        assert_eq!(codes(r#""\d \x41 \u{110000} \uD800 \u12""#), [Code::E0003; 5]);
        assert_eq!(string(r#""\d""#).0, b"\\d");
    }
}
