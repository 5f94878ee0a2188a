//! Learning a template from a message.
//!
//! The message was accepted, so it is valid JSON and this code may follow its outline; it gives up at whatever a template
//! cannot promise for other messages: keys with escapes, a wanted key that comes twice, very large messages.
//!
//! This file must not know vectors.

use super::template::{HEAD_BYTES, NO_GAP, Op, Rest, Step, Template};
use super::{Action, FastField, FastObject, GREATEST_TEMPLATE_BYTES, MOST_OPS};
use crate::batch::PADDING_BYTES;
use crate::program::{ObjectId, Program};
use crate::scalar::grammar::{skip_blanks, skip_outline, skip_string};

struct Learner<'a> {
    program: &'a Program,
    objects: &'a [FastObject],
    bytes: &'a [u8],
    template: &'a mut Template,
    /// Where the literal under way begins in the message.
    literal_start: usize,
}

/// Makes the template one of the message, if that can have one. Its memory is used again.
pub(super) fn learn(program: &Program, objects: &[FastObject], bytes: &[u8], template: &mut Template) -> bool {
    template.clear();
    if bytes.len() > GREATEST_TEMPLATE_BYTES {
        return false;
    }
    let mut learner = Learner { program, objects, bytes, template, literal_start: 0 };
    if learner.object(Some(0), skip_blanks(bytes, 0), 1).is_none() {
        return false;
    }
    let (tail, tail_bytes) = learner.end_literal(bytes.len());
    (template.tail, template.tail_bytes) = (tail, tail_bytes);
    let tail = &template.literals[tail as usize..];
    template.tail_quotes = count(tail, |byte| byte == b'"');
    template.odd = count(&template.literals, |byte| byte < 0x20);
    // From the last operation to the first: how far is the next quote of a literal?
    let mut gap = quote_in(tail).unwrap_or(tail_bytes);
    for op in template.ops.iter_mut().rev() {
        op.gap = gap;
        gap = quote_in(&template.literals[op.literal as usize..][..op.literal_bytes as usize]).unwrap_or(NO_GAP);
    }
    template.fixed.learn(&template.ops, &template.literals[template.tail as usize..], &template.literals);
    template.is_plain = template.rest.is_empty() && !template.fixed.has_others();
    template.literals.extend_from_slice(&[0; PADDING_BYTES]);
    true
}

fn count(bytes: &[u8], what: impl Fn(u8) -> bool) -> u32 {
    bytes.iter().filter(|&&byte| what(byte)).count() as u32
}

/// Where the first quote stands.
fn quote_in(literal: &[u8]) -> Option<u32> {
    literal.iter().position(|&byte| byte == b'"').map(|at| at as u32)
}

impl Learner<'_> {
    /// Ends the literal under way before `at`; gives its place and size in the pool.
    fn end_literal(&mut self, at: usize) -> (u32, u32) {
        let place = self.template.literals.len() as u32;
        let literal = &self.bytes[self.literal_start..at];
        self.template.literals.extend_from_slice(literal);
        (place, literal.len() as u32)
    }

    /// A value from `at` to `end` that differs from message to message.
    fn value(&mut self, step: Step, field: Option<FastField>, at: usize, end: usize, depth: u32) -> Option<usize> {
        let (literal, literal_bytes) = self.end_literal(at);
        let bytes = &self.template.literals[literal as usize..];
        let mut head = [0; HEAD_BYTES];
        let head_bytes = bytes.len().min(HEAD_BYTES);
        head[..head_bytes].copy_from_slice(&bytes[..head_bytes]);
        let after_quote = bytes.iter().rev().position(|&byte| byte == b'"').map_or(0, |before| before + 1);
        let op = Op {
            head,
            literal,
            literal_bytes,
            gap: NO_GAP,
            quotes: u16::try_from(count(bytes, |byte| byte == b'"')).ok()?,
            after_quote: u16::try_from(after_quote).ok()?,
            depth: u16::try_from(depth).ok()?,
            step,
            first: self.bytes[at],
            column: field.map_or(0, |field| field.column),
            field: self.template.fields.len() as u32,
        };
        self.template.fields.extend(field);
        self.template.ops.push(op);
        self.literal_start = end;
        (self.template.ops.len() <= MOST_OPS).then_some(end)
    }

    /// Learns the object at `at`; gives the byte behind it. `id` is none where nobody reads it.
    fn object(&mut self, id: Option<ObjectId>, at: usize, depth: u32) -> Option<usize> {
        let bytes = self.bytes;
        let mut seen = 0u128;
        let mut at = skip_blanks(bytes, at + 1);
        while bytes.get(at) != Some(&b'}') {
            let key_end = skip_string(bytes, at).ok()?;
            let key = &bytes[at + 1..key_end - 1];
            if key.contains(&b'\\') {
                return None;
            }
            // Behind the key comes the colon.
            at = skip_blanks(bytes, skip_blanks(bytes, key_end) + 1);
            let field = id.and_then(|id| {
                let index = self.program.objects[id as usize].fields.iter().position(|field| *field.key == *key)?;
                Some(self.objects[id as usize].fields[index])
            });
            at = match field {
                Some(field) => {
                    if seen >> field.index & 1 != 0 {
                        return None;
                    }
                    seen |= 1 << field.index;
                    self.wanted(field, at, depth)?
                }
                None => self.unwanted(at, depth)?,
            };
            at = skip_blanks(bytes, at);
            if bytes.get(at) == Some(&b',') {
                at = skip_blanks(bytes, at + 1);
            }
        }
        if let Some(id) = id {
            for field in &self.objects[id as usize].fields {
                if seen >> field.index & 1 == 0 {
                    self.template.rest.push(Rest::Absent(*field));
                }
            }
            if !self.objects[id as usize].plain {
                self.template.rest.push(Rest::Closed(id));
            }
        }
        Some(at + 1)
    }

    fn wanted(&mut self, field: FastField, at: usize, depth: u32) -> Option<usize> {
        match (field.action, self.bytes[at]) {
            (Action::Object(id), b'{') => {
                if field.has_presence {
                    self.template.rest.push(Rest::Present(field));
                }
                self.object(Some(id), at, depth + 1)
            }
            (Action::Object(_), _) => {
                self.template.rest.push(Rest::Null(field));
                Some(at + 4)
            }
            _ => {
                let end = skip_outline(self.bytes, at).ok()?;
                let step = match field.action {
                    Action::Int64 => Step::Int64,
                    Action::Float64 => Step::Float64,
                    Action::String => Step::String,
                    Action::Bool => Step::Bool,
                    Action::Object(_) | Action::Generic => Step::Read,
                };
                self.value(step, Some(field), at, end, depth)
            }
        }
    }

    fn unwanted(&mut self, at: usize, depth: u32) -> Option<usize> {
        let step = match self.bytes[at] {
            b'{' => return self.object(None, at, depth + 1),
            b'"' => Step::SkipString,
            b'-' | b'0'..=b'9' => Step::SkipDecimal,
            b't' | b'f' | b'n' => Step::SkipWord,
            _ => Step::Skip,
        };
        let end = skip_outline(self.bytes, at).ok()?;
        let is_integer = self.bytes[at..end].iter().all(u8::is_ascii_digit);
        let step = if is_integer { Step::SkipInteger } else { step };
        self.value(step, None, at, end, depth)
    }
}
