//! What a program says about itself, from the checked form to the one that the runtime reads.
//!
//! This file must not know code.

use chalk_artifact::manifest::{
    AggregateValue, Aggregation, AggregationKind, Dedup, EventColumnPlan, Feature, FeatureClass, FeatureWindow, Leaf,
    Source, SqlWindow,
};
use chalk_diagnostics::{SourceMap, Span};
use chalk_hir::program::{self, Program};

use crate::tables::shorten;

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
pub(crate) fn class(program: &Program, class: &program::FeatureClass) -> FeatureClass {
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
        aggregates: class.aggregates.iter().map(|value| aggregate_value(program, value)).collect(),
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

/// All aggregations.
pub(crate) fn aggregations(program: &Program, sources: &SourceMap) -> Vec<Aggregation> {
    program.aggregations.iter().map(|aggregation| self::aggregation(program, aggregation, sources)).collect()
}

fn aggregation(program: &Program, aggregation: &program::Aggregation, sources: &SourceMap) -> Aggregation {
    let class = &program.classes[aggregation.class];
    let column = |column: &program::EventColumn| EventColumnPlan {
        source: text_of(column.span, sources),
        ty: column.ty.clone(),
    };
    let leaf = |leaf: &program::Leaf| Leaf {
        aggregate: leaf.aggregate.signature.to_owned(),
        params: leaf.call.params.clone(),
        filter: leaf.filter.map(|column| column as u32),
        args: leaf.args.iter().map(|column| *column as u32).collect(),
        arg_types: leaf.call.args.clone(),
        ty: leaf.call.result.clone(),
    };
    Aggregation {
        name: aggregation.name.clone(),
        class: aggregation.class as u32,
        key: class.features[class.primary_key].ty.clone(),
        columns: aggregation.columns.iter().map(column).collect(),
        leaves: aggregation.leaves.iter().map(leaf).collect(),
        kind: aggregation.kind.clone(),
    }
}

fn text_of(span: Span, sources: &SourceMap) -> String {
    sources.get(span.file).and_then(|file| file.text().get(span.range())).map_or_else(String::new, shorten)
}

fn aggregate_value(program: &Program, value: &program::AggregateValue) -> AggregateValue {
    let aggregation = &program.aggregations[value.aggregation];
    let window = match (&aggregation.kind, value.window_us) {
        (AggregationKind::Total, None) => Some(0),
        (AggregationKind::Continuous(buckets) | AggregationKind::Materialized(buckets), Some(window_us)) => {
            buckets.windows.iter().position(|window| window.duration_us == window_us)
        }
        (
            AggregationKind::Tumbling { windows_us, .. } | AggregationKind::Messages { windows_us, .. },
            Some(window_us),
        ) => windows_us.iter().position(|known| *known == window_us),
        _ => None,
    };
    AggregateValue {
        aggregation: value.aggregation as u32,
        leaf: value.leaf as u32,
        window: window.expect("an aggregate is over a window of its aggregation") as u32,
        ty: aggregation.leaves[value.leaf].call.result.clone(),
    }
}

/// A dedup clause.
pub(crate) fn dedup(dedup: &program::Dedup) -> Dedup {
    Dedup { key: dedup.key.ty.clone(), within_us: dedup.within_us }
}

/// A query over a window's messages.
pub(crate) fn sql(sql: &program::SqlWindow) -> SqlWindow {
    let outputs = |features: &Vec<usize>| features.iter().map(|feature| *feature as u32).collect();
    SqlWindow {
        query: sql.query.clone(),
        table: sql.table.clone(),
        columns: sql.columns.clone(),
        results: sql.results.clone(),
        key: sql.key as u32,
        outputs: sql.outputs.iter().map(outputs).collect(),
    }
}
