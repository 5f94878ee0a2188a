//! chalk-catalog
