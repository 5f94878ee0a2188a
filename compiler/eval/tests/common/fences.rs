//! The fenced programs of a Markdown page, with what their info string says of them.
//!
//! This module must not know how they are run.

/// What is claimed of a fence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// `chalk`: a package without a diagnostic.
    Compiles,
    /// `chalk error[E0201]`, `chalk warning[W0101]`: a package with that diagnostic alone.
    Has(String),
    /// `chalk eval`: lines that are true.
    Evaluates,
}

/// A fenced program.
#[derive(Clone, Debug)]
pub struct Fence {
    /// The line of the page on which its text begins, from 1.
    pub line: usize,
    /// What is claimed of it.
    pub claim: Claim,
    /// Its text.
    pub text: String,
}

/// An expression of an `eval` fence.
#[derive(Clone, Debug)]
pub struct Example {
    /// The line of the page, from 1.
    pub line: usize,
    /// A condition that is true; or, where `fails` is there, an expression that fails.
    pub condition: String,
    /// The reason begins so.
    pub fails: Option<String>,
}

/// The `chalk` fences of a page, in order; an unknown claim panics.
pub fn fences(page: &str) -> Vec<Fence> {
    let mut found = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let text: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
        let Some(info) = info.strip_prefix("chalk") else { continue };
        let code = |prefix: &str| info.trim().strip_prefix(prefix)?.strip_prefix('[')?.strip_suffix(']');
        let claim = match info.trim() {
            "" => Claim::Compiles,
            "eval" => Claim::Evaluates,
            _ => match code("error").or_else(|| code("warning")) {
                Some(code) => Claim::Has(code.to_owned()),
                None => panic!("line {}: what does `{info}` claim?", number + 1),
            },
        };
        found.push(Fence { line: number + 2, claim, text: text.join("\n") + "\n" });
    }
    found
}

/// The expressions of an `eval` fence.
pub fn examples(fence: &Fence) -> Vec<Example> {
    let mut found = Vec::new();
    for (index, line) in fence.text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let (expr, claim) = line.split_once(" // ").unwrap_or((line, ""));
        let line = fence.line + index;
        let fails = claim.strip_prefix("fails").map(|reason| reason.trim_start_matches(": ").to_owned());
        let condition = match claim.strip_prefix("=> ") {
            Some(value) => format!("({expr}) == ({value})"),
            None => expr.to_owned(),
        };
        found.push(Example { line, condition, fails });
    }
    found
}
