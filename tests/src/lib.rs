//! chalk-tests
