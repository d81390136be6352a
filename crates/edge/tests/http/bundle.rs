//! The bundle of access: everything about one person, whole for them, proved, and others redacted.

use ledgerstone_model::access::Role;
use ledgerstone_model::sealing::Preset;
use ledgerstone_proof::{Hash, TlogProof, VerifierKey, verify_record_proof};
use ledgerstone_store::conformance::AppendFault;
use reqwest::Method;
use serde_json::{Value, json};

use crate::person::{approved, get, opened, post, send, subject};
use crate::rig::{Rig, assert_problem};

async fn filled(preset: Preset) -> Rig {
    let rig = Rig::start_sealing(preset).await;
    let customer = json!({"type": "customer", "id": "cus-1"});
    let clerk = json!({"type": "employee", "id": "emp-1", "name": "Bo Chen"});
    let ana = json!({"type": "customer", "id": "cus-1", "name": "=Ana, Lima"});
    let diary = json!({"after": {"note": "seen by doctor"}});
    send(
        &rig,
        json!({"id": "e-1", "event_type": "address.changed", "actor": clerk, "target": customer,
            "data": {"after": {"name": "Ana Lima", "score": -5}}}),
    )
    .await;
    send(&rig, json!({"id": "e-2", "event_type": "user.login", "actor": clerk})).await;
    send(&rig, json!({"id": "e-3", "event_type": "user.login", "actor": ana, "data": diary})).await;
    rig
}

/// What an outsider does with a page: checks each content and its way to the checkpoint.
fn check(page: &Value) {
    let key = VerifierKey::parse(page["vkey"].as_str().unwrap()).unwrap();
    for record in page["records"].as_array().unwrap() {
        let proof = &record["proof"];
        let hashes = proof["hashes"].as_array().unwrap().iter();
        let hashes = hashes.map(|hash| Hash::from_base64(hash.as_str().unwrap()).unwrap());
        let canonical =
            |value: &Value| ledgerstone_proof::canonicalize(value.to_string().as_bytes()).unwrap();
        let proof = TlogProof::new(
            Some(canonical(&proof["header"])),
            proof["leaf_index"].as_u64().unwrap(),
            hashes.collect(),
            page["checkpoint"].as_str().unwrap(),
        );
        let content = Some(&record["content"]).filter(|content| !content.is_null()).map(canonical);
        let key = std::slice::from_ref(&key);
        let proved = verify_record_proof(&proof.unwrap(), key, content.as_deref()).unwrap();
        assert_eq!(proved.content_checked(), content.is_some());
    }
}

fn ids(page: &Value) -> Vec<&str> {
    let records = page["records"].as_array().unwrap().iter();
    records.map(|one| one["record"]["event_id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_gets_everything_and_nothing_of_others() {
    let rig = filled(Preset::Standard).await;
    let at = approved(&rig, "access", json!({})).await;
    let bundle = format!("{at}/bundle");
    let page = get(&rig, Role::PrivacyOfficer, &bundle).await;
    assert_eq!(ids(&page), ["e-1", "e-3"]);
    assert_eq!((&page["erased"], &page["certificates"]), (&json!(false), &json!([])));
    assert_eq!(page["next_cursor"], Value::Null);
    check(&page);
    let changed = &page["records"][0];
    assert_eq!(changed["event"]["data"]["after"], json!({"name": "Ana Lima", "score": -5}));
    assert_eq!(changed["event"]["actor"]["name"], "B. C.");
    assert_eq!(changed["hidden"][0]["pointer"], "/actor/name");
    let login = &page["records"][1];
    assert_eq!(login["event"]["actor"]["name"], "=Ana, Lima");
    assert_eq!(login["event"]["data"]["after"]["note"], "seen by doctor");
    assert!(login.get("hidden").is_none(), "{login}");
    let sealed: String =
        page["records"].as_array().unwrap().iter().map(|one| one["content"].to_string()).collect();
    assert!(sealed.contains("salt"), "{sealed}");
    assert!(!sealed.contains("Lima") && !sealed.contains("Bo Chen"), "{sealed}");

    // Who gave it out stands in the access log before it is answered.
    let path = format!("/v1/subjects/{}/access", subject(&rig).await);
    let accesses = get(&rig, Role::Admin, &path).await;
    let last = &accesses["accesses"][0];
    assert_eq!(last["view"], "shown", "{accesses}");
    assert_eq!(last["event"]["target"]["id"], "GET /v1/requests/{id}/bundle");
    assert_eq!(last["event"]["action"]["verb"], "read");

    let first = get(&rig, Role::Admin, &format!("{bundle}?limit=1")).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    send(&rig, json!({"id": "e-9", "event_type": "user.login", "actor": {"type": "customer", "id": "cus-1"}})).await;
    let second = get(&rig, Role::Admin, &format!("{bundle}?limit=100&cursor={cursor}")).await;
    assert_eq!((ids(&first), ids(&second)), (vec!["e-1"], vec!["e-3"]), "one snapshot");
    let of = &first["range"]["of"];
    assert_eq!(first["range"], json!({"from": 0, "of": of, "to": second["range"]["from"]}));
    assert_eq!(
        (&second["range"]["of"], &second["range"]["to"], &second["count"]),
        (of, of, &json!(1))
    );
    check(&first);
    check(&second);

    let done = post(&rig, Role::PrivacyOfficer, &format!("{at}/deliver"), json!({})).await;
    assert_eq!(done["state"], "done");
    let again = rig.request(Method::GET, &bundle, "acme", Role::Admin);
    let problem = assert_problem(again, 409, "REQUEST_STATE").await;
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("is done since 20") && detail.ends_with("a new request for access"));
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_has_a_line_for_each_value_and_no_formulas() {
    let rig = filled(Preset::Standard).await;
    let at = approved(&rig, "access", json!({})).await;
    let csv = async |query: &str| {
        let path = format!("{at}/bundle?format=csv{query}");
        let answer = rig.request(Method::GET, &path, "acme", Role::Admin).send().await.unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        assert!(kind.starts_with("text/csv"), "{kind}");
        let next = answer.headers().get("ledgerstone-next-cursor").cloned();
        (answer.text().await.unwrap(), next)
    };
    let (whole, next) = csv("").await;
    assert!(next.is_none());
    let mut lines = whole.split("\r\n");
    assert_eq!(
        lines.next(),
        Some("sequence_number,event_id,ingested_at,kind,pointer,type,value,hidden")
    );
    let has = |end: &str| whole.split("\r\n").any(|line| line.ends_with(end));
    for end in [
        ",event,/actor/name,text,B. C.,redacted",
        ",event,/data/after/name,text,Ana Lima,",
        ",event,/data/after/score,number,-5,",
        ",event,/actor/name,text,\"'=Ana, Lima\",",
    ] {
        assert!(has(end), "{end}: {whole}");
    }
    let (mut pages, mut next) = csv("&limit=1").await;
    while let Some(cursor) = next {
        let (page, further) = csv(&format!("&limit=1&cursor={}", cursor.to_str().unwrap())).await;
        pages.push_str(&page);
        next = further;
    }
    assert_eq!(pages, whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_needs_two_people_and_those_who_answer_for_data() {
    let rig = filled(Preset::Standard).await;
    let at = opened(&rig, "access", json!({})).await;
    let path = format!("{at}/bundle");
    let ask = |role, path: &str| rig.request(Method::GET, path, "acme", role);
    assert_problem(ask(Role::Admin, &path), 409, "REQUEST_STATE").await;
    post(&rig, Role::Admin, &format!("{at}/check-identity"), json!({})).await;
    assert_problem(ask(Role::Admin, &path), 409, "REQUEST_STATE").await;
    let alone = rig.request(Method::POST, &format!("{at}/approve"), "acme", Role::Admin);
    assert_problem(alone.json(&json!({})), 403, "SECOND_PERSON_NEEDED").await;
    // Another than whoever opened it, and than whoever checked the identity.
    let alone = rig.request(Method::POST, &format!("{at}/approve"), "acme", Role::PrivacyOfficer);
    assert_problem(alone.json(&json!({})), 403, "SECOND_PERSON_NEEDED").await;
    let at = approved(&rig, "access", json!({})).await;
    let path = format!("{at}/bundle");
    for role in [Role::Auditor, Role::Viewer, Role::Writer] {
        assert_problem(ask(role, &path), 403, "FORBIDDEN").await;
    }
    for query in
        ["?format=xml", "?limit=0", "?limit=1001", "?order=newest", "?format=csv&format=csv"]
    {
        assert_problem(ask(Role::Admin, &format!("{path}{query}")), 400, "INVALID_ARGUMENT").await;
    }
    assert_problem(ask(Role::Admin, &format!("{path}?cursor=abc")), 400, "INVALID_CURSOR").await;
    let restriction = approved(&rig, "restriction", json!({})).await;
    let other = ask(Role::Admin, &format!("{restriction}/bundle")).send().await.unwrap();
    assert_eq!(other.status(), 409);
    // A restriction closes nothing to the person.
    assert_eq!(ids(&get(&rig, Role::Admin, &path).await), ["e-1", "e-3"]);
    let foreign = rig.request(Method::GET, &path, "beta", Role::Admin);
    assert_problem(foreign, 404, "UNKNOWN_REQUEST").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_keys_there_is_no_bundle_rather_than_half_of_one() {
    let rig = filled(Preset::Standard).await;
    let at = approved(&rig, "access", json!({})).await;
    let sealing = rig.sealing.as_ref().unwrap();
    sealing.switch_off();
    rig.clock.advance(std::time::Duration::from_mins(10));
    let path = format!("{at}/bundle");
    let ask = rig.request(Method::GET, &path, "acme", Role::Admin);
    assert_problem(ask, 503, "KEY_SERVICE_UNAVAILABLE").await;
    sealing.switch_on();
    assert_eq!(ids(&get(&rig, Role::Admin, &path).await), ["e-1", "e-3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_erased_person_the_bundle_says_so() {
    let rig = filled(Preset::Standard).await;
    let at = approved(&rig, "access", json!({})).await;
    let erasure = approved(&rig, "erasure", json!({"basis": "objection"})).await;
    assert_eq!(get(&rig, Role::Admin, &erasure).await["state"], "done");
    let page = get(&rig, Role::Admin, &format!("{at}/bundle")).await;
    assert_eq!((&page["erased"], ids(&page)), (&json!(true), vec!["e-1", "e-3"]));
    let certificate = &page["certificates"][0];
    for record in page["records"].as_array().unwrap() {
        let erased = record["hidden"].as_array().unwrap().iter().find(|one| one["why"] == "erased");
        assert_eq!(&erased.unwrap()["certificate"], certificate);
    }
    assert!(!page.to_string().contains("Lima"), "{page}");
    check(&page);
}

/// Nothing is opened for it: all of it stands in clear.
#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_of_clear_values_is_recorded_before_it_is_answered_too() {
    let rig = filled(Preset::None).await;
    let at = approved(&rig, "access", json!({})).await;
    for query in ["", "?format=csv", "?limit=1", "?limit=1"] {
        let before = rig.size("acme");
        let request = rig.request(Method::GET, &format!("{at}/bundle{query}"), "acme", Role::Admin);
        let answer = request.send().await.unwrap().error_for_status().unwrap();
        assert!(answer.text().await.unwrap().contains("Ana"));
        assert_eq!(rig.size("acme") - before, 1, "{query}");
    }
    let newest = get(&rig, Role::Auditor, "/v1/events?order=newest&limit=1").await;
    let target = &newest["events"][0]["event"]["target"];
    assert_eq!(target["id"], "GET /v1/requests/{id}/bundle?limit", "{newest}");
    rig.store.fail_next(AppendFault::Unavailable);
    let refused = rig.request(Method::GET, &format!("{at}/bundle"), "acme", Role::Admin);
    let refused = refused.send().await.unwrap();
    assert!(refused.status().is_server_error(), "{}", refused.status());
    assert!(!refused.text().await.unwrap().contains("Lima"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_clear_is_theirs_where_the_event_is_about_them() {
    let rig = filled(Preset::None).await;
    let at = approved(&rig, "access", json!({})).await;
    let page = get(&rig, Role::Admin, &format!("{at}/bundle")).await;
    assert_eq!(ids(&page), ["e-1", "e-3"]);
    assert_eq!(page["records"][0]["event"]["actor"]["name"], "B. C.");
    assert_eq!(page["records"][0]["event"]["data"]["after"]["name"], "Ana Lima");
    assert_eq!(page["records"][1]["event"]["actor"]["name"], "=Ana, Lima");
    check(&page);
    // The clerk's name stands in clear in the content of the first, and nobody else's in the second.
    assert_eq!(page["records"][0]["content"], Value::Null);
    assert_eq!(page["records"][1]["content"]["event"]["actor"]["name"], "=Ana, Lima");
    assert!(!page.to_string().contains("Bo Chen"), "{page}");
}

/// Whoever did something to somebody without an id has those values sealed under their own key.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_without_an_id_is_somebody_else() {
    let rig = Rig::start_sealing(Preset::Standard).await;
    let ana = json!({"type": "customer", "id": "cus-1", "name": "Ana Lima"});
    let other = json!({"type": "customer", "name": "Patricia Onyx"});
    send(
        &rig,
        json!({"id": "e-1", "event_type": "customer.called", "actor": ana, "target": other,
            "data": {"after": {"phone": "+4930901820"}}}),
    )
    .await;
    let at = approved(&rig, "access", json!({})).await;
    let page = get(&rig, Role::PrivacyOfficer, &format!("{at}/bundle")).await;
    let event = &page["records"][0]["event"];
    assert_eq!(event["actor"]["name"], "Ana Lima");
    assert_eq!(event["target"]["name"], "P. O.");
    assert!(!page.to_string().contains("30901820"), "{page}");
}

/// A field has one key, and the person whose it is gets it whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_names_both_is_whole_for_the_person_acted_upon() {
    let rig = Rig::start_sealing(Preset::Standard).await;
    let clerk = json!({"type": "employee", "id": "emp-1", "name": "Bo Chen"});
    let ana = json!({"type": "customer", "id": "cus-1", "name": "Ana Lima"});
    let client = json!({"type": "client", "id": "cl-9", "name": "Clara Nine"});
    send(
        &rig,
        json!({"id": "e-1", "event_type": "customer.called", "actor": clerk, "target": ana,
            "action": {"description": "Bo Chen called Ana Lima"}}),
    )
    .await;
    send(
        &rig,
        json!({"id": "e-3", "event_type": "customer.called", "actor": ana, "target": clerk,
            "action": {"description": "Ana Lima called Bo Chen"}}),
    )
    .await;
    // Of a type that is no person's: for whoever acted a thing, and sealed for them.
    send(
        &rig,
        json!({"id": "e-2", "event_type": "customer.called", "actor": ana, "target": client,
            "data": {"after": {"phone": "+4930901820"}}}),
    )
    .await;
    let at = approved(&rig, "access", json!({})).await;
    let page = get(&rig, Role::PrivacyOfficer, &format!("{at}/bundle")).await;
    let [called, back, calls] = [0, 1, 2].map(|index| &page["records"][index]["event"]);
    assert_eq!(called["action"]["description"], "Bo Chen called Ana Lima");
    assert_eq!(called["actor"]["name"], "B. C.");
    assert_ne!(back["action"]["description"], "Ana Lima called Bo Chen");
    assert!(!back.to_string().contains("Bo Chen"), "{back}");
    assert_eq!(calls["data"]["after"]["phone"], "+4930901820");
    check(&page);
}
