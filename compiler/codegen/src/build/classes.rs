//! Kernels over what is known of a key: expression features for a query, and what is set when a tumbling window is over.
//!
//! In a query a feature that fails does so alone: its failure is reported and it is null, and so are those that read it. In a window that is over the
//! key fails as a message would.
//!
//! This file must not know messages.

use std::collections::BTreeSet;

use chalk_artifact::manifest::{KernelInput, LinkedValue};
use chalk_catalog::Catalog;
use chalk_hir::program::{Expr, ExprKind, FeatureClass, Program, StreamResolver, WindowClose};
use chalk_types::Kind;

use super::Scope;
use super::value::{Flat, Val};
use crate::ir::{Kernel, Op, Output, Role};
use crate::tables::Tables;

/// The kernel of a class's expression features with what the manifest says of it.
pub(crate) struct ExpressionKernel {
    /// The kernel.
    pub(crate) kernel: Kernel,
    /// Which features its outputs are.
    pub(crate) outputs: Vec<u32>,
    /// Per output which inputs it reads.
    pub(crate) reads: Vec<Vec<u32>>,
    /// What its `Linked` inputs are.
    pub(crate) links: Vec<LinkedValue>,
}

/// The kernel that computes a class's expression features from its stored ones, aggregates and linked features.
pub(crate) fn expressions(
    program: &Program,
    catalog: &Catalog,
    tables: &mut Tables,
    class: &FeatureClass,
) -> Option<ExpressionKernel> {
    if class.expression_order.is_empty() {
        return None;
    }
    let mut scope = Scope::new(program, catalog, tables, class, None);
    for index in &class.expression_order {
        let feature = &class.features[*index];
        scope.outputs.push(Output { ty: feature.ty.to_optional(), name: feature.fqn.clone() });
        if let Some(expression) = &feature.expression {
            scope.try_feature(scope.outputs.len() - 1, *index, expression);
        }
    }
    let outputs = class.expression_order.iter().map(|index| *index as u32).collect();
    let links = std::mem::take(&mut scope.links);
    let (kernel, _) = scope.into_kernel(format!("{}::expressions", class.name), Role::Apply);
    let reads = reads(class, &kernel, &links);
    Some(ExpressionKernel { kernel, outputs, reads, links })
}

/// The kernel of what a resolver sets when a tumbling window is over, and the features that its outputs are.
pub(crate) fn close(
    program: &Program,
    catalog: &Catalog,
    tables: &mut Tables,
    resolver: &StreamResolver,
    close: &WindowClose,
) -> (Kernel, Vec<u32>) {
    let class = &program.classes[resolver.class];
    let mut scope = Scope::new(program, catalog, tables, class, None);
    for (output, (index, value)) in close.assignments.iter().enumerate() {
        let feature = &class.features[*index];
        scope.outputs.push(Output { ty: feature.ty.clone(), name: feature.fqn.clone() });
        scope.set_feature(output, *index, value);
    }
    let symbol = format!("{}::close_{}s", resolver.name, close.window_us / 1_000_000);
    let (kernel, _) = scope.into_kernel(symbol, Role::Apply);
    (kernel, close.assignments.iter().map(|(index, _)| *index as u32).collect())
}

/// Per expression feature, in their order, the inputs that it reads.
fn reads(class: &FeatureClass, kernel: &Kernel, links: &[LinkedValue]) -> Vec<Vec<u32>> {
    let mut of_features: Vec<Option<BTreeSet<u32>>> = vec![None; class.features.len()];
    for index in &class.expression_order {
        let mut inputs = BTreeSet::new();
        if let Some(expression) = &class.features[*index].expression {
            add_reads(expression, &of_features, kernel, links, &mut inputs);
        }
        of_features[*index] = Some(inputs);
    }
    let of_feature = |index: &usize| of_features[*index].iter().flatten().copied().collect();
    class.expression_order.iter().map(of_feature).collect()
}

fn add_reads(
    expr: &Expr,
    of_features: &[Option<BTreeSet<u32>>],
    kernel: &Kernel,
    links: &[LinkedValue],
    inputs: &mut BTreeSet<u32>,
) {
    let source = match &expr.kind {
        ExprKind::Feature(index) => match &of_features[*index] {
            Some(through) => {
                inputs.extend(through);
                None
            }
            None => Some(KernelInput::Feature(*index as u32)),
        },
        ExprKind::Aggregate(index) => Some(KernelInput::Aggregate(*index as u32)),
        ExprKind::Linked { foreign_key, class, feature } => {
            let is_it = |link: &LinkedValue| {
                (link.foreign_key, link.class, link.feature) == (*foreign_key as u32, *class as u32, *feature as u32)
            };
            links.iter().position(is_it).map(|link| KernelInput::Linked(link as u32))
        }
        _ => None,
    };
    // An input that no code reads in the end is not among the kernel's.
    let position = source.and_then(|source| kernel.inputs.iter().position(|input| input.source == source));
    inputs.extend(position.map(|position| position as u32));
    expr.for_each_child(|child| add_reads(child, of_features, kernel, links, inputs));
}

impl Scope<'_> {
    /// Computes a feature, reporting where it fails; writes it and keeps it for expressions that read it.
    fn try_feature(&mut self, output: usize, index: usize, value: &Expr) {
        let before = self.b.set_span(value.span);
        self.b.open();
        let flat = self.flat(value);
        let valid = flat.valid.unwrap_or_else(|| self.b.bool(true));
        let fine = self.b.bool(false);
        let body = (self.b.close(), vec![flat.value, valid, fine]);
        self.b.open();
        let zero = self.b.emit(Op::Zero, value.ty.kind.clone());
        let (null, failed) = (self.b.bool(false), self.b.bool(true));
        let fallback = (self.b.close(), vec![zero, null, failed]);
        let joined = self.b.recover(body, fallback, Some(output as u32));
        let flat = Flat { value: joined[0], valid: Some(joined[1]) };
        self.store(output, flat);
        self.b.set_span(before);
        if !self.b.is_false(joined[2]) {
            self.failed.insert(index, joined[2]);
        }
        // Who reads a feature that is never null fails where it failed.
        let valid = if self.class.features[index].ty.nullable { flat.valid } else { None };
        self.features.insert(index, Val::Flat(Flat { valid, ..flat }));
    }

    /// Fails where a feature failed that is read here.
    pub(super) fn fail_with(&mut self, index: usize, expr: &Expr) {
        if let Some(failed) = self.failed.get(&index).copied() {
            let reason = format!("feature {} has no value, because it failed", self.class.features[index].fqn);
            let site = self.tables.sites.intern((expr.span, reason));
            self.b.effect(Op::FailIf { cond: failed, site });
        }
    }

    /// The null `datetime`, for what has no time.
    pub(super) fn no_time(&mut self) -> Flat {
        self.null(&Kind::Datetime)
    }
}
