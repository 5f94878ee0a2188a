//! State alone: events into tables, windows read, ids remembered; against loops over hash maps written by hand.
//!
//! `RUSTFLAGS="-C target-cpu=native" cargo bench -p chalk-benches --bench state [TABLE]` prints four tables: `message` (dedup and two
//! aggregates over three windows, 1 M keys), `tumbling`, `dedup` and `matrix`. Times are CPU time of this thread; events are made beforehand
//! and not timed. Contenders take turns over the same events, and what they answer is compared.

#![allow(clippy::print_stdout, unreachable_pub, reason = "a bench prints its table and is used by nobody")]

#[path = "state/events.rs"]
mod events;
#[path = "state/naive.rs"]
mod naive;

use std::time::{Duration, Instant};

use chalk_artifact::manifest::AggregationKind;
use chalk_benches::clock::thread_time;
use chalk_catalog::ColumnBuilder;
use chalk_catalog::ColumnData;
use chalk_catalog::event::{EventColumn, EventData};
use chalk_state::{ClosedWindow, DedupKey, DedupSet, EventBatch, Folded, Layout, Table, memory};
use chalk_types::{Kind, Value};
use events::{DAY, Distribution, MINUTE, Random, Stream, buckets, plan};
use naive::{ByHand, Deques, Ids};

const BATCH: usize = 1024;
/// Entries that are swept in a turn: a million in ten hours of the bench's time, twice within the longest window.
const SWEEP: usize = 16_384;
/// Batches that are made, then timed.
const TURN: usize = 64;

fn main() {
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let is_wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    println!("ns of thread CPU time; batches of {BATCH}\n");
    if is_wanted("message") {
        message();
    }
    if is_wanted("tumbling") {
        tumbling();
    }
    if is_wanted("dedup") {
        dedup();
    }
    if is_wanted("matrix") {
        matrix();
    }
}

fn per(time: Duration, count: usize) -> f64 {
    time.as_nanos() as f64 / count as f64
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times[times.len() / 2]
}

fn layout(kind: AggregationKind, aggregates: usize) -> std::sync::Arc<Layout> {
    Layout::new(&plan(kind, aggregates), chalk_functions::catalog()).expect("a plan of the bench")
}

/// One key, to look up.
fn key_column() -> EventColumn {
    EventColumn::new(&Kind::Int(chalk_types::IntWidth::Int64))
}

fn set_key(column: &mut EventColumn, key: u64) {
    column.data = match std::mem::replace(&mut column.data, EventData::Words(Vec::new())) {
        EventData::Words(mut words) => {
            words.clear();
            words.push(key);
            EventData::Words(words)
        }
        bytes => bytes,
    };
}

/// Ids of a batch: its offsets, one in a hundred seen before.
fn ids(batch: &EventBatch, random: &mut Random, into: &mut Vec<u64>) {
    into.clear();
    for offset in &batch.offsets {
        let back = if random.below(100) == 0 { random.below(100_000) as i64 } else { 0 };
        into.push((offset - back).max(0) as u64);
    }
}

/// Dedup within a day, then count and sum over 10 m, 30 m and 1 d: the figure of the design.
fn message() {
    const KEYS: u64 = 1_000_000;
    println!(
        "| dedup + 2 aggregates x 3 windows | ns/message | dedup | state | naive | dedup | state | naive / ours |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (distribution, name) in [(Distribution::Zipf, "1 M Zipf"), (Distribution::Uniform, "1 M uniform")] {
        for (kind, kind_name) in [
            (AggregationKind::Materialized(buckets(3)), "materialized"),
            (AggregationKind::Continuous(buckets(3)), "continuous"),
        ] {
            let layout = layout(kind.clone(), 2);
            let (mut table, mut set) = (Table::new(&layout), DedupSet::new(true, DAY));
            let windows = vec![(MINUTE, 10 * MINUTE), (MINUTE, 30 * MINUTE), (30 * MINUTE, DAY)];
            let (mut deques, mut naive_ids) = (Deques::new(windows), Ids::default());
            let mut stream = Stream::new(KEYS, distribution, 10, 0);
            let mut batches: Vec<EventBatch> = (0..TURN).map(|_| EventBatch::new(layout.plan())).collect();
            let mut batch_ids = vec![Vec::new(); TURN];
            let mut random = Random(3);
            let mut times = vec![Vec::new(); 4];
            // A day to warm up, then what is timed.
            let turns = 10_000_000 / (BATCH * TURN);
            for turn in 0..turns + 40 {
                for (batch, into) in batches.iter_mut().zip(&mut batch_ids) {
                    stream.fill(batch, BATCH);
                    ids(batch, &mut random, into);
                }
                let start = thread_time();
                let mut duplicates = 0;
                for (batch, ids) in batches.iter().zip(&batch_ids) {
                    set.admit(
                        batch.len(),
                        |row| Some(DedupKey::of_word(ids[row])),
                        |row| batch.times_us[row],
                        |_| true,
                        |_| duplicates += 1,
                    );
                    set.take_inserted();
                }
                let after_dedup = thread_time();
                for batch in &batches {
                    table.apply(batch, None, None).expect("no store");
                }
                table.expire(stream.now_us(), SWEEP);
                let after_state = thread_time();
                let mut naive_duplicates = 0;
                for (batch, ids) in batches.iter().zip(&batch_ids) {
                    for (id, time_us) in ids.iter().zip(&batch.times_us) {
                        naive_duplicates += usize::from(!naive_ids.admit(*id, *time_us, DAY));
                    }
                }
                let after_naive_dedup = thread_time();
                batches.iter().for_each(|batch| deques.apply(batch));
                let end = thread_time();
                assert_eq!(duplicates, naive_duplicates, "both find the same duplicates");
                if turn >= turns {
                    let parts = [
                        after_dedup - start,
                        after_state - after_dedup,
                        after_naive_dedup - after_state,
                        end - after_naive_dedup,
                    ];
                    times.iter_mut().zip(parts).for_each(|(times, part)| times.push(per(part, TURN * BATCH)));
                }
            }
            if kind_name == "materialized" {
                compare(&mut table, &deques, &stream);
            }
            let [dedup, state, naive_dedup, naive_state] = [0, 1, 2, 3].map(|part| median(times[part].clone()));
            println!(
                "| {name}, {kind_name} | **{:.0}** | {dedup:.0} | {state:.0} | {:.0} | {naive_dedup:.0} | {naive_state:.0} | **{:.2}** |",
                dedup + state,
                naive_dedup + naive_state,
                (naive_dedup + naive_state) / (dedup + state),
            );
            print_memory(&table);
            println!(
                "dedup: {:.1} B per key of {} M",
                set.size_bytes() as f64 / set.count() as f64,
                set.count() / 1_000_000
            );
        }
    }
    println!();
}

/// Both answer the same, bit by bit.
fn compare(table: &mut Table, deques: &Deques, stream: &Stream) {
    let (mut random, mut column, now_us) = (Random(11), key_column(), stream.now_us());
    let mut folded = Folded::new(table.layout());
    for _ in 0..20_000 {
        let key = stream.keys.draw(&mut random);
        set_key(&mut column, key);
        for window in 0..3 {
            folded.clear();
            table.read(&column, 0, window, now_us, &mut folded, None).expect("no store");
            let (count, sum) = deques.read(key, window, now_us);
            assert_eq!(folded.finish(0), Ok(Value::Int(i128::from(count))));
            assert_eq!(folded.finish(1), Ok(Value::Float(sum)));
        }
    }
}

/// What keys take, against what was said beforehand.
fn print_memory(table: &Table) {
    let counts = table.counts();
    let keys = counts.keys.max(1) as f64;
    let estimate = memory::estimate_layout(table.layout());
    let records: Vec<f64> = counts.records.iter().map(|count| *count as f64 / keys).collect();
    let estimated = estimate.key_bytes(&records, counts.events as f64 / keys);
    let (used, held) = (table.size_bytes() as f64 / keys, table.held_bytes() as f64 / keys);
    println!(
        "memory: {} keys, {records:.1?} closed buckets and {:.1} events each: {used:.0} B/key in use, {held:.0} held; estimate {estimated:.0} (held / estimate {:.2}); {}",
        counts.keys,
        counts.events as f64 / keys,
        held / estimated,
        estimate.describe(),
    );
}

/// 10 minutes, six aggregates, 10 k keys, half a million events a window; closing included.
fn tumbling() {
    let kind = AggregationKind::Tumbling { windows_us: vec![10 * MINUTE], allowed_lateness_us: 0 };
    println!("| tumbling 10 m, 6 aggregates, 10 k keys | ours | by hand | by hand / ours |");
    println!("|---|---|---|---|");
    for (distribution, name) in [(Distribution::Uniform, "uniform"), (Distribution::Zipf, "Zipf")] {
        let layout = layout(kind.clone(), 6);
        let (mut table, mut by_hand) = (Table::new(&layout), ByHand::new(10 * MINUTE));
        let mut stream = Stream::new(10_000, distribution, 7200, 0);
        let mut batches: Vec<EventBatch> = (0..TURN).map(|_| EventBatch::new(layout.plan())).collect();
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let mut window = ClosedWindow::new(&layout);
        let leaves = layout.plan().leaves.iter();
        let mut closed: Vec<_> = leaves.map(|leaf| ColumnBuilder::new(&leaf.ty.to_optional())).collect();
        let (mut rows, mut failed) = (Vec::<usize>::new(), Vec::new());
        let mut windows = 0;
        for turn in 0..160 {
            batches.iter_mut().for_each(|batch| stream.fill(batch, BATCH));
            let mut is_closed = false;
            let start = thread_time();
            for batch in &batches {
                table.apply(batch, None, None).expect("no store");
                let watermark_us = *batch.times_us.last().expect("rows");
                for (number, start_us) in table.open_windows(watermark_us) {
                    window.clear();
                    table.close(number, start_us, &mut window);
                    rows.extend(rows.len()..window.len());
                    rows.truncate(window.len());
                    for (number, column) in closed.iter_mut().enumerate() {
                        column.clear();
                        window.finish_column(number, &rows, column, &mut failed);
                    }
                    is_closed = true;
                }
            }
            let between = thread_time();
            batches.iter().for_each(|batch| by_hand.apply(batch));
            let end = thread_time();
            if is_closed {
                assert!(failed.is_empty(), "in range");
                check_closed(&window, &closed, &mut by_hand.closed);
                windows += 1;
            }
            if turn >= 20 {
                ours.push(per(between - start, TURN * BATCH));
                theirs.push(per(end - between, TURN * BATCH));
            }
        }
        assert!(windows > 10, "windows were closed");
        // Sums, not medians: closing a window falls into one turn of many.
        let mean = |times: &[f64]| times.iter().sum::<f64>() / times.len() as f64;
        let (ours, theirs) = (mean(&ours), mean(&theirs));
        println!("| {name} | {ours:.1} | {theirs:.1} | **{:.2}** |", theirs / ours);
    }
    println!();
}

fn check_closed(window: &ClosedWindow, columns: &[ColumnBuilder], theirs: &mut [(u64, u64, f64, f64, f64, f64, i64)]) {
    theirs.sort_unstable_by_key(|values| values.0 as i64);
    assert_eq!(window.len(), theirs.len());
    for (row, (key, count, sum, least, greatest, mean, points)) in theirs.iter().enumerate() {
        let words = [*sum, *least, *greatest, *mean].map(f64::to_bits);
        let expected = [*count, words[0], words[1], words[2], words[3], *points as u64];
        let got = columns.iter().map(|column| match &column.data {
            ColumnData::Width8(words) => words[row],
            other => panic!("{other:?} has no words"),
        });
        assert_eq!((window.keys().word(row), got.collect::<Vec<_>>()), (*key, expected.to_vec()));
    }
}

/// Ids alone: 10 M live, then as many again.
fn dedup() {
    println!("| dedup within 1 d | ns/message | B/key | naive ns | naive / ours |");
    println!("|---|---|---|---|---|");
    for live in [1_000_000u64, 10_000_000] {
        let (mut set, mut naive) = (DedupSet::new(true, DAY), Ids::default());
        let step_us = DAY / live as i64;
        let (mut random, mut next, mut clock_us) = (Random(5), 0u64, events::START);
        let (mut ours, mut theirs, mut bytes) = (Vec::new(), Vec::new(), 0.0);
        let turns = live as usize * 2 / (BATCH * TURN);
        for turn in 0..turns {
            let rows: Vec<(u64, i64)> = (0..BATCH * TURN)
                .map(|_| {
                    clock_us += step_us;
                    next += 1;
                    let back = if random.below(10) == 0 { random.below(live / 2) } else { 0 };
                    (next.saturating_sub(back), clock_us)
                })
                .collect();
            let start = thread_time();
            let mut duplicates = 0;
            for part in rows.chunks(BATCH) {
                let key = |row: usize| Some(DedupKey::of_word(part[row].0));
                set.admit(part.len(), key, |row| part[row].1, |_| true, |_| duplicates += 1);
                set.take_inserted();
            }
            let between = thread_time();
            let naive_duplicates = rows.iter().filter(|(id, time_us)| !naive.admit(*id, *time_us, DAY)).count();
            let end = thread_time();
            assert_eq!(duplicates, naive_duplicates);
            if turn > turns / 2 {
                ours.push(per(between - start, rows.len()));
                theirs.push(per(end - between, rows.len()));
                bytes = set.size_bytes() as f64 / set.count() as f64;
            }
        }
        let (ours, theirs) = (median(ours), median(theirs));
        println!(
            "| {} M live, 10 % duplicates | {ours:.0} | {bytes:.1} | {theirs:.0} | {:.1} |",
            live / 1_000_000,
            theirs / ours
        );
    }
    println!();
}

/// Updates and reads, one dimension at a time.
fn matrix() {
    println!(
        "| keys | kind | windows | aggregates | late | ns/update | M/s | ns/read of all windows | p50 | p99 | B/key held / estimate |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for (keys, distribution, name) in [
        (10_000, Distribution::Zipf, "10 k Zipf"),
        (10_000, Distribution::Uniform, "10 k uniform"),
        (1_000_000, Distribution::Zipf, "1 M Zipf"),
        (1_000_000, Distribution::Uniform, "1 M uniform"),
    ] {
        for is_exact in [false, true] {
            for (windows, aggregates, late) in [(3, 2, 0), (1, 2, 0), (3, 6, 0), (3, 2, 5)] {
                matrix_line(keys, distribution, name, is_exact, windows, aggregates, late);
            }
        }
    }
}

fn matrix_line(
    keys: u64,
    distribution: Distribution,
    name: &str,
    is_exact: bool,
    windows: usize,
    aggregates: usize,
    late: u64,
) {
    let (kind, kind_name) = if is_exact {
        (AggregationKind::Continuous(buckets(windows)), "continuous")
    } else {
        (AggregationKind::Materialized(buckets(windows)), "materialized")
    };
    let layout = layout(kind, aggregates);
    let mut table = Table::new(&layout);
    // 5 M events are a day: 5 of a key where there are many, 500 where there are few.
    let mut stream = Stream::new(keys, distribution, 5_000_000 / keys, late);
    let mut batches: Vec<EventBatch> = (0..TURN).map(|_| EventBatch::new(layout.plan())).collect();
    let (mut updates, warm) = (Vec::new(), 5_000_000 / (BATCH * TURN));
    for turn in 0..warm + 20 {
        batches.iter_mut().for_each(|batch| stream.fill(batch, BATCH));
        let start = thread_time();
        for batch in &batches {
            table.apply(batch, None, None).expect("no store");
        }
        let end = thread_time();
        table.expire(stream.now_us(), 100_000);
        if turn >= warm {
            updates.push(per(end - start, BATCH * TURN));
        }
    }
    let wanted: Vec<u64> = (0..100_000).map(|_| stream.keys.draw(&mut stream.random)).collect();
    let (mut column, mut folded, now_us) = (key_column(), Folded::new(&layout), stream.now_us());
    let mut reads = Vec::with_capacity(wanted.len());
    let start = thread_time();
    for key in &wanted {
        set_key(&mut column, *key);
        let begin = Instant::now();
        for window in 0..windows {
            folded.clear();
            table.read(&column, 0, window, now_us, &mut folded, None).expect("no store");
            std::hint::black_box(&folded);
        }
        reads.push(begin.elapsed().as_nanos() as u64);
    }
    let read = per(thread_time() - start, wanted.len());
    reads.sort_unstable();
    let counts = table.counts();
    let per_key = counts.keys.max(1) as f64;
    let records: Vec<f64> = counts.records.iter().map(|count| *count as f64 / per_key).collect();
    let estimated = memory::estimate_layout(&layout).key_bytes(&records, counts.events as f64 / per_key);
    let update = median(updates);
    println!(
        "| {name} | {kind_name} | {windows} | {aggregates} | {late} % | {update:.0} | {:.1} | {read:.0} | {} | {} | {:.0} / {estimated:.0} |",
        1e3 / update,
        reads[reads.len() / 2],
        reads[reads.len() * 99 / 100],
        table.held_bytes() as f64 / per_key,
    );
}
