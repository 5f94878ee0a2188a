//! The memory that generated code and runtime share, and the calls between them.
//!
//! One list (`abi_structs!`) makes the `repr(C)` structs, the byte offsets that generated code uses and the text that
//! the fingerprint hashes, so that they cannot drift apart. An artifact carries the fingerprint of the list it was
//! compiled against; a runtime with another one refuses it.
//!
//! This file must not know what is computed.

/// Declares the shared structs: `name { field: type, … }`, every field 8 bytes wide.
macro_rules! abi_structs {
    ($($(#[$struct_doc:meta])* $name:ident / $offsets:ident { $($(#[$field_doc:meta])* $field:ident : $ty:ty),* $(,)? })*) => {
        $(
            $(#[$struct_doc])*
            #[repr(C)]
            #[derive(Clone, Copy, Debug)]
            pub struct $name { $($(#[$field_doc])* pub $field: $ty),* }

            /// Byte offsets of the fields, for generated code.
            #[allow(non_upper_case_globals, missing_docs)]
            pub mod $offsets {
                $(pub const $field: i32 = std::mem::offset_of!(super::$name, $field) as i32;)*
                /// Size of the struct in bytes.
                pub const SIZE_BYTES: usize = std::mem::size_of::<super::$name>();
            }
        )*
        /// The list as text: what the fingerprint hashes.
        const ABI_TEXT: &str = concat!($(stringify!($name), "{", $(stringify!($field), ":", stringify!($ty), ",",)* "}"),*);
    };
}

abi_structs! {
    /// One column as kernels see it. Buffers have Arrow's layout, without an offset (row 0 is the first bit, the first value).
    /// What lies under a null is memory that may be read, and a view there is a valid one (zeros will do):
    ///
    /// | kind | `data` | `children` |
    /// |---|---|---|
    /// | bool | bitmap, least significant bit first | – |
    /// | integers, floats, date (i32), datetime, time, duration (i64) | values | – |
    /// | decimal | i128 values | – |
    /// | string, bytes | Arrow views of 16 bytes; long ones point into `buffers` | – |
    /// | enum | i32 variant indexes | – |
    /// | list | i64 offsets, one more than rows | the items |
    /// | vector of n | – | the items, n per row |
    /// | map | i64 offsets, one more than rows | keys, values |
    /// | struct | – | the fields |
    ColumnView / column_view {
        /// The values; its meaning depends on the kind (table above).
        data: *const u8,
        /// Bitmap, bit set = not null; null pointer where no value is null.
        validity: *const u8,
        /// Start addresses of the data buffers that views point into.
        buffers: *const *const u8,
        /// Child columns.
        children: *const ColumnView,
        /// Rows.
        len: u64,
    }

    /// Where a kernel writes one output. Rows are dense: row `n` of every output is the `n`-th applied message.
    /// List, map, vector and struct outputs are written by the helper `rt.emit` instead.
    OutputView / output_view {
        /// Values as in `ColumnView`, except that a bool is one byte.
        data: *mut u8,
        /// One byte per row, 1 = not null; a null pointer where the output is never null.
        validity: *mut u8,
    }

    /// The argument of every kernel.
    KernelContext / kernel_context {
        /// Rows of every input.
        row_count: u64,
        /// Written by the kernel: rows of every output.
        out_count: u64,
        /// One `ColumnView` per input of the kernel, in the order of its manifest.
        inputs: *const ColumnView,
        /// One `OutputView` per output.
        outputs: *const OutputView,
        /// One `status` byte per row; rows that are not `LIVE` are left alone.
        status: *mut u8,
        /// Written by the kernel: for each output row the input row it came from (u32).
        row_index: *mut u32,
        /// Addresses of the imported helpers, in the order of the manifest's imports.
        helpers: *const *const u8,
        /// The artifact's literal bytes.
        literals: *const u8,
        /// `chalk_catalog::CallContext`: arena, memo and error text of library functions.
        call: *mut u8,
        /// The engine's own state, for `rt.*` helpers.
        engine: *mut u8,
    }

    /// A value in passing between a kernel and a helper:
    ///
    /// | kind | `w0` | `w1` | `w2` |
    /// |---|---|---|---|
    /// | bool | 0 or 1 | | |
    /// | integers, date, datetime, time, duration, enum | sign- or zero-extended to 64 bits | | |
    /// | floats | bits of the f64 (a float32 is widened) | | |
    /// | decimal | low half | high half | |
    /// | string, bytes | address | length in bytes | |
    /// | list, vector | `*const ColumnView` of the items | first item | items |
    /// | map | `*const ColumnView` of the map column | first entry | entries |
    /// | struct | `*const ColumnView` of the struct column | row | |
    ///
    /// Where `valid` is 0 the words mean nothing.
    Slot / slot {
        /// First word.
        w0: u64,
        /// Second word.
        w1: u64,
        /// Third word.
        w2: u64,
        /// 1 = a value, 0 = null.
        valid: u64,
    }
}

/// A kernel: runs over all rows of its context. Never unwinds.
pub type KernelFn = unsafe extern "C" fn(*mut KernelContext);

/// A library function: `args` has one slot per parameter (a variadic one gets a list), `ret` is written when the answer is
/// `OK`. `site` names the call in the artifact, for memos (compiled patterns) and errors. Never unwinds.
pub type ScalarShim = unsafe extern "C" fn(cx: *mut KernelContext, args: *const Slot, ret: *mut Slot, site: u64) -> u64;

/// Answers of a `ScalarShim`.
pub mod answer {
    /// `ret` holds the value, or null by its `valid`.
    pub const OK: u64 = 0;
    /// The message fails; the reason lies in the call context.
    pub const FAIL: u64 = 1;
}

/// Values of a status byte.
pub mod status {
    /// Not decided yet.
    pub const LIVE: u8 = 0;
    /// Computed; its outputs are written.
    pub const APPLIED: u8 = 1;
    /// A `where` did not keep it.
    pub const FILTERED: u8 = 2;
    /// `parse` gave `none`.
    pub const SKIPPED: u8 = 3;
    /// It failed: a dead letter.
    pub const FAILED: u8 = 4;
    /// Later than the source's deadline.
    pub const LATE: u8 = 5;
    /// Seen before.
    pub const DUPLICATE: u8 = 6;
}

/// The helpers that the engine itself gives to kernels: name and signature, imported like library functions.
/// `cx` is `*mut KernelContext`; every parameter is 64 bits wide.
pub mod runtime_helpers {
    /// `(cx, row, site)`: the row failed at that site; the detail, if any, lies in the call context.
    pub const FAIL: &str = "rt.fail(cx, row, site)";
    /// `(cx, output, out_row, slot)`: appends the slot to a nested output as row `out_row`, replacing what a failed row left there.
    pub const EMIT: &str = "rt.emit(cx, output, out_row, slot)";
    /// `(cx, address, size_bytes, view)`: writes the 16-byte view of a text of any length; one longer than 12 bytes is copied to the arena where it is not in a known buffer.
    pub const VIEW: &str = "rt.view(cx, address, size_bytes, view)";
    /// `(cx, plan, slot, ret, site) -> answer`: decodes a JSON text (slot: string or bytes) by the manifest's decode plan into a struct handle.
    pub const DECODE_JSON: &str = "rt.decode_json(cx, plan, slot, ret, site) -> answer";
    /// `(address_a, size_a, address_b, size_b) -> -1 | 0 | 1` by bytes.
    pub const COMPARE_BYTES: &str = "rt.compare_bytes(a, a_bytes, b, b_bytes) -> order";
    /// `(cx, type, slot_a, slot_b) -> 0 | 1`: null-safe equality of two nested values of the manifest's type.
    pub const EQUAL: &str = "rt.equal(cx, type, a, b) -> bool";
    /// `(cx, type, map, key, ret)`: the value of a key in a map of the manifest's type (the last entry with that key), null where there is none.
    pub const MAP_GET: &str = "rt.map_get(cx, type, map, key, ret)";
    /// `(cx, type, items, count, ret)`: a list of the manifest's list type with these items (`count` slots in a row), in the arena.
    pub const LIST: &str = "rt.list(cx, type, items, count, ret)";
    /// `(cx, type, a, b, ret)`: two strings, bytes or lists of the manifest's type joined, in the arena.
    pub const CONCAT: &str = "rt.concat(cx, type, a, b, ret)";
    /// `(cx, text, start, end, ret)`: code points `start..end` of a string, ends as in Python: negative ones count from the
    /// end, those out of range are moved into it; an end left out is 0 or `i64::MAX`. The result points into the text.
    pub const SLICE_TEXT: &str = "rt.slice_text(cx, text, start, end, ret)";
    /// `(cx, row, slots)`: the message's `dedup` key and its event time (a `datetime?`), two slots, reported when it is admitted (by `where`, `parse`, its
    /// time), before its expressions are computed.
    pub const DEDUP_KEY: &str = "rt.dedup_key(cx, row, key_and_time)";
    /// `(cx, row, site, output)`: what an output stands for failed at that site, the row goes on; the detail, if any, lies in the call context.
    pub const FAIL_OUTPUT: &str = "rt.fail_output(cx, row, site, output)";
    /// `(a, b) -> bits`: the remainder of two f64 given as bits, with the sign of the dividend (C `fmod`, Rust `%`).
    pub const FLOAT_REM: &str = "rt.float_rem(a, b) -> float";
    /// `(a, b) -> bits`: `powf` of two f64 given as bits.
    pub const FLOAT_POW: &str = "rt.float_pow(a, b) -> float";
    /// All of them.
    pub const ALL: [&str; 14] = [
        FAIL,
        FAIL_OUTPUT,
        EMIT,
        VIEW,
        DECODE_JSON,
        COMPARE_BYTES,
        EQUAL,
        MAP_GET,
        LIST,
        CONCAT,
        SLICE_TEXT,
        DEDUP_KEY,
        FLOAT_REM,
        FLOAT_POW,
    ];
}

/// Version of the meaning of the structs; raise it when a field keeps its name but changes its sense.
pub const ABI_VERSION: u32 = 1;

/// What an artifact and a runtime must agree on: a hash over the list of structs and the version.
pub fn fingerprint() -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(ABI_TEXT.as_bytes(), u64::from(ABI_VERSION))
}

/// The fingerprint of an imported helper: its name with its signature.
pub fn import_fingerprint(signature: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(signature.as_bytes(), u64::from(ABI_VERSION))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_eight_bytes_wide() {
        assert_eq!(column_view::SIZE_BYTES, 5 * 8);
        assert_eq!(output_view::SIZE_BYTES, 2 * 8);
        assert_eq!(kernel_context::SIZE_BYTES, 10 * 8);
        assert_eq!(slot::SIZE_BYTES, 4 * 8);
        assert_eq!(kernel_context::engine, 72);
    }
}
