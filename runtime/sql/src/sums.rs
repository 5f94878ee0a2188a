//! `sum` of integers that does not wrap around: a sum that does not fit fails the query, as it fails everywhere in the language.
//!
//! The engine's own `sum` wraps, so sums of integers are kept in 128 bits here and narrowed when asked for; all other sums are the engine's.
//!
//! This file must not know what is summed.

use std::collections::HashSet;
use std::mem::size_of_val;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::FieldRef;
use datafusion::arrow::datatypes::{DataType, Int64Type, UInt64Type};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, ReversedUDAF, Signature,
};

/// The `sum` that queries have.
pub(crate) fn exact_sum() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(ExactSum { engines: sum_udaf() }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ExactSum {
    engines: Arc<AggregateUDF>,
}

fn is_integer(ty: &DataType) -> bool {
    matches!(ty, DataType::Int64 | DataType::UInt64)
}

impl AggregateUDFImpl for ExactSum {
    fn name(&self) -> &str {
        self.engines.name()
    }

    fn signature(&self) -> &Signature {
        self.engines.signature()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.engines.coerce_types(types)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.engines.return_type(types)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.engines.state_fields(args)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if !is_integer(args.return_field.data_type()) {
            return self.engines.accumulator(args);
        }
        Ok(Box::new(Sum {
            is_unsigned: *args.return_field.data_type() == DataType::UInt64,
            sum: 0,
            count: 0,
            seen: args.is_distinct.then(HashSet::new),
        }))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if is_integer(args.return_field.data_type()) && !args.is_distinct {
            return self.accumulator(args);
        }
        self.engines.create_sliding_accumulator(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !is_integer(args.return_field.data_type()) && self.engines.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        self.engines.create_groups_accumulator(args)
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

#[derive(Debug)]
struct Sum {
    is_unsigned: bool,
    sum: i128,
    count: u64,
    /// Of `sum(distinct …)`: what was added.
    seen: Option<HashSet<i128>>,
}

impl Sum {
    fn each(&self, values: &ArrayRef, mut visit: impl FnMut(i128)) {
        if self.is_unsigned {
            values.as_primitive::<UInt64Type>().iter().flatten().for_each(|value| visit(value.into()));
        } else {
            values.as_primitive::<Int64Type>().iter().flatten().for_each(|value| visit(value.into()));
        }
    }
}

impl Accumulator for Sum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (mut sum, mut count, mut seen) = (self.sum, self.count, self.seen.take());
        self.each(&values[0], |value| {
            if seen.as_mut().is_none_or(|seen| seen.insert(value)) {
                sum += value;
                count += 1;
            }
        });
        (self.sum, self.count, self.seen) = (sum, count, seen);
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let mut sum = self.sum;
        self.each(&values[0], |value| sum -= value);
        self.sum = sum;
        self.count -= (values[0].len() - values[0].null_count()) as u64;
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        self.seen.is_none()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let wide = (self.count > 0).then_some(self.sum);
        let overflow = |_| DataFusionError::Execution("integer overflow in `sum`".to_owned());
        Ok(if self.is_unsigned {
            ScalarValue::UInt64(wide.map(u64::try_from).transpose().map_err(overflow)?)
        } else {
            ScalarValue::Int64(wide.map(i64::try_from).transpose().map_err(overflow)?)
        })
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.seen.as_ref().map_or(0, |seen| seen.capacity() * size_of::<i128>())
    }

    /// Only merged sums have a state, and with one partition nothing is merged.
    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Err(DataFusionError::Internal("a sum over one partition has no partial state".to_owned()))
    }

    fn merge_batch(&mut self, _: &[ArrayRef]) -> Result<()> {
        Err(DataFusionError::Internal("a sum over one partition is not merged".to_owned()))
    }
}
