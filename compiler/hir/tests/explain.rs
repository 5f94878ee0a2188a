//! The pages of the checker's codes do what they say: the first program has the code, the second is clean.

mod common;

use chalk_diagnostics::Code;

/// The fenced programs of a page.
fn programs(page: &str) -> Vec<String> {
    page.split("\n```chalk")
        .skip(1)
        .filter_map(|part| part.split_once('\n')?.1.split_once("\n```").map(|(text, _)| text.to_owned()))
        .collect()
}

#[test]
fn failing_programs_fail_with_the_code_and_mended_ones_are_clean() {
    let mut wrong = String::new();
    for &code in Code::ALL {
        let id = code.id();
        if !["W", "E01", "E02", "E03", "E04", "E06"].iter().any(|range| id.starts_with(range)) {
            continue;
        }
        let programs = programs(code.page());
        assert_eq!(programs.len(), 2, "{code}");
        for (text, wanted) in programs.iter().zip([vec![code], vec![]]) {
            let (sources, analysis) = common::analyze_files(&[("page.chalk", text)]);
            let mut found: Vec<Code> = analysis.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
            found.dedup();
            if found != wanted {
                wrong += &format!("{code}: wanted {wanted:?}\n{}\n", common::render(&sources, &analysis.diagnostics));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
