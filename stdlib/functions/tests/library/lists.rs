//! Lists, at their edges.

use chalk_catalog::{ArgType, CallContext, call_scalar};
use chalk_functions::catalog;
use chalk_types::{Kind, Type, Value};

use crate::support::{NONE, call_in, check, check_fails, f, i, l, s, t};

#[test]
fn reductions_skip_nulls() {
    check(&[
        ("cardinality", vec![l([i(1), NONE])], i(2)),
        ("array_sum", vec![l([i(1), NONE, i(2)])], i(3)),
        ("array_sum", vec![l([])], i(0)),
        ("array_sum", vec![l([f(0.5), NONE])], f(0.5)),
        ("array_average", vec![l([])], NONE),
        ("array_average", vec![l([i(1), NONE, i(2)])], f(1.5)),
        ("array_min", vec![l([i(3), NONE, i(1)])], i(1)),
        ("array_max", vec![l([f(3.0), f(f64::NAN)])], f(f64::NAN)),
        ("array_min", vec![l([f(3.0), f(f64::NAN)])], f(3.0)),
        ("array_max", vec![l([NONE, s("b"), s("a")])], s("b")),
        ("array_median", vec![l([i(4), i(1), i(2), i(3)])], f(2.5)),
        ("array_mode", vec![l([i(1), i(2), i(2), i(1)])], i(1)),
        ("array_stddev", vec![l([i(1), i(3)])], f(1.0)),
        ("array_sample_stddev", vec![l([i(1)])], NONE),
    ]);
    check_fails(&[("array_sum", vec![l([i(i64::MAX), i(1)])], "overflow")]);
}

#[test]
fn lists_become_lists() {
    check(&[
        ("array_sort", vec![l([i(3), NONE, i(1)])], l([i(1), i(3), NONE])),
        ("array_sort", vec![l([i(3), NONE, i(1)]), t(true)], l([i(3), i(1), NONE])),
        ("array_sort", vec![l([f(f64::NAN), f(1.0)])], l([f(1.0), f(f64::NAN)])),
        ("array_sort", vec![l([t(true), t(false)])], l([t(false), t(true)])),
        ("array_distinct", vec![l([s("a"), NONE, s("a"), NONE])], l([s("a"), NONE])),
        ("array_distinct", vec![l([f(0.0), f(-0.0), f(f64::NAN), f(f64::NAN)])], l([f(0.0), f(f64::NAN)])),
        ("array_duplicates", vec![l([i(1), i(2), i(1), i(1)])], l([i(1)])),
        ("array_has_duplicates", vec![l([i(1), i(2)])], t(false)),
        ("remove_nulls", vec![l([NONE, s("x")])], l([s("x")])),
        ("array_count_value", vec![l([i(1), NONE, i(1)]), i(1)], i(2)),
        ("array_remove", vec![l([i(1), NONE, i(1)]), i(1)], l([NONE])),
        ("array_except", vec![l([i(1), i(2), i(1)]), l([i(2)])], l([i(1)])),
        ("array_intersect", vec![l([i(1), i(2), i(1)]), l([i(1)])], l([i(1)])),
        ("arrays_overlap", vec![l([NONE, i(1)]), l([NONE, i(2)])], t(false)),
        ("array_position", vec![l([s("a"), s("b")]), s("b")], i(2)),
        ("array_join", vec![l([s("a"), NONE, s("b")]), s("-")], s("a-b")),
        ("array_join", vec![l([i(1), i(2)]), s("")], s("12")),
        ("array_cum_sum", vec![l([i(1), i(2), NONE, i(3)])], l([i(1), i(3), NONE, NONE])),
        ("array_cum_sum", vec![l([f(0.5), f(1.0)])], l([f(0.5), f(1.5)])),
        ("array_reverse", vec![l([i(1), i(2)])], l([i(2), i(1)])),
        ("slice", vec![l([i(1), i(2), i(3)]), i(1), i(1)], l([i(2)])),
        ("slice", vec![l([i(1), i(2), i(3)]), i(-9), i(i64::MAX)], l([i(1), i(2), i(3)])),
        ("slice", vec![l([i(1), i(2), i(3)]), i(5), i(2)], l([])),
        ("slice", vec![l([s("a"), s("b")]), i(1), i(-1)], l([])),
        ("sequence", vec![i(1), i(1)], l([i(1)])),
        ("sequence", vec![i(5), i(0), i(-2)], l([i(5), i(3), i(1)])),
    ]);
    check_fails(&[
        ("sequence", vec![i(1), i(2), i(0)], "no steps"),
        ("sequence", vec![i(1), i(0)], "no steps"),
        ("sequence", vec![i(i64::MIN), i(i64::MAX)], "more than 1000000"),
        ("dot_product", vec![l([f(1.0)]), l([f(1.0), f(2.0)])], "1 and 2 items"),
        ("cosine_similarity", vec![l([f(1.0), NONE]), l([f(1.0), f(2.0)])], "null"),
        ("array_normalize", vec![l([f(1.0)]), f(0.5)], "norm"),
    ]);
}

#[test]
fn vectors() {
    check(&[
        ("dot_product", vec![l([f(1.0), f(2.0)]), l([f(3.0), f(4.0)])], f(11.0)),
        ("cosine_similarity", vec![l([f(1.0), f(0.0)]), l([f(0.0), f(2.0)])], f(0.0)),
        ("array_normalize", vec![l([f(3.0), f(-4.0)])], l([f(0.6), f(-0.8)])),
        ("array_normalize", vec![l([f(3.0), f(-4.0)]), f(f64::INFINITY)], l([f(0.75), f(-1.0)])),
        ("array_normalize", vec![l([f(0.0)])], l([f(0.0)])),
    ]);
    let vector = Kind::Vector(Box::new(Kind::Float32.required()), 2).required();
    let resolved = catalog().resolve("dot_product", &[ArgType::of(vector.clone()), ArgType::of(vector.clone())]);
    let resolved = resolved.expect("a vector is taken as a list");
    let value = Value::List(vec![f(1.0), f(2.0)]);
    let cx = CallContext::default();
    let args = [value.clone(), value];
    assert_eq!(call_scalar(&cx, resolved.function, &args, &[vector.clone(), vector], &resolved.result, 0), Ok(f(5.0)));
}

#[test]
fn maps() {
    let ty = Kind::Map(Box::new(Type::STRING), Box::new(Type::INT.to_optional())).required();
    let map = Value::Map(vec![(s("a"), i(1)), (s("a long key, not inline"), NONE)]);
    let cx = CallContext::default();
    let run = |name: &str, value: &Value| {
        let resolved = catalog().resolve(name, &[ArgType::of(ty.clone())]).expect("resolves");
        call_scalar(&cx, resolved.function, std::slice::from_ref(value), std::slice::from_ref(&ty), &resolved.result, 0)
    };
    assert_eq!(run("map_keys", &map), Ok(l([s("a"), s("a long key, not inline")])));
    assert_eq!(run("map_values", &map), Ok(l([i(1), NONE])));
    assert_eq!(run("cardinality", &map), Ok(i(2)));
    assert_eq!(run("map_keys", &Value::Map(vec![])), Ok(l([])));
}

#[test]
fn many_lists_in_a_batch_do_not_disturb_each_other() {
    let mut cx = CallContext::default();
    for _batch in 0..3 {
        for n in 0..3000 {
            let text = format!("{n},a piece of text too long for a view {n},");
            let pieces = call_in(&cx, "split", &[s(&text), s(",")]).expect("splits");
            let expected = l([s(&n.to_string()), s(&format!("a piece of text too long for a view {n}")), s("")]);
            assert_eq!(pieces, expected);
            assert_eq!(call_in(&cx, "sequence", &[i(n), i(n + 2)]), Ok(l([i(n), i(n + 1), i(n + 2)])));
        }
        cx.reset();
    }
}
