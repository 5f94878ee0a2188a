//! The numbers that stored bytes use for classes, sources and layouts, and what they stand for.
//!
//! Stored rows name features by a layout: the fully qualified names and types that a resolver wrote. A later version of
//! the program finds its features by name in whatever layouts are stored, so it can read what an earlier one left. The
//! registry only grows; it is saved before anything refers to a new number.
//!
//! This file must not know how values are encoded.

use chalk_types::Type;
use serde::{Deserialize, Serialize};

use super::key;
use super::store::{Store, StoreError};

/// The numbers in use; a number is a position in a list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Registry {
    classes: Vec<StoredClass>,
    sources: Vec<String>,
    layouts: Vec<Layout>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct StoredClass {
    namespace: String,
    key_type: Type,
}

/// The features that a resolver writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layout {
    /// The class, by its number.
    pub class: u32,
    /// The features, in the order in which their values are encoded.
    pub fields: Vec<LayoutField>,
}

/// One feature of a layout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayoutField {
    /// `user.full_name`
    pub fqn: String,
    /// Its type when it was written.
    pub ty: Type,
}

impl Registry {
    /// The stored registry, or an empty one.
    pub fn load(store: &dyn Store) -> Result<Registry, StoreError> {
        match store.get(&key::meta_key("registry"))? {
            None => Ok(Registry::default()),
            Some(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| StoreError(format!("the stored registry is damaged: {error}"))),
        }
    }

    /// Saves it, if it is not what `saved` says.
    pub fn save(&self, store: &dyn Store, saved: &Registry) -> Result<(), StoreError> {
        if self == saved {
            return Ok(());
        }
        let bytes = serde_json::to_vec(self).map_err(|error| StoreError(error.to_string()))?;
        store.write(&[(key::meta_key("registry"), bytes)])
    }

    /// The number of a class. Its primary key's type can never change: the stored keys would be another's.
    pub fn class(&mut self, namespace: &str, key_type: &Type) -> Result<u32, StoreError> {
        if let Some(number) = self.classes.iter().position(|class| class.namespace == namespace) {
            let stored = &self.classes[number].key_type;
            if stored.kind != key_type.kind {
                return Err(StoreError(format!(
                    "the primary key of `{namespace}` is {key_type}, but data_dir holds values of it by a key of type {stored}: \
                     start with another data_dir, or give the class another name"
                )));
            }
            return Ok(number as u32);
        }
        self.classes.push(StoredClass { namespace: namespace.to_owned(), key_type: key_type.clone() });
        Ok(self.classes.len() as u32 - 1)
    }

    /// The number of a source. Its identity says what offsets belong to: with another topic it is another source.
    pub fn source(&mut self, identity: &str) -> u32 {
        position_or_push(&mut self.sources, |source| source == identity, || identity.to_owned())
    }

    /// The number of a layout.
    pub fn layout(&mut self, class: u32, fields: Vec<LayoutField>) -> u32 {
        let layout = Layout { class, fields };
        position_or_push(&mut self.layouts, |stored| *stored == layout, || layout.clone())
    }

    /// All layouts, by number.
    pub fn layouts(&self) -> &[Layout] {
        &self.layouts
    }
}

fn position_or_push<T>(list: &mut Vec<T>, is: impl Fn(&T) -> bool, make: impl FnOnce() -> T) -> u32 {
    list.iter().position(is).unwrap_or_else(|| {
        list.push(make());
        list.len() - 1
    }) as u32
}

#[cfg(test)]
mod tests {
    use super::super::store::MemoryStore;
    use super::*;

    #[test]
    fn numbers_survive_and_only_grow() {
        let store = MemoryStore::default();
        let mut registry = Registry::load(&store).unwrap();
        let user = registry.class("user", &Type::INT).unwrap();
        let field = |name: &str| LayoutField { fqn: name.into(), ty: Type::STRING };
        let layout = registry.layout(user, vec![field("user.a")]);
        registry.save(&store, &Registry::default()).unwrap();

        let mut later = Registry::load(&store).unwrap();
        assert_eq!(later.class("item", &Type::STRING).unwrap(), user + 1);
        assert_eq!(later.layout(user, vec![field("user.a"), field("user.b")]), layout + 1);
        assert_eq!(later.class("user", &Type::INT).unwrap(), user);
        assert_eq!(later.layout(user, vec![field("user.a")]), layout);
        assert_eq!(later.source("s kafka t"), 0);
        assert_eq!(later.source("s kafka other"), 1);
    }

    #[test]
    fn a_primary_key_of_another_type_is_refused() {
        let mut registry = Registry::default();
        registry.class("user", &Type::INT).unwrap();
        let error = registry.class("user", &Type::STRING).unwrap_err();
        assert!(error.to_string().contains("`user` is string"), "{error}");
    }
}
