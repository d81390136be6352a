//! How many bytes what has been sealed takes on disk, part by part.

use std::collections::BTreeMap;

use super::idx;
use super::segment::SectionKind;
use super::shared::Shared;

/// Bytes by part; the unsealed logs are not in it, because they are on their way.
#[derive(Clone, Debug, Default)]
pub struct SealedSizes {
    /// Records in sealed segments.
    pub records: u64,
    /// Name of a part and its bytes over all segments.
    pub parts: Vec<(&'static str, u64)>,
}

pub fn measure(shared: &Shared) -> SealedSizes {
    let segments = shared.read().segments.clone();
    let mut parts: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut records = 0;
    for segment in &segments {
        records += segment.header().records;
        for kind in SectionKind::ALL {
            *parts.entry(kind.name()).or_default() += segment.header().section(kind).len;
        }
        *parts.entry("index files").or_default() += file_bytes(&idx::path_of(segment.path()));
    }
    let ids = std::fs::read_dir(shared.layout.ids()).into_iter().flatten().flatten();
    parts.insert("merged id runs", ids.map(|entry| file_bytes(&entry.path())).sum());
    SealedSizes { records, parts: parts.into_iter().collect() }
}

fn file_bytes(path: &std::path::Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}
