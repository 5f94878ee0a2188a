//! Numbers, at their edges.

use crate::support::{NONE, call, check, check_fails, check_refused, f, i, number, s, t};

#[test]
fn rounding() {
    check(&[
        ("round", vec![f(1.005), i(2)], f(1.0)),
        ("round", vec![f(2.5)], f(3.0)),
        ("round", vec![f(-2.5)], f(-3.0)),
        ("round", vec![f(1234.5), i(-2)], f(1200.0)),
        ("round", vec![f(1.5), i(400)], f(1.5)),
        ("round", vec![f(1e308), i(2)], f(1e308)),
        ("round", vec![f(-1.5), i(-400)], f(-0.0)),
        ("round", vec![f(f64::NAN)], f(f64::NAN)),
        ("round", vec![f(f64::INFINITY), i(3)], f(f64::INFINITY)),
        ("round", vec![i(7)], i(7)),
        ("round", vec![i(1250), i(-2)], i(1300)),
        ("round", vec![i(-1250), i(-2)], i(-1300)),
        ("round", vec![i(5), i(-100)], i(0)),
        ("bankers_round", vec![f(2.5)], f(2.0)),
        ("bankers_round", vec![f(0.125), i(2)], f(0.12)),
        ("bankers_round", vec![i(1250), i(-2)], i(1200)),
        ("bankers_round", vec![i(1350), i(-2)], i(1400)),
        ("ceil", vec![f(-0.5)], f(-0.0)),
        ("floor", vec![f(-0.5)], f(-1.0)),
        ("trunc", vec![f(-1.9)], f(-1.0)),
    ]);
    check_fails(&[("round", vec![i(i64::MAX), i(-1)], "overflow")]);
}

#[test]
fn division_and_remainders() {
    check(&[
        ("mod", vec![i(-7), i(3)], i(-1)),
        ("mod", vec![i(i64::MIN), i(-1)], i(0)),
        ("mod", vec![f(7.5), f(0.0)], f(f64::NAN)),
        ("floor_div", vec![i(-7), i(2)], i(-4)),
        ("floor_div", vec![i(7), i(-2)], i(-4)),
        ("floor_div", vec![i(-8), i(2)], i(-4)),
        ("floor_mod", vec![i(-7), i(3)], i(2)),
        ("floor_mod", vec![i(i64::MIN), i(-1)], i(0)),
        ("floor_mod", vec![f(-7.5), f(2.0)], f(0.5)),
        ("safe_divide", vec![i(1), i(0)], NONE),
        ("safe_divide", vec![i(1), i(4)], f(0.25)),
        ("abs", vec![i(-3)], i(3)),
        ("sign", vec![f(f64::NAN)], f(f64::NAN)),
        ("sign", vec![f(-0.0)], f(-0.0)),
    ]);
    check_fails(&[
        ("mod", vec![i(1), i(0)], "division by zero"),
        ("floor_div", vec![i(1), i(0)], "division by zero"),
        ("floor_div", vec![i(i64::MIN), i(-1)], "overflow"),
        ("floor_mod", vec![i(1), i(0)], "division by zero"),
        ("abs", vec![i(i64::MIN)], "overflow"),
    ]);
}

#[test]
fn functions_of_analysis_follow_ieee() {
    check(&[
        ("sqrt", vec![f(-1.0)], f(-f64::NAN)),
        ("ln", vec![i(0)], f(f64::NEG_INFINITY)),
        ("pow", vec![i(0), i(-1)], f(f64::INFINITY)),
        ("exp", vec![f(1000.0)], f(f64::INFINITY)),
        ("cbrt", vec![f(-27.0)], f(-3.0)),
        ("log10", vec![i(1000)], f(3.0)),
        ("atan2", vec![f(0.0), f(-1.0)], f(std::f64::consts::PI)),
        ("is_nan", vec![f(f64::NAN)], t(true)),
        ("is_finite", vec![f(f64::NEG_INFINITY)], t(false)),
        ("sigmoid", vec![f(-1000.0)], f(0.0)),
    ]);
    assert!((number("haversine", &[i(1), i(1), i(0), i(0), s("degrees")]) - 157.249_381_271_941_97).abs() < 1e-9);
    check_refused(&[("haversine", vec![i(1), i(1), i(0), i(0), s("degree")], "unknown unit")]);
}

#[test]
fn buckets() {
    check(&[
        ("width_bucket", vec![f(-0.1), i(0), i(10), i(5)], i(0)),
        ("width_bucket", vec![i(0), i(0), i(10), i(5)], i(1)),
        ("width_bucket", vec![f(9.999_999), i(0), i(10), i(5)], i(5)),
        ("width_bucket", vec![i(10), i(0), i(10), i(5)], i(6)),
        ("width_bucket", vec![i(10), i(10), i(0), i(5)], i(1)),
        ("width_bucket", vec![f(f64::INFINITY), i(0), i(10), i(5)], i(6)),
    ]);
    check_fails(&[
        ("width_bucket", vec![i(1), i(0), i(0), i(5)], "different bounds"),
        ("width_bucket", vec![i(1), i(0), i(1), i(0)], "no number of buckets"),
        ("width_bucket", vec![f(f64::NAN), i(0), i(1), i(1)], "different bounds"),
    ]);
}

#[test]
fn bits_and_bases() {
    check(&[
        ("bitwise_and", vec![i(12), i(10)], i(8)),
        ("bitwise_not", vec![i(0)], i(-1)),
        ("bitwise_left_shift", vec![i(1), i(63)], i(i64::MIN)),
        ("bitwise_left_shift", vec![i(1), i(64)], i(0)),
        ("bitwise_right_shift", vec![i(-1), i(63)], i(1)),
        ("bitwise_right_shift", vec![i(-1), i(i64::MAX)], i(0)),
        ("bitwise_arithmetic_shift_right", vec![i(-1), i(100)], i(-1)),
        ("to_base", vec![i(255), i(16)], s("ff")),
        ("to_base", vec![i(i64::MIN), i(2)], s(&format!("-1{}", "0".repeat(63)))),
        ("to_base", vec![i(0), i(36)], s("0")),
        ("from_base", vec![s("FF"), i(16)], i(255)),
        ("from_base", vec![s("-9223372036854775808"), i(10)], i(i64::MIN)),
    ]);
    check_fails(&[
        ("bitwise_left_shift", vec![i(1), i(-1)], "cannot shift"),
        ("from_base", vec![s("2"), i(2)], "no number in base 2"),
        ("from_base", vec![s(""), i(10)], "no number"),
        ("from_base", vec![s("9223372036854775808"), i(10)], "no number"),
        ("to_base", vec![i(1), i(37)], "between 2 and 36"),
    ]);
    check_refused(&[("to_base", vec![i(1), i(1)], "between 2 and 36")]);
}

#[test]
fn random_numbers_depend_on_the_seed_alone() {
    let draw = |seed| {
        let cx = chalk_catalog::CallContext::new(0, seed);
        (0..5).map(|_| format!("{:?}", crate::support::call_in(&cx, "random", &[i(1000)]))).collect::<Vec<_>>()
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
    assert!((0.0..1.0).contains(&number("random", &[])));
    assert!(call("random", &[i(0)]).is_err());
}
