//! Random packages with windows over random timelines: what the engine answers, what it should answer, and what must not change it.
//!
//! A seed makes a package and a timeline. The engine's answers are compared with a model that keeps all messages and recomputes, and with the
//! engine's own after a change that must not matter: other batches, another interleaving of partitions and workers, messages permuted or
//! given twice, a crash. Values are compared bit for bit, fates message by message. A difference is printed with its seed;
//! `CHALK_METAMORPHIC_SEED=n` runs that seed alone, `CHALK_METAMORPHIC_RUNS=n` makes n runs.
//!
//! This module must not know how state is kept.

mod calls;
mod driver;
mod meaning;
mod model;
mod program;
mod server;
mod timeline;
mod variants;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chalk_engine::Fate;
use chalk_types::Value;

pub use driver::{RUNS_VARIABLE, SEED_VARIABLE, Tally, planted_fault_is_found, run};
pub use model::Fault;
use program::Package;
use timeline::{Arrival, Step, StepKind, Timeline};

/// Something that can live through a timeline.
trait Subject {
    /// Messages of one stream arrive; what becomes of each.
    fn arrive(&mut self, arrivals: &[Arrival], now_us: i64) -> Vec<Fate>;

    /// Tumbling windows that are over are run.
    fn advance(&mut self, now_us: i64);

    /// Every feature of a key, by its name (its primary key left out).
    fn ask(&mut self, key: usize, now_us: i64) -> Vec<(String, Result<Value, String>)>;
}

/// What was observed.
#[derive(Clone, Debug, Default)]
struct Transcript {
    /// By the number of the arrival.
    fates: BTreeMap<usize, Fate>,
    /// By question, key and feature.
    answers: BTreeMap<(usize, usize, String), Answer>,
}

#[derive(Clone, Debug)]
struct Answer {
    now_us: i64,
    value: Result<Value, String>,
}

impl Transcript {
    /// Lives through a timeline.
    fn of(subject: &mut dyn Subject, timeline: &Timeline) -> Transcript {
        let mut transcript = Transcript::default();
        for position in 0..timeline.steps.len() {
            transcript.step(subject, timeline, position);
        }
        transcript
    }

    /// Lives through one step of it.
    fn step(&mut self, subject: &mut dyn Subject, timeline: &Timeline, position: usize) {
        let Step { now_us, kind } = &timeline.steps[position];
        match kind {
            StepKind::Arrive(arrivals) => {
                let fates = subject.arrive(arrivals, *now_us);
                assert_eq!(fates.len(), arrivals.len(), "every message has one fate");
                self.fates.extend(arrivals.iter().map(|arrival| arrival.number).zip(fates));
            }
            StepKind::Ask => {
                let is_question = |step: &&Step| matches!(step.kind, StepKind::Ask);
                let question = timeline.steps[..position].iter().filter(is_question).count();
                subject.advance(*now_us);
                for key in 0..timeline.keys.len() {
                    for (name, value) in subject.ask(key, *now_us) {
                        self.answers.insert((question, key, name), Answer { now_us: *now_us, value });
                    }
                }
            }
        }
    }

    /// Where the other differs; arrivals that only one of them has are left out.
    fn difference(
        &self,
        other: &Transcript,
        is_fate_compared: impl Fn(usize) -> bool,
        is_compared: impl Fn(usize, &str) -> bool,
    ) -> Option<String> {
        for (number, fate) in &self.fates {
            if let Some(found) = other.fates.get(number)
                && found != fate
                && is_fate_compared(*number)
            {
                return Some(format!("message {number}: {} should be {}", found.name(), fate.name()));
            }
        }
        for (place, answer) in &self.answers {
            let (question, key, name) = place;
            if !is_compared(*question, name) {
                continue;
            }
            let found = other.answers.get(place).map(|answer| &answer.value);
            if !found.is_some_and(|found| is_same(found, &answer.value)) {
                let at = chalk_types::format_datetime(answer.now_us);
                return Some(format!(
                    "question {question} (at {at}), key {key}: {name} is {found:?}, and should be {:?}",
                    answer.value
                ));
            }
        }
        None
    }
}

/// Whether two answers are the same, floats bit for bit; why one fails is for people.
fn is_same(a: &Result<Value, String>, b: &Result<Value, String>) -> bool {
    match (a, b) {
        (Ok(a), Ok(b)) => same_value(a, b),
        (Err(_), Err(_)) => true,
        _ => false,
    }
}

fn same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(a, b)),
        _ => a == b,
    }
}

/// A package and a timeline, as text.
fn describe(package: &Package, timeline: &Timeline) -> String {
    let mut text = package.text();
    let mut question = 0;
    for step in &timeline.steps {
        let at = chalk_types::format_datetime(step.now_us);
        // Writing to a String cannot fail.
        let _ = match &step.kind {
            StepKind::Ask => {
                question += 1;
                writeln!(text, "at {at} question {}", question - 1)
            }
            StepKind::Arrive(_) => writeln!(text, "at {at}"),
        };
        if let StepKind::Arrive(arrivals) = &step.kind {
            for arrival in arrivals {
                let message = arrival.message(&timeline.keys, 0);
                let _ = writeln!(
                    text,
                    "  message {} to s{}/{} consumed at {}: {}",
                    arrival.number,
                    arrival.stream,
                    arrival.partition,
                    arrival.consumed_at_us.map_or("-".to_owned(), chalk_types::format_datetime),
                    String::from_utf8_lossy(&message.bytes)
                );
            }
        }
    }
    text
}
