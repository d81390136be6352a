//! What of an event somebody sees, by the classes of its fields: a new role is a line in `SIGHTS`.

use ledgerstone_proof::TenantId;

use super::permission::Permission;
use super::permits;
use super::role::{Role, RoleSet};
use crate::sealing::FieldClass;

/// How much of a value is seen; the wider view is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum View {
    /// That there is one.
    Hidden,
    /// Its redacted form.
    Redacted,
    /// The value itself.
    Shown,
}

impl View {
    /// The word in answers and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hidden => "hidden",
            Self::Redacted => "redacted",
            Self::Shown => "shown",
        }
    }
}

/// What of events somebody sees: a view for each class of field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sight {
    public: View,
    personal: View,
    sensitive: View,
    secret: View,
    /// Whether events of people whose data is restricted are seen at all.
    restricted: bool,
}

/// What a role sees.
struct Line {
    role: Role,
    sight: Sight,
    /// The same with `events:read_sensitive`.
    with_grant: Sight,
}

/// Every role that sees anything; one without a line sees nothing.
const SIGHTS: &[Line] = &[
    Line { role: Role::Admin, sight: Sight::EVERYTHING, with_grant: Sight::EVERYTHING },
    Line { role: Role::PrivacyOfficer, sight: Sight::EVERYTHING, with_grant: Sight::EVERYTHING },
    Line { role: Role::Auditor, sight: REDACTED, with_grant: ALL_BUT_SECRETS },
    Line { role: Role::Viewer, sight: REDACTED, with_grant: REDACTED },
];

const REDACTED: Sight = Sight {
    public: View::Shown,
    personal: View::Redacted,
    sensitive: View::Redacted,
    secret: View::Hidden,
    restricted: false,
};

const ALL_BUT_SECRETS: Sight = Sight {
    public: View::Shown,
    personal: View::Shown,
    sensitive: View::Shown,
    secret: View::Hidden,
    restricted: false,
};

impl Sight {
    /// Nothing of any event.
    pub const NOTHING: Self = Self {
        public: View::Hidden,
        personal: View::Hidden,
        sensitive: View::Hidden,
        secret: View::Hidden,
        restricted: false,
    };

    /// Every value, whatever its class.
    pub const EVERYTHING: Self = Self {
        public: View::Shown,
        personal: View::Shown,
        sensitive: View::Shown,
        secret: View::Shown,
        restricted: true,
    };

    /// What a credential of this tenant with these roles sees of the tenant's events.
    pub fn of(roles: RoleSet, tenant: &TenantId) -> Self {
        let is_granted = permits(roles, tenant, Permission::EventsReadSensitive);
        let lines = SIGHTS.iter().filter(|line| roles.contains(line.role));
        let sights = lines.map(|line| if is_granted { line.with_grant } else { line.sight });
        sights.fold(Self::NOTHING, Self::widest)
    }

    fn widest(self, other: Self) -> Self {
        Self {
            public: self.public.max(other.public),
            personal: self.personal.max(other.personal),
            sensitive: self.sensitive.max(other.sensitive),
            secret: self.secret.max(other.secret),
            restricted: self.restricted || other.restricted,
        }
    }

    /// How much is seen of fields of a class.
    pub const fn view(self, class: FieldClass) -> View {
        match class {
            FieldClass::Public => self.public,
            FieldClass::Personal => self.personal,
            FieldClass::Sensitive => self.sensitive,
            FieldClass::Secret => self.secret,
        }
    }

    /// Whether events of people whose data is restricted (Regulation (EU) 2016/679, article 18) are seen.
    pub const fn sees_restricted(self) -> bool {
        self.restricted
    }

    pub fn is_nothing(self) -> bool {
        self == Self::NOTHING
    }

    pub fn is_everything(self) -> bool {
        self == Self::EVERYTHING
    }

    /// Whether personal data is looked for in what stands in clear, so that it is not shown.
    pub fn looks_for_personal_data(self) -> bool {
        self.public == View::Shown && self.personal < View::Shown
    }

    /// Whether anything is seen that the other one does not see.
    pub fn exceeds(self, other: Self) -> bool {
        self.widest(other) != other
    }
}

/// The rows of the table in `docs/roles.md`.
pub(super) fn sight_rows() -> String {
    const CLASSES: [FieldClass; 4] =
        [FieldClass::Public, FieldClass::Personal, FieldClass::Sensitive, FieldClass::Secret];
    let mut text = String::new();
    for role in Role::ALL {
        let line = SIGHTS.iter().find(|line| line.role == *role);
        let (sight, granted) =
            line.map_or((Sight::NOTHING, Sight::NOTHING), |line| (line.sight, line.with_grant));
        text.push_str(&format!("| `{role}` |"));
        for class in CLASSES {
            let (view, with_grant) = (sight.view(class), granted.view(class));
            text.push_str(&format!(" {}", view.as_str()));
            if with_grant != view {
                text.push_str(&format!(", {}", with_grant.as_str()));
            }
            text.push_str(" |");
        }
        text.push_str(if granted.sees_restricted() { " seen |\n" } else { " closed |\n" });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Sight, View};
    use crate::access::{Role, RoleSet};
    use crate::sealing::FieldClass;
    use ledgerstone_proof::TenantId;

    fn sight(roles: &[Role]) -> Sight {
        let roles: RoleSet = roles.iter().copied().collect();
        Sight::of(roles, &TenantId::parse("acme").unwrap())
    }

    /// Written out, so that a change of what a role sees is a change of this table too: `s`hown,
    /// `r`edacted, `h`idden of public, personal, sensitive, secret.
    #[test]
    fn every_role_sees_what_the_table_says() {
        use Role::{Admin, Auditor, PrivacyOfficer, SensitiveReader, Viewer, Writer};
        for (roles, wanted) in [
            (&[][..], "hhhh"),
            (&[Writer], "hhhh"),
            (&[SensitiveReader], "hhhh"),
            (&[Writer, SensitiveReader], "hhhh"),
            (&[Viewer], "srrh"),
            (&[Viewer, SensitiveReader], "srrh"),
            (&[Auditor], "srrh"),
            (&[Auditor, Viewer], "srrh"),
            (&[Auditor, SensitiveReader], "sssh"),
            (&[Auditor, SensitiveReader, Viewer, Writer], "sssh"),
            (&[PrivacyOfficer], "ssss"),
            (&[Admin], "ssss"),
            (&[Admin, Viewer], "ssss"),
        ] {
            let found: String = [
                FieldClass::Public,
                FieldClass::Personal,
                FieldClass::Sensitive,
                FieldClass::Secret,
            ]
            .map(|class| &sight(roles).view(class).as_str()[..1])
            .concat();
            assert_eq!(found, wanted, "{roles:?}");
        }
    }

    #[test]
    fn sights_are_compared_class_by_class() {
        let (viewer, granted) =
            (sight(&[Role::Viewer]), sight(&[Role::Auditor, Role::SensitiveReader]));
        assert!(granted.exceeds(viewer) && !viewer.exceeds(granted) && !viewer.exceeds(viewer));
        assert!(Sight::EVERYTHING.exceeds(granted) && viewer.exceeds(Sight::NOTHING));
        assert!(viewer.looks_for_personal_data() && !granted.looks_for_personal_data());
        assert!(!Sight::NOTHING.looks_for_personal_data());
        assert!(View::Hidden < View::Redacted && View::Redacted < View::Shown);
    }
}
