//! Rectification: what is right stands beside records that stay as they are, and goes with the person.

use ledgerstone_model::access::Role;
use ledgerstone_model::sealing::Preset;
use reqwest::Method;
use serde_json::{Value, json};

use crate::person::{approved, get, post, send};
use crate::rig::{Rig, assert_problem};

/// A change of a customer's data by a clerk, and what the customer and somebody else did.
async fn filled() -> Rig {
    let rig = Rig::start_sealing(Preset::Standard).await;
    let customer = json!({"type": "customer", "id": "cus-1"});
    let clerk = json!({"type": "employee", "id": "emp-1", "name": "Bo Chen"});
    send(
        &rig,
        json!({"id": "e-1", "event_type": "address.changed", "actor": clerk, "target": customer,
            "data": {"after": {"name": "Anna Lima", "city": "Lisbon"}},
            "action": {"description": "by counter 3"}, "metadata": {"desk": "3"}}),
    )
    .await;
    let ana = json!({"type": "customer", "id": "cus-1", "name": "Anna Lima"});
    send(&rig, json!({"id": "e-2", "event_type": "user.login", "actor": &ana})).await;
    send(&rig, json!({"id": "e-3", "event_type": "user.login", "actor": clerk})).await;
    let other = json!({"type": "employee", "id": "emp-2", "name": "Bea Voss"});
    send(
        &rig,
        json!({"id": "e-4", "event_type": "contact.chosen", "actor": ana, "target": other,
            "action": {"description": "chose a contact"}}),
    )
    .await;
    rig
}

fn name_of_e1() -> Value {
    json!({"corrections": [{"event_id": "e-1", "changes": {"/data/after/name": "Ana Lima-Reis"}}],
        "reason": "passport seen"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_stands_beside_the_record_and_goes_with_the_person() {
    let rig = filled().await;
    let before = get(&rig, Role::Admin, "/v1/events/e-1").await;
    assert!(before.get("corrected_by").is_none());
    let at = approved(&rig, "rectification", json!({})).await;
    let done = post(&rig, Role::PrivacyOfficer, &format!("{at}/rectify"), name_of_e1()).await;
    assert_eq!(done["state"], "done");
    let number = before["record"]["sequence_number"].as_u64().unwrap();
    assert_eq!(done["rectification"]["corrected"], json!([number]));

    let after = get(&rig, Role::Admin, "/v1/events/e-1").await;
    assert_eq!((&after["event"], &after["record"]), (&before["event"], &before["record"]));
    let by = &after["corrected_by"];
    assert_eq!(by[0]["event_id"], done["rectification"]["event_id"]);
    assert_eq!(by[0]["sequence_number"], done["rectification"]["sequence_number"]);
    let listed = get(&rig, Role::Viewer, "/v1/events?limit=1000").await;
    let listed = listed["events"].as_array().unwrap();
    let corrected = listed.iter().filter(|one| one.get("corrected_by").is_some());
    let corrected: Vec<_> = corrected.map(|one| one["record"]["event_id"].clone()).collect();
    assert_eq!(corrected, ["e-1"]);

    // The record itself: whole, redacted, and closed to those who see nothing of people.
    let path = format!("/v1/events/{}", by[0]["event_id"].as_str().unwrap());
    let shown = get(&rig, Role::Admin, &path).await;
    let metadata = &shown["event"]["data"]["metadata"];
    assert_eq!(shown["event"]["event_type"], "audit.rectification");
    assert_eq!(metadata["corrections"], json!([{"/data/after/name": "Ana Lima-Reis"}]));
    let named = &metadata["records"][0];
    assert_eq!(named["content_hash"], before["record"]["content_hash"]);
    assert_eq!(
        (&named["event_id"], named["sequence_number"].as_u64()),
        (&json!("e-1"), Some(number))
    );
    let redacted = get(&rig, Role::Auditor, &path).await;
    assert!(!redacted.to_string().contains("Lima"), "{redacted}");
    assert_eq!(redacted["hidden"][0]["why"], "redacted", "{redacted}");
    let content = get(&rig, Role::Admin, &format!("{path}/content")).await;
    assert!(!content.to_string().contains("Lima"), "{content}");
    let stored = &content["event"]["data"]["metadata"]["corrections"];
    assert!(stored["$sealed"].is_u64(), "{content}");

    // Whoever is erased takes the correction along.
    let at = approved(&rig, "erasure", json!({"basis": "objection"})).await;
    assert_eq!(get(&rig, Role::Admin, &at).await["state"], "done");
    let erased = get(&rig, Role::Admin, &path).await;
    assert_eq!(erased["hidden"][0]["why"], "erased", "{erased}");
    assert!(!erased.to_string().contains("Lima"), "{erased}");
    assert!(get(&rig, Role::Admin, "/v1/events/e-1").await["corrected_by"].is_array());
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_corrected_is_refused_by_name() {
    let rig = filled().await;
    let at = approved(&rig, "rectification", json!({})).await;
    let path = format!("{at}/rectify");
    let size = rig.size("acme");
    let one = |id: &str, pointer: &str| json!({"corrections": [{"event_id": id, "changes": {pointer: "x"}}]});
    for (sent, status, code) in [
        (json!({}), 422, "INVALID_CORRECTION"),
        (json!({"corrections": []}), 422, "INVALID_CORRECTION"),
        (json!({"corrections": [{"event_id": "e-1"}]}), 400, "INVALID_ARGUMENT"),
        (json!({"corrections": [{"event_id": "e-1", "changes": {}}]}), 422, "INVALID_CORRECTION"),
        (json!({"corrections": [{"event_id": "e-1", "changes": []}]}), 422, "INVALID_CORRECTION"),
        (json!({"corrections": [{"event_id": "e 1", "changes": {"/a": 1}}]}), 400, "INVALID_ID"),
        (one("e-9", "/data/after/name"), 404, "EVENT_NOT_FOUND"),
        (one("e-3", "/actor/name"), 422, "SUBJECT_NOT_IN_EVENT"),
        (one("_0", "/event_type"), 422, "SUBJECT_NOT_IN_EVENT"),
        (one("e-1", "data.after.name"), 422, "INVALID_CORRECTION"),
        (one("e-1", "/data/after/street"), 422, "INVALID_CORRECTION"),
        (one("e-1", "/actor/name"), 422, "INVALID_CORRECTION"),
        (one("e-1", "/actor/id"), 422, "INVALID_CORRECTION"),
        // What somebody else did is theirs, and so is another person's name.
        (one("e-1", "/action/description"), 422, "INVALID_CORRECTION"),
        (one("e-1", "/metadata/desk"), 422, "INVALID_CORRECTION"),
        (one("e-4", "/target/name"), 422, "INVALID_CORRECTION"),
        (
            json!({"corrections": [
                {"event_id": "e-1", "changes": {"/data/after/name": "x"}},
                {"event_id": "e-1", "changes": {"/data/after/city": "x"}}]}),
            422,
            "INVALID_CORRECTION",
        ),
        (
            json!({"corrections": [{"event_id": "e-1", "changes": {"/data": {"$sealed": 0}}}]}),
            422,
            "INVALID_CORRECTION",
        ),
    ] {
        let request = rig.request(Method::POST, &path, "acme", Role::Admin).json(&sent);
        assert_problem(request, status, code).await;
    }
    assert_eq!(rig.size("acme"), size, "nothing was written");
    post(&rig, Role::Admin, &path, name_of_e1()).await;
    let again = rig.request(Method::POST, &path, "acme", Role::Admin).json(&name_of_e1());
    assert_problem(again, 409, "REQUEST_STATE").await;
    let access = approved(&rig, "access", json!({})).await;
    let other = rig.request(Method::POST, &format!("{access}/rectify"), "acme", Role::Admin);
    assert_problem(other.json(&name_of_e1()), 409, "REQUEST_STATE").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_of_the_log_are_no_values_of_a_person() {
    let rig = filled().await;
    let at = approved(&rig, "rectification", json!({})).await;
    let path = format!("{at}/rectify");
    let refused = async |id: &str, pointer: &str, reason: &str| {
        let sent = json!({"corrections": [{"event_id": id, "changes": {pointer: "x"}}]});
        let request = rig.request(Method::POST, &path, "acme", Role::Admin).json(&sent);
        let problem = assert_problem(request, 422, "INVALID_CORRECTION").await;
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("event {id} has at {pointer} is {reason}")), "{detail}");
    };
    for pointer in ["/event_type", "/id", "/timestamp", "/actor/id", "/actor/type", "/actor"] {
        refused("e-2", pointer, "a fact of the log").await;
    }
    refused("e-4", "/target/name", "about somebody else").await;
    for (changes, says) in [
        (json!({}), "the correction of event e-2: changes: has 0 values"),
        (
            json!({"/actor/name": {"$sealed": 0}}),
            "event e-2: /actor/name: its new value holds the mark",
        ),
    ] {
        let sent = json!({"corrections": [{"event_id": "e-2", "changes": changes}]});
        let request = rig.request(Method::POST, &path, "acme", Role::Admin).json(&sent);
        let problem = assert_problem(request, 422, "INVALID_CORRECTION").await;
        assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}");
    }
    let nonsense = rig.request(Method::POST, &path, "acme", Role::Admin);
    let nonsense = nonsense.header("content-type", "application/json").body("nonsense");
    let problem = assert_problem(nonsense, 400, "NOT_JSON").await;
    assert!(problem["detail"].as_str().unwrap().starts_with("the body is no JSON"), "{problem}");
    // What the person did may be described wrongly.
    let sent =
        json!({"corrections": [{"event_id": "e-4", "changes": {"/action/description": "x"}}]});
    assert_eq!(post(&rig, Role::Admin, &path, sent).await["state"], "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_correction_is_mended_by_another_request() {
    let rig = filled().await;
    for name in ["Ana Lima-Resi", "Ana Lima-Reis"] {
        let at = approved(&rig, "rectification", json!({})).await;
        let sent =
            json!({"corrections": [{"event_id": "e-1", "changes": {"/data/after/name": name}}]});
        post(&rig, Role::Admin, &format!("{at}/rectify"), sent.clone()).await;
        let again = rig.request(Method::POST, &format!("{at}/rectify"), "acme", Role::Admin);
        let problem = assert_problem(again.json(&sent), 409, "REQUEST_STATE").await;
        assert!(problem["detail"].as_str().unwrap().contains("open another request"), "{problem}");
    }
    let shown = get(&rig, Role::Admin, "/v1/events/e-1").await;
    let by = shown["corrected_by"].as_array().unwrap();
    assert_eq!(by.len(), 2);
    // The last one counts.
    let last = format!("/v1/events/{}", by[1]["event_id"].as_str().unwrap());
    let corrections =
        &get(&rig, Role::Admin, &last).await["event"]["data"]["metadata"]["corrections"];
    assert_eq!(corrections[0]["/data/after/name"], "Ana Lima-Reis");
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_corrects_what_an_erasure_ended() {
    let rig = filled().await;
    let at = approved(&rig, "rectification", json!({})).await;
    approved(&rig, "erasure", json!({"basis": "objection"})).await;
    let request = rig.request(Method::POST, &format!("{at}/rectify"), "acme", Role::Admin);
    assert_problem(request.json(&name_of_e1()), 409, "ALREADY_ERASED").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_without_an_id_is_somebody_else() {
    let rig = Rig::start_sealing(Preset::Standard).await;
    let ana = json!({"type": "customer", "id": "cus-1", "name": "Anna Lima"});
    let child = json!({"type": "customer", "name": "Mia Lima"});
    send(
        &rig,
        json!({"id": "e-1", "event_type": "account.opened", "actor": ana, "target": child,
            "data": {"after": {"name": "Mia Lima"}}}),
    )
    .await;
    let at = approved(&rig, "rectification", json!({})).await;
    let path = format!("{at}/rectify");
    let size = rig.size("acme");
    let one =
        |pointer: &str| json!({"corrections": [{"event_id": "e-1", "changes": {pointer: "x"}}]});
    for pointer in ["/target/name", "/data/after/name"] {
        let request = rig.request(Method::POST, &path, "acme", Role::Admin).json(&one(pointer));
        let problem = assert_problem(request, 422, "INVALID_CORRECTION").await;
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("at {pointer} is about somebody else")), "{detail}");
    }
    assert_eq!(rig.size("acme"), size, "nothing was written");
    assert_eq!(post(&rig, Role::Admin, &path, one("/actor/name")).await["state"], "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_found_by_keys_alone_has_clear_values_corrected_too() {
    let rig = Rig::start_sealing(Preset::Strict).await;
    let (status, set) = call_put(
        &rig,
        json!({"preset": "strict", "rules": [{"path": "action.description", "class": "public"}]}),
    )
    .await;
    assert_eq!(status, 200, "{set}");
    let ana = json!({"type": "customer", "id": "cus-1", "name": "Anna Lima"});
    let said = json!({"verb": "move", "description": "moved to Porto"});
    send(&rig, json!({"id": "e-1", "event_type": "user.moved", "actor": ana, "action": said}))
        .await;
    let bo = json!({"type": "customer", "id": "cus-2", "name": "Bo Berg"});
    let said = json!({"verb": "move", "description": "moved to Faro"});
    send(&rig, json!({"id": "e-2", "event_type": "user.moved", "actor": bo, "action": said})).await;
    let content = get(&rig, Role::Admin, "/v1/events/e-1/content").await;
    assert!(content["event"]["actor"]["id"]["$sealed"].is_u64(), "{content}");
    assert_eq!(content["event"]["action"]["description"], "moved to Porto");
    let at = approved(&rig, "rectification", json!({})).await;
    let path = format!("{at}/rectify");
    let one = |id: &str, pointer: &str| json!({"corrections": [{"event_id": id, "changes": {pointer: "x"}}]});
    let others = one("e-2", "/action/description");
    let refused = rig.request(Method::POST, &path, "acme", Role::Admin).json(&others);
    assert_problem(refused, 422, "SUBJECT_NOT_IN_EVENT").await;
    let fact = rig.request(Method::POST, &path, "acme", Role::Admin);
    assert_problem(fact.json(&one("e-1", "/actor/id")), 422, "INVALID_CORRECTION").await;
    let done = post(&rig, Role::Admin, &path, one("e-1", "/action/description")).await;
    assert_eq!(done["state"], "done");
}

async fn call_put(rig: &Rig, policy: Value) -> (u16, Value) {
    let request = rig.request(Method::PUT, "/v1/policies/sealing", "acme", Role::Admin);
    let response = request.json(&policy).send().await.unwrap();
    (response.status().as_u16(), crate::rig::json(response).await)
}
