//! What is a JSON object: every tier against serde_json, whose own limits are told apart (see `against_serde_json.rs`).
#![no_main]

use chalk_artifact::abi::status;
use chalk_decode::{Decoder, MessageBatch};
use libfuzzer_sys::fuzz_target;

#[path = "../../tests/support/mod.rs"]
mod support;

fuzz_target!(|data: &[u8]| {
    let mut depth = 0usize;
    // Brackets in strings count, too: too deep for one of us is of no use to either.
    let deepest = data.iter().fold(0, |deepest, byte| {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest.max(depth)
    });
    if deepest > 120 {
        return;
    }
    let is_object = data.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let Some(theirs) = support::oracle::is_json(data).map(|is_json| is_json && is_object) else { return };
    let plan = support::plan(support::message("Any", vec![]), vec![]);
    let mut batch = MessageBatch::new();
    batch.push(data).expect("room");
    for tier in support::tiers() {
        let mut decoder = Decoder::new(&plan, tier).expect("a plan that works");
        let mut errors = Vec::new();
        decoder.decode(&batch, &mut [status::LIVE], &mut errors);
        assert_eq!(errors.is_empty(), theirs, "{tier}: {errors:?}");
    }
});
