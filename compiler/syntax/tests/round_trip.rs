//! What the printer writes, the parser reads as the same tree: on random expressions.

mod support;

use chalk_diagnostics::Span;
use chalk_syntax::ast::{
    Arg, BinaryOp, Expr, ExprKind, IntLit, Let, MatchArm, MatchTest, Name, Path, TypeExpr, TypeKind, UnaryOp,
};
use chalk_syntax::format_expr;
use support::{Random, expr, shape};

const NAMES: &[&str] = &["a", "msg", "from", "window", "key", "as_", "x1", "timestamp", "sql", "over", "at"];
const STRINGS: &[&str] = &["", "text", "a\"b\\c\n\t\u{1F600}\u{7}", "'", "// no comment", "{}", "{a: 1}"];
const OPS: &[BinaryOp] = &[
    BinaryOp::Or,
    BinaryOp::And,
    BinaryOp::Eq,
    BinaryOp::Ne,
    BinaryOp::Lt,
    BinaryOp::Le,
    BinaryOp::Gt,
    BinaryOp::Ge,
    BinaryOp::In,
    BinaryOp::NotIn,
    BinaryOp::Coalesce,
    BinaryOp::Add,
    BinaryOp::Sub,
    BinaryOp::Mul,
    BinaryOp::Div,
    BinaryOp::Rem,
    BinaryOp::Pow,
];

struct Generator {
    random: Random,
}

impl Generator {
    fn name(&mut self) -> Name {
        Name { text: (*self.random.pick(NAMES)).into(), span: Span::default() }
    }

    fn ty(&mut self, depth: usize) -> TypeExpr {
        let kind = match self.random.below(if depth == 0 { 2 } else { 9 }) {
            0 => TypeKind::Named(Path { segments: vec![self.name()], span: Span::default() }),
            1 => TypeKind::Named(Path { segments: vec![self.name(), self.name()], span: Span::default() }),
            2 => TypeKind::Optional(Box::new(self.ty(depth - 1))),
            3 => TypeKind::List(Box::new(self.ty(depth - 1))),
            4 => TypeKind::Vector(Box::new(self.ty(depth - 1)), IntLit { value: 128, span: Span::default() }),
            5 => TypeKind::Map(Box::new(self.ty(depth - 1)), Box::new(self.ty(depth - 1))),
            6 => {
                let int = |value| IntLit { value, span: Span::default() };
                TypeKind::Decimal(int(38), int(2))
            }
            7 => TypeKind::Union(vec![self.ty(depth - 1), self.ty(0)]),
            _ => {
                let path = Path { segments: vec![self.name()], span: Span::default() };
                TypeKind::Generic(path, vec![self.ty(depth - 1)])
            }
        };
        TypeExpr { kind, span: Span::default() }
    }

    fn boxed(&mut self, depth: usize) -> Box<Expr> {
        Box::new(self.expr(depth))
    }

    fn many(&mut self, depth: usize) -> Vec<Expr> {
        (0..self.random.below(3)).map(|_| self.expr(depth)).collect()
    }

    fn args(&mut self, depth: usize) -> Vec<Arg> {
        let values = self.many(depth);
        let mut arg = |value| {
            let name = if self.random.below(3) == 0 { Some(self.name()) } else { None };
            Arg { name, value, span: Span::default() }
        };
        values.into_iter().map(&mut arg).collect()
    }

    fn types(&mut self, depth: usize) -> Vec<TypeExpr> {
        (0..self.random.below(4) / 2).map(|_| self.ty(depth)).collect()
    }

    fn atom(&mut self) -> ExprKind {
        match self.random.below(9) {
            0 => ExprKind::None,
            1 => ExprKind::Bool(self.random.below(2) == 0),
            2 => ExprKind::Int(i128::from(self.random.next())),
            3 => ExprKind::Float(*self.random.pick(&[0.0, 1.5, 1e300, 1e-7, 123456789.125, 5e-324])),
            4 => ExprKind::String((*self.random.pick(STRINGS)).into()),
            5 => ExprKind::Bytes(vec![self.random.next() as u8, b'"', b'\\', 0]),
            6 => ExprKind::Duration(self.random.next() as i64 >> self.random.below(40)),
            _ => ExprKind::Name(self.name()),
        }
    }

    fn expr(&mut self, depth: usize) -> Expr {
        let span = Span::default();
        if depth == 0 {
            return Expr { kind: self.atom(), span };
        }
        let depth = depth - 1;
        let kind = match self.random.below(20) {
            0 => ExprKind::Field { base: self.boxed(depth), name: self.name() },
            1 => ExprKind::Index { base: self.boxed(depth), index: self.boxed(depth) },
            2 => ExprKind::Slice {
                base: self.boxed(depth),
                start: if self.random.below(2) == 0 { Some(self.boxed(depth)) } else { None },
                end: if self.random.below(2) == 0 { Some(self.boxed(depth)) } else { None },
            },
            3 => ExprKind::Call { function: self.name(), type_args: self.types(depth.min(3)), args: self.args(depth) },
            4 => ExprKind::Method {
                receiver: self.boxed(depth),
                method: self.name(),
                type_args: self.types(depth.min(3)),
                args: self.args(depth),
            },
            5 => ExprKind::Unary { op: UnaryOp::Neg, op_span: span, operand: self.boxed(depth) },
            6 => ExprKind::Unary { op: UnaryOp::Not, op_span: span, operand: self.boxed(depth) },
            7 => ExprKind::IsNone { operand: self.boxed(depth), negated: self.random.below(2) == 0 },
            8 => ExprKind::Cast { operand: self.boxed(depth), ty: self.ty(depth.min(3)) },
            9 => ExprKind::If { condition: self.boxed(depth), then: self.boxed(depth), otherwise: self.boxed(depth) },
            10 => self.matching(depth),
            11 => ExprKind::Block {
                lets: (0..self.random.below(3))
                    .map(|_| Let {
                        name: self.name(),
                        ty: if self.random.below(3) == 0 { Some(self.ty(2)) } else { None },
                        value: self.expr(depth),
                        span,
                    })
                    .collect(),
                value: self.boxed(depth),
            },
            12 => ExprKind::List(self.many(depth)),
            13 => ExprKind::Map(
                (0..self.random.below(3))
                    .map(|_| {
                        let key = ExprKind::String((*self.random.pick(STRINGS)).into());
                        (Expr { kind: key, span }, self.expr(depth))
                    })
                    .collect(),
            ),
            _ => {
                let op = *self.random.pick(OPS);
                ExprKind::Binary { op, op_span: span, left: self.boxed(depth), right: self.boxed(depth) }
            }
        };
        Expr { kind, span }
    }

    fn matching(&mut self, depth: usize) -> ExprKind {
        let span = Span::default();
        let subject = if self.random.below(2) == 0 { Some(self.boxed(depth)) } else { None };
        let mut arms: Vec<MatchArm> = (0..self.random.below(3))
            .map(|_| {
                let test = MatchTest::When((0..1 + self.random.below(2)).map(|_| self.expr(depth.min(1))).collect());
                MatchArm { test, value: self.expr(depth), span }
            })
            .collect();
        if self.random.below(3) > 0 {
            arms.push(MatchArm { test: MatchTest::Else(span), value: self.expr(depth), span });
        }
        ExprKind::Match { subject, arms }
    }
}

#[test]
fn random_expressions_survive_print_and_parse() {
    for seed in 0..3_000 {
        let mut generator = Generator { random: Random::new(seed) };
        let depth = 1 + generator.random.below(5);
        let tree = generator.expr(depth);
        let text = format_expr(&tree);
        assert_eq!(shape(&expr(&text)), shape(&tree), "seed {seed}: {text}");
        assert_eq!(format_expr(&expr(&text)), text, "seed {seed}");
    }
}

#[test]
fn parentheses_only_where_they_are_needed() {
    for text in [
        "a + b * c - d",
        "(a + b) * c",
        "a - (b - c)",
        "a ** b ** c",
        "(a ** b) ** c",
        "-a ** b",
        "(-a) ** b",
        "not a == b and c or d",
        "not (a and b)",
        "(a == b) == c",
        "a as int? ?? 0",
        "-(a as int)",
        "(if a then b else c) + 1",
        "if a then b else if c then d else e",
        "x.where(status == \"failed\").count()",
        "raw[6..][..2][1]",
        "json_deserialize<map<string, pb.User>>(raw).name",
        "match a { 1 | 2 => \"x\", none => \"y\", else => \"z\" }",
        "{ let x = 1, x + 1 }",
        "a is none or b is not none",
        "a not in [1, 2]",
        "1h30m",
    ] {
        assert_eq!(format_expr(&expr(text)), text);
    }
}
