//! After warm-up no message costs an allocation, whatever tier reads it.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use chalk_artifact::abi::status;
use chalk_artifact::decode_plan::{DecodePlan, FieldPlan, UnixUnit};
use chalk_decode::{Decoder, MessageBatch};
use chalk_types::{IntWidth, Kind, Value};
use support::*;

/// Counts what this thread asks for.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: hands everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: as the caller promises.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Decodes the messages again and again with every tier: after warm-up nothing is asked for.
fn allocates_nothing(plan: &DecodePlan, messages: &[String]) {
    let mut batch = MessageBatch::new();
    for message in messages {
        batch.push(message.as_bytes()).unwrap();
    }
    for tier in tiers() {
        let mut decoder = Decoder::new(plan, tier).unwrap();
        let (mut statuses, mut errors) = (vec![status::LIVE; batch.len()], Vec::new());
        let mut round = |decoder: &mut Decoder| {
            let before = ALLOCATIONS.with(Cell::get);
            decoder.decode(&batch, &mut statuses, &mut errors);
            assert_eq!(errors, []);
            ALLOCATIONS.with(Cell::get) - before
        };
        let warming_up: usize = (0..50).map(|_| round(&mut decoder)).sum();
        assert!(warming_up > 0, "the counter counts");
        for _ in 0..50 {
            assert_eq!(round(&mut decoder), 0, "{tier}");
        }
    }
    let mut decoder = Decoder::new(plan, tiers().last().unwrap()).unwrap();
    let mut round = || {
        decoder.clear();
        let before = ALLOCATIONS.with(Cell::get);
        for row in 0..batch.len() {
            assert_eq!(decoder.decode_one(batch.message(row)), Ok(row));
        }
        ALLOCATIONS.with(Cell::get) - before
    };
    for _ in 0..20 {
        round();
    }
    assert_eq!(round(), 0, "one by one");
}

/// Several orders of the members, so that templates, walker and scalar parser all have their turn.
fn in_turns(index: usize, members: &[String]) -> String {
    let turn = if index.is_multiple_of(4) { index / 4 % members.len() } else { 0 };
    let members: Vec<&str> = members.iter().cycle().skip(turn).take(members.len()).map(String::as_str).collect();
    format!("{{{}}}", members.join(","))
}

#[test]
fn decoding_allocates_nothing_per_message() {
    let line = message("Line", vec![field("sku", ty(Kind::String)), field("amount", optional(Kind::Float64))]);
    let plan = plan_of(vec![
        field("id", ty(Kind::INT)),
        field("name", ty(Kind::String)),
        field("tags", ty(list(ty(Kind::String)))),
        field("labels", optional(map(Kind::String, ty(Kind::INT)))),
        field("at", ty(Kind::Datetime)),
        nested("lines", line, |kind| ty(list(ty(kind)))),
    ]);
    let messages: Vec<String> = (0..300)
        .map(|index| {
            let name =
                ["plain", "a name that is longer than a view", "esc\\u0061ped, and longer than a view"][index % 3];
            let members = [
                format!("\"id\":{index}"),
                format!("\"name\":\"{name}\""),
                "\"tags\":[\"a\",\"b\\n\",\"a tag that is longer than a view\"]".to_owned(),
                "\"labels\":{\"k\":1,\"a key that is longer than a view\":2}".to_owned(),
                "\"at\":\"2023-11-14T22:13:20Z\"".to_owned(),
                "\"lines\":[{\"sku\":\"x\",\"amount\":1.5},{\"sku\":\"y\"}]".to_owned(),
            ];
            in_turns(index, &members)
        })
        .collect();
    allocates_nothing(&plan, &messages);
}

#[test]
fn no_type_allocates_per_message() {
    let unix = |name: &str, unit| FieldPlan { unix: Some(unit), ..field(name, ty(Kind::Datetime)) };
    let text = FieldPlan {
        default: Some(Value::String("a default that is longer than a view".into())),
        ..field("absent", ty(Kind::String))
    };
    let mut fields: Vec<FieldPlan> =
        IntWidth::ALL.into_iter().map(|width| field(width.name(), ty(Kind::Int(width)))).collect();
    let lenient = |name: &str, kind| FieldPlan { lenient: true, ..field(name, ty(kind)) };
    fields.extend([
        lenient("lenient_int", Kind::INT),
        lenient("lenient_float", Kind::Float64),
        lenient("lenient_bool", Kind::Bool),
        field("float32", ty(Kind::Float32)),
        field("decimal", ty(Kind::Decimal { precision: 18, scale: 4 })),
        field("status", ty(status_enum())),
        field("bytes", ty(Kind::Bytes)),
        unix("seconds", UnixUnit::Seconds),
        unix("nanos", UnixUnit::Nanos),
        field("date", ty(Kind::Date)),
        field("time", ty(Kind::Time)),
        field("duration", ty(Kind::Duration)),
        field("vector", ty(Kind::Vector(Box::new(ty(Kind::Float32)), 3))),
        field("matrix", ty(list(optional(list(ty(Kind::INT)))))),
        field("days", ty(map(Kind::Date, optional(list(ty(status_enum())))))),
        text,
    ]);
    let plan = plan_of(fields);
    let messages: Vec<String> = (0..300)
        .map(|index| {
            // Of each type the common way to write it, and now and then one that the scalar parser has to read.
            let odd = index % 7 == 0;
            let mut members: Vec<String> = IntWidth::ALL
                .iter()
                .map(|width| format!("\"{}\":{}{}", width.name(), index % 100, if odd { ".0" } else { "" }))
                .collect();
            let many: Vec<String> = (1..29).map(|day| format!("\"2024-02-{day:02}\":[\"ok\",\"failed\"]")).collect();
            let members_of_types = [
                ("lenient_int", format!("\"{index}\"")),
                ("lenient_float", format!("\"-{index}.5\"")),
                ("lenient_bool", if odd { "\"yes\"" } else { "\"true\"" }.to_owned()),
                ("float32", if odd { "1.00000005960464477539".to_owned() } else { format!("{index}.25") }),
                ("decimal", if odd { "1e3".to_owned() } else { format!("-{index}.0625") }),
                ("status", if odd { "\"\\u006fk\"" } else { "\"pending\"" }.to_owned()),
                ("bytes", "\"aGVsbG8gaGVsbG8gaGVsbG8gaGVsbG8=\"".to_owned()),
                ("seconds", format!("17000{index:05}")),
                ("nanos", format!("17000000000000{index:05}")),
                ("date", "\"2024-02-29\"".to_owned()),
                ("time", "\"22:13:20.25\"".to_owned()),
                ("duration", if odd { "\"PT123456789S\"" } else { "\"P1DT2H0.5S\"" }.to_owned()),
                ("vector", "[1.5,2,-0.25]".to_owned()),
                ("matrix", "[[1,2],null,[],[3]]".to_owned()),
                ("days", format!("{{{}}}", many[..index % 28].join(","))),
            ];
            members.extend(members_of_types.map(|(key, value)| format!("\"{key}\":{value}")));
            in_turns(index, &members)
        })
        .collect();
    allocates_nothing(&plan, &messages);
}
