//! A mapped file that several workers read: each finds the lines of its own chunks.
//!
//! Finding lines is a tenth of the work; were it one thread's, the bytes would go through two cores. Chunks are dealt out in turn, as `deal` does it, so
//! results are in the order of the input. Lines are numbered over all of it, so a worker that has found its lines waits
//! until those before are counted: not long, because everybody counts before computing.
//!
//! This file must not know what becomes of chunks.

use std::collections::VecDeque;
use std::io;
use std::sync::{Condvar, Mutex, PoisonError};

use super::chunks::{Chunk, ChunkReader, Piece, ReadMemory};

/// A mapped file, for so many workers.
pub struct SharedReader {
    pieces: Mutex<Pieces>,
    lines: Mutex<Lines>,
    /// Told when `lines` changes.
    counted: Condvar,
}

struct Pieces {
    reader: ChunkReader,
    /// Per worker those that were cut and not taken, with their turns.
    dealt: Vec<VecDeque<(u64, io::Result<Piece>)>>,
    turn: u64,
    at_end: bool,
}

struct Lines {
    /// The first piece whose lines are not counted.
    turn: u64,
    /// The number of its first line.
    next_line: i64,
    /// Lines that memory is asked for: somewhat more than the last piece had.
    usual_lines: usize,
    /// Whether somebody has left without counting.
    is_left: bool,
}

impl SharedReader {
    /// Of a reader at its beginning.
    pub fn new(reader: ChunkReader, workers: usize) -> SharedReader {
        let dealt = (0..workers).map(|_| VecDeque::new()).collect();
        SharedReader {
            pieces: Mutex::new(Pieces { reader, dealt, turn: 0, at_end: false }),
            lines: Mutex::new(Lines { turn: 0, next_line: 0, usual_lines: 0, is_left: false }),
            counted: Condvar::new(),
        }
    }

    /// The next chunk of a worker; none at the end, or where another worker has left.
    pub fn next(&self, worker: usize, memory: &mut ReadMemory) -> Option<io::Result<Chunk>> {
        let (turn, piece) = self.take(worker)?;
        let piece = match piece {
            Ok(piece) => piece,
            Err(error) => return Some(Err(error)),
        };
        let usual_lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner).usual_lines;
        let chunk = piece.find_lines(usual_lines, memory);
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let is_early = |lines: &mut Lines| lines.turn != turn && !lines.is_left;
        let mut lines = self.counted.wait_while(lines, is_early).unwrap_or_else(PoisonError::into_inner);
        if lines.is_left {
            return None;
        }
        let mut chunk = match chunk {
            Ok(chunk) => chunk,
            Err(error) => {
                // Nobody can number the lines behind these.
                lines.is_left = true;
                self.counted.notify_all();
                return Some(Err(error));
            }
        };
        let first_line = lines.next_line;
        lines.next_line = chunk.number_lines(first_line);
        lines.usual_lines = ((lines.next_line - first_line) * 9 / 8) as usize;
        lines.turn += 1;
        self.counted.notify_all();
        Some(Ok(chunk))
    }

    /// Cuts pieces until there is one for the worker.
    fn take(&self, worker: usize) -> Option<(u64, io::Result<Piece>)> {
        let mut pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        while pieces.dealt[worker].is_empty() && !pieces.at_end {
            let (turn, count) = (pieces.turn, pieces.dealt.len());
            let piece = pieces.reader.next_piece().transpose();
            pieces.at_end = !matches!(piece, Some(Ok(_)));
            pieces.turn += 1;
            pieces.dealt[turn as usize % count].extend(piece.map(|piece| (turn, piece)));
        }
        pieces.dealt[worker].pop_front()
    }

    /// A worker leaves before the end: nobody waits for what it has not counted.
    pub fn leave(&self) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).is_left = true;
        self.counted.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn reader(lines: usize) -> (tempfile::NamedTempFile, ChunkReader) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for line in 0..lines {
            writeln!(file, "{line} {}", "x".repeat(line % 90)).unwrap();
        }
        let reader = ChunkReader::open(file.path(), 1 << 20).unwrap();
        (file, reader)
    }

    #[test]
    fn every_line_has_its_number_whoever_finds_it() {
        const LINES: usize = 100_000;
        let (_file, reader) = reader(LINES);
        let shared = SharedReader::new(reader, 3);
        let read = |worker: usize| {
            let (mut count, mut chunks, mut memory) = (0, 0, ReadMemory::default());
            while let Some(chunk) = shared.next(worker, &mut memory) {
                let chunk = chunk.unwrap();
                for line in chunk.lines() {
                    let text = std::str::from_utf8(&chunk.bytes()[line.start..][..line.size_bytes]).unwrap();
                    assert!(text.starts_with(&format!("{} ", line.offset)), "{text} at {}", line.offset);
                    count += 1;
                }
                chunks += 1;
            }
            (count, chunks)
        };
        let counts: Vec<(usize, usize)> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..3).map(|worker| scope.spawn(move || read(worker))).collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).collect()
        });
        assert_eq!(counts.iter().map(|(count, _)| count).sum::<usize>(), LINES);
        assert!(counts.iter().all(|(_, chunks)| *chunks >= 3), "chunks are dealt out in turn: {counts:?}");
    }

    /// The first chunk is never counted.
    #[test]
    fn nobody_waits_for_a_worker_that_has_left() {
        let (_file, reader) = reader(100_000);
        let shared = SharedReader::new(reader, 2);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| shared.next(1, &mut ReadMemory::default()).is_none());
            shared.leave();
            assert!(waiting.join().unwrap());
        });
    }
}
