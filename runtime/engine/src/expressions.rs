//! Expression features computed from what is known of a key, for queries.
//!
//! The same expressions as in the stream, over stored values, aggregates and values of linked classes instead of a message. Any of them may be missing,
//! so every input is nullable. A feature that fails says why, and so does each that reads it; the others have their values.
//!
//! This file must not know stores.

use std::sync::Arc;

use chalk_artifact::abi::{ColumnView, status};
use chalk_artifact::manifest::KernelInput;
use chalk_catalog::{ColumnBuilder, ColumnViews};
use chalk_decode::{PlanError, Tier};
use chalk_types::{Type, Value};

use crate::program::Program;
use crate::runner::Runner;
use crate::values::value_at;

/// Computes the expression features of one class.
pub struct ExpressionExecutor {
    runner: Runner,
    kernel: u32,
    /// Per input of the kernel what it is, and its column.
    inputs: Vec<(KernelInput, ColumnBuilder)>,
    /// Why inputs have no value.
    input_errors: Vec<Option<String>>,
    outputs: Vec<u32>,
    reads: Vec<Vec<u32>>,
    types: Vec<Type>,
}

impl ExpressionExecutor {
    /// For the class at that position of the manifest; none where it has no expression features.
    pub fn new(program: &Arc<Program>, class: usize) -> Result<Option<ExpressionExecutor>, PlanError> {
        let manifest = program.manifest();
        let class = &manifest.classes[class];
        let Some(plan) = &class.expressions else { return Ok(None) };
        let kernel = &manifest.kernels[plan.kernel as usize];
        let type_of = |input: &KernelInput| match input {
            KernelInput::Feature(feature) => class.features[*feature as usize].ty.to_optional(),
            KernelInput::Aggregate(aggregate) => class.aggregates[*aggregate as usize].ty.to_optional(),
            KernelInput::Linked(link) => class.links[*link as usize].ty.to_optional(),
            other => unreachable!("expressions of a class read no {other:?}"),
        };
        let inputs: Vec<_> =
            kernel.inputs.iter().map(|input| (input.clone(), ColumnBuilder::new(&type_of(input)))).collect();
        Ok(Some(ExpressionExecutor {
            runner: Runner::new(program, plan.kernel, Tier::Scalar)?,
            kernel: plan.kernel,
            input_errors: vec![None; inputs.len()],
            inputs,
            outputs: plan.outputs.clone(),
            reads: plan.reads.clone(),
            types: kernel.outputs.clone(),
        }))
    }

    /// Positions in the class of the features that are computed.
    pub fn features(&self) -> &[u32] {
        &self.outputs
    }

    /// What the expressions read; `run` asks for each of it.
    pub fn inputs(&self) -> impl Iterator<Item = &KernelInput> {
        self.inputs.iter().map(|(input, _)| input)
    }

    /// Computes all features (`features` says which). `input` gives the value of an input, null where there is none, or why there is none.
    pub fn run(
        &mut self,
        now_us: i64,
        mut input: impl FnMut(&KernelInput) -> Result<Value, String>,
    ) -> Vec<Result<Value, String>> {
        self.runner.begin(now_us);
        for ((source, column), error) in self.inputs.iter_mut().zip(&mut self.input_errors) {
            column.clear();
            *error = match input(source) {
                Ok(value) => {
                    column.push_value(&value);
                    None
                }
                Err(reason) => {
                    column.push_null();
                    Some(reason)
                }
            };
        }
        let held: Vec<ColumnViews> = self.inputs.iter().map(|(_, column)| column.views()).collect();
        let views: Vec<ColumnView> = held.iter().map(|views| *views.root()).collect();
        let mut statuses = [status::LIVE];
        let rows = self.runner.call(self.kernel, &views, &mut statuses);
        assert_eq!(rows, 1, "what fails is reported by itself");
        let arrays = self.runner.finish(rows);
        let mut values: Vec<Result<Value, String>> =
            arrays.iter().zip(&self.types).map(|(array, ty)| Ok(value_at(array, ty, 0))).collect();
        for (output, error) in self.runner.take_output_errors() {
            values[output as usize] = Err(error.reason);
        }
        for (value, reads) in values.iter_mut().zip(&self.reads) {
            // An input without a value is the cause of whatever followed.
            if let Some(reason) = reads.iter().find_map(|input| self.input_errors[*input as usize].as_ref()) {
                *value = Err(reason.clone());
            }
        }
        values
    }
}
