//! The options of sources as data: types, values, defaults.
//!
//! The same list checks a `source` declaration in the compiler, a `[sources.NAME]` table in `chalk.toml`, and is
//! printed
//! into the reference pages, so an option is added by writing one item.
//!
//! This file must not know any system or where a value was written.

use std::collections::BTreeMap;
use std::fmt;

use chalk_artifact::connector::{ConnectorDef, OptionType};
use chalk_types::Value;

/// A kind of source: what the compiler knows of it, and the defaults that the runtime puts in.
#[derive(Debug)]
pub struct SourceDef {
    /// Name, doc and options. `required` says what a declaration must give; what it may leave to `chalk.toml` is asked
    /// for
    /// when the source is opened.
    pub connector: ConnectorDef,
    /// Options without which it cannot be opened, wherever they are given.
    pub needed: &'static [&'static str],
    /// The value of options that are not given, as written in the language. An option that is not here has none.
    pub defaults: &'static [(&'static str, &'static str)],
}

impl SourceDef {
    /// The default of an option.
    pub fn default_of(&self, option: &str) -> Option<&'static str> {
        self.defaults.iter().find(|(name, _)| *name == option).map(|(_, default)| *default)
    }
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

/// Values of an option's type.
pub trait OptionTypeExt: Sized {
    /// The type as errors and pages name it.
    fn name(self) -> String;

    /// The option's value from a constant of the language.
    fn value_of_constant(self, value: &Value) -> Result<OptionValue, OptionError>;

    /// The option's value from text: an environment variable, or a string in `chalk.toml`.
    fn value_of_text(self, text: &str) -> Result<OptionValue, OptionError>;
}

impl OptionTypeExt for OptionType {
    fn name(self) -> String {
        match self {
            OptionType::String => "string".to_owned(),
            OptionType::Int => "int".to_owned(),
            OptionType::Bool => "bool".to_owned(),
            OptionType::Duration => "duration".to_owned(),
            OptionType::OneOf(words) => words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" or "),
        }
    }

    fn value_of_constant(self, value: &Value) -> Result<OptionValue, OptionError> {
        match (self, value) {
            (OptionType::String | OptionType::OneOf(_), Value::String(text)) => self.value_of_text(text),
            (OptionType::Int, Value::Int(number)) => i64::try_from(*number)
                .map(OptionValue::Int)
                .map_err(|_| OptionError(format!("{number} does not fit in 64 bits"))),
            (OptionType::Bool, Value::Bool(value)) => Ok(OptionValue::Bool(*value)),
            (OptionType::Duration, Value::Duration(duration_us)) => Ok(OptionValue::DurationUs(*duration_us)),
            _ => Err(OptionError(format!("expected {}", self.name()))),
        }
    }

    fn value_of_text(self, text: &str) -> Result<OptionValue, OptionError> {
        let expected = || OptionError(format!("expected {}, found {text:?}", self.name()));
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
        assert_eq!(ty.value_of_text("latest"), Ok(OptionValue::String("latest".into())));
        assert_eq!(
            ty.value_of_constant(&Value::String("newest".into())).unwrap_err().to_string(),
            "expected \"earliest\" or \"latest\", found \"newest\""
        );
        assert_eq!(OptionType::Int.value_of_constant(&Value::Bool(true)).unwrap_err().to_string(), "expected int");
        assert_eq!(OptionType::Int.value_of_text("1_000"), Ok(OptionValue::Int(1000)));
    }
}
