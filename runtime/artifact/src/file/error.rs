//! Why a file is refused: what was found, what was expected, what to do next.
//!
//! This file must not know how a file is read.

use std::fmt;

use super::{FORMAT_VERSION, cpu};

/// Why a file is not a usable artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArtifactError {
    /// It is something else.
    NotAnArtifact,
    /// It is of another format version.
    Version {
        /// The file's.
        found: u32,
    },
    /// It is shorter or longer than it says.
    Size {
        /// Bytes there are.
        found: u64,
        /// Bytes the header says.
        expected: u64,
    },
    /// Its bytes have changed since it was written.
    Corrupt {
        /// Hash of the bytes.
        found: u64,
        /// Hash that the header says.
        expected: u64,
    },
    /// It was compiled against another ABI.
    Abi {
        /// The file's fingerprint.
        found: u64,
        /// This runtime's.
        expected: u64,
    },
    /// It was compiled for another machine.
    Target {
        /// The file's triple.
        found: String,
        /// This machine's.
        expected: String,
    },
    /// The processor lacks features that the code uses.
    Cpu {
        /// Bits that are missing.
        missing: u64,
    },
    /// It holds a section that this version does not know.
    UnknownSection {
        /// Its name.
        name: String,
    },
    /// It lacks a section.
    MissingSection {
        /// Its name.
        name: &'static str,
    },
    /// The hash is right but the contents are not: written by something else, or a bug.
    Malformed {
        /// What is wrong, as a sentence.
        what: String,
    },
}

impl fmt::Display for ArtifactError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ArtifactError::NotAnArtifact => {
                f.write_str("this is not a chalk artifact; give the file that `chalkc build -o` wrote")
            }
            ArtifactError::Version { found } => write!(
                f,
                "the artifact has format version {found}, this program reads version {FORMAT_VERSION}; build it again with the chalkc of this release"
            ),
            ArtifactError::Size { found, expected } if found < expected => {
                write!(f, "the artifact is cut off: {found} bytes of {expected}; copy it again or build it again")
            }
            ArtifactError::Size { found, expected } => write!(
                f,
                "the artifact has {} bytes too many ({found}, expected {expected}); copy it again or build it again",
                found - expected
            ),
            ArtifactError::Corrupt { found, expected } => write!(
                f,
                "the artifact is damaged: its bytes hash to {found:016x}, expected {expected:016x}; copy it again or build it again"
            ),
            ArtifactError::Abi { found, expected } => write!(
                f,
                "the artifact was built for another runtime: its ABI is {found:016x}, this program's is {expected:016x}; build it again with the chalkc of this release"
            ),
            ArtifactError::Target { found, expected } => write!(
                f,
                "the artifact was built for {found}, this machine is {expected}; build it with `--target {}`",
                expected.split('-').next().unwrap_or(expected)
            ),
            ArtifactError::Cpu { missing } => write!(
                f,
                "the artifact uses processor features that this machine lacks ({}); build it with `--target x86_64-v2`",
                cpu::names(*missing).join(", ")
            ),
            ArtifactError::UnknownSection { name } => write!(
                f,
                "the artifact holds a section `{name}`, which this program does not know; build it again with the chalkc of this release"
            ),
            ArtifactError::MissingSection { name } => {
                write!(f, "the artifact lacks its section `{name}`; build it again")
            }
            ArtifactError::Malformed { what } => write!(f, "the artifact is malformed: {what}; build it again"),
        }
    }
}

impl std::error::Error for ArtifactError {}
