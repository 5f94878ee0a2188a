//! The options of sources as data: names, types, defaults and their documentation.
//!
//! The same list checks a `source` declaration in the compiler, a `[sources.NAME]` table in `chalk.toml`, and is printed
//! into the reference pages, so an option is added by writing one item.
//!
//! This file must not know any system or where a value was written.

use std::collections::BTreeMap;
use std::fmt;

use chalk_types::{Kind, Value};

/// A kind of source: what stands after `=` in `source orders = kafka(…)`.
#[derive(Debug)]
pub struct SourceDef {
    /// The name in the language.
    pub name: &'static str,
    /// What it is, as a paragraph.
    pub doc: &'static str,
    /// Its options, besides `COMMON_OPTIONS`.
    pub options: &'static [OptionDef],
}

/// One option of a source.
#[derive(Debug)]
pub struct OptionDef {
    /// Its name, in the language and in `chalk.toml`.
    pub name: &'static str,
    /// What it may be.
    pub ty: OptionType,
    /// Whether a source cannot be opened without it. It may come from the declaration or from `chalk.toml`.
    pub required: bool,
    /// The value where none is given, as written in the language; empty where that means "not set".
    pub default: &'static str,
    /// What it does, as a sentence.
    pub doc: &'static str,
}

/// What an option may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionType {
    /// Text.
    String,
    /// A whole number.
    Int,
    /// `true` or `false`.
    Bool,
    /// A duration, `30m`.
    Duration,
    /// One of these words, as text.
    OneOf(&'static [&'static str]),
}

/// An option's value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum OptionValue {
    String(String),
    Int(i64),
    Bool(bool),
    DurationUs(i64),
}

/// Why a value is none of an option; says what would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionError(pub String);

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OptionError {}

impl fmt::Display for OptionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OptionType::String => f.write_str("string"),
            OptionType::Int => f.write_str("int"),
            OptionType::Bool => f.write_str("bool"),
            OptionType::Duration => f.write_str("duration"),
            OptionType::OneOf(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                f.write_str(&words.join(" or "))
            }
        }
    }
}

impl OptionType {
    /// The kind of expression that gives such a value in the language.
    pub fn kind(self) -> Kind {
        match self {
            OptionType::String | OptionType::OneOf(_) => Kind::String,
            OptionType::Int => Kind::INT,
            OptionType::Bool => Kind::Bool,
            OptionType::Duration => Kind::Duration,
        }
    }

    /// The option's value from a constant of the language.
    pub fn from_constant(self, value: &Value) -> Result<OptionValue, OptionError> {
        match (self, value) {
            (OptionType::String | OptionType::OneOf(_), Value::String(text)) => self.from_text(text),
            (OptionType::Int, Value::Int(number)) => i64::try_from(*number)
                .map(OptionValue::Int)
                .map_err(|_| OptionError(format!("{number} does not fit in 64 bits"))),
            (OptionType::Bool, Value::Bool(value)) => Ok(OptionValue::Bool(*value)),
            (OptionType::Duration, Value::Duration(duration_us)) => Ok(OptionValue::DurationUs(*duration_us)),
            _ => Err(OptionError(format!("expected {self}"))),
        }
    }

    /// The option's value from text: an environment variable, or a string in `chalk.toml`.
    #[allow(clippy::wrong_self_convention)]
    pub fn from_text(self, text: &str) -> Result<OptionValue, OptionError> {
        let expected = || OptionError(format!("expected {self}, found {text:?}"));
        match self {
            OptionType::String => Ok(OptionValue::String(text.to_owned())),
            OptionType::Int => text.replace('_', "").parse().map(OptionValue::Int).map_err(|_| expected()),
            OptionType::Bool => text.parse().map(OptionValue::Bool).map_err(|_| expected()),
            OptionType::Duration => parse_duration_us(text).map(OptionValue::DurationUs).ok_or_else(expected),
            OptionType::OneOf(words) if words.contains(&text) => Ok(OptionValue::String(text.to_owned())),
            OptionType::OneOf(_) => Err(expected()),
        }
    }
}

/// The options of one source, checked against its definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceOptions {
    /// By the name in the definition; only those that were given.
    pub values: BTreeMap<String, OptionValue>,
    /// Options of the system's own client, by the client's names (librdkafka's for Kafka).
    pub client: BTreeMap<String, String>,
}

impl SourceOptions {
    /// Text option of that name.
    pub fn string(&self, name: &str) -> Option<&str> {
        match self.values.get(name) {
            Some(OptionValue::String(text)) => Some(text),
            _ => None,
        }
    }

    /// Integer option of that name.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.values.get(name) {
            Some(OptionValue::Int(number)) => Some(*number),
            _ => None,
        }
    }

    /// Boolean option of that name.
    pub fn bool(&self, name: &str) -> Option<bool> {
        match self.values.get(name) {
            Some(OptionValue::Bool(value)) => Some(*value),
            _ => None,
        }
    }
}

/// A duration as the language writes it: `30m`, `1h30m`, `500ms`; no fraction, no unit twice.
pub fn parse_duration_us(text: &str) -> Option<i64> {
    const UNITS: [(&str, i64); 7] = [
        ("ms", 1_000),
        ("us", 1),
        ("w", 7 * 86_400_000_000),
        ("d", 86_400_000_000),
        ("h", 3_600_000_000),
        ("m", 60_000_000),
        ("s", 1_000_000),
    ];
    let mut rest = text.trim();
    let mut total_us = 0i64;
    let mut seen = Vec::new();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let amount: i64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let (unit, unit_us) = UNITS.iter().find(|(unit, _)| rest.starts_with(unit))?;
        if seen.contains(unit) {
            return None;
        }
        seen.push(unit);
        total_us = total_us.checked_add(amount.checked_mul(*unit_us)?)?;
        rest = &rest[unit.len()..];
    }
    Some(total_us)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_in_the_language() {
        assert_eq!(parse_duration_us("30m"), Some(1_800_000_000));
        assert_eq!(parse_duration_us("1h30m"), Some(5_400_000_000));
        assert_eq!(parse_duration_us("250ms"), Some(250_000));
        assert_eq!(parse_duration_us("1w2d"), Some(9 * 86_400_000_000));
        for wrong in ["", "5", "1.5h", "m", "1h1h", "5 m", "99999999999999999999s", "-5s"] {
            assert_eq!(parse_duration_us(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_value_of_the_wrong_type_says_what_is_expected() {
        let ty = OptionType::OneOf(&["earliest", "latest"]);
        assert_eq!(ty.from_text("latest"), Ok(OptionValue::String("latest".into())));
        assert_eq!(
            ty.from_constant(&Value::String("newest".into())).unwrap_err().to_string(),
            "expected \"earliest\" or \"latest\", found \"newest\""
        );
        assert_eq!(OptionType::Int.from_constant(&Value::Bool(true)).unwrap_err().to_string(), "expected int");
        assert_eq!(OptionType::Int.from_text("1_000"), Ok(OptionValue::Int(1000)));
    }
}
