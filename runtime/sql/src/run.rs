//! Running a query over the messages of a window that is over.
//!
//! This file must not know when a window is over, or what becomes of the rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use chalk_artifact::manifest::SqlWindow;
use chalk_engine::SqlRunner;
use chalk_state::EventBatch;
use chalk_types::{Value, codec};
use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::physical_plan::collect;

use crate::check::parse;
use crate::columns::{Piece, array, field, values};
use crate::engine::{BATCH_ROWS, message_of, on_own_thread, session};
use crate::plan::to_logical;

/// Runs queries. It keeps nothing between them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Runner;

impl SqlRunner for Runner {
    fn run(&self, sql: &SqlWindow, messages: &[&EventBatch]) -> Result<Vec<Vec<Value>>, String> {
        let results = on_own_thread(async || {
            let schema =
                Arc::new(Schema::new(sql.columns.iter().map(|(name, ty)| field(name, ty)).collect::<Vec<_>>()));
            let batches = batches(sql, &schema, messages)?;
            results(sql, schema, batches).await.map_err(|error| message_of(&error))
        })??;
        rows(sql, &results)
    }
}

async fn results(sql: &SqlWindow, schema: SchemaRef, batches: Vec<RecordBatch>) -> EngineResult<Vec<RecordBatch>> {
    let state = session(&sql.table, schema, batches)?;
    let statement = parse(&sql.query).map_err(|error| DataFusionError::Plan(error.message))?;
    let plan = to_logical(&state, &statement).await?;
    let plan = state.create_physical_plan(&plan).await?;
    collect(plan, state.task_ctx()).await
}

/// The messages in batches of a size that does not depend on how they came.
fn batches(sql: &SqlWindow, schema: &SchemaRef, messages: &[&EventBatch]) -> Result<Vec<RecordBatch>, String> {
    let mut batches = Vec::new();
    // Which rows of which batches of events come next.
    let mut pieces: Vec<(&EventBatch, std::ops::Range<usize>)> = Vec::new();
    let mut size = 0;
    let mut finish = |pieces: &mut Vec<(&EventBatch, std::ops::Range<usize>)>, size: usize| {
        let arrays = sql.columns.iter().enumerate().map(|(position, (_, ty))| {
            let pieces: Vec<Piece<'_>> =
                pieces.iter().map(|(events, rows)| (&events.columns[position], rows.clone())).collect();
            array(&ty.kind, &pieces)
        });
        let options = RecordBatchOptions::new().with_row_count(Some(size));
        let batch = RecordBatch::try_new_with_options(Arc::clone(schema), arrays.collect(), &options);
        batches.push(batch.map_err(|error| error.to_string())?);
        pieces.clear();
        Ok::<(), String>(())
    };
    for events in messages {
        let mut from = 0;
        while from < events.len() {
            let to = events.len().min(from + BATCH_ROWS - size);
            pieces.push((events, from..to));
            size += to - from;
            from = to;
            if size == BATCH_ROWS {
                finish(&mut pieces, size)?;
                size = 0;
            }
        }
    }
    if size > 0 {
        finish(&mut pieces, size)?;
    }
    Ok(batches)
}

/// The rows of a result in the order of their keys' bytes, converted to the types of the features.
fn rows(sql: &SqlWindow, results: &[RecordBatch]) -> Result<Vec<Vec<Value>>, String> {
    let key = sql.key as usize;
    let mut rows: BTreeMap<Vec<u8>, Vec<Value>> = BTreeMap::new();
    for batch in results {
        let mut columns = Vec::with_capacity(sql.results.len());
        for ((name, ty), array) in sql.results.iter().zip(batch.columns()) {
            let column = values(array, ty).map_err(|error| format!("the column `{name}` of the result: {error}"))?;
            if !ty.nullable && column.iter().any(Value::is_null) {
                return Err(format!("the column `{name}` of the result is null, and `{ty}` is wanted"));
            }
            columns.push(column.into_iter());
        }
        for _ in 0..batch.num_rows() {
            let row: Vec<Value> = columns.iter_mut().filter_map(Iterator::next).collect();
            let mut bytes = Vec::new();
            codec::encode(&mut bytes, &sql.results[key].1.kind, &row[key]);
            if rows.insert(bytes, row).is_some() {
                return Err(format!("the result has two rows with the same `{}`; group by it", sql.results[key].0));
            }
        }
    }
    Ok(rows.into_values().collect())
}
