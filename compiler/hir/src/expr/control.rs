//! `if`, `match`, blocks with `let`, and list literals.
//!
//! `match` becomes a chain of `if`s that is always closed: by `else`, or by naming every variant of an enum.
//!
//! This file must not know operators beyond equality.

use std::collections::BTreeSet;

use chalk_diagnostics::{Code, Diagnostic, Span, did_you_mean};
use chalk_syntax::ast;
use chalk_types::{Kind, Type, Value, common_type};

use super::common::can_become;
use super::{Checker, Want, What, constant};
use crate::context::{Checked, Reported};
use crate::program::{Expr, ExprKind};
use crate::resolve_type::Place;

impl Checker<'_, '_> {
    /// `if condition then a else b`.
    pub(super) fn if_else(
        &mut self,
        condition: &ast::Expr,
        then: &ast::Expr,
        otherwise: &ast::Expr,
        want: Option<&Type>,
        span: Span,
    ) -> Checked<Expr> {
        let condition = self.condition(condition, "the condition of `if`");
        let mark = self.facts_mark();
        if let Ok(condition) = &condition {
            self.assume_true(condition);
        }
        let then = self.check(then, want);
        self.forget(mark);
        if let Ok(condition) = &condition {
            self.assume_not_true(condition);
        }
        let otherwise = self.check(otherwise, want);
        self.forget(mark);
        let (condition, then, otherwise) = (condition?, then?, otherwise?);
        let (then, otherwise) = self.unified(then, otherwise, "the two branches", span)?;
        Ok(choice(condition, then, otherwise, span))
    }

    /// `match { … }` and `match subject { … }`.
    pub(super) fn match_arms(
        &mut self,
        subject: Option<&ast::Expr>,
        arms: &[ast::MatchArm],
        want: Option<&Type>,
        span: Span,
    ) -> Checked<Expr> {
        let subject = match subject {
            Some(subject) => Some(self.check(subject, None)?),
            None => None,
        };
        // The subject is evaluated once.
        let (subject, bound) = match subject {
            Some(value) if !self.is_simple(&value) => {
                let local = self.fresh_local();
                let read = Expr { kind: ExprKind::Local(local), ty: value.ty.clone(), span: value.span };
                (Some(read), Some((local, value)))
            }
            subject => (subject, None),
        };
        let chain = self.chain(subject.as_ref(), arms, want, span)?;
        Ok(match bound {
            Some((local, value)) => {
                let ty = chain.ty.clone();
                Expr { kind: ExprKind::Let { local, value: Box::new(value), body: Box::new(chain) }, ty, span }
            }
            None => chain,
        })
    }

    fn chain(
        &mut self,
        subject: Option<&Expr>,
        arms: &[ast::MatchArm],
        want: Option<&Type>,
        span: Span,
    ) -> Checked<Expr> {
        let mark = self.facts_mark();
        let mut tests: Vec<(Expr, Expr, Span)> = Vec::new();
        let mut last: Option<Expr> = None;
        let mut failed = false;
        let mut seen: BTreeSet<u32> = BTreeSet::new();
        let mut sees_null = false;
        for arm in arms {
            match &arm.test {
                ast::MatchTest::Else(_) => match self.check(&arm.value, want) {
                    Ok(value) => last = Some(value),
                    Err(Reported) => failed = true,
                },
                ast::MatchTest::When(patterns) => {
                    let test = self.arm_test(subject, patterns, arm.span);
                    if let (Some(Expr { ty: Type { kind: subject_kind, .. }, .. }), Ok(_)) = (subject, &test) {
                        note_variants(subject_kind, patterns, &mut seen, &mut sees_null);
                    }
                    let inner = self.facts_mark();
                    if let Ok(test) = &test {
                        self.assume_true(test);
                    }
                    let value = self.check(&arm.value, want);
                    self.forget(inner);
                    match (test, value) {
                        (Ok(test), Ok(value)) => {
                            // Later arms are reached only where this test was not true.
                            self.assume_not_true(&test);
                            tests.push((test, value, arm.span));
                        }
                        _ => failed = true,
                    }
                }
            }
        }
        self.forget(mark);
        if failed {
            return Err(Reported);
        }
        let last = match last {
            Some(last) => last,
            None => {
                let covered = match subject.map(|subject| &subject.ty) {
                    Some(Type { kind: Kind::Enum(def), nullable }) => {
                        seen.len() == def.variants.len() && (sees_null || !nullable)
                    }
                    Some(Type { kind: Kind::Bool, nullable }) => seen.len() == 2 && (sees_null || !nullable),
                    _ => false,
                };
                match tests.pop() {
                    // The last arm needs no test: nothing else is left.
                    Some((_, value, _)) if covered => value,
                    _ => return Err(self.not_closed(subject, &seen, span)),
                }
            }
        };
        let mut kind = last.ty.clone();
        for (_, value, _) in &tests {
            match common_type(&kind, &value.ty)
                .filter(|common| [&last, value].iter().all(|one| can_become(one, &common.kind)))
            {
                Some(common) => kind = common,
                None => {
                    return Err(self.report(
                        Diagnostic::new(
                            Code::E0207,
                            format!(
                                "the arms have no common type: `{}` and `{}`",
                                value.ty.to_required(),
                                kind.to_required()
                            ),
                            span,
                        )
                        .label(value.span, format!("this is `{}`", value.ty))
                        .label(last.span, format!("this is `{}`", last.ty))
                        .help("convert one of them with `as`"),
                    ));
                }
            }
        }
        if kind.kind == Kind::Null {
            return Err(self.only_none(span));
        }
        let mut chain = self.to_common(last, &kind.kind);
        for (test, value, arm_span) in tests.into_iter().rev() {
            let value = self.to_common(value, &kind.kind);
            chain = choice(test, value, chain, arm_span);
        }
        Ok(Expr { span, ..chain })
    }

    /// Branches that are all `none` have no type.
    pub(super) fn only_none(&self, span: Span) -> Reported {
        self.report(
            Diagnostic::new(Code::E0217, "this is always `none`, of a type that nothing says", span)
                .help("write `none` alone"),
        )
    }

    fn arm_test(&mut self, subject: Option<&Expr>, patterns: &[ast::Expr], span: Span) -> Checked<Expr> {
        let mut test: Option<Expr> = None;
        for pattern in patterns {
            let one = match subject {
                None => self.condition(pattern, "the test of an arm")?,
                Some(subject) => {
                    let value = self.pattern(subject, pattern)?;
                    self.equals(subject.clone(), value, pattern.span)?
                }
            };
            test = Some(match test {
                None => one,
                Some(before) => {
                    let ty = Type::BOOL.nullable_if(before.ty.nullable || one.ty.nullable);
                    Expr { kind: ExprKind::Or(Box::new(before), Box::new(one)), ty, span }
                }
            });
        }
        test.ok_or(Reported)
    }

    /// A pattern; a bare word is a variant where the subject is an enum.
    fn pattern(&mut self, subject: &Expr, pattern: &ast::Expr) -> Checked<Expr> {
        if let (Kind::Enum(def), ast::ExprKind::Name(name)) = (&subject.ty.kind, &pattern.kind)
            && let Some(variant) = def.variants.iter().position(|variant| *variant == name.text)
        {
            return Ok(constant(Value::Enum(variant as u32), subject.ty.to_required(), pattern.span));
        }
        if let (Kind::Enum(def), ast::ExprKind::Name(name)) = (&subject.ty.kind, &pattern.kind)
            && self.bound_at(&name.text).is_none()
            && self.context.package.get(&name.text).is_none()
            && let Some(near) = did_you_mean(&name.text, &def.variants)
        {
            return Err(self.report(
                Diagnostic::new(Code::E0116, format!("`{}` has no variant `{}`", def.name, name.text), name.span)
                    .help(format!("did you mean `{near}`?"))
                    .fix(name.span, near.to_owned()),
            ));
        }
        self.check(pattern, Some(&subject.ty))
    }

    fn not_closed(&self, subject: Option<&Expr>, seen: &BTreeSet<u32>, span: Span) -> Reported {
        let diagnostic = Diagnostic::new(Code::E0212, "this `match` does not say what happens otherwise", span)
            .note("an expression has a value for every message");
        self.report(match subject.map(|subject| &subject.ty) {
            Some(Type { kind: Kind::Enum(def), nullable }) => {
                let mut missing: Vec<String> = def
                    .variants
                    .iter()
                    .enumerate()
                    .filter(|(index, _)| !seen.contains(&(*index as u32)))
                    .map(|(_, variant)| variant.clone())
                    .collect();
                if *nullable {
                    missing.push("none".to_owned());
                }
                diagnostic
                    .at(format!("no arm for {}", super::access::listed(&missing)))
                    .help("add arms for them, or `else => …`")
            }
            _ => diagnostic.help("add a last arm: `else => …`"),
        })
    }

    /// `{ let x = e … value }`.
    pub(super) fn block(
        &mut self,
        lets: &[ast::Let],
        value: &ast::Expr,
        want: Option<&Type>,
        span: Span,
    ) -> Checked<Expr> {
        let scope = self.scope.len();
        let mut bound = Vec::new();
        let mut failed = false;
        for line in lets {
            if let Some(first) = self.bound_at(&line.name.text) {
                self.report(
                    Diagnostic::new(Code::E0214, format!("`{}` has a value already", line.name.text), line.name.span)
                        .at("bound again here")
                        .label(first, "first bound here")
                        .note("a name means one thing in a function, so that no line changes what another means")
                        .help("choose another name"),
                );
                failed = true;
            }
            let ty = match &line.ty {
                Some(written) => Some(
                    self.context
                        .resolve_type(written, Place::new("`let`", &line.name.text))
                        .map(|resolved| (resolved, written.span)),
                ),
                None => None,
            };
            let value = match &ty {
                Some(Err(Reported)) => Err(Reported),
                Some(Ok((ty, declared))) => self
                    .check(&line.value, Some(ty))
                    .and_then(|value| self.coerce(value, ty, Want::new("`let`", &line.name.text, *declared))),
                None => self.check(&line.value, None),
            };
            let value = value.and_then(|value| self.has_type(value));
            let what = match value {
                Err(Reported) => {
                    failed = true;
                    What::Local(self.fresh_local(), None)
                }
                Ok(value) if self.is_simple(&value) => What::Alias(value),
                Ok(value) => {
                    let local = self.fresh_local();
                    let ty = value.ty.clone();
                    bound.push((local, value, line.span));
                    What::Local(local, Some(ty))
                }
            };
            // A value that is wrong has its diagnostic: whether it is used does not matter then.
            let is_known = !matches!(what, What::Local(_, None));
            self.bind(&line.name.text, line.name.span, what, is_known);
        }
        let value = self.check(value, want);
        self.leave(scope);
        let mut body = value?;
        if failed {
            return Err(Reported);
        }
        for (local, value, _) in bound.into_iter().rev() {
            let ty = body.ty.clone();
            body = Expr { kind: ExprKind::Let { local, value: Box::new(value), body: Box::new(body) }, ty, span };
        }
        Ok(body)
    }

    /// Refuses a bare `none` where its type cannot be known later.
    fn has_type(&mut self, value: Expr) -> Checked<Expr> {
        if value.ty.kind != Kind::Null {
            return Ok(value);
        }
        Err(self.report(
            Diagnostic::new(Code::E0217, "the type of this `none` is not known", value.span)
                .help("say it: `let x: int? = none`"),
        ))
    }

    /// `[a, b]`.
    pub(super) fn list(&mut self, items: &[ast::Expr], want: Option<&Type>, span: Span) -> Checked<Expr> {
        let wanted_item = match want {
            Some(Type { kind: Kind::List(item), .. }) => Some((**item).clone()),
            _ => None,
        };
        let mut checked: Vec<Expr> = Vec::with_capacity(items.len());
        let mut failed = false;
        for item in items {
            match self.check(item, wanted_item.as_ref()) {
                Ok(item) => checked.push(match &wanted_item {
                    Some(wanted) => self.adapt_literal(item.clone(), wanted).unwrap_or(item),
                    None => item,
                }),
                Err(Reported) => failed = true,
            }
        }
        if failed {
            return Err(Reported);
        }
        let mut of: Option<Type> = None;
        for item in &checked {
            of = match of {
                None => Some(item.ty.clone()),
                Some(before) => match common_type(&before, &item.ty) {
                    Some(common) => Some(common),
                    None => {
                        return Err(self.report(
                            Diagnostic::new(
                                Code::E0207,
                                format!("the items have no common type: `{}` and `{}`", before, item.ty),
                                item.span,
                            )
                            .label(checked[0].span, format!("this is `{}`", checked[0].ty))
                            .help("a list has items of one type: convert with `as`"),
                        ));
                    }
                },
            };
        }
        let of = match (of, wanted_item) {
            // Items that may be null stay so; else the wanted item type is as good.
            (Some(of), Some(wanted)) if chalk_types::coercion(&of, &wanted).is_some() => wanted,
            (Some(of), _) if of.kind != Kind::Null => of,
            (_, Some(wanted)) => wanted,
            _ => {
                return Err(self.report(
                    Diagnostic::new(Code::E0217, "the type of the items of this list is not known", span)
                        .help("say it: `let x: [int] = []`"),
                ));
            }
        };
        let nullable = of.nullable || checked.iter().any(Expr::is_nullable);
        let of = Type { kind: of.kind, nullable };
        let items = checked.into_iter().map(|item| self.to_common(item, &of.kind)).collect();
        Ok(Expr { kind: ExprKind::List(items), ty: Kind::List(Box::new(of)).required(), span })
    }
}

/// Which variants (or `false`, `true` as 0, 1) patterns name; they were accepted for a subject of that kind.
fn note_variants(subject: &Kind, patterns: &[ast::Expr], seen: &mut BTreeSet<u32>, sees_null: &mut bool) {
    for pattern in patterns {
        match (&pattern.kind, subject) {
            (ast::ExprKind::None, _) => *sees_null = true,
            (ast::ExprKind::Bool(value), _) => {
                seen.insert(u32::from(*value));
            }
            (ast::ExprKind::Field { name, .. } | ast::ExprKind::Name(name), Kind::Enum(def)) => {
                let variant = def.variants.iter().position(|variant| *variant == name.text);
                seen.extend(variant.map(|variant| variant as u32));
            }
            _ => {}
        }
    }
}

/// `if`, with branches of one kind.
pub(super) fn choice(condition: Expr, then: Expr, otherwise: Expr, span: Span) -> Expr {
    let ty = then.ty.clone().nullable_if(otherwise.ty.nullable);
    let kind = ExprKind::If { cond: Box::new(condition), then: Box::new(then), otherwise: Box::new(otherwise) };
    Expr { kind, ty, span }
}
