//! The list of all sources, and how one of them is opened.
//!
//! This file must not know what a source does.

use crate::options::{OptionDef, OptionType, SourceDef, SourceOptions};
use crate::source::{SourceError, SourceReader, StartPositions};
use crate::{file, kafka};

/// Every source, by name.
pub const SOURCES: &[&SourceDef] = &[&file::DEF, &kafka::DEF];

/// Options that every source has.
pub const COMMON_OPTIONS: &[OptionDef] = &[OptionDef {
    name: "late_arrival_deadline",
    ty: OptionType::Duration,
    required: false,
    default: "",
    doc: "Messages whose event time is further back than this when they are consumed have the fate `late`. Not set: none is late.",
}];

/// The source of that name.
pub fn find(name: &str) -> Option<&'static SourceDef> {
    SOURCES.iter().find(|def| def.name == name).copied()
}

/// Opens a source for that many workers; gives one reader per worker, or fewer where the source cannot be split.
/// `name` is the name of its declaration, for messages.
pub fn open(
    connector: &str,
    name: &str,
    options: &SourceOptions,
    workers: usize,
    start: StartPositions,
) -> Result<Vec<Box<dyn SourceReader>>, SourceError> {
    let Some(def) = find(connector) else {
        return Err(SourceError(format!("source `{name}` is of an unknown kind, `{connector}`")));
    };
    if let Some(missing) = def.options.iter().find(|def| def.required && !options.values.contains_key(def.name)) {
        return Err(SourceError(format!(
            "source `{name}` needs `{option}` ({doc}): give it in the declaration, `source {name} = {connector}({option}: …)`, \
             or in chalk.toml under [sources.{name}]",
            option = missing.name,
            doc = missing.doc.trim_end_matches('.'),
        )));
    }
    match connector {
        #[cfg(feature = "file")]
        "file" => file::open(name, options, &start),
        #[cfg(feature = "kafka")]
        "kafka" => kafka::open(name, options, workers, start),
        _ => {
            let _ = (workers, start);
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

    #[test]
    fn every_option_is_documented_and_its_default_is_one_of_its_values() {
        for def in SOURCES.iter().flat_map(|source| source.options).chain(COMMON_OPTIONS) {
            assert!(def.doc.ends_with('.'), "{}", def.name);
            if !def.default.is_empty() {
                def.ty.from_text(def.default).unwrap_or_else(|error| panic!("{}: {error}", def.name));
            }
        }
    }

    #[test]
    fn a_required_option_that_is_missing_is_named_with_the_places_where_it_may_stand() {
        let error = open("kafka", "orders", &SourceOptions::default(), 1, Arc::new(|_| None)).err().unwrap();
        assert!(error.to_string().contains("source `orders` needs `topic`"), "{error}");
        assert!(error.to_string().contains("[sources.orders]"), "{error}");
    }
}
