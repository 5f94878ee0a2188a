//! chalk-engine
