//! The page behind each code, as `chalkc explain` shows it, and the tests that keep pages honest.
//!
//! This module must not know a compiler: that the programs of the pages do what the pages say is tested where there is one.

use crate::Code;

/// The page of a code (`E0201`, in any case), or nothing if there is no such code.
pub fn explain(code: &str) -> Option<&'static str> {
    Code::from_id(code.trim()).map(Code::page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_has_a_page_with_a_title_a_reason_and_two_programs() {
        for &code in Code::ALL {
            let page = code.page();
            assert!(page.starts_with(&format!("# {code}: ")), "{code}: the first line must be `# {code}: title`");
            assert!(!code.title().is_empty() && !code.title().ends_with('.'), "{code}: title without a full stop");
            assert_eq!(page.matches("\n```chalk").count(), 2, "{code}: a failing program, then the fixed one");
            let reason = page.split("\n```chalk").next().unwrap_or_default().lines().skip(1).collect::<String>();
            assert!(reason.len() > 60, "{code}: say before the first program what is wrong and why the rule");
        }
    }

    #[test]
    fn codes_are_unique_and_no_page_is_without_a_code() {
        let ids: BTreeSet<&str> = Code::ALL.iter().map(|code| code.id()).collect();
        assert_eq!(ids.len(), Code::ALL.len());
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/explain");
        for entry in std::fs::read_dir(folder).expect("the folder of pages") {
            let name = entry.expect("a page").file_name().into_string().expect("a plain name");
            let id = name.strip_suffix(".md").expect("only pages here");
            assert!(ids.contains(id), "explain/{name} has no code in codes.rs");
        }
    }

    #[test]
    fn a_code_is_found_in_any_case() {
        assert_eq!(explain(" e0001"), Some(Code::E0001.page()));
        assert_eq!(explain("E9999"), None);
    }
}
