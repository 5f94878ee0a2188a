//! `chalkc check`: what is wrong with a package.
//!
//! Diagnostics are the command's result, so they go to standard output.

use std::path::PathBuf;

use super::{DiagnosticFormat, Failure, current_folder, show};
use crate::compile::check;
use crate::project::Project;

#[derive(clap::Args)]
pub(super) struct Args {
    /// A .chalk file or a folder of them
    #[arg(default_value_os_t = current_folder())]
    path: PathBuf,
    /// How diagnostics are shown
    #[arg(long, value_enum, default_value = "human")]
    format: DiagnosticFormat,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let project = Project::read(&args.path)?;
    let checked = check(&project.files);
    show(&project.displayed(), &checked.diagnostics, args.format, &mut std::io::stdout());
    if !checked.is_ok() {
        return Err(Failure::Reported);
    }
    if args.format == DiagnosticFormat::Human {
        let program = &checked.program;
        eprintln!(
            "ok: {} files, {} feature classes, {} stream resolvers",
            project.files.len(),
            program.classes.len(),
            program.resolvers.len()
        );
    }
    Ok(())
}
