//! The header: what must agree before anything else of a file is looked at, and what this machine can run.
//!
//! This file must not know sections.

use super::{ArtifactError, MAGIC};

/// Bytes of the header in the file.
pub(super) const HEADER_BYTES: usize = 96;
/// Where the hash stands in the header; it is zero while the hash is taken.
pub(super) const HASH_OFFSET: usize = 40;
/// Bytes of the triple, padded with zeros.
const TRIPLE_BYTES: usize = 48;

/// What a file says about itself first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Version of the format.
    pub format_version: u32,
    /// Fingerprint of the ABI that the code was compiled against.
    pub abi_fingerprint: u64,
    /// What the processor must have: bits of [`cpu`].
    pub cpu_features: u64,
    /// Bytes of the whole file.
    pub file_bytes: u64,
    /// xxh3 over the whole file with this field zero.
    pub content_hash: u64,
    /// The target, `x86_64-unknown-linux-gnu`.
    pub target: String,
}

impl Header {
    /// The header's bytes.
    pub(super) fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&self.format_version.to_le_bytes());
        bytes[12..16].copy_from_slice(&(HEADER_BYTES as u32).to_le_bytes());
        bytes[16..24].copy_from_slice(&self.abi_fingerprint.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.cpu_features.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.file_bytes.to_le_bytes());
        bytes[HASH_OFFSET..48].copy_from_slice(&self.content_hash.to_le_bytes());
        assert!(self.target.len() <= TRIPLE_BYTES, "the triple is too long");
        bytes[48..48 + self.target.len()].copy_from_slice(self.target.as_bytes());
        bytes
    }

    /// Reads a header whose magic was checked.
    pub(super) fn from_bytes(bytes: &[u8; HEADER_BYTES]) -> Result<Header, ArtifactError> {
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word)
        };
        let triple = &bytes[48..48 + TRIPLE_BYTES];
        let length = triple.iter().position(|byte| *byte == 0).unwrap_or(TRIPLE_BYTES);
        let target = std::str::from_utf8(&triple[..length])
            .map_err(|_| ArtifactError::Malformed { what: "the target in the header is not text".to_owned() })?;
        Ok(Header {
            format_version: word(8) as u32,
            abi_fingerprint: word(16),
            cpu_features: word(24),
            file_bytes: word(32),
            content_hash: word(HASH_OFFSET),
            target: target.to_owned(),
        })
    }
}

/// Processor features as bits, and the levels made of them.
pub mod cpu {
    /// Names of the bits, from the lowest; x86-64 only (aarch64 code asks for nothing beyond its baseline).
    pub const NAMES: [&str; 12] =
        ["sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "cmpxchg16b", "avx", "avx2", "bmi1", "bmi2", "fma", "lzcnt"];
    /// The first six.
    pub const X86_64_V2: u64 = 0b11_1111;
    /// All of them.
    pub const X86_64_V3: u64 = 0b1111_1111_1111;

    /// The names of the bits that are set.
    pub fn names(features: u64) -> Vec<&'static str> {
        NAMES.iter().enumerate().filter(|(bit, _)| features >> bit & 1 == 1).map(|(_, name)| *name).collect()
    }
}

/// What this machine's processor has, as bits of [`cpu`].
pub fn host_features() -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        [
            is_x86_feature_detected!("sse3"),
            is_x86_feature_detected!("ssse3"),
            is_x86_feature_detected!("sse4.1"),
            is_x86_feature_detected!("sse4.2"),
            is_x86_feature_detected!("popcnt"),
            is_x86_feature_detected!("cmpxchg16b"),
            is_x86_feature_detected!("avx"),
            is_x86_feature_detected!("avx2"),
            is_x86_feature_detected!("bmi1"),
            is_x86_feature_detected!("bmi2"),
            is_x86_feature_detected!("fma"),
            is_x86_feature_detected!("lzcnt"),
        ]
        .iter()
        .enumerate()
        .fold(0, |features, (bit, has)| features | u64::from(*has) << bit)
    }
    #[cfg(not(target_arch = "x86_64"))]
    0
}

/// The triple of this machine.
pub(super) fn host_triple() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}
