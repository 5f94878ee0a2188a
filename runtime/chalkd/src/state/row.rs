//! A stored row: per group of features the latest values and their stamp; and how two rows become one.
//!
//! A *layout* is the set of features that a resolver writes (`registry.rs`), so every message of it says something
//! about each of them, null included. The latest value of a feature is thus the one in the group with the greatest
//! stamp among the groups whose layout has it, and a row needs one group per layout, not one stamp per feature.
//!
//! Bytes: groups in ascending order of layout, each
//! `layout varint · timed u8 · time_us i64 LE · offset varint · partition varint · source varint · size varint ·
//! values`.
//! The values are the layout's features in its order, as `chalk_types::codec` writes them.
//!
//! This file must not know types or the layouts' features.

use chalk_types::varint;

/// When and where a value was said. Ordered by event time, then offset, partition and source, so that every two
/// messages compare the same way whatever order they come in. What has no event time is before everything that has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Whether the message had an event time.
    pub timed: bool,
    /// Microseconds since the Unix epoch: the event time, or when the message was consumed if it had none.
    pub time_us: i64,
    /// Offset of the message.
    pub offset: i64,
    /// Its partition.
    pub partition: i32,
    /// The source, by its position in the registry.
    pub source: u32,
}

impl Stamp {
    fn order(&self) -> (bool, i64, i64, i32, u32) {
        // When an untimed message was consumed differs between a run and its replay: it does not count.
        (self.timed, if self.timed { self.time_us } else { 0 }, self.offset, self.partition, self.source)
    }

    /// Whether a value with this stamp replaces one with the other. An equal stamp is the same message again; the later
    /// computation stands.
    pub fn replaces(&self, other: &Stamp) -> bool {
        self.order() >= other.order()
    }
}

/// One group of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group<'a> {
    /// The layout, by its position in the registry.
    pub layout: u32,
    /// When and where.
    pub stamp: Stamp,
    /// The encoded values.
    pub values: &'a [u8],
}

/// Appends a group to a row.
pub fn put_group(row: &mut Vec<u8>, layout: u32, stamp: &Stamp, values: &[u8]) {
    varint::put(row, u64::from(layout));
    row.push(u8::from(stamp.timed));
    row.extend_from_slice(&stamp.time_us.to_le_bytes());
    varint::put(row, stamp.offset as u64);
    varint::put(row, u64::from(stamp.partition as u32));
    varint::put(row, u64::from(stamp.source));
    varint::put(row, values.len() as u64);
    row.extend_from_slice(values);
}

/// The groups of a row, until its end or the first that is damaged.
pub fn groups(row: &[u8]) -> impl Iterator<Item = Group<'_>> {
    let mut rest = row;
    std::iter::from_fn(move || take_group(&mut rest))
}

fn take_group<'a>(rest: &mut &'a [u8]) -> Option<Group<'a>> {
    let layout = u32::try_from(varint::take(rest)?).ok()?;
    let [timed] = varint::take_array(rest)?;
    let time_us = i64::from_le_bytes(varint::take_array(rest)?);
    let offset = varint::take(rest)? as i64;
    let partition = varint::take(rest)? as u32 as i32;
    let source = varint::take(rest)? as u32;
    let values = varint::take_sized(rest)?;
    Some(Group { layout, stamp: Stamp { timed: timed != 0, time_us, offset, partition, source }, values })
}

/// The two rows merged, where that differs from `old`.
pub fn merge(old: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    let (mut olds, mut news) = (groups(old).peekable(), groups(new).peekable());
    let mut merged = Vec::with_capacity(old.len().max(new.len()));
    let mut changed = false;
    loop {
        let group = match (olds.peek(), news.peek()) {
            (None, None) => return changed.then_some(merged),
            (Some(a), Some(b)) if a.layout == b.layout => {
                let replaces = b.stamp.replaces(&a.stamp);
                let group = if replaces { *b } else { *a };
                changed |= replaces && a != b;
                olds.next();
                news.next();
                group
            }
            (Some(a), b) if b.is_none_or(|b| a.layout < b.layout) => {
                let group = *a;
                olds.next();
                group
            }
            (_, Some(b)) => {
                let group = *b;
                changed = true;
                news.next();
                group
            }
            (Some(_), None) => unreachable!("the arm above takes it"),
        };
        put_group(&mut merged, group.layout, &group.stamp, group.values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(timed: bool, time_us: i64, offset: i64, partition: i32) -> Stamp {
        Stamp { timed, time_us, offset, partition, source: 0 }
    }

    fn row(of: &[(u32, Stamp, &str)]) -> Vec<u8> {
        let mut row = Vec::new();
        for (layout, stamp, values) in of {
            put_group(&mut row, *layout, stamp, values.as_bytes());
        }
        row
    }

    #[test]
    fn the_latest_event_time_wins_and_ties_go_to_the_greater_offset() {
        let old = row(&[(1, stamp(true, 100, 7, 0), "old")]);
        assert_eq!(merge(&old, &row(&[(1, stamp(true, 99, 8, 0), "late")])), None);
        let tie = row(&[(1, stamp(true, 100, 8, 0), "new")]);
        assert_eq!(merge(&old, &tie), Some(tie.clone()));
        assert_eq!(merge(&tie, &old), None);
        assert_eq!(merge(&old, &row(&[(1, stamp(false, 999, 9, 0), "untimed")])), None);
    }

    #[test]
    fn groups_of_different_resolvers_live_side_by_side() {
        let a = row(&[(1, stamp(true, 5, 1, 0), "a"), (4, stamp(true, 5, 1, 0), "x")]);
        let b = row(&[(2, stamp(true, 1, 9, 3), "b"), (4, stamp(true, 6, 1, 0), "y")]);
        let merged = merge(&a, &b).unwrap();
        let values: Vec<_> = groups(&merged).map(|group| (group.layout, group.values)).collect();
        assert_eq!(values, [(1, &b"a"[..]), (2, b"b"), (4, b"y")]);
    }

    /// Merging any rows in any order, some of them twice, gives one outcome: what replay and several workers rely on.
    #[test]
    fn merging_is_commutative_associative_and_idempotent() {
        let mut seed = 0x9e37_79b9_7f4a_7c15u64;
        let mut random = move |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for round in 0..300 {
            let mut rows: Vec<Vec<u8>> = (0..6)
                .map(|_| {
                    let stamp = stamp(random(4) > 0, random(3) as i64, random(3) as i64, random(2) as i32);
                    // A message says one thing, so its stamp determines its values.
                    let says = format!("{:?}", stamp.order());
                    row(&[(random(3) as u32, stamp, says.as_str())])
                })
                .collect();
            let fold =
                |rows: &[Vec<u8>]| rows.iter().fold(Vec::new(), |row: Vec<u8>, new| merge(&row, new).unwrap_or(row));
            let normal = |row: &[u8]| {
                groups(row).map(|group| (group.layout, group.stamp.order(), group.values.to_vec())).collect::<Vec<_>>()
            };
            let straight = normal(&fold(&rows));
            for index in (1..rows.len()).rev() {
                rows.swap(index, random(index as u64 + 1) as usize);
            }
            rows.push(rows[2].clone());
            assert_eq!(normal(&fold(&rows)), straight, "round {round}");
            let (left, right) = rows.split_at(3);
            let halves = [fold(left), fold(right)];
            assert_eq!(normal(&fold(&halves)), straight, "round {round}, in halves");
        }
    }
}
