//! The canonical fold: which partials an aggregate's value is made of, and in which order they are merged.
//!
//! Floats make the order a part of the meaning. Per place (source and partition): buckets from the oldest to the newest, each the partial of its events in the order of
//! offsets; a bucket that an edge of an exact window cuts gives the partial of its events inside, by time and then by offset. Then the places in their
//! order. Every merge begins at the empty partial.
//!
//! This file must not know resolvers or rows.

use std::collections::BTreeMap;

use chalk_catalog::aggregate::{Aggregate, Event as AggregateEvent, Heap};
use chalk_catalog::event::EventColumn;
use chalk_hir::program::{AggregateValue, Aggregation, AggregationKind, Leaf, Tier};
use chalk_types::Value;

use super::Event;

/// Which events a value is of, and how they are cut into buckets.
#[derive(Clone, Debug)]
pub(super) enum Span {
    /// All.
    Total,
    /// `(now - window, now]`, from buckets of the tier.
    Exact { tier: Tier, window_us: i64, now_us: i64 },
    /// Buckets that start after `floor(now) - window`, and no later than `floor(now)`.
    Buckets { tier: Tier, window_us: i64, now_us: i64 },
    /// `[end - window, end)`, without events that came after the window had run.
    Tumbling { window_us: i64, end_us: i64 },
}

impl Span {
    /// What a query at that time asks for; none of tumbling windows.
    pub(super) fn at(aggregation: &Aggregation, window_us: Option<i64>, now_us: i64) -> Option<Span> {
        let (buckets, is_exact) = match &aggregation.kind {
            AggregationKind::Total => return Some(Span::Total),
            AggregationKind::Continuous(buckets) => (buckets, true),
            AggregationKind::Materialized(buckets) => (buckets, false),
            AggregationKind::Tumbling { .. } | AggregationKind::Messages { .. } => return None,
        };
        let window = buckets.windows.iter().find(|window| Some(window.duration_us) == window_us)?;
        let (tier, window_us) = (buckets.tiers[window.tier as usize].clone(), window.duration_us);
        Some(if is_exact { Span::Exact { tier, window_us, now_us } } else { Span::Buckets { tier, window_us, now_us } })
    }

    /// Whether an event is in it.
    fn has(&self, event: &Event) -> bool {
        let time_us = i128::from(event.time_us);
        match self {
            Span::Total => true,
            Span::Exact { window_us, now_us, .. } => {
                let now_us = i128::from(*now_us);
                now_us - i128::from(*window_us) < time_us && time_us <= now_us
            }
            Span::Buckets { tier, window_us, now_us } => {
                let (start_us, last_us) = (bucket_start(tier, time_us), bucket_start(tier, i128::from(*now_us)));
                last_us - i128::from(*window_us) < start_us && start_us <= last_us
            }
            Span::Tumbling { window_us, end_us } => {
                let is_open = event.closed_until_us.is_none_or(|closed_us| i128::from(*end_us) > i128::from(closed_us));
                is_open && window_end(event.time_us, *window_us) == i128::from(*end_us)
            }
        }
    }

    /// The bucket that an event is in, by its start.
    fn bucket_us(&self, event: &Event) -> i128 {
        match self {
            Span::Total | Span::Tumbling { .. } => 0,
            Span::Exact { tier, .. } | Span::Buckets { tier, .. } => bucket_start(tier, event.time_us.into()),
        }
    }

    /// Whether an edge of an exact window runs through the bucket that starts there.
    fn cuts(&self, start_us: i128) -> bool {
        let Span::Exact { tier, window_us, now_us } = self else { return false };
        let (first_us, last_us) = (i128::from(*now_us) - i128::from(*window_us) + 1, i128::from(*now_us));
        start_us < first_us || last_us < start_us + i128::from(tier.bucket_us) - 1
    }
}

/// Where the bucket starts that a time is in.
fn bucket_start(tier: &Tier, time_us: i128) -> i128 {
    let (bucket_us, origin_us) = (i128::from(tier.bucket_us), i128::from(tier.origin_us));
    (time_us - origin_us).div_euclid(bucket_us) * bucket_us + origin_us
}

/// Where the tumbling window ends that a time is in.
pub(super) fn window_end(time_us: i64, window_us: i64) -> i128 {
    let (time_us, window_us) = (i128::from(time_us), i128::from(window_us));
    (time_us.div_euclid(window_us) + 1) * window_us
}

/// The events of an aggregation that are in it, by place and offset.
pub(super) fn events_of<'e>(events: &'e [Event], aggregation: usize, span: &Span) -> Vec<&'e Event> {
    let mut found: Vec<&Event> =
        events.iter().filter(|event| event.aggregation == aggregation && span.has(event)).collect();
    found.sort_by_key(|event| (event.place, event.offset));
    found
}

/// The value of an aggregate for a key.
pub(super) fn value(
    aggregation: &Aggregation,
    value: &AggregateValue,
    events: &[Event],
    key: &Value,
    span: &Span,
) -> Result<Value, String> {
    let leaf = &aggregation.leaves[value.leaf];
    let bound = leaf.aggregate.bind;
    let aggregate = bound(&leaf.call).map_err(|(_, reason)| reason)?;
    // By place, then by bucket; events of a bucket by offset.
    let mut places: BTreeMap<_, BTreeMap<i128, Vec<&Event>>> = BTreeMap::new();
    for event in events_of(events, value.aggregation, span) {
        if event.key == *key {
            places.entry(event.place).or_default().entry(span.bucket_us(event)).or_default().push(event);
        }
    }
    let mut folded = Partial::new(&*aggregate);
    for buckets in places.into_values() {
        let mut of_place = Partial::new(&*aggregate);
        for (start_us, mut inside) in buckets {
            if span.cuts(start_us) {
                inside.sort_by_key(|event| (event.time_us, event.offset));
            }
            let mut bucket = Partial::new(&*aggregate);
            inside.iter().for_each(|event| bucket.update(aggregation, leaf, event));
            of_place.merge(&bucket);
        }
        folded.merge(&of_place);
    }
    aggregate.finish(&folded.words, &folded.heap)
}

/// A partial with a heap of its own.
struct Partial<'a> {
    aggregate: &'a dyn Aggregate,
    words: Vec<u64>,
    heap: Heap,
}

impl<'a> Partial<'a> {
    fn new(aggregate: &'a dyn Aggregate) -> Partial<'a> {
        Partial { aggregate, words: vec![0; aggregate.words()], heap: Heap::default() }
    }

    /// Adds an event, unless its filter is not true or one of its arguments is null.
    fn update(&mut self, aggregation: &Aggregation, leaf: &Leaf, event: &Event) {
        if leaf.filter.is_some_and(|filter| event.columns[filter] != Value::Bool(true)) {
            return;
        }
        if leaf.args.iter().any(|arg| event.columns[*arg].is_null()) {
            return;
        }
        let mut columns = Vec::new();
        for arg in &leaf.args {
            let kind = &aggregation.columns[*arg].ty.kind;
            let mut column = EventColumn::new(kind);
            column.push(kind, &event.columns[*arg]);
            columns.push(column);
        }
        let args: Vec<u16> = (0..columns.len() as u16).collect();
        let seen =
            AggregateEvent { columns: &columns, args: &args, row: 0, time_us: event.time_us, offset: event.offset };
        self.aggregate.update(&mut self.words, &mut self.heap, &seen);
    }

    fn merge(&mut self, later: &Partial<'_>) {
        self.aggregate.merge(&mut self.words, &mut self.heap, &later.words, &later.heap);
    }
}
