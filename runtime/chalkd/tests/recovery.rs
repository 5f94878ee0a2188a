//! Whatever byte of the changelog a crash comes at, a restart finds the outcome of a prefix of the commits, and goes on
//! from there.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chalk_connectors::Position;
use chalkd::state::key::values_key;
use chalkd::state::pending::Pending;
use chalkd::state::row::{Stamp, groups};
use chalkd::state::store::{FjallStore, MemoryStore, Store};
use chalkd::state::{Recovered, State, recover};

/// A small generator; its seed is printed by every assertion.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

const KEYS: u64 = 12;

fn key(number: u64) -> Vec<u8> {
    let mut key = Vec::new();
    values_key(&mut key, 0, &number.to_le_bytes());
    key
}

/// The message at that offset of that partition: the same one whenever it is read again.
fn consume(pending: &mut Pending, seed: u64, partition: i32, offset: i64) {
    let mut random = Random(seed ^ ((partition as u64) << 48) ^ (offset as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    random.below(2);
    let stamp = Stamp { timed: random.below(5) > 0, time_us: random.below(50) as i64, offset, partition, source: 0 };
    let says = format!("{partition}/{offset}");
    pending.put(&key(random.below(KEYS)), random.below(3) as u32, &stamp, says.as_bytes());
    pending.advance(0, partition, Position { offset: offset + 1, byte_offset: 0 });
}

type Outcome = (Vec<Option<Vec<(u32, Vec<u8>)>>>, Vec<((u32, i32), Position)>);

/// What queries and sources see.
fn outcome(state: &State) -> Outcome {
    let rows = (0..KEYS)
        .map(|number| {
            let row = state.read(&key(number)).unwrap()?;
            Some(groups(&row).map(|group| (group.layout, group.values.to_vec())).collect())
        })
        .collect();
    (rows, state.positions())
}

fn open(store: Arc<dyn Store>, dir: &Path) -> Recovered {
    recover(store, dir, 400, None).unwrap()
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn a_crash_at_any_byte_leaves_a_prefix_of_the_commits() {
    for seed in 0..3 {
        let mut random = Random(seed);
        let dir = tempfile::tempdir().unwrap();
        let recovered = open(Arc::<MemoryStore>::default(), dir.path());
        let mut writer = recovered.writer(0);
        let mut offsets = [0i64; 3];
        let mut outcomes = vec![outcome(&recovered.state)];
        for _ in 0..12 {
            let mut pending = Pending::default();
            for _ in 0..1 + random.below(6) {
                let partition = random.below(3) as usize;
                consume(&mut pending, seed, partition as i32, offsets[partition]);
                offsets[partition] += 1;
            }
            recovered.state.commit(&mut writer, 0, &pending, false).unwrap();
            outcomes.push(outcome(&recovered.state));
        }
        let last = segments(dir.path()).pop().unwrap();
        let whole = fs::read(&last).unwrap();
        let mut seen = 0;
        for size in 0..=whole.len() {
            let crashed = tempfile::tempdir().unwrap();
            copy_dir(dir.path(), crashed.path());
            fs::write(crashed.path().join(last.file_name().unwrap()), &whole[..size]).unwrap();
            let restarted = open(Arc::<MemoryStore>::default(), crashed.path());
            let found = outcome(&restarted.state);
            let at = outcomes.iter().position(|outcome| *outcome == found);
            let at = at.unwrap_or_else(|| panic!("seed {seed}: {size} bytes give the outcome of no prefix: {found:?}"));
            assert!(at >= seen, "seed {seed}: more bytes gave fewer commits");
            seen = at;

            // The run that follows writes behind what the crash left, and is found whole by the one after it.
            let mut writer = restarted.writer(0);
            let mut pending = Pending::default();
            let offset = restarted.state.position(0, 0).map_or(0, |position| position.offset);
            consume(&mut pending, seed, 0, offset);
            restarted.state.commit(&mut writer, 0, &pending, false).unwrap();
            let gone_on = outcome(&restarted.state);
            drop(restarted);
            let again = open(Arc::<MemoryStore>::default(), crashed.path());
            assert_eq!(outcome(&again.state), gone_on, "seed {seed}: {size} bytes, then a commit");
        }
        assert_eq!(seen, 12, "seed {seed}: the whole log gives the whole outcome");
    }
}

/// Runs all messages with random commits, crashes, checkpoints, evictions and moves of partitions between workers.
fn run_with_crashes(seed: u64, make_store: &dyn Fn(&Path) -> Arc<dyn Store>, crashes: bool) -> Outcome {
    let mut random = Random(seed.wrapping_mul(77).wrapping_add(u64::from(crashes)));
    let dir = tempfile::tempdir().unwrap();
    let (logs_dir, store_dir) = (dir.path().join("log"), dir.path().join("store"));
    let total: HashMap<i32, i64> = (0..3).map(|partition| (partition, 40)).collect();
    loop {
        let recovered = open(make_store(&store_dir), &logs_dir);
        let state = &recovered.state;
        let workers = if crashes { 1 + random.below(3) as usize } else { 1 };
        let mut writers: Vec<_> = (0..workers).map(|worker| recovered.writer(worker as u32)).collect();
        let mut read: BTreeMap<i32, i64> = (0..3)
            .map(|partition| (partition, state.position(0, partition).map_or(0, |position| position.offset)))
            .collect();
        loop {
            let unread: Vec<i32> = (0..3).filter(|partition| read[partition] < total[partition]).collect();
            if unread.is_empty() {
                return outcome(state);
            }
            let partition = unread[random.below(unread.len() as u64) as usize];
            let mut pending = Pending::default();
            for _ in 0..1 + random.below(5) {
                let offset = read.get_mut(&partition).unwrap();
                if *offset < total[&partition] {
                    consume(&mut pending, seed, partition, *offset);
                    *offset += 1;
                }
            }
            if crashes && random.below(8) == 0 {
                // Computed and not committed: gone, and computed again after the restart.
                break;
            }
            let worker = partition as usize % workers;
            state.commit(&mut writers[worker], worker as u32, &pending, true).unwrap();
            if crashes && random.below(6) == 0 {
                state.checkpoint(random.below(2) as usize * 1_000).unwrap();
            }
        }
    }
}

#[test]
fn any_number_of_crashes_gives_the_values_of_a_straight_run() {
    for seed in 0..12 {
        let make = |path: &Path| Arc::new(FjallStore::open(path, 1 << 20).unwrap()) as Arc<dyn Store>;
        let straight = run_with_crashes(seed, &|_| Arc::<MemoryStore>::default(), false);
        assert_eq!(run_with_crashes(seed, &make, true), straight, "seed {seed}");
    }
}

#[test]
fn two_processes_do_not_share_a_data_dir() {
    let dir = tempfile::tempdir().unwrap();
    let _first = FjallStore::open(dir.path(), 1 << 20).unwrap();
    assert!(FjallStore::open(dir.path(), 1 << 20).is_err());
}
