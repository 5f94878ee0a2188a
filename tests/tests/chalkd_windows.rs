//! Windows, aggregates and dedup in `chalkd`: killed anywhere, a run ends with the values and fates of a straight one, and those are what
//! keeping every message in a list gives.

mod served;
mod shop;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use chalk_types::format_datetime;
use serde_json::{Value as Json, json};
use served::{address_of, artifact, chalkd_set, chalkd_with, finish, http, metric, values};
use shop::{MINUTE, Order, Purchases, Seen};

const SHOP: &str = concat!(
    include_str!("shop/purchases.chalk"),
    r#"
source orders = file(path: env("ORDERS_FILE"))

features User {
  id: int
  purchases: [Purchase]
  total: float = purchases.sum(amount)
  recent: float over [10m, 1h] = purchases.sum(amount)
  @materialize(bucket: 1m)
  recent_count: int over [30m] = purchases.count()
  orders: int over [10m]
  spent: float over [10m]
}

stream totals(events: [Order]) -> User
  from orders
  timestamp events.at
  dedup events.id within 20m
  window tumbling
  by events.user_id
{
  id = key
  orders = events.count()
  spent = events.sum(amount)
}
"#
);

const START: i64 = 1_700_000_400_000_000;
const USERS: i64 = 40;

/// Runs only when it is started by `chalkd`.
#[test]
fn child() {
    served::child();
}

/// Orders of a file: over a few hours, out of order by up to three minutes.
fn orders(count: i64) -> Vec<Order> {
    shop::orders(29, count, USERS, 1, START)
}

fn write_orders(path: &Path, orders: &[Order]) {
    std::fs::write(path, shop::lines(orders)).unwrap();
}

/// What keeping every message gives.
#[derive(Default)]
struct Expected {
    purchases: Purchases,
    duplicates: u64,
    /// Of the tumbling resolver.
    late: u64,
    window_duplicates: u64,
    /// Per user and start of a window, count and sum.
    windows: BTreeMap<(i64, i64), (i64, f64)>,
    latest: i64,
}

fn expect(orders: &[Order]) -> Expected {
    let mut expected = Expected::default();
    let (mut seen, mut window_seen, mut watermark) = (Seen::default(), Seen::default(), i64::MIN);
    for order in orders {
        if seen.is_duplicate(order.id, order.at) {
            expected.duplicates += 1;
        } else {
            expected.purchases.add(order);
            expected.latest = expected.latest.max(order.at);
        }
        let start = order.at - order.at.rem_euclid(10 * MINUTE);
        if start + 10 * MINUTE <= watermark {
            expected.late += 1;
        } else if window_seen.is_duplicate(order.id, order.at) {
            expected.window_duplicates += 1;
        } else {
            let (count, sum) = expected.windows.entry((order.user, start)).or_insert((0, 0.0));
            *count += 1;
            *sum += order.amount;
            watermark = watermark.max(order.at);
        }
    }
    expected
}

/// Every value of a user, at that time.
fn answers_of(address: SocketAddr, user: i64, now_us: i64) -> Vec<Json> {
    let outputs = [
        "user.total",
        "user.recent__600__",
        "user.recent__3600__",
        "user.recent_count__1800__",
        "user.orders__600__",
        "user.spent__600__",
    ];
    let request = json!({ "inputs": { "user.id": user }, "outputs": outputs, "now": format_datetime(now_us), "staleness": { "user": "all" } });
    values(&serde_json::from_str(&http(address, "POST", "/v1/query/online", &request.to_string())).unwrap())
}

fn answers(address: SocketAddr, now_us: i64) -> Vec<Vec<Json>> {
    (0..USERS).map(|user| answers_of(address, user, now_us)).collect()
}

fn wait_until_read(address: SocketAddr, count: u64) {
    for _ in 0..60_000 {
        if metric(address, "chalk_consumed_total{", "orders") >= count {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the orders are not read after ten minutes");
}

fn prepare(orders: &[Order]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("app.chalkb"), artifact(SHOP)).unwrap();
    write_orders(&dir.path().join("orders.ndjson"), orders);
    dir
}

fn serve(dir: &Path, expected: &Expected) -> Vec<Vec<Json>> {
    let mut child = chalkd_with(dir, 2, "");
    let address = address_of(&mut child);
    let found = answers(address, expected.latest);
    child.kill().unwrap();
    child.wait().unwrap();
    found
}

#[test]
fn values_and_fates_are_those_of_keeping_every_message() {
    let orders = orders(20_000);
    let expected = expect(&orders);
    assert!(expected.late > 100 && expected.duplicates > 1_000, "the orders try what they should");
    let dir = prepare(&orders);
    let (output, stderr) = finish(chalkd_with(dir.path(), 2, " --until-end"));
    assert!(output.status.success(), "{stderr}");
    let purchases = orders.len() as u64 - expected.duplicates;
    let line = format!("purchases: {purchases} applied, {} duplicate", expected.duplicates);
    assert!(stderr.contains(&line), "{line}\n{stderr}");
    let counted = orders.len() as u64 - expected.late - expected.window_duplicates;
    let line = format!("totals: {counted} applied, {} late, {} duplicate", expected.late, expected.window_duplicates);
    assert!(stderr.contains(&line), "{line}\n{stderr}");

    for (user, found) in serve(dir.path(), &expected).iter().enumerate() {
        expected.purchases.check(user as i64, found, expected.latest);
        let (_, (orders, spent)) =
            expected.windows.range((user as i64, i64::MIN)..(user as i64 + 1, i64::MIN)).next_back().unwrap();
        assert_eq!(found[4], json!(orders), "user {user}");
        assert!(shop::is_close(&found[5], *spent), "user {user}: {}, {spent}", found[5]);
    }
}

#[test]
fn killed_anywhere_it_ends_with_the_same_bits_and_fates() {
    let orders = orders(60_000);
    let expected = expect(&orders);
    let straight = prepare(&orders);
    let (output, stderr) = finish(chalkd_with(straight.path(), 1, " --until-end"));
    assert!(output.status.success(), "{stderr}");
    let wanted = serve(straight.path(), &expected);

    let killed = prepare(&orders);
    let mut in_the_middle = 0;
    for round in 0..6u64 {
        let mut child = chalkd_with(killed.path(), 1 + round as usize % 2, "");
        let address = address_of(&mut child);
        let enough = 1_000 + 2_500 * round;
        // A run that begins near the end of the file ends before it has consumed so many.
        for _ in 0..2_000 {
            if metric(address, "chalk_consumed_total{", "orders") >= enough {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        in_the_middle += u32::from(metric(address, "chalk_consumed_total{", "orders") < orders.len() as u64 / 2);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(in_the_middle >= 2, "the file was read too fast for the kills to matter");
    let (output, stderr) = finish(chalkd_with(killed.path(), 2, " --until-end"));
    assert!(output.status.success(), "{stderr}");
    let found = serve(killed.path(), &expected);
    for (user, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
        assert_eq!(found, wanted, "user {user}");
    }
}

/// A duplicate is found whatever lies between the first message and it: a restart, a checkpoint, a kill.
#[test]
fn ids_are_remembered_over_a_restart_and_forgotten_in_time() {
    let order = |id: i64, minute: i64| {
        let at = START + minute * MINUTE;
        Order { id, user: 1, amount: 1.0, at, sent: at, partition: 0 }
    };
    let first = [order(1, 0), order(2, 1)];
    let then = [order(1, 2), order(2, 22), order(3, 22), order(3, 23)];
    let dir = prepare(&first);
    let (output, stderr) = finish(chalkd_with(dir.path(), 1, " --until-end"));
    assert!(output.status.success() && stderr.contains("purchases: 2 applied"), "{stderr}");
    write_orders(&dir.path().join("orders.ndjson"), &[&first[..], &then].concat());
    let (output, stderr) = finish(chalkd_with(dir.path(), 1, " --until-end"));
    assert!(output.status.success(), "{stderr}");
    // Order 1 comes again after two minutes, order 2 after 21, which is later than it is remembered.
    assert!(stderr.contains("purchases: 2 applied, 2 duplicate"), "{stderr}");
    let expected = Expected { latest: START + 30 * MINUTE, ..Expected::default() };
    assert_eq!(serve(dir.path(), &expected)[1][0], json!(4.0));
}

/// A mebibyte for entries that need several: most of them are in the store only, and read back when an order or a question needs them.
#[test]
fn more_keys_than_memory_holds_give_the_same_answers() {
    const KEYS: i64 = 8_000;
    const LIMIT: u64 = 1 << 20;
    let orders = shop::orders(37, 40_000, KEYS, 1, START);
    let expected = expect(&orders);
    let dir = prepare(&orders[..20_000]);
    let settings = format!("[state]\nmax_memory_bytes = {LIMIT}\nmax_rows_in_memory = 1000\n");
    let wait_until = |what: &str, holds: &dyn Fn() -> bool| {
        for _ in 0..12_000 {
            if holds() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("waited two minutes for {what}");
    };
    let bytes = |address| metric(address, "chalk_state_bytes{", "aggregates");
    let check = |expected: &Expected, address: SocketAddr| {
        for user in (0..KEYS).step_by(7) {
            expected.purchases.check(user, &answers_of(address, user, expected.latest), expected.latest);
        }
    };

    // Half of the orders, until most entries are in the store only.
    let mut child = chalkd_set(dir.path(), 2, &settings, "");
    let address = address_of(&mut child);
    wait_until_read(address, 20_000);
    wait_until("little memory", &|| {
        metric(address, "chalk_state_evicted_total", "") > KEYS as u64 && bytes(address) < 2 * LIMIT
    });
    check(&expect(&orders[..20_000]), address);
    child.kill().unwrap();
    child.wait().unwrap();

    // The others need entries that were evicted.
    write_orders(&dir.path().join("orders.ndjson"), &orders);
    let (output, stderr) = finish(chalkd_set(dir.path(), 2, &settings, " --until-end"));
    assert!(output.status.success(), "{stderr}");

    // The loader stops when memory is full; what it has not loaded is found when it is asked for.
    let mut child = chalkd_set(dir.path(), 2, &settings, "");
    let address = address_of(&mut child);
    check(&expected, address);
    wait_until("sizes", &|| bytes(address) > LIMIT / 4);
    assert!(bytes(address) < 4 * LIMIT, "{} bytes", bytes(address));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn every_message_has_one_fate_and_the_metrics_say_so() {
    let orders = orders(3_000);
    let dir = prepare(&orders);
    let mut child = chalkd_with(dir.path(), 2, "");
    let address = address_of(&mut child);
    wait_until_read(address, orders.len() as u64);
    for resolver in ["purchases", "totals"] {
        let fates = metric(address, "chalk_messages_total{", &format!("resolver=\"{resolver}\""));
        assert_eq!(fates, metric(address, "chalk_consumed_total{", "orders"), "{resolver}");
    }
    // Sizes are looked at a few times a second.
    let is_shown = || {
        metric(address, "chalk_state_entries{", "aggregates") > 0 && metric(address, "chalk_state_bytes{", "dedup") > 0
    };
    for _ in 0..600 {
        if is_shown() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(is_shown(), "a minute went by without sizes");
    child.kill().unwrap();
    child.wait().unwrap();
}
