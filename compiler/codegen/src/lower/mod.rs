//! Column IR to Cranelift: one loop over rows a kernel, values in registers.
//!
//! Nothing in a kernel traps, unwinds or is relocated: every helper is called
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
mod kernel;
mod ops;
mod output;
mod split;
mod text;

use std::collections::HashMap;

use chalk_artifact::abi::{column_view, runtime_helpers, status};
use chalk_diagnostics::Span;
use chalk_types::Kind;
use cranelift_codegen::ir::types::{F64, I8, I64};
use cranelift_codegen::ir::{Block, BlockArg, InstBuilder, MemFlagsData, SigRef, SourceLoc, StackSlot, Type, Value};
use cranelift_frontend::FunctionBuilder;

pub(crate) use self::kernel::{Lowered, lower};
use crate::ir::{Exit, Instr, Kernel, Op, Region, V};
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
    /// The row fails, or what is reported by itself: the block takes the site.
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
    outputs: Vec<Option<output::Target>>,
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
        self.instrs(&region.instrs);
    }

    fn instrs(&mut self, instrs: &[Instr]) {
        for instr in instrs {
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
                    Exit::Late => status::LATE,
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
            Op::DedupKey(args) => {
                let slots = self.write_arguments(args);
                self.call_runtime(runtime_helpers::DEDUP_KEY, &[self.context, self.row, slots], false);
            }
            Op::Recover { body, fallback, report } => {
                let fallback_block = self.b.create_block();
                self.b.set_cold_block(fallback_block);
                let failed = report.map(|output| (output, self.b.append_block_param(fallback_block, I64)));
                self.on_failure.push(match failed {
                    Some(_) => OnFailure::Row(fallback_block),
                    None => OnFailure::Fallback(fallback_block),
                });
                let (after, results) = self.join_block(instr);
                self.region(body);
                self.jump_with(after, &body.yields);
                self.on_failure.pop();
                self.b.switch_to_block(fallback_block);
                if let Some((output, site)) = failed {
                    let output = self.int(i64::from(output));
                    self.call_runtime(runtime_helpers::FAIL_OUTPUT, &[self.context, self.row, site, output], false);
                }
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
