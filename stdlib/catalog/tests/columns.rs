//! Values of every type go into columns and slots and come back as they were.

use std::sync::Arc;

use chalk_catalog::{ColumnBuilder, HeldSlot, slot_at, slot_value, slots_equal, value_at};
use chalk_types::{EnumType, IntWidth, Kind, StructField, StructType, Type, Value};

fn text(s: &str) -> Value {
    Value::String(s.to_owned())
}

/// Every kind of type with values that have little in common.
fn samples() -> Vec<(Type, Vec<Value>)> {
    let long = "a text that is too long for a view to hold";
    let mut samples: Vec<(Kind, Vec<Value>)> = vec![
        (Kind::Bool, vec![Value::Bool(true), Value::Bool(false)]),
        (Kind::Float32, vec![Value::Float(1.5), Value::Float(f64::NEG_INFINITY)]),
        (Kind::Float64, vec![Value::Float(0.1), Value::Float(-0.0)]),
        (Kind::String, vec![text(""), text("twelve bytes"), text("thirteen byte"), text(long), text("é😀")]),
        (Kind::Bytes, vec![Value::Bytes(vec![]), Value::Bytes(vec![0xff; 100_000]), Value::Bytes(vec![0])]),
        (Kind::Datetime, vec![Value::Datetime(i64::MIN), Value::Datetime(1)]),
        (Kind::Date, vec![Value::Date(-1), Value::Date(i32::MAX)]),
        (Kind::Time, vec![Value::Time(0), Value::Time(86_399_999_999)]),
        (Kind::Duration, vec![Value::Duration(-1), Value::Duration(i64::MAX)]),
        (
            Kind::Decimal { precision: 38, scale: 2 },
            vec![Value::Decimal(-1), Value::Decimal(10i128.pow(37)), Value::Decimal(1 << 64)],
        ),
        (
            Kind::Enum(Arc::new(EnumType { name: "E".to_owned(), variants: vec!["a".to_owned(), "b".to_owned()] })),
            vec![Value::Enum(1), Value::Enum(0)],
        ),
    ];
    for width in IntWidth::ALL {
        let (low, high) = width.range();
        samples.push((Kind::Int(width), vec![Value::Int(low), Value::Int(high), Value::Int(7)]));
    }
    let simple = samples.clone();
    for (kind, values) in &simple {
        // Of each also lists, vectors, maps and messages, one level deeper with the lists.
        let item = kind.clone().optional();
        let with_null = [vec![Value::Null], values.clone()].concat();
        let lists = vec![Value::List(with_null.clone()), Value::List(vec![]), Value::List(values.clone())];
        let list = Kind::List(Box::new(item.clone()));
        samples.push((Kind::List(Box::new(list.clone().optional())), vec![Value::List(lists.clone())]));
        samples.push((list, lists));
        let pair = |at: usize| Value::List(vec![values[at].clone(), Value::Null]);
        samples.push((Kind::Vector(Box::new(item.clone()), 2), vec![pair(0), pair(1)]));
        let entries = with_null.iter().enumerate().map(|(n, value)| (text(&n.to_string()), value.clone())).collect();
        samples.push((
            Kind::Map(Box::new(Type::STRING), Box::new(item.clone())),
            vec![Value::Map(entries), Value::Map(vec![])],
        ));
        let fields = ["x", "y"].map(|name| StructField { name: name.to_owned(), ty: item.clone() }).to_vec();
        samples.push((
            Kind::Struct(Arc::new(StructType { name: "S".to_owned(), fields })),
            vec![
                Value::Struct(vec![values[0].clone(), Value::Null]),
                Value::Struct(vec![Value::Null, values[1].clone()]),
            ],
        ));
    }
    samples.into_iter().map(|(kind, values)| (kind.optional(), values)).collect()
}

/// The values with nulls between them, over more than one byte of bitmap.
fn rows(values: &[Value]) -> Vec<Value> {
    (0..21).map(|n| if n % 4 == 3 { Value::Null } else { values[n % values.len()].clone() }).collect()
}

#[test]
fn columns_give_back_what_was_appended() {
    for (ty, values) in samples() {
        let rows = rows(&values);
        let mut column = ColumnBuilder::new(&ty);
        rows.iter().for_each(|value| column.push_value(value));
        let views = column.views();
        // A second column is made from slots of the first.
        let mut copy = ColumnBuilder::new(&ty);
        for (row, expected) in rows.iter().enumerate() {
            // SAFETY: the column is of that type and has that many rows.
            unsafe {
                assert_eq!(&value_at(views.root(), &ty, row), expected, "{ty} row {row}");
                copy.push_slot(&slot_at(views.root(), &ty, row));
            }
        }
        let copied = copy.views();
        for (row, expected) in rows.iter().enumerate() {
            // SAFETY: as above.
            unsafe { assert_eq!(&value_at(copied.root(), &ty, row), expected, "{ty} row {row}, copied") };
        }
    }
}

#[test]
fn columns_can_be_cut_and_filled_again() {
    for (ty, values) in samples() {
        let rows = rows(&values);
        let mut column = ColumnBuilder::new(&ty);
        rows.iter().for_each(|value| column.push_value(value));
        for keep in [13, 4, 0] {
            column.truncate(keep);
            assert_eq!(column.null_count, rows[..keep].iter().filter(|value| value.is_null()).count());
            rows.iter().for_each(|value| column.push_value(value));
            let views = column.views();
            let expected = rows[..keep].iter().chain(&rows).enumerate();
            for (row, expected) in expected {
                // SAFETY: the column is of that type and has that many rows.
                unsafe { assert_eq!(&value_at(views.root(), &ty, row), expected, "{ty} row {row} after {keep}") };
            }
        }
        column.clear();
        assert_eq!((column.len, column.null_count), (0, 0));
    }
}

#[test]
fn slots_hold_values_and_compare_them() {
    for (ty, values) in samples() {
        let held: Vec<HeldSlot> = values.iter().map(|value| HeldSlot::new(value, &ty)).collect();
        let again: Vec<HeldSlot> = values.iter().map(|value| HeldSlot::new(value, &ty)).collect();
        for (a, held_a) in held.iter().enumerate() {
            // SAFETY: the slots hold values of that type, and are alive.
            unsafe {
                assert_eq!(slot_value(&held_a.slot, &ty), values[a]);
                for (b, held_b) in again.iter().enumerate() {
                    assert_eq!(slots_equal(&ty, &held_a.slot, &held_b.slot), a == b, "{ty}: {a} and {b}");
                }
                let null = HeldSlot::new(&Value::Null, &ty);
                assert!(!slots_equal(&ty, &held_a.slot, &null.slot));
            }
        }
    }
}

#[test]
fn equality_takes_nan_for_itself_and_maps_in_any_order() {
    let equal = |ty: &Type, a: &Value, b: &Value| {
        let (a, b) = (HeldSlot::new(a, ty), HeldSlot::new(b, ty));
        // SAFETY: the slots hold values of that type, and are alive.
        unsafe { slots_equal(ty, &a.slot, &b.slot) }
    };
    assert!(equal(&Type::FLOAT, &Value::Float(f64::NAN), &Value::Float(-f64::NAN)));
    assert!(equal(&Type::FLOAT, &Value::Float(0.0), &Value::Float(-0.0)));
    let map = Kind::Map(Box::new(Type::STRING), Box::new(Type::INT)).required();
    let entries = [(text("a"), Value::Int(1)), (text("b"), Value::Int(2))];
    let reversed: Vec<_> = entries.iter().rev().cloned().collect();
    assert!(equal(&map, &Value::Map(entries.to_vec()), &Value::Map(reversed)));
    assert!(!equal(&map, &Value::Map(entries.to_vec()), &Value::Map(entries[..1].to_vec())));
}
