//! The commands of `chalkc`, one file each, and what they share: reading a package, showing its diagnostics, exit codes.
//!
//! Exit codes: 0 done, 1 the package or the input is wrong, 2 the command line is wrong.
//!
//! This file must not know what a command does.

mod build;
mod check;
mod explain;
mod fmt;
mod inspect;
mod run;
mod test;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chalk_diagnostics::{Diagnostic, SourceMap, render};
use clap::{Parser, Subcommand, ValueEnum};

use crate::compile::{Checked, check as check_package};
use crate::project::Project;

/// Compiles .chalk files: features, message schemas and stream resolvers, to native code.
#[derive(Parser)]
#[command(name = "chalkc", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Parse, resolve and type-check a package; print what is wrong
    Check(check::Args),
    /// Compile a package to one artifact of native code and tables
    Build(build::Args),
    /// Compile in memory and run over files or standard input; features go to standard output
    Run(run::Args),
    /// Run the `test` blocks of a package
    Test(test::Args),
    /// Show what an artifact or a package compiles to: resolvers, decode plans, IR, assembly
    Inspect(inspect::Args),
    /// Explain a diagnostic code
    Explain(explain::Args),
    /// Format .chalk files
    Fmt(fmt::Args),
}

/// How diagnostics are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DiagnosticFormat {
    /// For people: drawn on a terminal, plain where piped
    Human,
    /// A JSON array with an object per diagnostic
    Json,
}

/// A command that did not do its work; the reason was shown already, or is the text.
enum Failure {
    /// Diagnostics were printed.
    Reported,
    /// To be printed.
    Message(String),
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::Message(error.to_string())
    }
}

/// Runs the command line.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Check(args) => check::run(&args),
        Command::Build(args) => build::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Fmt(args) => fmt::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Reported) => ExitCode::from(1),
        Err(Failure::Message(message)) => {
            eprintln!("chalkc: {message}");
            ExitCode::from(1)
        }
    }
}

/// Reads and checks a package and shows its diagnostics on standard error; fails where there are errors.
fn checked_package(path: &Path, format: DiagnosticFormat) -> Result<(Project, Checked), Failure> {
    let project = Project::read(path)?;
    let checked = check_package(&project.files);
    show(&project.displayed(), &checked.diagnostics, format, &mut std::io::stderr());
    if checked.is_ok() { Ok((project, checked)) } else { Err(Failure::Reported) }
}

/// Shows diagnostics and, for people, a closing line that counts them.
fn show(
    sources: &SourceMap,
    diagnostics: &[Diagnostic],
    format: DiagnosticFormat,
    out: &mut (impl std::io::Write + std::io::IsTerminal),
) {
    let text = match format {
        DiagnosticFormat::Json => render::json(diagnostics, sources),
        DiagnosticFormat::Human if out.is_terminal() => {
            let width = terminal_width().clamp(60, 120);
            render::fancy(diagnostics, sources, width, std::env::var_os("NO_COLOR").is_none())
        }
        DiagnosticFormat::Human => render::plain(diagnostics, sources),
    };
    // Whoever closed the pipe has read enough.
    let _ = out.write_all(text.as_bytes());
    if format == DiagnosticFormat::Human
        && let Some(summary) = render::summary(diagnostics)
    {
        let _ = writeln!(out, "{summary}");
    }
}

/// Columns of the terminal; what most have where it does not tell.
fn terminal_width() -> usize {
    std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(100)
}

/// The default of every `PATH`.
fn current_folder() -> PathBuf {
    PathBuf::from(".")
}

/// Writes to standard output; a closed pipe is no error, because its reader has seen enough.
fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
