//! Personal data in events: finding it in text, and showing it to those who may not see it whole.

pub mod detect;
pub mod names;
pub mod redact;
