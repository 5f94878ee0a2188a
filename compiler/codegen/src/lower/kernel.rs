//! The functions of a kernel: the loop over rows, and the parts of a body that is too long for one function.
//!
//! Lists of constants are made before the first row. The loop skips rows that are no longer live; a row that fails calls `rt.fail` and goes on with the next. Addresses of
//! columns are loaded once, before the loop (in a part: at each call).
//!
//! This file must not know single operations.

use std::collections::HashMap;

use chalk_artifact::abi::{kernel_context, runtime_helpers, slot, status};
use chalk_diagnostics::Span;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I32, I64};
use cranelift_codegen::ir::{
    AbiParam, Block, ExtFuncData, ExternalName, Function, InstBuilder, Signature, StackSlotData, StackSlotKind,
    UserExternalName, UserFuncName, Value,
};
use cranelift_codegen::isa::TargetIsa;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};

use super::split::{Part, split};
use super::{Lowering, OnFailure, Parts, READ, WRITE, registers};
use crate::ir::{Instr, Kernel, Op, Role, V};
use crate::tables::Tables;

/// A lowered function.
pub(crate) struct Lowered {
    /// The code.
    pub(crate) function: Function,
    /// What its source locations mean, by position.
    pub(crate) spans: Vec<Span>,
}

/// Answers of a part: whether the row has come to an end in it.
const GO_ON: i64 = 0;
const ROW_ENDED: i64 = 1;

/// Lowers a kernel to functions named `u0:first` and following; the first one is the kernel.
pub(crate) fn lower(
    kernel: &Kernel,
    first: u32,
    isa: &dyn TargetIsa,
    tables: &mut Tables,
    scratch: &mut FunctionBuilderContext,
) -> Vec<Lowered> {
    let Some((parts, frame_words)) = split(kernel, |kind| registers(kind).len() as u32) else {
        return vec![lower_loop(kernel, first, isa, tables, scratch, Body::Inline)];
    };
    let body = Body::Parts { count: parts.len() as u32, frame_words };
    let mut functions = vec![lower_loop(kernel, first, isa, tables, scratch, body)];
    for (index, part) in parts.iter().enumerate() {
        functions.push(lower_part(kernel, part, first + 1 + index as u32, isa, tables, scratch));
    }
    functions
}

/// What the loop runs for a row.
#[derive(Clone, Copy)]
enum Body {
    /// The kernel's body.
    Inline,
    /// Its parts, in the functions that follow.
    Parts { count: u32, frame_words: u32 },
}

fn lower_loop(
    kernel: &Kernel,
    index: u32,
    isa: &dyn TargetIsa,
    tables: &mut Tables,
    scratch: &mut FunctionBuilderContext,
    body: Body,
) -> Lowered {
    let mut signature = Signature::new(isa.default_call_conv());
    signature.params.push(AbiParam::new(I64));
    let mut function = Function::with_name_signature(UserFuncName::user(0, index), signature);
    let mut lowering = Lowering::enter(&mut function, scratch, kernel, tables);
    let context = lowering.context;
    let row_count = lowering.context_field(kernel_context::row_count);
    let status_base = lowering.context_field(kernel_context::status);
    let row_index = lowering.context_field(kernel_context::row_index);

    let b = &mut lowering.b;
    let zero = b.ins().iconst(I64, 0);
    let (head, test, run) = (b.create_block(), b.create_block(), b.create_block());
    let (fail, exit, next, done) = (b.create_block(), b.create_block(), b.create_block(), b.create_block());
    let row = b.append_block_param(head, I64);
    let out_row = b.append_block_param(head, I64);
    let next_out_row = b.append_block_param(next, I64);
    lowering.row = row;
    lowering.out_row = out_row;
    lowering.exit = exit;
    lowering.on_failure = vec![OnFailure::Row(fail)];
    if let Body::Inline = body {
        lowering.prepare(&kernel.body.instrs);
        lowering.instrs(&kernel.before);
    }
    let b = &mut lowering.b;
    b.ins().jump(head, &[zero.into(), zero.into()]);

    b.switch_to_block(head);
    let more = b.ins().icmp(IntCC::UnsignedLessThan, row, row_count);
    b.ins().brif(more, test, &[], done, &[]);

    b.switch_to_block(test);
    let status_address = b.ins().iadd(status_base, row);
    let current = b.ins().load(I8, WRITE, status_address, 0);
    b.ins().brif(current, next, &[out_row.into()], run, &[]);

    b.switch_to_block(run);
    match body {
        Body::Inline => lowering.region(&kernel.body),
        Body::Parts { count, frame_words } => lowering.call_parts(index + 1, count, frame_words, next),
    }
    let b = &mut lowering.b;
    match kernel.role {
        Role::Decide => b.ins().jump(next, &[out_row.into()]),
        Role::Apply => {
            let applied = b.ins().iconst(I8, i64::from(status::APPLIED));
            b.ins().store(WRITE, applied, status_address, 0);
            let offset = b.ins().ishl_imm_u(out_row, 2);
            let address = b.ins().iadd(row_index, offset);
            let row32 = b.ins().ireduce(I32, row);
            b.ins().store(WRITE, row32, address, 0);
            let out_next = b.ins().iadd_imm_s(out_row, 1);
            b.ins().jump(next, &[out_next.into()])
        }
    };

    lowering.end_rows(fail, exit, status_address, |b| {
        b.ins().jump(next, &[out_row.into()]);
    });
    let b = &mut lowering.b;
    b.switch_to_block(next);
    let row_next = b.ins().iadd_imm_s(row, 1);
    b.ins().jump(head, &[row_next.into(), next_out_row.into()]);

    b.switch_to_block(done);
    if kernel.role == Role::Apply {
        b.ins().store(WRITE, out_row, context, kernel_context::out_count);
    }
    b.ins().return_(&[]);
    let spans = lowering.leave(isa);
    Lowered { function, spans }
}

/// `(cx, row, out_row, frame) -> GO_ON | ROW_ENDED`
fn lower_part(
    kernel: &Kernel,
    part: &Part<'_>,
    index: u32,
    isa: &dyn TargetIsa,
    tables: &mut Tables,
    scratch: &mut FunctionBuilderContext,
) -> Lowered {
    let mut function =
        Function::with_name_signature(UserFuncName::user(0, index), part_signature(isa.default_call_conv()));
    let mut lowering = Lowering::enter(&mut function, scratch, kernel, tables);
    let [_, row, out_row, frame] = lowering.params();
    lowering.row = row;
    lowering.out_row = out_row;
    // A part makes its lists of constants for each row: it has no place before the first one.
    let instrs: Vec<Instr> = part.again.iter().copied().chain(part.instrs).cloned().collect();
    let status_base = lowering.context_field(kernel_context::status);
    let status_address = lowering.b.ins().iadd(status_base, row);
    let (fail, exit) = (lowering.b.create_block(), lowering.b.create_block());
    lowering.exit = exit;
    lowering.on_failure = vec![OnFailure::Row(fail)];
    lowering.prepare(&instrs);
    for (value, place) in &part.taken {
        lowering.take(*value, frame, *place);
    }
    lowering.instrs(&instrs);
    for (value, place) in &part.given {
        lowering.give(*value, frame, *place);
    }
    let answer = lowering.int(GO_ON);
    lowering.b.ins().return_(&[answer]);
    lowering.end_rows(fail, exit, status_address, |b| {
        let answer = b.ins().iconst(I64, ROW_ENDED);
        b.ins().return_(&[answer]);
    });
    let spans = lowering.leave(isa);
    Lowered { function, spans }
}

fn part_signature(convention: cranelift_codegen::isa::CallConv) -> Signature {
    let mut signature = Signature::new(convention);
    signature.params.extend((0..4).map(|_| AbiParam::new(I64)));
    signature.returns.push(AbiParam::new(I64));
    signature
}

impl<'a> Lowering<'a> {
    /// Begins a function whose first parameter is the context.
    fn enter(
        function: &'a mut Function,
        scratch: &'a mut FunctionBuilderContext,
        kernel: &'a Kernel,
        tables: &'a mut Tables,
    ) -> Lowering<'a> {
        let mut b = FunctionBuilder::new(function, scratch);
        let entry = b.create_block();
        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        let context = b.block_params(entry)[0];
        let argument_slots = widest_call(&kernel.body.instrs).max(widest_call(&kernel.before)).max(2) as u32;
        let slot_bytes = slot::SIZE_BYTES as u32;
        let slots = |count: u32| StackSlotData::new(StackSlotKind::ExplicitSlot, count * slot_bytes, 4);
        let arguments = b.create_sized_stack_slot(slots(argument_slots));
        let answer = b.create_sized_stack_slot(slots(1));
        let field = |b: &mut FunctionBuilder, offset| b.ins().load(I64, READ, context, offset);
        let inputs = field(&mut b, kernel_context::inputs);
        let literals = field(&mut b, kernel_context::literals);
        let helpers = field(&mut b, kernel_context::helpers);
        Lowering {
            b,
            kernel,
            tables,
            values: vec![None; kernel.kinds.len()],
            columns: vec![None; kernel.inputs.len()],
            outputs: vec![None; kernel.outputs.len()],
            context,
            inputs,
            literals,
            helpers,
            row: context,
            out_row: context,
            on_failure: Vec::new(),
            exit: entry,
            signatures: Vec::new(),
            arguments,
            answer,
            spans: Vec::new(),
            constants: HashMap::new(),
        }
    }

    /// Ends the function; gives what its source locations mean.
    fn leave(mut self, isa: &dyn TargetIsa) -> Vec<Span> {
        self.b.seal_all_blocks();
        self.b.finalize(isa.frontend_config());
        self.spans
    }

    fn context_field(&mut self, offset: i32) -> Value {
        self.b.ins().load(I64, READ, self.context, offset)
    }

    /// The parameters of a part.
    fn params(&self) -> [Value; 4] {
        match *self.b.func.dfg.block_params(self.exit) {
            [a, b, c, d] => [a, b, c, d],
            _ => unreachable!("a part has four parameters"),
        }
    }

    /// Loads the addresses that the code needs.
    fn prepare(&mut self, instrs: &[Instr]) {
        self.load_columns(instrs);
        let outputs = self.context_field(kernel_context::outputs);
        self.load_outputs(outputs, instrs);
    }

    /// The blocks of rows that fail, or that end otherwise; `after` says how they go on.
    fn end_rows(&mut self, fail: Block, exit: Block, status: Value, after: impl Fn(&mut FunctionBuilder<'a>)) {
        let site = self.b.append_block_param(fail, I64);
        let ended = self.b.append_block_param(exit, I8);
        self.b.switch_to_block(exit);
        self.b.ins().store(WRITE, ended, status, 0);
        after(&mut self.b);
        self.b.switch_to_block(fail);
        self.b.set_cold_block(fail);
        let failed = self.b.ins().iconst(I8, i64::from(status::FAILED));
        self.b.ins().store(WRITE, failed, status, 0);
        self.call_runtime(runtime_helpers::FAIL, &[self.context, self.row, site], false);
        after(&mut self.b);
    }

    /// Calls the parts one after the other, until one says that the row has ended.
    fn call_parts(&mut self, first: u32, count: u32, frame_words: u32, next: Block) {
        let frame = StackSlotData::new(StackSlotKind::ExplicitSlot, frame_words.max(1) * 8, 4);
        let frame = self.b.create_sized_stack_slot(frame);
        let convention = self.b.func.signature.call_conv;
        let signature = self.b.import_signature(part_signature(convention));
        for index in first..first + count {
            let name = self.b.func.declare_imported_user_function(UserExternalName::new(0, index));
            let name = ExternalName::user(name);
            let part = self.b.import_function(ExtFuncData { name, signature, colocated: true, patchable: false });
            let frame = self.b.ins().stack_addr(I64, frame, 0);
            let call = self.b.ins().call(part, &[self.context, self.row, self.out_row, frame]);
            let ended = self.b.inst_results(call)[0];
            let on = self.b.create_block();
            self.b.ins().brif(ended, next, &[self.out_row.into()], on, &[]);
            self.b.switch_to_block(on);
        }
    }

    /// A value that an earlier part left in the frame.
    fn take(&mut self, value: V, frame: Value, place: u32) {
        let types = registers(self.kind(value));
        let words: Vec<Value> =
            (place..).zip(types).map(|(place, ty)| self.b.ins().load(*ty, WRITE, frame, (place * 8) as i32)).collect();
        self.set(value, Parts::from_slice(&words));
    }

    /// Leaves a value in the frame.
    fn give(&mut self, value: V, frame: Value, place: u32) {
        let parts = self.get(value);
        for (place, word) in (place..).zip(parts.as_slice()) {
            self.b.ins().store(WRITE, *word, frame, (place * 8) as i32);
        }
    }
}

/// The most slots that one call takes.
fn widest_call(instrs: &[Instr]) -> usize {
    let of_instr = |instr: &Instr| match &instr.op {
        Op::Call { args, .. } | Op::MakeList { items: args, .. } => args.len(),
        Op::If { then: a, otherwise: b, .. } | Op::Recover { body: a, fallback: b, .. } => {
            widest_call(&a.instrs).max(widest_call(&b.instrs))
        }
        _ => 0,
    };
    instrs.iter().map(of_instr).max().unwrap_or(0)
}
