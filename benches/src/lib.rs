//! What the benches share: seeded messages with the plans that read them, and a clock.
//!
//! Benches are run by hand and print ratios; nothing here is ever a timed test.
//!
//! This crate must never be needed by the product.

pub mod clock;
pub mod messages;
