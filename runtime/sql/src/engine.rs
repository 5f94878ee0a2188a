//! The query engine as it is set up here: one table, one partition, no files, no spilling, nothing that knows the time.
//!
//! Names are as they are written, because fields of messages are; names of functions are not case-sensitive.
//!
//! This file must not know what is planned or run.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::MemTable;
use datafusion::common::TableReference;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder, SessionStateDefaults};
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::sums::exact_sum;

/// Rows of a batch. Sums of floats depend on where batches are cut, so this is part of what a query means.
pub(crate) const BATCH_ROWS: usize = 8192;

/// Planning descends into the query, so the thread that plans has room for deep ones.
const STACK_BYTES: usize = 16 << 20;

/// A session that knows the table.
pub(crate) fn session(table: &str, schema: SchemaRef, batches: Vec<RecordBatch>) -> Result<SessionState> {
    let mut config = SessionConfig::new()
        .with_target_partitions(1)
        .with_batch_size(BATCH_ROWS)
        .with_collect_statistics(false)
        .with_information_schema(false);
    let options = config.options_mut();
    options.sql_parser.enable_ident_normalization = false;
    options.sql_parser.collect_spans = true;
    options.execution.time_zone = Some("UTC".to_owned());
    options.execution.planning_concurrency = 1;
    let no_disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    let mut aggregates = SessionStateDefaults::default_aggregate_functions();
    // The later of two functions of one name stands.
    aggregates.push(exact_sum());
    let state = SessionStateBuilder::new()
        .with_session_id(String::new())
        .with_config(config)
        .with_runtime_env(Arc::new(RuntimeEnvBuilder::new().with_disk_manager_builder(no_disk).build()?))
        .with_expr_planners(SessionStateDefaults::default_expr_planners())
        .with_scalar_functions(SessionStateDefaults::default_scalar_functions())
        .with_aggregate_functions(aggregates)
        .with_window_functions(SessionStateDefaults::default_window_functions())
        .build();
    let context = SessionContext::new_with_state(state);
    let messages = MemTable::try_new(schema, vec![batches])?;
    context.register_table(TableReference::bare(table), Arc::new(messages))?;
    Ok(context.state())
}

/// Runs the work on a thread of its own with a runtime of its own: whoever asks may stand in another runtime, or deep in a stack.
pub(crate) fn on_own_thread<T: Send>(work: impl AsyncFnOnce() -> T + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
            Ok(runtime.block_on(work()))
        };
        let thread = std::thread::Builder::new()
            .name("sql".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, run)
            .map_err(|error| format!("no thread for the query: {error}"))?;
        thread.join().map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            format!("the query engine gave up: {}", text.unwrap_or("it did not say why"))
        })?
    })
}

/// What an error says, without traces, places and lists: the first line.
pub(crate) fn message_of(error: &DataFusionError) -> String {
    let text = error.find_root().strip_backtrace();
    let mut text = text.as_str();
    for prefix in [
        "Error during planning: ",
        "This feature is not implemented: ",
        "SQL error: ",
        "Schema error: ",
        "Execution error: ",
        "Arrow error: ",
    ] {
        text = text.strip_prefix(prefix).unwrap_or(text);
    }
    let line = text.trim().lines().next().unwrap_or_default();
    // What follows is said by the help, or is no help.
    let said = ["No function matches", "You might need to add", "While expanding wildcard", "Consider aliasing"];
    let end = said.iter().filter_map(|phrase| line.find(phrase)).min().unwrap_or(line.len());
    line[..end].trim_end_matches([' ', ':', '.']).to_owned()
}

/// The next step, where an error says one.
pub(crate) fn help_of(error: &DataFusionError) -> Option<String> {
    let text = error.find_root().strip_backtrace();
    let (_, candidates) = text.split_once("Candidate functions:")?;
    let candidates: Vec<String> =
        candidates.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| format!("`{line}`")).collect();
    (!candidates.is_empty()).then(|| format!("there is {}", candidates.join(", ")))
}
