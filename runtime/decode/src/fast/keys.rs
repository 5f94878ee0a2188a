//! From a key on the wire to the field that is read, without comparing with every field.
//!
//! A key is hashed by its length and its first and last eight bytes; multiplier and table size are chosen so that no two
//! wanted keys share a slot, and the one candidate is compared in full.
//!
//! This file must not know values.

use super::simd::Simd;
use super::simd::portable::load;
use crate::batch::PADDING_BYTES;

/// The wanted keys of one object.
pub(super) struct KeyTable {
    /// All keys one after the other, then padding.
    bytes: Vec<u8>,
    /// Of each field the offset and size of its key; then one that no key has.
    spans: Vec<(u32, u32)>,
    /// A field, or their number where there is none.
    slots: Vec<u16>,
    multiplier: u64,
    shift: u32,
}

/// By size: the bits of so many bytes.
static FIRST_BYTES: [u64; 9] = {
    let mut masks = [u64::MAX; 9];
    let mut size = 0;
    while size < 8 {
        masks[size] = (1 << (8 * size)) - 1;
        size += 1;
    }
    masks
};

/// The bits of a key that are hashed. How long a key is cannot be foreseen where keys come in any order, so there is no branch on it.
///
/// # Safety
/// `size_bytes + 8` bytes are readable.
#[inline(always)]
unsafe fn digest(key: *const u8, size_bytes: usize) -> u64 {
    // SAFETY: 8 bytes from the key on, and the last 8 of a key that has as many; `min` is at most 8.
    unsafe {
        let mask = *FIRST_BYTES.get_unchecked(size_bytes.min(8));
        let (first, last) = (load(key) & mask, load(key.add(size_bytes.max(8) - 8)) & mask);
        first ^ last.rotate_left(29) ^ (size_bytes as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
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
        let count = spans.len() as u16;
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
                let mut slots = vec![count; 1 << bits];
                for (index, digest) in digests.iter().enumerate() {
                    let slot = &mut slots[(digest.wrapping_mul(multiplier) >> shift) as usize];
                    if *slot != count {
                        continue 'attempt;
                    }
                    *slot = index as u16;
                }
                // No key is as long as this.
                spans.push((0, u32::MAX));
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
        // SAFETY: as the caller promises; a slot holds a field or their number, and that has a span too.
        unsafe {
            let field = self.candidate(key, size_bytes);
            self.is::<S>(field, key, size_bytes).then_some(field)
        }
    }

    /// The field with that key, or the number of fields: without a branch on which it is, or whether it is one.
    ///
    /// # Safety
    /// As `Simd::equal`.
    #[inline(always)]
    pub(super) unsafe fn find_or_count<S: Simd>(&self, key: *const u8, size_bytes: usize) -> usize {
        // SAFETY: as above; 32 bytes of padding follow every key.
        unsafe {
            let field = self.candidate(key, size_bytes);
            let (offset, size) = *self.spans.get_unchecked(field);
            let wanted = self.bytes.as_ptr().add(offset as usize);
            let is_same = if size_bytes <= 32 {
                S::equal_32(key, wanted, size_bytes)
            } else {
                size as usize == size_bytes && S::equal(key, wanted, size_bytes)
            };
            let count = self.spans.len() - 1;
            // All bits or none, and the compiler does not know so: it would make a branch of it.
            let mask = S::opaque(usize::from(is_same & (size as usize == size_bytes)).wrapping_neg());
            count ^ ((field ^ count) & mask)
        }
    }

    /// The only field that could have that key, or the number of fields.
    ///
    /// # Safety
    /// As `digest`.
    #[inline(always)]
    unsafe fn candidate(&self, key: *const u8, size_bytes: usize) -> usize {
        // SAFETY: as the caller promises; there are as many slots as the shift leaves bits.
        unsafe {
            let digest = digest(key, size_bytes);
            usize::from(*self.slots.get_unchecked((digest.wrapping_mul(self.multiplier) >> self.shift) as usize))
        }
    }
}
