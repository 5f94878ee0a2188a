//! Calls of helpers: values into slots on the stack, an indirect call through the context's table, values out again.
//!
//! All calls of a kernel share one argument area and one answer: nothing in them outlives its call.
//!
//! This file must not know what helpers do.

use chalk_artifact::abi::{runtime_helpers, slot};
use chalk_types::Kind;
use cranelift_codegen::ir::types::{F64, I8, I64};
use cranelift_codegen::ir::{AbiParam, InstBuilder, MemFlagsData, SigRef, Signature, Value};

use super::{Lowering, Parts, READ, WRITE};
use crate::ir::{Arg, V};

const WORDS: [i32; 3] = [slot::w0, slot::w1, slot::w2];

impl Lowering<'_> {
    /// Writes a value into the slot at `base + offset`.
    pub(super) fn write_slot(&mut self, base: Value, offset: i32, kind: &Kind, value: Parts, valid: Option<Value>) {
        let words: Vec<Value> = match kind {
            Kind::Null | Kind::Bool => vec![self.b.ins().uextend(I64, value.a())],
            Kind::Float32 | Kind::Float64 => vec![self.b.ins().bitcast(I64, MemFlagsData::new(), value.a())],
            _ => value.as_slice().to_vec(),
        };
        for (word, at) in words.into_iter().zip(WORDS) {
            self.b.ins().store(WRITE, word, base, offset + at);
        }
        let valid = match valid {
            Some(flag) => self.b.ins().uextend(I64, flag),
            None => self.int(1),
        };
        self.b.ins().store(WRITE, valid, base, offset + slot::valid);
    }

    /// The value in the answer slot.
    pub(super) fn read_answer(&mut self, kind: &Kind) -> Parts {
        let base = self.b.ins().stack_addr(I64, self.answer, 0);
        let words: Vec<Value> =
            (0..super::registers(kind).len()).map(|word| self.b.ins().load(I64, WRITE, base, WORDS[word])).collect();
        match kind {
            Kind::Null | Kind::Bool => Parts::one(self.b.ins().ireduce(I8, words[0])),
            Kind::Float32 | Kind::Float64 => Parts::one(self.b.ins().bitcast(F64, MemFlagsData::new(), words[0])),
            _ => Parts::from_slice(&words),
        }
    }

    /// Whether the answer slot holds a value.
    pub(super) fn read_answer_valid(&mut self) -> Value {
        let base = self.b.ins().stack_addr(I64, self.answer, 0);
        let valid = self.b.ins().load(I64, WRITE, base, slot::valid);
        self.b.ins().ireduce(I8, valid)
    }

    pub(super) fn answer_address(&mut self) -> Value {
        self.b.ins().stack_addr(I64, self.answer, 0)
    }

    /// Puts values into the argument area; gives its address.
    pub(super) fn write_arguments(&mut self, args: &[Arg]) -> Value {
        let base = self.b.ins().stack_addr(I64, self.arguments, 0);
        for (index, (value, valid)) in args.iter().enumerate() {
            let parts = self.get(*value);
            let valid = valid.map(|valid| self.get(valid).a());
            let kind = self.kind(*value).clone();
            self.write_slot(base, (index * slot::SIZE_BYTES) as i32, &kind, parts, valid);
        }
        base
    }

    /// Calls a library function; its answer goes to where failures go, or lies in the answer slot.
    pub(super) fn call_library(&mut self, import: u32, fallible: bool, args: &[Arg], site: u32) {
        let arguments = self.write_arguments(args);
        let answer = self.answer_address();
        let site_value = self.int(i64::from(site));
        let failed = self.call_import(import, &[self.context, arguments, answer, site_value], true);
        if fallible {
            self.fail_if(failed, site);
        }
    }

    /// Calls a helper of the engine. The value is the last argument again where it answers nothing.
    pub(super) fn call_runtime(&mut self, helper: &str, args: &[Value], answers: bool) -> Value {
        debug_assert!(runtime_helpers::ALL.contains(&helper));
        let import = self.tables.imports.intern(helper.to_owned());
        self.call_import(import, args, answers)
    }

    fn call_import(&mut self, import: u32, args: &[Value], answers: bool) -> Value {
        let signature = self.signature(args.len(), answers);
        let address = self.b.ins().load(I64, READ, self.helpers, (import * 8) as i32);
        let call = self.b.ins().call_indirect(signature, address, args);
        if answers { self.b.inst_results(call)[0] } else { args[args.len() - 1] }
    }

    /// Every parameter and answer of a helper is 64 bits wide, so its signature is known by their number.
    fn signature(&mut self, params: usize, answers: bool) -> SigRef {
        if let Some((.., known)) = self.signatures.iter().find(|(n, a, _)| (*n, *a) == (params, answers)) {
            return *known;
        }
        let mut signature = Signature::new(self.b.func.signature.call_conv);
        signature.params.extend((0..params).map(|_| AbiParam::new(I64)));
        if answers {
            signature.returns.push(AbiParam::new(I64));
        }
        let signature = self.b.import_signature(signature);
        self.signatures.push((params, answers, signature));
        signature
    }

    /// The value's slot in the argument area at a position; gives its address.
    pub(super) fn argument(&mut self, position: usize, value: V) -> Value {
        let parts = self.get(value);
        let kind = self.kind(value).clone();
        let offset = (position * slot::SIZE_BYTES) as i32;
        let base = self.b.ins().stack_addr(I64, self.arguments, 0);
        self.write_slot(base, offset, &kind, parts, None);
        self.b.ins().iadd_imm_s(base, i64::from(offset))
    }
}
