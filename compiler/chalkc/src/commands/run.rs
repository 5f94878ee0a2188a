//! `chalkc run`: compile in memory and run over files.
//!
//! Messages give rows as they come, tumbling windows as they are over (at the latest at the end of the input), and at the end
//! every key of a class with aggregates gives its values as a query would.
//!
//! Features go to standard output and everything about the run to standard error, so that the output can be piped.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use chalk_artifact::manifest::{Manifest, OptionValue};
use chalk_decode::Tier;
use chalk_engine::{Closed, Executor, InputBatch, OutputBatch, Program, Session, SessionOptions};
use chalk_types::{Type, Value};

use super::{DiagnosticFormat, Failure, checked_package, current_folder};
use crate::compile::{catalog, jit};
use crate::project::Project;
use crate::run::chunks::ChunkReader;
use crate::run::finals::{self, FinalRows};
use crate::run::output::{ArrowEncoder, Format, Output};
use crate::run::progress::Progress;
use crate::run::stream::{Observer, SourceCounts, SourceResolvers, SourceRun};
use crate::run::workers::{BatchResult, Chunks, Preparation, Rows, SpareRows, Workers};

/// Dead letters that are described on standard error; further ones are counted.
const DESCRIBED_DEAD_LETTERS: usize = 10;

/// Bytes that are written at a time, unless what is read pauses.
const OUTPUT_BYTES: usize = 256 << 10;

/// A line longer than this is no message; decoding has a smaller limit of its own.
const LINE_LIMIT_BYTES: usize = 64 << 20;

#[derive(clap::Args)]
pub(super) struct Args {
    /// A .chalk file or a folder of them
    #[arg(default_value_os_t = current_folder())]
    path: PathBuf,
    /// Where a source's messages are: newline-delimited, plain, gzip or zstd; `-` is standard input
    #[arg(short, long = "input", value_name = "SOURCE=FILE", value_parser = parse_input)]
    inputs: Vec<(String, PathBuf)>,
    /// The form of the output
    #[arg(long, value_enum, default_value = "json")]
    format: Format,
    /// Where the output goes; the default is standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Run this resolver alone
    #[arg(long, value_name = "NAME")]
    resolver: Option<String>,
    /// The time for which aggregates are given at the end of the input (RFC 3339); the default is the greatest event time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<i64>,
    /// Keep messages that failed, as JSON lines with the reason and the message
    #[arg(long, value_name = "FILE")]
    dead_letters: Option<PathBuf>,
    /// Cores to use; the default is all. A program with state uses one, and another to read
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Print how messages were decoded: tiers, templates learned, bytes per second
    #[arg(long)]
    stats: bool,
    /// Print no fates, rate or progress
    #[arg(short, long)]
    quiet: bool,
}

fn parse_input(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((source, file)) if !source.is_empty() && !file.is_empty() => Ok((source.to_owned(), PathBuf::from(file))),
        _ => Err("write SOURCE=FILE, such as user_updates=messages.jsonl".to_owned()),
    }
}

fn parse_time(text: &str) -> Result<i64, String> {
    let time = chrono::DateTime::parse_from_rfc3339(text);
    time.map(|time| time.timestamp_micros())
        .map_err(|_| "write an RFC 3339 time, such as 2024-01-01T00:00:00Z".to_owned())
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let (project, checked) = checked_package(&args.path, DiagnosticFormat::Human)?;
    let program = Program::link(jit(&checked)?, catalog())?;
    let manifest = program.manifest();
    let tier = Tier::detect()?;
    let inputs = choose_inputs(args, &project, manifest)?;
    let sink = open_output(args.output.as_deref())?;
    let keeps_state = manifest.resolvers.iter().any(|resolver| !resolver.feeds.is_empty() || resolver.dedup.is_some());
    let mut session = match keeps_state {
        true => Some(
            Session::with_tier(
                &program,
                SessionOptions { sql: crate::sql::runner(), ..SessionOptions::for_files() },
                tier,
            )
            .map_err(Failure::Message)?,
        ),
        false => None,
    };
    let output = Output::new(sink, args.format);
    let threads = args.threads.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from);
    let preparation = Preparation {
        rows: output.row_form(session.is_none() && threads != 1),
        described: DESCRIBED_DEAD_LETTERS,
        keep_dead_letters: args.dead_letters.is_some(),
        source: String::new(),
        file: String::new(),
        spare: SpareRows::default(),
        encoder: ArrowEncoder::default(),
    };
    let mut observer = Console {
        manifest,
        output,
        preparation,
        dead_letters: args.dead_letters.as_deref().map(create).transpose()?.map(BufWriter::new),
        failed: 0,
        said_one_schema: false,
        consumed_bytes: 0,
        messages: 0,
        progress: None,
    };
    let started = Instant::now();
    let mut done = Vec::new();
    let mut size_bytes = 0;
    for (source, path) in inputs {
        let resolvers = SourceResolvers::new(&program, source, args.resolver.as_deref());
        let cannot_read = |error| Failure::Message(format!("cannot read {}: {error}", path.display()));
        let reader = ChunkReader::open(&path, LINE_LIMIT_BYTES).map_err(cannot_read)?;
        observer.preparation.source = resolvers.source().to_owned();
        observer.preparation.file = path.display().to_string();
        observer.consumed_bytes = 0;
        observer.progress = Some(Progress::start(reader.size_bytes(), args.quiet));
        let result = if session.is_some() || threads == 1 {
            let mut run = SourceRun::new(&program, resolvers.clone(), tier, session.is_some())?;
            let chunks = Chunks::start(reader, threads == 1);
            observer.run_alone(&mut run, chunks, session.as_mut()).map(|()| run.counts(session.as_ref()))
        } else {
            let workers = Workers::start(&program, &resolvers, tier, threads, reader, &observer.preparation)?;
            observer.run_workers(&program, workers)
        };
        if let Some(progress) = observer.progress.take() {
            progress.finish();
        }
        match result {
            // Whoever read our output has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            other => done.push((resolvers, other.map_err(cannot_read)?)),
        }
        size_bytes += observer.consumed_bytes;
    }
    if let Some(session) = &mut session {
        match finals::write(session, args.at, &mut observer) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            other => other?,
        }
    }
    if observer.failed > DESCRIBED_DEAD_LETTERS {
        let more = observer.failed - DESCRIBED_DEAD_LETTERS;
        eprintln!("… and {more} more dead letters (--dead-letters FILE keeps them all)");
    }
    if let Some(mut letters) = observer.dead_letters.take() {
        letters.flush()?;
    }
    match observer.output.finish() {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
        other => other?,
    }
    let elapsed = started.elapsed();
    if args.stats {
        describe_decoding(&done, tier, elapsed);
    }
    if !args.quiet {
        summarise(&done, size_bytes, elapsed);
    }
    Ok(())
}

/// Which file feeds which source: those named on the command line, and `file(path:)` sources by themselves.
fn choose_inputs(args: &Args, project: &Project, manifest: &Manifest) -> Result<Vec<(u32, PathBuf)>, Failure> {
    let names: Vec<&str> = manifest.sources.iter().map(|source| source.name.as_str()).collect();
    if let Some(resolver) = &args.resolver
        && !manifest.resolvers.iter().any(|known| known.name == *resolver)
    {
        let known: Vec<&str> = manifest.resolvers.iter().map(|known| known.name.as_str()).collect();
        return Err(Failure::Message(format!("there is no resolver `{resolver}`; there are: {}", known.join(", "))));
    }
    let mut inputs = Vec::new();
    for (name, path) in &args.inputs {
        let Some(source) = names.iter().position(|known| known == name) else {
            let hint = chalk_diagnostics::did_you_mean(name, &names)
                .map(|known| format!("did you mean `{known}`?"))
                .unwrap_or_else(|| format!("there are: {}", names.join(", ")));
            return Err(Failure::Message(format!("--input {name}=…: there is no source `{name}`; {hint}")));
        };
        inputs.push((source as u32, path.clone()));
    }
    for (position, source) in manifest.sources.iter().enumerate() {
        if source.connector != "file" || inputs.iter().any(|(given, _)| *given == position as u32) {
            continue;
        }
        for (option, value) in &source.options {
            if option == "path" {
                inputs.push((position as u32, project.root.join(file_option(&source.name, value)?)));
            }
        }
    }
    if inputs.is_empty() {
        return Err(Failure::Message(format!(
            "no input: say where the messages of a source are, such as --input {}=messages.jsonl",
            names.first().unwrap_or(&"SOURCE")
        )));
    }
    if args.format == Format::Arrow {
        let resolvers = manifest
            .resolvers
            .iter()
            .filter(|resolver| inputs.iter().any(|(source, _)| *source == resolver.source))
            .filter(|resolver| args.resolver.as_ref().is_none_or(|only| resolver.name == *only));
        let names: Vec<&str> = resolvers.map(|resolver| resolver.name.as_str()).collect();
        if names.len() > 1 {
            return Err(Failure::Message(format!(
                "an Arrow stream has one schema; choose a resolver with --resolver: {}",
                names.join(", ")
            )));
        }
    }
    Ok(inputs)
}

fn file_option(source: &str, value: &OptionValue) -> Result<String, Failure> {
    match value {
        OptionValue::Value(Value::String(path)) => Ok(path.clone()),
        OptionValue::Env(name) => std::env::var(name).map_err(|_| {
            Failure::Message(format!(
                "source `{source}` reads its path from the environment variable {name}, which is not set"
            ))
        }),
        OptionValue::Value(other) => unreachable!("the checker lets only text be a path, not {other:?}"),
    }
}

fn create(path: &Path) -> Result<File, Failure> {
    File::create(path).map_err(|error| Failure::Message(format!("cannot write {}: {error}", path.display())))
}

fn open_output(path: Option<&Path>) -> Result<Box<dyn Write>, Failure> {
    Ok(match path {
        Some(path) => Box::new(BufWriter::with_capacity(OUTPUT_BYTES, create(path)?)),
        None => standard_output()?,
    })
}

/// Without the standard library's buffer, which looks for the ends of lines in everything and writes at each: Arrow's pieces are small and have
/// none. What is to be seen at once is flushed.
#[cfg(unix)]
fn standard_output() -> Result<Box<dyn Write>, Failure> {
    use std::os::fd::AsFd as _;
    let output = io::stdout().as_fd().try_clone_to_owned();
    let output = output.map_err(|error| Failure::Message(format!("cannot write to standard output: {error}")))?;
    Ok(Box::new(BufWriter::with_capacity(OUTPUT_BYTES, File::from(output))))
}

#[cfg(not(unix))]
fn standard_output() -> Result<Box<dyn Write>, Failure> {
    Ok(Box::new(BufWriter::with_capacity(OUTPUT_BYTES, io::stdout().lock())))
}

/// Shows a run to the person who started it.
struct Console<'a> {
    manifest: &'a Manifest,
    output: Output,
    preparation: Preparation,
    dead_letters: Option<BufWriter<File>>,
    /// Dead letters.
    failed: usize,
    said_one_schema: bool,
    consumed_bytes: u64,
    messages: u64,
    progress: Option<Progress>,
}

impl Observer for Console<'_> {
    fn batch(&mut self, resolver: usize, run: &Executor, input: &InputBatch, output: &OutputBatch) -> io::Result<()> {
        let mut failed = self.failed;
        let ready = self.preparation.batch(self.manifest, resolver, run, input, output, &mut failed)?;
        self.write_ready(ready, run.types())
    }

    fn closed(&mut self, closed: &Closed) -> io::Result<()> {
        let resolver = &self.manifest.resolvers[closed.resolver].name;
        for (key, reason) in &closed.failures {
            let end = chalk_types::format_datetime(closed.end_us);
            self.problem(&format!("the window of `{resolver}` that ends at {end} gives no row for {key:?}: {reason}"));
        }
        self.write_other(resolver, &closed.batch, &closed.types)
    }
}

impl Console<'_> {
    /// Runs an input on this thread, one batch after the other: where messages change state, and where one core is to be used.
    fn run_alone(
        &mut self,
        run: &mut SourceRun,
        mut chunks: Chunks,
        mut session: Option<&mut Session>,
    ) -> io::Result<()> {
        while let Some(chunk) = chunks.next(&mut || self.output.flush()) {
            let chunk = chunk?;
            let before = run.messages();
            run.run(&chunk, session.as_deref_mut(), self)?;
            self.advance(chunk.consumed_bytes(), run.messages() - before);
        }
        self.output.flush()
    }

    /// Writes what workers give, in the order of the input.
    fn run_workers(&mut self, program: &Program, mut workers: Workers) -> io::Result<SourceCounts> {
        let types: Vec<Vec<Type>> =
            (0..self.manifest.resolvers.len()).map(|resolver| program.row_types(resolver)).collect();
        while let Some(chunk) = workers.next(&mut || self.output.flush()) {
            let chunk = chunk?;
            for batch in chunk.batches {
                let types = &types[batch.resolver];
                self.write_ready(batch, types)?;
            }
            self.advance(chunk.consumed_bytes, chunk.messages);
        }
        self.output.flush()?;
        Ok(workers.finish())
    }

    /// Writes the result of a batch, and tells of the first dead letters.
    fn write_ready(&mut self, batch: BatchResult, types: &[Type]) -> io::Result<()> {
        if let Some(rows) = batch.rows {
            let resolver = &self.manifest.resolvers[batch.resolver].name;
            match rows {
                Rows::Batch(rows) => self.output.write(resolver, &rows, types)?,
                Rows::Arrow(messages, schema) => {
                    self.output.write_messages(&messages, &schema)?;
                    batch.spare.give(messages);
                }
                Rows::Json(lines) => {
                    self.output.write_lines(&lines)?;
                    batch.spare.give(lines);
                }
            }
        }
        for letter in batch.dead_letters {
            self.failed += 1;
            if self.failed <= DESCRIBED_DEAD_LETTERS
                && let Some(text) = letter.text
            {
                self.problem(&format!("dead letter: {text}"));
            }
            if let Some(letters) = &mut self.dead_letters {
                letters.write_all(&letter.record)?;
            }
        }
        Ok(())
    }

    fn advance(&mut self, consumed_bytes: u64, messages: u64) {
        self.consumed_bytes = consumed_bytes;
        self.messages += messages;
        if let Some(progress) = &self.progress {
            progress.set(consumed_bytes, self.messages);
        }
    }

    /// Rows that are not those of messages.
    fn write_other(&mut self, title: &str, batch: &RecordBatch, types: &[Type]) -> io::Result<()> {
        if self.output.takes(batch) {
            return self.output.write(title, batch, types);
        }
        if !std::mem::replace(&mut self.said_one_schema, true) {
            self.problem(&format!(
                "an Arrow stream has one schema: the rows of `{title}` are left out (--format json prints all)"
            ));
        }
        Ok(())
    }

    /// Prints a line to standard error, above the bar where there is one.
    fn problem(&mut self, text: &str) {
        match &self.progress {
            Some(progress) => progress.println(text),
            None => eprintln!("{text}"),
        }
    }
}

impl FinalRows for Console<'_> {
    fn closed(&mut self, closed: &Closed) -> io::Result<()> {
        Observer::closed(self, closed)
    }

    fn rows(&mut self, class: &str, batch: &RecordBatch, types: &[Type]) -> io::Result<()> {
        self.write_other(class, batch, types)
    }

    fn problem(&mut self, text: &str) {
        Console::problem(self, text);
    }
}

/// How messages were decoded, per resolver.
fn describe_decoding(done: &[(SourceResolvers, SourceCounts)], tier: Tier, elapsed: Duration) {
    let seconds = elapsed.as_secs_f64().max(1e-9);
    for (resolvers, counts) in done {
        for (resolver, tiers) in resolvers.names().iter().zip(&counts.tiers) {
            let share = |count: u64| 100.0 * count as f64 / tiers.messages().max(1) as f64;
            eprintln!(
                "{} -> {resolver}: decoded with {tier}: {:.1} % along a template, {:.1} % by the walker, {:.1} % by the scalar \
                 parser; {} templates learned, {} given up; {}, {}/s",
                resolvers.source(),
                share(tiers.template),
                share(tiers.walker),
                share(tiers.scalar),
                tiers.learned,
                tiers.replaced,
                human_bytes(tiers.bytes),
                human_bytes((tiers.bytes as f64 / seconds) as u64),
            );
        }
    }
}

/// Fates per resolver and the rate, on standard error.
fn summarise(done: &[(SourceResolvers, SourceCounts)], size_bytes: u64, elapsed: Duration) {
    for (resolvers, counts) in done {
        for (resolver, fates) in resolvers.names().iter().zip(&counts.fates) {
            let counts: Vec<String> = chalk_engine::Fates::NAMES
                .iter()
                .zip(fates.counts())
                .filter(|(_, count)| *count != 0)
                .map(|(name, count)| format!("{count} {name}"))
                .collect();
            let counts = if counts.is_empty() { "no messages".to_owned() } else { counts.join(", ") };
            eprintln!("{} -> {resolver}: {counts}", resolvers.source());
        }
    }
    let messages: u64 = done.iter().map(|(_, counts)| counts.messages).sum();
    let seconds = elapsed.as_secs_f64().max(1e-9);
    eprintln!(
        "{messages} messages, {} in {:.1} ms: {:.0} messages/s",
        human_bytes(size_bytes),
        seconds * 1e3,
        messages as f64 / seconds
    );
}

fn human_bytes(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}
