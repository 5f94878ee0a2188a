//! Short ways to write plans and to decode single messages.
#![allow(dead_code, unreachable_pub)]

pub mod compare;
pub mod generate;
pub mod oracle;
pub mod random;

use std::sync::Arc;

use chalk_artifact::abi::status;
use chalk_artifact::decode_plan::{
    ColumnPlan, DecodePlan, FieldPlan, MAX_DEPTH, MAX_MESSAGE_BYTES, MessagePlan, Wanted,
};
use chalk_decode::{DecodeError, Decoder, MessageBatch, Tier};
use chalk_types::{EnumType, Kind, StructField, StructType, Type, Value};

pub fn ty(kind: Kind) -> Type {
    Type { kind, nullable: false }
}

pub fn optional(kind: Kind) -> Type {
    Type { kind, nullable: true }
}

pub fn list(item: Type) -> Kind {
    Kind::List(Box::new(item))
}

pub fn map(key: Kind, value: Type) -> Kind {
    Kind::Map(Box::new(ty(key)), Box::new(value))
}

pub fn status_enum() -> Kind {
    let variants = ["pending", "failed", "ok"].map(str::to_owned).to_vec();
    Kind::Enum(Arc::new(EnumType { name: "Status".into(), variants }))
}

pub fn field(name: &str, ty: Type) -> FieldPlan {
    FieldPlan { name: name.into(), key: name.into(), ty, default: None, lenient: false, unix: None, message: None }
}

/// A field that is a message, or a list (vector, map) of messages.
pub fn nested(name: &str, message: MessagePlan, wrap: impl Fn(Kind) -> Type) -> FieldPlan {
    let kind = Kind::Struct(Arc::new(struct_of(&message)));
    FieldPlan { message: Some(Box::new(message)), ..field(name, wrap(kind)) }
}

pub fn message(name: &str, fields: Vec<FieldPlan>) -> MessagePlan {
    MessagePlan { name: name.into(), fields }
}

pub fn struct_of(message: &MessagePlan) -> StructType {
    let fields =
        message.fields.iter().map(|field| StructField { name: field.name.clone(), ty: field.ty.clone() }).collect();
    StructType { name: message.name.clone(), fields }
}

pub fn plan(root: MessagePlan, columns: Vec<ColumnPlan>) -> DecodePlan {
    DecodePlan { root, columns, strict: true, max_depth: MAX_DEPTH, max_message_bytes: MAX_MESSAGE_BYTES }
}

/// The column of the field at that path of names; nullable where anything on the way is.
pub fn column(root: &MessagePlan, path: &[&str], wanted: Wanted) -> ColumnPlan {
    let mut here = root;
    let (mut indexes, mut nullable, mut kind) = (Vec::new(), false, Kind::Struct(Arc::new(struct_of(root))));
    for (depth, name) in path.iter().enumerate() {
        let index = here.fields.iter().position(|field| field.name == *name).expect("a field of that name");
        indexes.push(index as u32);
        nullable |= here.fields[index].ty.nullable;
        kind = here.fields[index].ty.kind.clone();
        if depth + 1 < path.len() {
            here = here.fields[index].message.as_deref().expect("a message");
        }
    }
    match wanted {
        Wanted::Value => ColumnPlan { ty: Type { kind, nullable }, path: indexes, wanted },
        Wanted::Presence => ColumnPlan { ty: ty(Kind::Bool), path: indexes, wanted },
    }
}

/// A plan that reads every field of the message as a column.
pub fn plan_of(fields: Vec<FieldPlan>) -> DecodePlan {
    let root = message("Event", fields);
    let columns = root.fields.iter().map(|field| column(&root, &[&field.name], Wanted::Value)).collect();
    plan(root, columns)
}

/// The environment variable as a number; the default where it is not set.
///
/// # Panics
/// Where it is no number: a run that was asked for must not become another one.
pub fn variable(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => default,
    }
}

/// Every tier of this processor.
pub fn tiers() -> impl Iterator<Item = Tier> {
    Tier::ALL.into_iter().filter(|tier| tier.is_available())
}

/// What one message becomes: the values of its columns, or its error. Every tier must agree, also after the first message
/// has been learned from.
pub fn decode(plan: &DecodePlan, bytes: &[u8]) -> Result<Vec<Value>, DecodeError> {
    let mut answers = Vec::new();
    for tier in tiers() {
        let mut decoder = Decoder::new(plan, tier).expect("a plan that works");
        for _ in 0..3 {
            let mut batch = MessageBatch::new();
            batch.push(bytes).expect("room");
            let (mut statuses, mut errors) = ([status::LIVE], Vec::new());
            decoder.decode(&batch, &mut statuses, &mut errors);
            let columns = decoder.columns();
            assert_eq!(statuses[0] == status::FAILED, !errors.is_empty());
            let answer = match errors.pop() {
                Some(error) => Err(error),
                None => Ok((0..columns.column_count()).map(|i| columns.column(i).value(0, batch.bytes())).collect()),
            };
            answers.push((tier, answer));
        }
        decoder.clear();
        answers.push((
            tier,
            decoder.decode_one(bytes).map(|row| {
                let columns = decoder.columns();
                (0..columns.column_count()).map(|i| columns.column(i).value(row, &[])).collect::<Vec<_>>()
            }),
        ));
    }
    let (_, first) = answers[0].clone();
    for (tier, answer) in answers {
        assert_eq!(format!("{answer:?}"), format!("{first:?}"), "{tier} on {}", String::from_utf8_lossy(bytes));
    }
    first
}

/// The value of the only field `v` of a message.
pub fn value_of(v: FieldPlan, json: &str) -> Result<Value, String> {
    decode(&plan_of(vec![v]), format!("{{\"v\":{json}}}").as_bytes())
        .map(|mut values| values.remove(0))
        .map_err(|error| error.to_string())
}
