//! Whether two expressions compute the same: equal but for their places and the names of their locals.
//!
//! This file must not know what an expression means.

use std::collections::BTreeMap;

use crate::program::{Expr, ExprKind, LocalId};

/// Whether the expressions are equal but for places and the names of locals that they bind.
pub(crate) fn same(left: &Expr, right: &Expr) -> bool {
    is_same(left, right, &mut BTreeMap::new())
}

/// `renamed`: locals bound on the left, and what they are called on the right.
fn is_same(left: &Expr, right: &Expr, renamed: &mut BTreeMap<LocalId, LocalId>) -> bool {
    use ExprKind as K;
    if left.ty != right.ty {
        return false;
    }
    let own_parts = match (&left.kind, &right.kind) {
        (K::Const(a), K::Const(b)) => a == b,
        (K::Message, K::Message)
        | (K::Index { .. }, K::Index { .. })
        | (K::Neg(_), K::Neg(_))
        | (K::Not(_), K::Not(_))
        | (K::And(..), K::And(..))
        | (K::Or(..), K::Or(..))
        | (K::Coalesce(..), K::Coalesce(..))
        | (K::If { .. }, K::If { .. })
        | (K::In { .. }, K::In { .. })
        | (K::Recover(..), K::Recover(..))
        | (K::List(_), K::List(_)) => true,
        (K::Envelope(a), K::Envelope(b)) => a == b,
        (K::Header(a), K::Header(b)) => a == b,
        (K::Feature(a), K::Feature(b)) | (K::Aggregate(a), K::Aggregate(b)) => a == b,
        (K::Linked { foreign_key: a, class: b, feature: c }, K::Linked { foreign_key: d, class: e, feature: f }) => {
            (a, b, c) == (d, e, f)
        }
        (K::Local(a), K::Local(b)) => renamed.get(a).unwrap_or(a) == b,
        (K::Let { local: a, .. }, K::Let { local: b, .. }) => {
            renamed.insert(*a, *b);
            true
        }
        (K::Field { field: a, .. }, K::Field { field: b, .. }) => a == b,
        (K::Slice { start: a, end: b, .. }, K::Slice { start: c, end: d, .. }) => {
            (a.is_some(), b.is_some()) == (c.is_some(), d.is_some())
        }
        (K::Arith { op: a, .. }, K::Arith { op: b, .. }) => a == b,
        (K::Order { op: a, .. }, K::Order { op: b, .. }) => a == b,
        (K::Equal { negated: a, .. }, K::Equal { negated: b, .. })
        | (K::IsNull { negated: a, .. }, K::IsNull { negated: b, .. }) => a == b,
        (K::Cast { mode: a, .. }, K::Cast { mode: b, .. }) => a == b,
        (K::Call { function: a, .. }, K::Call { function: b, .. }) => std::ptr::eq(*a, *b),
        (K::DeserializeJson { message: a, .. }, K::DeserializeJson { message: b, .. }) => a == b,
        _ => false,
    };
    if !own_parts {
        return false;
    }
    let (mut of_left, mut of_right) = (Vec::new(), Vec::new());
    left.for_each_child(|child| of_left.push(child));
    right.for_each_child(|child| of_right.push(child));
    of_left.len() == of_right.len() && of_left.into_iter().zip(of_right).all(|(a, b)| is_same(a, b, renamed))
}
