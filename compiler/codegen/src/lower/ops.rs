//! Operations on values.
//!
//! Integer division never reaches the processor with a divisor of 0 or -1, which trap. Floats compare as the language
//! says: NaN equals itself and is the greatest.
//!
//! This file must not know nulls: whether a value is there is a value of its own.

use chalk_artifact::abi::runtime_helpers;
use chalk_types::Kind;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, F64, I8, I64};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value};

use super::{Lowering, Parts, registers};
use crate::ir::{Binary, Checked, Literal, Op, Unary, V};

impl Lowering<'_> {
    /// An operation with results, other than control flow.
    pub(super) fn value_op(&mut self, op: &Op, results: &[V]) {
        let kind = self.kind(results[0]).clone();
        let parts = match op {
            Op::Const(literal) => {
                if let Literal::Bytes(bytes) = literal {
                    self.constants.insert(results[0], bytes.clone());
                }
                self.literal(literal)
            }
            Op::Zero => self.zero(&kind),
            Op::Load(input) => self.load_input(*input),
            Op::LoadValid(input) => Parts::one(self.load_input_valid(*input)),
            Op::Unary(Unary::Retype, a) => self.get(*a),
            Op::Unary(op, a) => {
                let a = self.get(*a).a();
                Parts::one(self.unary(*op, a))
            }
            Op::Binary(Binary::TextEqual, a, b) => Parts::one(self.text_equal(*a, *b)),
            Op::Binary(op, a, b) => {
                let (a, b) = (self.get(*a), self.get(*b));
                Parts::one(self.binary(*op, a, b))
            }
            Op::Select(cond, a, b) => {
                let (cond, a, b) = (self.get(*cond).a(), self.get(*a), self.get(*b));
                let words: Vec<Value> =
                    a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| self.b.ins().select(cond, *a, *b)).collect();
                Parts::from_slice(&words)
            }
            Op::InRange { value, low, high } => {
                let value = self.get(*value).a();
                let above = self.b.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, value, *low);
                let below = self.b.ins().icmp_imm_s(IntCC::SignedLessThanOrEqual, value, *high);
                Parts::one(self.b.ins().band(above, below))
            }
            Op::Checked { op, left, right, guard, site } => {
                let (left, right) = (self.get(*left).a(), self.get(*right).a());
                let guard = guard.map(|guard| self.get(guard).a());
                let (value, failed) = self.checked(*op, left, right);
                let failed = match guard {
                    Some(guard) => self.b.ins().band(failed, guard),
                    None => failed,
                };
                self.fail_if(failed, *site);
                Parts::one(value)
            }
            Op::Call { import, fallible, args, site, .. } => {
                self.call_library(*import, *fallible, args, *site);
                let valid = self.read_answer_valid();
                self.set(results[1], Parts::one(valid));
                self.read_answer(&kind)
            }
            Op::DecodeJson { plan, text, site } => {
                let text = self.argument(0, *text);
                let (plan, answer, at) =
                    (self.int(i64::from(*plan)), self.answer_address(), self.int(i64::from(*site)));
                let args = [self.context, plan, text, answer, at];
                let failed = self.call_runtime(runtime_helpers::DECODE_JSON, &args, true);
                self.fail_if(failed, *site);
                self.read_answer(&kind)
            }
            Op::Concat { ty, left, right } => {
                let (left, right) = (self.argument(0, *left), self.argument(1, *right));
                self.call_answering(runtime_helpers::CONCAT, *ty, left, right, &kind)
            }
            Op::MapGet { ty, map, key } => {
                let (map, key) = (self.argument(0, *map), self.argument(1, *key));
                let value = self.call_answering(runtime_helpers::MAP_GET, *ty, map, key, &kind);
                let valid = self.read_answer_valid();
                self.set(results[1], Parts::one(valid));
                value
            }
            Op::MakeList { ty, items } => {
                let base = self.write_arguments(items);
                let count = self.int(items.len() as i64);
                self.call_answering(runtime_helpers::LIST, *ty, base, count, &kind)
            }
            Op::SliceText(text, start, end) => {
                let text = self.argument(0, *text);
                let (start, end) = (self.get(*start).a(), self.get(*end).a());
                let answer = self.answer_address();
                let args = [self.context, text, start, end, answer];
                self.call_runtime(runtime_helpers::SLICE_TEXT, &args, false);
                self.read_answer(&kind)
            }
            Op::SliceBytes(bytes, start, end) => {
                let bytes = self.get(*bytes);
                let (first, count) = self.slice_bounds(bytes.b(), *start, *end);
                Parts::two(self.b.ins().iadd(bytes.a(), first), count)
            }
            Op::SliceList(list, start, end) => {
                let list = self.get(*list);
                let (first, count) = self.slice_bounds(list.c(), *start, *end);
                Parts::three(list.a(), self.b.ins().iadd(list.b(), first), count)
            }
            Op::Length(list) => Parts::one(self.get(*list).c()),
            Op::Item(list, index) => {
                let (handle, index) = (self.get(*list), self.get(*index).a());
                let row = self.b.ins().iadd(handle.b(), index);
                self.read_view(handle.a(), &kind, row)
            }
            Op::ItemValid(list, index) => {
                let (handle, index) = (self.get(*list), self.get(*index).a());
                let row = self.b.ins().iadd(handle.b(), index);
                Parts::one(self.read_view_valid(handle.a(), row))
            }
            Op::Field(base, field) => {
                let handle = self.get(*base);
                let child = self.child_view(handle.a(), *field);
                self.read_view(child, &kind, handle.b())
            }
            Op::FieldValid(base, field) => {
                let handle = self.get(*base);
                let child = self.child_view(handle.a(), *field);
                Parts::one(self.read_view_valid(child, handle.b()))
            }
            Op::Contains(list, item, ty) => {
                let (found, has_null) = self.contains(*list, *item, *ty);
                self.set(results[1], Parts::one(has_null));
                Parts::one(found)
            }
            Op::Same(a, b, ty) => {
                let (a, b) = (self.argument(0, *a), self.argument(1, *b));
                Parts::one(self.same(*ty, a, b))
            }
            Op::FailIf { .. }
            | Op::ExitIf { .. }
            | Op::If { .. }
            | Op::Recover { .. }
            | Op::Store { .. }
            | Op::DedupKey(_) => {
                unreachable!("control flow is lowered elsewhere")
            }
        };
        self.set(results[0], parts);
    }

    /// A helper `(cx, type, a, b, ret)`.
    fn call_answering(&mut self, helper: &str, ty: u32, a: Value, b: Value, kind: &Kind) -> Parts {
        let (ty, answer) = (self.int(i64::from(ty)), self.answer_address());
        self.call_runtime(helper, &[self.context, ty, a, b, answer], false);
        self.read_answer(kind)
    }

    /// Equality of two values in slots by a helper.
    pub(super) fn same(&mut self, ty: u32, a: Value, b: Value) -> Value {
        let ty = self.int(i64::from(ty));
        let equal = self.call_runtime(runtime_helpers::EQUAL, &[self.context, ty, a, b], true);
        self.b.ins().ireduce(I8, equal)
    }

    fn literal(&mut self, literal: &Literal) -> Parts {
        match literal {
            Literal::Bool(value) => Parts::one(self.b.ins().iconst(I8, i64::from(*value))),
            Literal::Int(value) => Parts::one(self.int(*value)),
            Literal::Float(bits) => Parts::one(self.b.ins().f64const(f64::from_bits(*bits))),
            Literal::Decimal(value) => {
                let (low, high) = (self.int(*value as i64), self.int((*value >> 64) as i64));
                Parts::two(low, high)
            }
            Literal::Bytes(bytes) => {
                let offset = self.tables.literals.intern(bytes);
                let (address, length) = (self.literal_address(offset), self.int(bytes.len() as i64));
                Parts::two(address, length)
            }
        }
    }

    fn zero(&mut self, kind: &Kind) -> Parts {
        let words: Vec<Value> = registers(kind)
            .iter()
            .map(|ty| if *ty == F64 { self.b.ins().f64const(0.0) } else { self.b.ins().iconst(*ty, 0) })
            .collect();
        Parts::from_slice(&words)
    }

    fn unary(&mut self, op: Unary, a: Value) -> Value {
        let ins = self.b.ins();
        match op {
            Unary::Not => ins.bxor_imm_u(a, 1),
            Unary::BitNot => ins.bnot(a),
            Unary::FloatNeg => ins.fneg(a),
            Unary::FloatAbs => ins.fabs(a),
            Unary::Ceil => ins.ceil(a),
            Unary::Floor => ins.floor(a),
            Unary::Trunc => ins.trunc(a),
            Unary::Sqrt => ins.sqrt(a),
            Unary::IntToFloat => ins.fcvt_from_sint(F64, a),
            Unary::UintToFloat => ins.fcvt_from_uint(F64, a),
            Unary::FloatToInt => ins.fcvt_to_sint_sat(I64, a),
            Unary::FloatToUint => ins.fcvt_to_uint_sat(I64, a),
            Unary::RoundToFloat32 => {
                let narrow = ins.fdemote(F32, a);
                self.b.ins().fpromote(F64, narrow)
            }
            Unary::FitsInt => self.fits(a, -9_223_372_036_854_775_808.0, 9_223_372_036_854_775_808.0),
            Unary::FitsUint => self.fits(a, 0.0, 18_446_744_073_709_551_616.0),
            Unary::IsNan => ins.fcmp(FloatCC::Unordered, a, a),
            Unary::Retype => unreachable!("handled with all registers at hand"),
        }
    }

    /// Whether a float is a whole number with `low <= a < high`.
    fn fits(&mut self, a: Value, low: f64, high: f64) -> Value {
        let whole = self.b.ins().trunc(a);
        let is_whole = self.b.ins().fcmp(FloatCC::Equal, whole, a);
        let low = self.b.ins().f64const(low);
        let high = self.b.ins().f64const(high);
        let above = self.b.ins().fcmp(FloatCC::GreaterThanOrEqual, a, low);
        let below = self.b.ins().fcmp(FloatCC::LessThan, a, high);
        let inside = self.b.ins().band(above, below);
        self.b.ins().band(is_whole, inside)
    }

    pub(super) fn binary(&mut self, op: Binary, left: Parts, right: Parts) -> Value {
        let (a, b) = (left.a(), right.a());
        let ins = self.b.ins();
        match op {
            Binary::And | Binary::BitAnd => ins.band(a, b),
            Binary::Or | Binary::BitOr => ins.bor(a, b),
            Binary::BitXor => ins.bxor(a, b),
            Binary::IntAdd => ins.iadd(a, b),
            Binary::IntSub => ins.isub(a, b),
            Binary::IntMul => ins.imul(a, b),
            Binary::IntQuotient => ins.sdiv(a, b),
            Binary::FloatAdd => ins.fadd(a, b),
            Binary::FloatSub => ins.fsub(a, b),
            Binary::FloatMul => ins.fmul(a, b),
            Binary::FloatDiv => ins.fdiv(a, b),
            Binary::FloatRem => self.float_helper(runtime_helpers::FLOAT_REM, a, b),
            Binary::FloatPow => self.float_helper(runtime_helpers::FLOAT_POW, a, b),
            Binary::IntEqual => ins.icmp(IntCC::Equal, a, b),
            Binary::IntLess => ins.icmp(IntCC::SignedLessThan, a, b),
            Binary::IntLessEqual => ins.icmp(IntCC::SignedLessThanOrEqual, a, b),
            Binary::UintLess => ins.icmp(IntCC::UnsignedLessThan, a, b),
            Binary::UintLessEqual => ins.icmp(IntCC::UnsignedLessThanOrEqual, a, b),
            Binary::FloatEqual => {
                let equal = ins.fcmp(FloatCC::Equal, a, b);
                let a_nan = self.b.ins().fcmp(FloatCC::Unordered, a, a);
                let b_nan = self.b.ins().fcmp(FloatCC::Unordered, b, b);
                let both = self.b.ins().band(a_nan, b_nan);
                self.b.ins().bor(equal, both)
            }
            Binary::FloatLess => {
                let less = ins.fcmp(FloatCC::LessThan, a, b);
                let a_number = self.b.ins().fcmp(FloatCC::Ordered, a, a);
                let b_nan = self.b.ins().fcmp(FloatCC::Unordered, b, b);
                let beyond = self.b.ins().band(a_number, b_nan);
                self.b.ins().bor(less, beyond)
            }
            Binary::FloatLessEqual => {
                let less = ins.fcmp(FloatCC::LessThanOrEqual, a, b);
                let b_nan = self.b.ins().fcmp(FloatCC::Unordered, b, b);
                self.b.ins().bor(less, b_nan)
            }
            Binary::TextOrder => {
                let args = [left.a(), left.b(), right.a(), right.b()];
                self.call_runtime(runtime_helpers::COMPARE_BYTES, &args, true)
            }
            Binary::DecimalEqual => {
                let low = ins.icmp(IntCC::Equal, left.a(), right.a());
                let high = self.b.ins().icmp(IntCC::Equal, left.b(), right.b());
                self.b.ins().band(low, high)
            }
            Binary::DecimalLess => self.decimal_order(left, right, IntCC::UnsignedLessThan),
            Binary::DecimalLessEqual => self.decimal_order(left, right, IntCC::UnsignedLessThanOrEqual),
            Binary::TextEqual => unreachable!("handled with the operands at hand"),
        }
    }

    /// The high halves decide, signed; where they are equal, the low ones, unsigned.
    fn decimal_order(&mut self, left: Parts, right: Parts, low: IntCC) -> Value {
        let low = self.b.ins().icmp(low, left.a(), right.a());
        let less = self.b.ins().icmp(IntCC::SignedLessThan, left.b(), right.b());
        let equal = self.b.ins().icmp(IntCC::Equal, left.b(), right.b());
        let low = self.b.ins().band(equal, low);
        self.b.ins().bor(less, low)
    }

    fn float_helper(&mut self, helper: &str, a: Value, b: Value) -> Value {
        let a = self.b.ins().bitcast(I64, MemFlagsData::new(), a);
        let b = self.b.ins().bitcast(I64, MemFlagsData::new(), b);
        let bits = self.call_runtime(helper, &[a, b], true);
        self.b.ins().bitcast(F64, MemFlagsData::new(), bits)
    }

    /// The result and whether it does not fit.
    fn checked(&mut self, op: Checked, a: Value, b: Value) -> (Value, Value) {
        let ins = self.b.ins();
        match op {
            Checked::Add => ins.sadd_overflow(a, b),
            Checked::Sub => ins.ssub_overflow(a, b),
            Checked::Mul => ins.smul_overflow(a, b),
            Checked::UintAdd => ins.uadd_overflow(a, b),
            Checked::UintSub => ins.usub_overflow(a, b),
            Checked::UintMul => ins.umul_overflow(a, b),
            Checked::Neg => {
                let zero = ins.iconst(I64, 0);
                self.b.ins().ssub_overflow(zero, a)
            }
            Checked::Abs => {
                let value = ins.iabs(a);
                (value, self.b.ins().icmp_imm_s(IntCC::Equal, a, i64::MIN))
            }
            Checked::Rem => {
                // x % -1 is 0 as x % 1 is, and cannot overflow.
                let zero = ins.icmp_imm_s(IntCC::Equal, b, 0);
                let above = self.b.ins().iadd_imm_s(b, 1);
                let unsafe_divisor = self.b.ins().icmp_imm_u(IntCC::UnsignedLessThanOrEqual, above, 1);
                let one = self.int(1);
                let divisor = self.b.ins().select(unsafe_divisor, one, b);
                (self.b.ins().srem(a, divisor), zero)
            }
            Checked::UintRem => {
                let zero = ins.icmp_imm_u(IntCC::Equal, b, 0);
                let one = self.int(1);
                let divisor = self.b.ins().select(zero, one, b);
                (self.b.ins().urem(a, divisor), zero)
            }
        }
    }

    /// First position and number of items of a slice of `length` items, ends as in Python.
    fn slice_bounds(&mut self, length: Value, start: V, end: V) -> (Value, Value) {
        let (start, end) = (self.get(start).a(), self.get(end).a());
        let start = self.slice_end(length, start);
        let end = self.slice_end(length, end);
        let count = self.b.ins().isub(end, start);
        let is_empty = self.b.ins().icmp(IntCC::SignedLessThan, end, start);
        let zero = self.int(0);
        (start, self.b.ins().select(is_empty, zero, count))
    }

    fn slice_end(&mut self, length: Value, end: Value) -> Value {
        let zero = self.int(0);
        let from_end = self.b.ins().iadd(end, length);
        let is_negative = self.b.ins().icmp(IntCC::SignedLessThan, end, zero);
        let end = self.b.ins().select(is_negative, from_end, end);
        let is_negative = self.b.ins().icmp(IntCC::SignedLessThan, end, zero);
        let end = self.b.ins().select(is_negative, zero, end);
        let is_past = self.b.ins().icmp(IntCC::SignedGreaterThan, end, length);
        self.b.ins().select(is_past, length, end)
    }
}
