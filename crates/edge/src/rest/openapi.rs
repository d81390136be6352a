//! The interface as an `OpenAPI` 3.1 document and as a page, both out of the table of endpoints.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::response::{Html, IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, header};
use ledgerstone_model::access::Permission;
use serde_json::{Map, Value, json};
use utoipa_axum::router::OpenApiRouter;

use super::answer_schemas;
use super::body_schemas;
use super::endpoint::Access;
use super::endpoints::ENDPOINTS;
use super::service::Service;

/// What the document says of the interface as a whole.
const DESCRIPTION: &str = "Audit ledgers that nobody can change unnoticed. Every failure is an \
    RFC 9457 problem with a stable `code`; docs/errors.md lists them.";

static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

/// The interface as an `OpenAPI` document.
#[utoipa::path(get, path = "/openapi.json", tag = "operation",
    responses((status = 200, description = "This document")))]
pub async fn openapi() -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], DOCUMENT.to_string()).into_response()
}

/// The routes as a page to read.
#[utoipa::path(get, path = "/docs", tag = "operation",
    responses((status = 200, description = "A page", content_type = "text/html")))]
pub async fn docs() -> Html<String> {
    Html(page(&DOCUMENT))
}

/// The interface as an `OpenAPI` 3.1 document.
pub fn document() -> Value {
    let mut document = derived();
    document["info"] = json!({
        "title": "Ledgerstone",
        "description": DESCRIPTION,
        "version": env!("CARGO_PKG_VERSION"),
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    });
    let schemes = json!({
        "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "token": {"type": "http", "scheme": "bearer", "description": "An API key, or a JWT of a configured issuer."},
    });
    document["components"]["securitySchemes"] = schemes;
    for (name, schema) in written() {
        document["components"]["schemas"][name] = schema;
    }
    document["components"]["responses"]["Problem"] = json!({
        "description": "What was wrong, and what to do about it",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    });
    let paths = document["paths"].as_object_mut().map(std::mem::take).unwrap_or_default();
    document["paths"] = Value::Object(finished(paths));
    document
}

/// The paths with what all operations share.
/// What follows from the types of the endpoints.
fn derived() -> Value {
    let mut router = OpenApiRouter::<Service>::new();
    for endpoint in ENDPOINTS {
        router = router.routes(endpoint.operations());
    }
    serde_json::to_value(router.into_openapi()).unwrap_or_default()
}

/// The schemas of what no type of ours stands for.
fn written() -> impl Iterator<Item = (String, Value)> {
    let bodies = body_schemas::components().map(|(name, schema)| (name.to_owned(), schema));
    let problem = ("Problem".to_owned(), problem_schema());
    bodies.into_iter().chain(answer_schemas::components()).chain([problem])
}

fn finished(mut paths: Map<String, Value>) -> Map<String, Value> {
    for endpoint in ENDPOINTS {
        for (method, path) in endpoint.places() {
            let operation = &mut paths[&path][method.as_str().to_lowercase()];
            operation["operationId"] = json!(operation_id(&method, &path));
            operation["responses"]["default"] = json!({"$ref": "#/components/responses/Problem"});
            describe_answers(&mut operation["responses"]);
            let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
            parameters.into_iter().flatten().for_each(without_null);
            match endpoint.access() {
                Access::Public => operation["security"] = json!([]),
                Access::Needs(permission) => {
                    operation["security"] = json!([{"api_key": []}, {"token": []}]);
                    operation["x-permission"] = json!(permission.as_str());
                }
            }
        }
    }
    describe_bodies(&mut paths);
    answer_schemas::describe(&mut paths);
    let append = paths["/v1/events"]["post"].clone();
    for (_, item) in &mut paths {
        let takes_events = item["post"]["x-permission"] == Permission::EventsWrite.as_str();
        if takes_events {
            for member in ["parameters", "requestBody", "responses"] {
                item["post"][member] = append[member].clone();
            }
        }
    }
    // OpenAPI has no mark for a parameter that goes on over slashes.
    paths.into_iter().map(|(path, item)| (path.replace("{*", "{"), item)).collect()
}

/// What is sent where no type of ours describes it.
fn describe_bodies(paths: &mut Map<String, Value>) {
    let json = |schema: Value, required: bool| json!({"required": required, "content": {"application/json": {"schema": schema}}});
    paths["/v1/events"]["post"]["requestBody"] = body_schemas::events_body();
    paths["/v1/taxonomy/check"]["post"]["requestBody"] =
        json(body_schemas::anything_to_check(), true);
    let event = json!({"$ref": "#/components/schemas/Event"});
    paths["/v1/dead-letters/{id}/resend"]["post"]["requestBody"] = json(event, false);
    let draft = json!({"$ref": "#/components/schemas/TaxonomyDraft"});
    paths["/v1/taxonomy"]["put"]["requestBody"] = json(draft, true);
}

/// A parameter that may be left out is left out: there is no null in a path, a query or a header.
fn without_null(parameter: &mut Value) {
    let kind = &mut parameter["schema"]["type"];
    if let Some(kinds) = kind.as_array() {
        let others: Vec<Value> = kinds.iter().filter(|kind| *kind != "null").cloned().collect();
        *kind = match others.as_slice() {
            [only] => only.clone(),
            _ => Value::Array(others),
        };
    }
}

/// Every answer has a description, which `OpenAPI` demands; those that say nothing of themselves get
/// the words of HTTP.
fn describe_answers(answers: &mut Value) {
    for (status, answer) in answers.as_object_mut().into_iter().flatten() {
        let is_described = answer.get("$ref").is_some()
            || answer["description"].as_str().is_some_and(|text| !text.is_empty());
        if !is_described {
            let status = status.parse().ok().and_then(|code: u16| StatusCode::from_u16(code).ok());
            let words = status.and_then(|status| status.canonical_reason()).unwrap_or("Answer");
            answer["description"] = json!(words);
        }
    }
}

/// A name that follows from the place, e.g. `get_v1_events_id`: handlers' names repeat.
fn operation_id(method: &Method, path: &str) -> String {
    let words = path.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    let method = method.as_str().to_lowercase();
    words.fold(method, |id, word| format!("{id}_{word}"))
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "description": "RFC 9457 problem details",
        "required": ["type", "title", "status", "detail", "code", "remedy"],
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": {"type": "string", "description": "What the code means"},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "What was wrong this time"},
            "code": {"type": "string", "description": "The stable name of the failure"},
            "remedy": {"type": "string", "description": "What to do about it"},
            "instance": {"type": "string", "description": "The id of the request"},
            "id": {"type": "string", "description": "The event that it is about"},
            "errors": {"type": "array", "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "Where, as a JSON pointer in a fragment"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            }},
        },
    })
}

/// A table of the routes. Nothing in it is anybody's input.
fn page(document: &Value) -> String {
    let mut rows = String::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let text = |name: &str| operation[name].as_str().unwrap_or_default();
            let summary =
                if text("summary").is_empty() { text("description") } else { text("summary") };
            let permission =
                if text("x-permission").is_empty() { "public" } else { text("x-permission") };
            let method = method.to_uppercase();
            let _ = writeln!(
                rows,
                "<tr><td><code>{method} {path}</code></td><td>{permission}</td><td>{summary}</td></tr>"
            );
        }
    }
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Ledgerstone</title>\
         <h1>Ledgerstone {version}</h1><p>{DESCRIPTION} <a href=\"/openapi.json\">OpenAPI</a></p>\
         <table><tr><th>route<th>permission<th>what it does</tr>\n{rows}</table></html>\n",
        version = env!("CARGO_PKG_VERSION"),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{derived, written};

    #[test]
    fn no_name_stands_for_two_schemas() {
        let types = derived();
        let mut names = BTreeSet::new();
        for (name, _) in written() {
            assert!(types["components"]["schemas"].get(&name).is_none(), "{name}");
            assert!(names.insert(name.clone()), "{name}");
        }
    }
}
