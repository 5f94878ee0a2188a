//! "Did you mean": the known name closest to a mistyped one.
//!
//! This module must not know what the names stand for.

/// The candidate that a person most probably meant, or nothing if none is close. Ties go to the first.
///
/// Distance is counted in insertions, deletions, changes and swaps of neighbours; a difference in case costs
/// nothing beside them. A third of the name may differ.
pub fn did_you_mean<'a, S: AsRef<str> + ?Sized + 'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a S>,
) -> Option<&'a str> {
    let folded: Vec<char> = name.to_lowercase().chars().collect();
    let allowed = (folded.len() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let candidate = candidate.as_ref();
        if candidate == name {
            continue;
        }
        let other: Vec<char> = candidate.to_lowercase().chars().collect();
        if other.len().abs_diff(folded.len()) > allowed {
            continue;
        }
        let distance = distance(&folded, &other);
        // A name of one letter is close to every other one: suggest only a change of case there.
        let close = if folded.len() <= 1 { distance == 0 } else { distance <= allowed };
        if close && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// The optimal-string-alignment distance of two names.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let mut cost = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_the_closest_name() {
        let names = ["user_id", "full_name", "email_address", "updated_at"];
        assert_eq!(did_you_mean("ful_name", &names), Some("full_name"));
        assert_eq!(did_you_mean("emial_address", &names), Some("email_address"));
        assert_eq!(did_you_mean("USER_ID", &names), Some("user_id"));
        assert_eq!(did_you_mean("zip_code", &names), None);
    }

    #[test]
    fn short_names_need_to_be_really_close() {
        assert_eq!(did_you_mean("x", &["y", "z"]), None);
        assert_eq!(did_you_mean("x", &["X"]), Some("X"));
        assert_eq!(did_you_mean("ab", &["ba"]), Some("ba"));
        assert_eq!(did_you_mean("abc", &["xyz"]), None);
    }
}
