//! Text and patterns, at their edges.

use crate::support::{NONE, b, check, check_fails, check_refused, f, i, l, number, s, t};

#[test]
fn positions_count_code_points_and_may_count_from_the_end() {
    check(&[
        ("length", vec![s("héé😀")], i(4)),
        ("substr", vec![s("héé😀!"), i(1), i(3)], s("éé😀")),
        ("substr", vec![s("hello world"), i(-2)], s("ld")),
        ("substr", vec![s("hello world"), i(-20)], s("hello world")),
        ("substr", vec![s("hello"), i(99)], s("")),
        ("substr", vec![s("hello"), i(1), i(0)], s("")),
        ("substr", vec![s("hello"), i(1), i(-1)], s("")),
        ("substr", vec![s("hello"), i(1), i(i64::MAX)], s("ello")),
        ("substr", vec![s("hello"), i(i64::MIN), i(2)], s("he")),
        ("substr", vec![b(b"\x00\x01\x02"), i(1)], b(b"\x01\x02")),
        ("str_slice", vec![s("hello"), i(2), i(100)], s("llo")),
        ("str_slice", vec![s("hello"), i(3), i(1)], s("")),
        ("str_slice", vec![s("hello"), i(-3), i(-1)], s("ll")),
        ("str_slice", vec![s("hello"), i(1), i(-1)], s("ell")),
        ("strpos", vec![s("é😀x"), s("x")], i(2)),
        ("strpos", vec![s("abc"), s("z")], i(-1)),
        ("strpos", vec![s("abc"), NONE], NONE),
        ("strrpos", vec![s("éxé"), s("é")], i(2)),
        ("strrpos", vec![s("abc"), s("")], i(3)),
    ]);
}

#[test]
fn case_blanks_and_replacements() {
    check(&[
        ("lower", vec![s("ÀBC")], s("àbc")),
        ("upper", vec![s("straße")], s("STRASSE")),
        ("trim", vec![s("\t\n\x0b a\u{a0} \r")], s("a\u{a0}")),
        ("ltrim", vec![s("  a ")], s("a ")),
        ("rtrim", vec![s("  a ")], s("  a")),
        ("replace", vec![s("ab"), s(""), s("L")], s("LaLbL")),
        ("replace", vec![s(""), s(""), s("L")], s("L")),
        ("replace", vec![s("aaa"), s("aa"), s("b")], s("ba")),
        ("replace", vec![s("aXbX"), s("X")], s("ab")),
        ("reverse", vec![s("é😀")], s("😀é")),
        ("chr", vec![i(0x1f600)], s("😀")),
        ("lpad", vec![s("é"), i(4), s("xy")], s("xyxé")),
        ("rpad", vec![s("hello"), i(2), s("x")], s("he")),
        ("lpad", vec![s("héllo"), i(2), s("x")], s("hé")),
        ("lpad", vec![s("a"), i(0), s("x")], s("")),
    ]);
    check_fails(&[
        ("chr", vec![i(-1)], "no code point"),
        ("chr", vec![i(0xd800)], "no code point"),
        ("lpad", vec![s("a"), i(-1), s("x")], "cannot pad"),
        ("rpad", vec![s("a"), i(1 << 40), s("x")], "cannot pad"),
        ("lpad", vec![s("a"), i(3), s("")], "padding is empty"),
    ]);
}

#[test]
fn pieces() {
    check(&[
        ("split", vec![s(""), s(",")], l([s("")])),
        ("split", vec![s("a,b,c"), s(","), i(1)], l([s("a"), s("b,c")])),
        ("split", vec![s("a,b"), s(","), i(0)], l([s("a,b")])),
        ("split", vec![s(",a long piece of text,"), s(",")], l([s(""), s("a long piece of text"), s("")])),
        ("split_part", vec![s("a,b"), s(","), i(1)], s("b")),
        ("split_part", vec![s("a,b"), s(","), i(2)], NONE),
    ]);
    check_fails(&[
        ("split", vec![s("a"), s("")], "delimiter is empty"),
        ("split_part", vec![s("a"), s(","), i(-1)], "negative"),
    ]);
    check_refused(&[("split", vec![s("a"), s("")], "delimiter is empty")]);
}

#[test]
fn like_knows_two_signs() {
    for (text, pattern, expected) in [
        ("hello", "h%o", true),
        ("hello", "h_llo", true),
        ("hello", "H%", false),
        ("", "%", true),
        ("", "", true),
        ("", "_", false),
        ("a😀b", "a_b", true),
        ("aXbXc", "%X%X%", true),
        ("aXb", "%X%X%", false),
        ("aaaaaaaaaaaaaaaaaaaaaaaaab", "%a%a%a%a%a%a%a%a%c", false),
        ("mississippi", "%iss%ip_i", true),
    ] {
        check(&[("like", vec![s(text), s(pattern)], t(expected))]);
    }
}

#[test]
fn patterns() {
    check(&[
        ("regexp_like", vec![s("xhellox"), s("h.l+o")], t(true)),
        ("regexp_extract", vec![s("abc"), s("[0-9]")], NONE),
        ("regexp_extract", vec![s("a1"), s("([a-z])([0-9])?(x)?"), i(3)], NONE),
        ("regexp_extract", vec![s("a1"), s("([a-z])([0-9])"), i(2)], s("1")),
        ("regexp_extract_all", vec![s("abc"), s("[0-9]")], l([])),
        ("regexp_extract_all", vec![s("a1b2"), s("([a-z])[0-9]"), i(1)], l([s("a"), s("b")])),
        ("regexp_replace", vec![s("a1b2"), s("[0-9]")], s("ab")),
        ("regexp_replace", vec![s("ab"), s("(a)(b)"), s("$2${1}\\$1")], s("ba$1")),
        ("regexp_replace", vec![s("ab"), s("(?P<x>a)"), s("<${x}>")], s("<a>b")),
        ("regexp_replace", vec![s("abc"), s(""), s("-")], s("-a-b-c-")),
        ("regexp_split", vec![s("a1b22c"), s("[0-9]+")], l([s("a"), s("b"), s("c")])),
    ]);
    check_fails(&[
        ("regexp_like", vec![s("a"), s("(")], "bad pattern"),
        ("regexp_extract", vec![s("a"), s("a"), i(1)], "no group 1"),
        ("regexp_extract", vec![s("a"), s("a"), i(-1)], "no group -1"),
        ("regexp_replace", vec![s("a"), s("a"), s("$1")], "no group `1`"),
    ]);
    check_refused(&[
        ("regexp_like", vec![s("a"), s("(a")], "bad pattern `(a`"),
        ("regexp_extract", vec![s("a"), s("(a)"), i(2)], "no group 2"),
        ("regexp_replace", vec![s("a"), s("a"), s("${x}")], "no group `x`"),
        ("regexp_replace", vec![s("a"), s("a"), s("$")], "names no group"),
    ]);
}

#[test]
fn likeness() {
    check(&[
        ("levenshtein_distance", vec![s("kitten"), s("sitting")], i(3)),
        ("levenshtein_distance", vec![s(""), s("é😀")], i(2)),
        ("longest_common_subsequence", vec![s("ABCBDAB"), s("BDCABA")], s("BDAB")),
        ("longest_common_subsequence", vec![s("abc"), s("")], s("")),
        ("jaccard_similarity", vec![s(""), s("")], f(1.0)),
        ("jaccard_similarity", vec![s("aab"), s("b")], f(0.5)),
        ("jaro_winkler_distance", vec![s(""), s("")], f(0.0)),
    ]);
    let distance = number("jaro_winkler_distance", &[s("MARTHA"), s("MARHTA")]);
    assert!((distance - (1.0 - 0.961_111)).abs() < 1e-5, "{distance}");
    check_fails(&[("levenshtein_distance", vec![s(&"a".repeat(3000)), s("b")], "cannot be compared")]);
}
