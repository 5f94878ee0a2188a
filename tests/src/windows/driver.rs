//! The runs: which package, which timeline, which comparison, as a seed says; on all cores.
//!
//! This file must not know rules of windows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use chalk_types::Value;

use super::meaning::Meaning;
use super::model::{Fault, Model};
use super::program::{DAY_US, Origin, Package, Role, SECOND_US, Style};
use super::server::{Compiled, Server};
use super::timeline::{StepKind, Timeline};
use super::{Transcript, describe, variants};
use crate::rng::Rng;

/// The environment variable that says how many runs are made.
pub const RUNS_VARIABLE: &str = "CHALK_METAMORPHIC_RUNS";
/// The environment variable that runs one seed.
pub const SEED_VARIABLE: &str = "CHALK_METAMORPHIC_SEED";
/// Runs of an ordinary test.
const RUNS: usize = 600;
/// The first seed; the others follow it.
const FIRST_SEED: u64 = 20_240_310;
/// Timelines of a package: compiling it costs more than living through one.
const TIMELINES: usize = 3;
/// Reports after which a run ends.
const ENOUGH: usize = 3;

/// What was run, and what was seen.
#[derive(Clone, Debug, Default)]
pub struct Tally(BTreeMap<&'static str, usize>);

impl Tally {
    fn add(&mut self, what: &'static str, count: usize) {
        *self.0.entry(what).or_default() += count;
    }

    fn count(&self, what: &str) -> usize {
        self.0.get(what).copied().unwrap_or(0)
    }

    fn observe(&mut self, transcript: &Transcript) {
        for fate in transcript.fates.values() {
            self.add(fate.name(), 1);
        }
        for answer in transcript.answers.values() {
            let what = match &answer.value {
                Ok(Value::Null | Value::Int(0)) => "empty answers",
                Ok(_) => "answers",
                Err(_) => "failed answers",
            };
            self.add(what, 1);
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(|(what, count)| format!("{count} {what}")).collect();
        f.write_str(&parts.join(", "))
    }
}

/// Makes the runs; the error is a report of the first differences.
pub fn run() -> Result<Tally, String> {
    let number = |variable: &str| std::env::var(variable).ok().map(|text| text.parse::<u64>().expect("a number"));
    if let Some(seed) = number(SEED_VARIABLE) {
        let mut tally = Tally::default();
        run_seed(seed, &mut tally)?;
        return Ok(tally);
    }
    let wanted = number(RUNS_VARIABLE).map_or(RUNS, |runs| runs as usize);
    let (next, made) = (AtomicU64::new(FIRST_SEED), AtomicUsize::new(0));
    let state: Mutex<(Tally, Vec<String>)> = Mutex::default();
    let is_over =
        || made.load(Ordering::Relaxed) >= wanted || state.lock().expect("no panic while held").1.len() >= ENOUGH;
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !is_over() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let mut tally = Tally::default();
                    let result = run_seed(seed, &mut tally);
                    made.fetch_add(tally.count("runs"), Ordering::Relaxed);
                    let mut state = state.lock().expect("no panic while held");
                    tally.0.iter().for_each(|(what, count)| state.0.add(what, *count));
                    if let Err(report) = result {
                        state.1.push(format!("seed {seed} ({SEED_VARIABLE}={seed} runs it alone):\n{report}"));
                    }
                }
            });
        }
    });
    let (tally, reports) = state.into_inner().expect("no panic while held");
    if !reports.is_empty() {
        return Err(reports.join("\n"));
    }
    // A run that meets nothing proves nothing.
    for what in ["applied", "filtered", "late", "duplicate", "dead_letter", "answers", "crashes"] {
        if tally.count(what) == 0 {
            return Err(format!("{tally}: there is no `{what}` among them"));
        }
    }
    Ok(tally)
}

/// Plants a fault; says how it was found, or that it was not.
pub fn planted_fault_is_found(fault: Fault) -> Result<String, String> {
    for seed in FIRST_SEED..FIRST_SEED + 400 {
        let mut rng = Rng::new(seed);
        let package = Package::random(&mut rng, Style::Exact);
        let compiled = Compiled::new(&package)?;
        for _ in 0..TIMELINES {
            let mut case = Case::random(&mut rng, &package, &compiled, Style::Exact);
            let found = if fault == Fault::WatermarkAheadOfItsOffsets {
                case.idle_after_us = 0;
                case.crash_is_noticed(&rng)
            } else {
                case.model_is_noticed(fault)
            };
            if let Some(found) =
                found.map_err(|difference| format!("seed {seed}: without a fault, too: {difference}"))?
            {
                return Ok(format!("seed {seed}: {found}"));
            }
        }
    }
    Err(format!("{fault:?} was not found"))
}

fn run_seed(seed: u64, tally: &mut Tally) -> Result<(), String> {
    let mut rng = Rng::new(seed);
    let style = if rng.percent(60) { Style::Exact } else { Style::Bits };
    let package = Package::random(&mut rng, style);
    let compiled = Compiled::new(&package).map_err(|error| format!("{}\n{error}", package.text()))?;
    tally.add("packages", 1);
    for _ in 0..TIMELINES {
        let mut case = Case::random(&mut rng, &package, &compiled, style);
        let before = rng.clone();
        if let Err(report) = case.run_caught(&mut rng, tally) {
            let report = case.cut_down(&before, report);
            return Err(format!("{}{report}", describe(&package, &case.timeline)));
        }
    }
    Ok(())
}

/// What is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Everything.
    All,
    /// Not what becomes of messages with tumbling windows: which of them are late depends on how partitions interleave, and on clocks.
    NotTumbling,
    /// Not what queries give, which the evaluator does not run.
    NotSql,
}

/// A package with a timeline.
struct Case<'a> {
    package: &'a Package,
    compiled: &'a Compiled,
    style: Style,
    timeline: Timeline,
    idle_after_us: i64,
}

/// A source that is silent for so long is idle: at once, as in tests; by the clock; never.
const NEVER_US: i64 = 1000 * DAY_US;

impl<'a> Case<'a> {
    fn random(rng: &mut Rng, package: &'a Package, compiled: &'a Compiled, style: Style) -> Case<'a> {
        let timeline = Timeline::random(rng, package, style);
        let idle_after_us = *rng.pick(&[0, 30 * SECOND_US, NEVER_US]);
        Case { package, compiled, style, timeline, idle_after_us }
    }

    fn model(&self) -> Model<'_> {
        Model::new(self.package, &self.timeline.keys, self.idle_after_us)
    }

    fn server<'b>(&'b self, timeline: &'b Timeline) -> Server<'b> {
        Server::new(self.compiled, &timeline.keys, self.idle_after_us)
    }

    /// As `run`; a panic is a report, too.
    fn run_caught(&self, rng: &mut Rng, tally: &mut Tally) -> Result<(), String> {
        catch_unwind(AssertUnwindSafe(|| self.run(rng, tally))).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(format!("panic: {}", text.unwrap_or_default()))
        })
    }

    /// Leaves out messages and questions as long as something still fails; gives what fails at last.
    fn cut_down(&mut self, rng: &Rng, mut report: String) -> String {
        let mut is_smaller = true;
        while is_smaller {
            is_smaller = false;
            for smaller in variants::smaller(&self.timeline) {
                let whole = std::mem::replace(&mut self.timeline, smaller);
                match self.run_caught(&mut rng.clone(), &mut Tally::default()) {
                    Err(found) => {
                        report = found;
                        is_smaller = true;
                        break;
                    }
                    Ok(()) => self.timeline = whole,
                }
            }
        }
        report
    }

    fn run(&self, rng: &mut Rng, tally: &mut Tally) -> Result<(), String> {
        let baseline = self.live(&self.timeline);
        tally.observe(&baseline);
        let started_us = self.timeline.steps[0].now_us;
        let keys = &self.timeline.keys;
        let mut meaning = Meaning::new(self.package, self.compiled, keys, self.idle_after_us, started_us);
        let meaning = Transcript::of(&mut meaning, &self.timeline);
        self.check("compared with the evaluator", &meaning, &baseline, Scope::NotSql, tally)?;
        if self.style == Style::Exact {
            let meaning = Transcript::of(&mut self.model(), &self.timeline);
            self.check("compared with the plain model", &meaning, &baseline, Scope::All, tally)?;
        }
        let changed = variants::rebatched(rng, &self.timeline);
        let rebatched = self.live(&changed);
        // Unless sources are never idle, tumbling windows are over when a clock says so, and batches come at other times.
        let scope = if self.idle_after_us == NEVER_US { Scope::All } else { Scope::NotTumbling };
        self.check("other batches", &baseline, &rebatched, scope, tally)?;
        let (found, crashes) = self.crashing(rng, &changed, false)?;
        let is_by_clock = self.idle_after_us == 30 * SECOND_US;
        let scope = if is_by_clock { Scope::NotTumbling } else { Scope::All };
        self.check("runs with crashes", &rebatched, &found, scope, tally)?;
        tally.add("crashes", crashes);
        let changed = variants::interleaved(rng, &self.timeline);
        self.check("other interleavings", &baseline, &self.live(&changed), Scope::NotTumbling, tally)?;
        self.check("two workers", &baseline, &self.with_two_workers(), Scope::NotTumbling, tally)?;
        if variants::has_dedup(self.package) {
            let applied = |number| baseline.fates.get(&number) == Some(&chalk_engine::Fate::Applied);
            let changed = variants::duplicated(rng, self.package, &self.timeline, applied);
            self.check("duplicates", &baseline, &self.live(&changed), scope, tally)?;
        } else if self.style == Style::Exact {
            let changed = variants::permuted(rng, &self.timeline);
            self.check("permutations", &baseline, &self.live(&changed), Scope::NotTumbling, tally)?;
            let changed = variants::repartitioned(rng, &self.timeline);
            self.check("other partitions", &baseline, &self.live(&changed), Scope::NotTumbling, tally)?;
        }
        Ok(())
    }

    /// What a model with a fault says differently; an error is what one without says differently.
    fn model_is_noticed(&self, fault: Fault) -> Result<Option<String>, String> {
        let found = self.live(&self.timeline);
        let compare =
            |mut model: Model<'_>| found.difference(&Transcript::of(&mut model, &self.timeline), |_| true, |_, _| true);
        compare(self.model()).map_or(Ok(()), Err)?;
        let mut model = self.model();
        model.plant(fault);
        Ok(compare(model))
    }

    /// What is different after crashes that leave the watermark ahead; an error is what is different without that.
    fn crash_is_noticed(&self, rng: &Rng) -> Result<Option<String>, String> {
        let expected = self.live(&self.timeline);
        let crash = |ahead: bool| -> Result<(), String> {
            let (found, _) = self.crashing(&mut rng.clone(), &self.timeline, ahead)?;
            expected.difference(&found, |_| true, |_, _| true).map_or(Ok(()), Err)
        };
        crash(false)?;
        Ok(crash(true).err())
    }

    /// Two threads read between questions.
    fn with_two_workers(&self) -> Transcript {
        let (steps, mut server) = (&self.timeline.steps, self.server(&self.timeline));
        let mut transcript = Transcript::default();
        let mut from = 0;
        for (position, step) in steps.iter().enumerate() {
            if matches!(step.kind, StepKind::Ask) {
                transcript.fates.extend(server.arrive_at_two_workers(&steps[from..position]));
                transcript.step(&mut server, &self.timeline, position);
                from = position + 1;
            }
        }
        transcript
    }

    fn live(&self, timeline: &Timeline) -> Transcript {
        Transcript::of(&mut self.server(timeline), timeline)
    }

    fn check(
        &self,
        what: &'static str,
        expected: &Transcript,
        found: &Transcript,
        scope: Scope,
        tally: &mut Tally,
    ) -> Result<(), String> {
        tally.add("runs", 1);
        tally.add(what, 1);
        let tumbling = self.tumbling_messages();
        let is_fate_compared = |number| scope != Scope::NotTumbling || !tumbling.contains(&number);
        let is_compared = |name: &str| match scope {
            Scope::All => true,
            Scope::NotTumbling => !self.is_tumbling(name, false),
            Scope::NotSql => !self.is_tumbling(name, true),
        };
        match expected.difference(found, is_fate_compared, |_, name| is_compared(name)) {
            Some(difference) => Err(format!("{what}: {difference}")),
            None => Ok(()),
        }
    }

    /// Numbers of the messages of streams with tumbling windows.
    fn tumbling_messages(&self) -> BTreeSet<usize> {
        let is_tumbling = |stream: usize| matches!(self.package.streams[stream].role, Role::Tumbling { .. });
        self.timeline.arrivals().filter(|arrival| is_tumbling(arrival.stream)).map(|arrival| arrival.number).collect()
    }

    /// Lives through the timeline with commits, images, evictions and crashes anywhere; after a crash what was not committed is read
    /// again. `ahead` plants a fault: the watermark stays where it was before the crash.
    fn crashing(&self, rng: &mut Rng, timeline: &Timeline, ahead: bool) -> Result<(Transcript, usize), String> {
        let mut server = self.server(timeline);
        let tumbling = self.tumbling_messages();
        let is_by_clock = self.idle_after_us == 30 * SECOND_US;
        let mut transcript = Transcript::default();
        let (mut at, mut committed_at, mut crashes) = (0, 0, 0);
        while at < timeline.steps.len() {
            let mut step = Transcript::default();
            step.step(&mut server, timeline, at);
            // What is read again becomes the same again.
            if let Some(difference) =
                transcript.difference(&step, |number| !is_by_clock || !tumbling.contains(&number), |_, _| false)
            {
                return Err(format!("read again after a crash: {difference}"));
            }
            transcript.fates.extend(step.fates);
            // Until everything is read again an answer may know more than the first time: images are ahead of the log.
            for (place, answer) in step.answers {
                transcript.answers.entry(place).or_insert(answer);
            }
            at += 1;
            if rng.percent(30) {
                server.take_images(rng.between(1, 4));
            }
            if rng.percent(15) {
                server.evict(rng.below(3));
            }
            if rng.percent(10) {
                server.expire(timeline.steps[at - 1].now_us);
            }
            if rng.percent(25) {
                server.commit();
                committed_at = at;
            }
            if rng.percent(15) && crashes < 6 {
                let now_us =
                    committed_at.checked_sub(1).map_or(timeline.steps[0].now_us, |at| timeline.steps[at].now_us);
                server.crash(now_us);
                if ahead {
                    server.move_watermarks(timeline.steps[at - 1].now_us);
                }
                at = committed_at;
                crashes += 1;
            }
        }
        Ok((transcript, crashes))
    }

    /// Whether a feature is set by tumbling windows, or only by those with a query.
    fn is_tumbling(&self, name: &str, only_sql: bool) -> bool {
        self.package.features.iter().any(|feature| {
            name.split(['[', ' ']).next() == Some(&feature.name)
                && matches!(feature.origin, Origin::Resolver { stream, .. }
                    if matches!(self.package.streams[stream].role, Role::Tumbling { is_sql, .. } if is_sql || !only_sql))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_the_same_package_and_timeline_again() {
        let text = || {
            let mut rng = Rng::new(5);
            let package = Package::random(&mut rng, Style::Bits);
            let timeline = Timeline::random(&mut rng, &package, Style::Bits);
            assert!(timeline.steps.iter().any(|step| matches!(step.kind, StepKind::Ask)), "something is asked");
            describe(&package, &timeline)
        };
        assert_eq!(text(), text());
    }
}
