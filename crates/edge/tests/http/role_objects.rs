//! Objects that are there: what each role of their own tenant gets, and that to any other tenant they
//! are the same as none.

use ledgerstone_model::access::Role::{self, Admin, Auditor, Viewer, Writer};
use ledgerstone_testkit::TestEvent;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::rig::{Rig, assert_problem, json as body};

const ROLES: [Role; 4] = [Viewer, Writer, Auditor, Admin];
const READERS: &[Role] = &[Viewer, Auditor, Admin];
const AUDITORS: &[Role] = &[Auditor, Admin];
const ADMINS: &[Role] = &[Admin];

/// One object of each kind.
struct Objects {
    tenant: String,
    event: String,
    job: String,
    letter: String,
    key: String,
}

/// A question about an object of a tenant, which roles of that tenant may ask it, and what they get.
struct Question {
    method: Method,
    path: String,
    may: &'static [Role],
    success: u16,
}

impl Objects {
    async fn seed(rig: &Rig, tenant: &str) -> Self {
        let post = |path: &str, role, text: String| {
            let request = rig.request(Method::POST, path, tenant, role);
            request.header("content-type", "application/json").body(text).send()
        };
        let event = format!("{tenant}-1");
        let text = TestEvent::new("user.login").id(&event).json();
        assert_eq!(post("/v1/events", Writer, text).await.unwrap().status(), 201);
        let bad = r#"{"event_type":"user.login","severity":"extreme"}"#.to_owned();
        let letter = body(post("/v1/events", Writer, bad).await.unwrap()).await;
        let job = body(post("/v1/verify", Auditor, "{}".to_owned()).await.unwrap()).await;
        let wanted = json!({"label": "seeded", "roles": ["viewer"]}).to_string();
        let key = body(post("/v1/api-keys", Admin, wanted).await.unwrap()).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            tenant: tenant.to_owned(),
            event,
            job: text(&job["id"]),
            letter: text(&letter["dead_letter"]),
            key: text(&key["key_id"]),
        }
    }

    /// Names that nothing has.
    fn nothing() -> Self {
        Self {
            tenant: "nobody".to_owned(),
            event: "nobody-1".to_owned(),
            job: "00000000-0000-7000-8000-000000000000".to_owned(),
            letter: "nobody-1".to_owned(),
            key: "aaaaaaaaaaaaaaaa".to_owned(),
        }
    }

    /// Everything that can be asked about them; what changes them comes last.
    fn questions(&self) -> Vec<Question> {
        let Self { tenant, event, job, letter, key } = self;
        let get = |path: String, may| Question { method: Method::GET, path, may, success: 200 };
        let change = |method, path: String, may, success| Question { method, path, may, success };
        vec![
            get(format!("/v1/events/{event}"), READERS),
            get(format!("/api/v1/audit/events/{event}"), READERS),
            get(format!("/api/v1/audit/{event}"), READERS),
            get(format!("/v1/events/{event}/content"), AUDITORS),
            get(format!("/v1/events/{event}/proof"), READERS),
            get(format!("/v1/tlog/{tenant}/checkpoint"), READERS),
            get(format!("/v1/tlog/{tenant}/tile/0/000.p/1"), READERS),
            get(format!("/v1/tlog/{tenant}/tile/entries/000.p/1"), READERS),
            get(format!("/v1/jobs/{job}"), AUDITORS),
            get(format!("/v1/dead-letters/{letter}"), AUDITORS),
            change(Method::DELETE, format!("/v1/jobs/{job}"), AUDITORS, 200),
            change(Method::POST, format!("/v1/dead-letters/{letter}/resend"), ADMINS, 201),
            change(Method::DELETE, format!("/v1/dead-letters/{letter}"), ADMINS, 200),
            change(Method::POST, format!("/v1/api-keys/{key}/revoke"), ADMINS, 200),
        ]
    }

    /// What a problem says, without the names of these objects and of the request.
    fn without_names(&self, mut problem: Value) -> String {
        problem["instance"] = Value::Null;
        let names = [&self.event, &self.job, &self.letter, &self.key];
        names.into_iter().fold(problem.to_string(), |text, name| text.replace(name, "<name>"))
    }
}

impl Question {
    fn ask(&self, rig: &Rig, tenant: &str, role: Role) -> RequestBuilder {
        let request = rig.request(self.method.clone(), &self.path, tenant, role);
        if self.path.ends_with("/resend") {
            let event = TestEvent::new("user.login").json();
            return request.header("content-type", "application/json").body(event);
        }
        request
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_anothers_is_the_same_as_nothing() {
    let rig = Rig::start().await;
    let seeded = [Objects::seed(&rig, "acme").await, Objects::seed(&rig, "beta").await];
    let nothing = Objects::nothing();
    for objects in &seeded {
        for tenant in ["acme", "beta", "_system"] {
            if tenant == objects.tenant {
                continue;
            }
            for (question, of_nothing) in objects.questions().iter().zip(nothing.questions()) {
                for role in ROLES {
                    let ask = question.ask(&rig, tenant, role);
                    if !question.may.contains(&role) {
                        assert_problem(ask, 403, "FORBIDDEN").await;
                        continue;
                    }
                    let answer = ask.send().await.unwrap();
                    assert_eq!(answer.status(), 404, "{tenant} {role:?} {}", question.path);
                    let said = objects.without_names(body(answer).await);
                    let other = of_nothing.ask(&rig, tenant, role).send().await.unwrap();
                    assert_eq!(other.status(), 404, "{tenant} {role:?} {}", of_nothing.path);
                    assert_eq!(said, nothing.without_names(body(other).await));
                }
            }
        }
    }
    // Nothing of it changed anything: the owners still find and change all of their own.
    for objects in &seeded {
        for question in objects.questions() {
            for role in ROLES {
                let ask = question.ask(&rig, &objects.tenant, role);
                if question.may.contains(&role) {
                    let status = ask.send().await.unwrap().status();
                    assert_eq!(status, question.success, "{role:?} {}", question.path);
                } else {
                    assert_problem(ask, 403, "FORBIDDEN").await;
                }
            }
        }
    }
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn proofs_and_lists_speak_of_the_callers_own_ledger() {
    let rig = Rig::start().await;
    let acme = Objects::seed(&rig, "acme").await;
    let beta = Objects::seed(&rig, "beta").await;
    for (path, may) in [
        ("/v1/proofs/inclusion?sequence_number=0&tree_size=1", READERS),
        ("/v1/proofs/consistency?from=1&to=2", READERS),
        ("/v1/checkpoint", READERS),
        ("/v1/events", READERS),
        ("/v1/jobs", AUDITORS),
        ("/v1/dead-letters", AUDITORS),
        ("/v1/api-keys", AUDITORS),
    ] {
        for role in ROLES {
            let ask = |tenant| rig.request(Method::GET, path, tenant, role);
            if !may.contains(&role) {
                assert_problem(ask("acme"), 403, "FORBIDDEN").await;
                continue;
            }
            let answer = ask("acme").send().await.unwrap();
            assert_eq!(answer.status(), 200, "{role:?} {path}");
            let own = answer.text().await.unwrap();
            let others = ask("beta").send().await.unwrap().text().await.unwrap();
            assert_ne!(own, others, "{path}");
            for name in [&beta.tenant, &beta.event, &beta.job, &beta.letter, &beta.key] {
                assert!(!own.contains(name.as_str()), "{path} tells acme of {name}");
            }
        }
    }
    let listed = |path: &'static str| async {
        rig.request(Method::GET, path, "acme", Auditor).send().await.unwrap().text().await.unwrap()
    };
    assert!(listed("/v1/events").await.contains(&acme.event));
    assert!(listed("/v1/jobs").await.contains(&acme.job));
    assert!(listed("/v1/dead-letters").await.contains(&acme.letter));
    assert!(listed("/v1/api-keys").await.contains(&acme.key));
    // A number that only the other, longer ledger has.
    let more = TestEvent::new("user.login").id("beta-2").json();
    let append = rig.request(Method::POST, "/v1/events", "beta", Writer);
    let append = append.header("content-type", "application/json").body(more);
    assert_eq!(append.send().await.unwrap().status(), 201);
    let (own, other) = (rig.size("acme"), rig.size("beta"));
    assert!(own < other);
    let path = format!("/v1/proofs/inclusion?sequence_number={own}&tree_size={other}");
    let ask = rig.request(Method::GET, &path, "acme", Auditor);
    let problem = assert_problem(ask, 400, "INVALID_ARGUMENT").await;
    assert!(problem["detail"].as_str().unwrap().contains(&format!("has {own} records")));
}
