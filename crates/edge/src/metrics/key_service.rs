//! How the root key service serves, and how many keys are unwrapped in memory.

use std::sync::atomic::Ordering;

use ledgerstone_ledger::sealing_keys::KeyRingStatus;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The state of the root key service at one moment; all 0 where nothing is ever sealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyServiceMoment {
    /// Questions to it since the process began, and how many of them failed.
    pub calls: u64,
    pub failures: u64,
    pub cached_tenant_keys: u64,
    pub cached_subject_keys: u64,
}

impl From<Option<&KeyRingStatus>> for KeyServiceMoment {
    fn from(status: Option<&KeyRingStatus>) -> Self {
        let Some(status) = status else { return Self::default() };
        Self {
            calls: status.calls,
            failures: status.failures,
            cached_tenant_keys: status.tenant_keys as u64,
            cached_subject_keys: status.subject_keys as u64,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct KeyServiceGauges {
    calls: Counter,
    failures: Counter,
    cached_tenant_keys: Gauge,
    cached_subject_keys: Gauge,
}

impl KeyServiceGauges {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "ledgerstone_key_service_calls",
            "Questions to the root key service",
            self.calls.clone(),
        );
        registry.register(
            "ledgerstone_key_service_failures",
            "Questions to the root key service that it did not serve",
            self.failures.clone(),
        );
        registry.register(
            "ledgerstone_cached_tenant_keys",
            "Keys of tenants that are unwrapped in memory",
            self.cached_tenant_keys.clone(),
        );
        registry.register(
            "ledgerstone_cached_subject_keys",
            "Keys of people that are unwrapped in memory",
            self.cached_subject_keys.clone(),
        );
    }

    pub(super) fn set(&self, moment: KeyServiceMoment) {
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.calls.inner().store(moment.calls, Ordering::Relaxed);
        self.failures.inner().store(moment.failures, Ordering::Relaxed);
        self.cached_tenant_keys.set(number(moment.cached_tenant_keys));
        self.cached_subject_keys.set(number(moment.cached_subject_keys));
    }
}
