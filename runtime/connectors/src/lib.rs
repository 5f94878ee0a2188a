//! Connections to the systems that messages come from: one folder per system, its options as data, its client behind a
//! feature.
//!
//! The compiler checks `source` declarations against the data alone, so options are plain constants (`def.rs`) that are
//! there whatever was compiled in; `chalkd` turns the features on and opens readers.
//!
//! This crate must never know programs, kernels, state or HTTP: a reader hands messages on and is told what was
//! committed.

pub mod file;
pub mod kafka;
mod options;
mod registry;
mod source;

pub use chalk_artifact::connector::{ConnectorDef, OptionDef, OptionType};
pub use options::{OptionError, OptionTypeExt, OptionValue, SourceDef, SourceOptions, parse_duration_us};
pub use registry::{SOURCES, connector_defs, find, open};
pub use source::{Assigned, Envelope, MessageSink, Polled, Position, SourceError, SourceReader, StartPositions};
