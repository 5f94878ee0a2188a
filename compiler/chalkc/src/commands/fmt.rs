//! `chalkc fmt`: files in the canonical layout.
//!
//! A file with syntax errors is left as it is and reported; the others are formatted all the same.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use chalk_diagnostics::SourceMap;

use super::{DiagnosticFormat, Failure, current_folder, print, show};
use crate::project::Project;

#[derive(clap::Args)]
pub(super) struct Args {
    /// A .chalk file, a folder of them, or `-` for standard input to standard output
    #[arg(default_value_os_t = current_folder())]
    path: PathBuf,
    /// Change nothing; fail where a file is not formatted
    #[arg(long)]
    check: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    if args.path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        let formatted = format("-", &text).ok_or(Failure::Reported)?;
        return if args.check && formatted != text { Err(Failure::Reported) } else { print(&formatted) };
    }
    let project = Project::read(&args.path)?;
    let mut failed = false;
    for (relative, text) in &project.files {
        let path = project.path_of(relative);
        let Some(formatted) = format(&path.to_string_lossy(), text) else {
            failed = true;
            continue;
        };
        if formatted == *text {
            continue;
        }
        if args.check {
            failed = true;
            eprintln!("{}: not formatted; run `chalkc fmt`", path.display());
        } else {
            fs::write(&path, formatted)
                .map_err(|error| Failure::Message(format!("cannot write {}: {error}", path.display())))?;
            eprintln!("{}: formatted", path.display());
        }
    }
    if failed { Err(Failure::Reported) } else { Ok(()) }
}

/// The text formatted; none where it has errors, which were shown.
fn format(path: &str, text: &str) -> Option<String> {
    match chalk_syntax::format(text) {
        Ok(formatted) => Some(formatted),
        Err(diagnostics) => {
            let mut sources = SourceMap::new();
            sources.add(path, text);
            show(&sources, &diagnostics, DiagnosticFormat::Human, &mut std::io::stderr());
            None
        }
    }
}
