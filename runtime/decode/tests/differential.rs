//! Every tier against the scalar one, over random message types and messages: same fates, same values, same errors with
//! the same paths and offsets.
//!
//! `CHALK_DIFF_CASES` sets how many messages, `CHALK_DIFF_SEED` where to begin; a failure prints the seed.

#![allow(clippy::print_stdout, reason = "a seed is of use only where it can be read")]

mod support;

use chalk_artifact::abi::status;
use chalk_artifact::decode_plan::DecodePlan;
use chalk_decode::{ColumnRef, DecodeError, Decoder, MessageBatch, Tier};
use chalk_types::{Kind, Value};
use support::generate::{Style, mutate, random_json, random_plan};
use support::random::Random;
use support::tiers;

const BATCHES: usize = 3;
const BATCH: usize = 48;

/// What a decoder made of a batch.
#[derive(Debug)]
struct Answer {
    statuses: Vec<u8>,
    errors: Vec<DecodeError>,
    rows: Vec<Vec<Value>>,
}

fn cases() -> usize {
    std::env::var("CHALK_DIFF_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(100_000)
}

fn first_seed() -> u64 {
    std::env::var("CHALK_DIFF_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

fn random_batch(random: &mut Random, plan: &DecodePlan, style: &Style) -> MessageBatch {
    let mut batch = MessageBatch::new();
    let broken = [1_000_000, 10, 2][random.below(3)];
    for _ in 0..BATCH {
        let mut json = String::new();
        random_json(random, &plan.root, style, &mut json);
        let mut bytes = json.into_bytes();
        if random.once_in(broken) {
            mutate(random, &mut bytes);
        }
        // Sometimes the message ends early in the buffer, and what follows looks as if it belonged to it.
        let size = if random.once_in(broken) { random.below(bytes.len() + 1) } else { bytes.len() };
        let offset = batch.append(&bytes).expect("room");
        batch.add_span(offset, size);
    }
    batch
}

fn answer(decoder: &mut Decoder, batch: &MessageBatch, live: &[u8]) -> Answer {
    let (mut statuses, mut errors) = (live.to_vec(), Vec::new());
    decoder.decode(batch, &mut statuses, &mut errors);
    let columns = decoder.columns();
    let columns: Vec<ColumnRef<'_>> = (0..columns.column_count()).map(|index| columns.column(index)).collect();
    columns.iter().for_each(check_layout);
    let rows = (0..batch.len())
        .map(|row| match statuses[row] {
            status::LIVE => columns.iter().map(|column| column.value(row, batch.bytes())).collect(),
            _ => Vec::new(),
        })
        .collect();
    Answer { statuses, errors, rows }
}

/// What Arrow asks of a column beyond its values: lists follow each other, from zero to the end of their items.
fn check_layout(column: &ColumnRef<'_>) {
    if let Kind::List(_) | Kind::Map(..) = column.ty().kind {
        let offsets: Vec<i64> =
            column.values().chunks(8).map(|bytes| i64::from_ne_bytes(bytes.try_into().expect("8 bytes"))).collect();
        assert_eq!(offsets[0], 0);
        assert!(offsets.is_sorted());
        assert!(column.children().all(|child| child.rows() as i64 == offsets[column.rows()]));
    }
    column.children().for_each(|child| check_layout(&child));
}

/// Equal, where NaN equals NaN and the zeros differ.
fn same(a: &[Value], b: &[Value]) -> bool {
    a == b && !a.iter().any(|value| matches!(value, Value::Float(value) if *value == 0.0))
        || format!("{a:?}") == format!("{b:?}")
}

fn run(first_seed: u64, cases: usize) -> (usize, usize) {
    let (mut accepted, mut refused) = (0, 0);
    let (mut by_template, mut by_walker) = (0, 0);
    let mut seed = first_seed;
    while accepted + refused < cases {
        let mut random = Random(seed);
        let plan = random_plan(&mut random);
        let style = Style::new(&mut random);
        let mut decoders: Vec<Decoder> = tiers()
            .map(|tier| Decoder::new(&plan, tier).unwrap_or_else(|error| panic!("seed {seed}: {error}")))
            .collect();
        assert_eq!(decoders[0].tier(), Tier::Scalar);
        for _ in 0..BATCHES {
            let batch = random_batch(&mut random, &plan, &style);
            let live: Vec<u8> =
                (0..BATCH).map(|_| if random.once_in(30) { status::FILTERED } else { status::LIVE }).collect();
            let expected = answer(&mut decoders[0], &batch, &live);
            for decoder in &mut decoders[1..] {
                let found = answer(decoder, &batch, &live);
                let tier = decoder.tier();
                for row in 0..BATCH {
                    let text = || String::from_utf8_lossy(batch.message(row)).into_owned();
                    assert_eq!(
                        found.statuses[row],
                        expected.statuses[row],
                        "seed {seed}, {tier}, row {row}: {}",
                        text()
                    );
                    assert!(
                        same(&found.rows[row], &expected.rows[row]),
                        "seed {seed}, {tier}, row {row}: {}\n found {:?}\n wants {:?}",
                        text(),
                        found.rows[row],
                        expected.rows[row]
                    );
                }
                assert_eq!(found.errors, expected.errors, "seed {seed}, {tier}");
            }
            accepted += expected.statuses.iter().filter(|&&status| status == status::LIVE).count();
            refused += expected.errors.len();
        }
        by_template += decoders.last().expect("a tier").counts().template as usize;
        by_walker += decoders.last().expect("a tier").counts().walker as usize;
        seed += 1;
    }
    // The fast tiers must have had their say, or nothing was compared.
    println!("{by_template} along a template, {by_walker} by the walker");
    assert!(by_template > accepted / 4 && by_walker > accepted / 10, "{by_template} and {by_walker} of {accepted}");
    (accepted, refused)
}

#[test]
fn every_tier_gives_what_the_scalar_one_gives() {
    let seed = first_seed();
    let (accepted, refused) = run(seed, cases());
    println!("seeds from {seed}: {accepted} messages accepted, {refused} refused");
    assert!(accepted > cases() / 4 && refused > cases() / 10, "{accepted} accepted, {refused} refused");
}
