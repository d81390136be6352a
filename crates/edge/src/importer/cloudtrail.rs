//! Log files of AWS `CloudTrail`, `{"Records":[…]}`, as AWS writes them to S3.
//!
//! `docs/importers/cloudtrail.md` says field by field where each goes. Nothing is lost: what the
//! mapping does not take stays under its own name in `intake.unmapped`, and [`rebuild`] makes the
//! record again out of the stored event.

mod file;
mod map;
mod rebuild;

use ledgerstone_model::Rejection;
use ledgerstone_model::sealing::Preset;

use super::reader::Reader;
use super::{ImportError, Importer, Input, Submissions};
use crate::shape::Shaped;

pub use map::map;
pub use rebuild::{RebuildError, rebuild};

/// The name of the format, in the table and in `intake.format`.
pub const FORMAT: &str = "cloudtrail";

/// The mapping's name in `intake.mapping`. A mapping that differs is another version.
pub const MAPPING: &str = "cloudtrail/1";

/// The importer `cloudtrail`.
#[derive(Debug)]
pub struct CloudTrail;

impl Importer for CloudTrail {
    fn name(&self) -> &'static str {
        FORMAT
    }

    fn doc(&self) -> &'static str {
        "AWS CloudTrail log files, {\"Records\":[…]}"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["json"]
    }

    fn sealing_preset(&self) -> Preset {
        Preset::CloudTrail
    }

    fn submissions<'a>(&self, input: Input<'a>) -> Result<Submissions<'a>, ImportError> {
        let records = file::Records::open(Reader::open(input)?)?;
        Ok(Box::new(records))
    }

    fn map(&self, text: &[u8]) -> Result<Option<Shaped>, Rejection> {
        let (text, intake) = map(text)?;
        Ok(Some(Shaped { text, intake }))
    }
}
