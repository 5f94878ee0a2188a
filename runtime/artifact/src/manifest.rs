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
    /// In order of declaration.
    pub features: Vec<Feature>,
    /// Computes every expression feature from the stored ones: inputs and outputs are `KernelInput::Feature` and
    /// features of this class.
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
}

/// How expression features are computed for a query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExpressionPlan {
    /// The kernel. A stored feature may be missing, so every input column is nullable; a row whose required input is null fails alone.
    pub kernel: u32,
    /// Per output of the kernel the feature's position in the class.
    pub outputs: Vec<u32>,
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
    /// `@environments`; empty = all.
    pub environments: Vec<String>,
    /// `@skip_online`
    pub skip_online: bool,
    /// `@skip_offline`
    pub skip_offline: bool,
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
