//! What tests of several crates share: a clock that is set, entropy that repeats, events,
//! mutated texts, test directories, servers as processes, and the place of foreign test data.
//!
//! Only a development dependency; nothing here is fit for production.

#![forbid(unsafe_code)]

mod clock;
mod directory;
mod entropy;
mod event;
mod foreign;
mod mutator;
mod sealing;
mod served;

pub use clock::MockClock;
pub use directory::TestDirectory;
pub use entropy::SeededEntropy;
pub use event::TestEvent;
pub use foreign::foreign_data;
pub use mutator::{Mutator, fuzz_iterations};
pub use sealing::{seal_in_clear, sealed_in_clear};
pub use served::Served;
