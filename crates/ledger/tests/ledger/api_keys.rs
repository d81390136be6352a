//! API keys: what is written for them, what is known of them, and that the ledger alone suffices.

use ledgerstone_ledger::projection::follow;
use ledgerstone_ledger::{
    ApiKeyRefusal, ApiKeys, Ensured, IssuedKey, Ledger, LedgerError, NewApiKey, Order,
};
use ledgerstone_model::access::{ApiKey, CredentialKind, PrincipalId, Role, RoleSet};
use ledgerstone_model::{Actor, Clock as _, ErrorCode};
use ledgerstone_proof::{IngestedAt, Kind, SequenceNumber, TenantId};
use ledgerstone_store::admin::{AdminStore as _, SqliteAdmin};

use crate::rig::{Rig, tenant};

const LABEL: &str = "billing of Ann's team";

fn by() -> Actor {
    Actor::operator("uid:1000")
}

fn wanted(roles: RoleSet) -> NewApiKey<'static> {
    NewApiKey { roles, label: LABEL, expires_at: None }
}

fn grant(ledger: &Ledger, keys: &ApiKeys, name: &str) -> IssuedKey {
    ledger.grant_api_key(keys, &tenant(name), &wanted(Role::Writer.into()), &by()).unwrap()
}

fn secret(issued: &IssuedKey) -> ApiKey {
    ApiKey::parse(&issued.text()).unwrap()
}

fn content_of(ledger: &Ledger, name: &str, number: u64) -> (Kind, String) {
    let number = SequenceNumber::new(number).unwrap();
    let record = ledger.reader().record(&tenant(name), number).unwrap();
    (record.kind, String::from_utf8(record.content.unwrap()).unwrap())
}

#[test]
fn a_grant_is_two_records_and_names_stand_in_the_first() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    let keys = ApiKeys::default();
    let issued = grant(&ledger, &keys, "acme");
    let entry = issued.entry();
    let (kind, audit) = content_of(&ledger, "acme", entry.audit_record.value());
    assert_eq!(kind, Kind::Audit);
    assert!(audit.contains(LABEL) && audit.contains("uid:1000"), "{audit}");
    assert!(audit.contains(&format!(r#""system_record":{}"#, entry.granted_by)), "{audit}");
    let (kind, system) = content_of(&ledger, "acme", entry.granted_by.value());
    assert_eq!(kind, Kind::System);
    assert!(!system.contains("Ann") && !system.contains("uid"), "{system}");
    assert_eq!(entry.granted_by, entry.audit_record.next());
    let text = issued.text();
    let digits = &text[21..85];
    for content in [audit, system] {
        assert!(!content.contains(digits), "the secret is nowhere");
    }
    assert_eq!(ledger.reader().api_key_label(entry).unwrap().as_deref(), Some(LABEL));
    let principal = PrincipalId::of_api_key(&entry.key_id);
    let admin = Actor::principal(&principal, CredentialKind::ApiKey, None);
    let other =
        ledger.grant_api_key(&keys, &tenant("acme"), &wanted(Role::Viewer.into()), &admin).unwrap();
    let (_, audit) = content_of(&ledger, "acme", other.entry().audit_record.value());
    assert!(audit.contains(principal.as_str()) && audit.contains("api_key"), "{audit}");
    rig.assert_sound();
}

#[test]
fn a_key_opens_its_tenant_until_it_is_revoked_or_expires() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme", "beta"]);
    let keys = ApiKeys::default();
    let issued = grant(&ledger, &keys, "acme");
    let key = secret(&issued);
    let now = rig.clock.now();
    assert_eq!(keys.check(&key, now).unwrap().tenant, tenant("acme"));

    let fresh = ApiKey::generate(&*rig.entropy);
    assert_eq!(keys.check(&fresh, now), Err(ApiKeyRefusal::Unknown));
    let forged = forged(&key, &fresh);
    assert_eq!(forged.id(), key.id());
    assert_eq!(keys.check(&forged, now), Err(ApiKeyRefusal::Unknown));

    let id = *key.id();
    let elsewhere = ledger.revoke_api_key(&keys, &tenant("beta"), &id, None, &by());
    assert!(matches!(elsewhere, Err(LedgerError::UnknownApiKey { .. })));
    let revoked =
        ledger.revoke_api_key(&keys, &tenant("acme"), &id, Some("was in a chat"), &by()).unwrap();
    assert_eq!(keys.check(&key, now), Err(ApiKeyRefusal::Revoked));
    assert_eq!(keys.check(&forged, now), Err(ApiKeyRefusal::Unknown), "no hint without the secret");
    let end = revoked.revoked.unwrap();
    let (_, audit) = content_of(&ledger, "acme", end.audit_record.value());
    assert!(audit.contains("was in a chat") && audit.contains("revoke"), "{audit}");
    let size = ledger.reader().size(&tenant("acme")).unwrap();
    let again = ledger.revoke_api_key(&keys, &tenant("acme"), &id, None, &by()).unwrap();
    assert_eq!(again, revoked);
    assert_eq!(ledger.reader().size(&tenant("acme")).unwrap(), size, "revoked once");

    let end = later(now, 60);
    let wish = NewApiKey { expires_at: Some(end), ..wanted(Role::Admin.into()) };
    let brief = ledger.grant_api_key(&keys, &TenantId::system(), &wish, &by()).unwrap();
    let brief = secret(&brief);
    assert!(keys.check(&brief, later(now, 59)).unwrap().tenant.is_system());
    assert_eq!(keys.check(&brief, end), Err(ApiKeyRefusal::Expired));
    rig.assert_sound();
}

fn later(at: IngestedAt, seconds: i64) -> IngestedAt {
    IngestedAt::from_micros(at.micros() + seconds * 1_000_000).unwrap()
}

/// The id of one key with the secret of another, spelt correctly.
fn forged(id: &ApiKey, secret: &ApiKey) -> ApiKey {
    let (id, secret) = (id.to_text(), secret.to_text());
    let mut text = format!("{}{}", &id[..21], &secret[21..85]);
    let checksum = crc32c::crc32c(text.as_bytes());
    text.push_str(&format!("{checksum:08x}"));
    ApiKey::parse(&text).unwrap()
}

#[test]
fn the_ledger_alone_says_it_all() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme", "beta"]);
    let keys = ApiKeys::default();
    let issued = [grant(&ledger, &keys, "acme"), grant(&ledger, &keys, "beta")];
    let ended = grant(&ledger, &keys, "acme");
    ledger.append(rig.events("acme", "e", 20)).unwrap();
    let id = ended.entry().key_id;
    ledger.revoke_api_key(&keys, &tenant("acme"), &id, None, &by()).unwrap();
    ledger.close().unwrap();

    let ledger = rig.open();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin.sqlite");
    let load = || {
        let (admin, _) = SqliteAdmin::open(&path).unwrap();
        ApiKeys::load(&admin, ledger.store()).unwrap()
    };
    let check = |loaded: &ApiKeys| {
        for name in ["acme", "beta", "_system", "gamma"] {
            assert_eq!(loaded.of_tenant(&tenant(name)), keys.of_tenant(&tenant(name)), "{name}");
        }
        for one in &issued {
            assert!(loaded.check(&secret(one), rig.clock.now()).is_ok());
        }
        let refused = loaded.check(&secret(&ended), rig.clock.now());
        assert_eq!(refused, Err(ApiKeyRefusal::Revoked));
    };
    check(&load());
    check(&load());
    std::fs::remove_file(&path).unwrap();
    check(&load());
    std::fs::write(&path, "damaged").unwrap();
    check(&load());
    check(&ApiKeys::read(ledger.store()).unwrap());

    // What comes later is known at once here, and to the projection when it goes on.
    let loaded = load();
    let more = grant(&ledger, &loaded, "beta");
    assert!(loaded.check(&secret(&more), rig.clock.now()).is_ok());
    let (admin, _) = SqliteAdmin::open(&path).unwrap();
    assert_eq!(admin.api_keys(None).unwrap().len(), 3);
    follow(&admin, ledger.store()).unwrap();
    assert_eq!(admin.api_keys(None).unwrap().len(), 4);
    rig.assert_sound();
}

#[test]
fn a_given_key_is_granted_once_and_kept() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme", "beta"]);
    let keys = ApiKeys::default();
    let (acme, beta) = (tenant("acme"), tenant("beta"));
    let given = ApiKey::generate(&*rig.entropy);
    let wish = wanted(Role::Admin.into());
    let ensure = |tenant: &TenantId, key: &ApiKey, wish: &NewApiKey<'_>| {
        ledger.ensure_api_key(&keys, tenant, key, wish, &by())
    };
    assert!(matches!(ensure(&acme, &given, &wish).unwrap(), Ensured::Granted(_)));
    let size = ledger.reader().size(&acme).unwrap();
    assert!(matches!(ensure(&acme, &given, &wish).unwrap(), Ensured::Kept(_)));
    assert_eq!(ledger.reader().size(&acme).unwrap(), size, "granted once");

    let forged = forged(&given, &ApiKey::generate(&*rig.entropy));
    let other_roles = wanted(Role::Viewer.into());
    for refused in [
        ensure(&acme, &forged, &wish),
        ensure(&beta, &given, &wish),
        ensure(&acme, &given, &other_roles),
    ] {
        assert_eq!(refused.unwrap_err().code(), ErrorCode::ApiKeyConflict);
    }
    ledger.revoke_api_key(&keys, &acme, given.id(), None, &by()).unwrap();
    let refused = ensure(&acme, &given, &wish).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::KeyRevoked);
    assert!(refused.to_string().contains("api-keys generate"), "{refused}");
}

#[test]
fn a_wish_that_makes_no_sense_writes_nothing() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    let keys = ApiKeys::default();
    let long = "x".repeat(201);
    let good = wanted(Role::Viewer.into());
    for wish in [
        wanted(RoleSet::EMPTY),
        NewApiKey { label: " ", ..good },
        NewApiKey { label: &long, ..good },
        NewApiKey { label: "a\nb", ..good },
        NewApiKey { expires_at: Some(rig.clock.now()), ..good },
    ] {
        let refused = ledger.grant_api_key(&keys, &tenant("acme"), &wish, &by()).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::InvalidArgument, "{wish:?}");
    }
    let refused = ledger.grant_api_key(&keys, &tenant("nobody"), &good, &by()).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::UnknownTenant);
    assert!(ledger.reader().size(&tenant("nobody")).is_err());
    let records = ledger.reader().list(&tenant("acme"), Order::Sequence, None).unwrap();
    assert_eq!(records.count(), 1, "the genesis alone");
}

#[test]
fn keys_granted_at_once_do_not_cross() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme", "beta"]);
    let keys = ApiKeys::default();
    let given = ApiKey::generate(&*rig.entropy);
    std::thread::scope(|scope| {
        for name in ["acme", "beta", "acme", "beta"] {
            let (ledger, keys, given) = (&ledger, &keys, &given);
            scope.spawn(move || {
                grant(ledger, keys, name);
                let wish = wanted(Role::Admin.into());
                // One of the two tenants gets it, the other is refused.
                let _ = ledger.ensure_api_key(keys, &tenant(name), given, &wish, &by());
            });
        }
    });
    let of = |name: &str| keys.of_tenant(&tenant(name)).len();
    assert_eq!(of("acme") + of("beta"), 5);
    ledger.close().unwrap();
    rig.assert_sound();
}
