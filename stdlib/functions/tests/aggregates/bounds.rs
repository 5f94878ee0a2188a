//! Sketches keep the error bounds that they state.

use chalk_catalog::aggregate::Order;
use chalk_types::{Type, Value};

use crate::laws::{self, Case};
use crate::random::{Random, first_seed};
use crate::support::{Events, Partial};
use crate::types::{Bound, all_bindings};

fn bound(name: &str, ty: &Type, param: Option<Value>) -> Bound {
    let wanted = |bound: &Bound| {
        bound.def.name == name && bound.call.args[0] == *ty && bound.call.params.first() == param.as_ref()
    };
    all_bindings().into_iter().find(wanted).expect("such a binding")
}

fn events(values: impl Iterator<Item = Value>) -> Events {
    let rows: Vec<Vec<Value>> = values.map(|value| vec![value]).collect();
    let offsets: Vec<i64> = (0..rows.len() as i64).collect();
    Events { rows, times_us: offsets.clone(), offsets }
}

/// The result over all, and the result of merged partials of stretches.
fn results(bound: &Bound, events: &Events) -> [Value; 2] {
    let aggregate = (bound.def.bind)(&bound.call).expect("binds");
    let columns = events.columns(&bound.call.args);
    let whole = Partial::of(&*aggregate, &columns, 0..events.len());
    let mut merged = Partial::new(&*aggregate);
    for start in (0..events.len()).step_by(700) {
        merged.merge(&Partial::of(&*aggregate, &columns, start..(start + 700).min(events.len())));
    }
    [whole.finish().expect("a result"), merged.finish().expect("a result")]
}

#[test]
fn numbers_of_different_values_are_within_the_standard_error() {
    let bound = bound("approx_count_distinct", &Type::INT, None);
    let mut random = Random(first_seed());
    let mut errors = Vec::new();
    for count in [1, 100, 512, 513, 1_000, 3_000, 10_000, 30_000] {
        for _ in 0..12 {
            let start = random.next() as i64 >> 1;
            // Some values come several times, which changes nothing.
            let values = (0..count + count / 3).map(|number| Value::Int(i128::from(start + number % count)));
            let [whole, merged] = results(&bound, &events(values));
            assert_eq!(whole, merged, "{count} values, seed {}", first_seed());
            let Value::Int(found) = whole else { panic!("{whole:?}") };
            let error = (found as f64 - count as f64).abs() / count as f64;
            if count <= 512 {
                assert_eq!(found, i128::from(count), "few values are counted one by one");
            } else {
                errors.push(error);
            }
        }
    }
    // What the declaration says: two of three within 1.7 %, and nearly all within 5 %; sixty samples leave some room.
    let within = |limit: f64| errors.iter().filter(|error| **error <= limit).count() as f64 / errors.len() as f64;
    assert!(within(0.017) > 0.45, "{errors:?}, seed {}", first_seed());
    assert!(within(0.05) > 0.95, "{errors:?}, seed {}", first_seed());
}

#[test]
fn percentiles_are_within_their_share_of_the_value() {
    let mut random = Random(first_seed());
    let shares = [0.0, 0.5, 0.95, 1.0];
    for round in 0..6 {
        let spread = [1.0, 10.0, 11.0][round % 3];
        let values: Vec<f64> = (0..5_000)
            .map(|_| {
                let uniform = random.next() as f64 / u64::MAX as f64;
                let sign = if round >= 3 && random.once_in(2) { -1.0 } else { 1.0 };
                // Up to e^11 = 59 874 times the least; of both signs half of that.
                sign * (uniform * if round >= 3 { spread / 2.0 } else { spread }).exp()
            })
            .collect();
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        for p in shares {
            let bound = bound("approx_percentile", &Type::FLOAT, Some(Value::Float(p)));
            let [whole, merged] = results(&bound, &events(values.iter().map(|value| Value::Float(*value))));
            assert_eq!(whole, merged, "p {p}, seed {}", first_seed());
            let Value::Float(found) = whole else { panic!("{whole:?}") };
            let number = ((p * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len());
            let exact = sorted[number - 1];
            let error = ((found - exact) / exact).abs();
            assert!(error <= 0.004, "p {p}: {found} instead of {exact}, seed {}", first_seed());
            if p == 0.0 || p == 1.0 {
                assert_eq!(found, exact, "the ends are exact");
            }
        }
    }
}

#[test]
fn percentiles_of_a_wide_range_lose_digits_and_not_values() {
    // From 1e-300 to 1e300: a thousand times more octaves than buckets at full resolution.
    let values: Vec<f64> = (-300..300)
        .flat_map(|power| (0..20).map(move |part| 10f64.powi(power) * (1.0 + f64::from(part) / 20.0)))
        .collect();
    let bound = bound("approx_percentile", &Type::FLOAT, Some(Value::Float(0.5)));
    let [whole, merged] = results(&bound, &events(values.iter().map(|value| Value::Float(*value))));
    assert_eq!(whole, merged);
    let Value::Float(found) = whole else { panic!("{whole:?}") };
    let exact = values[values.len() / 2 - 1];
    // 12 000 values of 2000 octaves: the resolution is halved seven times, to one bucket an octave.
    assert!(((found - exact) / exact).abs() <= 0.5, "{found} instead of {exact}");
}

#[test]
fn frequent_values_are_found_and_counts_are_short_by_the_bound_at_most() {
    let bound = bound("approx_top_k", &Type::INT, Some(Value::Int(3)));
    assert!(bound.def.error_bound.contains("n / c"), "{}", bound.def.error_bound);
    for seed in first_seed()..first_seed() + 20 {
        let mut random = Random(seed);
        // Three values have a share of 1/8 each, far above 1/256; the others come once.
        let mut values: Vec<i64> =
            (0..20_000).map(|number| if number % 8 < 3 { number % 8 } else { 1_000 + number }).collect();
        random.shuffle(&mut values);
        for result in results(&bound, &events(values.iter().map(|value| Value::Int(i128::from(*value))))) {
            let Value::List(mut found) = result else { panic!("{result:?}") };
            found.sort_by_key(|value| format!("{value:?}"));
            assert_eq!(found, [0, 1, 2].map(Value::Int), "seed {seed}");
        }
    }
}

#[test]
fn few_different_values_are_counted_exactly() {
    let bound = bound("approx_top_k", &Type::INT, Some(Value::Int(1000)));
    let mut values: Vec<i64> = (0..1000i64).flat_map(|value| (0..=value % 10).map(move |_| value)).collect();
    let mut expected: Vec<i64> = (0..1000).collect();
    expected.sort_by_key(|value| (-(value % 10), *value));
    Random(first_seed()).shuffle(&mut values);
    let expected = Value::List(expected.into_iter().map(|value| Value::Int(i128::from(value))).collect());
    for result in results(&bound, &events(values.iter().map(|value| Value::Int(i128::from(*value))))) {
        assert_eq!(result, expected);
    }
}

#[test]
fn a_sketch_of_texts_works_as_one_of_numbers() {
    let bound = bound("approx_count_distinct", &Type::STRING, None);
    let values = (0..2_000).map(|number| Value::String(format!("user {}", number % 1_500)));
    let [whole, merged] = results(&bound, &events(values));
    assert_eq!(whole, merged);
    let Value::Int(found) = whole else { panic!("{whole:?}") };
    assert!((1_425..=1_575).contains(&found), "{found}");
}

#[test]
fn full_sketches_keep_the_laws() {
    let text = |number: u64| Value::String(format!("{number:x}"));
    let spread = |number: u64| Value::Float(f64::from_bits(number));
    let few = |number: u64| Value::Int(i128::from(number % 100 * (number % 37)));
    type Make = Box<dyn Fn(u64) -> Value>;
    let sketches: [(Bound, Make); 4] = [
        (bound("approx_count_distinct", &Type::STRING, None), Box::new(text)),
        (bound("approx_percentile", &Type::FLOAT, Some(Value::Float(0.95))), Box::new(spread)),
        (bound("approx_top_k", &Type::INT, Some(Value::Int(3))), Box::new(few)),
        (bound("median", &Type::INT, None), Box::new(few)),
    ];
    for (bound, make) in &sketches {
        let aggregate = (bound.def.bind)(&bound.call).expect("binds");
        for seed in first_seed()..first_seed() + 12 {
            let mut random = Random(seed);
            let values: Vec<Value> = (0..1_500).map(|_| make(random.next())).collect();
            let case = Case::new(bound, &*aggregate, events(values.into_iter()), seed);
            laws::bytes(&case, &mut random);
            laws::emptiness(&case, &mut random);
            laws::damage(&case, &mut random);
            if bound.def.order == Order::Free {
                laws::merging(&case, &mut random);
                laws::order(&case, &mut random);
            }
        }
    }
}
