//! The test harness: fixtures, the oracle that asks two implementations the same question, and the generator of programs.
//!
//! What is tested is mostly data (a `.chalk` file beside what it must give), so this crate is about reading that data, running
//! it in every way there is, and saying clearly what differs. Every test has a name, none knows the network or a clock.
//!
//! This crate may know every other one; none may know it.

pub mod bless;
pub mod determinism;
pub mod examples;
pub mod fixture;
pub mod generate;
pub mod json;
pub mod layering;
pub mod message;
pub mod oracle;
pub mod outcome;
pub mod package;
pub mod pages;
mod rng;
pub mod run;
pub mod time;
pub mod ui;
pub mod windows;
