//! Lists that kernels make: literals, and joins of two lists.
//!
//! Whatever was read out of a list (a text is an address) must stay where it is for the whole row, while other lists are made. So
//! items of one word or text go to the library's arena of lists, which never moves, and every list of lists, maps or
//! messages gets a column of its own.
//!
//! This file must not know kernels.

use chalk_artifact::abi::Slot;
use chalk_catalog::lists::Layout;
use chalk_catalog::{CallContext, ColumnBuilder, ColumnViews};
use chalk_types::{Kind, Type};

/// Lists of items that have parts, kept for the batch: each list is a column.
#[derive(Default)]
pub(crate) struct NestedLists(Vec<(ColumnBuilder, Box<ColumnViews>)>);

impl NestedLists {
    /// Forgets all lists.
    pub(crate) fn reset(&mut self) {
        self.0.clear();
    }

    /// The list of these items.
    ///
    /// # Safety
    /// The slots hold values of the item type, alive until the call ends.
    pub(crate) unsafe fn make(&mut self, call: &CallContext, item: &Type, items: &[Slot]) -> Slot {
        let Some(layout) = layout_of(&item.kind) else {
            let mut column = ColumnBuilder::new(item);
            for slot in items {
                // SAFETY: the caller's promise; the column is new, so no slot points into it.
                unsafe { column.push_slot(slot) };
            }
            let views = Box::new(column.views());
            let address = views.root() as *const _ as u64;
            self.0.push((column, views));
            return Slot { w0: address, w1: 0, w2: items.len() as u64, valid: 1 };
        };
        let mut list = call.lists.alloc(layout, items.len(), &call.arena);
        if layout == Layout::Views {
            list.set_texts(items.iter().map(|slot| {
                // SAFETY: the caller's promise.
                (slot.valid != 0).then(|| unsafe { text_of(slot) })
            }));
            return list.slot();
        }
        for (index, slot) in items.iter().enumerate().filter(|(_, slot)| slot.valid != 0) {
            match layout {
                Layout::Bits => list.set_bit(index, slot.w0 != 0),
                Layout::Fixed(4) if item.kind == Kind::Float32 => {
                    list.set_bytes(index, (f64::from_bits(slot.w0) as f32).to_ne_bytes());
                }
                Layout::Fixed(1) => list.set_bytes(index, (slot.w0 as u8).to_ne_bytes()),
                Layout::Fixed(2) => list.set_bytes(index, (slot.w0 as u16).to_ne_bytes()),
                Layout::Fixed(4) => list.set_bytes(index, (slot.w0 as u32).to_ne_bytes()),
                Layout::Fixed(8) => list.set_bytes(index, slot.w0.to_ne_bytes()),
                _ => list.set_bytes(index, (u128::from(slot.w1) << 64 | u128::from(slot.w0)).to_ne_bytes()),
            }
        }
        list.slot()
    }
}

/// How items lie in memory; none of those that have parts.
fn layout_of(kind: &Kind) -> Option<Layout> {
    match kind {
        Kind::Bool => Some(Layout::Bits),
        Kind::Int(width) => Some(Layout::Fixed(width.size_bytes())),
        Kind::Float32 | Kind::Date | Kind::Enum(_) => Some(Layout::Fixed(4)),
        Kind::Float64 | Kind::Datetime | Kind::Time | Kind::Duration => Some(Layout::Fixed(8)),
        Kind::Decimal { .. } => Some(Layout::Fixed(16)),
        Kind::String | Kind::Bytes => Some(Layout::Views),
        Kind::Null | Kind::List(_) | Kind::Vector(..) | Kind::Map(..) | Kind::Struct(_) => None,
    }
}

/// # Safety
/// The slot holds text or bytes, alive for `'a`.
unsafe fn text_of<'a>(slot: &Slot) -> &'a [u8] {
    if slot.w1 == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(slot.w0 as *const u8, slot.w1 as usize) }
}
