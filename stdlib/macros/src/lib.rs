//! chalk-macros
