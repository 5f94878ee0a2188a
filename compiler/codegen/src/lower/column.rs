//! Reading columns: of the kernel's inputs, with addresses loaded before the loop, and of nested ones, reached by handle.
//!
//! Inputs do not change while a kernel runs. What lies behind a handle may: a list that a helper made grows, and moves, with
//! the next one. So only loads of inputs are marked as repeatable.
//!
//! A missing bitmap is read as a byte of ones, without a branch. A text is told from its view without a branch too.
//!
//! This file must not know where columns come from.

use chalk_artifact::abi::column_view;
use chalk_types::{IntWidth, Kind};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F32, F64, I8, I64};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value};

use super::{Lowering, Parts, READ, WRITE};
use crate::ir::{Instr, Op};
use crate::tables::Literals;

/// What reading a column takes: what is not needed for its kind is left out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    view: Value,
    data: Option<Value>,
    buffers: Option<Value>,
    children: Option<Value>,
    validity: Option<Bitmap>,
    /// `READ` or `WRITE`: whether what is loaded stays the same.
    flags: MemFlagsData,
}

/// A bitmap that may be missing: a byte's position is masked, so that the stand-in has one byte.
#[derive(Clone, Copy, Debug)]
struct Bitmap {
    address: Value,
    position_mask: Value,
    flags: MemFlagsData,
}

impl Lowering<'_> {
    /// Loads the addresses of the inputs that the code reads, before it runs.
    pub(super) fn load_columns(&mut self, instrs: &[Instr]) {
        let none = Needs { value: false, validity: false };
        let mut needs = vec![none; self.kernel.inputs.len()];
        mark_needs(instrs, &mut needs);
        let kernel = self.kernel;
        for (index, (input, needs)) in kernel.inputs.iter().zip(needs).enumerate() {
            if !needs.value && !needs.validity {
                continue;
            }
            let view = self.input_view(index as u32);
            let mut column = self.column(view, &input.ty.kind, READ);
            if needs.validity {
                column.validity = Some(self.bitmap(view, READ));
            }
            self.columns[index] = Some(column);
        }
    }

    fn column(&mut self, view: Value, kind: &Kind, flags: MemFlagsData) -> Column {
        let load = |this: &mut Self, offset| Some(this.b.ins().load(I64, flags, view, offset));
        let mut column = Column { view, data: None, buffers: None, children: None, validity: None, flags };
        match kind {
            Kind::Null | Kind::Struct(_) => {}
            Kind::Vector(..) => column.children = load(self, column_view::children),
            Kind::List(_) => {
                column.data = load(self, column_view::data);
                column.children = load(self, column_view::children);
            }
            Kind::String | Kind::Bytes => {
                column.data = load(self, column_view::data);
                column.buffers = load(self, column_view::buffers);
            }
            Kind::Bool | Kind::Int(_) | Kind::Float32 | Kind::Float64 | Kind::Datetime | Kind::Date | Kind::Time => {
                column.data = load(self, column_view::data);
            }
            Kind::Duration | Kind::Decimal { .. } | Kind::Map(..) | Kind::Enum(_) => {
                column.data = load(self, column_view::data);
            }
        }
        column
    }

    fn bitmap(&mut self, view: Value, flags: MemFlagsData) -> Bitmap {
        let address = self.b.ins().load(I64, flags, view, column_view::validity);
        let ones = self.literal_address(Literals::ALL_VALID);
        let (zero, all) = (self.int(0), self.int(-1));
        let there = self.b.ins().icmp_imm_u(IntCC::NotEqual, address, 0);
        Bitmap {
            address: self.b.ins().select(there, address, ones),
            position_mask: self.b.ins().select(there, all, zero),
            flags,
        }
    }

    /// This row's value of an input.
    pub(super) fn load_input(&mut self, input: u32) -> Parts {
        let column = self.input_column(input);
        let kernel = self.kernel;
        self.read(column, &kernel.inputs[input as usize].ty.kind, self.row)
    }

    /// Whether this row's value of an input is not null.
    pub(super) fn load_input_valid(&mut self, input: u32) -> Value {
        match self.input_column(input).validity {
            Some(bitmap) => self.read_bitmap(bitmap, self.row),
            None => unreachable!("validity of input {input} was not prepared"),
        }
    }

    fn input_column(&self, input: u32) -> Column {
        self.columns[input as usize].unwrap_or_else(|| panic!("input {input} was not prepared"))
    }

    /// A value of a column reached by its address.
    pub(super) fn read_view(&mut self, view: Value, kind: &Kind, row: Value) -> Parts {
        let column = self.column(view, kind, WRITE);
        self.read(column, kind, row)
    }

    /// Whether a value of a column reached by its address is not null.
    pub(super) fn read_view_valid(&mut self, view: Value, row: Value) -> Value {
        let bitmap = self.bitmap(view, WRITE);
        self.read_bitmap(bitmap, row)
    }

    /// A child of a column, by position.
    pub(super) fn child_view(&mut self, view: Value, child: u32) -> Value {
        let children = self.b.ins().load(I64, WRITE, view, column_view::children);
        self.b.ins().iadd_imm_s(children, i64::from(child) * column_view::SIZE_BYTES as i64)
    }

    fn read_bitmap(&mut self, bitmap: Bitmap, row: Value) -> Value {
        let byte = self.b.ins().ushr_imm_u(row, 3);
        let byte = self.b.ins().band(byte, bitmap.position_mask);
        let address = self.b.ins().iadd(bitmap.address, byte);
        self.read_bit(address, row, bitmap.flags)
    }

    fn read_bit(&mut self, address: Value, row: Value, flags: MemFlagsData) -> Value {
        let byte = self.b.ins().load(I8, flags, address, 0);
        let position = self.b.ins().ireduce(I8, row);
        let position = self.b.ins().band_imm_u(position, 7);
        let bit = self.b.ins().ushr(byte, position);
        self.b.ins().band_imm_u(bit, 1)
    }

    fn read(&mut self, column: Column, kind: &Kind, row: Value) -> Parts {
        let flags = column.flags;
        match kind {
            Kind::Null => Parts::one(self.b.ins().iconst(I8, 0)),
            Kind::Struct(_) => Parts::two(column.view, row),
            Kind::Vector(_, length) => {
                let first = self.b.ins().imul_imm_s(row, i64::from(*length));
                let count = self.int(i64::from(*length));
                Parts::three(children_of(column), first, count)
            }
            Kind::List(_) | Kind::Map(..) => {
                let address = self.element(column, row, 3);
                let first = self.b.ins().load(I64, flags, address, 0);
                let end = self.b.ins().load(I64, flags, address, 8);
                let count = self.b.ins().isub(end, first);
                let view = if matches!(kind, Kind::List(_)) { children_of(column) } else { column.view };
                Parts::three(view, first, count)
            }
            Kind::Bool => {
                let byte = self.b.ins().ushr_imm_u(row, 3);
                let address = self.b.ins().iadd(data_of(column), byte);
                Parts::one(self.read_bit(address, row, flags))
            }
            Kind::Int(width) => {
                let address = self.element(column, row, width.size_bytes().trailing_zeros());
                let ins = self.b.ins();
                Parts::one(match width {
                    IntWidth::Int8 => ins.sload8(I64, flags, address, 0),
                    IntWidth::UInt8 => ins.uload8(I64, flags, address, 0),
                    IntWidth::Int16 => ins.sload16(I64, flags, address, 0),
                    IntWidth::UInt16 => ins.uload16(I64, flags, address, 0),
                    IntWidth::Int32 => ins.sload32(flags, address, 0),
                    IntWidth::UInt32 => ins.uload32(flags, address, 0),
                    IntWidth::Int64 | IntWidth::UInt64 => ins.load(I64, flags, address, 0),
                })
            }
            Kind::Date | Kind::Enum(_) => {
                let address = self.element(column, row, 2);
                Parts::one(self.b.ins().sload32(flags, address, 0))
            }
            Kind::Datetime | Kind::Time | Kind::Duration => {
                let address = self.element(column, row, 3);
                Parts::one(self.b.ins().load(I64, flags, address, 0))
            }
            Kind::Float32 => {
                let address = self.element(column, row, 2);
                let narrow = self.b.ins().load(F32, flags, address, 0);
                Parts::one(self.b.ins().fpromote(F64, narrow))
            }
            Kind::Float64 => {
                let address = self.element(column, row, 3);
                Parts::one(self.b.ins().load(F64, flags, address, 0))
            }
            Kind::Decimal { .. } => {
                let address = self.element(column, row, 4);
                let low = self.b.ins().load(I64, flags, address, 0);
                let high = self.b.ins().load(I64, flags, address, 8);
                Parts::two(low, high)
            }
            Kind::String | Kind::Bytes => {
                let address = self.element(column, row, 4);
                self.read_text(column, address)
            }
        }
    }

    /// A text from its view. An inline one has no buffer, so the load of a buffer's address is turned on the view itself.
    fn read_text(&mut self, column: Column, view: Value) -> Parts {
        let flags = column.flags;
        let Some(buffers) = column.buffers else { unreachable!("a text column has buffers") };
        let length = self.b.ins().uload32(flags, view, 0);
        let is_long = self.b.ins().icmp_imm_u(IntCC::UnsignedGreaterThan, length, 12);
        let buffer = self.b.ins().uload32(flags, view, 8);
        let offset = self.b.ins().uload32(flags, view, 12);
        let buffer = self.b.ins().ishl_imm_u(buffer, 3);
        let buffer = self.b.ins().iadd(buffers, buffer);
        let buffer = self.b.ins().select(is_long, buffer, view);
        let start = self.b.ins().load(I64, flags, buffer, 0);
        let long = self.b.ins().iadd(start, offset);
        let inline = self.b.ins().iadd_imm_s(view, 4);
        let address = self.b.ins().select(is_long, long, inline);
        Parts::two(address, length)
    }

    fn element(&mut self, column: Column, row: Value, shift: u32) -> Value {
        let offset = if shift == 0 { row } else { self.b.ins().ishl_imm_u(row, i64::from(shift)) };
        self.b.ins().iadd(data_of(column), offset)
    }
}

fn data_of(column: Column) -> Value {
    column.data.unwrap_or_else(|| unreachable!("a column of values has data"))
}

fn children_of(column: Column) -> Value {
    column.children.unwrap_or_else(|| unreachable!("a list column has a child"))
}

/// What code reads of an input.
#[derive(Clone, Copy)]
struct Needs {
    value: bool,
    validity: bool,
}

fn mark_needs(instrs: &[Instr], needs: &mut [Needs]) {
    for instr in instrs {
        match &instr.op {
            Op::Load(input) => needs[*input as usize].value = true,
            Op::LoadValid(input) => needs[*input as usize].validity = true,
            Op::If { then: a, otherwise: b, .. } | Op::Recover { body: a, fallback: b, .. } => {
                mark_needs(&a.instrs, needs);
                mark_needs(&b.instrs, needs);
            }
            _ => {}
        }
    }
}
