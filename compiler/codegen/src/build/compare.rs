//! Comparisons: by order, by equality, and membership in a list.
//!
//! Equality takes null for a value; order does not. Texts and nested values are looked at only where they are there.
//!
//! This file must not know arithmetic.

use chalk_hir::program::{Expr, ExprKind, OrderOp};
use chalk_types::{IntWidth, Kind, Value};

use super::Scope;
use super::value::Flat;
use crate::ir::{Binary, Op, V};

/// A list of more constants than this is searched in a loop.
const UNROLLED_ITEMS_MAX: usize = 16;

impl Scope<'_> {
    /// `<` and the like.
    pub(super) fn order(&mut self, op: OrderOp, left: &Expr, right: &Expr) -> Flat {
        let (a, b) = (self.flat(left), self.flat(right));
        let valid = self.b.both(a.valid, b.valid);
        let (a, b, or_equal) = match op {
            OrderOp::Less => (a.value, b.value, false),
            OrderOp::LessEqual => (a.value, b.value, true),
            OrderOp::Greater => (b.value, a.value, false),
            OrderOp::GreaterEqual => (b.value, a.value, true),
        };
        let op = |strict, lax| if or_equal { lax } else { strict };
        let op = match &left.ty.kind {
            Kind::Float32 | Kind::Float64 => op(Binary::FloatLess, Binary::FloatLessEqual),
            Kind::Decimal { .. } => op(Binary::DecimalLess, Binary::DecimalLessEqual),
            Kind::Bool | Kind::Null | Kind::Int(IntWidth::UInt64) => op(Binary::UintLess, Binary::UintLessEqual),
            Kind::String | Kind::Bytes => {
                let op = op(Binary::IntLess, Binary::IntLessEqual);
                return self.guarded(valid, &Kind::Bool, |this| {
                    let order = this.b.emit(Op::Binary(Binary::TextOrder, a, b), Kind::INT);
                    let zero = this.b.int(0);
                    Flat::some(this.b.emit(Op::Binary(op, order, zero), Kind::Bool))
                });
            }
            _ => op(Binary::IntLess, Binary::IntLessEqual),
        };
        Flat { value: self.b.emit(Op::Binary(op, a, b), Kind::Bool), valid }
    }

    /// `==` or `!=`; never null.
    pub(super) fn equal(&mut self, left: &Expr, right: &Expr, negated: bool) -> Flat {
        let (a, b) = (self.expr(left), self.expr(right));
        let (a_valid, b_valid) = (self.validity(&a), self.validity(&b));
        let equal = if self.is_null(&a) || self.is_null(&b) {
            let other = if self.is_null(&a) { b_valid } else { a_valid };
            match other {
                Some(valid) => self.b.not(valid),
                None => self.b.bool(false),
            }
        } else {
            let both = self.b.both(a_valid, b_valid);
            let kind = left.ty.kind.clone();
            let same = self.guarded(both, &Kind::Bool, |this| {
                let (a, b) = (this.flatten(&a).value, this.flatten(&b).value);
                Flat::some(this.equal_values(a, b, &kind))
            });
            let neither = match (a_valid, b_valid) {
                (Some(a), Some(b)) => {
                    let some = self.b.or(a, b);
                    Some(self.b.not(some))
                }
                _ => None,
            };
            let same = self.is_true(same);
            match neither {
                Some(neither) => self.b.or(same, neither),
                None => same,
            }
        };
        Flat::some(if negated { self.b.not(equal) } else { equal })
    }

    /// Equality of two values that are there.
    pub(super) fn equal_values(&mut self, a: V, b: V, kind: &Kind) -> V {
        let op = match kind {
            Kind::Float32 | Kind::Float64 => Binary::FloatEqual,
            Kind::Decimal { .. } => Binary::DecimalEqual,
            Kind::String | Kind::Bytes => Binary::TextEqual,
            Kind::List(_) | Kind::Vector(..) | Kind::Map(..) | Kind::Struct(_) => {
                let ty = self.tables.types.intern(kind.clone().required());
                return self.b.emit(Op::Same(a, b, ty), Kind::Bool);
            }
            _ => Binary::IntEqual,
        };
        self.b.emit(Op::Binary(op, a, b), Kind::Bool)
    }

    /// `item in list`: null where the item is null, or where nothing equals and a null is in the list.
    pub(super) fn is_in(&mut self, item: &Expr, list: &Expr) -> Flat {
        let item_kind = item.ty.kind.clone();
        let item = self.flat(item);
        if let Some(items) = written_items(list)
            && items.len() <= UNROLLED_ITEMS_MAX
        {
            let items: Vec<Flat> = match items {
                Items::Exprs(items) => items.iter().map(|item| self.flat(item)).collect(),
                Items::Values(items) => items.iter().map(|value| self.constant(value, &item_kind)).collect(),
            };
            return self.guarded(item.valid, &Kind::Bool, |this| {
                let (mut found, mut all_there) = (this.b.bool(false), None);
                for candidate in items {
                    let equal = this.guarded(candidate.valid, &Kind::Bool, |this| {
                        Flat::some(this.equal_values(item.value, candidate.value, &item_kind))
                    });
                    let equal = this.is_true(equal);
                    found = this.b.or(found, equal);
                    all_there = this.b.both(all_there, candidate.valid);
                }
                Flat { value: found, valid: all_there.map(|all_there| this.b.or(found, all_there)) }
            });
        }
        let list_type = list.ty.clone();
        let list = self.flat(list);
        let valid = self.b.both(item.valid, list.valid);
        let (Kind::List(item_type) | Kind::Vector(item_type, _)) = &list_type.kind else {
            unreachable!("`in` looks into a list")
        };
        let ty = self.tables.types.intern(item_type.to_required());
        self.guarded(valid, &Kind::Bool, |this| {
            let results = this.b.emit_many(Op::Contains(list.value, item.value, ty), vec![Kind::Bool, Kind::Bool]);
            if !item_type.nullable {
                return Flat::some(results[0]);
            }
            let no_null = this.b.not(results[1]);
            Flat { value: results[0], valid: Some(this.b.or(results[0], no_null)) }
        })
    }
}

/// The items of a list that is written out.
enum Items<'a> {
    Exprs(&'a [Expr]),
    Values(&'a [Value]),
}

impl Items<'_> {
    fn len(&self) -> usize {
        match self {
            Items::Exprs(items) => items.len(),
            Items::Values(items) => items.len(),
        }
    }
}

fn written_items(list: &Expr) -> Option<Items<'_>> {
    match &list.kind {
        ExprKind::List(items) => Some(Items::Exprs(items)),
        ExprKind::Const(Value::List(items)) => Some(Items::Values(items)),
        _ => None,
    }
}
