//! What an expression is while code is built: a value with its flag, or a message of which only the place is known.
//!
//! A message that the decoder gives is not put together where it is only passed on to have its fields read: it stays a path,
//! and the fields that are read become columns. Where it is needed as a whole (as a feature, in a comparison, as an
//! argument) it becomes a column itself.
//!
//! This file must not know single operators.

use chalk_artifact::decode_plan::Wanted;
use chalk_hir::program::MessageInput;
use chalk_types::{Kind, Type};

use super::Scope;
use crate::ir::{Frame, Op, V};
use crate::plan;

/// What an expression is.
#[derive(Clone, Debug)]
pub(super) enum Val {
    /// A value.
    Flat(Flat),
    /// A message (or a message in it) as the decoder gives it.
    Path(Path),
}

/// A value and whether it is there (none = always).
#[derive(Clone, Copy, Debug)]
pub(super) struct Flat {
    pub(super) value: V,
    pub(super) valid: Option<V>,
}

impl Flat {
    /// A value that is always there.
    pub(super) fn some(value: V) -> Flat {
        Flat { value, valid: None }
    }
}

/// A message by its place in the resolver's message.
#[derive(Clone, Debug)]
pub(super) struct Path {
    /// Field indexes from the root.
    pub(super) fields: Vec<u32>,
    /// Its type, a position in `Program::messages`.
    pub(super) message: usize,
    /// When it is null.
    pub(super) absence: Absence,
}

/// When a message at a path is null.
#[derive(Clone, Copy, Debug)]
pub(super) enum Absence {
    /// Never here.
    Never,
    /// Where the flag is false.
    Unless(V),
    /// Where its column says so, or the flag is false.
    Column(Option<V>),
}

impl Scope<'_> {
    /// The message as it comes from the source.
    pub(super) fn source_message(&mut self) -> Val {
        match self.message {
            Some(MessageInput::Json(message)) => {
                Val::Path(Path { fields: Vec::new(), message, absence: Absence::Never })
            }
            Some(MessageInput::Text) => self.whole_message(&Type::STRING),
            Some(MessageInput::Bytes) => self.whole_message(&Type::BYTES),
            None => unreachable!("a message is read where there is none"),
        }
    }

    fn whole_message(&mut self, ty: &Type) -> Val {
        let input = self.input(chalk_artifact::manifest::KernelInput::Message, ty, || "msg".to_owned());
        Val::Flat(self.load(input))
    }

    /// A field of a message at a path.
    pub(super) fn path_field(&mut self, base: &Path, field: u32) -> Val {
        let message = &self.program.messages[base.message];
        let ty = message.ty.fields[field as usize].ty.clone();
        let inner = message.wire[field as usize].message;
        let mut fields = base.fields.clone();
        fields.push(field);
        if let (Kind::Struct(_), Some(message)) = (&ty.kind, inner) {
            let absence = match (ty.nullable, base.absence) {
                (false, absence) => absence,
                (true, Absence::Never) => Absence::Column(None),
                (true, Absence::Unless(flag)) => Absence::Column(Some(flag)),
                (true, Absence::Column(flag)) => Absence::Column(flag),
            };
            return Val::Path(Path { fields, message, absence });
        }
        let Flat { value, valid } = self.decoded(&fields, Wanted::Value);
        let valid = match (ty.nullable, base.absence) {
            (false, Absence::Never) => None,
            (false, Absence::Unless(flag)) => Some(flag),
            (true, Absence::Never) => valid,
            (true, Absence::Unless(flag)) | (_, Absence::Column(Some(flag))) => self.b.both(valid, Some(flag)),
            (_, Absence::Column(None)) => valid,
        };
        Val::Flat(Flat { value, valid })
    }

    /// A column of the resolver's message.
    fn decoded(&mut self, fields: &[u32], wanted: Wanted) -> Flat {
        let Some(MessageInput::Json(root)) = self.message else { unreachable!("a path without a decoded message") };
        let column = plan::column(self.program, root, fields, wanted);
        let number = self.columns.iter().position(|known| *known == column).unwrap_or_else(|| {
            self.columns.push(column.clone());
            self.columns.len() - 1
        }) as u32;
        let input = plan::input(self.program, root, &column, number);
        let index = self.input(input.source.clone(), &input.ty, || input.name.clone());
        self.load(index)
    }

    /// Whether a value is not null; none where it never is.
    pub(super) fn validity(&mut self, value: &Val) -> Option<V> {
        match value {
            Val::Flat(flat) => flat.valid,
            Val::Path(Path { absence: Absence::Never, .. }) => None,
            Val::Path(Path { absence: Absence::Unless(flag), .. }) => Some(*flag),
            Val::Path(Path { fields, absence: Absence::Column(flag), .. }) => {
                let present = self.decoded(fields, Wanted::Presence).value;
                self.b.both(Some(present), *flag)
            }
        }
    }

    /// The value as a whole.
    pub(super) fn flatten(&mut self, value: &Val) -> Flat {
        match value {
            Val::Flat(flat) => *flat,
            Val::Path(path) => {
                let Flat { value, valid } = self.decoded(&path.fields, Wanted::Value);
                let valid = match path.absence {
                    Absence::Never => None,
                    Absence::Unless(flag) => Some(flag),
                    Absence::Column(flag) => self.b.both(valid, flag),
                };
                Flat { value, valid }
            }
        }
    }

    /// Null, of a kind.
    pub(super) fn null(&mut self, kind: &Kind) -> Flat {
        let value = self.b.emit(Op::Zero, kind.clone());
        Flat { value, valid: Some(self.b.bool(false)) }
    }

    /// Whether a value is the literal null.
    pub(super) fn is_null(&self, value: &Val) -> bool {
        matches!(value, Val::Flat(Flat { valid: Some(flag), .. }) if self.b.is_false(*flag))
    }

    /// The flag of a condition: true, and there.
    pub(super) fn is_true(&mut self, condition: Flat) -> V {
        match condition.valid {
            Some(valid) => self.b.and(valid, condition.value),
            None => condition.value,
        }
    }

    /// Whatever `f` gives, computed only where the flag is true; null elsewhere.
    pub(super) fn guarded(&mut self, valid: Option<V>, kind: &Kind, f: impl FnOnce(&mut Self) -> Flat) -> Flat {
        let Some(valid) = valid else { return f(self) };
        self.b.open();
        let inner = f(self);
        let mut then = vec![inner.value];
        then.extend(inner.valid);
        let then = (self.b.close(), then);
        self.b.open();
        let mut otherwise = vec![self.b.emit(Op::Zero, kind.clone())];
        if inner.valid.is_some() {
            otherwise.push(self.b.bool(false));
        }
        let otherwise = (self.b.close(), otherwise);
        let joined = self.b.branch(valid, then, otherwise);
        Flat { value: joined[0], valid: Some(joined.get(1).copied().unwrap_or(valid)) }
    }

    /// Joins what two branches give. Messages stay paths where both are the same, or one is null.
    pub(super) fn join(&mut self, cond: V, then: (Frame, Val), otherwise: (Frame, Val)) -> Val {
        let path = match (&then.1, &otherwise.1) {
            (Val::Path(a), Val::Path(b)) if a.fields == b.fields => Some(a.clone()),
            (Val::Path(path), other) | (other, Val::Path(path)) if self.is_null(other) => Some(path.clone()),
            _ => None,
        };
        let (then_frame, then) = then;
        let (else_frame, otherwise) = otherwise;
        if let Some(path) = path {
            let then = self.in_frame(then_frame, |this| this.flag_of(&then));
            let otherwise = self.in_frame(else_frame, |this| this.flag_of(&otherwise));
            let flag = self.b.branch(cond, then, otherwise)[0];
            let absence = if self.b.is_true(flag) { Absence::Never } else { Absence::Unless(flag) };
            return Val::Path(Path { absence, ..path });
        }
        let (mut then_frame, then) = self.flat_in_frame(then_frame, &then);
        let (mut else_frame, otherwise) = self.flat_in_frame(else_frame, &otherwise);
        let mut yields = (vec![then.value], vec![otherwise.value]);
        if then.valid.is_some() || otherwise.valid.is_some() {
            (then_frame, yields.0) = self.with_flag(then_frame, then);
            (else_frame, yields.1) = self.with_flag(else_frame, otherwise);
        }
        let joined = self.b.branch(cond, (then_frame, yields.0), (else_frame, yields.1));
        Val::Flat(Flat { value: joined[0], valid: joined.get(1).copied() })
    }

    /// Goes on with a closed region.
    fn in_frame(&mut self, frame: Frame, f: impl FnOnce(&mut Self) -> Vec<V>) -> (Frame, Vec<V>) {
        self.b.reopen(frame);
        let values = f(self);
        (self.b.close(), values)
    }

    fn flag_of(&mut self, value: &Val) -> Vec<V> {
        let valid = self.validity(value);
        vec![valid.unwrap_or_else(|| self.b.bool(true))]
    }

    fn flat_in_frame(&mut self, frame: Frame, value: &Val) -> (Frame, Flat) {
        self.b.reopen(frame);
        let flat = self.flatten(value);
        (self.b.close(), flat)
    }

    /// A value with an explicit flag.
    pub(super) fn with_flag(&mut self, frame: Frame, flat: Flat) -> (Frame, Vec<V>) {
        self.in_frame(frame, |this| {
            let valid = flat.valid.unwrap_or_else(|| this.b.bool(true));
            vec![flat.value, valid]
        })
    }
}
