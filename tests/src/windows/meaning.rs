//! The reference evaluator living through a timeline: what the checked program means, bit for bit.
//!
//! It knows the buckets and orders in which values are folded, so it is the model for packages whose last bits depend on them.
//!
//! This file must not know native code.

use std::collections::BTreeMap;

use chalk_catalog::CallContext;
use chalk_engine::Fate;
use chalk_eval::windows::{Model, ModelOptions};
use chalk_eval::{Evaluator, Outcome, Row};
use chalk_types::Value;
use chalkc::compile::{Checked, catalog};

use super::Subject;
use super::program::{HOUR_US, Link, Package};
use super::server::Compiled;
use super::timeline::{Arrival, Key};
use crate::oracle::NOW_US;

/// The evaluator at work.
pub(super) struct Meaning<'a> {
    checked: &'a Checked,
    class: usize,
    keys: &'a [Key],
    model: Model<'a>,
    context: CallContext,
    /// The next offset of each stream's partitions.
    offsets: BTreeMap<(usize, i64), i64>,
    /// Position of the class `Pair`, and what answers of its features are called.
    pairs: Option<(usize, &'a [Link])>,
}

impl<'a> Meaning<'a> {
    /// Before anything happened.
    pub(super) fn new(
        package: &'a Package,
        compiled: &'a Compiled,
        keys: &'a [Key],
        idle_after_us: i64,
        now_us: i64,
    ) -> Meaning<'a> {
        let (checked, class) = (&compiled.checked, compiled.class);
        let options = ModelOptions { max_future_skew_us: HOUR_US, idle_after_us };
        let mut meaning = Meaning {
            checked,
            class,
            keys,
            model: Model::new(&checked.program, options, now_us),
            context: CallContext::new(NOW_US, 0),
            offsets: BTreeMap::new(),
            pairs: compiled.pairs.map(|class| (class, &package.links[..])),
        };
        if meaning.pairs.is_some() {
            meaning.store_pairs(package.streams.len(), now_us);
        }
        meaning
    }

    /// A pair for each key, numbered as keys are.
    fn store_pairs(&mut self, resolver: usize, now_us: i64) {
        for (number, key) in self.keys.iter().enumerate() {
            let row = Row {
                message: Value::Struct(vec![Value::Int(number as i128), key.value()]),
                topic: "pairs".to_owned(),
                partition: 0,
                offset: number as i64,
                key: None,
                timestamp_us: Some(now_us),
                headers: Vec::new(),
            };
            let outcome = self.with(|model, evaluator| model.push(evaluator, resolver, &row, now_us));
            assert!(matches!(outcome, Outcome::Applied { .. }), "a pair is a row");
        }
    }

    fn with<R>(&mut self, use_it: impl FnOnce(&mut Model<'a>, &Evaluator<'_>) -> R) -> R {
        let deserialize = |_: usize, _: &[u8]| Err("no message is inside another".to_owned());
        let evaluator = Evaluator {
            program: &self.checked.program,
            catalog: catalog(),
            context: &self.context,
            deserialize: &deserialize,
        };
        use_it(&mut self.model, &evaluator)
    }
}

impl Subject for Meaning<'_> {
    fn arrive(&mut self, arrivals: &[Arrival], now_us: i64) -> Vec<Fate> {
        let mut fates = Vec::new();
        for arrival in arrivals {
            let offset = self.offsets.entry((arrival.stream, arrival.partition)).or_insert(0);
            let row = row(arrival, self.keys, *offset);
            *offset += 1;
            fates.push(match row {
                None => {
                    self.with(|model, _| model.push_unreadable(arrival.stream, now_us));
                    Fate::DeadLetter
                }
                Some(row) => match self.with(|model, evaluator| model.push(evaluator, arrival.stream, &row, now_us)) {
                    Outcome::Applied { .. } => Fate::Applied,
                    Outcome::Filtered => Fate::Filtered,
                    Outcome::Skipped => Fate::Skipped,
                    Outcome::Late => Fate::Late,
                    Outcome::Duplicate => Fate::Duplicate,
                    Outcome::Failed(_) => Fate::DeadLetter,
                },
            });
        }
        fates
    }

    fn advance(&mut self, now_us: i64) {
        self.with(|model, evaluator| drop(model.advance(evaluator, now_us)));
    }

    fn ask(&mut self, key: usize, now_us: i64) -> Vec<(String, Result<Value, String>)> {
        let (class, number, key) = (self.class, key, self.keys[key].value());
        let values = self.with(|model, evaluator| model.features(evaluator, class, &key, now_us));
        let class = &self.checked.program.classes[class];
        let named = class.features.iter().zip(values).enumerate();
        let others = named.filter(|(position, _)| *position != class.primary_key);
        let mut answers: Vec<_> = others.map(|(_, (feature, value))| (feature.name.clone(), value)).collect();
        if let Some((class, links)) = self.pairs {
            let key = Value::Int(number as i128);
            let values = self.with(|model, evaluator| model.features(evaluator, class, &key, now_us));
            // Behind the key and the foreign key.
            answers.extend(links.iter().map(|link| link.name.clone()).zip(values.into_iter().skip(2)));
        }
        answers
    }
}

/// The message as the evaluator takes it; none where its bytes are no message.
fn row(arrival: &Arrival, keys: &[Key], offset: i64) -> Option<Row> {
    let event = &arrival.event;
    let or_null = |value: Option<Value>| value.unwrap_or(Value::Null);
    let fields = vec![
        Value::Int(event.id.into()),
        keys[event.key].value(),
        Value::Float(event.x),
        or_null(event.n.map(|n| Value::Int(n.into()))),
        or_null(event.s.clone().map(Value::String)),
        Value::Bool(event.flag),
        Value::Datetime(event.at_us),
        or_null(event.v.map(|components| Value::List(components.map(Value::Float).to_vec()))),
    ];
    (!event.is_broken).then(|| Row {
        message: Value::Struct(fields),
        topic: format!("s{}", arrival.stream),
        partition: arrival.partition,
        offset,
        key: None,
        timestamp_us: arrival.consumed_at_us,
        headers: Vec::new(),
    })
}
