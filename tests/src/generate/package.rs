//! Random packages: enums, messages, functions, and resolvers with their feature classes.
//!
//! What several resolvers use is one file, each resolver is another: so a failure is cut down to one resolver by leaving files out.
//!
//! This file must not know how expressions are made.

use std::fmt::Write as _;
use std::sync::Arc;

use chalk_types::{EnumType, IntWidth, Kind, StructField, StructType, Type};

use super::expr::{Generator, paths_of};
use super::node::{Node, node};
use super::{literal, messages, types};
use crate::rng::Rng;

/// Declarations that resolvers share.
#[derive(Clone, Debug, Default)]
pub(super) struct Common {
    /// Enums.
    pub enums: Vec<Arc<EnumType>>,
    /// Messages; each holds only earlier ones.
    pub messages: Vec<MessageDecl>,
}

impl Common {
    /// The message of that name.
    pub(super) fn message(&self, name: &str) -> Option<&MessageDecl> {
        self.messages.iter().find(|message| message.ty.name == name)
    }
}

/// A message type.
#[derive(Clone, Debug)]
pub(super) struct MessageDecl {
    /// Name and fields.
    pub ty: Arc<StructType>,
    /// How the fields travel, in the same order.
    pub wire: Vec<Wire>,
    /// `@relaxed`
    pub relaxed: bool,
    /// A valid message.
    pub example: String,
}

/// How a field travels.
#[derive(Clone, Debug, Default)]
pub(super) struct Wire {
    /// The key, where it is not the name.
    pub key: Option<String>,
    /// `@unix(…)`
    pub unix: Option<&'static str>,
    /// `@lenient`
    pub lenient: bool,
    /// The default, as written.
    pub default: Option<String>,
}

/// A user function.
#[derive(Clone, Debug)]
pub(super) struct UserFunction {
    /// Its name.
    pub name: String,
    /// Its parameters.
    pub params: Vec<(String, Type)>,
    /// What it gives.
    pub result: Type,
    /// How.
    pub body: Node,
}

/// What messages of a resolver are.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Input {
    /// JSON of that message.
    Json(String),
    /// Text.
    Text,
    /// Bytes.
    Bytes,
}

/// A feature and how it is computed.
#[derive(Clone, Debug)]
pub(super) struct Feature {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Its value.
    pub value: Node,
}

/// A resolver with the class that it writes.
#[derive(Clone, Debug)]
pub(super) struct Resolver {
    /// Makes its names its own.
    pub number: usize,
    /// What comes from the source.
    pub input: Input,
    /// The type that the body sees, where a parse function makes it.
    pub parsed: Option<UserFunction>,
    /// `where` before `parse`.
    pub before: Vec<Node>,
    /// `where` after `parse`.
    pub after: Vec<Node>,
    /// `timestamp`
    pub timestamp: Option<Node>,
    /// The key first.
    pub features: Vec<Feature>,
    /// Whether the first datetime feature is `@time`.
    pub has_time: bool,
    /// Expression features.
    pub expressions: Vec<Feature>,
}

/// A package.
#[derive(Clone, Debug)]
pub(super) struct Package {
    /// Enums and messages.
    pub common: Common,
    /// Functions; each calls only earlier ones.
    pub functions: Vec<UserFunction>,
    /// Resolvers.
    pub resolvers: Vec<Resolver>,
    /// `late_arrival_deadline`
    pub deadline: Option<&'static str>,
}

const VARIANTS: [&str; 6] = ["ok", "failed", "pending", "a", "b", "unknown_state"];

/// A package with that many resolvers.
pub(super) fn package(rng: &mut Rng, resolvers: usize) -> Package {
    let mut common = Common::default();
    for number in 0..2 {
        let count = rng.between(2, 5);
        let variants = VARIANTS[..count].iter().map(|variant| (*variant).to_owned()).collect();
        common.enums.push(Arc::new(EnumType { name: format!("E{number}"), variants }));
    }
    for number in 0..5 {
        let message = message(rng, &common, number);
        common.messages.push(message);
    }
    let mut functions = Vec::new();
    for number in 0..5 {
        let function = function(rng, &common, &functions, number);
        functions.push(function);
    }
    let resolvers = (0..resolvers).map(|number| resolver(rng, &common, &functions, number)).collect();
    let deadline = if rng.percent(40) { Some(*rng.pick(&["10m", "1d", "0s", "5200w"])) } else { None };
    Package { common, functions, resolvers, deadline }
}

fn message(rng: &mut Rng, common: &Common, number: usize) -> MessageDecl {
    let mut fields = Vec::new();
    let mut wire = Vec::new();
    for position in 0..rng.between(2, 9) {
        let ty = types::of_field(rng, common);
        let is_plain = !matches!(ty.kind, Kind::Struct(_) | Kind::Map(..) | Kind::List(_) | Kind::Vector(..));
        let mut travels = Wire::default();
        if rng.percent(15) {
            travels.key = Some(
                (*rng.pick(&["eventId", "key with space", "ключ", "a\\\"b", "x-y"])).to_owned() + &position.to_string(),
            );
        }
        if ty.kind == Kind::Datetime && rng.percent(40) {
            travels.unix = Some(*rng.pick(&["s", "ms", "us", "ns"]));
        }
        travels.lenient = is_plain && rng.percent(15);
        if rng.percent(15) {
            travels.default = match &ty.kind {
                _ if ty.nullable && rng.percent(30) => Some("none".to_owned()),
                Kind::Bool | Kind::Float64 | Kind::String | Kind::Enum(_) | Kind::Int(IntWidth::Int64) => {
                    literal::of(rng, &ty.kind).filter(|node| node.literal.is_some()).map(|node| node.text())
                }
                Kind::Duration => Some("10m".to_owned()),
                Kind::List(_) => Some("[]".to_owned()),
                _ => None,
            };
        }
        fields.push(StructField { name: format!("f{position}"), ty });
        wire.push(travels);
    }
    let ty = Arc::new(StructType { name: format!("M{number}"), fields });
    let mut decl = MessageDecl { ty, wire, relaxed: rng.percent(15), example: String::new() };
    decl.example = messages::valid(rng, common, &decl);
    decl
}

fn function(rng: &mut Rng, common: &Common, functions: &[UserFunction], number: usize) -> UserFunction {
    let mut params = Vec::new();
    let mut paths = Vec::new();
    for position in 0..rng.between(1, 3) {
        let kind = match rng.below(10) {
            0 => Kind::Struct(rng.pick(&common.messages).ty.clone()),
            _ => types::literal_kind(rng, common),
        };
        let ty = Type { kind, nullable: rng.percent(40) };
        let name = format!("p{position}");
        paths_of(&name, &ty, &mut paths);
        params.push((name, ty));
    }
    let kind = types::literal_kind(rng, common);
    let result = Type { kind, nullable: rng.percent(40) };
    let mut generator = Generator { rng, common, functions, paths, lets: 0 };
    let body = generator.expr(&result, 2);
    UserFunction { name: format!("fun{number}"), params, result, body }
}

fn envelope_paths() -> Vec<(String, Type)> {
    [
        ("envelope.topic", Type::STRING),
        ("envelope.partition", Type::INT),
        ("envelope.offset", Type::INT),
        ("envelope.key", Type::BYTES.to_optional()),
        ("envelope.timestamp", Type::DATETIME.to_optional()),
        ("header(\"h1\")", Type::BYTES.to_optional()),
        ("header(\"h2\")", Type::BYTES.to_optional()),
    ]
    .into_iter()
    .map(|(text, ty)| (text.to_owned(), ty))
    .collect()
}

fn resolver(rng: &mut Rng, common: &Common, functions: &[UserFunction], number: usize) -> Resolver {
    let message = rng.pick(&common.messages).ty.clone();
    let json = Kind::Struct(message.clone()).required();
    let mut parsed = None;
    let (input, input_type, body_type) = match rng.below(100) {
        0..70 => (Input::Json(message.name.clone()), json.clone(), json),
        70..78 => (Input::Text, Type::STRING, Type::STRING),
        78..84 => (Input::Bytes, Type::BYTES, Type::BYTES),
        choice => {
            let (input, raw) = match choice {
                84..89 => (Input::Text, Type::STRING),
                89..94 => (Input::Bytes, Type::BYTES),
                _ => (Input::Json(message.name.clone()), json.clone()),
            };
            parsed = Some(parse_function(rng, common, functions, number, &raw, &json));
            (input, raw, json)
        }
    };
    let mut lets = 0;
    let mut conditions = |rng: &mut Rng, paths: Vec<(String, Type)>, percent: usize| {
        let mut found = Vec::new();
        while rng.percent(percent) && found.len() < 2 {
            let mut generator = Generator { rng, common, functions, paths: paths.clone(), lets };
            let nullable = generator.rng.percent(40);
            let condition = generator.expr(&Type { kind: Kind::Bool, nullable }, 2);
            lets = generator.lets;
            // Most messages are to get further.
            let ty = condition.ty.clone();
            found.push(if rng.percent(60) {
                node!(ty; "(", condition, " or envelope.offset % 3 != 0)")
            } else {
                condition
            });
        }
        found
    };
    let mut paths = envelope_paths();
    let mut before = conditions(rng, paths.clone(), 20);
    let mut after = Vec::new();
    let has_body_before = parsed.is_none() || input_type == body_type;
    if has_body_before {
        let mut with_body = paths.clone();
        paths_of("msg", &input_type, &mut with_body);
        before.extend(conditions(rng, with_body, 25));
    }
    paths_of("msg", &body_type, &mut paths);
    if parsed.is_some() {
        after = conditions(rng, paths.clone(), 30);
    }
    let mut generator = Generator { rng, common, functions, paths, lets };
    let timestamp = generator.rng.percent(30).then(|| {
        let nullable = generator.rng.percent(40);
        generator.expr(&Type { kind: Kind::Datetime, nullable }, 2)
    });
    let key_kind = if generator.rng.percent(50) { Kind::INT } else { Kind::String };
    let key = generator.expr(&key_kind.clone().required(), 1);
    let mut features = vec![Feature { name: "id".to_owned(), ty: key_kind.required(), value: key }];
    for position in 0..generator.rng.between(1, 6) {
        let kind = generator.any_kind();
        let nullable = generator.rng.percent(50);
        let ty = Type { kind, nullable };
        let depth = generator.rng.between(1, 4);
        let value = generator.expr(&ty, depth);
        let value = if generator.rng.percent(60) { generator.recovered(value, &ty) } else { value };
        features.push(Feature { name: format!("x{position}"), ty, value });
    }
    let has_time = generator.rng.percent(20);
    let mut expressions = Vec::new();
    if generator.rng.percent(30) {
        generator.paths = Vec::new();
        for feature in &features {
            paths_of(&feature.name, &feature.ty, &mut generator.paths);
        }
        for position in 0..generator.rng.between(1, 3) {
            let kind = generator.any_kind();
            let ty = Type { kind, nullable: generator.rng.percent(50) };
            let value = generator.expr(&ty, 2);
            let value = if generator.rng.percent(60) { generator.recovered(value, &ty) } else { value };
            let name = format!("y{position}");
            paths_of(&name, &ty, &mut generator.paths);
            expressions.push(Feature { name, ty, value });
        }
    }
    Resolver { number, input, parsed, before, after, timestamp, features, has_time, expressions }
}

fn parse_function(
    rng: &mut Rng,
    common: &Common,
    functions: &[UserFunction],
    number: usize,
    raw: &Type,
    json: &Type,
) -> UserFunction {
    let mut paths = Vec::new();
    paths_of("raw", raw, &mut paths);
    let mut generator = Generator { rng, common, functions, paths, lets: 0 };
    let skip = generator.expr(&Type::BOOL, 2);
    let value = if raw == json {
        node!(json.clone(); "raw")
    } else {
        let input = match generator.rng.below(3) {
            0 => node!(raw.clone(); "raw[0..]"),
            1 => generator.expr(raw, 1),
            _ => node!(raw.clone(); "raw"),
        };
        node!(json.clone(); format!("json_deserialize<{}>(", json.kind), input, ")")
    };
    let optional = json.to_optional();
    let (result, body) = match generator.rng.below(4) {
        0 => (json.clone(), value),
        1 => (optional.clone(), node!(optional; "recover(", value, ", none)")),
        _ => (optional.clone(), node!(optional; "if ", skip, " then none else ", value)),
    };
    UserFunction { name: format!("parse{number}"), params: vec![("raw".to_owned(), raw.clone())], result, body }
}

impl UserFunction {
    fn declaration(&self) -> String {
        let params: Vec<String> = self.params.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
        format!("fn {}({}) -> {} = {}\n", self.name, params.join(", "), self.result, self.body.text())
    }
}

impl MessageDecl {
    fn declaration(&self) -> String {
        let mut text = String::new();
        let relaxed = if self.relaxed { "@relaxed\n" } else { "" };
        let _ = writeln!(text, "{relaxed}message {} {{", self.ty.name); // writing to a String cannot fail
        for (field, wire) in self.ty.fields.iter().zip(&self.wire) {
            text.push_str("  ");
            if let Some(key) = &wire.key {
                let _ = write!(text, "@json(\"{key}\") ");
            }
            if let Some(unit) = wire.unix {
                let _ = write!(text, "@unix({unit}) ");
            }
            if wire.lenient {
                text.push_str("@lenient ");
            }
            let _ = write!(text, "{}: {}", field.name, field.ty);
            if let Some(default) = &wire.default {
                let _ = write!(text, " = {default}");
            }
            text.push('\n');
        }
        text.push_str("}\n");
        text
    }
}

impl Resolver {
    /// Its declarations.
    pub(super) fn text(&self) -> String {
        let number = self.number;
        let mut text = String::new();
        let mut line = |content: String| {
            text.push_str(&content);
            text.push('\n');
        };
        if let Some(parse) = &self.parsed {
            line(parse.declaration());
        }
        line(format!("features C{number} {{"));
        let mut time = self.has_time;
        for feature in &self.features {
            let marked = time && feature.ty.kind == Kind::Datetime && !feature.ty.nullable;
            time &= !marked;
            line(format!("  {}{}: {}", if marked { "@time " } else { "" }, feature.name, feature.ty));
        }
        for feature in &self.expressions {
            line(format!("  {}: {} = {}", feature.name, feature.ty, feature.value.text()));
        }
        line("}\n".to_owned());
        let body_type = match (&self.parsed, &self.input) {
            (Some(parse), _) => parse.result.kind.to_string(),
            (None, Input::Json(name)) => name.clone(),
            (None, Input::Text) => "string".to_owned(),
            (None, Input::Bytes) => "bytes".to_owned(),
        };
        line(format!("stream r{number}(msg: {body_type}) -> C{number}\n  from topic"));
        for condition in &self.before {
            line(format!("  where {}", condition.text()));
        }
        if let Some(parse) = &self.parsed {
            line(format!("  parse {}", parse.name));
        }
        for condition in &self.after {
            line(format!("  where {}", condition.text()));
        }
        if let Some(timestamp) = &self.timestamp {
            line(format!("  timestamp {}", timestamp.text()));
        }
        line("{".to_owned());
        for feature in &self.features {
            line(format!("  {} = {}", feature.name, feature.value.text()));
        }
        line("}".to_owned());
        text
    }

    /// Expressions that it has, with a way to exchange each.
    pub(super) fn expressions_mut(&mut self) -> Vec<&mut Node> {
        let mut all: Vec<&mut Node> = Vec::new();
        all.extend(self.before.iter_mut());
        all.extend(self.after.iter_mut());
        all.extend(self.timestamp.iter_mut());
        all.extend(self.features.iter_mut().map(|feature| &mut feature.value));
        all.extend(self.expressions.iter_mut().map(|feature| &mut feature.value));
        all
    }
}

impl Package {
    /// What resolvers share, as text.
    pub(super) fn common_text(&self) -> String {
        let deadline = self.deadline.map(|deadline| format!(", late_arrival_deadline: {deadline}")).unwrap_or_default();
        let mut text = format!("source topic = kafka(topic: \"topic\"{deadline})\n\n");
        for def in &self.common.enums {
            let _ = writeln!(text, "enum {} {{ {} }}\n", def.name, def.variants.join(", "));
        }
        for message in &self.common.messages {
            text.push_str(&message.declaration());
            text.push('\n');
        }
        for function in &self.functions {
            text.push_str(&function.declaration());
            text.push('\n');
        }
        text
    }

    /// Its files.
    pub(super) fn files(&self) -> Vec<(String, String)> {
        let mut files = vec![("common.chalk".to_owned(), self.common_text())];
        for resolver in &self.resolvers {
            files.push((format!("r{}.chalk", resolver.number), resolver.text()));
        }
        files
    }
}
