//! The engine living through a timeline as a server would: batches, a log, commits, images of state, and crashes.
//!
//! What a commit keeps is what would be on a disk: the log, the online rows, the positions. Images of entries are taken at any
//! moment, as a checkpoint in the background takes them, so they may be ahead of the log; but for those of tumbling windows, from whose entries
//! a close takes what only its commit keeps: they wait for that commit. A crash forgets everything else.
//!
//! This file must not know what answers should be.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use chalk_artifact::manifest::AggregationKind;
use chalk_decode::Tier;
use chalk_engine::values::value_at;
use chalk_engine::{ColdEntries, Executor, Fate, InputBatch, Keeper, KeeperOptions, Program, Query, StoredRows};
use chalk_types::Value;
use chalkc::compile::Checked;

use super::timeline::{Arrival, Key, Step, StepKind};
use super::{Subject, program::Package};
use crate::package;

/// A compiled package.
pub(super) struct Compiled {
    /// As the evaluator runs it.
    pub(super) checked: Checked,
    program: Arc<Program>,
    /// Position of the class `User`.
    pub(super) class: usize,
    /// Position of the class `Pair`, where there is one.
    pub(super) pairs: Option<usize>,
    /// What answers of its features are called.
    links: Vec<String>,
}

impl Compiled {
    /// Compiles it; the error is what the compiler says.
    pub(super) fn new(package: &Package) -> Result<Compiled, String> {
        let checked = package::accepted(&[("windows.chalk".to_owned(), package.text())])?;
        let image = chalkc::compile::jit(&checked).map_err(|error| format!("code generation failed: {error}"))?;
        let program = Program::link(image, chalkc::compile::catalog()).map_err(|error| error.to_string())?;
        let class_of = |name: &str| program.manifest().classes.iter().position(|class| class.name == name);
        let (class, pairs) = (class_of("User").expect("it has one"), class_of("Pair"));
        let links = package.links.iter().map(|link| link.name.clone()).collect();
        Ok(Compiled { checked, program, class, pairs, links })
    }
}

/// Images of entries by feed, partition and key.
type Images = BTreeMap<(u32, i64, Vec<u8>), Vec<u8>>;

/// A store of images that outlives a crash.
#[derive(Default)]
struct Disk(Mutex<Images>);

impl ColdEntries for Disk {
    fn get(&self, feed: u32, partition: i64, key: &[u8]) -> Result<Option<Vec<u8>>, String> {
        Ok(self.0.lock().expect("no panic while held").get(&(feed, partition, key.to_vec())).cloned())
    }
}

/// Online rows of `User`, by key: per feature its value, and the event time that it is of.
#[derive(Clone, Default)]
struct Rows(BTreeMap<String, Vec<(i64, Value)>>);

/// What a commit keeps.
#[derive(Clone, Default)]
struct Committed {
    log: Vec<Vec<u8>>,
    rows: Rows,
    offsets: BTreeMap<(usize, i64), i64>,
}

/// The engine at work.
pub(super) struct Server<'a> {
    compiled: &'a Compiled,
    keys: &'a [Key],
    idle_after_us: i64,
    keeper: Keeper,
    executors: Vec<Executor>,
    query: Query,
    disk: Arc<Disk>,
    committed: Committed,
    /// What the next commit will keep.
    pending: Committed,
    log: Vec<u8>,
    /// Whether windows were closed since the last commit.
    has_closed: bool,
}

impl<'a> Server<'a> {
    /// A server without state.
    pub(super) fn new(compiled: &'a Compiled, keys: &'a [Key], idle_after_us: i64) -> Server<'a> {
        let disk = Arc::new(Disk::default());
        let program = &compiled.program;
        let executors = (0..program.manifest().resolvers.len())
            .map(|resolver| Executor::new(program, resolver, Tier::Scalar).unwrap_or_else(|error| panic!("{error}")));
        Server {
            compiled,
            keys,
            idle_after_us,
            keeper: keeper(program, idle_after_us, &disk),
            executors: executors.collect(),
            query: Query::new(program).unwrap_or_else(|error| panic!("{error}")),
            disk,
            committed: Committed::default(),
            pending: Committed::default(),
            log: Vec::new(),
            has_closed: false,
        }
    }

    /// Writes the log, rows and positions in one.
    pub(super) fn commit(&mut self) {
        self.pending.log.push(std::mem::take(&mut self.log));
        self.committed = self.pending.clone();
        self.has_closed = false;
    }

    /// Takes images of some entries that have changed.
    pub(super) fn take_images(&mut self, max_entries: usize) {
        for id in self.keeper.tables() {
            let kind = &self.compiled.program.manifest().aggregations[id.aggregation as usize].kind;
            if self.has_closed && matches!(kind, AggregationKind::Tumbling { .. }) {
                continue;
            }
            let mut images = self.disk.0.lock().expect("no panic while held");
            self.keeper.with_table(&id, |table| {
                table.take_dirty(max_entries, &mut |key, image| {
                    let place = (id.feed, id.partition, key.to_vec());
                    match image {
                        Some(image) => drop(images.insert(place, image.to_vec())),
                        None => drop(images.remove(&place)),
                    }
                });
            });
        }
    }

    /// Drops entries from memory that have an image.
    pub(super) fn evict(&mut self, keep_entries: usize) {
        for id in self.keeper.tables() {
            self.keeper.with_table(&id, |table| table.evict(keep_entries));
        }
    }

    /// Frees what no question can see any more.
    pub(super) fn expire(&mut self, now_us: i64) {
        self.keeper.expire(now_us, usize::MAX);
    }

    /// The messages of some steps arrive at two workers, each with partitions of its own, while somebody asks; what becomes of each.
    pub(super) fn arrive_at_two_workers(&mut self, steps: &[Step]) -> Vec<(usize, Fate)> {
        let Some(last) = steps.last() else { return Vec::new() };
        let now_us = last.now_us;
        let mut workers: [Vec<(&Arrival, i64)>; 2] = Default::default();
        for step in steps {
            let StepKind::Arrive(arrivals) = &step.kind else { unreachable!("no question is among them") };
            for arrival in arrivals {
                let offset = self.pending.offsets.entry((arrival.stream, arrival.partition)).or_insert(0);
                workers[(arrival.stream + arrival.partition as usize) % 2].push((arrival, *offset));
                *offset += 1;
            }
        }
        let (program, keeper, keys) = (&self.compiled.program, &self.keeper, self.keys);
        let are_done = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let work = |arrivals: &[(&Arrival, i64)]| {
                let mut fates = Vec::new();
                for batch in arrivals.chunk_by(|a, b| a.0.stream == b.0.stream).flat_map(|batch| batch.chunks(3)) {
                    let stream = batch[0].0.stream;
                    let mut executor =
                        Executor::new(program, stream, Tier::Scalar).unwrap_or_else(|error| panic!("{error}"));
                    let mut input = InputBatch::new();
                    for (arrival, offset) in batch {
                        let message = arrival.message(keys, *offset);
                        message.with_envelope(|envelope| input.push(&message.bytes, envelope)).expect("a small batch");
                    }
                    executor.run(&input, now_us);
                    let output = executor.output_mut();
                    keeper.admit(stream, &input, output, now_us, &mut Vec::new()).expect("the store can be read");
                    let statuses = batch.iter().zip(&output.status);
                    fates.extend(statuses.map(|((arrival, _), status)| (arrival.number, Fate::of_status(*status))));
                }
                are_done.fetch_add(1, Ordering::Release);
                fates
            };
            let threads = workers.each_ref().map(|arrivals| scope.spawn(move || work(arrivals)));
            while are_done.load(Ordering::Acquire) < 2 && threads.iter().any(|thread| !thread.is_finished()) {
                for key in keys {
                    // What it says depends on how far the workers are.
                    drop(keeper.aggregates(self.compiled.class, &key.value(), now_us));
                }
            }
            threads.into_iter().flat_map(|thread| thread.join().expect("a worker panicked")).collect()
        })
    }

    /// Forgets what is not on the disk, and starts anew from that, at the time of the last commit.
    pub(super) fn crash(&mut self, now_us: i64) {
        self.log.clear();
        self.has_closed = false;
        self.pending = self.committed.clone();
        self.keeper = keeper(&self.compiled.program, self.idle_after_us, &self.disk);
        for record in &self.committed.log {
            self.keeper.replay(record, now_us).expect("the log is whole");
        }
    }

    /// A fault: the watermark of every resolver is already at that time, where sources are idle at once.
    pub(super) fn move_watermarks(&mut self, ahead_us: i64) {
        for resolver in self.keeper.tumbling() {
            self.keeper.close_due(resolver, ahead_us, &mut Vec::new(), &mut |_| {}).expect("the store can be read");
        }
    }
}

fn keeper(program: &Arc<Program>, idle_after_us: i64, disk: &Arc<Disk>) -> Keeper {
    let cold: Arc<dyn ColdEntries> = Arc::<Disk>::clone(disk);
    let options = KeeperOptions {
        idle_after_us,
        cold: Some(cold),
        sql: chalkc::sql::runner(),
        ..KeeperOptions::in_memory(program.manifest())
    };
    Keeper::new(program, options).unwrap_or_else(|error| panic!("{error}"))
}

impl StoredRows for Rows {
    fn stored(&self, _: usize, key: &Value) -> Result<Option<Vec<Value>>, String> {
        Ok(self.0.get(&format!("{key:?}")).map(|row| row.iter().map(|(_, value)| value.clone()).collect()))
    }
}

impl Subject for Server<'_> {
    fn arrive(&mut self, arrivals: &[Arrival], now_us: i64) -> Vec<Fate> {
        let mut batch = InputBatch::new();
        let stream = arrivals[0].stream;
        for arrival in arrivals {
            assert_eq!(arrival.stream, stream, "a batch is of one stream");
            let offset = self.pending.offsets.entry((stream, arrival.partition)).or_insert(0);
            let message = arrival.message(self.keys, *offset);
            *offset += 1;
            message.with_envelope(|envelope| batch.push(&message.bytes, envelope)).expect("a small batch");
        }
        let executor = &mut self.executors[stream];
        executor.run(&batch, now_us);
        let output = executor.output_mut();
        self.keeper.admit(stream, &batch, output, now_us, &mut self.log).expect("the store can be read");
        assert_eq!(output.fates.total() as usize, arrivals.len(), "the fates add up");
        output.status.iter().map(|&status| Fate::of_status(status)).collect()
    }

    fn advance(&mut self, now_us: i64) {
        let class = &self.compiled.program.manifest().classes[self.compiled.class];
        for resolver in self.keeper.tumbling() {
            let (rows, has_closed) = (&mut self.pending.rows, &mut self.has_closed);
            let mut emit = |closed: chalk_engine::Closed| {
                *has_closed = true;
                // A key whose values fail (a sum that overflows) keeps those of the window before.
                for at in 0..closed.batch.num_rows() {
                    let values: Vec<Value> = (0..closed.features.len())
                        .map(|column| value_at(closed.batch.column(column), &closed.types[column], at))
                        .collect();
                    let named = || closed.features.iter().zip(&values);
                    let key = named().find(|(feature, _)| **feature == class.primary_key).expect("the key is set").1;
                    let row = rows
                        .0
                        .entry(format!("{key:?}"))
                        .or_insert_with(|| vec![(i64::MIN, Value::Null); class.features.len()]);
                    for (feature, value) in named() {
                        let stored = &mut row[*feature as usize];
                        if closed.end_us >= stored.0 {
                            *stored = (closed.end_us, value.clone());
                        }
                    }
                }
            };
            self.keeper.close_due(resolver, now_us, &mut self.log, &mut emit).expect("the store can be read");
        }
    }

    fn ask(&mut self, key: usize, now_us: i64) -> Vec<(String, Result<Value, String>)> {
        let (number, key) = (key, self.keys[key].value());
        let class = &self.compiled.program.manifest().classes[self.compiled.class];
        let rows = &self.pending.rows;
        let stored = rows.stored(self.compiled.class, &key).expect("in memory");
        let stored = stored.unwrap_or_else(|| vec![Value::Null; class.features.len()]);
        let answers = self.query.run(&self.keeper, rows, self.compiled.class, &key, &stored, now_us);
        let named = class.features.iter().zip(answers).enumerate();
        let others = named.filter(|(position, _)| *position != class.primary_key as usize);
        let mut answers: Vec<_> = others.map(|(_, (feature, value))| (feature.name.clone(), value)).collect();
        if let Some(pairs) = self.compiled.pairs {
            // A pair for each key, numbered as keys are: its row has two features.
            let number = Value::Int(number as i128);
            let mut stored = vec![number.clone(), key];
            stored.resize(2 + self.compiled.links.len(), Value::Null);
            let values = self.query.run(&self.keeper, rows, pairs, &number, &stored, now_us);
            answers.extend(self.compiled.links.iter().cloned().zip(values.into_iter().skip(2)));
        }
        answers
    }
}
