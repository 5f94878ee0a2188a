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
    /// In order of declaration.
    pub features: Vec<Feature>,
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
    /// `= expression` over features of the same class (`ExprKind::Feature`), converted to `ty`.
    pub expression: Option<Expr>,
}

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

/// A stream resolver. The order of work: prefilter, decode, parse, filter, timestamp, assignments.
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
    /// What is set, in order of writing: feature position and value, converted to its type.
    pub assignments: Vec<(usize, Expr)>,
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
