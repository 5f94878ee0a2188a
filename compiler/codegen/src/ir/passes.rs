//! What is done to a kernel once it is built: code whose results nobody reads goes, lists of constants are made before the
//! first row, and inputs that no code reads go.
//!
//! Folding, sharing and selects happen while building; see `builder`.
//!
//! This file must not know what is built.

use std::collections::HashMap;

use super::{Instr, Kernel, Op, Region, V};

/// Removes dead code and unread inputs. Values keep their numbers; inputs are numbered anew.
pub(crate) fn finish(kernel: &mut Kernel) {
    let mut live = vec![false; kernel.kinds.len()];
    sweep(&mut kernel.body, &mut live);
    hoist(kernel);
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
            Op::Recover { body, fallback, .. } => drop_yields(&mut instr.results, [body, fallback], &wanted, live),
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

/// Moves lists of constants out of the body. Their items get definitions of their own, which stand where the list stands.
fn hoist(kernel: &mut Kernel) {
    let mut constants = HashMap::new();
    gather_constants(&kernel.body, &mut constants);
    let mut lists = Vec::new();
    take_lists(&mut kernel.body, &constants, &mut lists);
    for mut list in lists {
        let (kinds, before) = (&mut kernel.kinds, &mut kernel.before);
        list.op.map_operands(&mut |value| {
            let mut item = constants[&value].clone();
            let copy = V(kinds.len() as u32);
            kinds.push(kinds[value.0 as usize].clone());
            item.results = vec![copy];
            before.push(item);
            copy
        });
        kernel.before.push(list);
    }
}

fn gather_constants(region: &Region, constants: &mut HashMap<V, Instr>) {
    for instr in &region.instrs {
        match &instr.op {
            Op::Const(_) | Op::Zero => {
                constants.insert(instr.results[0], instr.clone());
            }
            Op::If { then: a, otherwise: b, .. } | Op::Recover { body: a, fallback: b, .. } => {
                gather_constants(a, constants);
                gather_constants(b, constants);
            }
            _ => {}
        }
    }
}

fn take_lists(region: &mut Region, constants: &HashMap<V, Instr>, lists: &mut Vec<Instr>) {
    let mut kept = Vec::with_capacity(region.instrs.len());
    for mut instr in std::mem::take(&mut region.instrs) {
        let mut is_constant = matches!(instr.op, Op::MakeList { .. });
        instr.op.for_each_operand(|value| is_constant &= constants.contains_key(&value));
        if is_constant {
            lists.push(instr);
            continue;
        }
        if let Op::If { then: a, otherwise: b, .. } | Op::Recover { body: a, fallback: b, .. } = &mut instr.op {
            take_lists(a, constants, lists);
            take_lists(b, constants, lists);
        }
        kept.push(instr);
    }
    region.instrs = kept;
}

fn mark_inputs(region: &Region, used: &mut [bool]) {
    for instr in &region.instrs {
        match &instr.op {
            Op::Load(input) | Op::LoadValid(input) => used[*input as usize] = true,
            Op::If { then: a, otherwise: b, .. } | Op::Recover { body: a, fallback: b, .. } => {
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
            Op::If { then: a, otherwise: b, .. } | Op::Recover { body: a, fallback: b, .. } => {
                renumber_inputs(a, numbers);
                renumber_inputs(b, numbers);
            }
            _ => {}
        }
    }
}
