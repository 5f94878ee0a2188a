//! Newline-delimited messages from a file, standard input, or either of them compressed: in pieces of whole lines.
//!
//! A plain file is cut where it is mapped into memory, which touches a page a piece; whoever computes reads its pieces, into memory that stays in
//! its cache. Computing on the mapped bytes themselves costs more: they come from memory twice, each page is a fault, faults of several
//! threads wait for each other, and whoever writes to the file meanwhile could change a text after it was checked. Anything else is read, and
//! decompressed, piece by piece, which a thread of its own does while others compute. gzip and zstd are told by their first
//! bytes, not by the name, so that a pipe works as well as a file. Where pieces end depends on the input alone, never on who works on them.
//!
//! This file must not know what a message means.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chalk_decode::{PADDING_BYTES, PaddedBytes};
use chalk_engine::Line;
use flate2::read::MultiGzDecoder;
use memmap2::Mmap;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Bytes of a piece, about.
const CHUNK_BYTES: usize = 512 << 10;

/// Bytes asked of a reader at a time.
const READ_BYTES: usize = 128 << 10;

/// Whole lines of the input.
pub struct Chunk {
    bytes: PaddedBytes,
    /// Where its newlines are, and its end where the last line has none.
    line_ends: Vec<usize>,
    first_line: i64,
    consumed_bytes: u64,
}

/// Bytes of whole lines of the input, where these are not known yet.
pub struct Piece {
    bytes: Bytes,
    consumed_bytes: u64,
}

enum Bytes {
    Read(PaddedBytes),
    /// Part of a file.
    InFile(Arc<File>, Range<u64>),
}

/// Memory that pieces of a file are read into, again and again, so that they stay in the second-level cache.
#[derive(Default)]
pub struct ReadMemory(Vec<PaddedBytes>);

/// Pieces whose memory may come back; those of more are left to whoever holds them.
const MOST_HELD: usize = 4;

impl ReadMemory {
    /// Reads part of a file.
    fn read(&mut self, file: &File, range: Range<u64>) -> io::Result<PaddedBytes> {
        let size_bytes = (range.end - range.start) as usize;
        let mut memory = Vec::new();
        for bytes in std::mem::take(&mut self.0) {
            match bytes.into_memory() {
                Ok(free) => memory = free,
                Err(held) => self.0.push(held),
            }
        }
        if memory.len() < size_bytes + PADDING_BYTES {
            memory.resize(size_bytes.max(CHUNK_BYTES) + PADDING_BYTES, 0);
        }
        read_exact_at(file, &mut memory[..size_bytes], range.start)?;
        let bytes = PaddedBytes::first_of(memory, size_bytes);
        if self.0.len() < MOST_HELD {
            self.0.push(bytes.clone());
        }
        Ok(bytes)
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, into: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, into, at)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut into: &mut [u8], mut at: u64) -> io::Result<()> {
    while !into.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, into, at)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => (into, at) = (&mut into[read..], at + read as u64),
        }
    }
    Ok(())
}

impl Piece {
    /// Reads it, if that is to be done yet, and finds its lines; memory is asked for so many.
    pub fn find_lines(self, usual_lines: usize, memory: &mut ReadMemory) -> io::Result<Chunk> {
        let bytes = match self.bytes {
            Bytes::Read(bytes) => bytes,
            Bytes::InFile(file, range) => memory.read(&file, range)?,
        };
        let line_ends = find_line_ends(&bytes, Vec::with_capacity(usual_lines));
        Ok(Chunk { bytes, line_ends, first_line: 0, consumed_bytes: self.consumed_bytes })
    }
}

impl Chunk {
    /// Numbers its lines from that one on; gives the number of the line behind.
    pub fn number_lines(&mut self, first_line: i64) -> i64 {
        self.first_line = first_line;
        first_line + self.line_ends.len() as i64
    }

    /// All its bytes, which a batch may use without a copy.
    pub fn bytes(&self) -> &PaddedBytes {
        &self.bytes
    }

    /// Where its lines lie in its bytes, without their newline (`\n` or `\r\n`), with their numbers, from 0, as offsets. Blank ones are among
    /// them.
    pub fn lines(&self) -> impl Iterator<Item = Line> {
        let bytes = self.bytes();
        let (mut start, mut offset) = (0, self.first_line);
        self.line_ends.iter().map(move |&end| {
            let has_return = end > start && bytes[end - 1] == b'\r';
            let line = Line { start, size_bytes: end - usize::from(has_return) - start, offset };
            (start, offset) = (end + 1, offset + 1);
            line
        })
    }

    /// Bytes taken from the file up to its end (before decompression).
    pub fn consumed_bytes(&self) -> u64 {
        self.consumed_bytes
    }
}

/// Cuts an input into chunks.
pub struct ChunkReader {
    input: Input,
    next_line: i64,
    /// Lines that memory is asked for: somewhat more than the last chunk had.
    usual_lines: usize,
    max_line_bytes: usize,
    size_bytes: Option<u64>,
    is_pipe: bool,
    memory: ReadMemory,
}

enum Input {
    Mapped { map: Mmap, file: Arc<File>, at: usize },
    Read { reader: Box<dyn Read + Send>, rest: Vec<u8>, at_end: bool, consumed_bytes: Arc<AtomicU64> },
}

/// Counts the bytes that were read below decompression: what a progress bar is measured in.
struct Counted<R> {
    inner: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.inner.read(buffer)?;
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}

impl ChunkReader {
    /// Opens a file, or standard input where the path is `-`.
    pub fn open(path: &Path, max_line_bytes: usize) -> io::Result<ChunkReader> {
        if path == Path::new("-") {
            return ChunkReader::new(Box::new(io::stdin()), None, max_line_bytes);
        }
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder; give one file"));
        }
        if !metadata.is_file() {
            return ChunkReader::new(Box::new(file), None, max_line_bytes);
        }
        let mut head = Vec::with_capacity(ZSTD_MAGIC.len());
        file.by_ref().take(ZSTD_MAGIC.len() as u64).read_to_end(&mut head)?;
        if metadata.len() == 0 || head.starts_with(&GZIP_MAGIC) || head.starts_with(&ZSTD_MAGIC) {
            return ChunkReader::new(Box::new(File::open(path)?), Some(metadata.len()), max_line_bytes);
        }
        // SAFETY: newlines are looked for in the bytes, whatever they are: whoever writes to the file meanwhile changes what is found. If it is cut
        // short meanwhile, the process may get the system's signal for that, as every program that maps its input.
        let map = unsafe { Mmap::map(&file)? };
        Ok(ChunkReader {
            size_bytes: Some(map.len() as u64),
            input: Input::Mapped { map, file: Arc::new(file), at: 0 },
            next_line: 0,
            usual_lines: 0,
            max_line_bytes,
            is_pipe: false,
            memory: ReadMemory::default(),
        })
    }

    /// Reads from anything; `size_bytes` is what it will give in all, where known.
    pub fn new(
        mut raw: Box<dyn Read + Send>,
        size_bytes: Option<u64>,
        max_line_bytes: usize,
    ) -> io::Result<ChunkReader> {
        let mut head = Vec::with_capacity(ZSTD_MAGIC.len());
        raw.by_ref().take(ZSTD_MAGIC.len() as u64).read_to_end(&mut head)?;
        let (gzip, zstd) = (head.starts_with(&GZIP_MAGIC), head.starts_with(&ZSTD_MAGIC));
        let consumed_bytes = Arc::default();
        let counted = Counted { inner: io::Cursor::new(head).chain(raw), bytes: Arc::clone(&consumed_bytes) };
        let reader: Box<dyn Read + Send> = if gzip {
            Box::new(MultiGzDecoder::new(io::BufReader::with_capacity(CHUNK_BYTES, counted)))
        } else if zstd {
            Box::new(zstd::Decoder::new(counted)?)
        } else {
            Box::new(counted)
        };
        Ok(ChunkReader {
            input: Input::Read { reader, rest: Vec::new(), at_end: false, consumed_bytes },
            next_line: 0,
            usual_lines: 0,
            max_line_bytes,
            size_bytes,
            is_pipe: size_bytes.is_none(),
            memory: ReadMemory::default(),
        })
    }

    /// Whether it is a plain file, whose pieces are read by whoever computes: then nothing is won by reading ahead.
    pub fn is_mapped(&self) -> bool {
        matches!(self.input, Input::Mapped { .. })
    }

    /// Bytes of the file, where known.
    pub fn size_bytes(&self) -> Option<u64> {
        self.size_bytes
    }

    /// The next lines; none at the end. Of a pipe: those that are there, so that a person who types a message sees its features. A
    /// last line may lack its newline. A line longer than the limit is an error, because it is no longer certain that the input has
    /// lines at all; lines before it were given.
    pub fn next_chunk(&mut self) -> io::Result<Option<Chunk>> {
        let Some(piece) = self.next_piece()? else { return Ok(None) };
        let mut chunk = piece.find_lines(self.usual_lines, &mut self.memory)?;
        self.usual_lines = chunk.line_ends.len() + chunk.line_ends.len() / 8;
        self.next_line = chunk.number_lines(self.next_line);
        Ok(Some(chunk))
    }

    /// As `next_chunk`, for whoever finds and numbers lines.
    pub fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        let too_long = || {
            let rule = format!("a line is longer than {} bytes; is the input newline-delimited?", self.max_line_bytes);
            io::Error::new(io::ErrorKind::InvalidData, rule)
        };
        let (bytes, consumed_bytes) = match &mut self.input {
            Input::Mapped { map, file, at } => {
                let left = &map[*at..];
                let piece = &left[..left.len().min(CHUNK_BYTES)];
                let end = match memchr::memrchr(b'\n', piece) {
                    _ if piece.len() == left.len() => piece.len(),
                    Some(newline) => newline + 1,
                    None => memchr::memchr(b'\n', left).map_or(left.len(), |newline| newline + 1),
                };
                if end == 0 {
                    return Ok(None);
                }
                if end > CHUNK_BYTES && end > self.max_line_bytes {
                    return Err(too_long());
                }
                let range = *at..*at + end;
                *at = range.end;
                let end = range.end as u64;
                (Bytes::InFile(Arc::clone(file), range.start as u64..end), end)
            }
            Input::Read { reader, rest, at_end, consumed_bytes } => {
                let mut buffer = std::mem::take(rest);
                let mut searched = 0;
                let end = loop {
                    // What was read before has no newline, apart from the end of what is given now.
                    let last = memchr::memrchr(b'\n', &buffer[searched..]).map(|newline| searched + newline + 1);
                    if let Some(end) = last
                        && (self.is_pipe || buffer.len() >= CHUNK_BYTES)
                    {
                        break end;
                    }
                    if *at_end {
                        break buffer.len();
                    }
                    if last.is_none() {
                        searched = buffer.len();
                        if buffer.len() > self.max_line_bytes {
                            return Err(too_long());
                        }
                    }
                    *at_end = read_more(reader.as_mut(), &mut buffer)? == 0;
                };
                if end == 0 {
                    return Ok(None);
                }
                rest.extend_from_slice(&buffer[end..]);
                buffer.truncate(end);
                (Bytes::Read(PaddedBytes::new(buffer)), consumed_bytes.load(Ordering::Relaxed))
            }
        };
        Ok(Some(Piece { bytes, consumed_bytes }))
    }
}

/// Fills `ends` with where lines end: at newlines, and where a last line has none at the end of the bytes.
fn find_line_ends(bytes: &[u8], mut ends: Vec<usize>) -> Vec<usize> {
    ends.extend(memchr::memchr_iter(b'\n', bytes));
    if !bytes.ends_with(b"\n") {
        ends.push(bytes.len());
    }
    ends
}

/// Appends what a read gives.
fn read_more(reader: &mut dyn Read, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let length = buffer.len();
    buffer.reserve(READ_BYTES + PADDING_BYTES);
    buffer.resize(length + READ_BYTES, 0);
    let bytes = loop {
        match reader.read(&mut buffer[length..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other,
        }
    };
    buffer.truncate(length + *bytes.as_ref().unwrap_or(&0));
    bytes
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn all(mut reader: ChunkReader) -> io::Result<Vec<String>> {
        let mut lines = Vec::new();
        while let Some(chunk) = reader.next_chunk()? {
            for line in chunk.lines() {
                assert_eq!(line.offset, lines.len() as i64);
                let bytes = &chunk.bytes()[line.start..][..line.size_bytes];
                lines.push(String::from_utf8(bytes.to_vec()).unwrap());
            }
        }
        Ok(lines)
    }

    /// Read as a pipe, as a stream of known size, and as a file.
    fn lines(bytes: &[u8]) -> Vec<String> {
        let cursor = || Box::new(io::Cursor::new(bytes.to_vec()));
        let pipe = all(ChunkReader::new(cursor(), None, 1 << 24).unwrap()).unwrap();
        let stream = all(ChunkReader::new(cursor(), Some(bytes.len() as u64), 1 << 24).unwrap()).unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let mapped = all(ChunkReader::open(file.path(), 1 << 24).unwrap()).unwrap();
        assert_eq!(pipe, stream);
        assert_eq!(pipe, mapped);
        mapped
    }

    /// Memory is read into again when nobody uses it, and never before.
    #[test]
    fn pieces_that_are_held_keep_their_bytes() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for line in 0..1_000_000 {
            writeln!(file, "{line}").unwrap();
        }
        let mut reader = ChunkReader::open(file.path(), 1 << 24).unwrap();
        let (mut held, mut next, mut places) = (Vec::new(), 0, std::collections::BTreeSet::new());
        while let Some(chunk) = reader.next_chunk().unwrap() {
            places.insert(chunk.bytes().as_ptr());
            held.push(chunk);
            if held.len() == 2 * MOST_HELD || next > 300_000 {
                for chunk in held.drain(..) {
                    for line in chunk.lines() {
                        let text = &chunk.bytes()[line.start..][..line.size_bytes];
                        assert_eq!(text, next.to_string().as_bytes());
                        next += 1;
                    }
                }
            }
        }
        assert!(held.is_empty() && next == 1_000_000, "{next} lines");
        assert!(places.len() <= 3 * MOST_HELD, "{} places", places.len());
    }

    #[test]
    fn lines_end_with_a_newline_or_the_end() {
        assert_eq!(lines(b"a\nbc\r\n\nd"), ["a", "bc", "", "d"]);
        assert_eq!(lines(b"a\n"), ["a"]);
        assert_eq!(lines(b""), [""; 0]);
        assert_eq!(lines(b"\n\n"), ["", ""]);
        assert_eq!(lines(b"a\r"), ["a"]);
    }

    #[test]
    fn compressed_input_is_told_by_its_first_bytes() {
        let text: String = (0..200_000).map(|line| format!("line {line}\n")).collect();
        let expected: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        assert_eq!(lines(&gzip.finish().unwrap()), expected);
        assert_eq!(lines(&zstd::encode_all(text.as_bytes(), 1).unwrap()), expected);
        assert_eq!(lines(text.as_bytes()), expected);
    }

    #[test]
    fn lines_of_any_length_stay_whole() {
        let long = "x".repeat(3 * CHUNK_BYTES);
        let text = format!("a\n{long}\nb\n{}\n{long}", "y".repeat(CHUNK_BYTES - 1));
        let expected: Vec<String> = text.lines().map(str::to_owned).collect();
        assert!(lines(text.as_bytes()) == expected);
    }

    #[test]
    fn damaged_compression_and_endless_lines_are_errors() {
        let mut cut = zstd::encode_all(&b"some text\n"[..], 1).unwrap();
        cut.truncate(cut.len() - 3);
        assert!(all(ChunkReader::new(Box::new(io::Cursor::new(cut)), None, 1 << 24).unwrap()).is_err());

        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&vec![b'x'; 5 << 20]).unwrap();
        let endless = [
            ChunkReader::new(Box::new(io::Cursor::new(vec![b'x'; 5 << 20])), None, 1 << 20).unwrap(),
            ChunkReader::open(file.path(), 1 << 20).unwrap(),
        ];
        for reader in endless {
            let message = all(reader).unwrap_err().to_string();
            assert!(message.contains("newline-delimited"), "{message}");
        }
    }

    /// A person types a line and waits.
    #[test]
    fn a_pipe_gives_its_lines_at_once() {
        struct Typist(Vec<&'static [u8]>);
        impl Read for Typist {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let Some(typed) = self.0.first_mut() else { return Ok(0) };
                let bytes = typed.read(buffer)?;
                self.0.retain(|typed| !typed.is_empty());
                Ok(bytes)
            }
        }
        let typist = Typist(vec![b"{\"a\":", b"1}\n{", b"}\n{}\n"]);
        let mut reader = ChunkReader::new(Box::new(typist), None, 1 << 24).unwrap();
        let mut counts = Vec::new();
        while let Some(chunk) = reader.next_chunk().unwrap() {
            counts.push(chunk.lines().count());
        }
        assert_eq!(counts, [1, 2]);
    }
}
