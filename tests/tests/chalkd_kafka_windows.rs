//! Windows, aggregates and dedup over a topic of several partitions: killed anywhere, what `chalkd` serves is what keeping every message gives;
//! no message is late whose partition was in time; an event of the future changes nothing.
//!
//! A real Apache Kafka where java and mvn are there (it says so on stderr), else librdkafka's mock cluster.

#[path = "../../runtime/chalkd/tests/common/broker.rs"]
mod broker;
mod served;
mod shop;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use broker::Broker;
use chalk_types::format_datetime;
use serde_json::{Value as Json, json};
use served::{address_of, artifact, chalkd_set, http, metric, values};
use shop::{MINUTE, Order, Purchases, Seen};

const SHOP: &str = concat!(
    include_str!("shop/purchases.chalk"),
    r#"
source orders = kafka(topic: "orders")

features User {
  id: int
  purchases: [Purchase]
  total: float = purchases.sum(amount)
  recent: float over [10m, 1h] = purchases.sum(amount)
  @materialize(bucket: 1m)
  recent_count: int over [30m] = purchases.count()
  sent: int over [10m]
}

features Slot {
  id: int
  orders: int over [10m]
  spent: float over [10m]
}

stream sent(events: [Order]) -> User
  from orders
  timestamp events.sent_at
  dedup events.id within 20m
  window continuous
  by events.user_id
{
  id = key
  sent = events.count()
}

stream slots(events: [Order]) -> Slot
  from orders
  timestamp events.sent_at
  dedup events.id within 20m
  window tumbling
  by events.slot
{
  id = key
  orders = events.count()
  spent = events.sum(amount)
}
"#
);

const USERS: i64 = 30;
const PARTITIONS: i64 = 4;
const SEED: u64 = 31;
/// Of a user who ends every partition.
const LAST_USER: i64 = 1_000;

/// Runs only when it is started by `chalkd`.
#[test]
fn child() {
    served::child();
}

/// Where time begins: a whole hour two days ago, because a broker deletes what is a week old.
fn start_us() -> i64 {
    let now_us = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64;
    let hour = 60 * MINUTE;
    (now_us / hour - 48) * hour
}

/// A user in one window of ten minutes.
fn slot(order: &Order, start: i64) -> i64 {
    (order.sent - start) / (10 * MINUTE) * 10_000 + order.user
}

/// What keeping every message gives.
#[derive(Default)]
struct Expected {
    purchases: Purchases,
    /// Per user when the orders that count were sent.
    sent: BTreeMap<i64, Vec<i64>>,
    /// Per slot count and sum.
    slots: BTreeMap<i64, (i64, f64)>,
    duplicates: u64,
}

/// Partitions remember ids on their own, by the times of the broker.
fn expect(orders: &[Order], start: i64) -> Expected {
    let mut expected = Expected::default();
    let mut seen: BTreeMap<i32, Seen> = BTreeMap::new();
    for order in orders {
        if seen.entry(order.partition).or_default().is_duplicate(order.id, order.sent) {
            expected.duplicates += 1;
            continue;
        }
        expected.purchases.add(order);
        expected.sent.entry(order.user).or_default().push(order.sent);
        let (count, sum) = expected.slots.entry(slot(order, start)).or_insert((0, 0.0));
        *count += 1;
        *sum += order.amount;
    }
    expected
}

fn produce(broker: &Broker, orders: &[Order], start: i64) {
    for order in orders {
        let message = shop::message(order, slot(order, start));
        broker.produce_at("orders", order.partition, order.sent / 1_000, &message);
    }
    broker.flush();
}

/// Each run is the first of a group of its own: a member that was killed would be missed after seconds only, and positions are those of the
/// store anyway.
fn run(dir: &Path, broker: &Broker, workers: usize) -> (Child, SocketAddr) {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let settings = format!(
        "[sources.orders]\nbootstrap_servers = \"{}\"\ngroup_id = \"run-{}\"\n",
        broker.address,
        RUNS.fetch_add(1, Ordering::Relaxed)
    );
    let mut child = chalkd_set(dir, workers, &settings, "");
    let address = address_of(&mut child);
    (child, address)
}

fn ask(address: SocketAddr, class: &str, key: i64, outputs: &[&str], now_us: i64) -> Vec<Json> {
    let request = json!({ "inputs": { format!("{class}.id"): key }, "outputs": outputs, "now": format_datetime(now_us), "staleness": { class: "all" } });
    values(&serde_json::from_str(&http(address, "POST", "/v1/query/online", &request.to_string())).unwrap())
}

fn of_user(address: SocketAddr, user: i64, now_us: i64) -> Vec<Json> {
    let outputs =
        ["user.total", "user.recent__600__", "user.recent__3600__", "user.recent_count__1800__", "user.sent__600__"];
    ask(address, "user", user, &outputs, now_us)
}

fn of_slot(address: SocketAddr, slot: i64, now_us: i64) -> Vec<Json> {
    ask(address, "slot", slot, &["slot.orders__600__", "slot.spent__600__"], now_us)
}

/// Waits until something holds; how long that takes is not what is tested.
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(120), "waited two minutes for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether everything is committed.
fn is_read(address: SocketAddr) -> bool {
    let metrics = http(address, "GET", "/metrics", "");
    let lags: Vec<&str> = metrics.lines().filter(|line| line.starts_with("chalk_lag_messages{")).collect();
    lags.len() == PARTITIONS as usize && lags.iter().all(|line| line.ends_with(" 0"))
}

fn fate(address: SocketAddr, resolver: &str, fate: &str) -> u64 {
    let text = http(address, "GET", "/metrics", "");
    let is_it = |line: &&str| {
        line.starts_with("chalk_messages_total{")
            && line.contains(&format!("resolver=\"{resolver}\""))
            && line.contains(&format!("fate=\"{fate}\""))
    };
    text.lines().filter(is_it).map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

fn prepare() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("app.chalkb"), artifact(SHOP)).unwrap();
    dir
}

fn stop(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Reads the topic to its end, and gives every value of every user and slot. Every message of a partition is sent after the one before it, so
/// none is late: the watermark is that of the slowest partition, whichever are read first.
fn read_to_the_end(dir: &Path, broker: &Broker, expected: &Expected, now_us: i64) -> (Vec<Vec<Json>>, Vec<Vec<Json>>) {
    let (child, address) = run(dir, broker, 2);
    wait_until("the whole topic", || is_read(address));
    let last = *expected.slots.keys().rfind(|slot| *slot % 10_000 != LAST_USER).unwrap();
    wait_until("the last window", || of_slot(address, last, now_us)[0] != Json::Null);
    assert_eq!(fate(address, "slots", "late"), 0, "no message is late");
    let users = (0..USERS).map(|user| of_user(address, user, now_us)).collect();
    let slots = expected.slots.keys().map(|slot| of_slot(address, *slot, now_us)).collect();
    stop(child);
    (users, slots)
}

#[test]
fn killed_anywhere_over_a_topic_it_ends_with_the_values_of_keeping_every_message() {
    let start = start_us();
    eprintln!("seed {SEED}, from {}", format_datetime(start));
    let broker = Broker::start();
    broker.create_topic("orders", PARTITIONS as i32);
    let mut orders = shop::orders(SEED, 20_000, USERS, PARTITIONS, start);
    // The last message of each partition, at the end of the last window with orders, lets it close. What no question at that time or later
    // sees is forgotten.
    let end = start + ((orders.last().unwrap().sent - start) / (10 * MINUTE) + 1) * 10 * MINUTE;
    for partition in 0..PARTITIONS {
        let id = 1_000_000 + partition;
        orders.push(Order { id, user: LAST_USER, amount: 1.0, at: end, sent: end, partition: partition as i32 });
    }
    produce(&broker, &orders, start);
    let expected = expect(&orders, start);
    assert!(expected.duplicates > 1_000, "the orders try what they should");
    let now_us = end;

    let straight = prepare();
    let (users, slots) = read_to_the_end(straight.path(), &broker, &expected, now_us);
    for (user, found) in users.iter().enumerate() {
        let user = user as i64;
        expected.purchases.check(user, found, now_us);
        let sent = expected.sent[&user].iter().filter(|sent| (now_us - 10 * MINUTE < **sent) && **sent <= now_us);
        assert_eq!(found[4], json!(sent.count()), "user {user}");
    }
    for ((slot, (count, sum)), found) in expected.slots.iter().zip(&slots) {
        if slot % 10_000 == LAST_USER {
            assert_eq!(found[0], Json::Null, "the last window is open");
        } else {
            assert_eq!(found[0], json!(count), "slot {slot}");
            assert!(shop::is_close(&found[1], *sum), "slot {slot}: {}, {sum}", found[1]);
        }
    }

    let killed = prepare();
    let mut in_the_middle = 0;
    for round in 0..4 {
        let (child, address) = run(killed.path(), &broker, 1 + round % 2);
        let is_far = || metric(address, "chalk_consumed_total{", "orders") >= 700 * (1 + round as u64);
        wait_until("some progress", || is_far() || is_read(address));
        in_the_middle += u32::from(!is_read(address));
        assert_eq!(fate(address, "slots", "late"), 0, "no message is late");
        stop(child);
    }
    assert!(in_the_middle >= 2, "the topic was read too fast for the kills to matter");
    let (users_after, slots_after) = read_to_the_end(killed.path(), &broker, &expected, now_us);
    for (user, (found, wanted)) in users_after.iter().zip(&users).enumerate() {
        assert_eq!(found, wanted, "user {user}");
    }
    for (slot, (found, wanted)) in expected.slots.keys().zip(slots_after.iter().zip(&slots)) {
        assert_eq!(found, wanted, "slot {slot}");
    }
}

/// An event more than an hour ahead of the broker's time is a dead letter, and time does not go on with it; one that is an hour ahead counts.
#[test]
fn an_event_of_the_future_is_a_dead_letter_and_moves_no_watermark() {
    let start = start_us();
    let broker = Broker::start();
    broker.create_topic("orders", 1);
    // Both resolvers with a time of their own: `at` and `sent_at` are the same here.
    let send = |id: i64, at: i64, broker_us: i64| {
        let order = Order { id, user: 1, amount: 1.0, at, sent: at, partition: 0 };
        broker.produce_at("orders", 0, broker_us / 1_000, &shop::message(&order, slot(&order, start)));
    };
    let hour = 60 * MINUTE;
    send(1, start, start);
    send(2, start + hour + 1_000, start);
    send(3, start + MINUTE, start + MINUTE);
    broker.flush();
    let dir = prepare();
    let (child, address) = run(dir.path(), &broker, 2);
    let consumed = |count: u64| metric(address, "chalk_consumed_total{", "orders") >= count;
    wait_until("three messages", || consumed(3));
    for resolver in ["purchases", "sent", "slots"] {
        assert_eq!((fate(address, resolver, "applied"), fate(address, resolver, "dead_letter")), (2, 1), "{resolver}");
        assert_eq!(fate(address, resolver, "late"), 0, "{resolver}: the watermark is where it was");
    }
    assert_eq!(metric(address, "chalk_windows_total", "slots"), 0, "no window is over");
    let now_us = start + 2 * hour;
    assert_eq!(of_user(address, 1, now_us)[0], json!(2.0));
    assert_eq!(of_slot(address, 1, now_us)[0], Json::Null);

    // A restart finds the watermark where it was, too.
    stop(child);
    send(4, start + 2 * MINUTE, start + 2 * MINUTE);
    // An hour ahead and no more: it counts, and the window before it is over.
    send(5, start + 3 * MINUTE + hour, start + 3 * MINUTE);
    broker.flush();
    // One of the two workers has nothing to read and commits nothing: windows do not wait for it.
    let (child, address) = run(dir.path(), &broker, 2);
    wait_until("the window", || of_slot(address, 1, now_us)[0] != Json::Null);
    assert_eq!(of_slot(address, 1, now_us), [json!(3), json!(3.0)]);
    for resolver in ["purchases", "sent", "slots"] {
        assert_eq!((fate(address, resolver, "applied"), fate(address, resolver, "dead_letter")), (2, 0), "{resolver}");
    }
    assert_eq!(of_user(address, 1, now_us)[0], json!(4.0));
    stop(child);

    let letters = std::fs::read_to_string(dir.path().join("data/dead_letters.ndjson")).unwrap();
    let letters: Vec<Json> = letters.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut resolvers: Vec<&str> = letters.iter().map(|letter| letter["resolver"].as_str().unwrap()).collect();
    resolvers.sort_unstable();
    assert_eq!(resolvers, ["purchases", "sent", "slots"]);
    for letter in &letters {
        assert_eq!(letter["offset"], json!(1), "{letter}");
        assert_eq!(letter["reason"], "future: the event time is 3600 s ahead of the broker's", "{letter}");
    }
}
