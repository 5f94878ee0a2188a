//! Cutting a long body into parts, each a function of its own that the loop calls for a row.
//!
//! Register allocation takes more than linear time in a function's length, and a resolver may set thousands of features. Values
//! that a later part reads travel in a frame on the loop's stack, unless they are constants or inputs, which are had again.
//!
//! This file must not know Cranelift.

use chalk_types::Kind;

use crate::ir::{Instr, Kernel, Op, Region, V};

/// A body of at most this cost is one function.
const WHOLE_COST_MAX: usize = 1500;
/// Where a body is cut.
const PART_COST_MAX: usize = 400;

/// A piece of a body.
pub(super) struct Part<'a> {
    /// Constants, lists of constants and inputs of earlier parts that this one reads.
    pub(super) again: Vec<&'a Instr>,
    /// Its instructions.
    pub(super) instrs: &'a [Instr],
    /// Values of earlier parts that it reads, with their places in the frame, in words.
    pub(super) taken: Vec<(V, u32)>,
    /// Values that later parts read, with their places.
    pub(super) given: Vec<(V, u32)>,
}

/// The parts of a body and the words of their frame; none where the body is short enough.
pub(super) fn split<'a>(kernel: &'a Kernel, words_of: impl Fn(&Kind) -> u32) -> Option<(Vec<Part<'a>>, u32)> {
    let instrs = &kernel.body.instrs;
    if instrs.iter().map(cost).sum::<usize>() <= WHOLE_COST_MAX {
        return None;
    }
    let pieces = cut(instrs);
    // Where a value is defined at the top of the body: its piece and its instruction.
    let mut definitions: Vec<Option<(usize, &Instr)>> = vec![None; kernel.kinds.len()];
    for (piece, instrs) in pieces.iter().enumerate() {
        for instr in *instrs {
            for result in &instr.results {
                definitions[result.0 as usize] = Some((piece, instr));
            }
        }
    }
    // Lists made before the first row, each with its items.
    let mut lists: Vec<Option<&[Instr]>> = vec![None; kernel.kinds.len()];
    let mut start = 0;
    for (index, instr) in kernel.before.iter().enumerate() {
        if matches!(instr.op, Op::MakeList { .. }) {
            lists[instr.results[0].0 as usize] = Some(&kernel.before[start..=index]);
            start = index + 1;
        }
    }
    let mut parts: Vec<Part<'a>> =
        pieces.iter().map(|instrs| Part { again: Vec::new(), instrs, taken: Vec::new(), given: Vec::new() }).collect();
    let mut places: Vec<Option<u32>> = vec![None; kernel.kinds.len()];
    let mut frame_words = 0;
    for (piece, instrs) in pieces.iter().enumerate() {
        let mut read = Vec::new();
        for instr in *instrs {
            operands(instr, &mut read);
        }
        read.sort_unstable();
        read.dedup();
        for value in read {
            if let Some(list) = lists[value.0 as usize] {
                parts[piece].again.extend(list);
                continue;
            }
            let Some((home, instr)) = definitions[value.0 as usize] else { continue };
            if home == piece {
                continue;
            }
            if matches!(instr.op, Op::Const(_) | Op::Zero | Op::Load(_) | Op::LoadValid(_)) {
                parts[piece].again.push(instr);
                continue;
            }
            let place = *places[value.0 as usize].get_or_insert_with(|| {
                let place = frame_words;
                frame_words += words_of(&kernel.kinds[value.0 as usize]);
                parts[home].given.push((value, place));
                place
            });
            parts[piece].taken.push((value, place));
        }
    }
    Some((parts, frame_words))
}

fn cut(instrs: &[Instr]) -> Vec<&[Instr]> {
    let mut pieces = Vec::new();
    let (mut start, mut so_far) = (0, 0);
    for (index, instr) in instrs.iter().enumerate() {
        so_far += cost(instr);
        if so_far >= PART_COST_MAX {
            pieces.push(&instrs[start..=index]);
            (start, so_far) = (index + 1, 0);
        }
    }
    if start < instrs.len() {
        pieces.push(&instrs[start..]);
    }
    pieces
}

/// About how many machine instructions, in tens.
fn cost(instr: &Instr) -> usize {
    let of_region = |region: &Region| region.instrs.iter().map(cost).sum::<usize>();
    match &instr.op {
        Op::If { then: a, otherwise: b, .. } | Op::Recover { body: a, fallback: b, .. } => {
            1 + of_region(a) + of_region(b)
        }
        Op::Call { args, .. } | Op::MakeList { items: args, .. } | Op::DedupKey(args) => 2 + args.len(),
        Op::Store { .. } => 3,
        _ => 1,
    }
}

/// Every value that an instruction reads, in its regions too; values that a region defines itself are no harm.
fn operands(instr: &Instr, read: &mut Vec<V>) {
    instr.op.for_each_operand(|value| read.push(value));
    if let Op::If { then: a, otherwise: b, .. } | Op::Recover { body: a, fallback: b, .. } = &instr.op {
        for region in [a, b] {
            region.instrs.iter().for_each(|instr| operands(instr, read));
            read.extend(&region.yields);
        }
    }
}
