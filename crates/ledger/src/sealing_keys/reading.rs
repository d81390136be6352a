//! The key ring as those who read use it.

use std::collections::{BTreeSet, HashMap};

use ledgerstone_model::personal::redact::HASH_KEY_BYTES;
use ledgerstone_model::sealing::{SealingKeyId, SubjectKey};
use ledgerstone_model::visible::KeyState;
use ledgerstone_proof::TenantId;
use zeroize::Zeroizing;

use super::ring::KeyRing;
use super::source::{KeySource, Refused};
use super::state::{Found, Held};

impl KeySource for KeyRing {
    /// Keys are looked up under one lock for all of them, and
    /// unwrapped under none, so that writers hardly wait for readers.
    fn states(
        &self,
        tenant: &TenantId,
        ids: &BTreeSet<SealingKeyId>,
        refused: &mut Refused,
    ) -> HashMap<SealingKeyId, KeyState> {
        let found = self.find_all(tenant, ids, refused);
        let mut unwrapped = Vec::new();
        let states =
            ids.iter().zip(found).map(|(id, found)| (*id, state(id, found, &mut unwrapped)));
        let states = states.collect();
        if !unwrapped.is_empty() {
            let now = self.clock.now();
            self.state().keep_opened(&unwrapped, now);
        }
        states
    }

    fn hash_key(
        &self,
        tenant: &TenantId,
        refused: &mut Refused,
    ) -> Option<Zeroizing<[u8; HASH_KEY_BYTES]>> {
        let (mut held, now) = (Held::default(), self.clock.now());
        let newest = self.state().tenants.newest(tenant)?.key_id;
        if refused.0.contains(&newest) {
            return None;
        }
        if let Ok(secrets) = self.state().current_secrets(tenant, &held, now) {
            return Some(secrets.hash_key());
        }
        match self.ask_for(tenant, &newest) {
            Ok(Some(secrets)) => held.keep(secrets),
            Ok(None) => return None,
            Err(_) => {
                refused.0.insert(newest);
                return None;
            }
        }
        self.state().current_secrets(tenant, &held, now).ok().map(|secrets| secrets.hash_key())
    }
}

impl KeyRing {
    /// Looks, asks for the secrets that are wanting, and looks again.
    fn find_all(
        &self,
        tenant: &TenantId,
        ids: &BTreeSet<SealingKeyId>,
        refused: &mut Refused,
    ) -> Vec<Found> {
        let mut held = Held::default();
        loop {
            let now = self.clock.now();
            let found: Vec<Found> = {
                let state = self.state();
                ids.iter().map(|id| state.find(tenant, id, &held, now)).collect()
            };
            let wanted: BTreeSet<SealingKeyId> = found
                .iter()
                .filter_map(|one| match one {
                    Found::Wants(secrets) => Some(*secrets),
                    _ => None,
                })
                .filter(|secrets| !refused.0.contains(secrets))
                .collect();
            if wanted.is_empty() {
                return found;
            }
            for secrets in wanted {
                match self.ask_for(tenant, &secrets) {
                    Ok(Some(opened)) => held.keep(opened),
                    // They were destroyed in between; the next look tells.
                    Ok(None) => {}
                    Err(_) => {
                        refused.0.insert(secrets);
                    }
                }
            }
        }
    }
}

fn state(id: &SealingKeyId, found: Found, unwrapped: &mut Vec<SubjectKey>) -> KeyState {
    match found {
        Found::Opened(key) => KeyState::Held(key),
        Found::Wrapped(wrapped, secrets) => match secrets.unwrap(*id, &wrapped) {
            Some(key) => {
                unwrapped.push(key.clone());
                KeyState::Held(key)
            }
            None => KeyState::Unavailable,
        },
        Found::Wants(_) => KeyState::Unavailable,
        Found::Destroyed => KeyState::Destroyed(None),
        Found::Unknown => KeyState::Unknown,
    }
}
