//! What becomes of numbers that canonical JSON cannot hold exactly, sender by sender: a sender that
//! cannot be changed may need another answer than all others.

use std::collections::HashMap;

use ledgerstone_model::Numbers;
use ledgerstone_model::access::PrincipalId;
use ledgerstone_proof::TenantId;

use crate::auth::Caller;

/// The answer for each sender, unless a request says otherwise.
#[derive(Clone, Debug, Default)]
pub struct NumberRules {
    usual: Numbers,
    tenants: HashMap<TenantId, Numbers>,
    principals: HashMap<PrincipalId, Numbers>,
}

impl NumberRules {
    /// The same answer for all senders.
    pub fn new(usual: Numbers) -> Self {
        Self { usual, ..Self::default() }
    }

    /// Another one for the senders of a tenant. Answers whether there was none for them.
    pub fn set_for_tenant(&mut self, tenant: TenantId, numbers: Numbers) -> bool {
        self.tenants.insert(tenant, numbers).is_none()
    }

    /// Another one for one sender, which comes before that for its tenant. Answers whether there was
    /// none for it.
    pub fn set_for_principal(&mut self, principal: PrincipalId, numbers: Numbers) -> bool {
        self.principals.insert(principal, numbers).is_none()
    }

    pub(super) fn of(&self, caller: &Caller) -> Numbers {
        let own = self.principals.get(caller.principal());
        own.or_else(|| self.tenants.get(caller.tenant())).copied().unwrap_or(self.usual)
    }
}

#[cfg(test)]
mod tests {
    use ledgerstone_model::Numbers;
    use ledgerstone_model::access::{ApiKeyId, PrincipalId, Role};
    use ledgerstone_proof::TenantId;

    use super::NumberRules;
    use crate::auth::{Caller, CredentialKind};

    #[test]
    fn one_sender_comes_before_its_tenant_and_its_tenant_before_all() {
        let key = |text| PrincipalId::of_api_key(&ApiKeyId::parse(text).unwrap());
        let [own, other] = ["abcdefghij234567", "bbcdefghij234567"].map(key);
        let caller = |tenant: &str, principal: &PrincipalId| {
            let tenant = TenantId::parse(tenant).unwrap();
            let (role, via) = (Role::Writer.into(), CredentialKind::ApiKey);
            Caller::new(tenant, role, principal.clone(), via, None)
        };
        let mut rules = NumberRules::new(Numbers::Quote);
        assert!(rules.set_for_tenant(TenantId::parse("acme").unwrap(), Numbers::Refuse));
        assert!(rules.set_for_principal(own.clone(), Numbers::Quote));
        assert!(!rules.set_for_principal(own.clone(), Numbers::Quote));
        for (tenant, principal, expected) in [
            ("acme", &own, Numbers::Quote),
            ("acme", &other, Numbers::Refuse),
            ("beta", &other, Numbers::Quote),
        ] {
            assert_eq!(rules.of(&caller(tenant, principal)), expected, "{tenant} {principal}");
        }
    }
}
