//! Processes that run seeds: one per core, each of which may die of generated code without taking the report with it.
//!
//! A worker says on its standard output which seed it begins, and how it ended; a seed without an end is a crash.
//!
//! This file must not know what a seed means.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value, json};

use super::{SEED_VARIABLE, Tally, probe, report_crash, run_seed};

/// Set in workers: what they are to do.
pub(super) const VARIABLE: &str = "CHALK_GENERATED_WORKER";
/// Seeds that a worker gets at once.
const CHUNK: u64 = 8;
/// Reports after which a run ends.
const ENOUGH: usize = 3;

/// Expressions nest, and the stages of the compiler recurse over them.
const STACK_BYTES: usize = 64 << 20;

/// Does a worker's work, and is then the end of the process; returns where this process is no worker.
pub fn serve() {
    let Ok(task) = std::env::var(VARIABLE) else { return };
    probe::quiet_panics();
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || match task.split_once('+') {
        None => probe::serve(),
        Some((first, count)) => {
            let (first, count): (u64, u64) = (first.parse().expect("a seed"), count.parse().expect("a count"));
            for seed in first..first + count {
                say(&json!({ "begins": seed }));
                match run_seed(seed, None) {
                    Ok(tally) => say(&json!({ "tally": [
                        tally.programs, tally.refused, tally.applied, tally.failed, tally.dropped
                    ] })),
                    Err(report) => say(&json!({ "report": report })),
                }
            }
        }
    });
    let ended = thread.expect("a thread").join();
    std::process::exit(i32::from(ended.is_err()));
}

fn say(line: &Value) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("the parent listens");
}

/// Runs seeds in worker processes.
pub(super) fn run_seeds(first: u64, count: u64) -> Result<Tally, String> {
    let next = AtomicU64::new(first);
    let end = first + count;
    let is_over = AtomicBool::new(false);
    let state: Mutex<(Tally, Vec<String>)> = Mutex::default();
    let processes = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    std::thread::scope(|scope| {
        for _ in 0..processes {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let from = next.fetch_add(CHUNK, Ordering::Relaxed);
                    if from >= end {
                        return;
                    }
                    let (tally, reports) = run_chunk(from, CHUNK.min(end - from));
                    let mut state = state.lock().expect("no panic while held");
                    state.0.add(&tally);
                    state.1.extend(reports);
                    if state.1.len() >= ENOUGH {
                        is_over.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let (tally, reports) = state.into_inner().expect("no panic while held");
    if reports.is_empty() { Ok(tally) } else { Err(reports.join("\n")) }
}

/// Runs some seeds; goes on after one that kills its worker.
fn run_chunk(mut first: u64, mut count: u64) -> (Tally, Vec<String>) {
    let mut tally = Tally::default();
    let mut reports = Vec::new();
    while count > 0 {
        let Some(seed) = run_worker(first, count, &mut tally, &mut reports) else { break };
        let text = std::thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn(move || report_crash(seed))
            .expect("a thread")
            .join()
            .unwrap_or_else(|_| "the generator panicked".to_owned());
        reports.push(said(seed, &text));
        count -= seed + 1 - first;
        first = seed + 1;
    }
    (tally, reports)
}

fn said(seed: u64, report: &str) -> String {
    format!("seed {seed} ({SEED_VARIABLE}={seed} runs it alone):\n{report}")
}

/// Runs a worker to its end; gives the seed that it died of.
fn run_worker(first: u64, count: u64, tally: &mut Tally, reports: &mut Vec<String>) -> Option<u64> {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .env(VARIABLE, format!("{first}+{count}"))
        .stdout(Stdio::piped())
        .stderr(if std::env::var_os(super::REFUSALS_VARIABLE).is_some() { Stdio::inherit() } else { Stdio::null() })
        .spawn()
        .expect("a child process");
    let mut running = None;
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    while output.read_line(&mut line).is_ok_and(|size_bytes| size_bytes > 0) {
        let said_line: Value = serde_json::from_str(&line).unwrap_or_default();
        line.clear();
        if let Some(seed) = said_line["begins"].as_u64() {
            running = Some(seed);
        } else if let Some(counts) = said_line["tally"].as_array() {
            let count = |at: usize| counts[at].as_u64().unwrap_or_default() as usize;
            tally.add(&Tally {
                programs: count(0),
                refused: count(1),
                applied: count(2),
                failed: count(3),
                dropped: count(4),
            });
            running = None;
        } else if let (Some(seed), Some(report)) = (running, said_line["report"].as_str()) {
            reports.push(said(seed, report));
            running = None;
        }
    }
    let _ = output.read_to_string(&mut line);
    child.wait().expect("a child process");
    running
}
