//! Values that travel as text of their own alphabet: variants of an enum, and base64.
//!
//! Neither needs an escape, so a text with one is nothing here.
//!
//! This file must not know what is around a value.

use super::keys::KeyTable;
use super::simd::Simd;
use super::walker::Walk;
use crate::columns::ColumnId;
use crate::scalar::base64;

/// The text of the string at `at`, and its size: none where it is no string, or has an escape.
///
/// # Safety
/// As `values::read`.
#[inline(always)]
pub(super) unsafe fn plain(walk: &Walk<'_, '_>, at: *const u8) -> Option<(*const u8, usize)> {
    // SAFETY: as the caller promises.
    unsafe {
        if *at != b'"' {
            return None;
        }
        let text = at.add(1);
        let close = walk.find_special(text);
        (close < walk.end && *close == b'"').then(|| (text, close as usize - text as usize))
    }
}

/// # Safety
/// As `values::read`; the column has 4 bytes a row.
#[inline(always)]
pub(super) unsafe fn variant<S: Simd>(
    walk: &mut Walk<'_, '_>,
    column: ColumnId,
    at: *const u8,
    variants: &KeyTable,
) -> Option<*const u8> {
    // SAFETY: as the caller promises; the text ends in the message, behind which there is padding.
    unsafe {
        let (text, size_bytes) = plain(walk, at)?;
        let index = variants.find::<S>(text, size_bytes)?;
        walk.reading.columns.put_unchecked(column, walk.row, index as u32);
        Some(text.add(size_bytes + 1))
    }
}

/// No sextet.
const NONE: u8 = 0x80;

/// What each byte is worth in either alphabet.
static SEXTETS: [u8; 256] = {
    let mut sextets = [NONE; 256];
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut index = 0;
    while index < 64 {
        sextets[letters[index] as usize] = index as u8;
        index += 1;
    }
    sextets[b'-' as usize] = 62;
    sextets[b'_' as usize] = 63;
    sextets
};

/// # Safety
/// As `values::read`; the column has views.
pub(super) unsafe fn bytes<S: Simd>(walk: &mut Walk<'_, '_>, column: ColumnId, at: *const u8) -> Option<*const u8> {
    // SAFETY: as the caller promises; the text lies in the message.
    let (after, text) = unsafe {
        let (text, size_bytes) = plain(walk, at)?;
        (text.add(size_bytes + 1), std::slice::from_raw_parts(text, size_bytes))
    };
    let reading = &mut *walk.reading;
    let decoded = &mut reading.scratch.decoded;
    decoded.clear();
    // The last group may be short or padded: the scalar parser knows.
    let (whole, last) = text.split_at(text.len().saturating_sub(1) / 4 * 4);
    for group in whole.as_chunks::<4>().0 {
        let sextets = group.map(|byte| SEXTETS[usize::from(byte)]);
        if sextets.iter().fold(0, |all, sextet| all | sextet) & NONE != 0 {
            return None;
        }
        let bits = sextets.iter().fold(0u32, |bits, &sextet| bits << 6 | u32::from(sextet));
        decoded.extend_from_slice(&bits.to_be_bytes()[1..]);
    }
    base64::decode(last, decoded)?;
    reading.columns.put_text(column, walk.row, decoded);
    Some(after)
}
