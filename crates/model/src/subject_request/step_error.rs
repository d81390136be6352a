//! Why a step of a request cannot be taken, and which ones can.

use ledgerstone_proof::IngestedAt;
use thiserror::Error;

use super::{
    RefusalGround, RequestState, RequestStep, SubjectRequest, SubjectRequestId, SubjectRight,
};
use crate::error_code::ErrorCode;

/// Why a step cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StepError {
    #[error("request {id} is {}, and `{}` is no step from there; {next}", .state.as_str(), .step.route())]
    State { id: SubjectRequestId, state: RequestState, step: RequestStep, next: String },
    #[error("request {id} was extended already, until {until}; that is possible once")]
    Extended { id: SubjectRequestId, until: IngestedAt },
    #[error(
        "whoever opened the request or checked the identity cannot approve it; a second person must"
    )]
    SamePerson,
}

impl StepError {
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::State { .. } | Self::Extended { .. } => ErrorCode::RequestState,
            Self::SamePerson => ErrorCode::SecondPersonNeeded,
        }
    }
}

impl RequestStep {
    /// Every step that somebody takes by a route of its own.
    const TAKEN: [Self; 7] = [
        Self::CheckIdentity,
        Self::Extend,
        Self::Approve,
        Self::Refuse(RefusalGround::Excessive),
        Self::Withdraw,
        Self::Lift,
        Self::Deliver,
    ];

    /// The last part of the route and the command that take it.
    const fn route(self) -> &'static str {
        match self {
            Self::CheckIdentity => "check-identity",
            Self::ApproveDespiteDuties => "approve",
            other => other.as_str(),
        }
    }
}

impl SubjectRequest {
    /// That a step cannot be taken now, and which can.
    pub(super) fn no_step(&self, step: RequestStep) -> StepError {
        let next = if self.state.is_final() {
            "nothing comes after it, and what the person asks further is a new request".to_owned()
        } else {
            let steps = RequestStep::TAKEN.iter().copied();
            let steps = steps.filter(|step| self.allows(*step)).map(RequestStep::route);
            let is_rectified =
                self.state == RequestState::Approved && self.right == SubjectRight::Rectification;
            let steps: Vec<_> = steps.chain(is_rectified.then_some("rectify")).collect();
            format!("the next is one of {}", steps.join(", "))
        };
        StepError::State { id: self.id, state: self.state, step, next }
    }

    /// Whether the step can be taken, by the right person.
    fn allows(&self, step: RequestStep) -> bool {
        matches!(self.take(step, &self.opened_by), Ok(_) | Err(Some(StepError::SamePerson)))
    }
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::IngestedAt;

    use crate::access::PrincipalId;
    use crate::sealing::SubjectId;
    use crate::subject_request::{RequestStep, SubjectRequest, SubjectRequestId, SubjectRight};

    fn words(request: &SubjectRequest, step: RequestStep, by: &PrincipalId) -> String {
        request.after(step, by).unwrap_err().to_string()
    }

    #[test]
    fn what_is_refused_says_what_goes() {
        let [a, b] = ["a", "b"].map(|name| PrincipalId::of_jwt("https://issuer.example", name));
        let open = |right| {
            let id = SubjectRequestId::from_bytes([7; 16]);
            let subject = SubjectId::from_bytes([9; 32]);
            let at = IngestedAt::parse("2026-01-31T10:11:12.000013Z").unwrap();
            SubjectRequest::open(id, (right, None), subject, a.clone(), at)
        };
        let received = open(SubjectRight::Access);
        let found = words(&received, RequestStep::Approve, &b);
        assert_eq!(
            found,
            "request 07070707070707070707070707070707 is received, and `approve` is no step from there; \
             the next is one of check-identity, extend, refuse, withdraw"
        );
        let approved = |right| {
            let checked = open(right).after(RequestStep::CheckIdentity, &a).unwrap();
            checked.after(RequestStep::Approve, &b).unwrap()
        };
        for (right, steps) in [
            (SubjectRight::Access, "refuse, withdraw, deliver"),
            (SubjectRight::Rectification, "refuse, withdraw, rectify"),
            (SubjectRight::Restriction, "lift"),
            (SubjectRight::Erasure, "approve, refuse, withdraw"),
        ] {
            let found = words(&approved(right), RequestStep::CheckIdentity, &a);
            assert!(found.ends_with(&format!("the next is one of {steps}")), "{found}");
        }
        let extended = received.after(RequestStep::Extend, &a).unwrap();
        let found = words(&extended, RequestStep::Deliver, &a);
        assert!(found.ends_with("one of check-identity, refuse, withdraw"), "{found}");
        let done = approved(SubjectRight::Access).after(RequestStep::Deliver, &a).unwrap();
        let found = words(&done, RequestStep::Deliver, &a);
        assert!(found.contains("is done") && found.contains("is a new request"), "{found}");
    }
}
