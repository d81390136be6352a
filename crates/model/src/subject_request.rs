//! What a person asks of a tenant about their own data, and how far that has come (Regulation (EU)
//! 2016/679, articles 12 and 15 to 18).
//!
//! A request goes through steps, each by somebody; every step gives the next state of the whole
//! request, which is what records hold.

mod erasure_terms;
mod step_error;

use ledgerstone_proof::{EventId, IngestedAt, SequenceNumber};

use crate::access::PrincipalId;
use crate::calendar::months_after;
use crate::random_id::random_id;
use crate::sealing::SubjectId;

pub use erasure_terms::ErasureTerms;
pub use step_error::StepError;

/// Months within which a request must be answered (article 12(3)).
const DUE_MONTHS: u32 = 1;

/// Months by which that may be extended, once (article 12(3)).
const EXTENSION_MONTHS: u32 = 2;

random_id! {
    /// Names a request: 128 random bits.
    SubjectRequestId
}

/// Declares an enumeration whose values have names in records.
macro_rules! named {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// The value of this name.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == text)
            }
        }
    };
}

named! {
    /// What is asked for.
    SubjectRight {
        /// To see everything (article 15).
        Access = "access",
        /// To have something corrected (article 16).
        Rectification = "rectification",
        /// To have it made unreadable (article 17).
        Erasure = "erasure",
        /// To have it kept and not used (article 18).
        Restriction = "restriction",
    }
}

named! {
    /// Why an erasure is due: the points of article 17(1).
    ErasureBasis {
        NoLongerNecessary = "no_longer_necessary",
        ConsentWithdrawn = "consent_withdrawn",
        Objection = "objection",
        UnlawfulProcessing = "unlawful_processing",
        LegalObligation = "legal_obligation",
        ChildConsent = "child_consent",
    }
}

named! {
    /// Why a request is refused: articles 12(5), 12(6) and 17(3).
    RefusalGround {
        IdentityNotEstablished = "identity_not_established",
        ManifestlyUnfounded = "manifestly_unfounded",
        Excessive = "excessive",
        LegalObligation = "legal_obligation",
        PublicInterest = "public_interest",
        LegalClaims = "legal_claims",
        FreedomOfExpression = "freedom_of_expression",
        Archiving = "archiving",
    }
}

named! {
    /// How far a request has come.
    RequestState {
        Received = "received",
        /// Whoever asks is who they say they are.
        IdentityChecked = "identity_checked",
        /// A second person agreed; it is carried out.
        Approved = "approved",
        Done = "done",
        Refused = "refused",
        Withdrawn = "withdrawn",
    }
}

impl RequestState {
    /// Whether nothing comes after it.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Refused | Self::Withdrawn)
    }
}

/// One step of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestStep {
    CheckIdentity,
    Extend,
    Approve,
    /// An erasure goes on although a duty keeps what is sealed.
    ApproveDespiteDuties,
    Refuse(RefusalGround),
    Withdraw,
    /// A restriction ends.
    Lift,
    /// The person was given what they asked to see.
    Deliver,
    /// It was carried out; the server's own step.
    Finish,
}

impl RequestStep {
    /// The word for it in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CheckIdentity => "check_identity",
            Self::Extend => "extend",
            Self::Approve => "approve",
            Self::ApproveDespiteDuties => "approve_despite_duties",
            Self::Refuse(_) => "refuse",
            Self::Withdraw => "withdraw",
            Self::Lift => "lift",
            Self::Deliver => "deliver",
            Self::Finish => "finish",
        }
    }
}

/// A request and its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectRequest {
    pub(crate) id: SubjectRequestId,
    pub(crate) right: SubjectRight,
    pub(crate) subject: SubjectId,
    pub(crate) state: RequestState,
    pub(crate) basis: Option<ErasureBasis>,
    pub(crate) ground: Option<RefusalGround>,
    pub(crate) received_at: IngestedAt,
    pub(crate) due_at: IngestedAt,
    pub(crate) is_extended: bool,
    pub(crate) opened_by: PrincipalId,
    pub(crate) identity_checked_by: Option<PrincipalId>,
    pub(crate) identity_checked_at: Option<IngestedAt>,
    pub(crate) decided_by: Option<PrincipalId>,
    pub(crate) rectification: Option<Rectification>,
}

/// What a request had corrected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rectification {
    /// The `audit.rectification` record, which holds the corrections.
    pub event_id: EventId,
    pub sequence_number: SequenceNumber,
    /// The records that they are about.
    pub corrected: Vec<SequenceNumber>,
}

impl SubjectRequest {
    /// A request that comes in now.
    pub fn open(
        id: SubjectRequestId,
        (right, basis): (SubjectRight, Option<ErasureBasis>),
        subject: SubjectId,
        by: PrincipalId,
        at: IngestedAt,
    ) -> Self {
        Self {
            id,
            right,
            subject,
            state: RequestState::Received,
            basis,
            ground: None,
            received_at: at,
            due_at: due(at, DUE_MONTHS),
            is_extended: false,
            opened_by: by,
            identity_checked_by: None,
            identity_checked_at: None,
            decided_by: None,
            rectification: None,
        }
    }

    /// The request after a step by somebody.
    pub fn after(&self, step: RequestStep, by: &PrincipalId) -> Result<Self, StepError> {
        self.take(step, by).map_err(|error| error.unwrap_or_else(|| self.no_step(step)))
    }

    /// The same; without an error where the state has no such step.
    fn take(&self, step: RequestStep, by: &PrincipalId) -> Result<Self, Option<StepError>> {
        use RequestState::{Approved, Done, IdentityChecked, Received, Refused, Withdrawn};
        let mut next = self.clone();
        next.state = match (self.state, step) {
            (Received, RequestStep::CheckIdentity) => {
                next.identity_checked_by = Some(by.clone());
                IdentityChecked
            }
            (Received | IdentityChecked, RequestStep::Extend) if self.is_extended => {
                return Err(Some(StepError::Extended { id: self.id, until: self.due_at }));
            }
            (Received | IdentityChecked, RequestStep::Extend) => {
                next.is_extended = true;
                next.due_at = due(self.received_at, DUE_MONTHS + EXTENSION_MONTHS);
                self.state
            }
            (
                IdentityChecked | Approved,
                RequestStep::Approve | RequestStep::ApproveDespiteDuties,
            ) if self.state == IdentityChecked || self.right == SubjectRight::Erasure => {
                if self.opened_by == *by || self.identity_checked_by.as_ref() == Some(by) {
                    return Err(Some(StepError::SamePerson));
                }
                next.decided_by = Some(by.clone());
                Approved
            }
            (_, RequestStep::Refuse(ground)) if self.may_end() => {
                next.ground = Some(ground);
                next.decided_by = Some(by.clone());
                Refused
            }
            (_, RequestStep::Withdraw) if self.may_end() => Withdrawn,
            (Approved, RequestStep::Lift) if self.right == SubjectRight::Restriction => Done,
            (Approved, RequestStep::Deliver) if self.right == SubjectRight::Access => Done,
            (Approved, RequestStep::Finish) => Done,
            _ => return Err(None),
        };
        Ok(next)
    }

    /// Whether it may be refused or withdrawn. What was approved may as long as it is not carried out: a hold
    /// may turn up. A restriction is in force by its approval, and lifted.
    fn may_end(&self) -> bool {
        match self.state {
            RequestState::Received | RequestState::IdentityChecked => true,
            RequestState::Approved => self.right != SubjectRight::Restriction,
            RequestState::Done | RequestState::Refused | RequestState::Withdrawn => false,
        }
    }

    /// The same with what it had corrected.
    #[must_use]
    pub fn having_corrected(self, rectification: Rectification) -> Self {
        Self { rectification: Some(rectification), ..self }
    }

    /// What it had corrected; `None` while nothing was, and for the other rights.
    pub const fn rectification(&self) -> Option<&Rectification> {
        self.rectification.as_ref()
    }

    pub const fn id(&self) -> SubjectRequestId {
        self.id
    }

    pub const fn right(&self) -> SubjectRight {
        self.right
    }

    pub const fn subject(&self) -> &SubjectId {
        &self.subject
    }

    pub const fn state(&self) -> RequestState {
        self.state
    }

    /// Why an erasure is due; `None` for the other rights.
    pub const fn basis(&self) -> Option<ErasureBasis> {
        self.basis
    }

    /// Why it was refused.
    pub const fn ground(&self) -> Option<RefusalGround> {
        self.ground
    }

    pub const fn received_at(&self) -> IngestedAt {
        self.received_at
    }

    /// Until when it must be answered.
    pub const fn due_at(&self) -> IngestedAt {
        self.due_at
    }

    pub const fn is_extended(&self) -> bool {
        self.is_extended
    }

    pub const fn opened_by(&self) -> &PrincipalId {
        &self.opened_by
    }

    /// The same, whose identity was checked then.
    #[must_use]
    pub fn checked_at(self, at: IngestedAt) -> Self {
        Self { identity_checked_at: Some(at), ..self }
    }

    /// When that was; `None` before, and in requests that were checked before this was recorded.
    pub const fn identity_checked_at(&self) -> Option<IngestedAt> {
        self.identity_checked_at
    }

    /// Who checked that whoever asks is the person.
    pub const fn identity_checked_by(&self) -> Option<&PrincipalId> {
        self.identity_checked_by.as_ref()
    }

    /// Who approved or refused it.
    pub const fn decided_by(&self) -> Option<&PrincipalId> {
        self.decided_by.as_ref()
    }
}

/// Deadlines beyond the year 9999 are none.
fn due(from: IngestedAt, months: u32) -> IngestedAt {
    months_after(from, months).unwrap_or(from)
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::IngestedAt;

    use super::{
        ErasureBasis, RefusalGround, RequestState, RequestStep, StepError, SubjectRequest,
        SubjectRequestId, SubjectRight,
    };
    use crate::access::PrincipalId;
    use crate::sealing::SubjectId;

    fn at(text: &str) -> IngestedAt {
        IngestedAt::parse(&format!("{text}T10:11:12.000013Z")).unwrap()
    }

    fn who(name: &str) -> PrincipalId {
        PrincipalId::of_jwt("https://issuer.example", name)
    }

    fn request() -> SubjectRequest {
        SubjectRequest::open(
            SubjectRequestId::from_bytes([7; 16]),
            (SubjectRight::Erasure, Some(ErasureBasis::ConsentWithdrawn)),
            SubjectId::from_bytes([9; 32]),
            who("a"),
            at("2026-01-31"),
        )
    }

    #[test]
    fn a_second_person_approves() {
        let open = request();
        assert_eq!(open.due_at(), at("2026-02-28"));
        let early = open.after(RequestStep::Approve, &who("b")).unwrap_err();
        assert!(matches!(early, StepError::State { state: RequestState::Received, .. }));
        let checked = open.after(RequestStep::CheckIdentity, &who("b")).unwrap();
        for same in ["a", "b"] {
            let refused = checked.after(RequestStep::Approve, &who(same));
            assert_eq!(refused, Err(StepError::SamePerson));
        }
        let approved = checked.after(RequestStep::Approve, &who("c")).unwrap();
        assert_eq!(approved.decided_by(), Some(&who("c")));
        // To order it again takes a second person again.
        for step in [RequestStep::Approve, RequestStep::ApproveDespiteDuties] {
            assert_eq!(approved.after(step, &who("a")), Err(StepError::SamePerson));
            let again = approved.after(step, &who("d")).unwrap();
            assert_eq!(
                (again.state(), again.decided_by()),
                (RequestState::Approved, Some(&who("d")))
            );
        }
        assert!(approved.after(RequestStep::Finish, &who("c")).unwrap().state().is_final());
    }

    #[test]
    fn what_is_approved_and_not_carried_out_may_still_be_refused_or_withdrawn() {
        let approved = SubjectRequest { state: RequestState::Approved, ..request() };
        let ground = RefusalGround::LegalObligation;
        let refused = approved.after(RequestStep::Refuse(ground), &who("d")).unwrap();
        assert_eq!((refused.state(), refused.ground()), (RequestState::Refused, Some(ground)));
        let withdrawn = approved.after(RequestStep::Withdraw, &who("a")).unwrap();
        assert_eq!(withdrawn.state(), RequestState::Withdrawn);
        let restriction = SubjectRequest { right: SubjectRight::Restriction, ..approved };
        assert!(restriction.after(RequestStep::Withdraw, &who("a")).is_err());
        let done = SubjectRequest { state: RequestState::Done, ..request() };
        assert!(done.after(RequestStep::Refuse(ground), &who("d")).is_err());
    }

    #[test]
    fn it_is_extended_once_and_refused_with_a_ground() {
        let extended = request().after(RequestStep::Extend, &who("a")).unwrap();
        assert_eq!(
            (extended.due_at(), extended.state()),
            (at("2026-04-30"), RequestState::Received)
        );
        let again = extended.after(RequestStep::Extend, &who("a"));
        assert_eq!(again, Err(StepError::Extended { id: extended.id(), until: at("2026-04-30") }));
        let step = RequestStep::Refuse(RefusalGround::LegalClaims);
        let refused = extended.after(step, &who("a")).unwrap();
        assert_eq!(refused.ground(), Some(RefusalGround::LegalClaims));
        for step in [RequestStep::Extend, RequestStep::Approve, RequestStep::Finish] {
            assert!(refused.after(step, &who("c")).is_err());
        }
    }

    #[test]
    fn a_restriction_is_in_force_until_it_is_lifted() {
        let restriction = SubjectRequest {
            right: SubjectRight::Restriction,
            basis: None,
            state: RequestState::Approved,
            ..request()
        };
        let lifted = restriction.after(RequestStep::Lift, &who("a")).unwrap();
        assert_eq!(lifted.state(), RequestState::Done);
        let erasure = SubjectRequest { state: RequestState::Approved, ..request() };
        assert!(erasure.after(RequestStep::Lift, &who("a")).is_err());
    }

    #[test]
    fn what_was_asked_to_be_seen_is_delivered() {
        let asked = SubjectRequest { right: SubjectRight::Access, basis: None, ..request() };
        assert!(asked.after(RequestStep::Deliver, &who("a")).is_err());
        let approved = SubjectRequest { state: RequestState::Approved, ..asked };
        let done = approved.after(RequestStep::Deliver, &who("a")).unwrap();
        assert_eq!(done.state(), RequestState::Done);
        let erasure = SubjectRequest { state: RequestState::Approved, ..request() };
        assert!(erasure.after(RequestStep::Deliver, &who("a")).is_err());
    }

    #[test]
    fn names_are_read_back() {
        for right in SubjectRight::ALL {
            assert_eq!(SubjectRight::parse(right.as_str()), Some(*right));
        }
        let id = SubjectRequestId::from_bytes([0xab; 16]);
        assert_eq!(SubjectRequestId::parse(&id.to_string()), Some(id));
        assert_eq!(SubjectRequestId::parse("AB"), None);
        let subject = SubjectId::from_bytes([3; 32]);
        assert_eq!(SubjectId::parse(&subject.to_string()), Some(subject));
    }
}
