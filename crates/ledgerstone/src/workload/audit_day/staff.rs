//! What people do between their login in the morning and their logout, and their AI agent for them.

use serde_json::{Value, json};

use super::super::choose;
use super::{Day, HOUR, MINUTE, SECOND, done, service, thing};

/// Somebody who works there.
struct Person {
    id: &'static str,
    name: &'static str,
    department: &'static str,
}

const fn person(id: &'static str, name: &'static str, department: &'static str) -> Person {
    Person { id, name, department }
}

const STAFF: &[Person] = &[
    person("u-adeyemi", "Femi Adeyemi", "support"),
    person("u-berg", "Hanna Berg", "support"),
    person("u-castillo", "Rosa Castillo", "finance"),
    person("u-dubois", "Benoît Dubois", "finance"),
    person("u-eriksen", "Sven Eriksen", "engineering"),
    person("u-fischer", "Ulla Fischer", "support"),
    person("u-gupta", "Priya Gupta", "engineering"),
    person("u-haddad", "Nadia Haddad", "legal"),
    person("u-ivanova", "Vera Ivanova", "finance"),
    person("u-jensen", "Ivo Jensen", "sales"),
    person("u-kowalski", "Katarzyna Kowalski", "sales"),
    person("u-lindqvist", "Liam Lindqvist", "support"),
    person("u-mueller", "Carla Müller", "security"),
    person("u-nakamura", "Jun Nakamura", "engineering"),
    person("u-okafor", "Grace Okafor", "security"),
    person("u-petrov", "Dmitri Petrov", "sales"),
    person("u-quinn", "Quentin Quinn", "support"),
    person("u-rossi", "Tomás Rossi", "finance"),
    person("u-sato", "Mei Sato", "engineering"),
    person("u-tanaka", "Wen Tanaka", "sales"),
    person("u-varga", "Elif Varga", "legal"),
    person("u-weber", "Omar Weber", "support"),
    person("u-yilmaz", "Yara Yilmaz", "sales"),
    person("u-zhang", "Zoë Zhang", "support"),
];

impl Day {
    pub(super) fn working_hours(&mut self) {
        for person in STAFF {
            let arrives = self.between(7 * HOUR + 30 * MINUTE, 9 * HOUR + 30 * MINUTE);
            let leaves = self.between(16 * HOUR + 30 * MINUTE, 18 * HOUR + 30 * MINUTE);
            let session = self.session();
            if self.random.below(8) == 0 {
                self.session_event(person, &session, arrives - 20 * SECOND, "login", "failure");
            }
            self.session_event(person, &session, arrives, "login", "success");
            for _ in 0..self.between(55, 78) {
                let at = self.between(arrives + MINUTE, leaves);
                self.desk_work(person, &session, at);
            }
            self.session_event(person, &session, leaves, "logout", "success");
        }
    }

    fn session_event(&mut self, person: &Person, session: &str, at: u64, verb: &str, status: &str) {
        let event = json!({
            "event_type": format!("user.{verb}"), "severity": "info",
            "actor": actor(person, session),
            "target": thing("application", "app-portal", "Portal"),
            "action": {"verb": verb, "status": status},
            "context": {"request_id": self.request()},
            "security": {"encryption_used": true},
        });
        self.add(at, event);
    }

    /// One thing done at a desk: mostly reading, sometimes changing.
    fn desk_work(&mut self, person: &Person, session: &str, at: u64) {
        let (event_type, verb, target, data) = match self.random.below(10) {
            0..=1 => self.invoice_change(),
            2 => self.document_download(),
            _ => self.customer_view(),
        };
        let response = self.between(8, 240);
        let event = json!({
            "event_type": event_type, "severity": "info",
            "actor": actor(person, session),
            "target": target,
            "action": {"verb": verb, "status": "success"},
            "context": {"project_id": person.department, "request_id": self.request()},
            "data": data,
            "performance": {"response_time_ms": response, "database_query_time_ms": response / 3},
        });
        self.add(at, event);
    }

    fn customer_view(&mut self) -> DeskWork {
        let number = 1 + self.random.skewed(900);
        let (id, name) = (format!("cus-{number:05}"), format!("Customer {number}"));
        let data = json!({"metadata": {"fields": ["name", "email"], "reason": "customer request"}});
        ("customer.viewed", "read", thing("customer_record", &id, &name), data)
    }

    fn invoice_change(&mut self) -> DeskWork {
        let number = 1 + self.random.skewed(900);
        let (id, name) = (format!("inv-{number:05}"), format!("Invoice {number}"));
        let (amount, corrected) = (self.between(1_000, 900_000), self.between(1_000, 900_000));
        let data = json!({
            "before": {"status": "draft", "amount_cents": amount},
            "after": {"status": "approved", "amount_cents": corrected},
            "changes": ["status", "amount_cents"],
        });
        ("invoice.updated", "update", thing("invoice", &id, &name), data)
    }

    fn document_download(&mut self) -> DeskWork {
        let number = 1 + self.random.skewed(900);
        let (id, name) = (format!("doc-{number:05}"), format!("Contract {number}"));
        let data = json!({"metadata": {"bytes": self.between(20_000, 4_000_000), "format": "pdf"}});
        ("document.downloaded", "download", thing("document", &id, &name), data)
    }

    pub(super) fn role_changes(&mut self) {
        for _ in 0..12 {
            let at = self.between(9 * HOUR + 30 * MINUTE, 15 * HOUR);
            let person = self.somebody();
            let role = *choose(ROLES, self.random.below(ROLES.len() as u64));
            self.role_change(at, person, role);
        }
    }

    /// Asked for by one, approved by another, granted by the identity service.
    fn role_change(&mut self, at: u64, person: &Person, role: &str) {
        let target = thing("user", person.id, person.name);
        let session = self.session();
        let request = json!({
            "event_type": "user.role_requested", "severity": "medium",
            "actor": actor(person, &session), "target": target,
            "action": done("request", &format!("Role {role} asked for")),
            "context": {"request_id": self.request()},
        });
        let requested = self.add(at, request);
        let approval = json!({
            "event_type": "user.role_approved", "severity": "medium",
            "actor": thing("user", "u-mueller", "Carla Müller"), "target": target,
            "action": done("approve", &format!("Role {role} approved")),
            "context": {"parent_audit_id": requested, "request_id": self.request()},
        });
        let approved_at = self.between(at + MINUTE, at + 40 * MINUTE);
        let approved = self.add(approved_at, approval);
        let grant = json!({
            "event_type": "user.role_changed", "severity": "high",
            "actor": service("svc-identity", "Identity service"), "target": target,
            "action": done("grant", &format!("Role {role} granted")),
            "context": {"parent_audit_id": approved},
            "data": {
                "before": {"roles": ["viewer"]}, "after": {"roles": ["viewer", role]},
                "changes": ["roles"],
            },
        });
        self.add(approved_at + SECOND, grant);
    }

    pub(super) fn exports(&mut self) {
        for number in 1..=14 {
            let (person, rows) = (self.somebody(), self.between(50, 90_000));
            let session = self.session();
            let personal = self.random.below(2) == 0;
            let (class, severity) =
                if personal { ("confidential", "high") } else { ("internal", "low") };
            let (id, name) = (format!("exp-{number:03}"), format!("Export {number}"));
            let event = json!({
                "event_type": "data.exported", "severity": severity,
                "actor": actor(person, &session),
                "target": thing("export", &id, &name),
                "action": done("export", "Report written as CSV"),
                "context": {"project_id": person.department, "request_id": self.request()},
                "data": {"metadata": {"format": "csv", "rows": rows}},
                "security": {
                    "encryption_used": true, "data_classification": class,
                    "retention_period_days": 365, "pii_detected": personal,
                },
            });
            let at = self.between(9 * HOUR, 17 * HOUR);
            self.add(at, event);
        }
    }

    /// Support drafts answers with an AI agent: every run is a request and the steps it led to.
    pub(super) fn agent_runs(&mut self) {
        for _ in 0..45 {
            let mut at = self.between(8 * HOUR, 18 * HOUR);
            let ticket = format!("tic-{:05}", self.random.below(100_000));
            let target = thing("ticket", &ticket, "Customer question");
            let start = json!({
                "event_type": "agent.run_started", "severity": "info",
                "actor": thing("agent", "agent-support", "Support assistant"), "target": target,
                "action": done("start", "Agent asked to draft an answer"),
                "context": {"project_id": "support", "request_id": self.request()},
            });
            let run = self.add(at, start);
            for step in AGENT_STEPS {
                let took = self.between(300, 6_000);
                at += took;
                let event = self.agent_step(step, took, &run, &target);
                self.add(at, event);
            }
        }
    }

    fn agent_step(&mut self, step: &AgentStep, took: u64, run: &str, target: &Value) -> Value {
        let (event_type, tools, reasoning) = step;
        let score = self.between(55, 100);
        json!({
            "event_type": event_type, "severity": if score < 60 { "medium" } else { "info" },
            "actor": thing("agent", "agent-support", "Support assistant"), "target": target,
            "action": {"verb": "run", "status": "success"},
            "context": {"project_id": "support", "parent_audit_id": run},
            "ai_specific": {
                "agent_type": "langgraph", "model": "support-large-2",
                "prompt_tokens": self.between(400, 6_000),
                "completion_tokens": self.between(40, 900),
                "confidence_score": hundredths(score), "reasoning": reasoning,
                "tools_used": tools, "execution_time_ms": took,
            },
        })
    }

    fn somebody(&mut self) -> &'static Person {
        choose(STAFF, self.random.below(STAFF.len() as u64))
    }
}

const ROLES: &[&str] = &["approver", "auditor", "billing-admin", "editor"];

/// Event type, verb, target, data.
type DeskWork = (&'static str, &'static str, Value, Value);

/// Event type, tools, the agent's own words.
type AgentStep = (&'static str, &'static [&'static str], &'static str);

/// The steps of a run.
const AGENT_STEPS: &[AgentStep] = &[
    (
        "agent.retrieved",
        &["ticket_search", "order_lookup"],
        "The order number in the ticket matches one open order.",
    ),
    (
        "agent.drafted",
        &["knowledge_base"],
        "The return policy covers this case; the answer cites section 4.",
    ),
    ("agent.reviewed", &[], "No personal data of third parties stands in the draft."),
];

fn actor(person: &Person, session: &str) -> Value {
    let number = STAFF.iter().position(|other| other.id == person.id);
    json!({
        "type": "user", "id": person.id, "name": person.name,
        "ip_address": format!("10.20.7.{}", 10 + number.unwrap_or_default()),
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
        "session_id": session,
    })
}

/// `87` as the number 0.87, written with two digits and read back, so that it is exactly that.
fn hundredths(number: u64) -> Value {
    let text = format!("{}.{:02}", number / 100, number % 100);
    text.parse::<f64>().map_or(Value::Null, |number| json!(number))
}
