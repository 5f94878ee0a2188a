//! The few vector operations that everything fast is made of, one implementation per instruction set.
//!
//! The tiers above are written once over this trait and compiled once per set. All of it reads whole vectors: a message
//! is followed by `PADDING_BYTES` readable bytes, and every load here starts at or before the message's end.
//!
//! This module must not know JSON's grammar.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
pub(crate) mod portable;

/// Bytes that one word of marks stands for.
pub(crate) const MARKED_BYTES: usize = 64;

/// Vector operations of one instruction set.
pub(crate) trait Simd: super::outlined::Outlined {
    /// Marks the bytes that are `"`, `\` or a control character: bit `n` of word `n / 64` for byte `n`, none behind the end.
    /// Writes `size_bytes / 64 + 1` words. Says whether all of the bytes are ASCII.
    ///
    /// # Safety
    /// The processor has the instruction set; `size_bytes + PADDING_BYTES` are readable; so many words are writable.
    unsafe fn mark(at: *const u8, size_bytes: usize, marks: *mut u64) -> bool;

    /// Whether the `size_bytes` at `a` and `b` are the same.
    ///
    /// # Safety
    /// The processor has the instruction set; `size_bytes + PADDING_BYTES` are readable at both.
    unsafe fn equal(a: *const u8, b: *const u8, size_bytes: usize) -> bool;

    /// How many of the 16 bytes at `at` are digits before the first that is none, and what those are worth.
    ///
    /// # Safety
    /// The processor has the instruction set; 16 bytes are readable.
    unsafe fn digits(at: *const u8) -> (usize, u64);
}
