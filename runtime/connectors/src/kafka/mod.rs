//! Kafka topics as sources, by librdkafka.
//!
//! Two kinds of client share the work. One *member* per source joins the consumer group and never fetches: it learns
//! which partitions are this process's, and commits offsets. One *fetcher* per worker reads partitions that were
//! assigned to it by hand, at the offsets of the runtime's own store. So a slow worker never misses the group's
//! heartbeat, workers share nothing while they read, and a rebalance waits until the partitions that leave are
//! committed.
//!
//! This folder must not know what is done with a message.

mod def;
#[cfg(feature = "kafka")]
mod fetcher;
#[cfg(feature = "kafka")]
mod member;

pub use def::DEF;
#[cfg(feature = "kafka")]
pub use fetcher::open;
