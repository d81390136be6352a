//! Who asks, once it is proved, and the right to go on.

use std::net::IpAddr;

use ledgerstone_model::access::{ApiKeyId, Permission, PrincipalId, RoleSet, Sight, permits};
use ledgerstone_model::{Actor, ErrorCode};
use ledgerstone_proof::TenantId;

use super::error::AuthError;

pub use ledgerstone_model::access::CredentialKind;

/// Somebody whose credential was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    tenant: TenantId,
    roles: RoleSet,
    principal: PrincipalId,
    via: CredentialKind,
    /// What the credential says of its holder: names of people, for `audit` records alone.
    name: Option<String>,
    lasts: Lasts,
}

/// How long a credential that was verified stays good, for requests that last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lasts {
    /// As long as the connection that it was shown for.
    WithConnection,
    /// Until the key is revoked or expires.
    ApiKey(ApiKeyId),
    /// Up to this moment, in microseconds since 1970.
    Until(i64),
}

impl Caller {
    pub(crate) const fn new(
        tenant: TenantId,
        roles: RoleSet,
        principal: PrincipalId,
        via: CredentialKind,
        name: Option<String>,
    ) -> Self {
        Self { tenant, roles, principal, via, name, lasts: Lasts::WithConnection }
    }

    /// The same with a credential that may end before the connection does.
    pub(crate) const fn lasting(mut self, lasts: Lasts) -> Self {
        self.lasts = lasts;
        self
    }

    pub(crate) const fn lasts(&self) -> Lasts {
        self.lasts
    }

    /// The tenant that the credential belongs to, from nothing but the credential.
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    pub const fn roles(&self) -> RoleSet {
        self.roles
    }

    /// The opaque id by which records name the caller.
    pub const fn principal(&self) -> &PrincipalId {
        &self.principal
    }

    pub const fn via(&self) -> CredentialKind {
        self.via
    }

    /// The caller as `audit` records tell of it, with the names that the credential has.
    pub fn actor(&self) -> Actor {
        Actor::principal(&self.principal, self.via, self.name.as_deref())
    }

    /// Whether a permission is held.
    pub fn may(&self, permission: Permission) -> bool {
        permits(self.roles, &self.tenant, permission)
    }

    /// What the caller sees of its tenant's events.
    pub fn sight(&self) -> Sight {
        Sight::of(self.roles, &self.tenant)
    }

    /// The right to use a permission on the caller's own tenant, if it is held.
    pub fn authorise(self, permission: Permission) -> Result<Authorised, AuthError> {
        if self.may(permission) {
            return Ok(Authorised { caller: self, permission, asked: Asked::default() });
        }
        let roles = if self.roles.is_empty() { "none".to_owned() } else { self.roles.to_string() };
        let message = if permission.concerns_deployment() && !self.tenant.is_system() {
            format!("{permission} is for credentials of _system alone")
        } else {
            format!("{permission} is needed, and the credential's roles ({roles}) do not have it")
        };
        Err(AuthError::new(ErrorCode::Forbidden, message))
    }
}

/// By which request a caller asks, and from where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub request_id: Option<String>,
    /// The other end of the connection: a proxy's, where one stands in between.
    pub address: Option<IpAddr>,
}

/// A caller who may do one thing. Only [`Caller::authorise`] makes it, and whoever works on a
/// tenant's records takes the tenant from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorised {
    caller: Caller,
    permission: Permission,
    asked: Asked,
}

impl Authorised {
    /// The same with what is known of the request.
    #[must_use]
    pub fn asking(mut self, asked: Asked) -> Self {
        self.asked = asked;
        self
    }

    /// The caller as `audit` records tell of it, with the request by which it acts.
    pub fn actor(&self) -> Actor {
        let actor = self.caller.actor().at(self.asked.address);
        match &self.asked.request_id {
            Some(id) => actor.by_request(id),
            None => actor,
        }
    }

    /// The tenant to work on.
    pub const fn tenant(&self) -> &TenantId {
        &self.caller.tenant
    }

    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What it was given for.
    pub const fn permission(&self) -> Permission {
        self.permission
    }
}

#[cfg(test)]
mod tests {
    use ledgerstone_model::ErrorCode;
    use ledgerstone_model::access::{
        ApiKeyId, CredentialKind, Permission, PrincipalId, Role, RoleSet, permits,
    };
    use ledgerstone_proof::TenantId;

    use super::Caller;

    fn caller(tenant: &TenantId, roles: RoleSet) -> Caller {
        let id = ApiKeyId::parse("abcdefghij234567").unwrap();
        let principal = PrincipalId::of_api_key(&id);
        Caller::new(tenant.clone(), roles, principal, CredentialKind::ApiKey, None)
    }

    #[test]
    fn a_caller_is_authorised_for_what_it_may_and_nothing_else() {
        for tenant in [TenantId::system(), TenantId::parse("acme").unwrap()] {
            for roles in [RoleSet::EMPTY, Role::Writer.into(), Role::Admin.into()] {
                for &permission in Permission::ALL {
                    let authorised = caller(&tenant, roles).authorise(permission);
                    assert_eq!(authorised.is_ok(), permits(roles, &tenant, permission));
                    match authorised {
                        Ok(right) => {
                            assert_eq!(right.tenant(), &tenant);
                            assert_eq!(right.permission(), permission);
                        }
                        Err(error) => {
                            assert_eq!(error.code(), ErrorCode::Forbidden);
                            assert!(error.message().contains(permission.as_str()));
                        }
                    }
                }
            }
        }
    }
}
