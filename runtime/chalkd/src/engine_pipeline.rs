//! The program of an artifact, run by the engine.
//!
//! This file must not know sources, state or HTTP.

use std::path::Path;
use std::sync::Arc;

use chalk_artifact::manifest::Manifest;
use chalk_connectors::Envelope;
use chalk_decode::Tier;
use chalk_engine::{Executor, InputBatch, Keeper, KeeperOptions, Query, StoredRows};
use chalk_types::Value;

use crate::pipeline::{Computed, Failure, Pipeline, Program, Queries};

/// Loads an artifact and links it.
pub fn open(path: &Path) -> Result<Arc<dyn Program>, String> {
    let image = chalk_engine::loader::load(path).map_err(|error| error.to_string())?;
    let program = chalk_engine::Program::link(image, chalk_functions::catalog())
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let tier = Tier::detect().map_err(|error| error.to_string())?;
    Ok(Arc::new(EngineProgram::new(program, tier)))
}

/// An artifact's program.
pub struct EngineProgram {
    program: Arc<chalk_engine::Program>,
    tier: Tier,
    keeper: Option<Arc<Keeper>>,
}

impl EngineProgram {
    /// A program that decodes by the tier; its state is not there yet.
    pub fn new(program: Arc<chalk_engine::Program>, tier: Tier) -> EngineProgram {
        EngineProgram { program, tier, keeper: None }
    }

    fn state(&self) -> Result<Arc<Keeper>, String> {
        self.keeper.clone().ok_or_else(|| "the program has no state yet; this is a bug of chalkd".to_owned())
    }
}

impl Program for EngineProgram {
    fn manifest(&self) -> &Manifest {
        self.program.manifest()
    }

    fn with_state(self: Arc<Self>, options: KeeperOptions) -> Result<Arc<dyn Program>, String> {
        let keeper = Some(Arc::new(Keeper::new(&self.program, options)?));
        Ok(Arc::new(EngineProgram { program: self.program.clone(), tier: self.tier, keeper }))
    }

    fn keeper(&self) -> Option<&Arc<Keeper>> {
        self.keeper.as_ref()
    }

    fn pipeline(&self, resolvers: &[usize]) -> Result<Box<dyn Pipeline>, String> {
        let executors = resolvers
            .iter()
            .map(|resolver| {
                let executor = Executor::new(&self.program, *resolver, self.tier).map_err(|error| {
                    format!("resolver `{}`: {error}", self.program.manifest().resolvers[*resolver].name)
                })?;
                Ok((*resolver, executor))
            })
            .collect::<Result<_, String>>()?;
        let keeper = self.state()?;
        Ok(Box::new(EnginePipeline { executors, keeper, input: InputBatch::new(), failures: Vec::new() }))
    }

    fn queries(&self) -> Result<Box<dyn Queries>, String> {
        let query = Query::new(&self.program).map_err(|error| format!("the expressions: {error}"))?;
        Ok(Box::new(EngineQueries { query, keeper: self.state()? }))
    }
}

struct EnginePipeline {
    executors: Vec<(usize, Executor)>,
    keeper: Arc<Keeper>,
    input: InputBatch,
    failures: Vec<Failure>,
}

impl Pipeline for EnginePipeline {
    fn push(&mut self, value: &[u8], envelope: &Envelope<'_>) -> bool {
        let envelope = chalk_engine::Envelope {
            topic: envelope.topic,
            partition: envelope.partition.into(),
            offset: envelope.offset,
            key: envelope.key,
            timestamp_us: envelope.timestamp_us,
            headers: envelope.headers,
        };
        self.input.push(value, &envelope).is_ok()
    }

    fn size_bytes(&self) -> usize {
        self.input.size_bytes()
    }

    fn message(&self, row: usize) -> &[u8] {
        self.input.message(row)
    }

    fn run(&mut self, now_us: i64, log: &mut Vec<u8>, visit: &mut dyn FnMut(&Computed<'_>)) -> Result<(), String> {
        for (resolver, executor) in &mut self.executors {
            let before = executor.tier_counts();
            executor.run(&self.input, now_us);
            let decoded = executor.tier_counts() - before;
            let output = executor.output_mut();
            self.keeper.admit(*resolver, &self.input, output, now_us, log)?;
            self.failures.clear();
            self.failures.extend(output.errors.iter().map(|error| Failure {
                row: error.row,
                reason: error.reason.clone(),
                path: error.path.clone(),
                byte_offset: error.byte_offset,
                site: error.site,
            }));
            visit(&Computed {
                resolver: *resolver,
                batch: &output.batch,
                row_index: &output.row_index,
                event_times: output.event_times.as_ref(),
                status: &output.status,
                failures: &self.failures,
                decoded,
            });
        }
        Ok(())
    }

    fn clear(&mut self) {
        self.input.clear();
    }
}

struct EngineQueries {
    query: Query,
    keeper: Arc<Keeper>,
}

impl Queries for EngineQueries {
    fn run(
        &mut self,
        rows: &dyn StoredRows,
        class: usize,
        key: &Value,
        values: &[Value],
        now_us: i64,
    ) -> Vec<Result<Value, String>> {
        self.query.run(&self.keeper, rows, class, key, values, now_us)
    }
}
