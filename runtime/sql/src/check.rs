//! What may stand in a query: one `select` over the one table, of functions whose value depends on their arguments alone.
//!
//! This is checked on the tree, because there every word has its place.
//!
//! This file must not know types or plans.

use std::ops::ControlFlow;

use datafusion::execution::SessionState;
use datafusion::logical_expr::Volatility;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, Query, Select, SelectItem, SetExpr, Spanned, Statement, TableFactor, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};

use crate::error::SqlError;
use crate::locate::{place, syntax_error};

/// Reads the query.
pub(crate) fn parse(query: &str) -> Result<Statement, SqlError> {
    let parsed = Parser::new(&GenericDialect {}).try_with_sql(query).and_then(|mut parser| parser.parse_statements());
    let mut statements = parsed.map_err(|error| match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => syntax_error(query, &message),
        ParserError::RecursionLimitExceeded => {
            SqlError::new("the query is nested too deeply", None).help("take it apart with `with name as (…)`")
        }
    })?;
    match (statements.pop(), statements.pop()) {
        (None, _) => Err(SqlError::new("there is no query here", None).help("write `select … from …`")),
        (Some(second), Some(_)) => {
            Err(SqlError::new("one query is wanted here, not several", place(query, second.span()))
                .help("leave the others out; `with name as (…)` names steps of one query"))
        }
        (Some(statement @ Statement::Query(_)), None) => Ok(statement),
        (Some(_), None) => Err(SqlError::new("only a `select` can stand here", Some(first_word(query)))
            .help("a resolver sets features with what its query gives, and changes nothing else")),
    }
}

fn first_word(query: &str) -> std::ops::Range<usize> {
    let start = query.len() - query.trim_start().len();
    let length = query[start..].find(|c: char| !c.is_alphanumeric()).unwrap_or(query.len() - start);
    start..start + length
}

/// Whether the query keeps to the table and to functions that always give the same.
pub(crate) fn check(query: &str, table: &str, statement: &Statement, state: &SessionState) -> Result<(), SqlError> {
    if let Some(error) = named_twice(query, statement) {
        return Err(error);
    }
    let mut check = Check { query, table, state, named: Vec::new() };
    match statement.visit(&mut check) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Check<'a> {
    query: &'a str,
    table: &'a str,
    state: &'a SessionState,
    /// Names that `with` gives; one that is known anywhere is not refused here, the planner knows where it holds.
    named: Vec<Ident>,
}

impl Check<'_> {
    fn error(&self, message: impl Into<String>, span: datafusion::sql::sqlparser::tokenizer::Span) -> SqlError {
        SqlError::new(message, place(self.query, span))
    }

    fn function(&self, name: &ObjectName) -> Result<(), SqlError> {
        let [part] = &name.0[..] else {
            return Err(self.error(format!("there is no function `{name}`"), name.span()));
        };
        let Some(ident) = part.as_ident() else { return Ok(()) };
        let lower = ident.value.to_lowercase();
        let (scalars, aggregates) = (self.state.scalar_functions(), self.state.aggregate_functions());
        let windows = self.state.window_functions();
        let volatility = scalars
            .get(&lower)
            .map(|function| function.signature().volatility)
            .or_else(|| aggregates.get(&lower).map(|function| function.signature().volatility))
            .or_else(|| windows.get(&lower).map(|function| function.signature().volatility));
        match volatility {
            // `version()` and its like are immutable within one process only.
            Some(Volatility::Immutable) if lower != "version" => Ok(()),
            Some(_) => Err(self
                .error(format!("`{lower}` does not always give the same"), ident.span)
                .help(match lower.as_str() {
                    "now" | "current_timestamp" | "current_date" | "current_time" | "today" => {
                        "the messages have times; the end of the window is no part of the query"
                    }
                    _ => "the result is a function of the window's messages: leave it out",
                })
                .not_deterministic()),
            // The planner takes some names apart itself, and knows those that it does not.
            None if matches!(lower.as_str(), "grouping" | "unnest") => Ok(()),
            None => {
                let mut known: Vec<String> =
                    scalars.keys().chain(aggregates.keys()).chain(windows.keys()).cloned().collect();
                known.sort();
                Err(self.error(format!("there is no function `{}`", ident.value), ident.span).names(&lower, known))
            }
        }
    }
}

/// Two columns of the result with one name.
fn named_twice(query: &str, statement: &Statement) -> Option<SqlError> {
    let Statement::Query(whole) = statement else { return None };
    let SetExpr::Select(select) = &*whole.body else { return None };
    let mut names: Vec<&Ident> = Vec::new();
    for item in &select.projection {
        let name = match item {
            SelectItem::ExprWithAlias { alias, .. } => alias,
            SelectItem::UnnamedExpr(Expr::Identifier(name)) => name,
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last()?,
            _ => continue,
        };
        if names.iter().any(|other| other.value == name.value) {
            let error = SqlError::new(format!("two columns are called `{}`", name.value), place(query, name.span));
            return Some(error.help("leave one of them out, or give it another name"));
        }
        names.push(name);
    }
    None
}

impl Visitor for Check<'_> {
    type Break = SqlError;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<SqlError> {
        if let Some(with) = &query.with {
            if with.recursive {
                let error = self.error("a recursive `with` may never end", with.with_token.0.span);
                return ControlFlow::Break(error.help("leave `recursive` out"));
            }
            for step in &with.cte_tables {
                if step.alias.name.value == self.table {
                    let error =
                        self.error(format!("`{}` names the messages already", self.table), step.alias.name.span);
                    return ControlFlow::Break(error.help("give this step another name"));
                }
                self.named.push(step.alias.name.clone());
            }
        }
        if !query.locks.is_empty() {
            return ControlFlow::Break(self.error("there is nothing to lock here", query.span()));
        }
        match &*query.body {
            SetExpr::Insert(other) | SetExpr::Update(other) | SetExpr::Delete(other) | SetExpr::Merge(other) => {
                ControlFlow::Break(self.error("only a `select` can stand here", other.span()))
            }
            SetExpr::Table(_) => ControlFlow::Break(self.error("write `select … from …` here", query.span())),
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<SqlError> {
        match &select.into {
            Some(into) => ControlFlow::Break(self.error("a query only reads", into.span())),
            None => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<SqlError> {
        match factor {
            TableFactor::Table { name, args: Some(_), .. } => ControlFlow::Break(
                self.error(format!("`{name}` is a function, and a query reads the messages alone"), name.span())
                    .help(format!("write `from {}`", self.table)),
            ),
            TableFactor::Table { sample: Some(_), name, .. } => ControlFlow::Break(
                self.error("a sample of the messages is not always the same", name.span()).not_deterministic(),
            ),
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<SqlError> {
        let name = match &relation.0[..] {
            [part] => part.as_ident().map(|ident| ident.value.as_str()),
            _ => None,
        };
        match name {
            Some(name) if name == self.table || self.named.iter().any(|named| named.value == name) => {
                ControlFlow::Continue(())
            }
            _ => {
                let mut known: Vec<String> = vec![self.table.to_owned()];
                known.extend(self.named.iter().map(|named| named.value.clone()));
                let written = relation.to_string();
                let at = place(self.query, relation.span())
                    .or_else(|| self.query.find(&written).map(|start| start..start + written.len()));
                let error = SqlError::new(format!("there is no table `{written}`"), at)
                    .help(format!("the messages of the window are `{}`, after the parameter", self.table));
                ControlFlow::Break(match name {
                    Some(name) => error.names(name, known),
                    None => error,
                })
            }
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<SqlError> {
        match expr {
            Expr::Function(function) => match self.function(&function.name) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(error),
            },
            _ => ControlFlow::Continue(()),
        }
    }
}
