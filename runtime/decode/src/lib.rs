//! chalk-decode
