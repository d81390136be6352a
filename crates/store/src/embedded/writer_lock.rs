//! The lock that one writing process holds, and how others see whether it is held.

use std::fs::TryLockError;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::{Duration, Instant};

use super::layout::Layout;
use super::open::OpenError;

/// How long a writer tries: readers touch the lock for a moment to see whether it is held.
const PATIENCE: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_micros(200);

/// Takes the writer's lock.
pub fn take_lock(layout: &Layout) -> Result<std::fs::File, OpenError> {
    let path = layout.lock();
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o640)
        .open(&path)
        .map_err(|error| OpenError::io("opening LOCK failed", error))?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => {
                std::thread::sleep(PAUSE);
            }
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Locked { path: layout.root().to_owned() });
            }
            Err(TryLockError::Error(error)) => {
                return Err(OpenError::io("locking LOCK failed", error));
            }
        }
    }
}

/// Whether some process holds the writer's lock.
pub fn living_writer(layout: &Layout) -> bool {
    let Ok(file) = std::fs::File::open(layout.lock()) else {
        return false;
    };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}
