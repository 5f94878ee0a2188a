//! The reference evaluator: what a program means, one row at a time.
//!
//! It is plain Rust over `Value`s, written to be obviously right and never made fast; native code is right when it agrees with it, on values, on fates and on
//! the place and reason of every failure.
//!
//! Order of evaluation, which decides the failure that a message with several gets: prefilter, decode, raw filter, parse, filter, timestamp, the late
//! check, assignments in order of writing, expression features in `expression_order`. Within an expression operands are evaluated from left to right, all of them
//! before the operator looks at any (so a null on the left does not hide a failure on the right), except where `program.rs` says that an operand is evaluated only if needed.
//!
//! This crate must never know Cranelift, columns or the decoder.

mod cast;
mod expr;
mod ops;

use std::collections::HashMap;

use chalk_catalog::{CallContext, Catalog};
use chalk_diagnostics::Span;
use chalk_hir::program::{Expr, ExprKind, FeatureClass, LocalId, Program, StreamResolver};
use chalk_types::Value;

pub use ops::{equal, order};

/// A message with its envelope.
#[derive(Clone, Debug)]
pub struct Row {
    /// The message: a `Struct` (decoded), a `String` or `Bytes`.
    pub message: Value,
    /// `envelope.topic`
    pub topic: String,
    /// `envelope.partition`
    pub partition: i64,
    /// `envelope.offset`
    pub offset: i64,
    /// `envelope.key`
    pub key: Option<Vec<u8>>,
    /// `envelope.timestamp`
    pub timestamp_us: Option<i64>,
    /// Headers in order; the last of a name counts.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// Why a row failed, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The expression.
    pub span: Span,
    /// What went wrong.
    pub reason: String,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Features were computed.
    Applied {
        /// Feature position and value, in order of assignment.
        features: Vec<(usize, Value)>,
        /// Expression features of the class whose inputs are all set by the resolver.
        expressions: Vec<(usize, Value)>,
        /// The event time.
        event_time_us: Option<i64>,
    },
    /// A `where` did not keep it.
    Filtered,
    /// `parse` gave none.
    Skipped,
    /// Its event time lies further before the broker's time than `late_arrival_deadline` allows.
    Late,
    /// It failed.
    Failed(Failure),
}

/// Decodes `json_deserialize` arguments: position of the message in the program, text; the error is the reason.
pub type Deserialize<'a> = &'a dyn Fn(usize, &[u8]) -> Result<Value, String>;

/// What evaluation needs besides the row.
pub struct Evaluator<'a> {
    /// The program.
    pub program: &'a Program,
    /// The library.
    pub catalog: &'a Catalog,
    /// The clock, the memos and the arena of library functions.
    pub context: &'a CallContext,
    /// The decoder.
    pub deserialize: Deserialize<'a>,
}

/// What names stand for while a row is evaluated.
#[derive(Default)]
pub(crate) struct Env<'a> {
    pub(crate) row: Option<&'a Row>,
    pub(crate) locals: HashMap<LocalId, Value>,
    pub(crate) features: HashMap<usize, Value>,
    /// Per aggregate of the class its value.
    pub(crate) aggregates: Vec<Value>,
    /// Features of other classes, by foreign key and position.
    pub(crate) linked: HashMap<(usize, usize), Value>,
}

impl Evaluator<'_> {
    /// Whether a resolver's prefilter keeps the row: `None` yes, else the row's fate.
    pub fn prefilter(&self, resolver: &StreamResolver, row: &Row) -> Option<Outcome> {
        let mut env = Env { row: Some(row), ..Env::default() };
        self.keep(resolver.prefilter.as_ref(), &mut env).unwrap_or_else(|failure| Some(Outcome::Failed(failure)))
    }

    /// Everything after the decode.
    pub fn resolver(&self, resolver: &StreamResolver, row: &Row) -> Outcome {
        self.try_resolver(resolver, row).unwrap_or_else(Outcome::Failed)
    }

    fn try_resolver(&self, resolver: &StreamResolver, row: &Row) -> Result<Outcome, Failure> {
        let mut env = Env { row: Some(row), ..Env::default() };
        if let Some(fate) = self.keep(resolver.raw_filter.as_ref(), &mut env)? {
            return Ok(fate);
        }
        if let Some((local, parse)) = &resolver.parse {
            let message = self.expr(parse, &mut env)?;
            if message.is_null() {
                return Ok(Outcome::Skipped);
            }
            env.locals.insert(*local, message);
        }
        if let Some(fate) = self.keep(resolver.filter.as_ref(), &mut env)? {
            return Ok(fate);
        }
        let event_time_us = match &resolver.timestamp {
            None => None,
            Some(timestamp) => match self.expr(timestamp, &mut env)? {
                Value::Null => None,
                Value::Datetime(time_us) => Some(time_us),
                other => unreachable!("the checker lets only a datetime be a timestamp, not {other:?}"),
            },
        };
        if let (Some(event_us), Some(consumed_us), Some(deadline_us)) =
            (event_time_us, row.timestamp_us, self.program.sources[resolver.source].late_arrival_deadline_us)
            && i128::from(consumed_us) - i128::from(event_us) > i128::from(deadline_us)
        {
            return Ok(Outcome::Late);
        }
        let mut features = Vec::new();
        for (feature, value) in &resolver.assignments {
            let value = self.expr(value, &mut env)?;
            env.features.insert(*feature, value.clone());
            features.push((*feature, value));
        }
        let class = &self.program.classes[resolver.class];
        let mut expressions = Vec::new();
        for &feature in &class.expression_order {
            let expression = class.features[feature].expression.as_ref().expect("it is in the order of expressions");
            if !reads_only(expression, &env.features) {
                continue;
            }
            let value = self.expr(expression, &mut env)?;
            env.features.insert(feature, value.clone());
            expressions.push((feature, value));
        }
        Ok(Outcome::Applied { features, expressions, event_time_us })
    }

    /// A `where`: none keeps the row.
    fn keep(&self, condition: Option<&Expr>, env: &mut Env<'_>) -> Result<Option<Outcome>, Failure> {
        let Some(condition) = condition else { return Ok(None) };
        let keeps = self.expr(condition, env)? == Value::Bool(true);
        Ok((!keeps).then_some(Outcome::Filtered))
    }

    /// A class's expression features from its stored ones: a value per feature (`Null` where there is none). Gives feature position and value in `expression_order`.
    pub fn expression_features(&self, class: &FeatureClass, stored: &[Value]) -> Result<Vec<(usize, Value)>, Failure> {
        let mut env = Env { features: stored.iter().cloned().enumerate().collect(), ..Env::default() };
        let mut values = Vec::new();
        for &feature in &class.expression_order {
            let expression = class.features[feature].expression.as_ref().expect("it is in the order of expressions");
            let value = self.expr(expression, &mut env)?;
            env.features.insert(feature, value.clone());
            values.push((feature, value));
        }
        Ok(values)
    }

    /// The value of an expression that reads no message and no feature.
    pub fn constant(&self, expr: &Expr) -> Result<Value, Failure> {
        self.expr(expr, &mut Env::default())
    }
}

/// Whether an expression reads no other features than those known.
fn reads_only(expr: &Expr, known: &HashMap<usize, Value>) -> bool {
    let mut ok = match &expr.kind {
        ExprKind::Feature(feature) => known.contains_key(feature),
        // Known to a query only.
        ExprKind::Aggregate(_) | ExprKind::Linked { .. } => false,
        _ => true,
    };
    expr.for_each_child(|child| ok = ok && reads_only(child, known));
    ok
}
