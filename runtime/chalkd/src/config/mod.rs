//! `chalk.toml`: how a program is run. Every key is an item of one list, which checks the file, gives the defaults and
//! makes the page `CONFIG.md`.
//!
//! This module must not know what the settings do.

mod file;
mod keys;
mod page;
mod sources;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use file::{load, parse};
pub use keys::{KEYS, Key};
pub use page::page;
pub use sources::{check_sources, source_identity, source_options};

/// All settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// `data_dir`
    pub data_dir: PathBuf,
    /// `listen`
    pub listen: SocketAddr,
    /// `workers`; 0 = one per core.
    pub workers: usize,
    /// `environment`
    pub environment: String,
    /// `log_level`
    pub log_level: String,
    /// `batch.max_messages`
    pub batch_max_messages: usize,
    /// `batch.max_latency`
    pub batch_max_latency: Duration,
    /// `commit.interval`
    pub commit_interval: Duration,
    /// `commit.fsync`
    pub fsync: Fsync,
    /// `commit.fsync_interval`
    pub fsync_interval: Duration,
    /// `commit.segment_bytes`
    pub segment_bytes: u64,
    /// `checkpoint.interval`
    pub checkpoint_interval: Duration,
    /// `checkpoint.max_pending_bytes`
    pub checkpoint_max_pending_bytes: u64,
    /// `state.max_rows_in_memory`
    pub max_rows_in_memory: usize,
    /// `state.cache_bytes`
    pub cache_bytes: u64,
    /// `state.max_memory_bytes`
    pub max_memory_bytes: usize,
    /// `dead_letters.file`; empty = in `data_dir`.
    pub dead_letters_file: PathBuf,
    /// `time.max_future_skew`
    pub max_future_skew: Duration,
    /// `time.idle_after`
    pub idle_after: Duration,
    /// `[sources.NAME]`
    pub sources: BTreeMap<String, SourceTable>,
}

/// When a commit is brought to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fsync {
    /// Before it is acknowledged.
    Commit,
    /// At intervals.
    Group,
}

/// A table `[sources.NAME]`, as written; it is checked against the source when that is known.
#[derive(Clone, Debug, Default)]
pub struct SourceTable {
    /// Where the table is.
    pub place: Place,
    /// The options.
    pub values: BTreeMap<String, Setting>,
    /// The table `kafka` inside: librdkafka's options by their dotted names.
    pub client: BTreeMap<String, String>,
}

/// A value as written, environment variables replaced.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Where it is.
    pub place: Place,
    /// The value.
    pub value: Scalar,
}

/// A value of TOML that may be one of ours.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Scalar {
    String(String),
    Int(i64),
    Bool(bool),
}

/// A place in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: String,
    /// 1-based; 0 = the file as a whole.
    pub line: usize,
    /// 1-based, in code points.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 { f.write_str(&self.file) } else { write!(f, "{}:{}:{}", self.file, self.line, self.column) }
    }
}

/// Something wrong in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where.
    pub place: Place,
    /// What, as a sentence that says what would be right.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl std::error::Error for ConfigError {}

/// Reads environment variables; tests give their own.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The environment of the process.
pub fn process_environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
