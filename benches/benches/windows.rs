//! From JSON bytes to windows: decode, dedup and two aggregates over three windows, for a million keys, beside the bare decode.
//!
//! `RUSTFLAGS="-C target-cpu=native" cargo bench -p chalk-benches --bench windows` prints nanoseconds of CPU time a message and messages a
//! second on one thread (medians). The messages of a round have new ids and go on in time; a tenth of a percent comes twice, and five
//! percent out of order. Keys are Zipf-distributed (1.1). Every round's fates are checked, and some keys' values against a plain count.

#![allow(clippy::print_stdout, reason = "a bench prints its table")]

use std::collections::HashMap;
use std::time::Duration;

use chalk_artifact::manifest::MessageInput;
use chalk_benches::clock::thread_time;
use chalk_benches::messages::Random;
use chalk_decode::{Decoder, Tier};
use chalk_engine::{Envelope, Executor, InputBatch, Keeper, KeeperOptions, Program};
use chalk_types::Value;

const BATCH: usize = 1024;
const KEYS: usize = 1_000_000;
const MESSAGES: usize = 1_000_000;
/// The first rounds fill the state, and are not counted.
const WARM_UP: usize = 2;
const ROUNDS: usize = 7;
/// Event time between two messages: a round is an hour and a half.
const STEP_US: i64 = 5_400_000_000 / MESSAGES as i64;
const START_US: i64 = 1_704_067_200_000_000;

/// What is computed, with one line left open.
const PACKAGE: &str = r#"
source payments = kafka(topic: "payments")
features Payment {
  id: int
  user: User.id
  amount: float
  @time at: datetime
}
features User {
  id: int
  payments: [Payment]
  MATERIALIZE
  spent: float over [1h, 6h, 1d] = payments.sum(amount)
  MATERIALIZE
  count: int over [1h, 6h, 1d] = payments.count()
}
message PaymentMessage {
  id: int
  user_id: int
  amount: float
  at: datetime
  currency: string
  merchant: string
  note: string?
}
stream get_payments(msg: PaymentMessage) -> Payment
  from payments
  dedup msg.id within 1h
{
  id     = msg.id
  user   = msg.user_id
  amount = msg.amount
  at     = msg.at
}
"#;

/// Draws keys: the k-th with a weight of 1 / k^1.1.
struct Zipf {
    sums: Vec<f64>,
}

impl Zipf {
    fn new(keys: usize) -> Zipf {
        let mut sum = 0.0;
        let sums = (1..=keys).map(|rank| {
            sum += (rank as f64).powf(-1.1);
            sum
        });
        Zipf { sums: sums.collect() }
    }

    fn draw(&self, random: &mut Random) -> usize {
        let total = self.sums.last().expect("there are keys");
        let at = (random.word() >> 11) as f64 / (1u64 << 53) as f64 * total;
        self.sums.partition_point(|sum| *sum < at)
    }
}

/// The messages of a round, and how many new ones each of some keys has.
struct Round {
    inputs: Vec<InputBatch>,
    bytes: usize,
    duplicates: usize,
}

fn key_of(rank: usize) -> i64 {
    // Neighbours in rank are no neighbours in number.
    (rank as i64).wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as i64) >> 16
}

fn round(number: usize, random: &mut Random, zipf: &Zipf, watched: &mut HashMap<i64, u64>) -> Round {
    let mut round = Round { inputs: Vec::new(), bytes: 0, duplicates: 0 };
    let mut input = InputBatch::new();
    let mut last = String::new();
    for at in 0..MESSAGES {
        let offset = (number * MESSAGES + at) as i64;
        let now_us = START_US + offset * STEP_US;
        if at > 0 && random.below(1000) == 0 {
            round.duplicates += 1;
        } else {
            let key = key_of(zipf.draw(random));
            let late_us = if random.below(20) == 0 { random.below(600_000_000) as i64 } else { 0 };
            last = format!(
                "{{\"id\":{offset},\"user_id\":{key},\"amount\":{}.{:02},\"at\":\"{}\",\"currency\":\"EUR\",\"merchant\":\"shop-{}\",\"note\":null}}",
                random.below(500),
                random.below(100),
                chalk_types::format_datetime(now_us - late_us),
                random.below(90_000)
            );
            if let Some(count) = watched.get_mut(&key) {
                *count += 1;
            }
        }
        round.bytes += last.len();
        let envelope = Envelope { topic: "payments", offset, timestamp_us: Some(now_us), ..Envelope::default() };
        input.push(last.as_bytes(), &envelope).expect("a batch holds 1,024 messages");
        if input.len() == BATCH || at + 1 == MESSAGES {
            round.inputs.push(std::mem::replace(&mut input, InputBatch::new()));
        }
    }
    round
}

fn main() {
    println!(
        "dedup and 2 aggregates over 3 windows; {KEYS} keys, Zipf 1.1; one thread, medians of {ROUNDS} rounds of {MESSAGES} messages\n"
    );
    println!(
        "| windows | bytes a message | bare decode, ns | resolver, ns | resolver and state, ns | messages/s | of the bare decode |"
    );
    println!("|---|---|---|---|---|---|---|");
    line("exact", "");
    line("by the 5 minutes", "@materialize(bucket: 5m)");
}

fn line(name: &str, attribute: &str) {
    let package = PACKAGE.replace("MATERIALIZE", attribute);
    let checked = chalkc::compile::check(&[("bench.chalk".to_owned(), package)]);
    assert!(checked.is_ok(), "{}", chalk_diagnostics::render::plain(&checked.diagnostics, &checked.sources));
    let image = chalkc::compile::jit(&checked).expect("the package compiles");
    let program = Program::link(image, chalkc::compile::catalog()).expect("the library has what it calls");
    let manifest = program.manifest();
    let MessageInput::Json(plan) = &manifest.resolvers[0].input else { unreachable!("JSON messages") };
    let mut decoder = Decoder::new(plan, Tier::best()).expect("the plan is valid");
    let mut alone = Executor::new(&program, 0, Tier::best()).expect("the plan is valid");
    let mut executor = Executor::new(&program, 0, Tier::best()).expect("the plan is valid");
    let keeper = Keeper::new(&program, KeeperOptions::in_memory(manifest)).expect("no SQL");

    let zipf = Zipf::new(KEYS);
    let mut random = Random(0x5eed);
    let mut watched: HashMap<i64, u64> = (0..1000).step_by(7).map(|rank| (key_of(rank), 0)).collect();
    let (mut statuses, mut errors, mut log) = (Vec::new(), Vec::new(), Vec::new());
    let mut times: [Vec<Duration>; 3] = Default::default();
    let mut bytes = 0;
    for number in 0..WARM_UP + ROUNDS {
        let round = round(number, &mut random, &zipf, &mut watched);
        bytes = round.bytes / MESSAGES;
        let start = thread_time();
        for input in &round.inputs {
            statuses.clear();
            statuses.resize(input.len(), 0);
            decoder.decode(input.messages(), &mut statuses, &mut errors);
        }
        let decoded = thread_time();
        for input in &round.inputs {
            std::hint::black_box(alone.run(input, START_US));
        }
        let resolved = thread_time();
        let (mut applied, mut duplicates) = (0, 0);
        for input in &round.inputs {
            executor.run(input, START_US);
            let output = executor.output_mut();
            log.clear();
            keeper.admit(0, input, output, START_US, &mut log).expect("state in memory");
            applied += output.fates.applied as usize;
            duplicates += output.fates.duplicate as usize;
        }
        let kept = thread_time();
        assert_eq!((applied, duplicates), (MESSAGES - round.duplicates, round.duplicates), "equal work");
        if number >= WARM_UP {
            times[0].push(decoded - start);
            times[1].push(resolved - decoded);
            times[2].push(kept - resolved);
        }
    }
    // The last day holds everything: the rounds are shorter.
    let class = manifest.classes.iter().position(|class| class.name == "User").expect("it is there");
    let end_us = START_US + ((WARM_UP + ROUNDS) * MESSAGES) as i64 * STEP_US;
    let counts: Vec<usize> = (0..manifest.classes[class].aggregates.len())
        .filter(|&at| {
            let aggregate = &manifest.classes[class].aggregates[at];
            aggregate.ty == chalk_types::Type::INT && aggregate.window == 2
        })
        .collect();
    for (key, count) in &watched {
        let values = keeper.aggregates(class, &Value::Int((*key).into()), end_us);
        assert_eq!(values[counts[0]], Ok(Value::Int(i128::from(*count))), "key {key}");
    }
    let ns = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() * 1e9 / MESSAGES as f64
    });
    println!(
        "| {name} | {bytes} | {:.0} | {:.0} | {:.0} | {:.2} M | {:.0} % |",
        ns[0],
        ns[1],
        ns[2],
        1e3 / ns[2],
        ns[0] / ns[2] * 100.0
    );
}
