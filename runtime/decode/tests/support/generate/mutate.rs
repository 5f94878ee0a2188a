//! Edits that break a message, or perhaps not.

use super::super::random::Random;

/// Bytes that mean something to JSON, or to UTF-8.
const BYTES: &[u8] = b"\"\\{}[]:,0123456789-+.eEtfn u\n\r\t\x01\x1f\x7f\xff\xc3\xed\xf4 ";

/// What looks as if it belonged behind a message, or into it.
const PIECES: [&str; 14] =
    ["}", " ", "x", "{}", ",\"a\":1}", "\0", "\n\n", "\"", "0", "\\", "\\\\\"", "null", ",", "\u{feff}"];

/// A few edits: bytes inserted, removed, replaced, copied from elsewhere; an early end; more behind it.
pub fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..1 + random.below(2) {
        let at = random.below(bytes.len() + 1);
        let byte = match random.below(4) {
            0 => random.next() as u8,
            _ => BYTES[random.below(BYTES.len())],
        };
        match random.below(8) {
            0 => bytes.insert(at, byte),
            1 if at < bytes.len() => {
                bytes.remove(at);
            }
            2 => bytes.truncate(at),
            3 => bytes.extend_from_slice(random.pick(&PIECES).as_bytes()),
            4 => {
                let piece = random.pick(&PIECES);
                bytes.splice(at..at, piece.bytes());
            }
            5 => {
                // A piece of the message once more, somewhere else: keys that come twice, numbers that grow.
                let from = random.below(bytes.len() + 1);
                let piece = bytes[from..(from + random.below(24)).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            6 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            _ if at < bytes.len() => bytes[at] = byte,
            _ => {}
        }
    }
}
