//! What became of a message, in a form in which two implementations can be compared and a fixture can state it.
//!
//! This file must not know who computed it.

use std::fmt;

use chalk_types::format_datetime;

use crate::json::string_text;

/// The fate of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It became features.
    Applied {
        /// JSON object: fully qualified names in order of output.
        features: String,
        /// When it happened, where the resolver says so.
        event_time_us: Option<i64>,
    },
    /// A `where` did not keep it.
    Filtered,
    /// `parse` gave `none`.
    Skipped,
    /// It came after the source's deadline.
    Late,
    /// It failed.
    DeadLetter {
        /// What went wrong.
        reason: String,
        /// Where.
        place: Place,
    },
}

/// Where a message failed.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// In its own bytes.
    Message {
        /// The field, if one is at fault.
        path: Option<String>,
        /// The byte.
        byte: Option<usize>,
    },
    /// In an expression.
    Source {
        /// The file.
        file: String,
        /// From 1.
        line: u32,
        /// From 1.
        column: u32,
    },
}

impl fmt::Display for Outcome {
    /// One line of JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Applied { features, event_time_us: None } => write!(f, "{{\"features\":{features}}}"),
            Outcome::Applied { features, event_time_us: Some(time) } => {
                write!(f, "{{\"event_time\":\"{}\",\"features\":{features}}}", format_datetime(*time))
            }
            Outcome::Filtered => f.write_str("{\"fate\":\"filtered\"}"),
            Outcome::Skipped => f.write_str("{\"fate\":\"skipped\"}"),
            Outcome::Late => f.write_str("{\"fate\":\"late\"}"),
            Outcome::DeadLetter { reason, place } => {
                write!(f, "{{\"fate\":\"dead_letter\",\"reason\":{}", string_text(reason))?;
                match place {
                    Place::Message { path, byte } => {
                        if let Some(path) = path {
                            write!(f, ",\"path\":{}", string_text(path))?;
                        }
                        if let Some(byte) = byte {
                            write!(f, ",\"byte\":{byte}")?;
                        }
                    }
                    Place::Source { file, line, column } => {
                        write!(f, ",\"at\":{}", string_text(&format!("{file}:{line}:{column}")))?;
                    }
                }
                f.write_str("}")
            }
        }
    }
}
