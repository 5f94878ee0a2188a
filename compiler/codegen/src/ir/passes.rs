//! What is done to a kernel once it is built: code whose results nobody reads goes, and then inputs that no code reads.
//!
//! Folding, sharing and selects happen while building; see `builder`.
//!
//! This file must not know what is built.

use super::{Instr, Kernel, Op, Region, V};

/// Removes dead code and unread inputs. Values keep their numbers; inputs are numbered anew.
pub(crate) fn finish(kernel: &mut Kernel) {
    let mut live = vec![false; kernel.kinds.len()];
    sweep(&mut kernel.body, &mut live);
    let mut used = vec![false; kernel.inputs.len()];
    mark_inputs(&kernel.body, &mut used);
    let mut next = 0;
    let numbers: Vec<u32> = used
        .iter()
        .map(|used| {
            let number = next;
            next += u32::from(*used);
            number
        })
        .collect();
    renumber_inputs(&mut kernel.body, &numbers);
    let mut keep = used.into_iter();
    kernel.inputs.retain(|_| keep.next().unwrap_or(false));
}

/// Backwards over a region: keeps what has an effect or a live result, and makes its operands live.
fn sweep(region: &mut Region, live: &mut Vec<bool>) {
    for value in &region.yields {
        live[value.0 as usize] = true;
    }
    let mut kept: Vec<Instr> = Vec::with_capacity(region.instrs.len());
    for mut instr in std::mem::take(&mut region.instrs).into_iter().rev() {
        let wanted: Vec<bool> = instr.results.iter().map(|value| live[value.0 as usize]).collect();
        if !instr.op.has_effect() && !wanted.contains(&true) {
            continue;
        }
        match &mut instr.op {
            Op::If { cond, then, otherwise } => {
                drop_yields(&mut instr.results, [then, otherwise], &wanted, live);
                live[cond.0 as usize] = true;
            }
            Op::Recover { body, fallback } => drop_yields(&mut instr.results, [body, fallback], &wanted, live),
            op => op.for_each_operand(|value| live[value.0 as usize] = true),
        }
        kept.push(instr);
    }
    kept.reverse();
    region.instrs = kept;
}

fn drop_yields(results: &mut Vec<V>, regions: [&mut Region; 2], wanted: &[bool], live: &mut Vec<bool>) {
    let retain = |values: &mut Vec<V>| {
        let mut wanted = wanted.iter();
        values.retain(|_| *wanted.next().unwrap_or(&true));
    };
    retain(results);
    for region in regions {
        retain(&mut region.yields);
        sweep(region, live);
    }
}

fn mark_inputs(region: &Region, used: &mut [bool]) {
    for instr in &region.instrs {
        match &instr.op {
            Op::Load(input) | Op::LoadValid(input) => used[*input as usize] = true,
            Op::If { then: a, otherwise: b, .. } | Op::Recover { body: a, fallback: b } => {
                mark_inputs(a, used);
                mark_inputs(b, used);
            }
            _ => {}
        }
    }
}

fn renumber_inputs(region: &mut Region, numbers: &[u32]) {
    for instr in &mut region.instrs {
        match &mut instr.op {
            Op::Load(input) | Op::LoadValid(input) => *input = numbers[*input as usize],
            Op::If { then: a, otherwise: b, .. } | Op::Recover { body: a, fallback: b } => {
                renumber_inputs(a, numbers);
                renumber_inputs(b, numbers);
            }
            _ => {}
        }
    }
}
