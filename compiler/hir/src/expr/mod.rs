//! Expressions: typed, with nullability, every conversion explicit.
//!
//! `check` gives an expression its own type (a hint of what is wanted only helps literals); `coerce` then makes it what
//! is wanted, or says why it cannot be. A mistake is reported once, where it is: what depends on it stays silent.
//!
//! This file must not know declarations: who checks them sets up a `Checker` with the names that they may use.

mod access;
mod arithmetic;
mod call;
mod cast;
mod coerce;
mod collection;
mod common;
mod comparison;
mod control;
mod facts;
mod inline;
mod library;
mod link;
mod operators;
mod row;
mod same;
mod window;

pub(crate) use access::either;

use chalk_diagnostics::{Code, Diagnostic, Span};
use chalk_syntax::ast;
use chalk_types::{Kind, Type, Value};

use crate::context::{Checked, Context, Reported};
use crate::program::{Expr, ExprKind, LocalId};

pub(crate) use coerce::Want;
pub(crate) use facts::Path;
pub(crate) use inline::{copied, depth_of, next_local};
pub(crate) use same::same;
pub(crate) use window::{EventsFrame, Frame, WindowFrame};

/// Deepest nesting of an expression, inlined calls and the arms of a `match` counted: everything that reads a program may recurse.
pub(crate) const MAX_DEPTH: usize = 500;
/// Most nodes of one expression after inlining.
pub(crate) const MAX_NODES: usize = 100_000;
/// Deepest nesting as written.
const MAX_WRITTEN_DEPTH: usize = 200;

/// A name in scope.
struct Bind {
    name: String,
    span: Span,
    what: What,
    used: bool,
    /// Bound by `let`: unused ones are warned about.
    is_let: bool,
}

/// What a name in scope is.
#[derive(Clone)]
enum What {
    /// A local; no type where its value is wrong.
    Local(LocalId, Option<Type>),
    /// Stands for an expression that is cheap and cannot fail (a path, a constant).
    Alias(Expr),
    /// Known, but not here: the reason and the next step.
    Unavailable(String, String),
    /// The messages of the window that a resolver runs for.
    Events,
}

/// Which names stand for something beside the scope.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    /// A constant, or a user function: only what is passed in.
    Closed,
    /// An expression feature: the features of that class by bare name.
    Class(usize),
    /// A stream resolver: headers and envelope.
    Stream,
    /// Rows of a collection: the features of their class by bare name, `self` for the key.
    Rows {
        /// The class of the rows.
        class: usize,
        /// The class of the collection.
        owner: usize,
        /// Position of the foreign key in the rows' class.
        foreign_key: usize,
    },
    /// Messages of a window: their fields by bare name, headers and envelope.
    Messages,
    /// What a windowed resolver sets: aggregates over the messages.
    Window,
}

/// Checks the expressions of one declaration.
pub(crate) struct Checker<'c, 'a> {
    pub(crate) context: &'c Context<'a>,
    root: Root,
    /// The windows that what stands here is over.
    pub(crate) frame: Frame,
    scope: Vec<Bind>,
    /// Bindings below are not visible (those of a caller, while a library function is inlined).
    scope_base: usize,
    /// Paths that are known not to be null here.
    facts: Vec<Path>,
    next_local: u32,
    nodes: usize,
    depth: usize,
}

impl<'c, 'a> Checker<'c, 'a> {
    /// A checker with nothing in scope.
    pub(crate) fn new(context: &'c Context<'a>, root: Root) -> Checker<'c, 'a> {
        Checker {
            context,
            root,
            frame: Frame::default(),
            scope: Vec::new(),
            scope_base: 0,
            facts: Vec::new(),
            next_local: 0,
            nodes: 0,
            depth: 0,
        }
    }

    /// For a default.
    pub(crate) fn for_constant(context: &'c Context<'a>) -> Checker<'c, 'a> {
        Checker::new(context, Root::Closed)
    }

    /// A local that nothing else uses.
    pub(crate) fn fresh_local(&mut self) -> LocalId {
        self.next_local += 1;
        LocalId(self.next_local - 1)
    }

    /// Brings a parameter into scope; no type where it is wrong.
    pub(crate) fn bind_local(&mut self, name: &ast::Name, local: LocalId, ty: Option<Type>) {
        self.bind(&name.text, name.span, What::Local(local, ty), false);
    }

    /// Brings a name into scope that stands for an expression; it replaces an older binding of that name.
    pub(crate) fn bind_alias(&mut self, name: &ast::Name, expr: Expr) {
        self.scope.retain(|bind| bind.name != name.text);
        self.bind(&name.text, name.span, What::Alias(expr), false);
    }

    /// Brings a name into scope that must not be used here.
    pub(crate) fn bind_unavailable(&mut self, name: &ast::Name, reason: String, help: String) {
        self.bind(&name.text, name.span, What::Unavailable(reason, help), false);
    }

    /// Brings the messages of a window into scope; names of the single message go.
    pub(crate) fn bind_events(&mut self, name: &ast::Name) {
        self.scope.clear();
        self.bind(&name.text, name.span, What::Events, false);
        self.root = Root::Window;
    }

    fn bind(&mut self, name: &str, span: Span, what: What, is_let: bool) {
        self.scope.push(Bind { name: name.to_owned(), span, what, used: false, is_let });
    }

    /// Leaves bindings made since `mark`.
    fn leave(&mut self, mark: usize) {
        for bind in self.scope.drain(mark..) {
            if bind.is_let && !bind.used && !bind.name.starts_with('_') {
                self.context.report(
                    Diagnostic::new(Code::W0104, format!("`{}` is never used", bind.name), bind.span)
                        .help(format!("remove the line, or write `_{}` to keep it", bind.name)),
                );
            }
        }
    }

    pub(crate) fn report(&self, diagnostic: Diagnostic) -> Reported {
        self.context.report(diagnostic)
    }

    /// The expression with a type of its own.
    pub(crate) fn check(&mut self, expr: &ast::Expr, want: Option<&Type>) -> Checked<Expr> {
        self.nodes += 1;
        self.within_size(expr.span)?;
        if self.depth >= MAX_WRITTEN_DEPTH {
            return Err(self.too_large(expr.span, "nested too deeply"));
        }
        self.depth += 1;
        let result = self.check_inner(expr, want);
        self.depth -= 1;
        result
    }

    fn check_inner(&mut self, expr: &ast::Expr, want: Option<&Type>) -> Checked<Expr> {
        let span = expr.span;
        match &expr.kind {
            ast::ExprKind::Error => Err(Reported),
            ast::ExprKind::None => Ok(constant(Value::Null, Type::NULL, span)),
            ast::ExprKind::Bool(value) => Ok(constant(Value::Bool(*value), Type::BOOL, span)),
            ast::ExprKind::Int(value) => self.int_literal(*value, want, span),
            ast::ExprKind::Float(value) => Ok(constant(Value::Float(*value), Type::FLOAT, span)),
            ast::ExprKind::String(text) => Ok(constant(Value::String(text.clone()), Type::STRING, span)),
            ast::ExprKind::Bytes(bytes) => Ok(constant(Value::Bytes(bytes.clone()), Type::BYTES, span)),
            ast::ExprKind::Duration(duration_us) => {
                Ok(constant(Value::Duration(*duration_us), Kind::Duration.required(), span))
            }
            ast::ExprKind::Name(name) => self.name(name),
            ast::ExprKind::Field { base, name } => self.field(base, name, span),
            ast::ExprKind::Index { base, index } => self.index(base, index, span),
            ast::ExprKind::Slice { base, start, end } => self.slice(base, start.as_deref(), end.as_deref(), span),
            ast::ExprKind::Call { function, type_args, args } => self.call(function, type_args, args, want, span),
            ast::ExprKind::Method { receiver, method, type_args, args } => {
                self.method(receiver, method, (type_args, args), span)
            }
            ast::ExprKind::Unary { op, operand, .. } => self.unary(*op, operand, want, span),
            ast::ExprKind::Binary { .. } => self.binary(expr, want),
            ast::ExprKind::IsNone { operand, negated } => self.is_none(operand, *negated, span),
            ast::ExprKind::Cast { operand, ty } => self.cast(operand, ty, span),
            ast::ExprKind::If { condition, then, otherwise } => self.if_else(condition, then, otherwise, want, span),
            ast::ExprKind::Match { subject, arms } => self.match_arms(subject.as_deref(), arms, want, span),
            ast::ExprKind::Block { lets, value } => self.block(lets, value, want, span),
            ast::ExprKind::List(items) => self.list(items, want, span),
            ast::ExprKind::Map(_) => Err(self.report(
                Diagnostic::new(Code::E0203, "a map cannot be written as an expression", span)
                    .help("maps come in messages; look an entry up with `map[key]`"),
            )),
        }
    }

    fn int_literal(&mut self, value: i128, want: Option<&Type>, span: Span) -> Checked<Expr> {
        if let Some(Type { kind: Kind::Int(width), .. }) = want {
            let (low, high) = width.range();
            if (low..=high).contains(&value) {
                return Ok(constant(Value::Int(value), Kind::Int(*width).required(), span));
            }
        }
        let kind = if i64::try_from(value).is_ok() {
            Kind::INT
        } else if u64::try_from(value).is_ok() {
            Kind::Int(chalk_types::IntWidth::UInt64)
        } else {
            return Err(self.report(
                Diagnostic::new(Code::E0206, format!("the number {value} is too large"), span)
                    .at("no integer type holds it")
                    .help("write it as a float (`1e20`), or as a decimal: `\"…\" as decimal(38, 0)`"),
            ));
        };
        Ok(constant(Value::Int(value), kind.required(), span))
    }

    fn within_size(&self, span: Span) -> Checked<()> {
        if self.nodes > MAX_NODES {
            return Err(self.too_large(span, "too large with the bodies of the functions that it calls"));
        }
        Ok(())
    }

    fn too_large(&self, span: Span, how: &str) -> Reported {
        self.report(
            Diagnostic::new(Code::E0216, format!("this expression is {how}"), span)
                .note(format!(
                    "calls are replaced by the function's body; after that an expression may have {MAX_NODES} nodes and \
                     {MAX_DEPTH} levels"
                ))
                .help("split it over several features, or call the function once and bind its value with `let`"),
        )
    }

    /// Checks an expression as a whole: what is wanted, and how large it has become.
    pub(crate) fn check_whole(&mut self, expr: &ast::Expr, ty: &Type, want: Want) -> Checked<Expr> {
        self.nodes = 0;
        let checked = self.check(expr, Some(ty))?;
        let checked = self.coerce(checked, ty, want)?;
        self.check_depth(&checked)?;
        Ok(checked)
    }

    /// Checks an expression of any type as a whole.
    pub(crate) fn whole(&mut self, expr: &ast::Expr) -> Checked<Expr> {
        self.nodes = 0;
        let checked = self.check(expr, None)?;
        self.check_depth(&checked)?;
        Ok(checked)
    }

    /// Checks a condition as a whole.
    pub(crate) fn whole_condition(&mut self, expr: &ast::Expr, what: &'static str) -> Checked<Expr> {
        self.nodes = 0;
        let checked = self.condition(expr, what)?;
        self.check_depth(&checked)?;
        Ok(checked)
    }

    /// Refuses what is nested too deeply for everything that reads a program.
    pub(crate) fn check_depth(&self, expr: &Expr) -> Checked<()> {
        if depth_of(expr) > MAX_DEPTH { Err(self.too_large(expr.span, "nested too deeply")) } else { Ok(()) }
    }

    /// A condition: `bool` or `bool?`.
    pub(crate) fn condition(&mut self, expr: &ast::Expr, what: &'static str) -> Checked<Expr> {
        let checked = self.check(expr, Some(&Type::BOOL))?;
        if checked.ty.kind == Kind::Bool {
            return Ok(checked);
        }
        if checked.ty.kind == Kind::Null {
            return self.coerce(checked, &Type::BOOL.to_optional(), Want::of(what));
        }
        let diagnostic = Diagnostic::new(Code::E0208, format!("{what} is `{}`, not `bool`", checked.ty), expr.span);
        Err(self.report(match &checked.ty.kind {
            Kind::Int(_) | Kind::Float32 | Kind::Float64 => diagnostic.help("compare it: `… != 0`"),
            Kind::String | Kind::Bytes => diagnostic.help("compare it, or ask `is not none`"),
            _ if checked.ty.nullable => diagnostic.help("ask `is not none`"),
            _ => diagnostic.help("write a comparison"),
        }))
    }
}

/// A constant.
pub(crate) fn constant(value: Value, ty: Type, span: Span) -> Expr {
    Expr { kind: ExprKind::Const(value), ty, span }
}
