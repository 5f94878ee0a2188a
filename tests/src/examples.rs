//! The examples of the repository: each folder's package over its input gives its `expected.jsonl`.
//!
//! The folder's README says what a reader should see, so what is compared is what the command prints: the features of
//! applied messages, and how many messages met which fate.
//!
//! This file must not know any example.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use chalkc::project::Project;

use crate::fixture::{self, repository};
use crate::message::Message;
use crate::oracle::{Oracle, tiers};
use crate::outcome::Outcome;
use crate::{bless, package, run};

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
    let oracle = Oracle::new(&checked)?;
    let (mut features, mut fates) = (String::new(), String::new());
    for (index, resolver) in checked.program.resolvers.iter().enumerate() {
        let messages: Vec<Message> = fixture::read(&folder.join("input.jsonl"))
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.is_empty())
            .map(|(number, line)| Message {
                topic: checked.program.sources[resolver.source].name.clone(),
                ..Message::new(line, number as i64)
            })
            .collect();
        let outcomes = oracle.run(index, &messages, &tiers()).map_err(|difference| run::different(&difference))?;
        for outcome in &outcomes {
            if let Outcome::Applied { features: row, .. } = outcome {
                let _ = writeln!(features, "{row}"); // writing to a String cannot fail
            }
        }
        let _ = writeln!(fates, "{}: {}", resolver.name, run::fates(&outcomes));
    }
    bless::compare(&folder.join("expected.jsonl"), &features)?;
    bless::compare(&folder.join("expected_fates.txt"), &fates)
}
