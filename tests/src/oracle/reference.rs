//! What a program means for a message: the reference evaluator over the message as a value.
//!
//! The decoder's plain tier says what the bytes are; everything after that is plain Rust over values.
//!
//! This file must not know native code.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use chalk_artifact::decode_plan::DecodePlan;
use chalk_artifact::manifest::{Manifest, MessageInput};
use chalk_catalog::CallContext;
use chalk_eval::{Evaluator, Outcome as Meaning, Row};
use chalk_hir::program::{self, Expr, ExprKind};
use chalk_types::{StructType, Value};

use super::NOW_US;
use super::whole::PlainDecoder;
use crate::json::object_text;
use crate::message::Message;
use crate::outcome::{Outcome, Place};
use chalkc::compile::{Checked, catalog};

/// One resolver's meaning.
pub struct Reference<'a> {
    checked: &'a Checked,
    resolver: &'a program::StreamResolver,
    /// Reads what the resolver reads.
    decoder: Option<PlainDecoder>,
    /// Reads everything.
    whole: Option<PlainDecoder>,
    message_type: Option<&'a StructType>,
    /// Whether all that the program mentions of the message is decoded: what code generation found to be without effect is not.
    reads_all: bool,
    inner: Inner<'a>,
}

/// Decoders of `json_deserialize`, by message.
struct Inner<'a> {
    program: &'a program::Program,
    decoders: RefCell<BTreeMap<usize, PlainDecoder>>,
}

impl Inner<'_> {
    fn decode(&self, message: usize, bytes: &[u8]) -> Result<Value, String> {
        let mut decoders = self.decoders.borrow_mut();
        let decoder = decoders.entry(message).or_insert_with(|| PlainDecoder::whole(self.program, message));
        decoder.decode(bytes, &self.program.messages[message].ty).map_err(|error| error.to_string())
    }
}

impl<'a> Reference<'a> {
    /// The resolver at that position. The manifest says which fields it reads: a field that it does not read may be wrong.
    pub fn new(checked: &'a Checked, manifest: &Manifest, resolver: usize) -> Reference<'a> {
        let program = &checked.program;
        let plan: Option<&DecodePlan> = match &manifest.resolvers[resolver].input {
            MessageInput::Json(plan) => Some(plan),
            MessageInput::Text | MessageInput::Bytes => None,
        };
        let resolver = &program.resolvers[resolver];
        let message = match resolver.input {
            program::MessageInput::Json(message) => Some(message),
            program::MessageInput::Text | program::MessageInput::Bytes => None,
        };
        assert_eq!(plan.is_some(), message.is_some(), "manifest and program agree on what messages are");
        Reference {
            checked,
            resolver,
            decoder: plan.map(PlainDecoder::new),
            whole: message.map(|message| PlainDecoder::whole(program, message)),
            message_type: message.map(|message| &*program.messages[message].ty),
            reads_all: plan.is_none_or(|plan| mentions(program, resolver).is_subset(&read_by(plan))),
            inner: Inner { program, decoders: RefCell::default() },
        }
    }

    /// What a message becomes. None where nobody can say: a field is wrong, and code generation found that it need not be read.
    pub fn run(&mut self, message: &Message) -> Option<Outcome> {
        let prefiltered =
            self.evaluate(|evaluator, resolver| evaluator.prefilter(resolver, &row(message, Value::Null)));
        if let Some(meaning) = prefiltered {
            return Some(self.outcome(meaning));
        }
        let value = match (&mut self.decoder, self.message_type) {
            (Some(decoder), Some(ty)) => match decoder.decode(&message.bytes, ty) {
                Ok(value) if self.reads_all => value,
                Ok(_) => self.whole.as_mut()?.decode(&message.bytes, ty).ok()?,
                Err(error) => {
                    let path = (!error.path.is_empty()).then_some(error.path);
                    let place = Place::Message { path, byte: Some(error.offset) };
                    return Some(Outcome::DeadLetter { reason: error.reason.to_string(), place });
                }
            },
            _ if self.resolver.input == program::MessageInput::Bytes => Value::Bytes(message.bytes.clone()),
            _ => match String::from_utf8(message.bytes.clone()) {
                Ok(text) => Value::String(text),
                Err(error) => {
                    let reason = "the message is not UTF-8; a `string` message is text, take `bytes` for anything else";
                    let place = Place::Message { path: None, byte: Some(error.utf8_error().valid_up_to()) };
                    return Some(Outcome::DeadLetter { reason: reason.to_owned(), place });
                }
            },
        };
        let meaning = self.evaluate(|evaluator, resolver| evaluator.resolver(resolver, &row(message, value)));
        Some(self.outcome(meaning))
    }

    /// What a JSON message becomes when every field of it is read; none where that is not possible.
    pub fn run_whole(&mut self, message: &Message) -> Option<Outcome> {
        let value = self.whole.as_mut()?.decode(&message.bytes, self.message_type?).ok()?;
        let row = row(message, value);
        let meaning = self.evaluate(|evaluator, resolver| {
            evaluator.prefilter(resolver, &row).unwrap_or_else(|| evaluator.resolver(resolver, &row))
        });
        Some(self.outcome(meaning))
    }

    fn evaluate<R>(&self, use_it: impl FnOnce(&Evaluator<'_>, &program::StreamResolver) -> R) -> R {
        let context = CallContext::new(NOW_US, 0);
        let deserialize = |message: usize, bytes: &[u8]| self.inner.decode(message, bytes);
        let evaluator = Evaluator {
            program: &self.checked.program,
            catalog: catalog(),
            context: &context,
            deserialize: &deserialize,
        };
        use_it(&evaluator, self.resolver)
    }

    fn outcome(&self, meaning: Meaning) -> Outcome {
        match meaning {
            Meaning::Applied { features, expressions, event_time_us, .. } => {
                let class = &self.checked.program.classes[self.resolver.class];
                let named = features.iter().chain(&expressions).map(|(position, value)| {
                    let feature = &class.features[*position];
                    (feature.fqn.as_str(), value, &feature.ty)
                });
                Outcome::Applied { features: object_text(named), event_time_us }
            }
            Meaning::Filtered => Outcome::Filtered,
            Meaning::Skipped => Outcome::Skipped,
            Meaning::Late => Outcome::Late,
            Meaning::Duplicate => unreachable!("a single message is no duplicate"),
            Meaning::Failed(failure) => {
                let position = self.checked.sources.position(failure.span);
                let file = self.checked.sources.file(failure.span.file).path().to_owned();
                let place = Place::Source { file, line: position.line, column: position.column };
                Outcome::DeadLetter { reason: failure.reason, place }
            }
        }
    }
}

/// Paths of the fields that a plan reads, and of the messages on the way.
fn read_by(plan: &DecodePlan) -> BTreeSet<Vec<u32>> {
    plan.columns.iter().map(|column| column.path.clone()).collect()
}

/// Paths of the fields that a resolver mentions.
fn mentions(program: &program::Program, resolver: &program::StreamResolver) -> BTreeSet<Vec<u32>> {
    let mut paths = BTreeSet::new();
    let class = &program.classes[resolver.class];
    let expressions = class.features.iter().filter_map(|feature| feature.expression.as_ref());
    let clauses = [&resolver.raw_filter, &resolver.filter, &resolver.timestamp];
    clauses
        .into_iter()
        .flatten()
        .chain(resolver.parse.iter().map(|(_, expr)| expr))
        .chain(resolver.dedup.iter().map(|dedup| &dedup.key))
        .chain(resolver.assignments.iter().map(|(_, expr)| expr))
        .chain(resolver.feeds.iter().flat_map(|feed| feed.key.iter().chain(&feed.columns)))
        .chain(expressions)
        .for_each(|expr| mentioned(expr, &mut paths));
    paths
}

fn mentioned(expr: &Expr, out: &mut BTreeSet<Vec<u32>>) {
    match path_of(expr) {
        Some(path) => drop(out.insert(path)),
        None => expr.for_each_child(|child| mentioned(child, out)),
    }
}

/// The field of the message that an expression is.
fn path_of(expr: &Expr) -> Option<Vec<u32>> {
    match &expr.kind {
        ExprKind::Message => Some(Vec::new()),
        ExprKind::Field { base, field } => {
            let mut path = path_of(base)?;
            path.push(*field);
            Some(path)
        }
        // What is known not to be null is read through such a cast.
        ExprKind::Cast { value, .. } if value.ty.kind == expr.ty.kind => path_of(value),
        _ => None,
    }
}

fn row(message: &Message, value: Value) -> Row {
    Row {
        message: value,
        topic: message.topic.clone(),
        partition: message.partition,
        offset: message.offset,
        key: message.key.clone(),
        timestamp_us: message.timestamp_us,
        headers: message.headers.clone(),
    }
}
