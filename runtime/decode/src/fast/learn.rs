//! Learning a template from a message.
//!
//! The message was accepted, so it is valid JSON and this code may follow its outline; it gives up at whatever a template
//! cannot promise for other messages: keys with escapes, a wanted key that comes twice, very large messages.
//!
//! This file must not know vectors.

use super::template::{Op, Rest, Step, Template};
use super::{Action, FastField, FastObject};
use crate::batch::PADDING_BYTES;
use crate::program::{ObjectId, Program};
use crate::scalar::grammar::{skip_blanks, skip_outline, skip_string};

/// Messages that are larger are not learned from: comparing would not be what takes the time.
const GREATEST_MESSAGE_BYTES: usize = 64 << 10;
const MOST_OPS: usize = 2048;

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
    if bytes.len() > GREATEST_MESSAGE_BYTES {
        return false;
    }
    let mut learner = Learner { program, objects, bytes, template, literal_start: 0 };
    if learner.object(Some(0), skip_blanks(bytes, 0), 1).is_none() {
        return false;
    }
    (learner.template.tail, learner.template.tail_bytes) = learner.end_literal(bytes.len());
    template.literals.extend_from_slice(&[0; PADDING_BYTES]);
    true
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
    fn value(&mut self, step: Step, at: usize, end: usize, depth: u32) -> Option<usize> {
        let (literal, literal_bytes) = self.end_literal(at);
        self.template.ops.push(Op { literal, literal_bytes, step, depth });
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
                self.value(Step::Read(field), at, end, depth)
            }
        }
    }

    fn unwanted(&mut self, at: usize, depth: u32) -> Option<usize> {
        match self.bytes[at] {
            b'{' => self.object(None, at, depth + 1),
            b'"' => {
                let end = skip_string(self.bytes, at).ok()?;
                self.value(Step::SkipString, at, end, depth)
            }
            _ => {
                let end = skip_outline(self.bytes, at).ok()?;
                self.value(Step::Skip, at, end, depth)
            }
        }
    }
}
