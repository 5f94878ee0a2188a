//! Where a mistake stands in the text of a query.
//!
//! The engine says lines and columns, of some mistakes; of others it says nothing. Those are found by asking again for each expression of the
//! query alone, the innermost first: the first that cannot be typed is the place.
//!
//! This file must not know what is allowed in a query.

use std::ops::{ControlFlow, Range};

use datafusion::common::{DFSchema, SchemaError};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::ExprSchemable;
use datafusion::sql::sqlparser::ast::{Expr, ExprWithAlias, Ident, Spanned, Statement, Visit, Visitor};
use datafusion::sql::sqlparser::tokenizer::{Location, Span};

use crate::engine::{help_of, message_of};
use crate::error::SqlError;

/// The byte at a line and column, both from 1; a column counts code points.
fn byte_at(query: &str, line: u64, column: u64) -> Option<usize> {
    let line = usize::try_from(line.checked_sub(1)?).ok()?;
    let column = usize::try_from(column.checked_sub(1)?).ok()?;
    let start: usize = query.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = query.get(start..)?;
    let text = rest.split('\n').next().unwrap_or(rest);
    Some(start + text.char_indices().nth(column).map_or(text.len(), |(at, _)| at))
}

fn bytes(query: &str, start: (u64, u64), end: (u64, u64)) -> Option<Range<usize>> {
    let start = byte_at(query, start.0, start.1)?;
    let end = byte_at(query, end.0, end.1)?;
    Some(start..end.max(start))
}

/// The bytes of a part of the tree.
pub(crate) fn place(query: &str, span: Span) -> Option<Range<usize>> {
    let pair = |location: Location| (location.line, location.column);
    bytes(query, pair(span.start), pair(span.end)).filter(|range| !range.is_empty())
}

/// A text that is no SQL: the parser's message ends in the place.
pub(crate) fn syntax_error(query: &str, message: &str) -> SqlError {
    let (text, place) = match message.rsplit_once(" at Line: ") {
        Some((text, place)) => (text, place.split_once(", Column: ")),
        None => (message, None),
    };
    let at = place.and_then(|(line, column)| {
        let start = byte_at(query, line.trim().parse().ok()?, column.trim().parse().ok()?)?;
        Some(start..start + word_length(&query[start..]))
    });
    // A query that ends too early.
    let at = at.or_else(|| text.ends_with("found: EOF").then(|| query.trim_end().len()..query.trim_end().len()));
    let text = text.strip_suffix("found: EOF").map_or(text.to_owned(), |text| format!("{text}found: the end"));
    SqlError::new(text, at)
}

/// The length of the word, or else of the character, that the text begins with.
fn word_length(text: &str) -> usize {
    let word = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    if word > 0 { word } else { text.chars().next().map_or(0, char::len_utf8) }
}

/// A query that the planner refuses.
pub(crate) fn plan_error(
    query: &str,
    table: &str,
    statement: &Statement,
    state: &SessionState,
    schema: &DFSchema,
    error: &DataFusionError,
) -> SqlError {
    let said = error.diagnostic().and_then(|diagnostic| diagnostic.span);
    let said = said.and_then(|span| {
        bytes(query, (span.start.line, span.start.column), (span.end.line, span.end.column))
            .filter(|range| !range.is_empty())
    });
    if let DataFusionError::SchemaError(schema_error, _) = error.find_root()
        && let SchemaError::FieldNotFound { field, valid_fields } = &**schema_error
    {
        let known = valid_fields.iter().map(|known| known.name.clone()).collect();
        let at = said.or_else(|| identifier(query, statement, &field.name));
        let message = match &field.relation {
            Some(relation) if relation.table() != table => format!("`{relation}` has no column `{}`", field.name),
            _ => format!("there is no column `{}`", field.name),
        };
        return SqlError::new(message, at).names(&field.name, known);
    }
    let (at, inner) = match said {
        Some(at) => (Some(at), None),
        None => innermost(query, statement, state, schema).map_or((None, None), |(at, inner)| (Some(at), Some(inner))),
    };
    let error = inner.as_ref().unwrap_or(error);
    let message = message_of(error);
    if message.starts_with("Column in SELECT must be in GROUP BY") {
        return SqlError::new("this differs from message to message of a group", at)
            .help("group by it, or take one of its values: `max(…)`");
    }
    let help = help_of(error);
    SqlError { help, ..SqlError::new(message, at) }
}

/// Where an identifier stands first.
pub(crate) fn identifier(query: &str, statement: &Statement, name: &str) -> Option<Range<usize>> {
    struct Find<'a>(&'a str);
    impl Visitor for Find<'_> {
        type Break = Span;
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Span> {
            let is_it = |ident: &&Ident| ident.value == self.0;
            match expr {
                Expr::Identifier(ident) if is_it(&ident) => ControlFlow::Break(ident.span),
                Expr::CompoundIdentifier(parts) => match parts.iter().find(is_it) {
                    Some(ident) => ControlFlow::Break(ident.span),
                    None => ControlFlow::Continue(()),
                },
                _ => ControlFlow::Continue(()),
            }
        }
    }
    match statement.visit(&mut Find(name)) {
        ControlFlow::Break(span) => place(query, span),
        ControlFlow::Continue(()) => None,
    }
}

/// The innermost expression over columns of the table that cannot be typed by itself, and why.
fn innermost(
    query: &str,
    statement: &Statement,
    state: &SessionState,
    schema: &DFSchema,
) -> Option<(Range<usize>, DataFusionError)> {
    struct Try<'a> {
        query: &'a str,
        state: &'a SessionState,
        schema: &'a DFSchema,
    }
    impl Visitor for Try<'_> {
        type Break = (Range<usize>, DataFusionError);
        fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Self::Break> {
            // Parts of a subquery have other columns; names that are wrong have places of their own.
            let alone = ExprWithAlias { expr: expr.clone(), alias: None };
            let planned = self.state.create_logical_expr_from_sql_expr(alone, self.schema);
            let typed = planned.and_then(|planned| planned.to_field(self.schema).map(|_| ()));
            match (typed, place(self.query, expr.span())) {
                (Err(error), Some(at)) if !matches!(error.find_root(), DataFusionError::SchemaError(..)) => {
                    ControlFlow::Break((at, error))
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    match statement.visit(&mut Try { query, state, schema }) {
        ControlFlow::Break(found) => Some(found),
        ControlFlow::Continue(()) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_are_bytes() {
        let query = "select 'é',\n  x\nfrom t";
        assert_eq!(byte_at(query, 1, 12), Some("select 'é',".len()));
        assert_eq!(&query[byte_at(query, 2, 3).unwrap()..][..1], "x");
        assert_eq!(byte_at(query, 3, 99), Some(query.len()));
    }
}
