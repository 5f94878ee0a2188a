//! Windows of features: what may stand after `over`, how each window is named, and the buckets that windows share.
//!
//! A windowed feature is one feature for each of its windows. Aggregates over windows are folded from aligned buckets; which
//! lengths these have is decided here, from the windows alone, so that equal programs have equal state.
//!
//! This file must not know expressions or events.

use std::collections::BTreeMap;

use chalk_diagnostics::{Code, Diagnostic, Span};
use chalk_syntax::ast;

use crate::aggregations::Materialize;
use crate::context::Context;
use crate::program::{Buckets, Tier, Window};

pub(crate) const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;
/// Longest window: a hundred years of 365 days.
const MAX_WINDOW_US: i64 = 36_500 * DAY_US;

/// A window's length in microseconds; none = all time.
pub(crate) type Length = Option<i64>;

/// `10m`, `all`
pub(crate) fn window_text(window: Length) -> String {
    window.map_or_else(|| "all".to_owned(), chalk_syntax::duration_text)
}

/// `600`, `all`: the window's part of a fully qualified name.
pub(crate) fn window_suffix(window: Length) -> String {
    window.map_or_else(|| "all".to_owned(), |duration_us| (duration_us / SECOND_US).to_string())
}

/// `` `f[10m]`, `f[1d]` or `f[all]` ``
pub(crate) fn choices(feature: &str, windows: &[Length]) -> String {
    let names: Vec<String> = windows.iter().map(|window| format!("{feature}[{}]", window_text(*window))).collect();
    crate::expr::either(&names)
}

/// The windows after `over`, and whether one of them is wrong.
pub(crate) fn check(context: &Context, windows: &ast::Windows) -> (Vec<Length>, bool) {
    let mut lengths: Vec<Length> = Vec::new();
    let mut places: Vec<Span> = Vec::new();
    let mut is_wrong = false;
    for window in &windows.windows {
        let length = match length(context, window) {
            Some(length) => length,
            None => {
                is_wrong = true;
                continue;
            }
        };
        if let Some(first) = lengths.iter().position(|other| *other == length) {
            context.report(
                Diagnostic::new(
                    Code::E0431,
                    format!("the window `{}` is given twice", window_text(length)),
                    window.span,
                )
                .label(places[first], "first given here")
                .help("leave one of them out"),
            );
            is_wrong = true;
            continue;
        }
        lengths.push(length);
        places.push(window.span);
    }
    if windows.windows.is_empty() {
        context.report(
            Diagnostic::new(Code::E0431, "a windowed feature has at least one window", windows.span)
                .help("write for instance `over [10m, 1d]`, or leave `over` out: then it is over all time"),
        );
        is_wrong = true;
    }
    (lengths, is_wrong)
}

fn length(context: &Context, window: &ast::Expr) -> Option<Length> {
    let wrong = |message: &str, at: &str, help: &str| {
        context.report(Diagnostic::new(Code::E0431, message, window.span).at(at.to_owned()).help(help.to_owned()));
        None
    };
    match &window.kind {
        ast::ExprKind::Error => None,
        ast::ExprKind::Name(name) if name.text == "all" => Some(None),
        ast::ExprKind::Duration(duration_us) => {
            if *duration_us <= 0 {
                wrong("a window is longer than nothing", "no event is ever in it", "write for instance `10m`")
            } else if duration_us % SECOND_US != 0 {
                wrong(
                    "a window is a number of whole seconds",
                    "its name outside has seconds: `__600__` is `10m`",
                    "write for instance `1s`",
                )
            } else if *duration_us > MAX_WINDOW_US {
                wrong("a window is at most 36500 days long", "too long", "write `all` for all time")
            } else {
                Some(Some(*duration_us))
            }
        }
        _ => wrong("a window is a duration, or `all`", "this is neither", "write for instance `over [10m, 1d, all]`"),
    }
}

/// `over` where it has no meaning: on a field of a message, on a key.
pub(crate) fn refuse(context: &Context, windows: &ast::Windows, what: &str) {
    context.report(
        Diagnostic::new(Code::E0431, format!("{what} has no windows"), windows.span)
            .note("windows belong to features that are aggregates over events")
            .help("leave `over` out"),
    );
}

/// Lengths of buckets shorter than a day, each of which divides it.
const SHORT_BUCKETS_US: [i64; 45] = [
    20_000,
    25_000,
    40_000,
    50_000,
    100_000,
    125_000,
    200_000,
    250_000,
    500_000,
    SECOND_US,
    2 * SECOND_US,
    3 * SECOND_US,
    4 * SECOND_US,
    5 * SECOND_US,
    6 * SECOND_US,
    8 * SECOND_US,
    10 * SECOND_US,
    12 * SECOND_US,
    15 * SECOND_US,
    20 * SECOND_US,
    24 * SECOND_US,
    30 * SECOND_US,
    40 * SECOND_US,
    45 * SECOND_US,
    60 * SECOND_US,
    2 * 60 * SECOND_US,
    3 * 60 * SECOND_US,
    4 * 60 * SECOND_US,
    5 * 60 * SECOND_US,
    6 * 60 * SECOND_US,
    8 * 60 * SECOND_US,
    10 * 60 * SECOND_US,
    12 * 60 * SECOND_US,
    15 * 60 * SECOND_US,
    20 * 60 * SECOND_US,
    24 * 60 * SECOND_US,
    30 * 60 * SECOND_US,
    40 * 60 * SECOND_US,
    45 * 60 * SECOND_US,
    3600 * SECOND_US,
    2 * 3600 * SECOND_US,
    3 * 3600 * SECOND_US,
    4 * 3600 * SECOND_US,
    6 * 3600 * SECOND_US,
    12 * 3600 * SECOND_US,
];

/// The bucket of a window that shares none: the longest that fits twenty times into it, and divides a day or is a multiple of
/// days. `divides`: it must divide the window, too.
fn own_bucket(window_us: i64, divides: bool) -> i64 {
    let longest = window_us / 20;
    let fits = |bucket: i64| bucket <= longest && (!divides || window_us % bucket == 0);
    let days = longest / DAY_US;
    if let Some(days) = (1..=days).rev().find(|days| fits(days * DAY_US)) {
        return days * DAY_US;
    }
    let short = SHORT_BUCKETS_US.iter().rev().copied().find(|bucket| fits(*bucket));
    // Windows are whole seconds, so a second always divides them.
    short.unwrap_or(SHORT_BUCKETS_US[0])
}

/// Tiers for windows (ascending) that may choose their buckets. A window joins a tier of which it holds 12 to 60 buckets; the
/// coarsest such tier is taken.
pub(crate) fn shared_buckets(windows_us: impl Iterator<Item = i64>, origin_us: i64, divides: bool) -> Buckets {
    let mut buckets = Buckets { tiers: Vec::new(), windows: Vec::new() };
    for window_us in windows_us {
        let shared = (0..buckets.tiers.len())
            .filter(|tier| {
                let bucket_us = buckets.tiers[*tier].bucket_us;
                (12 * bucket_us..=60 * bucket_us).contains(&window_us) && (!divides || window_us % bucket_us == 0)
            })
            .max_by_key(|tier| buckets.tiers[*tier].bucket_us);
        let bucket_us = shared.map_or_else(|| own_bucket(window_us, divides), |tier| buckets.tiers[tier].bucket_us);
        add_window(&mut buckets, window_us, bucket_us, origin_us);
    }
    buckets
}

/// Tiers for windows (ascending) whose buckets are given.
pub(crate) fn given_buckets(windows_us: impl Iterator<Item = i64>, materialize: &Materialize) -> Buckets {
    let of = |window_us: i64| match &materialize.buckets {
        BucketChoice::One(bucket_us) => *bucket_us,
        BucketChoice::PerWindow(buckets) => buckets.get(&window_us).copied().unwrap_or(window_us),
        BucketChoice::Default => own_bucket(window_us, true),
    };
    if materialize.buckets == BucketChoice::Default {
        return shared_buckets(windows_us, materialize.start_us, true);
    }
    let mut buckets = Buckets { tiers: Vec::new(), windows: Vec::new() };
    for window_us in windows_us {
        add_window(&mut buckets, window_us, of(window_us), materialize.start_us);
    }
    buckets
}

/// Adds a window, and the tier of its bucket length if there is none yet. Windows come in ascending order.
fn add_window(buckets: &mut Buckets, window_us: i64, bucket_us: i64, origin_us: i64) {
    let tier = match buckets.tiers.iter().position(|tier| tier.bucket_us == bucket_us) {
        Some(tier) => tier,
        None => {
            buckets.tiers.push(Tier { bucket_us, origin_us, span_us: 0 });
            buckets.tiers.len() - 1
        }
    };
    buckets.tiers[tier].span_us = buckets.tiers[tier].span_us.max(window_us);
    buckets.windows.push(Window { duration_us: window_us, tier: tier as u32 });
}

/// `bucket:` of `@materialize`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BucketChoice {
    /// The compiler chooses.
    Default,
    /// One length for all windows.
    One(i64),
    /// A length for each window.
    PerWindow(BTreeMap<i64, i64>),
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60 * SECOND_US;
    const HOUR: i64 = 60 * MINUTE;

    fn buckets_of(windows: &[i64]) -> Vec<i64> {
        let buckets = shared_buckets(windows.iter().copied(), 0, false);
        buckets.windows.iter().map(|window| buckets.tiers[window.tier as usize].bucket_us).collect()
    }

    #[test]
    fn windows_of_similar_length_share_buckets() {
        assert_eq!(buckets_of(&[10 * MINUTE, 30 * MINUTE, DAY_US]), [30 * SECOND_US, 30 * SECOND_US, HOUR]);
        assert_eq!(buckets_of(&[30 * DAY_US, 60 * DAY_US, 90 * DAY_US]), [DAY_US, DAY_US, 4 * DAY_US]);
        assert_eq!(buckets_of(&[SECOND_US]), [50_000]);
    }

    #[test]
    fn buckets_divide_a_day_or_are_days_and_windows_hold_twelve_to_sixty() {
        for short in SHORT_BUCKETS_US {
            assert_eq!(DAY_US % short, 0, "{short}");
        }
        assert!(SHORT_BUCKETS_US.is_sorted());
        let mut window_us = SECOND_US;
        while window_us < MAX_WINDOW_US {
            let bucket_us = own_bucket(window_us, false);
            assert!(bucket_us % DAY_US == 0 || DAY_US % bucket_us == 0, "{window_us}");
            assert!((20..=60).contains(&(window_us / bucket_us)), "{window_us}: {}", window_us / bucket_us);
            let bucket_us = own_bucket(window_us, true);
            assert_eq!(window_us % bucket_us, 0, "{window_us}");
            // To the next number of seconds, about a third longer.
            window_us += (window_us / 3 / SECOND_US).max(1) * SECOND_US;
        }
    }
}
