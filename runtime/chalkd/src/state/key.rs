//! Keys of the embedded store: `group u16 BE · kind u8 · …`.
//!
//! Online values: `hash u64 BE · class varint · primary key`; the group is the head of the hash, so a share of the keys is a range that
//! can be handed over as a whole. Entries of aggregations: `feed u32 BE · partition i64 BE · key`; their group is the head of a hash
//! of feed and partition, so the state of a partition, which is handed over with it, is a range.
//!
//! This file must not know how primary keys were encoded.

use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::xxh3_64;

use chalk_types::varint;

/// Rows of what the runtime knows about itself: positions, registry.
pub const KIND_META: u8 = 0;
/// Online values.
pub const KIND_VALUES: u8 = 1;
/// What aggregations keep of a key and a partition.
pub const KIND_AGGREGATES: u8 = 2;

const HASH_AT: usize = 3;
const CLASS_AT: usize = 11;

/// Writes the key of a row of online values into `out`.
pub fn values_key(out: &mut Vec<u8>, class: u32, primary_key: &[u8]) {
    out.clear();
    out.extend_from_slice(&[0; CLASS_AT]);
    varint::put(out, u64::from(class));
    out.extend_from_slice(primary_key);
    let hash = xxh3_64(&out[CLASS_AT..]);
    out[0..2].copy_from_slice(&((hash >> 48) as u16).to_be_bytes());
    out[2] = KIND_VALUES;
    out[HASH_AT..CLASS_AT].copy_from_slice(&hash.to_be_bytes());
}

/// What the keys of a table's entries begin with.
pub fn table_prefix(feed: u32, partition: i64) -> Vec<u8> {
    let mut prefix = vec![0, 0, KIND_AGGREGATES];
    prefix.extend_from_slice(&feed.to_be_bytes());
    prefix.extend_from_slice(&partition.to_be_bytes());
    let hash = xxh3_64(&prefix[HASH_AT..]);
    prefix[0..2].copy_from_slice(&((hash >> 48) as u16).to_be_bytes());
    prefix
}

/// The class of a key of online values.
pub fn class_of(key: &[u8]) -> Option<u32> {
    varint::take(&mut key.get(CLASS_AT..)?).and_then(|class| u32::try_from(class).ok())
}

/// Key of a row of the runtime's own.
pub fn meta_key(name: &str) -> Vec<u8> {
    let mut key = vec![0xff, 0xff, KIND_META];
    key.extend_from_slice(name.as_bytes());
    key
}

/// The hash inside a key of online values.
pub fn hash_of(key: &[u8]) -> u64 {
    key.get(HASH_AT..CLASS_AT).map_or(0, |hash| u64::from_be_bytes(hash.try_into().expect("eight bytes")))
}

/// Uses the hash that a key carries.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash_of(bytes);
    }
    fn write_usize(&mut self, _length: usize) {}
}

/// For maps by such keys.
pub type BuildKeyHasher = BuildHasherDefault<KeyHasher>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_carries_its_group_hash_and_class() {
        let mut key = Vec::new();
        values_key(&mut key, 300, b"pk");
        assert_eq!(key[0..2], key[3..5], "the group is the head of the hash");
        assert_eq!(class_of(&key), Some(300));
        assert!(key.ends_with(b"pk"));
        let mut other = Vec::new();
        values_key(&mut other, 301, b"pk");
        assert_ne!(hash_of(&key), hash_of(&other));
        assert_ne!(meta_key("positions")[2], key[2]);
        assert_ne!(table_prefix(1, 2), table_prefix(2, 1));
        assert_eq!(table_prefix(1, -2)[2], KIND_AGGREGATES);
    }
}
