//! Bytes, URLs and JSON, at their edges.

use crate::support::{NONE, b, check, check_fails, check_refused, f, i, l, s};

#[test]
fn encodings() {
    check(&[
        ("string_to_bytes", vec![s("é")], b("é".as_bytes())),
        ("string_to_bytes", vec![s("00fF"), s("hex")], b(&[0, 255])),
        ("string_to_bytes", vec![s("YWI="), s("base64")], b(b"ab")),
        ("string_to_bytes", vec![s("YWI"), s("base64")], b(b"ab")),
        ("bytes_to_string", vec![b(b"a\xffb")], s("a\u{fffd}b")),
        ("bytes_to_string", vec![b(&[0, 255]), s("hex")], s("00ff")),
        ("bytes_to_string", vec![b(b"ab"), s("BASE64")], s("YWI=")),
        ("from_big_endian_32", vec![b(&[0xff, 0xff, 0xff, 0xfe])], i(-2)),
        ("from_big_endian_64", vec![b(&[0, 0, 0, 0, 0, 0, 1, 2])], i(258)),
        ("starts_with", vec![b(b"\x00a"), b(b"\x00")], crate::support::t(true)),
        ("length", vec![b(b"\xff\xff")], i(2)),
    ]);
    check_fails(&[
        ("string_to_bytes", vec![s("0"), s("hex")], "no hex"),
        ("string_to_bytes", vec![s("0g"), s("hex")], "no hex"),
        ("string_to_bytes", vec![s("éé"), s("hex")], "no hex"),
        ("string_to_bytes", vec![s("!"), s("base64")], "no base64"),
        ("string_to_bytes", vec![s("a"), s("latin1")], "unknown encoding"),
        ("from_big_endian_32", vec![b(&[1])], "4 bytes are wanted, not 1"),
        ("gunzip", vec![b(b"junk")], "no gzip"),
    ]);
    check_refused(&[("bytes_to_string", vec![b(b""), s("rot13")], "unknown encoding")]);
}

#[test]
fn hashes() {
    let hex = |name: &str, input: &[u8]| {
        let hash = crate::support::call(name, &[b(input)]).expect("hashes");
        match crate::support::call("bytes_to_string", &[hash, s("hex")]) {
            Ok(chalk_types::Value::String(text)) => text,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(hex("md5", b""), "d41d8cd98f00b204e9800998ecf8427e");
    assert_eq!(hex("sha1", b""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    assert_eq!(hex("sha256", b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert!(hex("sha512", b"").starts_with("cf83e1357eefb8bdf1542850d66d8007"));
    check_refused(&[("md5", vec![s("text")], "bytes")]);
}

#[test]
fn parts_of_urls() {
    for (url, scheme, host, path) in [
        ("https://me:pw@example.com:8080/a/b?c=d#e", "https", "example.com", "/a/b"),
        ("http://[::1]:80/x", "http", "[::1]", "/x"),
        ("http://[::1]", "http", "[::1]", ""),
        ("example.com/a", "", "", "example.com/a"),
        ("//host/p", "", "host", "/p"),
        ("mailto:a@b.c", "mailto", "", "a@b.c"),
        ("http://host?x=/y", "http", "host", ""),
        ("", "", "", ""),
    ] {
        check(&[
            ("url_extract_protocol", vec![s(url)], s(scheme)),
            ("url_extract_host", vec![s(url)], s(host)),
            ("url_extract_path", vec![s(url)], s(path)),
        ]);
    }
    check(&[
        ("url_extract_host", vec![s("http://a b/")], NONE),
        ("url_extract_host", vec![s("http://host:port/")], NONE),
    ]);
}

#[test]
fn json_values() {
    let text = r#"{"s": "a\"\u00e9", "n": 1.50, "t": true, "z": null, "o": {"k": [1, {"x": 2}]}, "d": 1, "d": 2}"#;
    for (path, expected) in [
        ("$.s", s("a\"é")),
        ("$.n", s("1.50")),
        ("$.t", s("true")),
        ("$.z", NONE),
        ("$.o", NONE),
        ("$.o.k[1].x", s("2")),
        ("$.o.k[-2]", s("1")),
        ("$.o.k[9]", NONE),
        ("$.d", s("2")),
        ("$.missing", NONE),
        ("s", s("a\"é")),
    ] {
        check(&[
            ("json_value", vec![s(text), s(path)], expected.clone()),
            ("json_value_strict", vec![s(text), s(path)], expected),
        ]);
    }
    check(&[
        ("json_value", vec![s("\"top\""), s("$")], s("top")),
        ("json_value", vec![s("{\"a\": 1} x"), s("$.a")], NONE),
        ("json_value", vec![s("{\"x\": {\"1\": 2}}"), s("$.x[1]")], NONE),
        ("json_value", vec![NONE, s("$.a")], NONE),
        ("json_extract", vec![s(text), s("$.o.k")], s("[1, {\"x\": 2}]")),
        ("json_extract_array", vec![s(text), s("$.o.k")], l([s("1"), s("{\"x\": 2}")])),
        ("json_extract_array", vec![s(text), s("$..x")], l([s("2")])),
        ("json_extract_array", vec![s(text), s("$.o")], NONE),
        ("json_extract_array", vec![s("[null]"), s("$")], l([NONE])),
        ("json_extract_array", vec![s("[]"), s("$")], l([])),
        ("json_stringify", vec![s("{\"b\" : [1 , 2.50], \"a\": \"\\u0041\", \"b\": {}}")], s("{\"a\":\"A\",\"b\":{}}")),
        ("jsonify", vec![s("a\"\n\u{1}")], s("\"a\\\"\\n\\u0001\"")),
        ("jsonify", vec![f(f64::NAN)], s("\"NaN\"")),
        ("jsonify", vec![l([i(1), NONE])], s("[1,null]")),
        ("jsonify", vec![crate::support::at("2024-01-01T00:00:00Z")], s("\"2024-01-01T00:00:00Z\"")),
    ]);
    check_fails(&[
        ("json_value_strict", vec![s("{"), s("$.a")], "no JSON"),
        ("json_value", vec![s("{}"), s("$.a[")], "bad JSON path"),
        ("json_stringify", vec![s("{} {}")], "no JSON"),
    ]);
    check_refused(&[
        ("json_value", vec![s("{}"), s("$.a[x]")], "bad JSON path `$.a[x]`"),
        ("json_value", vec![s("{}"), s("$.a[*]")], "use `json_extract_array`"),
    ]);
}
