//! SIGINT and SIGTERM while events are written: the first ends the work in order, the second the
//! process.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::{io, thread};

use ledgerstone_model::ErrorCode;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use crate::failure::Failure;

/// A signal that asks a command to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// SIGINT, as Ctrl-C sends it.
    Interrupt,
    /// SIGTERM, as service managers and `kill` send it.
    Terminate,
}

impl Interruption {
    const ALL: [Self; 2] = [Self::Interrupt, Self::Terminate];

    const fn number(self) -> i32 {
        match self {
            Self::Interrupt => SIGINT,
            Self::Terminate => SIGTERM,
        }
    }

    fn of(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.number() == number)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }

    /// The exit status of a process that ended because of it: 128 and its number, as shells have it.
    pub const fn exit_status(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// From now on, the first of these signals is told to `tell`, on a thread of its own, and every one
/// after it ends the process at once, as it would have without this.
pub fn watch(tell: impl Fn(Interruption) + Send + 'static) -> Result<(), Failure> {
    let failed = |error: io::Error| {
        Failure::new(ErrorCode::Internal, format!("signals cannot be watched: {error}"))
    };
    let is_second = Arc::new(AtomicBool::new(false));
    for one in Interruption::ALL {
        // In this order: the first signal finds the flag down, and puts it up for the next.
        flag::register_conditional_default(one.number(), Arc::clone(&is_second)).map_err(failed)?;
        flag::register(one.number(), Arc::clone(&is_second)).map_err(failed)?;
    }
    let mut signals = Signals::new(Interruption::ALL.map(Interruption::number)).map_err(failed)?;
    let watcher = thread::Builder::new().name("signals".to_owned());
    let watch = move || signals.forever().filter_map(Interruption::of).for_each(tell);
    watcher.spawn(watch).map_err(failed)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Interruption;

    #[test]
    fn exit_statuses_are_those_of_shells() {
        for one in Interruption::ALL {
            assert_eq!(i32::from(one.exit_status()), 128 + one.number());
            assert_eq!(Interruption::of(one.number()), Some(one));
        }
    }
}
