//! Tumbling windows over all keys at once: the messages themselves, for SQL.
//!
//! A window is kept in slices, so that the store is given what came since it was last told, not the whole window again.
//! A slice's key is `start i64 · window u32 · slice u32`, big-endian, with the sign of the start flipped: bytes in the order of windows.
//!
//! This file must not know queries.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use chalk_artifact::manifest::AggregationKind;
use chalk_catalog::event::{EventColumn, EventData};
use chalk_types::varint;

use crate::image::{DAMAGED, seal, unseal};
use crate::{EventBatch, Layout};

const VERSION: u8 = 1;
/// Messages of a slice.
const SLICE: usize = 4096;

/// (start, position of the length).
type WindowId = (i64, usize);

/// Windows of messages.
pub(crate) struct Messages {
    layout: Arc<Layout>,
    windows: BTreeMap<WindowId, BTreeMap<u32, Slice>>,
    gone: VecDeque<[u8; 16]>,
}

struct Slice {
    messages: EventBatch,
    is_dirty: bool,
    is_stored: bool,
}

impl Messages {
    pub(crate) fn new(layout: &Arc<Layout>) -> Messages {
        Messages { layout: layout.clone(), windows: BTreeMap::new(), gone: VecDeque::new() }
    }

    pub(crate) fn apply(&mut self, events: &EventBatch, closed_until_us: Option<i64>) {
        let layout = self.layout.clone();
        for row in 0..events.len() {
            for (window, series) in layout.series.iter().enumerate() {
                let number = series.number(events.times_us[row]);
                // A window is closed if it ends at or before the time.
                if closed_until_us.is_some_and(|until_us| number < series.number(until_us)) {
                    continue;
                }
                let slices = self.windows.entry((series.bounds(number).0, window)).or_default();
                let last = slices.last_key_value();
                let is_known = last.is_some_and(|(_, slice)| {
                    slice.messages.offsets.last().is_some_and(|last| events.offsets[row] <= *last)
                });
                if is_known {
                    continue;
                }
                let position = match last {
                    Some((position, slice)) if slice.messages.len() < SLICE => *position,
                    Some((position, _)) => position + 1,
                    None => 0,
                };
                let slice = slices.entry(position).or_insert_with(|| Slice {
                    messages: EventBatch::new(layout.plan()),
                    is_dirty: false,
                    is_stored: false,
                });
                push_row(&mut slice.messages, events, row);
                slice.is_dirty = true;
            }
        }
    }

    pub(crate) fn open_windows(&self, until_us: i64) -> Vec<(usize, i64)> {
        let windows = self.windows.keys().map(|(start_us, window)| (*window, *start_us));
        windows.filter(|(window, start_us)| self.layout.series[*window].end(*start_us) <= until_us).collect()
    }

    pub(crate) fn close(&mut self, window: usize, start_us: i64) -> EventBatch {
        let mut all = EventBatch::new(self.layout.plan());
        for (position, slice) in self.windows.remove(&(start_us, window)).into_iter().flatten() {
            if slice.is_stored {
                self.gone.push_back(slice_key((start_us, window), position));
            }
            (0..slice.messages.len()).for_each(|row| push_row(&mut all, &slice.messages, row));
        }
        all
    }

    pub(crate) fn take_dirty(&mut self, max_entries: usize, visit: &mut dyn FnMut(&[u8], Option<&[u8]>)) -> bool {
        let mut left = max_entries;
        while left > 0 && !self.gone.is_empty() {
            if let Some(key) = self.gone.pop_front() {
                visit(&key, None);
            }
            left -= 1;
        }
        let mut image = Vec::new();
        let slices = self.windows.iter_mut().flat_map(|(id, slices)| {
            slices.iter_mut().map(move |(position, slice)| (slice_key(*id, *position), slice))
        });
        for (key, slice) in slices.filter(|(_, slice)| slice.is_dirty) {
            if left == 0 {
                return true;
            }
            image.clear();
            image.push(VERSION);
            slice.messages.encode(&mut image);
            seal(&mut image, 0);
            visit(&key, Some(&image));
            (slice.is_dirty, slice.is_stored) = (false, true);
            left -= 1;
        }
        !self.gone.is_empty()
    }

    pub(crate) fn load(&mut self, key: &[u8], image: &[u8]) -> Result<(), String> {
        let (id, position) = self.parse_key(key).ok_or(DAMAGED)?;
        let mut input = unseal(image).ok_or(DAMAGED)?;
        if varint::take_array(&mut input) != Some([VERSION]) {
            return Err(DAMAGED.to_owned());
        }
        let messages = EventBatch::decode(&mut input, self.layout.plan()).ok_or(DAMAGED)?;
        if !input.is_empty() {
            return Err(DAMAGED.to_owned());
        }
        let slices = self.windows.entry(id).or_default();
        slices.entry(position).or_insert(Slice { messages, is_dirty: false, is_stored: true });
        Ok(())
    }

    fn parse_key(&self, key: &[u8]) -> Option<(WindowId, u32)> {
        let (start, rest) = key.split_first_chunk::<8>()?;
        let (window, rest) = rest.split_first_chunk::<4>()?;
        let position: [u8; 4] = rest.try_into().ok()?;
        let window = u32::from_be_bytes(*window) as usize;
        let AggregationKind::Messages { windows_us, .. } = &self.layout.plan().kind else { return None };
        let start_us = (u64::from_be_bytes(*start) ^ 1 << 63) as i64;
        (window < windows_us.len()).then_some(((start_us, window), u32::from_be_bytes(position)))
    }

    pub(crate) fn len(&self) -> usize {
        self.windows.values().map(BTreeMap::len).sum()
    }

    pub(crate) fn events(&self) -> usize {
        self.windows.values().flat_map(BTreeMap::values).map(|slice| slice.messages.len()).sum()
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.windows.values().flat_map(BTreeMap::values).map(|slice| batch_bytes(&slice.messages)).sum()
    }
}

fn slice_key((start_us, window): WindowId, position: u32) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&(start_us as u64 ^ 1 << 63).to_be_bytes());
    key[8..12].copy_from_slice(&(window as u32).to_be_bytes());
    key[12..].copy_from_slice(&position.to_be_bytes());
    key
}

fn push_row(to: &mut EventBatch, from: &EventBatch, row: usize) {
    to.offsets.push(from.offsets[row]);
    to.times_us.push(from.times_us[row]);
    for (to, from) in to.keys.iter_mut().chain(&mut to.columns).zip(from.keys.iter().chain(&from.columns)) {
        push_value(to, from, row);
    }
}

fn push_value(to: &mut EventColumn, from: &EventColumn, row: usize) {
    let is_valid = from.is_valid(row);
    if !is_valid && to.valid.is_empty() {
        to.valid = vec![1; to.len()];
    }
    if !is_valid || !to.valid.is_empty() {
        to.valid.push(u8::from(is_valid));
    }
    match (&mut to.data, &from.data) {
        (EventData::Words(to), EventData::Words(from)) => to.push(from[row]),
        (EventData::Bytes { ends, bytes }, EventData::Bytes { .. }) => {
            bytes.extend_from_slice(from.bytes(row));
            ends.push(bytes.len() as u32);
        }
        _ => panic!("columns of an aggregation are of one kind"),
    }
}

fn batch_bytes(batch: &EventBatch) -> usize {
    let columns = batch.keys.iter().chain(&batch.columns).map(|column| {
        column.valid.capacity()
            + match &column.data {
                EventData::Words(words) => words.capacity() * 8,
                EventData::Bytes { ends, bytes } => ends.capacity() * 4 + bytes.capacity(),
            }
    });
    (batch.offsets.capacity() + batch.times_us.capacity()) * 8 + columns.sum::<usize>()
}
