//! Events for the benches of state: keys of a distribution, times that go on, a few of them late.
//!
//! This file must not know tables.

use chalk_artifact::manifest::{Aggregation, AggregationKind, Buckets, EventColumnPlan, Leaf, Tier, Window};
use chalk_catalog::event::EventData;
use chalk_state::EventBatch;
use chalk_types::{Kind, Type};

pub const SECOND: i64 = 1_000_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const DAY: i64 = 1440 * MINUTE;
/// Where time begins: some day.
pub const START: i64 = 1_700_000_000 * SECOND;

/// SplitMix64.
#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    pub fn below(&mut self, below: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(below)) >> 64) as u64
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Which keys events have.
#[derive(Clone, Copy, PartialEq)]
pub enum Distribution {
    Uniform,
    /// Key number n comes in proportion to n^-1.1.
    Zipf,
}

/// Draws key numbers: Walker's alias method, so that drawing costs the same for every distribution.
#[derive(Clone)]
pub struct Keys {
    count: u64,
    /// Chance to stay, and where to go otherwise.
    slots: Vec<(f64, u32)>,
}

impl Keys {
    pub fn new(count: u64, distribution: Distribution) -> Keys {
        if distribution == Distribution::Uniform {
            return Keys { count, slots: Vec::new() };
        }
        let weights: Vec<f64> = (1..=count).map(|rank| (rank as f64).powf(-1.1)).collect();
        let mean = weights.iter().sum::<f64>() / count as f64;
        let mut slots: Vec<(f64, u32)> = weights.iter().map(|weight| (weight / mean, 0)).collect();
        let (mut small, mut large): (Vec<u32>, Vec<u32>) =
            (0..count as u32).partition(|slot| slots[*slot as usize].0 < 1.0);
        while let (Some(low), Some(high)) = (small.pop(), large.last().copied()) {
            slots[low as usize].1 = high;
            slots[high as usize].0 -= 1.0 - slots[low as usize].0;
            if slots[high as usize].0 < 1.0 {
                large.pop();
                small.push(high);
            }
        }
        Keys { count, slots }
    }

    /// A key: its number, spread over all words.
    pub fn draw(&self, random: &mut Random) -> u64 {
        let slot = random.below(self.count);
        let number = match self.slots.get(slot as usize) {
            Some((stay, other)) if random.unit() >= *stay => u64::from(*other),
            _ => slot,
        };
        mix(number + 1)
    }
}

/// Events without end.
#[derive(Clone)]
pub struct Stream {
    pub keys: Keys,
    pub random: Random,
    /// Time from one event to the next, in 1/1024 microseconds.
    pub step: i64,
    clock: i64,
    offset: i64,
    /// Of a hundred events so many are late, by up to five minutes.
    pub late_percent: u64,
}

impl Stream {
    /// So many events of each key a day, on average.
    pub fn new(count: u64, distribution: Distribution, per_day: u64, late_percent: u64) -> Stream {
        let step = DAY * 1024 / (count * per_day) as i64;
        let keys = Keys::new(count, distribution);
        Stream { keys, random: Random(7), step, clock: START * 1024, offset: 0, late_percent }
    }

    pub fn now_us(&self) -> i64 {
        self.clock / 1024
    }

    /// Fills a batch with so many events; columns are an amount and an integer.
    pub fn fill(&mut self, batch: &mut EventBatch, rows: usize) {
        batch.clear();
        let EventBatch { offsets, times_us, keys, columns } = batch;
        let EventData::Words(keys) = &mut keys.as_mut().expect("keyed").data else { panic!("keys are words") };
        for _ in 0..rows {
            self.clock += self.step;
            self.offset += 1;
            let is_late = self.late_percent > 0 && self.random.below(100) < self.late_percent;
            let late_us = if is_late { self.random.below(5 * MINUTE as u64) as i64 } else { 0 };
            offsets.push(self.offset);
            times_us.push(self.clock / 1024 - late_us);
            keys.push(self.keys.draw(&mut self.random));
            let amount = self.random.below(1_000_000);
            for (position, column) in columns.iter_mut().enumerate() {
                let EventData::Words(words) = &mut column.data else { panic!("columns are words") };
                words.push(if position == 0 { (amount as f64 / 100.0).to_bits() } else { amount });
            }
        }
    }
}

/// An aggregate by name over a column.
fn leaf(name: &str, column: Option<u32>) -> Leaf {
    let ty = match column {
        Some(0) => Type::FLOAT,
        _ => Type::INT,
    };
    let is_it = |entry: &&chalk_catalog::catalog::AggregateEntry| {
        let takes_float = entry.def.signature.contains("float)") || entry.def.signature.contains("float,");
        match column {
            None => entry.signature.params.is_empty(),
            Some(_) if name == "sum" => takes_float == (ty.kind == Kind::Float64) && !entry.signature.params.is_empty(),
            Some(_) => !entry.signature.params.is_empty(),
        }
    };
    let entry = chalk_functions::catalog().aggregates_named(name).find(is_it).expect("the catalogue has it");
    Leaf {
        aggregate: entry.def.signature.to_owned(),
        params: Vec::new(),
        filter: None,
        args: column.into_iter().collect(),
        arg_types: column.map(|_| ty.clone()).into_iter().collect(),
        ty,
    }
}

/// Two aggregates (count, sum), or six.
pub fn plan(kind: AggregationKind, aggregates: usize) -> Aggregation {
    let column = |ty: Type| EventColumnPlan { source: String::new(), ty };
    let mut columns = vec![column(Type::FLOAT)];
    let mut leaves = vec![leaf("count", None), leaf("sum", Some(0))];
    if aggregates == 6 {
        columns.push(column(Type::INT));
        leaves.extend([leaf("min", Some(0)), leaf("max", Some(0)), leaf("mean", Some(0)), leaf("sum", Some(1))]);
    }
    Aggregation { name: "User.payments".to_owned(), class: 0, key: Type::INT, columns, leaves, kind }
}

/// 10 minutes, 30 minutes and a day; or the day alone.
pub fn buckets(windows: usize) -> Buckets {
    let window = |duration_us: i64, tier: u32| Window { duration_us, tier };
    let minutes = Tier { bucket_us: MINUTE, origin_us: 0, span_us: 30 * MINUTE };
    let halves = Tier { bucket_us: 30 * MINUTE, origin_us: 0, span_us: DAY };
    if windows == 1 {
        return Buckets { tiers: vec![halves], windows: vec![window(DAY, 0)] };
    }
    let windows = vec![window(10 * MINUTE, 0), window(30 * MINUTE, 0), window(DAY, 1)];
    Buckets { tiers: vec![minutes, halves], windows }
}
