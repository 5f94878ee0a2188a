//! What is known at the end of the input: the last tumbling windows, and per key of a class with aggregates what a query gives.
//!
//! This file must not know formats.

use std::io;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use chalk_artifact::manifest::{AggregationKind, FeatureClass, Manifest};
use chalk_engine::values::batch_of_values;
use chalk_engine::{Closed, Session};
use chalk_types::{Type, Value, arrow_field};

/// Keys that are written together.
const BATCH_KEYS: usize = 1024;
/// Features that failed which are described; further ones are counted.
const DESCRIBED_FAILURES: usize = 10;

/// Who takes it.
pub trait FinalRows {
    /// A tumbling window that is over because its source is.
    fn closed(&mut self, closed: &Closed) -> io::Result<()>;

    /// All features of some keys of a class.
    fn rows(&mut self, class: &str, batch: &RecordBatch, types: &[Type]) -> io::Result<()>;

    /// A feature without a value.
    fn problem(&mut self, text: &str);
}

/// Runs the last windows, and queries every key at that time: if none is given, at the greatest event time.
pub fn write(session: &mut Session, at_us: Option<i64>, to: &mut dyn FinalRows) -> io::Result<()> {
    let mut result = Ok(());
    session.close_all(&mut |closed| {
        if result.is_ok() {
            result = to.closed(closed);
        }
    });
    result?;
    if let Some(at_us) = at_us.or(session.latest_event_us()) {
        session.set_now(at_us);
    }
    let program = Arc::clone(session.program());
    let manifest = program.manifest();
    let mut failures = 0;
    for (position, class) in manifest.classes.iter().enumerate() {
        if has_live_aggregates(manifest, class) {
            failures += write_class(session, position, class, to)?;
        }
    }
    if failures > DESCRIBED_FAILURES {
        to.problem(&format!("… and {} more features without a value", failures - DESCRIBED_FAILURES));
    }
    Ok(())
}

/// Whether a query of the class gives aggregates, other than those that tumbling windows have written.
fn has_live_aggregates(manifest: &Manifest, class: &FeatureClass) -> bool {
    class.aggregates.iter().any(|value| {
        let kind = &manifest.aggregations[value.aggregation as usize].kind;
        !matches!(kind, AggregationKind::Tumbling { .. } | AggregationKind::Messages { .. })
    })
}

fn write_class(
    session: &mut Session,
    position: usize,
    class: &FeatureClass,
    to: &mut dyn FinalRows,
) -> io::Result<usize> {
    let types: Vec<Type> = class.features.iter().map(|feature| feature.ty.to_optional()).collect();
    let fields: Vec<_> = class.features.iter().zip(&types).map(|(feature, ty)| arrow_field(&feature.fqn, ty)).collect();
    let schema = Arc::new(Schema::new(fields));
    let mut failures = 0;
    for keys in session.keys(position).chunks(BATCH_KEYS) {
        let mut rows = Vec::with_capacity(keys.len());
        for key in keys {
            let mut row = Vec::with_capacity(types.len());
            for (feature, value) in session.query(position, key) {
                row.push(value.unwrap_or_else(|reason| {
                    failures += 1;
                    if failures <= DESCRIBED_FAILURES {
                        to.problem(&format!("`{}` of {key:?}: {reason}", class.features[feature].fqn));
                    }
                    Value::Null
                }));
            }
            rows.push(row);
        }
        to.rows(&class.name, &batch_of_values(&schema, &types, &rows), &types)?;
    }
    Ok(failures)
}
