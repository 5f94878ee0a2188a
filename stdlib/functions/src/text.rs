//! Text functions: case, parts, search.
//!
//! Positions and lengths count code points from 0. An ASCII text, the common case, is recognised and counted in bytes.
//!
//! This file must not know slots.

use chalk_catalog::context::CallContext;
use chalk_macros::functions;

#[functions(family = "text")]
mod defs {
    use super::*;

    /// The text in lower case, by Unicode's simple and special mappings.
    ///
    /// ```chalk
    /// lower("HeLLo") == "hello"
    /// ```
    #[function(signature = "lower(s: string) -> string")]
    fn lower<'a>(cx: &'a CallContext, s: &'a str) -> &'a str {
        if s.is_ascii() {
            if !s.bytes().any(|byte| byte.is_ascii_uppercase()) {
                return s;
            }
            let mut text = cx.text();
            s.chars().for_each(|c| text.push(c.to_ascii_lowercase()));
            return text.finish();
        }
        cx.arena.copy_str(&s.to_lowercase())
    }
}
