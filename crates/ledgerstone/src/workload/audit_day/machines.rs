//! What happens without anybody of the staff at a desk: jobs at night, a break-in attempt, checks.

use serde_json::{Value, json};

use super::{Day, HOUR, MINUTE, SECOND, done, service, thing};

/// Event type, verb, description, time.
const JOBS: &[(&str, &str, &str, u64)] = &[
    ("backup.completed", "backup", "Nightly backup of all databases", HOUR),
    ("backup.verified", "verify", "Backup restored into a test system and compared", 2 * HOUR),
    ("key.rotated", "rotate", "Encryption key of the document store rotated", 3 * HOUR),
    ("retention.run", "delete", "Drafts older than 90 days removed", 4 * HOUR),
    ("certificate.renewed", "renew", "TLS certificate of the customer portal renewed", 5 * HOUR),
];

/// What security did about the break-in attempt; likewise.
const REVIEW: &[(&str, &str, &str, u64)] = &[
    ("incident.opened", "open", "Failed logins from 198.51.100.23 taken up", 8 * HOUR),
    ("firewall.rule_added", "create", "Network 198.51.100.0/24 blocked", 8 * HOUR + 12 * MINUTE),
    ("user.unlocked", "unlock", "Account given back after a call to its owner", 9 * HOUR),
    (
        "incident.closed",
        "close",
        "No access was gained; two-factor login now required in finance",
        11 * HOUR,
    ),
];

impl Day {
    pub(super) fn nightly_jobs(&mut self) {
        for (event_type, verb, description, at) in JOBS {
            let took = self.between(20, 900) * SECOND;
            let event = json!({
                "event_type": event_type, "severity": "info",
                "actor": service("svc-nightly", "Nightly jobs"),
                "target": thing("system", "sys-core", "Core systems"),
                "action": done(verb, description),
                "performance": {"response_time_ms": took},
            });
            self.add(*at, event);
        }
    }

    /// Somebody far away guesses the password of a finance account, and is locked out.
    pub(super) fn break_in_attempt(&mut self) {
        let mut at = 2 * HOUR + 13 * MINUTE;
        let agent = "python-requests/2.32.3";
        let intruder =
            json!({"type": "anonymous", "ip_address": "198.51.100.23", "user_agent": agent});
        let target = thing("user", "u-castillo", "Rosa Castillo");
        for attempt in 1..=30 {
            at += self.between(800, 2_400);
            let event = json!({
                "event_type": "user.login", "severity": "medium",
                "actor": intruder, "target": target,
                "action": {"verb": "login", "status": "failure", "error": "wrong password"},
                "context": {"request_id": self.request()},
                "data": {"metadata": {"attempt": attempt, "method": "password"}},
            });
            self.add(at, event);
        }
        let event = json!({
            "event_type": "user.locked", "severity": "high",
            "actor": service("svc-identity", "Identity service"),
            "target": target,
            "action": done("lock", "Account locked after 30 failed logins"),
            "data": {"before": {"locked": false}, "after": {"locked": true}, "changes": ["locked"]},
        });
        let lock = self.add(at + SECOND, event);
        self.incident_review(&lock);
    }

    /// What security did about it in the morning.
    fn incident_review(&mut self, lock: &str) {
        for (event_type, verb, description, at) in REVIEW {
            let event = json!({
                "event_type": event_type, "severity": "high",
                "actor": thing("user", "u-okafor", "Grace Okafor"),
                "target": thing("user", "u-castillo", "Rosa Castillo"),
                "action": done(verb, description),
                "context": {"parent_audit_id": lock, "request_id": self.request()},
            });
            self.add(*at, event);
        }
    }

    /// Every hour four rule sets are checked against the running systems.
    pub(super) fn compliance_checks(&mut self) {
        for hour in 6..20 {
            for regulation in ["GDPR", "SOX", "HIPAA", "TCPA"] {
                let at = self.between(hour * HOUR, hour * HOUR + 5 * MINUTE);
                let issues = self.random.below(20).saturating_sub(16);
                self.add(at, compliance_check(regulation, issues));
            }
        }
    }
}

/// A check that found so many issues; the third of them is critical.
fn compliance_check(regulation: &str, issues: u64) -> Value {
    let critical = u64::from(issues == 3);
    let (light, severity) = match (issues, critical) {
        (0, _) => ("green", "info"),
        (_, 0) => ("amber", "low"),
        _ => ("red", "high"),
    };
    let finding = |number: u64| {
        let rule = format!("{regulation}-{number:02}");
        json!({"rule": rule, "text": "evidence is older than 24 hours"})
    };
    let findings: Vec<Value> = (1..=issues).map(finding).collect();
    json!({
        "event_type": "compliance.check", "severity": severity,
        "actor": service("svc-compliance", "Compliance monitor"),
        "target": thing("system", "sys-core", "Core systems"),
        "action": done("check", &format!("Hourly {regulation} check")),
        "compliance": {
            "regulations_checked": [regulation], "traffic_light_status": light,
            "issues_found": issues, "critical_issues": critical, "findings": findings,
        },
    })
}
