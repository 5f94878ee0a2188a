//! The same sources give the same artifact, byte for byte, in whatever order a file system lists them.
//!
//! This file must not know the format of artifacts.

use std::fs;
use std::path::Path;

use chalk_codegen::{CompileOptions, Target};
use chalkc::compile::generate;
use chalkc::project::Project;

use crate::{examples, generate as generator, package};

fn artifact(files: &[(String, String)]) -> Result<Vec<u8>, String> {
    let checked = package::accepted(files)?;
    let module = generate(&checked, &CompileOptions::default()).map_err(|error| error.to_string())?;
    module.to_artifact().map_err(|error| error.to_string())
}

/// Two builds of an example are equal.
pub fn example(folder: &Path) -> Result<(), String> {
    let project = examples::project(folder)?;
    let (first, second) = (artifact(&project.files)?, artifact(&project.files)?);
    if first == second { Ok(()) } else { Err(format!("the builds differ {}", first_difference(&first, &second))) }
}

/// A package of many files gives one artifact, in whatever order its files were written, and wherever.
pub fn order_of_files() -> Result<(), String> {
    let files = generator::sample(1)?;
    let mut artifacts = Vec::new();
    for is_reversed in [false, true] {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mut files = files.clone();
        if is_reversed {
            files.reverse();
        }
        for (path, text) in &files {
            fs::write(folder.path().join(path), text).map_err(|error| error.to_string())?;
        }
        let project = Project::read(folder.path()).map_err(|error| error.to_string())?;
        artifacts.push(artifact(&project.files)?);
    }
    if artifacts[0] == artifacts[1] {
        Ok(())
    } else {
        Err(format!("the builds differ {}", first_difference(&artifacts[0], &artifacts[1])))
    }
}

/// Building on this machine for another does not depend on this machine.
pub fn other_target() -> Result<(), String> {
    let files = generator::sample(2)?;
    let checked = package::accepted(&files)?;
    let build = || {
        let module =
            generate(&checked, &CompileOptions::for_target(Target::Aarch64)).map_err(|error| error.to_string())?;
        module.to_artifact().map_err(|error| error.to_string())
    };
    let (first, second) = (build()?, build()?);
    if first == second { Ok(()) } else { Err(format!("the builds differ {}", first_difference(&first, &second))) }
}

fn first_difference(a: &[u8], b: &[u8]) -> String {
    let at = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    format!("from byte {at} on ({} and {} bytes)", a.len(), b.len())
}
