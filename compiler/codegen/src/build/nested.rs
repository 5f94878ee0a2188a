//! Messages, lists, maps: fields, elements, slices, list literals, nested decodes.
//!
//! A handle is looked behind only where it is there.
//!
//! This file must not know single columns.

use chalk_hir::program::{Expr, MessageInput};
use chalk_types::{Kind, Type};

use super::Scope;
use super::value::{Flat, Val};
use crate::ir::{Arg, Binary, Op, V};
use crate::plan;

impl Scope<'_> {
    /// A field of a message.
    pub(super) fn field(&mut self, base: &Expr, field: u32, expr: &Expr) -> Val {
        let base_type = base.ty.clone();
        let base = self.expr(base);
        let flat = match &base {
            Val::Path(path) => return self.path_field(path, field),
            Val::Flat(flat) => *flat,
        };
        let Kind::Struct(message) = &base_type.kind else { unreachable!("a field of {base_type}") };
        let nullable = message.fields[field as usize].ty.nullable;
        let kind = expr.ty.kind.clone();
        Val::Flat(self.guarded(flat.valid, &kind, |this| {
            let valid = nullable.then(|| this.b.emit(Op::FieldValid(flat.value, field), Kind::Bool));
            this.guarded(valid, &kind, |this| Flat::some(this.b.emit(Op::Field(flat.value, field), kind.clone())))
        }))
    }

    /// `list[i]` or `map[key]`.
    pub(super) fn index(&mut self, base: &Expr, index: &Expr, kind: &Kind) -> Flat {
        let base_type = base.ty.clone();
        let (base, index) = (self.flat(base), self.flat(index));
        let valid = self.b.both(base.valid, index.valid);
        match &base_type.kind {
            Kind::Map(..) => {
                let ty = self.tables.types.intern(base_type.to_required());
                self.guarded(valid, kind, |this| {
                    let op = Op::MapGet { ty, map: base.value, key: index.value };
                    let results = this.b.emit_many(op, vec![kind.clone(), Kind::Bool]);
                    Flat { value: results[0], valid: Some(results[1]) }
                })
            }
            Kind::List(item) | Kind::Vector(item, _) => {
                // The length of a list that is null is harmless.
                let length = self.b.emit(Op::Length(base.value), Kind::INT);
                let from_end = self.b.emit(Op::Binary(Binary::IntAdd, index.value, length), Kind::INT);
                let zero = self.b.int(0);
                let negative = self.b.emit(Op::Binary(Binary::IntLess, index.value, zero), Kind::Bool);
                let position = self.b.emit(Op::Select(negative, from_end, index.value), Kind::INT);
                let inside = self.b.emit(Op::Binary(Binary::UintLess, position, length), Kind::Bool);
                let inside = self.b.both(valid, Some(inside));
                self.guarded(inside, kind, |this| {
                    let there = item.nullable.then(|| this.b.emit(Op::ItemValid(base.value, position), Kind::Bool));
                    this.guarded(there, kind, |this| {
                        Flat::some(this.b.emit(Op::Item(base.value, position), kind.clone()))
                    })
                })
            }
            other => unreachable!("an element of {other}"),
        }
    }

    /// `x[a..b]`
    pub(super) fn slice(&mut self, base: &Expr, start: Option<&Expr>, end: Option<&Expr>) -> Flat {
        let kind = base.ty.kind.clone();
        let base = self.flat(base);
        let mut bound = |bound: Option<&Expr>, default| match bound {
            Some(bound) => self.flat(bound),
            None => Flat::some(self.b.int(default)),
        };
        let (start, end) = (bound(start, 0), bound(end, i64::MAX));
        let valid = self.b.both(base.valid, start.valid);
        let valid = self.b.both(valid, end.valid);
        let operands: (V, V, V) = (base.value, start.value, end.value);
        match &kind {
            Kind::String => self.guarded(valid, &kind, |this| {
                Flat::some(this.b.emit(Op::SliceText(operands.0, operands.1, operands.2), Kind::String))
            }),
            Kind::Bytes => {
                let value = self.b.emit(Op::SliceBytes(operands.0, operands.1, operands.2), kind);
                Flat { value, valid }
            }
            // A slice of a vector is a list.
            Kind::List(item) | Kind::Vector(item, _) => {
                let value = self.b.emit(Op::SliceList(operands.0, operands.1, operands.2), Kind::List(item.clone()));
                Flat { value, valid }
            }
            other => unreachable!("a slice of {other}"),
        }
    }

    /// `[a, b]`
    pub(super) fn list(&mut self, items: &[Expr], ty: &Type) -> Flat {
        let items: Vec<Arg> = items
            .iter()
            .map(|item| {
                let Flat { value, valid } = self.flat(item);
                (value, valid)
            })
            .collect();
        let list = self.tables.types.intern(ty.to_required());
        Flat::some(self.b.emit(Op::MakeList { ty: list, items }, ty.kind.clone()))
    }

    /// `json_deserialize<T>(x)`; the resolver's own bytes decoded to a message are a path like any other only when they are its input.
    pub(super) fn deserialize(&mut self, input: &Expr, message: usize, expr: &Expr) -> Flat {
        debug_assert!(
            self.message != Some(MessageInput::Json(message)) || matches!(input.ty.kind, Kind::String | Kind::Bytes)
        );
        let text = self.flat(input);
        let plans = &mut self.tables.decode_plans;
        let plan = plans.iter().position(|(known, _)| *known == message).unwrap_or_else(|| {
            plans.push((message, plan::whole_message(self.program, message)));
            plans.len() - 1
        }) as u32;
        let site = self.tables.sites.intern((expr.span, String::new()));
        let kind = expr.ty.kind.clone();
        self.guarded(text.valid, &kind, |this| {
            Flat::some(this.b.emit(Op::DecodeJson { plan, text: text.value, site }, kind.clone()))
        })
    }
}
