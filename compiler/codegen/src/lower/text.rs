//! Equality of texts, and looking for an item in a list.
//!
//! Texts of different lengths differ without a look at them; a comparison with a short constant is a few words, since
//! `status == "failed"` is what programs are full of.
//!
//! This file must not know nulls of operands.

use chalk_artifact::abi::{runtime_helpers, slot};
use chalk_types::Kind;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I16, I32, I64};
use cranelift_codegen::ir::{BlockArg, InstBuilder, Type, Value};

use super::{Lowering, Parts, WRITE};
use crate::ir::{Binary, V};

/// Longest constant that is compared by words.
const WORDS_BYTES_MAX: usize = 32;

impl Lowering<'_> {
    /// Whether two texts are equal.
    pub(super) fn text_equal(&mut self, a: V, b: V) -> Value {
        let (left, right) = (self.get(a), self.get(b));
        match (self.known_text(a), self.known_text(b)) {
            (_, Some(text)) if text.len() <= WORDS_BYTES_MAX => self.equals_constant(left, &text),
            (Some(text), _) if text.len() <= WORDS_BYTES_MAX => self.equals_constant(right, &text),
            _ => self.texts_equal(left, right),
        }
    }

    fn known_text(&self, value: V) -> Option<Vec<u8>> {
        self.constants.get(&value).cloned()
    }

    fn texts_equal(&mut self, left: Parts, right: Parts) -> Value {
        let same_length = self.b.ins().icmp(IntCC::Equal, left.b(), right.b());
        self.only_if(same_length, |this| {
            let args = [left.a(), left.b(), right.a(), right.b()];
            let order = this.call_runtime(runtime_helpers::COMPARE_BYTES, &args, true);
            this.b.ins().icmp_imm_s(IntCC::Equal, order, 0)
        })
    }

    /// Equal lengths, then words that together cover the text; they may overlap.
    fn equals_constant(&mut self, text: Parts, constant: &[u8]) -> Value {
        let same_length = self.b.ins().icmp_imm_u(IntCC::Equal, text.b(), constant.len() as i64);
        if constant.is_empty() {
            return same_length;
        }
        self.only_if(same_length, |this| {
            let mut equal: Option<Value> = None;
            for (offset, size_bytes) in covering_words(constant.len()) {
                let (ty, bits): (Type, i64) = match size_bytes {
                    8 => (I64, i64::from_le_bytes(array(&constant[offset..]))),
                    4 => (I32, i64::from(i32::from_le_bytes(array(&constant[offset..])))),
                    2 => (I16, i64::from(i16::from_le_bytes(array(&constant[offset..])))),
                    _ => (I8, i64::from(constant[offset] as i8)),
                };
                let word = this.b.ins().load(ty, WRITE, text.a(), offset as i32);
                let same = this.b.ins().icmp_imm_s(IntCC::Equal, word, bits);
                equal = Some(match equal {
                    Some(before) => this.b.ins().band(before, same),
                    None => same,
                });
            }
            equal.unwrap_or(same_length)
        })
    }

    /// `cond and f()`, where `f` runs only if the condition is true.
    fn only_if(&mut self, cond: Value, f: impl FnOnce(&mut Self) -> Value) -> Value {
        let (look, after) = (self.b.create_block(), self.b.create_block());
        let result = self.b.append_block_param(after, I8);
        let no = self.b.ins().iconst(I8, 0);
        self.b.ins().brif(cond, look, &[], after, &[no.into()]);
        self.b.switch_to_block(look);
        let value = f(self);
        self.b.ins().jump(after, &[BlockArg::from(value)]);
        self.b.switch_to_block(after);
        result
    }

    /// Walks a list until an item equals; also whether a null was met on the way.
    pub(super) fn contains(&mut self, list: V, item: V, ty: u32) -> (Value, Value) {
        let (handle, wanted) = (self.get(list), self.get(item));
        let kernel = self.kernel;
        let item_type = match self.kind(list) {
            Kind::List(item) | Kind::Vector(item, _) => item.as_ref(),
            other => unreachable!("{other} holds no items"),
        };
        debug_assert_eq!(item_type.kind, kernel.kinds[item.0 as usize]);
        let item_type = item_type.clone();
        let (head, look, next, after) =
            (self.b.create_block(), self.b.create_block(), self.b.create_block(), self.b.create_block());
        let index = self.b.append_block_param(head, I64);
        let met_null = self.b.append_block_param(head, I8);
        let next_null = self.b.append_block_param(next, I8);
        let found = self.b.append_block_param(after, I8);
        let has_null = self.b.append_block_param(after, I8);

        let (zero, no, yes) = (self.int(0), self.b.ins().iconst(I8, 0), self.b.ins().iconst(I8, 1));
        self.b.ins().jump(head, &[zero.into(), no.into()]);
        self.b.switch_to_block(head);
        let more = self.b.ins().icmp(IntCC::UnsignedLessThan, index, handle.c());
        self.b.ins().brif(more, look, &[], after, &[no.into(), met_null.into()]);

        self.b.switch_to_block(look);
        let row = self.b.ins().iadd(handle.b(), index);
        if item_type.nullable {
            let there = self.b.create_block();
            let valid = self.read_view_valid(handle.a(), row);
            self.b.ins().brif(valid, there, &[], next, &[yes.into()]);
            self.b.switch_to_block(there);
        }
        let value = self.read_view(handle.a(), &item_type.kind, row);
        let equal = match &item_type.kind {
            Kind::String | Kind::Bytes => self.texts_equal(value, wanted),
            Kind::Float32 | Kind::Float64 => self.binary(Binary::FloatEqual, value, wanted),
            Kind::Decimal { .. } => self.binary(Binary::DecimalEqual, value, wanted),
            Kind::List(_) | Kind::Vector(..) | Kind::Map(..) | Kind::Struct(_) => {
                let base = self.b.ins().stack_addr(I64, self.arguments, 0);
                self.write_slot(base, 0, &item_type.kind, value, None);
                self.write_slot(base, slot::SIZE_BYTES as i32, &item_type.kind, wanted, None);
                let second = self.b.ins().iadd_imm_s(base, slot::SIZE_BYTES as i64);
                self.same(ty, base, second)
            }
            _ => self.binary(Binary::IntEqual, value, wanted),
        };
        self.b.ins().brif(equal, after, &[yes.into(), met_null.into()], next, &[met_null.into()]);

        self.b.switch_to_block(next);
        let index_next = self.b.ins().iadd_imm_s(index, 1);
        self.b.ins().jump(head, &[index_next.into(), next_null.into()]);
        self.b.switch_to_block(after);
        (found, has_null)
    }
}

/// Words of one size that cover `length` bytes: one after the other, the last moved back to end with the text.
fn covering_words(length: usize) -> Vec<(usize, usize)> {
    let size = match length {
        8.. => 8,
        4.. => 4,
        2.. => 2,
        _ => 1,
    };
    (0..length.div_ceil(size)).map(|word| ((word * size).min(length - size), size)).collect()
}

/// The first bytes as an array.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[..N]);
    array
}
