//! After warm-up no message costs an allocation on its way from bytes into state: what a batch allocates does not grow with its messages.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use chalk_decode::Tier;
use chalk_engine::{Envelope, Executor, InputBatch, Keeper, KeeperOptions};
use support::link;

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

const SOURCE: &str = r#"
source payments = kafka(topic: "payments")
message Payment { id: int, user: string, amount: float?, at: datetime }
features User {
  id: string
  count: int over [10m, 30m, 1d]
  spent: float over [10m, 30m, 1d]
}
stream payment_windows(events: [Payment]) -> User
  from payments
  where events.id >= 0
  timestamp events.at
  dedup events.id within 1m
  window continuous
  by events.user
{
  id    = key
  count = events.where(amount > 10.0).count()
  spent = events.sum(amount)
}
"#;

/// Rows of each batch, for two sizes of batches.
const SIZES: [usize; 2] = [64, 1024];

#[test]
fn what_a_batch_allocates_does_not_grow_with_its_messages() {
    let program = link(SOURCE);
    let per_batch = SIZES.map(|rows| {
        let keeper = Keeper::new(&program, KeeperOptions::in_memory(program.manifest())).expect("nothing is missing");
        let mut executor = Executor::new(&program, 0, Tier::Scalar).expect("plans");
        let (mut input, mut log) = (InputBatch::new(), Vec::new());
        let mut offset = 0;
        let mut run = |batches: usize| {
            for _ in 0..batches {
                input.clear();
                for _ in 0..rows {
                    // Seconds go by slowly; every tenth id comes twice.
                    let (second, id) = (offset / 400, offset - i64::from(offset % 10 == 0));
                    let at = format!("2024-01-01T00:{:02}:{:02}Z", second / 60 % 60, second % 60);
                    let message = format!(
                        r#"{{"id": {id}, "user": "a user with a long name {}", "amount": 12.5, "at": "{at}"}}"#,
                        offset % 97
                    );
                    let envelope = Envelope { topic: "payments", offset, ..Envelope::default() };
                    input.push(message.as_bytes(), &envelope).expect("room");
                    offset += 1;
                }
                let before = ALLOCATIONS.with(Cell::get);
                log.clear();
                executor.run(&input, 0);
                keeper.admit(0, &input, executor.output_mut(), 0, &mut log).expect("all is in memory");
                assert!(executor.output().fates.duplicate > 0, "some are duplicates");
                MEASURED.with(|sum| sum.set(sum.get() + ALLOCATIONS.with(Cell::get) - before));
            }
        };
        run(40_960 / rows);
        MEASURED.with(|sum| sum.set(0));
        run(20_480 / rows);
        MEASURED.with(Cell::get) as f64 / (20_480 / rows) as f64
    });
    // Kept events and dedup keys need new memory now and then, but in large pieces.
    let per_message = (per_batch[1] - per_batch[0]) / (SIZES[1] - SIZES[0]) as f64;
    assert!(per_message < 0.02, "{per_message} allocations a message; {per_batch:?} a batch");
}

thread_local! {
    static MEASURED: Cell<usize> = const { Cell::new(0) };
}
