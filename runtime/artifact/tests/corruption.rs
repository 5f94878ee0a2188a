//! Files that are not what they were: every one is refused, with the error that says why.

use chalk_artifact::file::{self, ArtifactError, Contents, Header, SourceRange};
use chalk_artifact::manifest::{Kernel, Manifest};

fn manifest() -> Manifest {
    let kernel = |symbol: &str, text_offset, size_bytes| Kernel {
        symbol: symbol.to_owned(),
        text_offset,
        size_bytes,
        inputs: Vec::new(),
        outputs: Vec::new(),
        ir: String::new(),
    };
    Manifest {
        compiler_version: "test".to_owned(),
        kernels: vec![kernel("a::main", 0, 16), kernel("b::main", 32, 8)],
        ..Manifest::default()
    }
}

fn target() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

fn artifact_with(target: &str, cpu_features: u64, manifest: &Manifest) -> Vec<u8> {
    let source_map = vec![SourceRange { start: 0, end: 4, file: 0, line: 1 }];
    let contents = Contents {
        target,
        cpu_features,
        manifest,
        source_map: &source_map,
        text: &[0xC3; 64],
        literals: b"literal bytes",
    };
    file::write(&contents).expect("an artifact is written")
}

fn artifact() -> Vec<u8> {
    artifact_with(&target(), 0, &manifest())
}

fn refusal(bytes: &[u8]) -> ArtifactError {
    let error = file::read(bytes).expect_err("it is refused");
    // Every message is a sentence that says what to do.
    assert!(error.to_string().contains("build") || error.to_string().contains("give the file"), "{error}");
    error
}

/// Changes the header and seals the file again, as somebody would who writes files of another kind on purpose.
fn resealed(mut bytes: Vec<u8>, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    const HASH: std::ops::Range<usize> = 104..112;
    change(&mut bytes);
    bytes[HASH].fill(0);
    let hash = xxhash_rust::xxh3::xxh3_64(&bytes);
    bytes[HASH].copy_from_slice(&hash.to_le_bytes());
    bytes
}

#[test]
fn what_is_written_is_read() {
    let bytes = artifact();
    let read = file::read(&bytes).expect("it is whole");
    assert_eq!(read.manifest, manifest());
    assert_eq!(read.literals, b"literal bytes");
    assert_eq!(read.text.len(), file::PAGE_BYTES);
    assert_eq!(&read.text[..64], &[0xC3; 64]);
    assert_eq!(read.source_map().expect("it has one").len(), 1);
    let Header { format_version, file_bytes, target: triple, .. } = read.header;
    assert_eq!((format_version, file_bytes, triple), (file::FORMAT_VERSION, bytes.len() as u64, target()));
    assert_eq!(artifact(), bytes, "equal contents give equal bytes");
}

#[test]
fn every_changed_byte_is_found() {
    let bytes = artifact();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        let error = refusal(&changed);
        let expected = match at {
            0..4 | 7 | 64..72 => matches!(error, ArtifactError::NotAnArtifact),
            72..76 => matches!(error, ArtifactError::Version { .. }),
            96..104 => matches!(error, ArtifactError::Size { .. }),
            _ => matches!(error, ArtifactError::Corrupt { .. }),
        };
        assert!(expected, "byte {at}: {error}");
    }
}

#[test]
fn every_cut_is_found() {
    let bytes = artifact();
    for length in (0..bytes.len()).step_by(7).chain([64, 72, 159, 160, 161, bytes.len() - 1]) {
        let error = refusal(&bytes[..length]);
        let expected = match length {
            0..72 => matches!(error, ArtifactError::NotAnArtifact),
            _ => matches!(error, ArtifactError::Size { found, expected } if found < expected),
        };
        assert!(expected, "{length} bytes: {error}");
    }
}

#[test]
fn bytes_behind_the_end_are_found() {
    let mut bytes = artifact();
    bytes.extend(b"junk");
    let error = refusal(&bytes);
    assert!(matches!(error, ArtifactError::Size { found, expected } if found == expected + 4));
    assert!(error.to_string().contains("4 bytes too many"), "{error}");
}

#[test]
fn other_versions_are_refused_before_anything_else_is_believed() {
    let bytes = resealed(artifact(), |bytes| bytes[72] = 9);
    assert_eq!(refusal(&bytes), ArtifactError::Version { found: 9 });
}

#[test]
fn another_abi_is_refused() {
    let bytes = resealed(artifact(), |bytes| bytes[80] ^= 1);
    assert!(matches!(refusal(&bytes), ArtifactError::Abi { .. }));
    assert!(file::read_for_inspection(&bytes).is_ok(), "it may still be looked at");
}

#[test]
fn another_machine_is_refused() {
    let other = if cfg!(target_arch = "x86_64") { "aarch64" } else { "x86_64" };
    let bytes = artifact_with(&format!("{other}-unknown-linux-gnu"), 0, &manifest());
    let error = refusal(&bytes);
    assert!(matches!(error, ArtifactError::Target { .. }));
    assert!(error.to_string().contains(&format!("--target {}", std::env::consts::ARCH)), "{error}");
}

#[test]
fn a_processor_without_the_features_is_refused() {
    let error = refusal(&artifact_with(&target(), 1 << 40, &manifest()));
    assert_eq!(error, ArtifactError::Cpu { missing: 1 << 40 });
    if cfg!(target_arch = "x86_64") {
        assert_eq!(file::cpu::names(file::cpu::X86_64_V2).len(), 6);
    }
}

#[test]
fn an_unknown_section_is_refused_by_name() {
    let bytes = artifact();
    let at = bytes.windows(15).position(|window| window == b".chalk.manifest").expect("the name is there");
    let renamed = resealed(bytes, |bytes| bytes[at..at + 15].copy_from_slice(b".chalk.mystery2"));
    assert_eq!(refusal(&renamed), ArtifactError::UnknownSection { name: ".chalk.mystery2".to_owned() });
}

#[test]
fn a_missing_section_is_named() {
    let bytes = artifact();
    let at = bytes.windows(15).position(|window| window == b".chalk.literals").expect("the name is there");
    // An empty name is that of the null section, which nobody looks at.
    let unnamed = resealed(bytes, |bytes| bytes[at] = 0);
    assert_eq!(refusal(&unnamed), ArtifactError::MissingSection { name: ".chalk.literals" });
}

#[test]
fn kernels_outside_of_the_code_are_refused() {
    let mut manifest = manifest();
    manifest.kernels[1].text_offset = file::PAGE_BYTES as u64;
    assert!(matches!(refusal(&artifact_with(&target(), 0, &manifest)), ArtifactError::Malformed { .. }));
    manifest.kernels[1].text_offset = u64::MAX;
    assert!(matches!(refusal(&artifact_with(&target(), 0, &manifest)), ArtifactError::Malformed { .. }));
}

#[test]
fn a_manifest_that_does_not_decode_is_malformed() {
    let bytes = artifact();
    let at = bytes.windows(4).position(|window| window == b"test").expect("the compiler's version is there");
    let broken = resealed(bytes, |bytes| bytes[at - 1..at + 4].fill(0xFF));
    assert!(matches!(refusal(&broken), ArtifactError::Malformed { .. }));
}

#[test]
fn nothing_is_relocated_and_every_kernel_has_a_symbol() {
    use object::{Object, ObjectSection, ObjectSymbol};
    let bytes = artifact();
    let elf = object::File::parse(bytes.as_slice()).expect("it is an ELF file");
    assert!(elf.sections().all(|section| section.relocations().next().is_none()));
    assert!(elf.symbols().all(|symbol| !symbol.is_undefined()));
    let names: Vec<(&str, u64, u64)> = elf
        .symbols()
        .map(|symbol| (symbol.name().expect("names are text"), symbol.address(), symbol.size()))
        .filter(|(name, ..)| name.contains("::"))
        .collect();
    assert_eq!(names, [("a::main", 0, 16), ("b::main", 32, 8)]);
}
