//! A split-block Bloom filter: one cache line per question, about 0.3 % of wrong yeses.
//!
//! Layout after the split-block filter of the Parquet format: blocks of eight 32-bit words, one
//! bit set in each.

const WORDS: usize = 8;
const BITS_PER_KEY: usize = 12;
const SALTS: [u32; WORDS] = [
    0x47b6_137b,
    0x4497_4d91,
    0x8824_ad5b,
    0xa2b7_289d,
    0x7054_95c7,
    0x2df1_424b,
    0x9efc_4947,
    0x5c6b_fb31,
];

/// Says «surely not» or «perhaps».
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    blocks: Vec<[u32; WORDS]>,
}

impl Filter {
    pub fn with_keys(keys: usize) -> Self {
        let blocks = (keys * BITS_PER_KEY).div_ceil(32 * WORDS).max(1);
        Self { blocks: vec![[0; WORDS]; blocks] }
    }

    pub fn insert(&mut self, hash: u128) {
        let block = self.block(hash);
        for (word, bit) in self.blocks[block].iter_mut().zip(bits(hash)) {
            *word |= bit;
        }
    }

    pub fn may_hold(&self, hash: u128) -> bool {
        let block = &self.blocks[self.block(hash)];
        block.iter().zip(bits(hash)).all(|(word, bit)| word & bit != 0)
    }

    fn block(&self, hash: u128) -> usize {
        // Fixed-point multiplication maps the upper 32 bits of the low half onto the blocks.
        let upper = u64::from((hash as u64 >> 32) as u32);
        ((upper * self.blocks.len() as u64) >> 32) as usize
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        self.blocks.iter().flatten().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// `None` when the bytes are not a whole number of blocks.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() || !bytes.len().is_multiple_of(4 * WORDS) {
            return None;
        }
        let mut blocks = vec![[0; WORDS]; bytes.len() / (4 * WORDS)];
        let words = bytes.chunks_exact(4);
        for (word, bytes) in blocks.iter_mut().flatten().zip(words) {
            let mut le = [0; 4];
            le.copy_from_slice(bytes);
            *word = u32::from_le_bytes(le);
        }
        Some(Self { blocks })
    }
}

fn bits(hash: u128) -> impl Iterator<Item = u32> {
    let key = hash as u32;
    SALTS.iter().map(move |salt| 1 << (key.wrapping_mul(*salt) >> 27))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(i: u64) -> u128 {
        let digest = ledgerstone_proof::sha256(&i.to_le_bytes());
        let mut half = [0; 16];
        half.copy_from_slice(&digest.as_bytes()[..16]);
        u128::from_le_bytes(half)
    }

    #[test]
    fn holds_what_was_inserted_and_little_else() {
        let mut filter = Filter::with_keys(10_000);
        (0..10_000).for_each(|i| filter.insert(hash(i)));
        assert!((0..10_000).all(|i| filter.may_hold(hash(i))));
        let wrong = (10_000..60_000).filter(|i| filter.may_hold(hash(*i))).count();
        assert!(wrong < 500, "{wrong} of 50,000 wrong");
        assert_eq!(Filter::from_bytes(&filter.to_bytes()), Some(filter));
    }
}
