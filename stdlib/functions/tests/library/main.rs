//! Tests of the library as a whole and of single functions, called as the evaluator calls them.

mod arguments;
mod bytes_and_json;
mod casts;
mod declarations;
mod lists;
mod numbers;
mod pages;
mod resolution;
mod support;
mod texts;
mod times;
