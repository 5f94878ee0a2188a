//! The examples of the declarations hold.
//!
//! An example is a list of events, an aggregate over them and what it gives: `[1, 2, none].sum(x) == 3`. An item of
//! the list is `x`; of a pair in brackets the first is `x` and the second `y`. Events are in the order of time. A
//! result is compared by `==`, `<` or `>`, or `is none`.

use chalk_catalog::ArgType;
use chalk_functions::catalog;
use chalk_types::{Kind, Type, Value, common_type};

use crate::support::{Events, Partial, exact};

/// A reader of the few literals that examples are made of.
struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn eat(&mut self, token: &str) -> bool {
        self.rest = self.rest.trim_start();
        let found = self.rest.strip_prefix(token);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    fn expect(&mut self, token: &str) {
        assert!(self.eat(token), "`{token}` expected before `{}`", self.rest);
    }

    fn word(&mut self) -> &'a str {
        self.rest = self.rest.trim_start();
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && !"_.-".contains(c)).unwrap_or(self.rest.len());
        let word;
        (word, self.rest) = self.rest.split_at(end);
        word
    }

    fn items(&mut self, close: &str) -> Vec<Value> {
        let mut items = Vec::new();
        while !self.eat(close) {
            if !items.is_empty() {
                self.expect(",");
            }
            items.push(self.value());
        }
        items
    }

    fn value(&mut self) -> Value {
        if self.eat("[") {
            return Value::List(self.items("]"));
        }
        if self.eat("(") {
            return Value::Struct(self.items(")"));
        }
        if self.eat("\"") {
            let (text, rest) = self.rest.split_once('"').expect("a closing quote");
            self.rest = rest;
            return Value::String(text.to_owned());
        }
        match self.word() {
            "none" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            word => match word.parse::<i128>() {
                Ok(int) => Value::Int(int),
                Err(_) => Value::Float(word.parse().unwrap_or_else(|_| panic!("`{word}` is no literal"))),
            },
        }
    }
}

/// The type of a literal of an event; a list of floats is a vector.
fn type_of(value: &Value) -> Type {
    match value {
        Value::Null => Type::NULL,
        Value::Bool(_) => Type::BOOL,
        Value::Int(_) => Type::INT,
        Value::Float(_) => Type::FLOAT,
        Value::String(_) => Type::STRING,
        Value::List(items) => Kind::Vector(Box::new(Type::FLOAT), items.len() as u32).required(),
        other => panic!("{other:?} is no literal"),
    }
}

/// The type of a component of all events; where all are null, the one given.
fn column_type(rows: &[Value], component: usize, of_nulls: &Type) -> Type {
    let types = rows.iter().map(|row| type_of(&component_of(row, component)));
    let ty = types.reduce(|a, b| common_type(&a, &b).expect("values of one type")).unwrap_or(Type::NULL);
    if ty.kind == Kind::Null { of_nulls.to_optional() } else { ty }
}

fn component_of(row: &Value, component: usize) -> Value {
    match row {
        Value::Struct(parts) => parts[component].clone(),
        whole => whole.clone(),
    }
}

/// Whether an example holds; what it gives otherwise.
fn check(example: &str) -> Result<(), String> {
    let mut reader = Reader { rest: example };
    reader.expect("[");
    let rows = reader.items("]");
    reader.expect(".");
    let name = reader.word();
    reader.expect("(");
    let vector = Kind::Vector(Box::new(Type::FLOAT), 2).required();
    let of_nulls = match name {
        "any" | "all" => Type::BOOL,
        _ if name.starts_with("vector_") => vector,
        _ => Type::INT,
    };
    let mut args = Vec::new();
    let mut components = Vec::new();
    while !reader.eat(")") {
        if !args.is_empty() {
            reader.expect(",");
        }
        let component = if reader.eat("x") { Some(0) } else { reader.eat("y").then_some(1) };
        components.push(component);
        args.push(match component {
            Some(component) => ArgType::of(column_type(&rows, component, &of_nulls)),
            None => {
                let literal = reader.value();
                ArgType { name: None, ty: type_of(&literal), literal: Some(literal) }
            }
        });
    }
    let resolved = catalog().resolve_aggregate(name, &args).map_err(|error| format!("{error:?}"))?;
    let call = resolved.call();
    let aggregate = (resolved.def.bind)(&call).map_err(|error| format!("{error:?}"))?;

    let mut events = Events::default();
    for (position, row) in rows.iter().enumerate() {
        let values: Vec<Value> = resolved
            .event_args
            .iter()
            .map(|(argument, _)| component_of(row, components[*argument].expect("an argument over the event")))
            .collect();
        // As the runtime does: an event with a null in an argument is passed over.
        if !values.iter().any(Value::is_null) {
            events.rows.push(values);
            events.times_us.push(position as i64);
            events.offsets.push(position as i64);
        }
    }
    let columns = events.columns(&call.args);
    let found = Partial::of(&*aggregate, &columns, 0..events.len()).finish();
    let is_right = match &found {
        Err(reason) => reader.eat("fails: ") && reader.rest == reason,
        Ok(value) if reader.eat("is none") => value.is_null(),
        Ok(value) if reader.eat("==") => exact(&Ok(value.clone())) == exact(&Ok(reader.value())),
        Ok(Value::Float(value)) if reader.eat("<") => matches!(reader.value(), Value::Float(limit) if *value < limit),
        Ok(Value::Float(value)) if reader.eat(">") => matches!(reader.value(), Value::Float(limit) if *value > limit),
        Ok(_) => false,
    };
    if is_right { Ok(()) } else { Err(format!("`{example}` gives {found:?}")) }
}

#[test]
fn examples_hold() {
    let mut wrong = Vec::new();
    let mut count = 0;
    let mut last = "";
    for entry in catalog().aggregates() {
        // Overloads share their examples.
        if std::mem::replace(&mut last, entry.def.name) != entry.def.name {
            count += entry.def.examples.len();
            wrong.extend(entry.def.examples.iter().filter_map(|example| check(example).err()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 50, "only {count} examples");
}

#[test]
fn a_wrong_example_is_noticed() {
    assert!(check("[1, 2].sum(x) == 3").is_ok());
    assert!(check("[1, 2].sum(x) == 4").is_err());
    assert!(check("[1, 2].sum(x) is none").is_err());
    assert!(check("[9223372036854775807, 1].sum(x) fails: integer overflow").is_ok());
    assert!(check("[9223372036854775807, 1, -1].sum(x) == 9223372036854775807").is_ok());
}
