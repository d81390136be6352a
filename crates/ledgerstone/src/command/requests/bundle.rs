//! `requests bundle`: what an approved request for access is answered with, all pages of it.

use ledgerstone_client::BundleFormat;

use super::RequestOption;
use crate::failure::{Ending, Failure};
use crate::output::Console;

pub fn run(step: &RequestOption, is_csv: bool, console: &mut Console) -> Result<Ending, Failure> {
    let remote = step.options.on_server("requests", console)?;
    let format = if is_csv { BundleFormat::Csv } else { BundleFormat::Json };
    let mut cursor = None;
    loop {
        let client = remote.client();
        let page = remote.wait(client.bundle(step.id, format, cursor.as_deref()))?;
        match format {
            // Its lines have their own ends.
            BundleFormat::Csv => console.bytes(&page.body)?,
            BundleFormat::Json => console.line(&page.body)?,
        }
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => return Ok(Ending::Done),
        }
    }
}
