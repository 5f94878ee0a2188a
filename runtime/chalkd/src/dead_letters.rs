//! The file of messages that failed: one JSON object per line, with the bytes, the position and the reason.
//!
//! Lines are on the disk before the commit that covers their messages, so none is ever missing; after a crash a message
//! may be there twice (its source, partition and offset say so). A line that a crash tore is removed at the next start,
//! since its message is computed again.
//!
//! This file must not know how messages are computed.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use chalk_artifact::manifest::Manifest;
use chalk_types::format_datetime;
use serde::Serialize;

use crate::pipeline::Failure;
use crate::state::store::StoreError;

/// The file; shared by all workers.
#[derive(Debug)]
pub struct DeadLetters {
    file: Mutex<File>,
    name: String,
}

/// Where a failed message came from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The source's name.
    pub source: &'a str,
    /// The topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The envelope's timestamp.
    pub timestamp_us: Option<i64>,
    /// The resolver; none where the message was not even read as a whole.
    pub resolver: Option<&'a str>,
}

#[derive(Serialize)]
struct Line<'a> {
    source: &'a str,
    topic: &'a str,
    partition: i32,
    offset: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolver: Option<&'a str>,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    byte_offset: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expression: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_base64: Option<String>,
}

/// Appends a dead letter to lines that are committed later.
pub fn write_line(out: &mut Vec<u8>, manifest: &Manifest, origin: &Origin<'_>, failure: &Failure, message: &[u8]) {
    let text = std::str::from_utf8(message).ok();
    let line = Line {
        source: origin.source,
        topic: origin.topic,
        partition: origin.partition,
        offset: origin.offset,
        timestamp: origin.timestamp_us.map(format_datetime),
        resolver: origin.resolver,
        reason: &failure.reason,
        path: failure.path.as_deref(),
        byte_offset: failure.byte_offset,
        expression: failure.site.and_then(|site| place_of(manifest, site)),
        message: text,
        message_base64: text.is_none().then(|| base64::engine::general_purpose::STANDARD.encode(message)),
    };
    serde_json::to_writer(&mut *out, &line).expect("writing JSON to memory cannot fail");
    out.push(b'\n');
}

/// `users.chalk:12:5 \`msg.a + msg.b\``
fn place_of(manifest: &Manifest, site: u32) -> Option<String> {
    let site = manifest.sites.get(site as usize)?;
    let file = manifest.files.get(site.file as usize)?;
    Some(format!("{file}:{}:{} `{}`", site.line, site.column, site.source))
}

impl DeadLetters {
    /// Opens or creates the file, and removes a line that was not written to its end.
    pub fn open(path: &Path) -> Result<DeadLetters, StoreError> {
        let name = path.display().to_string();
        let open = || -> io::Result<File> {
            if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
                fs::create_dir_all(dir)?;
            }
            let mut file = File::options().create(true).read(true).append(true).open(path)?;
            let whole = end_of_last_line(&mut file)?;
            file.set_len(whole)?;
            Ok(file)
        };
        let file = open().map_err(|error| StoreError(format!("cannot open the dead letter file `{name}`: {error}")))?;
        Ok(DeadLetters { file: Mutex::new(file), name })
    }

    /// Appends lines; with `sync` they are on the disk when this returns.
    pub fn append(&self, lines: &[u8], sync: bool) -> Result<(), StoreError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let written = file.write_all(lines).and_then(|()| if sync { file.sync_data() } else { Ok(()) });
        written.map_err(|error| StoreError(format!("cannot write the dead letter file `{}`: {error}", self.name)))
    }
}

/// Where the last whole line of a file ends.
fn end_of_last_line(file: &mut File) -> io::Result<u64> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut chunk = vec![0; 1 << 16];
    while end > 0 {
        let start = end.saturating_sub(chunk.len() as u64);
        let size = (end - start) as usize;
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut chunk[..size])?;
        if let Some(at) = chunk[..size].iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use chalk_artifact::manifest::Site;

    use super::*;

    const ORIGIN: Origin<'_> = Origin {
        source: "orders",
        topic: "orders_v1",
        partition: 3,
        offset: 42,
        timestamp_us: Some(1_700_000_000_000_000),
        resolver: Some("get_orders"),
    };

    #[test]
    fn a_line_says_what_failed_where_and_why() {
        let manifest = Manifest {
            files: vec!["orders.chalk".into()],
            sites: vec![Site {
                file: 0,
                line: 7,
                column: 3,
                source: "msg.a % 0".into(),
                reason: "modulo by zero".into(),
            }],
            ..Manifest::default()
        };
        let mut lines = Vec::new();
        let failure = Failure { row: 0, reason: "modulo by zero".into(), site: Some(0), ..Failure::default() };
        write_line(&mut lines, &manifest, &ORIGIN, &failure, b"{\"a\":1}");
        assert_eq!(
            String::from_utf8(lines).unwrap(),
            "{\"source\":\"orders\",\"topic\":\"orders_v1\",\"partition\":3,\"offset\":42,\"timestamp\":\"2023-11-14T22:13:20Z\",\
             \"resolver\":\"get_orders\",\"reason\":\"modulo by zero\",\"expression\":\"orders.chalk:7:3 `msg.a % 0`\",\
             \"message\":\"{\\\"a\\\":1}\"}\n"
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_base64() {
        let mut lines = Vec::new();
        let failure = Failure { reason: "not UTF-8".into(), byte_offset: Some(0), ..Failure::default() };
        write_line(&mut lines, &Manifest::default(), &ORIGIN, &failure, &[0xff, 0x00]);
        let line: serde_json::Value = serde_json::from_slice(&lines).unwrap();
        assert_eq!(
            (&line["message_base64"], line.get("message"), &line["byte_offset"]),
            (&"/wA=".into(), None, &0.into())
        );
    }

    #[test]
    fn a_torn_line_is_removed_at_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub").join("dead_letters.ndjson");
        DeadLetters::open(&path).unwrap().append(b"{\"whole\":1}\n{\"torn", true).unwrap();
        DeadLetters::open(&path).unwrap().append(b"{\"next\":1}\n", true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"whole\":1}\n{\"next\":1}\n");
    }
}
