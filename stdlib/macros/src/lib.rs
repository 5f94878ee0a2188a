//! `#[functions]`: a module of plain Rust functions becomes a family of the library.
//!
//! Each item states name, types, meaning, documentation and examples in one place; from it follow the definition
//! (`FunctionDef`) and the shim that generated code calls. An item without documentation or without an example does
//! not compile. (A ```chalk fragment fence is shown but not run.)
//!
//! ```ignore
//! #[functions(family = "text")]
//! mod defs {
//!     use super::*;
//!
//!     /// The text in lower case.
//!     ///
//!     /// ```chalk
//!     /// lower("HeLLo") == "hello"
//!     /// ```
//!     #[function(signature = "lower(s: string) -> string")]
//!     fn lower(s: &str) -> String { s.to_lowercase() }
//!
//!     /// … A constant's text is a Chalk expression, which replaces the call.
//!     #[function(signature = "clamp(x: T, lo: T, hi: T) -> T where T: ordered")]
//!     const CLAMP: &str = "if x < lo then lo else if x > hi then hi else x";
//! }
//! ```
//!
//! Options beside `signature`: `known_as = "substring"` (names in other systems, for "did you mean"), `check = path`, `lower = IrOp::X`, `impure`, `hidden` (needs no documentation), `fold` (of a
//! constant: see `Body::Fold`), and `instances = "int, float"`, which makes one overload per type in place of the type
//! variable `T` of signature and Rust function.
//!
//! This crate must not know the types that a body may take: the traits of `chalk-catalog` do.

mod expand;
mod options;

use proc_macro::TokenStream;

/// Makes a family of the functions in an inline module; see the crate.
#[proc_macro_attribute]
pub fn functions(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::family(args.into(), item.into()).unwrap_or_else(|error| error.to_compile_error()).into()
}
