//! Puts what belongs together under each other: the `=` and `=>` of neighbouring lines, and their comments.
//!
//! Neighbours are lines without an empty line or a comment line between them, at the same indentation.
//!
//! This module must not know tokens.

use super::Line;

/// Stretches lines so that their stops and comments stand in columns.
pub(super) fn align(lines: &mut [Line]) {
    runs(lines, |a, b| a.stop.is_some() && same_stop(a, b), align_stops);
    runs(lines, |_, b| !b.code.is_empty(), align_comments);
}

fn same_stop(a: &Line, b: &Line) -> bool {
    a.stop.map(|(stop, _)| stop) == b.stop.map(|(stop, _)| stop)
}

/// Calls `f` with each run of neighbours.
fn runs(lines: &mut [Line], belongs: impl Fn(&Line, &Line) -> bool, f: impl Fn(&mut [Line])) {
    let mut start = 0;
    while start < lines.len() {
        let mut end = start + 1;
        while end < lines.len()
            && !lines[end].blank_before
            && lines[end].indent == lines[start].indent
            && belongs(&lines[end - 1], &lines[end])
        {
            end += 1;
        }
        f(&mut lines[start..end]);
        start = end;
    }
}

fn align_stops(run: &mut [Line]) {
    let column = run.iter().filter_map(|line| line.stop.map(|(_, at)| at)).max().unwrap_or(0);
    for line in run {
        if let Some((_, at)) = line.stop {
            // Counted in code points, because that is what a column is.
            let byte = line.code.char_indices().nth(at).map_or(line.code.len(), |(byte, _)| byte);
            line.code.insert_str(byte, &" ".repeat(column - at));
        }
    }
}

fn align_comments(run: &mut [Line]) {
    let width = |line: &Line| line.code.rsplit('\n').next().map_or(0, |last| last.chars().count());
    let commented = |line: &&Line| line.comment.is_some() && !line.code.is_empty();
    let column = run.iter().filter(commented).map(width).max().unwrap_or(0);
    for line in run {
        if line.comment.is_some() && !line.code.is_empty() {
            let blanks = " ".repeat(column - width(line) + 2);
            line.code.push_str(&blanks);
        }
    }
}
