//! Whatever the text: no panic, no endless loop, every span inside the text, and depth is bounded.

mod support;

use chalk_syntax::NESTING_LIMIT;
use support::{Random, SAMPLES, found, parse};

fn survives(text: &str, context: &str) {
    let (tree, diagnostics) = parse(text);
    for diagnostic in &diagnostics {
        for label in &diagnostic.labels {
            let span = label.span;
            assert!(text.get(span.range()).is_some(), "{context}: {diagnostic:?}\n{text}");
        }
        if let Some(fix) = &diagnostic.fix {
            assert!(text.get(fix.span.range()).is_some(), "{context}: {diagnostic:?}\n{text}");
        }
    }
    for item in &tree.items {
        assert!(text.get(item.span().range()).is_some(), "{context}: {item:?}\n{text}");
    }
}

#[test]
fn random_characters() {
    let alphabet: Vec<char> = "ab1 .\n\t\"'\\{}()[]<>=+-*/%?@:,;|&!#_é\u{1F600}\r\0".chars().collect();
    for seed in 0..2_000 {
        let mut random = Random::new(seed);
        let length = random.below(80);
        let text: String = (0..length).map(|_| *random.pick(&alphabet)).collect();
        survives(&text, &format!("seed {seed}"));
    }
}

#[test]
fn random_tokens() {
    let words = [
        "features", "stream", "message", "fn", "test", "enum", "from", "where", "{", "}", "(", ")", "[", "]", "a", "b",
        "=", "->", "=>", ":", ",", "\n", "\n", "\n", "1", "\"s\"", "if", "then", "else", "match", "let", "is", "none",
        "not", "in", "as", "int", "?", "??", "<", ">", ".", "..", "@", "/// d\n", "// c\n", "-", "**", "sql", "given",
    ];
    for seed in 0..4_000 {
        let mut random = Random::new(seed);
        let length = random.below(60);
        let text: String = (0..length).map(|_| format!("{} ", random.pick(&words))).collect();
        survives(&text, &format!("seed {seed}"));
    }
}

#[test]
fn mutated_samples() {
    for seed in 0..3_000 {
        let mut random = Random::new(seed);
        let mut text: Vec<char> = random.pick(SAMPLES).1.chars().collect();
        for _ in 0..1 + random.below(4) {
            let at = random.below(text.len());
            match random.below(4) {
                0 => drop(text.remove(at)),
                1 => text.insert(at, *random.pick(&['{', '}', '(', ')', '[', ']', '"', '\n', ' ', '=', '<', '@', '.'])),
                2 => {
                    let end = (at + random.below(30)).min(text.len());
                    text.drain(at..end);
                }
                _ => {
                    let other = random.below(text.len());
                    text.swap(at, other);
                }
            }
            if text.is_empty() {
                break;
            }
        }
        let text: String = text.into_iter().collect();
        survives(&text, &format!("seed {seed}"));
    }
}

#[test]
fn hostile_depth_is_one_clear_error() {
    let n = 100_000;
    let deep = [
        format!("fn f() -> int = {}1{}", "(".repeat(n), ")".repeat(n)),
        format!("fn f() -> int = {}1", "-".repeat(n)),
        format!("fn f() -> int = {}1", "not ".repeat(n)),
        format!("fn f() -> int = {}1", "1 + ".repeat(n)),
        format!("fn f() -> int = {}1", "2 ** ".repeat(n)),
        format!("fn f() -> int = a{}", ".b".repeat(n)),
        format!("fn f() -> int = {}c", "if a then b else ".repeat(n)),
        format!("fn f() -> int = {}1{}", "{ ".repeat(n), "}".repeat(n)),
        format!("fn f() -> int = {}1{}", "match { a => ".repeat(n), "}".repeat(n)),
        format!("fn f() -> int = {}1{}", "f(x: [".repeat(n), "])".repeat(n)),
        format!("message M {{ x: {}int{} }}", "[".repeat(n), "]".repeat(n)),
        format!("message M {{ x: int{} }}", "?".repeat(n + 1)),
        format!("@a({}1{})\nmessage M {{ x: int }}", "{1: ".repeat(n), "}".repeat(n)),
    ];
    for text in deep {
        let found = found(&text);
        assert_eq!(found.len(), 1, "{}…: {found:?}", &text[..40]);
        assert!(found[0].contains("E0009"), "{found:?}");
        assert_eq!(parse(&text).0.items.len(), 1);
    }
}

/// Work must grow with the text, not with its square: these would take minutes.
#[test]
fn long_and_flat_texts_are_read_in_one_go() {
    let n = 50_000;
    for text in [
        format!("fn f() -> int = {}{}", "(".repeat(n), "]".repeat(n)),
        format!("fn f() -> int = {}{}", "{(".repeat(n), "}".repeat(n)),
        format!("fn f() -> int = {}", "\"".repeat(n)),
        format!("fn f() -> [int] = [{}]", "100,".repeat(n)),
        format!("fn f() -> int = {}", "a b ".repeat(n)),
        format!("message M {{ a: {} }}", "m<".repeat(n)),
        format!("stream s(m: M) -> F\n{}{{ id = 1 }}", "  from a\n".repeat(n)),
        "/// a\n@b(1)\n".repeat(n),
        "x\n".repeat(n),
    ] {
        survives(&text, &text[..40]);
    }
}

#[test]
fn what_people_write_is_not_too_deep() {
    let n = NESTING_LIMIT - 20;
    for text in [
        format!("fn f() -> int = {}1{}", "(".repeat(n), ")".repeat(n)),
        format!("fn f() -> int = {}1", "1 + ".repeat(n)),
        format!("fn f() -> int = [{}]", "1 + 2, ".repeat(10_000)),
        format!("fn f() -> int = match {{\n{}else => 1\n}}", "a == 1 and b => 2\n".repeat(10_000)),
    ] {
        assert_eq!(found(&text), Vec::<String>::new());
    }
}

#[test]
fn many_mistakes_are_cut_off() {
    let text = "message M { x }\n".repeat(1_000);
    assert_eq!(found(&text).len(), 100);
}
