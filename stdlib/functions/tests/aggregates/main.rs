//! Tests of the aggregates: what each declares, the laws that state relies on, and values against a naive model.

mod bounds;
mod declarations;
mod examples;
mod faults;
mod laws;
mod model;
mod pages;
mod random;
mod resolution;
mod stored;
mod support;
mod types;
