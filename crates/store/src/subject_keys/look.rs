//! Slots read and nothing healed: for who may not write, or must know what is there before anything
//! is made beside it.

use std::io;
use std::path::Path;

use super::paired_slots::{
    HeldSlot, PairedSlots, Resolved, SlotFault, SlotNumber, SlotsError, io_error, resolve,
};

/// What is found in two files that are read and no more.
pub(super) struct Looked<const N: usize> {
    /// Payloads that are held.
    pub(super) held: Vec<HeldSlot<N>>,
    /// Slots whose payload is lost.
    pub(super) faults: Vec<SlotFault>,
    /// The number of the last change that a whole slot carries.
    pub(super) last_change: u64,
}

impl<const N: usize> PairedSlots<N> {
    /// What the files `<name>.a` and `<name>.b` of a directory hold; nothing where there are none.
    pub(super) fn look(directory: &Path, name: &str) -> Result<Looked<N>, SlotsError> {
        let texts = Self::look_at_texts(directory, name)?;
        let count = texts.iter().map(|text| Self::count(text)).max().unwrap_or(0);
        let (mut held, mut faults, mut last_change) = (Vec::new(), Vec::new(), 0);
        for number in 0..count {
            let readings = [&texts[0], &texts[1]].map(|text| Self::read_slot(text, number));
            match resolve(readings) {
                Resolved::Empty | Resolved::Unfinished => {}
                Resolved::Held { change, payload, .. } => {
                    last_change = change.max(last_change);
                    held.push((SlotNumber::new(number), payload));
                }
                Resolved::Lost => {
                    let offset = Self::offset(number);
                    faults.push(SlotFault { number: SlotNumber::new(number), offset });
                }
            }
        }
        Ok(Looked { held, faults, last_change })
    }

    /// The slots of both files, behind their headers.
    pub(super) fn look_at_texts(directory: &Path, name: &str) -> Result<[Vec<u8>; 2], SlotsError> {
        let texts = ["a", "b"].map(|which| {
            let path = directory.join(format!("{name}.{which}"));
            let bytes = read(&path)?;
            let slots = Self::behind_header(&bytes, &path)?;
            Ok(slots.unwrap_or_default().to_vec())
        });
        let [first, second] = texts;
        Ok([first?, second?])
    }
}

fn read(path: &Path) -> Result<Vec<u8>, SlotsError> {
    match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(|source| io_error(path, source)),
    }
}
