//! chalk-syntax
