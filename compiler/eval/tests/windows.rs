//! The model of state: which events a value is of, what becomes of messages, and when tumbling windows run.

mod common;

use chalk_artifact::manifest::{AggregationKind, Buckets, Tier, Window};
use chalk_catalog::CallContext;
use chalk_catalog::aggregate::AggregateCall;
use chalk_diagnostics::Span;
use chalk_eval::windows::{Model, ModelOptions};
use chalk_eval::{Evaluator, Outcome, Row};
use chalk_hir::program::{
    AggregateValue, Aggregation, EventColumn, Expr, ExprKind, Feed, Leaf, Program, WindowClose, Windowed,
};
use chalk_types::{Type, Value};
use common::Package;

const PACKAGE: &str = r#"
source payments = kafka(topic: "payments", late_arrival_deadline: 1h)
message Payment { id: int, user: int, amount: float, at: datetime? }
features User { id: int, count: int?, sum: float?, average: float?, last: float? = sum * 2 }
stream pay(msg: Payment) -> User
  from payments
  timestamp msg.at
  dedup msg.id within 100us
{
  id    = msg.user
  count = 1
  sum   = 10 / msg.amount
}
"#;

fn expr(kind: ExprKind, ty: Type, span: Span) -> Expr {
    Expr { kind, ty, span }
}

/// The package with an aggregation of the payments: count and sum of `amount` per user, which are `count` and `sum`.
fn package(kind: AggregationKind, window_us: Option<i64>) -> Package {
    let mut package = Package::new(PACKAGE);
    let program = &mut package.program;
    let span = program.resolvers[0].span;
    let leaf = |name: &str, args: Vec<usize>, arg_types: Vec<Type>, result: Type| {
        let entry = chalk_functions::catalog()
            .aggregates_named(name)
            .find(|entry| {
                (entry.def.bind)(&AggregateCall { args: arg_types.clone(), params: vec![], result: result.clone() })
                    .is_ok()
            })
            .expect("the catalogue has it");
        Leaf {
            aggregate: entry.def,
            call: AggregateCall { args: arg_types.clone(), params: vec![], result },
            filter: None,
            args,
            span,
        }
    };
    let is_tumbling = matches!(kind, AggregationKind::Tumbling { .. });
    program.aggregations.push(Aggregation {
        name: "User.payments".to_owned(),
        class: 0,
        span,
        columns: vec![EventColumn { span, ty: Type::FLOAT }],
        leaves: vec![leaf("count", vec![], vec![], Type::INT), leaf("sum", vec![0], vec![Type::FLOAT], Type::FLOAT)],
        kind,
    });
    let message = |program: &Program, field: &str| {
        let ty = program.messages[0].ty.clone();
        let position = ty.index_of(field).expect("a field");
        let base = Box::new(expr(ExprKind::Message, chalk_types::Kind::Struct(ty.clone()).required(), span));
        expr(ExprKind::Field { base, field: position as u32 }, ty.fields[position].ty.clone(), span)
    };
    let feed = Feed { aggregation: 0, key: Some(message(program, "user")), columns: vec![message(program, "amount")] };
    program.resolvers[0].feeds.push(feed);
    let class = &mut program.classes[0];
    class.aggregates = (0..2).map(|leaf| AggregateValue { aggregation: 0, leaf, window_us }).collect();
    let values = [Type::INT, Type::FLOAT]
        .into_iter()
        .enumerate()
        .map(|(position, ty)| expr(ExprKind::Aggregate(position), ty, span));
    if is_tumbling {
        let mut assignments = vec![(0, expr(ExprKind::Feature(0), Type::INT, span))];
        assignments.extend(values.enumerate().map(|(position, value)| (position + 1, value)));
        let closes = vec![WindowClose { window_us: window_us.expect("a length"), assignments }];
        program.resolvers[0].window = Some(Windowed { aggregation: 0, closes, sql: None });
    } else {
        for (position, value) in values.enumerate() {
            class.features[position + 1].expression = Some(value);
        }
        class.expression_order = vec![1, 2, 4];
    }
    package
}

struct Payment {
    partition: i64,
    id: i64,
    amount: f64,
    at_us: Option<i64>,
    consumed_us: Option<i64>,
}

/// A payment of user 7 on partition 0; its event time is when it was consumed.
fn payment(id: i64, amount: f64, at_us: i64) -> Payment {
    Payment { partition: 0, id, amount, at_us: Some(at_us), consumed_us: Some(at_us) }
}

struct Run<'p> {
    package: &'p Package,
    model: Model<'p>,
    offset: i64,
}

impl<'p> Run<'p> {
    fn new(package: &'p Package) -> Run<'p> {
        let options = ModelOptions { max_future_skew_us: 1_000, idle_after_us: 50 };
        Run { package, model: Model::new(&package.program, options, 0), offset: 0 }
    }

    fn with<T>(&mut self, use_it: impl FnOnce(&mut Model<'p>, &Evaluator<'_>) -> T) -> T {
        let context = CallContext::new(0, 0);
        let deserialize = |_: usize, _: &[u8]| Err("nothing is decoded here".to_owned());
        let catalog = chalk_functions::catalog();
        let program = &self.package.program;
        use_it(&mut self.model, &Evaluator { program, catalog, context: &context, deserialize: &deserialize })
    }

    fn push(&mut self, payment: Payment, now_us: i64) -> String {
        let Payment { partition, id, amount, at_us, consumed_us } = payment;
        let at = at_us.map_or(Value::Null, Value::Datetime);
        let row = Row {
            message: Value::Struct(vec![Value::Int(id.into()), Value::Int(7), Value::Float(amount), at]),
            topic: "payments".to_owned(),
            partition,
            offset: self.offset,
            key: None,
            timestamp_us: consumed_us,
            headers: Vec::new(),
        };
        self.offset += 1;
        match self.with(|model, evaluator| model.push(evaluator, 0, &row, now_us)) {
            Outcome::Applied { .. } => "applied".to_owned(),
            Outcome::Failed(failure) => failure.reason,
            other => format!("{other:?}").to_lowercase(),
        }
    }

    /// Count, sum, and the feature that reads the sum.
    fn ask(&mut self, now_us: i64) -> Vec<Result<Value, String>> {
        let features = self.with(|model, evaluator| model.features(evaluator, 0, &Value::Int(7), now_us));
        vec![features[1].clone(), features[2].clone(), features[4].clone()]
    }
}

fn values(count: i128, sum: f64) -> Vec<Result<Value, String>> {
    vec![Ok(Value::Int(count)), Ok(Value::Float(sum)), Ok(Value::Float(sum * 2.0))]
}

fn buckets(bucket_us: i64, window_us: i64) -> Buckets {
    Buckets {
        tiers: vec![Tier { bucket_us, origin_us: 0, span_us: window_us }],
        windows: vec![Window { duration_us: window_us, tier: 0 }],
    }
}

#[test]
fn an_exact_window_ends_now_and_leaves_out_its_start() {
    let package = package(AggregationKind::Continuous(buckets(4, 10)), Some(10));
    let mut run = Run::new(&package);
    for (id, at_us) in [(1, 100), (2, 105), (3, 110), (4, 103)] {
        assert_eq!(run.push(payment(id, 2f64.powi(id as i32), at_us), at_us), "applied");
    }
    assert_eq!(run.ask(110), values(3, 4.0 + 8.0 + 16.0), "100 is the start");
    assert_eq!(run.ask(109), values(3, 2.0 + 4.0 + 16.0), "110 is not yet");
    assert_eq!(run.ask(113), values(2, 4.0 + 8.0));
    assert_eq!(run.ask(120), values(0, 0.0));
}

#[test]
fn buckets_count_as_a_whole() {
    let package = package(AggregationKind::Materialized(buckets(10, 30)), Some(30));
    let mut run = Run::new(&package);
    for (id, at_us) in [(1, 100), (2, 109), (3, 110), (4, 131)] {
        run.push(payment(id, 2f64.powi(id as i32), at_us), at_us);
    }
    assert_eq!(run.ask(129), values(3, 2.0 + 4.0 + 8.0), "from 100 on; the running bucket is that of 120");
    assert_eq!(run.ask(130), values(2, 8.0 + 16.0), "131 is in the running bucket, so it counts already");
}

#[test]
fn the_order_of_the_fold_is_a_part_of_the_meaning() {
    // One place: in the order of offsets. Two places: each by itself, then the one with the lower partition first.
    let package = package(AggregationKind::Total, None);
    let amounts = [1e16, 1.0, -1e16, 1.0];
    let mut run = Run::new(&package);
    for (id, amount) in amounts.into_iter().enumerate() {
        run.push(payment(id as i64, amount, 1_000), 0);
    }
    assert_eq!(run.ask(0), values(4, 1.0), "1e16 swallows the first 1");
    let mut run = Run::new(&package);
    for (id, amount) in amounts.into_iter().enumerate() {
        let partition = 1 - (id as i64 % 2);
        run.push(Payment { partition, ..payment(id as i64, amount, 1_000) }, 0);
    }
    assert_eq!(run.ask(0), values(4, 2.0), "(1 + 1) + (1e16 - 1e16)");
}

#[test]
fn a_message_has_one_fate() {
    let package = package(AggregationKind::Continuous(buckets(10, 1_000)), Some(1_000));
    let mut run = Run::new(&package);
    assert_eq!(run.push(payment(1, 1.0, 0), 0), "applied");
    assert_eq!(run.push(payment(1, 1.0, 99), 0), "duplicate", "within 100");
    assert_eq!(run.push(payment(1, 1.0, 100), 0), "applied", "not within 100 any more");
    assert_eq!(run.push(payment(1, 1.0, 50), 0), "applied", "before the first that is remembered");
    assert_eq!(run.push(Payment { partition: 1, ..payment(1, 1.0, 101) }, 0), "applied", "keys belong to a partition");
    let future = Payment { at_us: Some(1_200), consumed_us: Some(199), ..payment(2, 1.0, 0) };
    assert_eq!(run.push(future, 0), "future: the event time is 0 s ahead of the broker's");
    let untimed = Payment { at_us: None, consumed_us: None, ..payment(3, 1.0, 0) };
    assert_eq!(run.push(untimed, 0), "no event time: neither the resolver nor the message's envelope gives one");
    let late = Payment { at_us: Some(0), consumed_us: Some(3_600_000_001), ..payment(4, 1.0, 0) };
    assert_eq!(run.push(late, 0), "late");
    assert_eq!(run.ask(150), values(4, 4.0), "what was not applied is no event");
}

#[test]
fn tumbling_windows_run_when_the_watermark_has_passed_them() {
    let package = package(AggregationKind::Tumbling { windows_us: vec![10], allowed_lateness_us: 5 }, Some(10));
    let mut run = Run::new(&package);
    run.push(payment(1, 1.0, 3), 0);
    run.push(payment(2, 2.0, 9), 0);
    run.push(payment(3, 4.0, 14), 0);
    assert!(run.with(|model, evaluator| model.advance(evaluator, 0)).is_empty(), "10 + 5 is not reached by 14");
    assert_eq!(run.push(payment(4, 8.0, 2), 0), "applied", "its window is still open");
    run.push(payment(5, 16.0, 15), 0);
    assert_eq!(run.push(payment(6, 32.0, 4), 0), "late", "15 is an event time, and the window of 4 is over");
    let closed = run.with(|model, evaluator| model.advance(evaluator, 0));
    assert_eq!(closed.len(), 1);
    assert_eq!((closed[0].window_us, closed[0].end_us), (10, 10));
    let row = vec![(0, Value::Int(7)), (1, Value::Int(3)), (2, Value::Float(11.0))];
    assert_eq!(closed[0].rows, [(Value::Int(7), Ok(row))]);
    assert_eq!(run.ask(0)[..2], values(3, 11.0)[..2], "its values are stored");
    assert!(run.with(|model, evaluator| model.advance(evaluator, 49)).is_empty(), "it ran once");
    // After 50 without a message the clock goes on by itself.
    let closed = run.with(|model, evaluator| model.advance(evaluator, 75));
    assert_eq!(closed.iter().map(|closed| closed.end_us).collect::<Vec<_>>(), [20]);
    assert_eq!(run.ask(0)[..2], values(2, 20.0)[..2]);
}

#[test]
fn a_feature_that_fails_fails_those_that_read_it_alone() {
    let mut package = package(AggregationKind::Total, None);
    let span = package.program.resolvers[0].span;
    // `sum` reads a feature that is never null and was never written.
    let missing = expr(ExprKind::Feature(3), Type::FLOAT, span);
    package.program.classes[0].features[2].expression = Some(missing);
    let mut run = Run::new(&package);
    run.push(payment(1, 1.0, 0), 0);
    let why = Err("feature user.average has no value".to_owned());
    assert_eq!(run.ask(0), [Ok(Value::Int(1)), why.clone(), why]);
}
