//! chalk-functions
