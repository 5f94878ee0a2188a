//! Random message types, the plans that read them, and messages of them: good, odd, wrong and broken.
//!
//! What a decoder is judged on must not come from the decoder: nothing here knows how messages are read.

#![allow(unused_imports, reason = "each test takes what it needs")]

pub mod message;
pub mod mutate;
pub mod plan;
pub mod text;

pub use message::{Shape, write_message};
pub use mutate::mutate;
pub use plan::{Wishes, random_plan};
pub use text::any_json;
