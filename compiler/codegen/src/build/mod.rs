//! A checked program to column IR: one kernel at a time.
//!
//! The order of evaluation is the one that the reference evaluator documents: raw filter, parse, filter, timestamp, dedup key,
//! assignments in order of writing, expression features in their order, events; left to right within an expression.
//!
//! This module must not know Cranelift.

mod arith;
mod cast;
mod classes;
mod compare;
mod expr;
mod feeds;
mod nested;
mod value;

use std::collections::HashMap;

use chalk_artifact::decode_plan::ColumnPlan;
use chalk_artifact::manifest::{Feed, KernelInput, LinkedValue, ResolverOutput};
use chalk_catalog::Catalog;
use chalk_hir::program::{EnvelopeField, Expr, ExprKind, FeatureClass, LocalId, MessageInput, Program, StreamResolver};
use chalk_types::{Kind, Type};

pub(crate) use self::classes::{ExpressionKernel, close, expressions};
use self::value::{Absence, Flat, Path, Val};
use crate::ir::{Binary, Builder, Exit, Input, Kernel, Op, Output, Role, V, finish};
use crate::tables::Tables;

/// Builds the body of one kernel.
struct Scope<'a> {
    program: &'a Program,
    catalog: &'a Catalog,
    tables: &'a mut Tables,
    b: Builder,
    inputs: Vec<Input>,
    outputs: Vec<Output>,
    /// What the message is, in a resolver.
    message: Option<MessageInput>,
    /// Columns of the message asked for so far.
    columns: Vec<ColumnPlan>,
    locals: HashMap<LocalId, Val>,
    /// The class whose features `ExprKind::Feature` means.
    class: &'a FeatureClass,
    /// Features known so far.
    features: HashMap<usize, Val>,
    /// Features that may have failed, with whether they did.
    failed: HashMap<usize, V>,
    /// Features of other classes asked for so far.
    links: Vec<LinkedValue>,
}

/// A main kernel with what the manifest says of it.
pub(crate) struct MainKernel {
    /// The kernel.
    pub(crate) kernel: Kernel,
    /// Columns of the message that were asked for; its `Decoded` inputs are positions in it.
    pub(crate) columns: Vec<ColumnPlan>,
    /// What its outputs are.
    pub(crate) outputs: Vec<ResolverOutput>,
    /// Which of them are events.
    pub(crate) feeds: Vec<Feed>,
}

/// The kernel that decides over envelope and headers, if the resolver has such a `where`.
pub(crate) fn prefilter(
    program: &Program,
    catalog: &Catalog,
    tables: &mut Tables,
    resolver: &StreamResolver,
) -> Option<Kernel> {
    let condition = resolver.prefilter.as_ref()?;
    let mut scope = Scope::new(program, catalog, tables, &program.classes[resolver.class], None);
    scope.keep_where(condition);
    Some(scope.into_kernel(format!("{}::prefilter", resolver.name), Role::Decide).0)
}

/// The kernel that does everything after the decode.
pub(crate) fn main(program: &Program, catalog: &Catalog, tables: &mut Tables, resolver: &StreamResolver) -> MainKernel {
    let class = &program.classes[resolver.class];
    let mut scope = Scope::new(program, catalog, tables, class, Some(resolver.input));
    let expressions = computable(class, resolver);
    let feature =
        |index: &usize| Output { ty: class.features[*index].ty.clone(), name: class.features[*index].fqn.clone() };
    scope.outputs.extend(resolver.assignments.iter().map(|(index, _)| feature(index)));
    scope.outputs.extend(expressions.iter().map(feature));
    let mut outputs: Vec<ResolverOutput> =
        resolver.assignments.iter().map(|(index, _)| ResolverOutput::Feature(*index as u32)).collect();
    outputs.extend(expressions.iter().map(|index| ResolverOutput::Expression(*index as u32)));
    let feeds::Feeds { feeds, events } = feeds::of_resolver(resolver, &outputs);
    let first_event = outputs.len();
    let event = |(number, expr): (usize, &&Expr)| Output { ty: expr.ty.clone(), name: format!("event {number}") };
    scope.outputs.extend(events.iter().enumerate().map(event));
    outputs.extend(events.iter().map(|_| ResolverOutput::Event));

    if let Some(condition) = &resolver.raw_filter {
        scope.keep_where(condition);
    }
    if let Some((local, value)) = &resolver.parse {
        let parsed = scope.expr(value);
        let parsed = scope.skip_null(parsed);
        scope.locals.insert(*local, parsed);
    }
    if let Some(condition) = &resolver.filter {
        scope.keep_where(condition);
    }
    let mut event_time = None;
    if let Some(timestamp) = &resolver.timestamp {
        scope.outputs.push(Output { ty: Kind::Datetime.optional(), name: "event time".to_owned() });
        outputs.push(ResolverOutput::EventTime);
        let output = scope.outputs.len() - 1;
        let before = scope.b.set_span(timestamp.span);
        let value = scope.flat(timestamp);
        scope.store(output, value);
        if let Some(deadline_us) = program.sources[resolver.source].late_arrival_deadline_us {
            scope.drop_late(value, deadline_us);
        }
        scope.b.set_span(before);
        event_time = Some(value);
    }
    if let Some(dedup) = &resolver.dedup {
        let before = scope.b.set_span(dedup.key.span);
        let key = scope.flat(&dedup.key);
        let time = event_time.unwrap_or_else(|| scope.no_time());
        scope.b.effect(Op::DedupKey(vec![(key.value, key.valid), (time.value, time.valid)]));
        scope.b.set_span(before);
    }
    for (output, (index, value)) in resolver.assignments.iter().enumerate() {
        scope.set_feature(output, *index, value);
    }
    for (position, index) in expressions.iter().enumerate() {
        if let Some(expression) = &class.features[*index].expression {
            scope.set_feature(resolver.assignments.len() + position, *index, expression);
        }
    }
    for (position, expr) in events.into_iter().enumerate() {
        let before = scope.b.set_span(expr.span);
        let value = scope.flat(expr);
        scope.store(first_event + position, value);
        scope.b.set_span(before);
    }
    let (kernel, columns) = scope.into_kernel(format!("{}::main", resolver.name), Role::Apply);
    MainKernel { kernel, columns, outputs, feeds }
}

/// The expression features that read nothing but what the resolver sets, in their order.
fn computable(class: &FeatureClass, resolver: &StreamResolver) -> Vec<usize> {
    let mut known: Vec<bool> = vec![false; class.features.len()];
    for (index, _) in &resolver.assignments {
        known[*index] = true;
    }
    let mut found = Vec::new();
    for index in &class.expression_order {
        let Some(expression) = &class.features[*index].expression else { continue };
        if reads_only(expression, &known) {
            known[*index] = true;
            found.push(*index);
        }
    }
    found
}

fn reads_only(expr: &Expr, known: &[bool]) -> bool {
    let mut ok = match expr.kind {
        ExprKind::Feature(index) => known[index],
        // Known to a query only.
        ExprKind::Aggregate(_) | ExprKind::Linked { .. } => false,
        _ => true,
    };
    expr.for_each_child(|child| ok = ok && reads_only(child, known));
    ok
}

impl<'a> Scope<'a> {
    fn new(
        program: &'a Program,
        catalog: &'a Catalog,
        tables: &'a mut Tables,
        class: &'a FeatureClass,
        message: Option<MessageInput>,
    ) -> Scope<'a> {
        Scope {
            program,
            catalog,
            tables,
            b: Builder::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            message,
            columns: Vec::new(),
            locals: HashMap::new(),
            class,
            features: HashMap::new(),
            failed: HashMap::new(),
            links: Vec::new(),
        }
    }

    fn into_kernel(self, symbol: String, role: Role) -> (Kernel, Vec<ColumnPlan>) {
        let (kinds, body) = self.b.into_parts();
        let mut kernel =
            Kernel { symbol, role, inputs: self.inputs, outputs: self.outputs, kinds, before: Vec::new(), body };
        finish(&mut kernel);
        (kernel, self.columns)
    }

    /// Ends rows for which a condition is not true.
    fn keep_where(&mut self, condition: &Expr) {
        let before = self.b.set_span(condition.span);
        let condition = self.flat(condition);
        let keep = self.is_true(condition);
        let drop = self.b.not(keep);
        self.b.effect(Op::ExitIf { cond: drop, exit: Exit::Filtered });
        self.b.set_span(before);
    }

    /// Ends rows whose event time lies further before the broker's time than the deadline allows. Where one of the two is
    /// not known a row is not late.
    fn drop_late(&mut self, event_time: Flat, deadline_us: i64) {
        let consumed = self.envelope(EnvelopeField::Timestamp);
        let deadline = self.b.int(deadline_us);
        let earliest = self.b.emit(Op::Binary(Binary::IntSub, consumed.value, deadline), Kind::INT);
        let late = self.b.emit(Op::Binary(Binary::IntLess, event_time.value, earliest), Kind::Bool);
        let known = self.b.both(event_time.valid, consumed.valid);
        let cond = match known {
            Some(known) => self.b.and(known, late),
            None => late,
        };
        self.b.effect(Op::ExitIf { cond, exit: Exit::Late });
    }

    /// Skips rows whose value is null; gives the value, known to be there.
    fn skip_null(&mut self, value: Val) -> Val {
        if let Some(valid) = self.validity(&value) {
            let null = self.b.not(valid);
            self.b.effect(Op::ExitIf { cond: null, exit: Exit::Skipped });
        }
        match value {
            Val::Flat(flat) => Val::Flat(Flat { valid: None, ..flat }),
            Val::Path(path) => Val::Path(Path { absence: Absence::Never, ..path }),
        }
    }

    /// Computes a feature, writes it and keeps it for expressions that read it.
    fn set_feature(&mut self, output: usize, index: usize, value: &Expr) {
        let before = self.b.set_span(value.span);
        let value = self.expr(value);
        let flat = self.flatten(&value);
        self.store(output, flat);
        self.b.set_span(before);
        self.features.insert(index, value);
    }

    fn store(&mut self, output: usize, Flat { value, valid }: Flat) {
        self.b.effect(Op::Store { output: output as u32, value, valid });
    }

    /// The input with that source.
    fn input(&mut self, source: KernelInput, ty: &Type, name: impl FnOnce() -> String) -> u32 {
        if let Some(known) = self.inputs.iter().position(|input| input.source == source) {
            return known as u32;
        }
        self.inputs.push(Input { source, ty: ty.clone(), name: name() });
        self.inputs.len() as u32 - 1
    }

    /// A value of an input.
    fn load(&mut self, input: u32) -> Flat {
        let ty = self.inputs[input as usize].ty.clone();
        let value: V = self.b.emit(Op::Load(input), ty.kind);
        let valid = ty.nullable.then(|| self.b.emit(Op::LoadValid(input), Kind::Bool));
        Flat { value, valid }
    }
}
