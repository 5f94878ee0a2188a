//! What the runtime needs of a program: batches of messages in, features and fates out.
//!
//! A trait, so that workers, commits and queries are tested with a program of a few lines; `engine_pipeline.rs` is the
//! one
//! that runs artifacts.
//!
//! This file must not know kernels or artifacts.

use std::sync::Arc;

use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{PrimitiveArray, RecordBatch};
use chalk_artifact::manifest::Manifest;
use chalk_connectors::Envelope;
use chalk_decode::TierCounts;
use chalk_engine::{Keeper, KeeperOptions, StoredRows};
use chalk_types::Value;

/// A program; shared by all threads.
pub trait Program: Send + Sync {
    /// What it says about itself.
    fn manifest(&self) -> &Manifest;

    /// The program with empty state: windows, dedup keys.
    fn with_state(self: Arc<Self>, options: KeeperOptions) -> Result<Arc<dyn Program>, String>;

    /// Its state; none where it has none.
    fn keeper(&self) -> Option<&Arc<Keeper>>;

    /// Runs these resolvers (positions in the manifest, all of one source) for one worker.
    fn pipeline(&self, resolvers: &[usize]) -> Result<Box<dyn Pipeline>, String>;

    /// Answers queries, one thread at a time.
    fn queries(&self) -> Result<Box<dyn Queries>, String>;
}

/// A batch and the resolvers that run over it.
pub trait Pipeline: Send {
    /// Adds a message; false where the batch cannot take it.
    fn push(&mut self, value: &[u8], envelope: &Envelope<'_>) -> bool;

    /// Bytes of the messages in the batch.
    fn size_bytes(&self) -> usize;

    /// The bytes of a message of the batch.
    fn message(&self, row: usize) -> &[u8];

    /// Runs every resolver over the batch; `visit` sees what each gave. `now_us` is what `now()` gives. What the state must read
    /// after a crash is appended to `log`. An error is of the store: nothing of the batch may be committed then.
    fn run(&mut self, now_us: i64, log: &mut Vec<u8>, visit: &mut dyn FnMut(&Computed<'_>)) -> Result<(), String>;

    /// Forgets the messages.
    fn clear(&mut self);
}

/// What one resolver made of a batch.
pub struct Computed<'a> {
    /// The resolver, by its position in the manifest.
    pub resolver: usize,
    /// A row per applied message; columns have fully qualified names.
    pub batch: &'a RecordBatch,
    /// For each row of it the message.
    pub row_index: &'a [u32],
    /// For each row of it the event time, where the resolver knows one.
    pub event_times: Option<&'a PrimitiveArray<TimestampMicrosecondType>>,
    /// A byte of `abi::status` per message.
    pub status: &'a [u8],
    /// Why messages failed.
    pub failures: &'a [Failure],
    /// How the batch was decoded.
    pub decoded: TierCounts,
}

/// Why a message failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// Its row in the batch.
    pub row: usize,
    /// What went wrong.
    pub reason: String,
    /// The field, of an error of decoding.
    pub path: Option<String>,
    /// The byte in the message, of an error of decoding.
    pub byte_offset: Option<usize>,
    /// The place in the sources: position in the manifest's `sites`.
    pub site: Option<u32>,
}

/// Computes features when they are asked for.
pub trait Queries: Send {
    /// Every feature of the class for the key, by position. `values` has what is stored or given per feature, null where there is
    /// nothing; `rows` has what is stored of linked classes.
    fn run(
        &mut self,
        rows: &dyn StoredRows,
        class: usize,
        key: &Value,
        values: &[Value],
        now_us: i64,
    ) -> Vec<Result<Value, String>>;
}
