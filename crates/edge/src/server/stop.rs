//! The word to stop, heard by everybody at once.

use tokio::sync::watch;

/// Says stop, once. Dropping it says stop too: nobody would be left to say it.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Hears the word to stop; cheap to clone.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// One who says stop, and one who hears it.
pub fn stop_channel() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Says stop. Saying it again changes nothing.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Returns once stop was said, at once if that was earlier.
    pub async fn requested(&self) {
        // An error says that nobody is left who could say it.
        let _ = self.0.clone().wait_for(|stop| *stop).await;
    }

    pub fn is_requested(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }
}
