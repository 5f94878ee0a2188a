//! `chalkc run` without the command line: a compiled program over lines of input.
//!
//! Its parts: `chunks` reads, `stream` drives the engine over them, `workers` do so on several cores where messages are independent, `share` lets
//! them read one file,
//! `output` writes features, `dead_letters` keeps what failed, `progress` tells a person how far it is.

pub mod chunks;
pub mod dead_letters;
pub mod finals;
pub mod output;
pub mod progress;
pub mod share;
pub mod stream;
pub mod workers;
