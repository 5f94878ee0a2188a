//! `chalkc build`: a package to one artifact.
//!
//! The artifact is written beside its place and then moved there, so that a runtime that starts meanwhile sees the old one or the new one.

use std::fs;
use std::path::{Path, PathBuf};

use chalk_codegen::{CompileOptions, Target};

use super::{DiagnosticFormat, Failure, checked_package, current_folder};
use crate::compile::generate;

#[derive(clap::Args)]
pub(super) struct Args {
    /// A .chalk file or a folder of them
    #[arg(default_value_os_t = current_folder())]
    path: PathBuf,
    /// Where the artifact goes
    #[arg(short, long, default_value = "app.chalkb")]
    output: PathBuf,
    /// The machine that will run it: x86_64 (with AVX2), x86_64-v2, aarch64, or their triples; the default is this kind of machine
    #[arg(long, value_name = "TRIPLE")]
    target: Option<Target>,
    /// How diagnostics are shown
    #[arg(long, value_enum, default_value = "human")]
    format: DiagnosticFormat,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let (_, checked) = checked_package(&args.path, args.format)?;
    let module = generate(&checked, &CompileOptions { target: args.target })?;
    let bytes = module.to_artifact()?;
    write_whole(&args.output, &bytes)
        .map_err(|error| Failure::Message(format!("cannot write {}: {error}", args.output.display())))?;
    let manifest = module.manifest();
    eprintln!(
        "{}: {} bytes, {} resolvers, {} kernels",
        args.output.display(),
        bytes.len(),
        manifest.resolvers.len(),
        manifest.kernels.len()
    );
    Ok(())
}

fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let temporary = path.with_file_name(name);
    fs::write(&temporary, bytes)?;
    fs::rename(&temporary, path).inspect_err(|_| {
        let _ = fs::remove_file(&temporary); // the first error is the one to tell
    })
}
