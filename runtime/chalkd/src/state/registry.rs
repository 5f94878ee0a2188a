//! The numbers that stored bytes use for classes, sources, layouts and the engine's state, and what they stand for.
//!
//! Stored rows name features by a layout: the fully qualified names and types that a resolver wrote. A later version of
//! the program finds its features by name in whatever layouts are stored, so it can read what an earlier one left. The
//! registry only grows; it is saved before anything refers to a new number.
//!
//! State of an aggregation is of use to the same definition only: with another one it gets another number and starts anew. The old state
//! is found again when the old definition comes back.
//!
//! This file must not know how values are encoded.

use chalk_artifact::manifest::{Aggregation, Manifest};
use chalk_engine::Numbers;
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
    #[serde(default)]
    feeds: Vec<StoredFeed>,
    #[serde(default)]
    resolvers: Vec<StoredResolver>,
}

/// Whose events a table holds, and what of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct StoredFeed {
    /// The source, by its number.
    source: u32,
    resolver: String,
    class: String,
    /// The aggregation; its class, a position, is 0.
    aggregation: Aggregation,
}

/// Who remembers dedup keys and has a watermark.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct StoredResolver {
    /// The source, by its number.
    source: u32,
    resolver: String,
    /// The type of its dedup key.
    dedup: Option<Type>,
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

    /// What the engine calls feeds and resolvers. `sources` has the number of each resolver's source, none for a resolver that does not run
    /// here. Also gives a sentence for each aggregation whose definition is another than that of its stored state.
    pub fn numbers(&mut self, manifest: &Manifest, sources: &[Option<u32>]) -> (Numbers, Vec<String>) {
        let mut numbers = Numbers::default();
        let mut changed = Vec::new();
        // What does not run is called something that nothing stored is called.
        let mut unused = (0..u32::MAX).rev();
        for (resolver, source) in manifest.resolvers.iter().zip(sources) {
            let mut feeds = Vec::new();
            for feed in &resolver.feeds {
                let aggregation = &manifest.aggregations[feed.aggregation as usize];
                let class = manifest.classes[aggregation.class as usize].namespace.clone();
                let Some(source) = *source else {
                    feeds.extend(unused.next());
                    continue;
                };
                let stored = StoredFeed {
                    source,
                    resolver: resolver.name.clone(),
                    class,
                    aggregation: Aggregation { class: 0, ..aggregation.clone() },
                };
                let is_same_name = |other: &StoredFeed| {
                    other.aggregation.name == stored.aggregation.name
                        && (other.source, &other.resolver, &other.class) == (source, &stored.resolver, &stored.class)
                };
                if !self.feeds.contains(&stored) && self.feeds.iter().any(is_same_name) {
                    changed.push(format!(
                        "the definition of the aggregation `{}` has changed: what resolver `{}` fed into it is left behind, and it starts anew \
                         with the messages that come now",
                        stored.aggregation.name, stored.resolver
                    ));
                }
                feeds.push(position_or_push(&mut self.feeds, |other| *other == stored, || stored.clone()));
            }
            numbers.feeds.push(feeds);
            let number = source.map(|source| {
                let dedup = resolver.dedup.as_ref().map(|dedup| dedup.key.clone());
                let stored = StoredResolver { source, resolver: resolver.name.clone(), dedup };
                position_or_push(&mut self.resolvers, |other| *other == stored, || stored.clone())
            });
            numbers.resolvers.extend(number.or_else(|| unused.next()));
        }
        (numbers, changed)
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

    #[test]
    fn a_changed_aggregation_gets_another_number_and_says_so() {
        use chalk_artifact::manifest::{AggregationKind, Dedup, FeatureClass, Feed, MessageInput, Resolver};
        let aggregation = |kind| Aggregation {
            name: "User.logins".into(),
            class: 0,
            key: Type::INT,
            columns: Vec::new(),
            leaves: Vec::new(),
            kind,
        };
        let tumbling = |window_us| AggregationKind::Tumbling { windows_us: vec![window_us], allowed_lateness_us: 0 };
        let resolver = |name: &str, dedup: Option<Type>| Resolver {
            name: name.into(),
            source: 0,
            class: 0,
            input: MessageInput::Bytes,
            prefilter: None,
            main: 0,
            outputs: Vec::new(),
            dedup: dedup.map(|key| Dedup { key, within_us: 1 }),
            feeds: vec![Feed { aggregation: 0, key: None, columns: Vec::new() }],
            window: None,
            environments: Vec::new(),
            skip_online: false,
            skip_offline: false,
        };
        let class = FeatureClass {
            name: "User".into(),
            namespace: "user".into(),
            description: String::new(),
            metadata: Vec::new(),
            max_staleness_us: None,
            etl_offline_to_online: false,
            primary_key: 0,
            time: None,
            features: Vec::new(),
            aggregates: Vec::new(),
            links: Vec::new(),
            expressions: None,
        };
        let manifest = |kind, resolvers: Vec<Resolver>| Manifest {
            classes: vec![class.clone()],
            aggregations: vec![aggregation(kind)],
            resolvers,
            ..Manifest::default()
        };
        let mut registry = Registry::default();
        let first = manifest(tumbling(10), vec![resolver("a", None), resolver("b", Some(Type::INT))]);
        let (numbers, changed) = registry.numbers(&first, &[Some(0), Some(0)]);
        assert_eq!((numbers.feeds, numbers.resolvers, changed.len()), (vec![vec![0], vec![1]], vec![0, 1], 0));

        let later = manifest(tumbling(20), vec![resolver("b", Some(Type::STRING)), resolver("a", None)]);
        let (numbers, changed) = registry.numbers(&later, &[Some(0), Some(0)]);
        assert_eq!((numbers.feeds, numbers.resolvers), (vec![vec![2], vec![3]], vec![2, 0]));
        assert!(changed[0].contains("`User.logins` has changed") && changed[0].contains("starts anew"), "{changed:?}");

        let (numbers, changed) = registry.numbers(&first, &[Some(0), None]);
        assert_eq!((&numbers.feeds[0], numbers.resolvers[0], changed.len()), (&vec![0], 0, 0), "the old one is back");
        assert!(numbers.feeds[1][0] > 1_000 && numbers.resolvers[1] > 1_000, "b does not run here");
    }
}
