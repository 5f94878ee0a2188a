//! chalk-hir
