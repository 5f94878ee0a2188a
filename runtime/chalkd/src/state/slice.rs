//! What a checkpoint writes to the store at once: per key what was said of it last.
//!
//! A checkpoint lets workers in between two pieces of a table, so a slice may have two images of a key, or an image and its removal. Which of them
//! holds is a matter of when they were taken, and the store is written in the order of keys.
//!
//! This file must not know what images are.

/// Changes of the store, in the order in which they were taken.
#[derive(Debug, Default)]
pub(super) struct Slice(Vec<(Vec<u8>, Option<Vec<u8>>)>);

impl Slice {
    /// How many changes.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The key has this image from now on; none = it is gone.
    pub(super) fn put(&mut self, store_key: Vec<u8>, image: Option<Vec<u8>>) {
        self.0.push((store_key, image));
    }

    /// What to write and what to remove, by key; no key twice.
    pub(super) fn finish(mut self) -> (Vec<(Vec<u8>, Vec<u8>)>, Vec<Vec<u8>>) {
        // The last one first, of the same key.
        self.0.reverse();
        self.0.sort_by(|(a, _), (b, _)| a.cmp(b));
        self.0.dedup_by(|later, first| later.0 == first.0);
        let (mut images, mut removed) = (Vec::with_capacity(self.0.len()), Vec::new());
        for (store_key, image) in self.0 {
            match image {
                Some(image) => images.push((store_key, image)),
                None => removed.push(store_key),
            }
        }
        (images, removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_last_of_a_key_holds() {
        let mut slice = Slice::default();
        let key = |text: &str| text.as_bytes().to_vec();
        slice.put(key("b"), Some(key("z: the older image")));
        slice.put(key("c"), None);
        slice.put(key("a"), Some(key("1")));
        slice.put(key("d"), Some(key("1")));
        slice.put(key("b"), Some(key("a: the newer image")));
        slice.put(key("c"), Some(key("it came back")));
        slice.put(key("d"), None);
        assert_eq!(slice.len(), 7);
        let (images, removed) = slice.finish();
        let image = |name: &str, image: &str| (key(name), key(image));
        assert_eq!(images, [image("a", "1"), image("b", "a: the newer image"), image("c", "it came back")]);
        assert_eq!(removed, [key("d")]);
    }
}
