//! The reference evaluator: what a program means, one row at a time.
//!
//! It is plain Rust over `Value`s, written to be obviously right and never made fast; native code is right when it agrees with it, on values, on fates and on
//! the place and reason of every failure.
//!
//! Order of evaluation, which decides the failure that a message with several gets: prefilter, decode, raw filter, parse, filter, timestamp, the late
//! check, the key of dedup, assignments in order of writing, expression features in `expression_order`, events of feeds in order. Within an expression operands are evaluated from left to right, all of them
//! before the operator looks at any (so a null on the left does not hide a failure on the right), except where `program.rs` says that an operand is evaluated only if needed.
//!
//! This crate must never know Cranelift, columns or the decoder.

mod cast;
mod expr;
mod ops;
pub mod windows;

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
        /// What the message is of aggregations, in the order of the resolver's feeds.
        events: Vec<FedEvent>,
    },
    /// A `where` did not keep it.
    Filtered,
    /// `parse` gave none.
    Skipped,
    /// Its event time lies further before the broker's time than `late_arrival_deadline` allows, or in tumbling windows that have all run.
    Late,
    /// A message with its dedup key came before (only `windows::Model` remembers messages).
    Duplicate,
    /// It failed.
    Failed(Failure),
}

/// An event of an aggregation.
#[derive(Clone, Debug, PartialEq)]
pub struct FedEvent {
    /// Position in `Program::aggregations`.
    pub aggregation: usize,
    /// The key; null where the message is no event (or the aggregation has no keys).
    pub key: Value,
    /// A value per column.
    pub columns: Vec<Value>,
}

/// What became of a message, with what is known of it where it failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    /// What became of it.
    pub outcome: Outcome,
    /// The key of the `dedup` clause, where evaluation came as far as that.
    pub dedup_key: Option<Value>,
    /// The event time that the message says, where evaluation came as far as that.
    pub event_time_us: Option<i64>,
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
    /// The class whose features are read.
    pub(crate) class: Option<&'a FeatureClass>,
    /// Their values so far; an error is why there is none.
    pub(crate) features: HashMap<usize, Result<Value, String>>,
    /// Per aggregate of the class its value.
    pub(crate) aggregates: Vec<Result<Value, String>>,
    /// Features of other classes, by foreign key and position.
    pub(crate) linked: HashMap<(usize, usize), Result<Value, String>>,
}

impl Evaluator<'_> {
    /// Whether a resolver's prefilter keeps the row: `None` yes, else the row's fate.
    pub fn prefilter(&self, resolver: &StreamResolver, row: &Row) -> Option<Outcome> {
        let mut env = Env { row: Some(row), ..Env::default() };
        self.keep(resolver.prefilter.as_ref(), &mut env).unwrap_or_else(|failure| Some(Outcome::Failed(failure)))
    }

    /// Everything after the decode.
    pub fn resolver(&self, resolver: &StreamResolver, row: &Row) -> Outcome {
        self.evaluate(resolver, row).outcome
    }

    /// Everything after the decode, with the key of dedup.
    pub fn evaluate(&self, resolver: &StreamResolver, row: &Row) -> Evaluated {
        let mut evaluated = Evaluated { outcome: Outcome::Filtered, dedup_key: None, event_time_us: None };
        evaluated.outcome = self.try_resolver(resolver, row, &mut evaluated).unwrap_or_else(Outcome::Failed);
        evaluated
    }

    fn try_resolver(
        &self,
        resolver: &StreamResolver,
        row: &Row,
        evaluated: &mut Evaluated,
    ) -> Result<Outcome, Failure> {
        let class = &self.program.classes[resolver.class];
        let mut env = Env { row: Some(row), class: Some(class), ..Env::default() };
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
        evaluated.event_time_us = event_time_us;
        if let Some(dedup) = &resolver.dedup {
            evaluated.dedup_key = Some(self.expr(&dedup.key, &mut env)?);
        }
        let mut features = Vec::new();
        for (feature, value) in &resolver.assignments {
            let value = self.expr(value, &mut env)?;
            env.features.insert(*feature, Ok(value.clone()));
            features.push((*feature, value));
        }
        let mut expressions = Vec::new();
        // A windowed resolver makes no rows, so nothing is computed along.
        let expression_order = if resolver.window.is_some() { &[][..] } else { &class.expression_order };
        for &feature in expression_order {
            let expression = class.features[feature].expression.as_ref().expect("it is in the order of expressions");
            if !reads_only(expression, &env.features) {
                continue;
            }
            let value = self.expr(expression, &mut env)?;
            env.features.insert(feature, Ok(value.clone()));
            expressions.push((feature, value));
        }
        let mut events = Vec::new();
        for feed in &resolver.feeds {
            let key = feed.key.as_ref().map_or(Ok(Value::Null), |key| self.expr(key, &mut env))?;
            let columns = feed.columns.iter().map(|column| self.expr(column, &mut env)).collect::<Result<_, _>>()?;
            events.push(FedEvent { aggregation: feed.aggregation, key, columns });
        }
        Ok(Outcome::Applied { features, expressions, event_time_us, events })
    }

    /// A `where`: none keeps the row.
    fn keep(&self, condition: Option<&Expr>, env: &mut Env<'_>) -> Result<Option<Outcome>, Failure> {
        let Some(condition) = condition else { return Ok(None) };
        let keeps = self.expr(condition, env)? == Value::Bool(true);
        Ok((!keeps).then_some(Outcome::Filtered))
    }

    /// The value of an expression that reads no message and no feature.
    pub fn constant(&self, expr: &Expr) -> Result<Value, Failure> {
        self.expr(expr, &mut Env::default())
    }
}

/// Whether an expression reads no other features than those known.
fn reads_only(expr: &Expr, known: &HashMap<usize, Result<Value, String>>) -> bool {
    let mut ok = match &expr.kind {
        ExprKind::Feature(feature) => known.contains_key(feature),
        // Known to a query only.
        ExprKind::Aggregate(_) | ExprKind::Linked { .. } => false,
        _ => true,
    };
    expr.for_each_child(|child| ok = ok && reads_only(child, known));
    ok
}
