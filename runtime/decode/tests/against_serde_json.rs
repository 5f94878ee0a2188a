//! The tiers against serde_json: what is JSON, and what it is worth.
//!
//! Stated differences, all of them kept out of, or told apart in, what is compared:
//! - A message must be an object.
//! - serde_json takes nesting up to 127 and we up to 128.
//! - serde_json refuses numbers beyond a float's range even where nobody reads them.
//! - `@relaxed` messages need not be JSON; `@lenient` fields read what is no value of their type: neither is generated here.
//!
//! `CHALK_DIFFERENTIAL_CASES` sets how many messages there are in all, `CHALK_DIFFERENTIAL_SEED` where to begin; a failure prints
//! the seed.

#![allow(clippy::print_stdout, reason = "a seed is of use only where it can be read")]

mod support;

use chalk_artifact::abi::status;
use chalk_decode::{DecodeError, Decoder, MessageBatch, Tier};
use chalk_types::Value;
use support::generate::{Shape, Wishes, any_json, mutate, random_plan, write_message};
use support::oracle;
use support::random::Random;
use support::*;

/// Messages of each of the two tests.
const CASES: u64 = 100_000;
const STREAM: u64 = 24;

fn decode_one(decoder: &mut Decoder, bytes: &[u8]) -> Result<Vec<Value>, DecodeError> {
    let mut batch = MessageBatch::new();
    batch.push(bytes).expect("room");
    let mut errors = Vec::new();
    decoder.decode(&batch, &mut [status::LIVE], &mut errors);
    let columns = decoder.columns();
    match errors.pop() {
        Some(error) => Err(error),
        None => Ok((0..columns.column_count()).map(|index| columns.column(index).value(0, batch.bytes())).collect()),
    }
}

#[test]
fn the_same_texts_are_json() {
    let plan = plan(message("Any", vec![]), vec![]);
    let mut decoders: Vec<Decoder> = tiers().map(|tier| Decoder::new(&plan, tier).expect("a plan")).collect();
    let (first, cases) = (variable("CHALK_DIFFERENTIAL_SEED", 1), variable("CHALK_DIFFERENTIAL_CASES", CASES));
    let (mut accepted, mut refused, mut unclear) = (0, 0, 0);
    for seed in first..first + cases {
        let mut random = Random(seed);
        let mut bytes = b"{\"v\":".to_vec();
        any_json(&mut random, 0, &mut bytes);
        bytes.push(b'}');
        if random.once_in(2) {
            mutate(&mut random, &mut bytes);
        }
        let is_object = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        let Some(theirs) = oracle::is_json(&bytes).map(|is_json| is_json && is_object) else {
            unclear += 1;
            continue;
        };
        for decoder in &mut decoders {
            let ours = decode_one(decoder, &bytes);
            assert_eq!(ours.is_ok(), theirs, "seed {seed}: {} {ours:?}", String::from_utf8_lossy(&bytes));
        }
        if theirs { accepted += 1 } else { refused += 1 }
    }
    println!("{accepted} accepted, {refused} refused, {unclear} with numbers beyond a float's range");
    assert!(accepted > cases / 4 && refused > cases / 10 && unclear < cases / 10);
}

/// Every type of the language in random message types: the same messages are accepted, and they have the same values.
#[test]
fn the_same_messages_have_the_same_values() {
    let wishes = Wishes { lenient: false, relaxed: false, limits: false };
    let (first, cases) = (variable("CHALK_DIFFERENTIAL_SEED", 1), variable("CHALK_DIFFERENTIAL_CASES", CASES));
    let (mut accepted, mut refused, mut no_json, mut unclear) = (0, 0, 0, 0);
    for seed in first..first + cases.div_ceil(STREAM) {
        let mut random = Random(seed ^ 0x0073_6572_6465);
        let plan = random_plan(&mut random, wishes);
        let shape = Shape::new(&mut random);
        // The tiers are compared with each other elsewhere; here they take turns.
        let tiers: Vec<Tier> = tiers().collect();
        let tier = tiers[seed as usize % tiers.len()];
        let mut decoder = Decoder::new(&plan, tier).expect("a plan");
        for _ in 0..STREAM {
            let mut bytes = Vec::new();
            write_message(&mut random, &plan.root, &shape, &mut bytes);
            if random.once_in(20) {
                mutate(&mut random, &mut bytes);
            }
            let ours = decode_one(&mut decoder, &bytes);
            let shown = || format!("seed {seed}, {tier}: {}", String::from_utf8_lossy(&bytes));
            match oracle::is_json(&bytes) {
                None => unclear += 1,
                Some(false) => {
                    assert!(ours.is_err(), "{} is no JSON", shown());
                    no_json += 1;
                }
                Some(true) => {
                    let text = std::str::from_utf8(&bytes).expect("serde_json has looked");
                    match (oracle::columns(&plan, text), ours) {
                        (Ok(wanted), Ok(found)) => {
                            assert_eq!(format!("{found:?}"), format!("{wanted:?}"), "{}", shown());
                            accepted += 1;
                        }
                        (Err(_), Err(_)) => refused += 1,
                        (wanted, found) => panic!("{}: found {found:?}, wants {wanted:?}", shown()),
                    }
                }
            }
        }
    }
    println!(
        "{accepted} accepted, {refused} refused, {no_json} no JSON, {unclear} with numbers beyond a float's range"
    );
    assert!(accepted > cases / 3 && refused > cases / 50 && no_json > cases / 50 && unclear < cases / 20);
}
