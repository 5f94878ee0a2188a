//! What random packages aggregate: which aggregate, of what, under which condition, in the language and in SQL.
//!
//! This file must not know windows or streams.

use std::fmt;

use super::program::Style;
use crate::rng::Rng;

/// `.where(filter).aggregate(argument, by)`.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// `where`
    pub(super) filter: Option<Condition>,
    /// Which one.
    pub(super) aggregate: Aggregate,
    /// What is aggregated.
    pub(super) argument: Argument,
}

/// An aggregate of the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(super) enum Aggregate {
    Count,
    Sum,
    Min,
    Max,
    Mean,
    First,
    Last,
    /// By `n`.
    MinBy,
    /// By `n`.
    MaxBy,
    Any,
    All,
    CountDistinct,
    ArrayAgg,
    SetAgg,
    Mode,
    Top,
    VectorSum,
    VectorMean,
    // Results whose last bits depend on the order of events, or that a plain model would only repeat.
    Std,
    Variance,
    Median,
    ApproxDistinct,
    ApproxPercentile,
    Skewness,
    Kurtosis,
    /// Two, by `n`.
    MinByN,
    /// Two, by `n`.
    MaxByN,
    ApproxTopK,
}

/// What is aggregated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(super) enum Argument {
    Nothing,
    X,
    N,
    S,
    Flag,
    At,
    V,
    TwiceX,
    NextN,
    IsGreat,
}

/// A condition over an event.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub(super) enum Condition {
    Flag,
    NGreater(i64),
    XAtLeast(i64),
    SIs(char),
    NIsNone,
    Not(Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
}

impl Aggregate {
    const EXACT: [Aggregate; 19] = [
        Aggregate::Count,
        Aggregate::Count,
        Aggregate::Sum,
        Aggregate::Sum,
        Aggregate::Min,
        Aggregate::Max,
        Aggregate::Max,
        Aggregate::Mean,
        Aggregate::First,
        Aggregate::Last,
        Aggregate::CountDistinct,
        Aggregate::Any,
        Aggregate::All,
        Aggregate::ArrayAgg,
        Aggregate::SetAgg,
        Aggregate::Mode,
        Aggregate::Top,
        Aggregate::VectorSum,
        Aggregate::VectorMean,
    ];
    /// What a query computes as well.
    const SQL: [Aggregate; 6] =
        [Aggregate::Count, Aggregate::Sum, Aggregate::Min, Aggregate::Max, Aggregate::Mean, Aggregate::CountDistinct];
    const OTHER: [Aggregate; 12] = [
        Aggregate::MinBy,
        Aggregate::MaxBy,
        Aggregate::Std,
        Aggregate::Variance,
        Aggregate::Median,
        Aggregate::ApproxDistinct,
        Aggregate::ApproxPercentile,
        Aggregate::Skewness,
        Aggregate::Kurtosis,
        Aggregate::MinByN,
        Aggregate::MaxByN,
        Aggregate::ApproxTopK,
    ];

    /// Its name in the language.
    pub(super) fn name(self) -> &'static str {
        match self {
            Aggregate::Count => "count",
            Aggregate::Sum => "sum",
            Aggregate::Min => "min",
            Aggregate::Max => "max",
            Aggregate::Mean => "mean",
            Aggregate::First => "first",
            Aggregate::Last => "last",
            Aggregate::MinBy => "min_by",
            Aggregate::MaxBy => "max_by",
            Aggregate::Any => "any",
            Aggregate::All => "all",
            Aggregate::CountDistinct => "count_distinct",
            Aggregate::Std => "std",
            Aggregate::Variance => "var",
            Aggregate::Median => "median",
            Aggregate::ApproxDistinct => "approx_count_distinct",
            Aggregate::ApproxPercentile => "approx_percentile",
            Aggregate::Top => "top",
            Aggregate::ArrayAgg => "array_agg",
            Aggregate::SetAgg => "set_agg",
            Aggregate::Mode => "mode",
            Aggregate::VectorSum => "vector_sum",
            Aggregate::VectorMean => "vector_mean",
            Aggregate::Skewness => "skewness",
            Aggregate::Kurtosis => "kurtosis",
            Aggregate::MinByN => "min_by_n",
            Aggregate::MaxByN => "max_by_n",
            Aggregate::ApproxTopK => "approx_top_k",
        }
    }

    /// Whether its partial grows with events, so that it needs a window.
    fn is_unbounded(self) -> bool {
        use Aggregate::{ArrayAgg, CountDistinct, Median, Mode, SetAgg};
        matches!(self, CountDistinct | Median | ArrayAgg | SetAgg | Mode)
    }

    /// Whether its result is a list.
    fn is_list(self) -> bool {
        use Aggregate::{ApproxTopK, ArrayAgg, MaxByN, MinByN, SetAgg, Top};
        matches!(self, Top | ArrayAgg | SetAgg | MinByN | MaxByN | ApproxTopK)
    }

    /// An argument that it takes.
    fn argument(self, rng: &mut Rng) -> Argument {
        use Argument::{At, Flag, IsGreat, N, NextN, Nothing, S, TwiceX, V, X};
        let some: &[Argument] = match self {
            Aggregate::Count => &[Nothing],
            Aggregate::Sum | Aggregate::Mean => &[X, X, N, TwiceX, NextN],
            Aggregate::Min | Aggregate::Max | Aggregate::Top => &[X, X, N, S, At, TwiceX, NextN],
            Aggregate::First | Aggregate::Last | Aggregate::MinBy | Aggregate::MaxBy => &[X, N, S, At],
            Aggregate::MinByN | Aggregate::MaxByN | Aggregate::ArrayAgg => &[X, N, S, At],
            Aggregate::SetAgg | Aggregate::Mode | Aggregate::ApproxTopK => &[N, S, X, At],
            Aggregate::VectorSum | Aggregate::VectorMean => &[V],
            Aggregate::Any | Aggregate::All => &[Flag, IsGreat],
            Aggregate::CountDistinct | Aggregate::ApproxDistinct => &[N, S, X],
            Aggregate::Std | Aggregate::Variance | Aggregate::Skewness | Aggregate::Kurtosis => &[X, N, TwiceX],
            Aggregate::Median | Aggregate::ApproxPercentile => &[X, N, TwiceX],
        };
        *rng.pick(some)
    }
}

impl Call {
    /// The type of its result, as declared: with `?` where there may be none.
    pub(super) fn ty(&self) -> &'static str {
        let of_argument = match self.argument {
            Argument::Nothing | Argument::N | Argument::NextN => "int",
            Argument::X | Argument::TwiceX => "float",
            Argument::S => "string",
            Argument::At => "datetime",
            Argument::Flag | Argument::IsGreat => "bool",
            Argument::V => "[float; 2]",
        };
        match (self.aggregate, of_argument) {
            (Aggregate::Count | Aggregate::CountDistinct | Aggregate::ApproxDistinct, _) => "int",
            (Aggregate::Sum, ty) => ty,
            (Aggregate::Mean | Aggregate::Std | Aggregate::Variance | Aggregate::Median, _) => "float?",
            (Aggregate::ApproxPercentile | Aggregate::Skewness | Aggregate::Kurtosis, _) => "float?",
            (aggregate, ty) if aggregate.is_list() => match ty {
                "int" => "[int]?",
                "float" => "[float]?",
                "string" => "[string]?",
                _ => "[datetime]?",
            },
            (_, "[float; 2]") => "[float; 2]?",
            (_, "int") => "int?",
            (_, "float") => "float?",
            (_, "string") => "string?",
            (_, "datetime") => "datetime?",
            _ => "bool?",
        }
    }

    /// One of that style; outside of windows one that needs none.
    pub(super) fn random(rng: &mut Rng, style: Style, in_window: bool) -> Call {
        let aggregate = loop {
            let aggregate = match style {
                Style::Bits if rng.percent(50) => *rng.pick(&Aggregate::OTHER),
                _ => *rng.pick(&Aggregate::EXACT),
            };
            if in_window || !aggregate.is_unbounded() {
                break aggregate;
            }
        };
        let filter = rng.percent(50).then(|| Condition::random(rng, 2));
        Call { filter, aggregate, argument: aggregate.argument(rng) }
    }
}

impl Condition {
    /// One so deep at most.
    pub(super) fn random(rng: &mut Rng, depth: usize) -> Condition {
        let depth = if rng.percent(60) { 0 } else { depth };
        match rng.below(if depth == 0 { 5 } else { 8 }) {
            0 => Condition::Flag,
            1 => Condition::NGreater(rng.between(0, 4) as i64 - 2),
            2 => Condition::XAtLeast(rng.between(0, 4) as i64 - 2),
            3 => Condition::SIs(*rng.pick(&['a', 'b', 'c'])),
            4 => Condition::NIsNone,
            5 => Condition::Not(Box::new(Condition::random(rng, depth - 1))),
            6 => {
                Condition::And(Box::new(Condition::random(rng, depth - 1)), Box::new(Condition::random(rng, depth - 1)))
            }
            _ => {
                Condition::Or(Box::new(Condition::random(rng, depth - 1)), Box::new(Condition::random(rng, depth - 1)))
            }
        }
    }

    /// Its text; names are looked up in `scope` (`msg.`, `events.` or nothing).
    pub(super) fn text(&self, scope: &str) -> String {
        match self {
            Condition::Flag => format!("{scope}flag"),
            Condition::NGreater(than) => format!("{scope}n > {than}"),
            Condition::XAtLeast(least) => format!("{scope}x >= {least}.0"),
            Condition::SIs(letter) => format!("{scope}s == \"{letter}\""),
            Condition::NIsNone => format!("{scope}n is none"),
            Condition::Not(inner) => format!("not ({})", inner.text(scope)),
            Condition::And(left, right) => format!("({}) and ({})", left.text(scope), right.text(scope)),
            Condition::Or(left, right) => format!("({}) or ({})", left.text(scope), right.text(scope)),
        }
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Argument::Nothing => "",
            Argument::X => "x",
            Argument::N => "n",
            Argument::S => "s",
            Argument::Flag => "flag",
            Argument::At => "at",
            Argument::V => "v",
            Argument::TwiceX => "x * 2.0",
            Argument::NextN => "n + 1",
            Argument::IsGreat => "x > 1.0",
        })
    }
}

impl Call {
    /// Its text over a collection.
    pub(super) fn text(&self, collection: &str) -> String {
        let filter = self.filter.as_ref().map_or(String::new(), |filter| format!(".where({})", filter.text("")));
        let arguments = match self.aggregate {
            Aggregate::MinBy | Aggregate::MaxBy => format!("{}, n", self.argument),
            Aggregate::ApproxPercentile => format!("{}, 0.75", self.argument),
            Aggregate::Top => format!("3, {}", self.argument),
            Aggregate::MinByN | Aggregate::MaxByN => format!("{}, n, 2", self.argument),
            Aggregate::ApproxTopK => format!("{}, 3", self.argument),
            _ => self.argument.to_string(),
        };
        format!("{collection}{filter}.{}({arguments})", self.aggregate.name())
    }
}

impl Call {
    /// One that a query computes as well.
    pub(super) fn random_sql(rng: &mut Rng) -> Call {
        use Argument::{At, N, Nothing, S, X};
        let aggregate = *rng.pick(&Aggregate::SQL);
        let argument = *match aggregate {
            Aggregate::Count => rng.pick(&[Nothing]),
            Aggregate::Sum | Aggregate::Mean => rng.pick(&[X, N]),
            Aggregate::CountDistinct => rng.pick(&[X, N, S]),
            _ => rng.pick(&[X, N, S, At]),
        };
        let filter = rng.percent(50).then(|| Condition::random(rng, 2));
        Call { filter, aggregate, argument }
    }

    /// The same in SQL.
    pub(super) fn sql(&self) -> String {
        let filter = self.filter.as_ref().map_or(String::new(), |filter| format!(" filter (where {})", filter.sql()));
        let argument = &self.argument;
        match self.aggregate {
            Aggregate::Count => format!("count(*){filter}"),
            Aggregate::Sum => format!("coalesce(sum({argument}){filter}, 0)"),
            Aggregate::Mean => format!("avg({argument}){filter}"),
            Aggregate::CountDistinct => format!("count(distinct {argument}){filter}"),
            other => format!("{}({argument}){filter}", other.name()),
        }
    }
}

impl Condition {
    fn sql(&self) -> String {
        match self {
            Condition::SIs(letter) => format!("s = '{letter}'"),
            Condition::NIsNone => "n is null".to_owned(),
            Condition::Not(inner) => format!("not ({})", inner.sql()),
            Condition::And(left, right) => format!("({}) and ({})", left.sql(), right.sql()),
            Condition::Or(left, right) => format!("({}) or ({})", left.sql(), right.sql()),
            other => other.text(""),
        }
    }
}
