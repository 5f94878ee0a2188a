//! What queries are answered from: the program's features by name, the state, the executors of queries.
//!
//! This file must not know the shape of requests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chalk_artifact::manifest::{Feature, FeatureClass, Manifest};
use chalk_engine::StoredRows;
use chalk_types::Value;

use crate::metrics::Metrics;
use crate::online::{ClassReader, Stored};
use crate::pipeline::{Program, Queries};
use crate::state::State;
use crate::state::store::StoreError;

/// Shared by all requests.
pub struct QueryContext {
    program: Arc<dyn Program>,
    state: Arc<State>,
    classes: Vec<ClassReader>,
    metrics: Arc<Metrics>,
    /// Fully qualified name → class and feature, by position.
    features: HashMap<String, (usize, usize)>,
    /// Executors that are not in use.
    queries: Mutex<Vec<Box<dyn Queries>>>,
}

impl QueryContext {
    /// For a program and its state; `classes` has a reader per class.
    pub fn new(
        program: Arc<dyn Program>,
        state: Arc<State>,
        classes: Vec<ClassReader>,
        metrics: Arc<Metrics>,
    ) -> Result<QueryContext, String> {
        let manifest = program.manifest();
        let mut features = HashMap::new();
        for (index, class) in manifest.classes.iter().enumerate() {
            for (position, feature) in class.features.iter().enumerate() {
                features.insert(feature.fqn.clone(), (index, position));
            }
        }
        // Made once here, so that a program whose kernels cannot run does not start.
        let queries = Mutex::new(vec![program.queries()?]);
        Ok(QueryContext { program, state, classes, metrics, features, queries })
    }

    /// Metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(super) fn manifest(&self) -> &Manifest {
        self.program.manifest()
    }

    pub(super) fn class(&self, class: usize) -> &FeatureClass {
        &self.manifest().classes[class]
    }

    pub(super) fn feature(&self, (class, feature): (usize, usize)) -> &Feature {
        &self.class(class).features[feature]
    }

    pub(super) fn find(&self, fqn: &str) -> Option<(usize, usize)> {
        self.features.get(fqn).copied()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.features.keys().map(String::as_str)
    }

    pub(super) fn read(&self, class: usize, primary_key: &Value) -> Result<Vec<Option<Stored>>, StoreError> {
        self.classes[class].read(&self.state, primary_key)
    }

    /// Every feature of the class over what is stored; `rows` has that of linked classes.
    pub(super) fn compute(
        &self,
        rows: &dyn StoredRows,
        class: usize,
        key: &Value,
        values: &[Value],
        now_us: i64,
    ) -> Result<Vec<Result<Value, String>>, String> {
        let pooled = self.queries.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut queries = match pooled {
            Some(queries) => queries,
            None => self.program.queries()?,
        };
        let computed = queries.run(rows, class, key, values, now_us);
        self.queries.lock().unwrap_or_else(PoisonError::into_inner).push(queries);
        Ok(computed)
    }

    /// The resolver that writes a layout of a class.
    pub(super) fn resolver_of(&self, class: usize, feature: usize) -> Option<String> {
        use chalk_artifact::manifest::ResolverOutput;
        let mut writing = self.manifest().resolvers.iter().filter(|resolver| {
            resolver.class as usize == class && resolver.outputs.contains(&ResolverOutput::Feature(feature as u32))
        });
        let first = writing.next()?;
        // With several, which of them said it is not kept.
        writing.next().is_none().then(|| first.name.clone())
    }
}
