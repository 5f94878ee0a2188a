//! What a commit keeps of state: which events came, which dedup keys are new, how far time is, which windows have run.
//!
//! Bytes: entries, each `tag u8 · number varint · size varint · payload`, so that an entry of a feed or resolver that is no longer there is
//! passed over. Payloads:
//!
//! | tag | number of | payload |
//! |---|---|---|
//! | 1 events | feed | partition zigzag varint · closed-until flag u8 [i64 LE] · `EventBatch` |
//! | 2 dedup keys | resolver | partition zigzag varint · (key u128 LE · time i64 LE)… |
//! | 3 greatest event time | resolver | partition zigzag varint · i64 LE |
//! | 4 windows that have run | resolver | i64 LE: all whose end is at or before it |
//! | 5 watermark | resolver | i64 LE |
//!
//! This file must not know tables.

use chalk_state::{DedupKey, EventBatch};
use chalk_types::varint;

/// An entry of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// Events of one table.
    Events {
        /// The feed's number.
        feed: u32,
        /// The partition.
        partition: i64,
        /// Tumbling windows whose end is at or before this had run.
        closed_until_us: Option<i64>,
        /// An encoded `EventBatch`.
        events: &'a [u8],
    },
    /// Dedup keys that were new.
    Keys {
        /// The resolver's number.
        resolver: u32,
        /// The partition.
        partition: i64,
        /// Keys with their times; `keys_of` reads them.
        keys: &'a [u8],
    },
    /// The greatest event time of a partition.
    Time {
        /// The resolver's number.
        resolver: u32,
        /// The partition.
        partition: i64,
        /// The time.
        time_us: i64,
    },
    /// Windows that have run.
    Closed {
        /// The resolver's number.
        resolver: u32,
        /// All whose end is at or before it.
        until_us: i64,
    },
    /// The watermark of a resolver.
    Reached {
        /// The resolver's number.
        resolver: u32,
        /// The time.
        time_us: i64,
    },
}

/// A key with its time, in a log.
const KEY_BYTES: usize = 24;

/// The keys of an entry.
pub fn keys_of(keys: &[u8]) -> impl Iterator<Item = (DedupKey, i64)> + '_ {
    let (keys, _) = keys.as_chunks::<KEY_BYTES>();
    keys.iter().map(|bytes| {
        let (mut key, mut time) = ([0; 16], [0; 8]);
        key.copy_from_slice(&bytes[..16]);
        time.copy_from_slice(&bytes[16..]);
        (DedupKey(u128::from_le_bytes(key)), i64::from_le_bytes(time))
    })
}

/// The entries of a log in order; an `Err` where the bytes are no log, and nothing after it.
pub fn entries(log: &[u8]) -> impl Iterator<Item = Result<Entry<'_>, String>> {
    let mut rest = log;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let at = log.len() - rest.len();
        let entry = take_entry(&mut rest);
        if entry.is_none() {
            rest = &[];
        }
        Some(entry.ok_or_else(|| format!("the state's log is damaged at byte {at} of {}", log.len())))
    })
}

fn take_entry<'a>(rest: &mut &'a [u8]) -> Option<Entry<'a>> {
    let [tag] = varint::take_array(rest)?;
    let number = u32::try_from(varint::take(rest)?).ok()?;
    let mut payload = varint::take_sized(rest)?;
    if tag == 4 {
        return Some(Entry::Closed { resolver: number, until_us: i64::from_le_bytes(payload.try_into().ok()?) });
    }
    if tag == 5 {
        return Some(Entry::Reached { resolver: number, time_us: i64::from_le_bytes(payload.try_into().ok()?) });
    }
    let zigzag = varint::take(&mut payload)?;
    let partition = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
    match tag {
        1 => {
            let closed_until_us = match varint::take_array(&mut payload)? {
                [0] => None,
                _ => Some(i64::from_le_bytes(varint::take_array(&mut payload)?)),
            };
            Some(Entry::Events { feed: number, partition, closed_until_us, events: payload })
        }
        2 if payload.len().is_multiple_of(KEY_BYTES) => {
            Some(Entry::Keys { resolver: number, partition, keys: payload })
        }
        3 => {
            let time_us = i64::from_le_bytes(payload.try_into().ok()?);
            Some(Entry::Time { resolver: number, partition, time_us })
        }
        _ => None,
    }
}

/// Appends the greatest event time of a partition.
pub fn put_time(log: &mut Vec<u8>, resolver: u32, partition: i64, time_us: i64) {
    LogWriter { log, payload: &mut Vec::new() }.time(resolver, partition, time_us);
}

/// Appends that windows have run.
pub fn put_closed(log: &mut Vec<u8>, resolver: u32, until_us: i64) {
    LogWriter { log, payload: &mut Vec::new() }.closed(resolver, until_us);
}

/// Appends how far a resolver's source was.
pub fn put_reached(log: &mut Vec<u8>, resolver: u32, time_us: i64) {
    LogWriter { log, payload: &mut Vec::new() }.reached(resolver, time_us);
}

/// Appends to a log; the memory for a payload is kept.
pub(super) struct LogWriter<'a> {
    pub(super) log: &'a mut Vec<u8>,
    pub(super) payload: &'a mut Vec<u8>,
}

impl LogWriter<'_> {
    fn begin(&mut self, partition: i64) {
        self.payload.clear();
        varint::put(self.payload, (partition.wrapping_shl(1) ^ (partition >> 63)) as u64);
    }

    fn end(&mut self, tag: u8, number: u32) {
        self.log.push(tag);
        varint::put(self.log, u64::from(number));
        varint::put(self.log, self.payload.len() as u64);
        self.log.extend_from_slice(self.payload);
    }

    pub(super) fn events(&mut self, feed: u32, partition: i64, closed_until_us: Option<i64>, events: &EventBatch) {
        self.begin(partition);
        self.payload.push(u8::from(closed_until_us.is_some()));
        self.payload.extend(closed_until_us.iter().flat_map(|until_us| until_us.to_le_bytes()));
        events.encode(self.payload);
        self.end(1, feed);
    }

    /// Nothing where there are no keys.
    pub(super) fn keys(&mut self, resolver: u32, partition: i64, keys: impl Iterator<Item = (DedupKey, i64)>) {
        self.begin(partition);
        let empty = self.payload.len();
        for (DedupKey(key), time_us) in keys {
            self.payload.extend_from_slice(&key.to_le_bytes());
            self.payload.extend_from_slice(&time_us.to_le_bytes());
        }
        if self.payload.len() != empty {
            self.end(2, resolver);
        }
    }

    pub(super) fn time(&mut self, resolver: u32, partition: i64, time_us: i64) {
        self.begin(partition);
        self.payload.extend_from_slice(&time_us.to_le_bytes());
        self.end(3, resolver);
    }

    pub(super) fn closed(&mut self, resolver: u32, until_us: i64) {
        self.payload.clear();
        self.payload.extend_from_slice(&until_us.to_le_bytes());
        self.end(4, resolver);
    }

    pub(super) fn reached(&mut self, resolver: u32, time_us: i64) {
        self.payload.clear();
        self.payload.extend_from_slice(&time_us.to_le_bytes());
        self.end(5, resolver);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_and_damage_is_said() {
        let (mut log, mut payload) = (Vec::new(), Vec::new());
        let mut writer = LogWriter { log: &mut log, payload: &mut payload };
        let keys = [(DedupKey(1 << 100), -5), (DedupKey(7), i64::MAX)];
        writer.keys(3, -1, keys.into_iter());
        writer.keys(3, 2, std::iter::empty());
        writer.time(300, i64::MIN, i64::MIN);
        writer.closed(1, 9);
        writer.reached(1, -9);
        let read: Vec<_> = entries(&log).collect::<Result<_, _>>().expect("it is whole");
        assert!(matches!(read[0], Entry::Keys { resolver: 3, partition: -1, keys: bytes } if keys_of(bytes).eq(keys)));
        assert_eq!(read[1], Entry::Time { resolver: 300, partition: i64::MIN, time_us: i64::MIN });
        assert_eq!(read[2], Entry::Closed { resolver: 1, until_us: 9 });
        assert_eq!(read[3], Entry::Reached { resolver: 1, time_us: -9 });
        assert_eq!(read.len(), 4, "no keys, no entry");
        for cut in 1..log.len() {
            let read: Vec<_> = entries(&log[..cut]).collect();
            let whole = read.iter().filter(|entry| entry.is_ok()).count();
            assert!(whole < 4, "cut at {cut}");
        }
    }
}
