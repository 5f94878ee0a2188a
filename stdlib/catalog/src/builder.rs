//! Building columns of any type, row by row, from values or from slots.
//!
//! It holds arguments of the reference evaluator and nested outputs of kernels. The finished buffers are vectors of the
//! alignment that Arrow wants, so they become Arrow buffers without a copy.
//!
//! This file must not know Arrow's crates, kernels or functions.

use chalk_artifact::abi::{ColumnView, Slot};
use chalk_types::{IntWidth, Kind, Type, Value};

use crate::column::slot_at;
use crate::slot::slot_bytes;

/// Texts longer than a view holds are collected in buffers of about this size.
const TEXT_BUFFER_BYTES: usize = 64 << 10;

/// The values of a column, by the width of one.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnData {
    /// Struct and vector columns have children only.
    None,
    /// A bitmap.
    Bits(Vec<u8>),
    /// 1 byte each.
    Width1(Vec<u8>),
    /// 2 bytes each.
    Width2(Vec<u16>),
    /// 4 bytes each.
    Width4(Vec<u32>),
    /// 8 bytes each.
    Width8(Vec<u64>),
    /// 16 bytes each: decimals, and the views of text and bytes.
    Width16(Vec<u128>),
    /// Of lists and maps: one more than rows.
    Offsets(Vec<i64>),
}

/// A column of any type; rows are appended.
#[derive(Clone, Debug)]
pub struct ColumnBuilder {
    /// Its type.
    pub ty: Type,
    /// Rows.
    pub len: usize,
    /// The values.
    pub data: ColumnData,
    /// Bitmap, bit set = not null; as many bytes as rows need.
    pub validity: Vec<u8>,
    /// Rows that are null.
    pub null_count: usize,
    /// Long texts, which views point into.
    pub buffers: Vec<Vec<u8>>,
    /// Items, keys and values, or fields.
    pub children: Vec<ColumnBuilder>,
}

/// Appends a bit to a bitmap of `len` bits.
#[inline]
fn push_bit(bits: &mut Vec<u8>, len: usize, bit: bool) {
    let bit = u8::from(bit) << (len % 8);
    match bits.get_mut(len / 8) {
        Some(last) => *last = *last & !(1 << (len % 8)) | bit,
        None => bits.push(bit),
    }
}

impl ColumnBuilder {
    /// An empty column.
    pub fn new(ty: &Type) -> ColumnBuilder {
        let child = |ty: &Type| vec![ColumnBuilder::new(ty)];
        let (data, children) = match &ty.kind {
            Kind::Null => (ColumnData::None, Vec::new()),
            Kind::Bool => (ColumnData::Bits(Vec::new()), Vec::new()),
            Kind::Int(width) => (
                match width.size_bytes() {
                    1 => ColumnData::Width1(Vec::new()),
                    2 => ColumnData::Width2(Vec::new()),
                    4 => ColumnData::Width4(Vec::new()),
                    _ => ColumnData::Width8(Vec::new()),
                },
                Vec::new(),
            ),
            Kind::Float32 | Kind::Date | Kind::Enum(_) => (ColumnData::Width4(Vec::new()), Vec::new()),
            Kind::Float64 | Kind::Datetime | Kind::Time | Kind::Duration => {
                (ColumnData::Width8(Vec::new()), Vec::new())
            }
            Kind::String | Kind::Bytes | Kind::Decimal { .. } => (ColumnData::Width16(Vec::new()), Vec::new()),
            Kind::List(item) => (ColumnData::Offsets(vec![0]), child(item)),
            Kind::Vector(item, _) => (ColumnData::None, child(item)),
            Kind::Map(key, value) => {
                (ColumnData::Offsets(vec![0]), vec![ColumnBuilder::new(key), ColumnBuilder::new(value)])
            }
            Kind::Struct(message) => {
                (ColumnData::None, message.fields.iter().map(|field| ColumnBuilder::new(&field.ty)).collect())
            }
        };
        ColumnBuilder {
            ty: ty.clone(),
            len: 0,
            data,
            validity: Vec::new(),
            null_count: 0,
            buffers: Vec::new(),
            children,
        }
    }

    /// Forgets all rows but keeps memory.
    pub fn clear(&mut self) {
        self.truncate(0);
        self.buffers.truncate(1);
        if let Some(buffer) = self.buffers.first_mut() {
            buffer.clear();
        }
    }

    /// Forgets the rows from `len` on.
    pub fn truncate(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        self.null_count = if len == 0 { 0 } else { (0..len).filter(|row| self.is_null(*row)).count() };
        self.validity.truncate(len.div_ceil(8));
        match &mut self.data {
            ColumnData::None => {}
            ColumnData::Bits(bits) => bits.truncate(len.div_ceil(8)),
            ColumnData::Width1(values) => values.truncate(len),
            ColumnData::Width2(values) => values.truncate(len),
            ColumnData::Width4(values) => values.truncate(len),
            ColumnData::Width8(values) => values.truncate(len),
            ColumnData::Width16(values) => values.truncate(len),
            ColumnData::Offsets(offsets) => offsets.truncate(len + 1),
        }
        let child_len = match (&self.ty.kind, &self.data) {
            (_, ColumnData::Offsets(offsets)) => offsets[len] as usize,
            (Kind::Vector(_, items), _) => len * *items as usize,
            _ => len,
        };
        for child in &mut self.children {
            child.truncate(child_len);
        }
        self.len = len;
    }

    /// Whether the row is null.
    pub fn is_null(&self, row: usize) -> bool {
        self.validity[row / 8] & (1 << (row % 8)) == 0
    }

    /// Appends null. Where the type is not nullable the row holds a placeholder that nobody may read.
    pub fn push_null(&mut self) {
        match &self.ty.kind {
            Kind::Vector(_, items) => {
                for _ in 0..*items {
                    self.children[0].push_null();
                }
            }
            Kind::Struct(_) => self.children.iter_mut().for_each(ColumnBuilder::push_null),
            _ => {}
        }
        self.push_words(0, 0);
        self.end_row(false);
    }

    fn end_row(&mut self, valid: bool) {
        if let ColumnData::Offsets(offsets) = &mut self.data {
            offsets.push(self.children[0].len as i64);
        }
        push_bit(&mut self.validity, self.len, valid);
        self.null_count += usize::from(!valid);
        self.len += 1;
    }

    /// Makes room for so many values of 64 bits.
    pub fn reserve(&mut self, rows: usize) {
        if let ColumnData::Width8(words) = &mut self.data {
            words.reserve(rows);
        }
        self.validity.reserve(rows.div_ceil(8));
    }

    /// Whether values are words of 64 bits, which [`ColumnBuilder::extend_words`] takes.
    pub fn has_words(&self) -> bool {
        matches!(self.data, ColumnData::Width8(_))
    }

    /// Appends many words as they lie in the column, or nulls.
    ///
    /// # Panics
    /// If the column has no words.
    pub fn extend_words(&mut self, words: impl Iterator<Item = Option<u64>>) {
        let ColumnBuilder { data: ColumnData::Width8(values), validity, len, null_count, .. } = self else {
            panic!("{} has no words", self.ty)
        };
        values.extend(words.map(|word| {
            if *len % 8 == 0 {
                validity.push(0);
            }
            validity[*len / 8] |= u8::from(word.is_some()) << (*len % 8);
            *null_count += usize::from(word.is_none());
            *len += 1;
            word.unwrap_or(0)
        }));
    }

    /// Appends what a value of fixed width is made of; nothing to nested columns.
    fn push_words(&mut self, low: u64, high: u64) {
        match &mut self.data {
            ColumnData::None | ColumnData::Offsets(_) => {}
            ColumnData::Bits(bits) => push_bit(bits, self.len, low & 1 != 0),
            ColumnData::Width1(values) => values.push(low as u8),
            ColumnData::Width2(values) => values.push(low as u16),
            ColumnData::Width4(values) => values.push(low as u32),
            ColumnData::Width8(values) => values.push(low),
            ColumnData::Width16(values) => values.push((u128::from(high) << 64) | u128::from(low)),
        }
    }

    fn push_float(&mut self, value: f64) {
        let bits = if self.ty.kind == Kind::Float32 { u64::from((value as f32).to_bits()) } else { value.to_bits() };
        self.push_words(bits, 0);
    }

    fn push_text(&mut self, text: &[u8]) {
        let mut view = [0u8; 16];
        view[..4].copy_from_slice(&(text.len() as u32).to_le_bytes());
        if text.len() <= 12 {
            view[4..4 + text.len()].copy_from_slice(text);
        } else {
            let fits = |buffer: &Vec<u8>| buffer.is_empty() || buffer.len() + text.len() <= TEXT_BUFFER_BYTES;
            if !self.buffers.last().is_some_and(fits) {
                self.buffers.push(Vec::new());
            }
            let index = self.buffers.len() as u32 - 1;
            let buffer = self.buffers.last_mut().expect("there is a buffer");
            view[4..8].copy_from_slice(&text[..4]);
            view[8..12].copy_from_slice(&index.to_le_bytes());
            view[12..].copy_from_slice(&(buffer.len() as u32).to_le_bytes());
            buffer.extend_from_slice(text);
        }
        let view = u128::from_le_bytes(view);
        self.push_words(view as u64, (view >> 64) as u64);
    }

    /// Appends a value; panics where it is not of the column's type.
    #[inline]
    pub fn push_value(&mut self, value: &Value) {
        // Where the caller is known to give numbers nothing else is left of this.
        let word = match (&self.ty.kind, value) {
            (Kind::Float64, Value::Float(value)) => value.to_bits(),
            (Kind::Int(IntWidth::Int64), Value::Int(value)) => *value as u64,
            _ => return self.push_any(value),
        };
        match &mut self.data {
            ColumnData::Width8(words) => words.push(word),
            _ => unreachable!("numbers of 64 bits are words"),
        }
        push_bit(&mut self.validity, self.len, true);
        self.len += 1;
    }

    fn push_any(&mut self, value: &Value) {
        match (&self.ty.kind, value) {
            (_, Value::Null) => return self.push_null(),
            (Kind::Bool, Value::Bool(value)) => self.push_words(u64::from(*value), 0),
            (Kind::Int(_), Value::Int(value)) => self.push_words(*value as u64, 0),
            (Kind::Float32 | Kind::Float64, Value::Float(value)) => self.push_float(*value),
            (Kind::Decimal { .. }, Value::Decimal(value)) => self.push_words(*value as u64, (*value >> 64) as u64),
            (Kind::String, Value::String(text)) => self.push_text(text.as_bytes()),
            (Kind::Bytes, Value::Bytes(bytes)) => self.push_text(bytes),
            (Kind::Datetime, Value::Datetime(value))
            | (Kind::Time, Value::Time(value))
            | (Kind::Duration, Value::Duration(value)) => self.push_words(*value as u64, 0),
            (Kind::Date, Value::Date(value)) => self.push_words(*value as u64, 0),
            (Kind::Enum(_), Value::Enum(value)) => self.push_words(u64::from(*value), 0),
            (Kind::List(_), Value::List(items)) => items.iter().for_each(|item| self.children[0].push_value(item)),
            (Kind::Vector(_, len), Value::List(items)) => {
                assert_eq!(items.len(), *len as usize, "a vector of {len}");
                items.iter().for_each(|item| self.children[0].push_value(item));
            }
            (Kind::Map(..), Value::Map(entries)) => {
                for (key, value) in entries {
                    self.children[0].push_value(key);
                    self.children[1].push_value(value);
                }
            }
            (Kind::Struct(_), Value::Struct(fields)) => {
                assert_eq!(fields.len(), self.children.len(), "fields of {}", self.ty);
                self.children.iter_mut().zip(fields).for_each(|(child, field)| child.push_value(field));
            }
            (kind, value) => panic!("{value:?} is no {kind}"),
        }
        self.end_row(true);
    }

    /// Appends a value in passing.
    ///
    /// # Safety
    /// The slot holds a value of the column's type, and what it points to is alive and not this column.
    pub unsafe fn push_slot(&mut self, slot: &Slot) {
        if slot.valid == 0 {
            return self.push_null();
        }
        // SAFETY: the caller vouches for the slot, and with it for the column that it points into.
        unsafe {
            let column = slot.w0 as *const ColumnView;
            // Only the words of lists and maps are a range; those of other kinds may hold anything.
            let rows = || slot.w1 as usize..(slot.w1 + slot.w2) as usize;
            match &self.ty.kind {
                Kind::Float32 | Kind::Float64 => self.push_float(f64::from_bits(slot.w0)),
                Kind::String | Kind::Bytes => self.push_text(slot_bytes(slot)),
                Kind::List(_) | Kind::Vector(..) => {
                    let items = &mut self.children[0];
                    for row in rows() {
                        let item = slot_at(&*column, &items.ty, row);
                        items.push_slot(&item);
                    }
                }
                Kind::Map(..) => {
                    for row in rows() {
                        for (k, child) in self.children.iter_mut().enumerate() {
                            let entry = slot_at(&*(*column).children.add(k), &child.ty, row);
                            child.push_slot(&entry);
                        }
                    }
                }
                Kind::Struct(_) => {
                    for (k, child) in self.children.iter_mut().enumerate() {
                        let field = slot_at(&*(*column).children.add(k), &child.ty, slot.w1 as usize);
                        child.push_slot(&field);
                    }
                }
                _ => self.push_words(slot.w0, slot.w1),
            }
        }
        self.end_row(true);
    }

    /// The column as kernels see it. It is valid while neither the builder nor the returned views are changed or dropped.
    pub fn views(&self) -> ColumnViews {
        let mut views = ColumnViews { root: Box::new([]), tables: Vec::new(), children: Vec::new() };
        views.root = Box::new([self.view(&mut views)]);
        views
    }

    fn view(&self, views: &mut ColumnViews) -> ColumnView {
        let children: Box<[ColumnView]> = self.children.iter().map(|child| child.view(views)).collect();
        let table: Box<[*const u8]> = self.buffers.iter().map(|buffer| buffer.as_ptr()).collect();
        let view = ColumnView {
            data: match &self.data {
                ColumnData::None => std::ptr::null(),
                ColumnData::Bits(values) | ColumnData::Width1(values) => values.as_ptr(),
                ColumnData::Width2(values) => values.as_ptr().cast(),
                ColumnData::Width4(values) => values.as_ptr().cast(),
                ColumnData::Width8(values) => values.as_ptr().cast(),
                ColumnData::Width16(values) => values.as_ptr().cast(),
                ColumnData::Offsets(values) => values.as_ptr().cast(),
            },
            validity: if self.null_count == 0 { std::ptr::null() } else { self.validity.as_ptr() },
            buffers: table.as_ptr(),
            children: children.as_ptr(),
            len: self.len as u64,
        };
        views.children.push(children);
        views.tables.push(table);
        view
    }
}

/// A column's description together with what it points to.
#[derive(Debug)]
pub struct ColumnViews {
    root: Box<[ColumnView]>,
    children: Vec<Box<[ColumnView]>>,
    tables: Vec<Box<[*const u8]>>,
}

impl ColumnViews {
    /// The column; its address stays while the `ColumnViews` lives.
    pub fn root(&self) -> &ColumnView {
        &self.root[0]
    }
}

// SAFETY: the pointers lead into the builder, which is `Send`, and into the boxes beside them.
unsafe impl Send for ColumnViews {}
