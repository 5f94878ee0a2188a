//! Events of one aggregation from one partition: what updates state, and what the changelog keeps.
//!
//! Bytes: row count varint · offsets (first i64 LE, then zigzag varint differences) · times (the same) · key column · columns; a column is
//! `validity flag u8 [bytes] · words u64 LE… | ends u32 LE… bytes`.
//!
//! This file must not know how state is laid out.

use chalk_artifact::manifest::{Aggregation, AggregationKind};
use chalk_catalog::event::{EventColumn, EventData};
use chalk_types::varint;

/// Events in the order of their offsets, which ascend strictly.
#[derive(Clone, Debug, PartialEq)]
pub struct EventBatch {
    /// Offset of each event's message.
    pub offsets: Vec<i64>,
    /// Event times.
    pub times_us: Vec<i64>,
    /// Keys, never null; none for `AggregationKind::Messages`.
    pub keys: Option<EventColumn>,
    /// The columns of the aggregation.
    pub columns: Vec<EventColumn>,
}

impl EventBatch {
    /// An empty batch for the aggregation.
    pub fn new(plan: &Aggregation) -> EventBatch {
        let keyed = !matches!(plan.kind, AggregationKind::Messages { .. });
        EventBatch {
            offsets: Vec::new(),
            times_us: Vec::new(),
            keys: keyed.then(|| EventColumn::new(&plan.key.kind)),
            columns: plan.columns.iter().map(|column| EventColumn::new(&column.ty.kind)).collect(),
        }
    }

    /// Events.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// Forgets all events; memory is kept.
    pub fn clear(&mut self) {
        self.offsets.clear();
        self.times_us.clear();
        self.keys.iter_mut().chain(&mut self.columns).for_each(EventColumn::clear);
    }

    /// Appends the batch's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        varint::put(out, self.len() as u64);
        put_ascending(out, &self.offsets);
        put_ascending(out, &self.times_us);
        self.keys.iter().chain(&self.columns).for_each(|column| put_column(out, column));
    }

    /// Takes a batch of the aggregation off the front; `None` where the bytes hold none.
    pub fn decode(input: &mut &[u8], plan: &Aggregation) -> Option<EventBatch> {
        let rows = usize::try_from(varint::take(input)?).ok().filter(|rows| *rows <= input.len())?;
        let mut batch = EventBatch::new(plan);
        batch.offsets = take_ascending(input, rows)?;
        batch.times_us = take_ascending(input, rows)?;
        for column in batch.keys.iter_mut().chain(&mut batch.columns) {
            take_column(input, rows, column)?;
        }
        Some(batch)
    }
}

fn put_ascending(out: &mut Vec<u8>, values: &[i64]) {
    let mut before = 0i64;
    for &value in values {
        let step = value.wrapping_sub(before);
        varint::put(out, (step.wrapping_shl(1) ^ (step >> 63)) as u64);
        before = value;
    }
}

fn take_ascending(input: &mut &[u8], rows: usize) -> Option<Vec<i64>> {
    let mut before = 0i64;
    (0..rows)
        .map(|_| {
            let zigzag = varint::take(input)?;
            before = before.wrapping_add((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64));
            Some(before)
        })
        .collect()
}

fn put_column(out: &mut Vec<u8>, column: &EventColumn) {
    out.push(u8::from(!column.valid.is_empty()));
    out.extend_from_slice(&column.valid);
    match &column.data {
        EventData::Words(words) => words.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes())),
        EventData::Bytes { ends, bytes } => {
            ends.iter().for_each(|end| out.extend_from_slice(&end.to_le_bytes()));
            out.extend_from_slice(bytes);
        }
    }
}

fn take_column(input: &mut &[u8], rows: usize, column: &mut EventColumn) -> Option<()> {
    let [nullable] = varint::take_array(input)?;
    if nullable != 0 {
        column.valid = varint::take_bytes(input, rows)?.to_vec();
    }
    match &mut column.data {
        EventData::Words(words) => {
            let (taken, _) = varint::take_bytes(input, rows.checked_mul(8)?)?.as_chunks::<8>();
            words.extend(taken.iter().map(|word| u64::from_le_bytes(*word)));
        }
        EventData::Bytes { ends, bytes } => {
            let (taken, _) = varint::take_bytes(input, rows.checked_mul(4)?)?.as_chunks::<4>();
            ends.extend(taken.iter().map(|end| u32::from_le_bytes(*end)));
            if !ends.is_sorted() {
                return None;
            }
            let size = ends.last().map_or(0, |end| *end as usize);
            bytes.extend_from_slice(varint::take_bytes(input, size)?);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use chalk_artifact::manifest::EventColumnPlan;
    use chalk_types::{Kind, Type, Value};

    use super::*;

    #[test]
    fn a_batch_comes_back_and_a_torn_one_does_not() {
        let column = |ty: Type| EventColumnPlan { source: String::new(), ty };
        let plan = Aggregation {
            name: "User.logins".into(),
            class: 0,
            key: Type::STRING,
            columns: vec![column(Type::FLOAT.to_optional()), column(Type::STRING)],
            leaves: Vec::new(),
            kind: AggregationKind::Total,
        };
        let mut batch = EventBatch::new(&plan);
        for row in 0..5i64 {
            batch.offsets.push(i64::MAX - 10 + row);
            batch.times_us.push(if row % 2 == 0 { i64::MIN } else { i64::MAX });
            batch.keys.as_mut().unwrap().push(&Kind::String, &Value::String(format!("key {row}")));
            let amount = if row == 3 { Value::Null } else { Value::Float(row as f64 / 3.0) };
            batch.columns[0].push(&Kind::Float64, &amount);
            batch.columns[1].push(&Kind::String, &Value::String("x".repeat(row as usize)));
        }
        let mut bytes = Vec::new();
        batch.encode(&mut bytes);
        let mut rest = &bytes[..];
        assert_eq!(EventBatch::decode(&mut rest, &plan).as_ref(), Some(&batch));
        assert!(rest.is_empty());
        for cut in 0..bytes.len() {
            assert_eq!(EventBatch::decode(&mut &bytes[..cut], &plan), None, "cut at {cut}");
        }
        batch.clear();
        assert_eq!(batch, EventBatch::new(&plan));
    }
}
