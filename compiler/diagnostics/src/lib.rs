//! chalk-diagnostics
