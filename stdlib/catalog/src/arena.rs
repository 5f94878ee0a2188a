//! Bytes that live until the end of a batch: texts that functions make.
//!
//! A column of views may point into the chunks, so their addresses stay and they can be handed over as they are when a
//! batch leaves; chunks that come back (`recycle`) are used again, so a warm arena does not allocate.
//!
//! This file must not know what the bytes mean.

use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::mem::ManuallyDrop;

/// Size of the first chunk.
const FIRST_CHUNK_BYTES: usize = 64 << 10;
/// Chunks double up to this size; a single text may need a larger one.
const MAX_CHUNK_BYTES: usize = 1 << 20;

/// A growing set of chunks; what was handed out stays where it is until `reset` or `take_chunks`.
#[derive(Default)]
pub struct Arena {
    chunks: UnsafeCell<Vec<Chunk>>,
    /// Index of the chunk that is being filled.
    current: Cell<usize>,
}

/// A `Vec<u8>` taken apart: only raw pointers, since texts that were handed out are borrowed while more are written.
struct Chunk {
    base: *mut u8,
    capacity: usize,
    used: usize,
}

// SAFETY: a chunk owns its memory as a `Vec<u8>` does.
unsafe impl Send for Chunk {}

impl Chunk {
    fn from_vec(bytes: Vec<u8>) -> Chunk {
        let mut bytes = ManuallyDrop::new(bytes);
        Chunk { base: bytes.as_mut_ptr(), capacity: bytes.capacity(), used: 0 }
    }

    fn into_vec(self) -> Vec<u8> {
        let chunk = ManuallyDrop::new(self);
        // SAFETY: base and capacity come from a Vec<u8>; the first `used` bytes were reserved zeroed or written.
        unsafe { Vec::from_raw_parts(chunk.base, chunk.used, chunk.capacity) }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: base and capacity come from a Vec<u8>.
        drop(unsafe { Vec::from_raw_parts(self.base, 0, self.capacity) });
    }
}

impl Arena {
    /// Reserves bytes; they are zero or left over from an earlier batch. None are shared with another reservation.
    #[allow(clippy::mut_from_ref)]
    pub fn alloc(&self, size_bytes: usize) -> &mut [u8] {
        if size_bytes == 0 {
            return &mut [];
        }
        // SAFETY: the arena is not `Sync`, and no reference into the vector outlives this function.
        let chunks = unsafe { &mut *self.chunks.get() };
        let mut index = self.current.get();
        loop {
            match chunks.get_mut(index) {
                Some(chunk) if chunk.capacity - chunk.used >= size_bytes => {
                    // SAFETY: the range lies in the chunk and was not handed out before; it was zeroed when the chunk was made.
                    let bytes = unsafe { std::slice::from_raw_parts_mut(chunk.base.add(chunk.used), size_bytes) };
                    chunk.used += size_bytes;
                    self.current.set(index);
                    return bytes;
                }
                Some(_) => index += 1,
                None => {
                    let doubled = chunks.last().map_or(FIRST_CHUNK_BYTES, |last| last.capacity * 2);
                    chunks.push(Chunk::from_vec(vec![0; doubled.min(MAX_CHUNK_BYTES).max(size_bytes)]));
                }
            }
        }
    }

    /// Copies bytes into the arena.
    pub fn copy(&self, bytes: &[u8]) -> &[u8] {
        let target = self.alloc(bytes.len());
        target.copy_from_slice(bytes);
        target
    }

    /// Copies text into the arena.
    pub fn copy_str(&self, text: &str) -> &str {
        let bytes = self.copy(text.as_bytes());
        // SAFETY: a copy of UTF-8 is UTF-8.
        unsafe { std::str::from_utf8_unchecked(bytes) }
    }

    /// A copy in which ASCII letters are lower case.
    pub fn ascii_lower(&self, text: &str) -> &str {
        let target = self.alloc(text.len());
        target.copy_from_slice(text.as_bytes());
        target.make_ascii_lowercase();
        // SAFETY: changing the case of ASCII letters keeps UTF-8.
        unsafe { std::str::from_utf8_unchecked(target) }
    }

    /// A copy in which ASCII letters are upper case.
    pub fn ascii_upper(&self, text: &str) -> &str {
        let target = self.alloc(text.len());
        target.copy_from_slice(text.as_bytes());
        target.make_ascii_uppercase();
        // SAFETY: changing the case of ASCII letters keeps UTF-8.
        unsafe { std::str::from_utf8_unchecked(target) }
    }

    /// A text to be written piece by piece.
    pub fn text(&self) -> ArenaText<'_> {
        ArenaText { arena: self, bytes: &mut [], len: 0 }
    }

    /// Gives the unused end of the latest reservation back, if nothing was reserved since.
    fn shrink(&self, end: *const u8, unused_bytes: usize) {
        // SAFETY: as in `alloc`.
        let chunks = unsafe { &mut *self.chunks.get() };
        if let Some(chunk) = chunks.get_mut(self.current.get())
            && chunk.base.wrapping_add(chunk.used).cast_const() == end
        {
            chunk.used -= unused_bytes;
        }
    }

    /// Start address and bytes in use of every chunk, in order; a text that was handed out lies in one of them.
    pub fn chunks(&self) -> impl Iterator<Item = (*const u8, usize)> + '_ {
        // SAFETY: the arena is not `Sync`; each step reads and ends its borrow of the vector.
        (0..).map_while(|index| unsafe {
            (&*self.chunks.get()).get(index).map(|chunk| (chunk.base.cast_const(), chunk.used))
        })
    }

    /// The chunk in which an address lies: its start.
    pub fn chunk_of(&self, address: *const u8) -> Option<*const u8> {
        self.chunks()
            .find(|(base, used)| (base.addr()..base.addr() + used).contains(&address.addr()))
            .map(|(base, _)| base)
    }

    /// Forgets everything but keeps the memory.
    pub fn reset(&mut self) {
        for chunk in self.chunks.get_mut() {
            chunk.used = 0;
        }
        self.current.set(0);
    }

    /// Hands the chunks over, in the order and at the addresses of `chunks`; the arena is empty then.
    pub fn take_chunks(&mut self) -> Vec<Vec<u8>> {
        self.current.set(0);
        std::mem::take(self.chunks.get_mut()).into_iter().map(Chunk::into_vec).collect()
    }

    /// Takes memory that nobody reads any more.
    pub fn recycle(&mut self, mut bytes: Vec<u8>) {
        // Reserved bytes are initialised bytes; those past the length of a Vec might not be.
        bytes.resize(bytes.capacity(), 0);
        if !bytes.is_empty() {
            self.chunks.get_mut().push(Chunk::from_vec(bytes));
        }
    }
}

impl fmt::Debug for Arena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.chunks().map(|(_, used)| used)).finish()
    }
}

/// A text that grows in the arena.
pub struct ArenaText<'a> {
    arena: &'a Arena,
    bytes: &'a mut [u8],
    len: usize,
}

impl<'a> ArenaText<'a> {
    /// Appends text.
    pub fn push_str(&mut self, text: &str) {
        let needed = self.len + text.len();
        if needed > self.bytes.len() {
            let grown = self.arena.alloc(needed.max(self.bytes.len() * 2).max(32));
            grown[..self.len].copy_from_slice(&self.bytes[..self.len]);
            self.bytes = grown;
        }
        self.bytes[self.len..needed].copy_from_slice(text.as_bytes());
        self.len = needed;
    }

    /// Appends a character.
    pub fn push(&mut self, c: char) {
        self.push_str(c.encode_utf8(&mut [0; 4]));
    }

    /// The text.
    pub fn finish(self) -> &'a str {
        let ArenaText { arena, bytes, len } = self;
        let unused_bytes = bytes.len() - len;
        if unused_bytes > 0 {
            arena.shrink(bytes.as_ptr_range().end, unused_bytes);
        }
        // SAFETY: only whole texts were appended.
        unsafe { std::str::from_utf8_unchecked(&bytes[..len]) }
    }
}

impl fmt::Write for ArenaText<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    #[test]
    fn texts_stay_where_they_are_while_more_are_written() {
        let arena = Arena::default();
        let texts: Vec<&str> = (0..20_000).map(|i| arena.copy_str(&format!("text number {i}"))).collect();
        for (i, text) in texts.iter().enumerate() {
            assert_eq!(*text, format!("text number {i}"));
            assert!(arena.chunk_of(text.as_ptr()).is_some());
        }
    }

    #[test]
    fn a_growing_text_gives_back_what_it_did_not_use() {
        let arena = Arena::default();
        let mut text = arena.text();
        for i in 0..1000 {
            write!(text, "{i},").expect("writing to an arena cannot fail");
        }
        let between = arena.copy_str("between");
        text.push('!');
        let text = text.finish();
        assert!(text.starts_with("0,1,2,") && text.ends_with("999,!"));
        assert_eq!(between, "between");
        let before: usize = arena.chunks().map(|(_, used)| used).sum();
        let mut short = arena.text();
        short.push('x');
        assert_eq!(short.finish(), "x");
        assert_eq!(arena.chunks().map(|(_, used)| used).sum::<usize>(), before + 1);
    }

    #[test]
    fn chunks_leave_and_come_back() {
        let mut arena = Arena::default();
        let address = arena.copy(b"left").as_ptr();
        let chunks = arena.take_chunks();
        assert_eq!(chunks[0], b"left");
        assert_eq!(chunks[0].as_ptr(), address);
        for chunk in chunks {
            arena.recycle(chunk);
        }
        assert_eq!(arena.copy(b"again").as_ptr(), address);
    }
}
