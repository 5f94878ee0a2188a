//! The reference pages in `stdlib/reference` are those that the declarations make.

use std::fs;
use std::path::Path;

use chalk_catalog::reference::{aggregate_families, families, page};
use chalk_functions::catalog;

#[test]
fn reference_pages_are_up_to_date() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reference");
    let bless = std::env::var_os("CHALK_BLESS").is_some();
    for family in families(catalog()) {
        let file = folder.join(format!("{family}.md"));
        let expected = page(catalog(), family);
        if bless {
            fs::write(&file, &expected).expect("the page can be written");
        }
        let found = fs::read_to_string(&file).unwrap_or_default();
        assert!(found == expected, "stdlib/reference/{family}.md is out of date: run the tests with CHALK_BLESS=1");
    }
    let pages = fs::read_dir(&folder).expect("the folder exists").count();
    let wanted = families(catalog()).len() + aggregate_families(catalog()).len();
    assert_eq!(pages, wanted, "a page of a family that is gone");
}
