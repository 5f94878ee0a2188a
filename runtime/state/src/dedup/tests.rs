//! What a set forgets and what it never does: by hand at the edges, and against a naive set of all keys and times.
//!
//! This file must not know chalkd.

use std::collections::HashMap;

use super::*;

/// Every key's every time, and the greatest of all: what the set must agree with.
#[derive(Default)]
struct Naive {
    within_us: i64,
    latest_us: Option<i64>,
    first: HashMap<DedupKey, Vec<i64>>,
}

impl Naive {
    fn check(&self, key: DedupKey, time_us: i64) -> bool {
        let within =
            |from: i64, to: i64| (0..i128::from(self.within_us)).contains(&(i128::from(to) - i128::from(from)));
        let Some(latest_us) = self.latest_us else { return false };
        let times = self.first.get(&key);
        times.is_some_and(|times| times.iter().any(|first| within(*first, time_us) && within(*first, latest_us)))
    }

    fn insert(&mut self, key: DedupKey, time_us: i64) {
        self.latest_us = self.latest_us.max(Some(time_us));
        self.first.entry(key).or_default().push(time_us);
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

fn duplicates(set: &mut DedupSet, messages: &[(DedupKey, i64)]) -> Vec<usize> {
    let mut found = Vec::new();
    let of = |row: usize| messages[row];
    set.admit(messages.len(), |row| Some(of(row).0), |row| of(row).1, |_| true, |row| found.push(row));
    found
}

#[test]
fn the_first_is_applied_and_the_others_within_the_time_are_not() {
    for is_word in [true, false] {
        let key = |id: u64| if is_word { DedupKey::of_word(id) } else { DedupKey::of_bytes(&id.to_be_bytes()) };
        let mut set = DedupSet::new(is_word, 100);
        let messages =
            [(key(7), 1_000), (key(8), 1_000), (key(7), 1_000), (key(7), 1_099), (key(7), 1_100), (key(7), 1_199)];
        assert_eq!(duplicates(&mut set, &messages), [2, 3, 5], "1,100 is 100 after the first: a new first");
        let kept: Vec<_> = set.take_inserted().collect();
        assert_eq!(kept, [(key(7), 1_000), (key(8), 1_000), (key(7), 1_100)]);
        assert!(set.take_inserted().next().is_none());
    }
}

#[test]
fn a_message_before_the_first_is_applied_and_then_either_counts() {
    let key = DedupKey::of_word(1);
    let mut set = DedupSet::new(true, 100);
    assert_eq!(duplicates(&mut set, &[(key, 1_000), (key, 950), (key, 960), (key, 1_060)]), [2, 3]);
}

#[test]
fn a_message_that_fails_or_has_no_key_leaves_none() {
    let mut set = DedupSet::new(true, 100);
    let mut found = Vec::new();
    let key_of = |row: usize| (row != 1).then_some(DedupKey::of_word(5));
    set.admit(4, key_of, |_| 10, |row| row >= 2, |row| found.push(row));
    assert_eq!(found, [3], "row 0 failed, row 1 has no key, row 2 is the first");
}

/// A worker that dies before its commit leaves no key, so the message that is read again is not its own duplicate.
#[test]
fn only_committed_keys_come_back() {
    let key = DedupKey::of_word;
    let mut set = DedupSet::new(true, 100);
    duplicates(&mut set, &[(key(1), 10), (key(2), 11)]);
    let committed: Vec<_> = set.take_inserted().collect();
    duplicates(&mut set, &[(key(3), 12)]);
    let mut restored = DedupSet::new(true, 100);
    restored.load(committed.iter().chain(&committed).copied());
    assert_eq!(restored.count(), 2, "a key that is in two files is one key");
    assert_eq!(duplicates(&mut restored, &[(key(3), 12), (key(1), 12), (key(2), 12), (key(3), 13)]), [1, 2, 3]);
    let inserted: Vec<_> = restored.take_inserted().collect();
    assert_eq!(inserted, [(key(3), 12)], "what was loaded is not written again");
}

#[test]
fn verdicts_are_those_of_a_naive_set() {
    for seed in 0..24 {
        let mut random = Random(seed);
        let is_word = seed % 2 == 0;
        let within_us = [1, 10, 1_000, 50_000][random.below(4) as usize];
        let disorder = [1, 5, 2_000, 100_000][random.below(4) as usize];
        let ids = [3, 500, 30_000][random.below(3) as usize];
        let mut set = DedupSet::new(is_word, within_us);
        let mut naive = Naive { within_us, ..Naive::default() };
        let mut now_us = if seed % 3 == 0 { -30_000 } else { 1_700_000_000_000_000 };
        for step in 0..20_000 {
            now_us += random.below(6) as i64;
            let id = random.below(ids);
            let key = if is_word { DedupKey::of_word(id) } else { DedupKey::of_bytes(&id.to_be_bytes()) };
            let time_us = now_us - random.below(disorder) as i64;
            let expected = naive.check(key, time_us);
            assert_eq!(set.check(key, time_us), expected, "seed {seed}, step {step}");
            if !expected {
                naive.insert(key, time_us);
                set.insert(key, time_us);
            }
            if step % 1_000 == 0 {
                set.sweep(64);
            }
        }
        let mut restored = DedupSet::new(is_word, within_us);
        restored.load(set.take_inserted());
        assert_eq!(restored.count(), set.count(), "seed {seed}");
    }
}

#[test]
fn batches_of_any_size_give_the_same_verdicts() {
    let mut random = Random(99);
    let messages: Vec<_> =
        (0..20_000).map(|row| (DedupKey::of_word(random.below(5_000)), row + random.below(50) as i64)).collect();
    let mut whole = DedupSet::new(true, 3_000);
    let expected = duplicates(&mut whole, &messages);
    assert!(expected.len() > 5_000);
    for size in [1, 7, 127, 128, 129, 1_024] {
        let mut set = DedupSet::new(true, 3_000);
        let found: Vec<_> = messages
            .chunks(size)
            .enumerate()
            .flat_map(|(chunk, part)| {
                duplicates(&mut set, part).into_iter().map(move |row| chunk * size + row).collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(found, expected, "batches of {size}");
    }
}

#[test]
fn a_live_key_takes_at_most_24_bytes_and_time_gives_them_back() {
    for is_word in [true, false] {
        let mut set = DedupSet::new(is_word, 400_000);
        for id in 0..1_500_000u64 {
            let key = if is_word { DedupKey::of_word(id) } else { DedupKey::of_bytes(&id.to_le_bytes()) };
            set.insert(key, id as i64);
            if id % 1_000 == 0 {
                set.take_inserted();
            }
            if id > 400_000 && id % 100_000 == 0 {
                set.take_inserted();
                set.inserted.shrink_to_fit();
                let per_key = set.size_bytes() as f64 / 400_000.0;
                assert!((16.0..=24.0).contains(&per_key), "{per_key} bytes at {id}");
            }
        }
        assert_eq!(set.count(), 400_000);
        let stashed = set.stash.len();
        assert!(stashed < 400, "{stashed} keys found no slot");
        set.insert(DedupKey::of_word(0), 10_000_000);
        set.take_inserted();
        set.inserted.shrink_to_fit();
        set.sweep(usize::MAX);
        assert_eq!(set.count(), 1);
        assert!(set.size_bytes() < 100_000, "{}", set.size_bytes());
    }
}

#[test]
fn one_id_with_ever_earlier_times_is_remembered_with_each() {
    let mut set = DedupSet::new(true, 10_000);
    for step in 0..5_000 {
        set.insert(DedupKey::of_word(1), 10_000 - step);
    }
    assert_eq!(set.count(), 5_000);
    assert!(set.check(DedupKey::of_word(1), 5_001));
    assert!(!set.check(DedupKey::of_word(1), 5_000));
}

#[test]
fn leaps_of_time_and_its_ends_wake_no_forgotten_key() {
    let key = DedupKey::of_word;
    let mut set = DedupSet::new(true, 1_000);
    set.insert(key(1), i64::MIN);
    assert!(set.check(key(1), i64::MIN + 999));
    assert!(!set.check(key(1), i64::MAX));
    // 2⁴⁸ later, a time looks the same in a slot.
    for leap in [1i64 << 46, 1 << 47, 1 << 48, 1 << 49] {
        set.insert(key(2), i64::MIN + leap);
        assert!(!set.check(key(1), i64::MIN + leap), "{leap}");
    }
    set.insert(key(3), i64::MAX);
    assert!(set.check(key(3), i64::MAX));
    assert!(!set.check(key(2), i64::MAX));
    assert!(!set.check(key(3), i64::MIN));
    set.insert(key(4), 0);
    assert!(!set.check(key(4), 0), "forgotten at once: another key is far later");
}

#[test]
fn very_long_times_are_kept_in_coarser_units() {
    let within_us = 20 * 365 * 86_400 * 1_000_000;
    let mut set = DedupSet::new(true, within_us);
    set.insert(DedupKey::of_word(1), 0);
    assert!(set.check(DedupKey::of_word(1), within_us - 1_000));
    assert!(!set.check(DedupKey::of_word(1), within_us + 1_000));
}

#[test]
fn keys_of_different_values_differ() {
    assert_ne!(DedupKey::of_bytes(b"a"), DedupKey::of_bytes(b"b"));
    let mut mixed: Vec<u64> = (0..10_000).map(mix).collect();
    mixed.sort_unstable();
    mixed.dedup();
    assert_eq!(mixed.len(), 10_000);
}

#[test]
fn the_estimated_count_is_near_the_count() {
    let mut set = DedupSet::new(true, 1_000_000);
    assert_eq!(set.estimated_count(), 0);
    for key in 0..400_000u64 {
        // The first half is forgotten when the second is in.
        set.insert(DedupKey::of_word(key), key as i64 * 5);
        if key % 50_000 == 49_999 {
            set.sweep(usize::MAX);
            let (count, estimate) = (set.count() as f64, set.estimated_count() as f64);
            assert!((estimate - count).abs() < count / 10.0, "{estimate} of {count} after {key}");
        }
    }
    assert!(set.count() < 210_000);
}
