//! Writing an artifact.
//!
//! The order of sections and symbols is fixed and nothing from outside (time, paths) gets in, so equal contents give equal
//! bytes. The size and the hash are filled in last.
//!
//! This file must not know where the bytes go.

use object::write::{Object, StandardSegment, Symbol, SymbolSection};
use object::{Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope};

use super::header::{HASH_OFFSET, HEADER_BYTES};
use super::{
    ArtifactError, FORMAT_VERSION, HEADER_OFFSET, Header, MAGIC, OS_ABI, PAGE_BYTES, SECTION_HEADER, SECTION_LITERALS,
    SECTION_MANIFEST, SECTION_SOURCE_MAP, SECTION_TEXT, SourceMap,
};
use crate::abi;
use crate::manifest::Manifest;

/// What goes into an artifact.
#[derive(Clone, Copy, Debug)]
pub struct Contents<'a> {
    /// The target triple; its first part is `x86_64` or `aarch64`.
    pub target: &'a str,
    /// What the processor must have.
    pub cpu_features: u64,
    /// The description.
    pub manifest: &'a Manifest,
    /// Lines of the code.
    pub source_map: &'a SourceMap,
    /// Code of all kernels, at the offsets that the manifest says.
    pub text: &'a [u8],
    /// Literal bytes.
    pub literals: &'a [u8],
}

/// The bytes of an artifact.
pub fn write(contents: &Contents<'_>) -> Result<Vec<u8>, ArtifactError> {
    write_with(contents, abi::fingerprint(), FORMAT_VERSION, &[])
}

/// The same, with other versions and more sections: for tests of the reader.
pub(super) fn write_with(
    contents: &Contents<'_>,
    abi_fingerprint: u64,
    format_version: u32,
    extra_sections: &[(&str, &[u8])],
) -> Result<Vec<u8>, ArtifactError> {
    let malformed = |what: String| ArtifactError::Malformed { what };
    let architecture = match contents.target.split('-').next() {
        Some("x86_64") => Architecture::X86_64,
        Some("aarch64") => Architecture::Aarch64,
        _ => return Err(malformed(format!("no architecture in the target `{}`", contents.target))),
    };
    let mut header = Header {
        format_version,
        abi_fingerprint,
        cpu_features: contents.cpu_features,
        file_bytes: 0,
        content_hash: 0,
        target: contents.target.to_owned(),
    };
    let manifest = postcard::to_stdvec(contents.manifest).map_err(|error| malformed(error.to_string()))?;
    let source_map = postcard::to_stdvec(contents.source_map).map_err(|error| malformed(error.to_string()))?;

    let mut object = Object::new(BinaryFormat::Elf, architecture, Endianness::Little);
    object.flags = object::FileFlags::Elf {
        os_abi: object::elf::OsAbi(OS_ABI),
        abi_version: 0,
        e_flags: object::elf::FileFlags(0),
    };
    let mut add = |name: &str, kind: SectionKind, data: &[u8], align: u64| {
        let segment = object.segment_name(StandardSegment::Data).to_vec();
        let section = object.add_section(segment, name.as_bytes().to_vec(), kind);
        object.append_section_data(section, data, align);
        section
    };
    add(SECTION_HEADER, SectionKind::ReadOnlyData, &header.to_bytes(), 8);
    add(SECTION_MANIFEST, SectionKind::ReadOnlyData, &manifest, 8);
    add(SECTION_SOURCE_MAP, SectionKind::ReadOnlyData, &source_map, 8);
    add(SECTION_LITERALS, SectionKind::ReadOnlyData, contents.literals, 16);
    for (name, data) in extra_sections {
        add(name, SectionKind::ReadOnlyData, data, 8);
    }
    let mut text = contents.text.to_vec();
    // The rest of the last page must not hold anything that could be run by mistake.
    let filler = if architecture == Architecture::X86_64 { 0xCC } else { 0 };
    text.resize(text.len().next_multiple_of(PAGE_BYTES), filler);
    let text_section = add(SECTION_TEXT, SectionKind::Text, &text, PAGE_BYTES as u64);
    for kernel in &contents.manifest.kernels {
        object.add_symbol(Symbol {
            name: kernel.symbol.clone().into_bytes(),
            value: kernel.text_offset,
            size: kernel.size_bytes,
            kind: SymbolKind::Text,
            scope: SymbolScope::Linkage,
            weak: false,
            section: SymbolSection::Section(text_section),
            flags: SymbolFlags::None,
        });
    }
    let mut bytes = object.write().map_err(|error| malformed(error.to_string()))?;
    assert_eq!(bytes[HEADER_OFFSET..HEADER_OFFSET + MAGIC.len()], MAGIC, "the header is not where readers look");
    header.file_bytes = bytes.len() as u64;
    bytes[HEADER_OFFSET..HEADER_OFFSET + HEADER_BYTES].copy_from_slice(&header.to_bytes());
    seal(&mut bytes);
    Ok(bytes)
}

/// Puts in the hash of everything else.
pub(super) fn seal(bytes: &mut [u8]) {
    let at = HEADER_OFFSET + HASH_OFFSET;
    bytes[at..at + 8].fill(0);
    let hash = xxhash_rust::xxh3::xxh3_64(bytes);
    bytes[at..at + 8].copy_from_slice(&hash.to_le_bytes());
}
