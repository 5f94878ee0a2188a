//! The file format: one ELF file with code, manifest and literals, readable by perf and gdb, loadable without a linker.
//!
//! | section | holds |
//! |---|---|
//! | `.chalk.header` | [`Header`], at a fixed place: magic, version, fingerprint of the ABI, target, size, hash |
//! | `.chalk.manifest` | [`crate::manifest::Manifest`], postcard; Arrow schemas follow from its types |
//! | `.chalk.srcmap` | [`SourceMap`], postcard: which line each piece of code comes from |
//! | `.chalk.literals` | bytes that code reads through its context |
//! | `.text` | code, aligned to a page and padded to a whole number of pages |
//! | `.symtab`, `.strtab`, `.shstrtab` | the kernels' names |
//!
//! Nothing is ever relocated: code reaches helpers through a table in its context. Equal sources give equal bytes.
//!
//! This module must not know how memory is mapped.

mod error;
mod header;
mod reader;
mod writer;

use serde::{Deserialize, Serialize};

pub use error::ArtifactError;
pub use header::{Header, cpu, host_features};
pub use reader::{ArtifactFile, read, read_for_inspection};
pub use writer::{Contents, write};

/// Version of the file format.
pub const FORMAT_VERSION: u32 = 1;
/// Code starts and ends at multiples of this.
pub const PAGE_BYTES: usize = 4096;
/// `EI_OSABI` of our ELF files: one of the values that systems leave to embedders, so that no loader takes them for its own.
const OS_ABI: u8 = 0xC4;

/// The first bytes of `.chalk.header`.
const MAGIC: [u8; 8] = *b"chalkb\r\n";
/// Where `.chalk.header` lies: right behind the ELF header.
const HEADER_OFFSET: usize = 64;

const SECTION_HEADER: &str = ".chalk.header";
const SECTION_MANIFEST: &str = ".chalk.manifest";
const SECTION_SOURCE_MAP: &str = ".chalk.srcmap";
const SECTION_LITERALS: &str = ".chalk.literals";
const SECTION_TEXT: &str = ".text";

/// Which line of the sources each piece of code comes from, by rising offset.
pub type SourceMap = Vec<SourceRange>;

/// A piece of code and its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRange {
    /// Its first byte in the text section.
    pub start: u32,
    /// Past its last byte.
    pub end: u32,
    /// Position of the file in the manifest.
    pub file: u32,
    /// 1-based line.
    pub line: u32,
}
