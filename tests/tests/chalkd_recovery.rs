//! Recovery step by step, in one process: messages computed, committed, checkpointed and lost at any point, and read again.
//!
//! The engine is ahead of the commits, and a checkpoint may come at any moment. Whatever it has kept, a message that is read again meets the
//! fate of the first time, and the values at the end have the bits of a run without crashes.

mod served;
mod shop;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chalk_connectors::{Envelope, Position};
use chalk_engine::{KeeperOptions, Numbers};
use chalk_types::Value;
use chalkd::pipeline::{Pipeline, Program};
use chalkd::state::changelog::Writer;
use chalkd::state::pending::Pending;
use chalkd::state::store::MemoryStore;
use chalkd::state::{EngineState, Images, State, recover};
use served::artifact;
use shop::{MINUTE, Order, Random};

/// Windows of a minute, and orders that are out of order by three: many are late.
const SHOP: &str = concat!(
    include_str!("shop/purchases.chalk"),
    r#"
source orders = file(path: "orders.ndjson")

features User {
  id: int
  purchases: [Purchase]
  total: float = purchases.sum(amount)
  recent: float over [2m, 10m] = purchases.sum(amount)
  @materialize(bucket: 1m)
  recent_count: int over [5m] = purchases.count()
  orders: int over [1m]
  spent: float over [1m]
}

stream minutes(events: [Order]) -> User
  from orders
  timestamp events.at
  dedup events.id within 20m
  window tumbling(allowed_lateness: 45s)
  by events.user_id
{
  id = key
  orders = events.count()
  spent = events.sum(amount)
}
"#
);

const USERS: i64 = 5;
const START: i64 = 1_700_000_400_000_000;
/// Of the resolver with tumbling windows, in the order of the package.
const MINUTES: usize = 1;

/// Rows of windows that have run: (user, end of the window) and its values as text.
type Rows = BTreeMap<(String, i64), String>;

/// A process, as far as its state goes.
struct Process {
    state: State,
    program: Arc<dyn Program>,
    pipeline: Box<dyn Pipeline>,
    writer: Writer,
    pending: Pending,
    /// Of windows that have run and are not committed.
    rows: Rows,
}

impl Process {
    fn start(dir: &Path, store: &Arc<MemoryStore>, now_us: i64) -> Process {
        let opened = chalkd::engine_pipeline::open(&dir.join("app.chalkb")).unwrap();
        let manifest = opened.manifest().clone();
        let numbers = Numbers::by_position(&manifest);
        let images = Arc::new(Images::new(store.clone()));
        let options = KeeperOptions {
            // Whatever the clock says, no partition is idle.
            idle_after_us: 1_000_000 * MINUTE,
            cold: Some(images.clone()),
            numbers: numbers.clone(),
            ..KeeperOptions::in_memory(&manifest)
        };
        let program = opened.with_state(options).unwrap();
        let dedups = manifest.resolvers.iter().zip(&numbers.resolvers);
        let within_us =
            dedups.filter_map(|(resolver, number)| Some((*number, resolver.dedup.as_ref()?.within_us))).collect();
        let keeper = program.keeper().unwrap().clone();
        let engine = EngineState::new(keeper.clone(), images, &dir.join("dedup"), within_us).unwrap();
        let recovered = recover(store.clone(), &dir.join("changelog"), 1 << 16, Some(engine)).unwrap();
        let writer = recovered.writer(0);
        let state = recovered.state;
        let engine = state.engine().unwrap();
        engine.make_tables(numbers.feeds.iter().flatten().map(|feed| (*feed, 0)));
        engine.load(&**store, usize::MAX, &|| false).unwrap();
        keeper.assign(0, 0, now_us);
        let pipeline = program.pipeline(&[0, MINUTES]).unwrap();
        Process { state, program, pipeline, writer, pending: Pending::default(), rows: Rows::new() }
    }

    /// The next offset to read.
    fn position(&self) -> i64 {
        let pending = self.pending.positions.get(&(0, 0)).copied();
        pending.or_else(|| self.state.position(0, 0)).map_or(0, |position| position.offset)
    }

    /// Computes the next messages; gives the statuses that each resolver gave them.
    fn consume(&mut self, orders: &[Order], count: usize, now_us: i64) -> Vec<Vec<u8>> {
        let from = self.position() as usize;
        let until = (from + count).min(orders.len());
        for (offset, order) in orders[from..until].iter().enumerate() {
            let offset = (from + offset) as i64;
            let envelope =
                Envelope { topic: "orders", partition: 0, offset, key: None, timestamp_us: None, headers: &[] };
            assert!(self.pipeline.push(shop::message(order, 0).as_bytes(), &envelope));
        }
        let mut statuses = Vec::new();
        let mut visit = |computed: &chalkd::pipeline::Computed<'_>| statuses.push(computed.status.to_vec());
        self.pipeline.run(now_us, &mut self.pending.events, &mut visit).unwrap();
        self.pipeline.clear();
        self.pending.advance(0, 0, Position { offset: until as i64, byte_offset: 0 });
        statuses
    }

    /// Runs windows that are over; what they give is not committed yet.
    fn close(&mut self, now_us: i64) {
        let engine = self.state.engine().unwrap();
        let _guard = engine.may_close().expect("everything is loaded");
        let before = self.pending.events.len();
        let rows = &mut self.rows;
        let mut emit = |closed: chalk_engine::Closed| {
            for row in 0..closed.batch.num_rows() {
                let values: Vec<Value> = closed
                    .batch
                    .columns()
                    .iter()
                    .zip(&closed.types)
                    .map(|(column, ty)| chalk_engine::values::value_at(column, ty, row))
                    .collect();
                let before = rows.insert((format!("{:?}", values[0]), closed.end_us), format!("{values:?}"));
                assert_eq!(before, None, "a window runs once");
            }
        };
        engine.keeper().close_due(MINUTES, now_us, &mut self.pending.events, &mut emit).unwrap();
        if self.pending.events.len() > before && !std::mem::replace(&mut self.pending.has_closes, true) {
            engine.closes_begin();
        }
    }

    fn commit(&mut self, committed: &mut Rows) {
        let pending = std::mem::take(&mut self.pending);
        self.state.commit(&mut self.writer, 0, &pending, false).unwrap();
        for (window, values) in std::mem::take(&mut self.rows) {
            assert_eq!(committed.insert(window, values), None, "a window is committed once");
        }
    }

    /// Every aggregate of every user.
    fn values(&self, now_us: i64) -> Vec<String> {
        let keeper = self.program.keeper().unwrap();
        let class = self.program.manifest().classes.iter().position(|class| class.name == "User").unwrap();
        (0..USERS).map(|user| format!("{:?}", keeper.aggregates(class, &Value::Int(user.into()), now_us))).collect()
    }
}

/// What a run came to.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    /// Per message the status that each resolver gave it.
    statuses: BTreeMap<i64, Vec<u8>>,
    rows: Rows,
    values: Vec<String>,
}

/// Reads everything; with crashes it is lost now and then what was not committed.
fn live(app: &[u8], orders: &[Order], random: &mut Random, crashes: bool) -> (Outcome, usize) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("app.chalkb"), app).unwrap();
    let store = Arc::<MemoryStore>::default();
    let now_us = START;
    let mut process = Process::start(dir.path(), &store, now_us);
    let (mut outcome, mut crashed) = (Outcome::default(), 0);
    while process.position() < orders.len() as i64 || !process.pending.is_empty() {
        if process.position() < orders.len() as i64 {
            let from = process.position();
            let statuses = process.consume(orders, 1 + random.below(40) as usize, now_us);
            for (at, offset) in (from..process.position()).enumerate() {
                let statuses: Vec<u8> = statuses.iter().map(|of_resolver| of_resolver[at]).collect();
                let first = outcome.statuses.entry(offset).or_insert_with(|| statuses.clone());
                assert_eq!(*first, statuses, "message {offset} meets another fate when it is read again");
            }
        }
        if random.below(3) == 0 {
            process.commit(&mut outcome.rows);
        }
        if random.below(4) == 0 {
            // A window's events are committed before it runs, as workers see to.
            process.commit(&mut outcome.rows);
            process.close(now_us);
        }
        if crashes && random.below(8) == 0 {
            if !process.pending.has_closes {
                process.state.checkpoint(1_000).unwrap();
            }
            drop(process);
            crashed += 1;
            process = Process::start(dir.path(), &store, now_us);
        } else if random.below(5) == 0 && !process.pending.has_closes {
            process.state.checkpoint(1_000).unwrap();
        }
        if process.position() == orders.len() as i64 {
            process.commit(&mut outcome.rows);
        }
    }
    process.close(now_us);
    process.commit(&mut outcome.rows);
    outcome.values = process.values(orders.last().unwrap().sent);
    (outcome, crashed)
}

#[test]
fn whatever_a_checkpoint_kept_messages_that_are_read_again_meet_their_fates() {
    let app = artifact(SHOP);
    let mut crashes = 0;
    for seed in 1..9 {
        eprintln!("seed {seed}");
        let orders = shop::orders(seed, 1_000, USERS, 1, START);
        let (straight, _) = live(&app, &orders, &mut Random(seed), false);
        let late = straight.statuses.values().filter(|statuses| statuses[MINUTES] == chalk_artifact::abi::status::LATE);
        assert!(late.count() > 20, "the orders try what they should");
        assert!(straight.rows.len() > 20, "windows run");
        let (crashed, count) = live(&app, &orders, &mut Random(seed + 1_000), true);
        crashes += count;
        for (offset, statuses) in &straight.statuses {
            assert_eq!(crashed.statuses[offset], *statuses, "message {offset}");
        }
        assert_eq!(crashed.rows, straight.rows);
        assert_eq!(crashed.values, straight.values);
    }
    assert!(crashes > 20, "{crashes} crashes");
}

/// Where old messages are read fast, some window has always just run and is not committed. A checkpoint, which waits for that, must come to its
/// turn: no window runs while it waits.
#[test]
fn no_window_runs_while_a_checkpoint_waits_for_those_that_have_run() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("app.chalkb"), artifact(SHOP)).unwrap();
    let store = Arc::<MemoryStore>::default();
    let mut process = Process::start(dir.path(), &store, START);
    let orders = shop::orders(1, 1_000, USERS, 1, START);
    process.consume(&orders, orders.len(), START);
    let mut rows = Rows::new();
    process.commit(&mut rows);
    process.close(START);
    assert!(process.pending.has_closes, "windows are over");
    let Process { state, writer, pending, .. } = &mut process;
    let state = &*state;
    std::thread::scope(|scope| {
        let checkpoint = scope.spawn(|| state.checkpoint(1_000));
        let mut is_refused = false;
        while !is_refused && !checkpoint.is_finished() {
            is_refused = state.engine().unwrap().may_close().is_none();
            std::thread::yield_now();
        }
        assert!(is_refused, "the checkpoint has come to its end without the commit");
        state.commit(writer, 0, pending, false).unwrap();
        checkpoint.join().unwrap().unwrap();
    });
    assert!(state.engine().unwrap().may_close().is_some());
}
