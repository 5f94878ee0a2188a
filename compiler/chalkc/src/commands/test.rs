//! `chalkc test`: the `test` blocks of a package, on the engine.
//!
//! Results go to standard output, a line for each test and then what failed, with the place, so that they can be read from the end.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use chalk_diagnostics::SourceMap;
use chalk_engine::Program;
use chalk_hir::program::Test;
use indicatif::{ProgressBar, ProgressStyle};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{DiagnosticFormat, Failure, checked_package, current_folder, print};
use crate::compile::{catalog, jit};
use crate::testing::{Mismatch, Tester};

/// More tests than this are shown as a bar while they run, and those that passed are counted only.
const MANY_TESTS: usize = 100;

#[derive(clap::Args)]
pub(super) struct Args {
    /// A .chalk file or a folder of them
    #[arg(default_value_os_t = current_folder())]
    path: PathBuf,
    /// Run the tests alone whose name contains this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Write a report in the JUnit format, too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// A test that was run.
struct Ran<'a> {
    test: &'a Test,
    /// What was not as expected; an error is of the engine.
    result: Result<Vec<Mismatch>, String>,
    elapsed: Duration,
}

impl Ran<'_> {
    fn passed(&self) -> bool {
        self.result.as_ref().is_ok_and(Vec::is_empty)
    }
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let (project, checked) = checked_package(&args.path, DiagnosticFormat::Human)?;
    let sources = project.displayed();
    let all = &checked.program.tests;
    let is_wanted = |test: &&Test| args.filter.as_ref().is_none_or(|text| test.name.contains(text));
    let tests: Vec<&Test> = all.iter().filter(is_wanted).collect();
    if tests.is_empty() {
        return match &args.filter {
            Some(text) if !all.is_empty() => {
                let names: Vec<&str> = all.iter().map(|test| test.name.as_str()).collect();
                let hint = chalk_diagnostics::did_you_mean(text, names).map_or_else(
                    || format!("there are {}", counted(all.len())),
                    |near| format!("did you mean \"{near}\"?"),
                );
                Err(Failure::Message(format!("no test has \"{text}\" in its name; {hint}")))
            }
            _ => {
                eprintln!("no tests: write a `test \"…\" for resolver {{ … }}` block");
                write_junit(args, &sources, &[])
            }
        };
    }
    let program = Program::link(jit(&checked)?, catalog())?;
    let tester = Tester::new(&checked, &program);
    let is_many = tests.len() > MANY_TESTS;
    let bar = progress(is_many.then_some(tests.len()));
    let color = Color::of_stdout();
    let mut ran = Vec::new();
    for test in tests {
        let started = Instant::now();
        let result = tester.run(test);
        let one = Ran { test, result, elapsed: started.elapsed() };
        if !is_many || !one.passed() {
            let mark = if one.passed() { color.green("ok  ") } else { color.red("FAIL") };
            bar.suspend(|| print(&format!("{mark}  {}\n", test.name)))?;
        }
        bar.inc(1);
        ran.push(one);
    }
    bar.finish_and_clear();
    print(&summary(&ran, &sources, &color))?;
    write_junit(args, &sources, &ran)?;
    if ran.iter().all(Ran::passed) { Ok(()) } else { Err(Failure::Reported) }
}

fn counted(tests: usize) -> String {
    if tests == 1 { "1 test".to_owned() } else { format!("{tests} tests") }
}

/// What failed, and the count.
fn summary(ran: &[Ran<'_>], sources: &SourceMap, color: &Color) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail, here and below.
    for one in ran.iter().filter(|one| !one.passed()) {
        let _ = writeln!(text, "\n{} ({})", color.bold(&one.test.name), sources.location(one.test.span));
        text.push_str(&described(one, sources, color));
    }
    let failed = ran.iter().filter(|one| !one.passed()).count();
    let passed = ran.len() - failed;
    let verdict = if failed == 0 { color.green("passed") } else { color.red("failed") };
    let _ = writeln!(text, "\n{verdict}: {}, {passed} passed, {failed} failed", counted(ran.len()));
    text
}

/// The mismatches of a test that failed.
fn described(one: &Ran<'_>, sources: &SourceMap, color: &Color) -> String {
    let mut text = String::new();
    match &one.result {
        Err(error) => {
            let _ = writeln!(text, "  the engine cannot run it: {error}");
        }
        Ok(mismatches) => {
            for mismatch in mismatches {
                let _ = writeln!(text, "  {}: {}", sources.location(mismatch.span), mismatch.what);
                let _ = writeln!(text, "    expected  {}", color.green(&mismatch.expected));
                let _ = writeln!(text, "    got       {}", color.red(&mismatch.found));
                if let Some(note) = &mismatch.note {
                    let _ = writeln!(text, "    because   {note}");
                }
            }
        }
    }
    text
}

fn write_junit(args: &Args, sources: &SourceMap, ran: &[Ran<'_>]) -> Result<(), Failure> {
    let Some(path) = &args.junit else { return Ok(()) };
    let mut suite = TestSuite::new("chalkc test");
    for one in ran {
        let status = if one.passed() {
            TestCaseStatus::success()
        } else {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let text = described(one, sources, &Color::None);
            status.set_message(text.lines().next().unwrap_or_default().trim());
            status.set_description(text);
            status
        };
        let mut case = TestCase::new(one.test.name.as_str(), status);
        case.set_classname(sources.file(one.test.span.file).path());
        case.set_time(one.elapsed);
        suite.add_test_case(case);
    }
    let mut report = Report::new("chalkc test");
    report.add_test_suite(suite);
    let text = report.to_string()?;
    std::fs::write(path, text).map_err(|error| Failure::Message(format!("cannot write {}: {error}", path.display())))
}

/// A bar on standard error where it is a terminal and there are many tests.
fn progress(tests: Option<usize>) -> ProgressBar {
    match tests {
        Some(tests) if std::io::stderr().is_terminal() => {
            let style = ProgressStyle::with_template("{bar:30} {pos} of {len} tests  {eta} left");
            ProgressBar::new(tests as u64).with_style(style.expect("the template is a constant"))
        }
        _ => ProgressBar::hidden(),
    }
}

/// Whether marks are coloured.
enum Color {
    Ansi,
    None,
}

impl Color {
    fn of_stdout() -> Color {
        let is_wanted = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        if is_wanted { Color::Ansi } else { Color::None }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        match self {
            Color::Ansi => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Color::None => text.to_owned(),
        }
    }

    fn green(&self, text: &str) -> String {
        self.paint("32", text)
    }

    fn red(&self, text: &str) -> String {
        self.paint("31", text)
    }

    fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }
}
