//! Expression features computed from stored values, for queries.
//!
//! The same kernels as in the stream, over rows of values instead of messages. A stored feature may be missing, so every input is nullable; an expression that
//! needs one that is missing is null, and one that fails says why.
//!
//! This file must not know stores.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};
use chalk_artifact::abi::{ColumnView, status};
use chalk_artifact::manifest::KernelInput;
use chalk_catalog::{ColumnBuilder, ColumnViews};
use chalk_decode::{PlanError, Tier};
use chalk_types::{Type, Value, arrow_field};

use crate::helpers::RowError;
use crate::program::Program;
use crate::runner::Runner;

/// Computes the expression features of one class.
pub struct ExpressionExecutor {
    runner: Runner,
    kernel: u32,
    /// Per input of the kernel: the feature's position and its column.
    inputs: Vec<(usize, ColumnBuilder)>,
    outputs: Vec<u32>,
    schema: SchemaRef,
    types: Vec<Type>,
}

/// What a query's rows became.
pub struct ExpressionOutput {
    /// One row per input row that did not fail; columns are the class's expression features, with fully qualified names.
    pub batch: RecordBatch,
    /// For each row of the batch the input row.
    pub row_index: Vec<u32>,
    /// The rows that failed.
    pub errors: Vec<RowError>,
}

impl ExpressionExecutor {
    /// For the class at that position of the manifest; none where it has no expression features.
    pub fn new(program: &Arc<Program>, class: usize) -> Result<Option<ExpressionExecutor>, PlanError> {
        let manifest = program.manifest();
        let class = &manifest.classes[class];
        let Some(plan) = &class.expressions else { return Ok(None) };
        let inputs = manifest.kernels[plan.kernel as usize]
            .inputs
            .iter()
            .map(|input| {
                let KernelInput::Feature(feature) = input else { unreachable!("expression kernels read features") };
                let feature = *feature as usize;
                (feature, ColumnBuilder::new(&class.features[feature].ty.to_optional()))
            })
            .collect();
        let features: Vec<_> = plan.outputs.iter().map(|feature| &class.features[*feature as usize]).collect();
        let types: Vec<Type> = manifest.kernels[plan.kernel as usize].outputs.clone();
        let fields: Vec<_> = features.iter().zip(&types).map(|(feature, ty)| arrow_field(&feature.fqn, ty)).collect();
        Ok(Some(ExpressionExecutor {
            runner: Runner::new(program, plan.kernel, Tier::Scalar)?,
            kernel: plan.kernel,
            inputs,
            outputs: plan.outputs.clone(),
            schema: Arc::new(Schema::new(fields)),
            types,
        }))
    }

    /// The language's type of each column.
    pub fn types(&self) -> &[Type] {
        &self.types
    }

    /// Positions in the class of the features that the columns are.
    pub fn features(&self) -> &[u32] {
        &self.outputs
    }

    /// Computes for rows that each hold a value per feature of the class (`Value::Null` where there is none).
    pub fn run(&mut self, rows: &[Vec<Value>], now_us: i64) -> ExpressionOutput {
        self.runner.begin(now_us);
        let mut held: Vec<ColumnViews> = Vec::with_capacity(self.inputs.len());
        for (feature, column) in &mut self.inputs {
            column.clear();
            for row in rows {
                column.push_value(&row[*feature]);
            }
            held.push(column.views());
        }
        let views: Vec<ColumnView> = held.iter().map(|views| *views.root()).collect();
        let mut statuses = vec![status::LIVE; rows.len()];
        let applied = self.runner.call(self.kernel, &views, &mut statuses);
        let row_index = self.runner.row_index[..applied].to_vec();
        let options = RecordBatchOptions::new().with_row_count(Some(applied));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), self.runner.finish(applied), &options)
            .expect("outputs have the types that the manifest states");
        ExpressionOutput { batch, row_index, errors: self.runner.take_errors().collect() }
    }
}
