//! `test` blocks: messages as the bytes that are sent, expectations as values of the features that they are about.
//!
//! A test is checked as strictly as a program: what it names exists, what it expects has the feature's type, and its clock does
//! not go back. So a test that fails says something of the package, not of itself.
//!
//! This file must not know how a test is run.

mod given;
mod values;

use std::collections::BTreeSet;

use chalk_diagnostics::{Code, Diagnostic, Span, did_you_mean};
use chalk_syntax::ast;
use chalk_types::{Value, format_datetime};

use crate::attributes::Attributes;
use crate::context::{Checked, Context, Reported};
use crate::expr::{Want, either};
use crate::package::{Entry, not_yet};
use crate::program::{ExprKind, FeatureClass, StreamResolver, Test, TestStep, TestStepKind};

/// What can become of a message.
const FATES: [&str; 6] = ["applied", "filtered", "skipped", "late", "duplicate", "dead_letter"];

/// All tests that are right.
pub(crate) fn check(context: &Context, classes: &[FeatureClass], resolvers: &[StreamResolver]) -> Vec<Test> {
    let mut tests: Vec<Test> = Vec::new();
    for decl in &context.package.tests {
        let name = &decl.name;
        if let Some(other) = context.package.tests.iter().find(|other| other.name.text == name.text)
            && !std::ptr::eq(*other, *decl)
        {
            context.report(
                Diagnostic::new(Code::E0102, format!("two tests are called \"{}\"", name.text), name.span)
                    .label(other.name.span, "the first one")
                    .note("a test is chosen and reported by its name")
                    .help("rename one of the two"),
            );
        }
        tests.extend(test(context, classes, resolvers, decl).ok());
    }
    tests
}

/// What the steps before have done.
struct Course<'c, 'a> {
    context: &'c Context<'a>,
    classes: &'c [FeatureClass],
    /// The class that the resolver writes.
    class: usize,
    now: Option<(i64, Span)>,
    /// Whether a message has arrived.
    has_message: bool,
}

fn test(
    context: &Context,
    classes: &[FeatureClass],
    resolvers: &[StreamResolver],
    decl: &ast::TestDecl,
) -> Checked<Test> {
    Attributes::new(context, &decl.attributes).finish("a test");
    let resolver = target(context, resolvers, decl)?;
    let mut course = Course { context, classes, class: resolvers[resolver].class, now: None, has_message: false };
    if !decl.steps.iter().any(|step| matches!(step.kind, ast::TestStepKind::Expect(_))) {
        context.report(
            Diagnostic::new(Code::E0603, format!("the test \"{}\" expects nothing", decl.name.text), decl.name.span)
                .note("a test that cannot fail says nothing")
                .help("add `expect { … }` with values of features, or the fate of the message: `expect applied`"),
        );
    }
    // All steps are looked at, so that every mistake is shown.
    let steps: Vec<Checked<TestStep>> = decl.steps.iter().map(|step| course.step(step)).collect();
    let steps = steps.into_iter().collect::<Checked<Vec<_>>>()?;
    Ok(Test { name: decl.name.text.clone(), span: decl.name.span, resolver, steps })
}

/// The resolver that a test is for, by position.
fn target(context: &Context, resolvers: &[StreamResolver], decl: &ast::TestDecl) -> Checked<usize> {
    let names = context.package.names_where(|entry| matches!(entry, Entry::Stream(_)));
    let Some(name) = &decl.target else {
        let diagnostic = Diagnostic::new(
            Code::E0601,
            format!("the test \"{}\" does not say what it is for", decl.name.text),
            decl.name.span,
        );
        return Err(context.report(match &names[..] {
            [] => diagnostic.help("name the stream resolver that gets its messages: `test \"…\" for resolver { … }`"),
            [first, ..] => diagnostic
                .help(format!("name the stream resolver that gets its messages: `for {first}`"))
                .fix(decl.name.span.at_end(), format!(" for {first}")),
        }));
    };
    match context.package.get(&name.text) {
        // One that is wrong has its diagnostics where it stands.
        Some(Entry::Stream(_)) => resolvers.iter().position(|resolver| resolver.name == name.text).ok_or(Reported),
        Some(Entry::Later) => Err(Reported),
        Some(entry) => {
            let diagnostic = Diagnostic::new(
                Code::E0601,
                format!("`{}` is {}, and tests are for stream resolvers", name.text, entry.describe()),
                name.span,
            );
            Err(context.report(match &names[..] {
                [] => diagnostic,
                names => diagnostic.help(format!("name one of the stream resolvers: {}", either(names))),
            }))
        }
        None => {
            let diagnostic =
                Diagnostic::new(Code::E0601, format!("there is no stream resolver `{}`", name.text), name.span);
            Err(context.report(match did_you_mean(&name.text, names.iter().copied()) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(name.span, near.to_owned()),
                None if names.is_empty() => diagnostic.help(format!("declare it: `stream {}(…) -> …`", name.text)),
                None => diagnostic.help(format!("name one of the stream resolvers: {}", either(&names))),
            }))
        }
    }
}

impl Course<'_, '_> {
    fn step(&mut self, step: &ast::TestStep) -> Checked<TestStep> {
        let at_us = step.at.as_ref().map(|at| self.time(at)).transpose();
        let kind = match &step.kind {
            ast::TestStepKind::Given(given) => self.given(given),
            ast::TestStepKind::Expect(ast::Expected::Fate(fate)) => self.fate(fate),
            ast::TestStepKind::Expect(ast::Expected::Values { class, key, values, span }) => {
                self.expected(class.as_ref(), key.as_ref(), values, *span)
            }
        };
        Ok(TestStep { at_us: at_us?, span: step.span, kind: kind? })
    }

    fn report(&self, diagnostic: Diagnostic) -> Reported {
        self.context.report(diagnostic)
    }

    /// The time of `at`; the clock does not go back.
    fn time(&mut self, at: &ast::Expr) -> Checked<i64> {
        let text = match &at.kind {
            ast::ExprKind::Error => return Err(Reported),
            ast::ExprKind::String(text) => text,
            _ => {
                return Err(self.report(
                    Diagnostic::new(Code::E0604, "the time of a step is a text literal", at.span)
                        .help("write `at \"2024-01-01T00:00:00Z\"`"),
                ));
            }
        };
        let now_us = crate::moment::parse(self.context, text).map_err(|reason| {
            self.report(
                Diagnostic::new(Code::E0604, reason, at.span)
                    .note("a time has a date, a time of day and an offset from UTC (`Z` is none)")
                    .help("write `at \"2024-01-01T00:00:00Z\"`"),
            )
        })?;
        if let Some((before_us, before)) = self.now
            && now_us < before_us
        {
            return Err(self.report(
                Diagnostic::new(Code::E0604, "the clock of a test does not go back", at.span)
                    .label(before, format!("it is {} here", format_datetime(before_us)))
                    .note("steps happen in the order in which they are written")
                    .help("a message from the past is given now: its event time is in the message, not in `at`"),
            ));
        }
        self.now = Some((now_us, at.span));
        Ok(now_us)
    }

    fn given(&mut self, given: &ast::Given) -> Checked<TestStepKind> {
        self.has_message = true;
        if let Some((format, _)) = &given.encoded_as {
            let what = format!("messages in other formats (`given {} …`)", format.text);
            return Err(self.report(not_yet(&what, format.span)));
        }
        let prefix = given.prefix.as_ref().map(|prefix| given::bytes(self.context, prefix, "a prefix"));
        let message = given::message(self.context, &given.value);
        let headers: Vec<Checked<(String, Vec<u8>)>> = given
            .headers
            .iter()
            .map(|header| {
                let value = given::bytes(self.context, &header.value, "the value of a header")?;
                Ok((header.name.text.clone(), value))
            })
            .collect();
        let mut bytes = prefix.transpose()?.unwrap_or_default();
        bytes.extend(message?);
        Ok(TestStepKind::Given { message: bytes, headers: headers.into_iter().collect::<Checked<_>>()? })
    }

    fn fate(&self, fate: &ast::Name) -> Checked<TestStepKind> {
        if !FATES.contains(&fate.text.as_str()) {
            let diagnostic = Diagnostic::new(Code::E0603, format!("there is no fate `{}`", fate.text), fate.span);
            return Err(self.report(match did_you_mean(&fate.text, FATES) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(fate.span, near.to_owned()),
                None => diagnostic.help(format!("a message is {}", either(&FATES))),
            }));
        }
        self.message_before(fate.span)?;
        Ok(TestStepKind::ExpectFate(fate.text.clone()))
    }

    fn message_before(&self, span: Span) -> Checked<()> {
        if self.has_message {
            return Ok(());
        }
        Err(self.report(
            Diagnostic::new(Code::E0605, "no message was given before this", span)
                .at("of which message?")
                .help("give one first: `given { … }`"),
        ))
    }

    fn expected(
        &self,
        class: Option<&ast::Name>,
        key: Option<&ast::Expr>,
        values: &[ast::ExpectedValue],
        span: Span,
    ) -> Checked<TestStepKind> {
        let class = match class {
            Some(name) => self.class(name)?,
            None => self.class,
        };
        let of = &self.classes[class];
        let key = match key {
            Some(key) => {
                let feature = &of.features[of.primary_key];
                let want = Want::new("the key", &feature.name, feature.span);
                Some(values::constant(self.context, key, &feature.ty, want))
            }
            None if class != self.class => Some(Err(self.report(
                Diagnostic::new(Code::E0605, format!("which `{}` is meant is not said", of.name), span)
                    .label(self.classes[self.class].span, "the message sets features of this class")
                    .help(format!("give the key: `expect {}(…) {{ … }}`", of.name)),
            ))),
            None => self.message_before(span).err().map(Err),
        };
        let found: Vec<Checked<(usize, Value, Span)>> =
            values.iter().map(|expected| self.expected_value(class, expected)).collect();
        let mut all: Vec<(usize, Value, Span)> = Vec::new();
        let mut failed = false;
        for (found, expected) in found.into_iter().zip(values) {
            let Ok(value) = found else {
                failed = true;
                continue;
            };
            if let Some((_, _, first)) = all.iter().find(|(feature, ..)| *feature == value.0) {
                self.report(
                    Diagnostic::new(Code::E0406, format!("`{}` is expected twice", expected.target.text), value.2)
                        .label(*first, "first expected here")
                        .help("leave one of them out"),
                );
                failed = true;
            }
            all.push(value);
        }
        let key = key.transpose()?;
        if failed { Err(Reported) } else { Ok(TestStepKind::Expect { class, key, values: all }) }
    }

    fn class(&self, name: &ast::Name) -> Checked<usize> {
        match self.context.package.get(&name.text) {
            Some(Entry::Class(class)) => Ok(class),
            Some(Entry::Later) => Err(Reported),
            _ => {
                let classes = self.context.package.names_where(|entry| matches!(entry, Entry::Class(_)));
                let diagnostic =
                    Diagnostic::new(Code::E0103, format!("there is no features class `{}`", name.text), name.span);
                Err(self.report(match did_you_mean(&name.text, classes.iter().copied()) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(name.span, near.to_owned()),
                    None => diagnostic.help(format!("name a class: {}", either(&classes))),
                }))
            }
        }
    }

    /// Position of the feature, its value, and where the expectation stands.
    fn expected_value(&self, index: usize, expected: &ast::ExpectedValue) -> Checked<(usize, Value, Span)> {
        let class = &self.classes[index];
        let position = self.feature(class, &expected.target, expected.window.as_ref())?;
        let feature = &class.features[position];
        if self.now.is_none() && reads_a_window(self.classes, index, position) {
            return Err(self.report(
                Diagnostic::new(
                    Code::E0604,
                    format!("`{}` depends on the time, and it is not said", feature.name),
                    expected.span,
                )
                .help("begin the step, or one before it, with a time: `at \"2024-01-01T00:00:00Z\" expect …`"),
            ));
        }
        let want = Want::new("the feature", &feature.name, feature.span);
        // `none` may be expected of anything: what nothing has written is null.
        let value = match &expected.value.kind {
            ast::ExprKind::None => Value::Null,
            _ => values::constant(self.context, &expected.value, &feature.ty, want)?,
        };
        Ok((position, value, expected.span))
    }

    fn feature(&self, class: &FeatureClass, target: &ast::Name, window: Option<&ast::Expr>) -> Checked<usize> {
        let windows: Vec<(usize, Option<i64>)> = class
            .features
            .iter()
            .enumerate()
            .filter_map(|(position, feature)| {
                let window = feature.window.as_ref().filter(|window| window.feature == target.text)?;
                Some((position, window.duration_us))
            })
            .collect();
        let names: Vec<&str> = windows.iter().map(|(position, _)| class.features[*position].name.as_str()).collect();
        match window {
            None => {
                if let Some(position) = class.features.iter().position(|feature| feature.name == target.text) {
                    return Ok(position);
                }
                let Some(first) = names.first() else { return Err(self.unknown_feature(class, target)) };
                Err(self.report(
                    Diagnostic::new(
                        Code::E0603,
                        format!("which window of `{}` is meant is not said", target.text),
                        target.span,
                    )
                    .help(format!("write {}", either(&names)))
                    .fix(target.span, (*first).to_owned()),
                ))
            }
            Some(window) => {
                let wanted = match &window.kind {
                    ast::ExprKind::Error => return Err(Reported),
                    ast::ExprKind::Duration(duration_us) => Some(Some(*duration_us)),
                    ast::ExprKind::Name(name) if name.text == "all" => Some(None),
                    _ => None,
                };
                if let Some((position, _)) = windows.iter().find(|(_, window)| Some(*window) == wanted) {
                    return Ok(*position);
                }
                if !names.is_empty() {
                    return Err(self.report(
                        Diagnostic::new(Code::E0603, format!("`{}` has no such window", target.text), window.span)
                            .help(format!("write {}", either(&names))),
                    ));
                }
                match class.features.iter().find(|feature| feature.name == target.text) {
                    Some(feature) => Err(self.report(
                        Diagnostic::new(Code::E0603, format!("`{}` has no windows", target.text), window.span)
                            .label(feature.span, "declared here")
                            .help(format!("write `{}`", target.text)),
                    )),
                    None => Err(self.unknown_feature(class, target)),
                }
            }
        }
    }

    fn unknown_feature(&self, class: &FeatureClass, target: &ast::Name) -> Reported {
        // A feature that is wrong, or a link to other classes.
        let declared = self.context.package.classes.iter().find(|decl| decl.name.text == class.name);
        if let Some(field) = declared.and_then(|decl| decl.fields.iter().find(|field| field.name.text == target.text)) {
            if let Some(relation) = class.relations.iter().find(|relation| relation.name == target.text) {
                return self.report(
                    Diagnostic::new(
                        Code::E0603,
                        format!("`{}` is a link to `{}`, not a value", target.text, self.classes[relation.class].name),
                        target.span,
                    )
                    .label(field.name.span, "declared here")
                    .help("expect a feature that is computed from it, or a feature of the other class: `expect Class(key) { … }`"),
                );
            }
            return Reported;
        }
        let mut names: Vec<&str> = class
            .features
            .iter()
            .map(|feature| feature.window.as_ref().map_or(&feature.name, |window| &window.feature).as_str())
            .collect();
        names.dedup();
        let diagnostic =
            Diagnostic::new(Code::E0405, format!("`{}` has no feature `{}`", class.name, target.text), target.span)
                .label(class.span, "the class is declared here");
        self.report(match did_you_mean(&target.text, names.iter().copied()) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(target.span, near.to_owned()),
            None => diagnostic.help(format!("its features are {}", either(&names))),
        })
    }
}

/// Whether a feature's value depends on the time at which it is asked for.
fn reads_a_window(classes: &[FeatureClass], class: usize, position: usize) -> bool {
    // Wrong packages have circles.
    let mut seen = BTreeSet::from([(class, position)]);
    let mut features = vec![(class, position)];
    while let Some((class, position)) = features.pop() {
        let of = &classes[class];
        let feature = &of.features[position];
        if feature.window.as_ref().is_some_and(|window| window.duration_us.is_some()) {
            return true;
        }
        let mut open: Vec<_> = feature.expression.iter().collect();
        while let Some(expr) = open.pop() {
            let read = match &expr.kind {
                ExprKind::Aggregate(aggregate) => match of.aggregates.get(*aggregate) {
                    Some(value) if value.window_us.is_some() => return true,
                    _ => None,
                },
                ExprKind::Feature(other) => Some((class, *other)),
                ExprKind::Linked { class, feature, .. } => Some((*class, *feature)),
                _ => None,
            };
            features.extend(read.filter(|read| seen.insert(*read)));
            expr.for_each_child(|child| open.push(child));
        }
    }
    false
}
