//! The reference page has every route.

use std::fs;
use std::path::Path;

use ledgerstone_edge::rest::{ENDPOINTS, Endpoint};

/// What may follow a route where it is named: the end of the code, or its parameters.
const ENDS: [char; 3] = ['`', '?', ' '];

fn names(page: &str, route: &str) -> bool {
    // The rest of a tile's path is described in words of its own.
    if let Some((prefix, _)) = route.split_once("{*") {
        return page.contains(&format!("`{prefix}"));
    }
    let start = format!("`{route}");
    let mut found = page.match_indices(&start).map(|(at, text)| at + text.len());
    found.any(|end| page[end..].starts_with(ENDS))
}

#[test]
fn every_route_stands_in_the_page_about_http() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/http.md");
    let page = fs::read_to_string(page).unwrap();
    let routes = ENDPOINTS.iter().flat_map(Endpoint::places);
    let missing: Vec<String> = routes
        .map(|(method, path)| format!("{method} {path}"))
        .filter(|route| !names(&page, route))
        .collect();
    assert!(missing.is_empty(), "docs/http.md does not name {missing:#?}");
}
