//! Forges derived files: an id is left out, every checksum fits, and the store key did not sign.

use std::io;
use std::path::Path;
use std::sync::Arc;

use ledgerstone_proof::SigningKey;

use super::open_segments;
use crate::embedded::binding::Binding;
use crate::embedded::files::Files;
use crate::embedded::ids::{IdHash, RunFile, forge_page};
use crate::embedded::idx::SegmentIndex;
use crate::embedded::layout::Layout;
use crate::embedded::open::read_format;

fn binding_of(layout: &Layout) -> io::Result<Binding> {
    let format = read_format(layout).map_err(io::Error::other)?;
    let segments = open_segments(layout, &format.store)?.into_iter().map(Arc::new).collect();
    Ok(Binding { store: format.store, verifier: format.store_key, signer: None, segments })
}

fn forger(binding: &Binding) -> Binding {
    Binding { signer: Some(SigningKey::from_seed([99; 32])), ..binding.clone() }
}

fn not_there<T>(found: Option<T>) -> io::Result<T> {
    found.ok_or_else(|| io::Error::other("there is nothing to forge"))
}

/// Forges the index of the segment of that place in the list.
pub fn forge_index(directory: &Path, segment: usize) -> io::Result<()> {
    let binding = binding_of(&Layout::new(directory))?;
    let segment = not_there(binding.segments.get(segment))?;
    let index = SegmentIndex::load(segment, &binding);
    let mut index = not_there(index.ok().flatten())?;
    let (_, place) = index.ids.remove(0);
    index.ids.push((IdHash::new(u128::MAX), place));
    index.save(&Files::new(), segment, &forger(&binding))
}

/// Forges a run of ids, named relative to the directory.
pub fn forge_run(directory: &Path, file: &Path) -> io::Result<()> {
    let binding = binding_of(&Layout::new(directory))?;
    let path = directory.join(file);
    let run = RunFile::open(&Files::new(), &path, &binding).map_err(io::Error::other)?;
    let entries: Result<Vec<_>, _> = run.iter().collect();
    let mut entries = entries.map_err(io::Error::other)?;
    let (_, number) = entries.remove(0);
    entries.push((IdHash::new(u128::MAX), number));
    std::fs::remove_file(&path)?;
    let count = entries.len() as u64;
    let (files, forger) = (Files::new(), forger(&binding));
    RunFile::write(&files, &path, &forger, run.covers(), count, entries.into_iter())
}

/// Forges the first page of a run, and leaves its header as it is.
pub fn forge_page_of_run(directory: &Path, file: &Path) -> io::Result<()> {
    let path = directory.join(file);
    let binding = binding_of(&Layout::new(directory))?;
    let run = RunFile::open(&Files::new(), &path, &binding).map_err(io::Error::other)?;
    let mut bytes = std::fs::read(&path)?;
    forge_page(&mut bytes, run.covers(), 0, |body| body.iter_mut().take(16).for_each(|b| *b = 0));
    std::fs::write(&path, bytes)
}
