//! The reference pages of aggregates in `stdlib/reference` are those that the declarations make.

use std::fs;
use std::path::Path;

use chalk_catalog::reference::{aggregate_families, aggregate_page};
use chalk_functions::catalog;

#[test]
fn reference_pages_are_up_to_date() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reference");
    let bless = std::env::var_os("CHALK_BLESS").is_some();
    let families = aggregate_families(catalog());
    for family in &families {
        let file = folder.join(format!("{family}.md"));
        let expected = aggregate_page(catalog(), family);
        if bless {
            fs::write(&file, &expected).expect("the page can be written");
        }
        let found = fs::read_to_string(&file).unwrap_or_default();
        assert!(found == expected, "stdlib/reference/{family}.md is out of date: run the tests with CHALK_BLESS=1");
    }
    assert_eq!(families.len(), 8, "{families:?}");
}
