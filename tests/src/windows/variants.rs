//! Changes of a timeline that must not change what comes of it.
//!
//! This file must not know the engine.

use super::program::Package;
use super::timeline::{Arrival, Step, StepKind, Timeline};
use crate::rng::Rng;

/// The messages between two questions come in other batches.
pub(super) fn rebatched(rng: &mut Rng, timeline: &Timeline) -> Timeline {
    let largest = *rng.pick(&[1, 2, 7, 300]);
    in_stretches(timeline, |steps| {
        let mut batches: Vec<Step> = Vec::new();
        for step in steps {
            let StepKind::Arrive(arrivals) = &step.kind else { unreachable!("a stretch has no questions") };
            for arrival in arrivals {
                match batches.iter_mut().rev().find(|batch| stream_of(batch) == arrival.stream) {
                    // Goes into the last batch of its stream, which so is delayed.
                    Some(Step { now_us, kind: StepKind::Arrive(batch) }) if batch.len() < largest => {
                        batch.push(arrival.clone());
                        *now_us = step.now_us;
                    }
                    _ => batches.push(Step { now_us: step.now_us, kind: StepKind::Arrive(vec![arrival.clone()]) }),
                }
            }
        }
        // The clock does not go back.
        batches.sort_by_key(|batch| batch.now_us);
        batches
    })
}

/// Streams and partitions are read in another interleaving; each partition keeps its order.
pub(super) fn interleaved(rng: &mut Rng, timeline: &Timeline) -> Timeline {
    in_stretches(timeline, |steps| {
        let Some(last) = steps.last() else { return Vec::new() };
        let now_us = last.now_us;
        let mut queues: Vec<Vec<Arrival>> = Vec::new();
        for arrival in steps.iter().flat_map(arrivals_of) {
            let place = (arrival.stream, arrival.partition);
            match queues.iter_mut().find(|queue| (queue[0].stream, queue[0].partition) == place) {
                Some(queue) => queue.push(arrival.clone()),
                None => queues.push(vec![arrival.clone()]),
            }
        }
        queues.iter_mut().for_each(|queue| queue.reverse());
        let mut batches: Vec<Step> = Vec::new();
        while !queues.is_empty() {
            let at = rng.below(queues.len());
            let count = rng.between(1, queues[at].len());
            let from = queues[at].len() - count;
            let batch: Vec<Arrival> = queues[at].split_off(from).into_iter().rev().collect();
            batches.push(Step { now_us, kind: StepKind::Arrive(batch) });
            if queues[at].is_empty() {
                queues.swap_remove(at);
            }
        }
        batches
    })
}

/// The messages between two questions come in another order.
pub(super) fn permuted(rng: &mut Rng, timeline: &Timeline) -> Timeline {
    in_stretches(timeline, |steps| {
        let mut arrivals: Vec<Arrival> = steps.iter().flat_map(arrivals_of).cloned().collect();
        for at in (1..arrivals.len()).rev() {
            arrivals.swap(at, rng.below(at + 1));
        }
        one_by_one(steps, arrivals)
    })
}

/// Messages are given to other partitions.
pub(super) fn repartitioned(rng: &mut Rng, timeline: &Timeline) -> Timeline {
    let partitions = rng.between(1, 5) as i64;
    let salt = rng.between(0, 1000) as i64;
    in_stretches(timeline, |steps| {
        let mut steps = steps.to_vec();
        for step in &mut steps {
            if let StepKind::Arrive(arrivals) = &mut step.kind {
                for arrival in arrivals {
                    arrival.partition = (arrival.event.id * 31 + salt).rem_euclid(partitions);
                }
            }
        }
        steps
    })
}

/// Some messages that were applied come again, in the same partition, while `dedup` remembers them. They get numbers of their own.
pub(super) fn duplicated(
    rng: &mut Rng,
    package: &Package,
    timeline: &Timeline,
    applied: impl Fn(usize) -> bool,
) -> Timeline {
    let mut next = 1 + timeline.arrivals().map(|arrival| arrival.number).max().unwrap_or(0);
    let mut copies: Vec<Arrival> = Vec::new();
    let mut steps = Vec::new();
    for step in &timeline.steps {
        let mut step = step.clone();
        let now_us = step.now_us;
        if let StepKind::Arrive(arrivals) = &mut step.kind {
            let mut with_copies = Vec::new();
            for arrival in arrivals.drain(..) {
                if package.streams[arrival.stream].dedup_within_us.is_some() && applied(arrival.number) {
                    copies.push(arrival.clone());
                }
                let stream = arrival.stream;
                with_copies.push(arrival);
                let candidates: Vec<&Arrival> = copies
                    .iter()
                    .filter(|copy| copy.stream == stream && is_remembered(package, copy, now_us))
                    .collect();
                if !candidates.is_empty() && rng.percent(30) {
                    let mut copy = (*rng.pick(&candidates)).clone();
                    copy.number = next;
                    next += 1;
                    with_copies.push(copy);
                }
            }
            *arrivals = with_copies;
        }
        steps.push(step);
    }
    Timeline { keys: timeline.keys.clone(), steps }
}

/// Whether a copy that comes now, with the envelope of the original, is a duplicate whatever came in between.
fn is_remembered(package: &Package, copy: &Arrival, now_us: i64) -> bool {
    let within_us = package.streams[copy.stream].dedup_within_us.unwrap_or(0);
    let time_us = copy.consumed_at_us.unwrap_or(copy.event.at_us);
    // Without a broker's time an event's own time counts, and another's may be far ahead.
    copy.consumed_at_us.is_some() && now_us + super::program::HOUR_US + 1 - time_us < within_us
}

/// Timelines with a step or a message less.
pub(super) fn smaller(timeline: &Timeline) -> Vec<Timeline> {
    let mut all = Vec::new();
    let last = timeline.steps.len() - 1;
    for (position, step) in timeline.steps.iter().enumerate() {
        let mut without = timeline.clone();
        without.steps.remove(position);
        // A timeline ends with a question.
        if position != last || matches!(timeline.steps[last - 1].kind, StepKind::Ask) {
            all.push(without);
        }
        for at in 0..arrivals_of(step).len() {
            let mut without = timeline.clone();
            if let StepKind::Arrive(arrivals) = &mut without.steps[position].kind
                && arrivals.len() > 1
            {
                arrivals.remove(at);
                all.push(without);
            }
        }
    }
    all.retain(|smaller| smaller.steps.len() > 1);
    all
}

/// Whether some stream drops duplicates.
pub(super) fn has_dedup(package: &Package) -> bool {
    package.streams.iter().any(|stream| stream.dedup_within_us.is_some())
}

/// The arrivals as batches of one message each, at the last time of the steps.
fn one_by_one(steps: &[Step], arrivals: Vec<Arrival>) -> Vec<Step> {
    let Some(last) = steps.last() else { return Vec::new() };
    let step = |arrival| Step { now_us: last.now_us, kind: StepKind::Arrive(vec![arrival]) };
    arrivals.into_iter().map(step).collect()
}

fn in_stretches(timeline: &Timeline, mut change: impl FnMut(&[Step]) -> Vec<Step>) -> Timeline {
    let mut steps = Vec::new();
    for (arrivals, question) in timeline.stretches() {
        steps.extend(change(&arrivals));
        steps.push(question);
    }
    Timeline { keys: timeline.keys.clone(), steps }
}

fn arrivals_of(step: &Step) -> &[Arrival] {
    match &step.kind {
        StepKind::Arrive(arrivals) => arrivals,
        StepKind::Ask => &[],
    }
}

fn stream_of(step: &Step) -> usize {
    arrivals_of(step).first().expect("a batch has messages").stream
}
