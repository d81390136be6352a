//! One ledger that is read, wherever it is: records as the lines that commands print.

use std::collections::VecDeque;
use std::iter::Take;

use clap::Args;
use ledgerstone_client::{EventsQuery, Order as RemoteOrder, Pages};
use ledgerstone_ledger::record_line::write_record;
use ledgerstone_ledger::sealing_keys::{KeyLook, KeySource};
use ledgerstone_ledger::{
    LedgerError, Listing, Order, VIEWED_AT_ONCE, Viewer, VisibleEvent, subject_requests,
};
use ledgerstone_model::ErrorCode;
use ledgerstone_proof::{EventId, TenantId};

use crate::arguments::LedgerOptions;
use crate::data_dir::{ForReading, Means};
use crate::failure::Failure;
use crate::location::{Location, only_with_data};
use crate::output::{Console, counted};
use crate::remote::Remote;

/// Records of a page, at most.
const PAGE_RECORDS: usize = 1_000;

/// Lines, one after another.
pub type Lines<'a> = Box<dyn Iterator<Item = Result<Vec<u8>, Failure>> + 'a>;

/// A ledger that is read.
pub enum LedgerReading {
    Directory { data: ForReading, tenant: TenantId, sealed: Sealed },
    Server(Box<Remote>),
}

/// What becomes of sealed values of a data directory.
pub enum Sealed {
    /// They are shown as they are stored.
    Stay,
    /// They are opened with the keys in the directory; none where nothing was ever sealed.
    AreOpened(Option<Box<KeyLook>>),
}

/// `--open`.
#[derive(Args, Debug)]
pub struct OpenOption {
    /// Open sealed values with the keys in the data directory, and show them whole
    #[arg(long)]
    open: bool,
}

/// Key files from before an erasure still hold the keys that it destroyed: nothing is opened with them.
fn refuse_older(keys: &KeyLook, data: &ForReading) -> Result<(), Failure> {
    let (found, expected) = (keys.generation(), data.reader.store().status().key_generation);
    if found >= expected {
        return refuse_stranded(keys);
    }
    let lost = match keys.faults() {
        0 => String::new(),
        // The newest may be among them, and nobody can tell that from older files.
        lost => format!(", with {} damaged in both files", counted(lost as u64, "slot")),
    };
    let message = format!(
        "the key files have generation {}{lost}, and the ledger relies on {}: they may hold keys that \
         were destroyed since then, so nothing is opened with them",
        found.0, expected.0
    );
    Err(Failure::new(ErrorCode::KeysBehind, message))
}

/// Key files that are not of one time, although none of them is older than what the ledger relies on.
fn refuse_stranded(keys: &KeyLook) -> Result<(), Failure> {
    if keys.stranded() == 0 {
        return Ok(());
    }
    let message = format!(
        "{} of people cannot be told whose they are: keys/tenants.* is older than keys/subjects.*, or \
         missing, so nothing is opened",
        counted(keys.stranded(), "key")
    );
    Err(Failure::new(ErrorCode::KeysBehind, message))
}

/// The keys that something is opened with: of files that are as new as the ledger, and never one that an
/// erasure named, since an older copy of its slot may have been put into such files.
fn trusted(keys: KeyLook, data: &ForReading) -> Result<KeyLook, Failure> {
    refuse_older(&keys, data)?;
    let erased = subject_requests::erased_keys(data.reader.store()).map_err(LedgerError::from)?;
    Ok(keys.without_erased(erased.into_values().flatten().collect()))
}

impl LedgerReading {
    /// Opens the ledger that the options name.
    pub fn open(
        options: &LedgerOptions,
        open: &OpenOption,
        console: &mut Console,
    ) -> Result<Self, Failure> {
        match options.location.find(console)? {
            Location::Directory(path) => {
                let tenant = options.tenant.to_read()?;
                let data = ForReading::open(&path, console)?;
                let sealed = if open.open {
                    let keys = Means::of_environment()?.look_at_sealing_keys(&path, console)?;
                    let keys = keys.map(|keys| trusted(keys, &data)).transpose()?;
                    Sealed::AreOpened(keys.map(Box::new))
                } else {
                    Sealed::Stay
                };
                Ok(Self::Directory { data, tenant, sealed })
            }
            Location::Server(remote) => {
                only_with_data("--open", open.open)?;
                remote.check_tenant(options.tenant.named()?.as_ref())?;
                Ok(Self::Server(remote))
            }
        }
    }

    /// The records, at most so many of them.
    pub fn records(&self, order: Order, limit: usize) -> Result<Lines<'_>, Failure> {
        match self {
            Self::Directory { data, tenant, sealed } => {
                let records = data.reader.list(tenant, order, None);
                let records = records.map_err(|error| data.failure(error))?.take(limit);
                Ok(match sealed.viewer(data, tenant)? {
                    None => {
                        let withheld = data.reader.withheld(tenant)?;
                        Box::new(records.map(move |record| {
                            Ok(line(&data.reader.as_stored(record?, &withheld)?))
                        }))
                    }
                    Some(viewer) => {
                        Box::new(OpenedLines { records, viewer, waiting: VecDeque::new() })
                    }
                })
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
            Self::Directory { data, tenant, .. } => Ok(data.reader.size(tenant)?),
            Self::Server(remote) => Ok(remote.status()?.ledger.records),
        }
    }

    /// One record.
    pub fn record(&self, id: &EventId) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Directory { data, tenant, sealed } => {
                let record = data.reader.get(tenant, id).map_err(|error| data.failure(error))?;
                Ok(line(&match sealed.viewer(data, tenant)? {
                    None => {
                        let withheld = data.reader.withheld(tenant)?;
                        let stored = data.reader.as_stored(record, &withheld);
                        stored.map_err(|error| data.failure(error))?
                    }
                    Some(mut viewer) => viewer.view(record),
                }))
            }
            Self::Server(remote) => {
                Ok(remote.wait(remote.client().event(id))?.json().as_bytes().to_vec())
            }
        }
    }

    /// The exact bytes of a record's content.
    pub fn content(&self, id: &EventId) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Directory { data, tenant, .. } => {
                let record = data.reader.get_readable(tenant, id);
                let record = record.map_err(|error| data.failure(error))?;
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

impl Sealed {
    /// What opens events; none where they are shown as they are stored.
    fn viewer<'a>(
        &'a self,
        data: &'a ForReading,
        tenant: &TenantId,
    ) -> Result<Option<Viewer<'a>>, Failure> {
        match self {
            Self::Stay => Ok(None),
            Self::AreOpened(keys) => {
                let keys = keys.as_deref().map(|keys| keys as &dyn KeySource);
                Ok(Some(Viewer::of_operator(&data.reader, tenant, keys)?))
            }
        }
    }
}

fn line(event: &VisibleEvent) -> Vec<u8> {
    let mut line = Vec::with_capacity(1024);
    write_record(event, &mut line);
    line
}

/// Records of a directory, opened some at a time.
struct OpenedLines<'a> {
    records: Take<Listing<'a>>,
    viewer: Viewer<'a>,
    waiting: VecDeque<Result<VisibleEvent, LedgerError>>,
}

impl Iterator for OpenedLines<'_> {
    type Item = Result<Vec<u8>, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.waiting.is_empty() {
            let mut some = Vec::new();
            let mut end = None;
            for record in self.records.by_ref().take(VIEWED_AT_ONCE) {
                match record {
                    Ok(record) => some.push(record),
                    Err(error) => end = Some(Err(error)),
                }
            }
            self.waiting.extend(self.viewer.view_all(some).into_iter().map(Ok));
            self.waiting.extend(end);
        }
        let event = self.waiting.pop_front()?;
        Some(event.map(|event| line(&event)).map_err(Failure::from))
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
