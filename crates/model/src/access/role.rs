//! The roles there are, as a table, and sets of them.

use std::fmt;

use super::permission::Permission;
use super::sight::sight_rows;

/// A named set of permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    Admin,
    PrivacyOfficer,
    Auditor,
    SensitiveReader,
    Writer,
    Viewer,
}

/// A role with all that belongs to it.
#[derive(Clone, Copy, Debug)]
pub struct RoleEntry {
    pub role: Role,
    /// The name in records, tokens and answers.
    pub name: &'static str,
    /// Whom it is for, in one sentence.
    pub meaning: &'static str,
    pub permissions: &'static [Permission],
}

/// Every role, in the order in which sets list them.
pub const ROLES: &[RoleEntry] =
    &[ADMIN, PRIVACY_OFFICER, AUDITOR, SENSITIVE_READER, WRITER, VIEWER];

const ADMIN: RoleEntry = RoleEntry {
    role: Role::Admin,
    name: "admin",
    meaning: "Does everything that can be done for its tenant.",
    permissions: Permission::ALL,
};

const PRIVACY_OFFICER: RoleEntry = RoleEntry {
    role: Role::PrivacyOfficer,
    name: "privacy_officer",
    meaning: "Answers for personal data: sees all of it, and changes no settings.",
    permissions: &[
        Permission::EventsRead,
        Permission::EventsReadSensitive,
        Permission::RecordsRead,
        Permission::ProofsRead,
        Permission::VerifyRun,
        Permission::JobsRead,
        Permission::DeadLettersRead,
        Permission::TaxonomyRead,
        Permission::PoliciesRead,
        Permission::PoliciesApprove,
        Permission::HoldsRead,
        Permission::HoldsWrite,
        Permission::RetentionRead,
        Permission::RetentionRun,
        Permission::SubjectsRead,
        Permission::RequestsRead,
        Permission::RequestsWrite,
        Permission::RequestsApprove,
        Permission::SealingKeysRead,
        Permission::StatusRead,
    ],
};

const AUDITOR: RoleEntry = RoleEntry {
    role: Role::Auditor,
    name: "auditor",
    meaning: "Reads everything, personal data redacted, and verifies; changes nothing.",
    permissions: &[
        Permission::EventsRead,
        Permission::RecordsRead,
        Permission::ProofsRead,
        Permission::VerifyRun,
        Permission::JobsRead,
        Permission::DeadLettersRead,
        Permission::TaxonomyRead,
        Permission::PoliciesRead,
        Permission::RetentionRead,
        Permission::RequestsRead,
        Permission::ApiKeysRead,
        Permission::SealingKeysRead,
        Permission::StatusRead,
        Permission::TenantsRead,
        Permission::SigningKeysRead,
        Permission::MetricsRead,
        Permission::PlatformRead,
    ],
};

const SENSITIVE_READER: RoleEntry = RoleEntry {
    role: Role::SensitiveReader,
    name: "sensitive_reader",
    meaning: "Beside `auditor`: sees personal and sensitive values whole. Alone it sees nothing.",
    permissions: &[Permission::EventsReadSensitive],
};

const WRITER: RoleEntry = RoleEntry {
    role: Role::Writer,
    name: "writer",
    meaning: "Sends events and sees none: for applications.",
    permissions: &[Permission::EventsWrite, Permission::TaxonomyRead],
};

const VIEWER: RoleEntry = RoleEntry {
    role: Role::Viewer,
    name: "viewer",
    meaning: "Sees records and their proofs, with personal data redacted.",
    permissions: &[
        Permission::RecordsRead,
        Permission::ProofsRead,
        Permission::TaxonomyRead,
        Permission::StatusRead,
    ],
};

impl Role {
    /// Every role, in the order of [`ROLES`].
    pub const ALL: &'static [Self] = &[
        Self::Admin,
        Self::PrivacyOfficer,
        Self::Auditor,
        Self::SensitiveReader,
        Self::Writer,
        Self::Viewer,
    ];

    /// What belongs to the role.
    pub const fn entry(self) -> &'static RoleEntry {
        match self {
            Self::Admin => &ADMIN,
            Self::PrivacyOfficer => &PRIVACY_OFFICER,
            Self::Auditor => &AUDITOR,
            Self::SensitiveReader => &SENSITIVE_READER,
            Self::Writer => &WRITER,
            Self::Viewer => &VIEWER,
        }
    }

    pub const fn as_str(self) -> &'static str {
        self.entry().name
    }

    /// The role of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.as_str() == text)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The roles of one credential.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct RoleSet(u8);

impl RoleSet {
    /// No role, which may nothing.
    pub const EMPTY: Self = Self(0);

    pub const fn contains(self, role: Role) -> bool {
        self.0 & role.bit() != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The same with one more.
    #[must_use]
    pub const fn with(self, role: Role) -> Self {
        Self(self.0 | role.bit())
    }

    /// The roles in the order of [`ROLES`].
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.iter().copied().filter(move |role| self.contains(*role))
    }

    /// The names in the order of [`ROLES`].
    pub fn names(self) -> Vec<&'static str> {
        self.iter().map(Role::as_str).collect()
    }
}

impl From<Role> for RoleSet {
    fn from(role: Role) -> Self {
        Self::EMPTY.with(role)
    }
}

impl FromIterator<Role> for RoleSet {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        roles.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Display for RoleSet {
    /// The names with a comma and a space between them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.names().join(", "))
    }
}

impl fmt::Debug for RoleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// The page `docs/roles.md`: what each role may.
pub fn roles_page() -> String {
    let mut text = String::from(
        "# Roles\n\n\
         A credential belongs to one tenant and has roles in it. What no role of it holds is refused with\n\
         `FORBIDDEN`; another tenant's records do not exist for it.\n\n\
         This page is written by `cargo xtask gen` from `crates/model/src/access/role.rs`.\n\n\
         | role | for whom |\n|---|---|\n",
    );
    text.extend(ROLES.iter().map(|entry| format!("| `{}` | {} |\n", entry.name, entry.meaning)));
    text.push_str("\n| permission | what it allows |");
    text.extend(ROLES.iter().map(|entry| format!(" {} |", entry.name)));
    text.push_str("\n|---|---|");
    text.push_str(&"---|".repeat(ROLES.len()));
    text.push('\n');
    text.extend(Permission::ALL.iter().map(|permission| permission_row(*permission)));
    text.push_str(
        "\n`_system`: only with a credential of `_system`, whatever its role. Credentials of `_system` \
         administer the\ndeployment and read `_system`'s own records; they write no events and read no \
         other tenant's records.\n",
    );
    text.push_str(
        "\n## What a role sees of events\n\nWhat of an event somebody sees follows from the class of each field. Where a role has two words, the \
         second\ncounts with `events:read_sensitive`; of several roles the widest view counts. What is written in \
         clear and\nlooks personal counts as personal.\n\n\
         | role | clear | personal | sensitive | secret | events of restricted people |\n|---|---|---|---|---|---|\n",
    );
    text.push_str(&sight_rows());
    text.push_str(
        "\n## What an operator can do\n\nWhoever holds an admin credential of `_system` creates, suspends and \
         resumes tenants, and may have the first admin\nkey of a tenant with its creation: it is shown to \
         them once, and at no other time does a server give a key of a\ntenant to a credential of \
         `_system`. Until that key is revoked its first holder can read what the tenant records.\nThe \
         grant stands in the tenant's ledger and in `_system`, with who made it; a tenant that wants to be \
         alone makes\na key of its own with it, revokes it, and sees in its ledger that no other was \
         granted. Where the answer is lost,\nor none was asked for, a tenant's key is made on the machine \
         (`ledgerstone api-keys create --data DIR --tenant T`).\nWhoever may write the data directory can \
         do that at any time, and reads what is there in the clear; what they do\nthrough the program is \
         recorded, and what they change behind its back is found ([trust](trust.md)).\n",
    );
    let kept = Permission::ALL.iter().filter(|one| one.outlasts_suspension());
    let kept: Vec<String> = kept.map(|one| format!("`{one}`")).collect();
    text.push_str(
        "\n## Suspended tenants\n\nThe credentials of a suspended tenant read and verify, as far as \
         their roles let them. They keep\n",
    );
    text.push_str(&kept.join(", "));
    text.push_str(
        ".\nWith `api-keys:write` they revoke keys, since a secret that got out must be worth nothing, \
         and grant none.\nEverything else is refused with `TENANT_SUSPENDED`. Credentials of `_system` \
         resume the tenant; commands on the\nmachine itself (`--data`) are an operator's, and \
         administer its keys and taxonomy as before.\n",
    );
    let kept = Permission::ALL.iter().filter(|one| one.outlasts_closing());
    let kept: Vec<String> = kept.map(|one| format!("`{one}`")).collect();
    text.push_str("\n## Closed tenants\n\nThe credentials of a tenant that is being closed, or is closed, keep ");
    text.push_str(&kept.join(", "));
    text.push_str(
        ",\nas far as they had them, until they expire: what is left of the ledger is verified as before. \
         Everything else is\nrefused with `TENANT_CLOSING` or `TENANT_CLOSED`, and nothing of it stands in the \
         access log, since nothing more\nmay come into the ledger. Keys cannot be granted or revoked any more: \
         let those that are to verify expire when\nthey should, and revoke the others before.\n",
    );
    text
}

fn permission_row(permission: Permission) -> String {
    let mark = if permission.concerns_deployment() { "`_system`" } else { "yes" };
    let mut row = format!("| `{permission}` | {} |", permission.meaning());
    for entry in ROLES {
        if entry.permissions.contains(&permission) {
            row.push(' ');
            row.push_str(mark);
        }
        row.push_str(" |");
    }
    row.push('\n');
    row
}

#[cfg(test)]
mod tests {
    use super::{ROLES, Role, RoleSet, roles_page};

    #[test]
    fn the_table_lists_every_role_once_and_in_order() {
        let listed: Vec<Role> = ROLES.iter().map(|entry| entry.role).collect();
        assert_eq!(listed, Role::ALL);
        for role in Role::ALL {
            assert_eq!(role.entry().role, *role);
            assert_eq!(Role::parse(role.as_str()), Some(*role));
            let held = role.entry().permissions;
            let mut sorted = held.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted, held, "{role}");
        }
        for name in ["", "Admin", "owner", "admin "] {
            assert_eq!(Role::parse(name), None, "{name}");
        }
    }

    #[test]
    fn sets_are_sets() {
        let set: RoleSet = [Role::Viewer, Role::Admin, Role::Viewer].into_iter().collect();
        assert_eq!(set.names(), ["admin", "viewer"]);
        assert_eq!(set.to_string(), "admin, viewer");
        assert!(set.contains(Role::Admin) && !set.contains(Role::Writer));
        assert!(RoleSet::EMPTY.is_empty() && !set.is_empty());
        assert_eq!(set, RoleSet::from(Role::Admin).with(Role::Viewer));
    }

    #[test]
    fn the_page_shows_what_the_table_says() {
        let page = roles_page();
        for line in [
            "| `events:write` | Send events. | yes | | | | yes | |",
            "| `metrics:read` | Read the metrics of the whole deployment. | `_system` | | `_system` | | | |",
            "| `auditor` | shown | redacted, shown | redacted, shown | hidden | closed |",
            "`events:read`, `events:read_sensitive`, `records:read`, `proofs:read`, `verify:run`, `jobs:read`, `dead-letters:read`, `taxonomy:read`, `policies:read`, `holds:read`, `retention:read`, `subjects:read`, `requests:read`, `api-keys:read`, `status:read`.",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
    }
}
