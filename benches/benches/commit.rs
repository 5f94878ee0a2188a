//! What commits cost the stream: state work alone, and with a commit every 250 ms that is brought to the disk.
//!
//! `cargo bench -p chalk-benches --bench commit` runs dedup and two aggregates over three windows, over a million keys (Zipf 1.1). Decoding is
//! not timed. Both runs do the same to state; the second hands what was logged to the thread that commits, so it pays for that and for
//! waiting while a commit is longer than its interval. Printed: nanoseconds a message on the stream's thread, by the wall clock and by its
//! CPU, and the ratio.

#![allow(clippy::print_stdout, reason = "a bench prints its table")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chalk_benches::clock::thread_time;
use chalk_connectors::Position;
use chalk_decode::Tier;
use chalk_engine::{Envelope, Executor, InputBatch, Keeper, KeeperOptions, Program};
use chalkd::committer::{CommitTarget, Committer};
use chalkd::config::Fsync;
use chalkd::dead_letters::DeadLetters;
use chalkd::fates::FateCounts;
use chalkd::metrics::Metrics;
use chalkd::state::pending::Pending;
use chalkd::state::store::{MemoryStore, Store};
use chalkd::state::{EngineState, Images, recover};

const BATCH: usize = 1024;
const KEYS: f64 = 1e6;
const INTERVAL: Duration = Duration::from_millis(250);

const PACKAGE: &str = r#"
source orders = kafka(topic: "orders")
message Order { id: int, user_id: int, amount: float, at: int }
features User {
  id: int
  spent: float over [10m, 30m, 1d]
  bought: int over [10m, 30m, 1d]
}
stream orders_of_users(events: [Order]) -> User
  from orders
  timestamp from_unix_seconds(events.at)
  dedup events.id within 24h
  window continuous
  by events.user_id
{
  id     = key
  spent  = events.sum(amount)
  bought = events.count()
}
"#;

fn program() -> Arc<Program> {
    let checked = chalkc::compile::check(&[("commit.chalk".to_owned(), PACKAGE.to_owned())]);
    assert!(checked.is_ok(), "the package is right");
    let image = chalkc::compile::jit(&checked).expect("the package compiles");
    Program::link(image, chalkc::compile::catalog()).expect("the library has what it calls")
}

/// Messages with ever later times, a tenth of them duplicates.
struct Messages {
    seed: u64,
    number: u64,
}

impl Messages {
    fn random(&mut self) -> f64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Zipf with exponent 1.1, by the inverse of its integral.
    fn user(&mut self) -> u64 {
        let exponent = -0.1;
        (1.0 + self.random() * (KEYS.powf(exponent) - 1.0)).powf(1.0 / exponent) as u64
    }

    fn fill(&mut self, input: &mut InputBatch) {
        input.clear();
        for _ in 0..BATCH {
            let user = self.user();
            let id = if self.random() < 0.1 { self.number.saturating_sub(700) } else { self.number };
            let at = 1_767_225_600 + self.number / 2_000;
            let text = format!("{{\"id\":{id},\"user_id\":{user},\"amount\":{}.25,\"at\":{at}}}", user % 97);
            let envelope = Envelope {
                topic: "orders",
                partition: 0,
                offset: self.number as i64,
                key: None,
                timestamp_us: Some(at as i64 * 1_000_000),
                headers: &[],
            };
            input.push(text.as_bytes(), &envelope).expect("a batch takes it");
            self.number += 1;
        }
    }
}

/// Nanoseconds a message: by the wall clock, by the thread's CPU.
fn run(program: &Arc<Program>, dir: &Path, commits: bool, batches: u64) -> (f64, f64) {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let images = Arc::new(Images::new(store.clone()));
    let mut options = KeeperOptions::in_memory(program.manifest());
    options.cold = Some(images.clone());
    let keeper = Arc::new(Keeper::new(program, options).expect("a program with state"));
    let within = BTreeMap::from([(0, 86_400_000_000)]);
    let engine = EngineState::new(keeper.clone(), images, &dir.join("dedup"), within).expect("a folder");
    let recovered = recover(store, &dir.join("changelog"), 64 << 20, Some(engine)).expect("nothing to recover");
    let writer = recovered.writer(0);
    let target = CommitTarget {
        state: Arc::new(recovered.state),
        dead_letters: Arc::new(DeadLetters::open(&dir.join("dead_letters")).expect("a file")),
        metrics: Arc::<Metrics>::default(),
        fates: Arc::<FateCounts>::default(),
        fsync: Fsync::Commit,
        fsync_interval: Duration::from_secs(1),
    };
    let mut committer = Committer::start(0, writer, target).expect("a thread");
    let tier = Tier::detect().expect("a tier of this machine");
    let mut executor = Executor::new(program, 0, tier).expect("a resolver");
    let (mut messages, mut input) = (Messages { seed: 5, number: 0 }, InputBatch::new());
    let (mut pending, mut last_commit) = (Pending::default(), Instant::now());
    let (mut wall, mut on_cpu) = (Duration::ZERO, Duration::ZERO);
    for batch in 0..batches {
        messages.fill(&mut input);
        executor.run(&input, 0);
        let output = executor.output_mut();
        let (started, cpu) = (Instant::now(), thread_time());
        keeper.admit(0, &input, output, 0, &mut pending.events).expect("all is in memory");
        if !commits {
            pending.events.clear();
        } else if last_commit.elapsed() >= INTERVAL {
            committer.wait().expect("it commits");
            last_commit = Instant::now();
            pending.advance(0, 0, Position { offset: messages.number as i64, byte_offset: 0 });
            committer.submit(std::mem::take(&mut pending));
        }
        // The first tenth fills the tables.
        if batch >= batches / 10 {
            wall += started.elapsed();
            on_cpu += thread_time() - cpu;
        }
    }
    committer.wait().expect("it commits");
    let count = ((batches - batches / 10) * BATCH as u64) as f64;
    (wall.as_nanos() as f64 / count, on_cpu.as_nanos() as f64 / count)
}

fn main() {
    let batches: u64 = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(6_000);
    let program = program();
    for round in 0..3 {
        let dirs = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
        let (alone, alone_cpu) = run(&program, dirs[0].path(), false, batches);
        let (with, with_cpu) = run(&program, dirs[1].path(), true, batches);
        println!(
            "round {round}: state alone {alone:.0} ns ({alone_cpu:.0} CPU), with commits {with:.0} ns ({with_cpu:.0} CPU): \
             {:.0} % of its rate ({:.0} % by CPU)",
            alone / with * 100.0,
            alone_cpu / with_cpu * 100.0
        );
    }
}
