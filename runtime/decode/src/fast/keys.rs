//! From a key on the wire to the field that is read, without comparing with every field.
//!
//! A key is hashed by its length and its first and last eight bytes; multiplier and table size are chosen so that no two
//! wanted keys share a slot, and the one candidate is compared in full.
//!
//! This file must not know values.

use super::simd::Simd;
use super::simd::portable::load;
use crate::batch::PADDING_BYTES;

const EMPTY: u16 = u16::MAX;

/// The wanted keys of one object.
pub(super) struct KeyTable {
    /// All keys one after the other, then padding.
    bytes: Vec<u8>,
    /// Of each field the offset and size of its key.
    spans: Vec<(u32, u32)>,
    slots: Vec<u16>,
    multiplier: u64,
    shift: u32,
}

/// The bits of a key that are hashed.
///
/// # Safety
/// `size_bytes + 8` bytes are readable.
#[inline(always)]
unsafe fn digest(key: *const u8, size_bytes: usize) -> u64 {
    // SAFETY: at most 8 bytes behind the key, or the last 8 of it.
    unsafe {
        let bits = if size_bytes >= 8 {
            load(key) ^ load(key.add(size_bytes - 8)).rotate_left(29)
        } else if size_bytes > 0 {
            load(key) << (64 - 8 * size_bytes)
        } else {
            0
        };
        bits ^ (size_bytes as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl KeyTable {
    /// A table of these keys, which differ; none where no table without collisions was found.
    pub(super) fn new<'a>(keys: impl Iterator<Item = &'a [u8]>) -> Option<KeyTable> {
        let (mut bytes, mut spans) = (Vec::new(), Vec::new());
        for key in keys {
            spans.push((bytes.len() as u32, key.len() as u32));
            bytes.extend_from_slice(key);
        }
        bytes.extend_from_slice(&[0; PADDING_BYTES]);
        let digests: Vec<u64> = spans
            .iter()
            // SAFETY: the keys lie in `bytes`, which ends with padding.
            .map(|&(offset, size)| unsafe { digest(bytes.as_ptr().add(offset as usize), size as usize) })
            .collect();
        let least_bits = (spans.len() * 2).next_power_of_two().trailing_zeros().max(1);
        for bits in least_bits..least_bits + 4 {
            let shift = 64 - bits;
            let mut multiplier = 0x9e37_79b9_7f4a_7c15u64;
            'attempt: for _ in 0..200 {
                multiplier = multiplier.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(2) | 1;
                let mut slots = vec![EMPTY; 1 << bits];
                for (index, digest) in digests.iter().enumerate() {
                    let slot = &mut slots[(digest.wrapping_mul(multiplier) >> shift) as usize];
                    if *slot != EMPTY {
                        continue 'attempt;
                    }
                    *slot = index as u16;
                }
                return Some(KeyTable { bytes, spans, slots, multiplier, shift });
            }
        }
        None
    }

    /// Whether the key is that of the field.
    ///
    /// # Safety
    /// As `Simd::equal`.
    #[inline(always)]
    pub(super) unsafe fn is<S: Simd>(&self, field: usize, key: *const u8, size_bytes: usize) -> bool {
        let (offset, size) = self.spans[field];
        // SAFETY: the field's key lies in `bytes`, which ends with padding; the caller vouches for the other.
        size as usize == size_bytes && unsafe { S::equal(key, self.bytes.as_ptr().add(offset as usize), size_bytes) }
    }

    /// The field with that key.
    ///
    /// # Safety
    /// As `Simd::equal`.
    #[inline(always)]
    pub(super) unsafe fn find<S: Simd>(&self, key: *const u8, size_bytes: usize) -> Option<usize> {
        // SAFETY: as the caller promises.
        let digest = unsafe { digest(key, size_bytes) };
        let field = self.slots[(digest.wrapping_mul(self.multiplier) >> self.shift) as usize];
        // SAFETY: as the caller promises.
        (field != EMPTY && unsafe { self.is::<S>(field as usize, key, size_bytes) }).then_some(field as usize)
    }
}
