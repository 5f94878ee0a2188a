//! chalk-benches
