//! What all kernels of a module share: literal bytes, imported helpers, types, failing places, plans of nested decodes.
//!
//! Code refers to each by position, and positions are given out in order of first use, so equal programs give equal
//! tables. Nothing here is iterated in the order of a hash map.
//!
//! This file must not know what the code does with them.

use std::collections::HashMap;

use chalk_artifact::decode_plan::DecodePlan;
use chalk_artifact::manifest;
use chalk_diagnostics::{SourceMap, Span};
use chalk_types::Type;

/// Longest source text of a site, in code points.
const SITE_SOURCE_MAX: usize = 80;

/// Distinct things in order of first use.
#[derive(Debug)]
pub(crate) struct Interner<T> {
    items: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Interner { items: Vec::new(), numbers: HashMap::new() }
    }
}

impl<T: Clone + Eq + std::hash::Hash> Interner<T> {
    /// The number of an item, new or not.
    pub(crate) fn intern(&mut self, item: T) -> u32 {
        let next = self.items.len() as u32;
        *self.numbers.entry(item).or_insert_with_key(|item| {
            self.items.push(item.clone());
            next
        })
    }

    /// All of them.
    pub(crate) fn items(&self) -> &[T] {
        &self.items
    }
}

/// The shared tables.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    /// Literal bytes.
    pub(crate) literals: Literals,
    /// Signatures of helpers.
    pub(crate) imports: Interner<String>,
    /// Types that helpers are told.
    pub(crate) types: Interner<Type>,
    /// Places that can fail, with the reason where code itself finds it.
    pub(crate) sites: Interner<(Span, String)>,
    /// Plans of `json_deserialize<T>`, by message.
    pub(crate) decode_plans: Vec<(usize, DecodePlan)>,
}

impl Tables {
    /// The sites as the manifest has them.
    pub(crate) fn manifest_sites(&self, sources: &SourceMap) -> Vec<manifest::Site> {
        self.sites
            .items()
            .iter()
            .map(|(span, reason)| {
                let file = sources.file(span.file);
                let position = file.position(span.start);
                let text = file.text().get(span.range()).unwrap_or("");
                manifest::Site {
                    file: span.file.0,
                    line: position.line,
                    column: position.column,
                    source: shorten(text),
                    reason: reason.clone(),
                }
            })
            .collect()
    }
}

/// One line of at most so many code points.
pub(crate) fn shorten(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= SITE_SOURCE_MAX {
        return words;
    }
    words.chars().take(SITE_SOURCE_MAX - 1).chain(['…']).collect()
}

/// The literal bytes: fixed tables that code counts on, then texts.
#[derive(Debug)]
pub(crate) struct Literals {
    bytes: Vec<u8>,
    known: HashMap<Vec<u8>, u32>,
}

impl Literals {
    /// Sixteen bytes of ones: what stands for the bitmap of a column without nulls.
    pub(crate) const ALL_VALID: u32 = 0;
    /// Thirteen masks of 16 bytes: the first n bytes set, for n = 0 to 12.
    pub(crate) const PREFIX_MASKS: u32 = 16;

    /// The position of a text, new or not. At least 16 bytes may be read from it.
    pub(crate) fn intern(&mut self, bytes: &[u8]) -> u32 {
        if let Some(known) = self.known.get(bytes) {
            return *known;
        }
        let offset = self.append(bytes);
        self.known.insert(bytes.to_vec(), offset);
        offset
    }

    /// Adds bytes at a multiple of eight.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> u32 {
        let offset = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        offset
    }

    /// The section: the texts and 16 bytes more, which short loads may touch.
    pub(crate) fn section(&self) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes.resize((bytes.len() + 16).next_multiple_of(16), 0);
        bytes
    }
}

impl Default for Literals {
    fn default() -> Self {
        let mut bytes = vec![0xFF; Literals::PREFIX_MASKS as usize];
        for length in 0..=12 {
            bytes.extend((0..16).map(|i| if i < length { 0xFF } else { 0 }));
        }
        Literals { bytes, known: HashMap::new() }
    }
}
