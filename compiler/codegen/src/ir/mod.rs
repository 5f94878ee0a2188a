//! The column IR: what one kernel computes for a row, with nulls spelled out.
//!
//! A value is never null here. Whether the expression it stands for is null is another value, a bool, and the code says
//! what happens then; so constant folding, sharing of equal computations and dead code need no null rule of their own,
//! and lowering is a walk. Control flow is structured (`If`, `Recover`), so a value is known wherever its region is.
//!
//! A value under a null is unspecified and may not be looked behind: whatever reads memory through a value, may fail
//! or costs something stands in an `If` over its flag. Everything else may run on it.
//!
//! This module must not know Cranelift, nor the checked program that it is built from.

mod builder;
mod fold;
mod passes;
mod text;

use chalk_artifact::manifest::KernelInput;
use chalk_diagnostics::Span;
use chalk_types::{Kind, Type};

pub(crate) use builder::{Builder, Frame};
pub(crate) use passes::finish;

/// A value, numbered within its kernel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct V(pub(crate) u32);

/// A loop over rows.
#[derive(Debug)]
pub(crate) struct Kernel {
    /// Its symbol.
    pub(crate) symbol: String,
    /// What it does with a row that it has come to the end of.
    pub(crate) role: Role,
    /// The columns it reads.
    pub(crate) inputs: Vec<Input>,
    /// The columns it writes.
    pub(crate) outputs: Vec<Output>,
    /// Per value what it is.
    pub(crate) kinds: Vec<Kind>,
    /// What it does once, before the first row: lists of constants. They cannot fail.
    pub(crate) before: Vec<Instr>,
    /// What it does with a row.
    pub(crate) body: Region,
}

/// What a kernel does with a row that it has come to the end of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// Leaves it live.
    Decide,
    /// Counts it as applied: its outputs are a row.
    Apply,
}

/// A column that a kernel reads.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Input {
    /// Where it comes from.
    pub(crate) source: KernelInput,
    /// Its type.
    pub(crate) ty: Type,
    /// What people call it.
    pub(crate) name: String,
}

/// A column that a kernel writes.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Output {
    /// Its type.
    pub(crate) ty: Type,
    /// What people call it.
    pub(crate) name: String,
}

/// Instructions in order, and the values that they give to the outside.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Region {
    /// The instructions.
    pub(crate) instrs: Vec<Instr>,
    /// What an `If` or a `Recover` gives when it ran this region.
    pub(crate) yields: Vec<V>,
}

/// One instruction.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Instr {
    /// What it defines.
    pub(crate) results: Vec<V>,
    /// What it does.
    pub(crate) op: Op,
    /// Where that was written.
    pub(crate) span: Span,
}

/// A constant.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Literal {
    /// `bool`
    Bool(bool),
    /// Integers, times, dates and enums: the 64 bits of a slot.
    Int(i64),
    /// Floats, as bits.
    Float(u64),
    /// `decimal`, unscaled
    Decimal(i128),
    /// `string` and `bytes`
    Bytes(Vec<u8>),
}

impl Literal {
    /// A float constant.
    pub(crate) fn float(value: f64) -> Literal {
        Literal::Float(value.to_bits())
    }
}

/// A value on its way into a call: the value and whether it is there (none = it is).
pub(crate) type Arg = (V, Option<V>);

/// The position of a failing place in the manifest.
pub(crate) type Site = u32;

/// What an instruction does. Unless said otherwise it has one result, cannot fail and may run on unspecified values.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Op {
    /// A constant.
    Const(Literal),
    /// Any value of the result's kind: what stands where a value is null.
    Zero,
    /// This row's value of an input.
    Load(u32),
    /// Whether this row's value of an input is not null.
    LoadValid(u32),
    /// An operation on one value.
    Unary(Unary, V),
    /// An operation on two values.
    Binary(Binary, V, V),
    /// The second where the first is true, else the third.
    Select(V, V, V),
    /// Whether a signed integer lies in a range, ends included.
    InRange {
        /// What is tested.
        value: V,
        /// Least.
        low: i64,
        /// Greatest.
        high: i64,
    },
    /// Integer arithmetic that fails the row where the result does not fit, and `guard`, if any, is true.
    Checked {
        /// Which.
        op: Checked,
        /// Left operand.
        left: V,
        /// Right operand (of negation the operand again).
        right: V,
        /// Where false, the result is unspecified.
        guard: Option<V>,
        /// Who fails.
        site: Site,
    },
    /// Fails the row where the condition is true. No result.
    FailIf {
        /// The condition.
        cond: V,
        /// Who fails.
        site: Site,
    },
    /// Ends the row where the condition is true. No result.
    ExitIf {
        /// The condition.
        cond: V,
        /// With which fate.
        exit: Exit,
    },
    /// A library function. Two results: the value and whether it is not null. Reads memory.
    Call {
        /// Its position among the imports.
        import: u32,
        /// Its name, for people.
        name: &'static str,
        /// Whether it may fail the row.
        fallible: bool,
        /// Whether equal arguments give equal results.
        pure: bool,
        /// Its arguments.
        args: Vec<Arg>,
        /// Who fails.
        site: Site,
    },
    /// A struct decoded from JSON text by a plan of the manifest; fails the row. Reads memory.
    DecodeJson {
        /// The plan.
        plan: u32,
        /// The text.
        text: V,
        /// Who fails.
        site: Site,
    },
    /// Two strings, bytes or lists joined. Reads memory.
    Concat {
        /// Their type in the manifest.
        ty: u32,
        /// Left operand.
        left: V,
        /// Right operand.
        right: V,
    },
    /// A list of these items.
    MakeList {
        /// The list's type in the manifest.
        ty: u32,
        /// The items.
        items: Vec<Arg>,
    },
    /// The value of a key. Two results: the value and whether it is there and not null. Reads memory.
    MapGet {
        /// The map's type in the manifest.
        ty: u32,
        /// The map.
        map: V,
        /// The key.
        key: V,
    },
    /// Part of a string, by code points, ends as in Python. Reads memory.
    SliceText(V, V, V),
    /// Part of bytes, ends as in Python.
    SliceBytes(V, V, V),
    /// Part of a list, ends as in Python.
    SliceList(V, V, V),
    /// How many items a list or vector has.
    Length(V),
    /// The item of a list at a position within it. Reads memory.
    Item(V, V),
    /// Whether the item of a list at a position within it is not null. Reads memory.
    ItemValid(V, V),
    /// A field of a struct. Reads memory.
    Field(V, u32),
    /// Whether a field of a struct is not null. Reads memory.
    FieldValid(V, u32),
    /// Two results: whether a list contains an item equal to the second value, and whether nulls were met on the way. Reads memory.
    Contains(V, V, u32),
    /// Whether two nested values of the manifest's type are equal. Reads memory.
    Same(V, V, u32),
    /// The first region's yields where the condition is true, else the second's. May do whatever they do.
    If {
        /// The condition.
        cond: V,
        /// Where it is true.
        then: Region,
        /// Where it is false.
        otherwise: Region,
    },
    /// The first region's yields, or the second's where something in the first failed.
    Recover {
        /// What is tried.
        body: Region,
        /// What is done when that failed.
        fallback: Region,
        /// The output that a failure is reported for; none where nobody is to know.
        report: Option<u32>,
    },
    /// Reports the message's dedup key (the first argument) and its event time (the second). No result.
    DedupKey(Vec<Arg>),
    /// Writes an output. No result.
    Store {
        /// Which.
        output: u32,
        /// The value.
        value: V,
        /// Whether it is there (none = it is).
        valid: Option<V>,
    },
}

/// How a row ends without being applied.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Exit {
    /// A `where` did not keep it.
    Filtered,
    /// `parse` gave `none`.
    Skipped,
    /// It came after the source's deadline.
    Late,
}

/// Operations on one value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Unary {
    /// Of a bool.
    Not,
    /// Of an integer, bit by bit.
    BitNot,
    /// The same bits as another kind.
    Retype,
    /// `-x`
    FloatNeg,
    /// `|x|`
    FloatAbs,
    /// Towards +inf.
    Ceil,
    /// Towards -inf.
    Floor,
    /// Towards zero.
    Trunc,
    /// Square root.
    Sqrt,
    /// Signed integer to float, rounded.
    IntToFloat,
    /// Unsigned integer to float, rounded.
    UintToFloat,
    /// Float to signed integer, saturating.
    FloatToInt,
    /// Float to unsigned integer, saturating.
    FloatToUint,
    /// Rounded to a float32.
    RoundToFloat32,
    /// Whether a float is a whole number that fits a signed 64-bit integer.
    FitsInt,
    /// Whether a float is a whole number that fits an unsigned 64-bit integer.
    FitsUint,
    /// Whether a float is NaN.
    IsNan,
}

/// Operations on two values.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Binary {
    /// Of two bools.
    And,
    /// Of two bools.
    Or,
    /// Of integers, bit by bit.
    BitAnd,
    /// Of integers, bit by bit.
    BitOr,
    /// Of integers, bit by bit.
    BitXor,
    /// Wraps.
    IntAdd,
    /// Wraps.
    IntSub,
    /// Wraps.
    IntMul,
    /// Signed, towards zero; the divisor is a constant other than 0 and -1.
    IntQuotient,
    /// `+`
    FloatAdd,
    /// `-`
    FloatSub,
    /// `*`
    FloatMul,
    /// `/`
    FloatDiv,
    /// `%`, sign of the dividend.
    FloatRem,
    /// `**`
    FloatPow,
    /// Of bools, integers, times, dates, enums.
    IntEqual,
    /// Signed.
    IntLess,
    /// Signed.
    IntLessEqual,
    /// Unsigned; bools too.
    UintLess,
    /// Unsigned; bools too.
    UintLessEqual,
    /// NaN equals NaN.
    FloatEqual,
    /// NaN is the greatest.
    FloatLess,
    /// NaN is the greatest.
    FloatLessEqual,
    /// Of strings or bytes. Reads memory.
    TextEqual,
    /// -1, 0 or 1: strings or bytes in order of bytes. Reads memory.
    TextOrder,
    /// Of decimals of one scale.
    DecimalEqual,
    /// Of decimals of one scale.
    DecimalLess,
    /// Of decimals of one scale.
    DecimalLessEqual,
}

/// Integer arithmetic that fails where the result does not fit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Checked {
    /// Signed.
    Add,
    /// Signed.
    Sub,
    /// Signed.
    Mul,
    /// Signed; by zero fails, least % -1 is 0.
    Rem,
    /// Signed.
    Neg,
    /// Signed.
    Abs,
    /// Unsigned.
    UintAdd,
    /// Unsigned.
    UintSub,
    /// Unsigned.
    UintMul,
    /// Unsigned; by zero fails.
    UintRem,
}

impl Op {
    /// Calls `visit` for every operand outside of its regions.
    pub(crate) fn for_each_operand(&self, mut visit: impl FnMut(V)) {
        let mut copy = self.clone_without_regions();
        copy.map_operands(&mut |value| {
            visit(value);
            value
        });
    }

    fn clone_without_regions(&self) -> Op {
        match self {
            Op::If { cond, .. } => Op::If { cond: *cond, then: Region::default(), otherwise: Region::default() },
            Op::Recover { report, .. } => {
                Op::Recover { body: Region::default(), fallback: Region::default(), report: *report }
            }
            other => other.clone(),
        }
    }

    /// Replaces every operand, in regions too.
    pub(crate) fn map_operands(&mut self, map: &mut impl FnMut(V) -> V) {
        let map_args = |args: &mut Vec<Arg>, map: &mut dyn FnMut(V) -> V| {
            for (value, valid) in args {
                *value = map(*value);
                *valid = valid.map(&mut *map);
            }
        };
        match self {
            Op::Const(_) | Op::Zero | Op::Load(_) | Op::LoadValid(_) => {}
            Op::Unary(_, a) | Op::Length(a) | Op::Field(a, _) | Op::FieldValid(a, _) => *a = map(*a),
            Op::InRange { value: a, .. } | Op::FailIf { cond: a, .. } | Op::ExitIf { cond: a, .. } => *a = map(*a),
            Op::DecodeJson { text: a, .. } => *a = map(*a),
            Op::Binary(_, a, b) | Op::Item(a, b) | Op::ItemValid(a, b) => {
                *a = map(*a);
                *b = map(*b);
            }
            Op::Contains(a, b, _) | Op::Same(a, b, _) => {
                *a = map(*a);
                *b = map(*b);
            }
            Op::Concat { left: a, right: b, .. } | Op::MapGet { map: a, key: b, .. } => {
                *a = map(*a);
                *b = map(*b);
            }
            Op::Select(a, b, c) | Op::SliceText(a, b, c) | Op::SliceBytes(a, b, c) | Op::SliceList(a, b, c) => {
                *a = map(*a);
                *b = map(*b);
                *c = map(*c);
            }
            Op::Checked { left, right, guard, .. } => {
                *left = map(*left);
                *right = map(*right);
                *guard = guard.map(&mut *map);
            }
            Op::Call { args, .. } | Op::MakeList { items: args, .. } | Op::DedupKey(args) => map_args(args, map),
            Op::Store { value, valid, .. } => {
                *value = map(*value);
                *valid = valid.map(&mut *map);
            }
            Op::If { cond, then, otherwise } => {
                *cond = map(*cond);
                then.map_operands(map);
                otherwise.map_operands(map);
            }
            Op::Recover { body, fallback, .. } => {
                body.map_operands(map);
                fallback.map_operands(map);
            }
        }
    }

    /// The same without its site: two operations with one key do the same.
    pub(crate) fn key(&self) -> Op {
        let mut key = self.clone();
        match &mut key {
            Op::Checked { site, .. } | Op::Call { site, .. } | Op::DecodeJson { site, .. } => *site = 0,
            _ => {}
        }
        key
    }

    /// Whether it may be shared with an equal one that has run before: it gives the same again, or would have failed there.
    pub(crate) fn is_repeatable(&self) -> bool {
        match self {
            Op::Call { pure, .. } => *pure,
            Op::FailIf { .. } | Op::ExitIf { .. } | Op::If { .. } | Op::Recover { .. } => false,
            Op::Store { .. } | Op::DedupKey(_) => false,
            _ => true,
        }
    }

    /// Whether it may run although nobody asked for it: it cannot fail, reads no memory through values, costs next to nothing.
    pub(crate) fn is_speculatable(&self) -> bool {
        match self {
            Op::Const(_) | Op::Zero | Op::Load(_) | Op::LoadValid(_) | Op::Unary(..) | Op::Select(..) => true,
            Op::InRange { .. } | Op::Length(_) | Op::SliceBytes(..) | Op::SliceList(..) => true,
            Op::Binary(op, ..) => !matches!(
                op,
                Binary::TextEqual | Binary::TextOrder | Binary::FloatRem | Binary::FloatPow | Binary::FloatDiv
            ),
            _ => false,
        }
    }

    /// Whether the row can end or change in it, so that it stays although nobody reads its results.
    pub(crate) fn has_effect(&self) -> bool {
        match self {
            Op::Checked { .. } | Op::FailIf { .. } | Op::ExitIf { .. } | Op::DecodeJson { .. } => true,
            Op::Store { .. } | Op::DedupKey(_) => true,
            Op::Call { fallible, .. } => *fallible,
            Op::If { then, otherwise, .. } => then.has_effect() || otherwise.has_effect(),
            // Failures of the body go to the fallback.
            Op::Recover { body, fallback, report } => report.is_some() || body.exits() || fallback.has_effect(),
            _ => false,
        }
    }
}

impl Region {
    fn map_operands(&mut self, map: &mut impl FnMut(V) -> V) {
        for instr in &mut self.instrs {
            instr.op.map_operands(map);
        }
        for value in &mut self.yields {
            *value = map(*value);
        }
    }

    fn has_effect(&self) -> bool {
        self.instrs.iter().any(|instr| instr.op.has_effect())
    }

    /// Whether something in it stores or ends the row other than by failing.
    fn exits(&self) -> bool {
        self.instrs.iter().any(|instr| match &instr.op {
            Op::ExitIf { .. } | Op::Store { .. } | Op::DedupKey(_) => true,
            Op::If { then, otherwise, .. } => then.exits() || otherwise.exits(),
            Op::Recover { body, fallback, .. } => body.exits() || fallback.exits(),
            _ => false,
        })
    }
}
