//! chalk-connectors
