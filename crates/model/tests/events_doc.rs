//! `docs/events.md` holds the table of fields as the code has it.

use std::path::Path;

use ledgerstone_model::schema_table::field_table;

#[test]
fn the_document_has_the_table_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/events.md");
    let document = std::fs::read_to_string(&path).expect("docs/events.md is there");
    let begin = "<!-- generated: fields -->\n";
    let (_, rest) = document.split_once(begin).expect("the mark where the table begins");
    let (table, _) = rest.split_once("<!-- end -->").expect("the mark where the table ends");
    assert!(
        table == field_table(),
        "docs/events.md is not up to date; between its marks should stand:\n{}",
        field_table()
    );
}
