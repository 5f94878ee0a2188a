//! From a key on the wire to the field that is read, without comparing with every field.
//!
//! A key is hashed by its length and its first and last eight bytes; multiplier and table size are chosen so that no two
//! wanted keys share a slot, and the one candidate is compared in full.
//!
//! This file must not know values.

use super::simd::Simd;
use super::simd::portable::{Portable, load};
use crate::batch::PADDING_BYTES;

/// The bytes of a key that lie in its slot.
const SLOT_BYTES: usize = 32;

/// What a key's digest leads to, in one line of memory: a load that waits for another one costs as much as all else that is done for a key.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Slot {
    /// The first bytes of the field's key, then zeros.
    key: [u8; SLOT_BYTES],
    /// Of the key; that of no key where there is no field.
    size_bytes: u32,
    /// A field, or their number where there is none.
    field: u32,
}

/// The wanted keys of one object.
pub(super) struct KeyTable {
    /// All keys one after the other, then padding.
    bytes: Vec<u8>,
    /// Of each field the offset and size of its key; then one that no key has.
    spans: Vec<(u32, u32)>,
    slots: Vec<Slot>,
    /// Of fields.
    count: usize,
    multiplier: u64,
    shift: u32,
}

/// The bits of a key that are hashed. How long a key is cannot be foreseen where keys come in any order, so there is no branch on it.
///
/// # Safety
/// `size_bytes + 8` bytes are readable.
#[inline(always)]
unsafe fn digest<S: Simd>(key: *const u8, size_bytes: usize) -> u64 {
    // SAFETY: 8 bytes from the key on, and the last 8 of a key that has as many.
    unsafe {
        let size = size_bytes.min(8);
        let (first, last) = (S::first_bytes(load(key), size), S::first_bytes(load(key.add(size_bytes - size)), size));
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
        let count = spans.len();
        bytes.extend_from_slice(&[0; PADDING_BYTES]);
        let digests: Vec<u64> = spans
            .iter()
            // SAFETY: the keys lie in `bytes`, which ends with padding.
            .map(|&(offset, size)| unsafe { digest::<Portable>(bytes.as_ptr().add(offset as usize), size as usize) })
            .collect();
        let least_bits = (spans.len() * 2).next_power_of_two().trailing_zeros().max(1);
        for bits in least_bits..least_bits + 4 {
            let shift = 64 - bits;
            let mut multiplier = 0x9e37_79b9_7f4a_7c15u64;
            'attempt: for _ in 0..200 {
                multiplier = multiplier.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(2) | 1;
                let none = Slot { key: [0; SLOT_BYTES], size_bytes: u32::MAX, field: count as u32 };
                let mut slots = vec![none; 1 << bits];
                for (index, digest) in digests.iter().enumerate() {
                    let slot = &mut slots[(digest.wrapping_mul(multiplier) >> shift) as usize];
                    if slot.field as usize != count {
                        continue 'attempt;
                    }
                    let (offset, size_bytes) = spans[index];
                    let key = &bytes[offset as usize..][..size_bytes as usize];
                    let first = &key[..key.len().min(SLOT_BYTES)];
                    slot.key[..first.len()].copy_from_slice(first);
                    (slot.size_bytes, slot.field) = (size_bytes, index as u32);
                }
                // No key is as long as this.
                spans.push((0, u32::MAX));
                return Some(KeyTable { bytes, spans, slots, count, multiplier, shift });
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
            let field = self.slot::<S>(key, size_bytes).field as usize;
            self.is::<S>(field, key, size_bytes).then_some(field)
        }
    }

    /// The field with that key, or the number of fields: without a branch on which it is, or whether it is one.
    ///
    /// # Safety
    /// As `Simd::equal`.
    #[inline(always)]
    pub(super) unsafe fn find_or_count<S: Simd>(&self, key: *const u8, size_bytes: usize) -> usize {
        // SAFETY: as above; a slot's first bytes are 32, and others follow them.
        unsafe {
            let slot = self.slot::<S>(key, size_bytes);
            let field = slot.field as usize;
            let is_same = if size_bytes <= SLOT_BYTES {
                S::equal_32(key, slot.key.as_ptr(), size_bytes)
            } else {
                self.is::<S>(field, key, size_bytes)
            };
            // All bits or none, and the compiler does not know so: it would make a branch of it.
            let mask = S::opaque(usize::from(is_same & (slot.size_bytes as usize == size_bytes)).wrapping_neg());
            self.count ^ ((field ^ self.count) & mask)
        }
    }

    /// The slot of the only field that could have that key.
    ///
    /// # Safety
    /// As `digest`.
    #[inline(always)]
    unsafe fn slot<S: Simd>(&self, key: *const u8, size_bytes: usize) -> &Slot {
        // SAFETY: as the caller promises; there are as many slots as the shift leaves bits.
        unsafe {
            let digest = digest::<S>(key, size_bytes);
            self.slots.get_unchecked((digest.wrapping_mul(self.multiplier) >> self.shift) as usize)
        }
    }
}
