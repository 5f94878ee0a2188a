//! Several cores at work on one input whose messages are independent: the order of the output is that of the input.
//!
//! Chunks are dealt out in turn, by a thread that reads, or of a mapped file by the workers themselves; each worker has resolvers of its own,
//! runs its chunks and makes their rows ready to be written; whoever writes takes the results in the same turn. So nothing has to be sorted, memory is bounded by the
//! channels, and what is written does not depend on how many workers there are. Where one core is to be used, nothing is dealt out: whoever
//! writes also computes, and of a mapped file reads (`Chunks`).
//!
//! This file must not know where output goes.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use chalk_artifact::manifest::Manifest;
use chalk_decode::{PlanError, Tier};
use chalk_engine::json::RowWriter;
use chalk_engine::{Closed, Executor, InputBatch, OutputBatch, Program};

use super::chunks::{Chunk, ChunkReader, ReadMemory};
use super::dead_letters::{self, Origin};
use super::output::ArrowEncoder;
use super::share::SharedReader;
use super::stream::{Observer, SourceCounts, SourceResolvers, SourceRun};

/// Chunks that wait for a worker, and results that wait to be written.
const WAITING: usize = 2;

/// What is made ready of the rows of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowForm {
    /// Lines of JSON.
    Json,
    /// Messages of an Arrow stream, where they say all there is to say.
    Arrow,
    /// The batch itself.
    Batch,
}

/// Rows of one batch.
pub enum Rows {
    /// As `RowForm::Json`.
    Json(Vec<u8>),
    /// As `RowForm::Arrow`, and the schema of the stream.
    Arrow(Vec<u8>, SchemaRef),
    /// As `RowForm::Batch`.
    Batch(RecordBatch),
}

/// What one batch of a resolver gave.
pub struct BatchResult {
    /// The resolver's position in the manifest.
    pub resolver: usize,
    /// None where the resolver sets nothing message by message.
    pub rows: Option<Rows>,
    /// Where their memory goes when they are written.
    pub spare: SpareRows,
    /// Messages that failed.
    pub dead_letters: Vec<DeadLetter>,
}

/// A message that failed.
pub struct DeadLetter {
    /// For people; made for the first ones of a chunk only.
    pub text: Option<String>,
    /// As a JSON line, where it is wanted.
    pub record: Vec<u8>,
}

/// What one chunk gave.
pub struct ChunkResult {
    /// In the order in which batches ran.
    pub batches: Vec<BatchResult>,
    /// Bytes of the input up to its end.
    pub consumed_bytes: u64,
    /// Messages in it.
    pub messages: u64,
}

/// Memory of rows that were written, for the next ones: so a run asks for as much as is under way at once, and no more. Each worker has its own,
/// which stays in its caches.
#[derive(Clone, Default)]
pub struct SpareRows(Arc<Mutex<Vec<Vec<u8>>>>);

impl SpareRows {
    /// Empty memory.
    fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Gives memory back whose rows are written.
    pub fn give(&self, mut rows: Vec<u8>) {
        rows.clear();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(rows);
    }
}

/// How results are made ready.
#[derive(Clone)]
pub struct Preparation {
    /// Of rows.
    pub rows: RowForm,
    /// Dead letters of a chunk that are described.
    pub described: usize,
    /// Whether dead letters are kept.
    pub keep_dead_letters: bool,
    /// The source's name.
    pub source: String,
    /// The file, as the user named it.
    pub file: String,
    /// Memory for rows.
    pub spare: SpareRows,
    /// Of rows as messages of an Arrow stream.
    pub encoder: ArrowEncoder,
}

impl Preparation {
    /// Makes the result of a batch ready. `failed` counts the dead letters that came before: of those to describe, and goes on.
    pub fn batch(
        &mut self,
        manifest: &Manifest,
        resolver: usize,
        run: &Executor,
        input: &InputBatch,
        output: &OutputBatch,
        failed: &mut usize,
    ) -> io::Result<BatchResult> {
        // A windowed resolver sets nothing message by message.
        let rows = match self.rows {
            _ if output.batch.num_columns() == 0 => None,
            RowForm::Arrow if ArrowEncoder::takes(output.batch.schema_ref()) => {
                let bytes = self.encoder.encode(&output.batch, self.spare.take())?;
                Some(Rows::Arrow(bytes, output.batch.schema()))
            }
            RowForm::Arrow | RowForm::Batch => Some(Rows::Batch(output.batch.clone())),
            RowForm::Json => {
                let mut text = self.spare.take();
                RowWriter::new(&output.batch, run.types()).write_rows(&mut text);
                Some(Rows::Json(text))
            }
        };
        let origin = Origin { source: &self.source, file: &self.file, resolver: &run.resolver().name };
        let mut dead_letters = Vec::with_capacity(output.errors.len());
        for error in &output.errors {
            *failed += 1;
            let text = (*failed <= self.described).then(|| dead_letters::describe(manifest, &origin, input, error));
            let mut record = Vec::new();
            if self.keep_dead_letters {
                dead_letters::write(&mut record, manifest, &origin, input, error)?;
            }
            dead_letters.push(DeadLetter { text, record });
        }
        Ok(BatchResult { resolver, rows, spare: self.spare.clone(), dead_letters })
    }
}

/// Workers on one input.
pub struct Workers {
    results: Vec<Receiver<io::Result<ChunkResult>>>,
    handles: Vec<JoinHandle<SourceCounts>>,
    turn: usize,
}

/// Chunks for one who works alone.
pub enum Chunks {
    /// Read when they are asked for.
    Direct(ChunkReader),
    /// Read ahead by a thread.
    Ahead(Receiver<io::Result<Chunk>>),
}

impl Chunks {
    /// Starts a thread that reads ahead; none where only one core is to be used and the input is a mapped file, reading which is no work.
    pub fn start(mut reader: ChunkReader, only_one_core: bool) -> Chunks {
        if only_one_core && reader.is_mapped() {
            return Chunks::Direct(reader);
        }
        let (sender, receiver) = sync_channel(2 * WAITING);
        std::thread::spawn(move || deal(&mut reader, &[sender]));
        Chunks::Ahead(receiver)
    }

    /// The next chunk; none at the end of the input. `pause` is called before it waits.
    pub fn next(&mut self, pause: &mut dyn FnMut() -> io::Result<()>) -> Option<io::Result<Chunk>> {
        match self {
            Chunks::Direct(reader) => reader.next_chunk().transpose(),
            Chunks::Ahead(chunks) => receive(chunks, pause),
        }
    }
}

/// The next one that a thread sends; none where it has ended. `pause` is called before this waits.
fn receive<T>(from: &Receiver<io::Result<T>>, pause: &mut dyn FnMut() -> io::Result<()>) -> Option<io::Result<T>> {
    match from.try_recv() {
        Ok(result) => Some(result),
        Err(TryRecvError::Disconnected) => None,
        Err(TryRecvError::Empty) => match pause() {
            Ok(()) => from.recv().ok(),
            Err(error) => Some(Err(error)),
        },
    }
}

/// Deals chunks out in turn until the input ends, fails, or nobody wants them any more.
fn deal(reader: &mut ChunkReader, to: &[SyncSender<io::Result<Chunk>>]) {
    for worker in to.iter().cycle() {
        let Some(chunk) = reader.next_chunk().transpose() else { return };
        let is_last = chunk.is_err();
        if worker.send(chunk).is_err() || is_last {
            return;
        }
    }
}

impl Workers {
    /// Starts that many workers, and a thread that reads for them.
    pub fn start(
        program: &Arc<Program>,
        resolvers: &SourceResolvers,
        tier: Tier,
        count: usize,
        mut reader: ChunkReader,
        preparation: &Preparation,
    ) -> Result<Workers, PlanError> {
        let count = count.max(1);
        let mut runs = Vec::with_capacity(count);
        for _ in 0..count {
            runs.push(SourceRun::new(program, resolvers.clone(), tier, false)?);
        }
        let supplies: Vec<Supply> = if reader.is_mapped() {
            let reader = Arc::new(SharedReader::new(reader, count));
            (0..count).map(|worker| Supply::Shared(Arc::clone(&reader), worker, ReadMemory::default())).collect()
        } else {
            let (to_workers, of_reader): (Vec<_>, Vec<_>) = (0..count).map(|_| sync_channel(WAITING)).unzip();
            std::thread::spawn(move || deal(&mut reader, &to_workers));
            of_reader.into_iter().map(Supply::Dealt).collect()
        };
        let (mut results, mut handles) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (run, mut supply) in runs.into_iter().zip(supplies) {
            let (to_writer, of_worker) = sync_channel(WAITING);
            let program = Arc::clone(program);
            let preparation = Preparation { spare: SpareRows::default(), ..preparation.clone() };
            results.push(of_worker);
            handles.push(std::thread::spawn(move || work(&program, run, preparation, &mut supply, &to_writer)));
        }
        Ok(Workers { results, handles, turn: 0 })
    }

    /// The results of the next chunk of the input; none at its end. `pause` is called before it waits.
    pub fn next(&mut self, pause: &mut dyn FnMut() -> io::Result<()>) -> Option<io::Result<ChunkResult>> {
        let results = &self.results[self.turn % self.results.len()];
        self.turn += 1;
        // Chunks were dealt out in this order, so the first worker without one says that there are no more.
        receive(results, pause)
    }

    /// Waits for the workers, which have nothing left to do, and gives what they counted.
    pub fn finish(self) -> SourceCounts {
        drop(self.results);
        let mut counts = SourceCounts::default();
        for handle in self.handles {
            match handle.join() {
                Ok(of_worker) => counts.add(&of_worker),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        counts
    }
}

/// Where a worker's chunks come from.
enum Supply {
    /// From a thread that reads.
    Dealt(Receiver<io::Result<Chunk>>),
    /// From a mapped file; the worker's number.
    Shared(Arc<SharedReader>, usize, ReadMemory),
}

impl Supply {
    fn next(&mut self) -> Option<io::Result<Chunk>> {
        match self {
            Supply::Dealt(chunks) => chunks.recv().ok(),
            Supply::Shared(reader, worker, memory) => reader.next(*worker, memory),
        }
    }
}

/// A worker that goes before the end of the input, be it by a panic, is not to be waited for.
struct AtWork<'a> {
    supply: &'a mut Supply,
    is_done: bool,
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        if let Supply::Shared(reader, ..) = self.supply
            && !self.is_done
        {
            reader.leave();
        }
    }
}

fn work(
    program: &Program,
    mut run: SourceRun,
    mut preparation: Preparation,
    supply: &mut Supply,
    results: &SyncSender<io::Result<ChunkResult>>,
) -> SourceCounts {
    let mut before = 0;
    let mut at_work = AtWork { supply, is_done: false };
    while let Some(chunk) = at_work.supply.next() {
        let preparation = &mut preparation;
        let mut ready = Ready { manifest: program.manifest(), preparation, failed: 0, batches: Vec::new() };
        let ran = chunk.and_then(|chunk| run.run(&chunk, None, &mut ready).map(|()| chunk.consumed_bytes()));
        let messages = run.messages() - std::mem::replace(&mut before, run.messages());
        let result = ran.map(|consumed_bytes| ChunkResult { batches: ready.batches, consumed_bytes, messages });
        if results.send(result).is_err() {
            return run.counts(None);
        }
    }
    at_work.is_done = true;
    run.counts(None)
}

/// Takes the results of a chunk's batches.
struct Ready<'a> {
    manifest: &'a Manifest,
    preparation: &'a mut Preparation,
    failed: usize,
    batches: Vec<BatchResult>,
}

impl Observer for Ready<'_> {
    fn batch(&mut self, resolver: usize, run: &Executor, input: &InputBatch, output: &OutputBatch) -> io::Result<()> {
        let ready = self.preparation.batch(self.manifest, resolver, run, input, output, &mut self.failed)?;
        self.batches.push(ready);
        Ok(())
    }

    fn closed(&mut self, _: &Closed) -> io::Result<()> {
        unreachable!("windows need a session, which runs on one thread")
    }
}
