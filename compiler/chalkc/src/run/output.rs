//! Where computed features go: JSON lines, a table, or an Arrow IPC stream.
//!
//! JSON lines are written batch by batch; a table has to know its widths, so it keeps its rows (up to a limit) until the end.
//!
//! This file must not know how features are computed.

use std::io::{self, Write};

use arrow_array::RecordBatch;
use arrow_cast::display::{DurationFormat, FormatOptions};
use arrow_cast::pretty::pretty_format_batches_with_options;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Schema, SchemaRef};
use chalk_engine::json::RowWriter;
use chalk_types::Type;

use super::workers::RowForm;

/// The form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object per applied message, with fully qualified names
    Json,
    /// A table for reading
    Table,
    /// An Arrow IPC stream (of one resolver)
    Arrow,
}

/// Rows that a table shows; further ones are counted.
const TABLE_ROWS: usize = 1_000;

/// Bytes of JSON collected before they are written.
const JSON_CHUNK_BYTES: usize = 1 << 16;

/// Writes the batches of one or more resolvers.
pub struct Output {
    /// Moves into the stream writer when an Arrow stream is opened.
    sink: Option<Box<dyn Write>>,
    form: Form,
}

enum Form {
    Json(Vec<u8>),
    Table(Vec<Table>),
    /// The stream once it is open, and its schema.
    Arrow(Option<(Box<StreamWriter<Box<dyn Write>>>, SchemaRef)>),
}

/// What a resolver's table holds so far.
struct Table {
    resolver: String,
    batches: Vec<RecordBatch>,
    shown: usize,
    rows: usize,
}

impl Output {
    /// Writes to `sink` in that form.
    pub fn new(sink: Box<dyn Write>, format: Format) -> Output {
        let form = match format {
            Format::Json => Form::Json(Vec::with_capacity(2 * JSON_CHUNK_BYTES)),
            Format::Table => Form::Table(Vec::new()),
            Format::Arrow => Form::Arrow(None),
        };
        Output { sink: Some(sink), form }
    }

    fn sink(&mut self) -> &mut dyn Write {
        self.sink.as_mut().expect("only an Arrow stream takes the sink away")
    }

    /// Whether batches of the schema can be written: an Arrow stream has the schema of its first batch.
    pub fn takes(&self, batch: &RecordBatch) -> bool {
        match &self.form {
            Form::Arrow(Some((_, schema))) => *schema == batch.schema(),
            Form::Json(_) | Form::Table(_) | Form::Arrow(None) => true,
        }
    }

    /// Writes the rows of a batch; `types` has the language's type of each column.
    pub fn write(&mut self, resolver: &str, batch: &RecordBatch, types: &[Type]) -> io::Result<()> {
        match &mut self.form {
            Form::Json(buffer) => {
                RowWriter::new(batch, types).write_rows(buffer);
                if buffer.len() >= JSON_CHUNK_BYTES {
                    self.sink.as_mut().expect("present for JSON").write_all(buffer)?;
                    buffer.clear();
                }
                Ok(())
            }
            Form::Table(tables) => {
                let position = tables.iter().position(|table| table.resolver == resolver).unwrap_or_else(|| {
                    tables.push(Table { resolver: resolver.to_owned(), batches: Vec::new(), shown: 0, rows: 0 });
                    tables.len() - 1
                });
                let table = &mut tables[position];
                table.rows += batch.num_rows();
                let shown = batch.num_rows().min(TABLE_ROWS - table.shown);
                if shown != 0 {
                    table.batches.push(batch.slice(0, shown));
                    table.shown += shown;
                }
                Ok(())
            }
            Form::Arrow(_) => self.open_stream(batch.schema_ref())?.write(batch).map_err(into_io),
        }
    }

    /// Writes rows that were made ready elsewhere as lines of JSON.
    pub fn write_lines(&mut self, lines: &[u8]) -> io::Result<()> {
        self.flush_buffer()?;
        self.sink().write_all(lines)
    }

    /// Writes messages that were made ready elsewhere ([`ArrowEncoder`]) to the Arrow stream.
    pub fn write_messages(&mut self, messages: &[u8], schema: &SchemaRef) -> io::Result<()> {
        self.open_stream(schema)?.get_mut().write_all(messages)
    }

    /// What rows are to be made ready as, by workers or by whoever writes.
    pub fn row_form(&self, by_workers: bool) -> RowForm {
        match self.form {
            Form::Json(_) => RowForm::Json,
            Form::Arrow(_) if by_workers => RowForm::Arrow,
            Form::Arrow(_) | Form::Table(_) => RowForm::Batch,
        }
    }

    /// The Arrow stream, which has the schema of its first batch.
    fn open_stream(&mut self, schema: &SchemaRef) -> io::Result<&mut StreamWriter<Box<dyn Write>>> {
        let Form::Arrow(stream) = &mut self.form else { panic!("the output is an Arrow stream") };
        if stream.is_none() {
            let sink = self.sink.take().expect("taken once");
            let writer = StreamWriter::try_new(sink, schema).map_err(into_io)?;
            *stream = Some((Box::new(writer), schema.clone()));
        }
        Ok(&mut stream.as_mut().expect("just opened").0)
    }

    fn flush_buffer(&mut self) -> io::Result<()> {
        if let Form::Json(buffer) = &mut self.form {
            self.sink.as_mut().expect("present for JSON").write_all(buffer)?;
            buffer.clear();
        }
        Ok(())
    }

    /// Hands on what is buffered: called when the input pauses, so that a reader of a pipe sees every row.
    pub fn flush(&mut self) -> io::Result<()> {
        self.flush_buffer()?;
        match (&mut self.sink, &mut self.form) {
            (Some(sink), _) => sink.flush(),
            (None, Form::Arrow(Some((stream, _)))) => stream.flush().map_err(into_io),
            (None, _) => Ok(()),
        }
    }

    /// Writes what is held back and ends the stream.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        match std::mem::replace(&mut self.form, Form::Json(Vec::new())) {
            Form::Json(_) => Ok(()),
            Form::Table(tables) => {
                for table in tables {
                    write_table(self.sink(), &table)?;
                }
                self.sink().flush()
            }
            Form::Arrow(None) => Ok(()),
            Form::Arrow(Some((mut stream, _))) => {
                stream.finish().map_err(into_io)?;
                stream.get_mut().flush()
            }
        }
    }
}

/// Makes messages of an Arrow stream of batches: what the stream's writer would make of them.
#[derive(Default)]
pub struct ArrowEncoder(Option<(StreamWriter<Vec<u8>>, SchemaRef)>);

impl ArrowEncoder {
    /// Whether a message says all of a batch. A dictionary is written once in a stream, before the first batch that needs it; only the stream's
    /// writer knows whether it was.
    pub fn takes(schema: &Schema) -> bool {
        fn is_plain(ty: &DataType) -> bool {
            match ty {
                DataType::Dictionary(..) => false,
                DataType::Struct(fields) => fields.iter().all(|field| is_plain(field.data_type())),
                DataType::LargeList(field) | DataType::FixedSizeList(field, _) | DataType::Map(field, _) => {
                    is_plain(field.data_type())
                }
                other => !other.is_nested(),
            }
        }
        schema.fields().iter().all(|field| is_plain(field.data_type()))
    }

    /// The message of a batch, in the memory that is given.
    pub fn encode(&mut self, batch: &RecordBatch, memory: Vec<u8>) -> io::Result<Vec<u8>> {
        if self.0.as_ref().is_none_or(|(_, schema)| schema != batch.schema_ref()) {
            let writer = StreamWriter::try_new(Vec::new(), batch.schema_ref()).map_err(into_io)?;
            self.0 = Some((writer, batch.schema()));
        }
        let (writer, _) = self.0.as_mut().expect("just made");
        *writer.get_mut() = memory;
        writer.write(batch).map_err(into_io)?;
        Ok(std::mem::take(writer.get_mut()))
    }
}

/// Whoever works on other batches begins anew.
impl Clone for ArrowEncoder {
    fn clone(&self) -> ArrowEncoder {
        ArrowEncoder::default()
    }
}

fn write_table(sink: &mut dyn Write, table: &Table) -> io::Result<()> {
    let options = FormatOptions::new()
        .with_null("none")
        .with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.fZ"))
        .with_duration_format(DurationFormat::Pretty);
    let text = pretty_format_batches_with_options(&table.batches, &options).map_err(into_io)?;
    writeln!(sink, "{}\n{text}", table.resolver)?;
    if table.rows > table.shown {
        writeln!(sink, "… and {} more rows (--format json prints all)", table.rows - table.shown)?;
    }
    Ok(())
}

fn into_io(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, error) => error,
        other => io::Error::other(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int64Array, StringViewArray};
    use arrow_schema::Field;

    use super::*;

    #[test]
    fn messages_made_elsewhere_are_those_of_the_stream() {
        let batch = |from: i64| {
            let ids = Arc::new(Int64Array::from_iter_values(from..from + 3));
            let names = Arc::new(StringViewArray::from(vec![Some("a"), None, Some("longer than twelve bytes")]));
            RecordBatch::try_from_iter([("id", ids as _), ("name", names as _)]).unwrap()
        };
        assert!(ArrowEncoder::takes(batch(0).schema_ref()));
        let mut stream = StreamWriter::try_new(Vec::new(), batch(0).schema_ref()).unwrap();
        let mut elsewhere = StreamWriter::try_new(Vec::new(), batch(0).schema_ref()).unwrap();
        let mut encoder = ArrowEncoder::default();
        let mut memory = Vec::new();
        for from in 0..3 {
            stream.write(&batch(from)).unwrap();
            memory = encoder.encode(&batch(from), memory).unwrap();
            elsewhere.get_mut().write_all(&memory).unwrap();
            memory.clear();
        }
        assert_eq!(elsewhere.into_inner().unwrap(), stream.into_inner().unwrap());
    }

    #[test]
    fn only_the_stream_knows_whether_a_dictionary_was_written() {
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let item = Arc::new(Field::new("item", dictionary.clone(), true));
        let inside = DataType::Struct(vec![Field::new("list", DataType::LargeList(item), true)].into());
        for ty in [dictionary, inside] {
            assert!(!ArrowEncoder::takes(&Schema::new(vec![Field::new("state", ty, true)])));
        }
    }
}
