//! Planning a query for the compiler: what it gives, and what it reads.
//!
//! A column that `where` shows not to be null counts as not null, because a key must not be.
//!
//! This file must not know features, or where the query stands in a file.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use chalk_types::Type;
use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::common::TableReference;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::SessionState;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::sql::parser::Statement as EngineStatement;
use datafusion::sql::sqlparser::ast::{SelectItem, SetExpr, Spanned, Statement};

use crate::check::{check, parse};
use crate::columns::{field, is_readable, type_of};
use crate::engine::{message_of, on_own_thread, session};
use crate::error::SqlError;
use crate::locate::{identifier, place, plan_error};

/// A query that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedQuery {
    /// Columns of the result, in order.
    pub columns: Vec<PlannedColumn>,
    /// Positions of the table's columns that it reads, ascending: a table of these alone is enough to run it.
    pub reads: Vec<usize>,
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Where it is named in the query, in bytes; none where that is not known.
    pub at: Option<Range<usize>>,
}

/// Plans a query over a table of messages: name and type of each column.
pub fn plan(query: &str, table: &str, columns: &[(String, Type)]) -> Result<PlannedQuery, SqlError> {
    on_own_thread(async || plan_here(query, table, columns).await)
        .unwrap_or_else(|message| Err(SqlError::new(message, None)))
}

async fn plan_here(query: &str, table: &str, columns: &[(String, Type)]) -> Result<PlannedQuery, SqlError> {
    let statement = parse(query)?;
    let fields: Vec<Field> = columns.iter().map(|(name, ty)| field(name, ty)).collect();
    let unplaced = |error: DataFusionError| SqlError::new(message_of(&error), None);
    let schema = Arc::new(Schema::new(fields.clone()));
    let state = session(table, Arc::clone(&schema), Vec::new()).map_err(unplaced)?;
    check(query, table, &statement, &state)?;
    let table_schema = DFSchema::try_from_qualified_schema(TableReference::bare(table), &schema).map_err(unplaced)?;
    let refused = |error: DataFusionError| plan_error(query, table, &statement, &state, &table_schema, &error);
    let logical = to_logical(&state, &statement).await.map_err(refused)?;
    analyzed(&state, &logical).map_err(refused)?;
    // Some constructs can be planned, and not run.
    state.create_physical_plan(&logical).await.map_err(refused)?;

    let reads = columns_read(&logical, columns).map_err(unplaced)?;
    if let Some(&nested) = reads.iter().find(|read| !is_readable(&columns[**read].1.kind)) {
        let (name, ty) = &columns[nested];
        return Err(SqlError::new(
            format!("a query cannot read `{name}`, a `{ty}`"),
            identifier(query, &statement, name),
        )
        .help("queries read single values: give the message a field for what is wanted of it"));
    }
    // As it is run: with the columns that it reads, and what `where` says of them.
    let not_null = shown_not_null(&logical, table).map_err(unplaced)?;
    let narrow: Vec<Field> = reads
        .iter()
        .map(|read| {
            let field = fields[*read].clone();
            if not_null.contains(field.name()) { field.with_nullable(false) } else { field }
        })
        .collect();
    let state = session(table, Arc::new(Schema::new(narrow)), Vec::new()).map_err(unplaced)?;
    let logical = to_logical(&state, &statement).await.map_err(unplaced)?;
    let typed = analyzed(&state, &logical).map_err(unplaced)?;
    let places = places(query, &statement, typed.schema().fields().len());
    let columns = typed.schema().fields().iter().zip(places).map(|(field, at)| match type_of(field) {
        Some(ty) => Ok(PlannedColumn { name: field.name().clone(), ty, at }),
        None => {
            let message = format!("the column `{}` is {}, and no feature can be that", field.name(), field.data_type());
            Err(SqlError::new(message, at)
                .help("convert it: `cast(… as bigint)`, `cast(… as double)`, `cast(… as text)`"))
        }
    });
    Ok(PlannedQuery { columns: columns.collect::<Result<_, _>>()?, reads })
}

/// The plan of a query, as it is written.
pub(crate) async fn to_logical(state: &SessionState, statement: &Statement) -> EngineResult<LogicalPlan> {
    state.statement_to_plan(EngineStatement::Statement(Box::new(statement.clone()))).await
}

fn analyzed(state: &SessionState, plan: &LogicalPlan) -> EngineResult<LogicalPlan> {
    state.analyzer().execute_and_check(plan.clone(), state.config_options(), |_, _| {})
}

/// Positions of the columns that the plan names. (A column of a subquery that nobody uses counts: the query is planned again over
/// these columns alone.)
fn columns_read(plan: &LogicalPlan, columns: &[(String, Type)]) -> EngineResult<Vec<usize>> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|part| {
                if let Expr::Column(Column { name, .. }) | Expr::OuterReferenceColumn(_, Column { name, .. }) = part {
                    names.insert(name.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        if let LogicalPlan::Join(join) = node {
            for (left, right) in &join.on {
                names.extend(
                    left.column_refs().into_iter().chain(right.column_refs()).map(|column| column.name.clone()),
                );
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok((0..columns.len()).filter(|position| names.contains(&columns[*position].0)).collect())
}

/// Columns that are not null wherever the query goes on: those of a condition `… is not null` right above the table, which is read once.
fn shown_not_null(plan: &LogicalPlan, table: &str) -> EngineResult<BTreeSet<String>> {
    let mut scans = 0;
    let mut found = BTreeSet::new();
    plan.apply_with_subqueries(|node| {
        match node {
            LogicalPlan::TableScan(scan) if scan.table_name.table() == table => scans += 1,
            LogicalPlan::Filter(filter) if is_table(&filter.input) => {
                for condition in split_conjunction(&filter.predicate) {
                    if let Expr::IsNotNull(value) = condition
                        && let Expr::Column(column) = &**value
                    {
                        found.insert(column.name.clone());
                    }
                }
            }
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(if scans == 1 { found } else { BTreeSet::new() })
}

fn is_table(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::TableScan(_) => true,
        LogicalPlan::SubqueryAlias(alias) => is_table(&alias.input),
        _ => false,
    }
}

/// Where each column of the result is named.
fn places(query: &str, statement: &Statement, columns: usize) -> Vec<Option<Range<usize>>> {
    let nowhere = vec![None; columns];
    let Statement::Query(whole) = statement else { return nowhere };
    let mut body = &*whole.body;
    let select = loop {
        match body {
            SetExpr::Select(select) => break select,
            SetExpr::Query(inner) => body = &inner.body,
            SetExpr::SetOperation { left, .. } => body = left,
            _ => return nowhere,
        }
    };
    let items: Vec<_> = select
        .projection
        .iter()
        .map(|item| match item {
            SelectItem::ExprWithAlias { alias, .. } => place(query, alias.span),
            SelectItem::UnnamedExpr(expr) => place(query, expr.span()),
            other => place(query, other.span()),
        })
        .collect();
    if items.len() == columns { items } else { nowhere }
}
