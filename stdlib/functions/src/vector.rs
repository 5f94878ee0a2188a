//! Lists of numbers: means, deviations and the geometry of vectors.
//!
//! This file must not know slots.

use chalk_catalog::context::FunctionError;
use chalk_catalog::slot::{Item, Items, ListRef};
use chalk_macros::functions;

/// A number for means and deviations.
trait Number<'a>: Item<'a> {
    fn to_float(self) -> f64;
}

impl Number<'_> for i64 {
    fn to_float(self) -> f64 {
        self as f64
    }
}

impl Number<'_> for f64 {
    fn to_float(self) -> f64 {
        self
    }
}

impl Number<'_> for f32 {
    fn to_float(self) -> f64 {
        f64::from(self)
    }
}

fn numbers<'a, T: Number<'a>>(list: ListRef<'a, T>) -> Vec<f64> {
    list.values().map(Number::to_float).collect()
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The sum of squared distances from the mean, over `n - lost`.
fn variance(values: &[f64], lost: usize) -> Option<f64> {
    let mean = mean(values)?;
    let divisor = values.len().checked_sub(lost).filter(|divisor| *divisor > 0)?;
    Some(values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / divisor as f64)
}

/// Both vectors' values; a null, or another length, is an error.
fn pairs<'a, T: Number<'a>>(a: ListRef<'a, T>, b: ListRef<'a, T>) -> Result<Vec<(f64, f64)>, FunctionError> {
    if a.len() != b.len() {
        return Err(format!("vectors of {} and {} items", a.len(), b.len()).into());
    }
    let pair = |(a, b): (Option<T>, Option<T>)| Some((a?.to_float(), b?.to_float()));
    a.iter().zip(b.iter()).map(pair).collect::<Option<_>>().ok_or_else(|| "a vector holds a null".into())
}

#[functions(family = "list")]
mod defs {
    use super::*;

    /// The mean of the items that are not null; null where there are none.
    ///
    /// ```chalk
    /// array_average([1, 2]) == 1.5
    /// ```
    #[function(
        signature = "array_average(a: [T]) -> float?",
        known_as = "array_mean, array_avg",
        instances = "int, float, float32"
    )]
    fn array_average<'a, T: Number<'a>>(a: ListRef<'a, T>) -> Option<f64> {
        mean(&numbers(a))
    }

    /// The middle item of the sorted items that are not null, or the mean of the two in the middle; null where there are
    /// none.
    ///
    /// ```chalk
    /// array_median([3, 1, 2]) == 2.0
    /// array_median([4, 1, 2, 3]) == 2.5
    /// ```
    #[function(signature = "array_median(a: [T]) -> float?", instances = "int, float")]
    fn array_median<'a, T: Number<'a>>(a: ListRef<'a, T>) -> Option<f64> {
        let mut values = numbers(a);
        // NaN is above every number.
        values.sort_by(|a, b| a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan())));
        let middle = values.len() / 2;
        match values.len() {
            0 => None,
            len if len % 2 == 1 => Some(values[middle]),
            _ => Some((values[middle - 1] + values[middle]) / 2.0),
        }
    }

    /// The standard deviation of the items that are not null, as a whole population; null where there are none.
    ///
    /// ```chalk
    /// array_stddev([1, 3]) == 1.0
    /// ```
    #[function(signature = "array_stddev(a: [T]) -> float?", instances = "int, float, float32")]
    fn array_stddev<'a, T: Number<'a>>(a: ListRef<'a, T>) -> Option<f64> {
        variance(&numbers(a), 0).map(f64::sqrt)
    }

    /// The standard deviation of the items that are not null, as a sample (n − 1); null where there are less than two.
    ///
    /// ```chalk
    /// array_sample_stddev([1.0, 3.0]) == sqrt(2.0)
    /// array_sample_stddev([1.0]) == none
    /// ```
    #[function(signature = "array_sample_stddev(a: [T]) -> float?", instances = "int, float, float32")]
    fn array_sample_stddev<'a, T: Number<'a>>(a: ListRef<'a, T>) -> Option<f64> {
        variance(&numbers(a), 1).map(f64::sqrt)
    }

    /// The sum of the products of items at the same position. Vectors of different lengths, and nulls, fail the message.
    ///
    /// ```chalk
    /// dot_product([1.0, 2.0], [3.0, 4.0]) == 11.0
    /// ```
    #[function(signature = "dot_product(a: [T], b: [T]) -> float", instances = "float, float32")]
    fn dot_product<'a, T: Number<'a>>(a: ListRef<'a, T>, b: ListRef<'a, T>) -> Result<f64, FunctionError> {
        Ok(pairs(a, b)?.iter().fold(0.0, |sum, (a, b)| sum + a * b))
    }

    /// The cosine of the angle between two vectors; NaN where one has no direction. Vectors of different lengths, and
    /// nulls, fail the message.
    ///
    /// ```chalk
    /// cosine_similarity([1.0, 0.0], [0.0, 2.0]) == 0.0
    /// cosine_similarity([3.0, 4.0], [3.0, 4.0]) == 1.0
    /// ```
    #[function(signature = "cosine_similarity(a: [T], b: [T]) -> float", instances = "float, float32")]
    fn cosine_similarity<'a, T: Number<'a>>(a: ListRef<'a, T>, b: ListRef<'a, T>) -> Result<f64, FunctionError> {
        let pairs = pairs(a, b)?;
        let dot = pairs.iter().fold(0.0, |sum, (a, b)| sum + a * b);
        let norm = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).fold(0.0, |sum, x| sum + x * x).sqrt();
        Ok(dot / (norm(|pair| pair.0) * norm(|pair| pair.1)))
    }

    /// The vector divided by its p-norm (`p = 2`: its length); a vector of norm 0 stays. Nulls, and `p` below 1, fail the message.
    ///
    /// ```chalk
    /// array_normalize([3.0, 4.0]) == [0.6, 0.8]
    /// ```
    #[function(signature = "array_normalize(a: [float?], p: float = 2.0) -> [float]")]
    fn array_normalize<'a>(a: ListRef<'a, f64>, p: f64) -> Result<Items<f64>, FunctionError> {
        if p.is_nan() || p < 1.0 {
            return Err(format!("there is no {p}-norm: p must be 1 or more").into());
        }
        let values: Option<Vec<f64>> = a.iter().collect();
        let values = values.ok_or("a vector holds a null")?;
        let norm = if p == 2.0 {
            values.iter().fold(0.0, |sum, x| sum + x * x).sqrt()
        } else if p.is_infinite() {
            values.iter().fold(0.0, |most: f64, x| most.max(x.abs()))
        } else {
            values.iter().fold(0.0, |sum, x| sum + x.abs().powf(p)).powf(1.0 / p)
        };
        Ok(Items(if norm == 0.0 { values } else { values.into_iter().map(|x| x / norm).collect() }))
    }
}
