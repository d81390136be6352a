//! What the embedded store does about damage: every kind of it is made on purpose, and must be
//! found, named and survived, or cut and said. Power loss and a full disk belong to it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::cast_possible_truncation, reason = "offsets and counts in these tests are small")]

mod clock;
mod cut_log;
mod derived;
mod documented;
mod dropping;
mod fixture;
mod flips;
mod full_disk;
mod head;
mod hostile;
mod leftovers;
mod neighbours;
mod observed;
mod place;
mod power_loss;
mod sealing;
mod segments;
mod torn;
mod truncating;
mod versions;
mod volatile_disk;
