//! How alike two texts are.
//!
//! The classical measures, on code points. Some take time in the product of both lengths, so both are bounded: a message
//! must not hold a worker for seconds.
//!
//! This file must not know slots.

use chalk_catalog::context::{CallContext, FunctionError};
use chalk_macros::functions;

/// Longest text that is compared by a table of both lengths.
const MAX_COMPARED_CHARS: usize = 2048;

fn characters(a: &str, b: &str) -> Result<(Vec<char>, Vec<char>), FunctionError> {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().max(b.len()) > MAX_COMPARED_CHARS {
        return Err(format!("a text of more than {MAX_COMPARED_CHARS} characters cannot be compared").into());
    }
    Ok((a, b))
}

/// Jaro's similarity, 0 to 1.
fn jaro(a: &[char], b: &[char]) -> f64 {
    if a.is_empty() && b.is_empty() {
        return 1.0;
    }
    let reach = (a.len().max(b.len()) / 2).saturating_sub(1);
    let mut taken = vec![false; b.len()];
    let mut matched = Vec::new();
    for (i, c) in a.iter().enumerate() {
        let (from, to) = (i.saturating_sub(reach), (i + reach + 1).min(b.len()));
        if let Some(j) = (from..to).find(|j| !taken[*j] && b[*j] == *c) {
            taken[j] = true;
            matched.push(*c);
        }
    }
    if matched.is_empty() {
        return 0.0;
    }
    let in_b = b.iter().zip(&taken).filter(|(_, taken)| **taken).map(|(c, _)| c);
    let moved = matched.iter().zip(in_b).filter(|(x, y)| x != y).count() / 2;
    let m = matched.len() as f64;
    (m / a.len() as f64 + m / b.len() as f64 + (m - moved as f64) / m) / 3.0
}

#[functions(family = "text")]
mod defs {
    use super::*;

    /// The least number of characters to insert, delete or replace that turns one text into the other. A text of more
    /// than 2048 characters fails the message.
    ///
    /// ```chalk
    /// levenshtein_distance("kitten", "sitting") == 3
    /// ```
    #[function(
        signature = "levenshtein_distance(a: string, b: string) -> int",
        known_as = "levenshtein, edit_distance, editdistance"
    )]
    fn levenshtein_distance(a: &str, b: &str) -> Result<i64, FunctionError> {
        let (a, b) = characters(a, b)?;
        let mut row: Vec<usize> = (0..=b.len()).collect();
        for (i, x) in a.iter().enumerate() {
            let mut diagonal = row[0];
            row[0] = i + 1;
            for (j, y) in b.iter().enumerate() {
                let replaced = diagonal + usize::from(x != y);
                diagonal = row[j + 1];
                row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
            }
        }
        Ok(row[b.len()] as i64)
    }

    /// The longest text that is left of both when characters are deleted. A text of more than 2048 characters fails the
    /// message.
    ///
    /// ```chalk
    /// longest_common_subsequence("ABCBDAB", "BDCABA") == "BDAB"
    /// ```
    #[function(signature = "longest_common_subsequence(a: string, b: string) -> string")]
    fn longest_common_subsequence<'a>(cx: &'a CallContext, a: &str, b: &str) -> Result<&'a str, FunctionError> {
        let (a, b) = characters(a, b)?;
        let width = b.len() + 1;
        // Lengths for the texts' tails, so that the answer is read from the front.
        let mut table = vec![0u16; (a.len() + 1) * width];
        for i in (0..a.len()).rev() {
            for j in (0..b.len()).rev() {
                table[i * width + j] = if a[i] == b[j] {
                    table[(i + 1) * width + j + 1] + 1
                } else {
                    table[(i + 1) * width + j].max(table[i * width + j + 1])
                };
            }
        }
        let mut text = cx.text();
        let (mut i, mut j) = (0, 0);
        while i < a.len() && j < b.len() {
            if a[i] == b[j] {
                text.push(a[i]);
                (i, j) = (i + 1, j + 1);
            } else if table[(i + 1) * width + j] >= table[i * width + j + 1] {
                i += 1;
            } else {
                j += 1;
            }
        }
        Ok(text.finish())
    }

    /// The number of characters that both texts have, over the number that either has (each counted once): 0 to 1. Two
    /// empty texts give 1.
    ///
    /// ```chalk
    /// jaccard_similarity("abc", "bcd") == 0.5
    /// ```
    #[function(signature = "jaccard_similarity(a: string, b: string) -> float")]
    fn jaccard_similarity(a: &str, b: &str) -> f64 {
        let set = |s: &str| s.chars().collect::<std::collections::BTreeSet<char>>();
        let (a, b) = (set(a), set(b));
        let common = a.intersection(&b).count();
        let all = a.len() + b.len() - common;
        if all == 0 { 1.0 } else { common as f64 / all as f64 }
    }

    /// Jaro and Winkler's distance: 0 for equal texts, 1 for texts that have nothing in common. A common start of up to
    /// four characters makes it smaller, by `prefix_weight` (0 to 0.25) for each. A text of more than 2048 characters
    /// fails the message.
    ///
    /// ```chalk
    /// jaro_winkler_distance("same", "same") == 0.0
    /// jaro_winkler_distance("abc", "xyz") == 1.0
    /// ```
    #[function(signature = "jaro_winkler_distance(a: string, b: string, prefix_weight: float = 0.1) -> float")]
    fn jaro_winkler_distance(a: &str, b: &str, prefix_weight: f64) -> Result<f64, FunctionError> {
        if !(0.0..=0.25).contains(&prefix_weight) {
            return Err(format!("the prefix weight {prefix_weight} is not between 0 and 0.25").into());
        }
        let (a, b) = characters(a, b)?;
        let similarity = jaro(&a, &b);
        let prefix = a.iter().zip(&b).take(4).take_while(|(x, y)| x == y).count();
        Ok(1.0 - (similarity + prefix as f64 * prefix_weight * (1.0 - similarity)))
    }
}
