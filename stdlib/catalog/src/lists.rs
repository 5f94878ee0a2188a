//! Lists that functions make: columns of items at stable addresses until the end of the batch.
//!
//! A list in passing is a column, a first item and a count. Results of one layout share columns of fixed capacity, so
//! neither the column's description nor its buffers move while an earlier result is still read.
//!
//! This file must not know which functions make lists.

use std::cell::RefCell;

use chalk_artifact::abi::{ColumnView, Slot};

use crate::arena::Arena;

/// How items lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A bit each.
    Bits,
    /// So many bytes each: 1, 2, 4, 8 or 16.
    Fixed(usize),
    /// Arrow views of 16 bytes, text elsewhere.
    Views,
}

impl Layout {
    const COUNT: usize = 7;

    fn index(self) -> usize {
        match self {
            Layout::Bits => 0,
            Layout::Fixed(width) => 1 + width.trailing_zeros() as usize,
            Layout::Views => 6,
        }
    }

    fn bits(self) -> usize {
        match self {
            Layout::Bits => 1,
            Layout::Fixed(width) => width * 8,
            Layout::Views => 128,
        }
    }
}

/// Items in a fresh column; a longer list gets its own.
const COLUMN_ITEMS: usize = 1024;
/// Text buffers that a column can point at.
const COLUMN_BUFFERS: usize = 64;

/// The lists of a batch.
#[derive(Debug, Default)]
pub struct ListArena {
    columns: [RefCell<Columns>; Layout::COUNT],
}

#[derive(Debug, Default)]
struct Columns {
    #[expect(clippy::vec_box, reason = "a column's address stays while more are added")]
    columns: Vec<Box<ListColumn>>,
    current: usize,
}

#[derive(Debug)]
struct ListColumn {
    view: ColumnView,
    capacity: usize,
    used: usize,
    /// Holds the items; 16 bytes each for alignment.
    _data: Vec<u128>,
    validity: Vec<u8>,
    buffers: Vec<*const u8>,
}

// SAFETY: the pointers of a column lead into its own vectors and into the arena of the same context.
unsafe impl Send for ListColumn {}

impl ListColumn {
    fn new(layout: Layout, capacity: usize) -> Box<ListColumn> {
        let mut data = vec![0u128; (capacity * layout.bits()).div_ceil(128)];
        let mut validity = vec![0u8; capacity.div_ceil(8)];
        let buffers = Vec::with_capacity(COLUMN_BUFFERS);
        let view = ColumnView {
            data: data.as_mut_ptr().cast(),
            validity: validity.as_mut_ptr(),
            buffers: buffers.as_ptr(),
            children: std::ptr::null(),
            len: 0,
        };
        Box::new(ListColumn { view, capacity, used: 0, _data: data, validity, buffers })
    }
}

/// Items of a new list, to be written by index.
pub struct NewList<'a> {
    column: *mut ListColumn,
    first: usize,
    len: usize,
    arena: &'a Arena,
}

impl ListArena {
    /// Room for a list of `len` items, all null. `arena` gets the texts.
    pub fn alloc<'a>(&'a self, layout: Layout, len: usize, arena: &'a Arena) -> NewList<'a> {
        let mut columns = self.columns[layout.index()].borrow_mut();
        loop {
            let current = columns.current;
            match columns.columns.get_mut(current) {
                // Each list of texts may need one buffer more.
                Some(column) if column.capacity - column.used >= len && column.buffers.len() < COLUMN_BUFFERS => {
                    let first = column.used;
                    column.used += len;
                    column.view.len = column.used as u64;
                    let column: *mut ListColumn = &raw mut **column;
                    return NewList { column, first, len, arena };
                }
                Some(_) => columns.current += 1,
                None => columns.columns.push(ListColumn::new(layout, len.max(COLUMN_ITEMS))),
            }
        }
    }

    /// Forgets the lists but keeps the memory.
    pub fn reset(&mut self) {
        for columns in &mut self.columns {
            let columns = columns.get_mut();
            columns.current = 0;
            for column in &mut columns.columns {
                column.used = 0;
                column.view.len = 0;
                column.buffers.clear();
                column.validity.fill(0);
            }
        }
    }
}

impl NewList<'_> {
    fn position(&self, index: usize) -> usize {
        assert!(index < self.len, "item {index} of a list of {}", self.len);
        self.first + index
    }

    fn mark_valid(&mut self, position: usize) {
        // SAFETY: columns are boxed and live until the arena is reset or dropped, which the borrow of the arena forbids; the
        // list's range was given to this `NewList` alone. A byte of validity may be shared with a neighbour, but no reference to it is held.
        unsafe {
            let byte = (*self.column).view.validity.cast_mut().add(position / 8);
            *byte |= 1 << (position % 8);
        }
    }

    /// Sets an item of the layout `Bits`.
    pub fn set_bit(&mut self, index: usize, value: bool) {
        let position = self.position(index);
        // SAFETY: as in `mark_valid`; the position is within the column's capacity.
        unsafe {
            let byte = (*self.column).view.data.cast_mut().add(position / 8);
            let mask = 1 << (position % 8);
            *byte = if value { *byte | mask } else { *byte & !mask };
        }
        self.mark_valid(position);
    }

    /// Sets an item of the layout `Fixed`, whose width is that of the array.
    pub fn set_bytes<const WIDTH: usize>(&mut self, index: usize, value: [u8; WIDTH]) {
        let position = self.position(index);
        // SAFETY: as in `mark_valid`; the column has room for `capacity` items of its width, which callers (`Item`) match.
        unsafe { (*self.column).view.data.cast_mut().cast::<[u8; WIDTH]>().add(position).write(value) };
        self.mark_valid(position);
    }

    /// Sets items of the layout `Views` from `first` on; their text is copied.
    pub fn set_texts<'t>(&mut self, texts: impl Iterator<Item = Option<&'t [u8]>> + Clone) {
        let long = |text: &Option<&'t [u8]>| text.map_or(0, |text| if text.len() > 12 { text.len() } else { 0 });
        let block = self.arena.alloc(texts.clone().map(|text| long(&text)).sum());
        let (mut buffer, mut offset) = (0u32, 0usize);
        if !block.is_empty() {
            let base = self.arena.chunk_of(block.as_ptr()).expect("the block lies in the arena");
            offset = block.as_ptr().addr() - base.addr();
            // SAFETY: as in `mark_valid`; `alloc` made sure that one more buffer fits, so the vector does not move.
            let buffers = unsafe { &mut (*self.column).buffers };
            if buffers.last() != Some(&base) {
                buffers.push(base);
            }
            buffer = buffers.len() as u32 - 1;
        }
        let mut written = 0;
        for (index, text) in texts.enumerate() {
            let Some(text) = text else { continue };
            let mut view = [0u8; 16];
            view[..4].copy_from_slice(&(text.len() as u32).to_le_bytes());
            if text.len() <= 12 {
                view[4..4 + text.len()].copy_from_slice(text);
            } else {
                block[written..written + text.len()].copy_from_slice(text);
                view[4..8].copy_from_slice(&text[..4]);
                view[8..12].copy_from_slice(&buffer.to_le_bytes());
                view[12..].copy_from_slice(&((offset + written) as u32).to_le_bytes());
                written += text.len();
            }
            self.set_bytes(index, view);
        }
    }

    /// The list in passing.
    pub fn slot(&self) -> Slot {
        // SAFETY: as in `mark_valid`.
        let view = unsafe { &raw const (*self.column).view };
        Slot { w0: view as u64, w1: self.first as u64, w2: self.len as u64, valid: 1 }
    }
}
