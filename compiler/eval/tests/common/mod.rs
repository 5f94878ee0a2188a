//! What the tests of the evaluator share: packages from text, messages from JSON, values as text.

#![allow(dead_code, unreachable_pub)]

pub mod fences;

use chalk_artifact::connector::{ConnectorDef, OptionDef, OptionType};
use chalk_artifact::decode_plan::UnixUnit;
use chalk_catalog::CallContext;
use chalk_diagnostics::{Code, Diagnostic, SourceMap, Span};
use chalk_eval::{Evaluator, Outcome, Row};
use chalk_hir::program::{MessageInput, Program};
use chalk_types::{Kind, Type, Value, format_date, format_datetime, format_duration, format_float, format_time};

const CONNECTORS: [&ConnectorDef; 2] = [
    &ConnectorDef {
        name: "kafka",
        doc: "A topic.",
        options: &[OptionDef { name: "topic", ty: OptionType::String, required: true, doc: "The topic." }],
        has_headers: true,
    },
    &ConnectorDef {
        name: "file",
        doc: "A file.",
        options: &[OptionDef { name: "path", ty: OptionType::String, required: true, doc: "The file." }],
        has_headers: false,
    },
];

/// A checked package.
pub struct Package {
    pub sources: SourceMap,
    pub program: Program,
}

/// Checks a package; the diagnostics of parser and checker.
pub fn check(text: &str) -> (SourceMap, Program, Vec<Diagnostic>) {
    let mut sources = SourceMap::new();
    let id = sources.add("test.chalk", text);
    let (tree, mut diagnostics) = chalk_syntax::parse(id, text);
    let analysis = chalk_hir::analyze(&[&tree], chalk_functions::catalog(), &CONNECTORS);
    diagnostics.extend(analysis.diagnostics);
    (sources, analysis.program, diagnostics)
}

/// Diagnostics as lines.
pub fn lines(sources: &SourceMap, diagnostics: &[Diagnostic]) -> String {
    let line = |found: &Diagnostic| {
        let help = found.help.as_deref().unwrap_or_default();
        format!("{} {}: {} ({help})\n", found.code, sources.location(found.span()), found.message)
    };
    diagnostics.iter().map(line).collect()
}

/// The codes of diagnostics.
pub fn codes(diagnostics: &[Diagnostic]) -> Vec<Code> {
    diagnostics.iter().map(|found| found.code).collect()
}

impl Package {
    /// A package that must be right.
    pub fn new(text: &str) -> Package {
        let (sources, program, diagnostics) = check(text);
        assert!(diagnostics.is_empty(), "{text}\n{}", lines(&sources, &diagnostics));
        Package { sources, program }
    }

    /// The source text of a place.
    pub fn text_at(&self, span: Span) -> &str {
        self.sources.slice(span)
    }

    /// Runs a resolver on one message, with headers. The decoder of the tests is no strict one: what it must refuse is
    /// tested elsewhere.
    pub fn run(&self, resolver: &str, body: &str, headers: &[(&str, &str)]) -> Outcome {
        let resolver = self.program.resolvers.iter().find(|other| other.name == resolver).expect("a resolver");
        let decode = |message: usize, text: &[u8]| decode(&self.program, message, text);
        let context = CallContext::new(0, 1);
        let evaluator = Evaluator {
            program: &self.program,
            catalog: chalk_functions::catalog(),
            context: &context,
            deserialize: &decode,
        };
        let mut row = Row {
            message: Value::Null,
            topic: "topic".to_owned(),
            partition: 2,
            offset: 7,
            key: None,
            timestamp_us: Some(1_000_000),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect(),
        };
        if let Some(fate) = evaluator.prefilter(resolver, &row) {
            return fate;
        }
        row.message = match resolver.input {
            MessageInput::Json(message) => decode(message, body.as_bytes()).expect("a good message"),
            MessageInput::Text => Value::String(body.to_owned()),
            MessageInput::Bytes => Value::Bytes(body.as_bytes().to_vec()),
        };
        evaluator.resolver(resolver, &row)
    }
}

/// What was written, as `name=value` in order, expression features last.
pub fn applied(package: &Package, resolver: &str, outcome: &Outcome) -> String {
    let resolver = package.program.resolvers.iter().find(|other| other.name == resolver).expect("a resolver");
    let Outcome::Applied { features, expressions, .. } = outcome else { panic!("{outcome:?}") };
    let class = &package.program.classes[resolver.class];
    let one = |(feature, value): &(usize, Value)| {
        let feature = &class.features[*feature];
        format!("{}={}", feature.name, show(value, &feature.ty.kind))
    };
    features.iter().chain(expressions).map(one).collect::<Vec<_>>().join(" ")
}

/// A value as text.
pub fn show(value: &Value, kind: &Kind) -> String {
    match (value, kind) {
        (Value::Null, _) => "none".to_owned(),
        (Value::Bool(value), _) => value.to_string(),
        (Value::Int(value), _) => value.to_string(),
        (Value::Float(value), _) => format_float(*value),
        (Value::Decimal(value), Kind::Decimal { scale, .. }) => format!("{value}e-{scale}"),
        (Value::String(text), _) => format!("{text:?}"),
        (Value::Bytes(bytes), _) => format!("b\"{}\"", bytes.escape_ascii()),
        (Value::Datetime(us), _) => format_datetime(*us),
        (Value::Date(days), _) => format_date(*days),
        (Value::Time(us), _) => format_time(*us),
        (Value::Duration(us), _) => format_duration(*us),
        (Value::List(items), Kind::List(item) | Kind::Vector(item, _)) => {
            let items: Vec<String> = items.iter().map(|value| show(value, &item.kind)).collect();
            format!("[{}]", items.join(", "))
        }
        (Value::Enum(variant), Kind::Enum(def)) => def.variants[*variant as usize].clone(),
        (value, _) => format!("{value:?}"),
    }
}

/// A message from JSON.
pub fn decode(program: &Program, message: usize, text: &[u8]) -> Result<Value, String> {
    let json: serde_json::Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    message_of(program, message, &json)
}

fn message_of(program: &Program, message: usize, json: &serde_json::Value) -> Result<Value, String> {
    let message = &program.messages[message];
    let object = json.as_object().ok_or("an object is wanted")?;
    let mut fields = Vec::new();
    for (field, wire) in message.ty.fields.iter().zip(&message.wire) {
        let value = match (object.get(&wire.key), &wire.default) {
            (Some(json), _) => value_of(program, json, &field.ty, wire.message, wire.unix)?,
            (None, Some(default)) => default.clone(),
            (None, None) => Value::Null,
        };
        if value.is_null() && !field.ty.nullable {
            return Err(format!("`{}` is missing", wire.key));
        }
        fields.push(value);
    }
    Ok(Value::Struct(fields))
}

fn value_of(
    program: &Program,
    json: &serde_json::Value,
    ty: &Type,
    message: Option<usize>,
    unix: Option<UnixUnit>,
) -> Result<Value, String> {
    use serde_json::Value as Json;
    let wrong = || format!("{json} is no {ty}");
    Ok(match (&ty.kind, json) {
        (_, Json::Null) => Value::Null,
        (Kind::Bool, Json::Bool(value)) => Value::Bool(*value),
        (Kind::Int(_), Json::Number(number)) => Value::Int(number.to_string().parse().map_err(|_| wrong())?),
        (Kind::Float32 | Kind::Float64, Json::Number(number)) => Value::Float(number.as_f64().ok_or_else(wrong)?),
        (Kind::String, Json::String(text)) => Value::String(text.clone()),
        (Kind::Datetime, Json::Number(number)) if unix == Some(UnixUnit::Micros) => {
            Value::Datetime(number.as_i64().ok_or_else(wrong)?)
        }
        (Kind::Enum(def), Json::String(text)) => {
            let variant = def.variants.iter().position(|variant| variant == text).ok_or_else(wrong)?;
            Value::Enum(variant as u32)
        }
        (Kind::List(item), Json::Array(items)) => Value::List(
            items.iter().map(|json| value_of(program, json, item, message, unix)).collect::<Result<_, _>>()?,
        ),
        (Kind::Map(_, value), Json::Object(entries)) => Value::Map(
            entries
                .iter()
                .map(|(key, json)| Ok((Value::String(key.clone()), value_of(program, json, value, message, unix)?)))
                .collect::<Result<_, String>>()?,
        ),
        (Kind::Struct(_), json) => message_of(program, message.expect("a message inside"), json)?,
        _ => return Err(wrong()),
    })
}
