//! Files as sources: one message per line, from disk or standard input, gzip and zstd too.
//!
//! A file is the broker of those who have none, and the input of tests and examples.
//!
//! This folder must not know what a line means.

mod def;
#[cfg(feature = "file")]
mod reader;

pub use def::DEF;
#[cfg(feature = "file")]
pub use reader::{FileReader, open};
