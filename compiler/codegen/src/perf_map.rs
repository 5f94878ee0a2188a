//! Names of mapped code for perf, which looks into `/tmp/perf-PID.map`; written only where `CHALK_PERF_MAP=1` asks for it.
//!
//! An artifact needs none of this: perf reads the names from the mapped file.
//!
//! This file must not know how code is mapped.

use std::fs::OpenOptions;
use std::io::Write;

/// Adds functions, as address, size and name. Failing to do so is no reason to stop.
pub(crate) fn write<'a>(functions: impl Iterator<Item = (u64, u64, &'a str)>) {
    if std::env::var_os("CHALK_PERF_MAP").is_none_or(|value| value != "1") {
        return;
    }
    let path = format!("/tmp/perf-{}.map", std::process::id());
    let lines: String = functions.map(|(address, size, name)| format!("{address:x} {size:x} {name}\n")).collect();
    if let Ok(mut file) = OpenOptions::new().create(true).append(true).open(path) {
        let _ = file.write_all(lines.as_bytes());
    }
}
