//! Random runs: events of several partitions in batches of any size, late ones too, with questions, checkpoints, crashes, eviction and
//! expiry in between. Every answer has the model's bits.
//!
//! This file must not know how tables are laid out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use chalk_artifact::manifest::{Aggregation, AggregationKind};
use chalk_state::{ClosedWindow, ColdStore, EventBatch, Folded, Layout, Table};
use chalk_types::{Type, Value};

use crate::model::{Model, key_column};
use crate::plans::{self, Row, batch, layout, random_columns, random_plan};
use crate::random::Random;

/// A store in memory.
#[derive(Default)]
pub(crate) struct Store(pub(crate) Mutex<BTreeMap<Vec<u8>, Vec<u8>>>);

impl ColdStore for Store {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, String> {
        Ok(self.0.lock().unwrap().get(key).cloned())
    }
}

/// A partition: its table, what a restart has, and all its events.
struct Partition {
    table: Table,
    store: Store,
    /// Batches since the last complete checkpoint.
    log: Vec<EventBatch>,
    model: Model,
    next_offset: i64,
}

struct Run {
    plan: Aggregation,
    layout: Arc<Layout>,
    partitions: Vec<Partition>,
    /// Roughly where events are.
    clock_us: i64,
    /// Nobody asks for an earlier time.
    low_us: Option<i64>,
    /// Tumbling: windows that end at or before it have run.
    closed_until_us: Option<i64>,
    keys: u64,
}

impl Run {
    fn new(random: &mut Random) -> Run {
        let plan = random_plan(random);
        let layout = layout(&plan);
        let partition = || Partition {
            table: Table::new(&layout),
            store: Store::default(),
            log: Vec::new(),
            model: Model::new(&plan),
            next_offset: 0,
        };
        let partitions = (0..random.between(1, 3)).map(|_| partition()).collect();
        let keys = random.pick(&[1, 3, 40]);
        let clock_us = random.pick(&[0, -200, 1_700_000_000_000_000]);
        Run { plan, layout, partitions, clock_us, low_us: None, closed_until_us: None, keys }
    }

    fn step(&mut self, random: &mut Random) {
        let position = random.below(self.partitions.len() as u64) as usize;
        match random.below(24) {
            0..8 => self.apply(position, random),
            8..16 => self.ask(random),
            16 => self.checkpoint(position, usize::MAX),
            17 => self.checkpoint(position, 1 + random.below(4) as usize),
            18 => self.crash(position),
            19 => self.evict(position, random),
            20..22 => self.close(random),
            22 => self.replay(position, random),
            _ => self.expire(random),
        }
    }

    fn apply(&mut self, position: usize, random: &mut Random) {
        let count = random.pick(&[1, 1, 7, 7, 7, 256, 1024]) / if random.one_in(3) { 1 } else { 4 };
        let partition = &mut self.partitions[position];
        let mut rows = Vec::new();
        for _ in 0..count.max(1) {
            self.clock_us += i64::from(random.one_in(3)) * random.between(0, 9) / (1 + count / 64);
            let late_us = if random.one_in(8) { random.between(0, 150) } else { random.between(0, 4) };
            partition.next_offset += random.between(1, 3);
            rows.push(Row {
                key: plans::key(&self.plan.key, random.below(self.keys)),
                time_us: self.clock_us - late_us,
                offset: partition.next_offset,
                columns: random_columns(random),
            });
        }
        let events = batch(&self.plan, &rows);
        partition.table.apply(&events, self.closed_until_us, Some(&partition.store)).unwrap();
        partition.log.push(events);
        partition.model.rows.extend(rows);
    }

    /// Asks for a key in every window, at some time that may still be asked for.
    fn ask(&mut self, random: &mut Random) {
        let key = plans::key(&self.plan.key, random.below(self.keys));
        let mut now_us = self.clock_us - random.between(-20, 60);
        now_us = now_us.max(self.low_us.unwrap_or(i64::MIN)).max(self.closed_until_us.unwrap_or(i64::MIN));
        for window in 0..windows(&self.plan) {
            let column = key_column(&self.plan.key, &key);
            let mut folded = Folded::new(&self.layout);
            let mut part = Folded::new(&self.layout);
            let mut is_known = false;
            for partition in &mut self.partitions {
                part.clear();
                is_known |=
                    partition.table.read(&column, 0, window, now_us, &mut part, Some(&partition.store)).unwrap();
                folded.merge(&part);
            }
            let model = &self.partitions[0].model;
            let mut expected = model.empty();
            for partition in &self.partitions {
                model.merge(&mut expected, &partition.model.read(&key, window, now_us));
            }
            let got = finish(&folded, &self.plan);
            assert_eq!(got, model.finish(&expected), "window {window} of {key:?} at {now_us}");
            assert!(is_known || folded.is_empty());
        }
    }

    fn checkpoint(&mut self, position: usize, max_entries: usize) {
        let Partition { table, store, log, .. } = &mut self.partitions[position];
        let store = store.0.get_mut().unwrap();
        let mut written = 0;
        let is_more = table.take_dirty(max_entries, &mut |key, image| {
            written += 1;
            match image {
                Some(image) => drop(store.insert(key.to_vec(), image.to_vec())),
                None => drop(store.remove(key)),
            }
        });
        assert!(written <= max_entries);
        if !is_more {
            log.clear();
        }
    }

    /// The store may be ahead of the start of the log: what it has is not counted twice.
    fn crash(&mut self, position: usize) {
        let Partition { table, store, log, .. } = &mut self.partitions[position];
        *table = Table::new(&self.layout);
        if matches!(self.plan.kind, AggregationKind::Tumbling { .. }) {
            for (key, image) in store.0.get_mut().unwrap().iter() {
                table.load(key, image).unwrap();
            }
            self.closed_until_us.map(|until_us| table.drop_closed(until_us));
        }
        for events in log.iter() {
            table.apply(events, self.closed_until_us, Some(store)).unwrap();
        }
    }

    fn evict(&mut self, position: usize, random: &mut Random) {
        let table = &mut self.partitions[position].table;
        let before = table.len();
        let keep = random.below(before as u64 + 1) as usize;
        let dropped = table.evict(keep);
        assert_eq!(table.len() + dropped, before);
    }

    /// Batches that were applied before change nothing.
    fn replay(&mut self, position: usize, random: &mut Random) {
        let Partition { table, store, log, .. } = &mut self.partitions[position];
        if !log.is_empty() {
            let from = random.below(log.len() as u64) as usize;
            for events in &log[from..] {
                table.apply(events, self.closed_until_us, Some(store)).unwrap();
            }
        }
    }

    fn expire(&mut self, random: &mut Random) {
        let low_us = self.clock_us - random.between(0, 100);
        let low_us = self.low_us.map_or(low_us, |before| before.max(low_us));
        self.low_us = Some(low_us);
        let looked = random.pick(&[1, 5, 1000]);
        for partition in &mut self.partitions {
            partition.table.expire(low_us, looked);
        }
    }

    /// Closes the windows before some time, in every partition, and compares what comes out.
    fn close(&mut self, random: &mut Random) {
        let AggregationKind::Tumbling { windows_us, .. } = &self.plan.kind else { return };
        let until_us = self.clock_us - random.between(0, 80);
        let until_us = self.closed_until_us.map_or(until_us, |before| before.max(until_us));
        self.closed_until_us = Some(until_us);
        for partition in &mut self.partitions {
            let open = partition.table.open_windows(i64::MAX);
            assert!(open.is_sorted_by_key(|(window, start_us)| (*start_us, *window)));
            for (window, start_us) in open {
                if start_us + windows_us[window] > until_us {
                    continue;
                }
                let expected: Vec<(Value, Vec<String>)> = partition
                    .model
                    .keys_of(windows_us[window], start_us)
                    .into_iter()
                    .map(|key| {
                        let whole = partition.model.read(&key, window, start_us);
                        (key, partition.model.finish(&whole))
                    })
                    .collect();
                let mut closed = ClosedWindow::new(partition.table.layout());
                partition.table.close(window, start_us, &mut closed);
                let leaves = 0..self.plan.leaves.len();
                let results = |row| leaves.clone().map(|leaf| format!("{:?}", closed.finish(row, leaf))).collect();
                let got: Vec<(Value, Vec<String>)> =
                    (0..closed.len()).map(|row| (closed.keys().value(&self.plan.key, row), results(row))).collect();
                assert_eq!(got, expected, "window {window} from {start_us}");
            }
            // What comes later for a window that has run is not counted, and neither is it by the model.
        }
        self.forget_closed();
    }

    /// The model answers for windows that are still open only.
    fn forget_closed(&mut self) {
        let AggregationKind::Tumbling { windows_us, .. } = &self.plan.kind else { return };
        let Some(until_us) = self.closed_until_us else { return };
        let is_open =
            |time_us: i64| windows_us.iter().any(|length| time_us.div_euclid(*length) * length + length > until_us);
        for partition in &mut self.partitions {
            partition.model.rows.retain(|row| is_open(row.time_us));
            for (window, start_us) in partition.table.open_windows(i64::MAX) {
                assert!(start_us + windows_us[window] > until_us, "closed windows are gone");
            }
        }
    }
}

fn windows(plan: &Aggregation) -> usize {
    match &plan.kind {
        AggregationKind::Total => 1,
        AggregationKind::Continuous(buckets) | AggregationKind::Materialized(buckets) => buckets.windows.len(),
        AggregationKind::Tumbling { windows_us, .. } | AggregationKind::Messages { windows_us, .. } => windows_us.len(),
    }
}

pub(crate) fn finish(folded: &Folded, plan: &Aggregation) -> Vec<String> {
    (0..plan.leaves.len()).map(|leaf| format!("{:?}", folded.finish(leaf))).collect()
}

fn variable(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn every_answer_has_the_models_bits() {
    let first = variable("CHALK_DIFF_SEED", 1);
    for seed in first..first + variable("CHALK_DIFF_CASES", 300) {
        let run = std::panic::catch_unwind(|| {
            let mut random = Random::new(seed);
            let mut run = Run::new(&mut random);
            for _ in 0..60 {
                run.step(&mut random);
            }
        });
        assert!(run.is_ok(), "CHALK_DIFF_SEED={seed} CHALK_DIFF_CASES=1");
    }
}

/// Messages of windows, against a list.
#[test]
fn messages_of_a_window_come_out_in_their_order() {
    for seed in 1..9 {
        let mut random = Random::new(seed);
        let kind = AggregationKind::Messages { windows_us: vec![10, 25], allowed_lateness_us: 5 };
        let plan = Aggregation { leaves: Vec::new(), ..plans::plan(Type::INT, kind, &[]) };
        let layout = layout(&plan);
        let (mut table, mut store) = (Table::new(&layout), BTreeMap::new());
        let (mut all, mut log) = (Vec::<Row>::new(), Vec::new());
        let (mut clock_us, mut offset, mut closed_until_us) = (0, 0, i64::MIN);
        for _ in 0..60 {
            let count = random.pick(&[1, 7, 300, 2500]);
            let rows: Vec<Row> = (0..count)
                .map(|_| {
                    offset += 1;
                    clock_us += i64::from(random.one_in(20 + count));
                    let columns = random_columns(&mut random);
                    Row { key: Value::Null, time_us: clock_us - random.between(0, 9), offset, columns }
                })
                .collect();
            let events = batch(&plan, &rows);
            table.apply(&events, Some(closed_until_us), None).unwrap();
            log.push(events);
            all.extend(rows);
            if random.one_in(3) {
                let is_more = table.take_dirty(random.pick(&[1, 1000]), &mut |key, image| match image {
                    Some(image) => drop(store.insert(key.to_vec(), image.to_vec())),
                    None => drop(store.remove(key)),
                });
                if !is_more {
                    log.clear();
                }
            }
            if random.one_in(4) {
                table = Table::new(&layout);
                store.iter().for_each(|(key, image): (&Vec<u8>, &Vec<u8>)| table.load(key, image).unwrap());
                table.drop_closed(closed_until_us);
                log.iter().for_each(|events| table.apply(events, Some(closed_until_us), None).unwrap());
            }
            if random.one_in(3) {
                let until_us = closed_until_us.max(clock_us - 12);
                for (window, start_us) in table.open_windows(i64::MAX) {
                    let length_us = [10, 25][window];
                    if start_us + length_us > until_us {
                        continue;
                    }
                    let inside = |row: &Row| row.time_us >= start_us && row.time_us < start_us + length_us;
                    let expected: Vec<Row> = all.iter().filter(|row| inside(row)).cloned().collect();
                    let got = table.close_messages(window, start_us);
                    assert_eq!(got.offsets, batch(&plan, &expected).offsets, "seed {seed}");
                    assert_eq!(
                        format!("{:?}", values(&plan, &got)),
                        format!("{:?}", values(&plan, &batch(&plan, &expected)))
                    );
                }
                closed_until_us = until_us;
                all.retain(|row| {
                    [10, 25].iter().any(|length| row.time_us.div_euclid(*length) * length + length > until_us)
                });
            }
        }
    }
}

fn values(plan: &Aggregation, batch: &EventBatch) -> Vec<Vec<Value>> {
    let columns = batch.columns.iter().zip(&plan.columns);
    columns.map(|(column, of)| (0..batch.len()).map(|row| column.value(&of.ty, row)).collect()).collect()
}
