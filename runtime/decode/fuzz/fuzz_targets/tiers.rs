//! Every tier against the scalar one: two bytes choose a message type, then come messages, a line each.
//!
//! Lines may be cut anywhere; what follows a message in the buffer is the next one.
#![no_main]

use std::collections::HashMap;

use chalk_artifact::abi::status;
use chalk_artifact::decode_plan::DecodePlan;
use chalk_decode::{Decoder, MessageBatch, Tier};
use libfuzzer_sys::fuzz_target;

#[path = "../../tests/support/mod.rs"]
mod support;

use support::compare::{Pair, difference};
use support::generate::{Wishes, random_plan};
use support::random::Random;

thread_local! {
    /// Plans that were made before: making one costs more than a message.
    static PLANS: std::cell::RefCell<HashMap<u16, DecodePlan>> = std::cell::RefCell::default();
}

fuzz_target!(|data: &[u8]| {
    let [low, high, text @ ..] = data else { return };
    let number = u16::from_le_bytes([*low, *high]);
    let plan = PLANS.with(|plans| {
        let mut plans = plans.borrow_mut();
        plans.entry(number).or_insert_with(|| random_plan(&mut Random(u64::from(number)), Wishes::ALL)).clone()
    });
    let mut batch = MessageBatch::new();
    let offset = batch.append(text).expect("room");
    let mut start = 0;
    for line in text.split(|&byte| byte == b'\n') {
        // Twice, so that a template is learned of the first and tried with the second.
        batch.add_span(offset + start, line.len());
        batch.add_span(offset + start, line.len());
        start += line.len() + 1;
    }
    let decode = |tier: Tier| {
        let mut decoder = Decoder::new(&plan, tier).expect("a plan that works");
        let (mut statuses, mut errors) = (vec![status::LIVE; batch.len()], Vec::new());
        decoder.decode(&batch, &mut statuses, &mut errors);
        (decoder, statuses, errors)
    };
    let scalar = decode(Tier::Scalar);
    for tier in support::tiers().filter(|tier| *tier != Tier::Scalar) {
        let fast = decode(tier);
        assert_eq!(fast.1, scalar.1, "{tier}: fates");
        assert_eq!(fast.2, scalar.2, "{tier}: errors");
        let pair = Pair { expected: scalar.0.columns(), found: fast.0.columns(), message_bytes: batch.bytes() };
        assert_eq!(difference(pair), None, "{tier}: columns");
    }
});
