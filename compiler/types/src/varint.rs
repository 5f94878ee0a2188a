//! Unsigned integers of 7 bits a byte, least first: the lengths and ids of everything stored.
//!
//! This file must not know what they count.

/// Appends the integer.
pub fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes an integer off the front; `None` where there is none.
pub fn take(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = input.split_first()?;
        *input = rest;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            return None;
        }
        value |= bits << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Takes that many bytes off the front.
pub fn take_bytes<'a>(input: &mut &'a [u8], size: usize) -> Option<&'a [u8]> {
    let (taken, rest) = input.split_at_checked(size)?;
    *input = rest;
    Some(taken)
}

/// Takes an array off the front.
pub fn take_array<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    take_bytes(input, N)?.try_into().ok()
}

/// Takes a length and that many bytes off the front.
pub fn take_sized<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let size = usize::try_from(take(input)?).ok()?;
    take_bytes(input, size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_come_back_and_torn_ones_do_not() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            put(&mut bytes, value);
            assert_eq!(take(&mut &bytes[..]), Some(value));
            assert_eq!(take(&mut &bytes[..bytes.len() - 1]), None);
        }
        assert_eq!(take(&mut &[0xff; 11][..]), None);
    }
}
