//! Orders of a shop, and what keeping every one of them in a list gives: the model of the tests of `chalkd` with windows.
//!
//! Orders come in partitions. In each of them they are sent in ascending time, and happened up to three minutes before; a tenth of them is
//! sent twice, and some of those so late that nobody remembers the first.
//!
//! This file must not know processes, sources or packages.
#![allow(dead_code)]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use chalk_types::format_datetime;
use serde_json::{Value as Json, json};

pub(crate) const MINUTE: i64 = 60_000_000;
/// How long `dedup` remembers an id in every package over these orders.
pub(crate) const WITHIN: i64 = 20 * MINUTE;
/// From one order to the next.
pub(crate) const STEP: i64 = 400_000;

/// A small generator; a run says its seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, below: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as i64 % below
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) id: i64,
    pub(crate) user: i64,
    pub(crate) amount: f64,
    /// When it happened.
    pub(crate) at: i64,
    /// When it was sent; whole milliseconds.
    pub(crate) sent: i64,
    pub(crate) partition: i32,
}

/// Orders of some users from `start` on.
pub(crate) fn orders(seed: u64, count: i64, users: i64, partitions: i64, start: i64) -> Vec<Order> {
    let mut random = Random(seed);
    let mut orders: Vec<Order> = Vec::new();
    for number in 0..count {
        let sent = start + number * STEP;
        if number > 50 && random.below(10) == 0 {
            // Some after more than twenty minutes, which are 3000 steps.
            let back = if random.below(8) == 0 { 3_000 + random.below(100) } else { random.below(50) };
            let again = orders[(number - 1 - back).max(0) as usize];
            orders.push(Order { sent, ..again });
            continue;
        }
        let amount = (random.below(1_000_000) as f64 + 1.0) / 7.0;
        let (user, partition) = (random.below(users), random.below(partitions) as i32);
        orders.push(Order { id: number, user, amount, at: sent - random.below(3 * MINUTE), sent, partition });
    }
    orders
}

/// An order as a message: of the user `slot`, too, who is one user in one window of ten minutes, so that no window hides another.
pub(crate) fn message(order: &Order, slot: i64) -> String {
    let Order { id, user, amount, .. } = order;
    let (at, sent) = (format_datetime(order.at), format_datetime(order.sent));
    format!(
        "{{\"id\":\"o{id}\",\"user_id\":{user},\"slot\":{slot},\"amount\":{amount:?},\"at\":\"{at}\",\"sent_at\":\"{sent}\"}}"
    )
}

/// The messages of a file.
pub(crate) fn lines(orders: &[Order]) -> String {
    let mut text = String::new();
    for order in orders {
        writeln!(text, "{}", message(order, 0)).unwrap();
    }
    text
}

/// The first message with an id is the one that counts, for twenty minutes of the times that are given.
#[derive(Default)]
pub(crate) struct Seen {
    first: HashMap<i64, Vec<i64>>,
    latest: Option<i64>,
}

impl Seen {
    pub(crate) fn is_duplicate(&mut self, id: i64, time: i64) -> bool {
        let times = self.first.entry(id).or_default();
        let latest = self.latest.unwrap_or(time);
        if times.iter().any(|first| latest - first < WITHIN && (0..WITHIN).contains(&(time - first))) {
            return true;
        }
        times.push(time);
        self.latest = self.latest.max(Some(time));
        false
    }
}

/// Per user what was bought: time and amount.
#[derive(Default)]
pub(crate) struct Purchases(pub(crate) BTreeMap<i64, Vec<(i64, f64)>>);

impl Purchases {
    pub(crate) fn add(&mut self, order: &Order) {
        self.0.entry(order.user).or_default().push((order.at, order.amount));
    }

    /// Panics unless these are `total`, `recent[10m]`, `recent[1h]` and `recent_count[30m]` (in buckets of a minute) of the user at that time.
    pub(crate) fn check(&self, user: i64, found: &[Json], now: i64) {
        let bought = self.0.get(&user).map_or(&[][..], |bought| &bought[..]);
        let sum_after = |from: i64| -> f64 {
            bought.iter().filter(|(at, _)| from < *at && *at <= now).map(|(_, amount)| amount).sum()
        };
        let total: f64 = bought.iter().map(|(_, amount)| amount).sum();
        for (value, sum) in
            [(&found[0], total), (&found[1], sum_after(now - 10 * MINUTE)), (&found[2], sum_after(now - 60 * MINUTE))]
        {
            assert!(is_close(value, sum), "user {user}: {value}, {sum}");
        }
        let bucket = |at: i64| at - at.rem_euclid(MINUTE);
        let (first, last) = (bucket(now) - 30 * MINUTE, bucket(now));
        let count = bought.iter().filter(|(at, _)| first < bucket(*at) && bucket(*at) <= last).count();
        assert_eq!(found[3], json!(count), "user {user}");
    }
}

/// Equal but for the order of additions, and for how JSON is read here; bits are compared between runs.
pub(crate) fn is_close(value: &Json, expected: f64) -> bool {
    value.as_f64().is_some_and(|value| (value - expected).abs() <= 1e-12 * expected.abs())
}
