//! The machine's clock, randomness and file layer: the one place where they are chosen.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use ledgerstone_model::{Actor, Clock, Entropy};
use ledgerstone_proof::IngestedAt;
use ledgerstone_store::embedded::files::Files;

/// What only the machine can give.
#[derive(Clone)]
pub struct System {
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub files: Files,
}

impl System {
    pub fn new() -> Self {
        Self { clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy), files: Files::new() }
    }
}

/// The machine's clock.
#[derive(Debug)]
struct SystemClock;

impl Clock for SystemClock {
    /// A clock outside of the years that a record can carry is held at their end.
    fn now(&self) -> IngestedAt {
        #[expect(clippy::disallowed_methods, reason = "this is the clock that others are given")]
        let now = SystemTime::now();
        let micros = match now.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
        };
        IngestedAt::from_micros(micros).unwrap_or(if micros < 0 { EARLIEST } else { LATEST })
    }
}

const EARLIEST: IngestedAt = bound(-62_135_596_800_000_000);
const LATEST: IngestedAt = bound(253_402_300_799_999_999);

const fn bound(micros: i64) -> IngestedAt {
    match IngestedAt::from_micros(micros) {
        Ok(time) => time,
        Err(_) => panic!("the years 0001 and 9999 can be carried"),
    }
}

/// The operating system's random bytes.
#[derive(Debug)]
struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        #[expect(clippy::disallowed_methods, reason = "this is the source that others are given")]
        let filled = getrandom::fill(bytes);
        if let Err(error) = filled {
            // Guessable salts and keys would be worse than none, and nothing can go on without.
            panic!("the operating system gives no random bytes: {error}");
        }
    }
}

/// Who runs this program, for `audit` records: whoever may do that may do everything.
pub fn operator() -> Actor {
    Actor::operator(&format!("uid:{}", rustix::process::getuid().as_raw()))
}
