//! The aggregations that expressions ask for, while the package is checked: who shares what.
//!
//! Aggregates over one stream of events and one kind of window are one aggregation; equal columns and equal aggregates are kept once.
//! What an event carries is kept here as expressions over a row, from which feeds are made when all classes are known.
//!
//! This file must not know how expressions are checked.

use std::collections::BTreeSet;

use chalk_catalog::aggregate::Order;
use chalk_diagnostics::Span;

use crate::expr::same;
use crate::program::{AggregateValue, Aggregation, AggregationKind, EventColumn, Expr, Leaf};
use crate::windows::{BucketChoice, Length, given_buckets, shared_buckets};

/// Where the events of an aggregation come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Events {
    /// Rows of a class that belong to a key of another.
    Collection {
        /// The collection's name.
        relation: String,
        /// The class of the rows.
        row_class: usize,
        /// Position in it of the foreign key.
        foreign_key: usize,
    },
    /// Messages of a windowed resolver, by its position among the declarations.
    Resolver(usize),
}

/// `@materialize`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Materialize {
    /// The origin of the buckets.
    pub(crate) start_us: i64,
    /// Their lengths.
    pub(crate) buckets: BucketChoice,
}

/// How an aggregation keeps its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// All time.
    Total,
    /// Exact windows.
    Continuous,
    /// Buckets alone.
    Materialized(Materialize),
    /// Windows that run once.
    Tumbling {
        /// How long after its end a window still takes messages.
        allowed_lateness_us: i64,
    },
    /// Windows that run once, over the messages themselves.
    Messages {
        /// How long after its end a window still takes messages.
        allowed_lateness_us: i64,
    },
}

/// An aggregation in the making.
#[derive(Debug)]
pub(crate) struct Draft {
    /// The class whose primary key is the key.
    pub(crate) class: usize,
    name: String,
    /// Where the collection or the resolver is declared.
    pub(crate) span: Span,
    /// Where its events come from.
    pub(crate) events: Events,
    /// How it keeps them.
    pub(crate) keeping: Keeping,
    /// What events carry, over a row.
    pub(crate) columns: Vec<Expr>,
    /// What is aggregated.
    pub(crate) leaves: Vec<Leaf>,
    windows_us: BTreeSet<i64>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    /// Positions are those of `Program::aggregations`.
    pub(crate) drafts: Vec<Draft>,
    /// By class.
    values: Vec<Vec<AggregateValue>>,
}

impl Registry {
    /// The aggregation of these events that is kept so; a new one if there is none.
    pub(crate) fn aggregation(
        &mut self,
        class: usize,
        name: &str,
        span: Span,
        events: &Events,
        keeping: &Keeping,
    ) -> usize {
        let is_same = |draft: &Draft| draft.class == class && draft.events == *events && draft.keeping == *keeping;
        if let Some(position) = self.drafts.iter().position(is_same) {
            return position;
        }
        // A resolver and a collection of one class may have one name, too.
        let numbered = (2..).map(|number| format!("{name}.{number}"));
        let is_free = |name: &String| self.drafts.iter().all(|draft| draft.name != *name);
        let name = std::iter::once(name.to_owned()).chain(numbered).find(is_free).unwrap_or_default();
        self.drafts.push(Draft {
            class,
            name,
            span,
            events: events.clone(),
            keeping: keeping.clone(),
            columns: Vec::new(),
            leaves: Vec::new(),
            windows_us: BTreeSet::new(),
        });
        self.drafts.len() - 1
    }

    /// The column with that value; a new one if there is none.
    pub(crate) fn column(&mut self, aggregation: usize, value: Expr) -> usize {
        let columns = &mut self.drafts[aggregation].columns;
        columns.iter().position(|other| same(other, &value)).unwrap_or_else(|| {
            columns.push(value);
            columns.len() - 1
        })
    }

    /// What a class reads: an aggregate over one window.
    pub(crate) fn value(&mut self, aggregation: usize, leaf: Leaf, window: Length) -> usize {
        let draft = &mut self.drafts[aggregation];
        let is_same = |other: &Leaf| {
            std::ptr::eq(other.aggregate, leaf.aggregate)
                && other.call == leaf.call
                && other.filter == leaf.filter
                && other.args == leaf.args
        };
        let leaf = draft.leaves.iter().position(is_same).unwrap_or_else(|| {
            draft.leaves.push(leaf);
            draft.leaves.len() - 1
        });
        draft.windows_us.extend(window);
        let class = draft.class;
        if self.values.len() <= class {
            self.values.resize_with(class + 1, Vec::new);
        }
        let values = &mut self.values[class];
        let value = AggregateValue { aggregation, leaf, window_us: window };
        values.iter().position(|other| *other == value).unwrap_or_else(|| {
            values.push(value);
            values.len() - 1
        })
    }

    /// A window that an aggregation has, whether a value reads it or not.
    pub(crate) fn add_window(&mut self, aggregation: usize, window_us: i64) {
        self.drafts[aggregation].windows_us.insert(window_us);
    }

    /// What expressions of a class read, in the order in which they were found.
    pub(crate) fn values_of(&mut self, class: usize) -> Vec<AggregateValue> {
        self.values.get_mut(class).map(std::mem::take).unwrap_or_default()
    }

    /// The aggregations as the program has them.
    pub(crate) fn finish(self) -> Vec<Aggregation> {
        self.drafts.into_iter().map(Draft::finish).collect()
    }
}

impl Draft {
    /// Whether it is over windows.
    pub(crate) fn is_windowed(&self) -> bool {
        self.keeping != Keeping::Total
    }

    /// Whether a value depends on when events happened.
    pub(crate) fn needs_time(&self) -> bool {
        self.is_windowed() || self.leaves.iter().any(|leaf| leaf.aggregate.order == Order::Time)
    }

    /// The collection or resolver, as people know it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn finish(self) -> Aggregation {
        let windows_us = self.windows_us.into_iter();
        let kind = match self.keeping {
            Keeping::Total => AggregationKind::Total,
            Keeping::Continuous => AggregationKind::Continuous(shared_buckets(windows_us, 0, false)),
            Keeping::Materialized(materialize) => {
                AggregationKind::Materialized(given_buckets(windows_us, &materialize))
            }
            Keeping::Tumbling { allowed_lateness_us } => {
                AggregationKind::Tumbling { windows_us: windows_us.collect(), allowed_lateness_us }
            }
            Keeping::Messages { allowed_lateness_us } => {
                AggregationKind::Messages { windows_us: windows_us.collect(), allowed_lateness_us }
            }
        };
        Aggregation {
            name: self.name,
            class: self.class,
            span: self.span,
            columns: self.columns.into_iter().map(|column| EventColumn { span: column.span, ty: column.ty }).collect(),
            leaves: self.leaves,
            kind,
        }
    }
}
