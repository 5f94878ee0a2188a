//! What the rivals fill: columns of 64-bit values, views of 16 bytes and bitmaps, as ours, and a hash over them.
//!
//! Every contender pays for columns, and none pays more than it must: texts that lie in the message are not copied.

use std::borrow::Cow;

/// A hash that depends on the order of values (FNV-1a over words).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Hash(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash {
    pub fn word(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x0100_0000_01b3);
        self.0 ^= self.0 >> 29;
    }

    pub fn word_or_null(&mut self, word: Option<u64>) {
        self.word(word.unwrap_or(u64::MAX));
    }

    pub fn text(&mut self, text: Option<&[u8]>) {
        let Some(text) = text else { return self.word(u64::MAX) };
        self.word(text.len() as u64);
        text.iter().for_each(|&byte| self.word(byte.into()));
    }
}

/// A column of texts: inline up to 12 bytes, else address and size.
#[derive(Default)]
pub struct Texts {
    views: Vec<[u8; 16]>,
    valid: Vec<u8>,
    /// Texts that are not in a message as they are.
    owned: Vec<String>,
}

impl Texts {
    pub fn clear(&mut self) {
        self.views.clear();
        self.valid.clear();
        self.owned.clear();
    }

    pub fn push(&mut self, text: Option<Cow<'_, str>>) {
        let row = self.views.len();
        if row.is_multiple_of(8) {
            self.valid.push(0);
        }
        let mut view = [0; 16];
        if let Some(text) = text {
            self.valid[row / 8] |= 1 << (row % 8);
            view[..4].copy_from_slice(&(text.len() as u32).to_ne_bytes());
            if text.len() <= 12 {
                view[4..4 + text.len()].copy_from_slice(text.as_bytes());
            } else {
                view[8..].copy_from_slice(&(text.as_ptr() as u64).to_ne_bytes());
                if let Cow::Owned(text) = text {
                    self.owned.push(text);
                }
            }
        }
        self.views.push(view);
    }

    pub fn get(&self, row: usize) -> Option<&[u8]> {
        if self.valid[row / 8] >> (row % 8) & 1 == 0 {
            return None;
        }
        let view = &self.views[row];
        let size = u32::from_ne_bytes(view[..4].try_into().expect("4 bytes")) as usize;
        if size <= 12 {
            return Some(&view[4..4 + size]);
        }
        let address = u64::from_ne_bytes(view[8..].try_into().expect("8 bytes"));
        // SAFETY: the address is of a text in a message or in `owned`, which live as long as the column is used.
        Some(unsafe { std::slice::from_raw_parts(address as *const u8, size) })
    }
}

/// A column of 64-bit values.
#[derive(Default)]
pub struct Words {
    words: Vec<u64>,
    valid: Vec<u8>,
}

impl Words {
    pub fn clear(&mut self) {
        self.words.clear();
        self.valid.clear();
    }

    /// A value that is never null, in a column of such.
    pub fn push(&mut self, word: u64) {
        self.words.push(word);
    }

    /// A value that may be null, in a column of such.
    pub fn push_optional(&mut self, word: Option<u64>) {
        let row = self.words.len();
        if row.is_multiple_of(8) {
            self.valid.push(0);
        }
        self.valid[row / 8] |= u8::from(word.is_some()) << (row % 8);
        self.words.push(word.unwrap_or(0));
    }

    pub fn len(&self) -> usize {
        self.words.len()
    }

    pub fn get(&self, row: usize) -> Option<u64> {
        let is_valid = self.valid.is_empty() || self.valid[row / 8] >> (row % 8) & 1 == 1;
        is_valid.then_some(self.words[row])
    }
}

/// The columns of one batch.
#[derive(Default)]
pub struct Columns {
    pub words: [Words; 5],
    pub texts: [Texts; 4],
}

impl Columns {
    pub fn clear(&mut self) {
        self.words.iter_mut().for_each(Words::clear);
        self.texts.iter_mut().for_each(Texts::clear);
    }
}
