//! The examples of the repository: each folder's package over its input gives its `expected.jsonl`, and its tests pass.
//!
//! The folder's README says what a reader should see, so what is compared is what the command prints: features of applied
//! messages, windows that are over, the values of every key at the end, and how many messages met which fate. The input of a source is
//! `<source>.jsonl`, or `input.jsonl`.
//!
//! This file must not know any example.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use arrow_array::RecordBatch;
use chalk_decode::Tier;
use chalk_engine::{Closed, Executor, Fates, InputBatch, OutputBatch, Program, Session, SessionOptions};
use chalk_types::Type;
use chalkc::compile::{Checked, catalog, jit};
use chalkc::project::Project;
use chalkc::run::chunks::ChunkReader;
use chalkc::run::finals::{self, FinalRows};
use chalkc::run::output::{Format, Output};
use chalkc::run::stream::{Observer, SourceResolvers, SourceRun};

use crate::fixture::{self, repository};
use crate::message::Message;
use crate::oracle::{Oracle, tiers};
use crate::outcome::Outcome;
use crate::{bless, package, run, time};

/// A line of an example's input is no longer than this.
const LINE_LIMIT_BYTES: usize = 1 << 20;

/// The folders.
pub fn folders() -> Vec<PathBuf> {
    fixture::folders(&repository().join("examples"))
}

/// The package of an example.
pub fn project(folder: &Path) -> Result<Project, String> {
    Project::read(folder).map_err(|error| error.to_string())
}

/// Runs an example.
pub fn run(folder: &Path) -> Result<(), String> {
    let checked = package::accepted(&project(folder)?.files)?;
    let said = package::rendered(&checked);
    if !said.is_empty() {
        return Err(format!("an example is without warnings:\n{said}"));
    }
    let has_state =
        checked.program.resolvers.iter().any(|resolver| !resolver.feeds.is_empty() || resolver.dedup.is_some());
    let (features, fates) =
        if has_state { run_with_state(folder, &checked)? } else { run_without_state(folder, &checked)? };
    time::run_tests(&checked)?;
    bless::compare(&folder.join("expected.jsonl"), &features)?;
    bless::compare(&folder.join("expected_fates.txt"), &fates)
}

/// The file with a source's messages.
fn input(folder: &Path, source: &str) -> PathBuf {
    let own = folder.join(format!("{source}.jsonl"));
    if own.exists() { own } else { folder.join("input.jsonl") }
}

/// Every message by itself: the evaluator and native code in every way it can run.
fn run_without_state(folder: &Path, checked: &Checked) -> Result<(String, String), String> {
    let oracle = Oracle::new(checked)?;
    let (mut features, mut fates) = (String::new(), String::new());
    for (index, resolver) in checked.program.resolvers.iter().enumerate() {
        let source = &checked.program.sources[resolver.source].name;
        let messages: Vec<Message> = fixture::read(&input(folder, source))
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.is_empty())
            .map(|(number, line)| Message { topic: source.clone(), ..Message::new(line, number as i64) })
            .collect();
        let outcomes = oracle.run(index, &messages, &tiers()).map_err(|difference| run::different(&difference))?;
        for outcome in &outcomes {
            if let Outcome::Applied { features: row, .. } = outcome {
                let _ = writeln!(features, "{row}"); // writing to a String cannot fail
            }
        }
        let _ = writeln!(fates, "{}: {}", resolver.name, run::fates(&outcomes));
    }
    Ok((features, fates))
}

/// All sources one after the other, as the command runs them.
fn run_with_state(folder: &Path, checked: &Checked) -> Result<(String, String), String> {
    let image = jit(checked).map_err(|error| error.to_string())?;
    let program = Program::link(image, catalog()).map_err(|error| error.to_string())?;
    let tier = Tier::detect().map_err(|error| error.to_string())?;
    let mut session = Session::with_tier(
        &program,
        SessionOptions { sql: chalkc::sql::runner(), ..SessionOptions::for_files() },
        tier,
    )?;
    let text = Shared::default();
    let mut page = Page { output: Output::new(Box::new(text.clone()), Format::Json), problems: String::new() };
    let mut fates = String::new();
    for (position, source) in program.manifest().sources.iter().enumerate() {
        let resolvers = SourceResolvers::new(&program, position as u32, None);
        let mut run = SourceRun::new(&program, resolvers, tier, true).map_err(|error| error.to_string())?;
        let path = input(folder, &source.name);
        let cannot_read = |error: io::Error| format!("{}: {error}", path.display());
        let mut reader = ChunkReader::open(&path, LINE_LIMIT_BYTES).map_err(cannot_read)?;
        while let Some(chunk) = reader.next_chunk().map_err(cannot_read)? {
            run.run(&chunk, Some(&mut session), &mut page).map_err(|error| error.to_string())?;
        }
        let counts = run.counts(Some(&session));
        for (resolver, of) in run.resolvers().names().iter().zip(&counts.fates) {
            let counts: Vec<String> = Fates::NAMES
                .iter()
                .zip(of.counts())
                .filter(|(_, count)| *count != 0)
                .map(|(name, count)| format!("{name} {count}"))
                .collect();
            let _ = writeln!(fates, "{resolver}: {}", counts.join(", "));
        }
    }
    finals::write(&mut session, None, &mut page).map_err(|error| error.to_string())?;
    page.output.finish().map_err(|error| error.to_string())?;
    if !page.problems.is_empty() {
        return Err(page.problems);
    }
    let features = String::from_utf8(text.0.borrow().clone()).map_err(|error| error.to_string())?;
    Ok((features, fates))
}

/// What is written, for whoever else holds it.
#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a run prints.
struct Page {
    output: Output,
    problems: String,
}

impl Observer for Page {
    fn batch(&mut self, _: usize, run: &Executor, _: &InputBatch, output: &OutputBatch) -> io::Result<()> {
        // A windowed resolver sets nothing message by message.
        if output.batch.num_columns() == 0 {
            return Ok(());
        }
        self.output.write(&run.resolver().name, &output.batch, run.types())
    }

    fn closed(&mut self, closed: &Closed) -> io::Result<()> {
        for (key, reason) in &closed.failures {
            let _ = writeln!(self.problems, "a window gives no row for {key:?}: {reason}"); // writing to a String cannot fail
        }
        self.output.write("window", &closed.batch, &closed.types)
    }
}

impl FinalRows for Page {
    fn closed(&mut self, closed: &Closed) -> io::Result<()> {
        Observer::closed(self, closed)
    }

    fn rows(&mut self, class: &str, batch: &RecordBatch, types: &[Type]) -> io::Result<()> {
        self.output.write(class, batch, types)
    }

    fn problem(&mut self, text: &str) {
        let _ = writeln!(self.problems, "{text}"); // writing to a String cannot fail
    }
}
