//! The helpers that the engine itself gives to kernels (`abi::runtime_helpers`): failing a row, writing what has no fixed width, decoding inside a kernel, nested values.
//!
//! They are called by generated code, so each is `extern "C"` over 64-bit words and must not unwind: a panic here aborts the process (Rust's rule for
//! `extern "C"`), which is right for a bug and impossible for bad input.
//!
//! This file must not know the language.

use chalk_artifact::abi::{ColumnView, KernelContext, Slot, answer, runtime_helpers, status};
use chalk_catalog::{CallContext, FunctionError, slot_at, slots_equal};
use chalk_decode::Decoder;
use chalk_state::dedup::DedupKey;
use chalk_types::{Kind, Type};

use crate::lists::NestedLists;
use crate::output::{OutputColumn, TextBuffers};

/// A message that failed.
#[derive(Clone, Debug, PartialEq)]
pub struct RowError {
    /// Its row in the batch.
    pub row: usize,
    /// What went wrong.
    pub reason: String,
    /// The field, of an error of decoding.
    pub path: Option<String>,
    /// The byte in the message, of an error of decoding.
    pub byte_offset: Option<usize>,
    /// Where in the sources, of an error of an expression: position in the manifest's `sites`.
    pub site: Option<u32>,
}

/// The dedup key of a message that came so far as to have one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ReportedKey {
    /// The message's row.
    pub(crate) row: u32,
    /// The key.
    pub(crate) key: DedupKey,
    /// Its event time, where the resolver knows one.
    pub(crate) time_us: Option<i64>,
}

/// What helpers work on; `KernelContext::engine` points here while a kernel runs.
pub(crate) struct Host {
    pub(crate) outputs: Vec<OutputColumn>,
    pub(crate) texts: TextBuffers,
    pub(crate) errors: Vec<RowError>,
    /// Outputs that failed alone.
    pub(crate) output_errors: Vec<(u32, RowError)>,
    /// Dedup keys of this batch.
    pub(crate) dedup_keys: Vec<ReportedKey>,
    /// Whether a dedup key is a word (else text or bytes).
    pub(crate) dedup_key_is_word: bool,
    /// One per decode plan of the manifest.
    pub(crate) decoders: Vec<Decoder>,
    /// The manifest's types.
    pub(crate) types: Vec<Type>,
    /// Reasons of sites that code itself finds.
    pub(crate) site_reasons: Vec<String>,
    /// Lists made by kernels in this batch whose items have parts.
    pub(crate) lists: NestedLists,
}

impl Host {
    /// Forgets what kernels made for the last batch.
    pub(crate) fn reset(&mut self) {
        self.errors.clear();
        self.output_errors.clear();
        self.dedup_keys.clear();
        self.lists.reset();
        for decoder in &mut self.decoders {
            decoder.clear();
        }
    }

    /// The error of a row at a site; the detail lies in the call context.
    fn error_at(&self, call: &CallContext, row: u64, site: u64) -> RowError {
        let detail = call.take_error();
        let fixed = self.site_reasons.get(site as usize).filter(|reason| !reason.is_empty()).cloned();
        RowError {
            row: row as usize,
            reason: fixed.or(detail).unwrap_or_else(|| "the expression failed".to_owned()),
            path: None,
            byte_offset: None,
            site: Some(site as u32),
        }
    }

    /// The list of these items.
    ///
    /// # Safety
    /// The slots hold values of the list's item type, alive until the call ends.
    unsafe fn make_list(&mut self, call: &CallContext, type_index: usize, items: &[Slot]) -> Slot {
        let item = match &self.types[type_index].kind {
            Kind::List(item) | Kind::Vector(item, _) => item,
            other => unreachable!("a list type, not {other}"),
        };
        // SAFETY: the caller's promise.
        unsafe { self.lists.make(call, item, items) }
    }
}

/// The address of a helper of the engine, by its import name.
pub(crate) fn address_of(import: &str) -> Option<*const u8> {
    Some(match import {
        runtime_helpers::FAIL => fail as *const u8,
        runtime_helpers::FAIL_OUTPUT => fail_output as *const u8,
        runtime_helpers::DEDUP_KEY => dedup_key as *const u8,
        runtime_helpers::EMIT => emit as *const u8,
        runtime_helpers::VIEW => view as *const u8,
        runtime_helpers::DECODE_JSON => decode_json as *const u8,
        runtime_helpers::COMPARE_BYTES => compare_bytes as *const u8,
        runtime_helpers::EQUAL => equal as *const u8,
        runtime_helpers::MAP_GET => map_get as *const u8,
        runtime_helpers::LIST => list as *const u8,
        runtime_helpers::CONCAT => concat as *const u8,
        runtime_helpers::SLICE_TEXT => slice_text as *const u8,
        runtime_helpers::FLOAT_REM => float_rem as *const u8,
        runtime_helpers::FLOAT_POW => float_pow as *const u8,
        _ => return None,
    })
}

/// The engine's state behind a context.
///
/// # Safety
/// `cx` is a running kernel's context, and no other reference to the host is alive.
unsafe fn host<'a>(cx: *mut KernelContext) -> &'a mut Host {
    // SAFETY: the caller's promise; the executor sets the pointer.
    unsafe { &mut *(*cx).engine.cast::<Host>() }
}

/// # Safety
/// As for `host`.
unsafe fn call_context<'a>(cx: *mut KernelContext) -> &'a CallContext {
    // SAFETY: the caller's promise; the executor sets the pointer.
    unsafe { &*(*cx).call.cast::<CallContext>() }
}

/// # Safety
/// The slot holds text or bytes, alive.
unsafe fn bytes_of<'a>(slot: &Slot) -> &'a [u8] {
    if slot.w1 == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(slot.w0 as *const u8, slot.w1 as usize) }
}

fn bytes_slot(bytes: &[u8]) -> Slot {
    Slot { w0: bytes.as_ptr() as u64, w1: bytes.len() as u64, w2: 0, valid: 1 }
}

unsafe extern "C" fn fail(cx: *mut KernelContext, row: u64, site: u64) {
    // SAFETY: called by a kernel with its own context and a row of it.
    let (host, call) = unsafe {
        *(*cx).status.add(row as usize) = status::FAILED;
        (host(cx), call_context(cx))
    };
    let error = host.error_at(call, row, site);
    host.errors.push(error);
}

unsafe extern "C" fn fail_output(cx: *mut KernelContext, row: u64, site: u64, output: u64) {
    // SAFETY: called by a kernel with its own context.
    let (host, call) = unsafe { (host(cx), call_context(cx)) };
    let error = host.error_at(call, row, site);
    host.output_errors.push((output as u32, error));
}

unsafe extern "C" fn dedup_key(cx: *mut KernelContext, row: u64, slots: *const Slot) {
    // SAFETY: called by a kernel with its own context and two slots: a key of the type that the manifest states, and a datetime.
    unsafe {
        let (key, time, host) = (&*slots, &*slots.add(1), host(cx));
        if key.valid != 0 {
            let key =
                if host.dedup_key_is_word { DedupKey::of_word(key.w0) } else { DedupKey::of_bytes(bytes_of(key)) };
            let time_us = (time.valid != 0).then_some(time.w0 as i64);
            host.dedup_keys.push(ReportedKey { row: row as u32, key, time_us });
        }
    }
}

unsafe extern "C" fn emit(cx: *mut KernelContext, output: u64, out_row: u64, slot: *const Slot) {
    // SAFETY: called by a kernel with its own context and a slot of the output's type.
    unsafe { host(cx).outputs[output as usize].emit(out_row as usize, &*slot) }
}

unsafe extern "C" fn view(cx: *mut KernelContext, address: u64, size_bytes: u64, view: *mut u128) {
    // SAFETY: called by a kernel with a text that is alive and room for a view.
    unsafe {
        let text = std::slice::from_raw_parts(address as *const u8, size_bytes as usize);
        view.write_unaligned(host(cx).texts.view(text));
    }
}

unsafe extern "C" fn decode_json(
    cx: *mut KernelContext,
    plan: u64,
    slot: *const Slot,
    ret: *mut Slot,
    _site: u64,
) -> u64 {
    // SAFETY: called by a kernel with its own context, a text slot and room for the answer.
    unsafe {
        let decoder = &mut host(cx).decoders[plan as usize];
        match decoder.decode_one(bytes_of(&*slot)) {
            Ok(row) => {
                let column: *const ColumnView = decoder.columns().view(0);
                *ret = Slot { w0: column as u64, w1: row as u64, w2: 0, valid: 1 };
                answer::OK
            }
            Err(error) => {
                call_context(cx).set_error(FunctionError::from(error.to_string()));
                answer::FAIL
            }
        }
    }
}

unsafe extern "C" fn compare_bytes(a: u64, a_bytes: u64, b: u64, b_bytes: u64) -> i64 {
    // SAFETY: called by a kernel with two texts that are alive.
    let (a, b) = unsafe {
        (
            bytes_of(&Slot { w0: a, w1: a_bytes, w2: 0, valid: 1 }),
            bytes_of(&Slot { w0: b, w1: b_bytes, w2: 0, valid: 1 }),
        )
    };
    a.cmp(b) as i64
}

unsafe extern "C" fn equal(cx: *mut KernelContext, ty: u64, a: *const Slot, b: *const Slot) -> u64 {
    // SAFETY: called by a kernel with two slots of the manifest's type.
    unsafe { u64::from(slots_equal(&host(cx).types[ty as usize], &*a, &*b)) }
}

unsafe extern "C" fn map_get(cx: *mut KernelContext, ty: u64, map: *const Slot, key: *const Slot, ret: *mut Slot) {
    // SAFETY: called by a kernel with a map of the manifest's type and a key of its keys' type.
    unsafe {
        let Kind::Map(key_type, value_type) = &host(cx).types[ty as usize].kind else { unreachable!("a map type") };
        let column = &*((*map).w0 as *const ColumnView);
        let entries = (*map).w1 as usize..((*map).w1 + (*map).w2) as usize;
        let (keys, values) = (&*column.children, &*column.children.add(1));
        let found = entries.rev().find(|&entry| slots_equal(key_type, &slot_at(keys, key_type, entry), &*key));
        *ret = match found {
            Some(entry) => slot_at(values, value_type, entry),
            None => Slot { w0: 0, w1: 0, w2: 0, valid: 0 },
        };
    }
}

unsafe extern "C" fn list(cx: *mut KernelContext, ty: u64, items: *const Slot, count: u64, ret: *mut Slot) {
    // SAFETY: called by a kernel with `count` slots of the item type of the manifest's list type.
    unsafe {
        let items = if count == 0 { &[] } else { std::slice::from_raw_parts(items, count as usize) };
        *ret = host(cx).make_list(call_context(cx), ty as usize, items);
    }
}

unsafe extern "C" fn concat(cx: *mut KernelContext, ty: u64, a: *const Slot, b: *const Slot, ret: *mut Slot) {
    // SAFETY: called by a kernel with two slots of the manifest's type.
    unsafe {
        let (a, b) = (&*a, &*b);
        if let Kind::List(item) = &host(cx).types[ty as usize].kind {
            let item = item.clone();
            let items = [a, b].into_iter().flat_map(|list| {
                let column = &*(list.w0 as *const ColumnView);
                let item = &item;
                (list.w1..list.w1 + list.w2).map(move |row| slot_at(column, item, row as usize))
            });
            let items: Vec<Slot> = items.collect();
            *ret = host(cx).make_list(call_context(cx), ty as usize, &items);
        } else {
            let (a, b) = (bytes_of(a), bytes_of(b));
            let joined = call_context(cx).arena.alloc(a.len() + b.len());
            joined[..a.len()].copy_from_slice(a);
            joined[a.len()..].copy_from_slice(b);
            *ret = bytes_slot(joined);
        }
    }
}

unsafe extern "C" fn slice_text(_cx: *mut KernelContext, text: *const Slot, start: i64, end: i64, ret: *mut Slot) {
    // SAFETY: called by a kernel with a text slot and room for the answer; text is UTF-8.
    unsafe {
        *ret = bytes_slot(slice_code_points(std::str::from_utf8_unchecked(bytes_of(&*text)), start, end).as_bytes())
    }
}

/// Code points `start..end`, as Python slices.
fn slice_code_points(text: &str, start: i64, end: i64) -> &str {
    if text.is_ascii() {
        let size = text.len() as i64;
        let (start, end) = (bound(start, size), bound(end, size));
        return if start < end { &text[start as usize..end as usize] } else { "" };
    }
    let size = text.chars().count() as i64;
    let (start, end) = (bound(start, size), bound(end, size));
    if start >= end {
        return "";
    }
    let byte_of = |position: i64| text.char_indices().nth(position as usize).map_or(text.len(), |(byte, _)| byte);
    &text[byte_of(start)..byte_of(end)]
}

/// A position moved into `0..=size`; negative ones count from the end.
fn bound(position: i64, size: i64) -> i64 {
    if position < 0 { (position + size).max(0) } else { position.min(size) }
}

extern "C" fn float_rem(a: u64, b: u64) -> u64 {
    (f64::from_bits(a) % f64::from_bits(b)).to_bits()
}

extern "C" fn float_pow(a: u64, b: u64) -> u64 {
    f64::from_bits(a).powf(f64::from_bits(b)).to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_helper_has_an_address() {
        for import in runtime_helpers::ALL {
            assert!(address_of(import).is_some(), "{import}");
        }
    }

    #[test]
    fn slices_follow_python() {
        for (text, start, end, expected) in [
            ("hello", 1, -1, "ell"),
            ("hello", -3, i64::MAX, "llo"),
            ("hello", 4, 2, ""),
            ("hello", -99, 99, "hello"),
            ("héé😀", 1, 3, "éé"),
            ("héé😀", -1, i64::MAX, "😀"),
            ("", 0, i64::MAX, ""),
        ] {
            assert_eq!(slice_code_points(text, start, end), expected, "{text:?}[{start}..{end}]");
        }
    }
}
