//! Windows against a model that keeps all events and folds them anew for every question.
//!
//! `CHALK_DIFF_CASES` sets how many random runs, `CHALK_DIFF_SEED` where to begin; a failure prints its seed.
//!
//! This file must not know how tables are laid out.

mod edges;
mod memory;
mod model;
mod plans;
mod random;
mod runs;
mod trail;
