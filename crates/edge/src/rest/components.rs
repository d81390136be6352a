//! The parts of a running server, and how each is doing.

use super::service::Service;

/// How something is doing, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Healthy,
    /// It does not work as it should, and events are taken all the same.
    Degraded,
    /// Events cannot be taken.
    Unhealthy,
}

impl State {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// A part of the server.
#[derive(Clone, Debug)]
pub(super) struct Component {
    pub(super) name: String,
    pub(super) state: State,
    /// Why it is not healthy, for operators.
    pub(super) reasons: Vec<String>,
}

impl Component {
    fn new(name: impl Into<String>, if_reasons: State, reasons: Vec<String>) -> Self {
        let state = if reasons.is_empty() { State::Healthy } else { if_reasons };
        Self { name: name.into(), state, reasons }
    }
}

/// Looks at every component; may wait for locks.
pub(super) fn components(service: &Service) -> Vec<Component> {
    let status = service.ledger().status();
    let mut found =
        vec![Component::new("ledger", State::Unhealthy, status.halted.into_iter().collect())];
    let broken = status.store.read_only;
    let store_state = if broken { State::Unhealthy } else { State::Degraded };
    let mut reasons = status.store.degraded;
    if broken && reasons.is_empty() {
        reasons.push("it can be read only".to_owned());
    }
    found.push(Component::new("store", store_state, reasons));
    let behind = status
        .clock_behind
        .map(|time| format!("the clock is {} seconds behind the newest record", time.as_secs()));
    found.push(Component::new("clock", State::Degraded, behind.into_iter().collect()));
    if let Some(keys) = service.ledger().key_service() {
        let problem = keys.problem.map(|problem| problem.to_string());
        found.push(Component::new("key_service", State::Degraded, problem.into_iter().collect()));
    }
    let problems = service.dead_letters().problems();
    found.push(Component::new("dead_letters", State::Degraded, problems));
    for (name, problem) in service.operation().helpers() {
        found.push(Component::new(name, State::Degraded, problem.into_iter().collect()));
    }
    for issuer in service.authenticator().issuers() {
        let none = (issuer.keys == 0).then(|| format!("no key of {} is known", issuer.issuer));
        found.push(Component::new("issuer", State::Degraded, none.into_iter().collect()));
    }
    found
}
