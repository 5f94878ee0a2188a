//! A whole resolver, bytes to Arrow: decode, five expressions and the output columns, against sonic-rs with the same work written by hand.
//!
//! `RUSTFLAGS="-C target-cpu=native" cargo bench -p chalk-benches --bench resolver` prints nanoseconds of CPU time a message (medians) on one thread, and the ratio.
//! Both sides make the same Arrow arrays, which are compared before anything is timed. Messages are read once each (more of them than the caches hold), in
//! batches of 1,024.

#![allow(clippy::print_stdout, reason = "a bench prints its table")]

use std::sync::Arc;

use arrow_array::builder::{Float64Builder, Int64Builder, StringViewBuilder, TimestampMicrosecondBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use chalk_benches::clock::medians;
use chalk_benches::messages::{Style, user};
use chalk_decode::{MessageBatch, Tier};
use chalk_engine::{Envelope, Executor, InputBatch, Program};
use serde::Deserialize;

const BATCH: usize = 1024;
const ROUNDS: usize = 9;
const BYTES: usize = 48 << 20;

/// The package that `chalkc run` runs in `peers/run.sh`, too.
const PACKAGE: &str = include_str!("../peers/packages/user.chalk");

#[derive(Deserialize)]
struct Contact<'a> {
    #[serde(borrow)]
    email_address: Option<std::borrow::Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    id: i64,
    #[serde(borrow)]
    name: std::borrow::Cow<'a, str>,
    updated_at: i64,
    #[serde(borrow)]
    contact_info: Contact<'a>,
}

/// The same five expressions by hand.
fn by_hand(batch: &MessageBatch, schema: &arrow_schema::SchemaRef) -> RecordBatch {
    let rows = batch.len();
    let mut ids = Int64Builder::with_capacity(rows);
    let mut names = StringViewBuilder::with_capacity(rows);
    let mut emails = StringViewBuilder::with_capacity(rows);
    let mut times = TimestampMicrosecondBuilder::with_capacity(rows).with_timezone("UTC");
    let mut ages = Float64Builder::with_capacity(rows);
    let mut lowered = String::new();
    for row in 0..rows {
        let message: Message<'_> = sonic_rs::from_slice(batch.message(row)).expect("the messages are valid");
        ids.append_value(message.id.checked_add(1_000).expect("no overflow in this data"));
        names.append_value(message.name.trim_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']));
        match &message.contact_info.email_address {
            Some(email) if email.is_ascii() => {
                lowered.clear();
                lowered.push_str(email);
                lowered.make_ascii_lowercase();
                emails.append_value(&lowered);
            }
            Some(email) => emails.append_value(email.to_lowercase()),
            None => emails.append_null(),
        }
        let seconds = message.updated_at as f64 / 1_000_000.0;
        times.append_value((seconds * 1e6).round() as i64);
        ages.append_value(if message.updated_at > 1_600_000_000_000_000 {
            (1_800_000_000_000_000 - message.updated_at) as f64 / 86_400_000_000.0
        } else {
            -1.0
        });
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(ids.finish()),
        Arc::new(names.finish()),
        Arc::new(emails.finish()),
        Arc::new(times.finish()),
        Arc::new(ages.finish()),
    ];
    RecordBatch::try_new(Arc::clone(schema), columns).expect("the columns of the resolver")
}

fn main() {
    let checked = chalkc::compile::check(&[("bench.chalk".to_owned(), PACKAGE.to_owned())]);
    assert!(checked.is_ok(), "{}", chalk_diagnostics::render::plain(&checked.diagnostics, &checked.sources));
    let image = chalkc::compile::jit(&checked).expect("the package compiles");
    let program = Program::link(image, chalkc::compile::catalog()).expect("the library has what it calls");
    let executor = || Executor::new(&program, 0, Tier::best()).expect("the plan is valid");

    let shape = user();
    let sample = shape.messages(1000, Style::Compact).iter().map(Vec::len).sum::<usize>() / 1000;
    let messages = shape.messages(BYTES / sample, Style::Compact);
    let mut inputs = Vec::new();
    for chunk in messages.chunks(BATCH) {
        let mut input = InputBatch::new();
        for (offset, message) in chunk.iter().enumerate() {
            let envelope = Envelope { topic: "updates", offset: offset as i64, ..Envelope::default() };
            input.push(message, &envelope).expect("a batch holds 1,024 messages");
        }
        inputs.push(input);
    }

    let schema = Arc::clone(executor().schema());
    let mut checking = executor();
    for input in &inputs {
        assert_eq!(checking.run(input, 0).batch, by_hand(input.messages(), &schema), "equal work");
    }

    let mut ours = executor();
    let mut decoder = match &program.manifest().resolvers[0].input {
        chalk_artifact::manifest::MessageInput::Json(plan) => {
            chalk_decode::Decoder::new(plan, Tier::best()).expect("the plan is valid")
        }
        other => unreachable!("JSON messages, not {other:?}"),
    };
    let (mut statuses, mut errors) = (Vec::new(), Vec::new());
    let times = medians(
        ROUNDS,
        &mut [
            (
                "resolver".to_owned(),
                Box::new(|| {
                    inputs.iter().for_each(|input| drop(std::hint::black_box(ours.run(input, 0).batch.clone())))
                }),
            ),
            (
                "decode alone".to_owned(),
                Box::new(|| {
                    for input in &inputs {
                        statuses.clear();
                        statuses.resize(input.len(), 0);
                        decoder.decode(input.messages(), &mut statuses, &mut errors);
                    }
                }),
            ),
            (
                "sonic-rs by hand".to_owned(),
                Box::new(|| {
                    inputs.iter().for_each(|input| drop(std::hint::black_box(by_hand(input.messages(), &schema))))
                }),
            ),
        ],
    );
    let ns: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e9 / messages.len() as f64).collect();
    println!(
        "user messages of {sample} bytes, five expressions, Arrow out; ns of CPU time a message, medians of {ROUNDS}\n"
    );
    println!("| the whole resolver | its decode alone | sonic-rs typed, by hand | ratio |");
    println!("|---|---|---|---|");
    println!("| {:.1} | {:.1} | {:.1} | {:.2}× |", ns[0], ns[1], ns[2], ns[2] / ns[0]);
}
