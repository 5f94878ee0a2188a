//! Events, partials with the heap they live on, and how results are compared.

use chalk_catalog::aggregate::{Aggregate, Event, Heap};
use chalk_catalog::event::EventColumn;
use chalk_types::{Type, Value};

use crate::random::Random;

/// Events of which no argument is null.
#[derive(Clone, Debug, Default)]
pub(crate) struct Events {
    pub(crate) rows: Vec<Vec<Value>>,
    pub(crate) times_us: Vec<i64>,
    pub(crate) offsets: Vec<i64>,
}

impl Events {
    /// So many events with arguments of the types; event times are few, offsets ascend.
    pub(crate) fn random(random: &mut Random, types: &[Type], count: usize, is_wild: bool) -> Events {
        let mut events = Events::default();
        for offset in 0..count {
            events.rows.push(types.iter().map(|ty| random.value(ty, is_wild)).collect());
            events.times_us.push(random.below(count / 2 + 1) as i64 - 3);
            events.offsets.push(offset as i64);
        }
        events
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The same events, having arrived in another order.
    pub(crate) fn shuffled(&self, random: &mut Random) -> Events {
        let mut order: Vec<usize> = (0..self.len()).collect();
        random.shuffle(&mut order);
        self.in_order(&order)
    }

    /// The same events by event time, then by offset.
    pub(crate) fn by_time(&self) -> Events {
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_by_key(|row| (self.times_us[*row], self.offsets[*row]));
        self.in_order(&order)
    }

    fn in_order(&self, order: &[usize]) -> Events {
        Events {
            rows: order.iter().map(|row| self.rows[*row].clone()).collect(),
            times_us: order.iter().map(|row| self.times_us[*row]).collect(),
            offsets: order.iter().map(|row| self.offsets[*row]).collect(),
        }
    }

    /// The events as state sees them.
    pub(crate) fn columns(&self, types: &[Type]) -> Columns {
        let mut columns: Vec<EventColumn> = types.iter().map(|ty| EventColumn::new(&ty.kind)).collect();
        for row in &self.rows {
            for ((column, ty), value) in columns.iter_mut().zip(types).zip(row) {
                column.push(&ty.kind, value);
            }
        }
        let args = (0..types.len() as u16).collect();
        Columns { columns, args, times_us: self.times_us.clone(), offsets: self.offsets.clone() }
    }
}

/// Events in columns.
pub(crate) struct Columns {
    columns: Vec<EventColumn>,
    args: Vec<u16>,
    times_us: Vec<i64>,
    offsets: Vec<i64>,
}

impl Columns {
    pub(crate) fn event(&self, row: usize) -> Event<'_> {
        Event { columns: &self.columns, args: &self.args, row, time_us: self.times_us[row], offset: self.offsets[row] }
    }
}

/// A partial with a heap of its own.
pub(crate) struct Partial<'a> {
    pub(crate) aggregate: &'a dyn Aggregate,
    pub(crate) words: Vec<u64>,
    pub(crate) heap: Heap,
}

impl<'a> Partial<'a> {
    pub(crate) fn new(aggregate: &'a dyn Aggregate) -> Partial<'a> {
        Partial { aggregate, words: vec![0; aggregate.words()], heap: Heap::default() }
    }

    /// The partial of a stretch of events.
    pub(crate) fn of(aggregate: &'a dyn Aggregate, columns: &Columns, rows: std::ops::Range<usize>) -> Partial<'a> {
        let mut partial = Partial::new(aggregate);
        rows.for_each(|row| partial.update(columns, row));
        partial
    }

    pub(crate) fn update(&mut self, columns: &Columns, row: usize) {
        self.aggregate.update(&mut self.words, &mut self.heap, &columns.event(row));
    }

    pub(crate) fn merge(&mut self, later: &Partial<'_>) {
        self.aggregate.merge(&mut self.words, &mut self.heap, &later.words, &later.heap);
    }

    pub(crate) fn finish(&self) -> Result<Value, String> {
        self.aggregate.finish(&self.words, &self.heap)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.aggregate.encode(&self.words, &self.heap, &mut bytes);
        bytes
    }

    /// Reads a partial that is all of the bytes.
    pub(crate) fn read(aggregate: &'a dyn Aggregate, bytes: &[u8]) -> Option<Partial<'a>> {
        let mut partial = Partial::new(aggregate);
        let mut rest = bytes;
        let read = aggregate.decode(&mut rest, &mut partial.words, &mut partial.heap);
        if read.is_none() {
            assert!(partial.heap.is_empty(), "a partial that cannot be read leaves nothing on the heap");
            return None;
        }
        assert!(rest.is_empty(), "{} bytes are left over", rest.len());
        Some(partial)
    }

    pub(crate) fn clear(mut self) {
        self.aggregate.clear(&mut self.words, &mut self.heap);
        assert!(self.words.iter().all(|word| *word == 0), "a cleared partial is an empty one");
        assert!(self.heap.is_empty(), "{:?} is left", self.heap);
    }
}

/// Text that tells results apart to the bit, -0.0 from 0.0 too; all NaN are one.
pub(crate) fn exact(result: &Result<Value, String>) -> String {
    format!("{result:?}")
}

/// Whether results are equal but for the last digits of floats, whose sums were of about that size.
pub(crate) fn is_close(a: &Result<Value, String>, b: &Result<Value, String>, size: f64) -> bool {
    match (a, b) {
        (Ok(a), Ok(b)) => is_close_value(a, b, size),
        _ => a == b,
    }
}

fn is_close_value(a: &Value, b: &Value, size: f64) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => {
            (a.is_nan() && b.is_nan()) || a == b || (a - b).abs() <= 1e-9 * size.max(a.abs()).max(1.0)
        }
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_close_value(a, b, size))
        }
        // As text, so that NaN is NaN.
        _ => format!("{a:?}") == format!("{b:?}"),
    }
}
