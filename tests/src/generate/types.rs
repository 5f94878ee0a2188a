//! Random types: what fields, features, parameters and operands may be.
//!
//! This file must not know expressions.

use chalk_types::{IntWidth, Kind, Type};

use super::package::Common;
use crate::rng::Rng;

/// Decimals of which any two have sums and products.
pub(super) const DECIMALS: [(u8, u8); 4] = [(10, 2), (18, 4), (5, 0), (38, 10)];

/// A kind that has no parts.
pub(super) fn scalar(rng: &mut Rng, common: &Common) -> Kind {
    const WEIGHTS: [u32; 14] = [14, 10, 14, 9, 4, 6, 4, 3, 4, 5, 4, 6, 3, 3];
    match rng.weighted(WEIGHTS.into_iter()) {
        0 => Kind::INT,
        1 => Kind::Float64,
        2 => Kind::String,
        3 => Kind::Bool,
        4 => Kind::Bytes,
        5 => Kind::Datetime,
        6 => Kind::Date,
        7 => Kind::Time,
        8 => Kind::Duration,
        9 => {
            let (precision, scale) = *rng.pick(&DECIMALS);
            Kind::Decimal { precision, scale }
        }
        10 if !common.enums.is_empty() => Kind::Enum(rng.pick(&common.enums).clone()),
        11 => Kind::Int(*rng.pick(&IntWidth::ALL)),
        12 => Kind::Int(IntWidth::UInt64),
        13 => Kind::Float32,
        _ => Kind::INT,
    }
}

/// A kind for which every expression form has literals: scalars and lists of them.
pub(super) fn literal_kind(rng: &mut Rng, common: &Common) -> Kind {
    if rng.percent(15) {
        let item = scalar(rng, common);
        let nullable = rng.percent(25);
        Kind::List(Box::new(Type { kind: item, nullable }))
    } else {
        scalar(rng, common)
    }
}

/// A kind with an order.
pub(super) fn ordered(rng: &mut Rng, common: &Common) -> Kind {
    loop {
        let kind = scalar(rng, common);
        if kind.is_ordered() {
            return kind;
        }
    }
}

/// The type of a message's field; messages of `common` may be inside.
pub(super) fn of_field(rng: &mut Rng, common: &Common) -> Type {
    let kind = match rng.below(100) {
        0..62 => scalar(rng, common),
        62..76 => Kind::List(Box::new(of_item(rng, common))),
        76..81 => {
            let item = rng.pick(&[Kind::Float32, Kind::Float64, Kind::INT, Kind::Int(IntWidth::Int16)]).clone();
            Kind::Vector(Box::new(item.required()), rng.between(1, 4) as u32)
        }
        81..89 => {
            let keys = [Kind::String, Kind::String, Kind::INT, Kind::Int(IntWidth::UInt8), Kind::Int(IntWidth::UInt64)];
            let key = rng.pick(&keys).clone().required();
            Kind::Map(Box::new(key), Box::new(of_item(rng, common)))
        }
        _ if !common.messages.is_empty() => Kind::Struct(rng.pick(&common.messages).ty.clone()),
        _ => Kind::INT,
    };
    Type { kind, nullable: rng.percent(40) }
}

fn of_item(rng: &mut Rng, common: &Common) -> Type {
    let kind = match rng.below(100) {
        0..12 if !common.messages.is_empty() => Kind::Struct(rng.pick(&common.messages).ty.clone()),
        12..20 => Kind::List(Box::new(Type { kind: scalar(rng, common), nullable: rng.percent(30) })),
        _ => scalar(rng, common),
    };
    Type { kind, nullable: rng.percent(30) }
}

/// Whether `as` converts one kind to another.
pub(super) fn is_castable(from: &Kind, to: &Kind) -> bool {
    let has_text = |kind: &Kind| {
        kind.is_numeric() || matches!(kind, Kind::Bool | Kind::Datetime | Kind::Date | Kind::Time | Kind::Enum(_))
    };
    match (from, to) {
        (a, b) if a.is_numeric() && b.is_numeric() => true,
        (Kind::String, kind) | (kind, Kind::String) => has_text(kind),
        (Kind::Bool, Kind::Int(_)) | (Kind::Datetime, Kind::Date | Kind::Time) | (Kind::Date, Kind::Datetime) => true,
        (Kind::Vector(a, _), Kind::List(b)) => a == b,
        _ => false,
    }
}
