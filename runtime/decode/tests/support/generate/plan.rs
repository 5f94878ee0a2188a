//! Random message types and the plans that read them: every type, every nesting, fields read as leaves, as a whole, for
//! their presence alone, several times or not at all.

use std::sync::Arc;

use chalk_artifact::decode_plan::{ColumnPlan, DecodePlan, FieldPlan, MessagePlan, UnixUnit, Wanted};
use chalk_types::{EnumType, IntWidth, Kind, StructType, Type, Value};

use super::super::random::Random;
use super::super::{column, field, message, plan, struct_of};

/// Keys that are likely to be taken for each other, or to lie across a vector's edge.
const KEYS: [&str; 18] = [
    "id",
    "name",
    "updated_at",
    "contact_info",
    "email_address",
    "email_addresS",
    "a",
    "b",
    "ab",
    "länge",
    "user-agent",
    "a_rather_long_key_that_is_longer_than_a_vector_of_sixty_four_bytes_is",
    "a_rather_long_key_that_is_longer_than_a_vector_of_sixty_four_bytes_iS",
    "field_000000000000_a",
    "field_000000000000_b",
    "exactly_16_bytes",
    "exactly_32_bytes_long_is_this_ke",
    "ts",
];

/// Keys that can only be written with an escape, or are no letters at all.
const ODD_KEYS: [&str; 5] = ["quoted\"key", "", "back\\slash", "tab\there", "😀"];

/// What a plan may have.
#[derive(Clone, Copy)]
pub struct Wishes {
    /// `@lenient` fields.
    pub lenient: bool,
    /// `@relaxed` messages.
    pub relaxed: bool,
    /// Limits of nesting and size that messages may reach.
    pub limits: bool,
}

impl Wishes {
    pub const ALL: Wishes = Wishes { lenient: true, relaxed: true, limits: true };
}

/// A random plan; at least one column is read.
pub fn random_plan(random: &mut Random, wishes: Wishes) -> DecodePlan {
    if random.once_in(4) {
        return common_plan(random, wishes);
    }
    let root = random_message(random, 0, wishes);
    let mut columns = Vec::new();
    if random.once_in(12) {
        columns.push(column(&root, &[], Wanted::Value));
    }
    collect(random, &root, &root, &mut Vec::new(), &mut columns);
    if random.once_in(3) {
        random.shuffle(&mut columns);
    }
    if columns.is_empty() {
        columns.push(column(&root, &[&root.fields[0].name], Wanted::Value));
    }
    let mut plan = plan(root, columns);
    plan.strict = !(wishes.relaxed && random.once_in(8));
    if wishes.limits && random.once_in(10) {
        plan.max_depth = 2 + random.below(5) as u32;
    }
    if wishes.limits && random.once_in(20) {
        plan.max_message_bytes = 100 + random.below(400) as u32;
    }
    plan
}

/// A plan of the commonest types alone, most of them required, of which nearly all is read: what the fastest ways are made for.
fn common_plan(random: &mut Random, wishes: Wishes) -> DecodePlan {
    let root = common_message(random, 0);
    let mut columns = Vec::new();
    collect_leaves(random, &root, &root, &mut Vec::new(), &mut columns);
    let mut plan = plan(root, columns);
    plan.strict = !(wishes.relaxed && random.once_in(8));
    plan
}

fn common_message(random: &mut Random, depth: usize) -> MessagePlan {
    let mut keys = KEYS.map(str::to_owned).to_vec();
    random.shuffle(&mut keys);
    let count = 1 + random.below(10);
    let fields = (0..count).map(|index| {
        let name = format!("f{index}");
        let nullable = random.once_in(10);
        let (kind, inner) = match random.below(if depth < 2 { 9 } else { 8 }) {
            0..=3 => (Kind::String, None),
            4 | 5 => (Kind::INT, None),
            6 => (Kind::Float64, None),
            7 => (Kind::Bool, None),
            _ => {
                let inner = common_message(random, depth + 1);
                (Kind::Struct(Arc::new(struct_of(&inner))), Some(Box::new(inner)))
            }
        };
        FieldPlan { key: keys[index].clone(), message: inner, ..field(&name, Type { kind, nullable }) }
    });
    message(&format!("Common{depth}"), fields.collect())
}

/// Every leaf, or most of them, as a column of its own.
fn collect_leaves(
    random: &mut Random,
    root: &MessagePlan,
    here: &MessagePlan,
    path: &mut Vec<String>,
    into: &mut Vec<ColumnPlan>,
) {
    for field in &here.fields {
        path.push(field.name.clone());
        if let Some(inner) = &field.message {
            collect_leaves(random, root, inner, path, into);
        } else if !random.once_in(4) {
            let names: Vec<&str> = path.iter().map(String::as_str).collect();
            into.push(column(root, &names, Wanted::Value));
        }
        path.pop();
    }
}

fn collect(
    random: &mut Random,
    root: &MessagePlan,
    here: &MessagePlan,
    path: &mut Vec<String>,
    into: &mut Vec<ColumnPlan>,
) {
    for field in &here.fields {
        path.push(field.name.clone());
        let is_message = matches!(field.ty.kind, Kind::Struct(_));
        if is_message && !random.once_in(4) {
            collect(random, root, field.message.as_deref().expect("a message"), path, into);
        }
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        for _ in 0..1 + usize::from(random.once_in(20)) {
            if if is_message { random.once_in(4) } else { !random.once_in(3) } {
                into.push(column(root, &names, Wanted::Value));
            }
        }
        if random.once_in(if is_message { 4 } else { 15 }) {
            into.push(column(root, &names, Wanted::Presence));
        }
        path.pop();
    }
}

fn random_message(random: &mut Random, depth: usize, wishes: Wishes) -> MessagePlan {
    let mut keys = KEYS.map(str::to_owned).to_vec();
    random.shuffle(&mut keys);
    if random.once_in(25) {
        keys.insert(random.below(3), random.pick(&ODD_KEYS).to_owned());
    }
    let mut count = 1 + random.below(8);
    if depth == 0 && random.once_in(12) {
        count = 20 + random.below(60);
        keys.extend((0..100).map(|index| format!("column_{index}")));
    }
    let fields = (0..count).map(|index| random_field(random, &keys[index], index, depth, wishes)).collect();
    message(&format!("Message{depth}"), fields)
}

fn random_field(random: &mut Random, key: &str, index: usize, depth: usize, wishes: Wishes) -> FieldPlan {
    let mut inner = None;
    let kind = random_kind(random, depth, wishes, &mut inner);
    let nullable = random.once_in(3);
    let unix = random
        .once_in(3)
        .then(|| [UnixUnit::Seconds, UnixUnit::Millis, UnixUnit::Micros, UnixUnit::Nanos][random.below(4)]);
    let ty = Type { kind, nullable };
    let default = random.once_in(6).then(|| random_default(random, &ty));
    let lenient = wishes.lenient && random.once_in(8);
    FieldPlan {
        key: key.to_owned(),
        default,
        lenient,
        unix,
        message: inner.map(Box::new),
        ..field(&format!("f{index}"), ty)
    }
}

fn random_default(random: &mut Random, ty: &Type) -> Value {
    if ty.nullable && random.once_in(4) {
        return Value::Null;
    }
    match &ty.kind {
        Kind::Null => Value::Null,
        Kind::Bool => Value::Bool(true),
        Kind::Int(_) => Value::Int(7),
        Kind::Float32 | Kind::Float64 => Value::Float(-1.5),
        Kind::String => Value::String(random.pick(&["", "short", "a default that is longer than a view"]).to_owned()),
        Kind::Bytes => Value::Bytes(random.pick(&["", "short", "a default that is longer than a view"]).into()),
        Kind::Datetime => Value::Datetime(1_700_000_000_000_000),
        Kind::Date => Value::Date(-1),
        Kind::Time => Value::Time(1),
        Kind::Duration => Value::Duration(-1),
        Kind::Decimal { .. } => Value::Decimal(3),
        Kind::Enum(_) => Value::Enum(1),
        Kind::List(item) => Value::List((0..random.below(3)).map(|_| random_default(random, item)).collect()),
        Kind::Vector(item, length) => Value::List((0..*length).map(|_| random_default(random, item)).collect()),
        Kind::Map(key, value) => Value::Map(
            (0..random.below(2)).map(|_| (random_default(random, key), random_default(random, value))).collect(),
        ),
        Kind::Struct(def) => Value::Struct(def.fields.iter().map(|field| random_default(random, &field.ty)).collect()),
    }
}

fn random_enum(random: &mut Random) -> Kind {
    let variants: &[&str] = [
        &["pending", "failed", "ok"][..],
        &["A", "B"],
        &["created", "created_", "create", "CREATED", "länge", "a b", "a_name_that_is_longer_than_sixteen_bytes", ""],
        &["AAAAAAAAAAAAAAAAX", "AAAAAAAAAAAAAAAAY", "say \"ok\""],
    ][random.below(4)];
    let variants = variants.iter().map(|variant| (*variant).to_owned()).collect();
    Kind::Enum(Arc::new(EnumType { name: "Status".into(), variants }))
}

fn random_decimal(random: &mut Random) -> Kind {
    let precision = [8, 1, 18, 19, 38][random.below(5)];
    let scale = [2, 0, precision / 2, precision][random.below(4)].min(precision);
    Kind::Decimal { precision, scale }
}

fn random_kind(random: &mut Random, depth: usize, wishes: Wishes, inner: &mut Option<MessagePlan>) -> Kind {
    let item = |random: &mut Random, inner: &mut Option<MessagePlan>| {
        let kind = random_kind(random, depth + 1, wishes, inner);
        Box::new(Type { kind, nullable: random.once_in(3) })
    };
    match random.below(if depth < 3 { 25 } else { 17 }) {
        0 | 1 => Kind::INT,
        2..=4 => Kind::String,
        5 | 6 => Kind::Float64,
        7 => Kind::Bool,
        8 | 9 => Kind::Int(IntWidth::ALL[random.below(8)]),
        10 => Kind::Float32,
        11 => Kind::Bytes,
        12 => Kind::Datetime,
        13 => Kind::Date,
        14 => [Kind::Time, Kind::Duration][random.below(2)].clone(),
        15 => random_decimal(random),
        16 => random_enum(random),
        17 | 18 => Kind::List(item(random, inner)),
        19 => Kind::Vector(item(random, inner), 1 + random.below(3) as u32),
        20 | 21 => {
            let key = match random.below(16) {
                0..=5 => Kind::String,
                6 | 7 => Kind::INT,
                8 => Kind::Int(IntWidth::ALL[random.below(8)]),
                9 => Kind::Bool,
                10 | 11 => random_enum(random),
                12 => [Kind::Float64, Kind::Float32][random.below(2)].clone(),
                13 => random_decimal(random),
                14 => [Kind::Datetime, Kind::Date, Kind::Time, Kind::Duration][random.below(4)].clone(),
                _ => Kind::Bytes,
            };
            let key = Type { kind: key, nullable: false };
            Kind::Map(Box::new(key), item(random, inner))
        }
        _ => {
            let message = random_message(random, depth + 1, wishes);
            let def: Arc<StructType> = Arc::new(struct_of(&message));
            *inner = Some(message);
            Kind::Struct(def)
        }
    }
}
