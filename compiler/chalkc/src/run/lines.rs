//! Newline-delimited messages from a file, standard input, or either of them compressed.
//!
//! A line is handed out as a slice of one growing buffer, so reading costs a copy of the bytes and nothing per line.
//! gzip and zstd are told by their first bytes, not by the name, so that a pipe works as well as a file.
//!
//! This file must not know what a message means.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Bytes asked of the reader at a time.
const CHUNK_SIZE_BYTES: usize = 1 << 20;

/// Counts the bytes that were read below decompression: what a progress bar is measured in.
struct Counted<R> {
    inner: R,
    bytes: std::sync::Arc<std::sync::atomic::AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.inner.read(buffer)?;
        self.bytes.fetch_add(bytes as u64, std::sync::atomic::Ordering::Relaxed);
        Ok(bytes)
    }
}

/// Reads lines.
pub struct LineReader {
    reader: Box<dyn Read>,
    buffer: Vec<u8>,
    /// Where the next line starts in `buffer`.
    start: usize,
    /// How far `buffer` was searched for a newline.
    searched: usize,
    at_end: bool,
    max_line_bytes: usize,
    consumed_bytes: std::sync::Arc<std::sync::atomic::AtomicU64>,
    size_bytes: Option<u64>,
}

impl LineReader {
    /// Opens a file, or standard input where the path is `-`.
    pub fn open(path: &Path, max_line_bytes: usize) -> io::Result<LineReader> {
        if path == Path::new("-") {
            return LineReader::new(Box::new(io::stdin().lock()), None, max_line_bytes);
        }
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder; give one file"));
        }
        let size_bytes = metadata.is_file().then_some(metadata.len());
        LineReader::new(Box::new(file), size_bytes, max_line_bytes)
    }

    /// Reads from anything; `size_bytes` is what it will give in all, where known.
    pub fn new(mut raw: Box<dyn Read>, size_bytes: Option<u64>, max_line_bytes: usize) -> io::Result<LineReader> {
        let mut head = Vec::with_capacity(ZSTD_MAGIC.len());
        raw.by_ref().take(ZSTD_MAGIC.len() as u64).read_to_end(&mut head)?;
        let (gzip, zstd) = (head.starts_with(&GZIP_MAGIC), head.starts_with(&ZSTD_MAGIC));
        let consumed_bytes = std::sync::Arc::default();
        let counted =
            Counted { inner: io::Cursor::new(head).chain(raw), bytes: std::sync::Arc::clone(&consumed_bytes) };
        let reader: Box<dyn Read> = if gzip {
            Box::new(MultiGzDecoder::new(io::BufReader::with_capacity(CHUNK_SIZE_BYTES, counted)))
        } else if zstd {
            Box::new(zstd::Decoder::new(counted)?)
        } else {
            Box::new(counted)
        };
        Ok(LineReader {
            reader,
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            at_end: false,
            max_line_bytes,
            consumed_bytes,
            size_bytes,
        })
    }

    /// Bytes taken from the file so far (before decompression).
    pub fn consumed_bytes(&self) -> u64 {
        self.consumed_bytes.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Bytes of the file, where known.
    pub fn size_bytes(&self) -> Option<u64> {
        self.size_bytes
    }

    /// Whether a whole line is in memory, so that `next_line` does not wait for more input.
    pub fn has_line(&mut self) -> bool {
        match find_newline(&self.buffer[self.searched..]) {
            Some(_) => true,
            None => {
                self.searched = self.buffer.len();
                false
            }
        }
    }

    /// The next line without its newline (`\n` or `\r\n`), or none at the end. A last line may lack its newline.
    /// A line longer than the limit is an error, because it is no longer certain that the input has lines at all.
    pub fn next_line(&mut self) -> io::Result<Option<&[u8]>> {
        loop {
            if let Some(length) = find_newline(&self.buffer[self.searched..]) {
                let end = self.searched + length;
                let line = self.start..end;
                self.start = end + 1;
                self.searched = self.start;
                return Ok(Some(without_carriage_return(&self.buffer[line])));
            }
            self.searched = self.buffer.len();
            if self.at_end {
                if self.start == self.buffer.len() {
                    return Ok(None);
                }
                let line = self.start..self.buffer.len();
                self.start = self.buffer.len();
                return Ok(Some(without_carriage_return(&self.buffer[line])));
            }
            if self.buffer.len() - self.start > self.max_line_bytes {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("a line is longer than {} bytes; is the input newline-delimited?", self.max_line_bytes),
                ));
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        let length = self.buffer.len();
        self.buffer.resize(length + CHUNK_SIZE_BYTES, 0);
        let bytes = loop {
            match self.reader.read(&mut self.buffer[length..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.buffer.truncate(length + *bytes.as_ref().unwrap_or(&0));
        self.at_end = bytes? == 0;
        Ok(())
    }
}

fn without_carriage_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn find_newline(bytes: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn lines(bytes: Vec<u8>) -> Vec<String> {
        let mut reader = LineReader::new(Box::new(io::Cursor::new(bytes)), None, 1 << 24).unwrap();
        let mut lines = Vec::new();
        while let Some(line) = reader.next_line().unwrap() {
            lines.push(String::from_utf8(line.to_vec()).unwrap());
        }
        lines
    }

    #[test]
    fn lines_end_with_a_newline_or_the_end() {
        assert_eq!(lines(b"a\nbc\r\n\nd".to_vec()), ["a", "bc", "", "d"]);
        assert_eq!(lines(b"a\n".to_vec()), ["a"]);
        assert_eq!(lines(Vec::new()), [""; 0]);
    }

    #[test]
    fn compressed_input_is_told_by_its_first_bytes() {
        let text: String = (0..200_000).map(|line| format!("line {line}\n")).collect();
        let expected: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        assert_eq!(lines(gzip.finish().unwrap()), expected);
        assert_eq!(lines(zstd::encode_all(text.as_bytes(), 1).unwrap()), expected);
        assert_eq!(lines(text.into_bytes()), expected);
    }

    #[test]
    fn damaged_compression_and_endless_lines_are_errors() {
        let mut cut = zstd::encode_all(&b"some text\n"[..], 1).unwrap();
        cut.truncate(cut.len() - 3);
        let mut reader = LineReader::new(Box::new(io::Cursor::new(cut)), None, 1 << 24).unwrap();
        assert!(std::iter::from_fn(|| reader.next_line().map(|line| line.map(|_| ())).transpose()).any(|r| r.is_err()));

        let mut reader = LineReader::new(Box::new(io::Cursor::new(vec![b'x'; 5 << 20])), None, 1 << 20).unwrap();
        let message = reader.next_line().unwrap_err().to_string();
        assert!(message.contains("newline-delimited"), "{message}");
    }
}
