//! One question, two answers: the reference evaluator says what a program means, the native path says what it does.
//!
//! Whoever has a package and messages asks here; every way of running must give the same outcome for every message.
//!
//! This module must not know where programs and messages come from.

mod native;
mod reference;
mod whole;

use std::sync::Arc;

use chalk_decode::Tier;
use chalk_engine::Program;
use chalkc::compile::Checked;

use crate::message::Message;
use crate::outcome::Outcome;

pub use native::Native;
pub use reference::Reference;

/// Batch sizes that every program is run with.
pub const BATCH_SIZES: [usize; 3] = [1, 7, 1024];

/// The time that `now()` gives in tests.
pub const NOW_US: i64 = 1_700_000_000_123_456;

/// Decode tiers of this machine.
pub fn tiers() -> Vec<Tier> {
    Tier::ALL.into_iter().filter(|tier| tier.is_available()).collect()
}

/// Where two ways of running differ.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Position of the resolver.
    pub resolver: usize,
    /// Position of the message.
    pub message: usize,
    /// Which native way: batch size and tier; or which way of reading the message.
    pub way: String,
    /// What the program means.
    pub meaning: Outcome,
    /// What was found.
    pub found: Outcome,
}

/// A change of what the evaluator says, to see that it is found.
pub type Bug = fn(Outcome) -> Outcome;

/// A package, ready to run in every way.
pub struct Oracle<'a> {
    checked: &'a Checked,
    program: Arc<Program>,
    planted: Option<Bug>,
}

impl<'a> Oracle<'a> {
    /// Compiles a package without errors.
    pub fn new(checked: &'a Checked) -> Result<Oracle<'a>, String> {
        let image = chalkc::compile::jit(checked).map_err(|error| format!("code generation failed: {error}"))?;
        let program = Program::link(image, chalkc::compile::catalog()).map_err(|error| error.to_string())?;
        Ok(Oracle { checked, program, planted: None })
    }

    /// The native program.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Resolvers.
    pub fn resolver_count(&self) -> usize {
        self.program.manifest().resolvers.len()
    }

    /// What the messages become, where all ways of running agree.
    pub fn run(&self, resolver: usize, messages: &[Message], tiers: &[Tier]) -> Result<Vec<Outcome>, Box<Difference>> {
        let mut reference = Reference::new(self.checked, self.program.manifest(), resolver);
        let mut meanings: Vec<Option<Outcome>> = Vec::with_capacity(messages.len());
        for (index, message) in messages.iter().enumerate() {
            let meaning =
                reference.run(message).map(|meaning| self.planted.map_or(meaning.clone(), |bug| bug(meaning)));
            // A message that can be read as a whole means the same when it is.
            let found = if self.planted.is_some() { None } else { reference.run_whole(message) };
            if let (Some(meaning), Some(found)) = (&meaning, found)
                && found != *meaning
            {
                let way = "evaluator on the whole message".to_owned();
                return Err(Box::new(Difference { resolver, message: index, way, meaning: meaning.clone(), found }));
            }
            meanings.push(meaning);
        }
        for &tier in tiers {
            for batch_size in BATCH_SIZES {
                let mut native = Native::new(&self.program, resolver, tier);
                let outcomes = native.run(messages, batch_size);
                for (index, (meaning, found)) in meanings.iter_mut().zip(outcomes).enumerate() {
                    // Where nobody can say, the first native way does.
                    let meaning = meaning.get_or_insert_with(|| found.clone());
                    if *meaning != found {
                        let way = format!("native, batches of {batch_size}, decode tier {tier}");
                        let meaning = meaning.clone();
                        return Err(Box::new(Difference { resolver, message: index, way, meaning, found }));
                    }
                }
            }
        }
        Ok(meanings.into_iter().flatten().collect())
    }

    /// Plants a bug: every outcome of the evaluator is changed so before it is compared.
    pub fn plant(&mut self, bug: Bug) {
        self.planted = Some(bug);
    }
}
