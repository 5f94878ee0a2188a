//! A checked program: every name resolved, every expression typed, every user function inlined.
//!
//! It is what the reference evaluator runs and what codegen lowers, so it says each thing in one way: conversions are
//! explicit (`Cast`), defaults of parameters are filled in, `match` has become `If`, a method call a `Call`. The null rule is the same for every
//! operator: a null operand makes the result null, except where a variant says otherwise.
//!
//! This file must not know how a program is checked or run.

use std::sync::Arc;

use chalk_artifact::decode_plan::UnixUnit;
use chalk_artifact::manifest::OptionValue;
use chalk_catalog::FunctionDef;
use chalk_catalog::aggregate::{AggregateCall, AggregateDef};
use chalk_diagnostics::Span;
use chalk_types::{EnumType, StructType, Type, Value};

/// A package, checked. Complete only where no error was reported.
#[derive(Debug, Default)]
pub struct Program {
    /// Messages in order of declaration (files in order of path).
    pub messages: Vec<Message>,
    /// Enums in order of declaration.
    pub enums: Vec<Arc<EnumType>>,
    /// Sources in order of declaration.
    pub sources: Vec<Source>,
    /// Feature classes in order of declaration.
    pub classes: Vec<FeatureClass>,
    /// Stream resolvers in order of declaration.
    pub resolvers: Vec<StreamResolver>,
    /// Aggregations: of collections in order of class and feature, then of windowed resolvers.
    pub aggregations: Vec<Aggregation>,
    /// `test` blocks in order of declaration.
    pub tests: Vec<Test>,
    /// User functions, as declared; calls of them are inlined, so this is for tools (and for warnings).
    pub functions: Vec<Function>,
}

/// Doc comment of a declaration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Doc {
    /// Its first paragraph.
    pub description: String,
    /// Lines such as `:owner: identity`, in order.
    pub metadata: Vec<(String, String)>,
}

/// A message type.
#[derive(Debug)]
pub struct Message {
    /// Where its name is declared.
    pub span: Span,
    /// Its doc comment.
    pub doc: Doc,
    /// Name, fields and their types.
    pub ty: Arc<StructType>,
    /// What the type does not say of each field, in the same order.
    pub wire: Vec<WireField>,
    /// `@relaxed`
    pub relaxed: bool,
}

/// How a field travels.
#[derive(Debug)]
pub struct WireField {
    /// Where its name is declared.
    pub span: Span,
    /// Its doc comment.
    pub doc: Doc,
    /// The key on the wire.
    pub key: String,
    /// Used when the key is absent.
    pub default: Option<Value>,
    /// `@lenient`
    pub lenient: bool,
    /// `@unix(unit)`
    pub unix: Option<UnixUnit>,
    /// The message inside (of a list, vector or map of messages too): its position in `Program::messages`.
    pub message: Option<usize>,
}

/// A source.
#[derive(Debug)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Where its name is declared.
    pub span: Span,
    /// `kafka`, `file`, …
    pub connector: String,
    /// Its arguments, in order of writing, except the following.
    pub options: Vec<(String, OptionValue)>,
    /// `late_arrival_deadline`
    pub late_arrival_deadline_us: Option<i64>,
}

/// A feature class.
#[derive(Debug)]
pub struct FeatureClass {
    /// Its name.
    pub name: String,
    /// Its name outside: snake case.
    pub namespace: String,
    /// Where its name is declared.
    pub span: Span,
    /// Its doc comment.
    pub doc: Doc,
    /// `@max_staleness`
    pub max_staleness_us: Option<i64>,
    /// `@etl_offline_to_online`
    pub etl_offline_to_online: bool,
    /// Position of the primary key in `features`.
    pub primary_key: usize,
    /// Position of the `@time` feature.
    pub time: Option<usize>,
    /// In order of declaration. A windowed feature is one feature for each of its windows, in the order of the windows; collections
    /// and links to other classes are not among them.
    pub features: Vec<Feature>,
    /// Has-many and has-one declarations.
    pub relations: Vec<Relation>,
    /// What expressions of the class read of aggregations (`ExprKind::Aggregate`), without repetition.
    pub aggregates: Vec<AggregateValue>,
    /// Positions of the expression features, in an order in which each comes after those that it reads.
    pub expression_order: Vec<usize>,
}

/// A feature.
#[derive(Debug)]
pub struct Feature {
    /// Its name.
    pub name: String,
    /// `user.full_name`
    pub fqn: String,
    /// Where its name is declared.
    pub span: Span,
    /// Its doc comment.
    pub doc: Doc,
    /// Its type.
    pub ty: Type,
    /// `@max_staleness` of its own.
    pub max_staleness_us: Option<i64>,
    /// `= expression` over features of the same class (`ExprKind::Feature`), of linked classes and over aggregates, converted to `ty`. The
    /// features of a continuous windowed resolver have what it assigns here, its `key` being the primary key.
    pub expression: Option<Expr>,
    /// Of a windowed feature: which window of which.
    pub window: Option<FeatureWindow>,
    /// The class that it is a foreign key of.
    pub foreign_key: Option<usize>,
    /// `@unbounded`: what its aggregates keep may grow without an end.
    pub unbounded: bool,
}

/// One window of a windowed feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureWindow {
    /// The feature's name as declared; `Feature::name` is `num_failed_logins[10m]`.
    pub feature: String,
    /// How long; none = all time.
    pub duration_us: Option<i64>,
}

/// A link between classes.
#[derive(Debug)]
pub struct Relation {
    /// Its name.
    pub name: String,
    /// Where its name is declared.
    pub span: Span,
    /// Its doc comment.
    pub doc: Doc,
    /// The other class.
    pub class: usize,
    /// Which way.
    pub kind: RelationKind,
}

/// Which way a link goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelationKind {
    /// `[LoginAttempt]`: rows of the other class whose foreign key (position there) is this class's primary key.
    HasMany {
        /// Position in the other class.
        foreign_key: usize,
    },
    /// `Profile`: the row of the other class that this class's foreign key names.
    HasOne {
        /// Position in this class.
        foreign_key: usize,
    },
}

/// A leaf of an aggregation over one window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AggregateValue {
    /// Position in `Program::aggregations`.
    pub aggregation: usize,
    /// Position in its leaves.
    pub leaf: usize,
    /// The window; none where the aggregation is `Total`.
    pub window_us: Option<i64>,
}

/// Aggregates of one class over one stream of events; they share their state.
///
/// Collections of a class have up to one for each of: no window, continuous windows, and each `@materialize` of other buckets. A windowed
/// resolver has one.
#[derive(Debug)]
pub struct Aggregation {
    /// `User.login_attempts`, `User.failed_logins`.
    pub name: String,
    /// The class whose primary key is the key.
    pub class: usize,
    /// Where the collection or the resolver is declared.
    pub span: Span,
    /// The types of what events carry; feeds compute them.
    pub columns: Vec<EventColumn>,
    /// What is aggregated, without repetition.
    pub leaves: Vec<Leaf>,
    /// Over which windows, and how.
    pub kind: AggregationKind,
}

/// A column of an aggregation's events.
#[derive(Clone, Debug)]
pub struct EventColumn {
    /// Where it is written.
    pub span: Span,
    /// Its type.
    pub ty: Type,
}

/// One aggregate.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// The aggregate.
    pub aggregate: &'static AggregateDef,
    /// Its types and constants.
    pub call: AggregateCall,
    /// The column that must be true for an event to count.
    pub filter: Option<usize>,
    /// The columns that are its arguments.
    pub args: Vec<usize>,
    /// Where it is called.
    pub span: Span,
}

/// How an aggregation of a stream resolver's messages comes about.
#[derive(Debug)]
pub struct Feed {
    /// Position in `Program::aggregations`.
    pub aggregation: usize,
    /// The key, of the primary key's type or its optional one (null: no event). None where the aggregation keeps messages for SQL. Over
    /// `ExprKind::Feature` of the resolver's class (all of them set or computable there) if the aggregation is of a
    /// collection, over the message if it is of a windowed resolver.
    pub key: Option<Expr>,
    /// A value per column.
    pub columns: Vec<Expr>,
}

/// `dedup key within duration`.
#[derive(Debug)]
pub struct Dedup {
    /// The key: an integer, text, bytes, date, datetime, enum or bool, or the optional one of these.
    pub key: Expr,
    /// How long it is remembered.
    pub within_us: i64,
}

/// What makes a resolver a windowed one.
#[derive(Debug)]
pub struct Windowed {
    /// Its aggregation; the resolver's only feed is of it.
    pub aggregation: usize,
    /// Of `tumbling` windows: what is set when a window is over, per window length, ascending. Expressions are over
    /// `ExprKind::Feature` of the primary key and `ExprKind::Aggregate`.
    pub closes: Vec<WindowClose>,
    /// The query instead.
    pub sql: Option<SqlWindow>,
}

/// What is set when a tumbling window is over.
#[derive(Debug)]
pub struct WindowClose {
    /// The window's length.
    pub window_us: i64,
    /// Feature position and value; the primary key is among them.
    pub assignments: Vec<(usize, Expr)>,
}

/// A `sql` body, planned.
#[derive(Debug)]
pub struct SqlWindow {
    /// The query.
    pub query: String,
    /// The parameter: the name of the query's one table.
    pub table: String,
    /// Name and type of each column of the table.
    pub columns: Vec<(String, Type)>,
    /// Name of each column of the result, and the type that its values are given as: that of the features.
    pub results: Vec<(String, Type)>,
    /// Position in the results of the primary key.
    pub key: usize,
    /// Per window length, ascending: per column of the result the feature that it sets.
    pub outputs: Vec<Vec<usize>>,
}

/// A `test` block.
#[derive(Debug)]
pub struct Test {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// The resolver that it is for, by position.
    pub resolver: usize,
    /// What happens, in order.
    pub steps: Vec<TestStep>,
}

/// A step of a test.
#[derive(Debug)]
pub struct TestStep {
    /// The time on the clock from here on; none: as before (at first, the epoch of the machine's clock does not matter: no step without a time may depend on one).
    pub at_us: Option<i64>,
    /// Where it stands.
    pub span: Span,
    /// What happens.
    pub kind: TestStepKind,
}

/// What happens in a step.
#[derive(Debug)]
pub enum TestStepKind {
    /// A message arrives, at the step's time.
    Given {
        /// Its bytes.
        message: Vec<u8>,
        /// Its headers.
        headers: Vec<(String, Vec<u8>)>,
    },
    /// The fate of the latest message (`applied`, `skipped`, …).
    ExpectFate(String),
    /// What a query at the step's time gives.
    Expect {
        /// The class.
        class: usize,
        /// The primary key; none: that of the latest message.
        key: Option<Value>,
        /// Feature position, what it is (null: none), and where that is written.
        values: Vec<(usize, Value, Span)>,
    },
}

/// How events are kept: see `chalk_artifact::manifest`, which has the same.
pub use chalk_artifact::manifest::{AggregationKind, Buckets, Tier, Window};

/// A user function, checked as declared.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Where its name is declared.
    pub span: Span,
    /// Its doc comment.
    pub doc: Doc,
    /// Parameters: each is bound as that local in `body`.
    pub params: Vec<(String, LocalId, Type)>,
    /// Its value, converted to the declared type; calls in it are inlined.
    pub body: Expr,
}

/// A stream resolver. The order of work: prefilter, decode, parse, filter, timestamp and
/// late check, dedup, assignments, expression features, feeds.
#[derive(Debug)]
pub struct StreamResolver {
    /// Its name.
    pub name: String,
    /// Where its name is declared.
    pub span: Span,
    /// Its doc comment.
    pub doc: Doc,
    /// Position of its source.
    pub source: usize,
    /// Position of the class that it writes.
    pub class: usize,
    /// What the bytes are; the type of `ExprKind::Message`.
    pub input: MessageInput,
    /// `where` over envelope and headers alone, standing before `parse`; `bool` or `bool?`. Several are joined by `and`.
    pub prefilter: Option<Expr>,
    /// `where` before `parse` that reads the message as well.
    pub raw_filter: Option<Expr>,
    /// `parse`: over `ExprKind::Message`; null skips. Its (not null) value is bound to the local.
    pub parse: Option<(LocalId, Expr)>,
    /// `where` after the parse.
    pub filter: Option<Expr>,
    /// `timestamp`: a `datetime` or `datetime?`. Where no clause stands, the `@time` feature's assignment, else none.
    pub timestamp: Option<Expr>,
    /// `dedup`, evaluated after the late check.
    pub dedup: Option<Dedup>,
    /// What is set, in order of writing: feature position and value, converted to its type. Empty for windowed resolvers.
    pub assignments: Vec<(usize, Expr)>,
    /// Aggregations of which applied messages are events, evaluated after assignments and expression features.
    pub feeds: Vec<Feed>,
    /// Over `[Message]`: what makes it windowed.
    pub window: Option<Windowed>,
    /// Whether its messages are events of materialized aggregations: `@updates_materialized_aggregations(false)` says no.
    pub updates_materialized: bool,
    /// `@environments`
    pub environments: Vec<String>,
    /// `@skip_online`
    pub skip_online: bool,
    /// `@skip_offline`
    pub skip_offline: bool,
}

/// What the bytes of a message are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageInput {
    /// JSON of the message at that position.
    Json(usize),
    /// `string`
    Text,
    /// `bytes`
    Bytes,
}

/// A name bound by `Let`, unique in its resolver or feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalId(pub u32);

/// A typed expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Its type; `nullable` says whether it can be null.
    pub ty: Type,
    /// Where it stands: after inlining, the call site's or the body's own place, whichever a reader wants to see when it fails.
    pub span: Span,
}

/// What an expression is.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// A constant of type `ty` (`Value::Null` where it is null).
    Const(Value),
    /// The message as it comes from the source: decoded JSON, text or bytes.
    Message,
    /// `envelope.…`
    Envelope(EnvelopeField),
    /// `header("name")`: `bytes?`
    Header(String),
    /// A feature of the same class, by position.
    Feature(usize),
    /// Of the class's `aggregates`, by position.
    Aggregate(usize),
    /// A feature of the class that a foreign key of this class points to; null where nothing is stored there.
    Linked {
        /// The foreign key's position.
        foreign_key: usize,
        /// The other class.
        class: usize,
        /// Position of the feature there.
        feature: usize,
    },
    /// A bound name.
    Local(LocalId),
    /// Binds the value, once evaluated, in the body.
    Let {
        /// The name.
        local: LocalId,
        /// What it is bound to.
        value: Box<Expr>,
        /// Where it is known.
        body: Box<Expr>,
    },
    /// A field of a message.
    Field {
        /// The message.
        base: Box<Expr>,
        /// Position of the field in its type.
        field: u32,
    },
    /// `list[i]` (from the end where negative), `map[key]`: null where there is none.
    Index {
        /// List, vector or map.
        base: Box<Expr>,
        /// `int`, or the type of the keys.
        index: Box<Expr>,
    },
    /// `x[a..b]` of a string (code points), bytes or list; ends out of range are moved into it, negative ones count from the end.
    Slice {
        /// What is sliced.
        base: Box<Expr>,
        /// First position, `int`.
        start: Option<Box<Expr>>,
        /// Position after the last, `int`.
        end: Option<Box<Expr>>,
    },
    /// `[a, b]`; items have the list's item type.
    List(Vec<Expr>),
    /// `-x` of int, uint64 never, float, decimal, duration; overflow fails.
    Neg(Box<Expr>),
    /// `not x`
    Not(Box<Expr>),
    /// Arithmetic; see `ArithOp` for the types.
    Arith {
        /// The operator.
        op: ArithOp,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
    },
    /// `<` and the like; both sides have the same kind. NaN is the greatest float. Null gives null.
    Order {
        /// The operator.
        op: OrderOp,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
    },
    /// `==` (or `!=` where `negated`), null-safe, never null; both sides have the same kind. NaN equals NaN.
    Equal {
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
        /// `!=`
        negated: bool,
    },
    /// `a and b`, three-valued; the right side is not evaluated where the left is false.
    And(Box<Expr>, Box<Expr>),
    /// `a or b`, three-valued; the right side is not evaluated where the left is true.
    Or(Box<Expr>, Box<Expr>),
    /// `a ?? b`; the right side is evaluated only where the left is null. Both have the kind of the result.
    Coalesce(Box<Expr>, Box<Expr>),
    /// `x is none` (or `is not none` where `negated`).
    IsNull {
        /// The operand.
        value: Box<Expr>,
        /// `is not none`
        negated: bool,
    },
    /// Only the branch taken is evaluated; a null condition takes `otherwise`. Branches have the kind of the result.
    If {
        /// `bool` or `bool?`
        cond: Box<Expr>,
        /// Where it is true.
        then: Box<Expr>,
        /// Where it is false or null.
        otherwise: Box<Expr>,
    },
    /// `item in list`: null where the item is null, or where nothing equals and the list holds a null; the list may be any list expression or `List`.
    In {
        /// What is looked for.
        item: Box<Expr>,
        /// A list of the item's kind.
        list: Box<Expr>,
    },
    /// A conversion to `ty`.
    Cast {
        /// What is converted.
        value: Box<Expr>,
        /// How.
        mode: CastMode,
    },
    /// A library function; one argument per parameter (a variadic parameter gets a `List`). Parameters declared not null
    /// propagate null; those declared `T?` receive it.
    Call {
        /// The function.
        function: &'static FunctionDef,
        /// Its arguments.
        args: Vec<Expr>,
    },
    /// `recover(a, b)`: b where a fails (not where it is null).
    Recover(Box<Expr>, Box<Expr>),
    /// `json_deserialize<T>(x)` of string or bytes: the message at that position, decoded strictly; fails where it is not one.
    DeserializeJson {
        /// `string` or `bytes`.
        input: Box<Expr>,
        /// Position in `Program::messages`.
        message: usize,
    },
}

/// A field of the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EnvelopeField {
    /// `string`
    Topic,
    /// `int`
    Partition,
    /// `int`
    Offset,
    /// `bytes?`
    Key,
    /// `datetime?`
    Timestamp,
}

/// Arithmetic. Operand kinds are equal (after explicit casts) unless said; the result has the expression's type.
///
/// Decimals: operands of `+`, `-` and `%` have one scale, which is the result's; the result may have one digit more than they, up to
/// 38. A result of more digits than its type has fails the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArithOp {
    /// int, uint64, float, decimal, duration; datetime + duration, date + duration (whole days, else fails; result date); string, bytes, list: joined. Integer overflow fails.
    Add,
    /// int, uint64, float, decimal, duration; datetime - datetime = duration; datetime - duration; date - date = duration.
    Sub,
    /// int, uint64, float; decimals each of its own precision and scale (the scales add up); duration * int.
    Mul,
    /// float / float; duration / duration = float; decimal operands are cast to float first.
    Div,
    /// int, uint64, float, decimal, duration; sign of the dividend. By zero fails, except float (NaN).
    Rem,
    /// float ** float.
    Pow,
}

/// Comparisons by order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum OrderOp {
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

/// How a `Cast` treats what does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CastMode {
    /// Cannot fail (silent coercions); null stays null. int to wider int, float, float32 or decimal; float32 to float; decimal to
    /// decimal, or (operands of `/` and `**`) to the nearest float; vector to list; a list to one whose items may be null.
    Widen,
    /// `as T`: what does not fit, and null, fails the message.
    Exact,
    /// `as T?`: what does not fit is null.
    Try,
}

impl Expr {
    /// Whether it can be null.
    pub fn is_nullable(&self) -> bool {
        self.ty.nullable
    }

    /// Calls `visit` for every direct operand, in order of evaluation.
    pub fn for_each_child<'a>(&'a self, mut visit: impl FnMut(&'a Expr)) {
        match &self.kind {
            ExprKind::Const(_)
            | ExprKind::Message
            | ExprKind::Envelope(_)
            | ExprKind::Header(_)
            | ExprKind::Feature(_)
            | ExprKind::Aggregate(_)
            | ExprKind::Linked { .. }
            | ExprKind::Local(_) => {}
            ExprKind::Let { value, body, .. } => {
                visit(value);
                visit(body);
            }
            ExprKind::Field { base: value, .. }
            | ExprKind::Neg(value)
            | ExprKind::Not(value)
            | ExprKind::IsNull { value, .. }
            | ExprKind::Cast { value, .. }
            | ExprKind::DeserializeJson { input: value, .. } => visit(value),
            ExprKind::Index { base: left, index: right }
            | ExprKind::Arith { left, right, .. }
            | ExprKind::Order { left, right, .. }
            | ExprKind::Equal { left, right, .. }
            | ExprKind::And(left, right)
            | ExprKind::Or(left, right)
            | ExprKind::Coalesce(left, right)
            | ExprKind::In { item: left, list: right }
            | ExprKind::Recover(left, right) => {
                visit(left);
                visit(right);
            }
            ExprKind::Slice { base, start, end } => {
                visit(base);
                start.iter().chain(end).for_each(|bound| visit(bound));
            }
            ExprKind::List(items) | ExprKind::Call { args: items, .. } => items.iter().for_each(visit),
            ExprKind::If { cond, then, otherwise } => {
                visit(cond);
                visit(then);
                visit(otherwise);
            }
        }
    }

    /// Calls `visit` for every direct operand, in order of evaluation, to change it.
    pub fn for_each_child_mut(&mut self, mut visit: impl FnMut(&mut Expr)) {
        match &mut self.kind {
            ExprKind::Const(_)
            | ExprKind::Message
            | ExprKind::Envelope(_)
            | ExprKind::Header(_)
            | ExprKind::Feature(_)
            | ExprKind::Aggregate(_)
            | ExprKind::Linked { .. }
            | ExprKind::Local(_) => {}
            ExprKind::Let { value, body, .. } => {
                visit(value);
                visit(body);
            }
            ExprKind::Field { base: value, .. }
            | ExprKind::Neg(value)
            | ExprKind::Not(value)
            | ExprKind::IsNull { value, .. }
            | ExprKind::Cast { value, .. }
            | ExprKind::DeserializeJson { input: value, .. } => visit(value),
            ExprKind::Index { base: left, index: right }
            | ExprKind::Arith { left, right, .. }
            | ExprKind::Order { left, right, .. }
            | ExprKind::Equal { left, right, .. }
            | ExprKind::And(left, right)
            | ExprKind::Or(left, right)
            | ExprKind::Coalesce(left, right)
            | ExprKind::In { item: left, list: right }
            | ExprKind::Recover(left, right) => {
                visit(left);
                visit(right);
            }
            ExprKind::Slice { base, start, end } => {
                visit(base);
                start.iter_mut().chain(end).for_each(|bound| visit(bound));
            }
            ExprKind::List(items) | ExprKind::Call { args: items, .. } => items.iter_mut().for_each(visit),
            ExprKind::If { cond, then, otherwise } => {
                visit(cond);
                visit(then);
                visit(otherwise);
            }
        }
    }
}
