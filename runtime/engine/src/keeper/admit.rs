//! Admission: which of the messages that a resolver applied count, and the events that they are.
//!
//! In this order: a message of the future, or without a time that is needed, is a dead letter; one whose tumbling windows have all run is late; one whose
//! dedup key was seen is a duplicate. What is left becomes events, a table at a time. The result depends on the messages of a partition and
//! their order alone (of tumbling windows: on how the partitions of a source interleave, too), not on how they were batched.
//!
//! This file must not know how rows are stored.

use arrow_array::{Array as _, BooleanArray};
use arrow_select::filter::{filter, filter_record_batch};
use chalk_artifact::abi::status;
use chalk_state::{DedupKey, EventBatch};

use super::clock::Clock;
use super::log::LogWriter;
use super::resolver::{DedupSets, ResolverState, Tumbling};
use super::tables::ColdTable;
use super::{Keeper, TableId};
use crate::events::gather;
use crate::executor::{Fates, OutputBatch};
use crate::helpers::RowError;
use crate::input::InputBatch;

/// Events that update a table before others may have it.
const SUB_BATCH: usize = 1024;

/// A row without a closed window before it.
const NONE_CLOSED: i64 = i64::MIN;

/// Memory of an admission, kept from batch to batch.
#[derive(Default)]
pub(crate) struct Admission {
    /// Per row its event time.
    times: Vec<Option<i64>>,
    /// Per row whether it counts.
    kept: Vec<bool>,
    /// Per row up to where tumbling windows had run when it came.
    closed: Vec<i64>,
    /// Partitions of the batch, ascending.
    partitions: Vec<i64>,
    /// Rows of one partition.
    rows: Vec<u32>,
    /// Messages with a dedup key.
    keyed: Vec<Keyed>,
    /// Positions in `keyed` of duplicates.
    duplicates: Vec<u32>,
    /// Messages that failed, but are duplicates.
    forgiven: Vec<u32>,
    /// Per feed.
    events: Vec<EventBatch>,
    payload: Vec<u8>,
}

/// A message with a dedup key.
#[derive(Clone, Copy)]
struct Keyed {
    key: DedupKey,
    time_us: i64,
    message: u32,
    /// Its row; none where an expression failed.
    row: Option<u32>,
}

impl Keeper {
    pub(super) fn admit_batch(
        &self,
        resolver: usize,
        input: &InputBatch,
        output: &mut OutputBatch,
        now_us: i64,
        log: &mut Vec<u8>,
    ) -> Result<(), String> {
        let state = &self.resolvers[resolver];
        let keeps_state = !state.feeds.is_empty() || state.dedup.is_some();
        if !keeps_state && output.event_times.is_none() {
            return Ok(());
        }
        let mut scratch = std::mem::take(&mut output.admission);
        let result = {
            let mut batch = Batch { keeper: self, state, input, output, now_us, scratch: &mut scratch };
            batch.judge_times();
            if keeps_state { batch.admit(log) } else { Ok(()) }.inspect(|()| batch.settle())
        };
        output.admission = scratch;
        result
    }
}

/// A batch in admission.
struct Batch<'a> {
    keeper: &'a Keeper,
    state: &'a ResolverState,
    input: &'a InputBatch,
    output: &'a mut OutputBatch,
    now_us: i64,
    scratch: &'a mut Admission,
}

impl Batch<'_> {
    fn reject(&mut self, row: usize, fate: u8, reason: Option<String>) {
        self.scratch.kept[row] = false;
        let message = self.output.row_index[row] as usize;
        self.output.status[message] = fate;
        if let Some(reason) = reason {
            self.output.errors.push(RowError { row: message, reason, path: None, byte_offset: None, site: None });
        }
    }

    /// Finds every row's event time; refuses what is of the future, or lacks a time that is needed.
    fn judge_times(&mut self) {
        let rows = self.output.row_index.len();
        self.scratch.times.clear();
        self.scratch.kept.clear();
        self.scratch.kept.resize(rows, true);
        for row in 0..rows {
            let consumed_us = self.input.timestamp_us(self.output.row_index[row] as usize);
            let times = self.output.event_times.as_ref();
            let time_us = times.and_then(|times| times.is_valid(row).then(|| times.value(row))).or(consumed_us);
            self.scratch.times.push(time_us);
            match (time_us, consumed_us) {
                (Some(time_us), Some(consumed_us)) => {
                    let ahead_us = time_us.saturating_sub(consumed_us);
                    if ahead_us > self.keeper.options.max_future_skew_us {
                        let ahead_s = ahead_us / 1_000_000;
                        let reason = format!("future: the event time is {ahead_s} s ahead of the broker's");
                        self.reject(row, status::FAILED, Some(reason));
                    }
                }
                (None, _) if self.state.needs_time => {
                    let reason = "no event time: neither the resolver nor the message's envelope gives one";
                    self.reject(row, status::FAILED, Some(reason.to_owned()));
                }
                _ => {}
            }
        }
    }

    fn admit(&mut self, log: &mut Vec<u8>) -> Result<(), String> {
        let state = self.state;
        self.find_keys();
        // No window is run while messages are judged and become events.
        let gate = state.tumbling.as_ref().map(|tumbling| tumbling.gate.read().expect("nobody panicked"));
        match &state.tumbling {
            Some(tumbling) => self.admit_in_order(tumbling),
            None => {
                if let Some(sets) = &state.dedup {
                    self.find_duplicates(sets);
                }
            }
        }
        let mut payload = std::mem::take(&mut self.scratch.payload);
        let mut writer = LogWriter { log, payload: &mut payload };
        self.find_partitions();
        let partitions = std::mem::take(&mut self.scratch.partitions);
        let mut result = Ok(());
        for &partition in &partitions {
            self.find_rows(partition, partitions.len() == 1);
            for feed in 0..state.feeds.len() {
                result = result.and_then(|()| self.feed(feed, partition, &mut writer));
            }
            if let Some(sets) = &state.dedup {
                let set = sets.set(partition);
                let mut set = set.lock().expect("nobody panicked at this set");
                writer.keys(state.number, partition, set.take_inserted());
            }
            if let Some(tumbling) = &state.tumbling {
                let clock = tumbling.clock.lock().expect("nobody panicked at this clock");
                if let Some(time_us) = clock.partition_time(partition) {
                    writer.time(state.number, partition, time_us);
                }
            }
        }
        if let Some(tumbling) = state.tumbling.as_ref().filter(|_| self.keeper.options.is_one_log) {
            let mut clock = tumbling.clock.lock().expect("nobody panicked at this clock");
            if let Some(time_us) = clock.take_progress() {
                writer.reached(state.number, time_us);
            }
        }
        drop(gate);
        self.scratch.partitions = partitions;
        self.scratch.payload = payload;
        result
    }

    /// The messages with dedup keys that may still be applied or have failed after their key was known.
    fn find_keys(&mut self) {
        let Admission { times, kept, keyed, .. } = &mut *self.scratch;
        keyed.clear();
        let mut row = 0;
        for reported in &self.output.dedup_keys {
            while self.output.row_index.get(row).is_some_and(|message| *message < reported.row) {
                row += 1;
            }
            let is_applied = self.output.row_index.get(row) == Some(&reported.row);
            if is_applied && !kept[row] {
                continue;
            }
            let event_time_us = if is_applied { times[row] } else { reported.time_us };
            // Where a failed message has no time at all nothing can be said of it.
            let Some(time_us) = self.input.timestamp_us(reported.row as usize).or(event_time_us) else { continue };
            let row = is_applied.then_some(row as u32);
            keyed.push(Keyed { key: reported.key, time_us, message: reported.row, row });
        }
    }

    fn duplicate(&mut self, keyed: Keyed) {
        match keyed.row {
            Some(row) => self.reject(row as usize, status::DUPLICATE, None),
            None => {
                self.output.status[keyed.message as usize] = status::DUPLICATE;
                self.scratch.forgiven.push(keyed.message);
            }
        }
    }

    /// Without tumbling windows partitions can be looked at one after the other.
    fn find_duplicates(&mut self, sets: &DedupSets) {
        let input = self.input;
        let partition_of = |keyed: &Keyed| input.partition(keyed.message as usize);
        // Stable: a partition's messages stay in their order.
        if !self.scratch.keyed.is_sorted_by_key(partition_of) {
            self.scratch.keyed.sort_by_key(partition_of);
        }
        let Admission { keyed, duplicates, .. } = &mut *self.scratch;
        duplicates.clear();
        let mut start = 0;
        for group in keyed.chunk_by(|a, b| partition_of(a) == partition_of(b)) {
            let set = sets.set(partition_of(&group[0]));
            set.lock().expect("nobody panicked at this set").admit(
                group.len(),
                |at| Some(group[at].key),
                |at| group[at].time_us,
                |at| group[at].row.is_some(),
                |at| duplicates.push((start + at) as u32),
            );
            start += group.len();
        }
        for at in 0..self.scratch.duplicates.len() {
            self.duplicate(self.scratch.keyed[self.scratch.duplicates[at] as usize]);
        }
    }

    /// Late and duplicate messages one by one: what is late depends on the watermark, which only messages that count move.
    fn admit_in_order(&mut self, tumbling: &Tumbling) {
        let (state, input, now_us) = (self.state, self.input, self.now_us);
        let rows = self.output.row_index.len();
        self.scratch.closed.clear();
        self.scratch.closed.resize(rows, NONE_CLOSED);
        let mut clock = tumbling.clock.lock().expect("nobody panicked at this clock");
        clock.begin(now_us);
        let mut keys = 0;
        for row in 0..rows {
            let message = self.output.row_index[row];
            // Failed messages between two rows have keys, but neither move time nor leave a key.
            while let Some(keyed) = self.scratch.keyed.get(keys).copied().filter(|keyed| keyed.message < message) {
                keys += 1;
                self.duplicate_in_order(keyed);
            }
            let keyed = self.scratch.keyed.get(keys).copied().filter(|keyed| keyed.message == message);
            keys += usize::from(keyed.is_some());
            let Some(time_us) = self.scratch.times[row].filter(|_| self.scratch.kept[row]) else { continue };
            let partition = input.partition(message as usize);
            let (first_end_us, last_end_us) = tumbling.ends_us(time_us);
            let closed_us = clock.closed_before(first_end_us, tumbling.allowed_lateness_us);
            if last_end_us <= closed_us {
                self.reject(row, status::LATE, None);
                continue;
            }
            if let (Some(keyed), Some(sets)) = (keyed, &state.dedup) {
                let set = sets.set(partition);
                let mut set = set.lock().expect("nobody panicked at this set");
                if set.check(keyed.key, keyed.time_us) {
                    self.duplicate(keyed);
                    continue;
                }
                set.insert(keyed.key, keyed.time_us);
            }
            self.scratch.closed[row] = closed_us;
            clock.observe(partition, time_us);
        }
        drop(clock);
        while let Some(keyed) = self.scratch.keyed.get(keys).copied() {
            keys += 1;
            self.duplicate_in_order(keyed);
        }
    }

    fn duplicate_in_order(&mut self, keyed: Keyed) {
        let Some(sets) = &self.state.dedup else { return };
        let set = sets.set(self.input.partition(keyed.message as usize));
        if keyed.row.is_none() && set.lock().expect("nobody panicked at this set").check(keyed.key, keyed.time_us) {
            self.duplicate(keyed);
        }
    }

    fn find_partitions(&mut self) {
        let Admission { partitions, .. } = &mut *self.scratch;
        partitions.clear();
        let mut last = None;
        for row in &self.output.row_index {
            let partition = self.input.partition(*row as usize);
            if last != Some(partition) {
                partitions.push(partition);
                last = Some(partition);
            }
        }
        partitions.sort_unstable();
        partitions.dedup();
    }

    /// The rows of a partition that count.
    fn find_rows(&mut self, partition: i64, only: bool) {
        let Admission { rows, kept, .. } = &mut *self.scratch;
        rows.clear();
        let is_of = |message: u32| only || self.input.partition(message as usize) == partition;
        let wanted = self.output.row_index.iter().zip(kept).enumerate();
        rows.extend(wanted.filter(|(_, (message, kept))| **kept && is_of(**message)).map(|(row, _)| row as u32));
    }

    /// Makes a partition's rows events of one aggregation, and applies them.
    fn feed(&mut self, feed: usize, partition: i64, writer: &mut LogWriter<'_>) -> Result<(), String> {
        let Batch { keeper, state, input, output, scratch, .. } = self;
        let plan = &state.feeds[feed];
        let tables = &keeper.tables[plan.aggregation];
        let Admission { rows, events, times, closed, .. } = &mut **scratch;
        if rows.is_empty() {
            return Ok(());
        }
        while events.len() <= feed {
            let plan = &state.feeds[events.len()];
            events.push(EventBatch::new(keeper.tables[plan.aggregation].layout().plan()));
        }
        let events = &mut events[feed];
        let id = TableId {
            aggregation: plan.aggregation as u32,
            source: state.source,
            partition,
            resolver: state.position,
            feed: plan.number,
        };
        let cell = tables.cell(&id);
        let cold = ColdTable::of(keeper.options.cold.as_ref(), &id);
        let key = plan.key.map(|output_index| output.events.column(output_index));
        let mut rest = &rows[..];
        while !rest.is_empty() {
            let (segment, closed_until_us) = match &state.tumbling {
                Some(tumbling) => tumbling.segment(rest, times, closed),
                None => (rest.len(), None),
            };
            let (taken, others) = rest.split_at(segment.min(SUB_BATCH));
            rest = others;
            let kept: &[u32];
            let with_key: Vec<u32>;
            match key.filter(|key| !key.valid.is_empty()) {
                // Events without a key are rare enough for a list of their own.
                Some(key) => {
                    with_key = taken.iter().copied().filter(|row| key.is_valid(*row as usize)).collect();
                    kept = &with_key;
                }
                None => kept = taken,
            }
            if kept.is_empty() {
                continue;
            }
            events.clear();
            for row in kept {
                events.offsets.push(input.offset(output.row_index[*row as usize] as usize));
                events.times_us.push(times[*row as usize].unwrap_or(0));
            }
            if let (Some(from), Some(into)) = (key, &mut events.keys) {
                gather(from, kept, into);
            }
            for (output_index, into) in plan.columns.iter().zip(&mut events.columns) {
                gather(output.events.column(*output_index), kept, into);
            }
            writer.events(plan.number, partition, closed_until_us, events);
            let cold = cold.as_ref().map(|cold| cold as &dyn chalk_state::ColdStore);
            cell.lock().apply(events, closed_until_us, cold)?;
            cell.give_way();
        }
        Ok(())
    }

    /// Makes the output what the verdicts say.
    fn settle(&mut self) {
        let Batch { output, scratch, .. } = self;
        if !scratch.forgiven.is_empty() {
            output.errors.retain(|error| !scratch.forgiven.contains(&(error.row as u32)));
            scratch.forgiven.clear();
            output.fates = Fates::of(&output.status);
        }
        if scratch.kept.iter().all(|kept| *kept) {
            return;
        }
        output.errors.sort_by_key(|error| error.row);
        let kept = BooleanArray::from(std::mem::take(&mut scratch.kept));
        output.batch = filter_record_batch(&output.batch, &kept).expect("a flag per row");
        output.event_times = output.event_times.take().map(|times| {
            let times = filter(&times, &kept).expect("a flag per row");
            times.as_any().downcast_ref().cloned().expect("filtering keeps the type")
        });
        let mut row = 0;
        output.row_index.retain(|_| {
            row += 1;
            kept.value(row - 1)
        });
        output.fates = Fates::of(&output.status);
        assert_eq!(output.fates.applied as usize, output.row_index.len(), "every applied message has a row");
    }
}

impl Clock {
    /// Where windows ended that have run, if one that ends at `end_us` is among them; else no less than the truth.
    fn closed_before(&mut self, end_us: i64, allowed_lateness_us: i64) -> i64 {
        if end_us > self.bound_us().saturating_sub(allowed_lateness_us) {
            return NONE_CLOSED;
        }
        self.watermark_us().map_or(NONE_CLOSED, |watermark_us| watermark_us.saturating_sub(allowed_lateness_us))
    }
}
