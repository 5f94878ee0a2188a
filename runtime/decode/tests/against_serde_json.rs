//! The scalar parser against serde_json: what is JSON, and what it is worth.
//!
//! Stated differences: a message must be an object; serde_json takes nesting up to 127 and we up to 128; serde_json
//! refuses numbers beyond a float's range even where nobody reads them. All of them are kept out of, or told apart in, what is compared.

#![allow(clippy::print_stdout, reason = "a seed is of use only where it can be read")]

mod support;

use chalk_artifact::abi::status;
use chalk_decode::{DecodeError, Decoder, MessageBatch, Tier};
use chalk_types::{Kind, Value};
use support::generate::{any_json, mutate};
use support::random::Random;
use support::*;

const CASES: u64 = 60_000;

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

/// Whether a number somewhere in the text is beyond a float's range.
fn has_overflow(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(bytes).is_err_and(|error| error.to_string().contains("out of range"))
}

#[test]
fn the_same_texts_are_json() {
    let plan = plan(message("Any", vec![]), vec![]);
    let mut decoder = Decoder::new(&plan, Tier::Scalar).unwrap();
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..CASES {
        let mut random = Random(seed);
        let mut json = String::from("{\"v\":");
        any_json(&mut random, 0, &mut json);
        json.push('}');
        let mut bytes = json.into_bytes();
        if random.once_in(2) {
            mutate(&mut random, &mut bytes);
        }
        if has_overflow(&bytes) {
            continue;
        }
        let theirs = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&bytes).is_ok();
        let ours = decode_one(&mut decoder, &bytes);
        assert_eq!(ours.is_ok(), theirs, "seed {seed}: {} {ours:?}", String::from_utf8_lossy(&bytes));
        if theirs { accepted += 1 } else { refused += 1 }
    }
    println!("{accepted} accepted, {refused} refused");
    assert!(accepted > CASES / 4 && refused > CASES / 10);
}

/// What the field must become; none where the message must fail.
fn expected(kind: &Kind, value: &serde_json::Value) -> Option<Value> {
    match (kind, value) {
        (_, serde_json::Value::Null) => Some(Value::Null),
        (Kind::Bool, serde_json::Value::Bool(value)) => Some(Value::Bool(*value)),
        (Kind::Float64, serde_json::Value::Number(number)) => number.as_f64().map(Value::Float),
        (Kind::Int(_), serde_json::Value::Number(number)) => match number.as_i64() {
            Some(value) => Some(Value::Int(value.into())),
            None => number
                .as_f64()
                .filter(|value| value.fract() == 0.0 && value.abs() < 1e15)
                .map(|value| Value::Int(value as i128)),
        },
        (Kind::String, serde_json::Value::String(text)) => Some(Value::String(text.clone())),
        (Kind::List(item), serde_json::Value::Array(items)) => {
            items.iter().map(|value| expected(&item.kind, value)).collect::<Option<_>>().map(Value::List)
        }
        _ => None,
    }
}

#[test]
fn the_same_texts_have_the_same_values() {
    let kinds = [
        ("id", Kind::INT),
        ("name", Kind::String),
        ("a", Kind::Float64),
        ("b", Kind::Bool),
        ("ts", list(optional(list(optional(Kind::Float64))))),
    ];
    let mut decoders: Vec<Decoder> = kinds
        .iter()
        .map(|(name, kind)| Decoder::new(&plan_of(vec![field(name, optional(kind.clone()))]), Tier::Scalar).unwrap())
        .collect();
    let (mut values, mut failures) = (0, 0);
    for seed in 0..CASES {
        let mut random = Random(seed ^ 0xabcd);
        let mut json = String::from("{");
        for index in 0..1 + random.below(3) {
            if index > 0 {
                json.push_str(", ");
            }
            json.push_str(&format!("\"{}\":", random.pick(&["id", "name", "a", "b", "ts", "\\u0062"])));
            any_json(&mut random, 1, &mut json);
        }
        json.push('}');
        let Ok(theirs) = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&json) else { continue };
        for ((name, kind), decoder) in kinds.iter().zip(&mut decoders) {
            let null = serde_json::Value::Null;
            let value = theirs.get(*name).unwrap_or(&null);
            let rounded = value.as_f64().is_some_and(|value| value.abs() >= 1e15 || value == 0.0) && !value.is_i64();
            if matches!(kind, Kind::Int(_)) && rounded {
                continue; // serde_json has no exact value of these to compare with.
            }
            let ours = decode_one(decoder, json.as_bytes()).ok().map(|mut values| values.remove(0));
            let wanted = expected(kind, value);
            assert_eq!(format!("{ours:?}"), format!("{wanted:?}"), "seed {seed}, {name}: {json}");
            if wanted.is_some_and(|value| !value.is_null()) { values += 1 } else { failures += 1 }
        }
    }
    println!("{values} values, {failures} nulls and failures");
    assert!(values > CASES as usize / 6);
}
