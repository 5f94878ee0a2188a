//! Builds regions: every instruction is folded where its operands are constants and shared where an equal one has run.
//!
//! Sharing is by scope: what an enclosing region has computed before is known inside, what an inner one computes is
//! forgotten at its end. So a shared value always dominates its uses, and a failure that is shared has happened already.
//!
//! This file must not know what is built.

use std::collections::HashMap;

use chalk_diagnostics::Span;
use chalk_types::Kind;

use super::fold::{Folded, fold};
use super::{Binary, Instr, Literal, Op, Region, Unary, V};

/// An `If` whose branches together are at most this many cheap instructions becomes selects.
const SELECT_COST_MAX: usize = 6;

/// A region under construction.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    instrs: Vec<Instr>,
    seen: HashMap<Op, Vec<V>>,
}

/// Builds the body of one kernel.
#[derive(Debug)]
pub(crate) struct Builder {
    kinds: Vec<Kind>,
    definitions: Vec<Option<Op>>,
    frames: Vec<Frame>,
    span: Span,
}

impl Builder {
    /// An empty body.
    pub(crate) fn new() -> Builder {
        Builder { kinds: Vec::new(), definitions: Vec::new(), frames: vec![Frame::default()], span: Span::default() }
    }

    /// The kinds of all values and the body.
    pub(crate) fn into_parts(mut self) -> (Vec<Kind>, Region) {
        assert_eq!(self.frames.len(), 1, "a region was left open");
        let frame = self.frames.pop().unwrap_or_default();
        (self.kinds, Region { instrs: frame.instrs, yields: Vec::new() })
    }

    /// Says where the following instructions come from; gives back where the ones before did.
    pub(crate) fn set_span(&mut self, span: Span) -> Span {
        std::mem::replace(&mut self.span, span)
    }

    /// What a value is.
    pub(crate) fn kind(&self, value: V) -> &Kind {
        &self.kinds[value.0 as usize]
    }

    /// The value as a constant.
    pub(crate) fn literal(&self, value: V) -> Option<&Literal> {
        match self.definition(value) {
            Some(Op::Const(literal)) => Some(literal),
            _ => None,
        }
    }

    /// The instruction that a value is the only result of.
    pub(crate) fn definition(&self, value: V) -> Option<&Op> {
        self.definitions[value.0 as usize].as_ref()
    }

    /// Begins a region.
    pub(crate) fn open(&mut self) {
        self.frames.push(Frame::default());
    }

    /// Ends the innermost region; it may be gone on with.
    pub(crate) fn close(&mut self) -> Frame {
        assert!(self.frames.len() > 1, "no region is open");
        self.frames.pop().unwrap_or_default()
    }

    /// Goes on with a region.
    pub(crate) fn reopen(&mut self, frame: Frame) {
        self.frames.push(frame);
    }

    /// Adds an instruction without folding or sharing.
    fn push(&mut self, op: Op, kinds: Vec<Kind>) -> Vec<V> {
        let results: Vec<V> = (0..kinds.len()).map(|i| V((self.kinds.len() + i) as u32)).collect();
        let only = results.len() == 1;
        for kind in kinds {
            self.kinds.push(kind);
            self.definitions.push(only.then(|| op.clone_without_regions()));
        }
        let span = self.span;
        if let Some(frame) = self.frames.last_mut() {
            frame.instrs.push(Instr { results: results.clone(), op, span });
        }
        results
    }

    /// Adds an instruction with results of these kinds, or finds the results of an equal one.
    pub(crate) fn emit_many(&mut self, op: Op, kinds: Vec<Kind>) -> Vec<V> {
        if !op.is_repeatable() {
            return self.push(op, kinds);
        }
        let key = op.key();
        // Two kinds may share an operation (`Zero`, `Retype`), so the kind is looked at too.
        let known = self.frames.iter().rev().find_map(|frame| frame.seen.get(&key));
        if let Some(known) = known
            && known.iter().zip(&kinds).all(|(value, kind)| self.kind(*value) == kind)
        {
            return known.clone();
        }
        let results = self.push(op, kinds);
        if let Some(frame) = self.frames.last_mut() {
            frame.seen.insert(key, results.clone());
        }
        results
    }

    /// Adds an instruction with one result.
    pub(crate) fn emit(&mut self, op: Op, kind: Kind) -> V {
        match fold(self, &op, &kind) {
            Some(Folded::Value(value)) => value,
            Some(Folded::Literal(literal)) => self.emit_many(Op::Const(literal), vec![kind])[0],
            Some(Folded::Op(op)) => self.emit(op, kind),
            None => self.emit_many(op, vec![kind])[0],
        }
    }

    /// Adds an instruction without result.
    pub(crate) fn effect(&mut self, op: Op) {
        let never = match &op {
            Op::FailIf { cond, .. } | Op::ExitIf { cond, .. } => self.is_false(*cond),
            _ => false,
        };
        if !never {
            self.push(op, Vec::new());
        }
    }

    /// A constant.
    pub(crate) fn constant(&mut self, literal: Literal, kind: Kind) -> V {
        self.emit(Op::Const(literal), kind)
    }

    /// `true` or `false`.
    pub(crate) fn bool(&mut self, value: bool) -> V {
        self.constant(Literal::Bool(value), Kind::Bool)
    }

    /// An `int`.
    pub(crate) fn int(&mut self, value: i64) -> V {
        self.constant(Literal::Int(value), Kind::INT)
    }

    /// Whether a value is the constant `true`.
    pub(crate) fn is_true(&self, value: V) -> bool {
        self.literal(value) == Some(&Literal::Bool(true))
    }

    /// Whether a value is the constant `false`.
    pub(crate) fn is_false(&self, value: V) -> bool {
        self.literal(value) == Some(&Literal::Bool(false))
    }

    /// `a and b` of flags.
    pub(crate) fn and(&mut self, a: V, b: V) -> V {
        self.emit(Op::Binary(Binary::And, a, b), Kind::Bool)
    }

    /// `a or b` of flags.
    pub(crate) fn or(&mut self, a: V, b: V) -> V {
        self.emit(Op::Binary(Binary::Or, a, b), Kind::Bool)
    }

    /// `not a` of a flag.
    pub(crate) fn not(&mut self, a: V) -> V {
        self.emit(Op::Unary(Unary::Not, a), Kind::Bool)
    }

    /// Both of two optional flags; none is true.
    pub(crate) fn both(&mut self, a: Option<V>, b: Option<V>) -> Option<V> {
        match (a, b) {
            (Some(a), Some(b)) => Some(self.and(a, b)),
            (one, None) | (None, one) => one,
        }
        .filter(|flag| !self.is_true(*flag))
    }

    /// Joins two branches: their yields agree in number and kinds.
    pub(crate) fn branch(&mut self, cond: V, then: (Frame, Vec<V>), otherwise: (Frame, Vec<V>)) -> Vec<V> {
        if self.is_true(cond) {
            return self.splice(then);
        }
        if self.is_false(cond) {
            return self.splice(otherwise);
        }
        let cost = |frame: &Frame| {
            frame.instrs.iter().try_fold(0, |cost, instr| {
                let free = matches!(instr.op, Op::Const(_) | Op::Zero);
                instr.op.is_speculatable().then_some(cost + usize::from(!free))
            })
        };
        if let (Some(a), Some(b)) = (cost(&then.0), cost(&otherwise.0))
            && a + b <= SELECT_COST_MAX
        {
            let (a, b) = (self.splice(then), self.splice(otherwise));
            return a
                .into_iter()
                .zip(b)
                .map(|(a, b)| {
                    let kind = self.kind(a).clone();
                    self.emit(Op::Select(cond, a, b), kind)
                })
                .collect();
        }
        let kinds = then.1.iter().map(|value| self.kind(*value).clone()).collect();
        let then = Region { instrs: then.0.instrs, yields: then.1 };
        let otherwise = Region { instrs: otherwise.0.instrs, yields: otherwise.1 };
        self.push(Op::If { cond, then, otherwise }, kinds)
    }

    /// Joins something that may fail with what stands in then; a failure may be reported for an output.
    pub(crate) fn recover(&mut self, body: (Frame, Vec<V>), fallback: (Frame, Vec<V>), report: Option<u32>) -> Vec<V> {
        if !body.0.instrs.iter().any(|instr| instr.op.has_effect()) {
            return self.splice(body);
        }
        let kinds = body.1.iter().map(|value| self.kind(*value).clone()).collect();
        let body = Region { instrs: body.0.instrs, yields: body.1 };
        let fallback = Region { instrs: fallback.0.instrs, yields: fallback.1 };
        self.push(Op::Recover { body, fallback, report }, kinds)
    }

    /// Puts a closed region's instructions here, sharing what is known here already; gives its yields.
    pub(crate) fn splice(&mut self, (frame, yields): (Frame, Vec<V>)) -> Vec<V> {
        let mut renamed: HashMap<V, V> = HashMap::new();
        for Instr { results, mut op, span } in frame.instrs {
            op.map_operands(&mut |value| renamed.get(&value).copied().unwrap_or(value));
            let before = self.set_span(span);
            let kinds: Vec<Kind> = results.iter().map(|value| self.kind(*value).clone()).collect();
            let now = match kinds.len() {
                0 => {
                    self.effect(op);
                    Vec::new()
                }
                1 => vec![self.emit(op, kinds.into_iter().next().unwrap_or(Kind::Bool))],
                _ => self.emit_many(op, kinds),
            };
            self.set_span(before);
            renamed.extend(results.into_iter().zip(now));
        }
        yields.into_iter().map(|value| renamed.get(&value).copied().unwrap_or(value)).collect()
    }
}
