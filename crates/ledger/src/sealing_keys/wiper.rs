//! Wipes unwrapped keys whose time is over, also where nobody asks for any.

use std::sync::Weak;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::sequencer::Sequencer;

/// How often it is looked. With the lifetime of a key it makes less than five minutes.
const INTERVAL: Duration = Duration::from_secs(10);

/// A thread that wipes. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct KeyWiper {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl KeyWiper {
    /// Begins to look after the keys of a sequencer, until that is gone.
    pub(crate) fn start(sequencer: Weak<Sequencer>) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let work = move || {
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                let Some(sequencer) = sequencer.upgrade() else { return };
                if let Some(keys) = sequencer.sealing_keys() {
                    keys.forget_old();
                }
            }
        };
        let thread = std::thread::Builder::new().name("key-wiper".to_owned()).spawn(work)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for KeyWiper {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // One that panicked has told so itself.
            let _ = thread.join();
        }
    }
}
