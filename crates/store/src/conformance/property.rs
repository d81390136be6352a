//! Case: random batches, restarts and conflicts leave the store equal to the model.

use ledgerstone_proof::{SigningKey, TenantId};

use super::Harness;
use super::builder::{BatchBuilder, ChainBuilder, source, tenant};
use super::oracle::{assert_holds, heads_match};
use super::random::Random;
use crate::error::AppendError;

/// Seeds of the random histories; one place runs them one after the other.
const SEEDS: [u64; 3] = [11, 222, 3_333];
/// Steps of one history.
const STEPS: usize = 60;

/// After every step heads, positions and checkpoints equal the model's; after every history
/// everything does.
pub fn random_batches_equal_the_model(harness: &dyn Harness) {
    let mut chain = ChainBuilder::new().signing_with(SigningKey::from_seed([9; 32]));
    for seed in SEEDS {
        let mut random = Random::new(seed);
        let mut store = harness.open();
        for step in 0..STEPS {
            if random.one_in(6) {
                let mut stale = chain.clone();
                store
                    .append(&random_batch(&mut random, chain.batch()).event(&loser()).build())
                    .unwrap();
                let refused = random_batch(&mut random, stale.batch()).event(&loser());
                let answer = store.append(&refused.build());
                assert!(matches!(answer, Err(AppendError::Conflict { .. })), "{answer:?}");
            } else {
                store.append(&random_batch(&mut random, chain.batch()).build()).unwrap();
            }
            assert!(heads_match(&*store, &chain), "seed {seed}, step {step}: heads differ");
            if random.one_in(12) {
                if random.one_in(2) {
                    harness.stop(store);
                } else {
                    harness.crash(store);
                }
                store = harness.open();
            }
        }
        assert_holds(&*store, &chain);
        harness.stop(store);
    }
}

/// The ledger on which stale batches collide.
fn loser() -> TenantId {
    tenant("loser")
}

fn random_batch<'a>(random: &mut Random, mut batch: BatchBuilder<'a>) -> BatchBuilder<'a> {
    for _ in 0..random.below(6) {
        let name = tenant(&format!("t{}", random.below(9)));
        batch = match random.below(12) {
            0 => batch.audit(&name),
            1 => batch.system(&TenantId::system()),
            2 => batch.event_saying(&name, &random_text(random)),
            3 => batch.events(&name, 1 + usize::try_from(random.below(40)).unwrap()),
            _ => batch.event(&name),
        };
        if random.one_in(10) && has_grown(batch.chain(), &name) {
            batch = batch.checkpoint(&name, random.one_in(4));
        }
    }
    if random.one_in(3) {
        batch = batch.position(&source("topic/0"), random.number());
    }
    batch
}

/// Whether the ledger has records that none of its checkpoints covers.
fn has_grown(chain: &ChainBuilder, name: &TenantId) -> bool {
    let covered = chain.checkpoints(name).last().map_or(0, |checkpoint| checkpoint.size);
    chain.head(name).size() > covered
}

fn random_text(random: &mut Random) -> String {
    let length = usize::try_from(random.below(20_000)).unwrap();
    random.text(length)
}
