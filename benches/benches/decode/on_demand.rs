//! simdjson's on-demand interface (C++), if it was compiled in: see `build.rs`.
//!
//! This file must not know what the shapes are.

use chalk_decode::MessageBatch;

use super::rivals::Family;
#[cfg(has_simdjson)]
use super::rivals::{LINES, Part};
use super::rows::Hash;

/// Whether simdjson is here.
pub const IS_HERE: bool = cfg!(has_simdjson);

/// Columns that it fills.
pub struct OnDemand {
    #[cfg(has_simdjson)]
    columns: *mut std::ffi::c_void,
    #[cfg(has_simdjson)]
    shape: std::ffi::CString,
    #[cfg(has_simdjson)]
    any_order: bool,
}

#[cfg(has_simdjson)]
unsafe extern "C" {
    fn on_demand_new() -> *mut std::ffi::c_void;
    fn on_demand_drop(columns: *mut std::ffi::c_void);
    fn on_demand_fill(
        columns: *mut std::ffi::c_void,
        shape: *const std::ffi::c_char,
        any_order: bool,
        messages: *const *const u8,
        sizes: *const usize,
        count: usize,
    ) -> bool;
    fn on_demand_word(columns: *const std::ffi::c_void, column: usize, row: usize, word: *mut u64) -> bool;
    fn on_demand_text(columns: *const std::ffi::c_void, column: usize, row: usize, size: *mut usize) -> *const u8;
    fn on_demand_line(
        columns: *const std::ffi::c_void,
        item: usize,
        size: *mut usize,
        quantity: *mut u64,
        price: *mut u64,
    ) -> *const u8;
}

/// The places and sizes of a batch's messages.
#[cfg_attr(not(has_simdjson), expect(dead_code, reason = "only simdjson takes them"))]
pub struct Pointers {
    messages: Vec<*const u8>,
    sizes: Vec<usize>,
}

impl Pointers {
    pub fn of(batch: &MessageBatch) -> Pointers {
        let all = (0..batch.len()).map(|row| batch.message(row));
        Pointers { messages: all.clone().map(<[u8]>::as_ptr).collect(), sizes: all.map(<[u8]>::len).collect() }
    }
}

#[cfg(has_simdjson)]
impl OnDemand {
    pub fn new(shape: &str, any_order: bool) -> OnDemand {
        let shape = std::ffi::CString::new(shape).expect("no zeros");
        // SAFETY: it takes nothing.
        OnDemand { columns: unsafe { on_demand_new() }, shape, any_order }
    }

    /// Reads the batch that the pointers point into.
    pub fn fill(&mut self, pointers: &Pointers) {
        // SAFETY: a batch is followed by 64 readable bytes, and a message by the others or those.
        let knows = unsafe {
            let (messages, sizes) = (pointers.messages.as_ptr(), pointers.sizes.as_ptr());
            on_demand_fill(self.columns, self.shape.as_ptr(), self.any_order, messages, sizes, pointers.sizes.len())
        };
        assert!(knows, "simdjson is told how to read {:?}", self.shape);
    }

    /// Hashes a row of what was read.
    pub fn hash<F: Family>(&self, row: usize, hash: &mut Hash) {
        for part in F::PARTS {
            // SAFETY: there are that many columns of each kind, as many rows as the batch has messages, and lines up to each order's end.
            unsafe {
                match *part {
                    Part::Word(column) => {
                        let mut word = 0;
                        let is_valid = on_demand_word(self.columns, column, row, &raw mut word);
                        hash.word_or_null(is_valid.then_some(word));
                    }
                    Part::Text(column) => {
                        let mut size = 0;
                        let text = on_demand_text(self.columns, column, row, &raw mut size);
                        hash.text((!text.is_null()).then(|| std::slice::from_raw_parts(text, size)));
                    }
                    Part::Lines => {
                        let end = |row: usize| {
                            let mut end = 0;
                            on_demand_word(self.columns, LINES.ends, row, &raw mut end);
                            end
                        };
                        let first = if row == 0 { 0 } else { end(row - 1) };
                        hash.word(end(row) - first);
                        for item in first..end(row) {
                            let (mut size, mut quantity, mut price) = (0, 0, 0);
                            let sku = on_demand_line(
                                self.columns,
                                item as usize,
                                &raw mut size,
                                &raw mut quantity,
                                &raw mut price,
                            );
                            hash.text(Some(std::slice::from_raw_parts(sku, size)));
                            hash.word(quantity);
                            hash.word(price);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(has_simdjson)]
impl Drop for OnDemand {
    fn drop(&mut self) {
        // SAFETY: made by `on_demand_new`, dropped once.
        unsafe { on_demand_drop(self.columns) }
    }
}

#[cfg(not(has_simdjson))]
impl OnDemand {
    pub fn new(_: &str, _: bool) -> OnDemand {
        OnDemand {}
    }

    pub fn fill(&mut self, _: &Pointers) {}

    pub fn hash<F: Family>(&self, _: usize, _: &mut Hash) {}
}
