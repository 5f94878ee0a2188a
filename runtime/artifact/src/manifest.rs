//! What an artifact says about itself: sources, feature classes, resolvers, kernels and the places they came from.
//!
//! The runtime is driven by it alone: no `.chalk` file is needed beside an artifact. Everything is a list with a fixed
//! order and positions as references, so that equal sources give equal bytes.
//!
//! This file must not know the file format around it.

use chalk_types::{Type, Value};
use serde::{Deserialize, Serialize};

use crate::decode_plan::DecodePlan;

/// The whole description.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the compiler, for people.
    pub compiler_version: String,
    /// Source files, relative to the package, in order.
    pub files: Vec<String>,
    /// Sources in order of declaration.
    pub sources: Vec<Source>,
    /// Feature classes in order of declaration.
    pub classes: Vec<FeatureClass>,
    /// Stream resolvers in order of declaration.
    pub resolvers: Vec<Resolver>,
    /// Aggregations; referred to by position.
    pub aggregations: Vec<Aggregation>,
    /// Kernels; referred to by position.
    pub kernels: Vec<Kernel>,
    /// Decode plans of `json_deserialize<T>` calls; referred to by position from code.
    pub decode_plans: Vec<DecodePlan>,
    /// Types that code refers to by position (`rt.equal`).
    pub types: Vec<Type>,
    /// Helpers in the order of the context's pointer table: name with signature, as `runtime_helpers` or the catalogue give it.
    pub imports: Vec<String>,
    /// Places in the sources that can fail; referred to by position from code.
    pub sites: Vec<Site>,
}

/// A `source` declaration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// The connector: `kafka`, `file`.
    pub connector: String,
    /// Its arguments in order of writing, except those below.
    pub options: Vec<(String, OptionValue)>,
    /// `late_arrival_deadline`
    pub late_arrival_deadline_us: Option<i64>,
}

/// An argument of a source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OptionValue {
    /// A constant.
    Value(Value),
    /// `env("NAME")`: read when the source is opened.
    Env(String),
}

/// A `features` declaration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureClass {
    /// The name in the source.
    pub name: String,
    /// The name outside, in snake case: the part before the dot of a fully qualified name.
    pub namespace: String,
    /// Its doc comment's first paragraph.
    pub description: String,
    /// `:owner:` and the like.
    pub metadata: Vec<(String, String)>,
    /// `@max_staleness`
    pub max_staleness_us: Option<i64>,
    /// `@etl_offline_to_online`
    pub etl_offline_to_online: bool,
    /// Position of the primary key in `features`.
    pub primary_key: u32,
    /// Position of the `@time` feature.
    pub time: Option<u32>,
    /// In order of declaration; a windowed feature is one feature per window here.
    pub features: Vec<Feature>,
    /// What expressions read of aggregations (`KernelInput::Aggregate`).
    pub aggregates: Vec<AggregateValue>,
    /// What expressions read of other classes (`KernelInput::Linked`).
    pub links: Vec<LinkedValue>,
    /// Computes every expression feature from the stored ones, aggregates and linked values.
    pub expressions: Option<ExpressionPlan>,
}

/// One feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// The name in the source.
    pub name: String,
    /// `user.full_name`
    pub fqn: String,
    /// Its type.
    pub ty: Type,
    /// Its doc comment's first paragraph.
    pub description: String,
    /// `:owner:`, `:tags:`.
    pub metadata: Vec<(String, String)>,
    /// `@max_staleness` of its own.
    pub max_staleness_us: Option<i64>,
    /// Whether an expression gives it.
    pub is_expression: bool,
    /// Of a windowed feature: which window of which.
    pub window: Option<FeatureWindow>,
}

/// One window of a windowed feature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureWindow {
    /// The feature's name as declared; `Feature::name` is `num_failed_logins[10m]`, its fqn `user.num_failed_logins__600__`.
    pub feature: String,
    /// How long the window is; none = all time (`__all__`).
    pub duration_us: Option<i64>,
}

/// A leaf of an aggregation over one of its windows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AggregateValue {
    /// Position in `Manifest::aggregations`.
    pub aggregation: u32,
    /// Position in its leaves.
    pub leaf: u32,
    /// Position in its windows (0 where it is `Total`).
    pub window: u32,
    /// Its type.
    pub ty: Type,
}

/// A feature of the class that a foreign key of this class points to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkedValue {
    /// Position of the foreign key in this class.
    pub foreign_key: u32,
    /// The other class.
    pub class: u32,
    /// Position of the feature there.
    pub feature: u32,
    /// Its type, nullable: there may be nothing stored under the key.
    pub ty: Type,
}

/// Aggregates of one class over one stream of events, which share state: per key and source partition one record series.
///
/// Events come from resolvers (`Feed`); each has a key (of the class's primary key's type), an event time, an offset and the columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Aggregation {
    /// For people, and for recognising state after a restart: `User.login_attempts` (a collection), `User.failed_logins` (a resolver),
    /// with a number where one collection has several aggregations.
    pub name: String,
    /// The class whose primary key is the key.
    pub class: u32,
    /// The type of the key.
    pub key: Type,
    /// What events carry, in order.
    pub columns: Vec<EventColumnPlan>,
    /// What is aggregated.
    pub leaves: Vec<Leaf>,
    /// Over which windows, and how.
    pub kind: AggregationKind,
}

/// A column of an aggregation's events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventColumnPlan {
    /// The expression as written, shortened: for people.
    pub source: String,
    /// Its type.
    pub ty: Type,
}

/// One aggregate of an aggregation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leaf {
    /// The aggregate, by its signature in the catalogue.
    pub aggregate: String,
    /// Constants, in the order of its `const` parameters.
    pub params: Vec<Value>,
    /// The column (`bool` or `bool?`) that must be true for an event to count.
    pub filter: Option<u32>,
    /// The columns that are its arguments; an event with a null in one of them does not count.
    pub args: Vec<u32>,
    /// The types that its arguments have (not nullable).
    pub arg_types: Vec<Type>,
    /// The type of its result.
    pub ty: Type,
}

/// How events are kept, and over which windows they are aggregated. Durations are microseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AggregationKind {
    /// One partial per key, for all time.
    Total,
    /// Exact windows `(now - w, now]`: events are kept, beside partials of aligned buckets.
    Continuous(Buckets),
    /// Buckets alone: a window covers the buckets that start after `floor(now, b) - w`, and the running one.
    Materialized(Buckets),
    /// Windows `[start, end)` aligned to the epoch, each run once, when the watermark passes its end (`Resolver::window`).
    Tumbling {
        /// Window lengths, ascending.
        windows_us: Vec<i64>,
        /// How long after its end a window still takes messages.
        allowed_lateness_us: i64,
    },
    /// Tumbling windows over all keys at once, for SQL: the messages themselves are kept, without key or leaves.
    Messages {
        /// Window lengths, ascending.
        windows_us: Vec<i64>,
        /// How long after its end a window still takes messages.
        allowed_lateness_us: i64,
    },
}

/// Aligned buckets that several windows share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buckets {
    /// Series of buckets; every event is in one bucket of each.
    pub tiers: Vec<Tier>,
    /// The windows, ascending.
    pub windows: Vec<Window>,
}

/// A series of aligned buckets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    /// Length of a bucket.
    pub bucket_us: i64,
    /// Where a bucket begins (`start:`); others are multiples of the length away.
    pub origin_us: i64,
    /// The longest window that reads it: older buckets are forgotten.
    pub span_us: i64,
}

/// A window over a tier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Its length.
    pub duration_us: i64,
    /// Which tier it is folded from.
    pub tier: u32,
}

/// How expression features are computed for a query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExpressionPlan {
    /// The kernel. A stored feature may be missing, so every input column is nullable, and so is every output: one that fails is reported by
    /// `rt.fail_output` and null, and so are those that read it.
    pub kernel: u32,
    /// Per output of the kernel the feature's position in the class.
    pub outputs: Vec<u32>,
    /// Per output the inputs of the kernel that it reads, through other features too, ascending.
    pub reads: Vec<Vec<u32>>,
}

/// A stream resolver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resolver {
    /// Its name.
    pub name: String,
    /// Position of its source.
    pub source: u32,
    /// Position of the class it writes.
    pub class: u32,
    /// What the bytes of a message are.
    pub input: MessageInput,
    /// Decides over envelope and headers before the message is decoded; sets the status `FILTERED`. It has no outputs.
    pub prefilter: Option<u32>,
    /// Everything after the decode.
    pub main: u32,
    /// Per output of the main kernel what it is.
    pub outputs: Vec<ResolverOutput>,
    /// `dedup`: the kernel reports each admitted message's key through `rt.dedup_key`.
    pub dedup: Option<Dedup>,
    /// The aggregations that its applied messages are events of.
    pub feeds: Vec<Feed>,
    /// Of a windowed resolver (over `[Message]`): what is done when a tumbling window is over. It has no features among its outputs.
    pub window: Option<WindowedResolver>,
    /// `@environments`; empty = all.
    pub environments: Vec<String>,
    /// `@skip_online`
    pub skip_online: bool,
    /// `@skip_offline`
    pub skip_offline: bool,
}

/// `dedup key within duration`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dedup {
    /// The type of the key; a null key is no duplicate of anything.
    pub key: Type,
    /// How long a key is remembered.
    pub within_us: i64,
}

/// How applied messages of a resolver become events of an aggregation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Feed {
    /// Position in `Manifest::aggregations`.
    pub aggregation: u32,
    /// The output that is the key; a row where it is null is no event. None for `AggregationKind::Messages`.
    pub key: Option<u32>,
    /// Per column of the aggregation the output that it is.
    pub columns: Vec<u32>,
}

/// What a windowed resolver does when a window is over. Nothing for continuous windows: their features are expressions of the class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowedResolver {
    /// Its aggregation.
    pub aggregation: u32,
    /// Per window length, ascending, what is computed from a key's aggregates (empty for SQL).
    pub closes: Vec<WindowClose>,
    /// The query over the window's messages.
    pub sql: Option<SqlWindow>,
}

/// Features of one key and one window that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowClose {
    /// The window's length.
    pub window_us: i64,
    /// Its inputs are `KernelInput::Feature` of the primary key, and `KernelInput::Aggregate`.
    pub kernel: u32,
    /// Per output of the kernel the feature's position in the class.
    pub outputs: Vec<u32>,
}

/// A query over a window's messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SqlWindow {
    /// The query; its one table is `table`.
    pub query: String,
    /// The name of the parameter.
    pub table: String,
    /// Name and type of each column of the table; the aggregation's columns are their values.
    pub columns: Vec<(String, Type)>,
    /// Name of each column of the result, and the type that its values are given as: that of the features.
    pub results: Vec<(String, Type)>,
    /// Position in the results of the primary key.
    pub key: u32,
    /// Per window length, ascending: per column of the query's result the feature's position in the class.
    pub outputs: Vec<Vec<u32>>,
}

/// What the bytes of a message are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum MessageInput {
    /// JSON, decoded to the plan's columns before the main kernel runs.
    Json(DecodePlan),
    /// UTF-8 text; a message that is not fails.
    Text,
    /// Bytes as they are.
    Bytes,
}

/// What an output of a main kernel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResolverOutput {
    /// A feature that the resolver sets, by position in the class.
    Feature(u32),
    /// An expression feature of the class, computed along because all it reads is set here.
    Expression(u32),
    /// A key or column of an event that `Feed`s refer to.
    Event,
    /// The event time (`datetime?`), for stores; always the last one where it is there.
    EventTime,
}

/// A piece of native code: a loop over rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kernel {
    /// Its symbol: what perf and gdb show.
    pub symbol: String,
    /// Where its code starts in the text section.
    pub text_offset: u64,
    /// Bytes of code.
    pub size_bytes: u64,
    /// The columns it reads, in order.
    pub inputs: Vec<KernelInput>,
    /// The types of what it writes, in order.
    pub outputs: Vec<Type>,
    /// Columns of the IR it was made from, as text.
    pub ir: String,
}

/// A column that a kernel reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum KernelInput {
    /// A column of the resolver's decode plan, by position.
    Decoded(u32),
    /// The message as a whole (`string` or `bytes`).
    Message,
    /// `envelope.topic`: string
    Topic,
    /// `envelope.partition`: int
    Partition,
    /// `envelope.offset`: int
    Offset,
    /// `envelope.key`: bytes?
    Key,
    /// `envelope.timestamp`: datetime?
    Timestamp,
    /// `header("name")`: bytes?, the last header of that name.
    Header(String),
    /// A feature of the class, by position (expression kernels).
    Feature(u32),
    /// Of `FeatureClass::aggregates`, by position (expression kernels).
    Aggregate(u32),
    /// Of `FeatureClass::links`, by position (expression kernels).
    Linked(u32),
}

/// A place in the sources that can fail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Position of the file.
    pub file: u32,
    /// 1-based line.
    pub line: u32,
    /// 1-based column, in code points.
    pub column: u32,
    /// The source text of the failing expression, shortened.
    pub source: String,
    /// What went wrong when code itself finds it ("integer overflow"); empty where a helper tells.
    pub reason: String,
}
