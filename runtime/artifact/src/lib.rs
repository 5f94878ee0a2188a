//! chalk-artifact
