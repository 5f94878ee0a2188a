//! Writing outputs: row `out_row` of every column, so that rows are dense.
//!
//! Outputs are written as soon as they are known; a row that fails later leaves `out_row` where it is, and the next row
//! writes over it.
//!
//! This file must not know what becomes of outputs.

use chalk_artifact::abi::{output_view, runtime_helpers};
use chalk_types::{IntWidth, Kind};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F32, I8, I16, I32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};

use super::{Lowering, Parts, READ, WRITE};
use crate::ir::{Instr, Op};
use crate::tables::Literals;

/// Where an output is written; nothing for nested ones, which a helper writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    data: Option<Value>,
    validity: Option<Value>,
}

/// Longest text that lies in its view.
const INLINE_BYTES_MAX: i64 = 12;
/// A load of 16 bytes from an address at most this far into its page stays in the page.
const PAGE_POSITION_MAX: i64 = 4096 - 16;

impl Lowering<'_> {
    /// Loads the addresses of the outputs that the code writes, before it runs.
    pub(super) fn load_outputs(&mut self, base: Value, instrs: &[Instr]) {
        for instr in instrs {
            // Outputs are written at the top of a body only.
            let Op::Store { output: index, .. } = instr.op else { continue };
            let output = &self.kernel.outputs[index as usize];
            let offset = index as i32 * output_view::SIZE_BYTES as i32;
            let mut target = Target { data: None, validity: None };
            if !is_nested(&output.ty.kind) {
                target.data = Some(self.b.ins().load(I64, READ, base, offset + output_view::data));
                if output.ty.nullable {
                    target.validity = Some(self.b.ins().load(I64, READ, base, offset + output_view::validity));
                }
            }
            self.outputs[index as usize] = Some(target);
        }
    }

    /// Writes a value, or null where `valid` is 0.
    pub(super) fn store(&mut self, output: u32, value: Parts, valid: Option<Value>) {
        let kernel = self.kernel;
        let ty = &kernel.outputs[output as usize].ty;
        let Some(target) = self.outputs[output as usize] else { unreachable!("output {output} was not prepared") };
        let Some(data) = target.data else {
            let slot = self.b.ins().stack_addr(I64, self.arguments, 0);
            self.write_slot(slot, 0, &ty.kind, value, valid);
            let output = self.int(i64::from(output));
            self.call_runtime(runtime_helpers::EMIT, &[self.context, output, self.out_row, slot], false);
            return;
        };
        if let Some(validity) = target.validity {
            let flag = match valid {
                Some(flag) => flag,
                None => self.b.ins().iconst(I8, 1),
            };
            let address = self.b.ins().iadd(validity, self.out_row);
            self.b.ins().store(WRITE, flag, address, 0);
        }
        match &ty.kind {
            Kind::Null => {}
            Kind::String | Kind::Bytes => {
                let address = self.target(data, 4);
                self.store_text(address, value, valid);
            }
            Kind::Decimal { .. } => {
                let address = self.target(data, 4);
                self.b.ins().store(WRITE, value.a(), address, 0);
                self.b.ins().store(WRITE, value.b(), address, 8);
            }
            Kind::Bool => {
                let address = self.target(data, 0);
                self.b.ins().store(WRITE, value.a(), address, 0);
            }
            Kind::Int(width) => {
                let address = self.target(data, width.size_bytes().trailing_zeros());
                let narrow = match width {
                    IntWidth::Int8 | IntWidth::UInt8 => self.b.ins().ireduce(I8, value.a()),
                    IntWidth::Int16 | IntWidth::UInt16 => self.b.ins().ireduce(I16, value.a()),
                    IntWidth::Int32 | IntWidth::UInt32 => self.b.ins().ireduce(I32, value.a()),
                    IntWidth::Int64 | IntWidth::UInt64 => value.a(),
                };
                self.b.ins().store(WRITE, narrow, address, 0);
            }
            Kind::Date | Kind::Enum(_) => {
                let address = self.target(data, 2);
                let narrow = self.b.ins().ireduce(I32, value.a());
                self.b.ins().store(WRITE, narrow, address, 0);
            }
            Kind::Float32 => {
                let address = self.target(data, 2);
                let narrow = self.b.ins().fdemote(F32, value.a());
                self.b.ins().store(WRITE, narrow, address, 0);
            }
            Kind::Float64 | Kind::Datetime | Kind::Time | Kind::Duration => {
                let address = self.target(data, 3);
                self.b.ins().store(WRITE, value.a(), address, 0);
            }
            Kind::List(_) | Kind::Vector(..) | Kind::Map(..) | Kind::Struct(_) => {
                unreachable!("nested outputs are written by a helper")
            }
        }
    }

    fn target(&mut self, data: Value, shift: u32) -> Value {
        let offset = if shift == 0 { self.out_row } else { self.b.ins().ishl_imm_u(self.out_row, i64::from(shift)) };
        self.b.ins().iadd(data, offset)
    }

    /// Writes the view of a text. A short one is put together here: 16 bytes are read where that cannot leave the page, and
    /// what is too much is masked away. Everything else is the helper's.
    fn store_text(&mut self, view: Value, text: Parts, valid: Option<Value>) {
        let (address, length) = (text.a(), text.b());
        let done = self.b.create_block();
        if let Some(valid) = valid {
            let (there, null) = (self.b.create_block(), self.b.create_block());
            self.b.ins().brif(valid, there, &[], null, &[]);
            self.b.switch_to_block(null);
            let zero = self.int(0);
            self.b.ins().store(WRITE, zero, view, 0);
            self.b.ins().store(WRITE, zero, view, 8);
            self.b.ins().jump(done, &[]);
            self.b.switch_to_block(there);
        }
        let (inline, helper) = (self.b.create_block(), self.b.create_block());
        // An empty text may have any address.
        let empty = self.b.ins().icmp_imm_u(IntCC::Equal, length, 0);
        let source = self.b.ins().select(empty, self.literals, address);
        let is_short = self.b.ins().icmp_imm_u(IntCC::UnsignedLessThanOrEqual, length, INLINE_BYTES_MAX);
        let position = self.b.ins().band_imm_u(source, 4095);
        let is_inside = self.b.ins().icmp_imm_u(IntCC::UnsignedLessThanOrEqual, position, PAGE_POSITION_MAX);
        let by_hand = self.b.ins().band(is_short, is_inside);
        self.b.ins().brif(by_hand, inline, &[], helper, &[]);

        self.b.switch_to_block(inline);
        let masks = self.b.ins().ishl_imm_u(length, 4);
        let masks = self.b.ins().iadd(self.literals, masks);
        let mask_offset = Literals::PREFIX_MASKS as i32;
        let low_mask = self.b.ins().load(I64, READ, masks, mask_offset);
        let high_mask = self.b.ins().load(I64, READ, masks, mask_offset + 8);
        let low = self.b.ins().load(I64, WRITE, source, 0);
        let high = self.b.ins().load(I64, WRITE, source, 8);
        let low = self.b.ins().band(low, low_mask);
        let high = self.b.ins().band(high, high_mask);
        let first = self.b.ins().ishl_imm_u(low, 32);
        let first = self.b.ins().bor(first, length);
        let second = self.b.ins().ushr_imm_u(low, 32);
        let high = self.b.ins().ishl_imm_u(high, 32);
        let second = self.b.ins().bor(second, high);
        self.b.ins().store(WRITE, first, view, 0);
        self.b.ins().store(WRITE, second, view, 8);
        self.b.ins().jump(done, &[]);

        self.b.switch_to_block(helper);
        self.call_runtime(runtime_helpers::VIEW, &[self.context, address, length, view], false);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(done);
    }
}

/// Whether a helper writes outputs of a kind.
fn is_nested(kind: &Kind) -> bool {
    matches!(kind, Kind::List(_) | Kind::Vector(..) | Kind::Map(..) | Kind::Struct(_))
}
