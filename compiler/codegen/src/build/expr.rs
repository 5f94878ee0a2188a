//! Expressions: names, control flow, null handling and calls. Operators are in the files beside.
//!
//! A null operand makes a result null: what is cheap and harmless runs anyway and only the flags are joined, everything else is
//! guarded by them.
//!
//! This file must not know kernels.

use chalk_artifact::manifest::{KernelInput, LinkedValue};
use chalk_catalog::{FunctionDef, IrOp};
use chalk_hir::program::{EnvelopeField, Expr, ExprKind};
use chalk_types::{Kind, Type, Value};

use super::Scope;
use super::value::{Absence, Flat, Path, Val};
use crate::ir::{Arg, Binary, Checked, Literal, Op, Unary};

impl Scope<'_> {
    /// An expression as a value.
    pub(super) fn flat(&mut self, expr: &Expr) -> Flat {
        let value = self.expr(expr);
        self.flatten(&value)
    }

    /// An expression.
    pub(super) fn expr(&mut self, expr: &Expr) -> Val {
        let before = self.b.set_span(expr.span);
        let value = self.unspanned(expr);
        self.b.set_span(before);
        // The checker may know better than the flags that a value is there.
        if expr.ty.nullable {
            return value;
        }
        match value {
            Val::Flat(flat) => Val::Flat(Flat { valid: None, ..flat }),
            Val::Path(path) => Val::Path(Path { absence: Absence::Never, ..path }),
        }
    }

    fn unspanned(&mut self, expr: &Expr) -> Val {
        match &expr.kind {
            ExprKind::Const(value) => Val::Flat(self.constant(value, &expr.ty.kind)),
            ExprKind::Message => self.source_message(),
            ExprKind::Envelope(field) => Val::Flat(self.envelope(*field)),
            ExprKind::Header(name) => {
                let source = KernelInput::Header(name.clone());
                let input = self.input(source, &Kind::Bytes.optional(), || format!("header({name:?})"));
                Val::Flat(self.load(input))
            }
            ExprKind::Feature(index) => self.feature(*index, expr),
            ExprKind::Aggregate(index) => {
                let source = KernelInput::Aggregate(*index as u32);
                let input = self.input(source, &expr.ty, || format!("aggregate {index}"));
                Val::Flat(self.load(input))
            }
            ExprKind::Linked { foreign_key, class, feature } => {
                let described = &self.program.classes[*class].features[*feature];
                let link = LinkedValue {
                    foreign_key: *foreign_key as u32,
                    class: *class as u32,
                    feature: *feature as u32,
                    ty: described.ty.to_optional(),
                };
                let known = self.links.iter().position(|other| *other == link);
                let number = known.unwrap_or_else(|| {
                    self.links.push(link);
                    self.links.len() - 1
                });
                let source = KernelInput::Linked(number as u32);
                let input = self.input(source, &described.ty.to_optional(), || described.fqn.clone());
                Val::Flat(self.load(input))
            }
            ExprKind::Local(local) => match self.locals.get(local) {
                Some(value) => value.clone(),
                None => unreachable!("{local:?} is read before it is bound"),
            },
            ExprKind::Let { local, value, body } => {
                let value = self.expr(value);
                self.locals.insert(*local, value);
                self.expr(body)
            }
            ExprKind::Field { base, field } => self.field(base, *field, expr),
            ExprKind::Index { base, index } => Val::Flat(self.index(base, index, &expr.ty.kind)),
            ExprKind::Slice { base, start, end } => Val::Flat(self.slice(base, start.as_deref(), end.as_deref())),
            ExprKind::List(items) => Val::Flat(self.list(items, &expr.ty)),
            ExprKind::Neg(operand) => Val::Flat(self.negate(operand, expr)),
            ExprKind::Not(operand) => {
                let operand = self.flat(operand);
                Val::Flat(Flat { value: self.b.not(operand.value), ..operand })
            }
            ExprKind::Arith { op, left, right } => Val::Flat(self.arith(*op, left, right, expr)),
            ExprKind::Order { op, left, right } => Val::Flat(self.order(*op, left, right)),
            ExprKind::Equal { left, right, negated } => Val::Flat(self.equal(left, right, *negated)),
            ExprKind::And(left, right) => Val::Flat(self.and_or(left, right, true)),
            ExprKind::Or(left, right) => Val::Flat(self.and_or(left, right, false)),
            ExprKind::Coalesce(left, right) => {
                let left = self.expr(left);
                let Some(valid) = self.validity(&left) else { return left };
                self.b.open();
                let present = match left {
                    Val::Flat(flat) => Val::Flat(Flat { valid: None, ..flat }),
                    Val::Path(path) => Val::Path(Path { absence: Absence::Never, ..path }),
                };
                let then = (self.b.close(), present);
                self.b.open();
                let right = self.expr(right);
                let otherwise = (self.b.close(), right);
                self.join(valid, then, otherwise)
            }
            ExprKind::IsNull { value, negated } => {
                let value = self.expr(value);
                let valid = self.validity(&value);
                let valid = valid.unwrap_or_else(|| self.b.bool(true));
                Val::Flat(Flat::some(if *negated { valid } else { self.b.not(valid) }))
            }
            ExprKind::If { cond, then, otherwise } => {
                let cond = self.flat(cond);
                let cond = self.is_true(cond);
                self.b.open();
                let then = self.expr(then);
                let then = (self.b.close(), then);
                self.b.open();
                let otherwise = self.expr(otherwise);
                let otherwise = (self.b.close(), otherwise);
                self.join(cond, then, otherwise)
            }
            ExprKind::In { item, list } => Val::Flat(self.is_in(item, list)),
            ExprKind::Cast { value, mode } => self.cast(value, *mode, expr),
            ExprKind::Call { function, args } => Val::Flat(self.call(function, args, expr)),
            ExprKind::Recover(body, fallback) => Val::Flat(self.recover(body, fallback)),
            ExprKind::DeserializeJson { input, message } => Val::Flat(self.deserialize(input, *message, expr)),
        }
    }

    /// A constant of a kind.
    pub(super) fn constant(&mut self, value: &Value, kind: &Kind) -> Flat {
        let literal = match (value, kind) {
            (Value::Null, _) => return self.null(kind),
            (Value::List(items), Kind::List(item) | Kind::Vector(item, _)) => {
                let items: Vec<Arg> = items
                    .iter()
                    .map(|value| {
                        let Flat { value, valid } = self.constant(value, &item.kind);
                        (value, valid)
                    })
                    .collect();
                let ty = self.tables.types.intern(kind.clone().required());
                return Flat::some(self.b.emit(Op::MakeList { ty, items }, kind.clone()));
            }
            (Value::Bool(value), _) => Literal::Bool(*value),
            (Value::Int(value), Kind::Float32 | Kind::Float64) => Literal::float(*value as f64),
            (Value::Int(value), _) => Literal::Int(*value as i64),
            (Value::Float(value), _) => Literal::float(*value),
            (Value::Decimal(value), _) => Literal::Decimal(*value),
            (Value::String(text), _) => Literal::Bytes(text.as_bytes().to_vec()),
            (Value::Bytes(bytes), _) => Literal::Bytes(bytes.clone()),
            (Value::Datetime(us) | Value::Time(us) | Value::Duration(us), _) => Literal::Int(*us),
            (Value::Date(days), _) => Literal::Int(i64::from(*days)),
            (Value::Enum(variant), _) => Literal::Int(i64::from(*variant)),
            (Value::List(_) | Value::Map(_) | Value::Struct(_), kind) => {
                unreachable!("the language has no literal for {kind}")
            }
        };
        Flat::some(self.b.constant(literal, kind.clone()))
    }

    pub(super) fn envelope(&mut self, field: EnvelopeField) -> Flat {
        let (source, ty, name) = match field {
            EnvelopeField::Topic => (KernelInput::Topic, Type::STRING, "envelope.topic"),
            EnvelopeField::Partition => (KernelInput::Partition, Type::INT, "envelope.partition"),
            EnvelopeField::Offset => (KernelInput::Offset, Type::INT, "envelope.offset"),
            EnvelopeField::Key => (KernelInput::Key, Kind::Bytes.optional(), "envelope.key"),
            EnvelopeField::Timestamp => (KernelInput::Timestamp, Kind::Datetime.optional(), "envelope.timestamp"),
        };
        let input = self.input(source, &ty, || name.to_owned());
        self.load(input)
    }

    /// A feature computed before, or a stored one: that may be missing, and a required one that is missing fails the row.
    fn feature(&mut self, index: usize, expr: &Expr) -> Val {
        if let Some(value) = self.features.get(&index).cloned() {
            self.fail_with(index, expr);
            return value;
        }
        let feature = &self.class.features[index];
        let source = KernelInput::Feature(index as u32);
        let input = self.input(source, &feature.ty.to_optional(), || feature.fqn.clone());
        let value = self.load(input);
        if let (false, Some(valid)) = (feature.ty.nullable, value.valid) {
            let missing = self.b.not(valid);
            let site = self.tables.sites.intern((expr.span, format!("feature {} has no value", feature.fqn)));
            self.b.effect(Op::FailIf { cond: missing, site });
            return Val::Flat(Flat::some(value.value));
        }
        Val::Flat(value)
    }

    /// Three-valued `and` or `or`; the right side runs only where the left does not decide.
    fn and_or(&mut self, left: &Expr, right: &Expr, and: bool) -> Flat {
        let left = self.flat(left);
        let lone = if and { self.b.not(left.value) } else { left.value };
        let decided = match left.valid {
            Some(valid) => self.b.and(valid, lone),
            None => lone,
        };
        self.b.open();
        let deciding = self.b.bool(!and);
        let then = (self.b.close(), Val::Flat(Flat::some(deciding)));
        self.b.open();
        let right = self.flat(right);
        // Here the left side is the neutral value or null.
        let valid = match left.valid {
            None => right.valid,
            Some(left_valid) => {
                let deciding = if and { self.b.not(right.value) } else { right.value };
                let known = self.b.or(left_valid, deciding);
                self.b.both(right.valid, Some(known))
            }
        };
        let otherwise = (self.b.close(), Val::Flat(Flat { value: right.value, valid }));
        let joined = self.join(decided, then, otherwise);
        self.flatten(&joined)
    }

    fn recover(&mut self, body: &Expr, fallback: &Expr) -> Flat {
        self.b.open();
        let value = self.flat(body);
        let body = (self.b.close(), value);
        self.b.open();
        let value = self.flat(fallback);
        let fallback = (self.b.close(), value);
        let nullable = body.1.valid.is_some() || fallback.1.valid.is_some();
        let mut yields = |(frame, flat): (_, Flat)| {
            if nullable { self.with_flag(frame, flat) } else { (frame, vec![flat.value]) }
        };
        let (body, fallback) = (yields(body), yields(fallback));
        let joined = self.b.recover(body, fallback, None);
        Flat { value: joined[0], valid: joined.get(1).copied() }
    }

    fn call(&mut self, function: &'static FunctionDef, args: &[Expr], expr: &Expr) -> Flat {
        let args: Vec<Flat> = args.iter().map(|arg| self.flat(arg)).collect();
        if let Some(op) = function.lower {
            return self.inline(op, &args, expr);
        }
        self.call_def(function, &args, &expr.ty, expr)
    }

    /// Calls a native function. Arguments that it does not take null in make the result null.
    pub(super) fn call_def(&mut self, function: &'static FunctionDef, args: &[Flat], ty: &Type, expr: &Expr) -> Flat {
        let Some(declared) = self.catalog.by_import(function.signature) else {
            unreachable!("`{}` is not in the catalog", function.signature)
        };
        let mut required = None;
        let mut passed: Vec<Arg> = Vec::with_capacity(args.len());
        for (arg, param) in args.iter().zip(&declared.signature.params) {
            // A variadic parameter's nullability is that of its items: the list itself is never null.
            if param.ty.is_nullable() {
                passed.push((arg.value, arg.valid));
            } else {
                required = self.b.both(required, arg.valid);
                passed.push((arg.value, None));
            }
        }
        let import = self.tables.imports.intern(function.signature.to_owned());
        let site = self.tables.sites.intern((expr.span, String::new()));
        let nullable = declared.signature.result.is_nullable();
        let op = Op::Call {
            import,
            name: function.name,
            fallible: function.fallible,
            pure: function.pure,
            args: passed,
            site,
        };
        self.guarded(required, &ty.kind, |this| {
            let results = this.b.emit_many(op, vec![ty.kind.clone(), Kind::Bool]);
            Flat { value: results[0], valid: nullable.then_some(results[1]) }
        })
    }

    /// A function that is an operation on registers.
    fn inline(&mut self, op: IrOp, args: &[Flat], expr: &Expr) -> Flat {
        let kind = expr.ty.kind.clone();
        let valid = args.iter().fold(None, |valid, arg| self.b.both(valid, arg.valid));
        let a = args[0].value;
        let unary = |op| Op::Unary(op, a);
        let op = match op {
            IrOp::FloatAbs => unary(Unary::FloatAbs),
            IrOp::FloatFloor => unary(Unary::Floor),
            IrOp::FloatCeil => unary(Unary::Ceil),
            IrOp::FloatTrunc => unary(Unary::Trunc),
            IrOp::FloatSqrt => unary(Unary::Sqrt),
            IrOp::FloatIsNan => unary(Unary::IsNan),
            IrOp::BitNot => unary(Unary::BitNot),
            IrOp::IntAbs => {
                let site = self.overflow_site(expr);
                Op::Checked { op: Checked::Abs, left: a, right: a, guard: valid, site }
            }
            IrOp::BitAnd => Op::Binary(Binary::BitAnd, a, args[1].value),
            IrOp::BitOr => Op::Binary(Binary::BitOr, a, args[1].value),
            IrOp::BitXor => Op::Binary(Binary::BitXor, a, args[1].value),
            IrOp::FloatIsFinite => {
                let magnitude = self.b.emit(unary(Unary::FloatAbs), kind_of_float());
                let infinity = self.b.constant(Literal::float(f64::INFINITY), kind_of_float());
                Op::Binary(Binary::FloatLess, magnitude, infinity)
            }
        };
        Flat { value: self.b.emit(op, kind), valid }
    }
}

fn kind_of_float() -> Kind {
    Kind::Float64
}
