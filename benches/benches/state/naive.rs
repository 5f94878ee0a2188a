//! What one would write without thinking about memory: a hash map of deques of buckets; a hash map of sums; a map of ids.
//!
//! Hash maps are the fastest common ones (hashbrown with foldhash). They do the same work as state does: the bench compares the values.
//!
//! This file must not know tables.

use std::collections::VecDeque;

use chalk_catalog::event::EventData;
use chalk_state::EventBatch;
use hashbrown::HashMap;

/// Count and sum of each bucket of each window, in a deque per key and window.
pub struct Deques {
    keys: HashMap<u64, Vec<VecDeque<(i64, u64, f64)>>>,
    /// Bucket length and window of each deque.
    windows: Vec<(i64, i64)>,
}

pub fn words(data: &EventData) -> &[u64] {
    match data {
        EventData::Words(words) => words,
        EventData::Bytes { .. } => panic!("columns of the bench are words"),
    }
}

impl Deques {
    pub fn new(windows: Vec<(i64, i64)>) -> Deques {
        Deques { keys: HashMap::new(), windows }
    }

    pub fn apply(&mut self, batch: &EventBatch) {
        let keys = words(&batch.keys.as_ref().expect("keyed").data);
        let amounts = words(&batch.columns[0].data);
        for row in 0..batch.len() {
            let deques = self.keys.entry(keys[row]).or_insert_with(|| vec![VecDeque::new(); self.windows.len()]);
            let (time_us, amount) = (batch.times_us[row], f64::from_bits(amounts[row]));
            for (deque, (bucket_us, window_us)) in deques.iter_mut().zip(&self.windows) {
                let number = time_us.div_euclid(*bucket_us);
                while deque.front().is_some_and(|front| (front.0 + 1) * bucket_us <= time_us - window_us) {
                    deque.pop_front();
                }
                match deque.iter().rposition(|bucket| bucket.0 <= number) {
                    Some(position) if deque[position].0 == number => {
                        deque[position].1 += 1;
                        deque[position].2 += amount;
                    }
                    Some(position) => deque.insert(position + 1, (number, 1, amount)),
                    None => deque.push_front((number, 1, amount)),
                }
            }
        }
    }

    /// Count and sum over a window of whole buckets, the running one included.
    pub fn read(&self, key: u64, window: usize, now_us: i64) -> (u64, f64) {
        let (bucket_us, window_us) = self.windows[window];
        let last = now_us.div_euclid(bucket_us);
        let first = last - window_us / bucket_us + 1;
        let Some(deques) = self.keys.get(&key) else { return (0, 0.0) };
        let inside = deques[window].iter().filter(|bucket| bucket.0 >= first && bucket.0 <= last);
        inside.fold((0, 0.0), |(count, sum), bucket| (count + bucket.1, sum + bucket.2))
    }
}

/// Ids with the time of the first, forgotten in the order of arrival.
#[derive(Default)]
pub struct Ids {
    seen: HashMap<u64, i64>,
    order: VecDeque<(u64, i64)>,
}

impl Ids {
    /// Whether an id is new; it is remembered then.
    pub fn admit(&mut self, id: u64, time_us: i64, within_us: i64) -> bool {
        while self.order.front().is_some_and(|(_, first_us)| first_us + within_us <= time_us) {
            if let Some((old, _)) = self.order.pop_front() {
                self.seen.remove(&old);
            }
        }
        match self.seen.entry(id) {
            hashbrown::hash_map::Entry::Occupied(_) => false,
            hashbrown::hash_map::Entry::Vacant(entry) => {
                entry.insert(time_us);
                self.order.push_back((id, time_us));
                true
            }
        }
    }
}

/// Six aggregates of one key in one window; the mean is sum by count.
#[derive(Clone, Copy)]
struct Sums {
    count: u64,
    sum: f64,
    least: f64,
    greatest: f64,
    points: i64,
}

/// One tumbling window at a time, by hand.
pub struct ByHand {
    length_us: i64,
    number: i64,
    keys: HashMap<u64, Sums>,
    /// What closed windows gave: key, count, sum, min, max, mean, sum.
    pub closed: Vec<(u64, u64, f64, f64, f64, f64, i64)>,
}

impl ByHand {
    pub fn new(length_us: i64) -> ByHand {
        ByHand { length_us, number: i64::MIN, keys: HashMap::new(), closed: Vec::new() }
    }

    pub fn apply(&mut self, batch: &EventBatch) {
        let keys = words(&batch.keys.as_ref().expect("keyed").data);
        let (amounts, points) = (words(&batch.columns[0].data), words(&batch.columns[1].data));
        for row in 0..batch.len() {
            let number = batch.times_us[row].div_euclid(self.length_us);
            if number > self.number {
                self.close();
                self.number = number;
            }
            let amount = f64::from_bits(amounts[row]);
            let sums = self.keys.entry(keys[row]).or_insert(Sums {
                count: 0,
                sum: 0.0,
                least: f64::INFINITY,
                greatest: f64::NEG_INFINITY,
                points: 0,
            });
            sums.count += 1;
            sums.sum += amount;
            sums.least = sums.least.min(amount);
            sums.greatest = sums.greatest.max(amount);
            sums.points += points[row] as i64;
        }
    }

    pub fn close(&mut self) {
        self.closed.clear();
        self.closed.extend(self.keys.drain().map(|(key, sums)| {
            let mean = sums.sum / sums.count as f64;
            (key, sums.count, sums.sum, sums.least, sums.greatest, mean, sums.points)
        }));
    }
}
