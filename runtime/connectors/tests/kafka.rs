//! The Kafka source against librdkafka's mock cluster: envelopes, the split over workers, going on at stored offsets.
//! (A real Apache Kafka is used by chalkd's tests.)

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chalk_connectors::{
    Envelope, MessageSink, OptionValue, Polled, Position, SourceOptions, SourceReader, StartPositions, open,
};
use rdkafka::ClientConfig;

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};

const TOPIC: &str = "orders";

struct Cluster {
    mock: MockCluster<'static, DefaultProducerContext>,
    producer: BaseProducer,
}

impl Cluster {
    fn start(partitions: i32) -> Cluster {
        let mock = MockCluster::new(1).unwrap();
        mock.create_topic(TOPIC, partitions, 1).unwrap();
        let producer = ClientConfig::new().set("bootstrap.servers", mock.bootstrap_servers()).create().unwrap();
        Cluster { mock, producer }
    }

    fn produce(&self, partition: i32, value: &str) {
        let headers = OwnedHeaders::new()
            .insert(Header { key: "X-Type", value: Some("old") })
            .insert(Header { key: "X-Type", value: Some("new") });
        let record = BaseRecord::to(TOPIC).partition(partition).key("the key").payload(value);
        self.producer.send(record.headers(headers).timestamp(1_700_000_000_123)).map_err(|(error, _)| error).unwrap();
    }

    fn flush(&self) {
        self.producer.flush(Duration::from_secs(30)).unwrap();
    }

    fn open(&self, workers: usize, start: StartPositions) -> Vec<Box<dyn SourceReader>> {
        open("kafka", "orders", &options(&self.mock.bootstrap_servers()), workers, start, Arc::new(|_| ())).unwrap()
    }
}

fn options(servers: &str) -> SourceOptions {
    let mut options = SourceOptions::default();
    options.values.insert("topic".into(), OptionValue::String(TOPIC.into()));
    options.values.insert("bootstrap_servers".into(), OptionValue::String(servers.into()));
    // A broker tells of a rebalance in its answer to a heartbeat.
    options.client.insert("heartbeat.interval.ms".into(), "200".into());
    options.client.insert("session.timeout.ms".into(), "6000".into());
    options
}

/// A message as it came.
#[derive(Clone, Debug, PartialEq)]
struct Taken {
    partition: i32,
    offset: i64,
    value: String,
    key: Option<Vec<u8>>,
    timestamp_us: Option<i64>,
    headers: Vec<(String, Vec<u8>)>,
    next: Position,
}

#[derive(Default)]
struct Sink {
    taken: Vec<Taken>,
    warnings: Vec<String>,
}

impl MessageSink for Sink {
    fn message(&mut self, value: &[u8], envelope: &Envelope<'_>, next: Position, problem: Option<&str>) {
        assert_eq!((envelope.topic, problem), (TOPIC, None));
        self.taken.push(Taken {
            partition: envelope.partition,
            offset: envelope.offset,
            value: String::from_utf8(value.to_vec()).unwrap(),
            key: envelope.key.map(<[u8]>::to_vec),
            timestamp_us: envelope.timestamp_us,
            headers: envelope.headers.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect(),
            next,
        });
    }
    fn warning(&mut self, text: &str) {
        self.warnings.push(text.to_owned());
    }
}

/// Polls every reader until so many messages came; answers revocations at once.
fn read(readers: &mut [Box<dyn SourceReader>], count: usize) -> Vec<Vec<Taken>> {
    let mut sinks: Vec<Sink> = readers.iter().map(|_| Sink::default()).collect();
    let started = Instant::now();
    while sinks.iter().map(|sink| sink.taken.len()).sum::<usize>() < count {
        assert!(started.elapsed() < Duration::from_secs(90), "waited too long for {count} messages");
        for (reader, sink) in readers.iter_mut().zip(&mut sinks) {
            let wait = Duration::from_millis(20);
            if let Polled::Revoking(_) = reader.poll(64, wait, Duration::from_millis(1), sink).unwrap() {
                reader.release();
            }
        }
    }
    sinks.into_iter().map(|sink| sink.taken).collect()
}

#[test]
fn a_message_comes_with_its_envelope() {
    let cluster = Cluster::start(1);
    cluster.produce(0, "first");
    cluster.produce(0, "second");
    cluster.flush();
    let mut readers = cluster.open(1, Arc::new(|_| None));
    let taken = read(&mut readers, 2).remove(0);
    assert_eq!(
        taken[0],
        Taken {
            partition: 0,
            offset: 0,
            value: "first".into(),
            key: Some(b"the key".to_vec()),
            timestamp_us: Some(1_700_000_000_123_000),
            headers: vec![("X-Type".into(), b"old".to_vec()), ("X-Type".into(), b"new".to_vec())],
            next: Position { offset: 1, byte_offset: 0 },
        }
    );
    assert_eq!((taken[1].value.as_str(), taken[1].offset), ("second", 1));
}

#[test]
fn partitions_are_spread_over_workers_and_go_on_at_the_stored_offsets() {
    let cluster = Cluster::start(4);
    for number in 0..40 {
        cluster.produce(number % 4, &number.to_string());
    }
    cluster.flush();
    // The store says: partition 2 was read up to its offset 7, the others never.
    let stored = Mutex::new(BTreeMap::from([(2, Position { offset: 7, byte_offset: 0 })]));
    let mut readers = cluster.open(2, Arc::new(move |partition| stored.lock().unwrap().get(&partition).copied()));
    let taken = read(&mut readers, 33);
    for (worker, taken) in taken.iter().enumerate() {
        let partitions: BTreeSet<i32> = taken.iter().map(|message| message.partition).collect();
        assert_eq!(partitions, BTreeSet::from([worker as i32, worker as i32 + 2]), "worker {worker}");
        for partition in partitions {
            let offsets: Vec<i64> =
                taken.iter().filter(|message| message.partition == partition).map(|message| message.offset).collect();
            let first = if partition == 2 { 7 } else { 0 };
            assert_eq!(offsets, (first..10).collect::<Vec<_>>(), "partition {partition}");
        }
    }
}

#[test]
fn a_second_process_takes_over_partitions_only_after_they_are_released() {
    let cluster = Cluster::start(2);
    // What both processes have committed: the store that they share here.
    let stored: Arc<Mutex<BTreeMap<i32, Position>>> = Arc::default();
    let start = || {
        let stored = stored.clone();
        Arc::new(move |partition: i32| stored.lock().unwrap().get(&partition).copied()) as StartPositions
    };
    let mut processes = vec![cluster.open(1, start()).remove(0)];
    let mut taken: Vec<(usize, i32, i64)> = Vec::new();
    let mut revoked = BTreeSet::new();
    let mut produced = 0;
    let started = Instant::now();
    loop {
        assert!(started.elapsed() < Duration::from_secs(90), "waited too long; taken: {taken:?}");
        cluster.produce(0, "x");
        cluster.produce(1, "x");
        cluster.flush();
        produced += 1;
        for (process, reader) in processes.iter_mut().enumerate() {
            let mut sink = Sink::default();
            let wait = Duration::from_millis(20);
            let polled = reader.poll(64, wait, Duration::ZERO, &mut sink).unwrap();
            for message in sink.taken {
                taken.push((process, message.partition, message.offset));
                stored.lock().unwrap().insert(message.partition, message.next);
            }
            if let Polled::Revoking(partitions) = polled {
                revoked.extend(partitions);
                reader.release();
            }
        }
        if processes.len() == 1 && taken.iter().any(|(_, partition, _)| *partition == 1) {
            processes.push(cluster.open(1, start()).remove(0));
        }
        let takes_part = |process: usize| taken.iter().rev().take(20).any(|(of, _, _)| *of == process);
        if processes.len() == 2 && takes_part(0) && takes_part(1) {
            break;
        }
    }
    assert!(!revoked.is_empty(), "something was handed over");
    for partition in 0..2 {
        let offsets: Vec<i64> =
            taken.iter().filter(|(_, of, _)| *of == partition).map(|(_, _, offset)| *offset).collect();
        // Committed before it was released, so nothing is read twice or left out.
        assert_eq!(offsets, (0..offsets.len() as i64).collect::<Vec<_>>(), "partition {partition} of {produced}");
    }
}

#[test]
fn what_is_committed_is_told_to_the_group() {
    let cluster = Cluster::start(1);
    for number in 0..5 {
        cluster.produce(0, &number.to_string());
    }
    cluster.flush();
    let mut readers = cluster.open(1, Arc::new(|_| None));
    read(&mut readers, 5);
    readers[0].committed(&[(0, Position { offset: 4, byte_offset: 0 })]);
    drop(readers);
    let consumer: rdkafka::consumer::BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", cluster.mock.bootstrap_servers())
        .set("group.id", "chalk-orders")
        .create()
        .unwrap();
    let mut list = rdkafka::TopicPartitionList::new();
    list.add_partition(TOPIC, 0);
    let committed = rdkafka::consumer::Consumer::committed_offsets(&consumer, list, Duration::from_secs(10)).unwrap();
    assert_eq!(committed.elements()[0].offset(), rdkafka::Offset::Offset(4));
}

#[test]
fn a_missing_broker_is_a_warning_not_an_end() {
    let mut readers =
        open("kafka", "orders", &options("127.0.0.1:1"), 1, Arc::new(|_| None), Arc::new(|_| ())).unwrap();
    let mut sink = Sink::default();
    let started = Instant::now();
    while sink.warnings.is_empty() {
        assert!(started.elapsed() < Duration::from_secs(60), "nobody was told");
        let wait = Duration::from_millis(50);
        assert_eq!(readers[0].poll(1, wait, wait, &mut sink).unwrap(), Polled::Messages(0));
    }
    assert!(sink.warnings[0].contains("source `orders`"), "{:?}", sink.warnings);
}

#[test]
fn an_option_that_librdkafka_does_not_know_is_named() {
    let mut options = options("127.0.0.1:1");
    options.client.insert("fetch.min.byte".into(), "1".into());
    let error = open("kafka", "orders", &options, 1, Arc::new(|_| None), Arc::new(|_| ())).err().unwrap();
    assert!(error.to_string().contains("fetch.min.byte"), "{error}");
}
