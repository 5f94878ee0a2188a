//! Queries over a window's messages: what is planned, what is refused and where, and that a result depends on the messages alone.

use chalk_artifact::manifest::{Aggregation, AggregationKind, EventColumnPlan, SqlWindow};
use chalk_engine::SqlRunner;
use chalk_sql::{PlannedQuery, Runner, SqlError, SqlErrorKind, plan};
use chalk_state::EventBatch;
use chalk_types::{EnumType, Kind, Type, Value};

/// The columns of a message about a login.
fn login() -> Vec<(String, Type)> {
    let status = Kind::Enum(std::sync::Arc::new(EnumType {
        name: "Status".into(),
        variants: vec!["OK".into(), "FAILED".into()],
    }));
    let column = |name: &str, ty: Type| (name.to_owned(), ty);
    vec![
        column("user_id", Type::INT),
        column("failed", Type::BOOL),
        column("amount", Type::FLOAT.to_optional()),
        column("at", Type::DATETIME),
        column("userAgent", Type::STRING.to_optional()),
        column("status", status.required()),
        column("guest_id", Type::INT.to_optional()),
        column("price", Kind::Decimal { precision: 10, scale: 2 }.required()),
        column("tags", Kind::List(Box::new(Type::STRING)).required()),
    ]
}

fn planned(query: &str) -> PlannedQuery {
    plan(query, "events", &login()).unwrap_or_else(|error| panic!("{query}: {error:?}"))
}

/// The error, and the part of the query that it is about.
fn refused(query: &str) -> (SqlError, String) {
    let error = plan(query, "events", &login()).expect_err(query);
    let part = error.at.clone().map_or(String::new(), |at| query[at].to_owned());
    (error, part)
}

#[test]
fn a_query_has_named_and_typed_columns_and_says_what_it_reads() {
    let query = "select user_id as id, count(*) as n, avg(amount) as mean, max(at) as latest from events where failed group by 1";
    let plan = planned(query);
    let columns: Vec<(&str, String, &str)> = plan
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.ty.to_string(), &query[column.at.clone().expect("a place")]))
        .collect();
    let wanted =
        [("id", "int", "id"), ("n", "int", "n"), ("mean", "float?", "mean"), ("latest", "datetime?", "latest")];
    assert_eq!(columns, wanted.map(|(name, ty, at)| (name, ty.to_owned(), at)));
    assert_eq!(plan.reads, [0, 1, 2, 3]);
    assert_eq!(planned("select 1 as id, count(*) as n from events").reads, [0usize; 0]);
}

#[test]
fn names_are_those_of_the_message_and_functions_are_in_any_case() {
    let plan = planned("SELECT user_id AS id, Count(DISTINCT userAgent) AS agents FROM events GROUP BY user_id");
    assert_eq!(plan.reads, [0, 4]);
    let (error, part) = refused("select user_id as id, count(useragent) as n from events group by 1");
    assert_eq!(part, "useragent");
    assert_eq!(error.names.expect("names").0, "useragent");
}

#[test]
fn what_where_shows_not_to_be_null_is_not_null() {
    let key = |query: &str| planned(query).columns[0].ty.to_string();
    assert_eq!(key("select guest_id as id, count(*) as n from events group by 1"), "int?");
    assert_eq!(
        key("select guest_id as id, count(*) as n from events where guest_id is not null and failed group by 1"),
        "int"
    );
    let twice = "select a.guest_id as id, 1 as n from events a join events b on true where a.guest_id is not null";
    assert_eq!(key(twice), "int?");
}

#[test]
fn case_date_text_and_steps_are_there() {
    let query = "with f as (select user_id, date_trunc('hour', at) as hour, upper(userAgent) as agent, amount,
                        case when failed then 1 else 0 end as failed from events where status = 'FAILED')
                 select user_id as id, sum(failed) as n, count(distinct hour) as hours, min(substr(agent, 1, 3)) as agent,
                        coalesce(sum(amount), 0) as amount, extract(day from max(hour)) as day,
                        row_number() over (order by user_id) as place
                 from f group by user_id having count(*) > 1 order by n desc limit 10";
    let types: Vec<String> = planned(query).columns.iter().map(|column| column.ty.to_string()).collect();
    assert_eq!(types, ["int", "int?", "int", "string?", "float", "int32?", "uint64"]);
}

#[test]
fn mistakes_have_their_place() {
    let mut wrong = String::new();
    for (query, part, says) in [
        ("select usr_id as id from events", "usr_id", "there is no column `usr_id`"),
        ("select events.usr_id as id from events", "events.usr_id", "there is no column `usr_id`"),
        ("select user_id as id from logins", "logins", "there is no table `logins`"),
        ("select cuont(*) as n from events", "cuont", "there is no function `cuont`"),
        ("select user_id as id\nfrom events\nwhere user_id = = 1", "=", "Expected"),
        (
            "select user_id as id from events where 'é' = 'é' and upper(userAgent, 1) = 'X'",
            "upper(userAgent, 1",
            "upper",
        ),
        ("select user_id as id from events where failed + 'é' > 0", "failed + 'é'", "coerce"),
        ("select user_id as id, count(*) as n from events", "user_id", "differs from message to message"),
        ("select user_id as id, 1 as n, 2 as n from events", "n", "two columns are called `n`"),
        ("select user_id as id, tags as t from events", "tags", "cannot read `tags`"),
        ("select user_id as id from events; select 1", "select 1", "one query"),
        ("insert into events values (1)", "insert", "only a `select`"),
        ("drop table events", "drop", "only a `select`"),
        ("create table x as select 1", "create", "only a `select`"),
        ("select user_id as id into x from events", "x", "only reads"),
        ("with recursive r as (select 1 as x union all select x from r) select x as id from r", "with", "recursive"),
        ("with events as (select 1 as id) select id from events", "events", "names the messages"),
        ("select * from generate_series(1, 10)", "generate_series", "a function"),
        ("select user_id as id from events where user_id", "", "boolean"),
        ("", "", "no query"),
        ("select user_id as id, interval '1 month' as m from events", "m", "no feature can be that"),
        ("select user_id as id from 'file.csv'", "'file.csv'", "there is no table"),
        ("select user_id as id, x.n from events, lateral (select 1 as n) x where", "", "end"),
    ] {
        let (error, at) = refused(query);
        let is_right = at == part && error.message.contains(says) && error.kind == SqlErrorKind::Plan;
        if !is_right {
            wrong += &format!("{query}: at {at:?}: {error:?}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn functions_that_do_not_always_give_the_same_are_refused() {
    for (call, part) in [
        ("random()", "random"),
        ("now()", "now"),
        ("NOW()", "NOW"),
        ("current_timestamp", "current_timestamp"),
        ("current_date", "current_date"),
        ("uuid()", "uuid"),
        ("version()", "version"),
    ] {
        let (error, at) = refused(&format!("select user_id as id, {call} as x from events"));
        assert_eq!((error.kind, at.as_str()), (SqlErrorKind::NotDeterministic, part), "{error:?}");
    }
}

/// A window of messages: `(user, failed, amount)`.
fn messages(rows: &[(i64, bool, Option<f64>)]) -> EventBatch {
    let columns = [Type::INT, Type::BOOL, Type::FLOAT.to_optional()];
    let plan = Aggregation {
        name: "User.logins".into(),
        class: 0,
        key: Type::INT,
        columns: columns.iter().map(|ty| EventColumnPlan { source: String::new(), ty: ty.clone() }).collect(),
        leaves: Vec::new(),
        kind: AggregationKind::Messages { windows_us: vec![1], allowed_lateness_us: 0 },
    };
    let mut batch = EventBatch::new(&plan);
    for (offset, (user, failed, amount)) in rows.iter().enumerate() {
        batch.offsets.push(offset as i64);
        batch.times_us.push(0);
        let values = [Value::Int(i128::from(*user)), Value::Bool(*failed), amount.map_or(Value::Null, Value::Float)];
        for ((column, ty), value) in batch.columns.iter_mut().zip(&columns).zip(values) {
            column.push(&ty.kind, &value);
        }
    }
    batch
}

fn window(query: &str, results: &[(&str, Type)]) -> SqlWindow {
    SqlWindow {
        query: query.into(),
        table: "events".into(),
        columns: login().into_iter().take(3).collect(),
        results: results.iter().map(|(name, ty)| ((*name).to_owned(), ty.clone())).collect(),
        key: 0,
        outputs: Vec::new(),
    }
}

#[test]
fn a_result_has_a_row_per_key_with_values_of_the_features_types() {
    let sql = window(
        "select user_id as id, count(*) as n, sum(amount) as total, count(*) filter (where failed) as failed
         from events group by 1 order by n desc",
        &[("id", Type::INT), ("n", Type::FLOAT), ("total", Type::FLOAT.to_optional()), ("failed", Type::INT)],
    );
    let first = messages(&[(7, true, Some(0.5)), (3, false, None), (7, false, Some(0.25))]);
    let second = messages(&[(7, true, None)]);
    let rows = Runner.run(&sql, &[&first, &second]).expect("a result");
    let row = |id, n, total: Option<f64>, failed| {
        vec![Value::Int(id), Value::Float(n), total.map_or(Value::Null, Value::Float), Value::Int(failed)]
    };
    assert_eq!(rows, [row(3, 1.0, None, 0), row(7, 3.0, Some(0.75), 2)]);
}

#[test]
fn a_window_without_messages_and_a_query_without_columns_are_fine() {
    let mut sql = window("select user_id as id from events", &[("id", Type::INT)]);
    assert_eq!(Runner.run(&sql, &[]), Ok(Vec::new()));
    assert_eq!(Runner.run(&sql, &[&messages(&[])]), Ok(Vec::new()));
    sql = window("select 1 as id, count(*) as n from events", &[("id", Type::INT), ("n", Type::INT)]);
    sql.columns.clear();
    let rows = Runner.run(&sql, &[&messages(&[(1, true, None), (2, true, None)])]);
    assert_eq!(rows, Ok(vec![vec![Value::Int(1), Value::Int(2)]]));
}

#[test]
fn a_result_that_cannot_be_stored_is_an_error() {
    let events = messages(&[(1, true, None), (1, true, Some(1.0))]);
    let fails = |query: &str, ty: Type| {
        let sql = window(query, &[("id", Type::INT), ("x", ty)]);
        Runner.run(&sql, &[&events]).expect_err(query)
    };
    let twice = fails("select user_id as id, amount as x from events", Type::FLOAT.to_optional());
    assert_eq!(twice, "the result has two rows with the same `id`; group by it");
    let null =
        fails("select user_id as id, min(amount) filter (where not failed) as x from events group by 1", Type::FLOAT);
    assert!(null.contains("is null, and `float` is wanted"), "{null}");
    let zero = fails("select user_id as id, 1 / (count(*) - 2) as x from events group by 1", Type::INT);
    assert!(zero.to_lowercase().contains("divide by zero"), "{zero}");
    let wide = fails("select user_id as id, sum(9223372036854775807) as x from events group by 1", Type::INT);
    assert!(wide.contains("overflow"), "{wide}");
}

/// Sums of floats depend on the order and on where batches are cut: neither depends on how messages came.
#[test]
fn a_result_does_not_depend_on_how_the_messages_were_batched() {
    let rows: Vec<_> = (0..20_000i64).map(|i| (i % 3, i % 2 == 0, Some(1.0 / (i as f64 + 0.1)))).collect();
    let sql = window(
        "select 1 as id, sum(amount) as total, avg(amount) as mean, stddev(amount) as spread, max(amount) as most from events",
        &[
            ("id", Type::INT),
            ("total", Type::FLOAT),
            ("mean", Type::FLOAT),
            ("spread", Type::FLOAT),
            ("most", Type::FLOAT),
        ],
    );
    let whole = Runner.run(&sql, &[&messages(&rows)]).expect("a result");
    for size in [1, 7, 1_000, 8_192, 8_193] {
        let parts: Vec<EventBatch> = rows.chunks(if size == 1 { 9_999 } else { size }).map(messages).collect();
        let parts: Vec<&EventBatch> = parts.iter().collect();
        assert_eq!(Runner.run(&sql, &parts).as_ref(), Ok(&whole), "{size}");
    }
}
