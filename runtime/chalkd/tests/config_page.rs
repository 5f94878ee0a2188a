//! `CONFIG.md` says what the program reads.

use std::path::Path;

#[test]
fn the_committed_page_is_the_list_of_keys() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("CONFIG.md");
    let page = chalkd::config::page();
    if std::env::var_os("CHALK_BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page, "{} is out of date: make it anew with CHALK_BLESS=1", path.display());
}

#[test]
fn every_key_is_documented_and_has_a_field_of_its_own() {
    for key in chalkd::config::KEYS {
        assert!(key.doc.ends_with('.'), "{}", key.path);
    }
}
