//! Plans of aggregations, and batches of events for them.
//!
//! This file must not know tables.

use std::sync::Arc;

use chalk_artifact::manifest::{Aggregation, AggregationKind, Buckets, EventColumnPlan, Leaf, Tier, Window};
use chalk_catalog::aggregate::{Aggregate, AggregateCall};
use chalk_state::{EventBatch, Layout};
use chalk_types::{Kind, Type, Value};

use crate::random::Random;
use crate::trail::Trail;

/// An event; columns are amount (float), is it wanted (bool?), points (int?), text (string).
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) key: Value,
    pub(crate) time_us: i64,
    pub(crate) offset: i64,
    pub(crate) columns: Vec<Value>,
}

/// A leaf, and how to make its aggregate.
fn leaf(signature: &str, filter: Option<u32>, args: &[u32], columns: &[EventColumnPlan]) -> Leaf {
    Leaf {
        aggregate: signature.to_owned(),
        params: Vec::new(),
        filter,
        args: args.to_vec(),
        arg_types: args.iter().map(|column| Type { nullable: false, ..columns[*column as usize].ty.clone() }).collect(),
        ty: Type::INT,
    }
}

/// The aggregates of a plan, once more for whoever asks.
pub(crate) fn aggregates(plan: &Aggregation) -> Vec<Box<dyn Aggregate>> {
    let bind = |leaf: &Leaf| -> Box<dyn Aggregate> {
        if leaf.aggregate == "trail" {
            return Box::new(Trail);
        }
        let entries = chalk_functions::catalog().aggregates_named(&leaf.aggregate);
        let mut fitting = entries.filter(|entry| entry.signature.params.len() == leaf.args.len());
        let is_float = leaf.arg_types.first().is_some_and(|ty| ty.kind == Kind::Float64);
        let entry = fitting
            .find(|entry| {
                leaf.args.is_empty() || leaf.aggregate != "sum" || entry.def.signature.contains("float") == is_float
            })
            .unwrap_or_else(|| panic!("no aggregate {}", leaf.aggregate));
        let call = AggregateCall {
            args: leaf.arg_types.clone(),
            params: Vec::new(),
            result: leaf.arg_types.first().cloned().unwrap_or(Type::INT),
        };
        (entry.def.bind)(&call).unwrap_or_else(|(_, reason)| panic!("{reason}"))
    };
    plan.leaves.iter().map(bind).collect()
}

pub(crate) fn layout(plan: &Aggregation) -> Arc<Layout> {
    Layout::with(plan, aggregates(plan)).unwrap_or_else(|reason| panic!("{reason}"))
}

/// A plan over the columns of [`Row`] with so many of the leaves.
pub(crate) fn plan(key: Type, kind: AggregationKind, leaves: &[usize]) -> Aggregation {
    let column = |ty: Type| EventColumnPlan { source: String::new(), ty };
    let columns = vec![
        column(Type::FLOAT),
        column(Type::BOOL.to_optional()),
        column(Type::INT.to_optional()),
        column(Type::STRING),
    ];
    let all: [(&str, Option<u32>, &[u32]); 8] = [
        ("count", None, &[]),
        ("sum", None, &[0]),
        ("max", None, &[0]),
        ("trail", None, &[3]),
        ("min", None, &[2]),
        ("mean", Some(1), &[0]),
        ("trail", Some(1), &[3]),
        ("count", Some(1), &[]),
    ];
    let leaves = leaves.iter().map(|number| {
        let (name, filter, args) = all[*number];
        leaf(name, filter, args, &columns)
    });
    let leaves = leaves.collect();
    Aggregation { name: "User.logins".to_owned(), class: 0, key, columns, leaves, kind }
}

/// Windows of so many lengths, each over the first tier.
pub(crate) fn buckets(bucket_us: i64, origin_us: i64, windows_us: &[i64]) -> Buckets {
    let span_us = *windows_us.last().unwrap_or(&1);
    Buckets {
        tiers: vec![Tier { bucket_us, origin_us, span_us }],
        windows: windows_us.iter().map(|duration_us| Window { duration_us: *duration_us, tier: 0 }).collect(),
    }
}

fn random_buckets(random: &mut Random) -> Buckets {
    let mut tiers: Vec<Tier> = (0..1 + random.below(2))
        .map(|_| Tier { bucket_us: random.between(1, 30), origin_us: random.between(-50, 50), span_us: 1 })
        .collect();
    let mut windows: Vec<Window> = (0..1 + random.below(3))
        .map(|_| Window { duration_us: random.between(1, 120), tier: random.below(tiers.len() as u64) as u32 })
        .collect();
    windows.sort_by_key(|window| window.duration_us);
    for window in &windows {
        let span_us = &mut tiers[window.tier as usize].span_us;
        *span_us = (*span_us).max(window.duration_us);
    }
    Buckets { tiers, windows }
}

/// Any plan of keys.
pub(crate) fn random_plan(random: &mut Random) -> Aggregation {
    let kind = match random.below(4) {
        0 => AggregationKind::Total,
        1 => AggregationKind::Materialized(random_buckets(random)),
        2 => {
            let mut windows_us: Vec<i64> = (0..1 + random.below(3)).map(|_| random.between(1, 60)).collect();
            windows_us.sort_unstable();
            windows_us.dedup();
            AggregationKind::Tumbling { windows_us, allowed_lateness_us: random.between(0, 20) }
        }
        _ => AggregationKind::Continuous(random_buckets(random)),
    };
    let key = if random.one_in(2) { Type::INT } else { Type::STRING };
    let leaves: Vec<usize> = match random.below(3) {
        0 => vec![0, 1],
        1 => (0..8).filter(|_| random.one_in(2)).collect(),
        _ => vec![0, 1, 2, 3, 4, 5, 6, 7],
    };
    plan(key, kind, &leaves)
}

/// The key of a number.
pub(crate) fn key(ty: &Type, number: u64) -> Value {
    match ty.kind {
        Kind::String => Value::String("k".repeat(number as usize % 20) + &number.to_string()),
        _ => Value::Int(i128::from(number) - 3),
    }
}

/// What an event may carry.
pub(crate) fn random_columns(random: &mut Random) -> Vec<Value> {
    vec![
        Value::Float(random.pick(&[0.1, -0.0, 1e16, -3.7, 1.0 / 3.0, 1e-9, f64::NAN]) * random.between(1, 9) as f64),
        random.pick(&[Some(true), Some(false), None]).map_or(Value::Null, Value::Bool),
        if random.one_in(4) { Value::Null } else { Value::Int(i128::from(random.between(-99, 99))) },
        Value::String("x".repeat(random.below(12) as usize) + &random.below(100).to_string()),
    ]
}

/// Rows as a batch.
pub(crate) fn batch(plan: &Aggregation, rows: &[Row]) -> EventBatch {
    let mut batch = EventBatch::new(plan);
    for row in rows {
        batch.offsets.push(row.offset);
        batch.times_us.push(row.time_us);
        if let Some(keys) = &mut batch.keys {
            keys.push(&plan.key.kind, &row.key);
        }
        for ((column, value), of) in batch.columns.iter_mut().zip(&row.columns).zip(&plan.columns) {
            column.push(&of.ty.kind, value);
        }
    }
    batch
}
