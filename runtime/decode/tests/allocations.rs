//! After warm-up no message costs an allocation, whatever tier reads it.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use chalk_artifact::abi::status;
use chalk_decode::{Decoder, MessageBatch};
use chalk_types::Kind;
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
    let mut batch = MessageBatch::new();
    for index in 0..300 {
        let name = ["plain", "a name that is longer than a view", "esc\\u0061ped, and longer than a view"][index % 3];
        let members = [
            format!("\"id\":{index}"),
            format!("\"name\":\"{name}\""),
            "\"tags\":[\"a\",\"b\\n\",\"a tag that is longer than a view\"]".to_owned(),
            "\"labels\":{\"k\":1,\"a key that is longer than a view\":2}".to_owned(),
            "\"at\":\"2023-11-14T22:13:20Z\"".to_owned(),
            "\"lines\":[{\"sku\":\"x\",\"amount\":1.5},{\"sku\":\"y\"}]".to_owned(),
        ];
        // Several orders, so that templates, walker and scalar parser all have their turn.
        let turn = if index % 4 == 0 { index / 4 % 6 } else { 0 };
        let members: Vec<&str> = members.iter().cycle().skip(turn).take(6).map(String::as_str).collect();
        batch.push(format!("{{{}}}", members.join(",")).as_bytes()).unwrap();
    }
    for tier in tiers() {
        let mut decoder = Decoder::new(&plan, tier).unwrap();
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
    let mut decoder = Decoder::new(&plan, tiers().last().unwrap()).unwrap();
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
