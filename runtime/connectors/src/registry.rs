//! The list of all sources, and how one of them is opened.
//!
//! This file must not know what a source does.

use chalk_artifact::connector::ConnectorDef;

use crate::options::{SourceDef, SourceOptions};
use crate::source::{Assigned, SourceError, SourceReader, StartPositions};
use crate::{file, kafka};

/// Every source, by name.
pub const SOURCES: &[&SourceDef] = &[&file::DEF, &kafka::DEF];

/// What the compiler checks `source` declarations against.
pub fn connector_defs() -> Vec<&'static ConnectorDef> {
    SOURCES.iter().map(|source| &source.connector).collect()
}

/// The source of that name.
pub fn find(name: &str) -> Option<&'static SourceDef> {
    SOURCES.iter().find(|source| source.connector.name == name).copied()
}

/// Opens a source for that many workers; gives one reader per worker, or fewer where the source cannot be split.
/// `name` is the name of its declaration, for messages.
pub fn open(
    connector: &str,
    name: &str,
    options: &SourceOptions,
    workers: usize,
    start: StartPositions,
    assigned: Assigned,
) -> Result<Vec<Box<dyn SourceReader>>, SourceError> {
    let Some(def) = find(connector) else {
        return Err(SourceError(format!("source `{name}` is of an unknown kind, `{connector}`")));
    };
    if let Some(missing) = def.needed.iter().find(|needed| !options.values.contains_key(**needed)) {
        let doc = def.connector.options.iter().find(|option| option.name == *missing).map_or("", |option| option.doc);
        return Err(SourceError(format!(
            "source `{name}` needs `{missing}` ({doc}): give it in the declaration, `source {name} = {connector}({missing}: …)`, \
             or in chalk.toml under [sources.{name}]",
            doc = doc.trim_end_matches('.'),
        )));
    }
    match connector {
        #[cfg(feature = "file")]
        "file" => file::open(name, options, &start, &assigned),
        #[cfg(feature = "kafka")]
        "kafka" => kafka::open(name, options, workers, start, assigned),
        _ => {
            let _ = (workers, start, assigned);
            Err(SourceError(format!(
                "source `{name}`: this build has no client for `{connector}`; build it with the cargo feature `{connector}`"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::options::OptionTypeExt;

    #[test]
    fn options_are_documented_and_their_defaults_are_values_of_them() {
        for source in SOURCES {
            for option in source.connector.options {
                assert!(option.doc.ends_with('.'), "{}", option.name);
                assert!(!option.required || source.needed.contains(&option.name), "{}", option.name);
            }
            let option_of = |name: &str| source.connector.options.iter().find(|option| option.name == name).unwrap();
            for needed in source.needed {
                option_of(needed);
            }
            for (name, default) in source.defaults {
                option_of(name).ty.value_of_text(default).unwrap_or_else(|error| panic!("{name}: {error}"));
            }
        }
    }

    #[test]
    fn a_required_option_that_is_missing_is_named_with_the_places_where_it_may_stand() {
        let error =
            open("kafka", "orders", &SourceOptions::default(), 1, Arc::new(|_| None), Arc::new(|_| ())).err().unwrap();
        assert!(error.to_string().contains("source `orders` needs `topic`"), "{error}");
        assert!(error.to_string().contains("[sources.orders]"), "{error}");
    }
}
