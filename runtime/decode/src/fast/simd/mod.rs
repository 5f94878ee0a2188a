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

/// Vector operations of one instruction set.
pub(crate) trait Simd {
    /// The first byte from `at` on that is `"`, `\` or a control character; something at or behind `end` where none
    /// comes before it.
    ///
    /// # Safety
    /// The processor has the instruction set; `at <= end`, and `PADDING_BYTES` behind `end` are readable.
    unsafe fn find_special(at: *const u8, end: *const u8) -> *const u8;

    /// Whether the `size_bytes` at `a` and `b` are the same.
    ///
    /// # Safety
    /// The processor has the instruction set; `size_bytes + PADDING_BYTES` are readable at both.
    unsafe fn equal(a: *const u8, b: *const u8, size_bytes: usize) -> bool;

    /// Whether all of the bytes are ASCII.
    ///
    /// # Safety
    /// The processor has the instruction set; `size_bytes + PADDING_BYTES` are readable.
    unsafe fn is_ascii(at: *const u8, size_bytes: usize) -> bool;
}
