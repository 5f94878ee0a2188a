//! Expressions, one `match` over what an expression can be.
//!
//! This file must not know the arithmetic of any type (see `ops`) or conversions (see `cast`).

use chalk_catalog::call_scalar;
use chalk_diagnostics::Span;
use chalk_hir::program::{EnvelopeField, Expr, ExprKind};
use chalk_types::{Kind, Value};

use crate::{Env, Evaluator, Failure, ops};

/// A failure at an expression.
pub(crate) fn fail<T>(span: Span, reason: impl Into<String>) -> Result<T, Failure> {
    Err(Failure { span, reason: reason.into() })
}

/// Three-valued truth.
fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::Null => None,
        other => unreachable!("the checker lets only a bool be a condition, not {other:?}"),
    }
}

impl Evaluator<'_> {
    /// The value of an expression.
    pub(crate) fn expr(&self, expr: &Expr, env: &mut Env<'_>) -> Result<Value, Failure> {
        Ok(match &expr.kind {
            ExprKind::Const(value) => value.clone(),
            ExprKind::Message => env.row.expect("a message is read in resolvers only").message.clone(),
            ExprKind::Envelope(field) => {
                let row = env.row.expect("an envelope is read in resolvers only");
                match field {
                    EnvelopeField::Topic => Value::String(row.topic.clone()),
                    EnvelopeField::Partition => Value::Int(row.partition.into()),
                    EnvelopeField::Offset => Value::Int(row.offset.into()),
                    EnvelopeField::Key => row.key.clone().map_or(Value::Null, Value::Bytes),
                    EnvelopeField::Timestamp => row.timestamp_us.map_or(Value::Null, Value::Datetime),
                }
            }
            ExprKind::Header(name) => {
                let row = env.row.expect("a header is read in resolvers only");
                let header = row.headers.iter().rev().find(|(header, _)| header == name);
                header.map_or(Value::Null, |(_, value)| Value::Bytes(value.clone()))
            }
            ExprKind::Feature(feature) => {
                let value = env.features[feature].clone().or_else(|reason| fail(expr.span, reason))?;
                if value.is_null() && !expr.ty.nullable {
                    let class = env.class.expect("features are of a class");
                    return fail(expr.span, format!("feature {} has no value", class.features[*feature].fqn));
                }
                value
            }
            ExprKind::Aggregate(position) => {
                env.aggregates[*position].clone().or_else(|reason| fail(expr.span, reason))?
            }
            ExprKind::Linked { foreign_key, feature, .. } => {
                env.linked[&(*foreign_key, *feature)].clone().or_else(|reason| fail(expr.span, reason))?
            }
            ExprKind::Local(local) => env.locals[local].clone(),
            ExprKind::Let { local, value, body } => {
                let value = self.expr(value, env)?;
                env.locals.insert(*local, value);
                self.expr(body, env)?
            }
            ExprKind::Field { base, field } => match self.expr(base, env)? {
                Value::Null => Value::Null,
                Value::Struct(mut fields) => fields.swap_remove(*field as usize),
                other => unreachable!("a field of {other:?}"),
            },
            ExprKind::Index { base, index } => {
                let (base, index) = (self.expr(base, env)?, self.expr(index, env)?);
                ops::element(base, &index)
            }
            ExprKind::Slice { base, start, end } => {
                let base = self.expr(base, env)?;
                let mut bound = |bound: &Option<Box<Expr>>, default| match bound {
                    Some(bound) => self.expr(bound, env),
                    None => Ok(Value::Int(default)),
                };
                let (start, end) = (bound(start, 0)?, bound(end, i64::MAX.into())?);
                ops::slice(base, &start, &end)
            }
            ExprKind::List(items) => {
                Value::List(items.iter().map(|item| self.expr(item, env)).collect::<Result<_, _>>()?)
            }
            ExprKind::Neg(operand) => {
                let value = self.expr(operand, env)?;
                ops::negate(value, &expr.ty.kind).or_else(|reason| fail(expr.span, reason))?
            }
            ExprKind::Not(operand) => truth(&self.expr(operand, env)?).map_or(Value::Null, |value| Value::Bool(!value)),
            ExprKind::Arith { op, left, right } => {
                let (a, b) = (self.expr(left, env)?, self.expr(right, env)?);
                if a.is_null() || b.is_null() {
                    return Ok(Value::Null);
                }
                ops::arith(*op, a, b, &expr.ty.kind).or_else(|reason| fail(expr.span, reason))?
            }
            ExprKind::Order { op, left, right } => {
                let (a, b) = (self.expr(left, env)?, self.expr(right, env)?);
                if a.is_null() || b.is_null() {
                    return Ok(Value::Null);
                }
                Value::Bool(ops::holds(*op, ops::order(&a, &b)))
            }
            ExprKind::Equal { left, right, negated } => {
                let (a, b) = (self.expr(left, env)?, self.expr(right, env)?);
                Value::Bool(ops::equal(&a, &b) != *negated)
            }
            ExprKind::And(left, right) => {
                let left = truth(&self.expr(left, env)?);
                if left == Some(false) {
                    return Ok(Value::Bool(false));
                }
                match (left, truth(&self.expr(right, env)?)) {
                    (_, Some(false)) => Value::Bool(false),
                    (Some(true), Some(true)) => Value::Bool(true),
                    _ => Value::Null,
                }
            }
            ExprKind::Or(left, right) => {
                let left = truth(&self.expr(left, env)?);
                if left == Some(true) {
                    return Ok(Value::Bool(true));
                }
                match (left, truth(&self.expr(right, env)?)) {
                    (_, Some(true)) => Value::Bool(true),
                    (Some(false), Some(false)) => Value::Bool(false),
                    _ => Value::Null,
                }
            }
            ExprKind::Coalesce(left, right) => match self.expr(left, env)? {
                Value::Null => self.expr(right, env)?,
                value => value,
            },
            ExprKind::IsNull { value, negated } => Value::Bool(self.expr(value, env)?.is_null() != *negated),
            ExprKind::If { cond, then, otherwise } => {
                let taken = truth(&self.expr(cond, env)?) == Some(true);
                self.expr(if taken { then } else { otherwise }, env)?
            }
            ExprKind::In { item, list } => {
                let (item, list) = (self.expr(item, env)?, self.expr(list, env)?);
                ops::contains(&item, &list)
            }
            ExprKind::Cast { value: operand, mode } => {
                let value = self.expr(operand, env)?;
                self.cast(value, &operand.ty.kind, &expr.ty.kind, *mode, expr.span)?
            }
            ExprKind::Call { function, args } => {
                let values: Vec<Value> = args.iter().map(|arg| self.expr(arg, env)).collect::<Result<_, _>>()?;
                let types: Vec<_> = args.iter().map(|arg| arg.ty.clone()).collect();
                let known = self
                    .catalog
                    .overloads(function.name)
                    .find(|known| std::ptr::eq(known.def, *function))
                    .expect("the checker takes functions from this catalogue");
                call_scalar(self.context, known, &values, &types, &expr.ty, site(expr.span))
                    .or_else(|reason| fail(expr.span, reason))?
            }
            ExprKind::Recover(value, fallback) => match self.expr(value, env) {
                Ok(value) => value,
                Err(_) => self.expr(fallback, env)?,
            },
            ExprKind::DeserializeJson { input, message } => {
                let text = match self.expr(input, env)? {
                    Value::Null => return Ok(Value::Null),
                    Value::String(text) => text.into_bytes(),
                    Value::Bytes(bytes) => bytes,
                    other => unreachable!("the checker lets only text and bytes be deserialised, not {other:?}"),
                };
                (self.deserialize)(*message, &text).or_else(|reason| fail(expr.span, reason))?
            }
        })
    }

    /// Calls a library function that users cannot name: conversions and the arithmetic of decimals.
    pub(crate) fn call_hidden(&self, name: &str, args: &[Value], to: &Kind, span: Span) -> Result<Value, String> {
        let function =
            self.catalog.overloads(name).next().unwrap_or_else(|| unreachable!("no `{name}` in the catalogue"));
        let types: Vec<_> = args.iter().map(ops::some_type_of).collect();
        call_scalar(self.context, function, args, &types, &to.clone().required(), site(span))
    }
}

/// A number for a call site: memos are kept by it.
fn site(span: Span) -> u64 {
    u64::from(span.file.0) << 32 | u64::from(span.start)
}
