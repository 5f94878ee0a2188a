//! `chalkc run` without the command line: a compiled program over lines of input.
//!
//! Its parts: `lines` reads, `stream` drives the engine, `output` writes features, `dead_letters` keeps what failed, `progress` tells a person how far it is.

pub mod dead_letters;
pub mod finals;
pub mod lines;
pub mod output;
pub mod progress;
pub mod stream;
