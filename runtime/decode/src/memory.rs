//! Memory that is written once and then read by many: aligned blocks that Arrow arrays may keep without a copy.
//!
//! A batch's columns are reused for the next batch, unless somebody still holds them: so blocks are counted, and an owner
//! that finds its block shared takes a new one instead of writing.
//!
//! This file must not know what the bytes mean.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, Range};
use std::ptr::NonNull;
use std::sync::Arc;

/// Bytes that exist behind messages: vectors are read whole, and so beyond a message's end.
pub const PADDING_BYTES: usize = 64;

/// Alignment of every block: a cache line, more than any Arrow type asks for.
const ALIGN_BYTES: usize = 64;

/// Zeroed memory of a fixed size. All of it is initialised, always.
pub(crate) struct Block {
    start: NonNull<u8>,
    size_bytes: usize,
}

// SAFETY: a block is plain memory; who may write which bytes is decided by its owner (see `Buffer`, `Arena`,
// `MessageBatch`), and a `SharedBytes` only reads bytes that its owner will not write again while the block is shared.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

impl Block {
    fn layout(size_bytes: usize) -> Layout {
        Layout::from_size_align(size_bytes.max(ALIGN_BYTES), ALIGN_BYTES)
            .expect("a block is smaller than the address space")
    }

    pub(crate) fn new(size_bytes: usize) -> Arc<Block> {
        let layout = Block::layout(size_bytes);
        // SAFETY: the layout is never of size zero.
        let start = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        Arc::new(Block { start, size_bytes: layout.size() })
    }

    pub(crate) fn start(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.size_bytes
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with the layout of this size.
        unsafe { dealloc(self.start.as_ptr(), Block::layout(self.size_bytes)) }
    }
}

/// Bytes that stay as they are for as long as somebody holds them: what an Arrow buffer is made from without a copy.
#[derive(Clone)]
pub struct SharedBytes(Held);

#[derive(Clone)]
enum Held {
    /// The first so many of a block.
    Block(Arc<Block>, usize),
    Padded(PaddedBytes, Range<usize>),
}

impl SharedBytes {
    pub(crate) fn new(block: &Arc<Block>, size_bytes: usize) -> SharedBytes {
        assert!(size_bytes <= block.size_bytes);
        SharedBytes(Held::Block(Arc::clone(block), size_bytes))
    }

    pub(crate) fn part(bytes: &PaddedBytes, range: Range<usize>) -> SharedBytes {
        assert!(range.start <= range.end && range.end <= bytes.len());
        SharedBytes(Held::Padded(bytes.clone(), range))
    }
}

impl Deref for SharedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            // SAFETY: inside the block, initialised, and not written while shared (the owner's promise).
            Held::Block(block, size_bytes) => unsafe { std::slice::from_raw_parts(block.start(), *size_bytes) },
            Held::Padded(bytes, range) => &bytes[range.clone()],
        }
    }
}

/// Bytes that nobody changes any more, with [`PADDING_BYTES`] behind them: what a source that reads into memory of its own hands over without a copy.
#[derive(Clone)]
pub struct PaddedBytes {
    /// The padding included.
    bytes: Arc<Vec<u8>>,
    size_bytes: usize,
}

impl PaddedBytes {
    /// Of bytes whose memory has room for the padding; where it has not they are moved.
    pub fn new(mut bytes: Vec<u8>) -> PaddedBytes {
        let size_bytes = bytes.len();
        bytes.resize(size_bytes + PADDING_BYTES, 0);
        PaddedBytes { bytes: Arc::new(bytes), size_bytes }
    }

    /// The first `size_bytes` of memory that has been read into; what lies behind them is padding, whatever it holds.
    ///
    /// # Panics
    /// Where less than [`PADDING_BYTES`] lie behind them.
    pub fn first_of(memory: Vec<u8>, size_bytes: usize) -> PaddedBytes {
        assert!(memory.len().checked_sub(size_bytes).is_some_and(|rest| rest >= PADDING_BYTES), "there is padding");
        PaddedBytes { bytes: Arc::new(memory), size_bytes }
    }

    /// The memory, padding included, to read into again; the bytes themselves where somebody else still uses them.
    pub fn into_memory(self) -> Result<Vec<u8>, PaddedBytes> {
        let size_bytes = self.size_bytes;
        Arc::try_unwrap(self.bytes).map_err(|bytes| PaddedBytes { bytes, size_bytes })
    }
}

impl Deref for PaddedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.size_bytes]
    }
}

impl std::fmt::Debug for SharedBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SharedBytes({} bytes)", self.len())
    }
}

/// A growing buffer of one column. Whoever calls `share` must call `unshare` before the next write.
pub(crate) struct Buffer {
    block: Arc<Block>,
    /// `block.start()`, at hand.
    start: *mut u8,
}

// SAFETY: the pointer is the block's own, and the block may move between threads.
unsafe impl Send for Buffer {}

impl Buffer {
    pub(crate) fn new() -> Buffer {
        let block = Block::new(0);
        Buffer { start: block.start(), block }
    }

    /// Makes room for that many bytes; those that are there stay. Gives the block that they were in, where it was another one.
    pub(crate) fn reserve(&mut self, size_bytes: usize) -> Option<Arc<Block>> {
        (size_bytes > self.block.size_bytes()).then(|| self.replace(size_bytes))
    }

    /// Takes a block of its own where the present one is held by somebody else; the bytes stay.
    pub(crate) fn unshare(&mut self) {
        if Arc::get_mut(&mut self.block).is_none() {
            self.replace(self.block.size_bytes());
        }
    }

    fn replace(&mut self, size_bytes: usize) -> Arc<Block> {
        let block = Block::new(size_bytes);
        // SAFETY: both blocks are at least as large as the old one, and distinct.
        unsafe { std::ptr::copy_nonoverlapping(self.start, block.start(), self.block.size_bytes()) };
        self.start = block.start();
        std::mem::replace(&mut self.block, block)
    }

    pub(crate) fn share(&self, size_bytes: usize) -> SharedBytes {
        SharedBytes::new(&self.block, size_bytes)
    }

    #[inline(always)]
    pub(crate) fn start(&self) -> *mut u8 {
        self.start
    }

    pub(crate) fn bytes(&self, size_bytes: usize) -> &[u8] {
        assert!(size_bytes <= self.block.size_bytes());
        // SAFETY: inside the block and initialised; `&self` keeps writers away.
        unsafe { std::slice::from_raw_parts(self.start, size_bytes) }
    }

    /// All bytes of the block, for writing.
    #[inline]
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: inside the block and initialised; nobody else holds the block between `unshare` and `share`.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.block.size_bytes()) }
    }
}
