//! Whether a message that is not all ASCII is UTF-8.
//!
//! Most such messages have a few letters that are not ASCII in a text or two, so these are looked at one by one; where there are
//! many, a general check takes the whole message.
//!
//! This file must not know JSON.

use super::simd::{MARKED_BYTES, Simd};

/// Bytes of a word of marks that are looked at one by one.
const FEW: u32 = 8;

/// Whether the `size_bytes` at `start` are UTF-8.
///
/// # Safety
/// The processor has `S`; `PADDING_BYTES` behind the bytes are readable.
#[inline(always)]
pub(super) unsafe fn is_utf8<S: Simd>(start: *const u8, size_bytes: usize) -> bool {
    // Where the character under way ends.
    let mut end = 0;
    for word in 0..size_bytes.div_ceil(MARKED_BYTES) {
        let first = word * MARKED_BYTES;
        // SAFETY: the word begins in the bytes; a character's first byte lies in them, and three more are readable.
        unsafe {
            let mut marks = S::find_not_ascii(start.add(first));
            if size_bytes - first < MARKED_BYTES {
                marks &= (1 << (size_bytes - first)) - 1;
            }
            if marks.count_ones() > FEW {
                return simdutf8::basic::from_utf8(std::slice::from_raw_parts(start, size_bytes)).is_ok();
            }
            while marks != 0 {
                let at = first + marks.trailing_zeros() as usize;
                marks &= marks - 1;
                // The others of a character are behind its first one, and have been looked at with it.
                if at < end {
                    continue;
                }
                match character_size(start.add(at)) {
                    Some(size) => end = at + size,
                    None => return false,
                }
            }
        }
    }
    end <= size_bytes
}

/// The size of the character at `at`, which is not ASCII (The Unicode Standard, table 3-7); none where there is none.
///
/// # Safety
/// 4 bytes are readable.
#[inline(always)]
unsafe fn character_size(at: *const u8) -> Option<usize> {
    // SAFETY: as the caller promises.
    let [first, second, third, fourth] = unsafe { at.cast::<[u8; 4]>().read_unaligned() };
    let follows = |byte: u8| byte & 0xc0 == 0x80;
    match first {
        0xc2..=0xdf if follows(second) => Some(2),
        0xe0..=0xef if follows(second) && follows(third) => {
            let is_shortest = first != 0xe0 || second >= 0xa0;
            let is_no_surrogate = first != 0xed || second < 0xa0;
            (is_shortest && is_no_surrogate).then_some(3)
        }
        0xf0..=0xf4 if follows(second) && follows(third) && follows(fourth) => {
            let is_shortest = first != 0xf0 || second >= 0x90;
            let is_in_range = first != 0xf4 || second < 0x90;
            (is_shortest && is_in_range).then_some(4)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::simd::portable::Portable;
    use super::is_utf8;
    use crate::batch::PADDING_BYTES;

    /// What follows the bytes must not count: it looks as if it went on.
    fn check(bytes: &[u8]) {
        let mut padded = bytes.to_vec();
        padded.extend_from_slice(&[0x80; PADDING_BYTES]);
        // SAFETY: every processor has the portable set; the padding is there.
        let found = unsafe { is_utf8::<Portable>(padded.as_ptr(), bytes.len()) };
        assert_eq!(found, std::str::from_utf8(bytes).is_ok(), "{bytes:x?}");
    }

    #[test]
    fn every_pair_of_bytes_and_every_kind_of_longer_character_is_judged_as_the_library_does() {
        for first in 0x80..=0xff {
            for second in 0..=0xff {
                check(&[first, second]);
                for (third, fourth) in [(0x80, 0x80), (0xbf, 0xbf), (0x7f, 0x80), (0x80, 0x7f), (0xc0, 0x80)] {
                    check(&[first, second, third]);
                    check(&[first, second, third, fourth]);
                    check(&[b'a', first, second, third, fourth, b'z']);
                }
            }
        }
    }

    #[test]
    fn characters_at_the_edge_of_a_word_and_of_the_message_are_whole_or_not() {
        for text in ["é", "€", "😀"] {
            for before in 56..=64 {
                for missing in 0..=text.len() {
                    let mut bytes = vec![b'a'; before];
                    bytes.extend_from_slice(&text.as_bytes()[..text.len() - missing]);
                    check(&bytes);
                    bytes.push(b'a');
                    check(&bytes);
                }
            }
        }
        for count in 0..12 {
            check("é".repeat(count).as_bytes());
        }
    }
}
