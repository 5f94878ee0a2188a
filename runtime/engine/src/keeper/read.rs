//! Aggregates of a key, asked for at any time: its partials folded over partitions.
//!
//! This file must not know expressions.

use chalk_artifact::manifest::AggregationKind;
use chalk_catalog::event::EventColumn;
use chalk_state::Folded;
use chalk_types::Value;

use super::Keeper;
use super::tables::ColdTable;

/// Memory of reads, kept from query to query.
#[derive(Default)]
pub struct ReadScratch {
    /// Per aggregation what is read of one table, and per window of it the fold.
    folds: Vec<Option<(Folded, Vec<Folded>)>>,
}

impl Keeper {
    /// What a class's aggregates (`FeatureClass::aggregates`) are for a key, as of now. Those of tumbling windows are null: they are known when
    /// their windows are over.
    pub fn aggregates(&self, class: usize, key: &Value, now_us: i64) -> Vec<Result<Value, String>> {
        self.aggregates_with(&mut ReadScratch::default(), class, key, now_us)
    }

    /// [`Keeper::aggregates`] with memory that is kept.
    pub fn aggregates_with(
        &self,
        scratch: &mut ReadScratch,
        class: usize,
        key: &Value,
        now_us: i64,
    ) -> Vec<Result<Value, String>> {
        let manifest = self.program.manifest();
        let class = &manifest.classes[class];
        let key_kind = &class.features[class.primary_key as usize].ty.kind;
        let mut values: Vec<Result<Value, String>> = vec![Ok(Value::Null); class.aggregates.len()];
        if class.aggregates.is_empty() {
            return values;
        }
        let mut key_column = EventColumn::new(key_kind);
        key_column.push(key_kind, key);
        for aggregation in 0..manifest.aggregations.len() {
            let windows: Vec<usize> = match &manifest.aggregations[aggregation].kind {
                AggregationKind::Tumbling { .. } | AggregationKind::Messages { .. } => continue,
                _ => {
                    let wanted = class.aggregates.iter().filter(|value| value.aggregation as usize == aggregation);
                    wanted.map(|value| value.window as usize).collect()
                }
            };
            if windows.is_empty() {
                continue;
            }
            let read = self.read_aggregation(scratch, aggregation, &windows, &key_column, now_us);
            for (value, wanted) in values.iter_mut().zip(&class.aggregates) {
                if wanted.aggregation as usize == aggregation {
                    *value = read.clone().and_then(|()| {
                        let Some((_, folds)) = &scratch.folds[aggregation] else { unreachable!("it was just read") };
                        folds[wanted.window as usize].finish(wanted.leaf as usize)
                    });
                }
            }
        }
        values
    }

    fn read_aggregation(
        &self,
        scratch: &mut ReadScratch,
        aggregation: usize,
        windows: &[usize],
        key: &EventColumn,
        now_us: i64,
    ) -> Result<(), String> {
        let tables = &self.tables[aggregation];
        if scratch.folds.len() <= aggregation {
            scratch.folds.resize_with(aggregation + 1, || None);
        }
        let (one, folds) = scratch.folds[aggregation].get_or_insert_with(|| (Folded::new(tables.layout()), Vec::new()));
        let count = windows.iter().max().map_or(0, |last| last + 1);
        folds.resize_with(folds.len().max(count), || Folded::new(tables.layout()));
        folds.iter_mut().for_each(Folded::clear);
        let mut distinct = windows.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        for cell in tables.all() {
            let cold = ColdTable::of(self.options.cold.as_ref(), &cell.id);
            let cold = cold.as_ref().map(|cold| cold as &dyn chalk_state::ColdStore);
            let mut table = cell.read();
            for window in &distinct {
                one.clear();
                if table.read(key, 0, *window, now_us, one, cold)? {
                    folds[*window].merge(one);
                } else {
                    break;
                }
            }
        }
        Ok(())
    }
}
