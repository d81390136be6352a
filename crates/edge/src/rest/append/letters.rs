//! Refused events become dead letters before their refusal is told.

use ledgerstone_ledger::NewDeadLetter;
use ledgerstone_model::system::TenantState;
use ledgerstone_model::{DeadLetterId, ErrorCode, Rejection};

use super::prepare::Source;
use super::submit::Taken;
use crate::rest::body::HeldBody;
use crate::rest::problem::Problem;
use crate::rest::service::Service;

/// The letter that an event became, or why it became none.
pub(in crate::rest) type DeadLetterNote = Result<DeadLetterId, ErrorCode>;

impl Source {
    /// Keeps refused events, durably. Waits for the disk.
    pub(super) fn keep(&self, letters: Vec<NewDeadLetter>) -> Vec<DeadLetterNote> {
        let service = self.service();
        let state = service.ledger().tenant_state(self.tenant());
        let notes = match state {
            Some(TenantState::Active) => service.dead_letters().keep(self.tenant(), letters),
            Some(TenantState::Suspended) => refuse_all(&letters, ErrorCode::TenantSuspended),
            Some(TenantState::Closing) => refuse_all(&letters, ErrorCode::TenantClosing),
            Some(TenantState::Closed) => refuse_all(&letters, ErrorCode::TenantClosed),
            None => refuse_all(&letters, ErrorCode::UnknownTenant),
        };
        service.metrics().count_dead_letters(&notes);
        notes
    }
}

fn refuse_all(letters: &[NewDeadLetter], code: ErrorCode) -> Vec<DeadLetterNote> {
    letters.iter().map(|_| Err(code)).collect()
}

impl Service {
    /// Keeps what was refused of a request, in a thread of its own.
    pub(super) async fn keep_refused(
        &self,
        mut taken: Taken,
        source: &Source,
    ) -> Result<Taken, Problem> {
        if !taken.has_refused() {
            return Ok(taken);
        }
        let source = source.clone();
        self.blocking(move |_| {
            taken.keep_refused(&source);
            Ok::<_, Problem>(taken)
        })
        .await
    }

    /// Keeps a body that is no JSON as a whole, and says so in the problem.
    pub(super) async fn keep_body(
        &self,
        text: HeldBody,
        source: &Source,
        problem: Problem,
    ) -> Problem {
        if !matches!(problem.code(), ErrorCode::NotJson | ErrorCode::NotUtf8) {
            return problem;
        }
        let fault = ledgerstone_model::Fault::new(
            String::new(),
            problem.code(),
            problem.detail().to_owned(),
        );
        let letter = source.letter(&text, 0, &Rejection::of(fault));
        let source = source.clone();
        let kept = self.blocking(move |_| Ok::<_, Problem>(source.keep(vec![letter])));
        match kept.await.ok().and_then(|notes| notes.into_iter().next()) {
            Some(note) => problem.with_dead_letter(note),
            None => problem,
        }
    }
}
