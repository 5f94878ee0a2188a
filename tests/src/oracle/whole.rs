//! Messages as values: rebuilt from the columns that a resolver reads, or decoded as a whole.
//!
//! The plans made here from the checked program are a second opinion on those of the code generator.
//!
//! This file must not know expressions.

use chalk_artifact::abi::status;
use chalk_artifact::decode_plan::{
    ColumnPlan, DecodePlan, FieldPlan, MAX_DEPTH, MAX_MESSAGE_BYTES, MessagePlan, Wanted,
};
use chalk_decode::{DecodeError, Decoder, MessageBatch, Tier};
use chalk_hir::program::Program;
use chalk_types::{Kind, StructType, Value};

/// Decodes messages one at a time, plainly.
pub(super) struct PlainDecoder {
    plan: DecodePlan,
    decoder: Decoder,
}

impl PlainDecoder {
    /// For a plan.
    pub(super) fn new(plan: &DecodePlan) -> PlainDecoder {
        let decoder = Decoder::new(plan, Tier::Scalar).unwrap_or_else(|error| panic!("{error}"));
        PlainDecoder { plan: plan.clone(), decoder }
    }

    /// For a message type as a whole.
    pub(super) fn whole(program: &Program, message: usize) -> PlainDecoder {
        let ty = Kind::Struct(program.messages[message].ty.clone()).required();
        PlainDecoder::new(&DecodePlan {
            root: message_plan(program, message),
            columns: vec![ColumnPlan { ty, path: Vec::new(), wanted: Wanted::Value }],
            strict: !program.messages[message].relaxed,
            max_depth: MAX_DEPTH,
            max_message_bytes: MAX_MESSAGE_BYTES,
        })
    }

    /// The message as a value of that type; fields that the plan does not read are null.
    pub(super) fn decode(&mut self, bytes: &[u8], ty: &StructType) -> Result<Value, DecodeError> {
        let mut batch = MessageBatch::new();
        batch.push(bytes).expect("a small message");
        let mut statuses = [status::LIVE];
        let mut errors = Vec::new();
        self.decoder.decode(&batch, &mut statuses, &mut errors);
        if let Some(error) = errors.pop() {
            assert_eq!(statuses[0], status::FAILED, "an error fails the message");
            return Err(error);
        }
        let mut tree = Tree::Part(Vec::new());
        // Values first: that a message is not there is the last word on it.
        for pass in [Wanted::Value, Wanted::Presence] {
            for (index, column) in self.plan.columns.iter().enumerate().filter(|(_, column)| column.wanted == pass) {
                let value = self.decoder.columns().column(index).value(0, batch.bytes());
                tree.set(&column.path, pass, value);
            }
        }
        Ok(tree.into_value(ty))
    }
}

/// A message of which some fields are known.
enum Tree {
    /// Fields by position, in no order.
    Part(Vec<(u32, Tree)>),
    Whole(Value),
}

impl Tree {
    fn set(&mut self, path: &[u32], wanted: Wanted, value: Value) {
        match (self, path.split_first()) {
            (tree, None) => match (wanted, value) {
                (Wanted::Value, value) => *tree = Tree::Whole(value),
                (Wanted::Presence, Value::Bool(false)) => *tree = Tree::Whole(Value::Null),
                (Wanted::Presence, _) => {}
            },
            (Tree::Part(fields), Some((first, rest))) => {
                let position = fields.iter().position(|(field, _)| field == first).unwrap_or_else(|| {
                    fields.push((*first, Tree::Part(Vec::new())));
                    fields.len() - 1
                });
                fields[position].1.set(rest, wanted, value);
            }
            // A message that is known as a whole says everything of its fields.
            (Tree::Whole(_), Some(_)) => {}
        }
    }

    fn into_value(self, ty: &StructType) -> Value {
        match self {
            Tree::Whole(value) => value,
            Tree::Part(known) => {
                let mut values = vec![Value::Null; ty.fields.len()];
                for (field, tree) in known {
                    let ty = &ty.fields[field as usize].ty;
                    values[field as usize] = match (tree, &ty.kind) {
                        (Tree::Whole(value), _) => value,
                        (tree, Kind::Struct(inner)) => tree.into_value(inner),
                        // Only its presence was asked for, and it is there.
                        (Tree::Part(_), kind) => something(kind),
                    };
                }
                Value::Struct(values)
            }
        }
    }
}

/// A value of which nothing is known but that it is not null.
fn something(kind: &Kind) -> Value {
    match kind {
        Kind::Bool => Value::Bool(false),
        Kind::Int(_) => Value::Int(0),
        Kind::Float32 | Kind::Float64 => Value::Float(0.0),
        Kind::String => Value::String(String::new()),
        Kind::Bytes => Value::Bytes(Vec::new()),
        Kind::Datetime => Value::Datetime(0),
        Kind::Date => Value::Date(0),
        Kind::Time => Value::Time(0),
        Kind::Duration => Value::Duration(0),
        Kind::Decimal { .. } => Value::Decimal(0),
        Kind::List(_) | Kind::Vector(..) => Value::List(Vec::new()),
        Kind::Map(..) => Value::Map(Vec::new()),
        Kind::Enum(_) => Value::Enum(0),
        Kind::Struct(message) => Value::Struct(vec![Value::Null; message.fields.len()]),
        Kind::Null => Value::Null,
    }
}

fn message_plan(program: &Program, message: usize) -> MessagePlan {
    let message = &program.messages[message];
    let fields = message.ty.fields.iter().zip(&message.wire);
    MessagePlan {
        name: message.ty.name.clone(),
        fields: fields
            .map(|(field, wire)| FieldPlan {
                name: field.name.clone(),
                key: wire.key.clone(),
                ty: field.ty.clone(),
                default: wire.default.clone(),
                lenient: wire.lenient,
                unix: wire.unix,
                message: wire.message.map(|inner| Box::new(message_plan(program, inner))),
            })
            .collect(),
    }
}
