//! Gathers what is wrong with the settings, so that all of it is told at once.

use crate::failure::Failure;

/// What was found to be wrong so far, in this order.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Failure>);

impl Faults {
    /// Remembers what failed; what did not is handed on. The same failure is remembered once.
    pub(super) fn note<T>(&mut self, outcome: Result<T, Failure>) -> Option<T> {
        match outcome {
            Ok(found) => Some(found),
            Err(failure) => {
                if !self.0.iter().any(|known| known.message() == failure.message()) {
                    self.0.push(failure);
                }
                None
            }
        }
    }

    /// One failure that tells all of them, with the code of the first; the codes of others stand beside
    /// their messages.
    pub(super) fn into_result(self) -> Result<(), Failure> {
        let mut rest = self.0.into_iter();
        let Some(first) = rest.next() else { return Ok(()) };
        let Some(second) = rest.next() else { return Err(first) };
        let mut message = first.message().to_owned();
        let mut remedies = vec![first.remedy().to_owned()];
        for other in std::iter::once(second).chain(rest) {
            message.push_str("; ");
            if other.code() != first.code() {
                message.push_str(other.code().as_str());
                message.push_str(": ");
            }
            message.push_str(other.message());
            if !remedies.iter().any(|known| known == other.remedy()) {
                remedies.push(other.remedy().to_owned());
            }
        }
        Err(Failure::new(first.code(), message).with_remedy(remedies.join(" ")))
    }
}

#[cfg(test)]
mod tests {
    use super::Faults;
    use crate::failure::Failure;
    use ledgerstone_model::ErrorCode;

    #[test]
    fn all_are_told_in_one_and_each_once() {
        let fails = |code, message: &str| Err::<(), _>(Failure::new(code, message));
        let mut faults = Faults::default();
        assert_eq!(faults.note(Ok::<_, Failure>(7)), Some(7));
        for message in ["a", "b", "a"] {
            assert_eq!(faults.note(fails(ErrorCode::InvalidSettings, message)), None);
        }
        faults.note(fails(ErrorCode::InvalidTlsSettings, "c"));
        let told = faults.into_result().unwrap_err();
        assert_eq!(told.code(), ErrorCode::InvalidSettings);
        assert_eq!(told.message(), "a; b; INVALID_TLS_SETTINGS: c");
        assert!(Faults::default().into_result().is_ok());
    }
}
