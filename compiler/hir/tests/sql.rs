//! Queries as bodies of resolvers: how a result is matched to features, and that the places of mistakes are those of the file.
//!
//! The planner here is a toy: a line of a "query" is a column of the result, `name type`, or `! word` for a mistake at that word; `reads a b`
//! names columns that are read.

mod common;

use chalk_diagnostics::{Code, SourceMap};
use chalk_hir::program::{AggregationKind, Program};
use chalk_hir::{Analysis, PlannedSql, SqlColumn, SqlError, SqlPlanner, analyze_with_sql};
use chalk_types::Type;

struct Toy;

impl SqlPlanner for Toy {
    fn plan(&self, query: &str, table: &str, columns: &[(String, Type)]) -> Result<PlannedSql, SqlError> {
        assert_eq!(table, "events");
        let mut planned = PlannedSql { columns: Vec::new(), reads: Vec::new() };
        for line in query.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let at = line.as_ptr() as usize - query.as_ptr() as usize;
            let (word, rest) = line.split_once(' ').expect("two words");
            match word {
                "reads" => {
                    for name in rest.split(' ') {
                        planned.reads.extend(columns.iter().position(|(known, _)| known == name));
                    }
                }
                "!" => {
                    return Err(SqlError {
                        message: format!("there is no column `{rest}`"),
                        at: Some(at + 2..at + line.len()),
                        help: None,
                        names: Some(Box::new((
                            rest.to_owned(),
                            columns.iter().map(|(name, _)| name.clone()).collect(),
                        ))),
                        is_not_deterministic: false,
                    });
                }
                name => {
                    let of_column = columns.iter().find(|(known, _)| *known == rest.trim_start_matches('.'));
                    let ty = match rest {
                        "int" => Type::INT,
                        "int?" => Type::INT.to_optional(),
                        "float" => Type::FLOAT,
                        "string" => Type::STRING,
                        _ => of_column.expect("a type, or a column after a dot").1.clone(),
                    };
                    planned.columns.push(SqlColumn { name: name.to_owned(), ty, at: Some(at..at + name.len()) });
                }
            }
        }
        Ok(planned)
    }
}

fn package(clauses: &str, query: &str) -> String {
    format!(
        "source logins = kafka(topic: \"logins\")
message Login {{ user_id: int?, failed: bool, at: datetime, note: string }}
features User {{
  id: int
  name: string
  n: int over [1h, 10m]
  m: float over [10m, 1h]
  other: int over [1d]
  ever: int over [all]
}}
stream counts(events: [Login]) -> [User]
  from logins
  {clauses}
sql \"\"\"
{query}
\"\"\"
"
    )
}

const CLAUSES: &str = "where events.user_id is not none
  window tumbling(allowed_lateness: 5m)
  timestamp events.at";

fn analyzed(text: &str) -> (SourceMap, Analysis) {
    let mut sources = SourceMap::new();
    let (tree, mut diagnostics) = chalk_syntax::parse(sources.add("test.chalk", text), text);
    let mut analysis = analyze_with_sql(&[&tree], chalk_functions::catalog(), &common::CONNECTORS, Some(&Toy));
    diagnostics.append(&mut analysis.diagnostics);
    // Features that nothing computes are another matter.
    diagnostics.retain(|diagnostic| diagnostic.code != Code::E0432);
    analysis.diagnostics = diagnostics;
    (sources, analysis)
}

fn accepted(text: &str) -> Program {
    let (sources, analysis) = analyzed(text);
    assert!(analysis.diagnostics.is_empty(), "{}", common::render(&sources, &analysis.diagnostics));
    analysis.program
}

/// Code and place of each mistake.
fn refused(text: &str) -> Vec<(Code, String)> {
    let (_, analysis) = analyzed(text);
    let shown = |span: chalk_diagnostics::Span| text[span.start as usize..span.end as usize].to_owned();
    analysis.diagnostics.iter().map(|found| (found.code, shown(found.span()))).collect()
}

#[test]
fn a_result_sets_each_feature_in_each_window() {
    let program = accepted(&package(CLAUSES, "m int\nid .user_id\nn int\nreads user_id failed"));
    let resolver = &program.resolvers[0];
    let window = resolver.window.as_ref().expect("a windowed resolver");
    let sql = window.sql.as_ref().expect("a query");
    let names = |positions: &[usize]| -> Vec<&str> {
        positions.iter().map(|position| program.classes[0].features[*position].name.as_str()).collect()
    };
    assert_eq!(names(&sql.outputs[0]), ["m[10m]", "id", "n[10m]"]);
    assert_eq!(names(&sql.outputs[1]), ["m[1h]", "id", "n[1h]"]);
    assert_eq!(sql.key, 1);
    // The type that a value is stored with, and a field that `where` has shown not to be null.
    assert_eq!(sql.results[0], ("m".to_owned(), Type::FLOAT));
    assert_eq!(sql.columns, [("user_id".to_owned(), Type::INT), ("failed".to_owned(), Type::BOOL)]);
    let aggregation = &program.aggregations[window.aggregation];
    let minutes = 60_000_000;
    let windows_us = vec![10 * minutes, 60 * minutes];
    assert_eq!(aggregation.kind, AggregationKind::Messages { windows_us, allowed_lateness_us: 5 * minutes });
    let types: Vec<&Type> = aggregation.columns.iter().map(|column| &column.ty).collect();
    assert_eq!(types, [&Type::INT, &Type::BOOL]);
    let feed = &resolver.feeds[0];
    assert!(feed.key.is_none() && feed.aggregation == window.aggregation);
    assert_eq!(feed.columns.len(), 2);
}

#[test]
fn mistakes_of_the_planner_are_in_the_text_of_the_query() {
    assert_eq!(refused(&package(CLAUSES, "n int\n  ! usr_id")), [(Code::E0701, "usr_id".to_owned())]);
}

#[test]
fn a_result_that_does_not_fit_the_class_is_refused() {
    for (query, code, place) in [
        ("id int\nk int", Code::E0405, "k"),
        ("id int\ncount(*) int", Code::E0405, "count(*)"),
        ("id int\nn int\nn int", Code::E0406, "n"),
        ("id int\nname string\nn int", Code::E0439, "name"),
        ("id int\never int", Code::E0439, "ever"),
        ("id int\nn int\nother int", Code::E0703, "other"),
        ("id int\nn string", Code::E0703, "n"),
        ("id int\nn int?", Code::E0703, "n"),
        ("id int?\nn int", Code::E0703, "id"),
    ] {
        assert_eq!(refused(&package(CLAUSES, query)), [(code, place.to_owned())], "{query}");
    }
    for (query, code) in [("n int", Code::E0404), ("id int", Code::E0439)] {
        let found = refused(&package(CLAUSES, query));
        assert_eq!((found.len(), found[0].0), (1, code), "{query}");
    }
}

#[test]
fn a_query_runs_once_over_all_keys_and_gives_many_rows() {
    let of = |clauses: &str| refused(&package(clauses, "id int\nn int"));
    assert_eq!(of("window continuous\n  timestamp events.at"), [(Code::E0438, "window continuous".to_owned())]);
    let by = "by events.user_id";
    assert_eq!(of(&format!("window tumbling\n  {by}\n  timestamp events.at")), [(Code::E0438, by.to_owned())]);
    assert_eq!(of("window tumbling"), [(Code::E0440, "counts".to_owned())]);
    let one = package(CLAUSES, "id int\nn int").replace("-> [User]", "-> User");
    assert_eq!(refused(&one), [(Code::E0409, "User".to_owned())]);
}

#[test]
fn without_a_planner_there_is_no_sql() {
    let codes = common::analyze(&package(CLAUSES, "id int\nn int")).diagnostics;
    assert!(codes.iter().any(|found| found.code == Code::E0501), "{codes:?}");
}
