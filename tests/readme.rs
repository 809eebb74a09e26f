//! The README says what the code does.

/// The table of settings stands in the README as the code makes it.
#[test]
fn the_readme_lists_every_setting_with_its_default() {
    let readme = include_str!("../README.md");
    let (_, rest) = readme.split_once("<!-- settings -->\n").unwrap();
    let (table, _) = rest.split_once("<!-- /settings -->").unwrap();
    assert_eq!(table, usher::config::markdown_table());
}
