//! chalkc
