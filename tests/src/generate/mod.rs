//! Random programs and messages: what the evaluator says and what native code does must be the same.
//!
//! A seed makes a package of resolvers with their messages, as source text, so the whole compiler is under test. A difference is cut
//! down to a small program and one message, and printed with its seed; `CHALK_GENERATED_SEED=n` runs that seed alone,
//! `CHALK_GENERATED_PROGRAMS=n` runs more (or fewer) programs.
//!
//! This module must not know how programs are run.

mod calls;
mod expr;
mod literal;
mod messages;
mod node;
mod package;
mod probe;
mod shrink;
mod types;
mod worker;

use std::collections::BTreeSet;
use std::fmt;

use chalk_decode::Tier;

use crate::message::Message;
use crate::oracle::Bug;
use crate::outcome::Outcome;
use crate::rng::Rng;
use chalkc::compile::{Checked, check};
use package::{Package, Resolver};
use probe::{Failure, attempt};

pub use worker::serve;

/// The environment variable that says how many programs are run.
pub const PROGRAMS_VARIABLE: &str = "CHALK_GENERATED_PROGRAMS";
/// The environment variable that runs one seed.
pub const SEED_VARIABLE: &str = "CHALK_GENERATED_SEED";
/// The environment variable that prints what the checker refuses, for work on the generator.
const REFUSALS_VARIABLE: &str = "CHALK_GENERATED_REFUSALS";
/// Programs of an ordinary run.
pub const PROGRAMS: u64 = 10_000;
/// Resolvers of a package: enough that compiling the shared part costs little.
const RESOLVERS: usize = 20;
/// The first seed; the others follow it.
const FIRST_SEED: u64 = 20_240_229;
/// Of a thousand programs so many may be refused by the checker: the generator does not know every rule about literals.
const REFUSED_PER_THOUSAND: usize = 30;

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Programs that were run.
    pub programs: usize,
    /// Programs that the checker refused.
    pub refused: usize,
    /// Messages that became features.
    pub applied: usize,
    /// Messages that failed.
    pub failed: usize,
    /// Messages that were filtered or skipped.
    pub dropped: usize,
}

impl Tally {
    fn add(&mut self, other: &Tally) {
        self.programs += other.programs;
        self.refused += other.refused;
        self.applied += other.applied;
        self.failed += other.failed;
        self.dropped += other.dropped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} programs ({} refused), messages: {} applied, {} failed, {} filtered or skipped",
            self.programs, self.refused, self.applied, self.failed, self.dropped
        )
    }
}

/// Runs the programs; the error is a report of the first differences.
pub fn run() -> Result<Tally, String> {
    let number = |variable: &str| std::env::var(variable).ok().map(|text| text.parse::<u64>().expect("a number"));
    let (first, count) = match number(SEED_VARIABLE) {
        Some(seed) => (seed, 1),
        None => (FIRST_SEED, number(PROGRAMS_VARIABLE).unwrap_or(PROGRAMS).div_ceil(RESOLVERS as u64)),
    };
    let tally = worker::run_seeds(first, count)?;
    if tally.refused * 1000 > (tally.programs + tally.refused) * REFUSED_PER_THOUSAND {
        return Err(format!("{tally}: the checker refused too many, so the generator is wrong"));
    }
    Ok(tally)
}

/// Runs packages with a bug planted in what the evaluator says; gives the reports of the differences.
pub fn run_planted(first: u64, count: u64, bug: Bug) -> Vec<String> {
    (first..first + count).filter_map(|seed| run_seed(seed, Some(bug)).err()).collect()
}

/// The files of the package of a seed: valid, large, and of every form of the language.
pub fn sample(seed: u64) -> Result<Vec<(String, String)>, String> {
    case(seed).map(|(case, ..)| case.package.files())
}

/// A package with its messages.
#[derive(Clone)]
struct Case {
    package: Package,
    /// Per resolver.
    messages: Vec<Vec<Message>>,
}

/// The package of a seed, without the resolvers that the checker refuses; also how many these are.
fn case(seed: u64) -> Result<(Case, Checked, usize), String> {
    let mut rng = Rng::new(seed);
    let package = package::package(&mut rng, RESOLVERS);
    let messages = package.resolvers.iter().map(|resolver| messages_for(&mut rng, &package, resolver)).collect();
    accepted(Case { package, messages })
}

fn messages_for(rng: &mut Rng, package: &Package, resolver: &Resolver) -> Vec<Message> {
    // More rows than a word of a bitmap has, now and then.
    let count = if rng.percent(12) { rng.between(65, 150) } else { rng.between(10, 30) };
    let inner = resolver.parsed.as_ref().map(|parse| parse.result.kind.to_string());
    messages::messages(rng, &package.common, &resolver.input, inner.as_deref(), count)
}

/// Runs the package of a seed; a failure is reported, cut down.
fn run_seed(seed: u64, planted: Option<Bug>) -> Result<Tally, String> {
    let (case, checked, refused) = case(seed)?;
    match attempt(&checked, &case.messages, planted, &tiers(seed)) {
        Ok(outcomes) => {
            let mut tally = Tally { programs: case.package.resolvers.len(), refused, ..Tally::default() };
            for outcome in outcomes {
                *match outcome {
                    Outcome::Applied { .. } => &mut tally.applied,
                    Outcome::DeadLetter { .. } => &mut tally.failed,
                    Outcome::Filtered | Outcome::Skipped | Outcome::Late => &mut tally.dropped,
                } += 1;
            }
            Ok(tally)
        }
        Err(failure) => Err(shrink::report(case, failure, planted)),
    }
}

/// What to say of a seed that ended the process that ran it.
fn report_crash(seed: u64) -> String {
    match case(seed) {
        Ok((case, ..)) => shrink::report(case, Failure::Crashed, None),
        Err(error) => error,
    }
}

/// The plain tier and one other: all of them would only repeat what the decoder's own tests do.
fn tiers(seed: u64) -> Vec<Tier> {
    let others: Vec<Tier> = crate::oracle::tiers().into_iter().filter(|tier| *tier != Tier::Scalar).collect();
    if others.is_empty() { vec![Tier::Scalar] } else { vec![Tier::Scalar, *Rng::new(!seed).pick(&others)] }
}

fn accepted(mut case: Case) -> Result<(Case, Checked, usize), String> {
    let checked = check(&case.package.files());
    if checked.is_ok() {
        return Ok((case, checked, 0));
    }
    let errors: Vec<_> = checked.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
    if std::env::var_os(REFUSALS_VARIABLE).is_some() {
        for error in &errors {
            let text = checked.sources.file(error.span().file).text();
            let start = (error.span().start as usize).saturating_sub(80);
            let near = String::from_utf8_lossy(&text.as_bytes()[start..text.len().min(start + 200)]);
            eprintln!("{}: {} {:?}\n  near {near:?}", error.code, error.message, error.notes);
        }
    }
    let files: BTreeSet<String> =
        errors.iter().map(|error| checked.sources.file(error.span().file).path().to_owned()).collect();
    let before = case.package.resolvers.len();
    if files.contains("common.chalk") {
        // A function that is wrong is used by many: the package as a whole is given up.
        case.package.resolvers.clear();
        case.package.functions.clear();
        case.messages.clear();
    } else {
        let kept: Vec<bool> = case
            .package
            .resolvers
            .iter()
            .map(|resolver| !files.contains(&format!("r{}.chalk", resolver.number)))
            .collect();
        let mut resolver = kept.iter();
        case.package.resolvers.retain(|_| *resolver.next().expect("one per resolver"));
        let mut messages = kept.iter();
        case.messages.retain(|_| *messages.next().expect("one per resolver"));
    }
    let checked = check(&case.package.files());
    match checked.diagnostics.iter().find(|diagnostic| diagnostic.is_error()) {
        None => {
            let refused = before - case.package.resolvers.len();
            Ok((case, checked, refused))
        }
        Some(error) => Err(format!("a file that was right alone is wrong now: {error:?}")),
    }
}
