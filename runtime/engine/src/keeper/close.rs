//! Tumbling windows that are over: folded over partitions, computed key by key, handed out as rows.
//!
//! While a window is run no message of its resolver is judged, so each message is in the window's rows or late, never both or neither.
//!
//! This file must not know stores.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::Schema;
use chalk_artifact::abi::status;
use chalk_artifact::manifest::{FeatureClass, KernelInput, SqlWindow, WindowClose};
use chalk_catalog::event::{EventColumn, EventData};
use chalk_catalog::{ColumnBuilder, ColumnViews};
use chalk_decode::Tier;
use chalk_state::Folded;
use chalk_types::{Type, Value, arrow_field};

use super::log::LogWriter;
use super::resolver::Tumbling;
use super::tables::Cell;
use super::{Closed, Keeper};
use crate::runner::Runner;
use crate::values::batch_of_values;

/// Keys that are computed and handed out together.
const CLOSE_ROWS: usize = 4096;

impl Keeper {
    /// Runs all windows that end at or before `until_us`.
    pub(super) fn close_until(
        &self,
        resolver: usize,
        until_us: i64,
        log: &mut Vec<u8>,
        emit: &mut dyn FnMut(Closed),
    ) -> Result<(), String> {
        let state = &self.resolvers[resolver];
        let Some(tumbling) = &state.tumbling else { return Ok(()) };
        let windows = self.over(tumbling, until_us);
        let mut clock = tumbling.clock.lock().expect("nobody panicked at this clock");
        if windows.is_empty() {
            // Nothing that a message could still get into: only windows that have run need to be remembered.
            return Ok(());
        }
        clock.close(until_us, until_us.saturating_add(tumbling.allowed_lateness_us));
        drop(clock);
        LogWriter { log, payload: &mut Vec::new() }.closed(state.number, until_us);
        for (end_us, window, start_us) in windows {
            self.run_window(resolver, tumbling, window, start_us, end_us, emit)?;
        }
        Ok(())
    }

    /// Forgets windows that have run: what a replay does.
    pub(super) fn forget_until(&self, tumbling: &Tumbling, until_us: i64) {
        for (_, window, start_us) in self.over(tumbling, until_us) {
            for cell in self.tables[tumbling.aggregation].all() {
                if self.is_of_messages(tumbling) {
                    cell.lock().close_messages(window, start_us);
                } else {
                    cell.lock().close(window, start_us, &mut |_, _| {});
                }
            }
        }
    }

    /// Windows with events that end at or before that: (end, position of the length, start), in order.
    fn over(&self, tumbling: &Tumbling, until_us: i64) -> BTreeSet<(i64, usize, i64)> {
        let mut windows = BTreeSet::new();
        self.tables[tumbling.aggregation].for_each(|cell| {
            for (window, start_us) in cell.lock().open_windows() {
                let end_us = start_us.saturating_add(tumbling.windows_us[window]);
                if end_us <= until_us {
                    windows.insert((end_us, window, start_us));
                }
            }
        });
        windows
    }

    /// The end of the last window with events that ends at or before that.
    pub(super) fn last_end_us(&self, tumbling: &Tumbling, until_us: i64) -> Option<i64> {
        self.over(tumbling, until_us).last().map(|(end_us, _, _)| *end_us)
    }

    fn is_of_messages(&self, tumbling: &Tumbling) -> bool {
        use chalk_artifact::manifest::AggregationKind;
        let plan = self.tables[tumbling.aggregation].layout().plan();
        matches!(plan.kind, AggregationKind::Messages { .. })
    }

    fn run_window(
        &self,
        resolver: usize,
        tumbling: &Tumbling,
        window: usize,
        start_us: i64,
        end_us: i64,
        emit: &mut dyn FnMut(Closed),
    ) -> Result<(), String> {
        let manifest = self.program.manifest();
        let plan = &manifest.resolvers[resolver];
        let Some(windowed) = &plan.window else { return Ok(()) };
        let class = &manifest.classes[plan.class as usize];
        let cells = self.tables[tumbling.aggregation].all();
        let empty = |features: &[u32], types: &[Type]| Closed {
            resolver,
            window_us: tumbling.windows_us[window],
            start_us,
            end_us,
            features: features.to_vec(),
            types: types.to_vec(),
            batch: RecordBatch::new_empty(schema(class, features, types)),
            failures: Vec::new(),
        };
        if let Some(sql) = &windowed.sql {
            let features = &sql.outputs[window];
            let types: Vec<Type> =
                features.iter().map(|feature| class.features[*feature as usize].ty.clone()).collect();
            let mut closed = empty(features, &types);
            match self.run_sql(class, sql, features, &cells, window, start_us) {
                Ok(rows) => closed.batch = batch_of_values(&schema(class, features, &types), &types, &rows),
                Err(error) => closed.failures.push((Value::Null, error)),
            }
            emit(closed);
            return Ok(());
        }
        let close = windowed.closes.iter().find(|close| close.window_us == tumbling.windows_us[window]);
        let Some(close) = close else { return Ok(()) };
        let keys = self.fold_window(tumbling, &cells, class, window, start_us);
        let types = &manifest.kernels[close.kernel as usize].outputs;
        let mut runner = Runner::new(&self.program, close.kernel, Tier::Scalar).map_err(|error| error.to_string())?;
        for keys in keys.chunks(CLOSE_ROWS) {
            let mut closed = empty(&close.outputs, types);
            self.compute(&mut runner, class, close, keys, end_us, &mut closed);
            emit(closed);
        }
        Ok(())
    }

    /// Takes a window out of all tables: per key its partials over partitions, keys in order.
    fn fold_window(
        &self,
        tumbling: &Tumbling,
        cells: &[Arc<Cell>],
        class: &FeatureClass,
        window: usize,
        start_us: i64,
    ) -> Vec<(Value, Folded)> {
        let layout = self.tables[tumbling.aggregation].layout();
        let key_type = &class.features[class.primary_key as usize].ty;
        let mut keys: BTreeMap<Vec<u8>, (Value, Folded)> = BTreeMap::new();
        for cell in cells {
            cell.lock().close(window, start_us, &mut |key, partials| {
                let (_, folded) =
                    keys.entry(order_of(key, 0)).or_insert_with(|| (key.value(key_type, 0), Folded::new(layout)));
                folded.merge(partials);
            });
        }
        keys.into_values().collect()
    }

    fn compute(
        &self,
        runner: &mut Runner,
        class: &FeatureClass,
        close: &WindowClose,
        keys: &[(Value, Folded)],
        end_us: i64,
        closed: &mut Closed,
    ) {
        let manifest = self.program.manifest();
        let inputs = &manifest.kernels[close.kernel as usize].inputs;
        let mut columns: Vec<ColumnBuilder> = inputs
            .iter()
            .map(|input| match input {
                KernelInput::Aggregate(value) => ColumnBuilder::new(&class.aggregates[*value as usize].ty),
                _ => ColumnBuilder::new(&class.features[class.primary_key as usize].ty.to_optional()),
            })
            .collect();
        let mut computed = Vec::with_capacity(keys.len());
        for (key, folded) in keys {
            let values: Result<Vec<Value>, String> = inputs
                .iter()
                .map(|input| match input {
                    KernelInput::Aggregate(value) => folded.finish(class.aggregates[*value as usize].leaf as usize),
                    _ => Ok(key.clone()),
                })
                .collect();
            match values {
                Ok(values) => {
                    columns.iter_mut().zip(&values).for_each(|(column, value)| column.push_value(value));
                    computed.push(key);
                }
                Err(error) => closed.failures.push((key.clone(), error)),
            }
        }
        runner.begin(end_us);
        let held: Vec<ColumnViews> = columns.iter().map(ColumnBuilder::views).collect();
        let views: Vec<_> = held.iter().map(|views| *views.root()).collect();
        let mut statuses = vec![status::LIVE; computed.len()];
        let rows = runner.call(close.kernel, &views, &mut statuses);
        closed.failures.extend(runner.take_errors().map(|error| (computed[error.row].clone(), error.reason)));
        closed.batch = batch_of(class, &closed.features, &closed.types, runner.finish(rows), rows);
    }

    fn run_sql(
        &self,
        class: &FeatureClass,
        sql: &SqlWindow,
        features: &[u32],
        cells: &[Arc<Cell>],
        window: usize,
        start_us: i64,
    ) -> Result<Vec<Vec<Value>>, String> {
        let runner = self.options.sql.as_ref().ok_or("this runtime was built without SQL")?;
        let messages: Vec<_> = cells.iter().map(|cell| cell.lock().close_messages(window, start_us)).collect();
        let messages: Vec<_> = messages.iter().filter(|batch| !batch.is_empty()).collect();
        let mut rows = runner.run(sql, &messages)?;
        let key_at = features.iter().position(|feature| *feature == class.primary_key);
        let key_at = key_at.ok_or("the query's result has no primary key")?;
        let key_kind = &class.features[class.primary_key as usize].ty.kind;
        if rows.iter().any(|row| row[key_at].is_null()) {
            return Err("the query gave a row whose primary key is null".to_owned());
        }
        let order = |row: &Vec<Value>| {
            let mut key = EventColumn::new(key_kind);
            key.push(key_kind, &row[key_at]);
            order_of(&key, 0)
        };
        rows.sort_by_cached_key(order);
        Ok(rows)
    }
}

/// Bytes that order keys: numbers by size, texts by their bytes.
pub(crate) fn order_of(key: &EventColumn, row: usize) -> Vec<u8> {
    match &key.data {
        EventData::Words(words) => (words[row] ^ 1 << 63).to_be_bytes().to_vec(),
        EventData::Bytes { .. } => key.bytes(row).to_vec(),
    }
}

fn schema(class: &FeatureClass, features: &[u32], types: &[Type]) -> Arc<Schema> {
    let field = |(feature, ty): (&u32, &Type)| arrow_field(&class.features[*feature as usize].fqn, ty);
    Arc::new(Schema::new(features.iter().zip(types).map(field).collect::<Vec<_>>()))
}

fn batch_of(
    class: &FeatureClass,
    features: &[u32],
    types: &[Type],
    columns: Vec<ArrayRef>,
    rows: usize,
) -> RecordBatch {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema(class, features, types), columns, &options)
        .expect("columns have the types that the manifest states")
}
