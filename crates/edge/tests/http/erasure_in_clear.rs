//! A person whom contents hold in clear is erased: the contents go, and what stands against it is told.

use std::time::Duration;

use ledgerstone_model::access::Role;
use ledgerstone_model::sealing::Preset;
use ledgerstone_proof::{EventId, TenantId};
use ledgerstone_testkit::TestEvent;
use reqwest::Method;
use serde_json::{Value, json};

use crate::retention::{call, gone, post, small_parts};
use crate::rig::{Rig, json as body};

fn login(id: &str, who: &str, name: &str) -> String {
    TestEvent::new("user.login")
        .id(id)
        .set("/actor", json!({"type": "customer", "id": who, "name": name}))
        .json()
}

async fn append(rig: &Rig, event: String) {
    assert_eq!(rig.append("", event).send().await.unwrap().status(), 201);
}

/// Ana in clear and sealed, and Bo in clear, in parts that are sealed.
async fn filled() -> (Rig, String) {
    let rig = small_parts(Some(Preset::None)).await;
    append(&rig, login("in-clear", "ana", "Ana Lima")).await;
    append(&rig, login("another", "bo", "Bo Berg")).await;
    let path = "/v1/policies/sealing";
    let policy = json!({"preset": "standard"});
    let (status, set) = call(&rig, Role::Admin, Method::PUT, path, &policy).await;
    assert_eq!(status, 200, "{set}");
    append(&rig, login("sealed", "ana", "Ana Lima")).await;
    for n in 0..40 {
        append(&rig, TestEvent::new("pad").id(&format!("p{n}")).json()).await;
    }
    rig.store.inner().wait_until_sealed();
    let lookup = json!({"type": "customer", "id": "ana"});
    let (_, ana) = post(&rig, Role::Admin, "/v1/subjects/lookup", lookup).await;
    let id = ana["subject_id"].as_str().unwrap().to_owned();
    (rig, id)
}

async fn get(rig: &Rig, path: &str) -> Value {
    body(rig.request(Method::GET, path, "acme", Role::Admin).send().await.unwrap()).await
}

/// The event of the `audit` record that an erasure names.
pub async fn approval(rig: &Rig, reach: &Value) -> Value {
    let page = get(rig, "/v1/events?limit=1000").await;
    let mut events = page["events"].as_array().unwrap().iter();
    let is_meant = |line: &&Value| line["record"]["sequence_number"] == reach["audit_record"];
    events.find(is_meant).unwrap()["event"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_holds_a_person_in_clear_goes_unless_something_keeps_it() {
    let (rig, ana) = filled().await;
    let hold = json!({"subject_id": ana, "owner": "legal", "reason": "case 17",
        "review_at": "2027-01-01T00:00:00Z"});
    let (status, hold) = post(&rig, Role::Admin, "/v1/holds", hold).await;
    assert_eq!((status, hold["job"]["result"]["contents"].as_u64()), (201, Some(2)), "{hold}");

    let path = format!("/v1/subjects/{ana}/erasure");
    let (status, request) =
        post(&rig, Role::Admin, &path, json!({"basis": "consent_withdrawn"})).await;
    assert_eq!(status, 201, "{request}");
    let survey = &request["survey"]["result"];
    let counts = ["sealed_contents", "clear_contents", "kept_contents"].map(|name| &survey[name]);
    assert_eq!(counts, [1, 1, 1], "{survey}");
    let number = get(&rig, "/v1/events/in-clear").await["record"]["sequence_number"].clone();
    assert_eq!(survey["clear_numbers"], json!([[number, number]]));
    assert_eq!(survey["holds"][0]["hold"], hold["hold"]["id"]);
    assert_eq!(survey["holds"][0]["sealed_contents"], 1);

    let at = format!("/v1/requests/{}", request["id"].as_str().unwrap());
    let step =
        async |name: &str, role: Role| post(&rig, role, &format!("{at}/{name}"), json!({})).await;
    assert_eq!(step("check-identity", Role::Admin).await.0, 200);
    let (status, problem) = step("approve", Role::PrivacyOfficer).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("HELD_BACK")), "{problem}");

    let path = format!("/v1/holds/{}/release", hold["hold"]["id"].as_str().unwrap());
    for role in [Role::Admin, Role::PrivacyOfficer] {
        assert_eq!(post(&rig, role, &path, json!({"reason": "settled"})).await.0, 200);
    }
    let (_, again) = step("survey", Role::Admin).await;
    assert_eq!(
        (&again["result"]["holds"], &again["result"]["kept_contents"]),
        (&json!([]), &json!(0))
    );

    let approve = format!("{at}/approve");
    let (_, stopped) = post(&rig, Role::PrivacyOfficer, &approve, json!({})).await;
    assert_eq!(stopped["job"]["error"]["code"], "MORE_IN_CLEAR", "{stopped}");
    let detail = stopped["job"]["error"]["detail"].as_str().unwrap();
    assert!(detail.starts_with("1 contents") && detail.contains("0 were approved"), "{detail}");
    let terms = json!({"clear_contents": 1});
    let (status, approved) = post(&rig, Role::PrivacyOfficer, &approve, terms).await;
    assert_eq!((status, approved["job"]["state"].as_str()), (200, Some("done")), "{approved}");
    let number = approved["job"]["result"]["certificate"].as_u64().unwrap();
    let certificate = get(&rig, &format!("/v1/events/_{number}")).await["event"]["erasure"].take();
    let counts = ["sealed_contents", "dropped_contents", "still_readable"];
    assert_eq!(counts.map(|name| &certificate[name]), [1, 1, 0], "{certificate}");
    let started = format!("/v1/events/_{}", certificate["started_record"]);
    let reach = get(&rig, &started).await["event"]["erasure_started"]["reach"].take();
    assert_eq!(reach["clear_contents_approved"], 1, "{reach}");
    assert!(reach.get("keep_sealed_for_others").is_none(), "{reach}");
    let approval = approval(&rig, &reach).await;
    assert_eq!(approval["action"]["verb"], "approve", "{approval}");
    let said = &approval["data"]["metadata"];
    assert_eq!(said["clear_contents"], 1, "{approval}");
    assert!(said.get("keep_sealed_for_others").is_none(), "{approval}");
    assert_eq!(gone(&rig).await, ["in-clear"]);
    let hidden = get(&rig, "/v1/events/in-clear").await["hidden"].take();
    assert_eq!((&hidden[0]["why"], &hidden[0]["reason"]), (&json!("dropped"), &json!("erasure")));
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duty_stands_against_it_until_somebody_says_that_it_does_not() {
    let (rig, ana) = filled().await;
    let path = "/v1/policies/retention";
    let policy = json!({"presets": ["hipaa"]});
    let (status, set) = call(&rig, Role::Admin, Method::PUT, path, &policy).await;
    assert_eq!(status, 200, "{set}");
    let path = format!("/v1/subjects/{ana}/erasure");
    let (_, request) = post(&rig, Role::Admin, &path, json!({"basis": "objection"})).await;
    let duties = &request["survey"]["result"]["duties"];
    let duty = json!([{"clear_contents": 1, "rule": "hipaa", "sealed_contents": 1}]);
    assert_eq!(*duties, duty, "{request}");
    let at = format!("/v1/requests/{}", request["id"].as_str().unwrap());
    post(&rig, Role::Admin, &format!("{at}/check-identity"), json!({})).await;
    let approve = format!("{at}/approve");
    let (_, stopped) = post(&rig, Role::PrivacyOfficer, &approve, json!({})).await;
    assert_eq!(stopped["job"]["error"]["code"], "DUTY_TO_KEEP", "{stopped}");
    let shown = get(&rig, &at).await;
    let job = ["/state", "/job/state", "/job/error/code"].map(|at| shown.pointer(at).unwrap());
    assert_eq!(job, ["approved", "failed", "DUTY_TO_KEEP"], "{shown}");
    let detail = stopped["job"]["error"]["detail"].as_str().unwrap();
    assert!(detail.contains("hipaa"), "{detail}");
    let word = json!({"despite_duties": true});
    // Whoever asked for it cannot say so, once it is approved no more than before.
    let (status, refused) = post(&rig, Role::Admin, &approve, word.clone()).await;
    assert_eq!((status, refused["code"].as_str()), (403, Some("SECOND_PERSON_NEEDED")));
    let (_, done) = post(&rig, Role::PrivacyOfficer, &approve, word).await;
    let number = done["job"]["result"]["certificate"].as_u64().unwrap();
    let certificate = get(&rig, &format!("/v1/events/_{number}")).await["event"]["erasure"].take();
    assert_eq!(
        (&certificate["dropped_contents"], &certificate["still_readable"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(certificate["kept_by"], json!([set["set_by"]["system_record"]]));
    assert_eq!(certificate["despite_duties"], json!(["hipaa"]));
    assert!(certificate["approved_at"].is_string(), "{certificate}");
    let request = get(&rig, &at).await;
    for member in ["identity_checked_at", "identity_checked_by"] {
        assert!(certificate[member].is_string(), "{certificate}");
        assert_eq!(certificate[member], request[member], "{member}");
    }
    assert!(certificate["identity_checked_at"].as_str() <= certificate["approved_at"].as_str());
    assert_eq!(gone(&rig).await, Vec::<String>::new());
    rig.assert_sound();
}

/// What came in while the first waited is named, and found where it is asked for.
async fn a_second_one_is_told_when_the_first_began(rig: &Rig, ana: &str) {
    let page = get(rig, "/v1/events?limit=1000").await;
    let at_of = |member: &str| {
        let is_it = |line: &&Value| line["event"].get(member).is_some();
        let line = page["events"].as_array().unwrap().iter().find(is_it).unwrap();
        line["record"]["ingested_at"].as_str().unwrap().to_owned()
    };
    let (begun, certified) = (at_of("erasure_started"), at_of("erasure"));
    assert!(begun < certified);
    let path = format!("/v1/subjects/{ana}/erasure");
    let (status, problem) =
        post(rig, Role::Admin, &path, json!({"basis": "consent_withdrawn"})).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("ALREADY_ERASED")), "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains(&format!("began at {begun} nothing is known")), "{detail}");
    assert!(detail.contains(&format!("erased at {certified},")), "{detail}");
    let again = json!({"basis": "consent_withdrawn", "again": true});
    let (_, again) = post(rig, Role::Admin, &path, again).await;
    assert_eq!(again["survey"]["result"]["clear_contents"], 1, "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_written_waits_and_the_erasure_ends_with_a_later_run() {
    let (rig, ana) = filled().await;
    // In clear, and in the part that is being written: nobody was asked what is to be sealed of it.
    let path = "/v1/policies/sealing";
    let (status, set) =
        call(&rig, Role::Admin, Method::PUT, path, &json!({"preset": "none"})).await;
    assert_eq!(status, 200, "{set}");
    let path = format!("/v1/subjects/{ana}/erasure");
    let (_, request) = post(&rig, Role::Admin, &path, json!({"basis": "consent_withdrawn"})).await;
    assert_eq!(request["survey"]["result"]["clear_contents"], 1, "{request}");
    let at = format!("/v1/requests/{}", request["id"].as_str().unwrap());
    post(&rig, Role::Admin, &format!("{at}/check-identity"), json!({})).await;
    // A part has sixteen records: this one is in the middle of one.
    for n in 0..6 {
        append(&rig, TestEvent::new("pad").id(&format!("o{n}")).json()).await;
    }
    append(&rig, login("just-now", "ana", "Ana Lima")).await;
    let terms = json!({"clear_contents": 2});
    let (_, waits) = post(&rig, Role::PrivacyOfficer, &format!("{at}/approve"), terms).await;
    let job = &waits["job"];
    assert_eq!(job["state"], "waiting", "{waits}");
    assert!(job.get("error").is_none() && job.get("result").is_none(), "{waits}");
    assert_eq!(job["waiting"]["contents"], 1);
    // Nobody looked at what comes in after the beginning.
    rig.clock.advance(Duration::from_hours(1));
    append(&rig, login("later", "ana", "Ana Lima")).await;
    assert!(job["waiting"]["until"].as_str() > job["ended_at"].as_str(), "{waits}");
    let shown = get(&rig, &at).await;
    assert_eq!(shown["state"], "approved", "there is no certificate yet");
    assert_eq!(shown["job"]["waiting"], job["waiting"]);
    let listed = get(&rig, "/v1/requests").await;
    assert_eq!(listed["requests"], json!([shown]));
    // What could go has gone, nobody is shown the rest, and what was sealed is unreadable already.
    assert_eq!(gone(&rig).await, ["in-clear", "just-now"]);
    let lies_there = |id| {
        let (acme, id) = (TenantId::parse("acme").unwrap(), EventId::parse(id).unwrap());
        rig.ledger.reader().get(&acme, &id).unwrap().content.is_some()
    };
    assert_eq!(["in-clear", "just-now"].map(lies_there), [false, true]);
    let sealed = get(&rig, "/v1/events/sealed").await.to_string();
    assert!(!sealed.contains("Ana Lima"), "{sealed}");
    let state = get(&rig, "/v1/retention").await;
    assert_eq!(state["open_runs"][0]["contents"], 2, "{state}");
    let run = json!({"dry_run": false});
    let (_, job) = post(&rig, Role::Admin, "/v1/retention", run.clone()).await;
    assert_eq!(
        (job["state"].as_str(), job["result"]["resumed"][0]["waiting"].as_u64()),
        (Some("done"), Some(1)),
        "{job}"
    );
    assert_eq!(get(&rig, &at).await["state"], "approved");
    // Once the part is full, the next run ends it.
    for n in 0..40 {
        append(&rig, TestEvent::new("pad").id(&format!("q{n}")).json()).await;
    }
    rig.store.inner().wait_until_sealed();
    let (_, job) = post(&rig, Role::Admin, "/v1/retention", run).await;
    assert_eq!(job["state"], "done", "{job}");
    let shown = get(&rig, &at).await;
    assert_eq!((&shown["state"], &shown["job"]["state"]), (&json!("done"), &json!("done")));
    let ended = get(&rig, &format!("/v1/jobs/{}", shown["job"]["id"].as_str().unwrap())).await;
    assert!(ended["result"]["certificate"].is_u64(), "{ended}");
    assert!(!lies_there("just-now"), "it went");
    assert_eq!(gone(&rig).await, ["in-clear", "just-now"]);
    assert_eq!(get(&rig, "/v1/retention").await["open_runs"], json!([]));
    a_second_one_is_told_when_the_first_began(&rig, &ana).await;
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_on_a_person_of_whom_nothing_is_there_is_told_before_it_stops_the_approval() {
    let (rig, _) = filled().await;
    let lookup = json!({"type": "customer", "id": "nobody-here"});
    let (_, nobody) = post(&rig, Role::Admin, "/v1/subjects/lookup", lookup).await;
    let hold = json!({"subject_id": nobody["subject_id"], "owner": "legal", "reason": "case 17",
        "review_at": "2027-01-01T00:00:00Z"});
    let (_, hold) = post(&rig, Role::Admin, "/v1/holds", hold).await;
    let id = hold["hold"]["id"].as_str().unwrap();
    let path = format!("/v1/subjects/{}/erasure", nobody["subject_id"].as_str().unwrap());
    let (_, request) = post(&rig, Role::Admin, &path, json!({"basis": "objection"})).await;
    let holds = request["survey"]["result"]["holds"].as_array().unwrap();
    assert_eq!(holds.len(), 1, "{request}");
    let told = ["hold", "sealed_contents", "clear_contents"].map(|name| holds[0][name].clone());
    assert_eq!(told, [json!(id), json!(0), json!(0)]);
    let at = format!("/v1/requests/{}", request["id"].as_str().unwrap());
    post(&rig, Role::Admin, &format!("{at}/check-identity"), json!({})).await;
    let approve = format!("{at}/approve");
    let (status, problem) = post(&rig, Role::PrivacyOfficer, &approve, json!({})).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("HELD_BACK")), "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains(&format!("hold {id} is on this person")), "{detail}");
}
