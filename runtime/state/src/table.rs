//! The state of one aggregation and one source partition: its keys, and what is kept of each.
//!
//! One owner works on a table at a time: whoever reads the partition updates it in the order of offsets.
//!
//! This file must not know logs, stores or other partitions.

use std::sync::Arc;

use chalk_catalog::event::EventColumn;

use crate::keyed::{FLAGS, KeyRef, Keyed, LIVE, USED};
use crate::layout::StateKind;
use crate::messages::Messages;
use crate::{ClosedWindow, EventBatch, Folded, Layout};

/// Images of entries that are not in memory.
pub trait ColdStore: Send + Sync {
    /// The image last given for the key's bytes; none where there is none.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, String>;
}

/// The state of one aggregation and one source partition.
///
/// A key's bytes, where stores are concerned, are a word's 8 bytes, little-endian, or the text or bytes themselves; of `AggregationKind::Messages`,
/// the table's own.
pub struct Table {
    layout: Arc<Layout>,
    state: State,
}

/// What a table keeps, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Keys in memory.
    pub keys: usize,
    /// Per series of buckets (per length of tumbling windows) how many closed ones are kept, of all keys.
    pub records: Vec<usize>,
    /// Events that are kept by themselves.
    pub events: usize,
}

enum State {
    Keyed(Box<Keyed>),
    Messages(Messages),
}

impl Table {
    /// An empty table.
    pub fn new(layout: &Arc<Layout>) -> Table {
        let state = match layout.kind {
            StateKind::Messages => State::Messages(Messages::new(layout)),
            _ => State::Keyed(Box::new(Keyed::new(layout))),
        };
        Table { layout: layout.clone(), state }
    }

    /// What it is laid out by.
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// Updates from events in order. Events that are not newer than the last that was applied, or than what their entry's image has, are passed
    /// over, so a replay changes nothing.
    /// Tumbling windows whose end is at or before `closed_until_us` are over, and take nothing of these events; those that have run never take
    /// anything again.
    ///
    /// An error is the store's: some of the events may be in then, and applying the batch again adds the rest.
    pub fn apply(
        &mut self,
        events: &EventBatch,
        closed_until_us: Option<i64>,
        cold: Option<&dyn ColdStore>,
    ) -> Result<(), String> {
        match &mut self.state {
            State::Keyed(keyed) => keyed.apply(events, closed_until_us, cold),
            State::Messages(messages) => {
                messages.apply(events, closed_until_us);
                Ok(())
            }
        }
    }

    /// Folds a key's partials over a window of the plan, as of now, into `into`, which is empty; false where the key is unknown.
    /// Of tumbling aggregations: over the window that `now_us` is in. Now is never before what [`Table::expire`] was told.
    pub fn read(
        &mut self,
        key: &EventColumn,
        row: usize,
        window: usize,
        now_us: i64,
        into: &mut Folded,
        cold: Option<&dyn ColdStore>,
    ) -> Result<bool, String> {
        let State::Keyed(keyed) = &mut self.state else { return Ok(false) };
        let key = KeyRef::of(key, row);
        let hash = keyed.hash(key);
        let Some(id) = keyed.find_or_load(hash, key, cold)? else { return Ok(false) };
        let mut entry = keyed.slab.get_mut(id);
        entry[FLAGS] |= USED;
        if entry[self.layout.last_offset_at] as i64 == i64::MIN {
            return Ok(false);
        }
        keyed.fold(id, window, now_us, into);
        Ok(true)
    }

    /// Tumbling: windows that have events and end at or before the time, as (position of the length, start), ascending by start, then length.
    pub fn open_windows(&mut self, until_us: i64) -> Vec<(usize, i64)> {
        match &mut self.state {
            State::Keyed(keyed) => keyed.open_windows(until_us),
            State::Messages(messages) => messages.open_windows(until_us),
        }
    }

    /// Tumbling: takes a window out, into one that is empty.
    /// After a restart all images have to be loaded before. Of each length windows are closed from the oldest on: earlier ones take no events
    /// any more.
    pub fn close(&mut self, window: usize, start_us: i64, into: &mut ClosedWindow) {
        if let State::Keyed(keyed) = &mut self.state {
            keyed.close(window, start_us, into);
        }
    }

    /// `AggregationKind::Messages`: takes the messages of a window out, in offset order.
    pub fn close_messages(&mut self, window: usize, start_us: i64) -> EventBatch {
        match &mut self.state {
            State::Keyed(_) => EventBatch::new(self.layout.plan()),
            State::Messages(messages) => messages.close(window, start_us),
        }
    }

    /// Tumbling: drops windows that end at or before the time. After a restart: those that had run, which older images may still have.
    /// Gives how many windows.
    pub fn drop_closed(&mut self, closed_until_us: i64) -> usize {
        let ended = self.open_windows(closed_until_us);
        if let State::Keyed(keyed) = &mut self.state {
            keyed.set_closed(closed_until_us);
        }
        let mut unread = ClosedWindow::new(&self.layout);
        for (window, start_us) in &ended {
            unread.clear();
            match &mut self.state {
                State::Keyed(keyed) => keyed.close(*window, *start_us, &mut unread),
                State::Messages(messages) => drop(messages.close(*window, *start_us)),
            }
        }
        ended.len()
    }

    /// Frees what no window can see at or after `low_us`, looking at no more than `max_entries` entries; the next call goes on from there.
    /// From now on nobody asks for an earlier time, and events that only earlier times would see are not kept. Gives how many keys are gone.
    pub fn expire(&mut self, low_us: i64, max_entries: usize) -> usize {
        match &mut self.state {
            State::Keyed(keyed) => keyed.expire(low_us, max_entries),
            State::Messages(_) => 0,
        }
    }

    /// Whether no window can see anything of an image any more, as far as [`Table::expire`] was told: the store may drop it.
    pub fn is_forgotten(&self, image: &[u8]) -> bool {
        match &self.state {
            State::Keyed(keyed) => keyed.is_forgotten(image).unwrap_or(false),
            State::Messages(_) => false,
        }
    }

    /// Gives images of entries that changed since they were last given, at most `max_entries`; none where the key is gone.
    /// Whether there are more.
    pub fn take_dirty(&mut self, max_entries: usize, visit: &mut dyn FnMut(&[u8], Option<&[u8]>)) -> bool {
        match &mut self.state {
            State::Keyed(keyed) => keyed.take_dirty(max_entries, visit),
            State::Messages(messages) => messages.take_dirty(max_entries, visit),
        }
    }

    /// Takes an image in; ignored where the key is in memory. An error says what is wrong with the image.
    pub fn load(&mut self, key: &[u8], image: &[u8]) -> Result<(), String> {
        match &mut self.state {
            State::Keyed(keyed) => {
                let key = match (self.layout.is_word_key, key.try_into()) {
                    (true, Ok(word)) => KeyRef::Word(u64::from_le_bytes(word)),
                    (true, Err(_)) => return Err(crate::image::DAMAGED.to_owned()),
                    (false, _) => KeyRef::Bytes(key),
                };
                let hash = keyed.hash(key);
                match keyed.find(hash, key) {
                    Some(_) => Ok(()),
                    None => keyed.load_image(hash, key, image).map(|_| ()),
                }
            }
            State::Messages(messages) => messages.load(key, image),
        }
    }

    /// Drops entries that have not changed since they were last given to the store, those not used for long first, until
    /// `keep_entries` are left. Gives how many. Windows that are to be closed stay whole: tumbling tables drop nothing.
    pub fn evict(&mut self, keep_entries: usize) -> usize {
        match &mut self.state {
            State::Keyed(keyed) => keyed.evict(keep_entries),
            State::Messages(_) => 0,
        }
    }

    /// Keys in memory.
    pub fn len(&self) -> usize {
        match &self.state {
            State::Keyed(keyed) => keyed.slab.len(),
            State::Messages(messages) => messages.len(),
        }
    }

    /// Whether no key is in memory.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory that its keys take.
    pub fn size_bytes(&self) -> usize {
        match &self.state {
            State::Keyed(keyed) => {
                let objects = keyed.heap.len() * keyed.layout.object_bytes();
                keyed.index.size_bytes() + keyed.slab.used_bytes() + keyed.arena.used_bytes() + objects
            }
            State::Messages(messages) => messages.size_bytes(),
        }
    }

    /// Memory that it took from the system: what its keys take, and what freed ones left for others.
    pub fn held_bytes(&self) -> usize {
        match &self.state {
            State::Keyed(keyed) => {
                let objects = keyed.heap.len() * keyed.layout.object_bytes();
                keyed.index.size_bytes() + keyed.slab.held_bytes() + keyed.arena.held_bytes() + objects
            }
            State::Messages(messages) => messages.size_bytes(),
        }
    }

    /// What it keeps, in numbers. Looks at every key.
    pub fn counts(&self) -> Counts {
        match &self.state {
            State::Keyed(keyed) => keyed.counts(),
            State::Messages(messages) => {
                Counts { keys: messages.len(), records: Vec::new(), events: messages.events() }
            }
        }
    }

    /// Every key in memory, in no particular order; the key is in the given row of the column.
    pub fn for_each_key(&self, visit: &mut dyn FnMut(&EventColumn, usize)) {
        let State::Keyed(keyed) = &self.state else { return };
        let mut key = EventColumn::new(&self.layout.plan().key.kind);
        for id in (0..keyed.slab.end()).filter(|id| keyed.slab.get(*id)[FLAGS] & LIVE != 0) {
            key.clear();
            keyed.key(id).push_to(&mut key);
            visit(&key, 0);
        }
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Table of {} with {} keys", self.layout.plan().name, self.len())
    }
}
