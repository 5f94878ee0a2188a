//! Writes the messages of the benches to a file, one a line: `write_messages SHAPE BYTES FILE`.
//!
//! Whoever is compared over files (see `peers/run.sh`) reads the very messages that the decode bench holds in memory. The same arguments
//! give the same bytes.
//!
//! This file must not know who reads them.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::process::ExitCode;

use chalk_benches::messages::{SEED, Shape, Style, transaction, user, wide};

/// Messages whose mean size says how many messages a file takes.
const SAMPLE: usize = 1000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [shape, size_bytes, path] = &arguments[..] else {
        eprintln!("usage: write_messages user|transaction|wide BYTES FILE");
        return ExitCode::FAILURE;
    };
    let shape = match shape.as_str() {
        "user" => user(),
        "transaction" => transaction(),
        "wide" => wide(),
        other => {
            eprintln!("there is no shape `{other}`; there are user, transaction and wide");
            return ExitCode::FAILURE;
        }
    };
    let Ok(size_bytes) = size_bytes.parse() else {
        eprintln!("`{size_bytes}` is no number of bytes");
        return ExitCode::FAILURE;
    };
    match write(&shape, size_bytes, path) {
        Ok((count, written_bytes)) => {
            let name = shape.name;
            eprintln!("{path}: {count} messages of the shape {name}, {written_bytes} bytes, seed {SEED:#x}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("cannot write {path}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes about so many bytes; gives how many messages and bytes they became.
fn write(shape: &Shape, size_bytes: usize, path: &str) -> io::Result<(usize, usize)> {
    let mut sample_bytes = 0;
    shape.each(SAMPLE, Style::Compact, |message| sample_bytes += message.len() + 1);
    let count = (size_bytes as f64 / sample_bytes as f64 * SAMPLE as f64).round() as usize;
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut written_bytes = 0;
    let mut result = Ok(());
    shape.each(count, Style::Compact, |message| {
        if result.is_ok() {
            result = file.write_all(message).and_then(|()| file.write_all(b"\n"));
            written_bytes += message.len() + 1;
        }
    });
    result?;
    file.flush()?;
    Ok((count, written_bytes))
}
