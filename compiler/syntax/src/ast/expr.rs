//! Expressions.
//!
//! One node type for all of them: whether `a.b` is a field, an enum's variant or an imported name is not the tree's business.
//!
//! This module must not know types.

use chalk_diagnostics::Span;

use super::{Name, TypeExpr};

/// An expression. The span covers parentheses around it.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where.
    pub span: Span,
}

/// The forms of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// Could not be read; a diagnostic says why.
    Error,
    /// `none`.
    None,
    /// `true`, `false`.
    Bool(bool),
    /// `1_000`: never negative (a minus is a [`UnaryOp::Neg`]), and possibly too large for its type.
    Int(i128),
    /// `1.5e3`: never negative, never infinite.
    Float(f64),
    /// `"text"`, `"""text"""`, escapes resolved.
    String(String),
    /// `b"bytes"`, escapes resolved.
    Bytes(Vec<u8>),
    /// `1h30m`, in microseconds.
    Duration(i64),
    /// `x`.
    Name(Name),
    /// `base.name`.
    Field {
        /// What it is a field of.
        base: Box<Expr>,
        /// Which.
        name: Name,
    },
    /// `base[index]`.
    Index {
        /// What is indexed.
        base: Box<Expr>,
        /// By what.
        index: Box<Expr>,
    },
    /// `base[start..end]`.
    Slice {
        /// What is sliced.
        base: Box<Expr>,
        /// The first position, if given.
        start: Option<Box<Expr>>,
        /// The position past the last, if given.
        end: Option<Box<Expr>>,
    },
    /// `function<T>(args)`.
    Call {
        /// What is called.
        function: Name,
        /// The types between `<` and `>`.
        type_args: Vec<TypeExpr>,
        /// Positional and named arguments as written.
        args: Vec<Arg>,
    },
    /// `receiver.method<T>(args)`.
    Method {
        /// What stands before the dot.
        receiver: Box<Expr>,
        /// What is called.
        method: Name,
        /// The types between `<` and `>`.
        type_args: Vec<TypeExpr>,
        /// Positional and named arguments as written.
        args: Vec<Arg>,
    },
    /// `op operand`.
    Unary {
        /// The operator.
        op: UnaryOp,
        /// Where the operator stands.
        op_span: Span,
        /// Its operand.
        operand: Box<Expr>,
    },
    /// `left op right`.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// Where the operator stands.
        op_span: Span,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
    },
    /// `operand is none`, `operand is not none`.
    IsNone {
        /// What is asked about.
        operand: Box<Expr>,
        /// Whether `not` stands there.
        negated: bool,
    },
    /// `operand as T`.
    Cast {
        /// What is cast.
        operand: Box<Expr>,
        /// To what.
        ty: TypeExpr,
    },
    /// `if condition then then else otherwise`.
    If {
        /// The condition.
        condition: Box<Expr>,
        /// Where it is true.
        then: Box<Expr>,
        /// Where it is false or null.
        otherwise: Box<Expr>,
    },
    /// `match { cond => value … }` or `match subject { pattern => value … }`.
    Match {
        /// What is compared with the patterns; without one, the tests are conditions.
        subject: Option<Box<Expr>>,
        /// The arms in order.
        arms: Vec<MatchArm>,
    },
    /// `{ let x = e … value }`.
    Block {
        /// The lines before the last.
        lets: Vec<Let>,
        /// The last line.
        value: Box<Expr>,
    },
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `{k: v, …}`, only as an attribute's argument or in a test; in a test a key that is a bare name is a [`ExprKind::Name`].
    Map(Vec<(Expr, Expr)>),
}

/// An argument of a call or an attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// The name in `name: value`.
    pub name: Option<Name>,
    /// The value.
    pub value: Expr,
    /// Where, with the name.
    pub span: Span,
}

/// A line `let name = value` of a block; the type after a `:` is optional.
#[derive(Clone, Debug, PartialEq)]
pub struct Let {
    /// What is named.
    pub name: Name,
    /// The type, if written.
    pub ty: Option<TypeExpr>,
    /// Its value.
    pub value: Expr,
    /// Where, from `let`.
    pub span: Span,
}

/// An arm `test => value`.
#[derive(Clone, Debug, PartialEq)]
pub struct MatchArm {
    /// When it is taken.
    pub test: MatchTest,
    /// What it gives.
    pub value: Expr,
    /// Where.
    pub span: Span,
}

/// When an arm of a match is taken.
#[derive(Clone, Debug, PartialEq)]
pub enum MatchTest {
    /// Without a subject one condition; with one, the patterns (`a | b`), each a literal, a variant or `none`.
    When(Vec<Expr>),
    /// `else`: always. It may stand anywhere in the tree; that it is last is a rule, checked by the parser.
    Else(Span),
}

/// Operators before their operand.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum UnaryOp {
    /// `-`
    Neg,
    /// `not`
    Not,
}

impl UnaryOp {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            UnaryOp::Neg => "-",
            UnaryOp::Not => "not",
        }
    }
}

/// Operators between two operands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum BinaryOp {
    Or,
    And,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
    Coalesce,
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Pow,
}

impl BinaryOp {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            BinaryOp::Or => "or",
            BinaryOp::And => "and",
            BinaryOp::Eq => "==",
            BinaryOp::Ne => "!=",
            BinaryOp::Lt => "<",
            BinaryOp::Le => "<=",
            BinaryOp::Gt => ">",
            BinaryOp::Ge => ">=",
            BinaryOp::In => "in",
            BinaryOp::NotIn => "not in",
            BinaryOp::Coalesce => "??",
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Rem => "%",
            BinaryOp::Pow => "**",
        }
    }
}
