//! Every function with random arguments, extreme ones among them: it answers or fails, and never panics.

use chalk_catalog::call::{HeldSlot, bare_kernel_context};
use chalk_catalog::slot::NULL_SLOT;
use chalk_catalog::{Body, CallContext, Constraint, Function, Signature, TypePattern, slot_value};
use chalk_functions::catalog;
use chalk_types::{Kind, Type, Value};

const ROUNDS: u64 = 400;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    fn text(&mut self) -> String {
        const TEXTS: [&str; 28] = [
            "",
            " ",
            "a",
            "hello world",
            "héé😀",
            "a,b,,c",
            "ß\u{a0}",
            "-12",
            "99999999999999999999",
            "1e400",
            "NaN",
            "12.50",
            "true",
            "2024-02-29T12:34:56.789Z",
            "2024-02-29",
            "23:59:59",
            "{\"a\": [1, {\"b\": null}]}",
            "$.a[1].b",
            "$..b",
            "[1, \"x\", [2]]",
            "[0-9]+(a)?",
            "(",
            "%Y-%m-%d",
            "yyyy-MM-dd HH:mm ZZ",
            "Europe/Zurich",
            "https://u@h:1/p?q",
            "week",
            "616263",
        ];
        match self.below(6) {
            0 => (0..self.below(40))
                .map(|_| char::from_u32(self.next() as u32 % 0x11_0000).unwrap_or('\u{fffd}'))
                .collect(),
            1 => format!("{}{}", self.pick(&TEXTS), self.pick(&TEXTS)),
            2 => self.pick(&TEXTS).repeat(self.below(20)),
            _ => self.pick(&TEXTS).to_owned(),
        }
    }

    fn int(&mut self) -> i64 {
        match self.below(3) {
            0 => self.pick(&[0, 1, -1, 2, 7, 10, 36, 63, 64, 65, i64::MAX, i64::MIN, i64::MIN + 1, 1 << 53]),
            1 => self.next() as i64 % 100,
            _ => (self.next() as i64) >> self.below(64),
        }
    }

    fn value(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::Bool => Value::Bool(self.below(2) == 1),
            Kind::Int(width) => {
                let (low, high) = width.range();
                Value::Int(match self.below(3) {
                    0 => self.pick(&[low, high, 0.max(low)]),
                    _ => i128::from(self.int()).clamp(low, high),
                })
            }
            Kind::Float32 | Kind::Float64 => {
                const FLOATS: [f64; 12] = [
                    0.0,
                    -0.0,
                    1.0,
                    -1.5,
                    2.5,
                    f64::NAN,
                    f64::INFINITY,
                    f64::NEG_INFINITY,
                    f64::MAX,
                    f64::MIN_POSITIVE,
                    1e300,
                    9_223_372_036_854_775_807.0,
                ];
                let float = match self.below(3) {
                    0 => f64::from_bits(self.next()),
                    1 => self.int() as f64 / 1000.0,
                    _ => self.pick(&FLOATS),
                };
                Value::Float(if *kind == Kind::Float32 { f64::from(float as f32) } else { float })
            }
            Kind::String => Value::String(self.text()),
            Kind::Bytes => Value::Bytes(match self.below(2) {
                0 => self.text().into_bytes(),
                _ => (0..self.below(12)).map(|_| self.next() as u8).collect(),
            }),
            Kind::Datetime => Value::Datetime(self.int()),
            Kind::Date => Value::Date(self.int() as i32),
            Kind::Time => Value::Time(self.int().rem_euclid(86_400_000_000)),
            Kind::Duration => Value::Duration(self.int()),
            Kind::Decimal { .. } => Value::Decimal(i128::from(self.int()) * i128::from(self.int())),
            Kind::List(item) => {
                let item = item.clone();
                Value::List((0..self.below(8)).map(|_| self.maybe_null(&item)).collect())
            }
            Kind::Map(key, value) => {
                let (key, value) = (key.clone(), value.clone());
                let entry = |random: &mut Random| (random.value(&key.kind), random.maybe_null(&value));
                Value::Map((0..self.below(5)).map(|_| entry(self)).collect())
            }
            other => panic!("no signature has the type {other}"),
        }
    }

    fn maybe_null(&mut self, ty: &Type) -> Value {
        if ty.nullable && self.below(4) == 0 { Value::Null } else { self.value(&ty.kind) }
    }
}

/// A type that the pattern takes; items may be null.
fn type_of(pattern: &TypePattern, signature: &Signature) -> Type {
    match pattern {
        TypePattern::Concrete(ty) => ty.clone(),
        TypePattern::Decimal { nullable } => {
            Type { kind: Kind::Decimal { precision: 38, scale: 4 }, nullable: *nullable }
        }
        TypePattern::Var { name, nullable } => {
            let kind = match signature.constraints.get(name) {
                Some(Constraint::Exactly(kind)) => kind.clone(),
                _ => Kind::String,
            };
            Type { kind, nullable: *nullable }
        }
        TypePattern::List { item, nullable } => {
            let item = type_of(item, signature).to_optional();
            Type { kind: Kind::List(Box::new(item)), nullable: *nullable }
        }
        TypePattern::Map { key, value, nullable } => {
            let (key, value) = (type_of(key, signature), type_of(value, signature).to_optional());
            Type { kind: Kind::Map(Box::new(key), Box::new(value)), nullable: *nullable }
        }
    }
}

/// Precisions and scales of hidden functions come from types, never from messages.
fn from_a_type(function: &Function, param: &str) -> bool {
    function.def.hidden && matches!(param, "precision" | "scale" | "from_scale")
}

#[test]
fn no_argument_makes_a_function_panic() {
    let seed = 0x5eed;
    eprintln!("seed {seed}");
    let mut random = Random(seed);
    let mut context = CallContext::new(1_700_000_000_000_000, seed);
    for function in catalog().functions() {
        let Body::Native(shim) = function.def.body else { continue };
        let signature = &function.signature;
        for round in 0..ROUNDS {
            let types: Vec<Type> = signature.params.iter().map(|param| type_of(&param.ty, signature)).collect();
            let args: Vec<Value> = signature
                .params
                .iter()
                .zip(&types)
                .map(|(param, ty)| match from_a_type(function, &param.name) {
                    true => Value::Int(random.below(39) as i128),
                    false => random.maybe_null(ty),
                })
                .collect();
            let held: Vec<HeldSlot> = args.iter().zip(&types).map(|(arg, ty)| HeldSlot::new(arg, ty)).collect();
            let slots: Vec<_> = held.iter().map(|held| held.slot).collect();
            let mut ret = NULL_SLOT;
            let mut kernel = bare_kernel_context(&context);
            // SAFETY: one slot per parameter, of its type; `held` keeps what they point to.
            let answer = unsafe { shim(&mut kernel, slots.as_ptr(), &mut ret, round % 3) };
            if answer == 0 {
                let result = type_of(&signature.result, signature);
                // SAFETY: the function gave a value of its result type.
                let value = unsafe { slot_value(&ret, &result) };
                assert!(result.nullable || !value.is_null(), "{}{args:?} gave null", function.def.signature);
                if let Value::String(text) = &value {
                    assert!(
                        !text.contains('\u{fffd}')
                            || format!("{args:?}").contains('\u{fffd}')
                            || function.def.name == "bytes_to_string"
                    );
                }
            } else {
                let reason = context.take_error().expect("a reason");
                assert!(function.def.fallible, "{}{args:?} failed: {reason}", function.def.signature);
                assert!(
                    !reason.contains("internal error"),
                    "{}{args:?} panicked (seed {seed})",
                    function.def.signature
                );
            }
        }
        context.reset();
    }
}
