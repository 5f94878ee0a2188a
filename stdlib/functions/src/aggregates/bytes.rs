//! How words of partials are written: short for small counts, and the same for every NaN.
//!
//! Partials are kept in the store and in the changelog, so these forms must stay readable by every later version.
//!
//! This file must not know which aggregate writes.

use chalk_types::varint;

/// A float's bits, with one pattern for every NaN: which of several a processor gives is not said anywhere.
pub(crate) fn canonical(bits: u64) -> u64 {
    if f64::from_bits(bits).is_nan() { f64::NAN.to_bits() } else { bits }
}

/// Appends a float's bits.
pub(crate) fn put_float(out: &mut Vec<u8>, bits: u64) {
    out.extend_from_slice(&canonical(bits).to_le_bytes());
}

/// Takes a float's bits off the front.
pub(crate) fn take_float(input: &mut &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(varint::take_array(input)?))
}

/// Appends a signed integer: small ones, of either sign, are short.
pub(crate) fn put_int(out: &mut Vec<u8>, value: i64) {
    varint::put(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Takes a signed integer off the front.
pub(crate) fn take_int(input: &mut &[u8]) -> Option<i64> {
    let value = varint::take(input)?;
    Some((value >> 1) as i64 ^ -((value & 1) as i64))
}

/// Appends an integer of two words, low first.
pub(crate) fn put_wide(out: &mut Vec<u8>, value: i128) {
    let folded = ((value << 1) ^ (value >> 127)) as u128;
    varint::put(out, folded as u64);
    varint::put(out, (folded >> 64) as u64);
}

/// Takes an integer of two words off the front.
pub(crate) fn take_wide(input: &mut &[u8]) -> Option<i128> {
    let (low, high) = (varint::take(input)?, varint::take(input)?);
    let folded = (u128::from(high) << 64) | u128::from(low);
    Some((folded >> 1) as i128 ^ -((folded & 1) as i128))
}
