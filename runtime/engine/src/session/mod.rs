//! A whole runtime in one value: a program, its state, its online rows and a clock, for tests, tools and `chalkc run`.
//!
//! It is the real engine; what it lacks of a server is brokers and a disk. Time is what it is told. A session can be saved and
//! restored as a server that crashed would be: images of state from some time, and the log since then.
//!
//! This module must not know files or how results are shown.

mod rows;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::Array as _;
use chalk_artifact::abi::status;
use chalk_artifact::manifest::{Manifest, ResolverOutput};
use chalk_decode::Tier;
use chalk_types::Value;

use self::rows::{Rows, Stamp};
use crate::executor::{Executor, OutputBatch};
use crate::helpers::RowError;
use crate::input::{Envelope, InputBatch};
use crate::keeper::{Closed, Keeper, KeeperOptions, SqlRunner, order_of};
use crate::program::Program;
use crate::query::{Query, StoredRows as _};
use crate::values::value_at;

/// What a session is told.
#[derive(Clone)]
pub struct SessionOptions {
    /// A message whose event time is further ahead of its envelope's timestamp is a dead letter.
    pub max_future_skew_us: i64,
    /// A partition without a message for so long (by the session's clock) does not hold a watermark back.
    pub idle_after_us: i64,
    /// Runs SQL.
    pub sql: Option<Arc<dyn SqlRunner>>,
    /// Whether rows of all classes are stored online, or only of those whose queries give more than the rows themselves: with aggregates, and
    /// what they link to.
    pub stores_all: bool,
}

impl SessionOptions {
    /// For `test` blocks: sources are idle between steps, so tumbling windows are over as soon as the clock passes their end.
    pub fn for_tests() -> SessionOptions {
        SessionOptions { max_future_skew_us: 3_600_000_000, idle_after_us: 0, sql: None, stores_all: true }
    }

    /// For files: time is what the messages say, and no source is idle before its end.
    pub fn for_files() -> SessionOptions {
        SessionOptions { idle_after_us: i64::MAX, stores_all: false, ..SessionOptions::for_tests() }
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Fate {
    Applied,
    Filtered,
    Skipped,
    Late,
    Duplicate,
    DeadLetter,
}

impl Fate {
    /// The name in the language: `dead_letter`.
    pub fn name(self) -> &'static str {
        match self {
            Fate::Applied => "applied",
            Fate::Filtered => "filtered",
            Fate::Skipped => "skipped",
            Fate::Late => "late",
            Fate::Duplicate => "duplicate",
            Fate::DeadLetter => "dead_letter",
        }
    }

    /// The fate that a status byte stands for.
    ///
    /// # Panics
    /// If the byte is no fate.
    pub fn of_status(byte: u8) -> Fate {
        match byte {
            status::APPLIED => Fate::Applied,
            status::FILTERED => Fate::Filtered,
            status::SKIPPED => Fate::Skipped,
            status::LATE => Fate::Late,
            status::DUPLICATE => Fate::Duplicate,
            status::FAILED => Fate::DeadLetter,
            other => panic!("{other} is no fate"),
        }
    }
}

/// What became of a message that was pushed.
#[derive(Clone, Debug, PartialEq)]
pub struct Pushed {
    /// Its fate.
    pub fate: Fate,
    /// Of a dead letter: why.
    pub reason: Option<String>,
    /// Of an applied message: the primary key that it is about.
    pub key: Option<Value>,
}

/// Why a message failed, with the field or the expression.
fn described(manifest: &Manifest, error: &RowError) -> String {
    let mut text = error.path.as_ref().map(|path| format!("`{path}`: ")).unwrap_or_default();
    text.push_str(&error.reason);
    let site = error.site.and_then(|site| manifest.sites.get(site as usize));
    if let Some(site) = site
        && let Some(file) = manifest.files.get(site.file as usize)
    {
        text.push_str(&format!(", at {file}:{}:{} `{}`", site.line, site.column, site.source));
    }
    text
}

/// A session at some moment.
#[derive(Clone)]
pub struct Snapshot {
    rows: Rows,
    next_offsets: BTreeMap<(usize, i64), i64>,
    now_us: i64,
    /// Images of entries: feed number, partition, key, image.
    images: Vec<(u32, i64, Vec<u8>, Vec<u8>)>,
    /// All that was logged.
    log: Vec<u8>,
}

impl Snapshot {
    /// The same with the images of another, older one: a checkpoint, and a log that goes on after it.
    pub fn with_images_of(mut self, older: &Snapshot) -> Snapshot {
        self.images.clone_from(&older.images);
        self
    }
}

/// A program at work.
pub struct Session {
    program: Arc<Program>,
    options: SessionOptions,
    keeper: Keeper,
    executors: Vec<Executor>,
    query: Query,
    rows: Rows,
    /// Per class whether a query gives more than its rows, or looks at them for another class.
    is_asked: Vec<bool>,
    input: InputBatch,
    /// What one batch logged.
    log: Vec<u8>,
    /// All that was logged, where it is kept.
    history: Option<Vec<u8>>,
    /// The least offset that comes next: resolver, partition.
    next_offsets: BTreeMap<(usize, i64), i64>,
    now_us: i64,
    latest_event_us: Option<i64>,
}

impl Session {
    /// A session without any state, at the epoch. An error says why the program cannot run here.
    pub fn new(program: &Arc<Program>, options: SessionOptions) -> Result<Session, String> {
        let tier = Tier::detect().map_err(|error| error.to_string())?;
        Session::with_tier(program, options, tier)
    }

    /// As [`Session::new`], with decoders of a tier.
    pub fn with_tier(program: &Arc<Program>, options: SessionOptions, tier: Tier) -> Result<Session, String> {
        let manifest = program.manifest();
        let executors = (0..manifest.resolvers.len()).map(|resolver| Executor::new(program, resolver, tier));
        let classes = manifest.classes.iter();
        let rows =
            classes.map(|class| (class.features[class.primary_key as usize].ty.kind.clone(), class.features.len()));
        Ok(Session {
            keeper: keeper(program, &options)?,
            executors: executors.collect::<Result<_, _>>().map_err(|error| error.to_string())?,
            query: Query::new(program).map_err(|error| error.to_string())?,
            rows: Rows::new(rows),
            is_asked: asked_classes(manifest),
            program: Arc::clone(program),
            options,
            input: InputBatch::new(),
            log: Vec::new(),
            history: None,
            next_offsets: BTreeMap::new(),
            now_us: 0,
            latest_event_us: None,
        })
    }

    /// The program.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// The state.
    pub fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// Sets the clock: what `now()` gives, and the time of queries.
    pub fn set_now(&mut self, now_us: i64) {
        self.now_us = now_us;
    }

    /// The clock.
    pub fn now_us(&self) -> i64 {
        self.now_us
    }

    /// The greatest event time of an applied message.
    pub fn latest_event_us(&self) -> Option<i64> {
        self.latest_event_us
    }

    /// Runs one message through a resolver (position in the manifest). An offset that is not after those before it in its partition is
    /// taken as the next one.
    pub fn push(&mut self, resolver: usize, message: &[u8], envelope: &Envelope<'_>) -> Pushed {
        let next = self.next_offsets.entry((resolver, envelope.partition)).or_insert(0);
        let envelope = Envelope { offset: envelope.offset.max(*next), ..*envelope };
        *next = envelope.offset + 1;
        let mut input = std::mem::take(&mut self.input);
        input.clear();
        let pushed = match input.push(message, &envelope) {
            Ok(()) => {
                let key_at = self.key_column(resolver);
                let types = self.executors[resolver].types().to_vec();
                let program = Arc::clone(&self.program);
                let manifest = program.manifest();
                let feed = &manifest.resolvers[resolver].feeds.first();
                let output = self.push_batch(resolver, &input);
                let reason = output.errors.first().map(|error| described(manifest, error));
                let key = key_at.filter(|_| output.batch.num_rows() == 1);
                let key = key.map(|column| value_at(output.batch.column(column), &types[column], 0));
                // A windowed resolver sets nothing: its key is that of its event.
                let event_key = feed.filter(|_| key_at.is_none() && output.fates.applied == 1).and_then(|feed| {
                    let ty = &manifest.aggregations[feed.aggregation as usize].key;
                    Some(output.events.column(feed.key?).value(ty, 0))
                });
                let key = key.or(event_key);
                Pushed { fate: Fate::of_status(output.status[0]), reason, key }
            }
            Err(error) => Pushed { fate: Fate::DeadLetter, reason: Some(error.to_string()), key: None },
        };
        self.input = input;
        pushed
    }

    /// Runs a batch of messages through a resolver, whose offsets ascend per partition.
    pub fn push_batch(&mut self, resolver: usize, input: &InputBatch) -> &OutputBatch {
        let now_us = self.now_us;
        self.log.clear();
        let executor = &mut self.executors[resolver];
        executor.run(input, now_us);
        let admitted = self.keeper.admit(resolver, input, executor.output_mut(), now_us, &mut self.log);
        admitted.expect("all state is in memory");
        if let Some(history) = &mut self.history {
            history.extend_from_slice(&self.log);
        }
        self.note_times(resolver, input);
        let class = self.program.manifest().resolvers[resolver].class as usize;
        if self.options.stores_all || self.is_asked[class] {
            self.store(resolver, input);
        }
        self.executors[resolver].output()
    }

    /// The language's types of the columns that a resolver's batches have.
    pub fn types(&self, resolver: usize) -> &[chalk_types::Type] {
        self.executors[resolver].types()
    }

    /// The executor of a resolver.
    pub fn executor(&self, resolver: usize) -> &Executor {
        &self.executors[resolver]
    }

    fn note_times(&mut self, resolver: usize, input: &InputBatch) {
        let output = self.executors[resolver].output();
        for (row, message) in output.row_index.iter().enumerate() {
            let time_us = event_time_us(output, row).or(input.timestamp_us(*message as usize));
            self.latest_event_us = self.latest_event_us.max(time_us);
        }
    }

    fn key_column(&self, resolver: usize) -> Option<usize> {
        let manifest = self.program.manifest();
        let plan = &manifest.resolvers[resolver];
        let key = manifest.classes[plan.class as usize].primary_key;
        plan.outputs.iter().position(|output| *output == ResolverOutput::Feature(key))
    }

    fn store(&mut self, resolver: usize, input: &InputBatch) {
        let program = Arc::clone(&self.program);
        let plan = &program.manifest().resolvers[resolver];
        let Some(key_at) = self.key_column(resolver).filter(|_| !plan.skip_online) else { return };
        let (output, types) = (self.executors[resolver].output(), self.executors[resolver].types());
        for (row, message) in output.row_index.iter().enumerate() {
            let message = *message as usize;
            let stamp = Stamp {
                time_us: event_time_us(output, row).or(input.timestamp_us(message)),
                offset: input.offset(message),
                partition: input.partition(message),
                source: plan.source,
            };
            let value = |column: usize| value_at(output.batch.column(column), &types[column], row);
            let values = plan.outputs.iter().enumerate().filter_map(|(column, output)| match output {
                ResolverOutput::Feature(feature) => Some((*feature as usize, value(column))),
                _ => None,
            });
            self.rows.put(plan.class as usize, &value(key_at), stamp, values);
        }
    }

    /// Runs the tumbling windows that are over by the clock and the watermarks; `emit` sees their rows, which are then online.
    pub fn advance(&mut self, emit: &mut dyn FnMut(&Closed)) {
        self.close(emit, |keeper, resolver, now_us, log, emit| keeper.close_due(resolver, now_us, log, emit));
    }

    /// Runs all tumbling windows: their sources have come to their ends.
    pub fn close_all(&mut self, emit: &mut dyn FnMut(&Closed)) {
        self.close(emit, |keeper, resolver, _, log, emit| keeper.close_all(resolver, log, emit));
    }

    fn close(
        &mut self,
        emit: &mut dyn FnMut(&Closed),
        run: impl Fn(&Keeper, usize, i64, &mut Vec<u8>, &mut dyn FnMut(Closed)) -> Result<(), String>,
    ) {
        for resolver in self.keeper.tumbling() {
            let mut pieces = Vec::new();
            self.log.clear();
            run(&self.keeper, resolver, self.now_us, &mut self.log, &mut |closed| pieces.push(closed))
                .expect("all state is in memory");
            if let Some(history) = &mut self.history {
                history.extend_from_slice(&self.log);
            }
            for closed in &pieces {
                self.store_closed(closed);
                emit(closed);
            }
        }
    }

    fn store_closed(&mut self, closed: &Closed) {
        let manifest = self.program.manifest();
        let plan = &manifest.resolvers[closed.resolver];
        let key = manifest.classes[plan.class as usize].primary_key;
        let key_at = closed.features.iter().position(|feature| *feature == key);
        let key_at = key_at.expect("what a window sets has a primary key");
        let stamp = Stamp { time_us: Some(closed.end_us), offset: closed.end_us, partition: 0, source: plan.source };
        for row in 0..closed.batch.num_rows() {
            let value = |column: usize| value_at(closed.batch.column(column), &closed.types[column], row);
            let values = closed.features.iter().enumerate().map(|(at, feature)| (*feature as usize, value(at)));
            self.rows.put(plan.class as usize, &value(key_at), stamp, values);
        }
    }

    /// What a query gives at the clock's time: every feature of the class by position. Nothing stored and no event under the key is no mistake:
    /// values are null, counts 0.
    pub fn query(&mut self, class: usize, key: &Value) -> Vec<(usize, Result<Value, String>)> {
        let stored = self.rows.stored(class, key).expect("rows are in memory").unwrap_or_default();
        let values = self.query.run(&self.keeper, &self.rows, class, key, &stored, self.now_us);
        values.into_iter().enumerate().collect()
    }

    /// Keys of a class that have a stored row or events, in order.
    pub fn keys(&self, class: usize) -> Vec<Value> {
        let plan = &self.program.manifest().classes[class];
        let key_type = &plan.features[plan.primary_key as usize].ty;
        let mut keys: BTreeMap<Vec<u8>, Value> =
            self.rows.keys(class).map(|(order, key)| (order.clone(), key.clone())).collect();
        for id in self.keeper.tables() {
            if self.program.manifest().aggregations[id.aggregation as usize].class as usize != class {
                continue;
            }
            self.keeper.with_table(&id, |table| {
                table.for_each_key(&mut |column, row| {
                    keys.entry(order_of(column, row)).or_insert_with(|| column.value(key_type, row));
                });
            });
        }
        keys.into_values().collect()
    }

    /// From now on all that is logged is kept, for [`Session::snapshot`].
    pub fn keep_log(&mut self) {
        self.history.get_or_insert_default();
    }

    /// The session as a crash would leave it: all that was logged since [`Session::keep_log`], and the images given so far.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            rows: self.rows.clone(),
            next_offsets: self.next_offsets.clone(),
            now_us: self.now_us,
            images: Vec::new(),
            log: self.history.clone().unwrap_or_default(),
        }
    }

    /// As [`Session::snapshot`], with images of all entries that changed since they were last given: a checkpoint that is ahead of the log.
    pub fn checkpoint(&self) -> Snapshot {
        let mut snapshot = self.snapshot();
        for id in self.keeper.tables() {
            self.keeper.with_table(&id, |table| {
                let mut keep = |key: &[u8], image: Option<&[u8]>| {
                    if let Some(image) = image {
                        snapshot.images.push((id.feed, id.partition, key.to_vec(), image.to_vec()));
                    }
                };
                while table.take_dirty(usize::MAX, &mut keep) {}
            });
        }
        snapshot
    }

    /// A session that goes on where a snapshot was taken. An error says what cannot be read.
    pub fn restore(program: &Arc<Program>, options: SessionOptions, snapshot: &Snapshot) -> Result<Session, String> {
        let mut session = Session::new(program, options)?;
        session.rows = snapshot.rows.clone();
        session.next_offsets = snapshot.next_offsets.clone();
        session.now_us = snapshot.now_us;
        for (feed, partition, key, image) in &snapshot.images {
            let id = session.keeper.table_id(*feed, *partition).ok_or("an image of a table that is not there")?;
            session.keeper.with_table(&id, |table| table.load(key, image))?;
        }
        session.keeper.replay(&snapshot.log, snapshot.now_us)?;
        session.history = Some(snapshot.log.clone());
        Ok(session)
    }
}

/// Classes with aggregates, and those that they link to.
fn asked_classes(manifest: &Manifest) -> Vec<bool> {
    let mut is_asked: Vec<bool> = manifest.classes.iter().map(|class| !class.aggregates.is_empty()).collect();
    let mut changed = true;
    while changed {
        changed = false;
        for (class, plan) in manifest.classes.iter().enumerate() {
            for link in if is_asked[class] { &plan.links[..] } else { &[] } {
                let known = std::mem::replace(&mut is_asked[link.class as usize], true);
                changed |= !known;
            }
        }
    }
    is_asked
}

fn keeper(program: &Arc<Program>, options: &SessionOptions) -> Result<Keeper, String> {
    let mut told = KeeperOptions::in_memory(program.manifest());
    told.max_future_skew_us = options.max_future_skew_us;
    told.idle_after_us = options.idle_after_us;
    told.sql = options.sql.clone();
    Keeper::new(program, told)
}

fn event_time_us(output: &OutputBatch, row: usize) -> Option<i64> {
    output.event_times.as_ref().and_then(|times| times.is_valid(row).then(|| times.value(row)))
}
