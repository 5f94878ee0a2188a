//! What happens to a package: messages that arrive in partitions while a clock goes on, and queries in between.
//!
//! Times are chosen to lie on edges: of buckets, of windows as a query sees them, a microsecond to either side.
//!
//! This file must not know what comes of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use chalk_types::Value;

use super::program::{DAY_US, HOUR_US, MINUTE_US, Origin, Package, SECOND_US, START_US, Style};
use crate::message::Message;
use crate::rng::Rng;

/// A message as it is meant.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    /// `id`
    pub(super) id: i64,
    /// `k`: a position in the keys.
    pub(super) key: usize,
    /// `x`
    pub(super) x: f64,
    /// `n`
    pub(super) n: Option<i64>,
    /// `s`
    pub(super) s: Option<String>,
    /// `flag`
    pub(super) flag: bool,
    /// `at`
    pub(super) at_us: i64,
    /// `v`
    pub(super) v: Option<[f64; 2]>,
    /// Whether its bytes are cut off.
    pub(super) is_broken: bool,
}

/// A message that arrives.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Arrival {
    /// What it is called: its position in the first timeline that has it.
    pub(super) number: usize,
    /// Which stream.
    pub(super) stream: usize,
    /// Which partition of its source.
    pub(super) partition: i64,
    /// When the broker got it, if it says so.
    pub(super) consumed_at_us: Option<i64>,
    /// What it says.
    pub(super) event: Event,
}

/// A moment.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The clock.
    pub(super) now_us: i64,
    /// What happens.
    pub(super) kind: StepKind,
}

/// What happens.
#[derive(Clone, Debug)]
pub(super) enum StepKind {
    /// A batch of messages of one stream arrives.
    Arrive(Vec<Arrival>),
    /// Windows that are over are closed, and every key is asked for.
    Ask,
}

/// What happens to a package.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    /// Keys that are asked for, as text or number; the last one has no event.
    pub(super) keys: Vec<Key>,
    /// In order; the clock never goes back.
    pub(super) steps: Vec<Step>,
}

/// A primary key.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Key {
    /// Of type `int`.
    Int(i64),
    /// Of type `string`.
    Text(String),
}

impl Key {
    /// As a value of its type.
    pub(super) fn value(&self) -> Value {
        match self {
            Key::Int(key) => Value::Int((*key).into()),
            Key::Text(key) => Value::String(key.clone()),
        }
    }
}

impl Timeline {
    /// A random one.
    pub(super) fn random(rng: &mut Rng, package: &Package, style: Style) -> Timeline {
        Writer {
            package,
            style,
            span_us: *rng.pick(&[20 * SECOND_US, 10 * MINUTE_US, 3 * HOUR_US, 2 * DAY_US, 70 * DAY_US]),
            partitions: package.streams.iter().map(|_| rng.between(1, 3)).collect(),
            edges: edges(package),
            times: BTreeSet::new(),
            given: vec![Vec::new(); package.streams.len()],
            key_count: rng.between(1, 5),
            next: 0,
            rng,
        }
        .timeline()
    }

    /// The messages.
    pub(super) fn arrivals(&self) -> impl Iterator<Item = &Arrival> {
        self.steps.iter().flat_map(|step| match &step.kind {
            StepKind::Arrive(arrivals) => arrivals.as_slice(),
            StepKind::Ask => &[],
        })
    }

    /// The timeline in stretches between questions, each with the question that ends it.
    pub(super) fn stretches(&self) -> Vec<(Vec<Step>, Step)> {
        let mut stretches = Vec::new();
        let mut arrivals = Vec::new();
        for step in &self.steps {
            match step.kind {
                StepKind::Arrive(_) => arrivals.push(step.clone()),
                StepKind::Ask => stretches.push((std::mem::take(&mut arrivals), step.clone())),
            }
        }
        assert!(arrivals.is_empty(), "a timeline ends with a question");
        stretches
    }
}

impl Arrival {
    /// The message for the engine, at that offset.
    pub(super) fn message(&self, keys: &[Key], offset: i64) -> Message {
        let event = &self.event;
        let mut text = format!("{{\"id\":{},\"k\":", event.id);
        let _ = match &keys[event.key] {
            Key::Int(key) => write!(text, "{key}"),
            Key::Text(key) => write!(text, "\"{key}\""),
        };
        let _ = write!(text, ",\"x\":{:?}", event.x); // writing to a String cannot fail
        if let Some(n) = event.n {
            let _ = write!(text, ",\"n\":{n}");
        }
        let _ = match &event.s {
            Some(s) => write!(text, ",\"s\":\"{s}\""),
            None => write!(text, ",\"s\":null"),
        };
        let _ = write!(text, ",\"flag\":{},\"at\":\"{}\"", event.flag, chalk_types::format_datetime(event.at_us));
        let _ = match event.v {
            Some([first, second]) => write!(text, ",\"v\":[{first:?},{second:?}]}}"),
            None => write!(text, "}}"),
        };
        if event.is_broken {
            text.truncate(text.len() - 2);
        }
        Message {
            topic: format!("s{}", self.stream),
            partition: self.partition,
            timestamp_us: self.consumed_at_us,
            ..Message::new(text, offset)
        }
    }
}

/// Lengths at whose multiples something happens.
fn edges(package: &Package) -> Vec<i64> {
    let mut edges = vec![SECOND_US];
    for feature in &package.features {
        edges.extend(feature.windows.iter().flatten());
        if let Origin::Rows { buckets: Some(buckets), .. } = &feature.origin {
            edges.extend(&buckets.lengths_us);
        }
    }
    edges
}

struct Writer<'a> {
    rng: &'a mut Rng,
    package: &'a Package,
    style: Style,
    /// How long the whole takes.
    span_us: i64,
    partitions: Vec<usize>,
    edges: Vec<i64>,
    /// Event times so far: no two are equal where order must not matter.
    times: BTreeSet<i64>,
    /// Per stream what was given.
    given: Vec<Vec<Arrival>>,
    key_count: usize,
    next: usize,
}

impl Writer<'_> {
    fn timeline(mut self) -> Timeline {
        let mut steps = Vec::new();
        let mut now_us = START_US + self.rng.below(self.span_us as usize) as i64;
        let step_count = self.rng.between(4, 14);
        for _ in 0..step_count {
            now_us += self.rng.below(2 * self.span_us as usize / step_count) as i64;
            let stream = self.rng.below(self.package.streams.len());
            let size = if self.rng.percent(5) { self.rng.between(60, 130) } else { self.rng.between(1, 14) };
            let arrivals = (0..size).map(|_| self.arrival(stream, now_us)).collect();
            steps.push(Step { now_us, kind: StepKind::Arrive(arrivals) });
            if self.rng.percent(35) {
                now_us = self.question_us(now_us);
                steps.push(Step { now_us, kind: StepKind::Ask });
            }
        }
        // At last all windows are over, long after the last message.
        for after_us in [0, HOUR_US, 100 * DAY_US] {
            now_us = self.question_us(now_us) + after_us;
            steps.push(Step { now_us, kind: StepKind::Ask });
        }
        Timeline { keys: self.keys(), steps }
    }

    fn keys(&mut self) -> Vec<Key> {
        let numbers = [0, 1, -7, i64::MAX, i64::MIN, 4_294_967_296];
        let texts = ["", "a", "user-2", "ключ", "a much longer key than fits into a word", "b"];
        (0..=self.key_count)
            .map(|at| if self.package.key_is_text { Key::Text(texts[at].to_owned()) } else { Key::Int(numbers[at]) })
            .collect()
    }

    /// A time for a question: often one at which some event is just in or just out.
    fn question_us(&mut self, now_us: i64) -> i64 {
        if self.rng.percent(30) || self.times.is_empty() {
            return now_us + self.rng.below(self.span_us as usize / 4) as i64;
        }
        let times: Vec<i64> = self.times.iter().copied().collect();
        let window_us = *self.rng.pick(&self.edges);
        let time_us = match self.rng.below(4) {
            0 => (now_us / window_us + 1) * window_us,
            // As of an event that is still to come, where there is one.
            1 => {
                let to_come: Vec<i64> = self.times.range(now_us..).copied().collect();
                if to_come.is_empty() { now_us } else { *self.rng.pick(&to_come) }
            }
            _ => *self.rng.pick(&times) + window_us,
        };
        (time_us + self.rng.below(3) as i64 - 1).max(now_us)
    }

    fn arrival(&mut self, stream: usize, now_us: i64) -> Arrival {
        let number = self.next;
        self.next += 1;
        let partition = self.rng.below(self.partitions[stream]) as i64;
        let consumed_at_us = self.rng.percent(85).then_some(now_us);
        // A message that was sent twice stays in its partition.
        let copied = self.rng.percent(8) && !self.given[stream].is_empty();
        if copied {
            let mut copy = self.rng.pick(&self.given[stream]).clone();
            if let Some(within_us) = self.package.streams[stream].dedup_within_us {
                let consumed_at_us = self.again_us(&copy, within_us, now_us).or(consumed_at_us);
                copy = Arrival { number, consumed_at_us, ..copy };
                // What has the same id may say something else.
                if self.rng.percent(30) {
                    copy.event.x += 1.0;
                }
                return copy;
            }
        }
        let event = Event {
            id: number as i64,
            key: self.rng.below(self.key_count),
            x: self.float(),
            n: (!self.rng.percent(25)).then(|| self.integer()),
            s: (!self.rng.percent(25))
                .then(|| (*self.rng.pick(&["a", "b", "c", "", "a longer text, with ö"])).to_owned()),
            flag: self.rng.percent(60),
            at_us: self.time(stream, now_us),
            v: self.rng.percent(60).then(|| [self.float(), self.float()]),
            is_broken: self.rng.percent(3),
        };
        let arrival = Arrival { number, stream, partition, consumed_at_us, event };
        self.given[stream].push(arrival.clone());
        arrival
    }

    /// When the broker got a message again: often exactly when the first is forgotten. None: at any time.
    fn again_us(&mut self, first: &Arrival, within_us: i64, now_us: i64) -> Option<i64> {
        let first_us = first.consumed_at_us.unwrap_or(first.event.at_us);
        let again_us = first_us + within_us + self.rng.below(3) as i64 - 1;
        // No clock of a broker is further ahead than an event may be.
        (self.rng.percent(40) && again_us <= now_us + HOUR_US).then_some(again_us)
    }

    fn float(&mut self) -> f64 {
        match self.style {
            Style::Exact => self.rng.between(0, 64) as f64 / 4.0 - 8.0,
            Style::Bits => {
                let magnitude = [1e-9, 0.1, 1.0, 3.0, 1e7, 1e15, 1e300][self.rng.below(7)];
                (self.rng.below(2_000_001) as f64 / 1_000_000.0 - 1.0) * magnitude
            }
        }
    }

    fn integer(&mut self) -> i64 {
        match self.style {
            Style::Bits if self.rng.percent(4) => i64::MAX / 2 - 1,
            _ => self.rng.between(0, 8) as i64 - 4,
        }
    }

    fn time(&mut self, stream: usize, now_us: i64) -> i64 {
        let deadline_us = self.package.streams[stream].deadline_us.unwrap_or(self.span_us);
        let mut time_us = match self.rng.below(20) {
            0 => now_us + self.rng.below(HOUR_US as usize) as i64,
            1 => now_us + HOUR_US + self.rng.below(3) as i64 - 1,
            2 => now_us - deadline_us + self.rng.below(3) as i64 - 1,
            3..=5 => now_us - self.rng.below(self.span_us as usize) as i64,
            6..=9 => {
                let edge_us = *self.rng.pick(&self.edges);
                (now_us / edge_us - self.rng.below(3) as i64) * edge_us + self.rng.below(3) as i64 - 1
            }
            _ => now_us - self.rng.below(self.span_us as usize / 20) as i64,
        };
        while self.style == Style::Exact && self.times.contains(&time_us) {
            time_us += 1;
        }
        self.times.insert(time_us);
        time_us
    }
}
