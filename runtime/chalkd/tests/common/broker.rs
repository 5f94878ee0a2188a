//! A broker for tests: a real Apache Kafka where java and mvn are there, else librdkafka's mock cluster.
//!
//! It is shared with the tests of whole programs (`tests/tests`), so it must not know the program of `common`.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};

pub(crate) struct Broker {
    pub(crate) address: String,
    kind: Kind,
    producer: BaseProducer,
}

enum Kind {
    /// With the folder of its data.
    Real(tempfile::TempDir),
    Mock(MockCluster<'static, DefaultProducerContext>),
}

/// The script that starts a real one: this file is compiled in crates of several folders.
fn script() -> PathBuf {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut scripts = folders.map(|folder| folder.join("tests/kafka/start.sh"));
    scripts.find(|script| script.is_file()).expect("the repository has tests/kafka/start.sh")
}

impl Broker {
    /// Starts one; says on stderr which.
    pub(crate) fn start() -> Broker {
        let dir = tempfile::tempdir().unwrap();
        // Without a pipe for its output: the broker keeps what it inherits open, and a pipe would never end.
        let out = dir.path().join("address");
        let status =
            Command::new("bash").args([&*script(), dir.path()]).stdout(std::fs::File::create(&out).unwrap()).status();
        let (address, kind) = if status.is_ok_and(|status| status.success()) {
            (std::fs::read_to_string(&out).unwrap().trim().to_owned(), Kind::Real(dir))
        } else {
            let mock = MockCluster::new(1).unwrap();
            (mock.bootstrap_servers(), Kind::Mock(mock))
        };
        let name = if matches!(kind, Kind::Real(_)) { "Apache Kafka" } else { "librdkafka's mock cluster" };
        eprintln!("this test runs against {name} at {address}");
        // Without it a retry on a slow machine may write messages twice or out of order, and tests count offsets.
        let producer =
            ClientConfig::new().set("bootstrap.servers", &address).set("enable.idempotence", "true").create().unwrap();
        Broker { address, kind, producer }
    }

    pub(crate) fn create_topic(&self, name: &str, partitions: i32) {
        match &self.kind {
            Kind::Mock(mock) => mock.create_topic(name, partitions, 1).unwrap(),
            Kind::Real(_) => {
                let admin: AdminClient<DefaultClientContext> =
                    ClientConfig::new().set("bootstrap.servers", &self.address).create().unwrap();
                let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let topics = [topic];
                let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
                let created = runtime.block_on(admin.create_topics(&topics, &options)).unwrap();
                for topic in created {
                    topic.unwrap();
                }
            }
        }
    }

    /// Produces a message; its offset is that of its turn in the partition.
    pub(crate) fn produce(&self, topic: &str, partition: i32, value: &str) {
        self.send(BaseRecord::to(topic).partition(partition).payload(value));
    }

    /// The same, with the time at which it is said to have been sent.
    pub(crate) fn produce_at(&self, topic: &str, partition: i32, timestamp_ms: i64, value: &str) {
        self.send(BaseRecord::to(topic).partition(partition).payload(value).timestamp(timestamp_ms));
    }

    fn send(&self, mut record: BaseRecord<'_, (), str>) {
        while let Err((error, back)) = self.producer.send(record) {
            assert_eq!(error.rdkafka_error_code(), Some(rdkafka::error::RDKafkaErrorCode::QueueFull));
            self.producer.poll(Duration::from_millis(10));
            record = back;
        }
    }

    pub(crate) fn flush(&self) {
        self.producer.flush(Duration::from_secs(60)).unwrap();
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Kind::Real(dir) = &self.kind {
            let _ = Command::new("bash").arg(script()).arg("--stop").arg(dir.path()).status();
        }
    }
}
