//! Whatever text is handed in: no panic, and a program only where nothing was reported. And what is well-formed is well-typed.

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chalk_hir::program::{AggregationKind, CastMode, Expr, ExprKind, LocalId, Program};
use chalk_types::{Kind, Type};
use common::analyze;

/// A small generator: the same numbers for the same seed on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// The programs of the explanation pages: between them they use all of the language.
fn corpus() -> Vec<String> {
    chalk_diagnostics::Code::ALL
        .iter()
        .flat_map(|code| code.page().split("\n```chalk").skip(1))
        .filter_map(|part| part.split_once('\n')?.1.split_once("\n```").map(|(text, _)| text.to_owned()))
        .filter(|text| text.len() < 2_000)
        .collect()
}

#[test]
fn mutated_programs_never_panic() {
    let corpus = corpus();
    let words: Vec<String> = corpus.iter().flat_map(|text| text.split_whitespace().map(str::to_owned)).collect();
    for seed in 1..=4_000u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut lines: Vec<String> = corpus[random.below(corpus.len())].lines().map(str::to_owned).collect();
        for _ in 0..=random.below(4) {
            let at = random.below(lines.len());
            match random.below(5) {
                0 => {
                    lines.remove(at.min(lines.len().saturating_sub(1)));
                }
                1 => lines.insert(at, corpus[random.below(corpus.len())].lines().next().unwrap_or("").to_owned()),
                2 => {
                    let other = corpus[random.below(corpus.len())].lines().map(str::to_owned).collect::<Vec<_>>();
                    lines.insert(at, other[random.below(other.len())].clone());
                }
                _ => {
                    let mut parts: Vec<&str> = lines[at].split(' ').collect();
                    let word = &words[random.below(words.len())];
                    let place = random.below(parts.len());
                    parts[place] = word;
                    lines[at] = parts.join(" ");
                }
            }
            if lines.is_empty() {
                lines.push(String::new());
            }
        }
        let text = lines.join("\n");
        let found = std::panic::catch_unwind(|| analyze(&text));
        let Ok(analysis) = found else { panic!("seed {seed}:\n{text}") };
        if !chalk_diagnostics::has_errors(&analysis.diagnostics) {
            well_typed(&analysis.program);
        }
    }
}

#[test]
fn hostile_sizes_are_refused_or_checked_quickly() {
    let feature = |expr: &str| format!("features F {{ id: int, x: int = {expr} }}");
    // Long chains, deep nesting, many arms, many calls: an answer, and no overflow of the stack.
    for expr in [
        vec!["id"; 5_000].join(" + "),
        format!("{}id{}", "(".repeat(150), ")".repeat(150)),
        format!("{}id", "-".repeat(150)),
        format!("match id {{ {} else => 0 }}", (0..5_000).map(|i| format!("{i} => {i}, ")).collect::<String>()),
        format!("{{ {} id }}", (0..3_000).map(|i| format!("let x{i} = id + {i}\n")).collect::<String>()),
        format!("{}id{}", "abs(".repeat(150), ")".repeat(150)),
        format!("({}) as int", vec!["id == 1"; 3_000].join(" and ")),
    ] {
        let _ = analyze(&feature(&expr));
    }
    let mut chain = String::from("fn f0(x: int) -> int = x + 1\n");
    for i in 1..3_000 {
        let _ = writeln!(chain, "fn f{i}(x: int) -> int = f{}(x)", i - 1);
    }
    let _ = analyze(&(chain + &feature("f2999(id)")));
    let mut nested = String::from("message M0 { x: int }\n");
    for i in 1..3_000 {
        let _ = writeln!(nested, "message M{i} {{ x: M{} }}", i - 1);
    }
    let codes = common::codes(&nested);
    assert!(codes.contains(&chalk_diagnostics::Code::E0309), "{codes:?}");
}

#[test]
fn large_packages_are_accepted() {
    let mut text = String::from("source s = kafka(topic: \"t\")\nmessage M { id: int, name: string?, v: float }\n");
    for i in 0..200 {
        let _ = writeln!(text, "features C{i} {{\n  id: int\n  name: string?");
        for j in 0..20 {
            let _ = writeln!(text, "  f{j}: float = (id + {j}) * 0.5");
        }
        let _ = writeln!(
            text,
            "}}\nstream r{i}(msg: M) -> C{i}\n  from s\n  where msg.v > {i}\n{{\n  id = msg.id\n  name = lower(msg.name)\n}}"
        );
    }
    // One class and resolver of very many features: the limit on size is for each expression.
    let _ = writeln!(text, "features Wide {{\n  id: int");
    (0..6_000).for_each(|j| text += &format!("  f{j}: float\n"));
    let _ = writeln!(text, "}}\nstream wide(msg: M) -> Wide\n  from s\n{{\n  id = msg.id");
    (0..6_000).for_each(|j| text += &format!("  f{j} = abs(msg.v * {j} + 1) * (msg.v - {j}) / (msg.v + 2)\n"));
    text.push_str("}\n");
    let analysis = common::accept(&text);
    assert_eq!(analysis.program.resolvers.len(), 201);
    well_typed(&analysis.program);
}

/// What `program.rs` promises of types, checked on every node.
fn well_typed(program: &Program) {
    for resolver in &program.resolvers {
        let class = &program.classes[resolver.class];
        let mut locals = BTreeMap::new();
        for condition in [&resolver.prefilter, &resolver.raw_filter].into_iter().flatten() {
            is(condition, &Kind::Bool, &mut locals);
        }
        if let Some((local, value)) = &resolver.parse {
            node(value, &mut locals);
            locals.insert(*local, value.ty.to_required());
        }
        if let Some(condition) = &resolver.filter {
            is(condition, &Kind::Bool, &mut locals);
        }
        if let Some(timestamp) = &resolver.timestamp {
            is(timestamp, &Kind::Datetime, &mut locals);
        }
        for (feature, value) in &resolver.assignments {
            let ty = &class.features[*feature].ty;
            is(value, &ty.kind, &mut locals);
            assert!(ty.nullable || !value.ty.nullable, "{value:?} for {ty}");
        }
        for feed in &resolver.feeds {
            let aggregation = &program.aggregations[feed.aggregation];
            let owner = &program.classes[aggregation.class];
            if let Some(key) = &feed.key {
                is(key, &owner.features[owner.primary_key].ty.kind, &mut locals);
            }
            assert_eq!(feed.columns.len(), aggregation.columns.len());
            for (value, column) in feed.columns.iter().zip(&aggregation.columns) {
                is(value, &column.ty.kind, &mut locals);
                assert!(column.ty.nullable || !value.ty.nullable, "{value:?} for {}", column.ty);
            }
        }
        for close in resolver.window.iter().flat_map(|window| &window.closes) {
            for (feature, value) in &close.assignments {
                let ty = &class.features[*feature].ty;
                is(value, &ty.kind, &mut locals);
                assert!(ty.nullable || !value.ty.nullable, "{value:?} for {ty}");
            }
        }
    }
    for aggregation in &program.aggregations {
        for leaf in &aggregation.leaves {
            let args: Vec<&Kind> = leaf.args.iter().map(|column| &aggregation.columns[*column].ty.kind).collect();
            assert_eq!(args, leaf.call.args.iter().map(|ty| &ty.kind).collect::<Vec<_>>());
            assert!(leaf.filter.is_none_or(|filter| aggregation.columns[filter].ty.kind == Kind::Bool));
            (leaf.aggregate.bind)(&leaf.call).expect("what is resolved can be bound");
        }
    }
    for class in &program.classes {
        for value in &class.aggregates {
            let aggregation = &program.aggregations[value.aggregation];
            assert!(value.leaf < aggregation.leaves.len());
            assert_eq!(value.window_us.is_none(), aggregation.kind == AggregationKind::Total, "{aggregation:?}");
        }
    }
    for feature in program.classes.iter().flat_map(|class| &class.features) {
        if let Some(value) = &feature.expression {
            is(value, &feature.ty.kind, &mut BTreeMap::new());
            assert!(feature.ty.nullable || !value.ty.nullable, "{value:?} for {}", feature.ty);
        }
    }
    for function in &program.functions {
        let mut locals = function.params.iter().map(|(_, local, ty)| (*local, ty.clone())).collect();
        node(&function.body, &mut locals);
    }
}

fn is(expr: &Expr, kind: &Kind, locals: &mut BTreeMap<LocalId, Type>) {
    assert_eq!(expr.ty.kind, *kind, "{expr:?}");
    node(expr, locals);
}

fn node(expr: &Expr, locals: &mut BTreeMap<LocalId, Type>) {
    assert_ne!(expr.ty.kind, Kind::Null, "every node has a type: {expr:?}");
    let same = |a: &Expr, b: &Expr| assert_eq!(a.ty.kind, b.ty.kind, "{expr:?}");
    match &expr.kind {
        ExprKind::Const(value) => assert_eq!(value.is_null(), expr.ty.nullable, "{expr:?}"),
        ExprKind::Local(local) => assert_eq!(locals.get(local), Some(&expr.ty), "{expr:?}"),
        ExprKind::Let { local, value, body } => {
            node(value, locals);
            let before = locals.insert(*local, value.ty.clone());
            assert!(before.is_none(), "names are unique: {expr:?}");
            assert_eq!(body.ty, expr.ty);
            return node(body, locals);
        }
        ExprKind::Equal { left, right, .. } | ExprKind::Order { left, right, .. } => same(left, right),
        ExprKind::Coalesce(left, right) | ExprKind::Recover(left, right) => {
            same(left, expr);
            same(right, expr);
        }
        ExprKind::If { cond, then, otherwise } => {
            assert_eq!(cond.ty.kind, Kind::Bool);
            same(then, expr);
            same(otherwise, expr);
            assert_eq!(expr.ty.nullable, then.ty.nullable || otherwise.ty.nullable, "{expr:?}");
        }
        ExprKind::And(left, right) | ExprKind::Or(left, right) => {
            assert_eq!((&left.ty.kind, &right.ty.kind), (&Kind::Bool, &Kind::Bool));
        }
        ExprKind::List(items) => {
            let Kind::List(of) = &expr.ty.kind else { panic!("{expr:?}") };
            for item in items {
                assert_eq!(item.ty.kind, of.kind, "{expr:?}");
                assert!(of.nullable || !item.ty.nullable, "{expr:?}");
            }
        }
        ExprKind::In { item, list } => {
            let Kind::List(of) = &list.ty.kind else { panic!("{expr:?}") };
            assert_eq!(item.ty.kind, of.kind, "{expr:?}");
        }
        ExprKind::Cast { value, mode: CastMode::Exact } => {
            assert!(!expr.ty.nullable, "{expr:?}");
            assert!(value.ty != expr.ty, "a cast does something: {expr:?}");
        }
        ExprKind::Cast { mode: CastMode::Try, .. } => assert!(expr.ty.nullable, "{expr:?}"),
        ExprKind::Cast { value, mode: CastMode::Widen } => assert_eq!(value.ty.nullable, expr.ty.nullable, "{expr:?}"),
        _ => {}
    }
    expr.for_each_child(|child| node(child, locals));
}

#[test]
fn every_example_of_the_library_is_a_condition() {
    let catalog = chalk_functions::catalog();
    let mut wrong = String::new();
    for function in catalog.functions().iter().filter(|function| !function.def.hidden) {
        for line in function.def.examples {
            let (mut file, diagnostics) =
                chalk_syntax::parse(chalk_diagnostics::FileId(0), &format!("fn e() -> bool = {line}"));
            assert!(diagnostics.is_empty(), "{line}: {diagnostics:?}");
            let Some(chalk_syntax::ast::Item::Fn(example)) = file.items.pop() else { panic!("{line}") };
            if let Err(found) = chalk_hir::analyze_condition(&example.body, catalog) {
                let messages: Vec<&String> = found.iter().map(|one| &one.message).collect();
                let _ = writeln!(wrong, "{}: {line}: {messages:?}", function.def.name);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
