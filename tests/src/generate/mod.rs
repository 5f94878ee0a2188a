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
mod rng;
mod shrink;
mod types;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use chalk_decode::Tier;
use chalkc::compile::{Checked, check};

use crate::message::Message;
use crate::oracle::{Difference, Oracle};
use crate::outcome::Outcome;
use package::{Package, Resolver};
use rng::Rng;

/// The environment variable that says how many programs are run.
pub const PROGRAMS_VARIABLE: &str = "CHALK_GENERATED_PROGRAMS";
/// The environment variable that runs one seed.
pub const SEED_VARIABLE: &str = "CHALK_GENERATED_SEED";
/// Programs of an ordinary run.
pub const PROGRAMS: usize = 10_000;
/// Resolvers of a package: enough that compiling the shared part costs little.
const RESOLVERS: usize = 20;
/// The first seed; the others follow it.
const FIRST_SEED: u64 = 20_240_229;
/// Of a thousand programs so many may be refused by the checker: the generator does not know every rule about literals.
const REFUSED_PER_THOUSAND: usize = 30;

/// What a run did.
#[derive(Debug, Default)]
pub struct Tally {
    /// Programs that were run.
    pub programs: AtomicUsize,
    /// Programs that the checker refused.
    pub refused: AtomicUsize,
    /// Messages, times the ways in which each was run.
    pub applied: AtomicUsize,
    /// Messages that failed.
    pub failed: AtomicUsize,
    /// Messages that were filtered or skipped.
    pub dropped: AtomicUsize,
}

/// Runs the programs; the error is a report of the first differences.
pub fn run() -> Result<Tally, String> {
    let number = |variable: &str| std::env::var(variable).ok().map(|text| text.parse::<u64>().expect("a number"));
    if let Some(seed) = number(SEED_VARIABLE) {
        return run_seeds(seed, 1, |outcome| outcome);
    }
    let programs = number(PROGRAMS_VARIABLE).unwrap_or(PROGRAMS as u64);
    run_seeds(FIRST_SEED, programs.div_ceil(RESOLVERS as u64), |outcome| outcome)
}

/// Runs packages of that many seeds; `planted` changes what the evaluator says.
pub fn run_seeds(first: u64, count: u64, planted: fn(Outcome) -> Outcome) -> Result<Tally, String> {
    let next = AtomicU64::new(0);
    let tally = Tally::default();
    let reports: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            // Expressions nest, and the stages of the compiler recurse over them.
            let worker = std::thread::Builder::new().stack_size(64 << 20);
            let run = || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count || reports.lock().expect("no panic while held").len() >= 3 {
                        return;
                    }
                    let seed = first + index;
                    if let Err(report) = run_seed(seed, planted, &tally) {
                        let report = format!("seed {seed} ({SEED_VARIABLE}={seed} runs it alone):\n{report}");
                        reports.lock().expect("no panic while held").push(report);
                    }
                }
            };
            worker.spawn_scoped(scope, run).expect("a thread");
        }
    });
    let reports = reports.into_inner().expect("no panic while held");
    if !reports.is_empty() {
        return Err(reports.join("\n"));
    }
    let (programs, refused) = (tally.programs.load(Ordering::Relaxed), tally.refused.load(Ordering::Relaxed));
    if refused * 1000 > (programs + refused) * REFUSED_PER_THOUSAND {
        return Err(format!("the checker refused {refused} of {} programs: the generator is wrong", programs + refused));
    }
    Ok(tally)
}

/// A package with its messages.
struct Case {
    package: Package,
    /// Per resolver.
    messages: Vec<Vec<Message>>,
}

fn case(seed: u64) -> Case {
    let mut rng = Rng::new(seed);
    let package = package::package(&mut rng, RESOLVERS);
    let messages = package.resolvers.iter().map(|resolver| messages_for(&mut rng, &package, resolver)).collect();
    Case { package, messages }
}

fn messages_for(rng: &mut Rng, package: &Package, resolver: &Resolver) -> Vec<Message> {
    // More rows than a word of a bitmap has, now and then.
    let count = if rng.percent(12) { rng.between(65, 150) } else { rng.between(10, 30) };
    let inner = resolver.parsed.as_ref().map(|parse| parse.result.kind.to_string());
    messages::messages(rng, &package.common, &resolver.input, inner.as_deref(), count)
}

fn run_seed(seed: u64, planted: fn(Outcome) -> Outcome, tally: &Tally) -> Result<(), String> {
    let mut case = case(seed);
    let checked = accepted(&mut case, tally)?;
    let mut rng = Rng::new(!seed);
    match attempt(&checked, &case, planted, &tiers(&mut rng)) {
        Ok(outcomes) => {
            tally.programs.fetch_add(case.package.resolvers.len(), Ordering::Relaxed);
            for outcome in outcomes {
                let counter = match outcome {
                    Outcome::Applied { .. } => &tally.applied,
                    Outcome::DeadLetter { .. } => &tally.failed,
                    Outcome::Filtered | Outcome::Skipped => &tally.dropped,
                };
                counter.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        }
        Err(failure) => Err(shrink::report(case, failure, planted)),
    }
}

/// The plain tier and one other: all of them would only repeat what the decoder's own tests do.
fn tiers(rng: &mut Rng) -> Vec<Tier> {
    let others: Vec<Tier> = crate::oracle::tiers().into_iter().filter(|tier| *tier != Tier::Scalar).collect();
    if others.is_empty() { vec![Tier::Scalar] } else { vec![Tier::Scalar, *rng.pick(&others)] }
}

/// The package without the resolvers that the checker refuses.
fn accepted(case: &mut Case, tally: &Tally) -> Result<Checked, String> {
    let checked = check(&case.package.files());
    if checked.is_ok() {
        return Ok(checked);
    }
    let errors: Vec<_> = checked.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
    if std::env::var_os("CHALK_GENERATED_REFUSALS").is_some() {
        for error in &errors {
            let line = checked.sources.file(error.span().file).text().get(error.span().range()).unwrap_or_default().to_owned();
            eprintln!("{}: {} at `{line}` {:?}", error.code, error.message, error.notes);
        }
    }
    let files: BTreeSet<String> =
        errors.iter().map(|error| checked.sources.file(error.span().file).path().to_owned()).collect();
    if files.contains("common.chalk") {
        // A function that is wrong is used by many: the package as a whole is given up.
        tally.refused.fetch_add(case.package.resolvers.len(), Ordering::Relaxed);
        case.package.resolvers.clear();
        case.messages.clear();
        case.package.functions.clear();
    } else {
        let mut kept = case
            .package
            .resolvers
            .iter()
            .map(|resolver| !files.contains(&format!("r{}.chalk", resolver.number)))
            .collect::<Vec<_>>()
            .into_iter();
        let mut of_messages = kept.clone();
        tally.refused.fetch_add(kept.clone().filter(|kept| !kept).count(), Ordering::Relaxed);
        case.package.resolvers.retain(|_| kept.next().unwrap_or(false));
        case.messages.retain(|_| of_messages.next().unwrap_or(false));
    }
    let checked = check(&case.package.files());
    if checked.is_ok() {
        return Ok(checked);
    }
    let first = checked.diagnostics.iter().find(|diagnostic| diagnostic.is_error());
    Err(format!("a file that was right alone is wrong now: {first:?}"))
}

/// Why a package is no success.
enum Failure {
    /// Two ways of running differ.
    Different(Box<Difference>),
    /// A stage gave up or panicked.
    Broken(String),
}

impl Failure {
    /// Whether another failure is of the same sort, so that shrinking does not wander off to another bug.
    fn is_like(&self, other: &Failure) -> bool {
        match (self, other) {
            (Failure::Different(a), Failure::Different(b)) => {
                std::mem::discriminant(&a.meaning) == std::mem::discriminant(&b.meaning)
                    && std::mem::discriminant(&a.found) == std::mem::discriminant(&b.found)
            }
            (Failure::Broken(_), Failure::Broken(_)) => true,
            _ => false,
        }
    }
}

fn attempt(
    checked: &Checked,
    case: &Case,
    planted: fn(Outcome) -> Outcome,
    tiers: &[Tier],
) -> Result<Vec<Outcome>, Failure> {
    let run = || {
        let mut oracle = Oracle::new(checked).map_err(Failure::Broken)?;
        oracle.planted = planted;
        let mut outcomes = Vec::new();
        for (resolver, messages) in case.messages.iter().enumerate() {
            outcomes.extend(oracle.run(resolver, messages, tiers).map_err(Failure::Different)?);
        }
        Ok(outcomes)
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Err(Failure::Broken(format!("panic: {}", text.unwrap_or("of unknown text"))))
    })
}
