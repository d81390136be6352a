//! API keys over their headers, with a ledger behind.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use ledgerstone_edge::auth::{AuthSettings, CredentialKind};
use ledgerstone_ledger::{ApiKeys, KeyRing, Ledger, MemoryKeys, NewApiKey, Settings};
use ledgerstone_model::access::{ApiKey, Permission, PrincipalId, Role};
use ledgerstone_model::system::LogName;
use ledgerstone_model::{Actor, Clock as _, ErrorCode};
use ledgerstone_proof::{IngestedAt, TenantId};
use ledgerstone_store::memory::MemoryStore;
use ledgerstone_testkit::{MockClock, SeededEntropy};

use crate::rig::{Rig, bearer};

struct Deployment {
    ledger: Ledger,
    keys: Arc<ApiKeys>,
    rig: Rig,
}

fn deployment() -> Deployment {
    let entropy = Arc::new(SeededEntropy::new(1));
    let signing = KeyRing::generate(&*entropy);
    let settings = Settings::new(LogName::parse("test.example").unwrap());
    let clock = Arc::new(MockClock::default());
    let ledger = Ledger::create(
        Arc::new(MemoryStore::new()),
        Arc::new(MemoryKeys::new(signing)),
        settings,
        clock,
        entropy,
    )
    .unwrap();
    ledger.create_tenant(&acme(), &Actor::operator("uid:0")).unwrap();
    let keys = Arc::new(ApiKeys::default());
    let rig = Rig::with_keys(AuthSettings::default(), Arc::clone(&keys));
    Deployment { ledger, keys, rig }
}

fn acme() -> TenantId {
    TenantId::parse("acme").unwrap()
}

impl Deployment {
    fn grant(&self, tenant: &TenantId, role: Role, expires_at: Option<IngestedAt>) -> String {
        let wanted = NewApiKey { roles: role.into(), label: "a test", expires_at };
        let by = Actor::operator("uid:0");
        let issued = self.ledger.grant_api_key(&self.keys, tenant, &wanted, &by).unwrap();
        issued.text().to_string()
    }
}

#[tokio::test]
async fn a_key_is_its_tenants_in_either_header() {
    let deployment = deployment();
    let text = deployment.grant(&acme(), Role::Writer, None);
    let id = *ApiKey::parse(&text).unwrap().id();
    let mut other = HeaderMap::new();
    other.insert("x-api-key", HeaderValue::from_str(&text).unwrap());
    for headers in [bearer(&text), other] {
        let caller = deployment.rig.ask(&headers, None).await.unwrap();
        assert_eq!((caller.tenant(), caller.via()), (&acme(), CredentialKind::ApiKey));
        assert_eq!(caller.principal(), &PrincipalId::of_api_key(&id));
        assert!(caller.may(Permission::EventsWrite) && !caller.may(Permission::EventsRead));
    }
}

#[tokio::test]
async fn the_deployments_own_key_administers_and_writes_nothing() {
    let deployment = deployment();
    let text = deployment.grant(&TenantId::system(), Role::Admin, None);
    let caller = deployment.rig.bearer(&text).await.unwrap();
    assert!(caller.tenant().is_system() && caller.may(Permission::TenantsWrite));
    assert!(!caller.may(Permission::EventsWrite));
    let text = deployment.grant(&acme(), Role::Admin, None);
    let caller = deployment.rig.bearer(&text).await.unwrap();
    assert!(!caller.may(Permission::TenantsWrite) && caller.may(Permission::EventsWrite));
}

#[tokio::test]
async fn revoked_expired_unknown_and_mistyped_keys_are_told_apart_without_hints() {
    let deployment = deployment();
    let rig = &deployment.rig;
    let soon = IngestedAt::from_micros(rig.clock.now().micros() + 60_000_000).unwrap();
    let brief = deployment.grant(&acme(), Role::Viewer, Some(soon));
    assert!(rig.bearer(&brief).await.is_ok());
    rig.clock.advance(Duration::from_mins(1));
    assert_eq!(rig.bearer(&brief).await.unwrap_err().code(), ErrorCode::TokenExpired);

    let text = deployment.grant(&acme(), Role::Viewer, None);
    let id = *ApiKey::parse(&text).unwrap().id();
    let by = Actor::operator("uid:0");
    deployment.ledger.revoke_api_key(&deployment.keys, &acme(), &id, None, &by).unwrap();
    assert_eq!(rig.bearer(&text).await.unwrap_err().code(), ErrorCode::KeyRevoked);

    let stranger = ApiKey::generate(&SeededEntropy::new(99)).to_text();
    let mut forged = format!("{}{}", &text[..21], &stranger[21..85]);
    let checksum = crc32c::crc32c(forged.as_bytes());
    forged.push_str(&format!("{checksum:08x}"));
    let unknown = rig.bearer(&stranger).await.unwrap_err();
    let wrong_secret = rig.bearer(&forged).await.unwrap_err();
    assert_eq!(unknown, wrong_secret, "an id that exists is not told apart");
    assert_eq!(unknown.code(), ErrorCode::InvalidToken);
    assert!(unknown.challenge().is_some_and(|challenge| challenge.contains("invalid_token")));

    let cut = rig.bearer(&text[..80]).await.unwrap_err();
    assert!(cut.message().contains("80 characters"), "{cut}");
    assert!(!cut.message().contains(&text[21..40]) && !format!("{cut:?}").contains(&text[21..40]));
}

#[tokio::test]
async fn nothing_and_too_much_are_refused() {
    let deployment = deployment();
    let nothing = deployment.rig.ask(&HeaderMap::new(), None).await.unwrap_err();
    assert_eq!(nothing.code(), ErrorCode::Unauthenticated);
    let text = deployment.grant(&acme(), Role::Viewer, None);
    let mut both = bearer(&text);
    both.insert("x-api-key", HeaderValue::from_str(&text).unwrap());
    let both = deployment.rig.ask(&both, None).await.unwrap_err();
    assert_eq!(both.code(), ErrorCode::AmbiguousCredential);
    let token = deployment.rig.bearer("a.b.c").await.unwrap_err();
    assert!(token.message().contains("no issuer"), "{token}");
}
