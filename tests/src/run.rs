//! Packages with messages: what each message becomes, by the evaluator and by native code in every way it can run.
//!
//! This file must not know any rule.

use std::fmt::Write as _;

use crate::fixture::{self, Fixture, repository};
use crate::message;
use crate::oracle::{Difference, Oracle, tiers};
use crate::outcome::Outcome;
use crate::{bless, package};

/// The fixtures: `tests/run/<area>/<name>.chalk` with `.in.jsonl` and `.out.jsonl`.
pub fn fixtures() -> Vec<Fixture> {
    fixture::find(&repository().join("tests/run"), "chalk")
}

/// Runs all resolvers over all messages and compares with the `.out.jsonl`: a line per message, resolver by resolver.
pub fn run(fixture: &Fixture) -> Result<(), String> {
    let name = fixture.path.file_name().expect("a file").to_string_lossy();
    let checked = package::accepted(&package::files(&name, &fixture.text()))?;
    // A fixture that is about a warning says so.
    let said = package::rendered(&checked);
    bless::compare(&fixture.sibling("stderr"), &said)?;
    let messages = message::read(&fixture::read(&fixture.sibling("in.jsonl")))?;
    let oracle = Oracle::new(&checked)?;
    let several = oracle.resolver_count() > 1;
    let mut text = String::new();
    for resolver in 0..oracle.resolver_count() {
        if several {
            let _ = writeln!(text, "# {}", checked.program.resolvers[resolver].name); // writing to a String cannot fail
        }
        for outcome in oracle.run(resolver, &messages, &tiers()).map_err(|difference| different(&difference))? {
            let _ = writeln!(text, "{outcome}");
        }
    }
    bless::compare(&fixture.sibling("out.jsonl"), &text)
}

/// Two ways of running differ, as text.
pub fn different(difference: &Difference) -> String {
    format!(
        "resolver {}, message {}, {}:\n  means {}\n  gives {}",
        difference.resolver, difference.message, difference.way, difference.meaning, difference.found
    )
}

/// How many of each fate, as `applied 5, dead_letter 2`.
pub fn fates(outcomes: &[Outcome]) -> String {
    let count = |is: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| is(outcome)).count();
    let counts = [
        ("applied", count(|outcome| matches!(outcome, Outcome::Applied { .. }))),
        ("filtered", count(|outcome| matches!(outcome, Outcome::Filtered))),
        ("skipped", count(|outcome| matches!(outcome, Outcome::Skipped))),
        ("late", count(|outcome| matches!(outcome, Outcome::Late))),
        ("dead_letter", count(|outcome| matches!(outcome, Outcome::DeadLetter { .. }))),
    ];
    let parts: Vec<String> =
        counts.iter().filter(|(_, count)| *count > 0).map(|(name, count)| format!("{name} {count}")).collect();
    parts.join(", ")
}
