//! Which columns of a message a kernel needs, and the decode plan that follows.
//!
//! A column is asked for while code is built and kept if code still reads it in the end. The plan also states every declared
//! field, read or not: a message is checked as a whole.
//!
//! This file must not know expressions.

use chalk_artifact::decode_plan::{
    ColumnPlan, DecodePlan, FieldPlan, MAX_DEPTH, MAX_MESSAGE_BYTES, MessagePlan, Wanted,
};
use chalk_artifact::manifest::KernelInput;
use chalk_hir::program::{Message, Program};
use chalk_types::{Kind, Type};

use crate::ir::{Input, Kernel};

/// The plan of `json_deserialize<T>`: the message as a whole, as one struct column.
pub(crate) fn whole_message(program: &Program, message: usize) -> DecodePlan {
    let ty = Kind::Struct(program.messages[message].ty.clone()).required();
    plan(program, message, vec![ColumnPlan { ty, path: Vec::new(), wanted: Wanted::Value }])
}

/// The plan of a resolver's messages: the columns that its main kernel reads, in the kernel's order. The kernel's inputs
/// are numbered to match.
pub(crate) fn of_kernel(program: &Program, message: usize, kernel: &mut Kernel, asked: &[ColumnPlan]) -> DecodePlan {
    let mut columns = Vec::new();
    for input in &mut kernel.inputs {
        if let KernelInput::Decoded(column) = &mut input.source {
            columns.push(asked[*column as usize].clone());
            *column = columns.len() as u32 - 1;
        }
    }
    plan(program, message, columns)
}

fn plan(program: &Program, message: usize, columns: Vec<ColumnPlan>) -> DecodePlan {
    DecodePlan {
        root: message_plan(program, &program.messages[message]),
        columns,
        strict: !program.messages[message].relaxed,
        max_depth: MAX_DEPTH,
        max_message_bytes: MAX_MESSAGE_BYTES,
    }
}

/// Messages are never recursive, so this ends.
fn message_plan(program: &Program, message: &Message) -> MessagePlan {
    let fields = message.ty.fields.iter().zip(&message.wire).map(|(field, wire)| FieldPlan {
        name: field.name.clone(),
        key: wire.key.clone(),
        ty: field.ty.clone(),
        default: wire.default.clone(),
        lenient: wire.lenient,
        unix: wire.unix,
        message: wire.message.map(|inner| Box::new(message_plan(program, &program.messages[inner]))),
    });
    MessagePlan { name: message.ty.name.clone(), fields: fields.collect() }
}

/// The column of a path, for the list of columns asked for; `nullable` says whether a message on the way may be null.
pub(crate) fn column(program: &Program, message: usize, path: &[u32], wanted: Wanted) -> ColumnPlan {
    let mut ty = Kind::Struct(program.messages[message].ty.clone()).required();
    let mut nullable = false;
    for field in path {
        let Kind::Struct(parent) = &ty.kind else { unreachable!("a path goes through messages") };
        ty = parent.fields[*field as usize].ty.clone();
        nullable |= ty.nullable;
    }
    let ty = match wanted {
        Wanted::Value => Type { kind: ty.kind, nullable },
        Wanted::Presence => Type::BOOL,
    };
    ColumnPlan { ty, path: path.to_vec(), wanted }
}

/// The input for a column.
pub(crate) fn input(program: &Program, message: usize, column: &ColumnPlan, number: u32) -> Input {
    let mut name = String::from("msg");
    let mut parent = program.messages[message].ty.clone();
    for field in &column.path {
        let field = parent.fields[*field as usize].clone();
        name = format!("{name}.{}", field.name);
        if let Kind::Struct(inner) = field.ty.kind {
            parent = inner;
        }
    }
    if column.wanted == Wanted::Presence {
        name.push_str(" is there");
    }
    Input { source: KernelInput::Decoded(number), ty: column.ty.clone(), name }
}
