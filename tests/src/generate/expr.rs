//! Random expressions of a wanted type: every form of the language, typed as the checker types them.
//!
//! Generation is driven by the type: every form that can give it is a candidate. What is wanted not null is made so by `??` or
//! `as`, as a user would. Library calls are resolved by the catalogue itself, so new functions take part at once.
//!
//! This file must not know declarations beyond those it may name.

use chalk_types::{IntWidth, Kind, Type};

use super::node::{Node, Part, node};
use super::package::{Common, UserFunction};
use super::{calls, literal, types};
use crate::rng::Rng;

/// What expressions of one place may use.
pub(super) struct Generator<'a> {
    /// Random choices.
    pub rng: &'a mut Rng,
    /// Messages and enums.
    pub common: &'a Common,
    /// Functions that may be called.
    pub functions: &'a [UserFunction],
    /// Text and type of everything that can be read here.
    pub paths: Vec<(String, Type)>,
    /// Names of `let`s so far: a name means one thing.
    pub lets: usize,
}

/// Reads below a value: itself, and the fields of messages.
pub(super) fn paths_of(text: &str, ty: &Type, out: &mut Vec<(String, Type)>) {
    out.push((text.to_owned(), ty.clone()));
    if let Kind::Struct(message) = &ty.kind {
        for field in &message.fields {
            let inner = field.ty.clone().nullable_if(ty.nullable);
            paths_of(&format!("{text}.{}", field.name), &inner, out);
        }
    }
}

/// A form of expression: what it makes for a wanted type, if it can.
type Form = fn(&mut Generator<'_>, &Type, usize) -> Option<Node>;

const FORMS: [(u32, Form); 19] = [
    (14, |g, want, depth| g.leaf_form(want, depth)),
    (7, |g, want, depth| g.if_else(want, depth)),
    (4, |g, want, depth| g.match_conditions(want, depth)),
    (4, |g, want, depth| g.match_subject(want, depth)),
    (4, |g, want, depth| g.block(want, depth)),
    (5, |g, want, depth| g.coalesce(want, depth)),
    (4, |g, want, depth| g.recover(want, depth)),
    (4, |g, want, depth| g.element(want, depth)),
    (4, |g, want, depth| g.entry(want, depth)),
    (22, |g, want, depth| g.library_call(want, depth)),
    (5, |g, want, depth| g.user_call(want, depth)),
    (7, |g, want, depth| g.cast(want, depth)),
    (26, |g, want, depth| g.operator(want, depth)),
    (6, |g, want, depth| g.slice(want, depth)),
    (5, |g, want, depth| g.join(want, depth)),
    (2, |g, want, depth| g.deserialize(want, depth)),
    (4, |g, want, depth| g.refined(want, depth)),
    (3, |g, want, depth| g.field_of_item(want, depth)),
    (2, |g, want, depth| g.null(want, depth)),
];

impl Generator<'_> {
    /// An expression that can stand where that type is wanted.
    pub(super) fn expr(&mut self, want: &Type, depth: usize) -> Node {
        if depth == 0 {
            return self.leaf(want);
        }
        for _ in 0..6 {
            let form = FORMS[self.rng.weighted(FORMS.iter().map(|(weight, _)| *weight))].1;
            if let Some(node) = form(self, want, depth - 1) {
                debug_assert_eq!(node.ty.kind, want.kind, "{}", node.text());
                return self.required_if(node, want);
            }
        }
        self.leaf(want)
    }

    /// The value, or a simple one where it fails: so that one feature that fails does not hide the others.
    pub(super) fn recovered(&mut self, value: Node, want: &Type) -> Node {
        let fallback = self.leaf(want);
        let ty = want.to_required().nullable_if(value.ty.nullable || fallback.ty.nullable);
        node!(ty; "recover(", value, ", ", fallback, ")")
    }

    /// Whether expressions of the kind can be had here at all.
    pub(super) fn is_available(&self, kind: &Kind) -> bool {
        has_literals(kind)
            || matches!(kind, Kind::Struct(message) if self.common.message(&message.name).is_some())
            || self.paths.iter().any(|(_, ty)| ty.kind == *kind && !ty.nullable)
    }

    /// A kind that can be had here.
    pub(super) fn any_kind(&mut self) -> Kind {
        if self.rng.percent(25) && !self.paths.is_empty() {
            let kind = self.rng.pick(&self.paths).1.kind.clone();
            if self.is_available(&kind) {
                return kind;
            }
        }
        types::literal_kind(self.rng, self.common)
    }

    /// The kind, nullable in some cases where that is allowed.
    fn maybe(&mut self, kind: Kind, allowed: bool) -> Type {
        Type { kind, nullable: allowed && self.rng.percent(45) }
    }

    fn operand(&mut self, kind: Kind, want: &Type, depth: usize) -> Node {
        let ty = self.maybe(kind, want.nullable);
        self.expr(&ty, depth)
    }

    /// The node as it is, or made not null where that is wanted.
    fn required_if(&mut self, node: Node, want: &Type) -> Node {
        if !node.ty.nullable || want.nullable {
            return node;
        }
        if self.rng.percent(5) {
            return node!(want.clone(); "(", node, format!(" as {})", want.kind));
        }
        let default = self.leaf(want);
        node!(want.clone(); "(", node, " ?? ", default, ")")
    }

    fn leaf_form(&mut self, want: &Type, _depth: usize) -> Option<Node> {
        Some(self.leaf(want))
    }

    /// A path or a literal.
    fn leaf(&mut self, want: &Type) -> Node {
        let fitting: Vec<&(String, Type)> = self.paths.iter().filter(|(_, ty)| ty.kind == want.kind).collect();
        if !fitting.is_empty() && self.rng.percent(80) {
            let (text, ty) = (*self.rng.pick(&fitting)).clone();
            let path = node!(ty.clone(); text);
            if !ty.nullable || want.nullable {
                return path;
            }
            if let Some(literal) = literal::of(self.rng, &want.kind) {
                return node!(want.clone(); "(", path, " ?? ", literal, ")");
            }
        }
        if let Some(literal) = literal::of(self.rng, &want.kind) {
            return literal;
        }
        let fitting: Vec<&(String, Type)> =
            self.paths.iter().filter(|(_, ty)| ty.kind == want.kind && (want.nullable || !ty.nullable)).collect();
        if !fitting.is_empty() {
            let (text, ty) = (*self.rng.pick(&fitting)).clone();
            return node!(ty; text);
        }
        match &want.kind {
            Kind::Struct(message) => {
                let example = self.common.message(&message.name).map(|message| message.example.clone());
                let example = literal::string_literal(&example.unwrap_or_else(|| "{}".to_owned()));
                node!(want.to_required(); format!("json_deserialize<{}>({example})", message.name))
            }
            kind => panic!("`{kind}` is not available here"),
        }
    }

    fn if_else(&mut self, want: &Type, depth: usize) -> Option<Node> {
        let condition = self.condition(depth);
        let then = self.expr(want, depth);
        let otherwise = self.expr(want, depth);
        let ty = want.to_required().nullable_if(then.ty.nullable || otherwise.ty.nullable);
        Some(node!(ty; "(if ", condition, " then ", then, " else ", otherwise, ")"))
    }

    fn condition(&mut self, depth: usize) -> Node {
        let ty = self.maybe(Kind::Bool, true);
        self.expr(&ty, depth)
    }

    /// Something that is null where a condition is not true.
    fn null(&mut self, want: &Type, depth: usize) -> Option<Node> {
        let condition = self.condition(depth);
        let value = self.expr(want, depth);
        Some(node!(want.to_optional(); "(if ", condition, " then ", value, " else none)"))
    }

    fn match_conditions(&mut self, want: &Type, depth: usize) -> Option<Node> {
        let mut parts: Vec<Part> = vec!["(match {\n".into()];
        let mut nullable = false;
        for _ in 0..self.rng.between(1, 3) {
            let condition = self.condition(depth);
            let value = self.expr(want, depth);
            nullable |= value.ty.nullable;
            parts.extend([condition.into(), " => ".into(), value.into(), "\n".into()]);
        }
        let value = self.expr(want, depth);
        nullable |= value.ty.nullable;
        parts.extend(["else => ".into(), value.into(), "\n})".into()]);
        Some(Node { ty: want.to_required().nullable_if(nullable), literal: None, parts })
    }

    fn match_subject(&mut self, want: &Type, depth: usize) -> Option<Node> {
        let kind = match self.rng.below(4) {
            0 if !self.common.enums.is_empty() => Kind::Enum(self.rng.pick(&self.common.enums).clone()),
            1 => Kind::String,
            2 => Kind::Bool,
            _ => Kind::INT,
        };
        let subject_type = self.maybe(kind.clone(), true);
        let subject = self.expr(&subject_type, depth);
        let mut parts: Vec<Part> = vec!["(match (".into(), subject.into(), ") {\n".into()];
        let mut nullable = false;
        for _ in 0..self.rng.between(1, 3) {
            let patterns = self.rng.between(1, 2);
            for position in 0..patterns {
                if position > 0 {
                    parts.push(" | ".into());
                }
                let pattern = literal::of(self.rng, &kind)?;
                parts.push(pattern.into());
            }
            let value = self.expr(want, depth);
            nullable |= value.ty.nullable;
            parts.extend([" => ".into(), value.into(), "\n".into()]);
        }
        if subject_type.nullable && self.rng.percent(40) {
            let value = self.expr(want, depth);
            nullable |= value.ty.nullable;
            parts.extend(["none => ".into(), value.into(), "\n".into()]);
        }
        let value = self.expr(want, depth);
        nullable |= value.ty.nullable;
        parts.extend(["else => ".into(), value.into(), "\n})".into()]);
        Some(Node { ty: want.to_required().nullable_if(nullable), literal: None, parts })
    }

    fn block(&mut self, want: &Type, depth: usize) -> Option<Node> {
        let mut parts: Vec<Part> = vec!["{\n".into()];
        let scope = self.paths.len();
        for _ in 0..self.rng.between(1, 2) {
            let kind = if self.rng.percent(50) { want.kind.clone() } else { self.any_kind() };
            let ty = self.maybe(kind, true);
            let value = self.expr(&ty, depth);
            self.lets += 1;
            let name = format!("v{}", self.lets);
            let ty = if self.rng.percent(30) {
                parts.push(format!("let {name}: {ty} = ").into());
                ty
            } else {
                parts.push(format!("let {name} = ").into());
                value.ty.clone()
            };
            parts.extend([value.into(), "\n".into()]);
            paths_of(&name, &ty, &mut self.paths);
        }
        let value = self.expr(want, depth);
        self.paths.truncate(scope);
        let ty = value.ty.clone();
        parts.extend([value.into(), "\n}".into()]);
        Some(Node { ty, literal: None, parts })
    }

    fn coalesce(&mut self, want: &Type, depth: usize) -> Option<Node> {
        let left = self.expr(&want.to_optional(), depth);
        let right = self.expr(want, depth);
        let ty = want.to_required().nullable_if(left.ty.nullable && right.ty.nullable);
        Some(node!(ty; "(", left, " ?? ", right, ")"))
    }

    fn recover(&mut self, want: &Type, depth: usize) -> Option<Node> {
        let value = self.expr(want, depth);
        let fallback = self.expr(want, depth);
        let ty = want.to_required().nullable_if(value.ty.nullable || fallback.ty.nullable);
        Some(node!(ty; "recover(", value, ", ", fallback, ")"))
    }

    /// `list[i]`
    fn element(&mut self, want: &Type, depth: usize) -> Option<Node> {
        let lists: Vec<(String, Type)> = self
            .paths
            .iter()
            .filter(|(_, ty)| matches!(&ty.kind, Kind::List(item) | Kind::Vector(item, _) if item.kind == want.kind))
            .cloned()
            .collect();
        let list = if !lists.is_empty() && self.rng.percent(70) {
            let (text, ty) = self.rng.pick(&lists).clone();
            node!(ty; text)
        } else if has_literals(&want.kind) && !matches!(want.kind, Kind::List(_)) {
            let item = self.maybe(want.kind.clone(), true);
            self.expr(&Kind::List(Box::new(item)).required(), depth)
        } else {
            return None;
        };
        let index = if self.rng.percent(60) {
            node!(Type::INT; self.rng.pick(&["0", "1", "-1", "2", "-2", "9"]).to_string())
        } else {
            self.operand(Kind::INT, &Type::INT.to_optional(), depth)
        };
        Some(node!(want.to_optional(); "(", list, ")[", index, "]"))
    }

    /// `map[key]`
    fn entry(&mut self, want: &Type, depth: usize) -> Option<Node> {
        let maps: Vec<(String, Type)> = self
            .paths
            .iter()
            .filter(|(_, ty)| matches!(&ty.kind, Kind::Map(_, value) if value.kind == want.kind))
            .cloned()
            .collect();
        if maps.is_empty() {
            return None;
        }
        let (text, ty) = self.rng.pick(&maps).clone();
        let Kind::Map(key, _) = &ty.kind else { return None };
        let key = if self.rng.percent(70) && key.kind == Kind::String {
            node!(Type::STRING; format!("\"{}\"", self.rng.pick(&super::messages::MAP_KEYS)))
        } else {
            let key = self.maybe(key.kind.clone(), true);
            self.expr(&key, depth)
        };
        Some(node!(want.to_optional(); text, "[", key, "]"))
    }

    /// A field of a message that is an item of a list: `orders[0].amount`.
    fn field_of_item(&mut self, want: &Type, _depth: usize) -> Option<Node> {
        let mut fields: Vec<String> = Vec::new();
        for (text, ty) in &self.paths {
            let (item, index) = match &ty.kind {
                Kind::List(item) | Kind::Vector(item, _) => (item, "0"),
                Kind::Map(key, item) if key.kind == Kind::String => (item, "\"a\""),
                _ => continue,
            };
            let mut inner = Vec::new();
            if matches!(item.kind, Kind::Struct(_)) {
                paths_of(&format!("{text}[{index}]"), &item.to_optional(), &mut inner);
                fields.extend(inner.into_iter().skip(1).filter(|(_, ty)| ty.kind == want.kind).map(|(text, _)| text));
            }
        }
        if fields.is_empty() {
            return None;
        }
        let text = self.rng.pick(&fields).clone();
        Some(node!(want.to_optional(); text))
    }

    fn library_call(&mut self, want: &Type, depth: usize) -> Option<Node> {
        calls::library(self, want, depth)
    }

    fn user_call(&mut self, want: &Type, depth: usize) -> Option<Node> {
        let functions = self.functions;
        let fitting: Vec<&UserFunction> =
            functions.iter().filter(|function| function.result.kind == want.kind).collect();
        if fitting.is_empty() {
            return None;
        }
        let function = *self.rng.pick(&fitting);
        let mut parts: Vec<Part> = vec![format!("{}(", function.name).into()];
        for (position, (name, ty)) in function.params.iter().enumerate() {
            if !self.is_available(&ty.kind) {
                return None;
            }
            if position > 0 {
                parts.push(", ".into());
            }
            // By name from some parameter on.
            if position + 1 == function.params.len() && self.rng.percent(30) {
                parts.push(format!("{name}: ").into());
            }
            let value = self.expr(ty, depth);
            parts.push(value.into());
        }
        parts.push(")".into());
        Some(Node { ty: function.result.clone(), literal: None, parts })
    }

    fn cast(&mut self, want: &Type, depth: usize) -> Option<Node> {
        let from = (0..8).find_map(|_| {
            let kind = self.any_kind();
            (types::is_castable(&kind, &want.kind) && kind != want.kind).then_some(kind)
        })?;
        let from = self.maybe(from, true);
        let value = self.expr(&from, depth);
        // A text is rarely what is wanted, and a cast that fails hides everything after it.
        let fails = if from.kind == Kind::String { 6 } else { 25 };
        let to = Type { kind: want.kind.clone(), nullable: !self.rng.percent(fails) };
        Some(node!(to.clone(); "(", value, format!(" as {to})")))
    }

    fn deserialize(&mut self, want: &Type, depth: usize) -> Option<Node> {
        let common = self.common;
        let fitting: Vec<(String, Type)> = common
            .messages
            .iter()
            .flat_map(|message| {
                let mut paths = Vec::new();
                paths_of("", &Kind::Struct(message.ty.clone()).required(), &mut paths);
                paths.into_iter().map(|(path, ty)| (format!("{}|{path}", message.ty.name), ty))
            })
            .filter(|(_, ty)| ty.kind == want.kind)
            .collect();
        if fitting.is_empty() {
            return None;
        }
        let (found, ty) = self.rng.pick(&fitting).clone();
        let (message, path) = found.split_once('|')?;
        let input = if self.rng.percent(85) {
            let example = common.message(message)?.example.clone();
            node!(Type::STRING; literal::string_literal(&example))
        } else {
            let kind = if self.rng.percent(50) { Kind::String } else { Kind::Bytes };
            self.operand(kind, want, depth)
        };
        let ty = ty.nullable_if(input.ty.nullable);
        Some(node!(ty; format!("json_deserialize<{message}>("), input, format!("){path}")))
    }

    /// `if x is not none then …` where `x` is not null.
    fn refined(&mut self, want: &Type, depth: usize) -> Option<Node> {
        let nullable: Vec<(String, Type)> = self.paths.iter().filter(|(_, ty)| ty.nullable).cloned().collect();
        if nullable.is_empty() {
            return None;
        }
        let (text, ty) = self.rng.pick(&nullable).clone();
        let scope = self.paths.len();
        for _ in 0..3 {
            self.paths.push((text.clone(), ty.to_required()));
        }
        let then = self.expr(want, depth);
        self.paths.truncate(scope);
        let otherwise = self.expr(want, depth);
        let ty = want.to_required().nullable_if(then.ty.nullable || otherwise.ty.nullable);
        Some(match self.rng.below(3) {
            0 => node!(ty; "(if ", text, " is none then ", otherwise, " else ", then, ")"),
            1 => {
                let more = self.condition(depth);
                node!(ty; "(if ", text, " is not none and ", more, " then ", then, " else ", otherwise, ")")
            }
            _ => node!(ty; "(if ", text, " is not none then ", then, " else ", otherwise, ")"),
        })
    }

    /// `x[a..b]`
    fn slice(&mut self, want: &Type, depth: usize) -> Option<Node> {
        if !matches!(want.kind, Kind::String | Kind::Bytes | Kind::List(_)) {
            return None;
        }
        let base = self.expr(want, depth);
        let mut nullable = base.ty.nullable;
        let mut parts: Vec<Part> = vec!["(".into(), base.into(), ")[".into()];
        for side in 0..2 {
            if side == 1 {
                parts.push("..".into());
            }
            match self.rng.below(4) {
                0 => {}
                1 => {
                    let bound = self.operand(Kind::INT, want, depth);
                    nullable |= bound.ty.nullable;
                    parts.push(bound.into());
                }
                _ => parts.push(self.rng.pick(&["0", "1", "-1", "3", "-2", "100"]).to_string().into()),
            }
        }
        parts.push("]".into());
        Some(Node { ty: want.to_required().nullable_if(nullable), literal: None, parts })
    }

    /// `a + b` of text, bytes and lists.
    fn join(&mut self, want: &Type, depth: usize) -> Option<Node> {
        if !matches!(want.kind, Kind::String | Kind::Bytes | Kind::List(_)) {
            return None;
        }
        let left = self.operand(want.kind.clone(), want, depth);
        let right = self.operand(want.kind.clone(), want, depth);
        Some(binary(want, left, "+", right))
    }

    /// An operator whose result is of that kind.
    fn operator(&mut self, want: &Type, depth: usize) -> Option<Node> {
        match &want.kind {
            Kind::Bool => Some(self.condition_operator(want, depth)),
            Kind::Int(IntWidth::Int64) => {
                if self.rng.percent(10) {
                    let value = self.operand(Kind::INT, want, depth);
                    return Some(node!(value.ty.clone(); "(-", value, ")"));
                }
                let op = *self.rng.pick(&["+", "-", "*", "%"]);
                let (left, right) = (self.signed_kind(), self.signed_kind());
                let left = self.operand(left, want, depth);
                let right = if self.rng.percent(12) {
                    // Next to these, arithmetic breaks.
                    let end = *self.rng.pick(&["(-1)", "0", "1", "2", "(-9223372036854775808)", "9223372036854775807"]);
                    node!(Type::INT; end)
                } else {
                    self.operand(right, want, depth)
                };
                Some(binary(want, left, op, right))
            }
            Kind::Int(IntWidth::UInt64) => {
                let op = *self.rng.pick(&["+", "-", "*", "%"]);
                let left = self.operand(want.kind.clone(), want, depth);
                let right = self.operand(want.kind.clone(), want, depth);
                Some(binary(want, left, op, right))
            }
            Kind::Float64 => Some(self.float_operator(want, depth)),
            Kind::Decimal { .. } => {
                let op = *self.rng.pick(&["+", "-", "*", "%"]);
                let left = self.operand(want.kind.clone(), want, depth);
                let right = if self.rng.percent(30) {
                    self.operand(Kind::INT, want, depth)
                } else {
                    let (precision, scale) = *self.rng.pick(&types::DECIMALS[..3]);
                    self.operand(Kind::Decimal { precision, scale }, want, depth)
                };
                let raw = binary(want, left, op, right);
                let to = Type { kind: want.kind.clone(), nullable: want.nullable };
                Some(node!(to.clone(); "(", raw, format!(" as {to})")))
            }
            Kind::Duration => Some(self.duration_operator(want, depth)),
            Kind::Datetime | Kind::Date => {
                let time = self.operand(want.kind.clone(), want, depth);
                let span = if want.kind == Kind::Date && self.rng.percent(70) {
                    node!(Kind::Duration.required(); self.rng.pick(&["1d", "2w", "0s", "(-3d)", "365d"]).to_string())
                } else {
                    self.operand(Kind::Duration, want, depth)
                };
                Some(match self.rng.below(3) {
                    0 => binary(want, span, "+", time),
                    1 => binary(want, time, "-", span),
                    _ => binary(want, time, "+", span),
                })
            }
            _ => None,
        }
    }

    /// `int` or a smaller integer, which widens.
    fn signed_kind(&mut self) -> Kind {
        const WIDTHS: [IntWidth; 6] =
            [IntWidth::Int8, IntWidth::Int16, IntWidth::Int32, IntWidth::UInt8, IntWidth::UInt16, IntWidth::UInt32];
        if self.rng.percent(80) { Kind::INT } else { Kind::Int(*self.rng.pick(&WIDTHS)) }
    }

    fn float_operator(&mut self, want: &Type, depth: usize) -> Node {
        match self.rng.below(10) {
            0 => {
                let value = self.operand(Kind::Float64, want, depth);
                node!(value.ty.clone(); "(-", value, ")")
            }
            1 | 2 => {
                let (left, right) = (self.signed_kind(), self.signed_kind());
                let (left, right) = (self.operand(left, want, depth), self.operand(right, want, depth));
                binary(want, left, "/", right)
            }
            3 => {
                let (left, right) =
                    (self.operand(Kind::Float64, want, depth), self.operand(Kind::Float64, want, depth));
                binary(want, left, "**", right)
            }
            4 => {
                let (left, right) =
                    (self.operand(Kind::Duration, want, depth), self.operand(Kind::Duration, want, depth));
                binary(want, left, "/", right)
            }
            5 => {
                let (precision, scale) = *self.rng.pick(&types::DECIMALS);
                let left = self.operand(Kind::Decimal { precision, scale }, want, depth);
                let right = self.operand(Kind::INT, want, depth);
                binary(want, left, "/", right)
            }
            _ => {
                let op = *self.rng.pick(&["+", "-", "*", "/", "%"]);
                let other = match self.rng.below(5) {
                    0 => Kind::INT,
                    1 => Kind::Float32,
                    _ => Kind::Float64,
                };
                let (left, right) = (self.operand(Kind::Float64, want, depth), self.operand(other, want, depth));
                if self.rng.percent(50) { binary(want, left, op, right) } else { binary(want, right, op, left) }
            }
        }
    }

    fn duration_operator(&mut self, want: &Type, depth: usize) -> Node {
        let mut of = |kind: Kind| self.operand(kind, want, depth);
        let choice = of(Kind::Duration);
        match self.rng.below(7) {
            0 => node!(choice.ty.clone(); "(-", choice, ")"),
            1 => {
                let right = self.operand(Kind::Duration, want, depth);
                binary(want, choice, self.rng.pick::<&str>(&["+", "-", "%"]), right)
            }
            2 => {
                let right = self.operand(Kind::INT, want, depth);
                binary(want, choice, "*", right)
            }
            3 => {
                let left = self.operand(Kind::INT, want, depth);
                binary(want, left, "*", choice)
            }
            4 => {
                let (left, right) = (self.operand(Kind::Date, want, depth), self.operand(Kind::Date, want, depth));
                binary(want, left, "-", right)
            }
            _ => {
                let (left, right) =
                    (self.operand(Kind::Datetime, want, depth), self.operand(Kind::Datetime, want, depth));
                binary(want, left, "-", right)
            }
        }
    }

    fn condition_operator(&mut self, want: &Type, depth: usize) -> Node {
        match self.rng.below(12) {
            0 => {
                let value = self.operand(Kind::Bool, want, depth);
                node!(value.ty.clone(); "(not ", value, ")")
            }
            1 | 2 => {
                let op = *self.rng.pick(&["and", "or"]);
                let (left, right) = (self.operand(Kind::Bool, want, depth), self.operand(Kind::Bool, want, depth));
                binary(want, left, op, right)
            }
            3..=5 => {
                let kind = types::ordered(self.rng, self.common);
                let (left, right) = self.pair(kind, want, depth);
                let op = *self.rng.pick(&["<", "<=", ">", ">="]);
                binary(want, left, op, right)
            }
            6 | 7 => {
                let kind = self.any_kind();
                let (left, right) = self.pair(kind, &want.to_optional(), depth);
                let op = *self.rng.pick(&["==", "!="]);
                node!(Type::BOOL; "(", left, format!(" {op} "), right, ")")
            }
            8 => {
                let kind = self.any_kind();
                let value = self.expr(&kind.optional(), depth);
                node!(Type::BOOL; "(", value, if self.rng.percent(50) { " is none)" } else { " is not none)" })
            }
            _ => {
                let kind = types::scalar(self.rng, self.common);
                let item = self.operand(kind.clone(), want, depth);
                let of = self.maybe(kind.clone(), want.nullable);
                let list = if self.rng.percent(60) {
                    let mut parts: Vec<Part> = vec!["[".into()];
                    for position in 0..self.rng.between(1, 4) {
                        if position > 0 {
                            parts.push(", ".into());
                        }
                        let value = if self.rng.percent(70) {
                            self.leaf(&kind.clone().required())
                        } else {
                            self.expr(&of, depth)
                        };
                        parts.push(value.into());
                    }
                    parts.push("]".into());
                    Node { ty: Kind::List(Box::new(of.clone())).required(), literal: None, parts }
                } else {
                    self.expr(&Kind::List(Box::new(of.clone())).required(), depth)
                };
                let op = if self.rng.percent(60) { "in" } else { "not in" };
                let ty = Type::BOOL.nullable_if(want.nullable);
                node!(ty; "(", item, format!(" {op} "), list, ")")
            }
        }
    }

    /// Two operands to compare; numbers may be of two kinds.
    fn pair(&mut self, kind: Kind, want: &Type, depth: usize) -> (Node, Node) {
        let other = match &kind {
            Kind::Int(IntWidth::Int64) if self.rng.percent(30) => match self.rng.below(3) {
                0 => Kind::Float64,
                1 => self.signed_kind(),
                _ => Kind::Decimal { precision: 18, scale: 4 },
            },
            Kind::Float64 if self.rng.percent(30) => {
                if self.rng.percent(50) {
                    Kind::Float32
                } else {
                    Kind::INT
                }
            }
            Kind::Decimal { .. } if self.rng.percent(30) => Kind::Decimal { precision: 10, scale: 2 },
            kind => kind.clone(),
        };
        let left = self.operand(kind, want, depth);
        // What equals itself, and what does not quite.
        let right = if self.rng.percent(10) { left.clone() } else { self.operand(other, want, depth) };
        (left, right)
    }
}

/// Kinds of which literals can be written.
fn has_literals(kind: &Kind) -> bool {
    match kind {
        Kind::List(item) => has_literals(&item.kind),
        Kind::Null | Kind::Vector(..) | Kind::Map(..) | Kind::Struct(_) => false,
        _ => true,
    }
}

/// An operator between two operands; null where one of them is.
fn binary(want: &Type, left: Node, op: &str, right: Node) -> Node {
    let ty = want.to_required().nullable_if(left.ty.nullable || right.ty.nullable);
    node!(ty; "(", left, format!(" {op} "), right, ")")
}
