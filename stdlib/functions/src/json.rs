//! Functions on JSON text.
//!
//! A path is read once per call site. Paths: `$.a.b`, `$.a[0]`, `$.a[-1]` (from the end), `$['a key']`; where several values
//! may be named also `$.a[*]` and `$..key`.
//!
//! This file must not know slots.

use std::fmt::Write as _;
use std::sync::Arc;

use chalk_catalog::context::{CallContext, FunctionError};
use chalk_catalog::slot::{Date, Datetime, Duration, FromSlot, Item, ListRef, Time};
use chalk_macros::functions;
use chalk_types::{Value, format_date, format_datetime, format_duration, format_float, format_time};

use crate::json_path::Path;
use crate::json_text::{Invalid, Scanner, Shape, unescape, write_canonical, write_string};

const NO_JSON: &str = "the text is no JSON";

fn path(cx: &CallContext, text: &str) -> Result<Arc<Path>, FunctionError> {
    cx.memo(&[text.as_bytes()], || Path::parse(text).map_err(FunctionError::from))
}

fn definite(cx: &CallContext, text: &str) -> Result<Arc<Path>, FunctionError> {
    let path = path(cx, text)?;
    if path.is_definite() { Ok(path) } else { Err(indefinite(text).into()) }
}

fn indefinite(text: &str) -> String {
    format!("the JSON path `{text}` names several values: use `json_extract_array`")
}

fn check_path(args: &[Option<Value>]) -> Result<(), (usize, String)> {
    match &args[1] {
        Some(Value::String(text)) => Path::parse(text).map(|_| ()).map_err(|message| (1, message)),
        _ => Ok(()),
    }
}

fn check_definite(args: &[Option<Value>]) -> Result<(), (usize, String)> {
    match &args[1] {
        Some(Value::String(text)) => match Path::parse(text) {
            Ok(path) if path.is_definite() => Ok(()),
            Ok(_) => Err((1, indefinite(text))),
            Err(message) => Err((1, message)),
        },
        _ => Ok(()),
    }
}

/// The text of a scalar; none for null, arrays and objects.
fn scalar<'a>(cx: &'a CallContext, value: &'a str) -> Result<Option<&'a str>, Invalid> {
    match Scanner::new(value).shape()? {
        Shape::Null | Shape::Array | Shape::Object => Ok(None),
        Shape::Bool | Shape::Number => Ok(Some(value)),
        Shape::Text => Ok(Some(match unescape(&value[1..value.len() - 1])? {
            std::borrow::Cow::Borrowed(text) => text,
            std::borrow::Cow::Owned(text) => cx.arena.copy_str(&text),
        })),
    }
}

/// A type that `jsonify` prints.
trait ToJson {
    fn write(&self, out: &mut String);
}

fn quoted(text: &str, out: &mut String) {
    // Writing to a String does not fail.
    let _ = write_string(text, out);
}

impl ToJson for i64 {
    fn write(&self, out: &mut String) {
        let _ = write!(out, "{self}");
    }
}

impl ToJson for f64 {
    fn write(&self, out: &mut String) {
        // JSON has no such numbers: they travel as text.
        if self.is_finite() { out.push_str(&format_float(*self)) } else { quoted(&format_float(*self), out) }
    }
}

impl ToJson for bool {
    fn write(&self, out: &mut String) {
        out.push_str(if *self { "true" } else { "false" });
    }
}

impl ToJson for &str {
    fn write(&self, out: &mut String) {
        quoted(self, out);
    }
}

impl ToJson for Datetime {
    fn write(&self, out: &mut String) {
        quoted(&format_datetime(self.0), out);
    }
}

impl ToJson for Date {
    fn write(&self, out: &mut String) {
        quoted(&format_date(self.0), out);
    }
}

impl ToJson for Time {
    fn write(&self, out: &mut String) {
        quoted(&format_time(self.0), out);
    }
}

impl ToJson for Duration {
    fn write(&self, out: &mut String) {
        quoted(&format_duration(self.0), out);
    }
}

#[functions(family = "json")]
mod defs {
    use super::*;

    /// The text of the scalar (string, number, bool) at a path of a JSON text; null where there is none, or JSON's null,
    /// or an array or object (see `json_extract`), and where the text is no JSON. Of a key given twice the last one
    /// counts. A number's text is as written. A path that names several values does not compile, or fails the message.
    ///
    /// Deviation: the reference gives a JSON value that must be cast; takes the first of equal keys; lets `[1]` read the
    /// key `1` of an object.
    ///
    /// ```chalk
    /// json_value("{\"id\": \"a1\", \"n\": [10, 20]}", "$.id") == "a1"
    /// json_value("{\"id\": \"a1\", \"n\": [10, 20]}", "$.n[-1]") == "20"
    /// json_value("{\"id\": \"a1\"}", "$.missing") == none
    /// json_value("not JSON", "$.id") == none
    /// ```
    #[function(signature = "json_value(s: string, path: string) -> string?", known_as = "get_json_value, get_json_object, json_extract_scalar", check = check_definite)]
    fn json_value<'a>(cx: &'a CallContext, s: &'a str, path: &str) -> Result<Option<&'a str>, FunctionError> {
        let path = definite(cx, path)?;
        let found = path.find_one(s).ok().flatten();
        Ok(found.and_then(|value| scalar(cx, value).ok().flatten()))
    }

    /// As `json_value`, but a text that is no JSON fails the message.
    ///
    /// ```chalk
    /// json_value_strict("{\"id\": 7}", "$.id") == "7"
    /// ```
    #[function(signature = "json_value_strict(s: string, path: string) -> string?", known_as = "get_json_value_strict", check = check_definite)]
    fn json_value_strict<'a>(cx: &'a CallContext, s: &'a str, path: &str) -> Result<Option<&'a str>, FunctionError> {
        let found = definite(cx, path)?.find_one(s).map_err(|Invalid| NO_JSON)?;
        found.map_or(Ok(None), |value| scalar(cx, value).map_err(|Invalid| NO_JSON.into()))
    }

    /// The JSON text of the value at a path, as written, whatever it is; null where there is none and where the text is
    /// no JSON. (The reference's `json_value` serves for this.)
    ///
    /// ```chalk
    /// json_extract("{\"a\": {\"b\": [1, 2]}}", "$.a.b") == "[1, 2]"
    /// json_extract("{\"a\": \"x\"}", "$.a") == "\"x\""
    /// ```
    #[function(signature = "json_extract(s: string, path: string) -> string?", known_as = "json_query", check = check_definite)]
    fn json_extract<'a>(cx: &CallContext, s: &'a str, path: &str) -> Result<Option<&'a str>, FunctionError> {
        Ok(definite(cx, path)?.find_one(s).ok().flatten())
    }

    /// The items of the array at a path: of a scalar its text, of an array or object its JSON text, of JSON's null null.
    /// A path with `[*]` or `..` gives all values that it names. Null where there is no array at the path, and where the
    /// text is no JSON.
    ///
    /// Deviation: the reference gives null for paths with `[*]` over objects.
    ///
    /// ```chalk
    /// json_extract_array("{\"tags\": [\"a\", 1, [2]]}", "$.tags") == ["a", "1", "[2]"]
    /// json_extract_array("{\"items\": [{\"id\": 1}, {\"id\": 2}]}", "$.items[*].id") == ["1", "2"]
    /// json_extract_array("{\"tags\": 1}", "$.tags") == none
    /// ```
    #[function(signature = "json_extract_array(s: string, path: string) -> [string?]?", known_as = "json_array", check = check_path)]
    fn json_extract_array<'a>(
        cx: &'a CallContext,
        s: &'a str,
        path_text: &str,
    ) -> Result<Option<Vec<Option<&'a str>>>, FunctionError> {
        let path = path(cx, path_text)?;
        let values = if path.is_definite() {
            let Ok(Some(array)) = path.find_one(s) else { return Ok(None) };
            let mut scanner = Scanner::new(array);
            let mut items = Vec::new();
            let listed = scanner.items(|scanner| {
                items.push(scanner.value()?);
                Ok(())
            });
            if listed.is_err() {
                return Ok(None);
            }
            items
        } else {
            let Ok(values) = path.find(s) else { return Ok(None) };
            values
        };
        let text = |value: &'a str| match Scanner::new(value).shape() {
            Ok(Shape::Array | Shape::Object) => Some(value),
            _ => scalar(cx, value).ok().flatten(),
        };
        Ok(Some(values.into_iter().map(text).collect()))
    }

    /// A JSON text in one form: without blanks, keys in order, of equal keys the last, numbers as written. A text that is no JSON fails the
    /// message. (The reference also calls it `json_format`.)
    ///
    /// ```chalk
    /// json_stringify("{ \"b\": 1, \"a\": [ true, null ] }") == "{\"a\":[true,null],\"b\":1}"
    /// ```
    #[function(signature = "json_stringify(s: string) -> string", known_as = "json_format")]
    fn json_stringify(s: &str) -> Result<String, FunctionError> {
        let mut text = String::with_capacity(s.len());
        let mut scanner = Scanner::new(s);
        write_canonical(&mut scanner, &mut text).and_then(|()| scanner.end()).map_err(|Invalid| NO_JSON)?;
        Ok(text)
    }

    /// A value as JSON text. Dates, times and durations become their ISO 8601 text, NaN and infinities the texts `"NaN"`,
    /// `"Infinity"` and `"-Infinity"`.
    ///
    /// ```chalk
    /// jsonify("say \"hi\"") == "\"say \\\"hi\\\"\""
    /// jsonify(1.5) == "1.5"
    /// ```
    #[function(
        signature = "jsonify(x: T) -> string",
        known_as = "to_json, json_dumps",
        instances = "int, float, bool, string, datetime, date, time, duration"
    )]
    fn jsonify<'a, T: ToJson + FromSlot<'a>>(x: T) -> String {
        let mut text = String::new();
        x.write(&mut text);
        text
    }

    /// A list as JSON text; its items as by `jsonify`, null as JSON's null.
    ///
    /// ```chalk
    /// jsonify(["a", "b"]) == "[\"a\",\"b\"]"
    /// ```
    #[function(
        signature = "jsonify(x: [T]) -> string",
        instances = "int, float, bool, string, datetime, date, time, duration"
    )]
    fn jsonify_list<'a, T: ToJson + Item<'a>>(x: ListRef<'a, T>) -> String {
        let mut text = String::from("[");
        for (index, item) in x.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            match item {
                Some(item) => item.write(&mut text),
                None => text.push_str("null"),
            }
        }
        text.push(']');
        text
    }
}
