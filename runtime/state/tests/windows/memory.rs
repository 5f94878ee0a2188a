//! Memory: what a table holds follows what it uses, and is what was said beforehand.
//!
//! This file must not know how tables are laid out.

use chalk_artifact::manifest::{Aggregation, AggregationKind, Buckets, Tier, Window};
use chalk_state::{EventBatch, Folded, Table, memory};
use chalk_types::{Type, Value};

use crate::model::key_column;
use crate::plans::{Row, batch, buckets, key, layout, plan};
use crate::random::Random;
use crate::runs::finish;

/// Batches of a thousand events of random ones of so many keys, each so long after the one before.
fn random_batches(
    plan: &Aggregation,
    random: &mut Random,
    keys: u64,
    events: i64,
    step_us: i64,
) -> impl Iterator<Item = (EventBatch, i64)> {
    (0..events / 1000).map(move |number| {
        let row = |offset: i64| Row {
            key: key(&plan.key, random.below(keys)),
            time_us: offset * step_us,
            offset,
            columns: vec![
                Value::Float(0.5),
                Value::Bool(true),
                Value::Int(offset.into()),
                Value::String("xy".to_owned()),
            ],
        };
        let rows: Vec<Row> = (number * 1000..(number + 1) * 1000).map(row).collect();
        (batch(plan, &rows), (number + 1) * 1000 * step_us)
    })
}

/// 20 k keys with 40 events and buckets each, of which one key in eight is left, among the blocks of the others.
fn keys_go(key_type: Type) {
    const KEYS: u64 = 20_000;
    let plan = plan(key_type, AggregationKind::Continuous(buckets(1, 0, &[100])), &[0, 1]);
    let mut table = Table::new(&layout(&plan));
    for round in 0..40 {
        let row = |number: u64| Row {
            key: key(&plan.key, number),
            time_us: if number.is_multiple_of(8) { 1000 } else { 0 } + round,
            offset: round * KEYS as i64 + number as i64,
            columns: vec![Value::Float(0.5), Value::Null, Value::Null, Value::String(String::new())],
        };
        let rows: Vec<Row> = (0..KEYS).map(row).collect();
        table.apply(&batch(&plan, &rows), None, None).unwrap();
    }
    let (held, used) = (table.held_bytes(), table.size_bytes());
    assert!(held * 4 <= used * 5, "{held} held, {used} used");
    // The first sweep forgets keys, the following ones find sparse memory. Entries stay where they are.
    for _ in 0..4 {
        table.expire(1040, KEYS as usize);
    }
    assert_eq!((table.len() as u64, table.counts().events as u64), (KEYS / 8, KEYS / 8 * 40));
    let (left, used_left) = (table.held_bytes(), table.size_bytes());
    assert!(used_left * 4 < used, "{used_left} of {used} used");
    assert!(left * 3 < held, "{left} of {held} held, {used_left} used");
    for number in (0..KEYS).step_by(8) {
        let mut folded = Folded::new(table.layout());
        let column = key_column(&plan.key, &key(&plan.key, number));
        assert!(table.read(&column, 0, 0, 1040, &mut folded, None).unwrap());
        assert_eq!(finish(&folded, &plan), ["Ok(Int(40))", "Ok(Float(20.0))"]);
    }
}

#[test]
fn memory_of_keys_that_are_gone_goes_back_although_some_stay_among_them() {
    keys_go(Type::INT);
}

#[test]
fn memory_of_text_keys_that_are_gone_goes_back_too() {
    keys_go(Type::STRING);
}

/// Within a quarter: in the mean of keys, whatever is kept of them, be it much or little.
#[test]
fn what_is_held_is_what_was_estimated() {
    let tiers = |windows_us: &[i64]| Buckets {
        tiers: vec![
            Tier { bucket_us: 100, origin_us: 0, span_us: 3000 },
            Tier { bucket_us: 3000, origin_us: 0, span_us: 144_000 },
        ],
        windows: windows_us
            .iter()
            .map(|duration_us| Window { duration_us: *duration_us, tier: u32::from(*duration_us > 3000) })
            .collect(),
    };
    let windows_us = [1000, 3000, 144_000];
    for (number, (kind, key_type, keys, events)) in [
        (AggregationKind::Materialized(tiers(&windows_us)), Type::INT, 10_000, 80_000),
        (AggregationKind::Materialized(tiers(&windows_us)), Type::INT, 3_000, 200_000),
        (AggregationKind::Materialized(tiers(&windows_us)), Type::STRING, 10_000, 40_000),
        (AggregationKind::Continuous(tiers(&windows_us)), Type::INT, 10_000, 80_000),
        (AggregationKind::Continuous(tiers(&windows_us)), Type::INT, 3_000, 200_000),
        (AggregationKind::Continuous(tiers(&windows_us)), Type::STRING, 2_000, 100_000),
        (AggregationKind::Total, Type::INT, 10_000, 20_000),
        (AggregationKind::Total, Type::STRING, 10_000, 20_000),
    ]
    .into_iter()
    .enumerate()
    {
        let plan = plan(key_type, kind, &[0, 1]);
        let mut table = Table::new(&layout(&plan));
        // One and a half times the longest window.
        let step_us = 216_000 / events;
        for (batch, now_us) in random_batches(&plan, &mut Random::new(7), keys, events, step_us.max(1)) {
            table.apply(&batch, None, None).unwrap();
            table.expire(now_us, 1000);
        }
        let counts = table.counts();
        let keys = counts.keys as f64;
        let records: Vec<f64> = counts.records.iter().map(|count| *count as f64 / keys).collect();
        let estimate = memory::estimate_layout(table.layout());
        let estimated = estimate.key_bytes(&records, counts.events as f64 / keys);
        let held = table.held_bytes() as f64 / keys;
        let ratio = held / estimated;
        assert!(
            (0.8..=1.25).contains(&ratio),
            "{number}: {held:.0} B held of a key, {estimated:.0} B estimated, {records:.1?}"
        );
    }
}
