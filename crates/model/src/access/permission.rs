//! The closed list of what a caller may be allowed to do.

use std::fmt;

/// Defines the enum and its tables from one list, so that a permission cannot lack its text.
macro_rules! permissions {
    ($( $variant:ident = $text:literal, $scope:ident, $meaning:literal; )+) => {
        /// One thing that a caller may be allowed to do. Permissions are added, never renamed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Permission {
            $( #[doc = $meaning] $variant, )+
        }

        impl Permission {
            /// Every permission, in the order of the table.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            /// The name, e.g. `events:write`.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $text, )+ }
            }

            /// What it allows, in one sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $( Self::$variant => $meaning, )+ }
            }

            const fn scope(self) -> Scope {
                match self { $( Self::$variant => Scope::$scope, )+ }
            }
        }
    };
}

/// Whose matter a permission is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Tenant,
    Deployment,
}

permissions! {
    EventsWrite = "events:write", Tenant,
        "Send events.";
    EventsRead = "events:read", Tenant,
        "Read the exact bytes of contents, sealed as they are stored.";
    EventsReadSensitive = "events:read_sensitive", Tenant,
        "See personal and sensitive values whole, where the role otherwise sees them redacted.";
    RecordsRead = "records:read", Tenant,
        "Read records, with as much of their events as the role sees.";
    ProofsRead = "proofs:read", Tenant,
        "Fetch proofs, checkpoints and tiles.";
    VerifyRun = "verify:run", Tenant,
        "Have the ledger verified.";
    JobsRead = "jobs:read", Tenant,
        "See jobs and their results.";
    DeadLettersRead = "dead-letters:read", Tenant,
        "Read refused submissions and why they were refused.";
    DeadLettersResend = "dead-letters:resend", Tenant,
        "Correct refused submissions and send them again.";
    DeadLettersDelete = "dead-letters:delete", Tenant,
        "Delete refused submissions.";
    TaxonomyRead = "taxonomy:read", Tenant,
        "See the event types and their schemas.";
    TaxonomyWrite = "taxonomy:write", Tenant,
        "Change the event types and their schemas.";
    PoliciesRead = "policies:read", Tenant,
        "See the policies of the tenant.";
    PoliciesWrite = "policies:write", Tenant,
        "Change the policies of the tenant.";
    PoliciesApprove = "policies:approve", Tenant,
        "Approve policies that somebody else has put forward.";
    HoldsRead = "holds:read", Tenant,
        "See legal holds, with owner, reason and filter.";
    HoldsWrite = "holds:write", Tenant,
        "Set legal holds, ask for their release, and approve what somebody else has asked.";
    RetentionRead = "retention:read", Tenant,
        "See how the dropping of contents stands.";
    RetentionRun = "retention:run", Tenant,
        "Have contents dropped whose time is over, or see which would be.";
    SubjectsRead = "subjects:read", Tenant,
        "Look people up, and see which keys and certificates there are of them.";
    RequestsRead = "requests:read", Tenant,
        "See what people have asked about their own data.";
    RequestsWrite = "requests:write", Tenant,
        "Open such requests and take them further.";
    RequestsApprove = "requests:approve", Tenant,
        "Approve requests that somebody else has opened and checked.";
    ApiKeysRead = "api-keys:read", Tenant,
        "See the API keys there are, never their secrets.";
    ApiKeysWrite = "api-keys:write", Tenant,
        "Grant and revoke API keys.";
    SealingKeysRead = "sealing-keys:read", Tenant,
        "See whose sealing keys there are, never the keys.";
    SealingKeysRotate = "sealing-keys:rotate", Tenant,
        "Replace the key that wraps the keys of the tenant's people.";
    StatusRead = "status:read", Tenant,
        "See the state of the tenant's ledger.";
    TenantsRead = "tenants:read", Deployment,
        "See the tenants there are.";
    TenantsWrite = "tenants:write", Deployment,
        "Create tenants and change their state.";
    SigningKeysRead = "signing-keys:read", Deployment,
        "See the signing keys and their periods.";
    SigningKeysRotate = "signing-keys:rotate", Deployment,
        "Replace signing keys.";
    MetricsRead = "metrics:read", Deployment,
        "Read the metrics of the whole deployment.";
    PlatformRead = "platform:read", Deployment,
        "See the state of the whole deployment.";
}

impl Permission {
    /// The permission of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.as_str() == text)
    }

    /// Whether a suspended tenant's credentials keep it: reading and verifying, and nothing else.
    pub const fn outlasts_suspension(self) -> bool {
        matches!(
            self,
            Self::EventsRead
                | Self::EventsReadSensitive
                | Self::RecordsRead
                | Self::ProofsRead
                | Self::VerifyRun
                | Self::JobsRead
                | Self::DeadLettersRead
                | Self::TaxonomyRead
                | Self::PoliciesRead
                | Self::HoldsRead
                | Self::RetentionRead
                | Self::SubjectsRead
                | Self::RequestsRead
                | Self::ApiKeysRead
                | Self::StatusRead
        )
    }

    /// Whether the credentials of a tenant that is being closed, or is closed, keep it: verifying what is
    /// left, and nothing else.
    pub const fn outlasts_closing(self) -> bool {
        matches!(self, Self::ProofsRead | Self::VerifyRun | Self::JobsRead | Self::StatusRead)
    }

    /// Whether it is about the whole deployment, and so for credentials of `_system` alone.
    pub fn concerns_deployment(self) -> bool {
        self.scope() == Scope::Deployment
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Permission;

    #[test]
    fn names_are_a_resource_and_a_verb_and_stand_once() {
        let mut seen = HashSet::new();
        for permission in Permission::ALL {
            let name = permission.as_str();
            assert!(seen.insert(name), "{name} stands twice");
            let (resource, verb) = name.split_once(':').unwrap();
            assert!(
                !resource.is_empty()
                    && verb.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                "{name}"
            );
            assert_eq!(Permission::parse(name), Some(*permission));
            assert!(permission.meaning().ends_with('.'), "{name}");
        }
        assert_eq!(Permission::parse("events:delete"), None);
    }
}
