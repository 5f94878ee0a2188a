//! Which overload a call means, what its type variables stand for, and what it gives.
//!
//! An overload is chosen by the least number of silent conversions (`chalk_types::coercion`); the first declared wins a
//! tie. A null in a parameter that does not take it makes the result null, so such an argument is never a mistake.
//!
//! This file must not know syntax or diagnostics: it returns data from which the caller words a message.

use std::collections::BTreeMap;

use chalk_types::{Coercion, Kind, Type, Value, coercion, common_type};

use crate::aggregate::{AggregateCall, AggregateDef};
use crate::catalog::{Catalog, Function};
use crate::signature::{Constraint, Param, Signature, TypePattern};

/// An argument as the checker sees it.
#[derive(Clone, Debug)]
pub struct ArgType<'a> {
    /// Given by name (`tz: "Europe/Zurich"`).
    pub name: Option<&'a str>,
    /// Its type.
    pub ty: Type,
    /// Its value where it is a literal.
    pub literal: Option<Value>,
}

impl ArgType<'_> {
    /// A positional argument that is no literal.
    pub fn of(ty: Type) -> Self {
        ArgType { name: None, ty, literal: None }
    }
}

/// Where a parameter's value comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum ArgSource {
    /// The argument at that position of the call.
    Given(usize),
    /// Not given: the parameter's default.
    Default(Value),
    /// The arguments of a variadic parameter.
    Variadic(Vec<usize>),
}

/// A call, resolved.
#[derive(Clone, Debug)]
pub struct Resolved<'c> {
    /// The overload.
    pub function: &'c Function,
    /// What type variables stand for; nullable where items of a list or map may be null.
    pub bindings: BTreeMap<char, Type>,
    /// Per parameter where its value comes from.
    pub sources: Vec<ArgSource>,
    /// Per parameter the type that its arguments are silently converted to; nullable as the argument is. (Of a variadic
    /// parameter: the type of one argument.) A nullable one whose parameter is not (`propagates`) makes the result null.
    pub param_types: Vec<Type>,
    /// Per parameter: whether a null argument makes the result null without a call.
    pub propagates: Vec<bool>,
    /// The type of the call. The expression body of a `Body::Chalk` or `Body::Fold` function may have a narrower one
    /// (`coalesce(x, 0)` is not null): there the body's type counts.
    pub result: Type,
}

/// The call of an aggregate, resolved.
#[derive(Clone, Debug)]
pub struct ResolvedAggregate<'c> {
    /// The overload.
    pub def: &'static AggregateDef,
    /// Its signature, read.
    pub signature: &'c Signature,
    /// The arguments that are expressions over the event, in the order of their parameters: each argument's position in the
    /// call, and the type that it is silently converted to. That type is never nullable; where the argument may be null, an event with
    /// a null there is passed over.
    pub event_args: Vec<(usize, Type)>,
    /// Values of the `const` parameters, in order.
    pub params: Vec<Value>,
    /// The type of the result.
    pub result: Type,
}

impl ResolvedAggregate<'_> {
    /// What the definition binds to.
    pub fn call(&self) -> AggregateCall {
        AggregateCall {
            args: self.event_args.iter().map(|(_, ty)| ty.clone()).collect(),
            params: self.params.clone(),
            result: self.result.clone(),
        }
    }
}

/// Why a call means nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum ResolveError {
    /// No function, or aggregate, of that name; the nearest names first.
    UnknownName {
        /// Similar names.
        candidates: Vec<&'static str>,
    },
    /// Too few or too many arguments for each overload.
    Count {
        /// Fewest and most (none = any number) that some overload takes.
        expected: (usize, Option<usize>),
        /// How many there are.
        got: usize,
        /// The overloads as written.
        signatures: Vec<&'static str>,
    },
    /// A named argument that no parameter has, or that is given twice.
    UnknownParameter {
        /// Position of the argument.
        argument: usize,
        /// The parameters' names.
        candidates: Vec<String>,
    },
    /// A parameter without default got no argument.
    MissingArgument {
        /// The parameter's name.
        parameter: String,
        /// The signature as written.
        signature: &'static str,
    },
    /// An argument's type does not fit.
    Argument {
        /// Position of the argument.
        argument: usize,
        /// The parameter's name.
        parameter: String,
        /// What the overloads take there, most likely first.
        wanted: Vec<String>,
        /// What it is.
        got: Type,
        /// The overloads as written.
        signatures: Vec<&'static str>,
    },
    /// A literal argument is wrong in itself (a bad pattern, a bad path).
    Literal {
        /// Position of the argument; none where the default is at fault together with the others.
        argument: Option<usize>,
        /// What is wrong.
        message: String,
    },
}

impl Catalog {
    /// Finds the overload that a call means.
    pub fn resolve(&self, name: &str, args: &[ArgType]) -> Result<Resolved<'_>, ResolveError> {
        let overloads: Vec<&Function> = self.overloads(name).collect();
        if overloads.is_empty() {
            return Err(ResolveError::UnknownName { candidates: self.similar_names(name) });
        }
        let mut best: Option<(u32, Resolved)> = None;
        let mut failures = Vec::new();
        for function in &overloads {
            let overload = Overload::of(function);
            match match_overload(overload, args) {
                Ok(matched) => {
                    if best.as_ref().is_none_or(|(least, _)| matched.cost < *least) {
                        best = Some((matched.cost, matched.into_resolved(function)));
                    }
                }
                Err(error) => failures.push(error),
            }
        }
        let Some((_, resolved)) = best else {
            let overloads: Vec<Overload> = overloads.into_iter().map(Overload::of).collect();
            return Err(most_telling(failures, &overloads));
        };
        if let Some(check) = resolved.function.def.check {
            let literals: Vec<Option<Value>> = resolved
                .sources
                .iter()
                .map(|source| match source {
                    ArgSource::Given(index) => args[*index].literal.clone(),
                    ArgSource::Default(value) => Some(value.clone()),
                    ArgSource::Variadic(_) => None,
                })
                .collect();
            if let Err((parameter, message)) = check(&literals) {
                let argument = match resolved.sources[parameter] {
                    ArgSource::Given(index) => Some(index),
                    _ => None,
                };
                return Err(ResolveError::Literal { argument, message });
            }
        }
        Ok(resolved)
    }

    /// Finds the overload that a call of an aggregate means, and checks its constants: a `const` parameter takes an
    /// argument with a literal value that is not null. Errors are those of functions; a constant that is none, or one that
    /// the aggregate refuses, is `ResolveError::Literal`.
    pub fn resolve_aggregate(&self, name: &str, args: &[ArgType]) -> Result<ResolvedAggregate<'_>, ResolveError> {
        let overloads: Vec<Overload> = self
            .aggregates_named(name)
            .map(|entry| Overload { signature: &entry.signature, written: entry.def.signature })
            .collect();
        if overloads.is_empty() {
            return Err(ResolveError::UnknownName { candidates: self.similar_aggregates(name) });
        }
        let mut best: Option<(&'static AggregateDef, Matched)> = None;
        let mut failures = Vec::new();
        for (overload, entry) in overloads.iter().zip(self.aggregates_named(name)) {
            match match_overload(*overload, args) {
                Ok(matched) => {
                    if best.as_ref().is_none_or(|(_, least)| matched.cost < least.cost) {
                        best = Some((entry.def, matched));
                    }
                }
                Err(error) => failures.push(error),
            }
        }
        let Some((def, matched)) = best else { return Err(most_telling(failures, &overloads)) };
        bind_constants(def, matched, args)
    }

    /// What may have been meant by a name: functions that other systems call so, else public names near to it, nearest
    /// first.
    pub fn similar_names(&self, name: &str) -> Vec<&'static str> {
        let known = self.functions().iter().map(|function| (function.def.name, function.def.known_as));
        similar(name, known, self.public_names())
    }

    /// As `similar_names`, of aggregates.
    pub fn similar_aggregates(&self, name: &str) -> Vec<&'static str> {
        let known = self.aggregates().iter().map(|entry| (entry.def.name, entry.def.known_as));
        similar(name, known, self.aggregate_names())
    }
}

fn similar(
    name: &str,
    known: impl Iterator<Item = (&'static str, &'static [&'static str])>,
    names: impl Iterator<Item = &'static str>,
) -> Vec<&'static str> {
    let is_known_as = |(_, known_as): &(&str, &[&str])| known_as.iter().any(|known| known.eq_ignore_ascii_case(name));
    let mut known: Vec<&'static str> = known.filter(is_known_as).map(|(candidate, _)| candidate).collect();
    known.dedup();
    if !known.is_empty() {
        return known;
    }
    let limit = name.chars().count() / 3 + 1;
    let mut near: Vec<(usize, &'static str)> = names
        .map(|candidate| (edit_distance(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= limit || candidate.split('_').eq(name.split('_').rev()))
        .collect();
    near.sort_unstable();
    near.truncate(3);
    near.into_iter().map(|(_, candidate)| candidate).collect()
}

/// Takes the constants out of a call's arguments, and lets the aggregate look at them.
fn bind_constants<'c>(
    def: &'static AggregateDef,
    matched: Matched<'c>,
    args: &[ArgType],
) -> Result<ResolvedAggregate<'c>, ResolveError> {
    let signature = matched.overload.signature;
    let mut resolved =
        ResolvedAggregate { def, signature, event_args: Vec::new(), params: Vec::new(), result: matched.result };
    let mut positions = Vec::new();
    let mut decimal = None;
    for ((param, source), ty) in signature.params.iter().zip(&matched.sources).zip(matched.param_types) {
        match source {
            ArgSource::Given(argument) if param.constant => {
                let value = args[*argument].literal.as_ref().and_then(|value| constant(value, &ty.kind));
                let value = value.ok_or_else(|| not_constant(param, *argument))?;
                resolved.params.push(value);
                positions.push(Some(*argument));
            }
            ArgSource::Default(value) if param.constant => {
                resolved.params.push(value.clone());
                positions.push(None);
            }
            // Always null: it says nothing about the type, and no event would count.
            ArgSource::Given(argument) if args[*argument].ty.kind == Kind::Null => {
                return Err(ResolveError::Argument {
                    argument: *argument,
                    parameter: param.name.clone(),
                    wanted: vec![param.ty.to_string()],
                    got: Type::NULL,
                    signatures: vec![def.signature],
                });
            }
            ArgSource::Given(argument) => {
                let ty = match (&param.ty, &args[*argument].ty.kind) {
                    // A decimal comes as it is, whatever its digits.
                    (TypePattern::Decimal { .. }, kind @ Kind::Decimal { scale, .. }) => {
                        decimal = Some(*scale);
                        kind.clone().required()
                    }
                    _ => ty.to_required(),
                };
                resolved.event_args.push((*argument, ty));
            }
            _ => panic!("`{}`: parameters over the event have no default", def.signature),
        }
    }
    if let (TypePattern::Decimal { nullable }, Some(scale)) = (&signature.result, decimal) {
        resolved.result = Type { kind: Kind::Decimal { precision: 38, scale }, nullable: *nullable };
    }
    match (def.bind)(&resolved.call()) {
        Ok(_) => Ok(resolved),
        Err((param, message)) => Err(ResolveError::Literal { argument: positions[param], message }),
    }
}

/// A literal as a value of the parameter's kind; none where it is null or cannot be one.
fn constant(value: &Value, kind: &Kind) -> Option<Value> {
    match (value, kind) {
        (Value::Null, _) => None,
        (Value::Int(value), Kind::Float64) => Some(Value::Float(*value as f64)),
        _ => Some(value.clone()),
    }
}

fn not_constant(param: &Param, argument: usize) -> ResolveError {
    let message = format!("`{}` is fixed when the program is compiled: write a constant that is not null", param.name);
    ResolveError::Literal { argument: Some(argument), message }
}

/// One of the meanings that a name has: what matching needs to know of it.
#[derive(Clone, Copy)]
struct Overload<'c> {
    signature: &'c Signature,
    written: &'static str,
}

impl<'c> Overload<'c> {
    fn of(function: &'c Function) -> Overload<'c> {
        Overload { signature: &function.signature, written: function.def.written }
    }
}

/// An overload that the arguments fit.
struct Matched<'c> {
    overload: Overload<'c>,
    /// Of the conversions.
    cost: u32,
    bindings: BTreeMap<char, Type>,
    sources: Vec<ArgSource>,
    param_types: Vec<Type>,
    propagates: Vec<bool>,
    /// What the signature says, for the types that its variables stand for.
    result: Type,
    /// Whether a null argument may make the result null.
    result_is_null: bool,
}

impl<'c> Matched<'c> {
    fn into_resolved(self, function: &'c Function) -> Resolved<'c> {
        Resolved {
            function,
            bindings: self.bindings,
            sources: self.sources,
            param_types: self.param_types,
            propagates: self.propagates,
            result: self.result.nullable_if(self.result_is_null),
        }
    }
}

/// A failure with how far matching came: the overload that fits furthest explains best.
struct Failure {
    progress: usize,
    error: ResolveError,
}

fn most_telling(failures: Vec<Failure>, overloads: &[Overload]) -> ResolveError {
    let mut signatures: Vec<&'static str> = overloads.iter().map(|overload| overload.written).collect();
    signatures.dedup();
    if failures.iter().all(|failure| matches!(failure.error, ResolveError::Count { .. })) {
        let fewest = overloads.iter().map(|overload| overload.signature.min_args()).min().unwrap_or(0);
        let most = overloads.iter().map(|overload| overload.signature.max_args()).collect::<Option<Vec<_>>>();
        let Some(Failure { error: ResolveError::Count { got, .. }, .. }) = failures.into_iter().next() else {
            unreachable!("there is an overload")
        };
        return ResolveError::Count {
            expected: (fewest, most.and_then(|most| most.into_iter().max())),
            got,
            signatures,
        };
    }
    let furthest = failures.iter().map(|failure| failure.progress).max().unwrap_or(0);
    let mut result: Option<ResolveError> = None;
    for failure in failures.into_iter().filter(|failure| failure.progress == furthest) {
        match (&mut result, failure.error) {
            (None, error) => result = Some(error),
            (
                Some(ResolveError::Argument { argument: a, wanted, .. }),
                ResolveError::Argument { argument: b, wanted: more, .. },
            ) if *a == b => {
                for pattern in more {
                    if !wanted.contains(&pattern) {
                        wanted.push(pattern);
                    }
                }
            }
            _ => {}
        }
    }
    match result {
        Some(ResolveError::Argument { argument, parameter, wanted, got, .. }) => {
            ResolveError::Argument { argument, parameter, wanted, got, signatures }
        }
        Some(error) => error,
        None => unreachable!("there is an overload, and it failed"),
    }
}

fn match_overload<'c>(overload: Overload<'c>, args: &[ArgType]) -> Result<Matched<'c>, Failure> {
    let signature = overload.signature;
    let sources = assign(overload, args)?;
    let mut matcher = Matcher { signature, bindings: BTreeMap::new() };
    // First what the variables stand for, over all arguments: `clamp(1, 0.5, 2)` is about floats.
    for (index, (param, source)) in signature.params.iter().zip(&sources).enumerate() {
        for argument in arguments_of(source) {
            if !matcher.bind(&param.ty, &args[argument].ty) {
                return Err(matcher.failure(overload, index, argument, args));
            }
        }
    }
    let mut cost = 0;
    let mut param_types = Vec::with_capacity(sources.len());
    let mut propagates = Vec::with_capacity(sources.len());
    let mut result_is_null = false;
    for (index, (param, source)) in signature.params.iter().zip(&sources).enumerate() {
        let takes_null = param.ty.is_nullable();
        let wanted = matcher.concrete(&param.ty).to_required();
        let mut nullable = matches!(source, ArgSource::Default(Value::Null));
        for argument in arguments_of(source) {
            let got = &args[argument].ty;
            match fit(&got.to_required(), &wanted) {
                Some(step) => cost += step,
                None => return Err(matcher.failure(overload, index, argument, args)),
            }
            nullable |= got.nullable;
        }
        result_is_null |= nullable && !takes_null;
        param_types.push(wanted.nullable_if(nullable));
        propagates.push(!takes_null);
    }
    let result = matcher.concrete(&signature.result);
    let bindings = matcher.bindings;
    Ok(Matched { overload, cost, bindings, sources, param_types, propagates, result, result_is_null })
}

fn arguments_of(source: &ArgSource) -> Vec<usize> {
    match source {
        ArgSource::Given(index) => vec![*index],
        ArgSource::Default(_) => Vec::new(),
        ArgSource::Variadic(indexes) => indexes.clone(),
    }
}

/// Which argument goes to which parameter.
fn assign(overload: Overload, args: &[ArgType]) -> Result<Vec<ArgSource>, Failure> {
    let signature = overload.signature;
    let mut given: Vec<Vec<usize>> = vec![Vec::new(); signature.params.len()];
    let mut next = 0;
    for (index, arg) in args.iter().enumerate() {
        let position = match arg.name {
            Some(name) => signature.params.iter().position(|param| param.name == name),
            None if next < signature.params.len() => {
                let position = next;
                if !signature.params[position].variadic {
                    next += 1;
                }
                Some(position)
            }
            None => {
                let expected = (signature.min_args(), signature.max_args());
                let error = ResolveError::Count { expected, got: args.len(), signatures: vec![overload.written] };
                return Err(Failure { progress: 0, error });
            }
        };
        match position {
            Some(position) if given[position].is_empty() || signature.params[position].variadic => {
                given[position].push(index);
            }
            _ => {
                let candidates = signature.params.iter().map(|param| param.name.clone()).collect();
                return Err(Failure {
                    progress: 1,
                    error: ResolveError::UnknownParameter { argument: index, candidates },
                });
            }
        }
    }
    let mut sources = Vec::with_capacity(given.len());
    for (param, indexes) in signature.params.iter().zip(given) {
        sources.push(match (&param.default, indexes.first()) {
            (_, Some(_)) if param.variadic => ArgSource::Variadic(indexes),
            (_, Some(index)) => ArgSource::Given(*index),
            (Some(default), None) => ArgSource::Default(default.clone()),
            (None, None) if args.iter().all(|arg| arg.name.is_none()) => {
                let expected = (signature.min_args(), signature.max_args());
                let error = ResolveError::Count { expected, got: args.len(), signatures: vec![overload.written] };
                return Err(Failure { progress: 0, error });
            }
            (None, None) => {
                let error =
                    ResolveError::MissingArgument { parameter: param.name.clone(), signature: overload.written };
                return Err(Failure { progress: 1, error });
            }
        });
    }
    Ok(sources)
}

/// Cost of using a value of one type as another, both not null; none where that is impossible.
fn fit(got: &Type, wanted: &Type) -> Option<u32> {
    match (&got.kind, &wanted.kind) {
        (Kind::Decimal { .. }, Kind::Decimal { precision: 38, .. }) => Some(0),
        // A vector is handed over as a list is.
        (Kind::Vector(item, _), Kind::List(_)) => {
            fit(&Kind::List(item.clone()).required(), wanted).map(|cost| cost + 1)
        }
        (Kind::Map(k1, v1), Kind::Map(k2, v2)) => {
            let same = coercion(k1, k2) == Some(Coercion::Identity) && coercion(v1, v2) == Some(Coercion::Identity);
            same.then_some(0)
        }
        _ => match coercion(got, wanted)? {
            Coercion::Identity => Some(0),
            Coercion::Widen => Some(if matches!(wanted.kind, Kind::Int(_)) { 1 } else { 2 }),
        },
    }
}

struct Matcher<'s> {
    signature: &'s Signature,
    bindings: BTreeMap<char, Type>,
}

impl Matcher<'_> {
    /// Learns what variables stand for from one argument at the top of a parameter's pattern.
    fn bind(&mut self, pattern: &TypePattern, got: &Type) -> bool {
        match pattern {
            // Null as such says nothing about the variable; whether the argument may be null is the caller's matter.
            TypePattern::Var { name, .. } => got.kind == Kind::Null || self.bind_variable(*name, got.to_required()),
            _ => self.bind_inner(pattern, got),
        }
    }

    fn bind_inner(&mut self, pattern: &TypePattern, got: &Type) -> bool {
        match (pattern, &got.kind) {
            (_, Kind::Null) => true,
            (TypePattern::Var { name, .. }, _) => self.bind_variable(*name, got.clone()),
            (TypePattern::List { item, .. }, Kind::List(got) | Kind::Vector(got, _)) => self.bind_inner(item, got),
            (TypePattern::Map { key, value, .. }, Kind::Map(got_key, got_value)) => {
                self.bind_inner(key, got_key) && self.bind_inner(value, got_value)
            }
            (TypePattern::List { .. } | TypePattern::Map { .. }, _) => false,
            // Whether they fit is asked later, of all arguments alike.
            (TypePattern::Concrete(_), _) => true,
            (TypePattern::Decimal { .. }, kind) => matches!(kind, Kind::Decimal { .. } | Kind::Int(_)),
        }
    }

    fn bind_variable(&mut self, name: char, got: Type) -> bool {
        let bound = match self.bindings.get(&name) {
            None => Some(got),
            Some(before) => common_type(before, &got),
        };
        let constraint = self.signature.constraints.get(&name);
        match bound {
            Some(ty) if constraint.is_none_or(|constraint| constraint.holds(&ty.kind)) => {
                self.bindings.insert(name, ty);
                true
            }
            _ => false,
        }
    }

    /// The pattern with its variables replaced.
    fn concrete(&self, pattern: &TypePattern) -> Type {
        self.replace(pattern, false)
    }

    fn replace(&self, pattern: &TypePattern, inner: bool) -> Type {
        match pattern {
            TypePattern::Concrete(ty) => ty.clone(),
            TypePattern::Decimal { nullable } => {
                Type { kind: Kind::Decimal { precision: 38, scale: 0 }, nullable: *nullable }
            }
            TypePattern::Var { name, nullable } => {
                let bound = self.bindings.get(name).cloned().unwrap_or(Type::NULL);
                let null_items = bound.nullable && (inner || bound.kind == Kind::Null);
                bound.to_required().nullable_if(*nullable || null_items)
            }
            TypePattern::List { item, nullable } => {
                Type { kind: Kind::List(Box::new(self.replace(item, true))), nullable: *nullable }
            }
            TypePattern::Map { key, value, nullable } => Type {
                kind: Kind::Map(Box::new(self.replace(key, true)), Box::new(self.replace(value, true))),
                nullable: *nullable,
            },
        }
    }

    fn failure(&self, overload: Overload, param: usize, argument: usize, args: &[ArgType]) -> Failure {
        let param = &self.signature.params[param];
        let wanted = match &param.ty {
            TypePattern::Var { name, .. } => match (self.bindings.get(name), self.signature.constraints.get(name)) {
                (_, Some(constraint)) if !constraint.holds(&args[argument].ty.kind) => match constraint {
                    Constraint::Ordered => "an ordered type".to_owned(),
                    Constraint::Numeric => "a number".to_owned(),
                    Constraint::Vector => "a vector of floats".to_owned(),
                    Constraint::Exactly(kind) => kind.to_string(),
                },
                (Some(bound), _) => bound.to_required().to_string(),
                (None, _) => param.ty.to_string(),
            },
            other => other.to_string(),
        };
        Failure {
            progress: 2 + argument,
            error: ResolveError::Argument {
                argument,
                parameter: param.name.clone(),
                wanted: vec![wanted],
                got: args[argument].ty.clone(),
                signatures: vec![overload.written],
            },
        }
    }
}

/// Levenshtein distance, for "did you mean".
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
