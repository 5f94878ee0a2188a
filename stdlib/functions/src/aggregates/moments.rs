//! Moments: variances, and how skewed and how heavy-tailed values are.
//!
//! A partial is the number of values, their mean, and sums of powers of the distances from it, kept without the loss
//! of digits that sums of plain powers have: B. P. Welford (*Note on a method for calculating corrected sums of
//! squares and products*, 1962); merged as T. F. Chan, G. H. Golub and R. J. LeVeque (*Updating formulae and a
//! pairwise algorithm for computing sample variances*, 1979), and for the third and fourth power as P. Pébay shows
//! (*Formulas for robust, one-pass parallel computation of covariances and arbitrary-order statistical moments*,
//! 2008).
//!
//! This file must not know other families.

use chalk_catalog::aggregate::{Aggregate, AggregateCall, AggregateDef, Event, Growth, Heap, Order};
use chalk_types::{Value, varint};

use super::bytes::{canonical, put_float, take_float};
use super::cell::Cell;
use super::numeric::Numeric;

const STD: AggregateDef = AggregateDef {
    name: "std",
    signature: "std(x: T) -> float? where T: numeric",
    family: "aggregates-moments",
    known_as: &["stddev", "stddev_samp", "std_sample"],
    doc: "The standard deviation of a sample: the square root of `var`. Null under two values.",
    examples: &["[1, 3, none].std(x) == 1.4142135623730951", "[1].std(x) is none"],
    growth: Growth::Fixed,
    order: Order::Bits,
    error_bound: "",
    bind: |call| moments(call, |n, m| (n >= 2.0).then(|| (m[0] / (n - 1.0)).sqrt()), 2),
};

/// Moments.
pub(super) static DEFS: &[AggregateDef] = &[
    STD,
    AggregateDef {
        name: "var",
        signature: "var(x: T) -> float? where T: numeric",
        known_as: &["variance", "var_samp", "var_sample"],
        doc: "The variance of a sample: the sum of squared distances from the mean, divided by n − 1. Null under two values.",
        examples: &["[1, 3, none].var(x) == 2.0", "[1].var(x) is none"],
        bind: |call| moments(call, |n, m| (n >= 2.0).then(|| m[0] / (n - 1.0)), 2),
        ..STD
    },
    AggregateDef {
        name: "std_pop",
        signature: "std_pop(x: T) -> float? where T: numeric",
        known_as: &["stddev_pop"],
        doc: "The standard deviation of a whole population: the square root of `var_pop`. Null where there is nothing.",
        examples: &["[1, 3, none].std_pop(x) == 1.0", "[1].std_pop(x) == 0.0", "[none].std_pop(x) is none"],
        bind: |call| moments(call, |n, m| (n >= 1.0).then(|| (m[0] / n).sqrt()), 2),
        ..STD
    },
    AggregateDef {
        name: "var_pop",
        signature: "var_pop(x: T) -> float? where T: numeric",
        known_as: &["variance_pop"],
        doc: "The variance of a whole population: the sum of squared distances from the mean, divided by n. Null where there is nothing.",
        examples: &["[1, 3, none].var_pop(x) == 1.0", "[1].var_pop(x) == 0.0", "[none].var_pop(x) is none"],
        bind: |call| moments(call, |n, m| (n >= 1.0).then(|| m[0] / n), 2),
        ..STD
    },
    AggregateDef {
        name: "skewness",
        signature: "skewness(x: T) -> float? where T: numeric",
        known_as: &["skew"],
        doc: "How far values lean to one side: √n · M3 / M2^1.5, Mk being the sum of the distances from the mean to the power k; 0 where they lie evenly, above 0 with \
              a tail of great values. Null under three values, and where all are equal.",
        examples: &[
            "[1, 2, 3].skewness(x) == 0.0",
            "[1, 1, 4].skewness(x) > 0.7",
            "[1, 2].skewness(x) is none",
            "[5, 5, 5].skewness(x) is none",
        ],
        bind: |call| moments(call, |n, m| (n >= 3.0 && m[0] != 0.0).then(|| n.sqrt() * m[1] / (m[0] * m[0].sqrt())), 3),
        ..STD
    },
    AggregateDef {
        name: "kurtosis",
        signature: "kurtosis(x: T) -> float? where T: numeric",
        known_as: &["kurt"],
        doc: "How heavy the tails are, as the excess over a normal distribution, estimated from a sample: \
              n (n + 1) / ((n − 1) (n − 2) (n − 3)) · M4 / v² − 3 (n − 1)² / ((n − 2) (n − 3)), v being `var` and M4 the sum of the distances from the mean to the fourth power. \
              Null under four values, and where all are equal.",
        examples: &[
            "[1, 2, 3, 4].kurtosis(x) < -1.19",
            "[1, 2, 3].kurtosis(x) is none",
            "[5, 5, 5, 5].kurtosis(x) is none",
        ],
        bind: |call| {
            moments(
                call,
                |n, m| {
                    (n >= 4.0 && m[0] != 0.0).then(|| {
                        let variance = m[0] / (n - 1.0);
                        let weight = n * (n + 1.0) / ((n - 1.0) * (n - 2.0) * (n - 3.0));
                        weight * m[2] / (variance * variance) - 3.0 * (n - 1.0) * (n - 1.0) / ((n - 2.0) * (n - 3.0))
                    })
                },
                4,
            )
        },
        ..STD
    },
];

/// The result for so many values and the sums of powers from the second on; those that the aggregate does not keep are 0.
type Finish = fn(f64, [f64; 3]) -> Option<f64>;

fn moments(call: &AggregateCall, finish: Finish, powers: usize) -> Result<Box<dyn Aggregate>, (usize, String)> {
    let ty = &call.args[0];
    Ok(Box::new(Moments { cell: Cell::new(ty), numeric: Numeric::new(ty), powers, finish }))
}

/// Words: how many, their mean, and sums of distances to the power 2, 3 and 4, up to the greatest needed.
struct Moments {
    cell: Cell,
    numeric: Numeric,
    /// The greatest power that is summed.
    powers: usize,
    finish: Finish,
}

/// A partial as numbers.
struct Sums {
    count: u64,
    mean: f64,
    powers: [f64; 3],
}

impl Moments {
    fn load(&self, partial: &[u64]) -> Sums {
        let mut powers = [0.0; 3];
        for (power, word) in powers.iter_mut().zip(&partial[2..]) {
            *power = f64::from_bits(*word);
        }
        Sums { count: partial[0], mean: f64::from_bits(partial[1]), powers }
    }

    fn store(&self, partial: &mut [u64], sums: &Sums) {
        partial[0] = sums.count;
        partial[1] = sums.mean.to_bits();
        for (word, power) in partial[2..].iter_mut().zip(sums.powers) {
            *word = power.to_bits();
        }
    }

    /// Pébay's formulas; with one later value they are Welford's.
    fn merged(&self, a: &Sums, b: &Sums) -> Sums {
        if a.count == 0 {
            return Sums { ..*b };
        }
        let count = a.count + b.count;
        let (na, nb, n) = (a.count as f64, b.count as f64, count as f64);
        let distance = b.mean - a.mean;
        let step = distance / n;
        let mean = a.mean + step * nb;
        let (a2, a3, a4) = (a.powers[0], a.powers[1], a.powers[2]);
        let (b2, b3, b4) = (b.powers[0], b.powers[1], b.powers[2]);
        let square = distance * step * na * nb;
        let mut powers = [a2 + b2 + square, 0.0, 0.0];
        if self.powers >= 3 {
            powers[1] = a3 + b3 + square * step * (na - nb) + 3.0 * step * (na * b2 - nb * a2);
        }
        if self.powers >= 4 {
            powers[2] = a4
                + b4
                + square * step * step * (na * na - na * nb + nb * nb)
                + 6.0 * step * step * (na * na * b2 + nb * nb * a2)
                + 4.0 * step * (na * b3 - nb * a3);
        }
        Sums { count, mean, powers }
    }
}

impl Aggregate for Moments {
    fn words(&self) -> usize {
        self.powers + 1
    }

    fn update(&self, partial: &mut [u64], _: &mut Heap, event: &Event<'_>) {
        let value = self.numeric.float(self.cell.argument(event, 0));
        let sums = self.merged(&self.load(partial), &Sums { count: 1, mean: value, powers: [0.0; 3] });
        self.store(partial, &sums);
    }

    fn merge(&self, partial: &mut [u64], _: &mut Heap, later: &[u64], _: &Heap) {
        if later[0] != 0 {
            let sums = self.merged(&self.load(partial), &self.load(later));
            self.store(partial, &sums);
        }
    }

    fn finish(&self, partial: &[u64], _: &Heap) -> Result<Value, String> {
        let sums = self.load(partial);
        let result = (self.finish)(sums.count as f64, sums.powers);
        Ok(result.map_or(Value::Null, |value| Value::Float(f64::from_bits(canonical(value.to_bits())))))
    }

    fn encode(&self, partial: &[u64], _: &Heap, out: &mut Vec<u8>) {
        varint::put(out, partial[0]);
        if partial[0] != 0 {
            partial[1..].iter().for_each(|word| put_float(out, *word));
        }
    }

    fn decode(&self, input: &mut &[u8], partial: &mut [u64], _: &mut Heap) -> Option<()> {
        let mut words = [0; 5];
        words[0] = varint::take(input)?;
        if words[0] != 0 {
            for word in &mut words[1..self.words()] {
                *word = take_float(input)?;
            }
        }
        partial.copy_from_slice(&words[..self.words()]);
        Some(())
    }
}
