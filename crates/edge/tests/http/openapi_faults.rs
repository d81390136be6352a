//! What is wrong with an `OpenAPI` document: by `OpenAPI`'s own schema and that of JSON Schema, and by the
//! rules that no schema can state.

use std::collections::BTreeSet;

use jsonschema::{Registry, Validator};
use ledgerstone_edge::rest::document;
use serde_json::{Value, json};

/// See `tests/fixtures/openapi/README.md`.
const OPENAPI: &str = include_str!("../fixtures/openapi/schema-2026-08-03.json");

/// The document under the name by which its parts are referred to.
const DOCUMENT: &str = "urn:ledgerstone:document";

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// Everything that is wrong, one line each.
pub fn faults(document: &Value) -> Vec<String> {
    let found = faults_of_form(document);
    let mut walk = Walk { document, registry: registry(document), found };
    walk.go_through(document, "");
    let mut found = walk.found;
    operations(document, &mut found);
    found
}

/// What a schema of the interface has against a value.
pub fn disagreements(schema: &str, value: &Value) -> Vec<String> {
    let document = document();
    let mut walk = Walk { document: &document, registry: registry(&document), found: Vec::new() };
    walk.compare(schema, value, "");
    walk.found
}

/// What `OpenAPI`'s schema says, with schemas within the document being JSON Schema 2020-12.
fn faults_of_form(document: &Value) -> Vec<String> {
    let openapi: Value = serde_json::from_str(OPENAPI).unwrap();
    let id = openapi["$id"].as_str().unwrap().to_owned();
    let registry = Registry::new().add(&id, &openapi).unwrap().prepare().unwrap();
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:ledgerstone:openapi-with-json-schema",
        "$ref": id,
        "$defs": {"schema": {
            "$dynamicAnchor": "meta",
            "$ref": "https://json-schema.org/draft/2020-12/schema",
        }},
    });
    let options = jsonschema::options().with_registry(&registry).offline();
    let validator: Validator = options.should_validate_formats(true).build(&schema).unwrap();
    let told =
        |error: jsonschema::ValidationError<'_>| format!("{}: {error}", error.instance_path());
    validator.iter_errors(document).map(told).collect()
}

fn registry(document: &Value) -> Registry<'_> {
    Registry::new().add(DOCUMENT, document).unwrap().prepare().unwrap()
}

/// Goes through every value of a document.
struct Walk<'a> {
    document: &'a Value,
    registry: Registry<'a>,
    found: Vec<String>,
}

impl Walk<'_> {
    fn go_through(&mut self, value: &Value, place: &str) {
        match value {
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.go_through(item, &format!("{place}/{at}"));
                }
            }
            Value::Object(members) => {
                if let Some(to) = members.get("$ref").and_then(Value::as_str)
                    && to.strip_prefix('#').and_then(|to| self.document.pointer(to)).is_none()
                {
                    self.found.push(format!("{place}: {to} leads nowhere"));
                }
                self.examples(value, place);
                for (name, member) in members {
                    let name = name.replace('~', "~0").replace('/', "~1");
                    self.go_through(member, &format!("{place}/{name}"));
                }
            }
            _ => {}
        }
    }

    /// Examples beside a schema, and examples and defaults within one, are values that it allows.
    fn examples(&mut self, value: &Value, place: &str) {
        let is_schema = place.starts_with("/components/schemas/") || place.contains("/schema");
        if is_schema {
            for (at, example) in value["examples"].as_array().into_iter().flatten().enumerate() {
                self.compare(place, example, &format!("{place}/examples/{at}"));
            }
            if let Some(default) = value.get("default") {
                self.compare(place, default, &format!("{place}/default"));
            }
        }
        if value.get("schema").is_none() {
            return;
        }
        let schema = format!("{place}/schema");
        if let Some(example) = value.get("example") {
            self.compare(&schema, example, &format!("{place}/example"));
        }
        for (name, example) in value["examples"].as_object().into_iter().flatten() {
            self.compare(&schema, &example["value"], &format!("{place}/examples/{name}"));
        }
    }

    fn compare(&mut self, schema: &str, value: &Value, place: &str) {
        let pointer = schema.replace('{', "%7B").replace('}', "%7D");
        let schema = json!({"$ref": format!("{DOCUMENT}#{pointer}")});
        let options = jsonschema::options().with_registry(&self.registry).offline();
        let validator: Validator = match options.should_validate_formats(true).build(&schema) {
            Ok(validator) => validator,
            Err(error) => return self.found.push(format!("{place}: {error}")),
        };
        let told = |error: jsonschema::ValidationError<'_>| format!("{place}: {error}");
        self.found.extend(validator.iter_errors(value).map(told));
    }
}

/// Ids stand once; the parameters of a path are those that are described.
fn operations(document: &Value, found: &mut Vec<String>) {
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in METHODS.iter().filter_map(|name| Some((name, item.get(name)?))) {
            let place = format!("{method} {path}");
            match operation["operationId"].as_str() {
                None => found.push(format!("{place} has no operationId")),
                Some(id) if !ids.insert(id) => found.push(format!("{id} stands twice")),
                Some(_) => {}
            }
            parameters(path, [item, operation], &place, found);
        }
    }
}

fn parameters(path: &str, owners: [&Value; 2], place: &str, found: &mut Vec<String>) {
    let pieces = path.split('/').filter_map(|piece| piece.strip_prefix('{')?.strip_suffix('}'));
    let named: BTreeSet<&str> = pieces.collect();
    let mut described = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let all = owners.into_iter().filter_map(|owner| owner["parameters"].as_array()).flatten();
    for parameter in all {
        let name = parameter["name"].as_str().unwrap_or_default();
        if !seen.insert((parameter["in"].as_str(), name)) {
            found.push(format!("{place}: {name} is described twice"));
        }
        if parameter["in"] == "path" {
            described.insert(name);
        }
    }
    if named != described {
        found.push(format!("{place}: the path has {named:?}, described are {described:?}"));
    }
}
