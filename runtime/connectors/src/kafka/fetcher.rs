//! One worker's reader: fetches the partitions that the member gives it, from the offsets of the runtime's store.
//!
//! Back pressure needs no pausing: a worker that does not poll lets librdkafka's queue run full, and it stops fetching.
//!
//! This file must not know the group's protocol.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::member::{Member, Order, lock};
use crate::options::{OptionValue, SourceOptions};
use crate::source::{Assigned, Envelope, MessageSink, Polled, Position, SourceError, SourceReader, StartPositions};

/// Log lines of a fetcher's client are the member's too: they are not shown twice.
struct QuietContext;

impl ClientContext for QuietContext {
    fn log(&self, _level: RDKafkaLogLevel, _facility: &str, _message: &str) {}
    fn error(&self, _error: KafkaError, _reason: &str) {}
}

impl ConsumerContext for QuietContext {}

/// A worker's reader.
struct Fetcher {
    source: String,
    topic: String,
    consumer: BaseConsumer<QuietContext>,
    orders: Receiver<Order>,
    start: StartPositions,
    from_start: Offset,
    /// Partition → the next offset to read; `None` = the partition was never read.
    next: BTreeMap<i32, Option<i64>>,
    /// The answer owed to the member.
    releasing: Option<(Vec<i32>, Sender<()>)>,
    member: Arc<Member>,
}

/// Joins the group and makes one reader per worker.
pub fn open(
    name: &str,
    options: &SourceOptions,
    workers: usize,
    start: StartPositions,
    assigned: Assigned,
) -> Result<Vec<Box<dyn SourceReader>>, SourceError> {
    let topic = options.string("topic").unwrap_or_default().to_owned();
    let from_start =
        if options.string("auto_offset_reset") == Some("latest") { Offset::End } else { Offset::Beginning };
    let config = client_config(name, options);
    let explain = |error: String| {
        let hint = if error.contains("OpenSSL") || error.contains("not available at build time") {
            "; build chalkd with the cargo feature `kafka-tls`"
        } else {
            ""
        };
        SourceError(format!("source `{name}`: {error}{hint}"))
    };
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..workers.max(1)).map(|_| channel()).unzip();
    let mut consumers = Vec::new();
    for _ in &receivers {
        let consumer: BaseConsumer<QuietContext> =
            config.create_with_context(QuietContext).map_err(|error| explain(error.to_string()))?;
        consumers.push(consumer);
    }
    let member = Arc::new(Member::join(&config, &topic, senders, assigned).map_err(|error| explain(error.0))?);
    Ok(receivers
        .into_iter()
        .zip(consumers)
        .map(|(orders, consumer)| {
            Box::new(Fetcher {
                source: name.to_owned(),
                topic: topic.clone(),
                consumer,
                orders,
                start: start.clone(),
                from_start,
                next: BTreeMap::new(),
                releasing: None,
                member: member.clone(),
            }) as Box<dyn SourceReader>
        })
        .collect())
}

/// The client's configuration: our options under librdkafka's names, then what `[sources.NAME.kafka]` says, then what
/// the runtime needs to be so.
fn client_config(name: &str, options: &SourceOptions) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("group.id", format!("chalk-{name}"));
    config.set("client.id", format!("chalk-{name}"));
    config.set("auto.offset.reset", "earliest");
    config.set("log.connection.close", "false");
    for (option, value) in &options.values {
        if option != "topic" && super::DEF.connector.options.iter().any(|def| def.name == option) {
            let text = match value {
                OptionValue::String(text) => text.clone(),
                OptionValue::Int(number) => number.to_string(),
                OptionValue::Bool(value) => value.to_string(),
                OptionValue::DurationUs(duration_us) => (duration_us / 1_000).to_string(),
            };
            config.set(option.replace('_', "."), text);
        }
    }
    for (option, value) in &options.client {
        config.set(option, value);
    }
    // Offsets are committed by hand, after the store's own commit.
    config.set("enable.auto.commit", "false");
    config.set("enable.auto.offset.store", "false");
    config.set("enable.partition.eof", "false");
    config.set_log_level(RDKafkaLogLevel::Warning);
    config
}

impl Fetcher {
    /// Takes the member's orders; `Some` when partitions are to be given back.
    fn take_orders(&mut self) -> Result<Option<Polled>, SourceError> {
        loop {
            match self.orders.try_recv() {
                Ok(Order::Assign(partitions)) => {
                    for partition in partitions {
                        self.next.insert(partition, (self.start)(partition).map(|position| position.offset));
                    }
                    self.assign()?;
                }
                Ok(Order::Revoke(partitions, done)) => {
                    self.next.retain(|partition, _| !partitions.contains(partition));
                    self.assign()?;
                    self.releasing = Some((partitions.clone(), done));
                    return Ok(Some(Polled::Revoking(partitions)));
                }
                Err(TryRecvError::Empty) => return Ok(None),
                Err(TryRecvError::Disconnected) => {
                    return Err(SourceError(format!(
                        "source `{}`: the consumer group's thread has ended",
                        self.source
                    )));
                }
            }
        }
    }

    /// Makes the client fetch exactly `next`. Messages that it has fetched and not handed over are fetched again.
    fn assign(&mut self) -> Result<(), SourceError> {
        let mut list = TopicPartitionList::new();
        for (partition, next) in &self.next {
            let offset = next.map_or(self.from_start, Offset::Offset);
            list.add_partition_offset(&self.topic, *partition, offset).map_err(|error| self.failed(&error))?;
        }
        self.consumer.assign(&list).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &KafkaError) -> SourceError {
        SourceError(format!("source `{}`, topic `{}`: {error}", self.source, self.topic))
    }
}

/// Hands a message over, without a copy.
fn hand_over(message: &BorrowedMessage<'_>, sink: &mut dyn MessageSink) -> i64 {
    let mut headers: Vec<(&str, &[u8])> = Vec::new();
    if let Some(of_message) = message.headers() {
        headers.extend(of_message.iter().map(|header| (header.key, header.value.unwrap_or_default())));
    }
    let next = message.offset() + 1;
    let envelope = Envelope {
        topic: message.topic(),
        partition: message.partition(),
        offset: message.offset(),
        key: message.key(),
        timestamp_us: message.timestamp().to_millis().and_then(|timestamp_ms| timestamp_ms.checked_mul(1_000)),
        headers: &headers,
    };
    sink.message(message.payload().unwrap_or_default(), &envelope, Position { offset: next, byte_offset: 0 }, None);
    next
}

/// Whether the client goes on by itself after that error.
fn is_transient(error: &KafkaError) -> bool {
    !matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::Fatal
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::SaslAuthenticationFailed
        )
    )
}

impl SourceReader for Fetcher {
    fn poll(
        &mut self,
        max_messages: usize,
        wait: Duration,
        latency: Duration,
        sink: &mut dyn MessageSink,
    ) -> Result<Polled, SourceError> {
        for warning in std::mem::take(&mut *lock(&self.member.shared.warnings)) {
            sink.warning(&format!("source `{}`: {warning}", self.source));
        }
        if let Some(revoking) = self.take_orders()? {
            return Ok(revoking);
        }
        let mut count = 0;
        let mut deadline = Instant::now() + wait;
        while count < max_messages {
            match self.consumer.poll(deadline.saturating_duration_since(Instant::now())) {
                None => break,
                Some(Ok(message)) => {
                    if let Some(next) = self.next.get_mut(&message.partition()) {
                        *next = Some(hand_over(&message, sink));
                        count += 1;
                        if count == 1 {
                            deadline = Instant::now() + latency;
                        }
                    }
                }
                Some(Err(error)) if is_transient(&error) => sink.warning(&self.failed(&error).0),
                Some(Err(error)) => return Err(self.failed(&error)),
            }
        }
        Ok(Polled::Messages(count))
    }

    fn release(&mut self) {
        if let Some((_, done)) = self.releasing.take() {
            let _ = done.send(());
        }
    }

    fn committed(&mut self, positions: &[(i32, Position)]) {
        let mut to_commit = lock(&self.member.shared.to_commit);
        to_commit.extend(positions.iter().map(|(partition, position)| (*partition, position.offset)));
    }

    fn ends(&self) -> Vec<(i32, i64)> {
        let ends = lock(&self.member.shared.ends);
        self.next.keys().filter_map(|partition| Some((*partition, *ends.get(partition)?))).collect()
    }
}
