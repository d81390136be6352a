//! The suite's view of the memory store, and the model for other harnesses.

use std::sync::Arc;

use super::Harness;
use crate::memory::MemoryStore;
use crate::retention::RetentionStore;

/// A place in memory; stores opened in it one after the other share its commits.
#[derive(Default)]
pub struct MemoryHarness {
    place: MemoryStore,
}

impl MemoryHarness {
    /// An empty place.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Harness for MemoryHarness {
    fn open(&self) -> Arc<dyn RetentionStore> {
        Arc::new(self.place.reopen())
    }

    fn stop(&self, store: Arc<dyn RetentionStore>) {
        drop(store);
    }

    fn crash(&self, store: Arc<dyn RetentionStore>) {
        drop(store);
    }
}
