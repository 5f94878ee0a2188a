//! What became of messages that failed: a line for people, and a record that can be run again.
//!
//! This file must not know how messages are read or computed.

use std::fmt::Write as _;
use std::io::{self, Write};

use base64::Engine as _;
use chalk_artifact::manifest::Manifest;
use chalk_engine::json::write_string;
use chalk_engine::{InputBatch, RowError};

/// Where a failed message came from.
pub struct Origin<'a> {
    /// The source's name.
    pub source: &'a str,
    /// The file, as the user named it.
    pub file: &'a str,
    /// The resolver.
    pub resolver: &'a str,
}

/// One line: where, what, and which expression.
pub fn describe(manifest: &Manifest, origin: &Origin<'_>, input: &InputBatch, error: &RowError) -> String {
    let mut text = format!("{}:{}: ", origin.file, input.offset(error.row) + 1);
    if let Some(path) = &error.path {
        let _ = write!(text, "{path}: ");
    }
    text.push_str(&error.reason);
    if let Some(byte_offset) = error.byte_offset {
        let _ = write!(text, " (byte {byte_offset})");
    }
    if let Some(place) = error.site.and_then(|site| place_of(manifest, site)) {
        let _ = write!(text, ", at {place}");
    }
    let _ = write!(text, " [{}]", origin.resolver);
    text
}

fn place_of(manifest: &Manifest, site: u32) -> Option<String> {
    let site = manifest.sites.get(site as usize)?;
    let file = manifest.files.get(site.file as usize)?;
    Some(format!("{file}:{}:{} `{}`", site.line, site.column, site.source))
}

/// Appends a dead letter as one JSON line.
pub fn write(
    out: &mut dyn Write,
    manifest: &Manifest,
    origin: &Origin<'_>,
    input: &InputBatch,
    error: &RowError,
) -> io::Result<()> {
    let mut line = Vec::new();
    let mut field = |name: &str, value: &dyn Fn(&mut Vec<u8>)| {
        line.extend_from_slice(if line.is_empty() { b"{" } else { b"," });
        write_string(&mut line, name);
        line.push(b':');
        value(&mut line);
    };
    let text = |text: &str| {
        let text = text.to_owned();
        move |line: &mut Vec<u8>| write_string(line, &text)
    };
    field("source", &text(origin.source));
    field("file", &text(origin.file));
    field("line", &|line| line.extend_from_slice((input.offset(error.row) + 1).to_string().as_bytes()));
    field("resolver", &text(origin.resolver));
    field("reason", &text(&error.reason));
    if let Some(path) = &error.path {
        field("path", &text(path));
    }
    if let Some(byte_offset) = error.byte_offset {
        field("byte_offset", &|line| line.extend_from_slice(byte_offset.to_string().as_bytes()));
    }
    if let Some(place) = error.site.and_then(|site| place_of(manifest, site)) {
        field("expression", &text(&place));
    }
    let message = input.message(error.row);
    match std::str::from_utf8(message) {
        Ok(message) => field("message", &text(message)),
        Err(_) => field("message_base64", &text(&base64::engine::general_purpose::STANDARD.encode(message))),
    }
    line.extend_from_slice(b"}\n");
    out.write_all(&line)
}
