//! One library function as plain data: what it is called, what it takes and gives, what it means.
//!
//! The macro `#[functions]` writes these as statics, so the whole library is data that the compiler, the evaluator, the
//! runtime and the reference pages read in the same way; none of them keeps a list of its own.
//!
//! This file must not know how signatures are parsed or calls resolved.

use chalk_artifact::abi::ScalarShim;
use chalk_types::Value;

/// A function, or one overload of a function.
#[derive(Debug)]
pub struct FunctionDef {
    /// The name in the language. Names of hidden functions need not be identifiers (`cast(string)->int`).
    pub name: &'static str,
    /// The family, which is also the reference page: `text`, `math`, `time`, …
    pub family: &'static str,
    /// The signature in Chalk syntax: `lower(s: string) -> string`.
    pub signature: &'static str,
    /// The signature as written before type variables were replaced; overloads made from one item share it, and the
    /// reference page shows it once. Equal to `signature` elsewhere.
    pub written: &'static str,
    /// What other systems call it: whoever writes such a name is told of this one.
    pub known_as: &'static [&'static str],
    /// What it does, as Markdown; the first paragraph is the summary. Examples are not part of it.
    pub doc: &'static str,
    /// Lines of Chalk, each a `bool` expression that is true.
    pub examples: &'static [&'static str],
    /// Whether a call may fail the message.
    pub fallible: bool,
    /// Whether equal arguments give equal results (`now` and `random` do not), so that a call may be folded or shared.
    pub pure: bool,
    /// Not for users: reached by `as` and by operators only, absent from pages and completion.
    pub hidden: bool,
    /// What it means.
    pub body: Body,
    /// Checks the literal arguments at compile time (one entry per parameter, `None` where the argument is no literal).
    pub check: Option<Check>,
    /// The operation by which generated code may replace the call; it must agree with `body`.
    pub lower: Option<IrOp>,
    /// The Rust types of a native body as Chalk types, parameters first and the result last: a test compares them with
    /// the signature. Empty for other bodies.
    pub rust_types: fn() -> Vec<String>,
}

/// Looks at literal arguments; an error names the argument's position and says what is wrong with it.
pub type Check = fn(args: &[Option<Value>]) -> Result<(), (usize, String)>;

/// What a function means.
#[derive(Clone, Copy, Debug)]
pub enum Body {
    /// Native code. A null in a parameter that is not nullable never reaches it.
    Native(ScalarShim),
    /// A Chalk expression over the parameters; a call is replaced by it, each argument evaluated once.
    Chalk(&'static str),
    /// For a variadic function: a Chalk expression over `a` and `b` that combines two arguments; a call folds it from
    /// left to right. One argument is the result itself.
    Fold(&'static str),
}

/// Operations on registers that generated code does without a call. Integers are 64 bits wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IrOp {
    /// `|x|` of a float.
    FloatAbs,
    /// `|x|` of an int; fails on the least one.
    IntAbs,
    /// Greatest integral value not above.
    FloatFloor,
    /// Least integral value not below.
    FloatCeil,
    /// Towards zero.
    FloatTrunc,
    /// IEEE square root.
    FloatSqrt,
    /// `&` of ints.
    BitAnd,
    /// `|` of ints.
    BitOr,
    /// `^` of ints.
    BitXor,
    /// `!` of an int.
    BitNot,
    /// Whether a float is NaN.
    FloatIsNan,
    /// Whether a float is neither NaN nor infinite.
    FloatIsFinite,
}
