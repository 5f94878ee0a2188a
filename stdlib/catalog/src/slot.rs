//! Slots and Rust types: what a typed function body takes and gives.
//!
//! A body is an ordinary Rust function over `&str`, `i64`, `Datetime`, `ListRef<&str>` and so on; this file is the only
//! place that knows how each of them lies in a slot and in a column. Each type names its Chalk type, and a test
//! compares these names with the signature.
//!
//! This file must not know any function.

use std::marker::PhantomData;

use chalk_artifact::abi::{ColumnView, Slot};

use crate::column::{bit_at, text_at};
use crate::context::{CallContext, FunctionError};
use crate::lists::{Layout, NewList};

/// `datetime`: microseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Datetime(pub i64);
/// `date`: days since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(pub i32);
/// `time`: microseconds since midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);
/// `duration`: microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(pub i64);
/// A decimal of any scale, unscaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(pub i128);

/// The null slot.
pub const NULL_SLOT: Slot = Slot { w0: 0, w1: 0, w2: 0, valid: 0 };

fn word(w0: u64) -> Slot {
    Slot { w0, w1: 0, w2: 0, valid: 1 }
}

/// A type that a body takes.
pub trait FromSlot<'a>: Sized {
    /// The Chalk type.
    fn chalk_type() -> String;

    /// Reads a slot.
    ///
    /// # Safety
    /// The slot holds a value of this type that lives for `'a`; only `Option` may get a null.
    unsafe fn from_slot(slot: &'a Slot) -> Self;
}

/// A type that a body gives.
pub trait IntoSlot {
    /// The Chalk type.
    fn chalk_type() -> String;

    /// Writes the value to a slot; what it points to lives in the context or in the arguments.
    fn into_slot(self, cx: &CallContext) -> Slot;
}

/// What a body returns: a value, or a value or a failure.
pub trait IntoAnswer {
    /// The Chalk type of the value.
    fn chalk_type() -> String;

    /// The slot, or the reason.
    fn into_answer(self, cx: &CallContext) -> Result<Slot, FunctionError>;
}

impl<T: IntoSlot> IntoAnswer for T {
    fn chalk_type() -> String {
        T::chalk_type()
    }

    fn into_answer(self, cx: &CallContext) -> Result<Slot, FunctionError> {
        Ok(self.into_slot(cx))
    }
}

impl<T: IntoSlot> IntoAnswer for Result<T, FunctionError> {
    fn chalk_type() -> String {
        T::chalk_type()
    }

    fn into_answer(self, cx: &CallContext) -> Result<Slot, FunctionError> {
        self.map(|value| value.into_slot(cx))
    }
}

/// A type that may stand in a list.
pub trait Item<'a>: Copy + 'a {
    /// The Chalk type of an item.
    const CHALK: &'static str;
    /// How items lie in a column.
    const LAYOUT: Layout;

    /// Reads an item that is not null.
    ///
    /// # Safety
    /// The column holds items of this type, the row is in range, and what the column points to lives for `'a`.
    unsafe fn read(view: &'a ColumnView, row: usize) -> Self;

    /// Writes items to a new list of this layout.
    fn write(items: &[Option<Self>], list: &mut NewList);
}

/// Implements the traits for a type whose slot is one word and whose items have a fixed width.
macro_rules! word_types {
    ($($ty:ty, $chalk:literal, $stored:ty, |$from:ident| $read:expr, |$to:ident| $write:expr;)*) => { $(
        impl<'a> FromSlot<'a> for $ty {
            fn chalk_type() -> String { $chalk.to_owned() }
            unsafe fn from_slot(slot: &'a Slot) -> Self { let $from = slot.w0 as $stored; $read }
        }
        impl IntoSlot for $ty {
            fn chalk_type() -> String { $chalk.to_owned() }
            fn into_slot(self, _: &CallContext) -> Slot { let $to = self; let stored: $stored = $write; word(stored as i64 as u64) }
        }
        impl<'a> Item<'a> for $ty {
            const CHALK: &'static str = $chalk;
            const LAYOUT: Layout = Layout::Fixed(size_of::<$stored>());
            unsafe fn read(view: &'a ColumnView, row: usize) -> Self {
                // SAFETY: the caller vouches for type and range.
                let $from = unsafe { view.data.cast::<$stored>().add(row).read() };
                $read
            }
            fn write(items: &[Option<Self>], list: &mut NewList) {
                for (index, item) in items.iter().enumerate() {
                    if let Some($to) = *item {
                        let stored: $stored = $write;
                        list.set_bytes(index, stored.to_ne_bytes());
                    }
                }
            }
        }
    )* };
}

word_types! {
    i64, "int", i64, |w| w, |v| v;
    i32, "int32", i32, |w| w, |v| v;
    i16, "int16", i16, |w| w, |v| v;
    i8, "int8", i8, |w| w, |v| v;
    u32, "uint32", u32, |w| w, |v| v;
    u16, "uint16", u16, |w| w, |v| v;
    u8, "uint8", u8, |w| w, |v| v;
    u64, "uint64", u64, |w| w, |v| v;
    Datetime, "datetime", i64, |w| Datetime(w), |v| v.0;
    Date, "date", i32, |w| Date(w), |v| v.0;
    Time, "time", i64, |w| Time(w), |v| v.0;
    Duration, "duration", i64, |w| Duration(w), |v| v.0;
}

/// Floats: a slot holds the bits of the f64, a column those of the stored width.
macro_rules! float_types {
    ($($ty:ty, $chalk:literal;)*) => { $(
        impl<'a> FromSlot<'a> for $ty {
            fn chalk_type() -> String { $chalk.to_owned() }
            unsafe fn from_slot(slot: &'a Slot) -> Self { f64::from_bits(slot.w0) as $ty }
        }
        impl IntoSlot for $ty {
            fn chalk_type() -> String { $chalk.to_owned() }
            fn into_slot(self, _: &CallContext) -> Slot { word(f64::from(self).to_bits()) }
        }
        impl<'a> Item<'a> for $ty {
            const CHALK: &'static str = $chalk;
            const LAYOUT: Layout = Layout::Fixed(size_of::<$ty>());
            unsafe fn read(view: &'a ColumnView, row: usize) -> Self {
                // SAFETY: the caller vouches for type and range.
                unsafe { view.data.cast::<$ty>().add(row).read() }
            }
            fn write(items: &[Option<Self>], list: &mut NewList) {
                for (index, item) in items.iter().enumerate() {
                    if let Some(value) = item {
                        list.set_bytes(index, value.to_ne_bytes());
                    }
                }
            }
        }
    )* };
}

float_types! {
    f64, "float";
    f32, "float32";
}

impl<'a> FromSlot<'a> for bool {
    fn chalk_type() -> String {
        "bool".to_owned()
    }

    unsafe fn from_slot(slot: &'a Slot) -> Self {
        slot.w0 & 1 != 0
    }
}

impl IntoSlot for bool {
    fn chalk_type() -> String {
        "bool".to_owned()
    }

    fn into_slot(self, _: &CallContext) -> Slot {
        word(u64::from(self))
    }
}

impl<'a> Item<'a> for bool {
    const CHALK: &'static str = "bool";
    const LAYOUT: Layout = Layout::Bits;

    unsafe fn read(view: &'a ColumnView, row: usize) -> Self {
        // SAFETY: the caller vouches for type and range.
        unsafe { bit_at(view.data, row) }
    }

    fn write(items: &[Option<Self>], list: &mut NewList) {
        for (index, item) in items.iter().enumerate() {
            if let Some(value) = item {
                list.set_bit(index, *value);
            }
        }
    }
}

impl<'a> FromSlot<'a> for Decimal {
    fn chalk_type() -> String {
        "decimal".to_owned()
    }

    unsafe fn from_slot(slot: &'a Slot) -> Self {
        Decimal((u128::from(slot.w1) << 64 | u128::from(slot.w0)) as i128)
    }
}

impl IntoSlot for Decimal {
    fn chalk_type() -> String {
        "decimal".to_owned()
    }

    fn into_slot(self, _: &CallContext) -> Slot {
        Slot { w0: self.0 as u64, w1: (self.0 >> 64) as u64, w2: 0, valid: 1 }
    }
}

/// The bytes of a text or bytes slot.
///
/// # Safety
/// The slot holds a text or bytes that live for `'a`.
pub(crate) unsafe fn slot_bytes<'a>(slot: &Slot) -> &'a [u8] {
    if slot.w1 == 0 {
        return &[];
    }
    // SAFETY: the caller vouches for address and length.
    unsafe { std::slice::from_raw_parts(slot.w0 as *const u8, slot.w1 as usize) }
}

pub(crate) fn bytes_slot(bytes: &[u8]) -> Slot {
    Slot { w0: bytes.as_ptr() as u64, w1: bytes.len() as u64, w2: 0, valid: 1 }
}

impl<'a> FromSlot<'a> for &'a [u8] {
    fn chalk_type() -> String {
        "bytes".to_owned()
    }

    unsafe fn from_slot(slot: &'a Slot) -> Self {
        // SAFETY: the caller vouches for the slot.
        unsafe { slot_bytes(slot) }
    }
}

impl<'a> FromSlot<'a> for &'a str {
    fn chalk_type() -> String {
        "string".to_owned()
    }

    unsafe fn from_slot(slot: &'a Slot) -> Self {
        // SAFETY: the caller vouches for the slot; every `string` was validated where it entered.
        unsafe { std::str::from_utf8_unchecked(slot_bytes(slot)) }
    }
}

/// Borrowed from an argument, from the context's arena, or static: no copy.
impl IntoSlot for &str {
    fn chalk_type() -> String {
        "string".to_owned()
    }

    fn into_slot(self, _: &CallContext) -> Slot {
        bytes_slot(self.as_bytes())
    }
}

impl IntoSlot for &[u8] {
    fn chalk_type() -> String {
        "bytes".to_owned()
    }

    fn into_slot(self, _: &CallContext) -> Slot {
        bytes_slot(self)
    }
}

impl IntoSlot for String {
    fn chalk_type() -> String {
        "string".to_owned()
    }

    fn into_slot(self, cx: &CallContext) -> Slot {
        bytes_slot(cx.arena.copy(self.as_bytes()))
    }
}

impl IntoSlot for Vec<u8> {
    fn chalk_type() -> String {
        "bytes".to_owned()
    }

    fn into_slot(self, cx: &CallContext) -> Slot {
        bytes_slot(cx.arena.copy(&self))
    }
}

impl<'a> Item<'a> for &'a [u8] {
    const CHALK: &'static str = "bytes";
    const LAYOUT: Layout = Layout::Views;

    unsafe fn read(view: &'a ColumnView, row: usize) -> Self {
        // SAFETY: the caller vouches for type and range.
        unsafe { text_at(view, row) }
    }

    fn write(items: &[Option<Self>], list: &mut NewList) {
        list.set_texts(items.iter().copied());
    }
}

impl<'a> Item<'a> for &'a str {
    const CHALK: &'static str = "string";
    const LAYOUT: Layout = Layout::Views;

    unsafe fn read(view: &'a ColumnView, row: usize) -> Self {
        // SAFETY: the caller vouches for type and range; every `string` was validated where it entered.
        unsafe { std::str::from_utf8_unchecked(text_at(view, row)) }
    }

    fn write(items: &[Option<Self>], list: &mut NewList) {
        list.set_texts(items.iter().map(|item| item.map(str::as_bytes)));
    }
}

impl<'a, T: FromSlot<'a>> FromSlot<'a> for Option<T> {
    fn chalk_type() -> String {
        T::chalk_type() + "?"
    }

    unsafe fn from_slot(slot: &'a Slot) -> Self {
        // SAFETY: the caller vouches for the slot, which is not null here.
        if slot.valid != 0 { Some(unsafe { T::from_slot(slot) }) } else { None }
    }
}

impl<T: IntoSlot> IntoSlot for Option<T> {
    fn chalk_type() -> String {
        T::chalk_type() + "?"
    }

    fn into_slot(self, cx: &CallContext) -> Slot {
        self.map_or(NULL_SLOT, |value| value.into_slot(cx))
    }
}

/// A list argument whose items have a known type; they may be null.
#[derive(Clone, Copy, Debug)]
pub struct ListRef<'a, T> {
    view: &'a ColumnView,
    first: usize,
    len: usize,
    item: PhantomData<T>,
}

/// What an empty list points at.
static EMPTY_COLUMN: SharedColumn = SharedColumn(ColumnView {
    data: std::ptr::null(),
    validity: std::ptr::null(),
    buffers: std::ptr::null(),
    children: std::ptr::null(),
    len: 0,
});

struct SharedColumn(ColumnView);

// SAFETY: it has no buffers.
unsafe impl Sync for SharedColumn {}

impl<'a, T: Item<'a>> ListRef<'a, T> {
    /// Items.
    pub fn len(self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The item at that position; none where it is null or past the end.
    pub fn get(self, index: usize) -> Option<T> {
        if index >= self.len {
            return None;
        }
        let row = self.first + index;
        // SAFETY: `from_slot` was promised a list of such items in that range.
        unsafe {
            if !self.view.validity.is_null() && !bit_at(self.view.validity, row) {
                return None;
            }
            Some(T::read(self.view, row))
        }
    }

    /// The items in order.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = Option<T>> + ExactSizeIterator + Clone {
        (0..self.len).map(move |index| self.get(index))
    }

    /// The items that are not null.
    pub fn values(self) -> impl DoubleEndedIterator<Item = T> + Clone {
        self.iter().flatten()
    }
}

impl<'a, T: Item<'a>> FromSlot<'a> for ListRef<'a, T> {
    fn chalk_type() -> String {
        format!("[{}?]", T::CHALK)
    }

    unsafe fn from_slot(slot: &'a Slot) -> Self {
        let view = if slot.w2 == 0 {
            &EMPTY_COLUMN.0
        } else {
            // SAFETY: the caller vouches for the slot.
            unsafe { &*(slot.w0 as *const ColumnView) }
        };
        ListRef { view, first: slot.w1 as usize, len: slot.w2 as usize, item: PhantomData }
    }
}

impl<'a, T: Item<'a>> IntoSlot for Vec<Option<T>> {
    fn chalk_type() -> String {
        format!("[{}?]", T::CHALK)
    }

    fn into_slot(self, cx: &CallContext) -> Slot {
        let mut list = cx.lists.alloc(T::LAYOUT, self.len(), &cx.arena);
        T::write(&self, &mut list);
        list.slot()
    }
}

/// A list result without nulls.
#[derive(Clone, Debug, PartialEq)]
pub struct Items<T>(pub Vec<T>);

impl<'a, T: Item<'a>> IntoSlot for Items<T> {
    fn chalk_type() -> String {
        format!("[{}]", T::CHALK)
    }

    fn into_slot(self, cx: &CallContext) -> Slot {
        self.0.into_iter().map(Some).collect::<Vec<Option<T>>>().into_slot(cx)
    }
}

/// A list of any type, as a whole.
#[derive(Clone, Copy, Debug)]
pub struct AnyList(Slot);

impl AnyList {
    /// Items.
    pub fn len(self) -> usize {
        self.0.w2 as usize
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The items from `start` to before `end`, without a copy; bounds past the end are moved to it.
    pub fn slice(self, start: usize, end: usize) -> AnyList {
        let end = end.min(self.len());
        let start = start.min(end);
        AnyList(Slot { w1: self.0.w1 + start as u64, w2: (end - start) as u64, ..self.0 })
    }
}

impl<'a> FromSlot<'a> for AnyList {
    fn chalk_type() -> String {
        "[_]".to_owned()
    }

    unsafe fn from_slot(slot: &'a Slot) -> Self {
        AnyList(*slot)
    }
}

impl IntoSlot for AnyList {
    fn chalk_type() -> String {
        "[_]".to_owned()
    }

    fn into_slot(self, _: &CallContext) -> Slot {
        self.0
    }
}

/// A map of any type, as a whole.
#[derive(Clone, Copy, Debug)]
pub struct AnyMap(Slot);

impl AnyMap {
    /// Entries.
    pub fn len(self) -> usize {
        self.0.w2 as usize
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The keys or the values as a list, without a copy.
    fn child(self, index: usize) -> AnyList {
        if self.is_empty() {
            return AnyList(Slot { w0: (&raw const EMPTY_COLUMN.0) as u64, w1: 0, w2: 0, valid: 1 });
        }
        // SAFETY: the slot of a map that is not empty points at a map column, which has two children.
        let child = unsafe { (*(self.0.w0 as *const ColumnView)).children.add(index) };
        AnyList(Slot { w0: child as u64, ..self.0 })
    }

    /// The keys.
    pub fn keys(self) -> AnyList {
        self.child(0)
    }

    /// The values.
    pub fn values(self) -> AnyList {
        self.child(1)
    }
}

impl<'a> FromSlot<'a> for AnyMap {
    fn chalk_type() -> String {
        "map<_,_>".to_owned()
    }

    unsafe fn from_slot(slot: &'a Slot) -> Self {
        AnyMap(*slot)
    }
}

/// Checks that a Rust type's Chalk type is the signature's; `_` stands for any type.
pub fn same_chalk_type(rust: &str, signature: &str) -> bool {
    fn matches(rust: &[u8], signature: &[u8]) -> bool {
        match rust.split_first() {
            None => signature.is_empty(),
            Some((b'_', rest)) => (1..=signature.len()).any(|end| matches(rest, &signature[end..])),
            Some((first, rest)) => signature.first() == Some(first) && matches(rest, &signature[1..]),
        }
    }
    let signature: Vec<u8> = signature.bytes().filter(|byte| *byte != b' ').collect();
    matches(rust.as_bytes(), &signature)
}
