//! From a failing package to a small program and one message that still fail in the same way.
//!
//! Every step proposes something smaller and keeps it if it compiles and fails alike. It is greedy, because a person reads the
//! result, not because it is least.
//!
//! This file must not know why programs fail.

use chalk_decode::Tier;

use super::node::Node;
use super::package::Package;
use super::probe::{Failure, attempt, dies};
use super::{Case, literal};
use crate::oracle::{Bug, tiers};
use chalkc::compile::check;

/// Most tries: a report should not take minutes.
const TRIES: usize = 1500;

struct Shrinker {
    planted: Option<Bug>,
    tiers: Vec<Tier>,
    tries: usize,
    case: Case,
    failure: Failure,
    /// Of the process that died.
    last_words: String,
}

/// What failed, made small, as text.
pub(super) fn report(case: Case, failure: Failure, planted: Option<Bug>) -> String {
    // A try in a process of its own takes longer.
    let tries = if matches!(failure, Failure::Crashed) { TRIES / 4 } else { TRIES };
    let mut shrinker = Shrinker { planted, tiers: tiers(), tries, case, failure, last_words: String::new() };
    shrinker.one_resolver();
    shrinker.one_message();
    for _ in 0..3 {
        let before = shrinker.size();
        shrinker.clauses();
        shrinker.expressions();
        shrinker.functions();
        if shrinker.size() == before {
            break;
        }
    }
    shrinker.messages_of_common();
    shrinker.text()
}

impl Shrinker {
    /// Takes the case over if it fails alike.
    fn keep_if_failing(&mut self, case: Case) -> bool {
        if self.tries == 0 {
            return false;
        }
        self.tries -= 1;
        let checked = check(&case.package.files());
        if !checked.is_ok() {
            return false;
        }
        if matches!(self.failure, Failure::Crashed) {
            let Some(last_words) = dies(&case.package.files(), &case.messages) else { return false };
            self.last_words = last_words;
            self.case = case;
            return true;
        }
        match attempt(&checked, &case.messages, self.planted, &self.tiers) {
            Err(failure) if failure.is_like(&self.failure) => {
                self.case = case;
                self.failure = failure;
                true
            }
            _ => false,
        }
    }

    fn with(&self, change: impl FnOnce(&mut Package)) -> Case {
        let mut package = self.case.package.clone();
        change(&mut package);
        Case { package, messages: self.case.messages.clone() }
    }

    fn size(&self) -> usize {
        self.case.package.files().iter().map(|(_, text)| text.len()).sum()
    }

    fn one_resolver(&mut self) {
        let candidates: Vec<usize> = match &self.failure {
            Failure::Different(difference) => vec![difference.resolver],
            Failure::Broken(_) | Failure::Crashed => (0..self.case.package.resolvers.len()).collect(),
        };
        for index in candidates {
            let mut case = self.with(|package| package.resolvers = vec![package.resolvers[index].clone()]);
            case.messages = vec![self.case.messages[index].clone()];
            if self.keep_if_failing(case) {
                return;
            }
        }
    }

    fn one_message(&mut self) {
        let [messages] = &self.case.messages[..] else { return };
        let messages = messages.clone();
        let first = match &self.failure {
            Failure::Different(difference) => difference.message,
            Failure::Broken(_) | Failure::Crashed => 0,
        };
        if !matches!(self.failure, Failure::Different(_)) {
            let case = Case { package: self.case.package.clone(), messages: vec![Vec::new()] };
            if self.keep_if_failing(case) {
                return;
            }
        }
        for index in (first..messages.len()).chain(0..first) {
            let case = Case { package: self.case.package.clone(), messages: vec![vec![messages[index].clone()]] };
            if self.keep_if_failing(case) {
                return;
            }
        }
    }

    fn clauses(&mut self) {
        if self.case.package.resolvers.len() != 1 {
            return;
        }
        let case = self.with(|package| package.resolvers[0].timestamp = None);
        self.keep_if_failing(case);
        let case = self.with(|package| package.resolvers[0].expressions.clear());
        self.keep_if_failing(case);
        for index in (0..self.case.package.resolvers[0].expressions.len()).rev() {
            let case = self.with(|package| drop(package.resolvers[0].expressions.remove(index)));
            self.keep_if_failing(case);
        }
        for index in (0..self.case.package.resolvers[0].before.len()).rev() {
            let case = self.with(|package| drop(package.resolvers[0].before.remove(index)));
            self.keep_if_failing(case);
        }
        for index in (0..self.case.package.resolvers[0].after.len()).rev() {
            let case = self.with(|package| drop(package.resolvers[0].after.remove(index)));
            self.keep_if_failing(case);
        }
        // The first feature is the key.
        for index in (1..self.case.package.resolvers[0].features.len()).rev() {
            let case = self.with(|package| drop(package.resolvers[0].features.remove(index)));
            self.keep_if_failing(case);
        }
    }

    fn expressions(&mut self) {
        let count = self.case.package.resolvers.iter_mut().map(|resolver| resolver.expressions_mut().len()).sum();
        for index in 0..count {
            self.expression(&|package: &mut Package, replacement: Option<Node>| {
                let mut all: Vec<&mut Node> =
                    package.resolvers.iter_mut().flat_map(|resolver| resolver.expressions_mut()).collect();
                exchange(all[index], replacement)
            });
        }
        for index in 0..self.case.package.functions.len() {
            self.expression(&|package: &mut Package, replacement| {
                exchange(&mut package.functions[index].body, replacement)
            });
        }
        if let Some(true) = self.case.package.resolvers.first().map(|resolver| resolver.parsed.is_some()) {
            self.expression(&|package: &mut Package, replacement| {
                let parsed = package.resolvers[0].parsed.as_mut().expect("there before");
                exchange(&mut parsed.body, replacement)
            });
        }
    }

    /// Makes one expression smaller; `access` reads it, and exchanges it.
    fn expression(&mut self, access: &dyn Fn(&mut Package, Option<Node>) -> Node) {
        let mut position = 0;
        loop {
            let whole = access(&mut self.case.package.clone(), None);
            let Some(node) = whole.at(position).cloned() else { return };
            let mut candidates = node.smaller();
            candidates.sort_by_key(Node::size);
            candidates.dedup_by_key(|candidate| candidate.text());
            if node.size() > 1
                && let Some(literal) = literal::plain(&node.ty.kind)
            {
                candidates.insert(0, literal);
            }
            let mut changed = false;
            for candidate in candidates {
                let smaller = whole.with(position, candidate);
                let case = self.with(|package| drop(access(package, Some(smaller))));
                if self.keep_if_failing(case) {
                    changed = true;
                    break;
                }
                if self.tries == 0 {
                    return;
                }
            }
            if !changed {
                position += 1;
            }
        }
    }

    fn functions(&mut self) {
        for index in (0..self.case.package.functions.len()).rev() {
            let case = self.with(|package| drop(package.functions.remove(index)));
            self.keep_if_failing(case);
        }
    }

    fn messages_of_common(&mut self) {
        for index in (0..self.case.package.common.messages.len()).rev() {
            let case = self.with(|package| drop(package.common.messages.remove(index)));
            self.keep_if_failing(case);
        }
        for index in (0..self.case.package.common.enums.len()).rev() {
            let case = self.with(|package| drop(package.common.enums.remove(index)));
            self.keep_if_failing(case);
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        match &self.failure {
            Failure::Different(difference) => {
                text += &format!("{}\n  means {}\n  gives {}\n", difference.way, difference.meaning, difference.found);
                if let Some(message) =
                    self.case.messages.get(difference.resolver).and_then(|all| all.get(difference.message))
                {
                    text += &format!("message: {}\n", String::from_utf8_lossy(&message.bytes));
                    text += &format!(
                        "envelope: offset {}, partition {}, timestamp {:?}, key {:?}, headers {:?}\n",
                        message.offset,
                        message.partition,
                        message.timestamp_us,
                        message.key.as_deref().map(String::from_utf8_lossy),
                        message.headers.iter().map(|(n, v)| (n, String::from_utf8_lossy(v))).collect::<Vec<_>>(),
                    );
                }
                let others: usize = self.case.messages.iter().map(Vec::len).sum();
                if others > 1 {
                    text += &format!("({others} messages are needed)\n");
                }
            }
            Failure::Broken(error) => text += &format!("{error}\n"),
            Failure::Crashed => {
                text += &format!("the process died: {}\n", self.last_words.lines().next().unwrap_or_default());
                for message in self.case.messages.iter().flatten().take(3) {
                    text += &format!("message: {}\n", String::from_utf8_lossy(&message.bytes));
                }
            }
        }
        for (path, source) in self.case.package.files() {
            text += &format!("--- {path}\n{source}");
        }
        text
    }
}

/// Reads an expression, or puts another in its place.
fn exchange(place: &mut Node, replacement: Option<Node>) -> Node {
    let before = place.clone();
    if let Some(replacement) = replacement {
        *place = replacement;
    }
    before
}
