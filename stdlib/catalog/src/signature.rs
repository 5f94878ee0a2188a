//! Signatures: `round(x: float, digits: int = 0) -> float` read into parameters and type patterns.
//!
//! A signature is the only statement of a function's types. A single capital letter is a type variable; `where T: ordered`,
//! `where T: numeric`, `where T: vector` or `where T: int` at the end narrows it. `T?` takes nulls, `T` does not see them; `x: T...` takes any number.
//! `p: const float` (of aggregates) takes constants.
//!
//! This file must not know how a call is resolved.

use std::collections::BTreeMap;
use std::fmt;

use chalk_types::{IntWidth, Kind, Type, Value};

/// A signature, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    /// The function's name.
    pub name: String,
    /// In order.
    pub params: Vec<Param>,
    /// Of the result where no argument is null.
    pub result: TypePattern,
    /// What type variables are narrowed to.
    pub constraints: BTreeMap<char, Constraint>,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Its name; an argument may be given by it.
    pub name: String,
    /// What it takes.
    pub ty: TypePattern,
    /// Used where no argument is given.
    pub default: Option<Value>,
    /// Takes all remaining arguments; only the last parameter may be so.
    pub variadic: bool,
    /// Takes a constant: a parameter of an aggregate itself, not of its events.
    pub constant: bool,
}

/// A type with holes.
#[derive(Clone, Debug, PartialEq)]
pub enum TypePattern {
    /// This type.
    Concrete(Type),
    /// A type variable.
    Var {
        /// Its letter.
        name: char,
        /// `T?`
        nullable: bool,
    },
    /// A decimal of any precision and scale (hidden functions only: the caller knows the result's).
    Decimal {
        /// `decimal?`
        nullable: bool,
    },
    /// A list; a vector is taken too.
    List {
        /// Of the items.
        item: Box<TypePattern>,
        /// `[T]?`
        nullable: bool,
    },
    /// A map.
    Map {
        /// Of the keys.
        key: Box<TypePattern>,
        /// Of the values.
        value: Box<TypePattern>,
        /// `map<K, V>?`
        nullable: bool,
    },
}

/// What a type variable is narrowed to.
#[derive(Clone, Debug, PartialEq)]
pub enum Constraint {
    /// `<` is defined.
    Ordered,
    /// A number.
    Numeric,
    /// A vector of floats that are not null.
    Vector,
    /// This kind and no other: an overload made for one type of items, which may be null or not.
    Exactly(Kind),
}

impl Constraint {
    /// Whether the kind satisfies it.
    pub fn holds(&self, kind: &Kind) -> bool {
        *kind == Kind::Null
            || match self {
                Constraint::Ordered => kind.is_ordered(),
                Constraint::Numeric => kind.is_numeric(),
                Constraint::Vector => matches!(
                    kind,
                    Kind::Vector(item, _) if !item.nullable && matches!(item.kind, Kind::Float32 | Kind::Float64)
                ),
                Constraint::Exactly(exact) => kind == exact,
            }
    }
}

impl TypePattern {
    /// Whether null is one of its values.
    pub fn is_nullable(&self) -> bool {
        match self {
            TypePattern::Concrete(ty) => ty.nullable,
            TypePattern::Var { nullable, .. }
            | TypePattern::Decimal { nullable }
            | TypePattern::List { nullable, .. }
            | TypePattern::Map { nullable, .. } => *nullable,
        }
    }
}

impl Signature {
    /// Reads a signature; the error says what was expected where.
    pub fn parse(text: &str) -> Result<Signature, String> {
        // The name of a hidden function may hold brackets: it ends where the parameter list, the last bracket group
        // before the last `->`, begins.
        let arrow = text.rfind("->").ok_or_else(|| format!("`->` expected in `{text}`"))?;
        let head = text[..arrow].trim_end();
        let open = opening_of_last_group(head).ok_or_else(|| format!("`(…)` expected before `->` in `{text}`"))?;
        let name = head[..open].trim().to_owned();
        let mut reader = Reader { text, position: open + 1 };
        let mut params = Vec::new();
        while !reader.eat(")") {
            if !params.is_empty() {
                reader.expect(",")?;
            }
            params.push(reader.param()?);
        }
        reader.expect("->")?;
        let result = reader.pattern()?;
        let mut constraints = BTreeMap::new();
        if reader.eat("where") {
            loop {
                let variable = reader.word()?;
                reader.expect(":")?;
                let constraint = match reader.word()? {
                    "ordered" => Constraint::Ordered,
                    "numeric" => Constraint::Numeric,
                    "vector" => Constraint::Vector,
                    other => match simple_kind(other) {
                        Some(kind) => Constraint::Exactly(kind),
                        None => return Err(format!("unknown constraint `{other}` in `{text}`")),
                    },
                };
                constraints.insert(variable.chars().next().unwrap_or('T'), constraint);
                if !reader.eat(",") {
                    break;
                }
            }
        }
        reader.end()?;
        if let Some(param) = params.iter().rev().skip(1).find(|param: &&Param| param.variadic) {
            return Err(format!("only the last parameter may be variadic, not `{}` in `{text}`", param.name));
        }
        Ok(Signature { name, params, result, constraints })
    }

    /// Fewest arguments.
    pub fn min_args(&self) -> usize {
        self.params.iter().filter(|param| param.default.is_none()).count()
    }

    /// Most arguments; none where the last parameter is variadic.
    pub fn max_args(&self) -> Option<usize> {
        if self.params.last().is_some_and(|param| param.variadic) { None } else { Some(self.params.len()) }
    }
}

/// Where the bracket group that ends `head` opens.
fn opening_of_last_group(head: &str) -> Option<usize> {
    if !head.ends_with(')') {
        return None;
    }
    let mut depth = 0usize;
    for (position, c) in head.char_indices().rev() {
        match c {
            ')' => depth += 1,
            '(' => {
                depth -= 1;
                if depth == 0 {
                    return Some(position);
                }
            }
            _ => {}
        }
    }
    None
}

struct Reader<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Reader<'a> {
    fn rest(&mut self) -> &'a str {
        let rest = &self.text[self.position..];
        let trimmed = rest.trim_start();
        self.position += rest.len() - trimmed.len();
        trimmed
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.position += token.len();
        }
        found
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.eat(token) {
            Ok(())
        } else {
            Err(format!("`{token}` expected at byte {} of `{}`", self.position, self.text))
        }
    }

    fn end(&mut self) -> Result<(), String> {
        if self.rest().is_empty() {
            Ok(())
        } else {
            Err(format!("end expected at byte {} of `{}`", self.position, self.text))
        }
    }

    fn word(&mut self) -> Result<&'a str, String> {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        if end == 0 {
            return Err(format!("a name expected at byte {} of `{}`", self.position, self.text));
        }
        self.position += end;
        Ok(&rest[..end])
    }

    fn param(&mut self) -> Result<Param, String> {
        let name = self.word()?.to_owned();
        self.expect(":")?;
        let constant = self.eat("const ");
        let ty = self.pattern()?;
        let variadic = self.eat("...");
        let default = if self.eat("=") { Some(self.literal()?) } else { None };
        Ok(Param { name, ty, default, variadic, constant })
    }

    fn literal(&mut self) -> Result<Value, String> {
        let rest = self.rest();
        if let Some(inner) = rest.strip_prefix('"') {
            let end = inner.find('"').ok_or_else(|| format!("unclosed text in `{}`", self.text))?;
            self.position += end + 2;
            return Ok(Value::String(inner[..end].to_owned()));
        }
        let end = rest.find([',', ')']).unwrap_or(rest.len());
        let token = rest[..end].trim();
        self.position += end;
        match token {
            "none" => Ok(Value::Null),
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => {
                if let Ok(int) = token.parse::<i128>() {
                    Ok(Value::Int(int))
                } else if let Ok(float) = token.parse::<f64>() {
                    Ok(Value::Float(float))
                } else {
                    Err(format!("a literal expected instead of `{token}` in `{}`", self.text))
                }
            }
        }
    }

    fn pattern(&mut self) -> Result<TypePattern, String> {
        if self.eat("[") {
            let item = Box::new(self.pattern()?);
            self.expect("]")?;
            return Ok(TypePattern::List { item, nullable: self.eat("?") });
        }
        let word = self.word()?;
        if word == "map" {
            self.expect("<")?;
            let key = Box::new(self.pattern()?);
            self.expect(",")?;
            let value = Box::new(self.pattern()?);
            self.expect(">")?;
            return Ok(TypePattern::Map { key, value, nullable: self.eat("?") });
        }
        if word.len() == 1 && word.as_bytes()[0].is_ascii_uppercase() {
            return Ok(TypePattern::Var { name: word.as_bytes()[0] as char, nullable: self.eat("?") });
        }
        if word == "decimal" {
            return Ok(TypePattern::Decimal { nullable: self.eat("?") });
        }
        let kind = simple_kind(word).ok_or_else(|| format!("unknown type `{word}` in `{}`", self.text))?;
        Ok(TypePattern::Concrete(Type { kind, nullable: self.eat("?") }))
    }
}

/// The kind that one word names.
fn simple_kind(word: &str) -> Option<Kind> {
    Some(match word {
        "bool" => Kind::Bool,
        "float" => Kind::Float64,
        "float32" => Kind::Float32,
        "string" => Kind::String,
        "bytes" => Kind::Bytes,
        "datetime" => Kind::Datetime,
        "date" => Kind::Date,
        "time" => Kind::Time,
        "duration" => Kind::Duration,
        _ => Kind::Int(IntWidth::ALL.into_iter().find(|width| width.name() == word)?),
    })
}

impl fmt::Display for TypePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TypePattern::Concrete(ty) => return write!(f, "{ty}"),
            TypePattern::Var { name, .. } => write!(f, "{name}")?,
            TypePattern::Decimal { .. } => f.write_str("decimal")?,
            TypePattern::List { item, .. } => write!(f, "[{item}]")?,
            TypePattern::Map { key, value, .. } => write!(f, "map<{key}, {value}>")?,
        }
        if self.is_nullable() { f.write_str("?") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Signature {
        Signature::parse(text).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn reads_names_types_defaults_and_constraints() {
        let signature = parse("round(x: T, digits: int = 0) -> T? where T: numeric");
        assert_eq!(signature.name, "round");
        assert_eq!(signature.params[1].default, Some(Value::Int(0)));
        assert_eq!(signature.result, TypePattern::Var { name: 'T', nullable: true });
        assert_eq!(signature.constraints[&'T'], Constraint::Numeric);
        assert_eq!((signature.min_args(), signature.max_args()), (1, Some(2)));
    }

    #[test]
    fn reads_containers_and_variadics() {
        let signature = parse("f(m: map<string, [T?]>?, rest: T?...) -> [T]");
        assert_eq!(signature.params[0].ty.to_string(), "map<string, [T?]>?");
        assert!(signature.params[1].variadic);
        assert_eq!(signature.max_args(), None);
    }

    #[test]
    fn reads_constants() {
        let signature = parse("approx_percentile(x: T, p: const float) -> float? where T: numeric");
        let constant: Vec<bool> = signature.params.iter().map(|param| param.constant).collect();
        assert_eq!(constant, [false, true]);
        assert_eq!(signature.params[1].ty.to_string(), "float");
    }

    #[test]
    fn a_hidden_name_may_hold_brackets_and_arrows() {
        let signature = parse("cast(string)->int(x: string) -> int");
        assert_eq!(signature.name, "cast(string)->int");
        assert_eq!(signature.params.len(), 1);
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, expected) in [
            ("f(x: strng) -> int", "unknown type `strng`"),
            ("f(x: int)", "`->` expected"),
            ("f(x int) -> int", "`:` expected"),
            ("f(x: T..., y: int) -> int", "only the last parameter"),
        ] {
            let error = Signature::parse(text).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
