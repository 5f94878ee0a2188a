//! Membership in the consumer group: which partitions this process has, and the offsets it commits for them.
//!
//! The group's client is polled by a thread of its own. Its partitions are paused at once: fetchers read them. When
//! partitions are taken away, the thread waits in the rebalance callback until the fetchers have had them committed, so
//! the group hands them to the next owner only then.
//!
//! This file must not know messages.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::source::{Assigned, SourceError};

/// How often the group's client is served.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// How often offsets are committed to Kafka.
const COMMIT_INTERVAL: Duration = Duration::from_secs(1);
/// How often the ends of partitions are asked for.
const ENDS_INTERVAL: Duration = Duration::from_secs(5);
/// How long a rebalance waits for fetchers; the group would expel this member at `max.poll.interval.ms` (5 min).
const RELEASE_TIMEOUT: Duration = Duration::from_secs(60);

/// What the member tells a fetcher.
pub(super) enum Order {
    /// Read these partitions too.
    Assign(Vec<i32>),
    /// Stop reading these, and say when they are committed.
    Revoke(Vec<i32>, Sender<()>),
}

/// What member and fetchers share.
pub(super) struct Shared {
    /// Committed in the runtime's store and not yet in Kafka: partition → next offset.
    pub(super) to_commit: Mutex<BTreeMap<i32, i64>>,
    /// Partition → offset after its last message.
    pub(super) ends: Mutex<BTreeMap<i32, i64>>,
    /// What to tell a person.
    pub(super) warnings: Mutex<Vec<String>>,
    stop: AtomicBool,
}

/// The member's thread; ends when it is dropped.
pub(super) struct Member {
    pub(super) shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// A lock whose data stays valid whatever its last holder did.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct MemberContext {
    topic: String,
    fetchers: Vec<Mutex<Sender<Order>>>,
    assigned: Assigned,
    shared: Arc<Shared>,
}

impl ClientContext for MemberContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if (level as i32) <= RDKafkaLogLevel::Warning as i32 {
            lock(&self.shared.warnings).push(format!("{facility}: {message}"));
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        lock(&self.shared.warnings).push(format!("{error}: {reason}"));
    }
}

impl MemberContext {
    /// The partitions of the list per fetcher: the rest of the division, so that it does not depend on the order of
    /// rebalances.
    fn per_fetcher(&self, list: &TopicPartitionList) -> Vec<Vec<i32>> {
        let mut per_fetcher = vec![Vec::new(); self.fetchers.len()];
        for element in list.elements_for_topic(&self.topic) {
            per_fetcher[element.partition() as usize % self.fetchers.len()].push(element.partition());
        }
        per_fetcher
    }
}

impl ConsumerContext for MemberContext {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Revoke(list) = rebalance else { return };
        let mut answers: Vec<Receiver<()>> = Vec::new();
        for (fetcher, partitions) in self.per_fetcher(list).into_iter().enumerate() {
            let (done, answer) = channel();
            // A fetcher that is gone has committed what it had.
            if !partitions.is_empty() && lock(&self.fetchers[fetcher]).send(Order::Revoke(partitions, done)).is_ok() {
                answers.push(answer);
            }
        }
        let deadline = Instant::now() + RELEASE_TIMEOUT;
        for answer in answers {
            let _ = answer.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        }
        commit(consumer, &self.topic, &self.shared, CommitMode::Sync);
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Assign(list) = rebalance else { return };
        if let Err(error) = consumer.pause(list) {
            lock(&self.shared.warnings).push(format!("cannot pause the group's client: {error}"));
        }
        // All of them before any is read: a fetcher that is quick must not be ahead of one that has not heard yet.
        let elements = list.elements_for_topic(&self.topic);
        (self.assigned)(&elements.iter().map(|element| element.partition()).collect::<Vec<_>>());
        for (fetcher, partitions) in self.per_fetcher(list).into_iter().enumerate() {
            if !partitions.is_empty() {
                let _ = lock(&self.fetchers[fetcher]).send(Order::Assign(partitions));
            }
        }
    }
}

impl Member {
    /// Joins the group of `config`, for the topic, and gives orders to the fetchers; `assigned` is told before them.
    pub(super) fn join(
        config: &ClientConfig,
        topic: &str,
        fetchers: Vec<Sender<Order>>,
        assigned: Assigned,
    ) -> Result<Member, SourceError> {
        let shared = Arc::new(Shared {
            to_commit: Mutex::default(),
            ends: Mutex::default(),
            warnings: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let context = MemberContext {
            topic: topic.to_owned(),
            fetchers: fetchers.into_iter().map(Mutex::new).collect(),
            assigned,
            shared: shared.clone(),
        };
        let consumer: BaseConsumer<MemberContext> =
            config.create_with_context(context).map_err(|error| SourceError(error.to_string()))?;
        consumer.subscribe(&[topic]).map_err(|error| SourceError(error.to_string()))?;
        let (topic, thread_shared) = (topic.to_owned(), shared.clone());
        let thread = thread::Builder::new()
            .name(format!("kafka-{topic}"))
            .spawn(move || serve(&consumer, &topic, &thread_shared))
            .map_err(|error| SourceError(format!("cannot start a thread: {error}")))?;
        Ok(Member { shared, thread: Some(thread) })
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(consumer: &BaseConsumer<MemberContext>, topic: &str, shared: &Shared) {
    let mut last_commit = Instant::now();
    let mut last_ends: Option<Instant> = None;
    while !shared.stop.load(Ordering::Acquire) {
        // A message that slipped in before the pause is dropped: fetchers start at the store's offsets, not here.
        if let Some(Err(error)) = consumer.poll(POLL_INTERVAL) {
            lock(&shared.warnings).push(error.to_string());
        }
        if last_commit.elapsed() >= COMMIT_INTERVAL {
            last_commit = Instant::now();
            commit(consumer, topic, shared, CommitMode::Async);
        }
        if last_ends.is_none_or(|at| at.elapsed() >= ENDS_INTERVAL) {
            last_ends = Some(Instant::now());
            ask_ends(consumer, topic, shared);
        }
    }
    commit(consumer, topic, shared, CommitMode::Sync);
}

fn ask_ends(consumer: &BaseConsumer<MemberContext>, topic: &str, shared: &Shared) {
    let Ok(assignment) = consumer.assignment() else { return };
    let mut ends = BTreeMap::new();
    for element in assignment.elements_for_topic(topic) {
        if let Ok((_, end)) = consumer.fetch_watermarks(topic, element.partition(), Duration::from_secs(1)) {
            ends.insert(element.partition(), end);
        }
    }
    *lock(&shared.ends) = ends;
}

fn commit(consumer: &BaseConsumer<MemberContext>, topic: &str, shared: &Shared, mode: CommitMode) {
    let offsets = std::mem::take(&mut *lock(&shared.to_commit));
    if offsets.is_empty() {
        return;
    }
    let mut list = TopicPartitionList::new();
    for (partition, offset) in offsets {
        if list.add_partition_offset(topic, partition, Offset::Offset(offset)).is_err() {
            return;
        }
    }
    if let Err(error) = consumer.commit(&list, mode) {
        lock(&shared.warnings).push(format!(
            "offsets were not committed to Kafka, so its lag is shown too high (nothing is lost: they are stored here): {error}"
        ));
    }
}
