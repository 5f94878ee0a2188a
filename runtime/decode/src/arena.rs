//! Text that is not in a message as it is (unescaped strings, base64, defaults): data buffers 1, 2, … of a batch's views.
//!
//! Chunks never move, because kernels hold addresses into them while later rows are decoded.
//!
//! This file must not know columns.

use std::sync::Arc;

use crate::memory::{Block, SharedBytes};

const FIRST_CHUNK_BYTES: usize = 64 << 10;
const LARGEST_CHUNK_BYTES: usize = 16 << 20;

struct Chunk {
    block: Arc<Block>,
    used_bytes: usize,
}

/// Bytes in chunks that grow but never move.
pub(crate) struct Arena {
    chunks: Vec<Chunk>,
    /// The chunk in use; those behind it are empty.
    current: usize,
}

/// Where the arena stood, to go back to.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    chunk: usize,
    used_bytes: usize,
}

/// Bytes just taken.
pub(crate) struct Taken {
    /// Number of the data buffer, for views.
    pub(crate) buffer: u32,
    /// Offset in it.
    pub(crate) offset: u32,
    /// The bytes; as many as asked for.
    pub(crate) start: *mut u8,
}

impl Arena {
    pub(crate) fn new() -> Arena {
        Arena { chunks: vec![Chunk { block: Block::new(FIRST_CHUNK_BYTES), used_bytes: 0 }], current: 0 }
    }

    /// Forgets all bytes. A chunk that somebody still holds is replaced.
    pub(crate) fn clear(&mut self) {
        for chunk in &mut self.chunks[..=self.current] {
            if Arc::get_mut(&mut chunk.block).is_none() {
                chunk.block = Block::new(chunk.block.size_bytes());
            }
            chunk.used_bytes = 0;
        }
        self.current = 0;
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark { chunk: self.current, used_bytes: self.chunks[self.current].used_bytes }
    }

    /// Forgets what was taken since the mark.
    pub(crate) fn release(&mut self, mark: Mark) {
        for chunk in &mut self.chunks[mark.chunk + 1..=self.current.max(mark.chunk)] {
            chunk.used_bytes = 0;
        }
        self.current = mark.chunk;
        self.chunks[mark.chunk].used_bytes = mark.used_bytes;
    }

    /// Takes that many bytes.
    pub(crate) fn take(&mut self, size_bytes: usize) -> Taken {
        if self.chunks[self.current].used_bytes + size_bytes > self.chunks[self.current].block.size_bytes() {
            self.next_chunk(size_bytes);
        }
        let chunk = &mut self.chunks[self.current];
        let offset = chunk.used_bytes;
        chunk.used_bytes += size_bytes;
        // SAFETY: `offset + size_bytes` lies inside the block, by the test above.
        let start = unsafe { chunk.block.start().add(offset) };
        Taken { buffer: self.current as u32 + 1, offset: offset as u32, start }
    }

    #[cold]
    fn next_chunk(&mut self, size_bytes: usize) {
        let doubled = (self.chunks[self.current].block.size_bytes() * 2).min(LARGEST_CHUNK_BYTES);
        self.current += 1;
        let wanted = size_bytes.max(doubled);
        match self.chunks.get_mut(self.current) {
            Some(chunk) if chunk.block.size_bytes() >= size_bytes => {}
            Some(chunk) => chunk.block = Block::new(wanted),
            None => self.chunks.push(Chunk { block: Block::new(wanted), used_bytes: 0 }),
        }
    }

    /// Copies the bytes into the arena.
    pub(crate) fn copy(&mut self, bytes: &[u8]) -> Taken {
        let taken = self.take(bytes.len());
        // SAFETY: `take` gave as many bytes, which nobody else knows of yet.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), taken.start, bytes.len()) };
        taken
    }

    /// Start addresses of the chunks, in the order of their buffer numbers.
    pub(crate) fn starts(&self) -> impl Iterator<Item = *const u8> + '_ {
        self.chunks.iter().map(|chunk| chunk.block.start().cast_const())
    }

    /// The bytes of data buffer `buffer` (from 1).
    pub(crate) fn bytes(&self, buffer: u32) -> &[u8] {
        let chunk = &self.chunks[buffer as usize - 1];
        // SAFETY: inside the block and initialised; bytes below `used_bytes` are written only when they are taken.
        unsafe { std::slice::from_raw_parts(chunk.block.start(), chunk.used_bytes) }
    }

    /// The chunks in use, to keep.
    pub(crate) fn share(&self) -> Vec<SharedBytes> {
        self.chunks[..=self.current].iter().map(|chunk| SharedBytes::new(&chunk.block, chunk.used_bytes)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stay_where_they_are_while_chunks_are_added() {
        let mut arena = Arena::new();
        let first = arena.copy(b"first").start;
        for _ in 0..10 {
            arena.take(60_000);
        }
        assert_eq!(&arena.bytes(1)[..5], b"first");
        assert_eq!(arena.starts().next(), Some(first.cast_const()));
    }

    #[test]
    fn what_somebody_holds_survives_a_clear() {
        let mut arena = Arena::new();
        arena.copy(b"kept");
        let kept = arena.share();
        arena.clear();
        arena.copy(b"lost");
        assert_eq!(&kept[0][..], b"kept");
        assert_eq!(arena.bytes(1), b"lost");
    }

    #[test]
    fn a_released_arena_gives_the_same_bytes_again() {
        let mut arena = Arena::new();
        arena.copy(b"kept");
        let mark = arena.mark();
        let (buffer, offset) = {
            let taken = arena.take(200_000);
            (taken.buffer, taken.offset)
        };
        arena.release(mark);
        let again = arena.take(200_000);
        assert_eq!((again.buffer, again.offset), (buffer, offset));
        assert_eq!(arena.bytes(1), b"kept");
    }
}
