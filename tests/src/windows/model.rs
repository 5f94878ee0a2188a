//! What a package means for a timeline, said as plainly as possible: all events are kept, and every question is computed anew from them.
//!
//! It reads the description of the package, so it shares no code with the compiler or the engine, and no idea of theirs either: no
//! buckets, no partials, no columns. It is for packages of exact values; those whose last bits depend on an order have another model
//! (`chalk_eval`).
//!
//! This file must not know the engine.

use std::collections::{BTreeMap, BTreeSet};

use chalk_engine::Fate;
use chalk_types::Value;

use super::Subject;
use super::calls::{Aggregate, Argument, Call, Condition};
use super::program::{HOUR_US, Origin, Package, Role};
use super::timeline::{Arrival, Event, Key};

/// How far ahead of the broker's time an event may be.
const MAX_FUTURE_SKEW_US: i64 = HOUR_US;

/// A fault that is planted on one side of a comparison, to see that it is found: each has been in somebody's windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// What lies exactly at the start of a window counts.
    WindowIncludesItsStart,
    /// The bucket that has just left a window counts.
    BucketTooMany,
    /// A message whose time is not believed moves the watermark.
    FutureMovesTheWatermark,
    /// A maximum is of all time, whatever the window.
    MaximumNeverForgets,
    /// After a crash the watermark is ahead of the messages that are read again. (This one is planted in the server.)
    WatermarkAheadOfItsOffsets,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 5] = [
        Fault::WindowIncludesItsStart,
        Fault::BucketTooMany,
        Fault::FutureMovesTheWatermark,
        Fault::MaximumNeverForgets,
        Fault::WatermarkAheadOfItsOffsets,
    ];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Fault::WindowIncludesItsStart => "a_window_includes_its_start",
            Fault::BucketTooMany => "a_bucket_too_many",
            Fault::FutureMovesTheWatermark => "an_event_of_the_future_moves_the_watermark",
            Fault::MaximumNeverForgets => "a_maximum_never_forgets",
            Fault::WatermarkAheadOfItsOffsets => "a_watermark_restored_ahead_of_its_offsets",
        }
    }
}

/// The meaning of a package.
pub(super) struct Model<'a> {
    package: &'a Package,
    keys: &'a [Key],
    idle_after_us: i64,
    streams: Vec<StreamState>,
    /// Features that tumbling windows set: by key and name, with the end of the window.
    stored: BTreeMap<(usize, String), (i64, Result<Value, String>)>,
    fault: Option<Fault>,
}

#[derive(Default)]
struct StreamState {
    /// Applied messages, in the order of arrival.
    applied: Vec<Applied>,
    /// Per partition what dedup remembers: id and time.
    seen: BTreeMap<i64, Vec<(i64, i64)>>,
    /// Per partition the greatest event time, and the clock at its last message.
    partitions: BTreeMap<i64, (i64, i64)>,
    /// The clock at the first message or question.
    started_us: Option<i64>,
    /// The greatest watermark so far; asked for at every message and question.
    reached_us: Option<i64>,
    /// Tumbling windows that have run: length and end.
    closed: BTreeSet<(i64, i64)>,
}

struct Applied {
    event: Event,
    partition: i64,
    /// Lengths of tumbling windows that had run when it arrived.
    missed: Vec<i64>,
}

impl<'a> Model<'a> {
    /// Before anything happened.
    pub(super) fn new(package: &'a Package, keys: &'a [Key], idle_after_us: i64) -> Model<'a> {
        let streams = package.streams.iter().map(|_| StreamState::default()).collect();
        Model { package, keys, idle_after_us, streams, stored: BTreeMap::new(), fault: None }
    }

    /// With a fault.
    pub(super) fn plant(&mut self, fault: Fault) {
        self.fault = Some(fault);
    }

    /// What becomes of a message.
    fn arrive(&mut self, arrival: &Arrival, now_us: i64) -> Fate {
        let stream = &self.package.streams[arrival.stream];
        let event = &arrival.event;
        self.tick(arrival.stream, now_us);
        if event.is_broken {
            return Fate::DeadLetter;
        }
        if stream.filter.as_ref().is_some_and(|filter| holds(filter, event, false) != Some(true)) {
            return Fate::Filtered;
        }
        if let (Some(consumed_at_us), Some(deadline_us)) = (arrival.consumed_at_us, stream.deadline_us)
            && consumed_at_us - event.at_us > deadline_us
        {
            return Fate::Late;
        }
        if arrival.consumed_at_us.is_some_and(|consumed_at_us| event.at_us - consumed_at_us > MAX_FUTURE_SKEW_US) {
            if self.fault == Some(Fault::FutureMovesTheWatermark) {
                self.observe(arrival, now_us);
            }
            return Fate::DeadLetter;
        }
        let state = &mut self.streams[arrival.stream];
        let mut missed = Vec::new();
        if let Role::Tumbling { allowed_lateness_us, .. } = stream.role {
            let lengths = lengths(self.package, arrival.stream);
            let is_over = |length: &&i64| {
                let end_us = (event.at_us.div_euclid(**length) + 1) * **length;
                state.reached_us.is_some_and(|reached_us| end_us + allowed_lateness_us <= reached_us)
            };
            missed = lengths.iter().filter(is_over).copied().collect();
            if missed.len() == lengths.len() {
                return Fate::Late;
            }
        }
        let seen = state.seen.entry(arrival.partition).or_default();
        let time_us = arrival.consumed_at_us.unwrap_or(event.at_us);
        if let Some(within_us) = stream.dedup_within_us {
            let latest_us = seen.iter().map(|(_, time_us)| *time_us).max().unwrap_or(i64::MIN);
            seen.retain(|(_, first_us)| latest_us - first_us < within_us);
            if seen.iter().any(|(id, first_us)| *id == event.id && (0..within_us).contains(&(time_us - first_us))) {
                return Fate::Duplicate;
            }
        }
        if matches!(stream.role, Role::Rows { can_fail: true, .. }) && event.n.is_some_and(|n| n > 2) {
            return Fate::DeadLetter;
        }
        if stream.dedup_within_us.is_some() {
            seen.push((event.id, time_us));
        }
        state.applied.push(Applied { event: event.clone(), partition: arrival.partition, missed });
        self.observe(arrival, now_us);
        Fate::Applied
    }

    /// The time of a partition goes on.
    fn observe(&mut self, arrival: &Arrival, now_us: i64) {
        let partitions = &mut self.streams[arrival.stream].partitions;
        let (greatest_us, active_us) = partitions.entry(arrival.partition).or_insert((i64::MIN, i64::MIN));
        *greatest_us = arrival.event.at_us.max(*greatest_us);
        *active_us = now_us.max(*active_us);
        self.tick(arrival.stream, now_us);
    }

    /// Time goes on: no message before `reached_us` is waited for.
    fn tick(&mut self, stream: usize, now_us: i64) {
        let state = &mut self.streams[stream];
        let started_us = *state.started_us.get_or_insert(now_us);
        let is_active = |since_us: i64| now_us - since_us < self.idle_after_us;
        let active = state.partitions.values().filter(|(_, active_us)| is_active(*active_us));
        let least_us = active.map(|(greatest_us, _)| *greatest_us).min();
        let waits = state.partitions.is_empty() && is_active(started_us);
        let by_clock_us = (!waits).then_some(now_us - self.idle_after_us);
        state.reached_us = state.reached_us.max(least_us.or(by_clock_us));
    }

    /// Runs the windows of a stream that are over.
    fn close(&mut self, stream: usize, allowed_lateness_us: i64, now_us: i64) {
        self.tick(stream, now_us);
        let state = &self.streams[stream];
        let Some(reached_us) = state.reached_us else { return };
        let mut over = BTreeSet::new();
        for applied in &state.applied {
            for length in lengths(self.package, stream) {
                let end_us = (applied.event.at_us.div_euclid(length) + 1) * length;
                let window = (length, end_us);
                let is_over = end_us + allowed_lateness_us <= reached_us && !state.closed.contains(&window);
                if is_over && !applied.missed.contains(&length) {
                    over.insert(window);
                }
            }
        }
        for (length, end_us) in over {
            for key in 0..self.keys.len() {
                self.run_window(stream, key, length, end_us);
            }
            self.streams[stream].closed.insert((length, end_us));
        }
    }

    fn run_window(&mut self, stream: usize, key: usize, length: i64, end_us: i64) {
        let events: Vec<&Applied> = self.streams[stream]
            .applied
            .iter()
            .filter(|applied| {
                let event = &applied.event;
                event.key == key
                    && (end_us - length..end_us).contains(&event.at_us)
                    && !applied.missed.contains(&length)
            })
            .collect();
        if events.is_empty() {
            return;
        }
        for feature in &self.package.features {
            if let Origin::Resolver { stream: of, call } = &feature.origin
                && *of == stream
                && feature.windows.contains(&Some(length))
            {
                let is_sql = matches!(self.package.streams[stream].role, Role::Tumbling { is_sql: true, .. });
                let value = value(call, &events, is_sql);
                let name = format!("{}[{}]", feature.name, super::program::duration(length));
                self.stored.insert((key, name), (end_us, value));
            }
        }
    }

    /// What a window of a feature is at a time.
    fn windowed(&self, feature: usize, window: usize, key: usize, now_us: i64) -> Result<Value, String> {
        let feature = &self.package.features[feature];
        let length = feature.windows.get(window).copied().flatten();
        match &feature.origin {
            Origin::Rows { call, buckets } => {
                let never_forgets = self.fault == Some(Fault::MaximumNeverForgets) && call.aggregate == Aggregate::Max;
                let is_in = |at_us: i64| match (length, buckets) {
                    (None, _) => true,
                    _ if never_forgets => at_us <= now_us,
                    (Some(length), None) => self.is_in_window(at_us, length, now_us),
                    (Some(length), Some(buckets)) => {
                        let (bucket_us, origin_us) = (buckets.lengths_us[window], buckets.origin_us.unwrap_or(0));
                        let start = |time_us: i64| (time_us - origin_us).div_euclid(bucket_us) * bucket_us + origin_us;
                        let too_many_us = if self.fault == Some(Fault::BucketTooMany) { bucket_us } else { 0 };
                        let from_us = start(now_us) - length - too_many_us;
                        from_us < start(at_us) && start(at_us) <= start(now_us)
                    }
                };
                let feeds = |role: Role| match role {
                    Role::Rows { is_materialized, .. } => is_materialized || buckets.is_none(),
                    _ => false,
                };
                let events = self.events(key, |stream| feeds(self.package.streams[stream].role), is_in);
                value(call, &events, false)
            }
            Origin::Resolver { stream, call } => match self.package.streams[*stream].role {
                Role::Continuous => {
                    let length = length.expect("a resolver's windows have lengths");
                    let is_in = |at_us| self.is_in_window(at_us, length, now_us);
                    let events = self.events(key, |of| of == *stream, is_in);
                    value(call, &events, false)
                }
                _ => {
                    let length = length.expect("a resolver's windows have lengths");
                    let name = format!("{}[{}]", feature.name, super::program::duration(length));
                    self.stored.get(&(key, name)).map_or(Ok(Value::Null), |(_, value)| value.clone())
                }
            },
            Origin::Ratio { dividend, divisor } => {
                let dividend = self.windowed(*dividend, window, key, now_us)?;
                Ok(match (dividend, self.windowed(*divisor, window, key, now_us)?) {
                    (Value::Float(_), Value::Int(0)) => Value::Null,
                    (Value::Float(dividend), Value::Int(divisor)) => Value::Float(dividend / divisor as f64),
                    other => panic!("a sum of floats and a count, not {other:?}"),
                })
            }
            Origin::Exceeds { count, window } => match self.windowed(*count, *window, key, now_us)? {
                Value::Int(count) => Ok(Value::Bool(count > 2)),
                other => panic!("{other:?} is no count"),
            },
        }
    }

    /// Whether a time is in `(now - length, now]`.
    fn is_in_window(&self, at_us: i64, length: i64, now_us: i64) -> bool {
        let at_start = at_us == now_us - length && self.fault == Some(Fault::WindowIncludesItsStart);
        (now_us - length < at_us || at_start) && at_us <= now_us
    }

    /// Events in the order in which ties are broken.
    fn events(&self, key: usize, feeds: impl Fn(usize) -> bool, is_in: impl Fn(i64) -> bool) -> Vec<&Applied> {
        let streams = self.streams.iter().enumerate().filter(|(stream, _)| feeds(*stream));
        streams
            .flat_map(|(_, state)| {
                let partitions = state.partitions.keys();
                partitions
                    .flat_map(|partition| state.applied.iter().filter(move |applied| applied.partition == *partition))
            })
            .filter(|applied| applied.event.key == key && is_in(applied.event.at_us))
            .collect()
    }
}

impl Subject for Model<'_> {
    fn arrive(&mut self, arrivals: &[Arrival], now_us: i64) -> Vec<Fate> {
        arrivals.iter().map(|arrival| Model::arrive(self, arrival, now_us)).collect()
    }

    fn advance(&mut self, now_us: i64) {
        for (stream, description) in self.package.streams.iter().enumerate() {
            if let Role::Tumbling { allowed_lateness_us, .. } = description.role {
                self.close(stream, allowed_lateness_us, now_us);
            }
        }
    }

    fn ask(&mut self, key: usize, now_us: i64) -> Vec<(String, Result<Value, String>)> {
        let mut answers = Vec::new();
        for (position, feature) in self.package.features.iter().enumerate() {
            if feature.windows.is_empty() {
                answers.push((feature.name.clone(), self.windowed(position, 0, key, now_us)));
            }
            for (window, length) in feature.windows.iter().enumerate() {
                let length = length.map_or("all".to_owned(), super::program::duration);
                answers.push((format!("{}[{length}]", feature.name), self.windowed(position, window, key, now_us)));
            }
        }
        for link in &self.package.links {
            answers.push((link.name.clone(), self.windowed(link.feature, link.window, key, now_us)));
        }
        answers
    }
}

/// Lengths of the windows of a windowed resolver, ascending.
fn lengths(package: &Package, stream: usize) -> Vec<i64> {
    let features = package.features.iter();
    let mut lengths: Vec<i64> = features
        .filter(|feature| matches!(feature.origin, Origin::Resolver { stream: of, .. } if of == stream))
        .flat_map(|feature| feature.windows.iter().flatten().copied())
        .collect();
    lengths.sort_unstable();
    lengths.dedup();
    lengths
}

/// Whether a condition holds; none = null. In SQL null equals nothing, and whether it does is null; in the language it is a value beside the others.
fn holds(condition: &Condition, event: &Event, is_sql: bool) -> Option<bool> {
    let holds = |condition: &Condition, event: &Event| holds(condition, event, is_sql);
    match condition {
        Condition::Flag => Some(event.flag),
        Condition::NGreater(than) => event.n.map(|n| n > *than),
        Condition::XAtLeast(least) => Some(event.x >= *least as f64),
        Condition::SIs(_) if is_sql && event.s.is_none() => None,
        Condition::SIs(letter) => Some(event.s.as_deref() == Some(letter.encode_utf8(&mut [0; 4]))),
        Condition::NIsNone => Some(event.n.is_none()),
        Condition::Not(inner) => holds(inner, event).map(|holds| !holds),
        Condition::And(left, right) => match (holds(left, event), holds(right, event)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        },
        Condition::Or(left, right) => match (holds(left, event), holds(right, event)) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        },
    }
}

fn argument(argument: Argument, event: &Event) -> Option<Value> {
    match argument {
        Argument::Nothing => Some(Value::Bool(true)),
        Argument::X => Some(Value::Float(event.x)),
        Argument::TwiceX => Some(Value::Float(event.x * 2.0)),
        Argument::N => event.n.map(|n| Value::Int(n.into())),
        Argument::NextN => event.n.map(|n| Value::Int(i128::from(n) + 1)),
        Argument::S => event.s.clone().map(Value::String),
        Argument::Flag => Some(Value::Bool(event.flag)),
        Argument::IsGreat => Some(Value::Bool(event.x > 1.0)),
        Argument::At => Some(Value::Datetime(event.at_us)),
        Argument::V => event.v.map(|components| Value::List(components.map(Value::Float).to_vec())),
    }
}

/// An aggregate over events, in the language or in SQL.
fn value(call: &Call, events: &[&Applied], is_sql: bool) -> Result<Value, String> {
    let kept = events
        .iter()
        .map(|applied| &applied.event)
        .filter(|event| call.filter.as_ref().is_none_or(|filter| holds(filter, event, is_sql) == Some(true)));
    let values: Vec<(i64, Value)> =
        kept.filter_map(|event| Some((event.at_us, argument(call.argument, event)?))).collect();
    let only = || values.iter().map(|(_, value)| value.clone());
    Ok(match call.aggregate {
        Aggregate::Count => Value::Int(values.len() as i128),
        Aggregate::Sum => match total(&values) {
            // On nothing the type of the argument decides.
            None if matches!(call.argument, Argument::X | Argument::TwiceX) => Value::Float(0.0),
            None => Value::Int(0),
            Some(total) => total,
        },
        Aggregate::Mean => match total(&values) {
            None => Value::Null,
            Some(Value::Float(total)) => Value::Float(total / values.len() as f64),
            Some(Value::Int(total)) => Value::Float(total as f64 / values.len() as f64),
            Some(other) => panic!("{other:?} has no mean"),
        },
        Aggregate::Min => only().reduce(|a, b| if less(&b, &a) { b } else { a }).unwrap_or(Value::Null),
        Aggregate::Max => only().reduce(|a, b| if less(&a, &b) { b } else { a }).unwrap_or(Value::Null),
        Aggregate::First => {
            values.iter().min_by_key(|(at_us, _)| *at_us).map_or(Value::Null, |(_, value)| value.clone())
        }
        Aggregate::Last => {
            values.iter().max_by_key(|(at_us, _)| *at_us).map_or(Value::Null, |(_, value)| value.clone())
        }
        Aggregate::Any if values.is_empty() => Value::Null,
        Aggregate::Any => Value::Bool(only().any(|value| value == Value::Bool(true))),
        Aggregate::All if values.is_empty() => Value::Null,
        Aggregate::All => Value::Bool(only().all(|value| value == Value::Bool(true))),
        Aggregate::CountDistinct => Value::Int(counts(&values).len() as i128),
        _ if values.is_empty() => Value::Null,
        Aggregate::ArrayAgg => {
            let mut values = values.clone();
            values.sort_by_key(|(at_us, _)| *at_us);
            Value::List(values.into_iter().map(|(_, value)| value).collect())
        }
        Aggregate::SetAgg => Value::List(counts(&values).into_iter().map(|(value, _)| value).collect()),
        Aggregate::Mode => {
            let counts = counts(&values);
            let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(0);
            counts.into_iter().find(|(_, count)| *count == most).map_or(Value::Null, |(value, _)| value)
        }
        Aggregate::Top => {
            let mut values = sorted(&values);
            values.reverse();
            values.truncate(3);
            Value::List(values)
        }
        Aggregate::VectorSum | Aggregate::VectorMean => {
            let by = if call.aggregate == Aggregate::VectorMean { values.len() as f64 } else { 1.0 };
            let component = |at: usize| -> f64 {
                let of = |value: Value| match value {
                    Value::List(components) => match components[at] {
                        Value::Float(component) => component,
                        ref other => panic!("{other:?} is no component"),
                    },
                    other => panic!("{other:?} is no vector"),
                };
                // A sum begins at the zero that is neutral.
                only().map(of).reduce(|a, b| a + b).unwrap_or(0.0) / by
            };
            Value::List(vec![Value::Float(component(0)), Value::Float(component(1))])
        }
        other => panic!("the plain model does not know `{}`", other.name()),
    })
}

/// Ascending.
fn sorted(values: &[(i64, Value)]) -> Vec<Value> {
    let mut values: Vec<Value> = values.iter().map(|(_, value)| value.clone()).collect();
    values.sort_by(|a, b| less(b, a).cmp(&less(a, b)));
    values
}

/// Different values, ascending, and how often each came.
fn counts(values: &[(i64, Value)]) -> Vec<(Value, usize)> {
    let mut counts: Vec<(Value, usize)> = Vec::new();
    for value in sorted(values) {
        match counts.last_mut() {
            Some((last, count)) if *last == value => *count += 1,
            _ => counts.push((value, 1)),
        }
    }
    counts
}

fn total(values: &[(i64, Value)]) -> Option<Value> {
    values.iter().map(|(_, value)| value.clone()).reduce(|a, b| match (a, b) {
        (Value::Float(a), Value::Float(b)) => Value::Float(a + b),
        (Value::Int(a), Value::Int(b)) => Value::Int(a + b),
        other => panic!("{other:?} cannot be added"),
    })
}

fn less(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a < b,
        (Value::Int(a), Value::Int(b)) => a < b,
        (Value::String(a), Value::String(b)) => a < b,
        (Value::Datetime(a), Value::Datetime(b)) => a < b,
        other => panic!("{other:?} have no order here"),
    }
}
