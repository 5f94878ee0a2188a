//! Messages as fixtures: one a line, and a line `#! {…}` before one for what its envelope carries.
//!
//! The envelope's line is JSON: `topic`, `partition`, `offset`, `key` (text), `timestamp` (microseconds since the epoch), `headers`
//! (`[["name", "value"], …]`), and `message_base64` for bytes that are no line of text; that one is the message itself.
//! A line that begins with `# ` is a comment.
//!
//! This file must not know what becomes of messages.

use base64::Engine as _;
use chalk_engine::Envelope;
use serde_json::Value;

/// A message with its envelope.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// What it says.
    pub bytes: Vec<u8>,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i64,
    /// The position in the partition.
    pub offset: i64,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// When the broker got it.
    pub timestamp_us: Option<i64>,
    /// In order; a name may stand twice.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Message {
    /// A message of topic `topic` at that offset, without key, time and headers.
    pub fn new(bytes: impl Into<Vec<u8>>, offset: i64) -> Message {
        Message { bytes: bytes.into(), topic: "topic".to_owned(), offset, ..Message::default() }
    }

    /// The envelope, for the engine.
    pub fn with_envelope<R>(&self, use_it: impl FnOnce(&Envelope<'_>) -> R) -> R {
        let headers: Vec<(&str, &[u8])> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        use_it(&Envelope {
            topic: &self.topic,
            partition: self.partition,
            offset: self.offset,
            key: self.key.as_deref(),
            timestamp_us: self.timestamp_us,
            headers: &headers,
        })
    }

    /// The value of the last header of that name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().rev().find(|(header, _)| header == name).map(|(_, value)| value.as_slice())
    }
}

/// Reads the messages of a fixture.
pub fn read(text: &str) -> Result<Vec<Message>, String> {
    let mut messages: Vec<Message> = Vec::new();
    let mut next = Message::new(Vec::new(), 0);
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("# ") || line.is_empty() {
            continue;
        }
        let complete = match line.strip_prefix("#!") {
            Some(envelope) => {
                read_envelope(envelope, &mut next).map_err(|error| format!("line {}: {error}", number + 1))?
            }
            None => {
                next.bytes = line.as_bytes().to_vec();
                true
            }
        };
        if complete {
            messages.push(next);
            next = Message::new(Vec::new(), messages.len() as i64);
        }
    }
    Ok(messages)
}

/// Fills an envelope; true where the message itself was in it.
fn read_envelope(text: &str, message: &mut Message) -> Result<bool, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let Value::Object(fields) = value else { return Err("an envelope is a JSON object".to_owned()) };
    let mut complete = false;
    for (name, value) in &fields {
        let wrong = || format!("`{name}` cannot be {value}");
        let text = || value.as_str().map(|text| text.as_bytes().to_vec()).ok_or_else(wrong);
        match name.as_str() {
            "topic" => message.topic = value.as_str().ok_or_else(wrong)?.to_owned(),
            "partition" => message.partition = value.as_i64().ok_or_else(wrong)?,
            "offset" => message.offset = value.as_i64().ok_or_else(wrong)?,
            "key" => message.key = Some(text()?),
            "timestamp" => message.timestamp_us = Some(value.as_i64().ok_or_else(wrong)?),
            "headers" => {
                for header in value.as_array().ok_or_else(wrong)? {
                    match (header[0].as_str(), header[1].as_str()) {
                        (Some(name), Some(value)) => message.headers.push((name.to_owned(), value.into())),
                        _ => return Err(wrong()),
                    }
                }
            }
            "message_base64" => {
                let engine = base64::engine::general_purpose::STANDARD;
                message.bytes = engine.decode(text()?).map_err(|error| error.to_string())?;
                complete = true;
            }
            _ => return Err(format!("an envelope has no `{name}`")),
        }
    }
    Ok(complete)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_lines_and_envelopes_stand_before_them() {
        let text = "# says hello\n{\"a\":1}\n#! {\"key\": \"k\", \"headers\": [[\"x\", \"1\"], [\"x\", \"2\"]]}\n{}\n\
                    #! {\"message_base64\": \"/wA=\"}\n{\"b\":2}\n";
        let messages = read(text).expect("well formed");
        assert_eq!(messages.iter().map(|message| message.offset).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert_eq!(messages[1].header("x"), Some(&b"2"[..]));
        assert_eq!(messages[1].key.as_deref(), Some(&b"k"[..]));
        assert_eq!(messages[2].bytes, [0xff, 0]);
        assert_eq!(messages[3], Message::new(*b"{\"b\":2}", 3));
        assert!(read("#! {\"keys\": 1}\n{}").unwrap_err().contains("no `keys`"));
    }
}
