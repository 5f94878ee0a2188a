//! A decode plan made ready: for each message type the fields that are read, and the columns they go to.
//!
//! A plan names columns by path from the root; a decoder meets fields while it walks a message. So the paths are merged
//! into one tree of objects, each with only the fields that somebody reads.
//!
//! This file must not know bytes.

use std::sync::Arc;

use chalk_artifact::decode_plan::{DecodePlan, FieldPlan, MessagePlan, UnixUnit, Wanted};
use chalk_types::{EnumType, IntWidth, Kind, Type, Value};

use crate::columns::{Column, ColumnId, DecodedColumns, value_fits};
use crate::error::PlanError;

/// Position in `Program::objects`.
pub(crate) type ObjectId = u32;

/// Everything a decoder needs to know about its messages.
pub(crate) struct Program {
    /// The first one is the message itself.
    pub(crate) objects: Vec<Object>,
    pub(crate) strict: bool,
    pub(crate) max_depth: u32,
    pub(crate) max_message_bytes: usize,
}

/// A JSON object that is read.
pub(crate) struct Object {
    /// Its type, for errors.
    pub(crate) kind: Kind,
    /// The fields that are read, in order of declaration.
    pub(crate) fields: Vec<Field>,
    /// Struct columns that the object as a whole goes to.
    pub(crate) columns: Vec<ColumnId>,
}

/// A field that is read.
pub(crate) struct Field {
    /// Its position among the declared fields.
    pub(crate) index: u32,
    /// Its name in the source.
    pub(crate) name: String,
    /// Its key on the wire.
    pub(crate) key: Box<[u8]>,
    pub(crate) nullable: bool,
    pub(crate) kind: Kind,
    pub(crate) default: Option<Value>,
    /// Columns that hold whether it is there.
    pub(crate) presence: Vec<ColumnId>,
    /// Columns that hold its value, if it is no message.
    pub(crate) leaves: Vec<Leaf>,
    /// If it is a message of which something is read.
    pub(crate) object: Option<ObjectId>,
}

/// A column that holds a field's value.
pub(crate) struct Leaf {
    pub(crate) column: ColumnId,
    pub(crate) reader: Reader,
}

/// How a value is read.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pub(crate) kind: Kind,
    pub(crate) shape: Shape,
    pub(crate) lenient: bool,
    pub(crate) unix: Option<UnixUnit>,
}

/// What a value looks like.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    Bool,
    Int(IntWidth),
    Float32,
    Float64,
    String,
    Bytes,
    Datetime,
    Date,
    Time,
    Duration,
    Decimal { precision: u8, scale: u8 },
    Enum(Arc<EnumType>),
    List(Box<Item>),
    Vector(Box<Item>, u32),
    Map { key_column: ColumnId, key: Box<Reader>, value: Box<Item> },
    Object(ObjectId),
}

/// The items of a list or vector, the values of a map.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) column: ColumnId,
    pub(crate) nullable: bool,
    pub(crate) reader: Reader,
}

/// A column on its way down to its field.
#[derive(Clone, Copy)]
struct Want<'a> {
    path: &'a [u32],
    column: ColumnId,
    wanted: Wanted,
}

struct Builder<'a> {
    objects: Vec<Option<Object>>,
    columns: &'a [Column],
}

impl Program {
    /// The columns of a plan, and the program that fills them.
    pub(crate) fn new(plan: &DecodePlan) -> Result<(Program, DecodedColumns), PlanError> {
        let columns = DecodedColumns::new(plan.columns.iter().map(|column| &column.ty));
        let wants: Vec<Want<'_>> = plan
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| Want { path: &column.path, column: index as ColumnId, wanted: column.wanted })
            .collect();
        let mut builder = Builder { objects: Vec::new(), columns: &columns.columns };
        builder.object(&plan.root, &Kind::Null, &wants)?;
        let objects: Vec<Object> = builder.objects.into_iter().flatten().collect();
        let program = Program {
            objects,
            strict: plan.strict,
            max_depth: plan.max_depth,
            max_message_bytes: plan.max_message_bytes as usize,
        };
        Ok((program, columns))
    }
}

fn wrong<T>(text: impl Into<String>) -> Result<T, PlanError> {
    Err(PlanError(text.into()))
}

impl Builder<'_> {
    fn object(&mut self, message: &MessagePlan, kind: &Kind, wants: &[Want<'_>]) -> Result<ObjectId, PlanError> {
        let id = self.objects.len();
        self.objects.push(None);
        let whole: Vec<Want<'_>> = wants.iter().copied().filter(|want| want.path.is_empty()).collect();
        let mut columns = Vec::new();
        for want in &whole {
            let column = &self.columns[want.column as usize];
            match (&column.ty.kind, want.wanted) {
                (Kind::Struct(def), Wanted::Value) if def.fields.len() == message.fields.len() => {}
                _ => return wrong(format!("a column for the whole of {} is no struct of its fields", message.name)),
            }
            columns.push(want.column);
        }
        for (index, field) in message.fields.iter().enumerate() {
            if message.fields[..index].iter().any(|other| other.key == field.key) {
                return wrong(format!("{} has two fields with the key `{}`", message.name, field.key));
            }
        }
        let mut fields = Vec::new();
        for (index, field) in message.fields.iter().enumerate() {
            let mut inner: Vec<Want<'_>> = wants
                .iter()
                .filter(|want| want.path.first() == Some(&(index as u32)))
                .map(|want| Want { path: &want.path[1..], ..*want })
                .collect();
            inner.extend(whole.iter().map(|want| Want {
                path: &[],
                column: self.columns[want.column as usize].first_child + index as u32,
                wanted: Wanted::Value,
            }));
            if !inner.is_empty() {
                fields.push(self.field(index as u32, field, inner)?);
            }
        }
        if let Some(want) =
            wants.iter().find(|want| want.path.first().is_some_and(|&at| at as usize >= message.fields.len()))
        {
            return wrong(format!("column {} reads a field that {} does not have", want.column, message.name));
        }
        let kind = match kind {
            Kind::Struct(_) => kind.clone(),
            _ => Kind::Struct(Arc::new(chalk_types::StructType { name: message.name.clone(), fields: Vec::new() })),
        };
        self.objects[id] = Some(Object { kind, fields, columns });
        Ok(id as ObjectId)
    }

    fn field(&mut self, index: u32, field: &FieldPlan, wants: Vec<Want<'_>>) -> Result<Field, PlanError> {
        let (presence, values): (Vec<Want<'_>>, Vec<Want<'_>>) =
            wants.into_iter().partition(|want| want.path.is_empty() && want.wanted == Wanted::Presence);
        if let Some(default) = &field.default
            && !value_fits(default, &field.ty)
        {
            return wrong(format!("the default of `{}` is no {}", field.name, field.ty));
        }
        for want in &presence {
            let ty = &self.columns[want.column as usize].ty;
            if *ty != (Type { kind: Kind::Bool, nullable: false }) {
                return wrong(format!("the presence of `{}` is a bool, not {ty}", field.name));
            }
        }
        let mut leaves = Vec::new();
        let mut object = None;
        if let Kind::Struct(_) = field.ty.kind {
            if !values.is_empty() {
                let Some(message) = &field.message else {
                    return wrong(format!("`{}` is a message without a plan", field.name));
                };
                object = Some(self.object(message, &field.ty.kind, &values)?);
            }
        } else {
            for want in &values {
                if !want.path.is_empty() {
                    return wrong(format!("a path goes through `{}`, which is no message", field.name));
                }
                if self.columns[want.column as usize].ty.kind != field.ty.kind {
                    return wrong(format!("the column of `{}` is no {}", field.name, field.ty));
                }
                leaves.push(Leaf { column: want.column, reader: self.reader(field, &field.ty.kind, want.column)? });
            }
        }
        let in_the_way =
            |want: &Want<'_>| want.wanted == Wanted::Value && !self.columns[want.column as usize].ty.nullable;
        if field.ty.nullable && values.iter().any(in_the_way) {
            return wrong(format!("`{}` may be null but its column may not", field.name));
        }
        Ok(Field {
            index,
            name: field.name.clone(),
            key: field.key.as_bytes().into(),
            nullable: field.ty.nullable,
            kind: field.ty.kind.clone(),
            default: field.default.clone(),
            presence: presence.iter().map(|want| want.column).collect(),
            leaves,
            object,
        })
    }

    fn reader(&mut self, field: &FieldPlan, kind: &Kind, column: ColumnId) -> Result<Reader, PlanError> {
        let first = self.columns[column as usize].first_child;
        let shape = match kind {
            Kind::Null => return wrong(format!("`{}` has no type", field.name)),
            Kind::Bool => Shape::Bool,
            Kind::Int(width) => Shape::Int(*width),
            Kind::Float32 => Shape::Float32,
            Kind::Float64 => Shape::Float64,
            Kind::String => Shape::String,
            Kind::Bytes => Shape::Bytes,
            Kind::Datetime => Shape::Datetime,
            Kind::Date => Shape::Date,
            Kind::Time => Shape::Time,
            Kind::Duration => Shape::Duration,
            Kind::Decimal { precision, scale } => Shape::Decimal { precision: *precision, scale: *scale },
            Kind::Enum(def) => Shape::Enum(Arc::clone(def)),
            Kind::List(item) => Shape::List(Box::new(self.item(field, item, first)?)),
            Kind::Vector(item, length) => Shape::Vector(Box::new(self.item(field, item, first)?), *length),
            Kind::Map(key, value) => {
                if matches!(key.kind, Kind::List(_) | Kind::Vector(..) | Kind::Map(..) | Kind::Struct(_))
                    || key.nullable
                {
                    return wrong(format!("`{}` has keys of type {key}, which no text can hold", field.name));
                }
                let key = Box::new(self.reader(field, &key.kind, first)?);
                Shape::Map { key_column: first, key, value: Box::new(self.item(field, value, first + 1)?) }
            }
            Kind::Struct(_) => {
                let Some(message) = &field.message else {
                    return wrong(format!("`{}` holds messages without a plan", field.name));
                };
                let want = Want { path: &[], column, wanted: Wanted::Value };
                Shape::Object(self.object(message, kind, &[want])?)
            }
        };
        Ok(Reader { kind: kind.clone(), shape, lenient: field.lenient, unix: field.unix })
    }

    fn item(&mut self, field: &FieldPlan, ty: &Type, column: ColumnId) -> Result<Item, PlanError> {
        Ok(Item { column, nullable: ty.nullable, reader: self.reader(field, &ty.kind, column)? })
    }
}
