//! chalk-eval
