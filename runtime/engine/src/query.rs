//! All features of a class for one key: stored values, aggregates, values of linked classes, and expressions over them.
//!
//! A feature that fails does so alone: those that do not read it have their values.
//!
//! This file must not know where rows are stored.

use std::sync::Arc;

use chalk_artifact::manifest::{KernelInput, LinkedValue};
use chalk_decode::PlanError;
use chalk_types::Value;

use crate::expressions::ExpressionExecutor;
use crate::keeper::{Keeper, ReadScratch};
use crate::program::Program;

/// Where stored values are.
pub trait StoredRows {
    /// The values stored for a key of a class, one per feature (`Value::Null` where there is none); none where nothing is stored.
    fn stored(&self, class: usize, key: &Value) -> Result<Option<Vec<Value>>, String>;
}

/// Answers queries; one per thread.
pub struct Query {
    program: Arc<Program>,
    /// Per class; none where it has no expressions, and while its expressions are computed.
    executors: Vec<Option<ExpressionExecutor>>,
    scratch: ReadScratch,
}

/// What stays the same while linked classes are looked at.
#[derive(Clone, Copy)]
struct Asked<'a> {
    keeper: &'a Keeper,
    rows: &'a dyn StoredRows,
    now_us: i64,
}

impl Query {
    /// For all classes of the program.
    pub fn new(program: &Arc<Program>) -> Result<Query, PlanError> {
        let classes = 0..program.manifest().classes.len();
        Ok(Query {
            executors: classes.map(|class| ExpressionExecutor::new(program, class)).collect::<Result<_, _>>()?,
            program: Arc::clone(program),
            scratch: ReadScratch::default(),
        })
    }

    /// Every feature of the class for the key, by position. `values` has what is stored (or given by the caller) per feature, null where
    /// there is none; the primary key need not be among them. `rows` is asked for values of linked classes.
    ///
    /// Expression features are computed whether `values` has one or not.
    pub fn run(
        &mut self,
        keeper: &Keeper,
        rows: &dyn StoredRows,
        class: usize,
        key: &Value,
        values: &[Value],
        now_us: i64,
    ) -> Vec<Result<Value, String>> {
        self.features(Asked { keeper, rows, now_us }, class, key, values)
    }

    fn features(
        &mut self,
        asked: Asked<'_>,
        class: usize,
        key: &Value,
        values: &[Value],
    ) -> Vec<Result<Value, String>> {
        let program = Arc::clone(&self.program);
        let plan = &program.manifest().classes[class];
        let mut result: Vec<Result<Value, String>> = values.iter().cloned().map(Ok).collect();
        result.resize(plan.features.len(), Ok(Value::Null));
        result[plan.primary_key as usize] = Ok(key.clone());
        // Linked classes are never linked in a circle, so an executor that is at work is not asked again.
        let Some(mut executor) = self.executors[class].take() else { return result };
        let aggregates = asked.keeper.aggregates_with(&mut self.scratch, class, key, asked.now_us);
        let linked = self.linked(asked, &plan.links, &result);
        let computed = executor.run(asked.now_us, |input| match input {
            KernelInput::Feature(feature) => result[*feature as usize].clone(),
            KernelInput::Aggregate(aggregate) => aggregates[*aggregate as usize].clone(),
            KernelInput::Linked(link) => linked[*link as usize].clone(),
            other => unreachable!("expressions of a class read no {other:?}"),
        });
        for (feature, value) in executor.features().iter().zip(computed) {
            result[*feature as usize] = value;
        }
        self.executors[class] = Some(executor);
        result
    }

    /// Values of linked classes: one query for each foreign key, whatever the number of features.
    fn linked(
        &mut self,
        asked: Asked<'_>,
        links: &[LinkedValue],
        values: &[Result<Value, String>],
    ) -> Vec<Result<Value, String>> {
        let mut known: Vec<(u32, u32, Result<Vec<Result<Value, String>>, String>)> = Vec::new();
        let mut linked = Vec::with_capacity(links.len());
        for link in links {
            let foreign_key = &values[link.foreign_key as usize];
            let key = match foreign_key {
                Ok(Value::Null) => {
                    linked.push(Ok(Value::Null));
                    continue;
                }
                Ok(key) => key,
                Err(reason) => {
                    linked.push(Err(reason.clone()));
                    continue;
                }
            };
            let is_it =
                |(foreign_key, class, _): &(u32, u32, _)| (*foreign_key, *class) == (link.foreign_key, link.class);
            let position = match known.iter().position(is_it) {
                Some(position) => position,
                None => {
                    let features = self.linked_class(asked, link.class as usize, key);
                    known.push((link.foreign_key, link.class, features));
                    known.len() - 1
                }
            };
            linked.push(match &known[position].2 {
                Ok(features) => features[link.feature as usize].clone(),
                Err(reason) => Err(reason.clone()),
            });
        }
        linked
    }

    /// The features of a linked class. Where nothing is stored under the key, what cannot be computed for lack of it is null.
    fn linked_class(
        &mut self,
        asked: Asked<'_>,
        class: usize,
        key: &Value,
    ) -> Result<Vec<Result<Value, String>>, String> {
        let stored = asked.rows.stored(class, key)?;
        let is_stored = stored.is_some();
        let mut features = self.features(asked, class, key, &stored.unwrap_or_default());
        if !is_stored {
            features.iter_mut().filter(|value| value.is_err()).for_each(|value| *value = Ok(Value::Null));
        }
        Ok(features)
    }
}
