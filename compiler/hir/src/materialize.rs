//! `@materialize`: buckets instead of events, and how long they are.
//!
//! `@materialize` alone lets the compiler choose; `bucket:` is a duration, or a map from window to duration; `start:` moves the origin of the
//! buckets. A window is a whole number of buckets, so that what it covers has no ragged edge.
//!
//! This file must not know aggregates.

use std::collections::BTreeMap;

use chalk_diagnostics::{Code, Diagnostic, Span, did_you_mean};
use chalk_syntax::ast;

use crate::aggregations::Materialize;
use crate::attributes::Attributes;
use crate::context::{Checked, Reported, WindowedFacts};
use crate::moment;
use crate::windows::{BucketChoice, window_text};

const FORM: &str = "write `@materialize`, `@materialize(bucket: 1d)` or `@materialize(bucket: {10m: 1m, 30d: 1d})`";

/// What `@materialize` says of a feature; none where it does not stand, or is wrong.
pub(crate) fn check(
    attributes: &mut Attributes,
    field: &ast::Field,
    windowed: Option<&WindowedFacts>,
) -> Option<Materialize> {
    let attribute = attributes.with_arguments("materialize")?;
    let Some(windowed) = windowed else {
        attributes
            .report(wrong(attribute.span, format!("`{}` has no windows, so it has no buckets", field.name.text)).help(
            "an aggregate over all time is one value, always up to date: leave `@materialize` out, or add `over [...]`",
        ));
        return None;
    };
    if field.value.is_none() {
        attributes.report(
            wrong(attribute.span, format!("`{}` has no expression that could be kept in buckets", field.name.text))
                .help("leave `@materialize` out, or compute the feature from a collection: `= logins.count()`"),
        );
        return None;
    }
    let mut materialize = Materialize { start_us: 0, buckets: BucketChoice::Default };
    let mut is_right = true;
    for arg in &attribute.args {
        is_right &= argument(attributes, windowed, arg, attribute.args.len() == 1, &mut materialize).is_ok();
    }
    is_right.then_some(materialize)
}

fn wrong(span: Span, message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(Code::E0437, message, span)
}

fn argument(
    attributes: &Attributes,
    windowed: &WindowedFacts,
    arg: &ast::Arg,
    is_only_one: bool,
    materialize: &mut Materialize,
) -> Checked<()> {
    match (arg.name.as_ref().map(|name| name.text.as_str()), &arg.value.kind) {
        (_, ast::ExprKind::Error) => return Err(Reported),
        (None, ast::ExprKind::Bool(true)) if is_only_one => {}
        (Some("bucket"), ast::ExprKind::Duration(bucket_us)) => {
            for window_us in windowed.windows.iter().flatten() {
                fits(attributes, *window_us, *bucket_us, arg.value.span)?;
            }
            materialize.buckets = BucketChoice::One(*bucket_us);
        }
        (Some("bucket"), ast::ExprKind::Map(entries)) => {
            materialize.buckets = BucketChoice::PerWindow(per_window(attributes, windowed, entries, arg.value.span)?);
        }
        (Some("start"), ast::ExprKind::String(text)) => match moment::parse(attributes.context, text) {
            Ok(us) => materialize.start_us = us,
            Err(message) => {
                return Err(attributes.report(
                    wrong(arg.value.span, message).help("write for instance `start: \"2024-01-01T00:00:00Z\"`"),
                ));
            }
        },
        (Some("bucket" | "start"), _) | (None, _) => {
            return Err(attributes.report(wrong(arg.value.span, "`@materialize` cannot use this").help(FORM)));
        }
        (Some(name), _) => {
            let diagnostic = wrong(arg.span, format!("`@materialize` has no argument `{name}`"));
            return Err(attributes.report(match did_you_mean(name, ["bucket", "start"]) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic.help(FORM),
            }));
        }
    }
    Ok(())
}

/// Whether the window is a whole number of buckets.
fn fits(attributes: &Attributes, window_us: i64, bucket_us: i64, span: Span) -> Checked<()> {
    let (window, bucket) = (window_text(Some(window_us)), window_text(Some(bucket_us)));
    if bucket_us <= 0 {
        return Err(attributes.report(wrong(span, "a bucket is longer than nothing").help("write for instance `1d`")));
    }
    if window_us % bucket_us != 0 {
        let message = if bucket_us > window_us {
            format!("the window `{window}` is shorter than its bucket `{bucket}`")
        } else {
            format!("the window `{window}` is no whole number of buckets of `{bucket}`")
        };
        return Err(attributes.report(
            wrong(span, message)
                .note("a window is put together from whole buckets")
                .help("choose a bucket that divides it, or one for each window: `bucket: {10m: 1m, 30d: 1d}`"),
        ));
    }
    Ok(())
}

fn per_window(
    attributes: &Attributes,
    windowed: &WindowedFacts,
    entries: &[(ast::Expr, ast::Expr)],
    span: Span,
) -> Checked<BTreeMap<i64, i64>> {
    let mut buckets = BTreeMap::new();
    for (window, bucket) in entries {
        match (&window.kind, &bucket.kind) {
            (ast::ExprKind::Duration(window_us), ast::ExprKind::Duration(bucket_us)) => {
                if !windowed.windows.contains(&Some(*window_us)) {
                    let message = format!("the feature has no window `{}`", window_text(Some(*window_us)));
                    return Err(attributes.report(
                        wrong(window.span, message)
                            .label(windowed.span, "its windows are declared here")
                            .help("leave the entry out, or add the window after `over`"),
                    ));
                }
                fits(attributes, *window_us, *bucket_us, bucket.span)?;
                if buckets.insert(*window_us, *bucket_us).is_some() {
                    let message = format!("the window `{}` has two buckets", window_text(Some(*window_us)));
                    return Err(attributes.report(wrong(window.span, message).help("leave one of them out")));
                }
            }
            (ast::ExprKind::Error, _) | (_, ast::ExprKind::Error) => return Err(Reported),
            _ => {
                let message = "a bucket for each window is written as durations";
                return Err(attributes.report(wrong(window.span, message).help(FORM)));
            }
        }
    }
    match windowed.windows.iter().flatten().find(|window_us| !buckets.contains_key(window_us)) {
        Some(missing) => Err(attributes.report(
            wrong(span, format!("the window `{}` has no bucket", window_text(Some(*missing))))
                .help("give each window a bucket, or all of them one: `bucket: 1d`"),
        )),
        None => Ok(buckets),
    }
}
