//! The model: all events of a partition, folded anew for every question as the design says.
//!
//! It groups by bucket and sorts by time in the plainest way, with numbers of 128 bits, so that it is right where tables may be wrong.
//!
//! This file must not know tables.

use std::collections::BTreeMap;

use chalk_artifact::manifest::{Aggregation, AggregationKind, Tier};
use chalk_catalog::aggregate::{Aggregate, Event, Heap};
use chalk_types::{Type, Value};

use crate::plans::{Row, aggregates, batch};

/// Partials of all leaves.
pub(crate) struct Partial {
    words: Vec<Vec<u64>>,
    heap: Heap,
    is_empty: bool,
}

/// All events of one partition, in the order of offsets.
pub(crate) struct Model {
    plan: Aggregation,
    aggregates: Vec<Box<dyn Aggregate>>,
    pub(crate) rows: Vec<Row>,
}

impl Model {
    pub(crate) fn new(plan: &Aggregation) -> Model {
        Model { plan: plan.clone(), aggregates: aggregates(plan), rows: Vec::new() }
    }

    pub(crate) fn empty(&self) -> Partial {
        let words = self.aggregates.iter().map(|aggregate| vec![0; aggregate.words()]).collect();
        Partial { words, heap: Heap::default(), is_empty: true }
    }

    /// The partial of events in the order given.
    fn fold(&self, rows: &[Row]) -> Partial {
        let mut partial = self.empty();
        let events = batch(&self.plan, rows);
        for (row, event) in rows.iter().enumerate() {
            for ((leaf, aggregate), words) in self.plan.leaves.iter().zip(&self.aggregates).zip(&mut partial.words) {
                let is_wanted = leaf.filter.is_none_or(|column| event.columns[column as usize] == Value::Bool(true));
                if !is_wanted || leaf.args.iter().any(|column| event.columns[*column as usize].is_null()) {
                    continue;
                }
                let args: Vec<u16> = leaf.args.iter().map(|column| *column as u16).collect();
                let event =
                    Event { columns: &events.columns, args: &args, row, time_us: event.time_us, offset: event.offset };
                aggregate.update(words, &mut partial.heap, &event);
            }
            partial.is_empty = false;
        }
        partial
    }

    pub(crate) fn merge(&self, into: &mut Partial, later: &Partial) {
        if later.is_empty {
            return;
        }
        for ((aggregate, into_words), words) in self.aggregates.iter().zip(&mut into.words).zip(&later.words) {
            aggregate.merge(into_words, &mut into.heap, words, &later.heap);
        }
        into.is_empty = false;
    }

    /// The results of all leaves, as text that tells every bit.
    pub(crate) fn finish(&self, partial: &Partial) -> Vec<String> {
        let each = self.aggregates.iter().zip(&partial.words);
        each.map(|(aggregate, words)| format!("{:?}", aggregate.finish(words, &partial.heap))).collect()
    }

    /// A key's partial over a window, as of now.
    pub(crate) fn read(&self, key: &Value, window: usize, now_us: i64) -> Partial {
        let mine: Vec<Row> = self.rows.iter().filter(|row| row.key == *key).cloned().collect();
        let now = i128::from(now_us);
        match &self.plan.kind {
            AggregationKind::Total => {
                let mut whole = self.empty();
                self.merge(&mut whole, &self.fold(&mine));
                whole
            }
            AggregationKind::Continuous(buckets) => {
                let tier = &buckets.tiers[buckets.windows[window].tier as usize];
                let after = now - i128::from(buckets.windows[window].duration_us);
                self.merged(&mine, tier, |number, rows| {
                    let (start, end) = (start_of(tier, number), start_of(tier, number + 1));
                    let is_whole = start > after && end - 1 <= now;
                    if !is_whole {
                        rows.retain(|row| i128::from(row.time_us) > after && i128::from(row.time_us) <= now);
                        rows.sort_by_key(|row| (row.time_us, row.offset));
                    }
                })
            }
            AggregationKind::Materialized(buckets) => {
                let tier = &buckets.tiers[buckets.windows[window].tier as usize];
                let last = start_of(tier, number_of(tier, now));
                let after = last - i128::from(buckets.windows[window].duration_us);
                self.merged(&mine, tier, |number, rows| {
                    let start = start_of(tier, number);
                    if start <= after || start > last {
                        rows.clear();
                    }
                })
            }
            AggregationKind::Tumbling { windows_us, .. } => {
                let tier = Tier { bucket_us: windows_us[window], origin_us: 0, span_us: windows_us[window] };
                let number = number_of(&tier, now);
                self.merged(&mine, &tier, |other, rows| {
                    if other != number {
                        rows.clear();
                    }
                })
            }
            AggregationKind::Messages { .. } => panic!("messages are not aggregated"),
        }
    }

    /// Buckets oldest to newest, each with those of its events that `choose` leaves, in the order that it leaves.
    fn merged(&self, mine: &[Row], tier: &Tier, choose: impl Fn(i128, &mut Vec<Row>)) -> Partial {
        let mut groups: BTreeMap<i128, Vec<Row>> = BTreeMap::new();
        for row in mine {
            groups.entry(number_of(tier, i128::from(row.time_us))).or_default().push(row.clone());
        }
        let mut whole = self.empty();
        for (number, mut rows) in groups {
            choose(number, &mut rows);
            self.merge(&mut whole, &self.fold(&rows));
        }
        whole
    }

    /// Keys of a tumbling window, in the order of their bytes.
    pub(crate) fn keys_of(&self, length_us: i64, start_us: i64) -> Vec<Value> {
        let end = i128::from(start_us) + i128::from(length_us);
        let inside = self.rows.iter().filter(|row| row.time_us >= start_us && i128::from(row.time_us) < end);
        let order = |key: &Value| match key {
            Value::Int(value) => (*value, Vec::new()),
            key => (0, key_bytes(key)),
        };
        let mut keys: Vec<Value> = inside.map(|row| row.key.clone()).collect();
        keys.sort_by_key(order);
        keys.dedup();
        keys
    }
}

pub(crate) fn key_bytes(key: &Value) -> Vec<u8> {
    match key {
        Value::Int(value) => (*value as i64).to_le_bytes().to_vec(),
        Value::String(value) => value.as_bytes().to_vec(),
        other => panic!("{other:?} is no key"),
    }
}

pub(crate) fn number_of(tier: &Tier, time_us: i128) -> i128 {
    (time_us - i128::from(tier.origin_us)).div_euclid(i128::from(tier.bucket_us))
}

fn start_of(tier: &Tier, number: i128) -> i128 {
    number * i128::from(tier.bucket_us) + i128::from(tier.origin_us)
}

/// One key as a column.
pub(crate) fn key_column(ty: &Type, key: &Value) -> chalk_catalog::event::EventColumn {
    let mut column = chalk_catalog::event::EventColumn::new(&ty.kind);
    column.push(&ty.kind, key);
    column
}
