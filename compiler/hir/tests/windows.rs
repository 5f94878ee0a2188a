//! Collections, aggregates and windows: what a program keeps of them, and what is refused.

mod common;

use chalk_diagnostics::Code;
use chalk_hir::program::{AggregationKind, Expr, ExprKind, Program, RelationKind, Tier, Window};
use chalk_types::Value;
use common::{accept, refuse};

/// The sample of the design's page on windows, with a resolver that feeds it.
const LOGINS: &str = r#"
source logins = kafka(topic: "logins")

features LoginAttempt {
  id: int
  user: User.id
  status: string
  @time at: datetime
}

features User {
  id: int
  login_attempts: [LoginAttempt]

  /// Failed logins.
  @max_staleness(10m)
  num_failed_logins: int over [10m, 30m, 1d] = login_attempts.where(status == "failed").count()
  attempts_today: int over [1d] = login_attempts.where(at > window.start).count()
  total: int = login_attempts.count()
  account_under_attack: bool = num_failed_logins[30m] > 10 or num_failed_logins[1d] > 100
}

message Login { id: int, user: int, status: string, at: datetime }

stream attempts(msg: Login) -> LoginAttempt
  from logins
{
  id = msg.id
  user = msg.user
  status = msg.status
  at = msg.at
}
"#;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

fn program(source: &str) -> Program {
    accept(source).program
}

#[test]
fn a_windowed_feature_is_one_feature_for_each_window() {
    let program = program(LOGINS);
    let user = &program.classes[1];
    let names: Vec<&str> = user.features.iter().map(|feature| feature.fqn.as_str()).collect();
    assert_eq!(
        names,
        [
            "user.id",
            "user.num_failed_logins__600__",
            "user.num_failed_logins__1800__",
            "user.num_failed_logins__86400__",
            "user.attempts_today__86400__",
            "user.total",
            "user.account_under_attack",
        ]
    );
    assert!(user.features[1..4].iter().all(|feature| {
        feature.doc.description == "Failed logins." && feature.max_staleness_us == Some(600_000_000)
    }));
    let window = user.features[2].window.as_ref().expect("a window");
    assert_eq!((window.feature.as_str(), window.duration_us), ("num_failed_logins", Some(1_800_000_000)));
    assert_eq!(user.features[2].name, "num_failed_logins[30m]");
}

#[test]
fn aggregates_over_one_collection_share_their_state() {
    let program = program(LOGINS);
    let user = &program.classes[1];
    assert_eq!(user.relations[0].name, "login_attempts");
    assert_eq!((user.relations[0].class, user.relations[0].kind), (0, RelationKind::HasMany { foreign_key: 1 }));
    assert_eq!(program.classes[0].features[1].foreign_key, Some(1));
    let [windows, total] = &program.aggregations[..] else { panic!("two kinds: {:?}", program.aggregations) };
    assert_eq!((windows.name.as_str(), total.name.as_str()), ("User.login_attempts", "User.login_attempts.2"));
    // The filter is one column; what is counted with it and without it are two leaves, whatever the windows.
    assert_eq!((windows.columns.len(), windows.leaves.len()), (1, 2));
    assert_eq!((windows.leaves[0].filter, windows.leaves[1].filter), (Some(0), None));
    assert_eq!((total.columns.len(), total.leaves.len()), (0, 1));
    let AggregationKind::Continuous(buckets) = &windows.kind else { panic!("{:?}", windows.kind) };
    assert_eq!(
        buckets.tiers,
        [
            Tier { bucket_us: 30 * SECOND, origin_us: 0, span_us: 1800 * SECOND },
            Tier { bucket_us: 3600 * SECOND, origin_us: 0, span_us: DAY },
        ]
    );
    assert_eq!(
        buckets.windows,
        [
            Window { duration_us: 600 * SECOND, tier: 0 },
            Window { duration_us: 1800 * SECOND, tier: 0 },
            Window { duration_us: DAY, tier: 1 },
        ]
    );
    assert_eq!(total.kind, AggregationKind::Total);
    let values: Vec<_> = user.aggregates.iter().map(|value| (value.aggregation, value.leaf, value.window_us)).collect();
    assert_eq!(
        values,
        [(0, 0, Some(600 * SECOND)), (0, 0, Some(1800 * SECOND)), (0, 0, Some(DAY)), (0, 1, Some(DAY)), (1, 0, None)]
    );
    assert!(matches!(user.features[3].expression.as_ref().expect("one").kind, ExprKind::Aggregate(2)));
}

#[test]
fn a_resolver_of_rows_feeds_each_aggregation_of_them() {
    let program = program(LOGINS);
    let feeds = &program.resolvers[0].feeds;
    assert_eq!(feeds.len(), 2);
    for (position, feed) in feeds.iter().enumerate() {
        assert_eq!(feed.aggregation, position);
        assert!(matches!(feed.key.as_ref().expect("a key").kind, ExprKind::Feature(1)));
        assert_eq!(feed.columns.len(), program.aggregations[position].columns.len());
    }
}

/// A class of payments with a resolver, and a class of users with these features.
fn users(features: &str) -> String {
    format!(
        "source s = kafka(topic: \"t\")
message Paid {{ id: int, user: int, amount: float, note: string?, at: datetime }}
features Payment {{
  id: int
  user: User.id
  amount: float
  note: string?
  @time at: datetime
  fee: float = amount * 0.01
}}
features User {{
  id: int
  payments: [Payment]
{features}
}}
stream pay(msg: Paid) -> Payment
  from s
{{
  id = msg.id, user = msg.user, amount = msg.amount, note = msg.note, at = msg.at
}}
"
    )
}

#[test]
fn a_windowed_feature_passes_its_window_along() {
    let program = program(&users(
        "  spent: float over [30d, 60d] = payments.sum(amount)
  count: int over [60d, 30d] = payments.count()
  average: float? over [30d, 60d] = spent / nullif(count, 0)
  share: float? over [30d] = spent / spent[60d]",
    ));
    let user = &program.classes[1];
    let position = |name: &str| user.features.iter().position(|feature| feature.name == name).expect(name);
    let reads = |name: &str| -> Vec<usize> {
        let expression = user.features[position(name)].expression.as_ref().expect("an expression");
        chalk_hir::features_read(expression).into_iter().map(|(feature, _)| feature).collect()
    };
    assert_eq!(reads("average[30d]"), [position("spent[30d]"), position("count[30d]")]);
    assert_eq!(reads("average[60d]"), [position("spent[60d]"), position("count[60d]")]);
    assert_eq!(reads("share[30d]"), [position("spent[30d]"), position("spent[60d]")]);
    let place = |name: &str| user.expression_order.iter().position(|feature| *feature == position(name));
    assert!(place("average[30d]") > place("spent[30d]") && place("average[30d]") > place("count[30d]"));
}

#[test]
fn columns_are_expressions_over_the_row_and_kept_once() {
    let program = program(&users(
        "  a: float = payments.where(note == \"gift\").sum(fee)
  b: float = payments.sum(fee)
  c: int = payments.where(note == \"gift\").count()
  d: float? = payments.where(note == \"gift\").where(at > at).max(1.0 + fee)",
    ));
    let [total] = &program.aggregations[..] else { panic!("one: {:?}", program.aggregations) };
    let sources: Vec<String> = total.columns.iter().map(|column| column.ty.to_string()).collect();
    // The first filter, the fee, both filters, and the sum.
    assert_eq!(sources, ["bool", "float", "bool", "float"]);
    let leaves: Vec<_> =
        total.leaves.iter().map(|leaf| (leaf.aggregate.name, leaf.filter, leaf.args.clone())).collect();
    assert_eq!(
        leaves,
        [("sum", Some(0), vec![1]), ("sum", None, vec![1]), ("count", Some(0), vec![]), ("max", Some(2), vec![3]),]
    );
}

#[test]
fn an_argument_that_can_fail_is_evaluated_behind_the_filter() {
    let program = program(&users("  a: int = payments.where(note is not none).sum(note as int)"));
    let feed = &program.resolvers[0].feeds[0];
    assert!(matches!(feed.columns[1].kind, ExprKind::If { .. }), "{:?}", feed.columns[1]);
    assert!(feed.columns[1].ty.nullable);
}

#[test]
fn materialized_features_have_buckets_of_their_own() {
    let program = program(&users(
        "  @materialize(bucket: 1d) a: float over [30d, 90d] = payments.sum(amount)
  @materialize(bucket: 1d) b: int over [30d] = payments.count()
  @materialize(bucket: {1h: 1m, 30d: 1d}, start: \"1970-01-01T06:00:00Z\") c: int over [1h, 30d] = payments.count()
  @materialize d: int over [1h, all] = payments.count()
  e: int over [1h] = payments.count()",
    ));
    let kinds: Vec<&AggregationKind> = program.aggregations.iter().map(|aggregation| &aggregation.kind).collect();
    let [
        AggregationKind::Materialized(daily),
        AggregationKind::Materialized(mixed),
        AggregationKind::Materialized(chosen),
        AggregationKind::Total,
        AggregationKind::Continuous(_),
    ] = kinds[..]
    else {
        panic!("{kinds:?}")
    };
    assert_eq!(daily.tiers, [Tier { bucket_us: DAY, origin_us: 0, span_us: 90 * DAY }]);
    let origin_us = 6 * 3600 * SECOND;
    assert_eq!(
        mixed.tiers,
        [
            Tier { bucket_us: 60 * SECOND, origin_us, span_us: 3600 * SECOND },
            Tier { bucket_us: DAY, origin_us, span_us: 30 * DAY },
        ]
    );
    assert_eq!(chosen.tiers, [Tier { bucket_us: 180 * SECOND, origin_us: 0, span_us: 3600 * SECOND }]);
    assert_eq!(program.aggregations[0].leaves.len(), 2);
}

#[test]
fn a_resolver_may_leave_materialized_aggregations_alone() {
    let source = users(
        "  @materialize a: int over [1h] = payments.count()
  b: int over [1h] = payments.count()",
    )
    .replace("stream pay", "@updates_materialized_aggregations(false)\nstream pay");
    let program = program(&source);
    let fed: Vec<usize> = program.resolvers[0].feeds.iter().map(|feed| feed.aggregation).collect();
    assert_eq!(fed, [1], "the second one is exact");
}

#[test]
fn a_message_counts_for_the_aggregates_whose_features_its_resolver_sets() {
    let source = users("  notes: int = payments.where(note == \"gift\").count()\n  count: int = payments.count()")
        + "stream pay_without_note(msg: Paid) -> Payment
  from s
{
  id = msg.id, user = msg.user, amount = msg.amount
}
stream pay_without_user(msg: Paid) -> Payment
  from s
{
  id = msg.id, note = msg.note
}
";
    let program = program(&source);
    let columns = |resolver: usize| &program.resolvers[resolver].feeds[0].columns;
    assert!(matches!(columns(0)[0].kind, ExprKind::Equal { .. }));
    // Both share an aggregation: the filter is null there, so that `notes` passes over what `count` counts.
    assert!(matches!(columns(1)[0].kind, ExprKind::Const(Value::Null)));
    assert_eq!(program.aggregations[0].columns[0].ty.to_string(), "bool?");
    assert!(program.resolvers[2].feeds.is_empty());
}

#[test]
fn an_aggregate_that_nobody_feeds_is_told_apart_from_the_others() {
    let source = users("  notes: int = payments.where(note == \"gift\").count()\n  count: int = payments.count()")
        .replace(", note = msg.note", "");
    refuse(&source, &[Code::W0204], &["no resolver feeds this aggregate", "does not set `note`"]);
}

#[test]
fn aggregates_that_go_by_time_need_a_clock_without_windows_too() {
    let source = users("  latest: string? = payments.last(note)").replace(", at = msg.at", "");
    refuse(&source, &[Code::E0440], &["is aggregated by time", "`at = …`"]);
}

/// A resolver over windows with these clauses and this body.
fn windowed(clauses: &str, body: &str) -> String {
    format!(
        "source s = kafka(topic: \"t\")
message Login {{ user_id: int?, failed: bool, seconds: float, at: datetime }}
features User {{
  id: int
  failures: int over [30m, 10m]
  slowest: float? over [10m]
  is_attacked: bool = failures[10m] > 3
}}
stream r(events: [Login]) -> User
  from s
  timestamp events.at
{clauses}
{{
{body}
}}
"
    )
}

const BODY: &str = "  id = key
  failures = events.where(failed).count() + 0
  slowest = events.where(failed and seconds > 1.0).max(events.seconds)";

#[test]
fn continuous_resolvers_dissolve_into_expressions() {
    let program = program(&windowed("  window continuous\n  by events.user_id", BODY));
    let user = &program.classes[0];
    let resolver = &program.resolvers[0];
    assert!(user.features[1..4].iter().all(|feature| feature.expression.is_some()));
    assert_eq!(user.expression_order.len(), 4);
    assert!(resolver.assignments.is_empty());
    let window = resolver.window.as_ref().expect("it is windowed");
    assert!(window.closes.is_empty() && window.sql.is_none());
    assert_eq!(program.aggregations[0].name, "User.r");
    let AggregationKind::Continuous(buckets) = &program.aggregations[0].kind else { panic!("it is continuous") };
    let lengths: Vec<i64> = buckets.windows.iter().map(|window| window.duration_us).collect();
    assert_eq!(lengths, [600 * SECOND, 1800 * SECOND]);
    let [feed] = &resolver.feeds[..] else { panic!("one feed") };
    let key = feed.key.as_ref().expect("a key");
    assert!(key.ty.nullable && matches!(key.kind, ExprKind::Field { .. }), "{key:?}");
    assert_eq!(feed.columns.len(), program.aggregations[0].columns.len());
}

#[test]
fn tumbling_resolvers_keep_what_they_set_for_each_window() {
    let clauses = "  window tumbling(allowed_lateness: 5m)\n  by events.user_id";
    let program = program(&windowed(clauses, BODY));
    let user = &program.classes[0];
    assert!(user.features[1..4].iter().all(|feature| feature.expression.is_none()));
    assert_eq!(
        program.aggregations[0].kind,
        AggregationKind::Tumbling { windows_us: vec![600 * SECOND, 1800 * SECOND], allowed_lateness_us: 300 * SECOND }
    );
    let window = program.resolvers[0].window.as_ref().expect("it is windowed");
    let sets: Vec<(i64, Vec<&str>)> = window
        .closes
        .iter()
        .map(|close| {
            let names = close.assignments.iter().map(|(feature, _)| user.features[*feature].name.as_str());
            (close.window_us, names.collect())
        })
        .collect();
    assert_eq!(
        sets,
        [(600 * SECOND, vec!["id", "failures[10m]", "slowest[10m]"]), (1800 * SECOND, vec!["id", "failures[30m]"])]
    );
}

#[test]
fn mistakes_of_a_windowed_expression_are_said_once() {
    refuse(
        &users("  a: int over [10m, 1h, 1d] = payments.where(amuont > 1.0).count()"),
        &[Code::E0101],
        &["did you mean `amount`?"],
    );
    refuse(
        &users("  a: int over [10m, 1h] = payments.count()\n  b: int over [10m, 1h, 1d, all] = a + 1"),
        &[Code::E0433],
        &["`a` lacks the windows `1d` and `all` of `b`"],
    );
}

#[test]
fn constants_of_an_aggregate_are_no_part_of_the_event() {
    let program = program(&users(
        "  a: float? over [1h] = payments.approx_percentile(amount, 0.95)
  b: float? over [1h] = payments.approx_percentile(amount, 0.5)
  c: string? over [1h] = payments.min_by(note, amount)",
    ));
    let aggregation = &program.aggregations[0];
    assert_eq!(aggregation.columns.len(), 2, "amount and note");
    let params: Vec<&[Value]> = aggregation.leaves.iter().map(|leaf| &leaf.call.params[..]).collect();
    assert_eq!(params, [&[Value::Float(0.95)][..], &[Value::Float(0.5)], &[]]);
}

#[test]
fn what_keeps_all_values_has_a_window() {
    refuse(&users("  a: int = payments.count_distinct(amount)"), &[Code::E0421], &["`a` keeps all that ever came"]);
    accept(&users("  a: int over [1d] = payments.count_distinct(amount)"));
}

#[test]
fn a_filter_with_names_of_its_own_may_guard_an_argument() {
    let body = "  id = key
  failures = events.where({ let s = seconds * 2.0, s > 1.0 and s < 9.0 }).sum(seconds as int)
  slowest = events.max(seconds)";
    let program = program(&windowed("  window continuous\n  by events.user_id", body));
    let mut locals = Vec::new();
    let mut open: Vec<&Expr> = program.resolvers[0].feeds[0].columns.iter().collect();
    while let Some(expr) = open.pop() {
        if let ExprKind::Let { local, .. } = expr.kind {
            assert!(!locals.contains(&local), "{local:?} is bound twice");
            locals.push(local);
        }
        expr.for_each_child(|child| open.push(child));
    }
    assert_eq!(locals.len(), 2);
}

#[test]
fn a_test_for_null_is_remembered_of_an_aggregate() {
    accept(&users(
        "  a: float = if payments.max(amount) is not none then payments.max(amount) else 0.0
  b: bool over [1h] = payments.max(amount) is not none and payments.max(amount) > payments.min(amount) ?? 0.0",
    ));
}

#[test]
fn aggregations_of_one_name_are_told_apart() {
    let source = windowed("  window continuous\n  by events.user_id", BODY).replace(
        "  is_attacked",
        "  r: [Login2]
  n: int = r.count()
  is_attacked",
    ) + "features Login2 { id: int, user: User.id }
stream w(events: Login) -> Login2
  from s
{
  id = 1, user = events.user_id as int
}
";
    let program = program(&source);
    let names: Vec<&str> = program.aggregations.iter().map(|aggregation| aggregation.name.as_str()).collect();
    assert_eq!(names, ["User.r", "User.r.2"]);
}

#[test]
fn a_row_does_not_look_into_other_classes() {
    let source = "features Device { id: int, kind: string }
features Login { id: int, user: User.id, device_id: Device.id, device: Device }
features User { id: int, logins: [Login], n: int = logins.where(device.kind == \"phone\").count() }
";
    refuse(source, &[Code::E0435], &["a row"]);
}
