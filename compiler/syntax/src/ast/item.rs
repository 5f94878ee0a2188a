//! Declarations and what they are made of.
//!
//! The tree holds the whole surface of the language; which of it is implemented, and what goes with what, others decide.
//!
//! This module must not know types.

use chalk_diagnostics::Span;

use super::{Arg, Expr, IntLit, Name, Path, StringLit};

/// A declaration.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `import proto "x.proto" as pb`
    Import(Import),
    /// `source s = kafka(…)`
    Source(Source),
    /// `features User { … }`
    Features(Features),
    /// `message M { … }`
    Message(MessageDecl),
    /// `enum E { … }`
    Enum(EnumDecl),
    /// `stream r(msg: M) -> User … { … }`
    Stream(Stream),
    /// `fn f(x: int) -> int = …`
    Fn(FnDecl),
    /// `online r(u: User) -> User { … }`
    Online(Online),
    /// `extern online r(u: User { a }) -> User { b } at …`
    ExternOnline(ExternOnline),
    /// `test "…" for r { … }`
    Test(TestDecl),
}

impl Item {
    /// Where the whole declaration stands, from its doc comment or first attribute on.
    pub fn span(&self) -> Span {
        match self {
            Item::Import(item) => item.span,
            Item::Source(item) => item.span,
            Item::Features(item) => item.span,
            Item::Message(item) => item.span,
            Item::Enum(item) => item.span,
            Item::Stream(item) => item.span,
            Item::Fn(item) => item.span,
            Item::Online(item) => item.span,
            Item::ExternOnline(item) => item.span,
            Item::Test(item) => item.span,
        }
    }

    /// The name it declares; an import's alias, nothing for a test.
    pub fn name(&self) -> Option<&Name> {
        match self {
            Item::Import(item) => item.alias.as_ref(),
            Item::Source(item) => Some(&item.name),
            Item::Features(item) => Some(&item.name),
            Item::Message(item) => Some(&item.name),
            Item::Enum(item) => Some(&item.name),
            Item::Stream(item) => Some(&item.name),
            Item::Fn(item) => Some(&item.name),
            Item::Online(item) => Some(&item.name),
            Item::ExternOnline(item) => Some(&item.name),
            Item::Test(_) => None,
        }
    }
}

/// The `///` lines before a declaration or field.
#[derive(Clone, Debug, PartialEq)]
pub struct Doc {
    /// The lines that are no metadata, joined with line breaks; the first paragraph is the short description.
    pub description: String,
    /// Lines such as `:owner: identity`, in order.
    pub metadata: Vec<Metadata>,
    /// Where.
    pub span: Span,
}

impl Doc {
    /// The value of a metadata line.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.metadata.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
    }

    /// The first paragraph of the description, on one line.
    pub fn summary(&self) -> String {
        let lines: Vec<&str> = self.description.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
        lines.join(" ")
    }
}

/// A line `:key: value` of a doc comment.
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata {
    /// The word between the colons.
    pub key: String,
    /// What follows, trimmed.
    pub value: String,
}

/// `@name(args)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// Its name, without the `@`.
    pub name: Name,
    /// Its arguments; empty also without parentheses.
    pub args: Vec<Arg>,
    /// Where, with the `@`.
    pub span: Span,
}

/// `import format "path" as alias`.
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    /// The doc comment.
    pub doc: Option<Doc>,
    /// The attributes.
    pub attributes: Vec<Attribute>,
    /// `proto`, `avro` or `arrow` (others are left to the reader to refuse).
    pub format: Name,
    /// The file.
    pub path: StringLit,
    /// What its names are found under.
    pub alias: Option<Name>,
    /// Where.
    pub span: Span,
}

/// `source name = connector(args)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The doc comment.
    pub doc: Option<Doc>,
    /// The attributes.
    pub attributes: Vec<Attribute>,
    /// What it is called.
    pub name: Name,
    /// What it reads.
    pub connector: Connector,
    /// Where.
    pub span: Span,
}

/// `kafka(topic: "t")`.
#[derive(Clone, Debug, PartialEq)]
pub struct Connector {
    /// Which kind.
    pub name: Name,
    /// Its options.
    pub args: Vec<Arg>,
    /// Where.
    pub span: Span,
}

/// `features Name { fields }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    /// The doc comment.
    pub doc: Option<Doc>,
    /// The attributes.
    pub attributes: Vec<Attribute>,
    /// What it is called.
    pub name: Name,
    /// The features.
    pub fields: Vec<Field>,
    /// Where.
    pub span: Span,
}

/// `message Name { fields }`.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageDecl {
    /// The doc comment.
    pub doc: Option<Doc>,
    /// The attributes.
    pub attributes: Vec<Attribute>,
    /// What it is called.
    pub name: Name,
    /// The fields; `over` is parsed in them, too, so that a reader can refuse it.
    pub fields: Vec<Field>,
    /// Where.
    pub span: Span,
}

/// `@attributes name: type over [windows] = value`: a feature, or a field of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The doc comment.
    pub doc: Option<Doc>,
    /// The attributes.
    pub attributes: Vec<Attribute>,
    /// What it is called.
    pub name: Name,
    /// Its type.
    pub ty: TypeExpr,
    /// The windows of a windowed feature.
    pub windows: Option<Windows>,
    /// A feature's expression, or a message field's default.
    pub value: Option<Expr>,
    /// Where.
    pub span: Span,
}

/// `over [10m, 1d]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Windows {
    /// The windows, as a rule duration literals.
    pub windows: Vec<Expr>,
    /// Where, from `over`.
    pub span: Span,
}

/// `enum Name { variants }`.
#[derive(Clone, Debug, PartialEq)]
pub struct EnumDecl {
    /// The doc comment.
    pub doc: Option<Doc>,
    /// The attributes.
    pub attributes: Vec<Attribute>,
    /// What it is called.
    pub name: Name,
    /// The variants.
    pub variants: Vec<Variant>,
    /// Where.
    pub span: Span,
}

/// A variant of an enum.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// The doc comment.
    pub doc: Option<Doc>,
    /// The attributes.
    pub attributes: Vec<Attribute>,
    /// What it is called.
    pub name: Name,
    /// Where.
    pub span: Span,
}

/// `fn name(params) -> T = body`.
#[derive(Clone, Debug, PartialEq)]
pub struct FnDecl {
    /// The doc comment.
    pub doc: Option<Doc>,
    /// The attributes.
    pub attributes: Vec<Attribute>,
    /// What it is called.
    pub name: Name,
    /// Its parameters.
    pub params: Vec<Param>,
    /// What it returns.
    pub returns: TypeExpr,
    /// Its value.
    pub body: Expr,
    /// Where.
    pub span: Span,
}

/// A parameter `name: type`.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// What it is called.
    pub name: Name,
    /// Its type.
    pub ty: TypeExpr,
    /// The features asked for in `item: Item { price, name }`.
    pub projection: Option<Projection>,
    /// Where.
    pub span: Span,
}

/// `{ price, name }` after a features class: some of its features.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// Which.
    pub names: Vec<Name>,
    /// Where, with the braces.
    pub span: Span,
}

/// A stream resolver.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// The doc comment.
    pub doc: Option<Doc>,
    /// The attributes.
    pub attributes: Vec<Attribute>,
    /// What it is called.
    pub name: Name,
    /// Its parameters; a rule for others is that there is one.
    pub params: Vec<Param>,
    /// The class it writes, or a list of it.
    pub returns: TypeExpr,
    /// What is done before the body, in the order of the text (which the parser holds to the language's).
    pub clauses: Vec<Clause>,
    /// What it computes.
    pub body: StreamBody,
    /// Where.
    pub span: Span,
}

/// What a stream resolver computes.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamBody {
    /// `{ feature = expression … }`
    Assignments(Vec<Assignment>),
    /// `sql """…"""`
    Sql(StringLit),
    /// Could not be read; a diagnostic says why.
    Error,
}

/// `target = value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// Which feature.
    pub target: Name,
    /// What it gets.
    pub value: Expr,
    /// Where.
    pub span: Span,
}

/// A clause of a stream resolver.
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    /// Which.
    pub kind: ClauseKind,
    /// Where, from its word on.
    pub span: Span,
}

/// The clauses of a stream resolver.
#[derive(Clone, Debug, PartialEq)]
pub enum ClauseKind {
    /// `from source`
    From(Name),
    /// `where condition`; before or after `parse`.
    Where(Expr),
    /// `parse function`
    Parse(Name),
    /// `timestamp expression`
    Timestamp(Expr),
    /// `dedup key within duration`
    Dedup {
        /// What makes two messages the same.
        key: Expr,
        /// For how long.
        within: Option<Expr>,
    },
    /// `window continuous`, `window tumbling`
    Window(Window),
    /// `by expression`
    By(Expr),
    /// `sink target { features } as json`
    Sink(Sink),
}

/// `window kind` or `window kind(args)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// `continuous` or `tumbling` (others are left to the reader to refuse).
    pub kind: Name,
    /// Options, if any.
    pub args: Vec<Arg>,
}

/// `sink target { features } as format`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sink {
    /// The source-like thing written to.
    pub target: Name,
    /// Which features.
    pub projection: Option<Projection>,
    /// `json` or `arrow` (others are left to the reader to refuse).
    pub format: Option<Name>,
}

/// An online resolver written in Chalk.
#[derive(Clone, Debug, PartialEq)]
pub struct Online {
    /// The doc comment.
    pub doc: Option<Doc>,
    /// The attributes.
    pub attributes: Vec<Attribute>,
    /// What it is called.
    pub name: Name,
    /// Its parameters.
    pub params: Vec<Param>,
    /// The class it writes.
    pub returns: TypeExpr,
    /// What it computes.
    pub body: Vec<Assignment>,
    /// Where.
    pub span: Span,
}

/// An online resolver that runs elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct ExternOnline {
    /// The doc comment.
    pub doc: Option<Doc>,
    /// The attributes.
    pub attributes: Vec<Attribute>,
    /// What it is called.
    pub name: Name,
    /// Its parameters.
    pub params: Vec<Param>,
    /// The class it writes.
    pub returns: TypeExpr,
    /// Which of its features.
    pub projection: Option<Projection>,
    /// Where it runs: `flight(…)`.
    pub at: Expr,
    /// Where it stands.
    pub span: Span,
}

/// `test "name" for resolver { steps }`.
#[derive(Clone, Debug, PartialEq)]
pub struct TestDecl {
    /// The doc comment.
    pub doc: Option<Doc>,
    /// The attributes.
    pub attributes: Vec<Attribute>,
    /// What it is called.
    pub name: StringLit,
    /// The resolver it is about.
    pub target: Option<Name>,
    /// What happens.
    pub steps: Vec<TestStep>,
    /// Where.
    pub span: Span,
}

/// A step of a test, possibly at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct TestStep {
    /// The time in `at "2024-01-01T00:00:00Z" …`.
    pub at: Option<Expr>,
    /// What happens.
    pub kind: TestStepKind,
    /// Where.
    pub span: Span,
}

/// What happens in a step of a test.
#[derive(Clone, Debug, PartialEq)]
pub enum TestStepKind {
    /// A message arrives.
    Given(Given),
    /// Something is so.
    Expect(Expected),
}

/// `given { … }`, `given proto pb.User { … } header "X" = "Y" prefix b"…"`.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// The format and type in `proto pb.User { … }`.
    pub encoded_as: Option<(Name, Path)>,
    /// The message: as a rule a [`ExprKind::Map`](super::ExprKind::Map); a string or bytes literal stands for itself. JSON's `null` is the name `null`.
    pub value: Expr,
    /// Headers of the envelope.
    pub headers: Vec<GivenHeader>,
    /// Bytes before the encoded message.
    pub prefix: Option<Expr>,
}

/// `header "name" = value`.
#[derive(Clone, Debug, PartialEq)]
pub struct GivenHeader {
    /// The header's name.
    pub name: StringLit,
    /// Its value.
    pub value: Expr,
    /// Where.
    pub span: Span,
}

/// What a test expects.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// `expect skipped`: the fate of the last message.
    Fate(Name),
    /// `expect { … }`, `expect User(1) { … }`.
    Values {
        /// The class, if written.
        class: Option<Name>,
        /// The primary key, if written.
        key: Option<Expr>,
        /// What the features are.
        values: Vec<ExpectedValue>,
        /// Where the braces stand.
        span: Span,
    },
}

/// `feature[window] = value`.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpectedValue {
    /// The feature.
    pub target: Name,
    /// Its window.
    pub window: Option<Expr>,
    /// Its value.
    pub value: Expr,
    /// Where.
    pub span: Span,
}

/// A type as written.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeExpr {
    /// What it is.
    pub kind: TypeKind,
    /// Where.
    pub span: Span,
}

/// The forms of a type.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeKind {
    /// Could not be read; a diagnostic says why.
    Error,
    /// `int`, `User`, `pb.User`, and the foreign key `User.id`.
    Named(Path),
    /// `T?`
    Optional(Box<TypeExpr>),
    /// `[T]`
    List(Box<TypeExpr>),
    /// `[T; N]`
    Vector(Box<TypeExpr>, IntLit),
    /// `map<K, V>`
    Map(Box<TypeExpr>, Box<TypeExpr>),
    /// `decimal(precision, scale)`
    Decimal(IntLit, IntLit),
    /// `A | B`: no Chalk type; kept so that a reader can say why.
    Union(Vec<TypeExpr>),
    /// `list<T>` and the like: no Chalk type; kept so that a reader can say what to write.
    Generic(Path, Vec<TypeExpr>),
}
