//! Every route, with every role of every tenant.

use ledgerstone_edge::rest::{Access, ENDPOINTS};
use ledgerstone_model::access::{Permission, Role, RoleSet, permits};
use ledgerstone_proof::TenantId;
use reqwest::Method;

use crate::rig::{Rig, TENANTS};

use Permission as P;

/// Who may call what. A route that is not here, or is here under another permission, fails the test:
/// this table is what a reader checks.
pub const WHO_MAY: &[(&str, &str, Option<Permission>)] = &[
    ("DELETE", "/v1/dead-letters/{id}", Some(P::DeadLettersDelete)),
    ("DELETE", "/v1/jobs/{id}", Some(P::VerifyRun)),
    ("GET", "/api/v1/audit", Some(P::RecordsRead)),
    ("GET", "/api/v1/audit/events", Some(P::RecordsRead)),
    ("GET", "/api/v1/audit/events/{id}", Some(P::RecordsRead)),
    ("GET", "/api/v1/audit/export", Some(P::EventsRead)),
    ("GET", "/api/v1/audit/stats", Some(P::RecordsRead)),
    ("GET", "/api/v1/audit/verify", Some(P::VerifyRun)),
    ("GET", "/api/v1/audit/{id}", Some(P::RecordsRead)),
    ("GET", "/api/v1/export", Some(P::EventsRead)),
    ("GET", "/api/v1/export/formats", Some(P::EventsRead)),
    ("GET", "/api/v1/export/{id}", Some(P::EventsRead)),
    ("GET", "/api/v1/export/{id}/download", Some(P::EventsRead)),
    ("GET", "/audit/stream", Some(P::EventsRead)),
    ("GET", "/docs", None),
    ("GET", "/health", None),
    ("GET", "/health/audit", None),
    ("GET", "/health/live", None),
    ("GET", "/health/ready", None),
    ("GET", "/metrics", Some(P::MetricsRead)),
    ("GET", "/openapi.json", None),
    ("GET", "/v1/api-keys", Some(P::ApiKeysRead)),
    ("GET", "/v1/checkpoint", Some(P::ProofsRead)),
    ("GET", "/v1/dead-letters", Some(P::DeadLettersRead)),
    ("GET", "/v1/dead-letters/{id}", Some(P::DeadLettersRead)),
    ("GET", "/v1/events", Some(P::RecordsRead)),
    ("GET", "/v1/events/{id}", Some(P::RecordsRead)),
    ("GET", "/v1/events/{id}/content", Some(P::EventsRead)),
    ("GET", "/v1/events/{id}/proof", Some(P::ProofsRead)),
    ("GET", "/v1/holds", Some(P::HoldsRead)),
    ("GET", "/v1/holds/{id}", Some(P::HoldsRead)),
    ("GET", "/v1/jobs", Some(P::JobsRead)),
    ("GET", "/v1/jobs/{id}", Some(P::JobsRead)),
    ("GET", "/v1/policies", Some(P::PoliciesRead)),
    ("GET", "/v1/policies/{policy}", Some(P::PoliciesRead)),
    ("GET", "/v1/policies/{policy}/versions", Some(P::PoliciesRead)),
    ("GET", "/v1/policies/{policy}/versions/{version}", Some(P::PoliciesRead)),
    ("GET", "/v1/proofs/consistency", Some(P::ProofsRead)),
    ("GET", "/v1/proofs/inclusion", Some(P::ProofsRead)),
    ("GET", "/v1/requests", Some(P::RequestsRead)),
    ("GET", "/v1/requests/{id}", Some(P::RequestsRead)),
    ("GET", "/v1/requests/{id}/bundle", Some(P::SubjectsRead)),
    ("GET", "/v1/retention", Some(P::RetentionRead)),
    ("GET", "/v1/sealing-keys", Some(P::SealingKeysRead)),
    ("GET", "/v1/signing-keys", Some(P::SigningKeysRead)),
    ("GET", "/v1/status", Some(P::StatusRead)),
    ("GET", "/v1/subjects/{subject_id}", Some(P::SubjectsRead)),
    ("GET", "/v1/subjects/{subject_id}/{right}", Some(P::SubjectsRead)),
    ("GET", "/v1/taxonomy", Some(P::TaxonomyRead)),
    ("GET", "/v1/tenants", Some(P::TenantsRead)),
    ("GET", "/v1/tenants/{tenant_id}", Some(P::TenantsRead)),
    ("GET", "/v1/tenants/{tenant_id}/checkpoint", Some(P::TenantsRead)),
    ("GET", "/v1/tlog/{tenant}/checkpoint", Some(P::ProofsRead)),
    ("GET", "/v1/tlog/{tenant}/tile/{*tile}", Some(P::ProofsRead)),
    ("GET", "/v1/verification-keys", None),
    ("POST", "/api/audit/event", Some(P::EventsWrite)),
    ("POST", "/api/v1/audit", Some(P::EventsWrite)),
    ("POST", "/api/v1/audit/events", Some(P::EventsWrite)),
    ("POST", "/api/v1/audit/export", Some(P::EventsRead)),
    ("POST", "/api/v1/audit/verify", Some(P::VerifyRun)),
    ("POST", "/api/v1/export", Some(P::EventsRead)),
    ("POST", "/v1/api-keys", Some(P::ApiKeysWrite)),
    ("POST", "/v1/api-keys/{key_id}/revoke", Some(P::ApiKeysWrite)),
    ("POST", "/v1/dead-letters/{id}/resend", Some(P::DeadLettersResend)),
    ("POST", "/v1/events", Some(P::EventsWrite)),
    ("POST", "/v1/holds", Some(P::HoldsWrite)),
    ("POST", "/v1/holds/{id}/release", Some(P::HoldsWrite)),
    ("POST", "/v1/policies/{policy}/approve", Some(P::PoliciesApprove)),
    ("POST", "/v1/requests/{id}/approve", Some(P::RequestsApprove)),
    ("POST", "/v1/requests/{id}/rectify", Some(P::RequestsWrite)),
    ("POST", "/v1/requests/{id}/survey", Some(P::RequestsWrite)),
    ("POST", "/v1/requests/{id}/{step}", Some(P::RequestsWrite)),
    ("POST", "/v1/retention", Some(P::RetentionRun)),
    ("POST", "/v1/sealing-keys/rotate", Some(P::SealingKeysRotate)),
    ("POST", "/v1/signing-keys/rotate", Some(P::SigningKeysRotate)),
    ("POST", "/v1/subjects/lookup", Some(P::SubjectsRead)),
    ("POST", "/v1/subjects/{subject_id}/{right}", Some(P::RequestsWrite)),
    ("POST", "/v1/taxonomy/check", Some(P::TaxonomyRead)),
    ("POST", "/v1/tenants", Some(P::TenantsWrite)),
    ("POST", "/v1/tenants/{tenant_id}/close", Some(P::TenantsWrite)),
    ("POST", "/v1/tenants/{tenant_id}/close/approve", Some(P::TenantsWrite)),
    ("POST", "/v1/tenants/{tenant_id}/close/withdraw", Some(P::TenantsWrite)),
    ("POST", "/v1/tenants/{tenant_id}/resume", Some(P::TenantsWrite)),
    ("POST", "/v1/tenants/{tenant_id}/suspend", Some(P::TenantsWrite)),
    ("POST", "/v1/verify", Some(P::VerifyRun)),
    ("PUT", "/v1/policies/{policy}", Some(P::PoliciesWrite)),
    ("PUT", "/v1/taxonomy", Some(P::TaxonomyWrite)),
];

/// What each role may, in its own tenant.
const ROLES: &[(Role, &[Permission])] = &[
    (Role::Writer, &[P::EventsWrite, P::TaxonomyRead]),
    (Role::Viewer, &[P::RecordsRead, P::ProofsRead, P::TaxonomyRead, P::StatusRead]),
];

#[test]
fn the_table_has_every_route() {
    let mut found: Vec<(String, String, Option<Permission>)> = Vec::new();
    for endpoint in ENDPOINTS {
        let permission = match endpoint.access() {
            Access::Public => None,
            Access::Needs(permission) => Some(permission),
        };
        for (method, path) in endpoint.places() {
            found.push((method.to_string(), path, permission));
        }
    }
    found.sort_by(|left, right| (&left.0, &left.1).cmp(&(&right.0, &right.1)));
    let mut expected: Vec<_> = WHO_MAY
        .iter()
        .map(|(method, path, permission)| ((*method).to_owned(), (*path).to_owned(), *permission))
        .collect();
    expected.sort_by(|left, right| (&left.0, &left.1).cmp(&(&right.0, &right.1)));
    assert_eq!(found, expected);
}

#[test]
fn writers_only_write_and_viewers_only_look() {
    let acme = TenantId::parse("acme").unwrap();
    for (role, permissions) in ROLES {
        for permission in Permission::ALL {
            let may = permits(RoleSet::from(*role), &acme, *permission);
            assert_eq!(may, permissions.contains(permission), "{role:?} {permission}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_lets_in_whom_the_table_says() {
    let rig = Rig::start().await;
    for (method, path, permission) in WHO_MAY {
        let method: Method = method.parse().unwrap();
        let path = path.replace("{tenant}", "acme").replace(['{', '}', '*'], "");
        // A body of no known type gets past the question of who asks, and no further.
        let body = |request: reqwest::RequestBuilder| {
            let is_get = method == Method::GET;
            if is_get { request } else { request.header("content-type", "x/y").body("x") }
        };
        let anonymous = body(rig.anonymous(method.clone(), &path)).send().await.unwrap();
        assert_eq!(anonymous.status() == 401, permission.is_some(), "{method} {path}");
        assert!(!anonymous.headers().contains_key("ledgerstone-tenant"), "{method} {path}");
        for tenant in TENANTS {
            for role in Role::ALL.iter().copied() {
                let request = body(rig.request(method.clone(), &path, tenant, role));
                let answer = request.send().await.unwrap();
                // Whatever may be done with it, a credential is told whose it is.
                let told = answer.headers().get("ledgerstone-tenant");
                let told = told.map(|told| told.to_str().unwrap());
                assert_eq!(told, permission.map(|_| tenant), "{method} {path}");
                let status = answer.status();
                let owner = if tenant == "_system" {
                    TenantId::system()
                } else {
                    TenantId::parse(tenant).unwrap()
                };
                let may = permission
                    .is_none_or(|permission| permits(RoleSet::from(role), &owner, permission));
                assert_eq!(status == 403, !may, "{method} {path} {tenant} {role:?}: {status}");
                assert_ne!(status, 401, "{method} {path} {tenant} {role:?}");
            }
        }
    }
}

/// What the credentials of a suspended tenant may still do, if their roles let them: read, verify, and
/// revoke keys.
const WHILE_SUSPENDED: &[Permission] = &[
    P::EventsRead,
    P::RecordsRead,
    P::ProofsRead,
    P::VerifyRun,
    P::JobsRead,
    P::DeadLettersRead,
    P::TaxonomyRead,
    P::PoliciesRead,
    P::HoldsRead,
    P::RetentionRead,
    P::SubjectsRead,
    P::RequestsRead,
    P::ApiKeysRead,
    P::StatusRead,
];

const REVOKE: (&str, &str) = ("POST", "/v1/api-keys/{key_id}/revoke");

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_tenants_credentials_read_verify_and_revoke_keys() {
    let rig = Rig::start().await;
    let suspend = |what: &str| {
        let path = format!("/v1/tenants/acme/{what}");
        rig.request(Method::POST, &path, "_system", Role::Admin).send()
    };
    assert_eq!(suspend("suspend").await.unwrap().status(), 200);
    let before = rig.size("acme");
    for (method, path, permission) in WHO_MAY {
        let Some(permission) = permission.filter(|one| !one.concerns_deployment()) else {
            continue;
        };
        let may = WHILE_SUSPENDED.contains(&permission) || (*method, *path) == REVOKE;
        let path = path.replace("{tenant}", "acme").replace(['{', '}', '*'], "");
        for tenant in ["acme", "beta"] {
            let request = rig.request(method.parse().unwrap(), &path, tenant, Role::Admin);
            let request = if *method == "GET" {
                request
            } else {
                request.header("content-type", "x/y").body("x")
            };
            let answer = request.send().await.unwrap();
            let (status, text) = (answer.status(), answer.text().await.unwrap());
            let refused = status == 403 && text.contains("\"TENANT_SUSPENDED\"");
            assert_eq!(refused, tenant == "acme" && !may, "{method} {path} {tenant}: {text}");
        }
    }
    // A role that may not is told so first: that tells a stranger nothing.
    let auditor = rig.request(Method::PUT, "/v1/taxonomy", "acme", Role::Auditor);
    assert!(auditor.send().await.unwrap().text().await.unwrap().contains("FORBIDDEN"));
    assert_eq!(rig.size("acme"), before, "nothing was recorded");
    let id = rig.key("acme", Role::Writer).split('_').nth(1).unwrap().to_owned();
    let path = format!("/v1/api-keys/{id}/revoke");
    let revoked = rig.request(Method::POST, &path, "acme", Role::Admin).send().await.unwrap();
    assert_eq!(revoked.status(), 200);
    assert_eq!(suspend("resume").await.unwrap().status(), 200);
    rig.assert_sound();
}
