//! The IR as text: what `chalkc inspect` and `--emit ir` print and golden tests compare.
//!
//! One line an instruction, values numbered in order of appearance, so that the text depends on nothing but the code.
//!
//! This file must not know lowering.

use std::collections::HashMap;
use std::fmt::{self, Write as _};

use super::{Arg, Checked, Instr, Kernel, Literal, Op, Region, V};

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "kernel {}", self.symbol)?;
        for (index, input) in self.inputs.iter().enumerate() {
            writeln!(f, "  in  {index}: {} = {}", input.ty, input.name)?;
        }
        for (index, output) in self.outputs.iter().enumerate() {
            writeln!(f, "  out {index}: {} = {}", output.ty, output.name)?;
        }
        let mut printer = Printer { kernel: self, numbers: HashMap::new(), text: String::new() };
        if !self.before.is_empty() {
            printer.text.push_str("  before rows {\n");
            self.before.iter().for_each(|instr| printer.instr(instr, 2));
            printer.text.push_str("  }\n");
        }
        printer.region(&self.body, 1);
        f.write_str(&printer.text)
    }
}

struct Printer<'a> {
    kernel: &'a Kernel,
    numbers: HashMap<V, usize>,
    text: String,
}

/// Writing to a `String` cannot fail.
macro_rules! put {
    ($self:ident, $($arg:tt)*) => { { let _ = write!($self.text, $($arg)*); } };
}

impl Printer<'_> {
    fn name(&mut self, value: V) -> String {
        let next = self.numbers.len();
        format!("%{}", self.numbers.entry(value).or_insert(next))
    }

    fn names(&mut self, values: &[V]) -> String {
        values.iter().map(|value| self.name(*value)).collect::<Vec<_>>().join(", ")
    }

    fn arg(&mut self, (value, valid): &Arg) -> String {
        let value = self.name(*value);
        match valid {
            Some(valid) => format!("{value} if {}", self.name(*valid)),
            None => value,
        }
    }

    fn args(&mut self, args: &[Arg]) -> String {
        args.iter().map(|arg| self.arg(arg)).collect::<Vec<_>>().join(", ")
    }

    fn region(&mut self, region: &Region, depth: usize) {
        for instr in &region.instrs {
            self.instr(instr, depth);
        }
        if !region.yields.is_empty() {
            let yields = self.names(&region.yields);
            put!(self, "{:w$}yield {yields}\n", "", w = depth * 2);
        }
    }

    fn instr(&mut self, Instr { results, op, .. }: &Instr, depth: usize) {
        let text = self.op(op);
        put!(self, "{:w$}", "", w = depth * 2);
        if !results.is_empty() {
            let results: Vec<String> = results
                .iter()
                .map(|value| format!("{}: {}", self.name(*value), self.kernel.kinds[value.0 as usize]))
                .collect();
            put!(self, "{} = ", results.join(", "));
        }
        put!(self, "{text}");
        let (first, between, second) = match op {
            Op::If { then, otherwise, .. } => (then, "else", otherwise),
            Op::Recover { body, fallback, .. } => (body, "on failure", fallback),
            _ => {
                put!(self, "\n");
                return;
            }
        };
        put!(self, " {{\n");
        self.region(first, depth + 1);
        put!(self, "{:w$}}} {between} {{\n", "", w = depth * 2);
        self.region(second, depth + 1);
        put!(self, "{:w$}}}\n", "", w = depth * 2);
    }

    fn op(&mut self, op: &Op) -> String {
        let input = |index: &u32| &self.kernel.inputs[*index as usize].name;
        match op {
            Op::Const(literal) => format!("const {}", Show(literal)),
            Op::Zero => "zero".to_owned(),
            Op::Load(index) => format!("load {}", input(index)),
            Op::LoadValid(index) => format!("load_valid {}", input(index)),
            Op::Unary(op, a) => format!("{} {}", snake(op), self.name(*a)),
            Op::Binary(op, a, b) => format!("{} {}", snake(op), self.names(&[*a, *b])),
            Op::Select(a, b, c) => format!("select {}", self.names(&[*a, *b, *c])),
            Op::InRange { value, low, high } => format!("in_range {}, {low}..={high}", self.name(*value)),
            Op::Checked { op, left, right, guard, .. } => {
                let is_unary = matches!(op, Checked::Neg | Checked::Abs);
                let operands = if is_unary { self.name(*left) } else { self.names(&[*left, *right]) };
                let guard = guard.map(|guard| format!(" if {}", self.name(guard))).unwrap_or_default();
                format!("checked_{} {operands}{guard}", snake(op))
            }
            Op::FailIf { cond, .. } => format!("fail_if {}", self.name(*cond)),
            Op::ExitIf { cond, exit } => format!("exit_if {} {}", self.name(*cond), snake(exit)),
            Op::Call { name, args, .. } => format!("call {name}({})", self.args(args)),
            Op::DecodeJson { plan, text, .. } => format!("decode_json plan {plan}, {}", self.name(*text)),
            Op::Concat { left, right, .. } => format!("concat {}", self.names(&[*left, *right])),
            Op::MakeList { items, .. } => format!("list [{}]", self.args(items)),
            Op::MapGet { map, key, .. } => format!("map_get {}", self.names(&[*map, *key])),
            Op::SliceText(a, b, c) => format!("slice_text {}", self.names(&[*a, *b, *c])),
            Op::SliceBytes(a, b, c) => format!("slice_bytes {}", self.names(&[*a, *b, *c])),
            Op::SliceList(a, b, c) => format!("slice_list {}", self.names(&[*a, *b, *c])),
            Op::Length(a) => format!("length {}", self.name(*a)),
            Op::Item(a, b) => format!("item {}", self.names(&[*a, *b])),
            Op::ItemValid(a, b) => format!("item_valid {}", self.names(&[*a, *b])),
            Op::Field(a, field) => format!("field {}.{}", self.name(*a), self.field(*a, *field)),
            Op::FieldValid(a, field) => format!("field_valid {}.{}", self.name(*a), self.field(*a, *field)),
            Op::Contains(a, b, _) => format!("contains {}", self.names(&[*a, *b])),
            Op::Same(a, b, _) => format!("same {}", self.names(&[*a, *b])),
            Op::If { cond, .. } => format!("if {}", self.name(*cond)),
            Op::Recover { report: None, .. } => "recover".to_owned(),
            Op::Recover { report: Some(output), .. } => {
                format!("report failures of {}", self.kernel.outputs[*output as usize].name)
            }
            Op::DedupKey(args) => format!("dedup_key {}", self.args(args)),
            Op::Store { output, value, valid } => {
                format!("store {}, {}", self.kernel.outputs[*output as usize].name, self.arg(&(*value, *valid)))
            }
        }
    }

    fn field(&self, base: V, field: u32) -> &str {
        match &self.kernel.kinds[base.0 as usize] {
            chalk_types::Kind::Struct(message) => &message.fields[field as usize].name,
            other => unreachable!("a field of {other}"),
        }
    }
}

/// `FloatAdd` as `float_add`.
fn snake(name: &impl fmt::Debug) -> String {
    let mut text = String::new();
    for c in format!("{name:?}").chars() {
        if c.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

struct Show<'a>(&'a Literal);

impl fmt::Display for Show<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Literal::Bool(value) => write!(f, "{value}"),
            Literal::Int(value) => write!(f, "{value}"),
            Literal::Float(bits) => f.write_str(&chalk_types::format_float(f64::from_bits(*bits))),
            Literal::Decimal(value) => write!(f, "{value}"),
            Literal::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => write!(f, "{text:?}"),
                Err(_) => write!(f, "b\"{}\"", bytes.escape_ascii()),
            },
        }
    }
}
