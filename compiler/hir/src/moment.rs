//! Moments written in a program where no expression stands: `start:` of `@materialize`, the times of tests.
//!
//! They are what the library reads: there is one meaning of such texts.
//!
//! This file must not know who asks.

use chalk_catalog::{CallContext, call_scalar};
use chalk_types::{Type, Value};

use crate::context::Context;

/// The time that a text is, in microseconds since the epoch; an error is a sentence.
pub(crate) fn parse(context: &Context, text: &str) -> Result<i64, String> {
    let Some(function) = context.catalog.overloads("parse_datetime").next() else {
        return Err("the library has no `parse_datetime`, so a time cannot be read".to_owned());
    };
    let mut args = vec![Value::Null; function.signature.params.len()];
    args[0] = Value::String(text.to_owned());
    let types = vec![Type::STRING.to_optional(); args.len()];
    match call_scalar(&CallContext::default(), function, &args, &types, &Type::DATETIME, 0)? {
        Value::Datetime(time_us) => Ok(time_us),
        other => unreachable!("a datetime is read as one, not as {other:?}"),
    }
}
