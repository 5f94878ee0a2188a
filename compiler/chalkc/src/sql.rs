//! The query engine of `sql` bodies, where this binary was built with it: it plans for the checker and runs for the engine.
//!
//! This file must not know what a query says.

use std::sync::Arc;

use chalk_engine::SqlRunner;
use chalk_hir::SqlPlanner;

/// The planner, for the checker.
pub fn planner() -> Option<&'static dyn SqlPlanner> {
    #[cfg(feature = "sql")]
    return Some(&planning::Planner);
    #[cfg(not(feature = "sql"))]
    None
}

/// The runner, for the engine.
pub fn runner() -> Option<Arc<dyn SqlRunner>> {
    #[cfg(feature = "sql")]
    return Some(Arc::new(chalk_sql::Runner));
    #[cfg(not(feature = "sql"))]
    None
}

#[cfg(feature = "sql")]
mod planning {
    use chalk_hir::{PlannedSql, SqlColumn, SqlError, SqlPlanner};
    use chalk_sql::{PlannedColumn, SqlErrorKind};
    use chalk_types::Type;

    pub(super) struct Planner;

    impl SqlPlanner for Planner {
        fn plan(&self, query: &str, table: &str, columns: &[(String, Type)]) -> Result<PlannedSql, SqlError> {
            let column = |PlannedColumn { name, ty, at }| SqlColumn { name, ty, at };
            match chalk_sql::plan(query, table, columns) {
                Ok(planned) => {
                    Ok(PlannedSql { columns: planned.columns.into_iter().map(column).collect(), reads: planned.reads })
                }
                Err(error) => Err(SqlError {
                    is_not_deterministic: error.kind == SqlErrorKind::NotDeterministic,
                    message: error.message,
                    at: error.at,
                    help: error.help,
                    names: error.names,
                }),
            }
        }
    }
}
