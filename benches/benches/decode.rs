//! JSON messages to typed columns: ours against sonic-rs, simdjson, simd-json, serde_json and arrow-json, on one thread.
//!
//! `RUSTFLAGS="-C target-cpu=native" cargo bench -p chalk-benches --features simdjson --bench decode [SHAPE]` prints one table: nanoseconds
//! of CPU time a message (medians), and each rival's time over ours. Before anything is timed, the columns of all contenders are hashed
//! and must be equal. Messages are read in batches of 1,024: cold ones once each (more of them than the caches hold), hot ones again
//! and again (as if they had just come from a socket). simdjson (C++, on-demand) is there where `peers/fetch_simdjson.sh` has
//! fetched it.

#![allow(clippy::print_stdout, unreachable_pub, reason = "a bench prints its table and is used by nobody")]

#[path = "decode/on_demand.rs"]
mod on_demand;
#[path = "decode/rivals.rs"]
mod rivals;
#[path = "decode/rows.rs"]
mod rows;

use std::sync::Arc;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use chalk_artifact::abi::status;
use chalk_artifact::decode_plan::{DecodePlan, MessagePlan};
use chalk_benches::clock::medians;
use chalk_benches::messages::{Shape, Style, mixed, order, transaction, user, wide};
use chalk_decode::{Decoder, MessageBatch, Tier, TierCounts};
use chalk_types::{Kind, Value};
use on_demand::{OnDemand, Pointers};
use rivals::{Family, LINES, MixedFamily, OrderFamily, Part, Row, TransactionFamily, UserFamily, WideFamily};
use rows::{Columns, Hash};

const BATCH: usize = 1024;
const ROUNDS: usize = 7;
/// Bytes of messages for each line of the table, and how often they are read in a round.
const COLD: (usize, usize) = (48 << 20, 1);
const HOT: (usize, usize) = (512 << 10, 64);

fn main() {
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    println!("best tier: {}; ns a message (time over ours); thread CPU time, medians of {ROUNDS}", Tier::best());
    if !on_demand::IS_HERE {
        println!("simdjson is absent: run benches/peers/fetch_simdjson.sh and ask for --features simdjson");
    }
    println!(
        "\n| messages | bytes | ours | sonic-rs | simdjson | simd-json | serde_json | arrow-json | avx2 | portable | scalar | template/walker % |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    let styles = [
        Style::Compact,
        Style::Python,
        Style::Pretty,
        Style::Shuffled(1),
        Style::Shuffled(10),
        Style::Shuffled(100),
        Style::Changing,
        Style::Escaped,
    ];
    for style in styles {
        for shape in [user(), transaction(), wide(), order()] {
            lines(&shape, style, COLD, only.as_deref());
        }
    }
    lines(&mixed(), Style::Shuffled(100), COLD, only.as_deref());
    lines(&wide().relaxed(), Style::Compact, COLD, only.as_deref());
    for shape in [user(), transaction(), wide(), order()] {
        lines(&shape, Style::Compact, HOT, only.as_deref());
    }
    lines(&mixed(), Style::Shuffled(100), HOT, only.as_deref());
}

fn lines(shape: &Shape, style: Style, size: (usize, usize), only: Option<&str>) {
    match shape.name {
        name if only.is_some_and(|only| only != name) => {}
        "user" => line::<UserFamily>(shape, style, size),
        "transaction" => line::<TransactionFamily>(shape, style, size),
        "mixed" => line::<MixedFamily>(shape, style, size),
        "order" => line::<OrderFamily>(shape, style, size),
        _ => line::<WideFamily>(shape, style, size),
    }
}

/// Someone who turns a batch into columns.
struct Contender<'a> {
    name: String,
    fill: Box<dyn FnMut(&MessageBatch, &Pointers) + 'a>,
}

/// Prints one line of the table.
fn line<F: Family>(shape: &Shape, style: Style, (total_bytes, repeats): (usize, usize)) {
    let sample = shape.messages(1000, style).iter().map(Vec::len).sum::<usize>() / 1000;
    let batches = batches(&shape.messages(total_bytes / sample, style));
    let count: usize = batches.iter().map(MessageBatch::len).sum::<usize>() * repeats;
    let pointers: Vec<Pointers> = batches.iter().map(Pointers::of).collect();
    let any_order = matches!(style, Style::Shuffled(_) | Style::Changing);

    let expected = tier_hash(&shape.plan, Tier::Scalar, &batches).0;
    let mut counts = TierCounts::default();
    for tier in Tier::ALL.into_iter().filter(|tier| tier.is_available()) {
        let (hash, tier_counts) = tier_hash(&shape.plan, tier, &batches);
        assert_eq!(hash, expected, "{tier}");
        counts = tier_counts;
    }
    assert_eq!(rival_hash::<F>(&batches, fill_sonic::<F>), expected, "sonic-rs");
    assert_eq!(rival_hash::<F>(&batches, fill_simd::<F>), expected, "simd-json");
    assert_eq!(rival_hash::<F>(&batches, fill_serde::<F>), expected, "serde_json");
    assert_eq!(arrow_hash(&shape.plan, &batches), expected, "arrow-json");
    if on_demand::IS_HERE {
        let (mut hash, mut columns) = (Hash::default(), OnDemand::new(shape.name, any_order));
        for (batch, pointers) in batches.iter().zip(&pointers) {
            columns.fill(pointers);
            (0..batch.len()).for_each(|row| columns.hash::<F>(row, &mut hash));
        }
        assert_eq!(hash, expected, "simdjson");
    }

    let mut contenders = Vec::new();
    let tiers = [Tier::best(), Tier::Avx2, Tier::Portable, Tier::Scalar];
    contenders.push(tier_contender(&shape.plan, tiers[0]));
    contenders.push(rival_contender("sonic-rs", fill_sonic::<F>));
    contenders.push(rival_contender("simd-json", fill_simd::<F>));
    contenders.push(rival_contender("serde_json", fill_serde::<F>));
    contenders.push(arrow_contender(&shape.plan));
    if on_demand::IS_HERE {
        let mut columns = OnDemand::new(shape.name, any_order);
        let fill = move |_: &MessageBatch, pointers: &Pointers| columns.fill(pointers);
        contenders.push(Contender { name: "simdjson".to_owned(), fill: Box::new(fill) });
    }
    contenders
        .extend(tiers[1..].iter().filter(|tier| tier.is_available()).map(|tier| tier_contender(&shape.plan, *tier)));
    let names: Vec<String> = contenders.iter().map(|contender| contender.name.clone()).collect();
    let mut runs: Vec<(String, Box<dyn FnMut() + '_>)> = contenders
        .into_iter()
        .map(|Contender { name, mut fill }| {
            let (batches, pointers) = (&batches, &pointers);
            let run = move || {
                for _ in 0..repeats {
                    batches.iter().zip(pointers).for_each(|(batch, pointers)| fill(batch, pointers));
                }
            };
            (name, Box::new(run) as Box<dyn FnMut() + '_>)
        })
        .collect();
    let times = medians(ROUNDS, &mut runs);
    let ns = |time: Duration| time.as_secs_f64() * 1e9 / count as f64;
    let ours = ns(times[0]);
    let cell = |name: &str| match names.iter().skip(1).position(|other| other == name) {
        Some(index) => format!("{:.0} ({:.2}x)", ns(times[index + 1]), ns(times[index + 1]) / ours),
        None => "-".to_owned(),
    };
    let percent = |part: u64| part as f64 * 100.0 / (counts.template + counts.walker + counts.scalar) as f64;
    println!(
        "| {} {style:?}{}{} | {sample} | {ours:.0} | {} | {} | {} | {} | {} | {} | {} | {} | {:.0}/{:.0} |",
        shape.name,
        if shape.plan.strict { "" } else { ", relaxed" },
        if repeats > 1 { ", hot" } else { "" },
        cell("sonic-rs"),
        cell("simdjson"),
        cell("simd-json"),
        cell("serde_json"),
        cell("arrow-json"),
        cell("avx2"),
        cell("portable"),
        cell("scalar"),
        percent(counts.template),
        percent(counts.walker),
    );
}

fn batches(messages: &[Vec<u8>]) -> Vec<MessageBatch> {
    let fill = |messages: &[Vec<u8>]| {
        let mut batch = MessageBatch::new();
        messages.iter().for_each(|message| batch.push(message).expect("room"));
        batch
    };
    messages.chunks(BATCH).map(fill).collect()
}

// ---- ours ----

fn tier_hash(plan: &DecodePlan, tier: Tier, batches: &[MessageBatch]) -> (Hash, TierCounts) {
    let mut decoder = Decoder::new(plan, tier).expect("a plan that works");
    let mut hash = Hash::default();
    for batch in batches {
        let (mut statuses, mut errors) = (vec![status::LIVE; batch.len()], Vec::new());
        decoder.decode(batch, &mut statuses, &mut errors);
        assert_eq!(errors, [], "{tier}");
        let columns = decoder.columns();
        for row in 0..batch.len() {
            for index in 0..columns.column_count() {
                hash_value(&columns.column(index).value(row, batch.bytes()), &mut hash);
            }
        }
    }
    (hash, decoder.counts())
}

fn hash_value(value: &Value, hash: &mut Hash) {
    match value {
        Value::Int(value) => hash.word(*value as u64),
        Value::Float(value) => hash.word(value.to_bits()),
        Value::Bool(value) => hash.word((*value).into()),
        Value::String(text) => hash.text(Some(text.as_bytes())),
        Value::List(items) => {
            hash.word(items.len() as u64);
            items.iter().for_each(|item| hash_value(item, hash));
        }
        Value::Struct(fields) => fields.iter().for_each(|field| hash_value(field, hash)),
        _ => hash.text(None),
    }
}

fn tier_contender(plan: &DecodePlan, tier: Tier) -> Contender<'static> {
    let mut decoder = Decoder::new(plan, tier).expect("a plan that works");
    let (mut statuses, mut errors) = (Vec::new(), Vec::new());
    Contender {
        name: tier.to_string(),
        fill: Box::new(move |batch, _| {
            statuses.clear();
            statuses.resize(batch.len(), status::LIVE);
            decoder.decode(batch, &mut statuses, &mut errors);
            std::hint::black_box(decoder.columns().view(0));
        }),
    }
}

// ---- rivals over serde ----

/// Memory that a rival uses again.
#[derive(Default)]
struct Scratch {
    copy: Vec<u8>,
    buffers: simd_json::Buffers,
}

type Fill = fn(&mut Scratch, &MessageBatch, &mut Columns);

fn fill_sonic<F: Family>(_: &mut Scratch, batch: &MessageBatch, columns: &mut Columns) {
    for row in 0..batch.len() {
        sonic_rs::from_slice::<F::Row<'_>>(batch.message(row)).expect("valid").push(columns);
    }
}

fn fill_serde<F: Family>(_: &mut Scratch, batch: &MessageBatch, columns: &mut Columns) {
    for row in 0..batch.len() {
        serde_json::from_slice::<F::Row<'_>>(batch.message(row)).expect("valid").push(columns);
    }
}

/// simd-json writes into what it reads, so the batch is copied first; the copy is in its time.
fn fill_simd<F: Family>(scratch: &mut Scratch, batch: &MessageBatch, columns: &mut Columns) {
    scratch.copy.clear();
    scratch.copy.extend_from_slice(batch.bytes());
    let mut rest = &mut scratch.copy[..];
    for row in 0..batch.len() {
        let (message, after) = rest.split_at_mut(batch.message(row).len());
        rest = after;
        simd_json::serde::from_slice_with_buffers::<F::Row<'_>>(message, &mut scratch.buffers)
            .expect("valid")
            .push(columns);
    }
}

fn rival_hash<F: Family>(batches: &[MessageBatch], fill: Fill) -> Hash {
    let (mut hash, mut scratch, mut columns) = (Hash::default(), Scratch::default(), Columns::default());
    for batch in batches {
        columns.clear();
        fill(&mut scratch, batch, &mut columns);
        (0..batch.len()).for_each(|row| hash_row::<F>(&columns, row, &mut hash));
    }
    hash
}

fn hash_row<F: Family>(columns: &Columns, row: usize, hash: &mut Hash) {
    for part in F::PARTS {
        match *part {
            Part::Word(column) => hash.word_or_null(columns.words[column].get(row)),
            Part::Text(column) => hash.text(columns.texts[column].get(row)),
            Part::Lines => {
                let end = |row: usize| columns.words[LINES.ends].get(row).expect("every order has lines") as usize;
                let first = if row == 0 { 0 } else { end(row - 1) };
                hash.word((end(row) - first) as u64);
                for item in first..end(row) {
                    hash.text(columns.texts[LINES.sku].get(item));
                    hash.word_or_null(columns.words[LINES.quantity].get(item));
                    hash.word_or_null(columns.words[LINES.price].get(item));
                }
            }
        }
    }
}

fn rival_contender(name: &str, fill: Fill) -> Contender<'static> {
    let (mut scratch, mut columns) = (Scratch::default(), Columns::default());
    Contender {
        name: name.to_owned(),
        fill: Box::new(move |batch, _| {
            columns.clear();
            fill(&mut scratch, batch, &mut columns);
            std::hint::black_box(&columns);
        }),
    }
}

// ---- arrow-json ----

/// The Arrow fields that the plan reads, with only the wanted fields of nested messages; of a list of messages all of them.
fn arrow_fields(message: &MessagePlan, paths: &[&[u32]]) -> Vec<Field> {
    let mut fields = Vec::new();
    for (index, field) in message.fields.iter().enumerate() {
        let inner: Vec<&[u32]> =
            paths.iter().filter(|path| path.first() == Some(&(index as u32))).map(|path| &path[1..]).collect();
        if inner.is_empty() {
            continue;
        }
        let data_type = match &field.ty.kind {
            Kind::Int(_) => DataType::Int64,
            Kind::Float64 => DataType::Float64,
            Kind::Bool => DataType::Boolean,
            Kind::String => DataType::Utf8,
            Kind::List(_) => {
                let item = field.message.as_deref().expect("a list of messages");
                let all: Vec<[u32; 1]> = (0..item.fields.len() as u32).map(|field| [field]).collect();
                let all: Vec<&[u32]> = all.iter().map(|path| &path[..]).collect();
                DataType::new_list(DataType::Struct(arrow_fields(item, &all).into()), false)
            }
            _ => DataType::Struct(arrow_fields(field.message.as_deref().expect("a message"), &inner).into()),
        };
        fields.push(Field::new(&field.key, data_type, field.ty.nullable));
    }
    fields
}

fn arrow_decoder(plan: &DecodePlan) -> arrow_json::reader::Decoder {
    let paths: Vec<&[u32]> = plan.columns.iter().map(|column| &column.path[..]).collect();
    let schema = Arc::new(Schema::new(arrow_fields(&plan.root, &paths)));
    arrow_json::ReaderBuilder::new(schema).with_batch_size(BATCH).build_decoder().expect("a schema that works")
}

fn arrow_batch(decoder: &mut arrow_json::reader::Decoder, batch: &MessageBatch) -> RecordBatch {
    let mut rest = batch.bytes();
    while !rest.is_empty() {
        let taken = decoder.decode(rest).expect("valid");
        if taken == 0 {
            break;
        }
        rest = &rest[taken..];
    }
    decoder.flush().expect("valid").expect("rows")
}

fn arrow_hash(plan: &DecodePlan, batches: &[MessageBatch]) -> Hash {
    let mut decoder = arrow_decoder(plan);
    let mut hash = Hash::default();
    for batch in batches {
        let records = arrow_batch(&mut decoder, batch);
        for row in 0..batch.len() {
            records.columns().iter().for_each(|column| hash_array(column, row, &mut hash));
        }
    }
    hash
}

fn hash_array(array: &ArrayRef, row: usize, hash: &mut Hash) {
    match array.data_type() {
        DataType::Struct(_) => array.as_struct().columns().iter().for_each(|column| hash_array(column, row, hash)),
        _ if array.is_null(row) => hash.text(None),
        DataType::Int64 => hash.word(array.as_primitive::<Int64Type>().value(row) as u64),
        DataType::Float64 => hash.word(array.as_primitive::<Float64Type>().value(row).to_bits()),
        DataType::Boolean => hash.word(array.as_boolean().value(row).into()),
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            hash.word(list.value_length(row) as u64);
            let first = list.value_offsets()[row] as usize;
            (first..first + list.value_length(row) as usize).for_each(|item| hash_array(list.values(), item, hash));
        }
        _ => hash.text(Some(array.as_string::<i32>().value(row).as_bytes())),
    }
}

fn arrow_contender(plan: &DecodePlan) -> Contender<'static> {
    let mut decoder = arrow_decoder(plan);
    Contender {
        name: "arrow-json".to_owned(),
        fill: Box::new(move |batch, _| {
            std::hint::black_box(arrow_batch(&mut decoder, batch));
        }),
    }
}
