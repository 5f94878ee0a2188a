//! A generated expression: source text with holes that hold expressions, and what type each has.
//!
//! Text is what is tested, so the tree knows no grammar: just enough to replace one expression by a smaller one of its type.
//!
//! This file must not know how expressions are chosen.

use chalk_types::{Type, Value};

/// An expression.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Its type; `nullable` if it may be null.
    pub ty: Type,
    /// Its value where it is a literal.
    pub literal: Option<Value>,
    /// Its text, in pieces.
    pub parts: Vec<Part>,
}

/// A piece of an expression.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// As it is.
    Text(String),
    /// An expression inside.
    Child(Node),
}

impl From<&str> for Part {
    fn from(text: &str) -> Part {
        Part::Text(text.to_owned())
    }
}

impl From<String> for Part {
    fn from(text: String) -> Part {
        Part::Text(text)
    }
}

impl From<Node> for Part {
    fn from(node: Node) -> Part {
        Part::Child(node)
    }
}

/// An expression of a type, from pieces of text and expressions.
macro_rules! node {
    ($ty:expr; $($part:expr),* $(,)?) => {
        $crate::generate::node::Node {
            ty: $ty,
            literal: None,
            parts: vec![$($crate::generate::node::Part::from($part)),*],
        }
    };
}
pub(super) use node;

impl Node {
    /// Its text.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Child(node) => node.write(out),
            }
        }
    }

    /// Expressions in it, itself included.
    pub(super) fn size(&self) -> usize {
        1 + self.children().map(Node::size).sum::<usize>()
    }

    fn children(&self) -> impl Iterator<Item = &Node> {
        self.parts.iter().filter_map(|part| match part {
            Part::Child(node) => Some(node),
            Part::Text(_) => None,
        })
    }

    /// The expression at that position in preorder.
    pub(super) fn at(&self, position: usize) -> Option<&Node> {
        if position == 0 {
            return Some(self);
        }
        let mut left = position - 1;
        for child in self.children() {
            let size = child.size();
            if left < size {
                return child.at(left);
            }
            left -= size;
        }
        None
    }

    /// The same with another expression at that position in preorder.
    pub(super) fn with(&self, position: usize, replacement: Node) -> Node {
        if position == 0 {
            return replacement;
        }
        let mut left = position - 1;
        let mut replacement = Some(replacement);
        let parts = self
            .parts
            .iter()
            .map(|part| {
                let Part::Child(child) = part else { return part.clone() };
                let size = child.size();
                let here = replacement.is_some() && left < size;
                let part = match replacement.take_if(|_| here) {
                    Some(replacement) => Part::Child(child.with(left, replacement)),
                    None => part.clone(),
                };
                left = left.saturating_sub(size);
                part
            })
            .collect();
        Node { parts, literal: None, ty: self.ty.clone() }
    }

    /// Smaller expressions that could stand in its place: those inside of the same kind.
    pub(super) fn smaller(&self) -> Vec<Node> {
        (1..self.size())
            .filter_map(|position| self.at(position))
            .filter(|inner| inner.ty.kind == self.ty.kind && (self.ty.nullable || !inner.ty.nullable))
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_replaced_by_position() {
        let leaf = |text: &str| node!(Type::INT; text);
        let sum = node!(Type::INT; "(", leaf("a"), " + ", node!(Type::INT; "(", leaf("b"), " * ", leaf("c"), ")"), ")");
        assert_eq!(sum.text(), "(a + (b * c))");
        assert_eq!(sum.size(), 5);
        assert_eq!(sum.at(2).map(Node::text), Some("(b * c)".to_owned()));
        assert_eq!(sum.with(2, leaf("7")).text(), "(a + 7)");
        assert_eq!(sum.with(4, leaf("7")).text(), "(a + (b * 7))");
        assert_eq!(sum.with(1, leaf("7")).text(), "(7 + (b * c))");
        assert_eq!(sum.smaller().len(), 4);
    }
}
