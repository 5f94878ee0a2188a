//! What a program says about itself, from the checked form to the one that the runtime reads.
//!
//! This file must not know code.

use chalk_artifact::manifest::{Feature, FeatureClass, FeatureWindow, Source};
use chalk_hir::program;

/// A source.
pub(crate) fn source(source: &program::Source) -> Source {
    Source {
        name: source.name.clone(),
        connector: source.connector.clone(),
        options: source.options.clone(),
        late_arrival_deadline_us: source.late_arrival_deadline_us,
    }
}

/// A feature class, without its expression kernel.
pub(crate) fn class(class: &program::FeatureClass) -> FeatureClass {
    FeatureClass {
        name: class.name.clone(),
        namespace: class.namespace.clone(),
        description: class.doc.description.clone(),
        metadata: class.doc.metadata.clone(),
        max_staleness_us: class.max_staleness_us,
        etl_offline_to_online: class.etl_offline_to_online,
        primary_key: class.primary_key as u32,
        time: class.time.map(|time| time as u32),
        features: class.features.iter().map(feature).collect(),
        aggregates: Vec::new(),
        links: Vec::new(),
        expressions: None,
    }
}

fn feature(feature: &program::Feature) -> Feature {
    Feature {
        name: feature.name.clone(),
        fqn: feature.fqn.clone(),
        ty: feature.ty.clone(),
        description: feature.doc.description.clone(),
        metadata: feature.doc.metadata.clone(),
        max_staleness_us: feature.max_staleness_us,
        is_expression: feature.expression.is_some(),
        window: feature
            .window
            .as_ref()
            .map(|window| FeatureWindow { feature: window.feature.clone(), duration_us: window.duration_us }),
    }
}
