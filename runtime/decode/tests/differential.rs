//! Every tier against the scalar one, over random message types and streams of messages: same fates, same columns bit for
//! bit, same errors with the same paths and offsets.
//!
//! A stream comes from a few producers, each with its habits, so that templates are learned, hit, missed and relearned;
//! messages are cut short, edited, followed by bytes that look as if they belonged to them, and begin anywhere among the vectors.
//!
//! `CHALK_DIFFERENTIAL_CASES` sets how many messages, `CHALK_DIFFERENTIAL_SEED` where to begin; a failure prints the seed, and
//! that seed with one case runs it again.

#![allow(clippy::print_stdout, reason = "a seed is of use only where it can be read")]

mod support;

use chalk_artifact::abi::status;
use chalk_artifact::decode_plan::DecodePlan;
use chalk_decode::{DecodeError, Decoder, MessageBatch, Tier};
use support::compare::{Pair, difference};
use support::generate::{Shape, Wishes, mutate, random_plan, write_message};
use support::random::Random;
use support::{tiers, variable};

const BATCHES: usize = 4;
const BATCH: usize = 64;

/// Messages that CI compares.
const CASES: u64 = 1_000_000;

/// How a stream is spoilt.
struct Trouble {
    /// Once in so many messages another producer takes over.
    switch: usize,
    /// Once in so many a message is edited.
    edit: usize,
    /// Once in so many a message ends early, with its rest behind it.
    cut: usize,
}

impl Trouble {
    fn new(random: &mut Random) -> Trouble {
        Trouble {
            switch: [1_000, 20, 3, 1][random.below(4)],
            edit: [1_000_000, 100, 10, 2][random.below(4)],
            cut: [1_000_000, 100, 10][random.below(3)],
        }
    }
}

struct Stream {
    shapes: Vec<Shape>,
    current: usize,
    trouble: Trouble,
}

impl Stream {
    fn new(random: &mut Random) -> Stream {
        let shapes = (0..1 + random.below(7)).map(|_| Shape::new(random)).collect();
        Stream { shapes, current: 0, trouble: Trouble::new(random) }
    }

    fn batch(&mut self, random: &mut Random, plan: &DecodePlan, bytes: &mut Vec<u8>, batch: &mut MessageBatch) {
        batch.clear();
        let count = if random.once_in(3) { 1 + random.below(BATCH) } else { BATCH };
        for _ in 0..count {
            if random.once_in(self.trouble.switch) {
                self.current = random.below(self.shapes.len());
            }
            bytes.clear();
            write_message(random, &plan.root, &self.shapes[self.current], bytes);
            if random.once_in(self.trouble.edit) {
                mutate(random, bytes);
            }
            let cut = random.once_in(self.trouble.cut);
            let size = if cut { random.below(bytes.len() + 1) } else { bytes.len() };
            let offset = batch.append(bytes).expect("room");
            batch.add_span(offset, size);
        }
    }
}

/// What a decoder made of a batch, beside its columns.
#[derive(Default)]
struct Fates {
    statuses: Vec<u8>,
    errors: Vec<DecodeError>,
}

impl Fates {
    fn of(&mut self, decoder: &mut Decoder, batch: &MessageBatch, live: &[u8]) {
        self.statuses.clear();
        self.statuses.extend_from_slice(live);
        self.errors.clear();
        decoder.decode(batch, &mut self.statuses, &mut self.errors);
    }
}

/// The message on its way into a panic's text.
fn shown(batch: &MessageBatch, row: usize) -> String {
    if row < batch.len() { String::from_utf8_lossy(batch.message(row)).into_owned() } else { "(no single row)".into() }
}

fn compare(seed: u64, batch: &MessageBatch, scalar: (&Decoder, &Fates), fast: (&Decoder, &Fates)) {
    let tier = fast.0.tier();
    let at = || format!("CHALK_DIFFERENTIAL_SEED={seed} CHALK_DIFFERENTIAL_CASES=1, tier {tier}");
    if let Some(row) = (0..batch.len()).find(|&row| scalar.1.statuses[row] != fast.1.statuses[row]) {
        let error = scalar.1.errors.iter().find(|error| error.message_index == row as u32);
        panic!("{}, row {row} has another fate; scalar says {error:?}: {}", at(), shown(batch, row));
    }
    assert_eq!(fast.1.errors, scalar.1.errors, "{}", at());
    let pair = Pair { expected: scalar.0.columns(), found: fast.0.columns(), message_bytes: batch.bytes() };
    if let Some((column, row)) = difference(pair) {
        let value = |decoder: &Decoder| {
            let column = decoder.columns().column(column);
            if row < column.rows() { format!("{:?}", column.value(row, batch.bytes())) } else { "?".into() }
        };
        panic!(
            "{}, row {row}, column {column} ({}): found {}, wants {} of {}",
            at(),
            scalar.0.columns().column(column).ty(),
            value(fast.0),
            value(scalar.0),
            shown(batch, row)
        );
    }
}

/// The same messages one by one, each with its own row.
fn compare_one_by_one(seed: u64, batch: &MessageBatch, scalar: &mut Decoder, fast: &mut Decoder) {
    scalar.clear();
    fast.clear();
    for row in 0..batch.len() {
        let (wants, found) = (scalar.decode_one(batch.message(row)), fast.decode_one(batch.message(row)));
        assert_eq!(found, wants, "seed {seed}, tier {}, one by one: {}", fast.tier(), shown(batch, row));
    }
    let pair = Pair { expected: scalar.columns(), found: fast.columns(), message_bytes: &[] };
    assert_eq!(difference(pair), None, "seed {seed}, tier {}, one by one", fast.tier());
}

#[derive(Default)]
struct Tally {
    accepted: u64,
    refused: u64,
    by_template: u64,
    by_walker: u64,
}

fn run_seed(seed: u64, tally: &mut Tally) {
    let mut random = Random(seed);
    let plan = random_plan(&mut random, Wishes::ALL);
    let mut stream = Stream::new(&mut random);
    let mut decoders: Vec<Decoder> =
        tiers().map(|tier| Decoder::new(&plan, tier).unwrap_or_else(|error| panic!("seed {seed}: {error}"))).collect();
    let (scalar, fast) = decoders.split_first_mut().expect("a tier");
    assert_eq!(scalar.tier(), Tier::Scalar);
    let (mut bytes, mut batch) = (Vec::new(), MessageBatch::new());
    let (mut wants, mut found) = (Fates::default(), Fates::default());
    for turn in 0..BATCHES {
        stream.batch(&mut random, &plan, &mut bytes, &mut batch);
        let live: Vec<u8> =
            (0..batch.len()).map(|_| if random.once_in(30) { status::FILTERED } else { status::LIVE }).collect();
        wants.of(scalar, &batch, &live);
        for decoder in fast.iter_mut() {
            found.of(decoder, &batch, &live);
            compare(seed, &batch, (scalar, &wants), (decoder, &found));
        }
        tally.accepted += wants.statuses.iter().filter(|&&status| status == status::LIVE).count() as u64;
        tally.refused += wants.errors.len() as u64;
        if turn == 2 && random.once_in(4) {
            let one = random.below(fast.len());
            compare_one_by_one(seed, &batch, scalar, &mut fast[one]);
        }
    }
    // All fast tiers hand over at the same messages, so one of them stands for all.
    let counts = fast.last().expect("a fast tier").counts();
    tally.by_template += counts.template;
    tally.by_walker += counts.walker;
}

#[test]
fn every_tier_gives_what_the_scalar_one_gives() {
    let (first, cases) = (variable("CHALK_DIFFERENTIAL_SEED", 1), variable("CHALK_DIFFERENTIAL_CASES", CASES));
    let mut tally = Tally::default();
    let mut seed = first;
    while tally.accepted + tally.refused < cases {
        run_seed(seed, &mut tally);
        seed += 1;
    }
    let Tally { accepted, refused, by_template, by_walker } = tally;
    println!(
        "seeds {first} to {}: {accepted} messages accepted ({by_template} along a template, {by_walker} by the walker), {refused} refused",
        seed - 1
    );
    // The fast tiers must have had their say, or nothing was compared.
    if cases >= 100_000 {
        assert!(accepted > cases / 3 && refused > cases / 10, "{accepted} accepted, {refused} refused");
        assert!(by_template > accepted / 4 && by_walker > accepted / 10, "{by_template} and {by_walker} of {accepted}");
    }
}

/// Every beginning of a message, followed by its rest: what is behind the end must make no difference.
#[test]
fn every_truncation_fails_the_same_way() {
    let first = variable("CHALK_DIFFERENTIAL_SEED", 1);
    let cases = variable("CHALK_DIFFERENTIAL_CASES", CASES) / 10;
    let (mut seed, mut compared) = (first, 0);
    let (mut wants, mut found) = (Fates::default(), Fates::default());
    while compared < cases {
        let mut random = Random(seed ^ 0x7472_756e_6361_7465);
        let plan = random_plan(&mut random, Wishes::ALL);
        let shape = Shape::new(&mut random).orderly();
        let mut decoders: Vec<Decoder> = tiers().map(|tier| Decoder::new(&plan, tier).expect("a plan")).collect();
        let (scalar, fast) = decoders.split_first_mut().expect("a tier");
        let mut bytes = Vec::new();
        for _ in 0..3 {
            bytes.clear();
            write_message(&mut random, &plan.root, &shape, &mut bytes);
            let mut batch = MessageBatch::new();
            let offset = batch.append(&bytes).expect("room");
            // The whole message comes first, so that there is a template of it, and now and then in between.
            for size in 0..bytes.len().min(1_500) {
                if size % 16 == 0 {
                    batch.add_span(offset, bytes.len());
                }
                batch.add_span(offset, size);
            }
            let live = vec![status::LIVE; batch.len()];
            wants.of(scalar, &batch, &live);
            for decoder in fast.iter_mut() {
                found.of(decoder, &batch, &live);
                compare(seed, &batch, (scalar, &wants), (decoder, &found));
            }
            compared += batch.len() as u64;
        }
        seed += 1;
    }
    println!("seeds {first} to {}: {compared} messages", seed - 1);
}
