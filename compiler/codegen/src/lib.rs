//! chalk-codegen
