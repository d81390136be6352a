//! What a sealed field is made of: classes, keys, and the envelope that holds the encrypted values
//! of one person in one event.

pub mod class;
pub mod envelope;
pub mod key;
pub mod xaes;

pub use class::FieldClass;
pub use envelope::{Envelope, EnvelopeError, EnvelopePlace};
pub use key::{SealingKeyId, SubjectKey};
