//! The online rows of a session: per key and feature the value with the latest event time.
//!
//! A value without an event time is before every one that has one; equal times go by offset, then partition and source, so that any two messages
//! compare the same way whatever order they come in.
//!
//! This file must not know messages.

use std::collections::BTreeMap;

use chalk_catalog::event::EventColumn;
use chalk_types::{Kind, Value};

use crate::keeper::order_of;
use crate::query::StoredRows;

/// When and where a value was said, in the order in which values replace each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    /// None where the message has no time.
    pub(crate) time_us: Option<i64>,
    /// Offset of the message; of a row that a window gave, its end again.
    pub(crate) offset: i64,
    /// Its partition.
    pub(crate) partition: i64,
    /// Position of the source.
    pub(crate) source: u32,
}

/// A stored value.
type Stored = Option<(Stamp, Value)>;

/// Rows of all classes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    /// Per class: by the order of keys the key, and a value per feature.
    classes: Vec<BTreeMap<Vec<u8>, (Value, Vec<Stored>)>>,
    /// Per class the kind of its key.
    key_kinds: Vec<Kind>,
    /// Per class its features.
    widths: Vec<usize>,
}

impl Rows {
    /// No rows; per class the kind of its key and how many features it has.
    pub(crate) fn new(classes: impl Iterator<Item = (Kind, usize)>) -> Rows {
        let (key_kinds, widths): (Vec<Kind>, Vec<usize>) = classes.unzip();
        Rows { classes: vec![BTreeMap::new(); key_kinds.len()], key_kinds, widths }
    }

    fn order(&self, class: usize, key: &Value) -> Vec<u8> {
        let mut column = EventColumn::new(&self.key_kinds[class]);
        column.push(&self.key_kinds[class], key);
        order_of(&column, 0)
    }

    /// Puts values of features in, where no later ones are.
    pub(crate) fn put(
        &mut self,
        class: usize,
        key: &Value,
        stamp: Stamp,
        values: impl Iterator<Item = (usize, Value)>,
    ) {
        let (order, width) = (self.order(class, key), self.widths[class]);
        let (_, row) = self.classes[class].entry(order).or_insert_with(|| (key.clone(), vec![None; width]));
        for (feature, value) in values {
            // An equal stamp is the same message again.
            if row[feature].as_ref().is_none_or(|(known, _)| *known <= stamp) {
                row[feature] = Some((stamp, value));
            }
        }
    }

    /// Keys that have a row, with their order.
    pub(crate) fn keys(&self, class: usize) -> impl Iterator<Item = (&Vec<u8>, &Value)> {
        self.classes[class].iter().map(|(order, (key, _))| (order, key))
    }
}

impl StoredRows for Rows {
    fn stored(&self, class: usize, key: &Value) -> Result<Option<Vec<Value>>, String> {
        let row = self.classes[class].get(&self.order(class, key));
        let value = |stored: &Stored| stored.as_ref().map_or(Value::Null, |(_, value)| value.clone());
        Ok(row.map(|(_, row)| row.iter().map(value).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_event_time_stands_whatever_comes_last() {
        let mut rows = Rows::new([(Kind::INT, 2)].into_iter());
        let key = Value::Int(-1);
        let mut put = |time_us, offset, value: i128| {
            let stamp = Stamp { time_us, offset, partition: 0, source: 0 };
            rows.put(0, &key, stamp, [(1, Value::Int(value))].into_iter());
            rows.stored(0, &key).expect("in memory").expect("it is there")[1].clone()
        };
        assert_eq!(put(None, 9, 1), Value::Int(1), "without a time");
        assert_eq!(put(Some(10), 0, 2), Value::Int(2));
        assert_eq!(put(Some(5), 7, 3), Value::Int(2), "an earlier event");
        assert_eq!(put(Some(10), 1, 4), Value::Int(4), "the same time, a greater offset");
        assert_eq!(put(None, 99, 5), Value::Int(4));
        assert_eq!(rows.stored(0, &Value::Int(2)), Ok(None));
    }
}
