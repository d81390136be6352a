//! Dead letters as files: `dead/<tenant>/<submission>.letters`, one for each submission, so that a
//! bulk of a thousand refused lines costs two syncs and not a thousand.
//!
//! A file is written beside, synced and renamed, and so is every change of it: what is deleted is
//! gone from the disk's files, and a crash leaves the old letters or the new ones. A file that was
//! cut short or changed is renamed to `.damaged` and looked at no more.

use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ledgerstone_model::{DeadLetter, DeadLetterId, LetterState, SubmissionId};
use ledgerstone_proof::TenantId;

use super::codec::{HEAD_BYTES_MAX, Head, decode, encode, join, line};
use super::roster::Roster;
use super::{DeadLetterCounts, DeadLetterError, DeadLetterLimits, DeadLetterStore};
use crate::embedded::files::Files;

const ENDING: &str = "letters";
const HALF_MADE: &str = "tmp";
const DAMAGED: &str = "damaged";

/// They hold what clients sent.
const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;

/// Dead letters under one directory, which one process writes to.
#[derive(Debug)]
pub struct FileDeadLetters {
    root: PathBuf,
    files: Files,
    limits: DeadLetterLimits,
    roster: Mutex<Roster>,
    /// Held while a file is changed or removed.
    changing: Mutex<()>,
    set_aside: AtomicU64,
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is left half done under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> DeadLetterError {
    move |source| DeadLetterError::Io { what, source }
}

impl FileDeadLetters {
    /// Looks at what is there: the head of each file, which tells whether the file is whole. A
    /// directory that is missing is made with the first letter.
    pub fn open(
        root: &Path,
        files: Files,
        limits: DeadLetterLimits,
    ) -> Result<Self, DeadLetterError> {
        let letters = Self {
            root: root.to_owned(),
            files,
            limits,
            roster: Mutex::default(),
            changing: Mutex::default(),
            set_aside: AtomicU64::new(0),
        };
        for (name, path) in entries(root)? {
            if let Ok(tenant) = TenantId::parse(&name) {
                letters.look_into(&tenant, &path)?;
            }
        }
        Ok(letters)
    }

    fn look_into(&self, tenant: &TenantId, directory: &Path) -> Result<(), DeadLetterError> {
        for (name, path) in entries(directory)? {
            let (stem, ending) = name.split_once('.').unwrap_or((&name, ""));
            match (SubmissionId::parse(stem), ending) {
                (Some(submission), ENDING) => match self.head(&path)? {
                    Some(counts) => hold(&self.roster).put(tenant, submission, counts),
                    None => self.put_aside(tenant, submission),
                },
                (_, HALF_MADE) => {
                    self.files.unlink(&path).map_err(failed("removing half a file"))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What a file says of itself; `None` where it is not whole.
    fn head(&self, path: &Path) -> Result<Option<DeadLetterCounts>, DeadLetterError> {
        let failed = failed("reading dead letters");
        let file = self.files.open_for_reading(path).map_err(&failed)?;
        let bytes = file.byte_len().map_err(&failed)?;
        let begin = usize::try_from(bytes).unwrap_or(HEAD_BYTES_MAX).min(HEAD_BYTES_MAX);
        let head = Head::parse(&file.read_at(0, begin).map_err(&failed)?);
        let whole = head.filter(|head| head.file_bytes() == bytes);
        Ok(whole.map(|head| DeadLetterCounts { letters: head.letters, open: head.open, bytes }))
    }

    fn directory(&self, tenant: &TenantId) -> PathBuf {
        self.root.join(tenant.as_str())
    }

    fn path(&self, tenant: &TenantId, submission: SubmissionId) -> PathBuf {
        self.directory(tenant).join(format!("{submission}.{ENDING}"))
    }

    /// A tenant's directory, made if it is missing.
    fn make_directory(&self, tenant: &TenantId) -> io::Result<()> {
        let directory = self.directory(tenant);
        if directory.is_dir() {
            return Ok(());
        }
        std::fs::DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(&directory)?;
        self.files.sync_directory(&self.root)?;
        self.root.parent().map_or(Ok(()), |data| self.files.sync_directory(data))
    }

    /// The letters of a submission; empty where there is none.
    fn read(
        &self,
        tenant: &TenantId,
        submission: SubmissionId,
    ) -> Result<Vec<DeadLetter>, DeadLetterError> {
        if !hold(&self.roster).has(tenant, submission) {
            return Ok(Vec::new());
        }
        match std::fs::read(self.path(tenant, submission)) {
            Ok(file) => Ok(decode(&file).unwrap_or_else(|| {
                self.put_aside(tenant, submission);
                Vec::new()
            })),
            // It is being made, or has been removed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(failed("reading dead letters")(error)),
        }
    }

    /// Gives up on a file that cannot be read. That it cannot be renamed either changes nothing.
    fn put_aside(&self, tenant: &TenantId, submission: SubmissionId) {
        let path = self.path(tenant, submission);
        let _ = self.files.rename(&path, &path.with_extension(DAMAGED));
        hold(&self.roster).take(tenant, submission);
        self.set_aside.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes the letters that are left of a submission, or removes the file where there are none.
    fn write_again(
        &self,
        tenant: &TenantId,
        submission: SubmissionId,
        letters: &[DeadLetter],
    ) -> Result<(), DeadLetterError> {
        let path = self.path(tenant, submission);
        if letters.is_empty() {
            self.files.unlink(&path).map_err(failed("removing a dead letter"))?;
            hold(&self.roster).take(tenant, submission);
            let directory = self.directory(tenant);
            return self.files.sync_directory(&directory).map_err(failed("removing a dead letter"));
        }
        let file = encode(letters);
        self.files.replace(&path, &file, FILE_MODE).map_err(failed("changing a dead letter"))?;
        let open = letters.iter().filter(|letter| letter.state.is_open()).count();
        let counts = DeadLetterCounts {
            letters: letters.len() as u64,
            open: open as u64,
            bytes: file.len() as u64,
        };
        hold(&self.roster).put(tenant, submission, counts);
        Ok(())
    }

    /// Takes room for as many of the first lines as fit.
    fn reserve(
        &self,
        tenant: &TenantId,
        submission: SubmissionId,
        lines: &[Vec<u8>],
    ) -> Result<usize, DeadLetterError> {
        let mut roster = hold(&self.roster);
        let head = HEAD_BYTES_MAX as u64;
        let count = roster.room(tenant, &self.limits, head, lines.iter().map(Vec::len));
        let kept = lines.get(..count).unwrap_or_default();
        if kept.is_empty() {
            return Err(DeadLetterError::Full);
        }
        let bytes = head + kept.iter().map(Vec::len).sum::<usize>() as u64;
        let letters = count as u64;
        roster.put(tenant, submission, DeadLetterCounts { letters, open: letters, bytes });
        Ok(count)
    }
}

impl DeadLetterStore for FileDeadLetters {
    fn keep(
        &self,
        tenant: &TenantId,
        submission: SubmissionId,
        letters: &[DeadLetter],
    ) -> Result<usize, DeadLetterError> {
        let lines: Vec<Vec<u8>> = letters.iter().map(line).collect();
        let count = self.reserve(tenant, submission, &lines)?;
        let file = join(lines.get(..count).unwrap_or_default(), count as u64);
        let path = self.path(tenant, submission);
        let kept = self
            .make_directory(tenant)
            .and_then(|()| self.files.replace(&path, &file, FILE_MODE))
            .map_err(failed("keeping a dead letter"));
        if kept.is_err() {
            hold(&self.roster).take(tenant, submission);
            // Whatever of it is there must not come back as a letter that nobody was told of.
            let _ = self.files.unlink(&path.with_extension(HALF_MADE));
            let _ = self.files.unlink(&path);
        }
        kept.map(|()| count)
    }

    fn list(
        &self,
        tenant: &TenantId,
        since: i64,
        before: Option<DeadLetterId>,
        limit: usize,
    ) -> Result<Vec<(DeadLetterId, DeadLetter)>, DeadLetterError> {
        let mut found = Vec::new();
        let mut next = hold(&self.roster).newest(tenant, before.map(DeadLetterId::submission));
        while let Some(submission) = next.take()
            && submission.made_at_micros() >= since
        {
            let letters = self.read(tenant, submission)?.into_iter().rev();
            let named = letters.map(|one| (DeadLetterId::new(submission, one.index), one));
            let wanted = named.filter(|(id, _)| before.is_none_or(|before| *id < before));
            found.extend(wanted.take(limit - found.len()));
            if found.len() < limit {
                next = hold(&self.roster).older(tenant, submission);
            }
        }
        Ok(found)
    }

    fn get(
        &self,
        tenant: &TenantId,
        id: DeadLetterId,
    ) -> Result<Option<DeadLetter>, DeadLetterError> {
        let letters = self.read(tenant, id.submission())?;
        Ok(letters.into_iter().find(|letter| letter.index == id.index()))
    }

    fn set_state(
        &self,
        tenant: &TenantId,
        id: DeadLetterId,
        state: LetterState,
    ) -> Result<bool, DeadLetterError> {
        let _changing = hold(&self.changing);
        let mut letters = self.read(tenant, id.submission())?;
        let Some(letter) = letters.iter_mut().find(|letter| letter.index == id.index()) else {
            return Ok(false);
        };
        letter.state = state;
        self.write_again(tenant, id.submission(), &letters).map(|()| true)
    }

    fn remove(&self, tenant: &TenantId, id: DeadLetterId) -> Result<bool, DeadLetterError> {
        let _changing = hold(&self.changing);
        let mut letters = self.read(tenant, id.submission())?;
        let before = letters.len();
        letters.retain(|letter| letter.index != id.index());
        if letters.len() == before {
            return Ok(false);
        }
        self.write_again(tenant, id.submission(), &letters).map(|()| true)
    }

    fn purge(&self, since: i64) -> Result<u64, DeadLetterError> {
        let old = hold(&self.roster).made_before(since);
        let mut gone = 0;
        for (tenant, submission) in old {
            let _changing = hold(&self.changing);
            match self.files.unlink(&self.path(&tenant, submission)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failed("removing expired dead letters")(error));
                }
                _ => {
                    let counts = hold(&self.roster).take(&tenant, submission);
                    gone += counts.map_or(0, |counts| counts.letters);
                }
            }
        }
        self.purge_set_aside(since)?;
        Ok(gone)
    }

    fn counts(&self, tenant: Option<&TenantId>) -> DeadLetterCounts {
        hold(&self.roster).counts(tenant)
    }

    fn set_aside(&self) -> u64 {
        self.set_aside.load(Ordering::Relaxed)
    }

    fn limits(&self) -> DeadLetterLimits {
        self.limits
    }
}

impl FileDeadLetters {
    /// Removes what was set aside of submissions made before `since`: it holds what clients sent
    /// all the same.
    fn purge_set_aside(&self, since: i64) -> Result<(), DeadLetterError> {
        for (name, directory) in entries(&self.root)? {
            if TenantId::parse(&name).is_err() {
                continue;
            }
            for (name, path) in entries(&directory)? {
                let stem = name.strip_suffix(DAMAGED).and_then(|stem| stem.strip_suffix('.'));
                let submission = stem.and_then(SubmissionId::parse);
                if submission.is_some_and(|one| one.made_at_micros() < since) {
                    self.files.unlink(&path).map_err(failed("removing expired dead letters"))?;
                }
            }
        }
        Ok(())
    }
}

/// Names and paths in a directory; none where it is missing.
fn entries(directory: &Path) -> Result<Vec<(String, PathBuf)>, DeadLetterError> {
    let failed = failed("listing dead letters");
    let listed = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(Vec::new()),
        listed => listed.map_err(&failed)?,
    };
    let mut found = Vec::new();
    for entry in listed {
        let entry = entry.map_err(&failed)?;
        // A name that is no text is none of ours.
        if let Ok(name) = entry.file_name().into_string() {
            found.push((name, entry.path()));
        }
    }
    Ok(found)
}
