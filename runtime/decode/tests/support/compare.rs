//! Whether two decoders gave the same columns, bit for bit: validity, values (those of nulls, too), where lists end, and
//! texts, wherever each decoder has put them.

use chalk_decode::{ColumnRef, DecodedColumns};
use chalk_types::Kind;

/// Two decodings of the same messages, whose bytes these are.
#[derive(Clone, Copy)]
pub struct Pair<'a> {
    pub expected: &'a DecodedColumns,
    pub found: &'a DecodedColumns,
    pub message_bytes: &'a [u8],
}

/// The first column and row at which they differ.
pub fn difference(pair: Pair<'_>) -> Option<(usize, usize)> {
    assert_eq!(pair.expected.column_count(), pair.found.column_count());
    for index in 0..pair.expected.column_count() {
        let (expected, found) = (pair.expected.column(index), pair.found.column(index));
        check_layout(&found);
        if !same(&expected, &found, pair.message_bytes) {
            let row = (0..expected.rows())
                .find(|&row| {
                    let value = |column: &ColumnRef<'_>| format!("{:?}", column.value(row, pair.message_bytes));
                    value(&expected) != value(&found)
                })
                .unwrap_or(usize::MAX);
            return Some((index, row));
        }
    }
    None
}

/// Bits are compared below the last row.
fn same_bits(a: &[u8], b: &[u8], rows: usize) -> bool {
    let whole = rows / 8;
    let rest = (1u8 << (rows % 8)) - 1;
    a[..whole] == b[..whole] && (rest == 0 || (a[whole] ^ b[whole]) & rest == 0)
}

fn same(expected: &ColumnRef<'_>, found: &ColumnRef<'_>, message_bytes: &[u8]) -> bool {
    let rows = expected.rows();
    if rows != found.rows() {
        return false;
    }
    if let (Some(a), Some(b)) = (expected.validity(), found.validity())
        && !same_bits(a, b, rows)
    {
        return false;
    }
    let here = match expected.ty().kind {
        Kind::Bool | Kind::Null => same_bits(expected.values(), found.values(), rows),
        Kind::String | Kind::Bytes => {
            (0..rows).all(|row| expected.text(row, message_bytes) == found.text(row, message_bytes))
        }
        _ => expected.values() == found.values(),
    };
    here && expected.children().zip(found.children()).all(|(expected, found)| same(&expected, &found, message_bytes))
}

/// What Arrow asks of a column beyond its values: lists follow each other, from zero to the end of their items.
fn check_layout(column: &ColumnRef<'_>) {
    if let Kind::List(_) | Kind::Map(..) = column.ty().kind {
        let mut ends = column.values().chunks(8).map(|bytes| i64::from_ne_bytes(bytes.try_into().expect("8 bytes")));
        let first = ends.next().expect("an offset more than rows");
        assert_eq!(first, 0);
        let last = ends.fold(first, |before, end| {
            assert!(before <= end, "lists follow each other");
            end
        });
        assert!(column.children().all(|child| child.rows() as i64 == last));
    }
    column.children().for_each(|child| check_layout(&child));
}
