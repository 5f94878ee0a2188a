//! Reads lines of a file and can go on at any of them.
//!
//! The reader keeps its own buffer and lends slices of it, so a line is copied once from the file and once into the
//! batch. A position is the line's number and its byte offset in the decompressed text: an ordinary file is seeked, a
//! compressed one is read up to there.
//!
//! This file must not know what a line means.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::options::SourceOptions;
use crate::source::{Assigned, Envelope, MessageSink, Polled, Position, SourceError, SourceReader, StartPositions};

/// Bytes asked of the file at once.
const READ_SIZE_BYTES: usize = 1 << 20;
/// How often a followed file is looked at.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(20);

/// Where bytes come from.
enum Input {
    /// A file: reading never waits for long.
    File(Box<dyn Read + Send>),
    /// A pipe: read by a thread of its own, so that a worker that has something to commit never waits for the other
    /// end.
    Pipe(Receiver<io::Result<Vec<u8>>>),
}

/// What reading came to.
#[derive(PartialEq)]
enum Filled {
    Bytes,
    NothingYet,
    End,
}

/// A file's reader.
pub struct FileReader {
    /// The source's name, which is what its envelopes carry: a path differs from machine to machine.
    name: String,
    path: String,
    input: Input,
    skip_blank: bool,
    follow: bool,
    max_line_bytes: usize,
    /// Read and not yet handed over: `buffer[start..end]`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Up to where `buffer` is known to hold no line end.
    searched: usize,
    /// The head of a line that is too long, and how many of its bytes have been passed over.
    cut: Option<(Vec<u8>, usize)>,
    at_end: bool,
    next: Position,
}

/// Opens the file of a source at its stored position.
pub fn open(
    name: &str,
    options: &SourceOptions,
    start: &StartPositions,
    assigned: &Assigned,
) -> Result<Vec<Box<dyn SourceReader>>, SourceError> {
    let reader =
        FileReader::open(name, options, start(0)).map_err(|error| SourceError(format!("source `{name}`: {error}")))?;
    assigned(&[0]);
    Ok(vec![Box::new(reader)])
}

impl FileReader {
    /// Opens the file that the options name.
    pub fn open(name: &str, options: &SourceOptions, start: Option<Position>) -> Result<FileReader, SourceError> {
        let path = options.string("path").unwrap_or_default().to_owned();
        let follow = options.bool("follow").unwrap_or(false);
        let max_line_bytes = options.int("max_line_bytes").unwrap_or(16 << 20);
        let Ok(max_line_bytes @ 1..) = usize::try_from(max_line_bytes) else {
            return Err(SourceError(format!("`max_line_bytes` is {max_line_bytes}; it must be at least 1")));
        };
        let compressed = path.ends_with(".gz") || path.ends_with(".zst");
        if follow && compressed {
            return Err(SourceError(format!("`{path}` is compressed, so it cannot be followed")));
        }
        let mut next = start.unwrap_or_default();
        let input = if path == "-" {
            pipe(io::stdin(), &mut next)
        } else {
            let mut file = File::open(&path).map_err(|error| SourceError(format!("cannot open `{path}`: {error}")))?;
            let failed = |error: io::Error| SourceError(format!("cannot read `{path}`: {error}"));
            if path.ends_with(".gz") {
                let mut input = flate2::read::MultiGzDecoder::new(file);
                skip(&mut input, &path, next.byte_offset)?;
                Input::File(Box::new(input))
            } else if path.ends_with(".zst") {
                let mut input = zstd::stream::read::Decoder::new(file).map_err(failed)?;
                skip(&mut input, &path, next.byte_offset)?;
                Input::File(Box::new(input))
            } else {
                let metadata = file.metadata().map_err(failed)?;
                if !metadata.is_file() {
                    pipe(file, &mut next)
                } else if metadata.len() < next.byte_offset {
                    return Err(shrunk(&path, metadata.len(), next.byte_offset));
                } else {
                    file.seek(SeekFrom::Start(next.byte_offset)).map_err(failed)?;
                    Input::File(Box::new(file))
                }
            }
        };
        Ok(FileReader {
            name: name.to_owned(),
            path,
            input,
            skip_blank: options.string("format") != Some("lines"),
            follow,
            max_line_bytes,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            searched: 0,
            cut: None,
            at_end: false,
            next,
        })
    }

    /// Reads more behind what is there.
    fn fill(&mut self, wait: Duration) -> Result<Filled, SourceError> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.searched -= self.start;
            self.start = 0;
        }
        let failed = |error| SourceError(format!("cannot read `{}`: {error}", self.path));
        match &mut self.input {
            Input::File(file) => {
                if self.buffer.len() < self.end + READ_SIZE_BYTES {
                    self.buffer.resize(self.end + READ_SIZE_BYTES, 0);
                }
                loop {
                    match file.read(&mut self.buffer[self.end..]) {
                        Ok(0) => return Ok(Filled::End),
                        Ok(count) => {
                            self.end += count;
                            return Ok(Filled::Bytes);
                        }
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(failed(error)),
                    }
                }
            }
            Input::Pipe(chunks) => match chunks.recv_timeout(wait) {
                Ok(Ok(chunk)) => {
                    self.buffer.truncate(self.end);
                    self.buffer.extend_from_slice(&chunk);
                    self.end = self.buffer.len();
                    Ok(Filled::Bytes)
                }
                Ok(Err(error)) => Err(failed(error)),
                Err(RecvTimeoutError::Timeout) => Ok(Filled::NothingYet),
                Err(RecvTimeoutError::Disconnected) => Ok(Filled::End),
            },
        }
    }

    /// The extent of the next line in the buffer, without its end, and how many bytes it takes up; `None` where the
    /// buffer holds no whole line.
    fn find_line(&mut self) -> Option<(usize, usize)> {
        match memchr::memchr(b'\n', &self.buffer[self.searched..self.end]) {
            Some(at) => {
                let line_end = self.searched + at;
                let size = line_end - self.start;
                let size = if self.buffer[..line_end].ends_with(b"\r") && size > 0 { size - 1 } else { size };
                Some((size, line_end + 1 - self.start))
            }
            None => {
                self.searched = self.end;
                None
            }
        }
    }

    /// Hands over the next `size` bytes of the buffer and passes over `taken`; returns whether it was a message.
    fn emit(&mut self, size: usize, taken: usize, problem: Option<&str>, sink: &mut dyn MessageSink) -> bool {
        let line = &self.buffer[self.start..self.start + size];
        let after = Position { offset: self.next.offset + 1, byte_offset: self.next.byte_offset + taken as u64 };
        let is_message = !(self.skip_blank && problem.is_none() && line.iter().all(u8::is_ascii_whitespace));
        if is_message {
            sink.message(line, &envelope(&self.name, self.next.offset), after, problem);
        }
        self.next = after;
        self.consume(taken);
        is_message
    }

    fn consume(&mut self, taken: usize) {
        self.start += taken;
        self.searched = self.searched.max(self.start);
    }

    /// Passes over the rest of a line that is too long, as far as it has been read, and hands over its head when its
    /// end
    /// has been found: only then its position is known. Returns whether it was handed over.
    fn discard(&mut self, at_end: bool, sink: &mut dyn MessageSink) -> bool {
        let Some((head, mut passed)) = self.cut.take() else { return false };
        let rest = memchr::memchr(b'\n', &self.buffer[self.start..self.end]);
        let taken = rest.map_or(self.end - self.start, |at| at + 1);
        passed += taken;
        self.consume(taken);
        if rest.is_none() && !at_end {
            self.cut = Some((head, passed));
            return false;
        }
        let after = Position { offset: self.next.offset + 1, byte_offset: self.next.byte_offset + passed as u64 };
        sink.message(&head, &envelope(&self.name, self.next.offset), after, Some(&self.too_long()));
        self.next = after;
        true
    }

    fn too_long(&self) -> String {
        format!("the line is longer than max_line_bytes ({})", self.max_line_bytes)
    }
}

impl SourceReader for FileReader {
    fn poll(
        &mut self,
        max_messages: usize,
        wait: Duration,
        _latency: Duration,
        sink: &mut dyn MessageSink,
    ) -> Result<Polled, SourceError> {
        let mut count = 0;
        let deadline = Instant::now() + wait;
        while count < max_messages {
            if self.cut.is_some() {
                if self.discard(false, sink) {
                    count += 1;
                    continue;
                }
            } else if let Some((size, taken)) = self.find_line() {
                let problem = (size > self.max_line_bytes).then(|| self.too_long());
                count += usize::from(self.emit(size.min(self.max_line_bytes), taken, problem.as_deref(), sink));
                continue;
            } else if self.end - self.start > self.max_line_bytes + 1 {
                let head = self.buffer[self.start..self.start + self.max_line_bytes].to_vec();
                self.cut = Some((head, 0));
                continue;
            }
            // What has come over a pipe is handed over before more is waited for.
            let remaining = if count > 0 { Duration::ZERO } else { deadline.saturating_duration_since(Instant::now()) };
            let filled = if self.at_end { Filled::End } else { self.fill(remaining)? };
            match filled {
                Filled::Bytes => {}
                Filled::NothingYet => break,
                Filled::End if self.follow => {
                    if remaining.is_zero() {
                        break;
                    }
                    thread::sleep(FOLLOW_INTERVAL.min(remaining));
                }
                Filled::End => {
                    self.at_end = true;
                    if self.cut.is_some() {
                        count += usize::from(self.discard(true, sink));
                    } else if self.start < self.end {
                        let size = self.end - self.start;
                        let problem = (size > self.max_line_bytes).then(|| self.too_long());
                        count += usize::from(self.emit(size.min(self.max_line_bytes), size, problem.as_deref(), sink));
                    }
                    return Ok(if count > 0 { Polled::Messages(count) } else { Polled::End });
                }
            }
        }
        Ok(Polled::Messages(count))
    }

    fn committed(&mut self, _positions: &[(i32, Position)]) {}
}

fn envelope(name: &str, line: i64) -> Envelope<'_> {
    Envelope { topic: name, partition: 0, offset: line, key: None, timestamp_us: None, headers: &[] }
}

/// A pipe cannot be resumed: it starts anew, but its lines are numbered on, so that they count as later ones.
fn pipe(mut input: impl Read + Send + 'static, next: &mut Position) -> Input {
    next.byte_offset = 0;
    let (sender, receiver) = sync_channel(4);
    thread::spawn(move || {
        let mut chunk = vec![0; 1 << 16];
        loop {
            let read = match input.read(&mut chunk) {
                Ok(0) => return,
                Ok(count) => Ok(chunk[..count].to_vec()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let failed = read.is_err();
            if sender.send(read).is_err() || failed {
                return;
            }
        }
    });
    Input::Pipe(receiver)
}

fn shrunk(path: &str, size_bytes: u64, wanted: u64) -> SourceError {
    SourceError(format!(
        "`{path}` has {size_bytes} bytes, but {wanted} of it were read before: it is another file now. \
         Give it another name, or start with another data_dir to read it anew"
    ))
}

/// Passes over the decompressed bytes that were read before.
fn skip(input: &mut impl Read, path: &str, size_bytes: u64) -> Result<(), SourceError> {
    let skipped = io::copy(&mut input.take(size_bytes), &mut io::sink())
        .map_err(|error| SourceError(format!("cannot read `{path}`: {error}")))?;
    if skipped < size_bytes { Err(shrunk(path, skipped, size_bytes)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::options::OptionValue;

    #[derive(Default)]
    struct Lines(Vec<(i64, Vec<u8>, Position, bool)>);

    impl MessageSink for Lines {
        fn message(&mut self, value: &[u8], envelope: &Envelope<'_>, next: Position, problem: Option<&str>) {
            self.0.push((envelope.offset, value.to_vec(), next, problem.is_some()));
        }
        fn warning(&mut self, text: &str) {
            panic!("{text}");
        }
    }

    fn options(path: &std::path::Path, more: &[(&str, OptionValue)]) -> SourceOptions {
        let mut options = SourceOptions::default();
        options.values.insert("path".into(), OptionValue::String(path.to_str().unwrap().into()));
        options.values.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        options
    }

    fn read_all(reader: &mut FileReader, max_messages: usize) -> Vec<(i64, Vec<u8>, Position, bool)> {
        let mut lines = Lines::default();
        while reader.poll(max_messages, Duration::ZERO, Duration::ZERO, &mut lines).unwrap() != Polled::End {}
        lines.0
    }

    fn text_of(lines: &[(i64, Vec<u8>, Position, bool)]) -> Vec<&str> {
        lines.iter().map(|line| std::str::from_utf8(&line.1).unwrap()).collect()
    }

    #[test]
    fn lines_are_messages_and_every_position_can_be_resumed() {
        let dir = tempfile::tempdir().unwrap();
        let text = b"{\"a\":1}\n\n{\"a\":2}\r\n   \n{\"a\":3}";
        let (plain, gz, zst) = (dir.path().join("x"), dir.path().join("x.gz"), dir.path().join("x.zst"));
        std::fs::write(&plain, text).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(File::create(&gz).unwrap(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap();
        std::fs::write(&zst, zstd::encode_all(&text[..], 1).unwrap()).unwrap();
        for path in [plain, gz, zst] {
            for max_messages in [1, 2, 100] {
                let all = read_all(&mut FileReader::open("lines", &options(&path, &[]), None).unwrap(), max_messages);
                assert_eq!(text_of(&all), ["{\"a\":1}", "{\"a\":2}", "{\"a\":3}"]);
                assert_eq!(all.iter().map(|line| line.0).collect::<Vec<_>>(), [0, 2, 4]);
                for (index, line) in all.iter().enumerate() {
                    let mut resumed = FileReader::open("lines", &options(&path, &[]), Some(line.2)).unwrap();
                    assert_eq!(read_all(&mut resumed, max_messages), all[index + 1..], "{path:?}");
                }
            }
        }
    }

    #[test]
    fn with_format_lines_an_empty_line_is_a_message() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, "a\n\nb\n").unwrap();
        let lines = options(&path, &[("format", OptionValue::String("lines".into()))]);
        assert_eq!(text_of(&read_all(&mut FileReader::open("lines", &lines, None).unwrap(), 10)), ["a", "", "b"]);
    }

    #[test]
    fn a_line_that_is_too_long_is_reported_with_its_head_and_its_neighbours_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let long = "x".repeat(5 * READ_SIZE_BYTES);
        for long in [&long[..], &long[..20]] {
            std::fs::write(&path, format!("first\n{long}\nlast\n")).unwrap();
            let limited = options(&path, &[("max_line_bytes", OptionValue::Int(10))]);
            let all = read_all(&mut FileReader::open("lines", &limited, None).unwrap(), 1);
            assert_eq!(text_of(&all), ["first", "xxxxxxxxxx", "last"]);
            assert_eq!(all.iter().map(|line| line.3).collect::<Vec<_>>(), [false, true, false]);
            assert_eq!(all[2].0, 2);
            let resumed = read_all(&mut FileReader::open("lines", &limited, Some(all[0].2)).unwrap(), 10);
            assert_eq!(text_of(&resumed), ["xxxxxxxxxx", "last"]);
            let resumed = read_all(&mut FileReader::open("lines", &limited, Some(all[1].2)).unwrap(), 10);
            assert_eq!(text_of(&resumed), ["last"]);
        }
    }

    #[test]
    fn a_followed_file_gives_what_is_appended_and_leaves_half_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, "a\nhalf").unwrap();
        let follow = options(&path, &[("follow", OptionValue::Bool(true))]);
        let mut reader = FileReader::open("lines", &follow, None).unwrap();
        let mut lines = Lines::default();
        assert_eq!(reader.poll(10, Duration::ZERO, Duration::ZERO, &mut lines).unwrap(), Polled::Messages(1));
        assert_eq!(reader.poll(10, Duration::ZERO, Duration::ZERO, &mut lines).unwrap(), Polled::Messages(0));
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b" and half\nc\n").unwrap();
        assert_eq!(reader.poll(10, Duration::ZERO, Duration::ZERO, &mut lines).unwrap(), Polled::Messages(2));
        assert_eq!(text_of(&lines.0), ["a", "half and half", "c"]);
    }

    #[test]
    fn a_file_that_became_shorter_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, "a\n").unwrap();
        let far = Position { offset: 9, byte_offset: 99 };
        let error = FileReader::open("lines", &options(&path, &[]), Some(far)).err().unwrap();
        assert!(error.to_string().contains("it is another file now"), "{error}");
    }
}
