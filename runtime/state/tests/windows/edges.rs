//! Edges, one by one: what a random run may miss, and what a window must forget.
//!
//! This file must not know how tables are laid out.

use chalk_artifact::manifest::{Aggregation, AggregationKind};
use chalk_state::{ClosedWindow, ColdStore, Folded, Table};
use chalk_types::{Type, Value};

use crate::model::{Model, key_column};
use crate::plans::{Row, batch, buckets, layout, plan};
use crate::runs::{Store, finish};

fn row(offset: i64, time_us: i64, amount: f64) -> Row {
    let columns = vec![Value::Float(amount), Value::Bool(true), Value::Null, Value::String(String::new())];
    Row { key: Value::Int(7), time_us, offset, columns }
}

/// A table that the rows were applied to, and the model.
fn table(plan: &Aggregation, rows: &[Row]) -> (Table, Model) {
    let mut table = Table::new(&layout(plan));
    table.apply(&batch(plan, rows), None, None).unwrap();
    let mut model = Model::new(plan);
    model.rows = rows.to_vec();
    (table, model)
}

fn read(table: &mut Table, window: usize, now_us: i64) -> Vec<String> {
    let mut folded = Folded::new(table.layout());
    let plan = table.layout().plan().clone();
    let is_known = table.read(&key_column(&plan.key, &Value::Int(7)), 0, window, now_us, &mut folded, None).unwrap();
    assert!(is_known);
    finish(&folded, &plan)
}

fn count(table: &mut Table, window: usize, now_us: i64) -> String {
    read(table, window, now_us).swap_remove(0)
}

/// Count and the greatest amount.
fn exact(bucket_us: i64, windows_us: &[i64]) -> Aggregation {
    plan(Type::INT, AggregationKind::Continuous(buckets(bucket_us, 0, windows_us)), &[0, 2])
}

#[test]
fn an_exact_window_leaves_out_its_beginning_and_takes_in_now() {
    let (mut table, _) = table(&exact(10, &[30]), &[row(1, 100, 1.0)]);
    assert_eq!(count(&mut table, 0, 99), "Ok(Int(0))", "not yet");
    assert_eq!(count(&mut table, 0, 100), "Ok(Int(1))", "at now");
    assert_eq!(count(&mut table, 0, 129), "Ok(Int(1))", "a microsecond inside");
    assert_eq!(count(&mut table, 0, 130), "Ok(Int(0))", "at now - w");
}

#[test]
fn a_window_shorter_than_its_bucket_is_exact_too() {
    let rows: Vec<Row> = (0..10).map(|n| row(n, 100 + n, 1.0)).collect();
    let (mut table, _) = table(&exact(100, &[3]), &rows);
    assert_eq!(count(&mut table, 0, 105), "Ok(Int(3))");
    assert_eq!(count(&mut table, 0, 110), "Ok(Int(2))");
    assert_eq!(count(&mut table, 0, 99), "Ok(Int(0))");
}

#[test]
fn events_at_the_edge_of_a_bucket_are_in_the_one_that_starts() {
    let plan = plan(Type::INT, AggregationKind::Materialized(buckets(10, 3, &[20])), &[0, 2]);
    let (mut table, model) = table(&plan, &[row(1, 12, 1.0), row(2, 13, 2.0), row(3, 22, 3.0), row(4, 23, 4.0)]);
    // Buckets are [3, 13), [13, 23), [23, 33); at 23 the window covers those that start after 3.
    assert_eq!(count(&mut table, 0, 22), "Ok(Int(3))");
    assert_eq!(count(&mut table, 0, 23), "Ok(Int(3))");
    for now_us in 0..60 {
        assert_eq!(read(&mut table, 0, now_us), model.finish(&model.read(&Value::Int(7), 0, now_us)), "at {now_us}");
    }
}

#[test]
fn a_windowed_maximum_forgets() {
    let (mut table, _) = table(&exact(10, &[30]), &[row(1, 100, 9.0), row(2, 111, 5.0), row(3, 125, 1.0)]);
    let mut greatest = |now_us| read(&mut table, 0, now_us).swap_remove(1);
    assert_eq!(greatest(129), "Ok(Float(9.0))");
    assert_eq!(greatest(130), "Ok(Float(5.0))");
    assert_eq!(greatest(141), "Ok(Float(1.0))");
    assert_eq!(greatest(155), "Ok(Null)");
}

#[test]
fn late_and_future_events_are_where_their_time_is() {
    let rows = [row(1, 100, 1.0), row(2, 500, 2.0), row(3, 95, 3.0), row(4, 104, 4.0), row(5, 80, 5.0)];
    for kind in [
        AggregationKind::Continuous(buckets(10, 0, &[7, 30])),
        AggregationKind::Materialized(buckets(10, 0, &[10, 30])),
    ] {
        let plan = plan(Type::INT, kind, &[0, 1, 2, 3]);
        let (mut table, model) = table(&plan, &rows);
        for now_us in 60..560 {
            for window in 0..2 {
                let expected = model.finish(&model.read(&Value::Int(7), window, now_us));
                assert_eq!(read(&mut table, window, now_us), expected, "window {window} at {now_us}");
            }
        }
    }
}

/// Keys that came wait for the next window, which is none until one comes again.
#[test]
fn a_window_is_there_when_it_has_events() {
    for leaves in [&[0, 2][..], &[2], &[3]] {
        let kind = AggregationKind::Tumbling { windows_us: vec![10, 30], allowed_lateness_us: 0 };
        let plan = plan(Type::INT, kind, leaves);
        let of_key = |key: i128, row: Row| Row { key: Value::Int(key), ..row };
        let mut table = Table::new(&layout(&plan));
        let mut closed = ClosedWindow::new(table.layout());
        table.apply(&batch(&plan, &[row(1, 3, 1.0), of_key(8, row(2, 9, 2.0))]), None, None).unwrap();
        assert_eq!(table.open_windows(9), []);
        assert_eq!(table.open_windows(10), [(0, 0)]);
        table.close(0, 0, &mut closed);
        assert_eq!(closed.len(), 2);
        assert_eq!(table.open_windows(29), [], "nothing came since");
        // One of two comes again, before and after a checkpoint, and skips a window.
        let mut images = Vec::new();
        table.apply(&batch(&plan, &[row(3, 11, 3.0)]), None, None).unwrap();
        assert!(!table.take_dirty(100, &mut |_, image| images.push(image.map(<[u8]>::to_vec))));
        assert!(images.len() == 2 && images.iter().all(Option::is_some), "both are in the window of 30");
        table.apply(&batch(&plan, &[row(4, 12, 4.0)]), None, None).unwrap();
        assert_eq!(table.open_windows(20), [(0, 10)]);
        closed.clear();
        table.close(0, 10, &mut closed);
        assert_eq!(closed.len(), 1, "the other key only waited");
        let alone = {
            let (mut alone, _) = self::table(&plan, &[row(3, 11, 3.0), row(4, 12, 4.0)]);
            let mut closed = ClosedWindow::new(alone.layout());
            alone.close(0, 10, &mut closed);
            closed
        };
        for leaf in 0..leaves.len() {
            assert_eq!(format!("{:?}", closed.finish(0, leaf)), format!("{:?}", alone.finish(0, leaf)));
        }
        table.apply(&batch(&plan, &[row(5, 35, 5.0)]), None, None).unwrap();
        assert_eq!(table.open_windows(30), [(1, 0)], "it waited for 20 to 30, and went on");
        closed.clear();
        table.close(1, 0, &mut closed);
        assert_eq!(closed.len(), 2);
        assert_eq!(table.counts().keys, 2);
        assert_eq!(table.open_windows(60), [(0, 30), (1, 30)]);
        assert_eq!(table.counts().keys, 2, "the other waits for 30 to 60");
        for (window, start_us) in [(0, 30), (1, 30)] {
            closed.clear();
            table.close(window, start_us, &mut closed);
            assert_eq!(closed.len(), 1);
        }
        assert_eq!(table.counts().keys, 1, "the other is gone");
        assert_eq!(table.open_windows(i64::MAX), []);
        assert_eq!(table.counts().keys, 0, "and so is the one that waited for windows that are over");
        let mut gone = 0;
        assert!(!table.take_dirty(100, &mut |_, image| gone += usize::from(image.is_none())));
        assert_eq!(gone, 2, "the store forgets them too");
    }
}

/// A key waits for the next window of one length while events of the other go past the one that it is in.
#[test]
fn a_key_that_waits_is_where_its_other_windows_are() {
    let kind = AggregationKind::Tumbling { windows_us: vec![10, 25], allowed_lateness_us: 0 };
    let plan = plan(Type::INT, kind, &[0]);
    let mut table = Table::new(&layout(&plan));
    let other = |row: Row| Row { key: Value::Int(8), ..row };
    for rows in [&[row(1, 21, 1.0), other(row(2, 22, 1.0))][..], &[other(row(3, 31, 1.0))]] {
        table.apply(&batch(&plan, rows), None, None).unwrap();
    }
    let counts = |table: &mut Table, window: usize, start_us: i64| -> Vec<String> {
        let mut closed = ClosedWindow::new(table.layout());
        table.close(window, start_us, &mut closed);
        (0..closed.len()).map(|row| format!("{:?}", closed.finish(row, 0))).collect()
    };
    assert_eq!(table.open_windows(25), [(1, 0)]);
    assert_eq!(counts(&mut table, 1, 0), ["Ok(Int(1))", "Ok(Int(1))"]);
    table.apply(&batch(&plan, &[row(4, 32, 1.0)]), None, None).unwrap();
    assert_eq!(counts(&mut table, 0, 20), ["Ok(Int(1))", "Ok(Int(1))"]);
    assert_eq!(counts(&mut table, 0, 30), ["Ok(Int(1))", "Ok(Int(1))"]);
}

#[test]
fn times_at_the_ends_do_not_overflow() {
    let times = [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX];
    let rows: Vec<Row> = times.iter().enumerate().map(|(n, time_us)| row(n as i64, *time_us, 1.0)).collect();
    let kinds = [
        AggregationKind::Continuous(buckets(7, 3, &[20, i64::MAX])),
        AggregationKind::Continuous(buckets(1, 0, &[1, 2])),
        AggregationKind::Materialized(buckets(7, -3, &[20, i64::MAX])),
        AggregationKind::Materialized(buckets(i64::MAX, i64::MIN, &[20, i64::MAX])),
        AggregationKind::Tumbling { windows_us: vec![7, i64::MAX], allowed_lateness_us: 0 },
    ];
    for kind in kinds {
        let plan = plan(Type::INT, kind, &[0, 1]);
        let (mut table, model) = table(&plan, &rows);
        for now_us in times {
            for window in 0..2 {
                let expected = model.finish(&model.read(&Value::Int(7), window, now_us));
                assert_eq!(read(&mut table, window, now_us), expected, "{:?} window {window} at {now_us}", plan.kind);
            }
        }
        for low_us in times {
            table.expire(low_us, 10);
        }
        for (window, start_us) in table.open_windows(i64::MAX) {
            table.close(window, start_us, &mut ClosedWindow::new(table.layout()));
        }
        table.drop_closed(i64::MAX);
    }
}

#[test]
fn expiry_frees_memory() {
    for kind in
        [AggregationKind::Continuous(buckets(10, 0, &[30, 200])), AggregationKind::Materialized(buckets(10, 0, &[200]))]
    {
        let plan = plan(Type::STRING, kind, &[0, 1, 3]);
        let layout = layout(&plan);
        let mut table = Table::new(&layout);
        let mut offset = 0;
        let mut fill = |table: &mut Table, from_us: i64, keys: std::ops::Range<u64>| {
            for key in keys {
                let rows: Vec<Row> = (0..20)
                    .map(|n| {
                        offset += 1;
                        Row { key: Value::String(format!("key number {key}")), ..row(offset, from_us + n * 9, 1.0) }
                    })
                    .collect();
                table.apply(&batch(&plan, &rows), None, None).unwrap();
            }
        };
        fill(&mut table, 0, 0..3000);
        fill(&mut table, 1000, 0..100);
        let (full, held) = (table.size_bytes(), table.held_bytes());
        assert!(full <= held);
        let mut gone = 0;
        for _ in 0..40 {
            gone += table.expire(1000, 100);
        }
        assert_eq!((gone, table.len()), (2900, 100));
        assert!(table.size_bytes() < full / 5, "{} of {full}", table.size_bytes());
        // Others use what they left.
        fill(&mut table, 1000, 3000..5900);
        assert!(table.held_bytes() <= held + held / 10, "{} of {held}", table.held_bytes());
        for _ in 0..100 {
            table.expire(5000, 100);
        }
        assert_eq!(table.len(), 0);
        assert!(table.held_bytes() < held / 5, "{} of {held}", table.held_bytes());
    }
}

#[test]
fn keys_that_are_gone_are_gone_from_the_store() {
    let plan = exact(10, &[30]);
    let (mut table, _) = table(&plan, &[row(1, 100, 1.0)]);
    let mut images = Vec::new();
    assert!(!table.take_dirty(10, &mut |key, image| images.push((key.to_vec(), image.map(<[u8]>::to_vec)))));
    let (key, image) = images.pop().unwrap();
    let image = image.unwrap();
    assert_eq!(key, 7i64.to_le_bytes());
    assert!(!table.is_forgotten(&image));
    assert_eq!(table.expire(138, 10), 0, "its bucket may still be seen");
    assert_eq!(table.expire(139, 10), 1);
    assert!(table.is_forgotten(&image));
    table.take_dirty(10, &mut |key, image| images.push((key.to_vec(), image.map(<[u8]>::to_vec))));
    assert_eq!(images, [(key, None)]);
}

#[test]
fn damaged_images_are_refused() {
    let leaves = [0, 1, 3, 6];
    for kind in [AggregationKind::Continuous(buckets(10, 0, &[30])), AggregationKind::Total] {
        let plan = plan(Type::INT, kind, &leaves);
        let rows: Vec<Row> = (0..9).map(|n| row(n, 100 + n * 7, n as f64)).collect();
        let (mut original, model) = table(&plan, &rows);
        let mut image = Vec::new();
        original.take_dirty(10, &mut |_, bytes| image = bytes.unwrap().to_vec());
        let key = 7i64.to_le_bytes();
        let mut other = Table::new(original.layout());
        for cut in 0..image.len() {
            assert!(other.load(&key, &image[..cut]).is_err(), "cut at {cut}");
        }
        for place in 0..image.len() {
            let mut bad = image.clone();
            bad[place] ^= 0x10;
            assert!(other.load(&key, &bad).is_err(), "changed at {place}");
        }
        assert!(other.is_empty() && other.load(&key[..5], &image).is_err());
        other.load(&key, &image).unwrap();
        assert_eq!(read(&mut other, 0, 150), model.finish(&model.read(&Value::Int(7), 0, 150)));
    }
}

/// A store that fails for one key.
struct Broken(i64);

impl ColdStore for Broken {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, String> {
        if key == self.0.to_le_bytes() { Err("the disk is gone".to_owned()) } else { Ok(None) }
    }
}

#[test]
fn a_batch_that_the_store_failed_is_applied_again() {
    let kinds = [
        AggregationKind::Continuous(buckets(10, 0, &[30])),
        AggregationKind::Materialized(buckets(10, 0, &[30])),
        AggregationKind::Tumbling { windows_us: vec![30], allowed_lateness_us: 0 },
    ];
    for kind in kinds {
        let plan = plan(Type::INT, kind, &[0, 1]);
        let layout = layout(&plan);
        // Keys 0 to 4 are in memory before; 5 to 9 come one after the other, among them, some of them again.
        let key = |n: i64| if n % 3 == 0 { 5 + n / 60 } else { n % 5 };
        let rows: Vec<Row> =
            (0..300).map(|n| Row { key: Value::Int(i128::from(key(n))), ..row(n, 100, 1.0) }).collect();
        for broken in 0..10 {
            let mut table = Table::new(&layout);
            for first in [&rows[..5], &rows[5..20]] {
                table.apply(&batch(&plan, first), None, Some(&Store::default())).unwrap();
            }
            let is_known = rows[..20].iter().any(|row| row.key == Value::Int(broken));
            let applied = table.apply(&batch(&plan, &rows), None, Some(&Broken(broken as i64)));
            assert_eq!(applied.is_err(), !is_known, "{:?}: key {broken}", plan.kind);
            table.apply(&batch(&plan, &rows), None, Some(&Store::default())).unwrap();
            let mut folded = Folded::new(table.layout());
            for key in 0..10 {
                folded.clear();
                table.read(&key_column(&plan.key, &Value::Int(key)), 0, 0, 100, &mut folded, None).unwrap();
                let count = rows.iter().filter(|row| row.key == Value::Int(key)).count();
                assert_eq!(finish(&folded, &plan)[0], format!("Ok(Int({count}))"), "{:?}: {broken}, {key}", plan.kind);
            }
        }
    }
}

#[test]
fn every_key_is_listed_once() {
    let plan = exact(10, &[30]);
    let rows: Vec<Row> = (0..500).map(|n| Row { key: Value::Int(i128::from(n % 50)), ..row(n, 100, 1.0) }).collect();
    let (table, _) = table(&plan, &rows);
    let mut keys = Vec::new();
    table.for_each_key(&mut |column, row| keys.push(column.word(row)));
    keys.sort_unstable();
    assert_eq!(keys, (0..50).collect::<Vec<u64>>());
}
