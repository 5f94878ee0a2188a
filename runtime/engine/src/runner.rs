//! Runs one kernel over rows: sets up its context, calls it, takes its outputs.
//!
//! Resolvers and expression features run in the same way, so the way is here once.
//!
//! This file must not know what the inputs are.

use std::sync::Arc;

use arrow_array::ArrayRef;
use chalk_artifact::abi::{ColumnView, KernelContext, OutputView};
use chalk_catalog::CallContext;
use chalk_catalog::event::is_word;
use chalk_decode::{Decoder, PlanError, Tier};
use chalk_types::Type;

use crate::events::EventOutputs;
use crate::helpers::{Host, ReportedKey, RowError};
use crate::lists::NestedLists;
use crate::output::{OutputColumn, TextBuffers};
use crate::program::Program;

/// What a worker needs to call kernels of a program.
pub(crate) struct Runner {
    program: Arc<Program>,
    call: Box<CallContext>,
    host: Box<Host>,
    views: Vec<OutputView>,
    /// For each output row of the latest run the input row.
    pub(crate) row_index: Vec<u32>,
}

// SAFETY: the raw pointers inside point into boxes and vectors that move with the runner.
unsafe impl Send for Runner {}

impl Runner {
    /// A runner whose kernel has the outputs of `kernel`.
    pub(crate) fn new(program: &Arc<Program>, kernel: u32, tier: Tier) -> Result<Runner, PlanError> {
        let manifest = program.manifest();
        let decoders = manifest.decode_plans.iter().map(|plan| Decoder::new(plan, tier)).collect::<Result<_, _>>()?;
        let host = Host {
            outputs: manifest.kernels[kernel as usize].outputs.iter().map(OutputColumn::new).collect(),
            texts: TextBuffers::default(),
            errors: Vec::new(),
            output_errors: Vec::new(),
            dedup_keys: Vec::new(),
            dedup_key_is_word: false,
            decoders,
            types: manifest.types.clone(),
            site_reasons: manifest.sites.iter().map(|site| site.reason.clone()).collect(),
            lists: NestedLists::default(),
        };
        Ok(Runner {
            program: Arc::clone(program),
            call: Box::new(CallContext::new(0, seed())),
            host: Box::new(host),
            views: Vec::new(),
            row_index: Vec::new(),
        })
    }

    /// Begins a batch at that time.
    pub(crate) fn begin(&mut self, now_us: i64) {
        self.call.reset();
        self.call.now_us.set(now_us);
        self.host.reset();
    }

    /// Calls a kernel over `status.len()` rows; gives the number of output rows.
    pub(crate) fn call(&mut self, kernel: u32, inputs: &[ColumnView], status: &mut [u8]) -> usize {
        let rows = status.len();
        self.row_index.resize(rows, 0);
        let outputs = self.program.manifest().kernels[kernel as usize].outputs.len();
        self.views.clear();
        self.views.extend(self.host.outputs.iter_mut().take(outputs).map(|output| output.prepare(rows)));
        let mut context = KernelContext {
            row_count: rows as u64,
            out_count: 0,
            inputs: inputs.as_ptr(),
            outputs: self.views.as_ptr(),
            status: status.as_mut_ptr(),
            row_index: self.row_index.as_mut_ptr(),
            helpers: self.program.helpers().as_ptr(),
            literals: self.program.image().literals(),
            call: (&raw mut *self.call).cast(),
            engine: (&raw mut *self.host).cast(),
        };
        // SAFETY: the image vouches for the code; the context is as its manifest says: inputs in its order with `rows` rows, outputs with
        // room for `rows` rows, one status byte and one index per row.
        unsafe { self.program.image().kernel(kernel)(&raw mut context) };
        assert!(context.out_count as usize <= rows, "a kernel writes at most one row per input row");
        context.out_count as usize
    }

    /// The outputs of the latest call, `rows` of each.
    pub(crate) fn finish(&mut self, rows: usize) -> Vec<ArrayRef> {
        let texts = self.host.texts.finish();
        self.host.outputs.iter_mut().map(|output| output.finish(rows, &texts)).collect()
    }

    /// Copies the outputs that are parts of events; before they are finished.
    pub(crate) fn take_events(&self, rows: usize, events: &mut EventOutputs) {
        events.take(&self.host.outputs, &self.host.texts, rows);
    }

    /// The outputs of the latest call that are wanted, by position, `rows` of each. Of the others the memory is kept.
    pub(crate) fn finish_some(&mut self, rows: usize, wanted: &[u32]) -> Vec<ArrayRef> {
        let texts = self.host.texts.finish();
        wanted.iter().map(|output| self.host.outputs[*output as usize].finish(rows, &texts)).collect()
    }

    /// The dedup keys that were reported, in the order of rows.
    pub(crate) fn dedup_keys(&self) -> &[ReportedKey] {
        &self.host.dedup_keys
    }

    /// The failures of single outputs, taken: the output, and which row failed why.
    pub(crate) fn take_output_errors(&mut self) -> std::vec::Drain<'_, (u32, RowError)> {
        self.host.output_errors.drain(..)
    }

    /// Says what type the dedup key has that the kernel reports.
    pub(crate) fn set_dedup_key(&mut self, ty: &Type) {
        self.host.dedup_key_is_word = is_word(&ty.kind);
    }

    /// The errors of the batch so far, taken.
    pub(crate) fn take_errors(&mut self) -> std::vec::Drain<'_, RowError> {
        self.host.errors.drain(..)
    }
}

/// A seed for `random()`; different in every worker and run, because that is what random means.
fn seed() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}
