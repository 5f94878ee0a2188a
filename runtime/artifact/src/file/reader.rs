//! Reading an artifact: every check before any use, and one clear error for each that fails.
//!
//! First what the file is, then whether it is whole and unchanged, then whether it fits this runtime and this machine, then
//! its contents. A file that passes may be mapped and called.
//!
//! This file must not know how memory is mapped.

use std::ops::Range;

use object::read::elf::{ElfFile64, FileHeader};
use object::{Endianness, Object, ObjectSection};

use super::header::{HASH_OFFSET, HEADER_BYTES, host_features, host_triple};
use super::{
    ArtifactError, FORMAT_VERSION, HEADER_OFFSET, Header, MAGIC, OS_ABI, PAGE_BYTES, SECTION_HEADER, SECTION_LITERALS,
    SECTION_MANIFEST, SECTION_SOURCE_MAP, SECTION_TEXT, SourceMap,
};
use crate::abi;
use crate::manifest::Manifest;

/// An artifact, checked.
#[derive(Debug)]
pub struct ArtifactFile<'a> {
    /// Its header.
    pub header: Header,
    /// Its description.
    pub manifest: Manifest,
    /// Literal bytes.
    pub literals: &'a [u8],
    /// Code of all kernels.
    pub text: &'a [u8],
    /// Where the code lies in the file: whole pages.
    pub text_range: Range<usize>,
    /// Where the literals lie in the file.
    pub literals_range: Range<usize>,
    source_map: &'a [u8],
}

impl ArtifactFile<'_> {
    /// Lines of the code. It is not needed to run, so it is decoded only when asked for.
    pub fn source_map(&self) -> Result<SourceMap, ArtifactError> {
        postcard::from_bytes(self.source_map).map_err(|error| malformed(format!("source map: {error}")))
    }
}

fn malformed(what: impl Into<String>) -> ArtifactError {
    ArtifactError::Malformed { what: what.into() }
}

/// Reads an artifact that this process is to run.
pub fn read(bytes: &[u8]) -> Result<ArtifactFile<'_>, ArtifactError> {
    let header = read_header(bytes)?;
    let expected = abi::fingerprint();
    if header.abi_fingerprint != expected {
        return Err(ArtifactError::Abi { found: header.abi_fingerprint, expected });
    }
    let expected = host_triple();
    if header.target != expected {
        return Err(ArtifactError::Target { found: header.target, expected });
    }
    let missing = header.cpu_features & !host_features();
    if missing != 0 {
        return Err(ArtifactError::Cpu { missing });
    }
    read_sections(bytes, header)
}

/// Reads an artifact to look at it: it may be for another machine.
pub fn read_for_inspection(bytes: &[u8]) -> Result<ArtifactFile<'_>, ArtifactError> {
    read_sections(bytes, read_header(bytes)?)
}

fn read_header(bytes: &[u8]) -> Result<Header, ArtifactError> {
    let is_ours = bytes.get(..8).is_some_and(|ident| ident[..4] == *b"\x7fELF" && ident[7] == OS_ABI);
    let magic = bytes.get(HEADER_OFFSET..HEADER_OFFSET + MAGIC.len());
    if !is_ours || magic != Some(&MAGIC) {
        return Err(ArtifactError::NotAnArtifact);
    }
    let too_short = ArtifactError::Size { found: bytes.len() as u64, expected: (HEADER_OFFSET + HEADER_BYTES) as u64 };
    let header = bytes
        .get(HEADER_OFFSET..HEADER_OFFSET + HEADER_BYTES)
        .and_then(|header| header.try_into().ok())
        .ok_or(too_short)?;
    let header = Header::from_bytes(header)?;
    if header.format_version != FORMAT_VERSION {
        return Err(ArtifactError::Version { found: header.format_version });
    }
    if header.file_bytes != bytes.len() as u64 {
        return Err(ArtifactError::Size { found: bytes.len() as u64, expected: header.file_bytes });
    }
    let found = content_hash(bytes);
    if found != header.content_hash {
        return Err(ArtifactError::Corrupt { found, expected: header.content_hash });
    }
    Ok(header)
}

/// The hash of the file with the hash's own field taken for zero.
fn content_hash(bytes: &[u8]) -> u64 {
    let at = HEADER_OFFSET + HASH_OFFSET;
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    hasher.update(&bytes[..at]);
    hasher.update(&[0; 8]);
    hasher.update(&bytes[at + 8..]);
    hasher.digest()
}

fn read_sections(bytes: &[u8], header: Header) -> Result<ArtifactFile<'_>, ArtifactError> {
    let elf = ElfFile64::<Endianness>::parse(bytes).map_err(|error| malformed(error.to_string()))?;
    if elf.elf_header().e_shnum(Endianness::Little) == 0 {
        return Err(malformed("it has no sections"));
    }
    let mut found: [Option<Range<usize>>; 5] = Default::default();
    const NAMES: [&str; 5] = [SECTION_HEADER, SECTION_MANIFEST, SECTION_SOURCE_MAP, SECTION_LITERALS, SECTION_TEXT];
    for section in elf.sections() {
        let name = section.name().map_err(|error| malformed(error.to_string()))?;
        if matches!(name, "" | ".symtab" | ".strtab" | ".shstrtab") {
            continue;
        }
        let Some(index) = NAMES.iter().position(|known| *known == name) else {
            return Err(ArtifactError::UnknownSection { name: name.to_owned() });
        };
        if section.relocations().next().is_some() {
            return Err(malformed(format!("section `{name}` has relocations")));
        }
        let (offset, size) = section.file_range().ok_or_else(|| malformed(format!("section `{name}` has no bytes")))?;
        let range = offset as usize..offset.saturating_add(size) as usize;
        if bytes.get(range.clone()).is_none() {
            return Err(malformed(format!("section `{name}` goes past the end of the file")));
        }
        if found[index].replace(range).is_some() {
            return Err(malformed(format!("there are two sections `{name}`")));
        }
    }
    let mut section = |index: usize| found[index].take().ok_or(ArtifactError::MissingSection { name: NAMES[index] });
    let (head, manifest, source_map) = (section(0)?, section(1)?, section(2)?);
    let (literals_range, text_range) = (section(3)?, section(4)?);
    if head.start != HEADER_OFFSET {
        return Err(malformed("its header is not where it belongs"));
    }
    if text_range.start % PAGE_BYTES != 0 || text_range.len() % PAGE_BYTES != 0 {
        return Err(malformed("its code is not made of whole pages"));
    }
    let manifest: Manifest =
        postcard::from_bytes(&bytes[manifest]).map_err(|error| malformed(format!("manifest: {error}")))?;
    for kernel in &manifest.kernels {
        let end = kernel.text_offset.checked_add(kernel.size_bytes);
        if kernel.size_bytes == 0 || end.is_none_or(|end| end > text_range.len() as u64) {
            return Err(malformed(format!("kernel `{}` lies outside of the code", kernel.symbol)));
        }
    }
    Ok(ArtifactFile {
        header,
        manifest,
        literals: &bytes[literals_range.clone()],
        text: &bytes[text_range.clone()],
        text_range,
        literals_range,
        source_map: &bytes[source_map],
    })
}
