//! `kill -9` in the middle of a topic, several times: the online values are those of the messages, whatever was read
//! twice.
//!
//! A real Apache Kafka where java and mvn are there (it says so on stderr), else librdkafka's mock cluster.
#![cfg(feature = "kafka")]

mod common;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use common::broker::Broker;
use common::child::{address_of, start};
use common::{query, wait_until};
use serde_json::{Value as Json, json};

const KEYS: i64 = 100;
const PARTITIONS: i32 = 4;
const MESSAGES: i64 = 20_000;

/// Runs only when it is started by `start`.
#[test]
fn child() {
    common::child::run();
}

/// All names and scores.
fn values(address: SocketAddr) -> Vec<(Json, Json)> {
    (0..KEYS)
        .map(|id| {
            let request =
                json!({ "inputs": { "user.id": id }, "outputs": ["user.name", "user.score"], "staleness": { "user": "all" } });
            let answer = query(address, &request);
            (answer["data"][0]["value"].clone(), answer["data"][1]["value"].clone())
        })
        .collect()
}

/// Whether everything is committed.
fn is_read(address: SocketAddr) -> bool {
    let (_, metrics) = common::http(address, "GET", "/metrics", "");
    let lags: Vec<&str> = metrics.lines().filter(|line| line.starts_with("chalk_lag_messages{")).collect();
    lags.len() == PARTITIONS as usize && lags.iter().all(|line| line.ends_with(" 0"))
}

#[test]
fn killed_runs_over_a_topic_end_with_the_latest_values() {
    let broker = Broker::start();
    broker.create_topic("users", PARTITIONS);
    // The keys are spread over all partitions, so that partitions and workers meet at every key.
    let mut latest: BTreeMap<(i64, bool), ((i64, i64, i32), String)> = BTreeMap::new();
    let mut offsets = [0i64; PARTITIONS as usize];
    let mut seed = 11u64;
    for number in 0..MESSAGES {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = (seed >> 33) as i64;
        let (id, partition) = (random % KEYS, (random / KEYS % i64::from(PARTITIONS)) as i32);
        let at = 1_700_000_000_000_000 + random % 977;
        let is_name = number % 2 == 0;
        if is_name {
            broker.produce("users", partition, &format!("{{\"id\":{id},\"name\":\"n{number}\",\"at\":{at}}}"));
        } else {
            broker.produce("users", partition, &format!("{{\"id\":{id},\"score\":{number},\"at\":{at}}}"));
        }
        let offset = &mut offsets[partition as usize];
        let stamp = (at, *offset, partition);
        *offset += 1;
        let text = if is_name { format!("\"n{number}\"") } else { format!("{number}.0") };
        let entry = latest.entry((id, is_name)).or_insert((stamp, text.clone()));
        if stamp > entry.0 {
            *entry = (stamp, text);
        }
    }
    broker.flush();
    let expected: Vec<(Json, Json)> = (0..KEYS)
        .map(|id| {
            let parse = |is_name: bool| serde_json::from_str(&latest[&(id, is_name)].1).unwrap();
            (parse(true), parse(false))
        })
        .collect();

    let dir = tempfile::tempdir().unwrap();
    // A group's member that was killed is missed after its session only.
    let source = format!("kafka topic=users bootstrap_servers={}", broker.address);
    let config = "[sources.updates.kafka]\nsession.timeout.ms = 6000\nheartbeat.interval.ms = 500\n";
    let mut killed_in_the_middle = 0;
    for round in 0..4 {
        let mut child = start(&source, dir.path(), config);
        let address = address_of(&mut child);
        let before = values(address);
        wait_until("some progress", || values(address) != before || is_read(address));
        std::thread::sleep(std::time::Duration::from_millis(20 * round));
        killed_in_the_middle += i32::from(values(address) != expected);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(killed_in_the_middle > 0, "the topic was read too fast for the kills to matter");

    let mut last = start(&source, dir.path(), config);
    let address = address_of(&mut last);
    wait_until("the whole topic", || is_read(address));
    for (id, (found, expected)) in values(address).iter().zip(&expected).enumerate() {
        assert_eq!(found, expected, "user {id}");
    }
    last.kill().unwrap();
    last.wait().unwrap();
}
