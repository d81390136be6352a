//! One ledger that is read, wherever it is: records as the lines that commands print.

use std::collections::VecDeque;

use ledgerstone_client::{EventsQuery, Order as RemoteOrder, Pages};
use ledgerstone_ledger::Order;
use ledgerstone_ledger::record_line::write_record;
use ledgerstone_model::ErrorCode;
use ledgerstone_proof::{EventId, TenantId};

use crate::arguments::LedgerOptions;
use crate::data_dir::ForReading;
use crate::failure::Failure;
use crate::location::Location;
use crate::output::Console;
use crate::remote::Remote;

/// Records of a page, at most.
const PAGE_RECORDS: usize = 1_000;

/// Lines, one after another.
pub type Lines<'a> = Box<dyn Iterator<Item = Result<Vec<u8>, Failure>> + 'a>;

/// A ledger that is read.
pub enum LedgerReading {
    Directory { data: ForReading, tenant: TenantId },
    Server(Box<Remote>),
}

impl LedgerReading {
    /// Opens the ledger that the options name.
    pub fn open(options: &LedgerOptions, console: &mut Console) -> Result<Self, Failure> {
        match options.location.find(console)? {
            Location::Directory(path) => {
                let tenant = options.tenant.to_read()?;
                Ok(Self::Directory { data: ForReading::open(&path, console)?, tenant })
            }
            Location::Server(remote) => {
                remote.check_tenant(options.tenant.named()?.as_ref())?;
                Ok(Self::Server(remote))
            }
        }
    }

    /// The records, at most so many of them.
    pub fn records(&self, order: Order, limit: usize) -> Result<Lines<'_>, Failure> {
        match self {
            Self::Directory { data, tenant } => {
                let records = data.reader.list(tenant, order, None);
                let records = records.map_err(|error| data.failure(error))?;
                Ok(Box::new(records.take(limit).map(|record| {
                    let mut line = Vec::with_capacity(1024);
                    write_record(&data.reader.as_stored(record?)?, &mut line);
                    Ok(line)
                })))
            }
            Self::Server(remote) => {
                let page = u16::try_from(limit.clamp(1, PAGE_RECORDS)).unwrap_or(u16::MAX);
                let query = EventsQuery::new().page_size(page).order(match order {
                    Order::NewestFirst => RemoteOrder::Newest,
                    Order::Sequence => RemoteOrder::Sequence,
                });
                let pages = remote.client().events(query);
                let lines = PagedLines { remote, pages, waiting: VecDeque::new(), is_over: false };
                Ok(Box::new(lines.take(limit)))
            }
        }
    }

    /// Records of the ledger.
    pub fn size(&self) -> Result<u64, Failure> {
        match self {
            Self::Directory { data, tenant } => Ok(data.reader.size(tenant)?),
            Self::Server(remote) => Ok(remote.status()?.ledger.records),
        }
    }

    /// One record.
    pub fn record(&self, id: &EventId) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Directory { data, tenant } => {
                let record = data.reader.get(tenant, id).map_err(|error| data.failure(error))?;
                let stored = data.reader.as_stored(record);
                let stored = stored.map_err(|error| data.failure(error))?;
                let mut line = Vec::with_capacity(4096);
                write_record(&stored, &mut line);
                Ok(line)
            }
            Self::Server(remote) => {
                Ok(remote.wait(remote.client().event(id))?.json().as_bytes().to_vec())
            }
        }
    }

    /// The exact bytes of a record's content.
    pub fn content(&self, id: &EventId) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Directory { data, tenant } => {
                let record = data.reader.get(tenant, id).map_err(|error| data.failure(error))?;
                let dropped = data.reader.dropped(&record).map_err(|error| data.failure(error))?;
                record.content.ok_or_else(|| {
                    let by = dropped.map_or_else(String::new, |dropped| {
                        format!(", as record {} says ({})", dropped.record, dropped.reason.as_str())
                    });
                    let message =
                        format!("the content of event {id} of tenant {tenant} was dropped{by}");
                    Failure::new(ErrorCode::ContentDropped, message)
                        .with_remedy("Its header is still there: leave --content out.")
                })
            }
            Self::Server(remote) => remote.wait(remote.client().content(id)),
        }
    }

    /// Whether all that was recorded can be seen.
    pub const fn is_whole(&self) -> bool {
        match self {
            Self::Directory { data, .. } => data.is_whole(),
            Self::Server(_) => true,
        }
    }
}

/// Records of a server, fetched page by page as they are wanted.
struct PagedLines<'a> {
    remote: &'a Remote,
    pages: Pages<'a>,
    waiting: VecDeque<Vec<u8>>,
    is_over: bool,
}

impl Iterator for PagedLines<'_> {
    type Item = Result<Vec<u8>, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.waiting.is_empty() && !self.is_over {
            match self.remote.wait(self.pages.next()) {
                Ok(Some(records)) => {
                    let lines = records.iter().map(|record| record.json().as_bytes().to_vec());
                    self.waiting.extend(lines);
                }
                Ok(None) => self.is_over = true,
                Err(failure) => {
                    self.is_over = true;
                    return Some(Err(failure));
                }
            }
        }
        self.waiting.pop_front().map(Ok)
    }
}
