//! chalkd
