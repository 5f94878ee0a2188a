//! Tumbling windows that are over: folded over partitions, computed key by key, handed out as rows.
//!
//! While a window is run no message of its resolver is judged, so each message is in the window's rows or late, never both or neither.
//!
//! This file must not know stores.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::Schema;
use chalk_artifact::abi::status;
use chalk_artifact::manifest::{FeatureClass, KernelInput, SqlWindow, WindowClose};
use chalk_catalog::event::{EventColumn, EventData};
use chalk_catalog::{ColumnBuilder, ColumnViews};
use chalk_decode::Tier;
use chalk_state::ClosedWindow;
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
        let mut unread = ClosedWindow::new(self.tables[tumbling.aggregation].layout());
        for (_, window, start_us) in self.over(tumbling, until_us) {
            for cell in self.tables[tumbling.aggregation].all() {
                if self.is_of_messages(tumbling) {
                    cell.lock().close_messages(window, start_us);
                } else {
                    unread.clear();
                    cell.lock().close(window, start_us, &mut unread);
                }
            }
        }
    }

    /// Windows with events that end at or before that: (end, position of the length, start), in order.
    fn over(&self, tumbling: &Tumbling, until_us: i64) -> BTreeSet<(i64, usize, i64)> {
        let mut windows = BTreeSet::new();
        self.tables[tumbling.aggregation].for_each(|cell| {
            for (window, start_us) in cell.lock().open_windows(until_us) {
                let end_us = start_us.saturating_add(tumbling.windows_us[window]);
                windows.insert((end_us, window, start_us));
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
        let keys = self.fold_window(tumbling, &cells, window, start_us);
        let types = &manifest.kernels[close.kernel as usize].outputs;
        let mut runner = Runner::new(&self.program, close.kernel, Tier::Scalar).map_err(|error| error.to_string())?;
        for first in (0..keys.len()).step_by(CLOSE_ROWS) {
            let rows = first..(first + CLOSE_ROWS).min(keys.len());
            let mut closed = empty(&close.outputs, types);
            self.compute(&mut runner, class, close, &keys, rows, end_us, &mut closed);
            emit(closed);
        }
        Ok(())
    }

    /// Takes a window out of all tables: per key its partials over partitions, keys in order.
    fn fold_window(&self, tumbling: &Tumbling, cells: &[Arc<Cell>], window: usize, start_us: i64) -> ClosedWindow {
        let layout = self.tables[tumbling.aggregation].layout();
        let parts = cells.iter().map(|cell| {
            let mut part = ClosedWindow::new(layout);
            cell.lock().close(window, start_us, &mut part);
            part
        });
        ClosedWindow::merge(layout, parts.collect())
    }

    fn compute(
        &self,
        runner: &mut Runner,
        class: &FeatureClass,
        close: &WindowClose,
        keys: &ClosedWindow,
        rows: Range<usize>,
        end_us: i64,
        closed: &mut Closed,
    ) {
        let manifest = self.program.manifest();
        let inputs = &manifest.kernels[close.kernel as usize].inputs;
        let key_type = &class.features[class.primary_key as usize].ty;
        let key = |row: usize| keys.keys().value(key_type, row);
        let mut rows: Vec<usize> = rows.collect();
        let columns = |rows: &[usize], failed: &mut Vec<(usize, String)>| -> Vec<ColumnBuilder> {
            let column = |input: &KernelInput| match input {
                KernelInput::Aggregate(value) => {
                    let aggregate = &class.aggregates[*value as usize];
                    let mut column = ColumnBuilder::new(&aggregate.ty);
                    keys.finish_column(aggregate.leaf as usize, rows, &mut column, failed);
                    column
                }
                _ => {
                    let mut column = ColumnBuilder::new(&key_type.to_optional());
                    rows.iter().for_each(|row| column.push_value(&key(*row)));
                    column
                }
            };
            inputs.iter().map(column).collect()
        };
        let mut failed = Vec::new();
        let mut held = columns(&rows, &mut failed);
        if !failed.is_empty() {
            // Of a key the first aggregate that failed is told; the others are computed without it.
            failed.sort_by_key(|(position, _)| *position);
            failed.dedup_by_key(|(position, _)| *position);
            let mut left = failed.iter().map(|(position, _)| *position).peekable();
            let good = rows.iter().enumerate().filter(|(position, _)| left.next_if_eq(position).is_none());
            let good = good.map(|(_, row)| *row).collect();
            let all = std::mem::replace(&mut rows, good);
            closed.failures.extend(failed.into_iter().map(|(position, error)| (key(all[position]), error)));
            held = columns(&rows, &mut Vec::new());
        }
        runner.begin(end_us);
        let held: Vec<ColumnViews> = held.iter().map(ColumnBuilder::views).collect();
        let views: Vec<_> = held.iter().map(|views| *views.root()).collect();
        let mut statuses = vec![status::LIVE; rows.len()];
        let computed = runner.call(close.kernel, &views, &mut statuses);
        closed.failures.extend(runner.take_errors().map(|error| (key(rows[error.row]), error.reason)));
        closed.batch = batch_of(class, &closed.features, &closed.types, runner.finish(computed), computed);
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
