//! Who may do what, as data: permissions, the roles that hold them, and the one function that says
//! whether a caller may.
//!
//! A credential belongs to one tenant and has roles in it; nothing it holds reaches into another.

mod api_key;
mod permission;
mod principal;
mod role;
mod sight;

use ledgerstone_proof::TenantId;

pub use api_key::{ApiKey, ApiKeyError, ApiKeyId};
pub use permission::Permission;
pub use principal::{CredentialKind, PrincipalId};
pub use role::{ROLES, Role, RoleEntry, RoleSet, roles_page};
pub use sight::{Sight, View};

/// Whether a credential of `tenant` with these roles may use a permission on that tenant.
///
/// Two rules stand above the roles: what concerns the whole deployment is for credentials of
/// `_system` alone, and those write no events.
pub fn permits(roles: RoleSet, tenant: &TenantId, permission: Permission) -> bool {
    let open_to_tenant = if tenant.is_system() {
        permission != Permission::EventsWrite
    } else {
        !permission.concerns_deployment()
    };
    open_to_tenant && roles.iter().any(|role| role.entry().permissions.contains(&permission))
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::TenantId;

    use super::{Permission, Role, RoleSet, permits};

    /// What each role may: on a tenant, and on `_system`. Written out, so that a change of a role
    /// is a change of this table too. `-` is nothing, `t` in tenants, `s` in `_system`.
    const TABLE: &[(&str, [&str; 6])] = &[
        // permission, [admin, privacy_officer, auditor, sensitive_reader, writer, viewer]
        ("events:write", ["t", "-", "-", "-", "t", "-"]),
        ("events:read", ["ts", "ts", "ts", "-", "-", "-"]),
        ("events:read_sensitive", ["ts", "ts", "-", "ts", "-", "-"]),
        ("records:read", ["ts", "ts", "ts", "-", "-", "ts"]),
        ("proofs:read", ["ts", "ts", "ts", "-", "-", "ts"]),
        ("verify:run", ["ts", "ts", "ts", "-", "-", "-"]),
        ("jobs:read", ["ts", "ts", "ts", "-", "-", "-"]),
        ("dead-letters:read", ["ts", "ts", "ts", "-", "-", "-"]),
        ("dead-letters:resend", ["ts", "-", "-", "-", "-", "-"]),
        ("dead-letters:delete", ["ts", "-", "-", "-", "-", "-"]),
        ("taxonomy:read", ["ts", "ts", "ts", "-", "ts", "ts"]),
        ("taxonomy:write", ["ts", "-", "-", "-", "-", "-"]),
        ("policies:read", ["ts", "ts", "ts", "-", "-", "-"]),
        ("policies:write", ["ts", "-", "-", "-", "-", "-"]),
        ("policies:approve", ["ts", "ts", "-", "-", "-", "-"]),
        ("holds:read", ["ts", "ts", "-", "-", "-", "-"]),
        ("holds:write", ["ts", "ts", "-", "-", "-", "-"]),
        ("retention:read", ["ts", "ts", "ts", "-", "-", "-"]),
        ("retention:run", ["ts", "ts", "-", "-", "-", "-"]),
        ("subjects:read", ["ts", "ts", "-", "-", "-", "-"]),
        ("requests:read", ["ts", "ts", "ts", "-", "-", "-"]),
        ("requests:write", ["ts", "ts", "-", "-", "-", "-"]),
        ("requests:approve", ["ts", "ts", "-", "-", "-", "-"]),
        ("api-keys:read", ["ts", "-", "ts", "-", "-", "-"]),
        ("api-keys:write", ["ts", "-", "-", "-", "-", "-"]),
        ("sealing-keys:read", ["ts", "ts", "ts", "-", "-", "-"]),
        ("sealing-keys:rotate", ["ts", "-", "-", "-", "-", "-"]),
        ("status:read", ["ts", "ts", "ts", "-", "-", "ts"]),
        ("tenants:read", ["s", "-", "s", "-", "-", "-"]),
        ("tenants:write", ["s", "-", "-", "-", "-", "-"]),
        ("signing-keys:read", ["s", "-", "s", "-", "-", "-"]),
        ("signing-keys:rotate", ["s", "-", "-", "-", "-", "-"]),
        ("metrics:read", ["s", "-", "s", "-", "-", "-"]),
        ("platform:read", ["s", "-", "s", "-", "-", "-"]),
    ];

    #[test]
    fn every_role_and_permission_is_as_the_table_says() {
        let (system, acme) = (TenantId::system(), TenantId::parse("acme").unwrap());
        assert_eq!(TABLE.len(), Permission::ALL.len());
        for (name, of_roles) in TABLE {
            let permission = Permission::parse(name).unwrap();
            assert_eq!(of_roles.len(), Role::ALL.len());
            for (role, wanted) in Role::ALL.iter().zip(of_roles) {
                let set = RoleSet::from(*role);
                for (tenant, letter) in [(&acme, 't'), (&system, 's')] {
                    let may = permits(set, tenant, permission);
                    assert_eq!(may, wanted.contains(letter), "{role} {name} in {tenant}");
                }
            }
        }
    }

    #[test]
    fn several_roles_hold_what_each_holds_and_none_hold_nothing() {
        for tenant in [TenantId::system(), TenantId::parse("acme").unwrap()] {
            for &permission in Permission::ALL {
                assert!(!permits(RoleSet::EMPTY, &tenant, permission));
                for bits in 0..1_usize << Role::ALL.len() {
                    let chosen: Vec<Role> = Role::ALL
                        .iter()
                        .enumerate()
                        .filter(|(index, _)| bits >> index & 1 == 1)
                        .map(|(_, role)| *role)
                        .collect();
                    let alone =
                        chosen.iter().any(|role| permits((*role).into(), &tenant, permission));
                    let together = permits(chosen.iter().copied().collect(), &tenant, permission);
                    assert_eq!(together, alone, "{chosen:?} {permission}");
                }
            }
        }
    }
}
