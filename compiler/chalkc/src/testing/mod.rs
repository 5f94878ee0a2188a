//! `test` blocks on the real engine: each in a session of its own, with the clock that it sets.
//!
//! A message of a test goes the way of every message, from its bytes to rows and events; what is expected is compared with what a query
//! answers. A test goes on after an expectation that is not met, so that one run shows all of them.
//!
//! This file must not know terminals or how results are shown.

pub(crate) mod text;

use std::sync::Arc;

use chalk_artifact::manifest::OptionValue;
use chalk_diagnostics::Span;
use chalk_engine::{Envelope, Program, Pushed, Session, SessionOptions};
use chalk_eval::equal;
use chalk_hir::program::{FeatureClass, Test, TestStepKind};
use chalk_types::{Value, format_datetime};

use crate::compile::Checked;
use text::literal;

/// An expectation that is not met.
#[derive(Clone, Debug, PartialEq)]
pub struct Mismatch {
    /// Where it is written.
    pub span: Span,
    /// What was compared: `user.name of User(1) at 2024-01-01T00:00:00Z`.
    pub what: String,
    /// As the test has it.
    pub expected: String,
    /// As it is.
    pub found: String,
    /// Why, as far as that is known.
    pub note: Option<String>,
}

/// Runs tests of one program.
pub struct Tester<'a> {
    checked: &'a Checked,
    program: Arc<Program>,
}

/// What a test has come to.
struct Course<'t> {
    session: Session,
    resolver: usize,
    topic: &'t str,
    now_us: Option<i64>,
    offset: i64,
    latest: Option<Pushed>,
    /// What went wrong when windows were run.
    window_failures: Vec<String>,
    mismatches: Vec<Mismatch>,
}

impl<'a> Tester<'a> {
    /// `program` is what `checked` was compiled to.
    pub fn new(checked: &'a Checked, program: &Arc<Program>) -> Tester<'a> {
        Tester { checked, program: Arc::clone(program) }
    }

    /// Runs a test; the expectations that are not met, in order. An error is of the engine, not of the test.
    pub fn run(&self, test: &Test) -> Result<Vec<Mismatch>, String> {
        let mut course = Course {
            session: Session::new(
                &self.program,
                SessionOptions { sql: crate::sql::runner(), ..SessionOptions::for_tests() },
            )?,
            resolver: test.resolver,
            topic: self.topic(test.resolver),
            now_us: None,
            offset: 0,
            latest: None,
            window_failures: Vec::new(),
            mismatches: Vec::new(),
        };
        for step in &test.steps {
            if let Some(at_us) = step.at_us {
                course.go_on_to(at_us);
            }
            match &step.kind {
                TestStepKind::Given { message, headers } => course.give(message, headers),
                TestStepKind::ExpectFate(fate) => course.expect_fate(fate, step.span),
                TestStepKind::Expect { class, key, values } => {
                    self.expect(&mut course, *class, key.as_ref(), values, step.span);
                }
            }
        }
        Ok(course.mismatches)
    }

    /// What `envelope.topic` is: the topic of the resolver's source, or the source's name where it has none.
    fn topic(&self, resolver: usize) -> &'a str {
        let program = &self.checked.program;
        let source = &program.sources[program.resolvers[resolver].source];
        let topic = source.options.iter().find_map(|(name, value)| match value {
            OptionValue::Value(Value::String(topic)) if name == "topic" => Some(topic.as_str()),
            _ => None,
        });
        topic.unwrap_or(&source.name)
    }

    fn expect(
        &self,
        course: &mut Course<'_>,
        class: usize,
        key: Option<&Value>,
        values: &[(usize, Value, Span)],
        span: Span,
    ) {
        let of = &self.checked.program.classes[class];
        let key = match (key, &course.latest) {
            (Some(key), _) => key.clone(),
            (None, Some(Pushed { key: Some(key), .. })) => key.clone(),
            (None, latest) => {
                let (found, note) = latest.as_ref().map_or(("no message".to_owned(), None), |latest| {
                    (format!("the message was {}", latest.fate.name()), latest.reason.clone())
                });
                let what = format!("the row that the latest message wrote to {}", of.name);
                course.mismatches.push(Mismatch { span, what, expected: "a row".to_owned(), found, note });
                return;
            }
        };
        let answers = course.session.query(class, &key);
        for (position, expected, span) in values {
            let feature = &of.features[*position];
            let answer = answers.iter().find(|(feature, _)| feature == position).map(|(_, answer)| answer);
            let (found, note) = match answer {
                Some(Ok(value)) if equal(value, expected) => continue,
                Some(Ok(value)) => (literal(value, &feature.ty), course.window_failures.first().cloned()),
                Some(Err(reason)) => ("a failure".to_owned(), Some(reason.clone())),
                None => ("nothing".to_owned(), None),
            };
            course.mismatches.push(Mismatch {
                span: *span,
                what: format!("{} of {}", feature.name, subject(of, &key, course.now_us)),
                expected: literal(expected, &feature.ty),
                found,
                note,
            });
        }
    }
}

/// `User(1) at 2024-01-01T00:00:00Z`
fn subject(class: &FeatureClass, key: &Value, now_us: Option<i64>) -> String {
    let key = literal(key, &class.features[class.primary_key].ty);
    let at = now_us.map(|now_us| format!(" at {}", format_datetime(now_us))).unwrap_or_default();
    format!("{}({key}){at}", class.name)
}

impl Course<'_> {
    /// The clock goes on; windows that are over by then are run.
    fn go_on_to(&mut self, now_us: i64) {
        self.now_us = Some(now_us);
        self.session.set_now(now_us);
        let failures = &mut self.window_failures;
        self.session.advance(&mut |closed| {
            let end = format_datetime(closed.end_us);
            failures.extend(closed.failures.iter().map(|(_, reason)| format!("in the window up to {end}: {reason}")));
        });
    }

    fn give(&mut self, message: &[u8], headers: &[(String, Vec<u8>)]) {
        let headers: Vec<(&str, &[u8])> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let envelope = Envelope {
            topic: self.topic,
            partition: 0,
            offset: self.offset,
            key: None,
            timestamp_us: self.now_us,
            headers: &headers,
        };
        self.offset += 1;
        self.latest = Some(self.session.push(self.resolver, message, &envelope));
    }

    fn expect_fate(&mut self, expected: &str, span: Span) {
        let latest = self.latest.as_ref().expect("the checker wants a message before a fate");
        if latest.fate.name() != expected {
            self.mismatches.push(Mismatch {
                span,
                what: "the fate of the latest message".to_owned(),
                expected: expected.to_owned(),
                found: latest.fate.name().to_owned(),
                note: latest.reason.clone(),
            });
        }
    }
}
