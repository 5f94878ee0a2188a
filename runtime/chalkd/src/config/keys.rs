//! The list of all keys of `chalk.toml`, except the tables of sources, whose keys are the sources' options.
//!
//! A key is added by writing one item here (and the field it sets).
//!
//! This file must not know TOML.

use std::time::Duration;

use chalk_connectors::{OptionType, OptionTypeExt as _, OptionValue};

use super::{Config, Fsync};

/// One key.
pub struct Key {
    /// Dotted path in the file.
    pub path: &'static str,
    /// What it may be.
    pub ty: OptionType,
    /// Its default as written in the file; empty where the doc says what it is.
    pub default: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// Puts the value into the configuration, or says what is wrong with it.
    pub set: fn(&mut Config, OptionValue) -> Result<(), String>,
}

fn text(value: OptionValue) -> String {
    match value {
        OptionValue::String(text) => text,
        other => unreachable!("{other:?} was checked to be text"),
    }
}

fn at_least(value: &OptionValue, least: i64) -> Result<u64, String> {
    match value {
        OptionValue::Int(number) if *number >= least => Ok(*number as u64),
        OptionValue::Int(number) => Err(format!("must be at least {least}, not {number}")),
        other => unreachable!("{other:?} was checked to be a number"),
    }
}

fn duration(value: &OptionValue, least_us: i64) -> Result<Duration, String> {
    match value {
        OptionValue::DurationUs(us) if *us >= least_us => Ok(Duration::from_micros(*us as u64)),
        OptionValue::DurationUs(_) => Err(format!("must be at least {least_us}us")),
        other => unreachable!("{other:?} was checked to be a duration"),
    }
}

/// Every key, in the order of the page.
pub const KEYS: &[Key] = &[
    Key {
        path: "data_dir",
        ty: OptionType::String,
        default: "chalk-data",
        doc: "Folder for everything that is kept: changelog, store, dead letters. One process at a time.",
        set: |config, value| {
            config.data_dir = text(value).into();
            Ok(())
        },
    },
    Key {
        path: "listen",
        ty: OptionType::String,
        default: "127.0.0.1:8080",
        doc: "Address and port of the HTTP server; port 0 takes a free one. There is no authentication: leave it on the loopback interface, or put it behind something that has it.",
        set: |config, value| {
            let value = text(value);
            config.listen =
                value.parse().map_err(|_| format!("must be an address and a port, `127.0.0.1:8080`, not {value:?}"))?;
            Ok(())
        },
    },
    Key {
        path: "workers",
        ty: OptionType::Int,
        default: "",
        doc: "Threads that compute. Not set: one per core.",
        set: |config, value| {
            config.workers = at_least(&value, 1)? as usize;
            Ok(())
        },
    },
    Key {
        path: "environment",
        ty: OptionType::String,
        default: "",
        doc: "Name of this deployment: resolvers with `@environments(…)` run only where it is listed. Not set: they do not run.",
        set: |config, value| {
            config.environment = text(value);
            Ok(())
        },
    },
    Key {
        path: "log_level",
        ty: OptionType::OneOf(&["error", "warn", "info", "debug", "trace"]),
        default: "info",
        doc: "What is logged on stderr.",
        set: |config, value| {
            config.log_level = text(value);
            Ok(())
        },
    },
    Key {
        path: "batch.max_messages",
        ty: OptionType::Int,
        default: "1024",
        doc: "Messages computed at once. 1 to 2 thousand stay in the processor's cache.",
        set: |config, value| {
            config.batch_max_messages = at_least(&value, 1)? as usize;
            Ok(())
        },
    },
    Key {
        path: "batch.max_latency",
        ty: OptionType::Duration,
        default: "5ms",
        doc: "How long a batch waits to fill up after its first message.",
        set: |config, value| {
            config.batch_max_latency = duration(&value, 0)?;
            Ok(())
        },
    },
    Key {
        path: "commit.interval",
        ty: OptionType::Duration,
        default: "250ms",
        doc: "How often what was computed is committed. Queries see committed values, so this is their age too.",
        set: |config, value| {
            config.commit_interval = duration(&value, 1_000)?;
            Ok(())
        },
    },
    Key {
        path: "commit.fsync",
        ty: OptionType::OneOf(&["commit", "group"]),
        default: "commit",
        doc: "`commit` brings every commit to the disk before it is acknowledged: it survives a power cut. `group` does so once per `commit.fsync_interval`: commits survive `kill -9`, and what a power cut takes back is read from the sources again.",
        set: |config, value| {
            config.fsync = if text(value) == "group" { Fsync::Group } else { Fsync::Commit };
            Ok(())
        },
    },
    Key {
        path: "commit.fsync_interval",
        ty: OptionType::Duration,
        default: "1s",
        doc: "See `commit.fsync`.",
        set: |config, value| {
            config.fsync_interval = duration(&value, 1_000)?;
            Ok(())
        },
    },
    Key {
        path: "commit.segment_bytes",
        ty: OptionType::Int,
        default: "67_108_864",
        doc: "Size at which a worker's changelog goes on in another file.",
        set: |config, value| {
            config.segment_bytes = at_least(&value, 1 << 16)?;
            Ok(())
        },
    },
    Key {
        path: "checkpoint.interval",
        ty: OptionType::Duration,
        default: "15s",
        doc: "How often changed rows go from memory into the embedded store. A restart replays the changelog since then.",
        set: |config, value| {
            config.checkpoint_interval = duration(&value, 1_000)?;
            Ok(())
        },
    },
    Key {
        path: "checkpoint.max_pending_bytes",
        ty: OptionType::Int,
        default: "536_870_912",
        doc: "A checkpoint is made earlier when so much was committed since the last one.",
        set: |config, value| {
            config.checkpoint_max_pending_bytes = at_least(&value, 1 << 20)?;
            Ok(())
        },
    },
    Key {
        path: "state.max_rows_in_memory",
        ty: OptionType::Int,
        default: "20_000_000",
        doc: "Rows kept in memory after a checkpoint; others are read from the store when they are asked for.",
        set: |config, value| {
            config.max_rows_in_memory = at_least(&value, 0)? as usize;
            Ok(())
        },
    },
    Key {
        path: "state.cache_bytes",
        ty: OptionType::Int,
        default: "268_435_456",
        doc: "The embedded store's cache of blocks.",
        set: |config, value| {
            config.cache_bytes = at_least(&value, 1 << 20)?;
            Ok(())
        },
    },
    Key {
        path: "state.max_memory_bytes",
        ty: OptionType::Int,
        default: "4_294_967_296",
        doc: "Memory for entries of aggregations. What is over it stays in the store only, and is read from there when it is needed. Entries of tumbling windows and dedup keys stay in memory and are not counted.",
        set: |config, value| {
            config.max_memory_bytes = at_least(&value, 1 << 20)? as usize;
            Ok(())
        },
    },
    Key {
        path: "dead_letters.file",
        ty: OptionType::String,
        default: "",
        doc: "File for messages that failed, one JSON object per line. Not set: `dead_letters.ndjson` in `data_dir`.",
        set: |config, value| {
            config.dead_letters_file = text(value).into();
            Ok(())
        },
    },
    Key {
        path: "time.max_future_skew",
        ty: OptionType::Duration,
        default: "1h",
        doc: "A message whose event time is further ahead of its broker's time than this is a dead letter (`future`).",
        set: |config, value| {
            config.max_future_skew = duration(&value, 0)?;
            Ok(())
        },
    },
    Key {
        path: "time.idle_after",
        ty: OptionType::Duration,
        default: "30s",
        doc: "A partition without a message for so long does not hold the watermark of its source back. When all partitions are idle, the wall clock less this closes tumbling windows.",
        set: |config, value| {
            config.idle_after = duration(&value, 0)?;
            Ok(())
        },
    },
];

impl Default for Config {
    fn default() -> Config {
        let mut config = Config {
            data_dir: Default::default(),
            listen: ([127, 0, 0, 1], 0).into(),
            workers: 0,
            environment: String::new(),
            log_level: String::new(),
            batch_max_messages: 0,
            batch_max_latency: Duration::ZERO,
            commit_interval: Duration::ZERO,
            fsync: Fsync::Commit,
            fsync_interval: Duration::ZERO,
            segment_bytes: 0,
            checkpoint_interval: Duration::ZERO,
            checkpoint_max_pending_bytes: 0,
            max_rows_in_memory: 0,
            cache_bytes: 0,
            max_memory_bytes: 0,
            dead_letters_file: Default::default(),
            max_future_skew: Duration::ZERO,
            idle_after: Duration::ZERO,
            sources: Default::default(),
        };
        for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
            let value = key.ty.value_of_text(key.default).unwrap_or_else(|error| panic!("{}: {error}", key.path));
            (key.set)(&mut config, value).unwrap_or_else(|error| panic!("{}: {error}", key.path));
        }
        config
    }
}
