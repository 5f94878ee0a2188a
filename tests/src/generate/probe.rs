//! One try: do the messages of a package mean and become the same? Here, or in a process that may die of it.
//!
//! Generated code that is wrong can end the process; a try that might do so is handed to a child, as text on its standard input.
//!
//! This file must not know where packages come from.

use std::cell::RefCell;
use std::io::{Read as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chalk_decode::Tier;
use serde_json::{Value, json};

use super::worker;
use crate::message::Message;
use crate::oracle::{Bug, Difference, Oracle, tiers};
use crate::outcome::Outcome;
use chalkc::compile::{Checked, check};

/// Why a package is no success.
pub(super) enum Failure {
    /// Two ways of running differ.
    Different(Box<Difference>),
    /// A stage gave up or panicked.
    Broken(String),
    /// The process ended.
    Crashed,
}

impl Failure {
    /// Whether another failure is of the same sort, so that shrinking does not wander off to another bug.
    pub(super) fn is_like(&self, other: &Failure) -> bool {
        match (self, other) {
            (Failure::Different(a), Failure::Different(b)) => {
                std::mem::discriminant(&a.meaning) == std::mem::discriminant(&b.meaning)
                    && std::mem::discriminant(&a.found) == std::mem::discriminant(&b.found)
            }
            (Failure::Broken(a), Failure::Broken(b)) => a.split(": ").next() == b.split(": ").next(),
            (Failure::Crashed, Failure::Crashed) => true,
            _ => false,
        }
    }
}

thread_local! {
    /// Text and place of the latest panic of this thread.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps panics quiet, but for their text and place: tries that fail are the daily bread of a shrinker.
pub(super) fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| {
        let text = info.to_string().replace('\n', " ");
        // The text goes where a parent finds it if this panic ends the process.
        eprintln!("{text}");
        PANIC.with(|panic| panic.replace(text));
    }));
}

/// Runs messages through every way.
pub(super) fn attempt(
    checked: &Checked,
    messages: &[Vec<Message>],
    planted: Option<Bug>,
    tiers: &[Tier],
) -> Result<Vec<Outcome>, Failure> {
    let run = || {
        let mut oracle = Oracle::new(checked).map_err(Failure::Broken)?;
        if let Some(bug) = planted {
            oracle.plant(bug);
        }
        let mut outcomes = Vec::new();
        for (resolver, messages) in messages.iter().enumerate() {
            outcomes.extend(oracle.run(resolver, messages, tiers).map_err(Failure::Different)?);
        }
        Ok(outcomes)
    };
    PANIC.with(|panic| panic.borrow_mut().clear());
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let place = PANIC.with(|panic| panic.borrow().clone());
        let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Err(Failure::Broken(if place.is_empty() { text.unwrap_or("a panic").to_owned() } else { place }))
    })
}

/// Whether a process that runs these messages dies; what it said last.
pub(super) fn dies(files: &[(String, String)], messages: &[Vec<Message>]) -> Option<String> {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .env(worker::VARIABLE, "probe")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a child process");
    let mut input = child.stdin.take().expect("piped");
    // A child that dies early does not read to the end.
    let _ = input.write_all(to_json(files, messages).to_string().as_bytes());
    drop(input);
    let output = child.wait_with_output().expect("a child process");
    (output.status.code().is_none()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The child's side of `dies`.
pub(super) fn serve() {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).expect("the parent writes UTF-8");
    let (files, messages) = from_json(&serde_json::from_str(&text).expect("the parent writes JSON"));
    let checked = check(&files);
    if checked.is_ok() {
        let _ = attempt(&checked, &messages, None, &tiers());
    }
}

fn to_json(files: &[(String, String)], messages: &[Vec<Message>]) -> Value {
    let bytes = |bytes: &[u8]| STANDARD.encode(bytes);
    let messages: Vec<Vec<Value>> = messages
        .iter()
        .map(|messages| {
            let messages = messages.iter().map(|message| {
                let headers: Vec<_> = message.headers.iter().map(|(name, value)| json!([name, bytes(value)])).collect();
                json!({
                    "bytes": bytes(&message.bytes), "topic": message.topic, "partition": message.partition,
                    "offset": message.offset, "key": message.key.as_deref().map(bytes),
                    "timestamp": message.timestamp_us, "headers": headers,
                })
            });
            messages.collect()
        })
        .collect();
    json!({ "files": files, "messages": messages })
}

fn from_json(value: &Value) -> (Vec<(String, String)>, Vec<Vec<Message>>) {
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let bytes = |value: &Value| STANDARD.decode(value.as_str().unwrap_or_default()).expect("the parent writes base64");
    let message = |value: &Value| Message {
        bytes: bytes(&value["bytes"]),
        topic: text(&value["topic"]),
        partition: value["partition"].as_i64().unwrap_or_default(),
        offset: value["offset"].as_i64().unwrap_or_default(),
        key: (!value["key"].is_null()).then(|| bytes(&value["key"])),
        timestamp_us: value["timestamp"].as_i64(),
        headers: items(&value["headers"]).iter().map(|header| (text(&header[0]), bytes(&header[1]))).collect(),
    };
    let files = items(&value["files"]).iter().map(|file| (text(&file[0]), text(&file[1]))).collect();
    let messages =
        items(&value["messages"]).iter().map(|messages| items(messages).iter().map(message).collect()).collect();
    (files, messages)
}
