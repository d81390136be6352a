//! Slots read and nothing healed: for who may not write, or must know what is there before anything
//! is made beside it.

use std::io;
use std::path::Path;

use super::paired_slots::{
    HeldSlot, PairedSlots, Resolved, SlotFault, SlotNumber, SlotsError, io_error, resolve,
};

/// Payloads that are held, and slots whose payload is lost.
pub(super) type Looked<const N: usize> = (Vec<HeldSlot<N>>, Vec<SlotFault>);

impl<const N: usize> PairedSlots<N> {
    /// What the files `<name>.a` and `<name>.b` of a directory hold; nothing where there are none.
    pub(super) fn look(directory: &Path, name: &str) -> Result<Looked<N>, SlotsError> {
        let texts = Self::look_at_texts(directory, name)?;
        let count = texts.iter().map(|text| Self::count(text)).max().unwrap_or(0);
        let (mut held, mut faults) = (Vec::new(), Vec::new());
        for number in 0..count {
            let readings = [&texts[0], &texts[1]].map(|text| Self::read_slot(text, number));
            match resolve(readings) {
                Resolved::Empty | Resolved::Unfinished => {}
                Resolved::Held { payload, .. } => held.push((SlotNumber::new(number), payload)),
                Resolved::Lost => {
                    let offset = Self::offset(number);
                    faults.push(SlotFault { number: SlotNumber::new(number), offset });
                }
            }
        }
        Ok((held, faults))
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
