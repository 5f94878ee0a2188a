//! The columns that messages are decoded into, in Arrow's layouts, and how single rows are written.
//!
//! A column is a tree (a struct has its fields, a list its items); all nodes of all trees stand in one vector, children of
//! one node beside each other, so that kernels get the children of a view as an array. Rows of a top column are the
//! batch's messages. Items of a list are appended; they are cut back when their message fails.
//!
//! Every write here is bounds-checked; the unchecked ones of the fast tiers say so in their names.
//!
//! This file must not know JSON or plans.

use std::sync::Arc;

use chalk_artifact::abi::ColumnView;
use chalk_types::{IntWidth, Kind, Type, Value};

use crate::arena::{Arena, Mark};
use crate::memory::{Block, Buffer};

/// Position of a column in `DecodedColumns::columns`.
pub(crate) type ColumnId = u32;

/// How the rows of a column lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One bit a row.
    Bits,
    /// So many bytes a row.
    Fixed(u8),
    /// A view of 16 bytes a row.
    View,
    /// `i64` offsets, one more than rows, into the first child (and, of a map, the second).
    Offsets,
    /// Nothing of its own; so many rows of the child a row.
    Items(u32),
    /// Nothing of its own; the children have the same rows.
    Parallel,
}

impl Layout {
    fn of(kind: &Kind) -> Layout {
        match kind {
            Kind::Null | Kind::Bool => Layout::Bits,
            Kind::Int(width) => Layout::Fixed(width.size_bytes() as u8),
            Kind::Float32 | Kind::Date | Kind::Enum(_) => Layout::Fixed(4),
            Kind::Float64 | Kind::Datetime | Kind::Time | Kind::Duration => Layout::Fixed(8),
            Kind::Decimal { .. } => Layout::Fixed(16),
            Kind::String | Kind::Bytes => Layout::View,
            Kind::List(_) | Kind::Map(..) => Layout::Offsets,
            Kind::Vector(_, length) => Layout::Items(*length),
            Kind::Struct(_) => Layout::Parallel,
        }
    }

    fn data_bytes(self, rows: usize) -> usize {
        match self {
            Layout::Bits => rows.div_ceil(8),
            Layout::Fixed(width) => rows * usize::from(width),
            Layout::View => rows * 16,
            Layout::Offsets => (rows + 1) * 8,
            Layout::Items(_) | Layout::Parallel => 0,
        }
    }
}

/// A node.
pub(crate) struct Column {
    pub(crate) ty: Type,
    pub(crate) layout: Layout,
    pub(crate) data: Buffer,
    /// Only of a nullable type.
    pub(crate) validity: Option<Buffer>,
    pub(crate) first_child: ColumnId,
    pub(crate) child_count: u32,
    /// Rows there is room for.
    capacity: usize,
    /// Rows, of the items of a list; other columns have the rows of what they belong to.
    pub(crate) len: usize,
}

/// Where a column's rows lie: all that writing one without a check needs, at hand.
#[derive(Clone, Copy)]
pub(crate) struct Sink {
    data: *mut u8,
    /// Null of a type that is not nullable.
    validity: *mut u8,
}

impl Sink {
    fn of(column: &Column) -> Sink {
        let validity = column.validity.as_ref().map_or(std::ptr::null_mut(), Buffer::start);
        Sink { data: column.data.start(), validity }
    }

    /// Writes a row of a column whose rows are as large as `T`; of a nullable column its bit too.
    ///
    /// # Safety
    /// The column has rows of that size and room for this one, and the caller has the columns for itself.
    #[inline(always)]
    pub(crate) unsafe fn put<T>(self, row: usize, value: T) {
        // SAFETY: as the caller promises.
        unsafe {
            self.data.cast::<T>().add(row).write(value);
            self.set_valid(row);
        }
    }

    /// Writes a row of a column of bits; of a nullable column its other bit too.
    ///
    /// # Safety
    /// As `put`.
    #[inline(always)]
    pub(crate) unsafe fn put_bool(self, row: usize, value: bool) {
        // SAFETY: as the caller promises.
        unsafe {
            let byte = self.data.add(row / 8);
            byte.write(*byte & !(1 << (row % 8)) | u8::from(value) << (row % 8));
            self.set_valid(row);
        }
    }

    #[inline(always)]
    unsafe fn set_valid(self, row: usize) {
        if !self.validity.is_null() {
            // SAFETY: as the caller promises.
            unsafe { *self.validity.add(row / 8) |= 1 << (row % 8) };
        }
    }
}

/// Where list items ended before a message.
#[derive(Clone, Copy)]
pub(crate) struct Checkpoint {
    arena: Mark,
}

/// What a batch of messages was decoded into: one row per message, one column per column of the plan.
pub struct DecodedColumns {
    pub(crate) columns: Vec<Column>,
    /// One for each column.
    sinks: Vec<Sink>,
    views: Vec<ColumnView>,
    pub(crate) arena: Arena,
    buffer_starts: Vec<*const u8>,
    top_count: usize,
    rows: usize,
    /// The columns whose `len` counts.
    item_columns: Vec<ColumnId>,
    saved_lens: Vec<usize>,
    shared: bool,
    /// Views that were moved since `begin`: a short text lies in its view, and a kernel that read it holds its address
    /// while `decode_one` adds rows.
    outgrown: Vec<Arc<Block>>,
}

// SAFETY: the raw pointers point into buffers that this struct owns, or into the batch's buffer, which is only handed on
// to kernels; nothing is tied to a thread.
unsafe impl Send for DecodedColumns {}

impl DecodedColumns {
    /// Columns of these types.
    pub(crate) fn new<'a>(types: impl Iterator<Item = &'a Type>) -> DecodedColumns {
        let mut columns: Vec<Column> = types.map(new_column).collect();
        let top_count = columns.len();
        let mut item_columns = Vec::new();
        let mut next = 0;
        while next < columns.len() {
            let children: Vec<Type> = match &columns[next].ty.kind {
                Kind::List(item) | Kind::Vector(item, _) => vec![(**item).clone()],
                Kind::Map(key, value) => vec![(**key).clone(), (**value).clone()],
                Kind::Struct(message) => message.fields.iter().map(|field| field.ty.clone()).collect(),
                _ => Vec::new(),
            };
            columns[next].first_child = columns.len() as ColumnId;
            columns[next].child_count = children.len() as u32;
            if columns[next].layout == Layout::Offsets {
                item_columns.push(columns.len() as ColumnId);
            }
            columns.extend(children.iter().map(new_column));
            next += 1;
        }
        let empty = ColumnView {
            data: std::ptr::null(),
            validity: std::ptr::null(),
            buffers: std::ptr::null(),
            children: std::ptr::null(),
            len: 0,
        };
        let mut decoded = DecodedColumns {
            views: vec![empty; columns.len()],
            sinks: columns.iter().map(Sink::of).collect(),
            columns,
            arena: Arena::new(),
            buffer_starts: Vec::new(),
            top_count,
            rows: 0,
            item_columns,
            saved_lens: Vec::new(),
            shared: false,
            outgrown: Vec::new(),
        };
        decoded.begin(0);
        decoded.refresh_views(std::ptr::null());
        decoded
    }

    // ---- a batch -----------------------------------------------------------------------------------------------

    /// Forgets all rows and makes room for that many; each of them must be written, or `null_row`ed, in order.
    pub(crate) fn begin(&mut self, rows: usize) {
        self.unshare();
        self.arena.clear();
        self.outgrown.clear();
        for index in 0..self.item_columns.len() {
            let column = self.item_columns[index] as usize;
            self.columns[column].len = 0;
        }
        self.rows = rows;
        for column in 0..self.top_count {
            self.reserve(column as ColumnId, rows);
        }
    }

    /// Takes buffers of its own where somebody holds the present ones.
    pub(crate) fn unshare(&mut self) {
        if !std::mem::take(&mut self.shared) {
            return;
        }
        for (column, sink) in self.columns.iter_mut().zip(&mut self.sinks) {
            column.data.unshare();
            if let Some(validity) = &mut column.validity {
                validity.unshare();
            }
            *sink = Sink::of(column);
        }
    }

    /// Adds a row to the top columns, for `decode_one`.
    pub(crate) fn push_row(&mut self) -> usize {
        let row = self.rows;
        self.rows += 1;
        for column in 0..self.top_count {
            self.reserve(column as ColumnId, row + 1);
        }
        row
    }

    /// Takes the last row back.
    pub(crate) fn pop_row(&mut self) {
        self.rows -= 1;
    }

    /// Notes where everything stands before a message.
    pub(crate) fn checkpoint(&mut self) -> Checkpoint {
        self.saved_lens.clear();
        for &column in &self.item_columns {
            self.saved_lens.push(self.columns[column as usize].len);
        }
        Checkpoint { arena: self.arena.mark() }
    }

    /// Forgets what was appended since the checkpoint (the latest one).
    pub(crate) fn restore(&mut self, checkpoint: &Checkpoint) {
        self.arena.release(checkpoint.arena);
        for (&column, &len) in self.item_columns.iter().zip(&self.saved_lens) {
            self.columns[column as usize].len = len;
        }
    }

    /// Room for that many rows of a column and of all that goes in step with it.
    #[inline]
    pub(crate) fn reserve(&mut self, column: ColumnId, rows: usize) {
        if rows > self.columns[column as usize].capacity {
            self.grow(column, rows.max(self.columns[column as usize].capacity * 2).max(64));
        }
    }

    #[cold]
    fn grow(&mut self, id: ColumnId, rows: usize) {
        let column = &mut self.columns[id as usize];
        column.capacity = column.capacity.max(rows);
        let outgrown = column.data.reserve(column.layout.data_bytes(rows));
        if column.layout == Layout::View {
            self.outgrown.extend(outgrown);
        }
        if let Some(validity) = &mut column.validity {
            validity.reserve(rows.div_ceil(8));
        }
        self.sinks[id as usize] = Sink::of(column);
        let (first, count, layout) = (column.first_child, column.child_count, column.layout);
        let child_rows = match layout {
            Layout::Items(length) => rows * length as usize,
            Layout::Parallel => rows,
            _ => return,
        };
        for child in first..first + count {
            if self.columns[child as usize].capacity < child_rows {
                self.grow(child, child_rows);
            }
        }
    }

    /// Appends an item to the items of a list and says which row it is. `keys` and values of a map are appended one by one.
    #[inline]
    pub(crate) fn push_item(&mut self, items: ColumnId) -> usize {
        let row = self.columns[items as usize].len;
        self.reserve(items, row + 1);
        self.columns[items as usize].len = row + 1;
        row
    }

    // ---- one row -----------------------------------------------------------------------------------------------

    /// Marks a row as not null.
    #[inline]
    pub(crate) fn set_valid(&mut self, column: ColumnId, row: usize) {
        if let Some(validity) = &mut self.columns[column as usize].validity {
            validity.bytes_mut()[row / 8] |= 1 << (row % 8);
        }
    }

    /// Writes null: zeros and a cleared bit, here and below. A type that is not nullable gets the zeros alone.
    pub(crate) fn null_row(&mut self, id: ColumnId, row: usize) {
        let column = &mut self.columns[id as usize];
        if let Some(validity) = &mut column.validity {
            validity.bytes_mut()[row / 8] &= !(1 << (row % 8));
        }
        let (first, count) = (column.first_child, column.child_count);
        match column.layout {
            Layout::Bits => column.data.bytes_mut()[row / 8] &= !(1 << (row % 8)),
            Layout::Fixed(width) => {
                let width = usize::from(width);
                column.data.bytes_mut()[row * width..][..width].fill(0);
            }
            Layout::View => column.data.bytes_mut()[row * 16..][..16].fill(0),
            Layout::Offsets => self.end_list(id, row),
            Layout::Items(length) => {
                let length = length as usize;
                for item in row * length..(row + 1) * length {
                    self.null_row(first, item);
                }
            }
            Layout::Parallel => (first..first + count).for_each(|child| self.null_row(child, row)),
        }
    }

    /// Writes null in every column.
    pub(crate) fn null_message(&mut self, row: usize) {
        for column in 0..self.top_count {
            self.null_row(column as ColumnId, row);
        }
    }

    pub(crate) fn put_bool(&mut self, column: ColumnId, row: usize, value: bool) {
        let byte = &mut self.columns[column as usize].data.bytes_mut()[row / 8];
        *byte = *byte & !(1 << (row % 8)) | u8::from(value) << (row % 8);
        self.set_valid(column, row);
    }

    /// Writes the low bytes of the word, as many as the column is wide: integers, bits of floats, times, enum indexes.
    pub(crate) fn put_word(&mut self, id: ColumnId, row: usize, word: u64) {
        let column = &mut self.columns[id as usize];
        let data = column.data.bytes_mut();
        match column.layout {
            Layout::Fixed(1) => data[row] = word as u8,
            Layout::Fixed(2) => data[row * 2..][..2].copy_from_slice(&(word as u16).to_ne_bytes()),
            Layout::Fixed(4) => data[row * 4..][..4].copy_from_slice(&(word as u32).to_ne_bytes()),
            Layout::Fixed(8) => data[row * 8..][..8].copy_from_slice(&word.to_ne_bytes()),
            layout => unreachable!("a word does not go into {layout:?}"),
        }
        self.set_valid(id, row);
    }

    pub(crate) fn put_decimal(&mut self, column: ColumnId, row: usize, unscaled: i128) {
        self.columns[column as usize].data.bytes_mut()[row * 16..][..16].copy_from_slice(&unscaled.to_ne_bytes());
        self.set_valid(column, row);
    }

    /// Writes text that lies in data buffer `buffer` at `offset`.
    pub(crate) fn put_view(&mut self, column: ColumnId, row: usize, text: &[u8], buffer: u32, offset: u32) {
        let mut view = [0; 16];
        view[..4].copy_from_slice(&(text.len() as u32).to_ne_bytes());
        if text.len() <= 12 {
            view[4..4 + text.len()].copy_from_slice(text);
        } else {
            view[4..8].copy_from_slice(&text[..4]);
            view[8..12].copy_from_slice(&buffer.to_ne_bytes());
            view[12..].copy_from_slice(&offset.to_ne_bytes());
        }
        self.columns[column as usize].data.bytes_mut()[row * 16..][..16].copy_from_slice(&view);
        self.set_valid(column, row);
    }

    /// Writes text that lies in no data buffer: where it does not fit into the view it is copied to the arena.
    pub(crate) fn put_text(&mut self, column: ColumnId, row: usize, text: &[u8]) {
        if text.len() <= 12 {
            self.put_view(column, row, text, 0, 0);
        } else {
            let taken = self.arena.copy(text);
            self.put_view(column, row, text, taken.buffer, taken.offset);
        }
    }

    /// Where a column's rows lie, until it grows.
    ///
    /// # Safety
    /// There is such a column.
    #[inline(always)]
    pub(crate) unsafe fn sink(&self, column: ColumnId) -> Sink {
        // SAFETY: as the caller promises.
        unsafe { *self.sinks.get_unchecked(column as usize) }
    }

    /// Writes eight bytes a row; of a nullable column its bit too.
    ///
    /// # Safety
    /// The column is `Fixed(8)` and has room for the row.
    #[inline(always)]
    pub(crate) unsafe fn put_word_unchecked(&mut self, column: ColumnId, row: usize, word: u64) {
        // SAFETY: as the caller promises.
        unsafe {
            self.sink(column).put(row, word);
        }
    }

    /// Writes a value as it lies in memory; of a nullable column its bit too.
    ///
    /// # Safety
    /// The column is `Fixed` with the size of `T` and has room for the row; `T` is an integer.
    #[inline(always)]
    pub(crate) unsafe fn put_unchecked<T: Copy>(&mut self, column: ColumnId, row: usize, value: T) {
        // SAFETY: as the caller promises; blocks are aligned for every integer.
        unsafe {
            debug_assert_eq!(self.columns[column as usize].layout, Layout::Fixed(size_of::<T>() as u8));
            self.sink(column).put(row, value);
        }
    }

    /// Writes a bit; of a nullable column its other bit too.
    ///
    /// # Safety
    /// The column is `Bits` and has room for the row.
    #[inline(always)]
    pub(crate) unsafe fn put_bool_unchecked(&mut self, column: ColumnId, row: usize, value: bool) {
        // SAFETY: as the caller promises.
        unsafe {
            self.sink(column).put_bool(row, value);
        }
    }

    /// Writes the two halves of a view.
    ///
    /// # Safety
    /// The column is `View` and has room for the row.
    #[inline(always)]
    pub(crate) unsafe fn put_view_unchecked(&mut self, column: ColumnId, row: usize, low: u64, high: u64) {
        // SAFETY: as the caller promises.
        unsafe {
            self.sink(column).put(row, [low, high]);
        }
    }

    /// Closes the list or map of a row: it ends where its items end now. The first row begins at item 0.
    pub(crate) fn end_list(&mut self, id: ColumnId, row: usize) {
        let column = &self.columns[id as usize];
        let end = self.columns[column.first_child as usize].len as i64;
        let data = self.columns[id as usize].data.bytes_mut();
        if row == 0 {
            data[..8].fill(0);
        }
        data[(row + 1) * 8..][..8].copy_from_slice(&end.to_ne_bytes());
    }

    /// Writes a value of the column's type (a default).
    pub(crate) fn put_value(&mut self, id: ColumnId, row: usize, value: &Value) {
        let first = self.columns[id as usize].first_child;
        match value {
            Value::Null => self.null_row(id, row),
            Value::Bool(value) => self.put_bool(id, row, *value),
            Value::Int(value) => self.put_word(id, row, *value as u64),
            Value::Float(value) if self.columns[id as usize].layout == Layout::Fixed(4) => {
                self.put_word(id, row, u64::from((*value as f32).to_bits()));
            }
            Value::Float(value) => self.put_word(id, row, value.to_bits()),
            Value::Decimal(value) => self.put_decimal(id, row, *value),
            Value::String(value) => self.put_text(id, row, value.as_bytes()),
            Value::Bytes(value) => self.put_text(id, row, value),
            Value::Datetime(value) | Value::Time(value) | Value::Duration(value) => {
                self.put_word(id, row, *value as u64);
            }
            Value::Date(value) => self.put_word(id, row, *value as u64),
            Value::Enum(value) => self.put_word(id, row, u64::from(*value)),
            Value::List(items) => {
                if let Layout::Items(length) = self.columns[id as usize].layout {
                    for (index, item) in items.iter().enumerate() {
                        self.put_value(first, row * length as usize + index, item);
                    }
                } else {
                    for item in items {
                        let item_row = self.push_item(first);
                        self.put_value(first, item_row, item);
                    }
                    self.end_list(id, row);
                }
                self.set_valid(id, row);
            }
            Value::Map(entries) => {
                for (key, value) in entries {
                    let (key_row, value_row) = (self.push_item(first), self.push_value(first + 1));
                    self.put_value(first, key_row, key);
                    self.put_value(first + 1, value_row, value);
                }
                self.end_list(id, row);
                self.set_valid(id, row);
            }
            Value::Struct(fields) => {
                for (index, field) in fields.iter().enumerate() {
                    self.put_value(first + index as u32, row, field);
                }
                self.set_valid(id, row);
            }
        }
    }

    /// Makes room for the value of the map entry whose key was just pushed; gives its row.
    pub(crate) fn push_value(&mut self, values: ColumnId) -> usize {
        let row = self.columns[values as usize - 1].len - 1;
        self.reserve(values, row + 1);
        row
    }

    /// A digest of a map's key: keys that are equal have the same one. `message` is what views into data buffer 0 point into, and
    /// begins at `offset` there.
    pub(crate) fn digest(&self, id: ColumnId, row: usize, message: &[u8], offset: u32) -> u64 {
        let column = &self.columns[id as usize];
        match column.layout {
            Layout::Bits => u64::from(column.data.bytes(row / 8 + 1)[row / 8] >> (row % 8) & 1),
            Layout::Fixed(width) => {
                let width = usize::from(width);
                digest_of(&column.data.bytes((row + 1) * width)[row * width..])
            }
            Layout::View => {
                let view = &column.data.bytes((row + 1) * 16)[row * 16..];
                let word = |at: usize| u32::from_ne_bytes([view[at], view[at + 1], view[at + 2], view[at + 3]]);
                let (size_bytes, buffer, start) = (word(0) as usize, word(8), word(12));
                if size_bytes <= 12 {
                    digest_of(view)
                } else if buffer == 0 {
                    digest_of(&message[(start - offset) as usize..][..size_bytes])
                } else {
                    digest_of(&self.arena.bytes(buffer)[start as usize..][..size_bytes])
                }
            }
            layout => unreachable!("no key is of {layout:?}"),
        }
    }

    // ---- for the outside -----------------------------------------------------------------------------------------

    pub(crate) fn note_shared(&mut self) {
        self.shared = true;
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn top_count(&self) -> usize {
        self.top_count
    }

    pub(crate) fn top_views(&self) -> &[ColumnView] {
        &self.views[..self.top_count]
    }

    /// Makes the views say where everything is now. They keep their own addresses.
    pub(crate) fn refresh_views(&mut self, message_bytes: *const u8) {
        self.buffer_starts.clear();
        self.buffer_starts.push(message_bytes);
        self.buffer_starts.extend(self.arena.starts());
        for id in 0..self.columns.len() {
            let column = &self.columns[id];
            self.views[id].data = column.data.start();
            self.views[id].validity =
                column.validity.as_ref().map_or(std::ptr::null(), |bits| bits.start().cast_const());
            self.views[id].buffers = self.buffer_starts.as_ptr();
        }
        for id in 0..self.top_count {
            self.refresh_tree(id, self.rows);
        }
    }

    fn refresh_tree(&mut self, id: usize, rows: usize) {
        let column = &self.columns[id];
        let first = column.first_child as usize;
        let children = first..first + column.child_count as usize;
        let child_rows = match column.layout {
            Layout::Offsets => self.columns[first].len,
            Layout::Items(length) => rows * length as usize,
            _ => rows,
        };
        self.views[id].len = rows as u64;
        self.views[id].children =
            if children.is_empty() { std::ptr::null() } else { &raw const self.views[children.start] };
        for child in children {
            self.refresh_tree(child, child_rows);
        }
    }
}

fn new_column(ty: &Type) -> Column {
    Column {
        layout: Layout::of(&ty.kind),
        ty: ty.clone(),
        data: Buffer::new(),
        validity: ty.nullable.then(Buffer::new),
        first_child: 0,
        child_count: 0,
        capacity: 0,
        len: 0,
    }
}

/// Multiplies words into one another, so that each bit of each takes part (Wang Yi, wyhash).
fn digest_of(bytes: &[u8]) -> u64 {
    let mut digest = bytes.len() as u64;
    for chunk in bytes.chunks(16) {
        let mut words = [0; 16];
        words[..chunk.len()].copy_from_slice(chunk);
        let words = u128::from_le_bytes(words);
        let (low, high) = (words as u64 ^ digest ^ 0x2d35_8dcc_aa6c_78a5, (words >> 64) as u64 ^ 0x8bb8_4b93_962e_acc9);
        let product = u128::from(low) * u128::from(high);
        digest = product as u64 ^ (product >> 64) as u64;
    }
    digest
}

/// Whether the value can stand in a column of that type.
pub(crate) fn value_fits(value: &Value, ty: &Type) -> bool {
    match (value, &ty.kind) {
        (Value::Null, _) => ty.nullable,
        (Value::Bool(_), Kind::Bool)
        | (Value::Float(_), Kind::Float64 | Kind::Float32)
        | (Value::Decimal(_), Kind::Decimal { .. })
        | (Value::String(_), Kind::String)
        | (Value::Bytes(_), Kind::Bytes)
        | (Value::Datetime(_), Kind::Datetime)
        | (Value::Date(_), Kind::Date)
        | (Value::Time(_), Kind::Time)
        | (Value::Duration(_), Kind::Duration) => true,
        (Value::Int(value), Kind::Int(width)) => in_range(*value, *width),
        (Value::Enum(value), Kind::Enum(def)) => (*value as usize) < def.variants.len(),
        (Value::List(items), Kind::List(item)) => items.iter().all(|value| value_fits(value, item)),
        (Value::List(items), Kind::Vector(item, length)) => {
            items.len() == *length as usize && items.iter().all(|value| value_fits(value, item))
        }
        (Value::Map(entries), Kind::Map(key, value)) => {
            entries.iter().all(|entry| value_fits(&entry.0, key) && value_fits(&entry.1, value))
        }
        (Value::Struct(values), Kind::Struct(message)) => {
            values.len() == message.fields.len()
                && values.iter().zip(&message.fields).all(|(value, field)| value_fits(value, &field.ty))
        }
        _ => false,
    }
}

/// Whether an integer of that width can hold the value.
pub(crate) fn in_range(value: i128, width: IntWidth) -> bool {
    let (low, high) = width.range();
    (low..=high).contains(&value)
}
