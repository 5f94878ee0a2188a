//! Column IR to Cranelift: one function a kernel, one loop over rows, values in registers.
//!
//! The loop skips rows that are no longer live; a row that fails calls `rt.fail` and goes on with the next. Addresses of
//! columns are loaded once, before the loop. Nothing in a kernel traps, unwinds or is relocated: every helper is called
//! through the table in the context.
//!
//! | kind | Cranelift values |
//! |---|---|
//! | bool | i8, 0 or 1 |
//! | integers, date, datetime, time, duration, enum | i64, sign- or zero-extended |
//! | float, float32 | f64 |
//! | decimal | i64 low half, i64 high half |
//! | string, bytes | i64 address, i64 length |
//! | list, vector, map | i64 `*const ColumnView`, i64 first, i64 count |
//! | struct | i64 `*const ColumnView`, i64 row |
//!
//! This module must not know where the code goes.

mod call;
mod column;
mod ops;
mod output;
mod text;

use std::collections::HashMap;

use chalk_artifact::abi::{column_view, kernel_context, runtime_helpers, slot, status};
use chalk_diagnostics::Span;
use chalk_types::Kind;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F64, I8, I32, I64};
use cranelift_codegen::ir::{
    AbiParam, Block, BlockArg, Function, InstBuilder, MemFlagsData, SigRef, Signature, SourceLoc, StackSlot,
    StackSlotData, StackSlotKind, Type, UserFuncName, Value,
};
use cranelift_codegen::isa::TargetIsa;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};

use crate::ir::{Exit, Instr, Kernel, Op, Region, Role, V};
use crate::tables::Tables;

/// The registers of one IR value.
#[derive(Clone, Copy, Debug)]
struct Parts {
    count: u8,
    words: [Value; 3],
}

impl Parts {
    fn one(a: Value) -> Parts {
        Parts { count: 1, words: [a; 3] }
    }

    fn two(a: Value, b: Value) -> Parts {
        Parts { count: 2, words: [a, b, b] }
    }

    fn three(a: Value, b: Value, c: Value) -> Parts {
        Parts { count: 3, words: [a, b, c] }
    }

    fn from_slice(words: &[Value]) -> Parts {
        match *words {
            [a] => Parts::one(a),
            [a, b] => Parts::two(a, b),
            [a, b, c] => Parts::three(a, b, c),
            _ => unreachable!("a value has one to three registers"),
        }
    }

    fn as_slice(&self) -> &[Value] {
        &self.words[..usize::from(self.count)]
    }

    /// The only or first register.
    fn a(&self) -> Value {
        self.words[0]
    }

    fn b(&self) -> Value {
        debug_assert!(self.count >= 2);
        self.words[1]
    }

    fn c(&self) -> Value {
        debug_assert!(self.count == 3);
        self.words[2]
    }
}

/// The Cranelift types of a kind's registers.
fn registers(kind: &Kind) -> &'static [Type] {
    match kind {
        Kind::Null | Kind::Bool => &[I8],
        Kind::Int(_) | Kind::Date | Kind::Datetime | Kind::Time | Kind::Duration | Kind::Enum(_) => &[I64],
        Kind::Float32 | Kind::Float64 => &[F64],
        Kind::Decimal { .. } | Kind::String | Kind::Bytes | Kind::Struct(_) => &[I64, I64],
        Kind::List(_) | Kind::Vector(..) | Kind::Map(..) => &[I64, I64, I64],
    }
}

/// Reads and writes never trap and may be unaligned; what is read through `READ` does not change while the kernel runs.
const READ: MemFlagsData = MemFlagsData::new().with_notrap().with_readonly();
const WRITE: MemFlagsData = MemFlagsData::new().with_notrap();

/// Where a failing instruction goes.
#[derive(Clone, Copy)]
enum OnFailure {
    /// The row fails: the block takes the site.
    Row(Block),
    /// A `recover` goes on here.
    Fallback(Block),
}

struct Lowering<'a> {
    b: FunctionBuilder<'a>,
    kernel: &'a Kernel,
    tables: &'a mut Tables,
    values: Vec<Option<Parts>>,
    columns: Vec<Option<column::Column>>,
    outputs: Vec<output::Target>,
    context: Value,
    inputs: Value,
    literals: Value,
    helpers: Value,
    row: Value,
    out_row: Value,
    on_failure: Vec<OnFailure>,
    /// Filtered and skipped rows: the block takes the status byte.
    exit: Block,
    signatures: Vec<(usize, bool, SigRef)>,
    arguments: StackSlot,
    answer: StackSlot,
    spans: Vec<Span>,
    /// Texts that are known while compiling.
    constants: HashMap<V, Vec<u8>>,
}

/// A lowered kernel.
pub(crate) struct Lowered {
    /// The code.
    pub(crate) function: Function,
    /// What its source locations mean, by position.
    pub(crate) spans: Vec<Span>,
}

/// Lowers a kernel.
pub(crate) fn lower(
    kernel: &Kernel,
    index: u32,
    isa: &dyn TargetIsa,
    tables: &mut Tables,
    scratch: &mut FunctionBuilderContext,
) -> Lowered {
    let mut signature = Signature::new(isa.default_call_conv());
    signature.params.push(AbiParam::new(I64));
    let mut function = Function::with_name_signature(UserFuncName::user(0, index), signature);
    let mut b = FunctionBuilder::new(&mut function, scratch);

    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    let context = b.block_params(entry)[0];
    let argument_slots = widest_call(&kernel.body).max(2) as u32;
    let slot_bytes = slot::SIZE_BYTES as u32;
    let arguments =
        b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, argument_slots * slot_bytes, 4));
    let answer = b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, slot_bytes, 4));

    let field = |b: &mut FunctionBuilder, offset| b.ins().load(I64, READ, context, offset);
    let row_count = field(&mut b, kernel_context::row_count);
    let inputs = field(&mut b, kernel_context::inputs);
    let outputs_base = field(&mut b, kernel_context::outputs);
    let status_base = field(&mut b, kernel_context::status);
    let row_index = field(&mut b, kernel_context::row_index);
    let literals = field(&mut b, kernel_context::literals);
    let helpers = field(&mut b, kernel_context::helpers);
    let zero = b.ins().iconst(I64, 0);

    let (head, test, body) = (b.create_block(), b.create_block(), b.create_block());
    let (fail, exit, next, done) = (b.create_block(), b.create_block(), b.create_block(), b.create_block());
    let row = b.append_block_param(head, I64);
    let out_row = b.append_block_param(head, I64);
    let fail_site = b.append_block_param(fail, I64);
    let exit_status = b.append_block_param(exit, I8);
    let next_out_row = b.append_block_param(next, I64);

    let mut lowering = Lowering {
        b,
        kernel,
        tables,
        values: vec![None; kernel.kinds.len()],
        columns: vec![None; kernel.inputs.len()],
        outputs: Vec::new(),
        context,
        inputs,
        literals,
        helpers,
        row,
        out_row,
        on_failure: vec![OnFailure::Row(fail)],
        exit,
        signatures: Vec::new(),
        arguments,
        answer,
        spans: Vec::new(),
        constants: HashMap::new(),
    };
    lowering.load_columns();
    lowering.load_outputs(outputs_base);
    lowering.b.ins().jump(head, &[zero.into(), zero.into()]);

    let b = &mut lowering.b;
    b.switch_to_block(head);
    let more = b.ins().icmp(IntCC::UnsignedLessThan, row, row_count);
    b.ins().brif(more, test, &[], done, &[]);

    b.switch_to_block(test);
    let status_address = b.ins().iadd(status_base, row);
    let current = b.ins().load(I8, WRITE, status_address, 0);
    b.ins().brif(current, next, &[out_row.into()], body, &[]);

    b.switch_to_block(body);
    lowering.region(&kernel.body);
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

    b.switch_to_block(exit);
    b.ins().store(WRITE, exit_status, status_address, 0);
    b.ins().jump(next, &[out_row.into()]);

    b.switch_to_block(fail);
    b.set_cold_block(fail);
    let failed = b.ins().iconst(I8, i64::from(status::FAILED));
    b.ins().store(WRITE, failed, status_address, 0);
    lowering.call_runtime(runtime_helpers::FAIL, &[context, row, fail_site], false);
    let b = &mut lowering.b;
    b.ins().jump(next, &[out_row.into()]);

    b.switch_to_block(next);
    let row_next = b.ins().iadd_imm_s(row, 1);
    b.ins().jump(head, &[row_next.into(), next_out_row.into()]);

    b.switch_to_block(done);
    if kernel.role == Role::Apply {
        b.ins().store(WRITE, out_row, context, kernel_context::out_count);
    }
    b.ins().return_(&[]);

    b.seal_all_blocks();
    let Lowering { b, spans, .. } = lowering;
    b.finalize(isa.frontend_config());
    Lowered { function, spans }
}

/// The most slots that one call takes.
fn widest_call(region: &Region) -> usize {
    let of_instr = |instr: &Instr| match &instr.op {
        Op::Call { args, .. } | Op::MakeList { items: args, .. } => args.len(),
        Op::If { then: a, otherwise: b, .. } | Op::Recover { body: a, fallback: b } => {
            widest_call(a).max(widest_call(b))
        }
        _ => 0,
    };
    region.instrs.iter().map(of_instr).max().unwrap_or(0)
}

impl Lowering<'_> {
    fn kind(&self, value: V) -> &Kind {
        &self.kernel.kinds[value.0 as usize]
    }

    fn get(&self, value: V) -> Parts {
        self.values[value.0 as usize].unwrap_or_else(|| panic!("{value:?} is used before it is defined"))
    }

    fn set(&mut self, value: V, parts: Parts) {
        debug_assert_eq!(usize::from(parts.count), registers(self.kind(value)).len());
        self.values[value.0 as usize] = Some(parts);
    }

    fn region(&mut self, region: &Region) {
        for instr in &region.instrs {
            let location = match self.spans.last() {
                Some(last) if *last == instr.span => self.spans.len() - 1,
                _ => {
                    self.spans.push(instr.span);
                    self.spans.len() - 1
                }
            };
            self.b.set_srcloc(SourceLoc::new(location as u32));
            self.instr(instr);
        }
    }

    fn instr(&mut self, instr: &Instr) {
        match &instr.op {
            Op::FailIf { cond, site } => {
                let cond = self.get(*cond).a();
                self.fail_if(cond, *site);
            }
            Op::ExitIf { cond, exit } => {
                let cond = self.get(*cond).a();
                let status = match exit {
                    Exit::Filtered => status::FILTERED,
                    Exit::Skipped => status::SKIPPED,
                };
                let status = self.b.ins().iconst(I8, i64::from(status));
                let on = self.b.create_block();
                self.b.ins().brif(cond, self.exit, &[status.into()], on, &[]);
                self.b.switch_to_block(on);
            }
            Op::If { cond, then, otherwise } => {
                let cond = self.get(*cond).a();
                let (then_block, else_block) = (self.b.create_block(), self.b.create_block());
                self.b.ins().brif(cond, then_block, &[], else_block, &[]);
                self.b.switch_to_block(then_block);
                self.join(instr, then, else_block, otherwise);
            }
            Op::Recover { body, fallback } => {
                let fallback_block = self.b.create_block();
                self.b.set_cold_block(fallback_block);
                self.on_failure.push(OnFailure::Fallback(fallback_block));
                let (after, results) = self.join_block(instr);
                self.region(body);
                self.jump_with(after, &body.yields);
                self.on_failure.pop();
                self.b.switch_to_block(fallback_block);
                self.region(fallback);
                self.jump_with(after, &fallback.yields);
                self.arrive(instr, after, results);
            }
            Op::Store { output, value, valid } => {
                let value = self.get(*value);
                let valid = valid.map(|valid| self.get(valid).a());
                self.store(*output, value, valid);
            }
            op => self.value_op(op, &instr.results),
        }
    }

    /// Both regions from here on, the first in the current block, joined behind.
    fn join(&mut self, instr: &Instr, first: &Region, second_block: Block, second: &Region) {
        let (after, results) = self.join_block(instr);
        self.region(first);
        self.jump_with(after, &first.yields);
        self.b.switch_to_block(second_block);
        self.region(second);
        self.jump_with(after, &second.yields);
        self.arrive(instr, after, results);
    }

    fn join_block(&mut self, instr: &Instr) -> (Block, Vec<Value>) {
        let after = self.b.create_block();
        let mut params = Vec::new();
        for result in &instr.results {
            for ty in registers(self.kind(*result)) {
                params.push(self.b.append_block_param(after, *ty));
            }
        }
        (after, params)
    }

    fn jump_with(&mut self, block: Block, yields: &[V]) {
        let args: Vec<BlockArg> =
            yields.iter().flat_map(|value| self.get(*value).as_slice().to_vec()).map(BlockArg::from).collect();
        self.b.ins().jump(block, &args);
    }

    fn arrive(&mut self, instr: &Instr, after: Block, params: Vec<Value>) {
        self.b.switch_to_block(after);
        let mut rest = params.as_slice();
        for result in &instr.results {
            let (words, others) = rest.split_at(registers(self.kind(*result)).len());
            self.set(*result, Parts::from_slice(words));
            rest = others;
        }
    }

    /// Goes to where failures go, if the condition is true, and on otherwise.
    fn fail_if(&mut self, cond: Value, site: u32) {
        let on = self.b.create_block();
        match self.on_failure[self.on_failure.len() - 1] {
            OnFailure::Row(block) => {
                let site = self.b.ins().iconst(I64, i64::from(site));
                self.b.ins().brif(cond, block, &[site.into()], on, &[]);
            }
            OnFailure::Fallback(block) => {
                self.b.ins().brif(cond, block, &[], on, &[]);
            }
        }
        self.b.switch_to_block(on);
    }

    /// The address of literal bytes.
    fn literal_address(&mut self, offset: u32) -> Value {
        self.b.ins().iadd_imm_s(self.literals, i64::from(offset))
    }

    /// The `ColumnView` of an input.
    fn input_view(&mut self, input: u32) -> Value {
        self.b.ins().iadd_imm_s(self.inputs, i64::from(input) * column_view::SIZE_BYTES as i64)
    }

    fn int(&mut self, value: i64) -> Value {
        self.b.ins().iconst(I64, value)
    }
}
