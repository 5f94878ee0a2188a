//! What the outside sees of decoded columns: views for kernels, bytes for Arrow, single values for tests and evaluators.
//!
//! This file must not know how rows are written.

use chalk_artifact::abi::ColumnView;
use chalk_types::{IntWidth, Kind, Type, Value};

use crate::columns::{ColumnId, DecodedColumns, Layout};
use crate::memory::SharedBytes;

/// A column as its parts, in the layouts of Arrow (see `chalk_artifact::abi::ColumnView`).
#[derive(Clone, Copy)]
pub struct ColumnRef<'a> {
    columns: &'a DecodedColumns,
    id: ColumnId,
    rows: usize,
}

/// A column's parts, to keep while the decoder goes on with other batches.
#[derive(Clone, Debug)]
pub struct SharedColumn {
    /// Its type.
    pub ty: Type,
    /// Rows.
    pub rows: usize,
    /// Values, bitmap, views or offsets; empty of structs and vectors.
    pub values: SharedBytes,
    /// Bit set = not null; only of a nullable type.
    pub validity: Option<SharedBytes>,
    /// Fields, items, or keys and values.
    pub children: Vec<SharedColumn>,
}

impl<'a> ColumnRef<'a> {
    /// Its type.
    pub fn ty(&self) -> &'a Type {
        &self.columns.columns[self.id as usize].ty
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    fn value_bytes(&self) -> usize {
        let rows = self.rows;
        match self.columns.columns[self.id as usize].layout {
            Layout::Bits => rows.div_ceil(8),
            Layout::Fixed(width) => rows * usize::from(width),
            Layout::View => rows * 16,
            Layout::Offsets => (rows + 1) * 8,
            Layout::Items(_) | Layout::Parallel => 0,
        }
    }

    /// Values, bitmap, views or offsets; empty of structs and vectors.
    pub fn values(&self) -> &'a [u8] {
        self.columns.columns[self.id as usize].data.bytes(self.value_bytes())
    }

    /// Bit set = not null; only of a nullable type.
    pub fn validity(&self) -> Option<&'a [u8]> {
        self.columns.columns[self.id as usize].validity.as_ref().map(|bits| bits.bytes(self.rows.div_ceil(8)))
    }

    /// Fields, items, or keys and values.
    pub fn children(&self) -> impl Iterator<Item = ColumnRef<'a>> + use<'a> {
        let columns = self.columns;
        let column = &columns.columns[self.id as usize];
        let first = column.first_child;
        let rows = match column.layout {
            Layout::Offsets => columns.columns[first as usize].len,
            Layout::Items(length) => self.rows * length as usize,
            _ => self.rows,
        };
        (first..first + column.child_count).map(move |id| ColumnRef { columns, id, rows })
    }

    fn fixed<const N: usize>(&self, row: usize) -> [u8; N] {
        self.values()[row * N..][..N].try_into().expect("N bytes")
    }

    /// Where the items of a list's, map's or vector's row begin and end.
    fn range(&self, row: usize) -> std::ops::Range<usize> {
        match self.columns.columns[self.id as usize].layout {
            Layout::Items(length) => row * length as usize..(row + 1) * length as usize,
            _ => i64::from_ne_bytes(self.fixed(row)) as usize..i64::from_ne_bytes(self.fixed(row + 1)) as usize,
        }
    }

    /// Whether the row is not null.
    pub fn is_valid(&self, row: usize) -> bool {
        self.validity().is_none_or(|bits| bits[row / 8] >> (row % 8) & 1 == 1)
    }

    /// The text or bytes of a row; `message_bytes` are those of the batch (`MessageBatch::bytes`).
    pub fn text(&self, row: usize, message_bytes: &'a [u8]) -> &'a [u8] {
        let view = &self.values()[row * 16..][..16];
        let word = |at: usize| u32::from_ne_bytes(view[at..at + 4].try_into().expect("4 bytes"));
        let size_bytes = word(0) as usize;
        if size_bytes <= 12 {
            return &view[4..4 + size_bytes];
        }
        let buffer = if word(8) == 0 { message_bytes } else { self.columns.arena.bytes(word(8)) };
        &buffer[word(12) as usize..][..size_bytes]
    }

    /// The value of a row as plain data.
    pub fn value(&self, row: usize, message_bytes: &'a [u8]) -> Value {
        if !self.is_valid(row) {
            return Value::Null;
        }
        let values = |range: std::ops::Range<usize>, column: &ColumnRef<'a>| {
            range.map(|row| column.value(row, message_bytes)).collect::<Vec<_>>()
        };
        match &self.ty().kind {
            Kind::Null => Value::Null,
            Kind::Bool => Value::Bool(self.values()[row / 8] >> (row % 8) & 1 == 1),
            Kind::Int(width) => Value::Int(match width {
                IntWidth::Int8 => i8::from_ne_bytes(self.fixed(row)).into(),
                IntWidth::Int16 => i16::from_ne_bytes(self.fixed(row)).into(),
                IntWidth::Int32 => i32::from_ne_bytes(self.fixed(row)).into(),
                IntWidth::Int64 => i64::from_ne_bytes(self.fixed(row)).into(),
                IntWidth::UInt8 => u8::from_ne_bytes(self.fixed(row)).into(),
                IntWidth::UInt16 => u16::from_ne_bytes(self.fixed(row)).into(),
                IntWidth::UInt32 => u32::from_ne_bytes(self.fixed(row)).into(),
                IntWidth::UInt64 => u64::from_ne_bytes(self.fixed(row)).into(),
            }),
            Kind::Float32 => Value::Float(f32::from_ne_bytes(self.fixed(row)).into()),
            Kind::Float64 => Value::Float(f64::from_ne_bytes(self.fixed(row))),
            Kind::String => Value::String(String::from_utf8_lossy(self.text(row, message_bytes)).into_owned()),
            Kind::Bytes => Value::Bytes(self.text(row, message_bytes).to_vec()),
            Kind::Datetime => Value::Datetime(i64::from_ne_bytes(self.fixed(row))),
            Kind::Date => Value::Date(i32::from_ne_bytes(self.fixed(row))),
            Kind::Time => Value::Time(i64::from_ne_bytes(self.fixed(row))),
            Kind::Duration => Value::Duration(i64::from_ne_bytes(self.fixed(row))),
            Kind::Decimal { .. } => Value::Decimal(i128::from_ne_bytes(self.fixed(row))),
            Kind::Enum(_) => Value::Enum(u32::from_ne_bytes(self.fixed(row))),
            Kind::List(_) | Kind::Vector(..) => {
                let items = self.children().next().expect("a list has items");
                Value::List(values(self.range(row), &items))
            }
            Kind::Map(..) => {
                let mut children = self.children();
                let (keys, entries) = (children.next().expect("keys"), children.next().expect("values"));
                let range = self.range(row);
                Value::Map(values(range.clone(), &keys).into_iter().zip(values(range, &entries)).collect())
            }
            Kind::Struct(_) => Value::Struct(self.children().map(|field| field.value(row, message_bytes)).collect()),
        }
    }

    fn share(&self) -> SharedColumn {
        let column = &self.columns.columns[self.id as usize];
        SharedColumn {
            ty: column.ty.clone(),
            rows: self.rows,
            values: column.data.share(self.value_bytes()),
            validity: column.validity.as_ref().map(|bits| bits.share(self.rows.div_ceil(8))),
            children: self.children().map(|child| child.share()).collect(),
        }
    }
}

impl DecodedColumns {
    /// Rows: one per message of the batch.
    pub fn len(&self) -> usize {
        self.rows()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows() == 0
    }

    /// Columns, as many as the plan has.
    pub fn column_count(&self) -> usize {
        self.top_count()
    }

    /// The column of that position in the plan, for kernels. Its pointers are good until the decoder is used again, and
    /// data buffer 0 of its views until the batch is changed. The view's own address stays for the decoder's life.
    pub fn view(&self, index: usize) -> &ColumnView {
        &self.top_views()[index]
    }

    /// The column of that position in the plan.
    pub fn column(&self, index: usize) -> ColumnRef<'_> {
        assert!(index < self.top_count(), "the plan has {} columns", self.top_count());
        ColumnRef { columns: self, id: index as ColumnId, rows: self.rows() }
    }

    /// The parts of a column, to keep (in Arrow arrays, for instance) without a copy: the decoder takes new memory for the
    /// next batch where somebody still holds them.
    pub fn share(&mut self, index: usize) -> SharedColumn {
        self.note_shared();
        self.column(index).share()
    }

    /// Data buffers 1, 2, … of the string columns, to keep; buffer 0 is `MessageBatch::share`.
    pub fn share_text(&self) -> Vec<SharedBytes> {
        self.arena.share()
    }
}
