//! The meaning of state: all messages are kept, and every question is computed anew from them.
//!
//! A model gets the messages of all sources, each partition's in the order of its offsets, and says what becomes of each: late, duplicate, of the
//! future, or applied. Events of applied messages are a list that only grows; rows are kept per feature with what decides which is the latest.
//! A question folds the events that it is about in the canonical order (`fold`). Nothing here is
//! shared with the state of the runtime: it is what that is compared with, bit for bit.
//!
//! SQL over a window's messages is not evaluated: [`Closed::messages`] has the messages.
//!
//! This file must not know how events are folded.

mod admission;
mod fold;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chalk_hir::program::{AggregationKind, Expr, ExprKind, Program, StreamResolver};
use chalk_types::{Value, codec};

use crate::{Env, Evaluated, Evaluator, Failure, Outcome, Row};
use admission::{Seen, Watermark};
use fold::Span;

/// What a model is told.
#[derive(Clone, Copy, Debug)]
pub struct ModelOptions {
    /// A message whose event time is further ahead of its envelope's timestamp is a dead letter.
    pub max_future_skew_us: i64,
    /// A partition without a message for so long does not hold a watermark back.
    pub idle_after_us: i64,
}

/// An event that counts.
#[derive(Clone, Debug)]
pub struct Event {
    /// Position of the aggregation.
    pub aggregation: usize,
    /// Where it comes from. Partials are folded over places in their order.
    pub place: Place,
    /// Offset of its message.
    pub offset: i64,
    /// Event time; 0 where there is none, which only matters to aggregations without windows.
    pub time_us: i64,
    /// The key; null where the aggregation has none.
    pub key: Value,
    /// A value per column.
    pub columns: Vec<Value>,
    /// Tumbling windows that end at or before this had run when it came: it is in none of them.
    pub closed_until_us: Option<i64>,
}

/// Where events come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Position of the source.
    pub source: usize,
    /// The partition.
    pub partition: i64,
    /// Position of the resolver.
    pub resolver: usize,
    /// Position among its feeds.
    pub feed: usize,
}

/// A tumbling window that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Closed {
    /// Position of the resolver.
    pub resolver: usize,
    /// The window's length.
    pub window_us: i64,
    /// Where it ends: the event time of its rows.
    pub end_us: i64,
    /// Per key, in the order of their bytes: feature position and value. A key whose expressions fail has the reason.
    pub rows: Vec<(Value, Result<Vec<(usize, Value)>, String>)>,
    /// Of SQL: the messages of the window, by place and offset.
    pub messages: Vec<Vec<Value>>,
}

/// When and where a value was said; the greatest one counts. Without an event time: before all that have one.
type Stamp = (Option<i64>, i64, i64, usize);

/// A program's state as it is meant.
pub struct Model<'p> {
    program: &'p Program,
    options: ModelOptions,
    now_us: i64,
    events: Vec<Event>,
    /// Per class and key (as bytes): per feature the latest value.
    rows: BTreeMap<(usize, Vec<u8>), BTreeMap<usize, (Stamp, Value)>>,
    seen: BTreeMap<(usize, i64), Seen>,
    watermarks: BTreeMap<usize, Watermark>,
    /// Windows that have run: resolver, length, end.
    closed: BTreeSet<(usize, i64, i64)>,
}

impl<'p> Model<'p> {
    /// Before the first message.
    pub fn new(program: &'p Program, options: ModelOptions, now_us: i64) -> Model<'p> {
        Model {
            program,
            options,
            now_us,
            events: Vec::new(),
            rows: BTreeMap::new(),
            seen: BTreeMap::new(),
            watermarks: BTreeMap::new(),
            closed: BTreeSet::new(),
        }
    }

    /// All events so far.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// A message arrives at a resolver; what becomes of it. Offsets of a partition ascend; `now_us` is the wall clock.
    pub fn push(&mut self, evaluator: &Evaluator<'_>, resolver: usize, row: &Row, now_us: i64) -> Outcome {
        let plan = &self.program.resolvers[resolver];
        let closed_us = self.tick(resolver, now_us);
        if let Some(outcome) = evaluator.prefilter(plan, row) {
            return outcome;
        }
        let evaluated = evaluator.evaluate(plan, row);
        self.judge(resolver, row, evaluated, closed_us)
    }

    /// A message arrives that cannot be read: it goes to the dead letters, and time goes on.
    pub fn push_unreadable(&mut self, resolver: usize, now_us: i64) {
        self.tick(resolver, now_us);
    }

    /// Time goes on at every message, whatever becomes of it; up to where windows of the resolver are over.
    fn tick(&mut self, resolver: usize, now_us: i64) -> Option<i128> {
        self.now_us = self.now_us.max(now_us);
        let lateness_us = self.lateness_us(&self.program.resolvers[resolver])?;
        let reached_us = self.watermark(resolver).reached_us(now_us)?;
        Some(i128::from(reached_us) - i128::from(lateness_us))
    }

    /// What becomes of a message that was evaluated.
    fn judge(&mut self, resolver: usize, row: &Row, evaluated: Evaluated, closed_us: Option<i128>) -> Outcome {
        let plan = &self.program.resolvers[resolver];
        let time_us = evaluated.event_time_us.or(row.timestamp_us);
        let fails = |reason: String| Outcome::Failed(Failure { span: plan.span, reason });
        let is_applied = matches!(evaluated.outcome, Outcome::Applied { .. });
        if !is_applied && !matches!(evaluated.outcome, Outcome::Failed(_)) {
            return evaluated.outcome;
        }
        if is_applied {
            if let (Some(time_us), Some(consumed_us)) = (time_us, row.timestamp_us)
                && i128::from(time_us) - i128::from(consumed_us) > i128::from(self.options.max_future_skew_us)
            {
                let ahead_s = time_us.saturating_sub(consumed_us) / 1_000_000;
                return fails(format!("future: the event time is {ahead_s} s ahead of the broker's"));
            }
            if time_us.is_none() && self.needs_time(plan) {
                return fails("no event time: neither the resolver nor the message's envelope gives one".to_owned());
            }
            if let (Some(lengths), Some(time_us), Some(closed_us)) = (self.tumbling(plan), time_us, closed_us)
                && lengths.iter().all(|length| fold::window_end(time_us, *length) <= closed_us)
            {
                return Outcome::Late;
            }
        }
        let key_time_us = row.timestamp_us.or(time_us);
        if let (Some(dedup), Some(key), Some(key_time_us)) = (&plan.dedup, &evaluated.dedup_key, key_time_us)
            && !key.is_null()
        {
            let seen = self.seen.entry((resolver, row.partition)).or_default();
            if seen.has(key, key_time_us, dedup.within_us) {
                return Outcome::Duplicate;
            }
            if is_applied {
                seen.remember(key.clone(), key_time_us);
            }
        }
        if let Outcome::Applied { features, events, .. } = &evaluated.outcome {
            self.apply(resolver, row, time_us, features, events, closed_us);
        }
        evaluated.outcome
    }

    fn apply(
        &mut self,
        resolver: usize,
        row: &Row,
        time_us: Option<i64>,
        features: &[(usize, Value)],
        events: &[crate::FedEvent],
        closed_us: Option<i128>,
    ) {
        let plan = &self.program.resolvers[resolver];
        for (feed, event) in events.iter().enumerate() {
            let is_keyed =
                !matches!(self.program.aggregations[event.aggregation].kind, AggregationKind::Messages { .. });
            if is_keyed && event.key.is_null() {
                continue;
            }
            self.events.push(Event {
                aggregation: event.aggregation,
                place: Place { source: plan.source, partition: row.partition, resolver, feed },
                offset: row.offset,
                time_us: time_us.unwrap_or(0),
                key: event.key.clone(),
                columns: event.columns.clone(),
                closed_until_us: closed_us.map(clamp),
            });
        }
        if let (Some(time_us), true) = (time_us, self.tumbling(plan).is_some()) {
            let now_us = self.now_us;
            self.watermark(resolver).observe(row.partition, time_us, now_us);
        }
        if !plan.skip_online && plan.window.is_none() {
            let stamp = (time_us, row.offset, row.partition, plan.source);
            self.store(plan.class, features, stamp);
        }
    }

    /// Keeps a row's features, each where nothing later is known.
    fn store(&mut self, class: usize, features: &[(usize, Value)], stamp: Stamp) {
        let primary_key = self.program.classes[class].primary_key;
        let Some((_, key)) = features.iter().find(|(feature, _)| *feature == primary_key) else { return };
        let stored = self.rows.entry((class, self.key_bytes(class, key))).or_default();
        for (feature, value) in features {
            match stored.get(feature) {
                Some((latest, _)) if *latest > stamp => {}
                _ => {
                    stored.insert(*feature, (stamp, value.clone()));
                }
            }
        }
    }

    fn key_bytes(&self, class: usize, key: &Value) -> Vec<u8> {
        let class = &self.program.classes[class];
        let mut bytes = Vec::new();
        codec::encode(&mut bytes, &class.features[class.primary_key].ty.kind, key);
        bytes
    }

    /// Whether messages of the resolver cannot do without a time.
    fn needs_time(&self, plan: &StreamResolver) -> bool {
        let is_windowed = |aggregation: usize| self.program.aggregations[aggregation].kind != AggregationKind::Total;
        plan.dedup.is_some() || plan.feeds.iter().any(|feed| is_windowed(feed.aggregation))
    }

    /// The lengths of a resolver's tumbling windows.
    fn tumbling(&self, plan: &StreamResolver) -> Option<&'p [i64]> {
        match &self.program.aggregations[plan.window.as_ref()?.aggregation].kind {
            AggregationKind::Tumbling { windows_us, .. } | AggregationKind::Messages { windows_us, .. } => {
                Some(windows_us)
            }
            _ => None,
        }
    }

    fn lateness_us(&self, plan: &StreamResolver) -> Option<i64> {
        match &self.program.aggregations[plan.window.as_ref()?.aggregation].kind {
            AggregationKind::Tumbling { allowed_lateness_us, .. }
            | AggregationKind::Messages { allowed_lateness_us, .. } => Some(*allowed_lateness_us),
            _ => None,
        }
    }

    fn watermark(&mut self, resolver: usize) -> &mut Watermark {
        let (idle_after_us, now_us) = (self.options.idle_after_us, self.now_us);
        self.watermarks.entry(resolver).or_insert_with(|| Watermark::new(idle_after_us, now_us))
    }

    /// Runs the tumbling windows that are over at this time of the wall clock, resolver by resolver, in the order of their ends.
    pub fn advance(&mut self, evaluator: &Evaluator<'_>, now_us: i64) -> Vec<Closed> {
        self.now_us = self.now_us.max(now_us);
        let now_us = self.now_us;
        let mut all = Vec::new();
        for resolver in 0..self.program.resolvers.len() {
            let plan = &self.program.resolvers[resolver];
            let Some(lateness_us) = self.lateness_us(plan) else { continue };
            let Some(reached_us) = self.watermark(resolver).reached_us(now_us) else { continue };
            let until_us = i128::from(reached_us) - i128::from(lateness_us);
            all.extend(self.close_until(evaluator, resolver, until_us));
        }
        all
    }

    /// Runs all tumbling windows: their sources have come to their ends.
    pub fn close_all(&mut self, evaluator: &Evaluator<'_>) -> Vec<Closed> {
        let resolvers = 0..self.program.resolvers.len();
        resolvers.flat_map(|resolver| self.close_until(evaluator, resolver, i128::MAX)).collect()
    }

    fn close_until(&mut self, evaluator: &Evaluator<'_>, resolver: usize, until_us: i128) -> Vec<Closed> {
        let plan = &self.program.resolvers[resolver];
        let Some(lengths) = self.tumbling(plan) else { return Vec::new() };
        let aggregation = plan.window.as_ref().map_or(0, |window| window.aggregation);
        // By end, then by length: the order of their runs.
        let mut over: BTreeSet<(i128, i64)> = BTreeSet::new();
        for event in self.events.iter().filter(|event| event.aggregation == aggregation) {
            for length in lengths {
                let end_us = fold::window_end(event.time_us, *length);
                let is_open = event.closed_until_us.is_none_or(|closed_us| end_us > closed_us.into());
                if end_us <= until_us && is_open && !self.closed.contains(&(resolver, *length, clamp(end_us))) {
                    over.insert((end_us, *length));
                }
            }
        }
        let mut all = Vec::new();
        for (end_us, window_us) in over {
            let closed = self.close(evaluator, resolver, window_us, clamp(end_us));
            self.closed.insert((resolver, window_us, closed.end_us));
            for (_, row) in &closed.rows {
                if let (Ok(features), false) = (row, plan.skip_online) {
                    self.store(plan.class, features, (Some(closed.end_us), 0, 0, plan.source));
                }
            }
            all.push(closed);
        }
        all
    }

    fn close(&self, evaluator: &Evaluator<'_>, resolver: usize, window_us: i64, end_us: i64) -> Closed {
        let plan = &self.program.resolvers[resolver];
        let class = &self.program.classes[plan.class];
        let window = plan.window.as_ref().expect("only windowed resolvers have windows");
        let mut closed = Closed { resolver, window_us, end_us, rows: Vec::new(), messages: Vec::new() };
        let span = Span::Tumbling { window_us, end_us };
        let inside = fold::events_of(&self.events, window.aggregation, &span);
        if window.sql.is_some() {
            closed.messages = inside.iter().map(|event| event.columns.clone()).collect();
            return closed;
        }
        let Some(close) = window.closes.iter().find(|close| close.window_us == window_us) else { return closed };
        let keys: BTreeMap<Vec<u8>, Value> =
            inside.iter().map(|event| (self.key_bytes(plan.class, &event.key), event.key.clone())).collect();
        for key in keys.into_values() {
            let aggregates = class.aggregates.iter().map(|value| {
                if value.aggregation != window.aggregation || value.window_us != Some(window_us) {
                    return Err("an aggregate of another window".to_owned());
                }
                fold::value(&self.program.aggregations[value.aggregation], value, &self.events, &key, &span)
            });
            let mut env = Env { class: Some(class), aggregates: aggregates.collect(), ..Env::default() };
            env.features.insert(class.primary_key, Ok(key.clone()));
            let values =
                close.assignments.iter().map(|(feature, value)| Ok((*feature, evaluator.expr(value, &mut env)?)));
            let values: Result<Vec<_>, Failure> = values.collect();
            closed.rows.push((key, values.map_err(|failure| failure.reason)));
        }
        closed
    }

    /// Every feature of a class for a key, as of now: what a query gives. One that fails has the reason, and fails those that read it.
    pub fn features(
        &self,
        evaluator: &Evaluator<'_>,
        class: usize,
        key: &Value,
        now_us: i64,
    ) -> Vec<Result<Value, String>> {
        let of = &self.program.classes[class];
        let stored = self.rows.get(&(class, self.key_bytes(class, key)));
        let mut env = Env { class: Some(of), ..Env::default() };
        for feature in 0..of.features.len() {
            let value = stored.and_then(|stored| stored.get(&feature)).map_or(Value::Null, |(_, value)| value.clone());
            env.features.insert(feature, Ok(if feature == of.primary_key { key.clone() } else { value }));
        }
        let aggregates = of.aggregates.iter().map(|value| {
            let aggregation = &self.program.aggregations[value.aggregation];
            // Of tumbling windows there is no value but the one that was set when they were over.
            let span = Span::at(aggregation, value.window_us, now_us).ok_or("an aggregate of tumbling windows")?;
            fold::value(aggregation, value, &self.events, key, &span)
        });
        env.aggregates = aggregates.collect();
        for &feature in &of.expression_order {
            let expression = of.features[feature].expression.as_ref().expect("it is in the order of expressions");
            self.link(evaluator, expression, &mut env, now_us);
            let value = evaluator.expr(expression, &mut env).map_err(|failure| failure.reason);
            env.features.insert(feature, value);
        }
        (0..of.features.len()).map(|feature| env.features[&feature].clone()).collect()
    }

    /// Finds what an expression reads of other classes. What is computed there is not computed from here, so this comes to an end.
    fn link(&self, evaluator: &Evaluator<'_>, expression: &Expr, env: &mut Env<'_>, now_us: i64) {
        let mut open = vec![expression];
        let mut rows: HashMap<(usize, usize), Vec<Result<Value, String>>> = HashMap::new();
        while let Some(expression) = open.pop() {
            expression.for_each_child(|child| open.push(child));
            let ExprKind::Linked { foreign_key, class, feature } = expression.kind else { continue };
            let value = match env.features[&foreign_key].clone() {
                Ok(Value::Null) => Ok(Value::Null),
                Ok(key) => {
                    let stored = self.rows.get(&(class, self.key_bytes(class, &key)));
                    if self.program.classes[class].features[feature].expression.is_none() {
                        let value = stored.and_then(|stored| stored.get(&feature));
                        let is_key = self.program.classes[class].primary_key == feature;
                        let missing = if is_key { key } else { Value::Null };
                        env.linked
                            .insert((foreign_key, feature), Ok(value.map_or(missing, |(_, value)| value.clone())));
                        continue;
                    }
                    let ask = || self.features(evaluator, class, &key, now_us);
                    match &rows.entry((foreign_key, class)).or_insert_with(ask)[feature] {
                        // What cannot be computed because nothing is stored there is null.
                        Err(_) if stored.is_none() => Ok(Value::Null),
                        value => value.clone(),
                    }
                }
                Err(reason) => Err(reason),
            };
            env.linked.insert((foreign_key, feature), value);
        }
    }

    /// Keys of a class that have a row or events, in the order of their bytes.
    pub fn keys(&self, class: usize) -> Vec<Value> {
        let primary_key = self.program.classes[class].primary_key;
        let of_rows = self.rows.iter().filter(|((of, _), _)| *of == class);
        let of_rows = of_rows.filter_map(|((_, bytes), row)| Some((bytes.clone(), row.get(&primary_key)?.1.clone())));
        let is_of_class = |event: &&Event| {
            let aggregation = &self.program.aggregations[event.aggregation];
            aggregation.class == class && !matches!(aggregation.kind, AggregationKind::Messages { .. })
        };
        let of_events = self.events.iter().filter(is_of_class);
        let of_events = of_events.map(|event| (self.key_bytes(class, &event.key), event.key.clone()));
        of_rows.chain(of_events).collect::<BTreeMap<_, _>>().into_values().collect()
    }
}

/// A time as far as times go.
fn clamp(time_us: i128) -> i64 {
    time_us.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}
