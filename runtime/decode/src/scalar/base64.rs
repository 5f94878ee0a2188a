//! Base64 (RFC 4648) as protobuf's JSON mapping takes it: the standard or the URL-safe alphabet, padded or not.
//!
//! This file must not know messages or columns.

/// The form, for errors.
pub(crate) const FORM: &str = "base64 text such as \"aGVsbG8=\"";

fn sextet(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    }))
}

/// Appends the bytes that the text stands for; none where it is no base64, or its last bits are not zero.
pub(crate) fn decode(text: &[u8], into: &mut Vec<u8>) -> Option<()> {
    let padding = text.iter().rev().take_while(|&&byte| byte == b'=').count();
    if padding > 2 || (padding > 0 && !text.len().is_multiple_of(4)) {
        return None;
    }
    for group in text[..text.len() - padding].chunks(4) {
        let mut bits = 0;
        for &byte in group {
            bits = bits << 6 | sextet(byte)?;
        }
        match group.len() {
            4 => into.extend_from_slice(&bits.to_be_bytes()[1..]),
            3 if bits & 0b11 == 0 => into.extend_from_slice(&(bits << 6).to_be_bytes()[1..3]),
            2 if bits & 0b1111 == 0 => into.push((bits >> 4) as u8),
            _ => return None,
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_alphabets_read_with_and_without_padding() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("aGVsbG8=", b"hello"),
            ("aGVsbG8", b"hello"),
            ("aGVsbA==", b"hell"),
            ("+/8=", b"\xfb\xff"),
            ("-_8", b"\xfb\xff"),
        ] {
            let mut found = Vec::new();
            assert_eq!(decode(text.as_bytes(), &mut found), Some(()), "{text}");
            assert_eq!(found, bytes);
        }
    }

    #[test]
    fn broken_text_is_refused() {
        for text in ["a", "aGVsbG9=", "aGVs=", "a===", "aG Vs", "aGVsbG8==", "="] {
            assert_eq!(decode(text.as_bytes(), &mut Vec::new()), None, "{text}");
        }
    }
}
