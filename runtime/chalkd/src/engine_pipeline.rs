//! The program of an artifact, run by the engine.
//!
//! This file must not know sources, state or HTTP.

use std::path::Path;
use std::sync::Arc;

use chalk_artifact::manifest::{KernelInput, Manifest};
use chalk_connectors::Envelope;
use chalk_decode::Tier;
use chalk_engine::{Executor, ExpressionExecutor, InputBatch};
use chalk_types::Value;

use crate::pipeline::{Computed, Expressions, Failure, Pipeline, Program};

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
}

impl EngineProgram {
    /// A program that decodes by the tier.
    pub fn new(program: Arc<chalk_engine::Program>, tier: Tier) -> EngineProgram {
        EngineProgram { program, tier }
    }
}

impl Program for EngineProgram {
    fn manifest(&self) -> &Manifest {
        self.program.manifest()
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
        Ok(Box::new(EnginePipeline { executors, input: InputBatch::new(), failures: Vec::new() }))
    }

    fn expressions(&self, class: usize) -> Result<Option<Box<dyn Expressions>>, String> {
        let executor = ExpressionExecutor::new(&self.program, class).map_err(|error| {
            format!("the expressions of `{}`: {error}", self.program.manifest().classes[class].name)
        })?;
        Ok(executor.map(|executor| Box::new(EngineExpressions(executor)) as Box<dyn Expressions>))
    }
}

struct EnginePipeline {
    executors: Vec<(usize, Executor)>,
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

    fn run(&mut self, now_us: i64, visit: &mut dyn FnMut(&Computed<'_>)) {
        for (resolver, executor) in &mut self.executors {
            let output = executor.run(&self.input, now_us);
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
            });
        }
    }

    fn clear(&mut self) {
        self.input.clear();
    }
}

struct EngineExpressions(ExpressionExecutor);

impl Expressions for EngineExpressions {
    fn run(&mut self, row: &[Value], now_us: i64) -> Result<Vec<(usize, Value)>, String> {
        let values = self.0.run(now_us, |input| match input {
            KernelInput::Feature(feature) => Ok(row[*feature as usize].clone()),
            _ => Ok(Value::Null),
        });
        let features = self.0.features().iter().map(|feature| *feature as usize);
        features.zip(values).map(|(feature, value)| Ok((feature, value?))).collect()
    }
}
