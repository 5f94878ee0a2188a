//! Positions in text: code points on the outside, bytes on the inside.
//!
//! This file must not know functions.

/// The number of code points.
pub(crate) fn code_points(s: &str) -> usize {
    // Every byte that does not continue a character starts one; the loop is vectorised.
    s.bytes().filter(|byte| (*byte as i8) >= -0x40).count()
}

/// Where the code point at that position starts, or the text's end.
pub(crate) fn byte_of(s: &str, position: usize) -> usize {
    let head = &s.as_bytes()[..position.min(s.len())];
    if head.is_ascii() {
        return head.len();
    }
    s.char_indices().nth(position).map_or(s.len(), |(byte, _)| byte)
}

/// The number of code points before a byte.
pub(crate) fn count_before(s: &str, byte: usize) -> usize {
    code_points(&s[..byte])
}

/// A position that may count from the end, moved into `0..=len`.
pub(crate) fn clamp_index(index: i64, len: usize) -> usize {
    if index < 0 {
        len.saturating_sub(usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX))
    } else {
        usize::try_from(index).unwrap_or(usize::MAX).min(len)
    }
}
