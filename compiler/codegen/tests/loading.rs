//! Artifacts from a file: the same answers as in memory, and one clear refusal for each way to be wrong.

mod support;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use chalk_artifact::file::{self, ArtifactError};
use chalk_codegen::CompileOptions;
use chalk_decode::Tier;
use chalk_engine::loader::{self, LoadError};
use chalk_engine::{Envelope, Executor, InputBatch, Program};
use support::{build, catalog};

const USERS: &str = include_str!("support/users.chalk");

/// A file that is removed again.
struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str, bytes: &[u8]) -> TempFile {
        let path = std::env::temp_dir().join(format!("chalk-loading-{}-{name}", std::process::id()));
        let mut file = std::fs::File::create(&path).expect("the temporary folder can be written");
        file.write_all(bytes).expect("the temporary folder has room");
        TempFile(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn users() -> Vec<u8> {
    build(USERS, CompileOptions::host()).to_artifact().expect("an artifact is written")
}

#[test]
fn a_loaded_artifact_runs() {
    let file = TempFile::new("runs", &users());
    let image = loader::load(&file.0).expect("it was written for this machine");
    let program: Arc<Program> = Program::link(image, catalog()).expect("no import is missing");
    let mut executor = Executor::new(&program, 0, Tier::Scalar).expect("the plan can be decoded");
    let mut input = InputBatch::new();
    let message = br#"{"id":1,"name":"n","updated_at":5,"contact_info":{"phone_number":"p","email_address":"a.long.address@example.com"}}"#;
    for _ in 0..1000 {
        input.push(message, &Envelope { topic: "t", ..Envelope::default() }).expect("the batch has room");
    }
    assert_eq!(executor.run(&input, 0).fates.applied, 1000);
}

#[test]
fn code_in_a_file_is_the_code_in_memory() {
    let module = build(USERS, CompileOptions::host());
    let bytes = module.to_artifact().expect("an artifact is written");
    let artifact = file::read(&bytes).expect("it was written for this machine");
    let image = module.jit().expect("code is mapped");
    let kernel = &artifact.manifest.kernels[0];
    let (start, size) = (kernel.text_offset as usize, kernel.size_bytes as usize);
    // SAFETY: the image holds the kernel's code, of that size, and is alive.
    let mapped = unsafe { std::slice::from_raw_parts(image.kernel(0) as *const u8, size) };
    assert_eq!(mapped, &artifact.text[start..start + size]);
}

#[test]
fn what_is_no_artifact_is_refused_by_name() {
    for (name, bytes) in [("empty", &b""[..]), ("text", b"features User {}"), ("elf", &users()[..60])] {
        let file = TempFile::new(name, bytes);
        let error = loader::load(&file.0).err().expect("it is refused");
        assert!(matches!(error, LoadError::Artifact { error: ArtifactError::NotAnArtifact, .. }), "{error}");
        assert!(error.to_string().contains("is not a chalk artifact"), "{error}");
    }
    let error = loader::load(std::path::Path::new("/nowhere/app.chalkb")).err().expect("it is refused");
    assert!(error.to_string().starts_with("/nowhere/app.chalkb cannot be read"), "{error}");
    let own = std::env::current_exe().expect("a test has a file");
    assert!(matches!(loader::load(&own), Err(LoadError::Artifact { error: ArtifactError::NotAnArtifact, .. })));
}
