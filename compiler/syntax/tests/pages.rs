//! The pages of the syntax codes tell the truth: the first program of each has the mistake, the second has none.

mod support;

use chalk_diagnostics::Code;
use support::parse;

/// The texts of the fences of a page, with what stands after the three back ticks.
fn fences(page: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find("```chalk") {
        let (head, after) = rest[at + 3..].split_once('\n').expect("a line after the fence");
        let (body, tail) = after.split_once("```").expect("a closed fence");
        found.push((head, body));
        rest = tail;
    }
    found
}

#[test]
fn programs_of_syntax_pages_do_what_the_pages_say() {
    for &code in Code::ALL.iter().filter(|code| code.id().starts_with("E00")) {
        let fences = fences(code.page());
        let [(kind, broken), (_, fixed)] = fences[..] else { panic!("{code}: {} fences", fences.len()) };
        if kind == "chalk" {
            let codes: Vec<Code> = parse(broken).1.into_iter().map(|diagnostic| diagnostic.code).collect();
            assert!(codes.contains(&code), "{code}: the failing program gives {codes:?}");
        }
        let diagnostics = parse(fixed).1;
        assert!(diagnostics.is_empty(), "{code}: the fixed program gives {diagnostics:?}");
    }
}

#[test]
fn every_syntax_code_has_a_fix_that_fixes_or_none() {
    for &code in Code::ALL.iter().filter(|code| code.id().starts_with("E00")) {
        let (_, broken) = fences(code.page())[0];
        for diagnostic in parse(broken).1 {
            let Some(fix) = &diagnostic.fix else { continue };
            let mut text = broken.to_owned();
            text.replace_range(fix.span.range(), &fix.replacement);
            let left = parse(&text).1;
            assert!(!left.iter().any(|other| other.code == diagnostic.code), "{code}: {text}\n{left:?}");
        }
    }
}
